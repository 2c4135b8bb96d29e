/*
 * Searching one sorted run in the store: a bounded table of fences (first slots of some chunks), filled in as
 * chunks are met, and the chunk in hand.
 */
#ifndef LOG_INDEX_RUN_H
#define LOG_INDEX_RUN_H

#include <stdatomic.h>

#include "index_filter.h"
#include "store.h"

enum {
	RUN_FENCES_MAX = 16384, /* of one run: 24 bytes each */
};

/* The first slot of a chunk. Written once by whoever reads the chunk first; all writers write the same. */
struct fence {
	_Atomic uint64_t prefix;
	_Atomic uint64_t index;
	atomic_bool known;
};

/* One run and what is remembered of it. Shared by lookups on any thread; refs under the index's lock. */
struct run {
	struct store_run is;
	uint64_t chunks;
	uint64_t stride; /* every stride-th chunk has a fence */
	size_t refs;
	_Atomic(struct filter *) filter; /* NULL: there is none, or not yet; set once */
	size_t n_fences;
	struct fence fence[];
};

struct run *run_new(const struct store_run *is); /* NULL: no memory */
void run_free(struct run *run);
/* May the run have a slot with this prefix? */
bool run_may_have(struct run *run, uint64_t prefix);
void run_learn(struct run *run, uint64_t chunk, const struct index_slot *first);

/* A chunk in hand, kept between calls so that neighbours cost nothing. Start with n = 0. */
struct chunk {
	uint64_t run; /* its id */
	uint64_t no;
	size_t n;
	struct index_slot slot[STORE_CHUNK_SLOTS];
};

/* Three-way order of slots. */
int slot_compare(const struct index_slot *a, const struct index_slot *b);

/*
 * *chunk and *at: the run's first slot >= target. VT_ENOTFOUND: all are smaller. VT_ECONFLICT: a chunk is not
 * there (the run was replaced, or the store is broken). VT_EMISMATCH: a chunk of the wrong length.
 */
enum vt_err run_seek(struct run *run, struct store_reader *r, const struct index_slot *target,
		     struct chunk *chunk, size_t *at);
/* The last slot < target. VT_ENOTFOUND: none is. */
enum vt_err run_seek_last(struct run *run, struct store_reader *r, const struct index_slot *target,
			  struct chunk *chunk, size_t *at);
/* Load chunk `no`. Errors as above. */
enum vt_err run_load(struct run *run, struct store_reader *r, uint64_t no, struct chunk *chunk);

#endif
