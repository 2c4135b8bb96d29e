/*
 * The high-water mark: how far this log has ever come, in a small file apart from the database. It is raised after a commit and
 * before any byte of the head goes out, so that a store which is older than what was published is recognised.
 *
 * The file holds two slots, written in turn and in place: one flush for each raising, where replacing the file would
 * take several; a write that is cut off spoils the slot of a mark that nothing rests on yet. Each slot is text: a line that says what
 * it is, then origin, size and root as in a checkpoint, then the SHA-256 of all that in hex, padded with spaces.
 *
 * Any number of processes may raise one mark; a lock on the file puts them in order.
 */
#ifndef LOG_MARK_H
#define LOG_MARK_H

#include "vitrine/merkle.h"

struct mark;

enum { MARK_SLOT = 4096, MARK_SIZE = 2 * MARK_SLOT };

struct mark_stats {
	uint64_t size;
	uint64_t writes;
	const char
	    *trouble; /* why it cannot be raised now; NULL: nothing is known against it. Static */
};

/* How the text begins that stands in a slot, or in a file, while the log is frozen. */
#define MARK_FROZEN_TITLE "vitrine frozen v1\n"

/* Read a mark. VT_ECONFLICT: it says that the log is frozen (mark_freeze()); VT_ENOTFOUND; VT_EMALFORMED: neither slot is whole; VT_EMISMATCH: it is another log's; VT_EBUSY: another
 * process held it for a second; VT_EIO (errno), VT_ENOMEM. */
enum vt_err mark_read(struct tree_head *out, const char *path, const char *origin);
/* Make a new one. VT_ECONFLICT: there is one. VT_EIO. */
enum vt_err mark_create(const char *path, const char *origin, const struct tree_head *head);
/* Open one to be raised, by a thread of its own. The strings are borrowed. moved (may be NULL) is called on that thread
 * when the mark has reached the disk, or a write has failed. */
enum vt_err mark_open(struct mark **out, const char *path, const char *origin,
		      void (*moved)(void *ctx), void *ctx);
void mark_free(
    struct mark *m); /* what was begun is finished first, unless another process holds the file */
/*
 * Where nothing else can be written, a place that is there already and open: put text, which begins with MARK_FROZEN_TITLE and is cut to
 * a slot, into the slot that is not the newest. From then on no process raises the mark, and mark_read() says so. mark_thaw() makes it again
 * what it was. VT_EBUSY: not now; VT_EIO.
 */
enum vt_err mark_freeze(struct mark *m, struct bytes text);
enum vt_err mark_thaw(struct mark *m);
/* Append that text. VT_ENOTFOUND: the log is not frozen, by this file; errors as mark_read() has them. */
enum vt_err mark_frozen_text(struct buf *out, const char *path);
/* Begin to raise it; returns at once. Of several that were begun only the largest is written. */
void mark_raise(struct mark *m, const struct tree_head *head);
/* Find out whether it could be raised now; returns at once, and `trouble` says it within seconds. */
void mark_look(struct mark *m);
/*
 * Wait until the mark on disk is at least at `size`, which must have been begun. VT_EMISMATCH: it is there with another root.
 * VT_ECONFLICT: it says that the log is frozen.
 * VT_EBUSY: not within a second, it goes on. VT_EIO: a write failed or the file was taken away; what is on disk is not known, and
 * every later call fails alike.
 */
enum vt_err mark_wait(struct mark *m, uint64_t size);
/* The largest of those begun that is known to be on disk. VT_ENOTFOUND: none yet. Errors as mark_wait() has them. */
enum vt_err mark_durable(struct mark *m, struct tree_head *out);
void mark_stats(struct mark *m, struct mark_stats *out);

#endif
