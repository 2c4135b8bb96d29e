/* What index.c (lookups and the tail), index_fold.c (runs) and index_check.c share. */
#ifndef LOG_INDEX_PRIVATE_H
#define LOG_INDEX_PRIVATE_H

#include <pthread.h>

#include "index.h"
#include "index_run.h"
#include "index_tail.h"

enum {
	INDEX_SEGMENTS_MAX = 1024,
	INDEX_FAN = 4,        /* adjacent runs of one level that are merged into one of the next */
	INDEX_MERGE_MAX = 16, /* runs merged at once */
	INDEX_CROWD = 128,    /* runs from which they are merged whatever their levels */
	INDEX_SLICE_CHUNKS = 256,
	INDEX_STALE_MAX = 100, /* replaced runs met by one lookup before it gives up */
};

/* The runs as one lookup sees them. Immutable but for refs, which the index's lock guards. */
struct run_set {
	size_t refs;
	struct store_runs is;
	struct run *run[STORE_RUNS_MAX];
};

/* A run being written: see index_fold.c. */
struct job;
/* A run being read for its filter: see index_learn.c. */
struct learning;

/*
 * Invariants, under `lock`: segments are adjacent, oldest first, the last one is open, the others are sealed;
 * entries [floor, size) are in the segments; floor <= the mark of `set`; so set and segments together cover [0, size).
 * Entries [fresh_first, size) are not known to be committed; their full keys are in fresh_key.
 */
struct index {
	struct store *store;
	size_t tail_max;
	size_t segment_max;
	size_t filter_max;
	unsigned slice_chunks;
	bool read_only;
	uint64_t seed;

	pthread_mutex_t lock;
	struct run_set *set;
	size_t n_segments;
	struct segment *segment[INDEX_SEGMENTS_MAX];
	uint64_t floor;
	uint64_t size;
	size_t tail_keys;
	uint64_t fresh_first;
	size_t fresh_cap;
	size_t *fresh_end; /* for each fresh entry, where its keys end in fresh_key */
	size_t fresh_keys;
	size_t fresh_keys_cap;
	struct merkle_hash *fresh_key;
	struct index_stats count;

	/* The writer's own. */
	struct job *fold;
	struct job *merge;
	struct learning *learning;
	unsigned patience; /* how long to hold off after the next conflict */
	unsigned hold_off; /* calls that still do nothing */
};

/* The runs in use, to be given back. */
struct run_set *index_runs_take(struct index *ix);
void index_runs_give(struct index *ix, struct run_set *set);
/* Read the runs again and use them if they are newer than those in use. */
enum vt_err index_runs_refresh(struct index *ix, struct store_reader *r);
/* Use `is`; `known` (may be NULL) is a run among them whose fences are known; it is taken over. */
enum vt_err index_runs_use(struct index *ix, const struct store_runs *is, struct run *known);
/* Forget segments that the runs cover (the writer only). */
void index_drop_covered(struct index *ix);
/* Begin a new segment, if nothing in the open one can be rolled back. */
enum vt_err index_seal(struct index *ix);
void job_free(struct index *ix, struct job *job); /* NULL is legal */

/* An empty filter for a run; NULL if there is no room beside those of other runs. */
struct filter *filter_for(struct index *ix, const struct run *run);
/* A slice of reading a run that has no filter yet. *more: there is more of that. */
enum vt_err index_learn(struct index *ix, struct store_reader *r, bool *more);
void learning_free(struct index *ix, struct learning *l); /* NULL is legal */

#endif
