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

struct replay {
	struct fsck *f;
	struct index *index;
	struct store_reader *lookups; /* a visitor may not read through the reader that calls it */
	struct registry *registry;
	uint64_t at; /* the entry being admitted: nothing from here on is seen */
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

static enum vt_err replay_record(struct replay *p, struct bytes entry,
				 const struct merkle_hash *keys, size_t n_keys)
{
	const struct store_identity *identity = &p->f->config->store->identity;
	struct admission_view view = {
	    .size = p->at,
	    .registry = p->registry,
	    .origin = identity->origin,
	    .centre = identity->centre,
	    .find = find,
	    .read = read_entry,
	    .ctx = p,
	};
	struct record *record = NULL;
	struct problem why = {0};
	uint64_t known;
	enum vt_err err;

	if ((err = record_reopen(&record, &p->f->hasher, entry, &view, &why)) != VT_OK) {
		err = inadmissible(p, err, &why);
		goto done;
	}
	if ((err = check_keys(p, record, keys, n_keys)) != VT_OK)
		goto done;
	if ((err = record_known(&known, record, &view)) == VT_OK) {
		err = inadmissible(p,
				   problem_set(&why, VT_EMISMATCH, "entry-known",
					       "entry %" PRIu64 " holds the same record already",
					       known),
				   &why);
		goto done;
	}
	if (err != VT_ENOTFOUND)
		goto done;
	if ((err = record_judge(record, &view, &why)) != VT_OK) {
		err = inadmissible(p, err, &why);
		goto done;
	}
	if (record_is_accreditation(record) &&
	    (err = registry_apply(p->registry, p->at, record_leaf(record), entry, &why)) != VT_OK)
		err = inadmissible(p, err, &why);
done:
	record_free(record);
	return err;
}

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

	p->at = index;
	tell_progress(p->f, index, "admissions");
	return p->f->raw ? replay_raw(p, keys) : replay_record(p, entry, keys, n_keys);
}

enum vt_err fsck_replay(struct fsck *f)
{
	struct replay p = {.f = f};
	struct index_config config = {.store = f->config->store, .read_only = true};
	bool more = true;
	enum vt_err err;

	if ((err = store_reader_new(&p.lookups, f->config->store)) != VT_OK ||
	    (err = registry_new(&p.registry)) != VT_OK ||
	    (err = index_open(&p.index, &config, p.lookups, f->state.head.size)) != VT_OK)
		goto done;
	while (err == VT_OK && more) /* filters: most of what is looked up is new */
		err = index_work(p.index, p.lookups, f->state.head.size, &more, NULL);
	for (uint64_t at = 0; err == VT_OK && at < f->state.head.size; at += FSCK_SLICE) {
		uint64_t n =
		    f->state.head.size - at < FSCK_SLICE ? f->state.head.size - at : FSCK_SLICE;

		err = store_read_entries(f->r, at, n, replay_entry, &p);
	}
	tell_progress(f, f->state.head.size, "admissions");
done:
	registry_free(p.registry);
	index_free(p.index);
	store_reader_free(p.lookups);
	return err;
}
