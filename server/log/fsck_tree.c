/* The tree again, from the entries: every leaf hash, every tile hash, the range, the root. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fsck_private.h"
#include "logline.h"

enum { LEVELS = 64 / TILE_HEIGHT };

/* The tile of one level that is being filled. */
struct filling {
	uint64_t index;
	unsigned width;
	struct merkle_hash hash[TILE_WIDTH];
};

struct tree {
	struct fsck *f;
	struct merkle_range range;
	struct filling level[LEVELS];
	/* A slice of entries, as it was read. */
	uint64_t first;
	size_t n;
	struct merkle_hash leaf[FSCK_SLICE];
	struct merkle_hash key[FSCK_SLICE]; /* the first of the entry's row */
	size_t n_keys[FSCK_SLICE];
};

static enum vt_err hash_entry(void *ctx, uint64_t index, struct bytes entry,
			      const struct merkle_hash *keys, size_t n_keys)
{
	struct tree *t = ctx;

	(void)index;
	if (t->n == FSCK_SLICE)
		return INTERNAL("the store gave more entries than were asked for");
	t->n_keys[t->n] = n_keys;
	if (n_keys > 0)
		t->key[t->n] = keys[0];
	return merkle_hash_leaf(&t->leaf[t->n++], &t->f->hasher, entry);
}

/* Of three copies of a leaf hash (computed, key row, tile) two may agree: that says which one is wrong. */
static enum vt_err check_leaf(struct tree *t, size_t i, const struct merkle_hash *tile)
{
	uint64_t index = t->first + i;
	uint64_t at = index / TILE_WIDTH;
	unsigned place = (unsigned)(index % TILE_WIDTH);
	bool row = t->n_keys[i] > 0 && merkle_hash_equal(&t->key[i], &t->leaf[i]);
	bool stored = merkle_hash_equal(tile, &t->leaf[i]);

	if (!stored && row)
		return tell_fault(t->f, "tile 0/%" PRIu64 " hash %u: differs from entry %" PRIu64,
				  at, place, index);
	if (!stored)
		return tell_fault(t->f,
				  "entry %" PRIu64 ": its hash is neither that of its key row nor"
				  " that of tile 0/%" PRIu64 " hash %u",
				  index, at, place);
	if (!row)
		return tell_fault(t->f, "keys of entry %" PRIu64 ": the first is not its leaf hash",
				  index);
	if (t->f->raw && t->n_keys[i] != 1)
		return tell_fault(t->f, "keys of entry %" PRIu64 ": %zu, expected 1", index,
				  t->n_keys[i]);
	return VT_OK;
}

/* A level-0 tile is a slice. */
static enum vt_err check_leaves(struct tree *t)
{
	struct merkle_hash tile[TILE_WIDTH];
	uint64_t index = t->first / TILE_WIDTH;
	enum vt_err err = store_read_tile(t->f->r, 0, index, (unsigned)t->n, tile);

	if (err == VT_ENOTFOUND)
		return tell_fault(t->f, "tile 0/%" PRIu64 ": missing or short", index);
	for (size_t i = 0; err == VT_OK && i < t->n; i++)
		err = check_leaf(t, i, &tile[i]);
	return err;
}

static enum vt_err check_filled(struct tree *t, unsigned level)
{
	struct filling *fill = &t->level[level];
	struct merkle_hash tile[TILE_WIDTH];
	enum vt_err err;

	if (fill->width == 0)
		return VT_OK;
	err = store_read_tile(t->f->r, level, fill->index, fill->width, tile);
	if (err == VT_ENOTFOUND)
		err = tell_fault(t->f, "tile %u/%" PRIu64 ": missing or short", level, fill->index);
	for (unsigned i = 0; err == VT_OK && i < fill->width; i++)
		if (!merkle_hash_equal(&tile[i], &fill->hash[i]))
			err = tell_fault(
			    t->f, "tile %u/%" PRIu64 " hash %u: differs from tile %u/%" PRIu64,
			    level, fill->index, i, level - 1, fill->index * TILE_WIDTH + i);
	fill->width = 0;
	return err;
}

/* merkle_emit_fn: level 0 was compared with its entries already. */
static enum vt_err keep_hash(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	unsigned level = id.height / TILE_HEIGHT;
	struct tree *t = ctx;
	struct filling *fill;

	if (id.height % TILE_HEIGHT != 0 || level == 0 || level >= LEVELS)
		return VT_OK;
	fill = &t->level[level];
	fill->index = id.index / TILE_WIDTH;
	fill->hash[fill->width++] = *hash;
	return fill->width == TILE_WIDTH ? check_filled(t, level) : VT_OK;
}

static enum vt_err check_slice(struct tree *t)
{
	uint64_t left = t->f->state.head.size - t->first;
	uint64_t n = left < FSCK_SLICE ? left : FSCK_SLICE;
	enum vt_err err;

	t->n = 0;
	err = store_read_entries(t->f->r, t->first, n, hash_entry, t);
	if (err == VT_ENOTFOUND) {
		err = tell_fault(t->f, "entry %" PRIu64 ": missing", t->first + t->n);
		return err == VT_OK ? VT_EMISMATCH : err;
	}
	if (err != VT_OK || (err = check_leaves(t)) != VT_OK)
		return err;
	for (size_t i = 0; i < t->n; i++) {
		err = merkle_range_append(&t->range, &t->f->hasher, &t->leaf[i], keep_hash, t);
		if (err != VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err check_head(struct tree *t)
{
	const struct tree_state *state = &t->f->state;
	struct merkle_hash root;
	enum vt_err err;

	if ((err = merkle_range_root(&root, &t->f->hasher, &t->range)) != VT_OK)
		return err;
	if (!merkle_hash_equal(&root, &state->head.root) &&
	    (err = tell_fault(t->f, "head: its root is not that of the %" PRIu64 " entries",
			      state->head.size)) != VT_OK)
		return err;
	if (state->range.size != t->range.size || state->range.n != t->range.n)
		return tell_fault(t->f, "head: its range is not that of its size");
	for (size_t i = 0; i < t->range.n; i++)
		if (!merkle_hash_equal(&state->range.node[i], &t->range.node[i]))
			return tell_fault(t->f, "head: hash %zu of its range differs", i);
	return VT_OK;
}

enum vt_err fsck_tree(struct fsck *f)
{
	struct tree *t = calloc(1, sizeof(*t));
	enum vt_err err = t == NULL ? VT_ENOMEM : VT_OK;

	if (t == NULL)
		return err;
	t->f = f;
	merkle_range_init(&t->range);
	for (; err == VT_OK && t->first < f->state.head.size; t->first += FSCK_SLICE) {
		err = check_slice(t);
		tell_progress(f, t->range.size, "entries and tiles");
	}
	for (unsigned level = 1; err == VT_OK && level < LEVELS; level++)
		err = check_filled(t, level);
	if (err == VT_OK)
		err = check_head(t);
	free(t);
	return err;
}
