/*
 * Every admission again, in order, against what the entries before it say. Lookups go through the stored index: the runs
 * hold exactly what the key rows say (index_check), and the rows of all entries before the one at hand have been compared
 * with what those entries say. So a lookup can hide nothing, and memory stays bounded.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fsck_private.h"
#include "index.h"
#include "reopener.h"

/* Entries with the key rows beside them. */
struct slice {
	struct reopen_slice opened;
	size_t n_keys[REOPEN_ENTRIES_MAX];
	struct buf keys;
};

struct replay {
	struct fsck *f;
	struct index *index;
	struct store_reader *lookups; /* a visitor may not read through the reader that calls it */
	struct registry *registry;
	struct reopener *reopener;
	struct slice slice[2]; /* one is judged while the other is opened */
	uint64_t at;           /* the entry being admitted: nothing from here on is seen */
};

static enum vt_err find(void *ctx, const struct merkle_hash *key, uint64_t from, uint64_t *index)
{
	struct replay *p = ctx;

	return index_find(p->index, p->lookups, key, from, p->at, index);
}

static enum vt_err append_entry(void *ctx, uint64_t index, struct bytes entry,
				const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)keys;
	(void)n_keys;
	return buf_append(ctx, entry);
}

static enum vt_err read_entry(void *ctx, uint64_t index, struct buf *entry)
{
	struct replay *p = ctx;

	if (index >= p->at)
		return VT_ENOTFOUND;
	return store_read_entries(p->lookups, index, 1, append_entry, entry);
}

static bool refusal(enum vt_err err)
{
	return err == VT_EMALFORMED || err == VT_EUNTRUSTED || err == VT_ECONFLICT ||
	       err == VT_ELIMIT || err == VT_EMISMATCH;
}

static enum vt_err inadmissible(struct replay *p, enum vt_err err, const struct problem *why)
{
	if (!refusal(err))
		return err;
	return tell_fault(p->f, "entry %" PRIu64 ": not admissible: %s: %s", p->at,
			  why->type == NULL ? "?" : why->type->slug, why->detail);
}

static enum vt_err check_keys(struct replay *p, const struct record *record,
			      const struct merkle_hash *keys, size_t n_keys)
{
	const struct merkle_hash *expected;
	size_t n;

	expected = record_keys(record, &n);
	for (size_t i = 0; i < n && i < n_keys; i++)
		if (!merkle_hash_equal(&expected[i], &keys[i]))
			return tell_fault(p->f,
					  "keys of entry %" PRIu64 ": key %zu is not the record's",
					  p->at, i);
	if (n != n_keys)
		return tell_fault(p->f, "keys of entry %" PRIu64 ": %zu, expected %zu", p->at,
				  n_keys, n);
	return VT_OK;
}

/* What is checked of an entry beyond its signatures. */
static enum vt_err judge_record(struct replay *p, const struct record *record, struct bytes entry,
				const struct admission_view *view)
{
	struct problem why = {0};
	enum vt_err err = record_replay(record, view, &why);

	if (err != VT_OK)
		return inadmissible(p, err, &why);
	if (!record_is_accreditation(record))
		return VT_OK;
	reopener_wait(p->reopener); /* the registry is about to change */
	err = registry_apply(p->registry, p->at, record_leaf(record), entry, &why);
	return err == VT_OK ? VT_OK : inadmissible(p, err, &why);
}

static struct admission_view view_of(struct replay *p)
{
	const struct store_identity *identity = &p->f->config->store->identity;

	return (struct admission_view){.size = p->at,
				       .registry = p->registry,
				       .origin = identity->origin,
				       .centre = identity->centre,
				       .find = find,
				       .read = read_entry,
				       .ctx = p};
}

static enum vt_err replay_record(struct replay *p, struct slice *s, size_t i,
				 const struct merkle_hash *keys)
{
	struct record *record = NULL;
	struct admission_view view;
	struct problem why = {0};
	enum vt_err err;

	p->at = s->opened.entry[i].index;
	tell_progress(p->f, p->at, "admissions");
	/* Entry 0 was refused, which is told: there is no registry to judge what follows by. */
	if (p->at > 0 && registry_count(p->registry) == 0)
		return VT_OK;
	view = view_of(p);
	err = reopen_slice_take(&record, &s->opened, i, &p->f->hasher, &view, &why);
	if (err != VT_OK)
		return inadmissible(p, err, &why);
	if ((err = check_keys(p, record, keys, s->n_keys[i])) == VT_OK)
		err = judge_record(p, record, reopen_slice_entry(&s->opened, i), &view);
	record_free(record);
	return err;
}

static enum vt_err replay_slice(struct replay *p, struct slice *s)
{
	const uint8_t *keys = s->keys.data;
	enum vt_err err = VT_OK;

