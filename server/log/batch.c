#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum vt_err batch_new(struct batch **out, struct log *log)
{
	struct batch *b = calloc(1, sizeof(*b));

	*out = NULL;
	if (b == NULL)
		return VT_ENOMEM;
	b->log = log;
	b->s = calloc(log->config.batch_max, sizeof(struct submission *));
	b->added = calloc(log->config.batch_max, sizeof(struct submission *));
	b->leaf = calloc(log->config.batch_max, sizeof(b->leaf[0]));
	if (b->s == NULL || b->added == NULL || b->leaf == NULL) {
		batch_free(b);
		return VT_ENOMEM;
	}
	*out = b;
	return VT_OK;
}

void batch_free(struct batch *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < BATCH_LEVELS; i++)
		free(b->level[i].hash);
	free(b->s);
	free(b->added);
	free(b->leaf);
	free(b);
}

void batch_take(struct batch *b, struct submission_list *queue, uint64_t max)
{
	size_t bytes = 0;

	while (b->n < b->log->config.batch_max && b->n < max && queue->first != NULL) {
		bytes += queue->first->bytes;
		if (b->n > 0 && bytes > b->log->config.batch_bytes_max)
			break;
		b->s[b->n++] = submissions_pop(queue);
	}
}

bool keys_have(const struct merkle_hash *keys, size_t n, const struct merkle_hash *key)
{
	for (size_t i = 0; i < n; i++)
		if (merkle_hash_equal(&keys[i], key))
			return true;
	return false;
}

/* -- the entries so far, the batch's own among them ---------------------------------------------------- */

struct batch_view {
	struct batch *b;
	uint64_t floor; /* nothing that is asked for is below it */
	uint64_t size;
};

/* Every lookup of the batch's: one that finds the index broken is told apart from a rule's refusal. */
static enum vt_err look_up(struct batch *b, const struct merkle_hash *key, uint64_t from,
			   uint64_t below, uint64_t *index)
{
	enum vt_err err = index_find(b->log->index, b->log->reader, key, from, below, index);

	if (err == VT_EMISMATCH)
		b->index_broken = true;
	return err;
}

static enum vt_err view_find(void *ctx, const struct merkle_hash *key, uint64_t from,
			     uint64_t *index)
{
	const struct batch_view *v = ctx;

	if (from < v->floor)
		from = v->floor;
	return look_up(v->b, key, from, v->size, index);
}

static enum vt_err append_entry(void *ctx, uint64_t index, struct bytes entry,
				const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)keys;
	(void)n_keys;
	return buf_append(ctx, entry);
}

static enum vt_err view_read(void *ctx, uint64_t index, struct buf *entry)
{
	const struct batch_view *v = ctx;
	const struct batch *b = v->b;

	if (index >= v->size)
		return VT_ENOTFOUND;
	if (index >= b->start.head.size)
		return buf_append(entry, submission_entry(b->added[index - b->start.head.size]));
	return store_read_entries(b->log->reader, index, 1, append_entry, entry);
}

/* -- judging ------------------------------------------------------------------------------------------- */

static bool refusal(enum vt_err err)
{
	return err == VT_EMALFORMED || err == VT_EUNTRUSTED || err == VT_ECONFLICT ||
	       err == VT_ELIMIT;
}

/* Is what the worker found still so? Its answer rested on the registry alone, and that is the same one. */
static bool still_admissible(const struct log *log, const struct submission *s)
{
	return s->judged != 0 && s->judged == registry_version(log->next);
}

static enum vt_err judge_record(struct batch *b, struct submission *s, uint64_t at)
{
	struct log *log = b->log;
	struct batch_view v = {b, s->floor, at};
	struct admission_view view = {
	    .size = at,
	    .registry = log->next,
	    .origin = log->store->identity.origin,
	    .centre = log->store->identity.centre,
	    .find = view_find,
	    .read = view_read,
	    .ctx = &v,
	};
	enum vt_err err = record_known(&s->index, s->record, &view);

