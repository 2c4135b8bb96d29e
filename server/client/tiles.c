/*
 * Tiles that can be believed: the right edge makes the root, and every full tile hashes to what
 * its parent says.
 */
#include "client_internal.h"
#include "logline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SET_SLOTS = 8,
	CACHE_DEFAULT = 32 << 20,
	TILE_BYTES = TILE_WIDTH * MERKLE_HASH_SIZE,
};

enum vt_err tiles_init(struct client *c, size_t cache_bytes)
{
	size_t slots = (cache_bytes == 0 ? CACHE_DEFAULT : cache_bytes) / TILE_BYTES;

	c->n_sets = slots / SET_SLOTS == 0 ? 1 : slots / SET_SLOTS;
	c->slot = calloc(c->n_sets, SET_SLOTS * sizeof(*c->slot));
	c->edge = calloc(1, sizeof(*c->edge));
	return c->slot == NULL || c->edge == NULL ? VT_ENOMEM : VT_OK;
}

void tiles_release(struct client *c)
{
	for (size_t i = 0; c->slot != NULL && i < c->n_sets * SET_SLOTS; i++)
		free(c->slot[i].hash);
	free(c->slot);
	free(c->edge);
}

/* -- the right edge --------------------------------------------------------------------------- */

struct edge_source {
	const struct edge *edge;
	uint64_t size;
};

static bool in_edge(const struct tile_id *id, uint64_t size)
{
	return !id->entries && id->level < CLIENT_LEVELS && id->width != 0 &&
	       id->width < TILE_WIDTH && id->width == tile_width(id->level, id->index, size);
}

static enum vt_err read_edge(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	const struct edge_source *s = ctx;

	if (!in_edge(id, s->size)) /* the root is made of partial tiles only */
		return INTERNAL("a tile is wanted that is not at the edge");
	memcpy(out, s->edge->hash[id->level], id->width * sizeof(*out));
	return VT_OK;
}

static enum vt_err fetch_edge_tile(struct edge *out, struct client *c, unsigned level,
				   uint64_t size, struct why *why)
{
	unsigned down = level * TILE_HEIGHT;
	struct tile_id id = {.level = level, .width = (unsigned)(size >> down) % TILE_WIDTH};
	struct buf raw;
	enum vt_err err;
	bool full;

	out->width[level] = id.width;
	if (id.width == 0)
		return VT_OK;
	id.index = size >> down >> TILE_HEIGHT;
	buf_init(&raw);
	if ((err = fetch_tile(&raw, &full, &c->asker, &id, why)) == VT_OK)
		memcpy(out->hash[level], raw.data, raw.len);
	buf_release(&raw);
	return err;
}

enum vt_err edge_fetch(struct edge *out, struct client *c, const struct tree_head *head,
		       struct why *why)
{
	struct edge_source source = {out, head->size};
	struct merkle_hash root;
	enum vt_err err;

	for (unsigned level = 0; level < CLIENT_LEVELS; level++) {
		if ((err = fetch_edge_tile(out, c, level, head->size, why)) != VT_OK)
			return err;
	}
	if (head->size == 0)
		err = merkle_hash_empty(&root, &c->hasher);
	else
		err = tile_root(&root, &c->hasher, head->size, read_edge, &source);
	if (err != VT_OK)
		return why_say(why, err, "%s", vt_err_text(err));
	if (!merkle_hash_equal(&root, &head->root))
		return why_say(why, VT_EMISMATCH,
			       "%s: the tiles at the right edge do not make the root that the "
			       "checkpoint of size %llu has",
			       c->url, (unsigned long long)head->size);
	return VT_OK;
}

/* -- full tiles ------------------------------------------------------------------------------- */

static struct tile_slot *set_of(struct client *c, unsigned level, uint64_t index)
{
	/* Neighbours go to different sets; the multiplier is 2^64 divided by the golden ratio. */
	uint64_t mixed = (index * CLIENT_LEVELS + level) * UINT64_C(0x9e3779b97f4a7c15);

