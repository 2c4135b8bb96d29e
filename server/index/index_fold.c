/*
 * Folding and merging. A fold writes the oldest sealed segment of the tail as a run of level 0; a merge makes
 * INDEX_FAN adjacent runs of one level into one of the next, so that a log of n keys has O(log n) runs and writes each
 * key O(log n) times. Both go in slices, the folds first: they bound memory, merges only shorten lookups.
 *
 * A run is written before it is listed, so a crash costs the work done on it and nothing else. Any process may
 * fold or merge at any time; replace_runs is a compare-and-swap, and whoever loses gives its run up unless what it was
 * made from is still there. One that lost holds off for a while, so that two do not keep undoing each other.
 */
#include "index_private.h"

#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE_MAX = 1024, /* calls of index_work() that a loser lets pass at most */
};

/* A run being written. */
struct job {
	struct filter *filter; /* of what is written; NULL: it gets none */
	struct run *out;       /* out->is.id is 0 until the first chunk has claimed one */
	uint64_t version;      /* of the runs when it began to be written */
	uint64_t written;      /* chunks */
	bool ended;            /* all slots have been handed out */

	/* A fold: what is left to write. */
	struct index_slot *slot;
	size_t n_slots;
	size_t at_slot;

	/* A merge: the runs that it takes the place of, and where it stands in each. */
	struct run_set *set;
	size_t n_sources;
	struct source {
		struct run *run;
		size_t at;
		struct chunk chunk;
	} * source;
};

void job_free(struct index *ix, struct job *job)
{
	if (job == NULL)
		return;
	if (job->set != NULL)
		index_runs_give(ix, job->set);
	free(job->filter);
	run_free(job->out);
	free(job->slot);
	free(job->source);
	free(job);
}

static uint64_t runs_mark(const struct store_runs *runs)
{
	return runs->n == 0 ? 0 : runs->run[runs->n - 1].end;
}

/* -- begin -------------------------------------------------------------------------------------- */

/* The oldest segment, without what the runs cover already. */
static enum vt_err fold_new(struct job **out, struct index *ix)
{
	const struct segment *s = ix->segment[0];
	struct job *job = calloc(1, sizeof(*job));
	struct index_stats stats;
	enum vt_err err = VT_ENOMEM;
	struct store_run run;

	*out = NULL;
	if (job == NULL)
		return VT_ENOMEM;
	index_stats(ix, &stats);
	if ((err = segment_sorted(&job->slot, &job->n_slots, s, stats.mark)) != VT_OK)
		goto done;
	run = (struct store_run){.first = stats.mark, .end = s->end, .slots = job->n_slots};
	if ((job->out = run_new(&run)) == NULL) {
		err = VT_ENOMEM;
		goto done;
	}
	*out = job;
	job = NULL;
done:
	job_free(ix, job);
	return err;
}

/* Which runs to merge: the newest INDEX_FAN or more neighbours of one level; none: false. */
static bool merge_due(const struct store_runs *runs, size_t *first, size_t *n)
{
	for (size_t end = runs->n; end > 0; end = *first) {
		*first = end - 1;
		while (*first > 0 && end - *first < INDEX_MERGE_MAX &&
		       runs->run[*first - 1].level == runs->run[end - 1].level)
			--*first;
		*n = end - *first;
		if (*n >= INDEX_FAN)
			return true;
	}
	if (runs->n < INDEX_CROWD)
		return false;
	*n = INDEX_MERGE_MAX;
	*first = runs->n - *n;
	return true;
}

static bool merge_due_now(struct index *ix)
{
	size_t first, n;
	bool due;

	(void)pthread_mutex_lock(&ix->lock);
	due = merge_due(&ix->set->is, &first, &n);
	(void)pthread_mutex_unlock(&ix->lock);
	return due;
}

/* *out stays NULL if none is due. */
static enum vt_err merge_new(struct job **out, struct index *ix)
{
	struct job *job = calloc(1, sizeof(*job));
	struct store_run run = {0};
	size_t first, n;

	*out = NULL;
	if (job == NULL)
		return VT_ENOMEM;
	job->set = index_runs_take(ix);
	if (!merge_due(&job->set->is, &first, &n)) {
		job_free(ix, job);
		return VT_OK;
	}
	job->n_sources = n;
	job->source = calloc(n, sizeof(job->source[0]));
	run.first = job->set->is.run[first].first;
	for (size_t i = 0; i < n; i++) {
		const struct store_run *is = &job->set->is.run[first + i];

		run.end = is->end;
		run.slots += is->slots;
		if (is->level >= run.level)
			run.level = is->level + 1;
		if (job->source != NULL)
			job->source[i].run = job->set->run[first + i];
	}
	job->out = run_new(&run);
	if (job->source == NULL || job->out == NULL) {
		job_free(ix, job);
		return VT_ENOMEM;
	}
	*out = job;
	return VT_OK;
}

/* -- write -------------------------------------------------------------------------------------- */

/* The smallest slot that any source has in hand, taken. VT_ENOTFOUND: all are at their ends. */
static enum vt_err merge_take(struct job *job, struct store_reader *r, struct index_slot *out)
{
	struct source *least = NULL;

