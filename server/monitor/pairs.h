/*
 * What must be remembered of every entry, on disk: (key, index) pairs under 32-byte keys, in the
 * order in which they were added, found by key. Recent ones are in memory and in a file that grows
 * (the tail); when there are enough they become a sorted file (a run), and four runs of one level
 * become one of the next. So memory does not grow with the log, everything is written
 * sequentially, and a search looks into a few files.
 *
 * What counts is a mark, which the caller keeps in a file of its own that is replaced as a whole.
 * Whatever the mark does not name is the trace of a crash, and goes when it is opened. Every block
 * that is read carries a digest of itself, its file and its place.
 *
 * One thread at a time.
 */
#ifndef MONITOR_PAIRS_H
#define MONITOR_PAIRS_H

#include <stdatomic.h>

#include "vitrine/merkle.h"

enum {
	PAIRS_MAX = 128,
	PAIRS_FAN = 4, /* runs of one level that are merged */
	PAIRS_TAIL_DEFAULT = 1 << 17,
	PAIRS_WHY_MAX = 256,
};

struct pairs;

struct pairs_mark {
	uint64_t next_id;
	uint64_t tail_id, tail_bytes; /* how much of the tail's file counts */
	size_t n;
	struct run_mark {
		uint64_t id, slots;
		unsigned level;
	} run[PAIRS_MAX]; /* oldest first */
};

/*
 * Open what `mark` names in the folder `dir`, which exists, and delete the other files of this
 * kind. tail_max: pairs in memory before they become a run; 0: PAIRS_TAIL_DEFAULT. VT_EMISMATCH: a
 * file is damaged or cut short, *why says which; VT_EIO, VT_ENOMEM.
 */
enum vt_err pairs_open(struct pairs **out, const char *dir, const struct pairs_mark *mark,
		       size_t tail_max, char why[PAIRS_WHY_MAX]);
void pairs_free(struct pairs *r);

/* index is not below any that was added before. */
enum vt_err pairs_add(struct pairs *r, const struct merkle_hash *key, uint64_t index);
/* The lowest index >= from that was added under the key. VT_ENOTFOUND; VT_EMISMATCH: a damaged
 * file; VT_EIO. */
enum vt_err pairs_find(struct pairs *r, const struct merkle_hash *key, uint64_t from,
		       uint64_t *index);

/*
 * Make all of it durable: *out is what to keep. What the mark before names stays as it is until
 * pairs_saved(). stop (may be NULL) becoming true ends merging early, which costs nothing but a
 * longer search.
 */
enum vt_err pairs_save(struct pairs *r, struct pairs_mark *out, const atomic_bool *stop);
/* The mark of the last pairs_save() is durable: delete what it does not name any more. */
void pairs_saved(struct pairs *r);

size_t pairs_tail(const struct pairs *r);  /* pairs in memory */
size_t pairs_count(const struct pairs *r); /* runs on disk */
/* Why the last VT_EMISMATCH or VT_EIO: which file, where. */
const char *pairs_why(const struct pairs *r);

#endif
