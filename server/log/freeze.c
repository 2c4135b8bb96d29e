/*
 * Stopping for good (rule 8). A freeze outlasts the process: why, and the evidence, are written to a file, and while that file
 * is there no process signs for this store. Only a person removes it.
 */
#include "log_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "durable.h"
#include "logline.h"

#define FROZEN_TITLE   MARK_FROZEN_TITLE
#define EVIDENCE_TITLE "\nThe signed checkpoint that contradicts the store:\n\n"

enum { FROZEN_SIZE_MAX = NOTE_SIZE_MAX + 4096 };

bool log_frozen(struct log *log)
{
	bool frozen;

	(void)pthread_mutex_lock(&log->lock);
	frozen = log->status.frozen;
	(void)pthread_mutex_unlock(&log->lock);
	return frozen;
}

/* -- the file ---------------------------------------------------------------------------------------- */

static enum vt_err format(struct buf *out, const struct log *log, const char *why, uint64_t time,
			  struct bytes evidence)
{
	char at[CLOCK_RFC3339_SIZE];
	enum vt_err err;

	clock_format_rfc3339(at, time);
	err = buf_appendf(out,
			  FROZEN_TITLE "origin: %s\ntime: %s\nwhy: %s\n\n"
				       "Nothing is signed while this file is there. Before you "
				       "remove it, read \"Frozen\" in docs/operations.md.\n",
			  log->store->identity.origin, at, why);
	if (err == VT_OK && evidence.len > 0 &&
	    (err = buf_append_str(out, EVIDENCE_TITLE)) == VT_OK)
		err = buf_append(out, evidence);
	return err;
}

/* A full disk may have room for a name, and a file of any content freezes. */
static bool make_empty(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

/* Once a minute: it is tried every second. */
static void complain(struct log *log, int fault, bool in_mark)
{
	uint64_t now = clock_monotonic_nanos();

	if (log->frozen_told != 0 && now - log->frozen_told < UINT64_C(60000000000))
		return;
	log->frozen_told = now;
	logline(LOGLINE_ERROR,
		log->frozen_file_empty ? "frozen, but why could not be written down"
		: in_mark ? "frozen, and that is kept in the high-water mark for want of "
			    "another place"
			  : "frozen, but that could not be written down: do not start it again",
		"file=%s error=\"%s\"", log->config.frozen_path, strerror(fault));
}

static void set_unwritten(struct log *log, bool unwritten)
{
	(void)pthread_mutex_lock(&log->lock);
	log->status.frozen_unwritten = unwritten;
	(void)pthread_mutex_unlock(&log->lock);
}

/*
 * Write what is still owed, if something is. The first reason is kept: an existing file is left alone. Where no file can be made it
 * goes into the mark, which has its room and is open; there it stays until there is a file.
 */
static void keep(struct log *log)
{
	bool in_mark = false;
	struct mark *mark;
	struct buf owed;
	int fault;
	enum vt_err err;

	(void)pthread_mutex_lock(&log->lock);
	owed = log->frozen_text;
	buf_init(&log->frozen_text);
	mark = log->mark;
	(void)pthread_mutex_unlock(&log->lock);
	if (owed.len == 0 && !log->thaw)
		return;
	err = log->thaw ? VT_OK
	      : log->frozen_file_empty
		  ? durable_write(log->config.frozen_path, buf_bytes(&owed), 0600)
		  : durable_create(log->config.frozen_path, buf_bytes(&owed), 0600);
	fault = errno;
	if (err == VT_OK || err == VT_ECONFLICT) {
		buf_release(&owed);
		log->thaw = mark != NULL && mark_thaw(mark) != VT_OK;
		set_unwritten(log, false);
		return;
	}
	if (!log->frozen_file_empty)
		log->frozen_file_empty = make_empty(log->config.frozen_path);
	if (mark != NULL && !log->frozen_file_empty)
		in_mark = mark_freeze(mark, buf_bytes(&owed)) == VT_OK;
	set_unwritten(log, !log->frozen_file_empty && !in_mark);
	complain(log, fault, in_mark);
	(void)pthread_mutex_lock(&log->lock);
	log->frozen_text = owed;
	(void)pthread_mutex_unlock(&log->lock);
}

void log_freeze_keep(struct log *log)
{
	if (log->config.frozen_path == NULL)
		return;
	(void)pthread_mutex_lock(&log->frozen_lock);
	keep(log);
	(void)pthread_mutex_unlock(&log->frozen_lock);
}

/* -- freezing ------------------------------------------------------------------------------------------ */

/* In this process. False: it was frozen before. text (may be NULL) is taken over. */
static bool freeze_here(struct log *log, const char *why, uint64_t time, struct buf *text)
{
	char quoted[2 * LOG_FROZEN_WHY_MAX];
	bool first;

	(void)pthread_mutex_lock(&log->lock);
	first = !log->status.frozen;
	if (first) {
		(void)snprintf(log->status.frozen_why, sizeof(log->status.frozen_why), "%s", why);
		log->status.frozen_time = time;
		log->status.frozen = true;
		if (text != NULL) {
			log->frozen_text = *text;
			buf_init(text);
		}
		(void)pthread_cond_broadcast(&log->work);
	}
	(void)pthread_mutex_unlock(&log->lock);
	if (!first)
		return false;
	logline(LOGLINE_ERROR, "frozen: nothing more will be signed", "why=%s",
		logline_quote(quoted, sizeof(quoted), bytes_str(why)));
	return true;
}

static void tell(struct log *log, const char *why)
{
	if (log->config.freeze != NULL)
		log->config.freeze(log->config.ctx, why);
}

/* One line, whoever's words are in it. */
static void one_line(char out[LOG_FROZEN_WHY_MAX], const char *why)
{
	size_t i = 0;

	for (; why[i] != '\0' && i + 1 < LOG_FROZEN_WHY_MAX; i++)
		out[i] = (unsigned char)why[i] < 0x20 || why[i] == 0x7f ? ' ' : why[i];
	out[i] = '\0';
}

void log_freeze_with(struct log *log, const char *why, struct bytes evidence)
{
	uint64_t now = clock_unix();
	char line[LOG_FROZEN_WHY_MAX];
	struct buf text;

	one_line(line, why);
	buf_init(&text);
	if (log->config.frozen_path != NULL && format(&text, log, line, now, evidence) != VT_OK) {
		/* No memory: the line alone says enough, and a file of any content freezes. */
		buf_reset(&text);
		if (buf_append_str(&text, FROZEN_TITLE) != VT_OK)
			logline(LOGLINE_ERROR, "no memory to write down why the log is frozen",
				"file=%s", log->config.frozen_path);
	}
	if (freeze_here(log, line, now, &text)) {
		log_freeze_keep(log);
		tell(log, line);
	}
	buf_release(&text);
}

void log_freeze(struct log *log, const char *why)
{
	log_freeze_with(log, why, bytes_of(NULL, 0));
}

void log_freeze_for_now(struct log *log, const char *why)
{
	if (freeze_here(log, why, clock_unix(), NULL))
		tell(log, why);
}

/* -- a file that is there --------------------------------------------------------------------------------- */

/* The value of a line "name: value"; empty if there is none. */
static struct bytes line_of(struct bytes text, const char *name)
{
	size_t n = strlen(name);

	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.data);

		if (len > n && memcmp(text.data, name, n) == 0)
			return bytes_of(text.data + n, len - n);
		if (len == 0 || end == NULL) /* the evidence is not looked into */
			break;
		text = bytes_of(text.data + len + 1, text.len - len - 1);
	}
	return bytes_of(NULL, 0);
}

