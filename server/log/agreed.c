/*
 * One policy for all processes of a store. What is published under one policy must not be mixed with what another one asks for, so
 * the policy in use stands in a file beside the store, as a digest, and every process holds it against its own before it publishes.
 *
 * Two bytes of the file are locked (their contents do not matter):
 *	byte 0	shared, by every process for as long as it lives. Who gets it alone is the only one, and its policy counts, whatever an
 *		earlier process has left: a crash of all of them locks nobody out.
 *	byte 1	shared, while something is published; alone, while the policy is exchanged. So nothing goes out under the old one
 *		after that.
 * The locks end with their process, and the file says nothing to a machine that was started anew: so it is never flushed.
 */
#include "log_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "logline.h"

#define AGREED_TITLE "vitrine policy in use v1\n"

enum {
	ALIVE = 0,
	PUBLISHING = 1,
	DIGEST_HEX = 2 * MERKLE_HASH_SIZE,
	AGREED_SIZE = sizeof(AGREED_TITLE) - 1 + DIGEST_HEX + 1,
};
#define PATIENCE_NANOS UINT64_C(2000000000)

/* -- locks: of this open file, not of the process -------------------------------------------------------- */

/* VT_EBUSY: another one has it. VT_EIO with errno: there are no locks here. */
static enum vt_err try_lock(int fd, short type, off_t at)
{
	struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	if (fcntl(fd, F_OFD_SETLK, &range) == 0)
		return VT_OK;
	return errno == EAGAIN || errno == EACCES || errno == EINTR ? VT_EBUSY : VT_EIO;
}

static void unlock(int fd, off_t at)
{
	(void)try_lock(fd, F_UNLCK, at);
}

static bool is_worth_another_try(uint64_t since, unsigned long *tries)
{
	clock_pause((*tries)++);
	return clock_monotonic_nanos() - since < PATIENCE_NANOS;
}

/* -- what stands in it ---------------------------------------------------------------------------------------- */

static void text_of(char out[AGREED_SIZE + 1], const struct merkle_hash *policy)
{
	char hex[DIGEST_HEX + 1];

	hex_encode(hex, bytes_of(policy->b, sizeof(policy->b)));
	(void)snprintf(out, AGREED_SIZE + 1, AGREED_TITLE "%s\n", hex);
}

/* At once and in place: it is there whole, or not at all. */
static enum vt_err write_policy(int fd, const struct merkle_hash *policy)
{
	char text[AGREED_SIZE + 1];
	ssize_t n;

	text_of(text, policy);
	n = pwrite(fd, text, AGREED_SIZE, 0);
	if (n == AGREED_SIZE && ftruncate(fd, AGREED_SIZE) == 0)
		return VT_OK;
	if (n >= 0 && n < AGREED_SIZE)
		errno = ENOSPC;
	return VT_EIO;
}

static bool policy_is(int fd, const struct merkle_hash *policy)
{
	char text[AGREED_SIZE + 1], there[AGREED_SIZE + 1];

	text_of(text, policy);
	return pread(fd, there, sizeof(there), 0) == AGREED_SIZE &&
	       memcmp(text, there, AGREED_SIZE) == 0;
}

static bool in_place(int fd, const char *path)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
	       ours.st_ino == there.st_ino;
}

/* -- joining ---------------------------------------------------------------------------------------------------- */

/* VT_ECONFLICT: others are here, with another policy. VT_EBUSY: not yet. */
static enum vt_err join_at(int fd, const char *path, const struct merkle_hash *policy)
{
	enum vt_err err = try_lock(fd, F_WRLCK, ALIVE);

	if (err == VT_OK) {
		if (!in_place(fd, path))
			return VT_EBUSY;
		err = write_policy(fd, policy);
		return err != VT_OK ? err : try_lock(fd, F_RDLCK, ALIVE);
	}
	if (err != VT_EBUSY || (err = try_lock(fd, F_RDLCK, ALIVE)) != VT_OK)
		return err;
	if (!in_place(fd, path))
		return VT_EBUSY;
	return policy_is(fd, policy) ? VT_OK : VT_ECONFLICT;
}

/* *fd is open, and its first byte locked, with VT_OK and VT_ECONFLICT. errno with VT_EIO. */
static enum vt_err join(int *fd, const char *path, const struct merkle_hash *policy)
{
	uint64_t since = clock_monotonic_nanos();
	unsigned long tries = 0;
	enum vt_err err;
	int saved;