	for (size_t i = 0; i < job->n_sources; i++) {
		struct source *s = &job->source[i];
		enum vt_err err;

		if (s->run->chunks == 0)
			continue;
		if (s->chunk.n == 0 || s->at == s->chunk.n) {
			uint64_t no = s->chunk.n == 0 ? 0 : s->chunk.no + 1;

			if (no == s->run->chunks)
				continue;
			if ((err = run_load(s->run, r, no, &s->chunk)) != VT_OK)
				return err;
			s->at = 0;
		}
		if (least == NULL ||
		    slot_compare(&s->chunk.slot[s->at], &least->chunk.slot[least->at]) < 0)
			least = s;
	}
	if (least == NULL)
		return VT_ENOTFOUND;
	*out = least->chunk.slot[least->at++];
	return VT_OK;
}

/* The next chunk's slots. n 0: that was all. */
static enum vt_err next_slots(struct job *job, struct store_reader *r,
			      struct index_slot slot[STORE_CHUNK_SLOTS], size_t *n)
{
	*n = 0;
	if (job->source == NULL) {
		*n = job->n_slots - job->at_slot;
		if (*n > STORE_CHUNK_SLOTS)
			*n = STORE_CHUNK_SLOTS;
		memcpy(slot, job->slot + job->at_slot, *n * sizeof(*slot));
		job->at_slot += *n;
		return VT_OK;
	}
	while (*n < STORE_CHUNK_SLOTS) {
		enum vt_err err = merge_take(job, r, &slot[*n]);

		if (err == VT_ENOTFOUND)
			break;
		if (err != VT_OK)
			return err;
		++*n;
	}
	return VT_OK;
}

/* The first chunk claims the run's id; another process may be claiming too. */
static enum vt_err write_first(struct index *ix, struct job *job, struct store_reader *r,
			       const struct index_slot *slot, size_t n)
{
	struct store_runs *runs = malloc(sizeof(*runs));
	enum vt_err err = runs == NULL ? VT_ENOMEM : VT_ECONFLICT;

	for (unsigned i = 0; err == VT_ECONFLICT && i < INDEX_STALE_MAX; i++) {
		if ((err = store_read_runs(r, runs)) != VT_OK)
			break;
		job->version = runs->version;
		job->out->is.id = runs->next_id;
		err = store_write_chunk(ix->store, job->out->is.id, 0, slot, n);
	}
	free(runs);
	return err;
}

static enum vt_err write_slice(struct index *ix, struct job *job, struct store_reader *r)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];

	for (unsigned i = 0; i < ix->slice_chunks && !job->ended; i++) {
		enum vt_err err;
		size_t n;

		if ((err = next_slots(job, r, slot, &n)) != VT_OK)
			return err;
		if (n == 0) {
			job->ended = true;
			break;
		}
		if (job->written == 0)
			err = write_first(ix, job, r, slot, n);
		else
			err = store_write_chunk(ix->store, job->out->is.id, job->written, slot, n);
		if (err != VT_OK)
			return err;
		run_learn(job->out, job->written++, &slot[0]);
		for (size_t k = 0; job->filter != NULL && k < n; k++)
			filter_add(job->filter, slot[k].prefix);
		job->ended = n < STORE_CHUNK_SLOTS;
	}
	return VT_OK;
}

/* -- list ---------------------------------------------------------------------------------------- */

/* `runs` with the job's run in its place. VT_ECONFLICT: its place has been taken. */
static enum vt_err runs_with(struct store_runs *runs, const struct job *job)
{
	size_t first = 0;

	if (job->source == NULL) {
		if (job->out->is.first != runs_mark(runs) || runs->n == STORE_RUNS_MAX)
			return VT_ECONFLICT;
		runs->run[runs->n++] = job->out->is;
		return VT_OK;
	}
	while (first < runs->n && runs->run[first].id != job->source[0].run->is.id)
		first++;
	for (size_t i = 0; i < job->n_sources; i++)
		if (first + i >= runs->n || runs->run[first + i].id != job->source[i].run->is.id)
			return VT_ECONFLICT;
	runs->run[first] = job->out->is;
	memmove(runs->run + first + 1, runs->run + first + job->n_sources,
		(runs->n - first - job->n_sources) * sizeof(runs->run[0]));
	runs->n -= job->n_sources - 1;
	return VT_OK;
}

static enum vt_err job_list(struct index *ix, struct job *job, struct store_reader *r)
{
	struct store_runs *runs = malloc(sizeof(*runs));
	enum vt_err err = runs == NULL ? VT_ENOMEM : VT_ECONFLICT;

