#include "growth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 8 };

struct levels {
	struct buf hash[LEVELS];
};

enum vt_err growth_entry(const struct growth *g, uint64_t index, struct buf *out)
{
	const size_t len = g->entry_len != 0 ? g->entry_len : (size_t)(index % 50);
	const size_t from = out->len;
	enum vt_err err;

	if ((err = buf_reserve(out, len + 40)) != VT_OK ||
	    (err = buf_appendf(out, "%u/%llu", (unsigned)g->history, (unsigned long long)index)) !=
		VT_OK)
		return err;
	if (out->len - from < len) {
		memset(out->data + out->len, (int)(index % 251), len - (out->len - from));
		out->len = from + len;
	}
	if (g->entry_len != 0)
		out->len = from + g->entry_len;
	return VT_OK;
}

size_t growth_keys(const struct growth *g, uint64_t index, struct bytes entry,
		   struct merkle_hash keys[STORE_KEYS_MAX])
{
	const size_t n = g->n_keys != 0 ? g->n_keys : 1 + (size_t)(index % 4);
	struct merkle_hasher hasher;

	if (merkle_hasher_init(&hasher) != VT_OK ||
	    merkle_hash_leaf(&keys[0], &hasher, entry) != VT_OK)
		abort();
	merkle_hasher_release(&hasher);
	for (size_t k = 1; k < n; k++) {
		keys[k] = keys[0];
		keys[k].b[0] ^= (uint8_t)k;
		keys[k].b[31] = (uint8_t)k;
	}
	return n;
}

static enum vt_err keep_tile_hash(void *ctx, struct merkle_node_id id,
				  const struct merkle_hash *hash)
{
	struct levels *levels = ctx;

	if (id.height % TILE_HEIGHT != 0)
		return VT_OK;
	return buf_append(&levels->hash[id.height / TILE_HEIGHT], bytes_of(hash->b, sizeof(*hash)));
}

static void levels_init(struct levels *levels)
{
	for (unsigned l = 0; l < LEVELS; l++)
		buf_init(&levels->hash[l]);
}

static void levels_release(struct levels *levels)
{
	for (unsigned l = 0; l < LEVELS; l++)
		buf_release(&levels->hash[l]);
}

static enum vt_err give_tiles(struct store_batch *b, const struct levels *levels, uint64_t start)
{
	for (unsigned l = 0; l < LEVELS; l++) {
		const struct merkle_hash *hash = (const struct merkle_hash *)levels->hash[l].data;
		size_t left = levels->hash[l].len / sizeof(*hash);
		uint64_t at = start >> (TILE_HEIGHT * l);

		while (left != 0) {
			const unsigned offset = (unsigned)(at % TILE_WIDTH);
			unsigned n = TILE_WIDTH - offset;
			enum vt_err err;

			if (n > left)
				n = (unsigned)left;
			if ((err = store_batch_tile(b, l, at / TILE_WIDTH, offset, hash, n)) !=
			    VT_OK)
				return err;
			hash += n;
			at += n;
			left -= n;
		}
	}
	return VT_OK;
}

enum vt_err growth_batch(struct store_batch **out, struct tree_state *next, struct store *s,
			 const struct tree_state *start, const struct growth *g, size_t n)
{
	struct merkle_hash keys[STORE_KEYS_MAX];
	struct store_batch *b = NULL;
	struct merkle_hasher hasher;
	struct levels levels;
	struct buf entry;
	enum vt_err err;

	*out = NULL;
	*next = *start;
	buf_init(&entry);
	levels_init(&levels);
	if ((err = merkle_hasher_init(&hasher)) != VT_OK)
		return err;
	if ((err = store_batch_begin(&b, s, start)) != VT_OK)
		goto done;
	for (size_t i = 0; i < n; i++) {
		size_t n_keys;

		buf_reset(&entry);
		if ((err = growth_entry(g, start->head.size + i, &entry)) != VT_OK)
			goto done;
		n_keys = growth_keys(g, start->head.size + i, buf_bytes(&entry), keys);
		if ((err = store_batch_entry(b, buf_bytes(&entry), keys, n_keys)) != VT_OK ||
		    (err = merkle_range_append(&next->range, &hasher, &keys[0], keep_tile_hash,
					       &levels)) != VT_OK)
			goto done;
	}
	next->head.size = next->range.size;
	if ((err = merkle_range_root(&next->head.root, &hasher, &next->range)) != VT_OK ||
	    (err = give_tiles(b, &levels, start->head.size)) != VT_OK)
		goto done;
	*out = b;
	b = NULL; /* transferred */
done:
	store_batch_discard(b);
	levels_release(&levels);
	buf_release(&entry);
	merkle_hasher_release(&hasher);
	return err;
}

