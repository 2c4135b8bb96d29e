#include "index_private.h"
#include "logline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	OPEN_SLICE = 1024, /* entries read at once while the tail is rebuilt */
};

/* -- runs in use ------------------------------------------------------------------------------ */

static void locked(struct index *ix)
{
	(void)pthread_mutex_lock(&ix->lock);
}

static void unlock(struct index *ix)
{
	(void)pthread_mutex_unlock(&ix->lock);
}

static uint64_t runs_mark(const struct store_runs *runs)
{
	return runs->n == 0 ? 0 : runs->run[runs->n - 1].end;
}

/* Under the lock. */
static void run_set_unref(struct run_set *set)
{
	if (set == NULL || --set->refs > 0)
		return;
	for (size_t i = 0; i < set->is.n; i++)
		if (set->run[i] != NULL && --set->run[i]->refs == 0)
			run_free(set->run[i]);
	free(set);
}

struct run_set *index_runs_take(struct index *ix)
{
	struct run_set *set;

	locked(ix);
	set = ix->set;
	set->refs++;
	unlock(ix);
	return set;
}

void index_runs_give(struct index *ix, struct run_set *set)
{
	locked(ix);
	run_set_unref(set);
	unlock(ix);
}

/* The run as `set` has it, so that its fences live on; or NULL. */
static struct run *run_kept(const struct run_set *set, const struct store_run *is)
{
	for (size_t i = 0; set != NULL && i < set->is.n; i++)
		if (set->run[i]->is.id == is->id)
			return set->run[i];
	return NULL;
}

enum vt_err index_runs_use(struct index *ix, const struct store_runs *is, struct run *known)
{
	struct run_set *set = calloc(1, sizeof(*set));
	enum vt_err err = VT_ENOMEM;

	locked(ix);
	if (set == NULL)
		goto done;
	set->refs = 1;
	set->is = *is;
	for (size_t i = 0; i < is->n; i++) {
		struct run *run = run_kept(ix->set, &is->run[i]);

		if (run == NULL && known != NULL && known->is.id == is->run[i].id)
			run = known;
		if (run != NULL)
			run->refs++;
		else if ((run = run_new(&is->run[i])) == NULL)
			goto done;
		set->run[i] = run;
	}
	if (ix->set == NULL || is->version > ix->set->is.version) {
		run_set_unref(ix->set);
		ix->set = set;
		set = NULL;
	}
	err = VT_OK;
done:
	run_set_unref(set);
	unlock(ix);
	return err;
}

enum vt_err index_runs_refresh(struct index *ix, struct store_reader *r)
{
	struct store_runs *runs = calloc(1, sizeof(*runs));
	enum vt_err err = VT_ENOMEM;
	bool newer;

	if (runs == NULL || (err = store_read_runs(r, runs)) != VT_OK)
		goto done;
	locked(ix);
	newer = ix->set == NULL || runs->version > ix->set->is.version;
	unlock(ix);
	if (newer)
		err = index_runs_use(ix, runs, NULL);
done:
	free(runs);
	return err;
}

/* -- the tail ---------------------------------------------------------------------------------- */

static struct segment *open_segment(const struct index *ix)
{
	return ix->segment[ix->n_segments - 1];
}

void index_drop_covered(struct index *ix)
{
	uint64_t mark;
	size_t n = 0;

	locked(ix);
	mark = runs_mark(&ix->set->is);
	while (n + 1 < ix->n_segments && ix->segment[n]->end <= mark) {
		ix->tail_keys -= ix->segment[n]->n;
		segment_free(ix->segment[n++]);
	}
	ix->n_segments -= n;
	memmove(ix->segment, ix->segment + n, ix->n_segments * sizeof(ix->segment[0]));
	if (ix->n_segments == 1 && ix->segment[0]->end <= mark) {
		struct segment *s = ix->segment[0];

		ix->tail_keys -= s->n;
		segment_rollback(s, s->first);
		s->first = s->end = mark > ix->size ? mark : ix->size;
	}
	ix->floor = ix->segment[0]->first;
	unlock(ix);
}

enum vt_err index_seal(struct index *ix)
{
	struct segment *s = NULL;
	enum vt_err err;

	if (ix->fresh_first != ix->size || open_segment(ix)->n == 0 ||
	    ix->n_segments == INDEX_SEGMENTS_MAX)
		return VT_OK;
	if ((err = segment_new(&s, open_segment(ix)->end, ix->segment_max, ix->seed)) != VT_OK)
		return err;
	locked(ix);
	ix->segment[ix->n_segments++] = s;
	unlock(ix);
	return VT_OK;
}