	for (unsigned i = 0; err == VT_ECONFLICT && i < INDEX_STALE_MAX; i++) {
		if ((err = store_read_runs(r, runs)) != VT_OK)
			goto done;
		if (job->written == 0) /* a run without keys claims its id here */
			job->out->is.id = runs->next_id;
		if ((err = runs_with(runs, job)) != VT_OK)
			goto done;
		if (runs->next_id <= job->out->is.id)
			runs->next_id = job->out->is.id + 1;
		err = store_replace_runs(ix->store, runs->version, runs);
	}
	/* A replacement by somebody else may have dropped what was written for ours. */
	if (err == VT_EINVAL && job->written > 0 && runs->version != job->version)
		err = VT_ECONFLICT;
	if (err != VT_OK)
		goto done;
	atomic_store(&job->out->filter, job->filter);
	job->filter = NULL; /* transferred */
	/* What is listed now, by whomever, under its own version. */
	if ((err = store_read_runs(r, runs)) == VT_OK)
		err = index_runs_use(ix, runs, job->out);
	if (err == VT_OK) {
		struct run *out = job->out;

		job->out = NULL; /* the index has it now, or else nobody */
		(void)pthread_mutex_lock(&ix->lock);
		if (--out->refs == 0)
			run_free(out);
		(void)pthread_mutex_unlock(&ix->lock);
	}
done:
	free(runs);
	return err;
}

/* -- slices ---------------------------------------------------------------------------------------- */

/* Go on with a job; *job is NULL when it is done or given up. */
static enum vt_err job_slice(struct index *ix, struct job **job, struct store_reader *r)
{
	bool merge = (*job)->source != NULL;
	enum vt_err err = write_slice(ix, *job, r);

	if (err == VT_OK && !(*job)->ended)
		return VT_OK;
	if (err == VT_OK)
		err = job_list(ix, *job, r);
	job_free(ix, *job);
	*job = NULL;
	if (err == VT_OK) {
		(void)pthread_mutex_lock(&ix->lock);
		if (merge)
			ix->count.merges++;
		else
			ix->count.folds++;
		(void)pthread_mutex_unlock(&ix->lock);
		ix->patience = 0;
		index_drop_covered(ix);
	}
	return err;
}

/* Somebody else's work took the place of ours: see what there is now, and let the other get on. */
static enum vt_err give_way(struct index *ix, struct store_reader *r)
{
	ix->patience = ix->patience == 0 ? 4 : ix->patience * 2;
	if (ix->patience > PATIENCE_MAX)
		ix->patience = PATIENCE_MAX;
	ix->hold_off = ix->patience;
	(void)pthread_mutex_lock(&ix->lock);
	ix->count.conflicts++;
	(void)pthread_mutex_unlock(&ix->lock);
	return index_runs_refresh(ix, r);
}

static bool over(const struct index *ix, size_t bound)
{
	return ix->tail_keys > bound;
}

/* Begin what is due. Nothing may be: both jobs are NULL then. */
static enum vt_err begin(struct index *ix, struct store_reader *r, uint64_t committed)
{
	enum vt_err err;

	if (ix->fold == NULL && over(ix, ix->tail_max)) {
		/* Another process may have folded already. */
		if ((err = index_runs_refresh(ix, r)) != VT_OK)
			return err;
		index_drop_covered(ix);
		if (ix->n_segments == 1 && (err = index_seal(ix)) != VT_OK)
			return err;
		if (over(ix, ix->tail_max) && ix->n_segments > 1 &&
		    ix->segment[0]->end <= committed) {
			if ((err = fold_new(&ix->fold, ix)) == VT_OK)
				ix->fold->filter = filter_for(ix, ix->fold->out);
			return err;
		}
	}
	if (ix->fold == NULL && ix->merge == NULL && merge_due_now(ix)) {
		if ((err = merge_new(&ix->merge, ix)) == VT_OK && ix->merge != NULL)
			ix->merge->filter = filter_for(ix, ix->merge->out);
		return err;
	}
	return VT_OK;
}

enum vt_err index_work(struct index *ix, struct store_reader *r, uint64_t committed, bool *more,
		       bool *pressed)
{
	size_t bound = ix->tail_max + ix->segment_max;
	enum vt_err err = VT_OK;
	bool learn = false;

	if (more != NULL)
		*more = false;
	if (pressed != NULL)
		*pressed = false;
	if (ix->read_only) {
		err = index_learn(ix, r, &learn);
		if (more != NULL)
			*more = err == VT_OK && learn;
		return err;
	}
	if (ix->segment[ix->n_segments - 1]->n >= ix->segment_max &&
	    (err = index_seal(ix)) != VT_OK)
		return err;
	if (ix->hold_off > 0 && !over(ix, bound)) {
		ix->hold_off--;
		return VT_OK;
	}
	if ((err = begin(ix, r, committed)) == VT_OK) {
		if (ix->fold != NULL)
			err = job_slice(ix, &ix->fold, r);
		else if (ix->merge != NULL)
			err = job_slice(ix, &ix->merge, r);
		else
			err = index_learn(ix, r, &learn);
	}
	if (err == VT_ECONFLICT || err == VT_EBUSY) {
		if ((err = give_way(ix, r)) == VT_OK)
			index_drop_covered(ix);
	} else if (err == VT_OK && more != NULL) {
		*more = learn || ix->fold != NULL || ix->merge != NULL || over(ix, ix->tail_max) ||
			merge_due_now(ix);
	}
	if (err == VT_OK && pressed != NULL)
		*pressed = over(ix, bound);
	return err;
}
