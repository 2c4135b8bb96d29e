#include "sqlite_files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *joined(const char *path, const char *suffix)
{
	char *out;

	return asprintf(&out, "%s%s", path, suffix) < 0 ? NULL : out;
}

enum vt_err files_init(struct sqlite_files *files, const char *path)
{
	*files = (struct sqlite_files){0};
	files->path = realpath(path, NULL);
	if (files->path == NULL)
		return errno == ENOENT ? VT_ENOTFOUND : errno == ENOMEM ? VT_ENOMEM : VT_EIO;
	files->wal = joined(files->path, "-wal");
	files->shm = joined(files->path, "-shm");
	if (files->wal != NULL && files->shm != NULL)
		return VT_OK;
	files_release(files);
	return VT_ENOMEM;
}

void files_release(struct sqlite_files *files)
{
	free(files->path);
	free(files->wal);
	free(files->shm);
	*files = (struct sqlite_files){0};
}

static struct file_seen look(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return (struct file_seen){0};
	return (struct file_seen){
	    .there = true,
	    .dev = st.st_dev,
	    .ino = st.st_ino,
	    .size = st.st_size,
	    .changed = st.st_mtim,
	};
}

static bool same_file(const char *path, const struct file_seen *seen)
{
	const struct file_seen now = look(path);

	return now.there == seen->there && now.dev == seen->dev && now.ino == seen->ino;
}

void files_remember(struct sqlite_files *files)
{
	files->seen = look(files->path);
	files->wal_seen = look(files->wal);
	files->shm_seen = look(files->shm);
}

bool files_in_place(const struct sqlite_files *files)
{
	return same_file(files->path, &files->seen) && same_file(files->wal, &files->wal_seen) &&
	       same_file(files->shm, &files->shm_seen);
}

bool files_untouched(const struct sqlite_files *files)
{
	const struct file_seen now = look(files->path);

	return !look(files->wal).there && now.there && now.dev == files->seen.dev &&
	       now.ino == files->seen.ino && now.size == files->seen.size &&
	       now.changed.tv_sec == files->seen.changed.tv_sec &&
	       now.changed.tv_nsec == files->seen.changed.tv_nsec;
}

bool files_have_wal(const struct sqlite_files *files)
{
	return look(files->wal).there;
}

static bool there_and_empty(const char *path)
{
	const struct file_seen now = look(path);

	return now.there && now.size == 0;
}

bool files_empty_wal(const struct sqlite_files *files)
{
	return there_and_empty(files->wal);
}

bool files_empty(const struct sqlite_files *files)
{
	return there_and_empty(files->path);
}

enum vt_err files_temporary(char **out, const char *path)
{
	int fd;

	*out = joined(path, ".new-XXXXXX");
	if (*out == NULL)
		return VT_ENOMEM;
	fd = mkstemp(*out); /* mode 0600, which SQLite gives to the files beside it, too */
	if (fd >= 0 && close(fd) == 0)
		return VT_OK;
	free(*out);
	*out = NULL;
	return VT_EIO;
}

/* Make the names in the folder of `path` durable. */
static enum vt_err sync_folder(const char *path)
{
	char *copy = strdup(path);
	enum vt_err err = VT_EIO;
	int fd;

	if (copy == NULL)
		return VT_ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		if (fsync(fd) == 0)
			err = VT_OK;
		(void)close(fd);
	}
	free(copy);
	return err;
}

enum vt_err files_install(const char *temporary, const char *path)
{
	/* Both refuse to overwrite; not every file system has both. */
	if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
		if (errno == EEXIST)
			return VT_ECONFLICT;
		if (link(temporary, path) != 0)
			return errno == EEXIST ? VT_ECONFLICT : VT_EIO;
		(void)unlink(temporary);
	}
	return sync_folder(path);
}

void files_discard(const char *temporary)
{
	static const char *const suffix[] = {"", "-journal", "-wal", "-shm"};

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		char *name = joined(temporary, suffix[i]);

		if (name != NULL)
			(void)unlink(name);
		free(name);
	}
}
