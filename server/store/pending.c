#include "pending.h"

#include <stdlib.h>
#include <string.h>

#include "rules.h"

enum vt_err pending_init(struct pending *p, const struct tree_state *start)
{
	*p = (struct pending){0};
	if (!tree_state_valid(start))
		return VT_EINVAL;
	p->start = *start;
	buf_init(&p->bytes);
	for (unsigned level = 0; level < PENDING_LEVELS; level++)
		buf_init(&p->hashes[level]);
	return VT_OK;
}

void pending_release(struct pending *p)
{
	free(p->item);
	buf_release(&p->bytes);
	for (unsigned level = 0; level < PENDING_LEVELS; level++)
		buf_release(&p->hashes[level]);
	*p = (struct pending){0};
}

static enum vt_err reserve_item(struct pending *p)
{
	size_t cap = p->cap == 0 ? 64 : 2 * p->cap;
	struct pending_item *item;

	if (p->n < p->cap)
		return VT_OK;
	item = realloc(p->item, cap * sizeof(*item));
	if (item == NULL)
		return VT_ENOMEM;
	p->item = item;
	p->cap = cap;
	return VT_OK;
}

enum vt_err pending_entry(struct pending *p, struct bytes entry, const struct merkle_hash *keys,
			  size_t n_keys)
{
	const struct bytes key_bytes = bytes_of(keys, n_keys * sizeof(*keys));
	const size_t at = p->bytes.len;
	enum vt_err err;

	if (p->sealed)
		return VT_EINVAL;
	if (entry.len > BUNDLE_ENTRY_MAX || n_keys > STORE_KEYS_MAX ||
	    p->n == STORE_BATCH_ENTRIES_MAX || p->start.head.size > UINT64_MAX - 1 - p->n ||
	    at + key_bytes.len + entry.len > STORE_BATCH_BYTES_MAX)
		return VT_ELIMIT;
	if ((err = reserve_item(p)) != VT_OK ||
	    (err = buf_reserve(&p->bytes, key_bytes.len + entry.len)) != VT_OK ||
	    (err = buf_append(&p->bytes, key_bytes)) != VT_OK ||
	    (err = buf_append(&p->bytes, entry)) != VT_OK)
		return err;
	p->item[p->n++] = (struct pending_item){.at = at, .n_keys = n_keys, .len = entry.len};
	return VT_OK;
}

/* How many hashes a level has in a tree of `size` leaves. */
static uint64_t level_hashes(uint64_t size, unsigned level)
{
	return size >> (TILE_HEIGHT * level);
}

static uint64_t level_end(const struct pending *p, unsigned level)
{
	return level_hashes(p->start.head.size, level) + p->hashes[level].len / MERKLE_HASH_SIZE;
}

enum vt_err pending_tile(struct pending *p, unsigned level, uint64_t index, unsigned offset,
			 const struct merkle_hash *hashes, unsigned n)
{
	if (p->sealed || level >= PENDING_LEVELS || index > UINT64_MAX / TILE_WIDTH ||
	    offset > TILE_WIDTH || n > TILE_WIDTH - offset ||
	    index * TILE_WIDTH + offset != level_end(p, level))
		return VT_EINVAL;
	return buf_append(&p->hashes[level], bytes_of(hashes, n * sizeof(*hashes)));
}

enum vt_err pending_seal(struct pending *p, const struct tree_state *next)
{
	const bool sealed = p->sealed;

	p->sealed = true;
	if (sealed || !tree_state_valid(next) || next->head.size != p->start.head.size + p->n)
		return VT_EINVAL;
	for (unsigned level = 0; level < PENDING_LEVELS; level++)
		if (level_end(p, level) != level_hashes(next->head.size, level))
			return VT_EINVAL;
	return VT_OK;
}

struct bytes pending_item_keys(const struct pending *p, const struct pending_item *item)
{
	return bytes_of(p->bytes.data + item->at, item->n_keys * MERKLE_HASH_SIZE);
}

struct bytes pending_item_entry(const struct pending *p, const struct pending_item *item)
{
	return bytes_of(p->bytes.data + item->at + item->n_keys * MERKLE_HASH_SIZE, item->len);
}

bool pending_next_tile(const struct pending *p, unsigned level, size_t *done,
		       struct pending_tile *tile)
{
	const size_t all = p->hashes[level].len / MERKLE_HASH_SIZE;
	const uint64_t at = level_hashes(p->start.head.size, level) + *done;
	size_t n = all - *done;

	if (n == 0)
		return false;
	tile->index = at / TILE_WIDTH;
	tile->offset = (unsigned)(at % TILE_WIDTH);
	if (n > TILE_WIDTH - tile->offset)
		n = TILE_WIDTH - tile->offset;
	tile->hashes =
	    bytes_of(p->hashes[level].data + *done * MERKLE_HASH_SIZE, n * MERKLE_HASH_SIZE);
	*done += n;
	return true;
}
