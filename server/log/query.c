/* Reading: everything below the published size, through the worker's own reader. */
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "extra.h"
#include "log_private.h"
#include "vitrine/tlog_proof.h"

enum {
	SEARCH_STEPS = 8192, /* index steps of one page */
	SEARCH_LIMIT_MAX = 1000,
};

enum vt_err leaf_at(struct store_reader *r, uint64_t index, struct merkle_hash *out)
{
	struct merkle_hash tile[TILE_WIDTH];
	unsigned width = (unsigned)(index % TILE_WIDTH) + 1;
	enum vt_err err = store_read_tile(r, 0, index / TILE_WIDTH, width, tile);

	if (err == VT_OK)
		*out = tile[width - 1];
	return err;
}

enum vt_err log_checkpoint(struct log_worker *w, uint64_t *size, struct buf *note)
{
	return store_read_published(w->reader, size, note);
}

/* The published size, taken in by index and registry as far as `size` says. */
static enum vt_err published(struct log_worker *w, uint64_t *size, struct buf *note)
{
	struct log *log = w->log;
	enum vt_err err;

	if ((err = store_read_published(w->reader, size, note)) != VT_OK)
		return err;
	(void)log_cover(log, *size);
	return VT_OK;
}

static uint64_t covered(struct log *log)
{
	uint64_t size;

	(void)pthread_mutex_lock(&log->lock);
	size = log->covered;
	(void)pthread_mutex_unlock(&log->lock);
	return size;
}

/* -- static resources -------------------------------------------------------------------------------- */

struct bundle {
	struct buf *out;
};

static enum vt_err add_to_bundle(void *ctx, uint64_t index, struct bytes entry,
				 const struct merkle_hash *keys, size_t n_keys)
{
	struct bundle *b = ctx;

	(void)index;
	(void)keys;
	(void)n_keys;
	return bundle_append(b->out, entry);
}

/* All that was handed to anyone: published, or shown to witnesses. */
static enum vt_err handed(struct log_worker *w, uint64_t *size)
{
	uint64_t here;
	enum vt_err err = store_read_published(w->reader, size, NULL);

	if (err == VT_ENOTFOUND) {
		*size = 0;
		err = VT_OK;
	}
	(void)pthread_mutex_lock(&w->log->lock);
	here = w->log->handed;
	(void)pthread_mutex_unlock(&w->log->lock);
	if (here > *size)
		*size = here;
	return err;
}

enum vt_err log_tile(struct log_worker *w, const struct tile_id *id, struct buf *out)
{
	struct merkle_hash hash[TILE_WIDTH];
	struct bundle bundle = {out};
	size_t before = out->len;
	uint64_t size;
	enum vt_err err;

	if ((err = handed(w, &size)) != VT_OK)
		return err;
	if (id->width == 0 || id->width > tile_width(id->level, id->index, size) ||
	    (id->entries && id->level != 0))
		return VT_ENOTFOUND;
	if (id->entries) {
		err = store_read_entries(w->reader, id->index * TILE_WIDTH, id->width,
					 add_to_bundle, &bundle);
		if (err != VT_OK)
			out->len = before;
		return err;
	}
	if ((err = store_read_tile(w->reader, id->level, id->index, id->width, hash)) != VT_OK)
		return err;
	return buf_append(out, bytes_of(hash, id->width * sizeof(hash[0])));
}

static enum vt_err append_entry(void *ctx, uint64_t index, struct bytes entry,
				const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)keys;
	(void)n_keys;
	return buf_append(ctx, entry);
}

enum vt_err log_entry(struct log_worker *w, uint64_t index, struct buf *out)
{
	uint64_t size;
	enum vt_err err;

	if ((err = handed(w, &size)) != VT_OK)
		return err;
	if (index >= size)
		return VT_ENOTFOUND;
	return store_read_entries(w->reader, index, 1, append_entry, out);
}

/* -- proofs -------------------------------------------------------------------------------------------- */

static enum vt_err root_at(struct log_worker *w, uint64_t size, struct merkle_hash *root)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_plan plan;
	enum vt_err err;

	if ((err = proof_plan_root(&plan, size)) != VT_OK ||
	    (err = node_cache_plan(&w->nodes, node, w->reader, &w->hasher, &plan, size)) != VT_OK)
		return err;
	return proof_build_root(root, &w->hasher, &plan, node);
}

