/*
 * A log in memory, for tests and as the plainest reading of store.h. One mutex guards everything;
 * entries, once committed, never move or change, so visitors see them without it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_store.h"
#include "pending.h"
#include "rules.h"

struct kept_entry {
	const struct merkle_hash *keys;
	size_t n_keys;
	struct bytes entry;
};

struct kept_checkpoint {
	uint64_t seq;
	uint64_t size;
	uint64_t time;
	struct buf note;
};

struct kept_chunk {
	uint64_t run;
	uint64_t chunk;
	size_t n;
	struct index_slot *slot;
};

struct level {
	struct merkle_hash *hash;
	size_t n;
	size_t cap;
};

/* Invariant: entry[0..state.head.size) are the entries; level[l].n == state.head.size >> 8 * l. */
struct memory_store {
	struct store base;
	pthread_mutex_t lock;
	struct tree_state state;
	struct kept_entry *entry;
	size_t entry_cap;
	uint8_t **slab; /* what the entries' bytes stand in: one for each batch */
	size_t n_slabs;
	size_t slab_cap;
	struct level level[PENDING_LEVELS];
	struct kept_checkpoint *cp; /* by seq */
	size_t n_cps;
	size_t cp_cap;
	struct store_runs runs;
	struct run_claims claims;
	struct kept_chunk *chunk;
	size_t n_chunks;
	size_t chunk_cap;
};

struct memory_reader {
	struct store_reader base;
	struct memory_store *store;
	struct buf note; /* of the checkpoint that a visitor looks at */
};

struct memory_batch {
	struct store_batch base;
	struct memory_store *store;
	struct pending pending;
};

static const struct store_ops memory_ops;

/* Room for `more` things of `size` bytes behind n. *array is moved only on success. */
static enum vt_err reserve(void *array, size_t *cap, size_t n, size_t more, size_t size)
{
	size_t want = *cap == 0 ? 16 : *cap;
	void *old;
	void *moved;

	if (n > SIZE_MAX / 2 / size - more)
		return VT_ENOMEM;
	while (want < n + more)
		want *= 2;
	if (want == *cap)
		return VT_OK;
	memcpy(&old, array, sizeof(old));
	moved = realloc(old, want * size);
	if (moved == NULL)
		return VT_ENOMEM;
	memcpy(array, &moved, sizeof(moved));
	*cap = want;
	return VT_OK;
}

/* -- the store ----------------------------------------------------------------------------------
 */

/* Nobody else has it, and nothing of it outlasts the process. */
static void memory_trust(struct store *base, bool newest)
{
	(void)base, (void)newest;
}

static void memory_free(struct store *base)
{
	struct memory_store *s = (struct memory_store *)base;

	for (size_t i = 0; i < s->n_slabs; i++)
		free(s->slab[i]);
	for (size_t i = 0; i < s->n_cps; i++)
		buf_release(&s->cp[i].note);
	for (size_t i = 0; i < s->n_chunks; i++)
		free(s->chunk[i].slot);
	for (unsigned l = 0; l < PENDING_LEVELS; l++)
		free(s->level[l].hash);
	free(s->slab);
	free(s->cp);
	free(s->chunk);
	free(s->entry);
	(void)pthread_mutex_destroy(&s->lock);
	identity_release(&s->base.identity);
	free(s);
}

static enum vt_err empty_state(struct tree_state *out)
{
	struct merkle_hasher hasher;
	enum vt_err err;

	*out = (struct tree_state){0};
	if ((err = merkle_hasher_init(&hasher)) != VT_OK)
		return err;
	err = merkle_hash_empty(&out->head.root, &hasher);
	merkle_hasher_release(&hasher);
	return err;
}

