/*
 * Tiles and entry bundles (C2SP tlog-tiles): their paths, which of them a tree has, and how nodes
 * and roots are computed from them. Nothing here allocates.
 *
 * A tile holds up to 256 hashes of the nodes at height 8 * level; a node at a height in between is
 * recomputed from them. A partial tile is a prefix of the tile that it will become.
 */
#ifndef VITRINE_TILE_H
#define VITRINE_TILE_H

#include "vitrine/merkle.h"

enum {
	TILE_WIDTH = 256,
	TILE_HEIGHT = 8,
	TILE_LEVEL_MAX = 63, /* what a path may say; trees of 64-bit size use levels 0 to 7 */
	TILE_PATH_MAX = 64,  /* bytes of the longest path, with the NUL */
	BUNDLE_ENTRY_MAX = 65535,
};

struct tile_id {
	bool entries; /* an entry bundle; level is 0 */
	unsigned level;
	uint64_t index;
	unsigned width; /* 1 to 256; 256 is a full tile and has no ".p" suffix */
};

/* "tile/0/x001/x234/067.p/5" or "tile/entries/000", without a leading slash. */
enum vt_err tile_path_parse(struct tile_id *out, struct bytes path);
/* NUL-terminated into out; *len without the NUL. VT_EINVAL: not a tile. */
enum vt_err tile_path_format(char out[TILE_PATH_MAX], size_t *len, const struct tile_id *id);

/* Width of the tile in the tree of `size` leaves: 0 if it is not in that tree, else 1 to 256. */
unsigned tile_width(unsigned level, uint64_t index, uint64_t size);
/* The tile that node `id` is computed from in a tree of `size` leaves, at its width there.
 * VT_EINVAL: the node is not in that tree. */
enum vt_err tile_of_node(struct tile_id *out, struct merkle_node_id id, uint64_t size);
/* The node's hash from that tile's hashes. VT_EINVAL: it is not covered. A tile covers the heights
 * 8 * level to 8 * level + 8: the last is the root of the full tile, which its parent tile holds
 * too, so that the two can be compared. */
enum vt_err tile_node(struct merkle_hash *out, struct merkle_hasher *h, const struct tile_id *tile,
		      const struct merkle_hash *hashes, struct merkle_node_id id);

/* Split a bundle into its entries, one at a time: *entry points into *rest, which advances.
 * VT_EMALFORMED: truncated, or nothing left. At the end of the bundle rest->len is 0. */
enum vt_err bundle_next(struct bytes *entry, struct bytes *rest);
/* Append one entry with its length, or nothing. VT_ELIMIT: over 65,535 bytes. */
enum vt_err bundle_append(struct buf *out, struct bytes entry);

/* Read a tile's hashes (exactly id->width of them) into out. */
typedef enum vt_err (*tile_read_fn)(void *ctx, const struct tile_id *id, struct merkle_hash *out);

/* Read every node that the plan names from the tiles of the tree of `size` leaves; each tile is
 * read once per run of neighbours that share it. */
enum vt_err tile_read_plan(struct merkle_hash *node, struct merkle_hasher *h,
			   const struct merkle_plan *plan, uint64_t size, tile_read_fn read_tile,
			   void *ctx);
/*
 * The root at `size`, recomputed from the right-edge tiles alone. Shares no code with
 * merkle_range above hash.c, so it can contradict it.
 */
enum vt_err tile_root(struct merkle_hash *out, struct merkle_hasher *h, uint64_t size,
		      tile_read_fn read_tile, void *ctx);

#endif
