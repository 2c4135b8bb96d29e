/*
 * What a batch holds before its commit, the same for every backend: entries with their keys one
 * after another, and per level the tile hashes that it adds. Checks everything that can be checked
 * without looking at what is stored, so that a backend has only the head to compare.
 */
#ifndef STORE_PENDING_H
#define STORE_PENDING_H

#include "store.h"

enum {
	PENDING_LEVELS = 8, /* levels of tiles in a tree of 64-bit size */
};

/* Where an entry stands in pending.bytes: its keys first, then its bytes. */
struct pending_item {
	size_t at;
	size_t n_keys;
	size_t len;
};

/* Invariant: hashes[l] are those at positions start.size >> 8 * l and on, of level l. */
struct pending {
	struct tree_state start;
	struct pending_item *item;
	size_t n;
	size_t cap;
	struct buf bytes;
	struct buf hashes[PENDING_LEVELS];
	bool sealed;
};

/* VT_EINVAL: start is no tree state. Does not allocate. */
enum vt_err pending_init(struct pending *p, const struct tree_state *start);
void pending_release(struct pending *p);
/* store_ops.batch_entry and batch_tile. */
enum vt_err pending_entry(struct pending *p, struct bytes entry, const struct merkle_hash *keys,
			  size_t n_keys);
enum vt_err pending_tile(struct pending *p, unsigned level, uint64_t index, unsigned offset,
			 const struct merkle_hash *hashes, unsigned n);
/* May it be committed as `next`? VT_EINVAL. Nothing can be added afterwards, nor can it be sealed
 * again. */
enum vt_err pending_seal(struct pending *p, const struct tree_state *next);

struct bytes pending_item_keys(const struct pending *p, const struct pending_item *item);
struct bytes pending_item_entry(const struct pending *p, const struct pending_item *item);

/*
 * The part of the hashes of `level` that falls into one tile, from the hash number *done of this
 * batch on; *done advances. False: there is none left. Pointers are good until the release.
 */
struct pending_tile {
	uint64_t index;
	unsigned offset;
	struct bytes hashes;
};
bool pending_next_tile(const struct pending *p, unsigned level, size_t *done,
		       struct pending_tile *tile);

#endif