static enum vt_err append_evidence(struct buf *out, struct bytes text)
{
	const size_t title = sizeof(EVIDENCE_TITLE) - 1;
	const uint8_t *at =
	    text.len == 0 ? NULL : memmem(text.data, text.len, EVIDENCE_TITLE, title);

	if (at == NULL)
		return VT_OK;
	return buf_append(out, bytes_of(at + title, text.len - (size_t)(at - text.data) - title));
}

/* By any name of this kind: a link that leads nowhere (to what is not mounted, say) is a freeze that cannot be read. */
static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

enum vt_err frozen_file_read(const char *path, char why[LOG_FROZEN_WHY_MAX], uint64_t *time,
			     struct buf *evidence)
{
	struct bytes said = bytes_of(NULL, 0);
	struct buf text;
	int64_t at;
	enum vt_err err;

	*time = clock_unix();
	if (!is_there(path))
		return VT_ENOTFOUND;
	buf_init(&text);
	err = file_read(&text, path, FROZEN_SIZE_MAX);
	if (err == VT_ENOTFOUND && !is_there(path)) /* removed just now */
		goto done;
	if (err == VT_OK) {
		said = line_of(buf_bytes(&text), "why: ");
		if (clock_parse_rfc3339(&at, line_of(buf_bytes(&text), "time: ")) == VT_OK &&
		    at >= 0)
			*time = (uint64_t)at;
	}
	if (err != VT_OK)
		(void)snprintf(why, LOG_FROZEN_WHY_MAX,
			       "the file %.200s is there and cannot be read: %s", path,
			       vt_err_text(err));
	else if (said.len == 0)
		(void)snprintf(why, LOG_FROZEN_WHY_MAX, "the file %.200s is there", path);
	else
		(void)snprintf(
		    why, LOG_FROZEN_WHY_MAX, "%.*s",
		    (int)(said.len < LOG_FROZEN_WHY_MAX ? said.len : LOG_FROZEN_WHY_MAX - 1),
		    (const char *)said.data);
	one_line(why, why);
	err = evidence == NULL ? VT_OK : append_evidence(evidence, buf_bytes(&text));
done:
	buf_release(&text);
	return err;
}

void log_freeze_look(struct log *log)
{
	char why[LOG_FROZEN_WHY_MAX];
	uint64_t time;

	if (log->config.frozen_path != NULL &&
	    frozen_file_read(log->config.frozen_path, why, &time, NULL) == VT_OK &&
	    freeze_here(log, why, time, NULL))
		tell(log, why);
}

void log_freeze_by_mark(struct log *log, struct buf *text)
{
	char why[LOG_FROZEN_WHY_MAX];
	struct bytes said = line_of(buf_bytes(text), "why: ");
	uint64_t time = clock_unix();
	int64_t at;

	if (clock_parse_rfc3339(&at, line_of(buf_bytes(text), "time: ")) == VT_OK && at >= 0)
		time = (uint64_t)at;
	(void)snprintf(why, sizeof(why), "%.*s",
		       (int)(said.len < sizeof(why) ? said.len : sizeof(why) - 1),
		       said.len > 0 ? (const char *)said.data : "");
	one_line(why, said.len > 0 ? why : "the high-water mark says that the log is frozen");
	if (freeze_here(log, why, time, text))
		tell(log, why);
	else
		log->thaw = true; /* there is a file by now */
	log_freeze_keep(log);
}