	for (size_t i = 0; err == VT_OK && i < s->opened.n; i++) {
		err = replay_record(p, s, i, (const struct merkle_hash *)keys);
		keys += s->n_keys[i] * MERKLE_HASH_SIZE;
	}
	return err;
}

/* VT_ELIMIT ends the reading: the slice is full. */
static enum vt_err gather(void *ctx, uint64_t index, struct bytes entry,
			  const struct merkle_hash *keys, size_t n_keys)
{
	struct slice *s = ctx;
	enum vt_err err;

	if ((err = reopen_slice_add(&s->opened, index, entry)) != VT_OK)
		return err;
	s->n_keys[s->opened.n - 1] = n_keys;
	return buf_append(&s->keys, bytes_of((const uint8_t *)keys, n_keys * MERKLE_HASH_SIZE));
}

static enum vt_err read_slice(struct replay *p, struct slice *s, uint64_t from)
{
	uint64_t left = p->f->state.head.size - from;
	enum vt_err err;

	reopen_slice_clear(&s->opened);
	buf_reset(&s->keys);
	if (left == 0)
		return VT_OK;
	err = store_read_entries(p->f->r, from,
				 left < REOPEN_ENTRIES_MAX ? left : REOPEN_ENTRIES_MAX, gather, s);
	return err == VT_ELIMIT && s->opened.n > 0 ? VT_OK : err;
}

static enum vt_err replay_records(struct replay *p)
{
	struct slice *now = &p->slice[0], *next = &p->slice[1], *was;
	struct admission_view view = view_of(p);
	uint64_t read = 0;
	enum vt_err err;

	if ((err = reopener_new(&p->reopener, p->f->config->threads, &view)) != VT_OK)
		return err;
	/* The first slice is opened under an empty registry, so most of it again when its turn comes. */
	while ((err = read_slice(p, next, read)) == VT_OK) {
		read += next->opened.n;
		reopener_start(p->reopener, &next->opened);
		if ((err = replay_slice(p, now)) != VT_OK || next->opened.n == 0)
			return err;
		reopener_wait(p->reopener);
		was = now;
		now = next;
		next = was;
	}
	return err;
}

/* -- raw entries ----------------------------------------------------------------------------------- */

static enum vt_err replay_raw(struct replay *p, const struct merkle_hash *keys)
{
	uint64_t known;
	enum vt_err err = index_find(p->index, p->lookups, &keys[0], 0, p->at, &known);

	if (err == VT_OK)
		return tell_fault(p->f, "entry %" PRIu64 ": the same as entry %" PRIu64, p->at,
				  known);
	return err == VT_ENOTFOUND ? VT_OK : err;
}

static enum vt_err replay_entry(void *ctx, uint64_t index, struct bytes entry,
				const struct merkle_hash *keys, size_t n_keys)
{
	struct replay *p = ctx;

	(void)entry;
	(void)n_keys; /* one: the tree's check has seen it */
	p->at = index;
	tell_progress(p->f, index, "admissions");
	return replay_raw(p, keys);
}

static enum vt_err replay_all_raw(struct replay *p)
{
	uint64_t size = p->f->state.head.size;
	enum vt_err err = VT_OK;

	for (uint64_t at = 0; err == VT_OK && at < size; at += FSCK_SLICE)
		err = store_read_entries(
		    p->f->r, at, size - at < FSCK_SLICE ? size - at : FSCK_SLICE, replay_entry, p);
	return err;
}

static void replay_free(struct replay *p)
{
	reopener_free(p->reopener);
	for (size_t i = 0; i < 2; i++) {
		reopen_slice_release(&p->slice[i].opened);
		buf_release(&p->slice[i].keys);
	}
	registry_free(p->registry);
	index_free(p->index);
	store_reader_free(p->lookups);
	free(p);
}

enum vt_err fsck_replay(struct fsck *f)
{
	struct replay *p = calloc(1, sizeof(*p));
	struct index_config config = {.store = f->config->store, .read_only = true};
	bool more = true;
	enum vt_err err;

	if (p == NULL)
		return VT_ENOMEM;
	p->f = f;
	if ((err = store_reader_new(&p->lookups, f->config->store)) != VT_OK ||
	    (err = registry_new(&p->registry)) != VT_OK ||
	    (err = index_open(&p->index, &config, p->lookups, f->state.head.size)) != VT_OK)
		goto done;
	while (err == VT_OK && more) /* filters: most of what is looked up is new */
		err = index_work(p->index, p->lookups, f->state.head.size, &more, NULL);
	if (err == VT_OK)
		err = f->raw ? replay_all_raw(p) : replay_records(p);
	tell_progress(f, f->state.head.size, "admissions");
done:
	replay_free(p);
	return err;
}
