/* Small files that must survive a crash whole: old contents or new, never a mixture. */
#ifndef BASE_DURABLE_H
#define BASE_DURABLE_H

#include <limits.h>
#include <pthread.h>
#include <sys/types.h>

#include "vitrine/bytes.h"

/* FOLDER/NAME. VT_ELIMIT: too long; errno says so, too. */
enum vt_err path_in(char out[PATH_MAX], const char *folder, const char *name);

/* On failure of any of these errno says more, where the reason is the system's. */

/*
 * Write to a temporary name beside it ("PATH.new-XXXXXX"), fsync, rename over, fsync the folder. A
 * symbolic link is replaced, not followed. VT_EIO: the old contents or the new are there. A crash
 * can leave the temporary file behind, which nothing reads.
 */
enum vt_err durable_write(const char *path, struct bytes contents, mode_t mode);
/* The same, but VT_ECONFLICT if there is such a name already. */
enum vt_err durable_create(const char *path, struct bytes contents, mode_t mode);
/*
 * The same as durable_write(), and the new file gets this owner and group as far as this process may give them away; where
 * it may not, bits that make a program run as its owner are left out of the mode.
 */
struct durable_owner {
	uid_t user;
	gid_t group;
};
enum vt_err durable_replace(const char *path, struct bytes contents, mode_t mode,
			    const struct durable_owner *owner);
/* Could durable_create() make such a file? It makes the temporary one, of 4 KiB, and removes it. VT_EIO: no. */
enum vt_err durable_try(const char *path);
/* The same for whoever is asked often: looks once in a second at most, and says what was found then. Any thread. */
struct durable_probe {
	pthread_mutex_t lock;
	uint64_t at; /* monotonic nanoseconds; 0: never */
	int fault;   /* errno; 0: it could be written */
};
void durable_probe_init(struct durable_probe *p);
void durable_probe_release(struct durable_probe *p);
enum vt_err durable_probe(struct durable_probe *p, const char *path);
/* Remove a file for good. VT_EIO. */
enum vt_err durable_unlink(const char *path);
/* Write all of it to an open file. VT_EIO. */
enum vt_err file_write_all(int fd, struct bytes contents);
/* Append the whole file to out. VT_ENOTFOUND, VT_ELIMIT (over max bytes), VT_ENOMEM, VT_EIO (a
 * folder too); out is unchanged then. Not for secrets: growing out leaves copies in memory. */
enum vt_err file_read(struct buf *out, const char *path, size_t max);
/* What was the matter with a file, right after file_read() said err: "Permission denied" and "Not a directory" are other things than
 * a disk that fails. */
const char *file_fault(enum vt_err err);

enum folder_state {
	FOLDER_MISSING,
	/* But perhaps for `lost+found`, which a new file system has, and what was to become FOLDER_UNFINISHED. */
	FOLDER_EMPTY,
	FOLDER_FULL,
};
/* What is there? VT_EIO: not a folder, or it cannot be read. */
enum vt_err folder_look(enum folder_state *out, const char *path);
/* Each name in a folder but "." and "..", until a visit fails, with that visit's error. VT_ENOTFOUND: there is no folder;
 * VT_ENOMEM, VT_EIO: it cannot be read (to its end), which never means that nothing (more) is in it. */
enum vt_err folder_each(const char *path, enum vt_err (*visit)(void *ctx, const char *name),
			void *ctx);
/* The file in a folder that is being made. */
#define FOLDER_UNFINISHED "unfinished"
bool folder_unfinished(const char *path);
/* Delete every file in a folder but this one, hidden ones and lost+found. VT_EIO, VT_ENOTFOUND, VT_ENOMEM: not all. */
enum vt_err folder_clear(const char *path, const char *but);
/* Make a folder (0700) if it is missing; its parent must be there. VT_EIO. */
enum vt_err durable_mkdir(const char *path);
/* The same, but VT_ECONFLICT if there is such a name already. */
enum vt_err durable_mkdir_new(const char *path);

#endif