/* Room to remember one more entry's n keys in full. */
static enum vt_err fresh_reserve(struct index *ix, size_t n)
{
	size_t entries = (size_t)(ix->size - ix->fresh_first);

	if (entries == ix->fresh_cap) {
		size_t cap = ix->fresh_cap == 0 ? 256 : ix->fresh_cap * 2;
		size_t *end = realloc(ix->fresh_end, cap * sizeof(*end));

		if (end == NULL)
			return VT_ENOMEM;
		ix->fresh_end = end;
		ix->fresh_cap = cap;
	}
	if (ix->fresh_keys_cap - ix->fresh_keys < n) {
		size_t cap = ix->fresh_keys_cap * 2 + n + 1024;
		struct merkle_hash *key = realloc(ix->fresh_key, cap * sizeof(*key));

		if (key == NULL)
			return VT_ENOMEM;
		ix->fresh_key = key;
		ix->fresh_keys_cap = cap;
	}
	return VT_OK;
}

enum vt_err index_append(struct index *ix, const struct merkle_hash *keys, size_t n)
{
	enum vt_err err;

	if (n > STORE_KEYS_MAX)
		return VT_ELIMIT;
	locked(ix);
	if ((err = fresh_reserve(ix, n)) != VT_OK)
		goto done;
	/* What another process has folded before it got here needs no place in the tail. */
	if (ix->size >= ix->floor) {
		struct segment *s = open_segment(ix);
		size_t before = s->n;

		if ((err = segment_append(s, keys, n)) != VT_OK)
			goto done;
		ix->tail_keys += s->n - before;
	}
	for (size_t i = 0; i < n; i++)
		ix->fresh_key[ix->fresh_keys++] = keys[i];
	ix->fresh_end[ix->size - ix->fresh_first] = ix->fresh_keys;
	ix->size++;
done:
	unlock(ix);
	return err;
}

void index_committed(struct index *ix, uint64_t size)
{
	locked(ix);
	if (size >= ix->size) { /* a part of them is not worth forgetting */
		ix->fresh_first = ix->size;
		ix->fresh_keys = 0;
	}
	unlock(ix);
}

void index_rollback(struct index *ix, uint64_t size)
{
	locked(ix);
	if (size < ix->fresh_first)
		size = ix->fresh_first;
	if (size < ix->size) {
		struct segment *s = open_segment(ix);
		size_t entries = (size_t)(size - ix->fresh_first);

		ix->tail_keys -= s->n;
		segment_rollback(s, size);
		ix->tail_keys += s->n;
		ix->fresh_keys = entries == 0 ? 0 : ix->fresh_end[entries - 1];
		ix->size = size;
	}
	unlock(ix);
}

uint64_t index_size(struct index *ix)
{
	uint64_t size;

	locked(ix);
	size = ix->size;
	unlock(ix);
	return size;
}

static size_t filter_bytes(const struct run_set *set)
{
	size_t bytes = 0;

	for (size_t i = 0; i < set->is.n; i++)
		if (atomic_load(&set->run[i]->filter) != NULL)
			bytes += filter_size(set->run[i]->is.slots);
	return bytes;
}

void index_stats(struct index *ix, struct index_stats *out)
{
	locked(ix);
	*out = ix->count;
	out->tail_keys = ix->tail_keys;
	out->runs = ix->set->is.n;
	out->mark = runs_mark(&ix->set->is);
	out->filter_bytes = filter_bytes(ix->set);
	unlock(ix);
}

/* -- open ---------------------------------------------------------------------------------------- */

static enum vt_err append_stored(void *ctx, uint64_t index, struct bytes entry,
				 const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)entry;
	return index_append(ctx, keys, n_keys);
}

/* Fill the tail from the mark up to size. */
static enum vt_err index_load(struct index *ix, struct store_reader *r, uint64_t size)
{
	enum vt_err err = VT_OK;

	while (err == VT_OK && ix->size < size) {
		uint64_t n = size - ix->size < OPEN_SLICE ? size - ix->size : OPEN_SLICE;
		bool pressed = true;

		err = store_read_entries(r, ix->size, n, append_stored, ix);
		index_committed(ix, ix->size);
		while (err == VT_OK && pressed)
			err = index_work(ix, r, ix->size, NULL, &pressed);
	}
	return err == VT_ENOTFOUND ? VT_EMISMATCH : err;
}

