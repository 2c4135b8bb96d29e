#include "index_run.h"

#include <stdlib.h>

struct run *run_new(const struct store_run *is)
{
	uint64_t chunks = (is->slots + STORE_CHUNK_SLOTS - 1) / STORE_CHUNK_SLOTS;
	uint64_t stride = (chunks + RUN_FENCES_MAX - 1) / RUN_FENCES_MAX;
	size_t n;
	struct run *run;

	if (stride == 0)
		stride = 1;
	n = (size_t)((chunks + stride - 1) / stride);
	run = calloc(1, sizeof(*run) + n * sizeof(run->fence[0]));
	if (run == NULL)
		return NULL;
	run->is = *is;
	run->chunks = chunks;
	run->stride = stride;
	run->n_fences = n;
	run->refs = 1;
	return run;
}

void run_free(struct run *run)
{
	if (run == NULL)
		return;
	free(atomic_load(&run->filter));
	free(run);
}

bool run_may_have(struct run *run, uint64_t prefix)
{
	const struct filter *f = atomic_load_explicit(&run->filter, memory_order_acquire);

	return f == NULL || filter_may_have(f, prefix);
}

int slot_compare(const struct index_slot *a, const struct index_slot *b)
{
	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	return 0;
}

void run_learn(struct run *run, uint64_t chunk, const struct index_slot *first)
{
	struct fence *f;

	if (chunk % run->stride != 0 || chunk / run->stride >= run->n_fences)
		return;
	f = &run->fence[chunk / run->stride];
	atomic_store_explicit(&f->prefix, first->prefix, memory_order_relaxed);
	atomic_store_explicit(&f->index, first->index, memory_order_relaxed);
	atomic_store_explicit(&f->known, true, memory_order_release);
}

enum vt_err run_load(struct run *run, struct store_reader *r, uint64_t no, struct chunk *chunk)
{
	uint64_t expected = run->is.slots - no * STORE_CHUNK_SLOTS;
	enum vt_err err;

	if (chunk->n > 0 && chunk->run == run->is.id && chunk->no == no)
		return VT_OK;
	chunk->n = 0;
	err = r->ops->read_chunk(r, run->is.id, no, chunk->slot, &chunk->n);
	if (err == VT_ENOTFOUND)
		err = VT_ECONFLICT;
	if (err != VT_OK) {
		chunk->n = 0;
		return err;
	}
	if (chunk->n != (expected < STORE_CHUNK_SLOTS ? expected : STORE_CHUNK_SLOTS)) {
		chunk->n = 0;
		return VT_EMISMATCH;
	}
	chunk->run = run->is.id;
	chunk->no = no;
	run_learn(run, no, &chunk->slot[0]);
	return VT_OK;
}

/* The first slot of a chunk: from its fence, or by loading it. */
static enum vt_err chunk_first(struct run *run, struct store_reader *r, uint64_t no,
			       struct chunk *chunk, struct index_slot *first)
{
	enum vt_err err;

	if (no % run->stride == 0) {
		struct fence *f = &run->fence[no / run->stride];

		if (atomic_load_explicit(&f->known, memory_order_acquire)) {
			first->prefix = atomic_load_explicit(&f->prefix, memory_order_relaxed);
			first->index = atomic_load_explicit(&f->index, memory_order_relaxed);
			return VT_OK;
		}
	}
	if ((err = run_load(run, r, no, chunk)) == VT_OK)
		*first = chunk->slot[0];
	return err;
}

/* Between lo and hi, on a fence where one lies between. Prefixes are hashes, so where they would be if they were
 * evenly spread is a good guess; halving in between bounds the cost where they are not. */
static uint64_t probe(const struct run *run, uint64_t lo, uint64_t hi, uint64_t prefix, bool guess)
{
	uint64_t m = lo + (hi - lo) / 2;
	uint64_t fence;

	if (guess) {
		double at = (double)prefix / 18446744073709551616.0 * (double)run->chunks;

		m = at <= (double)lo ? lo + 1 : at >= (double)hi ? hi - 1 : (uint64_t)at;
		if (m <= lo)
			m = lo + 1;
		if (m >= hi)
			m = hi - 1;
	}
	fence = m / run->stride * run->stride;
	if (fence > lo)
		return fence;
	fence += run->stride;
	return fence < hi ? fence : m;
}

/* Load the last chunk whose first slot is <= target (or the first chunk). */
static enum vt_err run_seek_chunk(struct run *run, struct store_reader *r,
				  const struct index_slot *target, struct chunk *chunk)
{
	uint64_t lo = 0, hi = run->chunks;
	enum vt_err err;

	if (chunk->n > 0 && chunk->run == run->is.id &&
	    slot_compare(&chunk->slot[0], target) <= 0) {
		if (slot_compare(target, &chunk->slot[chunk->n - 1]) <= 0)
			return VT_OK;
		lo = chunk->no;
	}
	for (unsigned i = 0; hi - lo > 1; i++) {
		uint64_t m = probe(run, lo, hi, target->prefix, i % 2 == 0);
		struct index_slot first;

		if ((err = chunk_first(run, r, m, chunk, &first)) != VT_OK)
			return err;
		if (slot_compare(&first, target) > 0) {
			hi = m;
			continue;
		}
		lo = m;
		if (chunk->n > 0 && chunk->run == run->is.id && chunk->no == m &&
		    slot_compare(target, &chunk->slot[chunk->n - 1]) <= 0)
			return VT_OK;
	}
	return run_load(run, r, lo, chunk);
}

/* Slots of the chunk that are < target. */
static size_t lower_bound(const struct chunk *chunk, const struct index_slot *target)
{
	size_t lo = 0, hi = chunk->n;

	while (lo < hi) {
		size_t m = lo + (hi - lo) / 2;

		if (slot_compare(&chunk->slot[m], target) < 0)
			lo = m + 1;
		else
			hi = m;
	}
	return lo;
}

enum vt_err run_seek(struct run *run, struct store_reader *r, const struct index_slot *target,
		     struct chunk *chunk, size_t *at)
{
	enum vt_err err;

	if (run->chunks == 0)
		return VT_ENOTFOUND;
	if ((err = run_seek_chunk(run, r, target, chunk)) != VT_OK)
		return err;
	*at = lower_bound(chunk, target);
	if (*at < chunk->n)
		return VT_OK;
	if (chunk->no + 1 == run->chunks)
		return VT_ENOTFOUND;
	*at = 0;
	return run_load(run, r, chunk->no + 1, chunk);
}

enum vt_err run_seek_last(struct run *run, struct store_reader *r, const struct index_slot *target,
			  struct chunk *chunk, size_t *at)
{
	enum vt_err err;
	size_t below;

	if (run->chunks == 0)
		return VT_ENOTFOUND;
	if ((err = run_seek_chunk(run, r, target, chunk)) != VT_OK)
		return err;
	below = lower_bound(chunk, target);
	if (below == 0) {
		/* The chunk begins with the target itself, or is the first one. */
		if (chunk->no == 0)
			return VT_ENOTFOUND;
		if ((err = run_load(run, r, chunk->no - 1, chunk)) != VT_OK)
			return err;
		below = chunk->n;
	}
	*at = below - 1;
	return VT_OK;
}
