/* Writes the files that a person named as output: replaces what is a file, writes through what is none. */
#include "output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "file_kind.h"

enum {
	KEY_FILE_MAX = 1 << 20, /* a larger file is no key */
};

static enum vt_err system_says(struct why *why, enum vt_err err)
{
	return why_say(why, err, "%s", strerror(errno));
}

mode_t output_mode(void)
{
	mode_t mask = umask(077); /* it can only be read by setting it */

	umask(mask);
	return 0666 & ~mask;
}

/* A file of some other kind may have a key in it, too: a page of notes, or text before a PEM block. */
static bool holds_private_key(struct bytes file)
{
	static const char *const words[] = {"PRIVATE KEY-----", "PRIVATE KEY BLOCK-----",
					    "PRIVATE+KEY+", "AGE-SECRET-KEY-"};
	const struct file_kind *kind = file_kind(file);

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (memmem(file.data, file.len, words[i], strlen(words[i])) != NULL)
			return true;
	return kind != NULL && kind->about == FILE_PRIVATE_KEY;
}

static enum vt_err check_replaceable(const char *path, const struct stat *st, struct why *why)
{
	struct buf file;
	enum vt_err err = VT_OK;

	if (access(path, W_OK) != 0)
		return system_says(why, VT_EINVAL);
	if (st->st_size == 0 || st->st_size > KEY_FILE_MAX)
		return VT_OK;
	buf_init(&file);
	if ((err = file_read(&file, path, KEY_FILE_MAX)) != VT_OK)
		err = why_say(why, err == VT_ENOMEM ? err : VT_EINVAL,
			      "it cannot be read, so it may be a private key: %s",
			      err == VT_EIO ? strerror(errno) : vt_err_text(err));
	else if (holds_private_key(buf_bytes(&file)))
		err = why_say(why, VT_EINVAL,
			      "it holds a private key, which is never overwritten; "
			      "choose another name");
	if (file.data != NULL)
		explicit_bzero(file.data, file.cap);
	buf_release(&file);
	return err;
}

/* Is the path a name of an open file? What else lies in /dev (/dev/shm) has names of its own. */
static bool names_descriptor(const char *path)
{
	return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/dev/std", 8) == 0 ||
	       strncmp(path, "/proc/", 6) == 0;
}

/*
 * The descriptor by which this process was given the very file open for writing, or -1: standard output or error, or one
 * that the path itself speaks of. Others (a lock that a script holds on the file) say nothing about how to write it.
 */
static int given_open(const char *path, const struct stat *st)
{
	bool any = names_descriptor(path);
	DIR *open_files = opendir("/proc/self/fd");
	struct dirent *e;
	int found = -1;

	while (open_files != NULL && found < 0 && (e = readdir(open_files)) != NULL) {
		struct stat theirs;
		uint64_t n;
		int fd;
		if (decimal_decode(&n, bytes_str(e->d_name)) != VT_OK || n > INT_MAX ||
		    (!any && n > STDERR_FILENO) || (fd = (int)n) == dirfd(open_files) ||
		    fstat(fd, &theirs) != 0 || theirs.st_dev != st->st_dev ||
		    theirs.st_ino != st->st_ino)
			continue;
		if ((fcntl(fd, F_GETFL) & O_ACCMODE) != O_RDONLY)
			found = fd;
	}
	if (open_files != NULL)
		closedir(open_files);
	return found;
}

/* What is there; *exists is false for a name that is free. */
static enum vt_err look_at(const char *path, struct stat *st, bool *exists, struct why *why)
{
	struct stat link;

	*exists = stat(path, st) == 0;
	if (*exists && S_ISDIR(st->st_mode))
		return why_say(why, VT_EINVAL, "it is a folder; give the name of a file");
	if (*exists)
		return VT_OK;
	if (errno != ENOENT)
		return system_says(why, VT_EIO);
	if (lstat(path, &link) == 0)
		return why_say(why, VT_EINVAL,
			       "it is a symbolic link to a file that is not there; "
			       "name that file");
	return *path == '\0' ? why_say(why, VT_EINVAL, "it is empty") : VT_OK;
}

/* Can a file be made beside it? */
static enum vt_err check_folder(const char *path, struct why *why)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
	char folder[PATH_MAX];

	if (len >= sizeof(folder))
		return why_say(why, VT_EINVAL, "the name is too long");
	memcpy(folder, slash == NULL ? "." : path, len);
	folder[len] = '\0';
	if (slash != NULL && slash[1] == '\0')
		return why_say(why, VT_EINVAL, "a folder of that name is not there");
	return access(folder, W_OK | X_OK) == 0
		   ? VT_OK
		   : why_say(why, VT_EINVAL, "the folder %.90s: %s", folder, strerror(errno));
}

/* May it be written, and through which descriptor (-1: none)? A file is looked at first, also where it is standard output. */
static enum vt_err check_existing(int *fd, const char *path, const struct stat *st, struct why *why)
{
	*fd = given_open(path, st);
	if (S_ISREG(st->st_mode) && (*fd < 0 || !names_descriptor(path)))
		return check_replaceable(path, st, why);
	return *fd >= 0 || access(path, W_OK) == 0 ? VT_OK : system_says(why, VT_EINVAL);
}

enum vt_err output_check(const char *path, struct why *why)
{
	struct stat st;
	bool exists;
	int fd;
	enum vt_err err = look_at(path, &st, &exists, why);

	if (err != VT_OK)
		return err;
	return exists ? check_existing(&fd, path, &st, why) : check_folder(path, why);
}

static enum vt_err write_through(int fd, struct bytes contents, struct why *why)
{
	fflush(NULL); /* what was printed to the same place comes first */
	return file_write_all(fd, contents) == VT_OK ? VT_OK : system_says(why, VT_EIO);
}

static enum vt_err write_to_device(const char *path, struct bytes contents, struct why *why)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	enum vt_err err;

	if (fd < 0)
		return system_says(why, VT_EIO);
	err = write_through(fd, contents, why);
	if (close(fd) != 0 && err == VT_OK)
		err = system_says(why, VT_EIO);
	return err;
}

static enum vt_err replace_file(const char *path, struct bytes contents, bool secret,
				const struct stat *st, struct why *why)
{
	struct durable_owner owner = {st->st_uid, st->st_gid};
	char *target = realpath(path, NULL); /* so that a link stays one */
	enum vt_err err;

	if (target == NULL)
		return system_says(why, VT_EIO);
	err = durable_replace(target, contents, secret ? 0600 : st->st_mode & 07777, &owner);
	if (err != VT_OK)
		system_says(why, err);
	free(target);
	return err;
}

enum vt_err output_write(const char *path, struct bytes contents, bool secret, struct why *why)
{
	struct stat st;
	bool exists;
	int fd;
	enum vt_err err = look_at(path, &st, &exists, why);

	if (err != VT_OK)
		return err;
	if (!exists) {
		err = durable_create(path, contents, secret ? 0600 : output_mode());
		return err == VT_OK ? VT_OK : system_says(why, err);
	}
	if ((err = check_existing(&fd, path, &st, why)) != VT_OK)
		return err;
	if (fd >= 0)
		return write_through(fd, contents, why);
	return S_ISREG(st.st_mode) ? replace_file(path, contents, secret, &st, why)
				   : write_to_device(path, contents, why);
}