static enum vt_err prove(struct log_worker *w, const struct merkle_plan *plan, uint64_t size,
			 struct merkle_proof *out)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	enum vt_err err = node_cache_plan(&w->nodes, node, w->reader, &w->hasher, plan, size);

	return err == VT_OK ? proof_build(out, &w->hasher, plan, node) : err;
}

static enum vt_err prove_inclusion(struct log_worker *w, uint64_t index, uint64_t size,
				   struct merkle_proof *out)
{
	struct merkle_plan plan;
	enum vt_err err = proof_plan_inclusion(&plan, index, size);

	return err == VT_OK ? prove(w, &plan, size, out) : err;
}

enum vt_err log_inclusion(struct log_worker *w, uint64_t index, uint64_t size,
			  struct merkle_hash *leaf, struct merkle_proof *proof,
			  struct tree_head *head, struct buf *note)
{
	size_t before = note == NULL ? 0 : note->len;
	uint64_t latest;
	enum vt_err err;

	if ((err = store_read_published(w->reader, &latest, note)) != VT_OK)
		return err;
	if (size == 0)
		size = latest;
	if (size > latest)
		err = VT_ENOTFOUND;
	else if (index >= size)
		err = VT_EINVAL;
	else if ((err = prove_inclusion(w, index, size, proof)) == VT_OK &&
		 (err = node_cache_leaf(&w->nodes, leaf, w->reader, &w->hasher, index, size)) ==
		     VT_OK)
		err = root_at(w, size, &head->root);
	head->size = size;
	if (note != NULL && (err != VT_OK || size != latest))
		note->len = before;
	return err;
}

enum vt_err log_leaf(struct log_worker *w, const struct merkle_hash *leaf, uint64_t *index)
{
	uint64_t size;
	enum vt_err err;

	if ((err = published(w, &size, NULL)) != VT_OK)
		return err;
	return index_find(w->log->index, w->reader, leaf, 0, size, index);
}

enum vt_err log_consistency(struct log_worker *w, uint64_t first, uint64_t second,
			    struct merkle_proof *proof)
{
	struct merkle_plan plan;
	uint64_t latest;
	enum vt_err err;

	if ((err = handed(w, &latest)) != VT_OK)
		return err;
	if (second > latest)
		return VT_ENOTFOUND;
	if ((err = proof_plan_consistency(&plan, first, second)) != VT_OK)
		return err;
	return prove(w, &plan, second, proof);
}

bool log_asks_witnesses(const struct log *log)
{
	return log->asks;
}

/* Many ask about one note, and each answer costs the verification of all its signatures. */
static enum vt_err judge_note(struct log *log, struct bytes note)
{
	enum vt_err err;
	unsigned policies;
	bool known, met;

	(void)pthread_mutex_lock(&log->lock);
	policies = log->policies;
	known = log->judged_note.len > 0 && bytes_equal(buf_bytes(&log->judged_note), note);
	met = log->judged_met;
	(void)pthread_mutex_unlock(&log->lock);
	if (known)
		return met ? VT_OK : VT_EUNTRUSTED;
	err = log->config.policy_met(log->config.ctx, note);
	if (err != VT_OK && err != VT_EUNTRUSTED)
		return err;
	(void)pthread_mutex_lock(&log->lock);
	buf_reset(&log->judged_note);
	/* What was judged by a policy that is exchanged meanwhile is no news. */
	if (policies == log->policies && buf_append(&log->judged_note, note) != VT_OK)
		buf_reset(&log->judged_note);
	log->judged_met = err == VT_OK;
	(void)pthread_mutex_unlock(&log->lock);
	return err;
}

enum vt_err log_policy_met(struct log_worker *w, struct bytes note)
{
	struct log *log = w->log;
	bool met;

	if (!log->asks)
		return VT_OK;
	if (log->config.policy_met != NULL)
		return judge_note(log, note);
	(void)pthread_mutex_lock(&log->lock);
	met = log->status.policy_met;
	(void)pthread_mutex_unlock(&log->lock);
	return met ? VT_OK : VT_EUNTRUSTED;
}

/* -- records ------------------------------------------------------------------------------------------- */

/* What the published entries say; ctx of an admission_view. */
struct query_view {
	struct log_worker *w;
	uint64_t size;
	size_t bytes; /* of entries that were read */
};

