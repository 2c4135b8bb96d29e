/*
 * Rule 3: what is signed is what was read back. Nothing here is shared with the integrator but hash.c: the integrator keeps a
 * compact range and never reads a tile; this reads tiles and knows no range.
 */
#include "log_private.h"
#include "logline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OWED_SLICE = 16384, /* leaf hashes in memory at once */
	TILES = 24, /* two right edges of 8 levels, and the tiles in between that pass through */
};

struct read_tile {
	unsigned level;
	unsigned width; /* 0: unused */
	uint64_t index;
	uint64_t used;
	struct merkle_hash hash[TILE_WIDTH];
};

/* The tiles of one read-back: each is read once, so that both roots come from the same bytes. */
struct readback {
	uint64_t clock;
	struct read_tile tile[TILES];
};

enum vt_err readback_new(struct readback **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? VT_ENOMEM : VT_OK;
}

void readback_free(struct readback *rb)
{
	free(rb);
}

/* Every read-back reads anew. */
static void forget(struct readback *rb)
{
	for (size_t i = 0; i < TILES; i++)
		rb->tile[i].width = 0;
}

static enum vt_err get_tile(struct log *log, unsigned level, uint64_t index, unsigned width,
			    const struct merkle_hash **out)
{
	struct readback *rb = log->readback;
	struct read_tile *t = NULL;
	enum vt_err err;

	for (size_t i = 0; i < TILES; i++) {
		struct read_tile *at = &rb->tile[i];

		if (at->width >= width && at->level == level && at->index == index) {
			at->used = ++rb->clock;
			*out = at->hash;
			return VT_OK;
		}
		if (t == NULL || (t->width > 0 && (at->width == 0 || at->used < t->used)))
			t = at;
	}
	t->width = 0;
	if ((err = store_read_tile(log->second, level, index, width, t->hash)) != VT_OK)
		return err;
	t->level = level;
	t->index = index;
	t->width = width;
	t->used = ++rb->clock;
	*out = t->hash;
	return VT_OK;
}

/* tile_read_fn. A tile is read at its width in the newest tree, once. */
struct edge {
	struct log *log;
	uint64_t newest;
};

static enum vt_err read_edge(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	struct edge *e = ctx;
	const struct merkle_hash *hash;
	unsigned width = tile_width(id->level, id->index, e->newest);
	enum vt_err err;

	if (width < id->width)
		return INTERNAL("a tile is wanted that is wider than the tree has it");
	if ((err = get_tile(e->log, id->level, id->index, width, &hash)) != VT_OK)
		return err;
	memcpy(out, hash, id->width * sizeof(*out));
	return VT_OK;
}

enum vt_err readback_root(struct log *log, uint64_t size, struct merkle_hash *root)
{
	struct edge e = {log, size};

	forget(log->readback);
	return tile_root(root, &log->second_hasher, size, read_edge, &e);
}

/* The node that a full tile is. */
static enum vt_err full_root(struct merkle_hasher *h, const struct merkle_hash *hash,
			     struct merkle_hash *out)
{
	struct merkle_hash row[TILE_WIDTH / 2];

	for (size_t n = TILE_WIDTH / 2; n > 0; n /= 2) {
		for (size_t i = 0; i < n; i++) {
			enum vt_err err =
			    merkle_hash_node(&row[i], h, &hash[2 * i], &hash[2 * i + 1]);

			if (err != VT_OK)
				return err;
		}
		hash = row;
	}
	*out = row[0];
	return VT_OK;
}

/* The hash at a place of a level, as it follows from the level below. */
static enum vt_err expected_hash(struct log *log, unsigned level, uint64_t at, uint64_t first,
				 const struct merkle_hash *leaf, struct merkle_hash *out)
{
	const struct merkle_hash *below;
	enum vt_err err;

	if (level == 0) {
		*out = leaf[at - first];
		return VT_OK;
	}
	if ((err = get_tile(log, level - 1, at, TILE_WIDTH, &below)) != VT_OK)
		return err;
	return full_root(&log->second_hasher, below, out);
}

/* Every hash that `level` gained. */
static enum vt_err check_level(struct log *log, unsigned level, const struct tree_head *old,
			       const struct tree_head *new_head, const struct merkle_hash *leaf,
			       char why[LOG_WHY_MAX])
{
	unsigned shift = TILE_HEIGHT * level;
	uint64_t end = new_head->size >> shift;
	enum vt_err err;

	for (uint64_t at = old->size >> shift; at < end; at++) {
		uint64_t index = at / TILE_WIDTH;
		unsigned width = tile_width(level, index, new_head->size);
		const struct merkle_hash *tile;
		struct merkle_hash expected;

		if ((err = expected_hash(log, level, at, old->size, leaf, &expected)) != VT_OK ||
		    (err = get_tile(log, level, index, width, &tile)) != VT_OK)
			return err;
		if (!merkle_hash_equal(&tile[at % TILE_WIDTH], &expected)) {
			(void)snprintf(why, LOG_WHY_MAX,
				       "tile %u/%" PRIu64 " hash %u differs from what is below it",
				       level, index, (unsigned)(at % TILE_WIDTH));
			return VT_EMISMATCH;
		}
	}
	return VT_OK;
}