enum vt_err store_memory_open(struct store **out, const struct store_identity *identity,
			      char why[STORE_WHY_MAX])
{
	enum vt_err err = VT_ENOMEM;
	struct memory_store *s;

	*out = NULL;
	why[0] = '\0';
	if (identity == NULL) {
		(void)snprintf(why, STORE_WHY_MAX, "a store in memory is always new");
		return VT_ENOTFOUND;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		goto done;
	s->base.ops = &memory_ops;
	if (pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		s = NULL;
		goto done;
	}
	if ((err = empty_state(&s->state)) != VT_OK ||
	    (err = identity_copy(&s->base.identity, identity)) != VT_OK)
		goto done;
	*out = &s->base;
	s = NULL; /* transferred */
done:
	if (err != VT_OK)
		(void)snprintf(why, STORE_WHY_MAX, "%s", vt_err_text(err));
	if (s != NULL)
		memory_free(&s->base);
	return err;
}

static enum vt_err memory_probe(struct store *s, bool write, char why[STORE_WHY_MAX])
{
	(void)s, (void)write, (void)why;
	return VT_OK;
}

static enum vt_err memory_reader_new(struct store_reader **out, struct store *s)
{
	struct memory_reader *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL)
		return VT_ENOMEM;
	r->base.ops = &memory_ops;
	r->store = (struct memory_store *)s;
	buf_init(&r->note);
	*out = &r->base;
	return VT_OK;
}

static void memory_reader_free(struct store_reader *base)
{
	struct memory_reader *r = (struct memory_reader *)base;

	if (r == NULL)
		return;
	buf_release(&r->note);
	free(r);
}

static struct memory_store *locked(struct store_reader *r)
{
	struct memory_store *s = ((struct memory_reader *)r)->store;

	(void)pthread_mutex_lock(&s->lock);
	return s;
}

static void unlock(struct memory_store *s)
{
	(void)pthread_mutex_unlock(&s->lock);
}

/* -- reading the tree ---------------------------------------------------------------------------
 */

static enum vt_err memory_read_state(struct store_reader *r, struct tree_state *out)
{
	struct memory_store *s = locked(r);

	*out = s->state;
	unlock(s);
	return VT_OK;
}

static enum vt_err memory_read_tile(struct store_reader *r, unsigned level, uint64_t index,
				    unsigned width, struct merkle_hash *out)
{
	enum vt_err err = VT_ENOTFOUND;
	struct memory_store *s;

	if (width == 0 || width > TILE_WIDTH)
		return VT_EINVAL;
	if (level >= PENDING_LEVELS || index > UINT64_MAX / TILE_WIDTH - 1)
		return VT_ENOTFOUND;
	s = locked(r);
	if (index * TILE_WIDTH + width <= s->level[level].n) {
		memcpy(out, s->level[level].hash + index * TILE_WIDTH, width * sizeof(*out));
		err = VT_OK;
	}
	unlock(s);
	return err;
}

static enum vt_err memory_read_entries(struct store_reader *r, uint64_t first, uint64_t n,
				       store_entry_fn visit, void *ctx)
{
	for (; n != 0; first++, n--) {
		struct memory_store *s = locked(r);
		const bool there = first < s->state.head.size;
		const struct kept_entry kept = there ? s->entry[first] : (struct kept_entry){0};
		enum vt_err err;

		unlock(s);
		if (!there)
			return VT_ENOTFOUND;
		if ((err = visit(ctx, first, kept.entry, kept.keys, kept.n_keys)) != VT_OK)
			return err;
	}
	return VT_OK;
}

/* -- batches ------------------------------------------------------------------------------------
 */

static enum vt_err memory_batch_begin(struct store_batch **out, struct store *s,
				      const struct tree_state *start)
{
	struct memory_batch *b = calloc(1, sizeof(*b));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (b == NULL || (err = pending_init(&b->pending, start)) != VT_OK) {
		free(b);
		return err;
	}
	b->base.ops = &memory_ops;
	b->store = (struct memory_store *)s;
	*out = &b->base;
	return VT_OK;
}

static enum vt_err memory_batch_entry(struct store_batch *b, struct bytes entry,
				      const struct merkle_hash *keys, size_t n_keys)
{
	return pending_entry(&((struct memory_batch *)b)->pending, entry, keys, n_keys);
}

static enum vt_err memory_batch_tile(struct store_batch *b, unsigned level, uint64_t index,
				     unsigned offset, const struct merkle_hash *hashes, unsigned n)
{
	return pending_tile(&((struct memory_batch *)b)->pending, level, index, offset, hashes, n);
}

/* Everything that can fail, so that apply() cannot. */
static enum vt_err make_room(struct memory_store *s, const struct pending *p)
{
	enum vt_err err;

	if ((err = reserve(&s->entry, &s->entry_cap, s->state.head.size, p->n,
			   sizeof(*s->entry))) != VT_OK ||
	    (err = reserve(&s->slab, &s->slab_cap, s->n_slabs, 1, sizeof(*s->slab))) != VT_OK)
		return err;
	for (unsigned l = 0; l < PENDING_LEVELS; l++) {
		struct level *level = &s->level[l];

		if ((err = reserve(&level->hash, &level->cap, level->n,
				   p->hashes[l].len / sizeof(*level->hash),
				   sizeof(*level->hash))) != VT_OK)
			return err;
	}
	return VT_OK;
}