	if (err != VT_ENOTFOUND) {
		s->verdict = VERDICT_KNOWN;
		return err;
	}
	v.floor = 0;
	s->problem = (struct problem){0};
	err = still_admissible(log, s) ? VT_OK : record_judge(s->record, &view, &s->problem);
	if (err == VT_OK && record_is_accreditation(s->record)) {
		err = registry_apply(log->next, at, &s->leaf, record_entry(s->record), &s->problem);
		/* A refusal leaves it alone; any other failure may not. */
		b->registry_changed |= err == VT_OK || !refusal(err);
	}
	if (err != VT_OK && !refusal(err))
		return err;
	s->verdict = err == VT_OK ? VERDICT_NEW : VERDICT_REFUSED;
	return VT_OK;
}

static enum vt_err judge_raw(struct batch *b, struct submission *s, uint64_t at)
{
	enum vt_err err = look_up(b, &s->leaf, s->floor, at, &s->index);

	s->verdict = err == VT_ENOTFOUND ? VERDICT_NEW : VERDICT_KNOWN;
	return err == VT_ENOTFOUND ? VT_OK : err;
}

/* Does this concern the whole batch, and may it be tried again? */
static bool passes_on(enum vt_err err)
{
	return err == VT_ENOMEM || err == VT_EBUSY || err == VT_EIO;
}

enum vt_err batch_judge(struct batch *b)
{
	struct log *log = b->log;

	b->start = log->state;
	b->n_new = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct submission *s = b->s[i];
		uint64_t at = b->start.head.size + b->n_new;
		const struct merkle_hash *keys;
		enum vt_err err;
		size_t n;

		err = log->mode == LOG_RAW ? judge_raw(b, s, at) : judge_record(b, s, at);
		if (err != VT_OK && (b->index_broken || b->registry_changed || passes_on(err)))
			return err;
		if (err != VT_OK)
			s->verdict = VERDICT_FAILED;
		if (s->verdict != VERDICT_NEW)
			continue;
		keys = submission_keys(s, &n);
		if ((err = index_append(log->index, keys, n)) != VT_OK)
			return err;
		s->index = at;
		b->added[b->n_new++] = s;
	}
	return VT_OK;
}

void batch_undo(struct batch *b)
{
	enum vt_err err;

	index_rollback(b->log->index, b->log->state.head.size);
	b->n_new = 0;
	if (!b->registry_changed)
		return;
	b->registry_changed = false;
	if ((err = registry_rebuild(b->log)) != VT_OK)
		log_die_storage("rebuilding the registry", err);
}

/* -- integrating ------------------------------------------------------------------------------------- */

/* merkle_emit_fn: of all new nodes, tiles keep those at heights that are multiples of 8. */
static enum vt_err keep_hash(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	struct batch *b = ctx;
	struct level *level;

	if (id.height % TILE_HEIGHT != 0 || id.height / TILE_HEIGHT >= BATCH_LEVELS)
		return VT_OK;
	level = &b->level[id.height / TILE_HEIGHT];
	if (level->n == level->cap) {
		size_t cap = level->cap == 0 ? 64 : level->cap * 2;
		struct merkle_hash *hashes = realloc(level->hash, cap * sizeof(*hashes));

		if (hashes == NULL)
			return VT_ENOMEM;
		level->hash = hashes;
		level->cap = cap;
	}
	if (level->n == 0)
		level->start = id.index;
	level->hash[level->n++] = *hash;
	return VT_OK;
}

static enum vt_err integrate(struct batch *b)
{
	struct log *log = b->log;
	enum vt_err err;

	b->next.range = b->start.range;
	for (size_t i = 0; i < BATCH_LEVELS; i++)
		b->level[i].n = 0;
	for (size_t i = 0; i < b->n_new; i++) {
		err = merkle_range_append(&b->next.range, &log->hasher, &b->added[i]->leaf,
					  keep_hash, b);
		if (err != VT_OK)
			return err;
	}
	b->next.head.size = b->next.range.size;
	if ((err = merkle_range_root(&b->next.head.root, &log->hasher, &b->next.range)) != VT_OK)
		return err;
	for (size_t i = 0; log->config.tamper != NULL && i < BATCH_LEVELS; i++)
		if (b->level[i].n > 0)
			log->config.tamper(log->config.tamper_ctx, b->level[i].hash, b->level[i].n);
	return VT_OK;
}