static enum vt_err check_root(struct log *log, const struct tree_head *head, uint64_t newest,
			      const char *which, char why[LOG_WHY_MAX])
{
	struct edge e = {log, newest};
	struct merkle_hash root;
	enum vt_err err;

	if ((err = tile_root(&root, &log->second_hasher, head->size, read_edge, &e)) != VT_OK)
		return err;
	if (merkle_hash_equal(&root, &head->root))
		return VT_OK;
	(void)snprintf(why, LOG_WHY_MAX, "the tiles do not make the %s root at size %" PRIu64,
		       which, head->size);
	return VT_EMISMATCH;
}

enum vt_err readback_tree(struct log *log, const struct tree_head *old,
			  const struct tree_head *new_head, const struct merkle_hash *leaf,
			  char why[LOG_WHY_MAX])
{
	enum vt_err err = VT_OK;

	forget(log->readback);
	if (new_head->size < old->size)
		return INTERNAL("the new head is smaller than the old one");
	for (unsigned level = 0; err == VT_OK && level < 64 / TILE_HEIGHT; level++)
		err = check_level(log, level, old, new_head, leaf, why);
	if (err == VT_OK)
		err = check_root(log, new_head, new_head->size, "new", why);
	if (err == VT_OK)
		err = check_root(log, old, new_head->size, "old", why);
	if (err == VT_ENOTFOUND) {
		(void)snprintf(why, LOG_WHY_MAX, "a tile of the tree of %" PRIu64 " is missing",
			       new_head->size);
		err = VT_EMISMATCH;
	}
	return err;
}

/* -- what an earlier process left unpublished ---------------------------------------------------------- */

struct leaves {
	struct log *log;
	struct merkle_hash *leaf;
	size_t n;
};

static enum vt_err hash_entry(void *ctx, uint64_t index, struct bytes entry,
			      const struct merkle_hash *keys, size_t n_keys)
{
	struct leaves *l = ctx;

	(void)index;
	(void)keys;
	(void)n_keys;
	return merkle_hash_leaf(&l->leaf[l->n++], &l->log->second_hasher, entry);
}

/* Heads in between have the roots that the tiles give; their hashes are all recomputed anyway. */
enum vt_err readback_owed(struct log *log, const struct tree_head *old,
			  const struct tree_head *new_head, char why[LOG_WHY_MAX])
{
	struct leaves l = {log, calloc(OWED_SLICE, sizeof(l.leaf[0])), 0};
	struct tree_head from = *old;
	enum vt_err err = l.leaf == NULL ? VT_ENOMEM : VT_OK;

	while (err == VT_OK && from.size < new_head->size) {
		struct tree_head to = *new_head;

		l.n = 0;
		if (to.size - from.size > OWED_SLICE) {
			to.size = from.size + OWED_SLICE;
			if ((err = readback_root(log, to.size, &to.root)) != VT_OK)
				break;
		}
		err =
		    store_read_entries(log->second, from.size, to.size - from.size, hash_entry, &l);
		if (err == VT_OK)
			err = readback_tree(log, &from, &to, l.leaf, why);
		from = to;
	}
	free(l.leaf);
	if (err == VT_ENOTFOUND) {
		(void)snprintf(why, LOG_WHY_MAX, "entries or tiles from %" PRIu64 " on are missing",
			       from.size);
		err = VT_EMISMATCH;
	}
	return err;
}

/* -- entries --------------------------------------------------------------------------------------- */

struct entries {
	struct log *log;
	uint64_t first;
	struct submission *const *s;
	size_t seen;
	char *why;
};

static enum vt_err check_entry(void *ctx, uint64_t index, struct bytes entry,
			       const struct merkle_hash *keys, size_t n_keys)
{
	struct entries *e = ctx;
	const struct submission *s = e->s[e->seen];
	const struct merkle_hash *expected;
	struct merkle_hash leaf;
	enum vt_err err;
	size_t n;

	if ((err = merkle_hash_leaf(&leaf, &e->log->second_hasher, entry)) != VT_OK)
		return err;
	expected = submission_keys(s, &n);
	if (index != e->first + e->seen || !merkle_hash_equal(&leaf, &s->leaf)) {
		(void)snprintf(e->why, LOG_WHY_MAX, "entry %" PRIu64 " is not what was admitted",
			       index);
		return VT_EMISMATCH;
	}
	if (n != n_keys || memcmp(keys, expected, n * sizeof(*keys)) != 0) {
		(void)snprintf(e->why, LOG_WHY_MAX,
			       "the keys of entry %" PRIu64 " are not what was admitted", index);
		return VT_EMISMATCH;
	}
	e->seen++;
	return VT_OK;
}

enum vt_err readback_entries(struct log *log, uint64_t first, struct submission *const *s, size_t n,
			     char why[LOG_WHY_MAX])
{
	struct entries e = {log, first, s, 0, why};
	enum vt_err err = store_read_entries(log->second, first, n, check_entry, &e);

	if (err == VT_ENOTFOUND || (err == VT_OK && e.seen != n)) {
		(void)snprintf(why, LOG_WHY_MAX, "entry %" PRIu64 " is missing", first + e.seen);
		return VT_EMISMATCH;
	}
	return err;
}
