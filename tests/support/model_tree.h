/*
 * Trees written straight from the text of RFC 6962 and draft-ietf-plants-merkle-tree-certs, to hold
 * the library against: recursive, slow, and sharing nothing with it but the two hash functions.
 */
#ifndef VITRINE_TEST_MODEL_TREE_H
#define VITRINE_TEST_MODEL_TREE_H

#include "vitrine/merkle.h"

enum {
	MODEL_DENSE_MAX = 300,
	MODEL_SPECIAL_MAX = 64,
	MODEL_CACHE_SIZE = 1 << 14,
};

struct model_tree {
	struct merkle_hasher h;

	/* Dense: leaf i is the hash of the decimal of i. MTH of every pair, once known. */
	struct merkle_hash *dense;
	bool *known;

	/* Sparse: all leaves are equal but for the special ones (sorted), so a perfect subtree
	 * without one has one hash per height; the others are cached. */
	uint64_t special[MODEL_SPECIAL_MAX];
	size_t n_special;
	struct merkle_hash plain[64];
	struct model_cached {
		bool used;
		struct merkle_node_id id;
		struct merkle_hash hash;
	} * cache;
};

/* Of up to MODEL_DENSE_MAX leaves. */
void model_tree_dense(struct model_tree *t);
/* Of any 64-bit number of leaves, n of them special. */
void model_tree_sparse(struct model_tree *t, const uint64_t *special, size_t n);
void model_tree_release(struct model_tree *t);

/* MTH(D[lo:hi]). */
struct merkle_hash model_mth(struct model_tree *t, uint64_t lo, uint64_t hi);
/* PATH(m, D[lo:hi]) appended to p; m counts from lo. */
void model_path(struct model_tree *t, struct merkle_proof *p, uint64_t m, uint64_t lo, uint64_t hi);
/* PROOF(m, D[n]), 0 < m <= n, appended to p. */
void model_consistency(struct model_tree *t, struct merkle_proof *p, uint64_t m, uint64_t n);
/* SUBTREE_PROOF(start, end, D[n]), start < end <= n, appended to p. */
void model_subtree_consistency(struct model_tree *t, struct merkle_proof *p, uint64_t start,
			       uint64_t end, uint64_t n);
/* "start is a multiple of the smallest power of two that is greater than or equal to end - start"
 */
bool model_is_subtree(uint64_t start, uint64_t end);
struct merkle_hash model_node(struct model_tree *t, struct merkle_node_id id);

/* splitmix64: a fixed seed gives a fixed test on every machine. */
uint64_t model_random(uint64_t *state);

#endif