	return &c->slot[(size_t)((mixed >> 16) % c->n_sets) * SET_SLOTS];
}

static struct tile_slot *find_slot(struct client *c, unsigned level, uint64_t index)
{
	struct tile_slot *set = set_of(c, level, index);

	for (size_t i = 0; i < SET_SLOTS; i++) {
		if (set[i].hash != NULL && set[i].level == level && set[i].index == index) {
			set[i].used = ++c->uses;
			return &set[i];
		}
	}
	return NULL;
}

/* An empty slot of the set, or the one that was not used for the longest time. */
static struct tile_slot *slot_to_fill(struct client *c, unsigned level, uint64_t index)
{
	struct tile_slot *set = set_of(c, level, index), *oldest = &set[0];

	for (size_t i = 0; i < SET_SLOTS; i++) {
		if (set[i].hash == NULL) {
			oldest = &set[i];
			break;
		}
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	if (oldest->hash == NULL &&
	    (oldest->hash = malloc(TILE_WIDTH * sizeof(*oldest->hash))) == NULL)
		return NULL;
	oldest->used = ++c->uses;
	return oldest;
}

/* Hold raw against `expected`, and keep it. */
static enum vt_err keep_tile(struct tile_slot **out, struct client *c, const struct tile_id *id,
			     struct bytes raw, const struct merkle_hash *expected, struct why *why)
{
	struct merkle_node_id whole = {(id->level + 1) * TILE_HEIGHT, id->index};
	struct merkle_hash hash[TILE_WIDTH], root;
	char path[TILE_PATH_MAX];
	struct tile_slot *slot;
	size_t len;
	enum vt_err err;

	memcpy(hash, raw.data, sizeof(hash));
	if ((err = tile_path_format(path, &len, id)) != VT_OK ||
	    (err = tile_node(&root, &c->hasher, id, hash, whole)) != VT_OK)
		return why_say(why, err, "%s", vt_err_text(err));
	if (!merkle_hash_equal(&root, expected))
		return why_say(why, VT_EMISMATCH,
			       "%s/%s does not hash to what the tile above it says", c->url, path);
	if ((slot = slot_to_fill(c, id->level, id->index)) == NULL)
		return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
	memcpy(slot->hash, hash, sizeof(hash));
	slot->root = root;
	slot->level = id->level;
	slot->index = id->index;
	slot->generation = c->generation;
	*out = slot;
	return VT_OK;
}

static enum vt_err get_full(const struct merkle_hash **out, struct client *c,
			    const struct tile_id *id, const struct bytes *given, struct why *why)
{
	struct tile_slot *slot = find_slot(c, id->level, id->index);
	struct tile_id parent = {.level = id->level + 1, .index = id->index / TILE_WIDTH};
	const struct merkle_hash *siblings;
	struct merkle_hash expected;
	struct buf raw;
	bool full;
	enum vt_err err;

	if (slot != NULL && slot->generation == c->generation) {
		*out = slot->hash;
		return VT_OK;
	}
	/* A full tile always has a parent, and each step up is nearer to the edge. */
	parent.width = tile_width(parent.level, parent.index, c->head.size);
	if ((err = tile_get(&siblings, c, &parent, NULL, why)) != VT_OK)
		return err;
	expected = siblings[id->index % TILE_WIDTH];
	slot = find_slot(c, id->level, id->index); /* reading the parent may have taken its place */
	if (slot != NULL && merkle_hash_equal(&slot->root, &expected)) {
		slot->generation = c->generation;
		*out = slot->hash;
		return VT_OK;
	}
	buf_init(&raw);
	if (given == NULL)
		err = fetch_tile(&raw, &full, &c->asker, id, why);
	if (err == VT_OK)
		err = keep_tile(&slot, c, id, given == NULL ? buf_bytes(&raw) : *given, &expected,
				why);
	if (err == VT_OK)
		*out = slot->hash;
	buf_release(&raw);
	return err;
}

enum vt_err tile_get(const struct merkle_hash **out, struct client *c, const struct tile_id *id,
		     const struct bytes *given, struct why *why)
{
	if (in_edge(id, c->head.size)) {
		*out = c->edge->hash[id->level];
		return VT_OK;
	}
	if (id->entries || id->width != TILE_WIDTH || id->level >= CLIENT_LEVELS ||
	    tile_width(id->level, id->index, c->head.size) != TILE_WIDTH)
		return why_say(why, VT_EINVAL, "no such tile in the tree of %llu leaves",
			       (unsigned long long)c->head.size);
	return get_full(out, c, id, given, why);
}

/* -- what is made of them --------------------------------------------------------------------- */

struct reading {
	struct client *client;
	struct why *why;
};

static enum vt_err read_for_plan(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	struct reading *r = ctx;
	const struct merkle_hash *hash;
	enum vt_err err;

	if ((err = tile_get(&hash, r->client, id, NULL, r->why)) == VT_OK)
		memcpy(out, hash, id->width * sizeof(*out));
	return err;
}

enum vt_err client_read_tile(void *client, const struct tile_id *id, struct merkle_hash *out)
{
	struct reading r = {client, NULL};

