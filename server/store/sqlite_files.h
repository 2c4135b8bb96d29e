/*
 * The files of an SQLite store: made whole or not at all, and watched. SQLite goes on writing to a
 * file that was renamed, replaced or deleted, and another process would open the one that is there
 * now: two logs would grow under one name.
 */
#ifndef STORE_SQLITE_FILES_H
#define STORE_SQLITE_FILES_H

#include <sys/types.h>
#include <time.h>

#include "store.h"

/* What a name led to. */
struct file_seen {
	bool there;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed;
};

struct sqlite_files {
	char *path; /* absolute, no symbolic link: it stays good when the working folder changes */
	char *wal;
	char *shm;
	struct file_seen seen, wal_seen, shm_seen;
};

/* VT_ENOTFOUND: there is no such file. */
enum vt_err files_init(struct sqlite_files *files, const char *path);
void files_release(struct sqlite_files *files);

/* Look at all three now. */
void files_remember(struct sqlite_files *files);
/* Are they the files that were remembered? */
bool files_in_place(const struct sqlite_files *files);
/* Has nobody opened the database to write, or written it, since it was remembered without a
 * journal? */
bool files_untouched(const struct sqlite_files *files);
/* Is there a write-ahead log beside the database? */
bool files_have_wal(const struct sqlite_files *files);
/* Is there one, without a byte in it? */
bool files_empty_wal(const struct sqlite_files *files);
/* Is the database itself a file without a byte? */
bool files_empty(const struct sqlite_files *files);

/* An empty file beside `path`, mode 0600, with a name of its own. *out is the caller's to free. */
enum vt_err files_temporary(char **out, const char *path);
/* Give the finished file the name `path`, durably, unless there is one already: then VT_ECONFLICT.
 */
enum vt_err files_install(const char *temporary, const char *path);
/* Delete a temporary file and what SQLite put beside it. */
void files_discard(const char *temporary);

#endif
