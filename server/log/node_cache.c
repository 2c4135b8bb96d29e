#include "node_cache.h"

#include <stdlib.h>
#include <string.h>

enum vt_err node_cache_init(struct node_cache *c)
{
	c->clock = 0;
	c->tile = calloc(NODE_CACHE_TILES, sizeof(c->tile[0]));
	return c->tile == NULL ? VT_ENOMEM : VT_OK;
}

void node_cache_release(struct node_cache *c)
{
	free(c->tile);
	c->tile = NULL;
}

/* The tile at `width` hashes or more. */
static enum vt_err tile_get(struct node_cache *c, struct store_reader *r, const struct tile_id *id,
			    struct cached_tile **out)
{
	struct cached_tile *t = NULL;
	enum vt_err err;

	for (size_t i = 0; i < NODE_CACHE_TILES; i++) {
		struct cached_tile *at = &c->tile[i];

		if (at->width > 0 && at->level == id->level && at->index == id->index) {
			t = at;
			break;
		}
		if (t == NULL || at->used < t->used)
			t = at;
	}
	if (t->width == 0 || t->level != id->level || t->index != id->index) {
		t->width = 0;
		t->level = id->level;
		t->index = id->index;
		memset(t->known, 0, sizeof(t->known));
	}
	t->used = ++c->clock;
	if (t->width < id->width) {
		err = store_read_tile(r, id->level, id->index, id->width, t->node);
		if (err != VT_OK) {
			t->width = 0; /* partly written */
			return err == VT_ENOTFOUND ? VT_EIO : err;
		}
		t->width = id->width;
	}
	*out = t;
	return VT_OK;
}

/* Where the node at `height` above the hashes and position `at` stands. */
static size_t place(unsigned height, size_t at)
{
	return (size_t)NODE_CACHE_NODES - ((size_t)NODE_CACHE_NODES >> height) + at;
}

/* Recursion is at most TILE_HEIGHT deep. */
static enum vt_err node_get(struct cached_tile *t, struct merkle_hasher *h, unsigned height,
			    size_t at, const struct merkle_hash **out)
{
	const struct merkle_hash *left, *right;
	size_t i = place(height, at);
	enum vt_err err;

	*out = &t->node[i];
	if (height == 0 || t->known[i])
		return VT_OK;
	if ((err = node_get(t, h, height - 1, 2 * at, &left)) != VT_OK ||
	    (err = node_get(t, h, height - 1, 2 * at + 1, &right)) != VT_OK ||
	    (err = merkle_hash_node(&t->node[i], h, left, right)) != VT_OK)
		return err;
	t->known[i] = true;
	return VT_OK;
}

enum vt_err node_cache_plan(struct node_cache *c, struct merkle_hash *node, struct store_reader *r,
			    struct merkle_hasher *h, const struct merkle_plan *plan, uint64_t size)
{
	for (size_t i = 0; i < plan->n; i++) {
		struct merkle_node_id id = plan->node[i];
		unsigned height = id.height % TILE_HEIGHT;
		const struct merkle_hash *hash;
		struct cached_tile *t;
		struct tile_id tile;
		enum vt_err err;
		size_t at;

		if ((err = tile_of_node(&tile, id, size)) != VT_OK)
			return err;
		at = (size_t)(id.index & ((TILE_WIDTH >> height) - 1U));
		if ((err = tile_get(c, r, &tile, &t)) != VT_OK ||
		    (err = node_get(t, h, height, at, &hash)) != VT_OK)
			return err;
		node[i] = *hash;
	}
	return VT_OK;
}

enum vt_err node_cache_leaf(struct node_cache *c, struct merkle_hash *leaf, struct store_reader *r,
			    struct merkle_hasher *h, uint64_t index, uint64_t size)
{
	struct merkle_plan plan = {.n = 1, .node = {{0, index}}};

	return node_cache_plan(c, leaf, r, h, &plan, size);
}