enum vt_err growth_commit(struct store *s, struct tree_state *state, const struct growth *g,
			  size_t n)
{
	struct store_batch *b;
	struct tree_state next;
	enum vt_err err;

	if ((err = growth_batch(&b, &next, s, state, g, n)) != VT_OK)
		return err;
	if ((err = store_batch_commit(b, &next)) == VT_OK)
		*state = next;
	store_batch_discard(b);
	return err;
}

/* -- from nothing -------------------------------------------------------------------------------
 */

struct wrong {
	const struct growth *g;
	struct tree_state tree;
	struct levels levels;
	struct merkle_hasher hasher;
	struct buf entry;
	const char *what;
};

static enum vt_err see_entry(void *ctx, uint64_t index, struct bytes entry,
			     const struct merkle_hash *keys, size_t n_keys)
{
	struct merkle_hash expected[STORE_KEYS_MAX];
	struct wrong *w = ctx;

	buf_reset(&w->entry);
	if (growth_entry(w->g, w->tree.range.size, &w->entry) != VT_OK)
		w->what = "no memory";
	else if (index != w->tree.range.size)
		w->what = "an entry out of order";
	else if (!bytes_equal(entry, buf_bytes(&w->entry)))
		w->what = "an entry's bytes";
	else if (n_keys != growth_keys(w->g, index, entry, expected) ||
		 memcmp(keys, expected, n_keys * sizeof(*keys)) != 0)
		w->what = "an entry's keys";
	if (w->what != NULL)
		return VT_EMISMATCH;
	return merkle_range_append(&w->tree.range, &w->hasher, &expected[0], keep_tile_hash,
				   &w->levels);
}

static const char *tiles_wrong(struct store_reader *r, const struct wrong *w, uint64_t size)
{
	struct merkle_hash stored[TILE_WIDTH];

	for (unsigned l = 0; l < LEVELS; l++) {
		const uint64_t n = size >> (TILE_HEIGHT * l);

		for (uint64_t at = 0; at < n; at += TILE_WIDTH) {
			const unsigned width =
			    n - at < TILE_WIDTH ? (unsigned)(n - at) : TILE_WIDTH;

			if (store_read_tile(r, l, at / TILE_WIDTH, width, stored) != VT_OK)
				return "a tile cannot be read";
			if (memcmp(stored, w->levels.hash[l].data + at * sizeof(*stored),
				   width * sizeof(*stored)) != 0)
				return "a tile's hashes";
		}
	}
	return NULL;
}

const char *growth_wrong(struct store_reader *r, const struct growth *g, uint64_t *size)
{
	struct wrong w = {.g = g};
	struct tree_state state;

	*size = 0;
	if (store_read_state(r, &state) != VT_OK)
		return "the head cannot be read";
	if (merkle_hasher_init(&w.hasher) != VT_OK)
		return "no hasher";
	levels_init(&w.levels);
	buf_init(&w.entry);
	*size = state.head.size;
	if (store_read_entries(r, 0, state.head.size, see_entry, &w) != VT_OK) {
		if (w.what == NULL)
			w.what = "an entry is missing";
	} else if (merkle_range_root(&w.tree.head.root, &w.hasher, &w.tree.range) != VT_OK ||
		   !merkle_hash_equal(&w.tree.head.root, &state.head.root)) {
		w.what = "the root";
	} else if (w.tree.range.size != state.range.size || w.tree.range.n != state.range.n ||
		   memcmp(w.tree.range.node, state.range.node,
			  state.range.n * sizeof(state.range.node[0])) != 0) {
		w.what = "the range";
	} else {
		w.what = tiles_wrong(r, &w, state.head.size);
	}
	levels_release(&w.levels);
	buf_release(&w.entry);
	merkle_hasher_release(&w.hasher);
	return w.what;
}
