/*
 * Grows a log in a store the way an integrator does: entries that can be told from their index,
 * their leaf hashes, the range, and exactly the tile hashes that they add. And checks one from
 * nothing.
 */
#ifndef VITRINE_TEST_GROWTH_H
#define VITRINE_TEST_GROWTH_H

#include "store.h"

/* What entry `index` of a log is, in one of many possible histories. */
struct growth {
	uint32_t history; /* logs of different histories have different entries everywhere */
	size_t entry_len; /* of every entry; 0: short ones of varying length */
	size_t n_keys;    /* of every entry, the leaf hash included; 0: 1 to 4 */
};

/* Append entry `index` to out. */
enum vt_err growth_entry(const struct growth *g, uint64_t index, struct buf *out);
/* keys[0] is the leaf hash of `entry`. Returns how many. */
size_t growth_keys(const struct growth *g, uint64_t index, struct bytes entry,
		   struct merkle_hash keys[STORE_KEYS_MAX]);

/* A batch of n entries on `start`, complete but for its commit, which makes the tree *next. */
enum vt_err growth_batch(struct store_batch **out, struct tree_state *next, struct store *s,
			 const struct tree_state *start, const struct growth *g, size_t n);
/* The same, committed. *state advances if that succeeds. */
enum vt_err growth_commit(struct store *s, struct tree_state *state, const struct growth *g,
			  size_t n);

/*
 * Is what the reader sees a log of this history, complete in itself: every entry and its keys,
 * every tile hash, the range and the root, all recomputed? NULL, or what is wrong. *size is how
 * large it is.
 */
const char *growth_wrong(struct store_reader *r, const struct growth *g, uint64_t *size);

#endif