static void apply(struct memory_store *s, struct pending *p, const struct tree_state *next)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct bytes keys = pending_item_keys(p, &p->item[i]);

		s->entry[s->state.head.size + i] = (struct kept_entry){
		    .keys = (const struct merkle_hash *)keys.data,
		    .n_keys = p->item[i].n_keys,
		    .entry = pending_item_entry(p, &p->item[i]),
		};
	}
	s->slab[s->n_slabs++] = p->bytes.data;
	buf_init(&p->bytes); /* transferred */
	for (unsigned l = 0; l < PENDING_LEVELS; l++) {
		struct level *level = &s->level[l];

		if (p->hashes[l].len != 0)
			memcpy(level->hash + level->n, p->hashes[l].data, p->hashes[l].len);
		level->n += p->hashes[l].len / sizeof(*level->hash);
	}
	s->state = *next;
}

static enum vt_err memory_batch_commit(struct store_batch *base, const struct tree_state *next)
{
	struct memory_batch *b = (struct memory_batch *)base;
	struct memory_store *s = b->store;
	enum vt_err err = pending_seal(&b->pending, next);

	if (err != VT_OK)
		return err;
	(void)pthread_mutex_lock(&s->lock);
	if (!tree_head_equal(&s->state.head, &b->pending.start.head))
		err = VT_ECONFLICT;
	else if ((err = make_room(s, &b->pending)) == VT_OK)
		apply(s, &b->pending, next);
	unlock(s);
	return err;
}

static void memory_batch_discard(struct store_batch *base)
{
	struct memory_batch *b = (struct memory_batch *)base;

	if (b == NULL)
		return;
	pending_release(&b->pending);
	free(b);
}

/* -- checkpoints --------------------------------------------------------------------------------
 */

static enum vt_err memory_read_published(struct store_reader *r, uint64_t *size, struct buf *note)
{
	struct memory_store *s = locked(r);
	enum vt_err err = VT_ENOTFOUND;

	if (s->n_cps != 0) {
		const struct kept_checkpoint *last = &s->cp[s->n_cps - 1];

		err = note == NULL ? VT_OK : buf_append(note, buf_bytes(&last->note));
		if (err == VT_OK && size != NULL)
			*size = last->size;
	}
	unlock(s);
	return err;
}

/* Copies the checkpoint, because the next publication may free it. Unlocks. */
static enum vt_err visit_checkpoint(struct memory_reader *r, const struct kept_checkpoint *kept,
				    store_checkpoint_fn visit, void *ctx)
{
	struct store_checkpoint cp = {.seq = kept->seq, .size = kept->size, .time = kept->time};
	enum vt_err err;

	buf_reset(&r->note);
	err = buf_append(&r->note, buf_bytes(&kept->note));
	unlock(r->store);
	if (err != VT_OK)
		return err;
	cp.note = buf_bytes(&r->note);
	return visit(ctx, &cp);
}