enum vt_err index_open(struct index **out, const struct index_config *config,
		       struct store_reader *r, uint64_t size)
{
	struct index *ix = calloc(1, sizeof(*ix));
	enum vt_err err = VT_ENOMEM;
	uint64_t mark;

	*out = NULL;
	if (ix == NULL)
		return VT_ENOMEM;
	(void)pthread_mutex_init(&ix->lock, NULL);
	ix->store = config->store;
	ix->tail_max = config->tail_max == 0 ? INDEX_TAIL_DEFAULT : config->tail_max;
	ix->segment_max = ix->tail_max < 4 ? 1 : ix->tail_max / 4;
	ix->filter_max = config->filter_max == 0 ? INDEX_FILTER_DEFAULT : config->filter_max;
	ix->read_only = config->read_only;
	ix->slice_chunks = config->slice_chunks == 0 ? INDEX_SLICE_CHUNKS : config->slice_chunks;
	if (getrandom(&ix->seed, sizeof(ix->seed), 0) != (ssize_t)sizeof(ix->seed)) {
		err = INTERNAL_ERRNO("getrandom");
		goto done;
	}
	if ((err = index_runs_refresh(ix, r)) != VT_OK)
		goto done;
	mark = runs_mark(&ix->set->is);
	if ((err = segment_new(&ix->segment[0], mark, ix->segment_max, ix->seed)) != VT_OK)
		goto done;
	ix->n_segments = 1;
	ix->floor = mark;
	ix->size = ix->fresh_first = mark < size ? mark : size;
	if ((err = index_load(ix, r, size)) != VT_OK)
		goto done;
	*out = ix;
	ix = NULL;
done:
	index_free(ix);
	return err;
}

void index_free(struct index *ix)
{
	if (ix == NULL)
		return;
	job_free(ix, ix->fold);
	job_free(ix, ix->merge);
	learning_free(ix, ix->learning);
	for (size_t i = 0; i < ix->n_segments; i++)
		segment_free(ix->segment[i]);
	run_set_unref(ix->set);
	free(ix->fresh_end);
	free(ix->fresh_key);
	(void)pthread_mutex_destroy(&ix->lock);
	free(ix);
}

/* -- lookups ------------------------------------------------------------------------------------- */

/* The lowest index in [from, below) with this prefix, in these runs. */
static enum vt_err runs_next(struct run_set *set, struct store_reader *r, uint64_t prefix,
			     uint64_t from, uint64_t below, struct chunk *chunk, uint64_t *index)
{
	for (size_t i = 0; i < set->is.n && set->run[i]->is.first < below; i++) {
		struct run *run = set->run[i];
		struct index_slot target = {prefix, from > run->is.first ? from : run->is.first};
		enum vt_err err;
		size_t at;

		if (run->is.end <= from || !run_may_have(run, prefix))
			continue;
		err = run_seek(run, r, &target, chunk, &at);
		if (err == VT_ENOTFOUND || (err == VT_OK && chunk->slot[at].prefix != prefix))
			continue;
		if (err != VT_OK)
			return err;
		*index = chunk->slot[at].index;
		return *index < below ? VT_OK : VT_ENOTFOUND;
	}
	return VT_ENOTFOUND;
}

/* The highest one. */
static enum vt_err runs_prior(struct run_set *set, struct store_reader *r, uint64_t prefix,
			      uint64_t from, uint64_t below, struct chunk *chunk, uint64_t *index)
{
	for (size_t i = set->is.n; i-- > 0 && set->run[i]->is.end > from;) {
		struct run *run = set->run[i];
		struct index_slot target = {prefix, below < run->is.end ? below : run->is.end};
		enum vt_err err;
		size_t at;

		if (run->is.first >= below || !run_may_have(run, prefix))
			continue;
		err = run_seek_last(run, r, &target, chunk, &at);
		if (err == VT_ENOTFOUND || (err == VT_OK && chunk->slot[at].prefix != prefix))
			continue;
		if (err != VT_OK)
			return err;
		*index = chunk->slot[at].index;
		return *index >= from ? VT_OK : VT_ENOTFOUND;
	}
	return VT_ENOTFOUND;
}

