/*
 * A few tiles in hand with the perfect nodes above their hashes, each computed at most once: neighbours' proofs
 * share most of their nodes. Everything committed is immutable, so nothing here goes stale; a tile that has
 * grown is read again and keeps what was computed.
 */
#ifndef LOG_NODE_CACHE_H
#define LOG_NODE_CACHE_H

#include "store.h"

enum {
	NODE_CACHE_TILES = 16,             /* 17 KiB each */
	NODE_CACHE_NODES = 2 * TILE_WIDTH, /* hashes, then the rows above them, widest first */
};

struct cached_tile {
	unsigned level;
	unsigned width; /* hashes that are known; 0: unused */
	uint64_t index;
	uint64_t used; /* for throwing out the one that was not used for longest */
	bool known[NODE_CACHE_NODES];
	struct merkle_hash node[NODE_CACHE_NODES];
};

struct node_cache {
	uint64_t clock;
	struct cached_tile *tile; /* NODE_CACHE_TILES */
};

enum vt_err node_cache_init(struct node_cache *c);
void node_cache_release(struct node_cache *c);

/* The nodes that a plan names, in the committed tree of `size` leaves. Errors are the reader's; VT_EIO too if a tile of the
 * tree is missing. */
enum vt_err node_cache_plan(struct node_cache *c, struct merkle_hash *node, struct store_reader *r,
			    struct merkle_hasher *h, const struct merkle_plan *plan, uint64_t size);
/* One leaf hash. */
enum vt_err node_cache_leaf(struct node_cache *c, struct merkle_hash *leaf, struct store_reader *r,
			    struct merkle_hasher *h, uint64_t index, uint64_t size);

#endif
