/*
 * Finding entries by hash without a random write: an in-memory tail that covers every committed entry
 * not yet folded, and sorted runs in the store behind it (store.h). A key is found by its first 8
 * bytes; a hit is confirmed against the full key in the entry's own row.
 *
 * One writer (the sequencer) appends, rolls back and folds; any thread with a reader looks up. Runs cover
 * disjoint, adjacent ranges of entries, oldest first, so looking through them in order gives indexes in order.
 */
#ifndef LOG_INDEX_H
#define LOG_INDEX_H

#include "store.h"

enum {
	INDEX_TAIL_DEFAULT = 1 << 20, /* keys */
};

struct index;

struct index_config {
	struct store *store;
	/* Keys that the tail may hold; beyond it the tail is folded into a run. Memory: at most
	 * INDEX_BYTES_PER_KEY for each (stated in docs/operations), whatever the log's size. */
	size_t tail_max;
};

/* Reads the runs, then the keys of every entry from the mark up to `size`. */
enum vt_err index_open(struct index **out, const struct index_config *config, struct store_reader *r,
    uint64_t size);
void index_free(struct index *ix);

/* Entries covered: every key of [0, size) is found. */
uint64_t index_size(const struct index *ix);
/* Append the keys of entry index_size(). */
enum vt_err index_append(struct index *ix, const struct merkle_hash *keys, size_t n);
/* Forget the entries from `size` on (after a lost swap). Only what was appended since the last fold. */
enum vt_err index_rollback(struct index *ix, uint64_t size);

/*
 * The lowest index in [from, below) whose entry has `key`. VT_ENOTFOUND. Reads entries through `r` to confirm;
 * entries appended but not committed (index >= the store's size) are confirmed from memory.
 */
enum vt_err index_find(struct index *ix, struct store_reader *r, const struct merkle_hash *key,
    uint64_t from, uint64_t below, uint64_t *index);
/* The highest one. */
enum vt_err index_find_last(struct index *ix, struct store_reader *r, const struct merkle_hash *key,
    uint64_t below, uint64_t *index);
/* The lowest index in [from, below) that has all n keys. */
enum vt_err index_find_all(struct index *ix, struct store_reader *r, const struct merkle_hash *keys,
    size_t n, uint64_t from, uint64_t below, uint64_t *index);

/*
 * A bounded slice of folding and merging (at most about a megabyte written), for entries below `committed`.
 * *more: call again when there is nothing better to do. VT_ECONFLICT is handled inside: another process
 * folded first.
 */
enum vt_err index_work(struct index *ix, struct store_reader *r, uint64_t committed, bool *more);

/* Every run against the entries' key rows, for fsck: fault is called for each difference. */
enum vt_err index_check(struct store_reader *r, store_fault_fn fault, void *ctx);

#endif