	return read_for_plan(&r, id, out);
}

static enum vt_err read_plan(struct merkle_hash *node, struct client *c,
			     const struct merkle_plan *plan, struct why *why)
{
	struct reading r = {c, why};

	/* For the errors that reading does not explain. */
	why_say(why, VT_EINTERNAL, "%s", vt_err_text(VT_EINTERNAL));
	return tile_read_plan(node, &c->hasher, plan, c->head.size, read_for_plan, &r);
}

enum vt_err root_at(struct merkle_hash *out, struct client *c, uint64_t size, struct why *why)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_plan plan;
	enum vt_err err;

	if (size == 0)
		return merkle_hash_empty(out, &c->hasher);
	if ((err = proof_plan_root(&plan, size)) != VT_OK ||
	    (err = read_plan(node, c, &plan, why)) != VT_OK)
		return err;
	return proof_build_root(out, &c->hasher, &plan, node);
}

static enum vt_err beyond(const struct client *c, uint64_t n, struct why *why)
{
	return why_say(why, VT_EINVAL, "%llu is beyond the tree of %llu leaves",
		       (unsigned long long)n, (unsigned long long)c->head.size);
}

enum vt_err client_root_at(struct merkle_hash *out, struct client *c, uint64_t size,
			   struct why *why)
{
	if (size > c->head.size)
		return beyond(c, size, why);
	return root_at(out, c, size, why);
}

enum vt_err client_leaf(struct merkle_hash *out, struct client *c, uint64_t index, struct why *why)
{
	struct tile_id id = {.index = index / TILE_WIDTH};
	const struct merkle_hash *hash = NULL;
	enum vt_err err;

	if (index >= c->head.size)
		return beyond(c, index, why);
	id.width = tile_width(0, id.index, c->head.size);
	if ((err = tile_get(&hash, c, &id, NULL, why)) == VT_OK)
		*out = hash[index % TILE_WIDTH];
	return err;
}

static enum vt_err prove(struct merkle_proof *out, struct client *c, const struct merkle_plan *plan,
			 struct why *why)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	enum vt_err err;

	if ((err = read_plan(node, c, plan, why)) != VT_OK)
		return err;
	return proof_build(out, &c->hasher, plan, node);
}

enum vt_err client_inclusion(struct merkle_proof *out, struct client *c, uint64_t index,
			     struct why *why)
{
	struct merkle_plan plan;
	enum vt_err err;

	if ((err = proof_plan_inclusion(&plan, index, c->head.size)) != VT_OK)
		return beyond(c, index, why);
	return prove(out, c, &plan, why);
}

enum vt_err client_consistency(struct merkle_proof *out, struct client *c, uint64_t first,
			       struct why *why)
{
	struct merkle_plan plan;
	enum vt_err err;

	if ((err = proof_plan_consistency(&plan, first, c->head.size)) != VT_OK)
		return beyond(c, first, why);
	return prove(out, c, &plan, why);
}