/* VT_ECONFLICT: segments that these runs do not cover have been folded since: take the runs again. */
static enum vt_err tail_next(struct index *ix, const struct run_set *set, uint64_t prefix,
			     uint64_t from, uint64_t below, uint64_t *index)
{
	enum vt_err err = VT_ENOTFOUND;

	locked(ix);
	if (ix->floor > runs_mark(&set->is)) {
		err = VT_ECONFLICT;
	} else {
		for (size_t i = 0; i < ix->n_segments; i++) {
			if (ix->segment[i]->end <= from ||
			    !segment_find(ix->segment[i], prefix, from, index))
				continue;
			if (*index < below)
				err = VT_OK;
			break;
		}
	}
	unlock(ix);
	return err;
}

static enum vt_err tail_prior(struct index *ix, const struct run_set *set, uint64_t prefix,
			      uint64_t from, uint64_t below, uint64_t *index)
{
	enum vt_err err = VT_ENOTFOUND;

	locked(ix);
	if (ix->floor > runs_mark(&set->is))
		err = VT_ECONFLICT;
	for (size_t i = ix->n_segments;
	     err == VT_ENOTFOUND && i-- > 0 && ix->segment[i]->end > from;)
		if (segment_find_last(ix->segment[i], prefix, below, index) && *index >= from)
			err = VT_OK;
	unlock(ix);
	return err;
}

/* After a VT_ECONFLICT on `version` of the runs. VT_EMISMATCH: they are the newest, so what is missing is lost. */
static enum vt_err runs_were_stale(struct index *ix, struct store_reader *r, uint64_t version)
{
	enum vt_err err;
	bool newer;

	if ((err = index_runs_refresh(ix, r)) != VT_OK)
		return err;
	locked(ix);
	newer = ix->set->is.version > version;
	unlock(ix);
	return newer ? VT_OK : VT_EMISMATCH;
}

/* One step, confirmed by nobody yet: the lowest index in [from, below) with this prefix; last: the highest. */
static enum vt_err candidate(struct index *ix, struct store_reader *r, uint64_t prefix,
			     uint64_t from, uint64_t below, bool last, struct chunk *chunk,
			     uint64_t *index)
{
	for (unsigned i = 0; i < INDEX_STALE_MAX; i++) {
		struct run_set *set = index_runs_take(ix);
		uint64_t version = set->is.version;
		enum vt_err err;

		if (last) {
			err = tail_prior(ix, set, prefix, from, below, index);
			if (err == VT_ENOTFOUND)
				err = runs_prior(set, r, prefix, from, below, chunk, index);
		} else {
			err = runs_next(set, r, prefix, from, below, chunk, index);
			if (err == VT_ENOTFOUND)
				err = tail_next(ix, set, prefix, from, below, index);
		}
		index_runs_give(ix, set);
		if (err != VT_ECONFLICT)
			return err;
		chunk->n = 0;
		if ((err = runs_were_stale(ix, r, version)) != VT_OK)
			return err;
	}
	return VT_EBUSY;
}

struct confirmation {
	const struct index_term *term;
	size_t n;
	bool all;
};

static bool term_fits(const struct index_term *t, const struct merkle_hash *keys, size_t n_keys)
{
	for (size_t i = 0; i < t->n; i++)
		for (size_t j = 0; j < n_keys; j++)
			if (merkle_hash_equal(&t->key[i], &keys[j]))
				return true;
	return false;
}

static void confirm_keys(struct confirmation *c, const struct merkle_hash *keys, size_t n_keys)
{
	c->all = true;
	for (size_t i = 0; i < c->n && c->all; i++)
		c->all = term_fits(&c->term[i], keys, n_keys);
}

static enum vt_err confirm_stored(void *ctx, uint64_t index, struct bytes entry,
				  const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)entry;
	confirm_keys(ctx, keys, n_keys);
	return VT_OK;
}

/* Does the entry have all these terms, by keys in full? */
static enum vt_err confirm(struct index *ix, struct store_reader *r, const struct index_term *term,
			   size_t n, uint64_t index, bool *all)
{
	struct confirmation c = {term, n, false};
	enum vt_err err = VT_OK;
	bool fresh;

	locked(ix);
	fresh = index >= ix->fresh_first && index < ix->size;
	if (fresh) {
		size_t i = (size_t)(index - ix->fresh_first);
		size_t start = i == 0 ? 0 : ix->fresh_end[i - 1];

		confirm_keys(&c, ix->fresh_key + start, ix->fresh_end[i] - start);
	}
	unlock(ix);
	if (!fresh)
		err = store_read_entries(r, index, 1, confirm_stored, &c);
	*all = c.all;
	return err == VT_ENOTFOUND ? VT_EMISMATCH : err;
}