static enum vt_err put_tiles(struct store_batch *sb, unsigned level, const struct level *l)
{
	for (size_t done = 0; done < l->n;) {
		uint64_t at = l->start + done;
		unsigned offset = (unsigned)(at % TILE_WIDTH);
		size_t n = TILE_WIDTH - offset;
		enum vt_err err;

		if (n > l->n - done)
			n = l->n - done;
		err = store_batch_tile(sb, level, at / TILE_WIDTH, offset, l->hash + done,
				       (unsigned)n);
		if (err != VT_OK)
			return err;
		done += n;
	}
	return VT_OK;
}

static enum vt_err write_batch(struct batch *b)
{
	struct store_batch *sb = NULL;
	enum vt_err err;

	if ((err = store_batch_begin(&sb, b->log->store, &b->start)) != VT_OK)
		goto done;
	for (size_t i = 0; i < b->n_new; i++) {
		const struct merkle_hash *keys;
		size_t n;

		keys = submission_keys(b->added[i], &n);
		err = store_batch_entry(sb, submission_entry(b->added[i]), keys, n);
		if (err != VT_OK)
			goto done;
	}
	for (unsigned i = 0; i < BATCH_LEVELS; i++)
		if ((err = put_tiles(sb, i, &b->level[i])) != VT_OK)
			goto done;
	err = store_batch_commit(sb, &b->next);
done:
	store_batch_discard(sb);
	return err;
}

enum vt_err batch_commit(struct batch *b)
{
	struct log *log = b->log;
	uint64_t start = clock_monotonic_nanos();
	enum vt_err err;

	if (b->n_new == 0)
		return VT_OK;
	if ((err = integrate(b)) != VT_OK || (err = write_batch(b)) != VT_OK)
		return err;
	log->state = b->next;
	index_committed(log->index, log->state.head.size);
	for (size_t i = 0; b->registry_changed && i < b->n_new; i++) {
		const struct submission *s = b->added[i];

		if (!record_is_accreditation(s->record))
			continue;
		err = registry_commit(log, s->index, &s->leaf, record_entry(s->record));
		if (err != VT_OK)
			log_die_storage("taking in the batch's accreditations", err);
	}
	b->registry_changed = false;
	(void)pthread_mutex_lock(&log->lock);
	log->status.batches++;
	log->status.entries += b->n_new;
	log->status.commit_seconds_sum += (double)(clock_monotonic_nanos() - start) / 1e9;
	(void)pthread_mutex_unlock(&log->lock);
	return VT_OK;
}

/* -- afterwards --------------------------------------------------------------------------------------- */

enum vt_err batch_read_back(struct batch *b, const struct tree_head *old, char why[LOG_WHY_MAX])
{
	enum vt_err err;

	/* As they were hashed when they were submitted, not as the integrator had them. */
	for (size_t i = 0; i < b->n_new; i++)
		b->leaf[i] = b->added[i]->leaf;
	err = readback_entries(b->log, old->size, b->added, b->n_new, why);
	if (err == VT_OK)
		err = readback_tree(b->log, old, &b->next.head, b->leaf, why);
	return err;
}

void batch_settle(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct submission *s = b->s[i];
		struct log_answer a = {.outcome = LOG_REFUSED};

		if (s->verdict == VERDICT_FAILED) {
			submission_later(b->log, s, "the record could not be judged",
					 RETRY_AFTER_BUSY);
			continue;
		}
		if (s->verdict != VERDICT_REFUSED) {
			submissions_push(&b->log->waiting, s);
			continue;
		}
		a.problem = s->problem;
		submission_answer(b->log, s, &a);
	}
	b->n = 0;
	b->n_new = 0;
}

void batch_answer_later(struct batch *b, const char *reason)
{
	unsigned retry_after = log_frozen(b->log) ? RETRY_AFTER_FROZEN : RETRY_AFTER_BUSY;

	for (size_t i = 0; i < b->n; i++)
		submission_later(b->log, b->s[i], reason, retry_after);
	b->n = 0;
	b->n_new = 0;
}

uint64_t batch_oldest(const struct batch *b)
{
	uint64_t oldest = UINT64_MAX;

	for (size_t i = 0; i < b->n; i++)
		if (b->s[i]->since < oldest)
			oldest = b->s[i]->since;
	return oldest;
}