static enum vt_err memory_read_checkpoints(struct store_reader *r, uint64_t after, size_t limit,
					   store_checkpoint_fn visit, void *ctx)
{
	for (; limit != 0; limit--) {
		struct memory_store *s = locked(r);
		enum vt_err err;
		size_t i = 0;

		while (i < s->n_cps && s->cp[i].seq <= after)
			i++;
		if (i == s->n_cps) {
			unlock(s);
			return VT_OK;
		}
		after = s->cp[i].seq;
		if ((err = visit_checkpoint((struct memory_reader *)r, &s->cp[i], visit, ctx)) !=
		    VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err memory_read_checkpoint_at(struct store_reader *r, uint64_t at,
					     store_checkpoint_fn visit, void *ctx)
{
	struct memory_store *s = locked(r);
	const struct kept_checkpoint *best = NULL;

	/* A clock that was set back leaves times that do not grow with seq. */
	for (size_t i = 0; i < s->n_cps; i++)
		if (s->cp[i].time <= at && (best == NULL || s->cp[i].time >= best->time))
			best = &s->cp[i];
	if (best == NULL) {
		unlock(s);
		return VT_ENOTFOUND;
	}
	return visit_checkpoint((struct memory_reader *)r, best, visit, ctx);
}

/* Sizes never fall with seq. */
static enum vt_err memory_read_checkpoint_covering(struct store_reader *r, uint64_t size,
						   store_checkpoint_fn visit, void *ctx)
{
	struct memory_store *s = locked(r);

	for (size_t i = 0; i < s->n_cps; i++)
		if (s->cp[i].size >= size)
			return visit_checkpoint((struct memory_reader *)r, &s->cp[i], visit, ctx);
	unlock(s);
	return VT_ENOTFOUND;
}

static void drop_checkpoint_of(struct memory_store *s, uint64_t time)
{
	for (size_t i = 0; i < s->n_cps; i++)
		if (s->cp[i].time == time) {
			buf_release(&s->cp[i].note);
			memmove(&s->cp[i], &s->cp[i + 1], (s->n_cps - i - 1) * sizeof(s->cp[i]));
			s->n_cps--;
			return;
		}
}

static enum vt_err memory_publish(struct store *base, uint64_t size, struct bytes note,
				  uint64_t time)
{
	struct memory_store *s = (struct memory_store *)base;
	struct kept_checkpoint kept = {.seq = 1, .size = size, .time = time};
	enum vt_err err;

	if (note.len == 0)
		return VT_EINVAL;
	if (note.len > STORE_NOTE_MAX)
		return VT_ELIMIT;
	buf_init(&kept.note);
	if ((err = buf_append(&kept.note, note)) != VT_OK)
		return err;
	(void)pthread_mutex_lock(&s->lock);
	err = VT_EINVAL;
	if (size > s->state.head.size)
		goto done;
	err = VT_OK;
	if (s->n_cps != 0 && size < s->cp[s->n_cps - 1].size)
		goto done;
	if ((err = reserve(&s->cp, &s->cp_cap, s->n_cps, 1, sizeof(*s->cp))) != VT_OK)
		goto done;
	if (s->n_cps != 0)
		kept.seq = s->cp[s->n_cps - 1].seq + 1;
	drop_checkpoint_of(s, time);
	s->cp[s->n_cps++] = kept;
	buf_init(&kept.note); /* transferred */
done:
	unlock(s);
	buf_release(&kept.note);
	return err;
}

/* -- index runs ---------------------------------------------------------------------------------
 */

static enum vt_err memory_read_runs(struct store_reader *r, struct store_runs *out)
{
	struct memory_store *s = locked(r);

	*out = s->runs;
	unlock(s);
	return VT_OK;
}

static struct kept_chunk *find_chunk(struct memory_store *s, uint64_t run, uint64_t chunk)
{
	for (size_t i = 0; i < s->n_chunks; i++)
		if (s->chunk[i].run == run && s->chunk[i].chunk == chunk)
			return &s->chunk[i];
	return NULL;
}

static enum vt_err memory_read_chunk(struct store_reader *r, uint64_t run, uint64_t chunk,
				     struct index_slot out[STORE_CHUNK_SLOTS], size_t *n)
{
	struct memory_store *s = locked(r);
	const struct kept_chunk *kept = find_chunk(s, run, chunk);

	*n = 0;
	if (kept != NULL) {
		*n = kept->n;
		memcpy(out, kept->slot, kept->n * sizeof(*out));
	}
	unlock(s);
	return kept != NULL ? VT_OK : VT_ENOTFOUND;
}

/* *slot is taken over if it is kept. */
static enum vt_err keep_chunk(struct memory_store *s, uint64_t run, uint64_t chunk,
			      struct index_slot **slot, size_t n)
{
	struct kept_chunk *kept = find_chunk(s, run, chunk);
	enum vt_err err;

	if (kept == NULL) {
		if ((err = reserve(&s->chunk, &s->chunk_cap, s->n_chunks, 1, sizeof(*s->chunk))) !=
		    VT_OK)
			return err;
		kept = &s->chunk[s->n_chunks++];
		*kept = (struct kept_chunk){.run = run, .chunk = chunk};
	}
	free(kept->slot);
	kept->slot = *slot;
	kept->n = n;
	*slot = NULL; /* transferred */
	return VT_OK;
}

static enum vt_err memory_write_chunk(struct store *base, uint64_t run, uint64_t chunk,
				      const struct index_slot *slot, size_t n)
{
	struct memory_store *s = (struct memory_store *)base;
	struct index_slot *copy;
	uint64_t next_id;
	enum vt_err err;

	if (n == 0 || n > STORE_CHUNK_SLOTS || !slots_ordered(slot, n))
		return VT_EINVAL;
	copy = malloc(n * sizeof(*copy));
	if (copy == NULL)
		return VT_ENOMEM;
	memcpy(copy, slot, n * sizeof(*copy));
	(void)pthread_mutex_lock(&s->lock);
	next_id = s->runs.next_id;
	claims_follow(&s->claims, &s->runs);
	if ((err = claims_judge(&s->claims, run, &next_id)) == VT_OK &&
	    (err = keep_chunk(s, run, chunk, &copy, n)) == VT_OK) {
		claims_add(&s->claims, run);
		s->runs.next_id = next_id;
	}
	unlock(s);
	free(copy);
	return err;
}

/* Is every chunk of the run there, all but the last of them full? */
static bool run_written(struct memory_store *s, const struct store_run *run)
{
	uint64_t left = run->slots;

	for (uint64_t c = 0; left != 0; c++) {
		const struct kept_chunk *kept = find_chunk(s, run->id, c);
		const uint64_t want = left < STORE_CHUNK_SLOTS ? left : STORE_CHUNK_SLOTS;

		if (kept == NULL || kept->n != want)
			return false;
		left -= want;
	}
	return find_chunk(s, run->id, (run->slots + STORE_CHUNK_SLOTS - 1) / STORE_CHUNK_SLOTS) ==
	       NULL;
}

static void drop_other_chunks(struct memory_store *s, const struct store_runs *before)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_chunks; i++) {
		const uint64_t run = s->chunk[i].run;

		if (runs_find(&s->runs, run) != NULL ||
		    (runs_find(before, run) == NULL && run_under_way(run, s->runs.next_id)))
			s->chunk[n++] = s->chunk[i];
		else
			free(s->chunk[i].slot);
	}
	s->n_chunks = n;
}

static enum vt_err memory_replace_runs(struct store *base, uint64_t expected,
				       const struct store_runs *next)
{
	struct memory_store *s = (struct memory_store *)base;
	struct store_runs judged, before;
	enum vt_err err;

	(void)pthread_mutex_lock(&s->lock);
	err = VT_ECONFLICT;
	if (s->runs.version != expected)
		goto done;
	claims_follow(&s->claims, &s->runs);
	if ((err = runs_judge(&judged, &s->runs, next, &s->claims, s->state.head.size)) != VT_OK)
		goto done;
	err = VT_EINVAL;
	for (size_t i = 0; i < judged.n; i++)
		if (!run_written(s, &judged.run[i]))
			goto done;
	before = s->runs;
	s->runs = judged;
	drop_other_chunks(s, &before);
	err = VT_OK;
done:
	unlock(s);
	return err;
}

/* -- fsck ---------------------------------------------------------------------------------------
 */

/* What the functions above keep true by construction: memory has no rows that could go astray. */
static enum vt_err memory_check(struct store_reader *r, store_fault_fn fault, void *ctx)
{
	struct memory_store *s = locked(r);
	const bool whole =
	    tree_state_valid(&s->state) && runs_fault(&s->runs, s->state.head.size) == NULL;

	unlock(s);
	return whole ? VT_OK : fault(ctx, "memory: head or runs are broken");
}

static const struct store_ops memory_ops = {
    .free = memory_free,
    .trust = memory_trust,
    .probe = memory_probe,
    .reader_new = memory_reader_new,
    .reader_free = memory_reader_free,
    .read_state = memory_read_state,
    .read_published = memory_read_published,
    .read_tile = memory_read_tile,
    .read_entries = memory_read_entries,
    .read_checkpoints = memory_read_checkpoints,
    .read_checkpoint_at = memory_read_checkpoint_at,
    .read_checkpoint_covering = memory_read_checkpoint_covering,
    .read_runs = memory_read_runs,
    .read_chunk = memory_read_chunk,
    .check = memory_check,
    .batch_begin = memory_batch_begin,
    .batch_entry = memory_batch_entry,
    .batch_tile = memory_batch_tile,
    .batch_commit = memory_batch_commit,
    .batch_discard = memory_batch_discard,
    .publish = memory_publish,
    .write_chunk = memory_write_chunk,
    .replace_runs = memory_replace_runs,
};
