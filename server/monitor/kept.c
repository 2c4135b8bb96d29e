#include "kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "logline.h"
#include "vitrine/tile.h"

enum {
	LEVELS = 8, /* of trees of 64-bit size */
	FLUSH_HASHES = 4096,
};

struct kept {
	struct level {
		int fd;
		uint64_t written; /* hashes in the file */
		bool dirty;
		struct buf waiting; /* hashes that come behind them */
	} level[LEVELS];
	char *dir;
	bool new_names;
};

enum vt_err kept_open(struct kept **out, const char *dir, uint64_t size)
{
	struct kept *k = calloc(1, sizeof(*k));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (k == NULL)
		return VT_ENOMEM;
	for (unsigned l = 0; l < LEVELS; l++)
		k->level[l].fd = -1;
	k->new_names = true;
	if ((k->dir = strdup(dir)) == NULL)
		goto done;
	for (unsigned l = 0; l < LEVELS; l++) {
		char path[FILES_PATH_MAX], name[16];
		struct level *level = &k->level[l];
		level->written = size >> (l * TILE_HEIGHT);
		snprintf(name, sizeof(name), "tiles-%u", l);
		if ((err = files_path(path, dir, name, UINT64_MAX)) != VT_OK ||
		    (err = files_open_at_length(&level->fd, path,
						level->written * MERKLE_HASH_SIZE)) != VT_OK)
			goto done;
	}
	*out = k;
	k = NULL; /* transferred */
done:
	kept_free(k);
	return err;
}

void kept_free(struct kept *k)
{
	if (k == NULL)
		return;
	for (unsigned l = 0; l < LEVELS; l++) {
		if (k->level[l].fd >= 0)
			close(k->level[l].fd);
		buf_release(&k->level[l].waiting);
	}
	free(k->dir);
	free(k);
}

/* -- growing ---------------------------------------------------------------------------------- */

static enum vt_err flush(struct level *level)
{
	enum vt_err err;

	if (level->waiting.len == 0)
		return VT_OK;
	if ((err = files_write_at(level->fd, level->waiting.data, level->waiting.len,
				  level->written * MERKLE_HASH_SIZE)) != VT_OK)
		return err;
	level->written += level->waiting.len / MERKLE_HASH_SIZE;
	level->dirty = true;
	buf_reset(&level->waiting);
	return VT_OK;
}

enum vt_err kept_node(void *kept, struct merkle_node_id id, const struct merkle_hash *hash)
{
	struct kept *k = kept;
	struct level *level = &k->level[id.height / TILE_HEIGHT];
	enum vt_err err;

	if (id.height % TILE_HEIGHT != 0)
		return VT_OK;
	if (id.index != level->written + level->waiting.len / MERKLE_HASH_SIZE)
		return INTERNAL("a node out of order");
	if ((err = buf_append(&level->waiting, bytes_of(hash->b, MERKLE_HASH_SIZE))) != VT_OK)
		return err;
	return level->waiting.len >= (size_t)FLUSH_HASHES * MERKLE_HASH_SIZE ? flush(level) : VT_OK;
}

enum vt_err kept_sync(struct kept *k)
{
	enum vt_err err;

	for (unsigned l = 0; l < LEVELS; l++) {
		struct level *level = &k->level[l];
		if ((err = flush(level)) != VT_OK)
			return err;
		if (level->dirty && (err = files_sync(level->fd)) != VT_OK)
			return err;
		level->dirty = false;
	}
	if (k->new_names && (err = files_sync_folder(k->dir)) != VT_OK)
		return err;
	k->new_names = false;
	return VT_OK;
}

/* -- reading: nothing that `kept` changes while it grows is looked at, but for file contents -- */

struct reading {
	const struct kept *kept;
	const struct tree_head *head;
	struct merkle_hasher hasher;
};

static enum vt_err read_tile(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	const struct reading *r = ctx;

	if (id->entries || id->level >= LEVELS)
		return VT_EINVAL;
	return files_read_at(r->kept->level[id->level].fd, out, id->width * sizeof(*out),
			     id->index * TILE_WIDTH * MERKLE_HASH_SIZE);
}

/*
 * A tile of the head's tree that hashes to what its parent says, up to the partial tiles at the
 * edge, which together were held against the root.
 */
static enum vt_err read_checked(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	struct tile_id tile = *id,
		       parent = {.level = id->level + 1, .index = id->index / TILE_WIDTH};
	struct merkle_node_id whole = {(id->level + 1) * TILE_HEIGHT, id->index};
	struct merkle_hash hash[TILE_WIDTH], above[TILE_WIDTH], root;
	struct reading *r = ctx;
	enum vt_err err;

	tile.width = tile_width(id->level, id->index, r->head->size);
	if ((err = read_tile(r, &tile, hash)) != VT_OK)
		return err;
	memcpy(out, hash, id->width * sizeof(*out));
	if (tile.width < TILE_WIDTH)
		return VT_OK;
	parent.width = tile_width(parent.level, parent.index, r->head->size);
	if ((err = tile_node(&root, &r->hasher, &tile, hash, whole)) != VT_OK ||
	    (err = read_checked(r, &parent, above)) != VT_OK)
		return err;
	return merkle_hash_equal(&root, &above[id->index % TILE_WIDTH]) ? VT_OK : VT_EMISMATCH;
}

static enum vt_err begin_reading(struct reading *r, const struct kept *k,
				 const struct tree_head *head)
{
	struct merkle_hash root;
	enum vt_err err;

	*r = (struct reading){.kept = k, .head = head};
	if ((err = merkle_hasher_init(&r->hasher)) != VT_OK || head->size == 0)
		return err;
	if ((err = tile_root(&root, &r->hasher, head->size, read_tile, r)) != VT_OK)
		return err;
	return merkle_hash_equal(&root, &head->root) ? VT_OK : VT_EMISMATCH;
}

/* The plan's nodes. *r is begun, also on failure. */
static enum vt_err read_plan(struct merkle_hash *node, struct reading *r, const struct kept *k,
			     const struct tree_head *head, const struct merkle_plan *plan)
{
	enum vt_err err = begin_reading(r, k, head);

	if (err != VT_OK)
		return err;
	return tile_read_plan(node, &r->hasher, plan, head->size, read_checked, r);
}

enum vt_err kept_root_at(struct merkle_hash *out, const struct kept *k,
			 const struct tree_head *head, uint64_t size)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_plan plan = {0};
	struct reading r = {0};
	enum vt_err err = VT_EINVAL;

	if (size > head->size || (size > 0 && (err = proof_plan_root(&plan, size)) != VT_OK))
		return err;
	if ((err = read_plan(node, &r, k, head, &plan)) == VT_OK)
		err = size == 0 ? merkle_hash_empty(out, &r.hasher)
				: proof_build_root(out, &r.hasher, &plan, node);
	merkle_hasher_release(&r.hasher);
	return err;
}

enum vt_err kept_consistency(struct merkle_proof *out, const struct kept *k,
			     const struct tree_head *head, uint64_t first, uint64_t second)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_plan plan;
	struct reading r = {0};
	enum vt_err err = VT_EINVAL;

	if (second > head->size || (err = proof_plan_consistency(&plan, first, second)) != VT_OK)
		return err;
	if ((err = read_plan(node, &r, k, head, &plan)) == VT_OK)
		err = proof_build(out, &r.hasher, &plan, node);
	merkle_hasher_release(&r.hasher);
	return err;
}
