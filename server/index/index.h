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
	INDEX_TAIL_DEFAULT = 1 << 20,    /* keys */
	INDEX_BYTES_PER_KEY = 64,        /* of the tail: nodes, table and what folding borrows */
	INDEX_FILTER_DEFAULT = 16 << 20, /* bytes */
	INDEX_TERMS_MAX = 8,             /* of one scan */
	INDEX_TERM_KEYS_MAX = 2,
};

struct index;

struct index_config {
	struct store *store;
	/* Keys that the tail may hold; beyond it the tail is folded into a run. Memory: at most
	 * INDEX_BYTES_PER_KEY for each (stated in docs/operations), whatever the log's size. 0: the default. */
	size_t tail_max;
	/* Bytes of filters, which spare lookups of what is not there most of their reads: 1 to 2 for each key that is in
	 * runs, the newest runs first; runs beyond the bound have none. 0: the default; 1: none. */
	size_t filter_max;
	unsigned slice_chunks; /* written by one slice of work. 0: 256, which is 1 MiB */
	bool read_only;        /* never write, however long the tail is */
};

/*
 * Reads the runs, then the keys of every entry from the mark up to `size`; folds on the way if they are more than
 * the tail may hold. *out is freed with index_free().
 */
enum vt_err index_open(struct index **out, const struct index_config *config,
		       struct store_reader *r, uint64_t size);
void index_free(struct index *ix);

/* Entries covered: every key of [0, size) is found. */
uint64_t index_size(struct index *ix);
/* Append the keys of entry index_size(). All or nothing. */
enum vt_err index_append(struct index *ix, const struct merkle_hash *keys, size_t n);
/* The entries below `size` are in the store: their full keys need not be remembered any more. */
void index_committed(struct index *ix, uint64_t size);
/* Forget the entries from `size` on (after a lost swap): only such as index_committed() has not named. */
void index_rollback(struct index *ix, uint64_t size);

/*
 * The lowest index in [from, below) whose entry has `key`. VT_ENOTFOUND. Reads entries through `r` to confirm;
 * entries appended but not committed are confirmed from memory. VT_EMISMATCH: the runs in the store are broken.
 */
enum vt_err index_find(struct index *ix, struct store_reader *r, const struct merkle_hash *key,
		       uint64_t from, uint64_t below, uint64_t *index);

/* An entry has it if it has any of the keys. */
struct index_term {
	size_t n; /* at least 1 */
	struct merkle_hash key[INDEX_TERM_KEYS_MAX];
};

/*
 * Every index in [from, below) that has all n terms, in pages: each call costs what it steps over, and no more than `steps`
 * (one for each key looked for). Lowest first, or newest_first. Made and used by one thread, freed before the index.
 */
struct index_scan;
enum vt_err index_scan_new(struct index_scan **out, struct index *ix, struct store_reader *r,
			   const struct index_term *terms, size_t n, uint64_t from, uint64_t below,
			   bool newest_first);
/* The next index. VT_ENOTFOUND: there is none left. VT_ELIMIT: *steps ran out; *index is what a new scan has to have
 * as `from` (newest first: as `below`) to go on; this one goes on when it is called again with more. */
enum vt_err index_scan_next(struct index_scan *scan, size_t *steps, uint64_t *index);
void index_scan_free(struct index_scan *scan);

/*
 * A bounded slice of folding and merging (at most about a megabyte written), for entries below `committed`.
 * *more: call again when there is nothing better to do. *pressed: the tail is over its bound, call again before
 * anything is appended. VT_ECONFLICT is handled inside: another process folded first; *more is false then, and a
 * few calls do nothing, so that the other gets on. more and pressed may be NULL.
 */
enum vt_err index_work(struct index *ix, struct store_reader *r, uint64_t committed, bool *more,
		       bool *pressed);

struct index_stats {
	uint64_t tail_keys;
	uint64_t runs;
	uint64_t mark; /* entries that the runs cover */
	uint64_t filter_bytes;
	uint64_t folds, merges, conflicts; /* of this process */
};
void index_stats(struct index *ix, struct index_stats *out);

/*
 * Every run against the entries' key rows, for fsck: order, length, and that the runs hold exactly what the rows say.
 * The rows themselves must have been checked. Memory is bounded whatever the log's size. fault is called for each
 * difference. VT_OK unless reading failed or fault returned an error.
 */
enum vt_err index_check(struct store_reader *r, store_fault_fn fault, void *ctx);

#endif
