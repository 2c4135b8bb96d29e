/*
 * Filters of runs. Those that this process writes get theirs on the way; those that it finds in the store are read for it, in
 * slices, when there is nothing better to do. Until then, and where there is no room, lookups read a chunk instead.
 */
#include "index_private.h"

#include <stdlib.h>

struct learning {
	struct run_set *set; /* holds the run */
	struct run *run;
	struct filter *filter;
	uint64_t at; /* chunk */
};

void learning_free(struct index *ix, struct learning *l)
{
	if (l == NULL)
		return;
	index_runs_give(ix, l->set);
	free(l->filter);
	free(l);
}

/* Of the filters of listed runs but those that `run` takes the place of. */
static size_t bytes_beside(struct index *ix, const struct run *run)
{
	struct run_set *set = index_runs_take(ix);
	size_t bytes = 0;

	for (size_t i = 0; i < set->is.n; i++)
		if ((set->run[i]->is.end <= run->is.first ||
		     set->run[i]->is.first >= run->is.end) &&
		    atomic_load(&set->run[i]->filter) != NULL)
			bytes += filter_size(set->run[i]->is.slots);
	index_runs_give(ix, set);
	return bytes;
}

/* Large ones may take half of the room: there are always small runs, and they are the most. */
struct filter *filter_for(struct index *ix, const struct run *run)
{
	size_t size = filter_size(run->is.slots);
	size_t room = size <= ix->filter_max / 16 ? ix->filter_max : ix->filter_max / 2;

	if (size > room || bytes_beside(ix, run) > room - size)
		return NULL;
	return filter_new(run->is.slots, ix->seed);
}

/* The newest listed run that could have a filter and has none. *out stays NULL if there is none. */
static enum vt_err learning_new(struct learning **out, struct index *ix)
{
	struct run_set *set = index_runs_take(ix);
	struct learning *l;

	*out = NULL;
	for (size_t i = set->is.n; i-- > 0;) {
		struct run *run = set->run[i];
		struct filter *f;

		if (atomic_load(&run->filter) != NULL || run->chunks == 0 ||
		    (f = filter_for(ix, run)) == NULL)
			continue;
		if ((l = calloc(1, sizeof(*l))) == NULL) {
			free(f);
			break;
		}
		*l = (struct learning){.set = set, .run = run, .filter = f};
		*out = l;
		return VT_OK;
	}
	index_runs_give(ix, set);
	return VT_OK;
}

static enum vt_err learn_slice(struct index *ix, struct learning *l, struct store_reader *r)
{
	struct chunk chunk = {.n = 0};

	for (unsigned i = 0; i < ix->slice_chunks && l->at < l->run->chunks; i++) {
		enum vt_err err = run_load(l->run, r, l->at, &chunk);

		if (err != VT_OK)
			return err;
		for (size_t k = 0; k < chunk.n; k++)
			filter_add(l->filter, chunk.slot[k].prefix);
		l->at++;
	}
	return VT_OK;
}

enum vt_err index_learn(struct index *ix, struct store_reader *r, bool *more)
{
	struct learning *l;
	enum vt_err err;

	if (ix->learning == NULL && (err = learning_new(&ix->learning, ix)) != VT_OK)
		return err;
	*more = ix->learning != NULL;
	if ((l = ix->learning) == NULL)
		return VT_OK;
	err = learn_slice(ix, l, r);
	if (err == VT_OK && l->at < l->run->chunks)
		return VT_OK;
	if (err == VT_OK) {
		atomic_store_explicit(&l->run->filter, l->filter, memory_order_release);
		l->filter = NULL; /* transferred */
	}
	learning_free(ix, l);
	ix->learning = NULL;
	/* The run has been replaced meanwhile: the next look finds the new ones. */
	return err == VT_ECONFLICT ? index_runs_refresh(ix, r) : err;
}
