/*
 * The submissions that the sequencer has in hand, what it makes of them, and the entries, tiles and head that come of it.
 * The sequencer's thread only.
 */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include "log_private.h"

enum { BATCH_LEVELS = 64 / TILE_HEIGHT };

/* Hashes that one level of tiles gains, from its place `start` on. */
struct level {
	uint64_t start;
	size_t n;
	size_t cap;
	struct merkle_hash *hash;
};

/* Invariant after batch_judge(): added[0..n_new) are the submissions that become the entries from start.head.size
 * on, in order; `next` is the tree with them; the index and log->next cover them. */
struct batch {
	struct log *log;
	size_t n;
	struct submission **s; /* config.batch_max */
	size_t n_new;
	struct submission **added;
	struct merkle_hash *leaf; /* room for reading back */
	struct tree_state start;
	struct tree_state next;
	struct level level[BATCH_LEVELS];
	bool index_broken;     /* a lookup found the stored runs to be so */
	bool registry_changed; /* log->next has entries of this batch */
};

/* Move what waits into the batch, up to its bounds and at most max. The caller holds log->lock. */
void batch_take(struct batch *b, struct submission_list *queue, uint64_t max);
/* Known, refused or new? In order, each with those before it in the batch taken as said. */
enum vt_err batch_judge(struct batch *b);
/* Integrate and commit; log->state and the committed registry move on. VT_ECONFLICT, VT_EBUSY, VT_ENOMEM: nothing has
 * changed; VT_EIO: unknown. */
enum vt_err batch_commit(struct batch *b);
/* Forget what batch_judge() did to the index and to log->next. */
void batch_undo(struct batch *b);
/* Rule 3. */
enum vt_err batch_read_back(struct batch *b, const struct tree_head *old, char why[LOG_WHY_MAX]);
/* Committed: refusals are answered, the others wait in log->waiting for their checkpoint. The batch is empty. */
void batch_settle(struct batch *b);
void batch_answer_later(struct batch *b, const char *reason);

bool keys_have(const struct merkle_hash *keys, size_t n, const struct merkle_hash *key);

/* When the one that waits longest came to the queue; UINT64_MAX: there is none. */
uint64_t batch_oldest(const struct batch *b);

#endif