	do {
		if ((*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600)) < 0)
			return VT_EIO;
		err = join_at(*fd, path, policy);
		if (err == VT_OK || err == VT_ECONFLICT)
			return err;
		saved = errno;
		(void)close(*fd);
		errno = saved;
		*fd = -1;
	} while (err == VT_EBUSY && is_worth_another_try(since, &tries));
	return err;
}

enum vt_err agreed_open(struct log *log, char why[STORE_WHY_MAX])
{
	const char *path = log->config.policy_path;
	enum vt_err err;

	if (path == NULL)
		return VT_OK;
	err = join(&log->agreed_fd, path, &log->policy);
	if (err == VT_ECONFLICT)
		(void)snprintf(why, STORE_WHY_MAX,
			       "another process serves this store with another policy or "
			       "--without-quorum: give all of them the same, or end it first");
	else if (err == VT_EBUSY)
		(void)snprintf(why, STORE_WHY_MAX, "%.150s: another process holds it", path);
	else if (err != VT_OK)
		(void)snprintf(why, STORE_WHY_MAX, "%.150s: %s", path, strerror(errno));
	return err;
}

void agreed_close(struct log *log)
{
	if (log->agreed_fd >= 0)
		(void)close(log->agreed_fd);
	log->agreed_fd = -1;
}

/* -- comparing ---------------------------------------------------------------------------------------------------- */

static void set_differs(struct log *log, bool differs)
{
	bool before;

	(void)pthread_mutex_lock(&log->lock);
	before = log->status.policy_differs;
	log->status.policy_differs = differs;
	(void)pthread_mutex_unlock(&log->lock);
	if (differs && !before)
		logline(LOGLINE_ERROR,
			"another process of this store has another policy now: nothing is "
			"published "
			"until this one reads it again (SIGHUP)",
			"file=%s", log->config.policy_path);
	if (before && !differs)
		logline(LOGLINE_INFO, "all processes of this store have one policy again",
			"file=%s", log->config.policy_path);
}

/* The file was deleted, or replaced: join those who have the one that is there. */
static void join_again(struct log *log)
{
	int fd = -1;
	enum vt_err err = join(&fd, log->config.policy_path, &log->policy);

	if (err != VT_OK && err != VT_ECONFLICT) {
		logline(LOGLINE_ERROR,
			"the file of the policy in use is gone, and none can be made",
			"file=%s error=\"%s\"", log->config.policy_path,
			err == VT_EIO ? strerror(errno) : vt_err_text(err));
		return;
	}
	agreed_close(log);
	log->agreed_fd = fd;
}

enum vt_err agreed_look(struct log *log)
{
	bool same;

	if (log->config.policy_path == NULL)
		return VT_OK;
	if (!in_place(log->agreed_fd, log->config.policy_path))
		join_again(log);
	same = in_place(log->agreed_fd, log->config.policy_path) &&
	       policy_is(log->agreed_fd, &log->policy);
	set_differs(log, !same);
	return same ? VT_OK : VT_EBUSY;
}

enum vt_err agreed_begin(struct log *log)
{
	enum vt_err err;

	if (log->config.policy_path == NULL)
		return VT_OK;
	if ((err = try_lock(log->agreed_fd, F_RDLCK, PUBLISHING)) != VT_OK)
		return err;
	if ((err = agreed_look(log)) != VT_OK)
		agreed_end(log);
	return err;
}

void agreed_end(struct log *log)
{
	if (log->config.policy_path != NULL)
		unlock(log->agreed_fd, PUBLISHING);
}

/* -- exchanging ---------------------------------------------------------------------------------------------------- */

static enum vt_err tell_others(int fd, const struct merkle_hash *policy)
{
	uint64_t since = clock_monotonic_nanos();
	unsigned long tries = 0;
	enum vt_err err;

	if (policy_is(fd, policy))
		return VT_OK;
	while ((err = try_lock(fd, F_WRLCK, PUBLISHING)) == VT_EBUSY &&
	       is_worth_another_try(since, &tries))
		;
	if (err != VT_OK)
		return err;
	err = write_policy(fd, policy);
	unlock(fd, PUBLISHING);
	return err;
}

enum vt_err agreed_change(struct log *log, const struct merkle_hash *policy)
{
	enum vt_err err;

	/* First see to it that it is the file that the others have. */
	(void)agreed_look(log);
	if (log->config.policy_path != NULL && (err = tell_others(log->agreed_fd, policy)) != VT_OK)
		return err;
	log->policy = *policy;
	(void)agreed_look(log);
	return VT_OK;
}