static enum vt_err view_find(void *ctx, const struct merkle_hash *key, uint64_t from,
			     uint64_t *index)
{
	struct query_view *v = ctx;

	return index_find(v->w->log->index, v->w->reader, key, from, v->size, index);
}

static enum vt_err view_read(void *ctx, uint64_t index, struct buf *entry)
{
	struct query_view *v = ctx;
	size_t before = entry->len;
	enum vt_err err;

	if (index >= v->size)
		return VT_ENOTFOUND;
	err = store_read_entries(v->w->reader, index, 1, append_entry, entry);
	v->bytes += entry->len - before;
	return err;
}

static enum vt_err view_prove(void *ctx, struct merkle_proof *out, uint64_t index)
{
	struct query_view *v = ctx;

	return prove_inclusion(v->w, index, v->size, out);
}

static struct admission_view view_of(struct query_view *v)
{
	const struct log *log = v->w->log;

	return (struct admission_view){
	    .size = v->size,
	    .registry = log->registry,
	    .origin = log->store->identity.origin,
	    .centre = log->store->identity.centre,
	    .find = view_find,
	    .read = view_read,
	    .ctx = v,
	};
}

/* The extra line: in raw mode the entry itself. Left empty if it is too large for other readers. */
static enum vt_err make_extra(struct query_view *v, uint64_t index, struct bytes entry,
			      struct buf *out, bool *has)
{
	struct log *log = v->w->log;
	enum vt_err err;

	if (log->mode == LOG_RAW) {
		*has = entry.len <= EXTRA_SIZE_MAX;
		return *has ? buf_append(out, entry) : VT_OK;
	}
	(void)pthread_rwlock_rdlock(&log->registry_lock);
	{
		struct admission_view view = view_of(v);
		struct extra_source source = {&view, view_prove, v};

		err = extra_build(out, &v->w->hasher, index, entry, &source);
	}
	(void)pthread_rwlock_unlock(&log->registry_lock);
	*has = err == VT_OK;
	return err == VT_ELIMIT ? VT_OK : err;
}

enum vt_err log_tlog_proof(struct log_worker *w, uint64_t index, struct buf *out)
{
	struct query_view v = {.w = w};
	struct merkle_proof proof;
	struct buf note, entry, extra;
	bool has = false;
	enum vt_err err;

	buf_init(&note);
	buf_init(&entry);
	buf_init(&extra);
	if ((err = published(w, &v.size, &note)) != VT_OK)
		goto done;
	err = VT_ENOTFOUND;
	if (index >= v.size)
		goto done;
	/* It would be refused by whoever has the policy. */
	if ((err = log_policy_met(w, buf_bytes(&note))) != VT_OK)
		goto done;
	/* An empty entry has an extra as well: keep its data from being NULL. */
	if ((err = buf_reserve(&extra, 1)) != VT_OK ||
	    (err = store_read_entries(w->reader, index, 1, append_entry, &entry)) != VT_OK ||
	    (err = prove_inclusion(w, index, v.size, &proof)) != VT_OK ||
	    (err = make_extra(&v, index, buf_bytes(&entry), &extra, &has)) != VT_OK)
		goto done;
	err = tlog_proof_format(out, has ? buf_bytes(&extra) : bytes_of(NULL, 0), index, &proof,
				buf_bytes(&note));
done:
	buf_release(&note);
	buf_release(&entry);
	buf_release(&extra);
	return err;
}

enum vt_err log_describe(struct log_worker *w, uint64_t index, struct json **out, size_t *read)
{
	struct query_view v = {.w = w};
	struct log *log = w->log;
	struct buf entry;
	enum vt_err err;

	*out = NULL;
	buf_init(&entry);
	if ((err = published(w, &v.size, NULL)) != VT_OK)
		goto done;
	err = VT_ENOTFOUND;
	if (index >= v.size || log->mode == LOG_RAW)
		goto done;
	if ((err = store_read_entries(w->reader, index, 1, append_entry, &entry)) != VT_OK)
		goto done;
	(void)pthread_rwlock_rdlock(&log->registry_lock);
	{
		struct admission_view view = view_of(&v);

		err = describe_entry(out, &w->hasher, index, buf_bytes(&entry), &view);
	}
	(void)pthread_rwlock_unlock(&log->registry_lock);
done:
	if (read != NULL)
		*read = entry.len + v.bytes;
	buf_release(&entry);
	return err;
}