enum vt_err index_find(struct index *ix, struct store_reader *r, const struct merkle_hash *key,
		       uint64_t from, uint64_t below, uint64_t *index)
{
	struct index_term term = {.n = 1, .key = {*key}};
	uint64_t prefix = index_prefix(key);
	struct chunk chunk;
	enum vt_err err;

	for (chunk.n = 0; from < below; from = *index + 1) {
		bool all;

		err = candidate(ix, r, prefix, from, below, false, &chunk, index);
		if (err != VT_OK)
			return err;
		if ((err = confirm(ix, r, &term, 1, *index, &all)) != VT_OK || all)
			return err;
	}
	return VT_ENOTFOUND;
}

/* -- scans ----------------------------------------------------------------------------------------- */

struct index_scan {
	struct index *ix;
	struct store_reader *r;
	bool newest_first;
	uint64_t from; /* what is left to look at is [from, below) */
	uint64_t below;
	size_t n;
	struct index_term term[INDEX_TERMS_MAX];
	struct chunk chunk[][INDEX_TERM_KEYS_MAX]; /* one for each key of each term */
};

enum vt_err index_scan_new(struct index_scan **out, struct index *ix, struct store_reader *r,
			   const struct index_term *terms, size_t n, uint64_t from, uint64_t below,
			   bool newest_first)
{
	struct index_scan *scan;

	*out = NULL;
	if (n == 0 || n > INDEX_TERMS_MAX)
		return VT_EINVAL;
	scan = malloc(sizeof(*scan) + n * sizeof(scan->chunk[0]));
	if (scan == NULL)
		return VT_ENOMEM;
	scan->ix = ix;
	scan->r = r;
	scan->newest_first = newest_first;
	scan->from = from;
	scan->below = below;
	scan->n = n;
	for (size_t i = 0; i < n; i++) {
		scan->term[i] = terms[i];
		for (size_t k = 0; k < INDEX_TERM_KEYS_MAX; k++)
			scan->chunk[i][k].n = 0;
	}
	*out = scan;
	return VT_OK;
}

/* The first index that is left, in the scan's direction, at which term i may hold. */
static enum vt_err term_candidate(struct index_scan *scan, size_t i, uint64_t *index)
{
	const struct index_term *t = &scan->term[i];
	uint64_t from = scan->from, below = scan->below;
	enum vt_err found = VT_ENOTFOUND;

	for (size_t k = 0; k < t->n && from < below; k++) {
		uint64_t at;
		enum vt_err err = candidate(scan->ix, scan->r, index_prefix(&t->key[k]), from,
					    below, scan->newest_first, &scan->chunk[i][k], &at);

		if (err == VT_ENOTFOUND)
			continue;
		if (err != VT_OK)
			return err;
		/* Another key is of interest only where it comes earlier. */
		if (scan->newest_first)
			from = at + 1;
		else
			below = at;
		*index = at;
		found = VT_OK;
	}
	return found;
}

/* Continue the scan at `index`, or behind it if that one is done. Returns whether the scan stood there already. */
static bool scan_move(struct index_scan *scan, uint64_t index, bool done)
{
	uint64_t place = scan->newest_first ? scan->below - 1 : scan->from;

	if (scan->newest_first)
		scan->below = done ? index : index + 1;
	else
		scan->from = done ? index + 1 : index;
	return place == index;
}

/* Each term in turn moves to its first entry at or after the others' place, until all stand on one. */
enum vt_err index_scan_next(struct index_scan *scan, size_t *steps, uint64_t *index)
{
	size_t agreed = 0;

	for (size_t i = 0; scan->from < scan->below; i = (i + 1) % scan->n) {
		uint64_t at;
		enum vt_err err;
		bool all;

		*index = scan->newest_first ? scan->below : scan->from;
		if (*steps < scan->term[i].n)
			return VT_ELIMIT;
		*steps -= scan->term[i].n;
		if ((err = term_candidate(scan, i, &at)) != VT_OK)
			return err;
		agreed = scan_move(scan, at, false) ? agreed + 1 : 1;
		if (agreed < scan->n)
			continue;
		if ((err = confirm(scan->ix, scan->r, scan->term, scan->n, at, &all)) != VT_OK)
			return err;
		scan_move(scan, at, true);
		agreed = 0;
		if (all) {
			*index = at;
			return VT_OK;
		}
	}
	return VT_ENOTFOUND;
}

void index_scan_free(struct index_scan *scan)
{
	free(scan);
}
