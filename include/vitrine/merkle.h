/*
 * Merkle trees as RFC 6962 section 2 and RFC 9162 section 2.1 define them, over SHA-256: hashing,
 * the compact range that appends, and inclusion, consistency and subtree proofs.
 *
 * Nothing here allocates, blocks, logs or keeps state of its own; the caller owns every struct.
 * Sizes and indexes are counts of leaves, any 64-bit value. One hasher serves one thread at a time.
 *
 * A node (height, index) is the perfect subtree over the leaves [index << height,
 * (index + 1) << height): height 0 is a leaf hash. Proofs are made in three steps, so that the
 * reading in between can be anything: plan which perfect nodes are needed, read them, build.
 */
#ifndef VITRINE_MERKLE_H
#define VITRINE_MERKLE_H

#include "vitrine/bytes.h"

enum {
	MERKLE_HASH_SIZE = 32,
	MERKLE_RANGE_MAX = 64, /* nodes of a compact range of any 64-bit size */
	MERKLE_PROOF_MAX = 65, /* hashes of any proof: 64 levels and a consistency proof's seed */
	MERKLE_PLAN_MAX = 130, /* perfect nodes that any one proof is built from */
};

struct merkle_hash {
	uint8_t b[MERKLE_HASH_SIZE];
};

/* A size and the root hash of the first `size` leaves. */
struct tree_head {
	uint64_t size;
	struct merkle_hash root;
};

struct merkle_node_id {
	unsigned height;
	uint64_t index;
};

/* A reusable SHA-256 context: fetched once, because fetching costs more than hashing a node. */
struct merkle_hasher {
	void *md;
	void *ctx;
};

enum vt_err merkle_hasher_init(struct merkle_hasher *h);
void merkle_hasher_release(struct merkle_hasher *h);

bool merkle_hash_equal(const struct merkle_hash *a, const struct merkle_hash *b);
bool tree_head_equal(const struct tree_head *a, const struct tree_head *b);

/* SHA-256(0x00 || entry), the leaf hash. */
enum vt_err merkle_hash_leaf(struct merkle_hash *out, struct merkle_hasher *h, struct bytes entry);
/* SHA-256(0x01 || left || right). out may be one of the inputs. */
enum vt_err merkle_hash_node(struct merkle_hash *out, struct merkle_hasher *h,
			     const struct merkle_hash *left, const struct merkle_hash *right);
/* SHA-256 of nothing: the root of the empty tree. */
enum vt_err merkle_hash_empty(struct merkle_hash *out, struct merkle_hasher *h);
/* Plain SHA-256 of the concatenation of part[0..n). */
enum vt_err merkle_sha256(struct merkle_hash *out, struct merkle_hasher *h,
			  const struct bytes *part, size_t n);

/* Roots of the maximal perfect subtrees of leaves [0, size), widest first.
 * Invariant: n == popcount(size). A range read from elsewhere that breaks it is refused with
 * VT_EINTERNAL by both functions below. */
struct merkle_range {
	uint64_t size;
	size_t n;
	struct merkle_hash node[MERKLE_RANGE_MAX];
};

/* Called once for every perfect node that an append completes, lower heights first. */
typedef enum vt_err (*merkle_emit_fn)(void *ctx, struct merkle_node_id id,
				      const struct merkle_hash *hash);

void merkle_range_init(struct merkle_range *r); /* the empty tree */
/* Append one leaf hash. emit may be NULL; its error is returned. On error *r is unchanged.
 * VT_ELIMIT: size is 2^64 - 1 already. */
enum vt_err merkle_range_append(struct merkle_range *r, struct merkle_hasher *h,
				const struct merkle_hash *leaf, merkle_emit_fn emit, void *ctx);
enum vt_err merkle_range_root(struct merkle_hash *out, struct merkle_hasher *h,
			      const struct merkle_range *r);

/* An inclusion, consistency or subtree proof: hashes in the order RFC 6962 gives them. */
struct merkle_proof {
	size_t n;
	struct merkle_hash hash[MERKLE_PROOF_MAX];
};

/* Which perfect nodes to read, and how they fold into the proof: hash i of the proof is made of
 * the next span[i] nodes, widest first. Plans for a root have one span. */
struct merkle_plan {
	size_t n;
	struct merkle_node_id node[MERKLE_PLAN_MAX];
	size_t n_spans;
	uint8_t span[MERKLE_PROOF_MAX];
};

/* VT_EINVAL unless index < size. */
enum vt_err proof_plan_inclusion(struct merkle_plan *plan, uint64_t index, uint64_t size);
/* VT_EINVAL unless first <= second. first 0 or first == second: an empty proof. */
enum vt_err proof_plan_consistency(struct merkle_plan *plan, uint64_t first, uint64_t second);
/* Subtrees [start, end) are as draft-ietf-plants-merkle-tree-certs defines them: start is a multiple
 * of the smallest power of two >= end - start. VT_EINVAL unless valid, and index inside it. An empty
 * one, start == end, is a subtree of every tree that reaches it; its consistency proof is empty. */
enum vt_err proof_plan_subtree_inclusion(struct merkle_plan *plan, uint64_t index, uint64_t start,
					 uint64_t end);
/* From the subtree [start, end) to the tree of `size` leaves. */
enum vt_err proof_plan_subtree_consistency(struct merkle_plan *plan, uint64_t start, uint64_t end,
					   uint64_t size);
/* The perfect nodes that make the root at `size` (none for the empty tree). */
enum vt_err proof_plan_root(struct merkle_plan *plan, uint64_t size);

/* node[i] is the hash of plan->node[i]. */
enum vt_err proof_build(struct merkle_proof *out, struct merkle_hasher *h,
			const struct merkle_plan *plan, const struct merkle_hash *node);
enum vt_err proof_build_root(struct merkle_hash *out, struct merkle_hasher *h,
			     const struct merkle_plan *plan, const struct merkle_hash *node);

/* All of these: VT_OK it holds; VT_EMISMATCH it does not (wrong length included); VT_EINVAL the
 * numbers can belong to no tree, or (consistency) first->size is 0: every tree extends the empty
 * one, so such a proof would hold for any second root. A caller whose first head is empty has
 * nothing to verify and must know that. Equal sizes: the proof is empty and the roots are equal. */
enum vt_err proof_verify_inclusion(struct merkle_hasher *h, const struct merkle_proof *proof,
				   uint64_t index, const struct merkle_hash *leaf,
				   const struct tree_head *head);
/* The root that this proof leads to: what proof_verify_inclusion compares. */
enum vt_err proof_root_from_inclusion(struct merkle_hash *out, struct merkle_hasher *h,
				      const struct merkle_proof *proof, uint64_t index,
				      const struct merkle_hash *leaf, uint64_t size);
enum vt_err proof_verify_consistency(struct merkle_hasher *h, const struct merkle_proof *proof,
				     const struct tree_head *first, const struct tree_head *second);
enum vt_err proof_verify_subtree_inclusion(struct merkle_hasher *h,
					   const struct merkle_proof *proof, uint64_t index,
					   const struct merkle_hash *leaf, uint64_t start,
					   uint64_t end, const struct merkle_hash *subtree_root);
enum vt_err proof_verify_subtree_consistency(struct merkle_hasher *h,
					     const struct merkle_proof *proof, uint64_t start,
					     uint64_t end, const struct merkle_hash *subtree_root,
					     const struct tree_head *head);

#endif