enum vt_err log_with_registry(struct log_worker *w, log_registry_fn visit, void *ctx)
{
	struct log *log = w->log;
	uint64_t size;
	enum vt_err err;

	if (log->mode == LOG_RAW)
		return VT_ENOTFOUND;
	if ((err = published(w, &size, NULL)) != VT_OK)
		return err;
	(void)pthread_rwlock_rdlock(&log->registry_lock);
	err = visit(ctx, log->registry, size);
	(void)pthread_rwlock_unlock(&log->registry_lock);
	return err;
}

/* -- search --------------------------------------------------------------------------------------------- */

/* What the index looks for: all of the terms, any of a term's keys (admit.h names their labels). */
static enum vt_err search_terms(struct log_worker *w, const struct conditions *c,
				struct index_term term[INDEX_TERMS_MAX], size_t *n)
{
	*n = 0;
	for (size_t i = 0; c != NULL && i < CONDITIONS_N; i++) {
		struct index_term *t = &term[*n];
		const char *one[] = {c->text[i], NULL};
		const char *const *value = i == CONDITION_TYPE ? c->type : one;

		for (t->n = 0; t->n < INDEX_TERM_KEYS_MAX && value[t->n] != NULL; t->n++) {
			enum vt_err err = index_key(&t->key[t->n], &w->hasher, condition_names[i],
						    bytes_str(value[t->n]));
			if (err != VT_OK)
				return err;
		}
		*n += t->n > 0;
	}
	return VT_OK;
}

static void list_all(const struct log_search *what, uint64_t below, struct log_search_result *out)
{
	uint64_t from = what->after;

	while (from < below && out->n < what->limit)
		out->index[out->n++] = what->newest_first ? --below : from++;
	out->next = what->newest_first ? below : from;
	out->more = from < below;
}

static enum vt_err scan(struct log_worker *w, const struct index_term *term, size_t n,
			const struct log_search *what, uint64_t below,
			struct log_search_result *out)
{
	struct index_scan *scan;
	size_t steps = SEARCH_STEPS;
	uint64_t index = 0;
	enum vt_err err;

	err = index_scan_new(&scan, w->log->index, w->reader, term, n, what->after, below,
			     what->newest_first);
	if (err != VT_OK)
		return err;
	out->next = what->newest_first ? below : what->after;
	while (out->n < what->limit && (err = index_scan_next(scan, &steps, &index)) == VT_OK) {
		out->index[out->n++] = index;
		out->next = what->newest_first ? index : index + 1;
	}
	index_scan_free(scan);
	if (err == VT_ELIMIT)
		out->next = index;
	out->more = err != VT_ENOTFOUND &&
		    (what->newest_first ? out->next > what->after : out->next < below);
	return err == VT_ENOTFOUND || err == VT_ELIMIT ? VT_OK : err;
}

enum vt_err log_search(struct log_worker *w, const struct log_search *what,
		       struct log_search_result *out)
{
	struct index_term term[INDEX_TERMS_MAX];
	uint64_t size, below;
	enum vt_err err;
	size_t n;

	memset(out, 0, sizeof(*out));
	if (what->limit == 0 || what->limit > SEARCH_LIMIT_MAX)
		return VT_EINVAL;
	if ((err = search_terms(w, what->conditions, term, &n)) != VT_OK ||
	    (err = published(w, &size, NULL)) != VT_OK)
		return err;
	/* Complete to what is both published and covered. */
	out->size = covered(w->log);
	if (out->size > size)
		out->size = size;
	below = what->before == 0 || what->before > out->size ? out->size : what->before;
	if (n > 0)
		return scan(w, term, n, what, below, out);
	list_all(what, below, out);
	return VT_OK;
}

/* -- tree heads ------------------------------------------------------------------------------------------ */

enum vt_err log_tree_heads(struct log_worker *w, uint64_t after, size_t limit,
			   store_checkpoint_fn visit, void *ctx)
{
	return store_read_checkpoints(w->reader, after, limit, visit, ctx);
}

enum vt_err log_tree_head_at(struct log_worker *w, uint64_t at, store_checkpoint_fn visit,
			     void *ctx)
{
	return store_read_checkpoint_at(w->reader, at, visit, ctx);
}

enum vt_err log_tree_head_covering(struct log_worker *w, uint64_t size, store_checkpoint_fn visit,
				   void *ctx)
{
	return store_read_checkpoint_covering(w->reader, size, visit, ctx);
}
