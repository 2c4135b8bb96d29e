/*
 * Inclusion, consistency and subtree proofs. All of them are one walk: from the root of a tree down
 * to a target, noting the sibling at every step. A plan names the perfect nodes of those siblings;
 * a verifier needs only their sides.
 */
#include "vitrine/merkle.h"

/* Leaves [start, end). */
struct span {
	uint64_t start;
	uint64_t end;
};

enum side {
	SIDE_RIGHT,  /* the sibling is right of the path, outside the target */
	SIDE_LEFT,   /* left of the path, outside the target */
	SIDE_INSIDE, /* left of the path, and part of the target */
};

/* The way from a tree to a target in it, top down. A proof has its hashes bottom up: step[0] is the
 * last one. */
struct walk {
	size_t n;
	struct {
		struct span sibling;
		enum side side;
	} step[MERKLE_PROOF_MAX - 1];
	struct span bottom; /* where the walk ended */
	bool seeded;        /* bottom is only a part of the target: the proof has its hash first */
};

/* RFC 6962 section 2.1: "let k be the largest power of two smaller than n". n > 1. */
static uint64_t split(uint64_t n)
{
	return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* "start is a multiple of the smallest power of two that is greater than or equal to end - start".
 * An empty one is a subtree too. */
static bool is_subtree(struct span s)
{
	uint64_t len = s.end - s.start;
	uint64_t below = len < 2 ? 0 : UINT64_MAX >> __builtin_clzll(len - 1);

	return s.start <= s.end && (s.start & below) == 0;
}

/*
 * From `tree` to `target`, both subtrees, the target inside the tree and not empty.
 *
 * draft-ietf-plants-merkle-tree-certs, SUBTREE_SUBPROOF; RFC 6962 section 2.1.2 is the case
 * start == 0, and PATH of section 2.1.1 is the case of one leaf, which no split divides. At most 64
 * steps: each one halves the power of two that the remaining tree fits into.
 */
static void walk_to(struct walk *w, struct span tree, struct span target)
{
	w->n = 0;
	w->seeded = false;
	while (target.start != tree.start || target.end != tree.end) {
		uint64_t mid = tree.start + split(tree.end - tree.start);
		struct span left = {tree.start, mid}, right = {mid, tree.end};
		size_t i = w->n++;

		if (target.end <= mid) {
			w->step[i].sibling = right;
			w->step[i].side = SIDE_RIGHT;
			tree = left;
			continue;
		}
		w->step[i].sibling = left;
		w->step[i].side = SIDE_LEFT;
		tree = right;
		if (target.start < mid) {
			/* A subtree that is divided starts where its tree does. */
			w->step[i].side = SIDE_INSIDE;
			target.start = mid;
			w->seeded = true;
		}
	}
	w->bottom = tree;
}

static size_t walk_hashes(const struct walk *w)
{
	return w->n + (w->seeded ? 1 : 0);
}

/* One hash of the proof: the perfect nodes of a subtree, widest first. */
static enum vt_err plan_add(struct merkle_plan *plan, struct span s)
{
	uint8_t n = 0;

	while (s.start != s.end) {
		unsigned height = 63 - (unsigned)__builtin_clzll(s.end - s.start);

		if (plan->n == MERKLE_PLAN_MAX)
			return VT_EINTERNAL;
		plan->node[plan->n++] =
		    (struct merkle_node_id){.height = height, .index = s.start >> height};
		s.start += UINT64_C(1) << height;
		n++;
	}
	plan->span[plan->n_spans++] = n;
	return VT_OK;
}

static void plan_clear(struct merkle_plan *plan)
{
	plan->n = 0;
	plan->n_spans = 0;
}

static enum vt_err plan_walk(struct merkle_plan *plan, struct span tree, struct span target)
{
	struct walk w;
	enum vt_err err;

	walk_to(&w, tree, target);
	if (w.seeded && (err = plan_add(plan, w.bottom)) != VT_OK)
		return err;
	for (size_t i = w.n; i-- > 0;)
		if ((err = plan_add(plan, w.step[i].sibling)) != VT_OK)
			return err;
	return VT_OK;
}

enum vt_err proof_plan_subtree_inclusion(struct merkle_plan *plan, uint64_t index, uint64_t start,
					 uint64_t end)
{
	struct span tree = {start, end};

	plan_clear(plan);
	if (!is_subtree(tree) || index < start || index >= end)
		return VT_EINVAL;
	return plan_walk(plan, tree, (struct span){index, index + 1});
}

enum vt_err proof_plan_inclusion(struct merkle_plan *plan, uint64_t index, uint64_t size)
{
	return proof_plan_subtree_inclusion(plan, index, 0, size);
}

enum vt_err proof_plan_subtree_consistency(struct merkle_plan *plan, uint64_t start, uint64_t end,
					   uint64_t size)
{
	struct span target = {start, end};

	plan_clear(plan);
	if (!is_subtree(target) || end > size)
		return VT_EINVAL;
	if (start == end)
		return VT_OK;
	return plan_walk(plan, (struct span){0, size}, target);
}

enum vt_err proof_plan_consistency(struct merkle_plan *plan, uint64_t first, uint64_t second)
{
	return proof_plan_subtree_consistency(plan, 0, first, second);
}

enum vt_err proof_plan_root(struct merkle_plan *plan, uint64_t size)
{
	plan_clear(plan);
	return size == 0 ? VT_OK : plan_add(plan, (struct span){0, size});
}

/* The hash of a subtree from its n > 0 perfect nodes, widest first. */
static enum vt_err fold(struct merkle_hash *out, struct merkle_hasher *h,
			const struct merkle_hash *node, size_t n)
{
	enum vt_err err;

	*out = node[n - 1];
	for (size_t i = n - 1; i-- > 0;)
		if ((err = merkle_hash_node(out, h, &node[i], out)) != VT_OK)
			return err;
	return VT_OK;
}

enum vt_err proof_build(struct merkle_proof *out, struct merkle_hasher *h,
			const struct merkle_plan *plan, const struct merkle_hash *node)
{
	enum vt_err err;
	size_t at = 0;

	out->n = 0;
	if (plan->n > MERKLE_PLAN_MAX || plan->n_spans > MERKLE_PROOF_MAX)
		return VT_EINVAL;
	for (size_t i = 0; i < plan->n_spans; i++) {
		if (plan->span[i] == 0 || plan->span[i] > plan->n - at)
			return VT_EINVAL;
		if ((err = fold(&out->hash[i], h, node + at, plan->span[i])) != VT_OK)
			return err;
		at += plan->span[i];
	}
	if (at != plan->n)
		return VT_EINVAL;
	out->n = plan->n_spans;
	return VT_OK;
}

enum vt_err proof_build_root(struct merkle_hash *out, struct merkle_hasher *h,
			     const struct merkle_plan *plan, const struct merkle_hash *node)
{
	if (plan->n == 0 && plan->n_spans == 0)
		return merkle_hash_empty(out, h);
	if (plan->n_spans != 1 || plan->span[0] != plan->n || plan->n == 0 ||
	    plan->n > MERKLE_PLAN_MAX)
		return VT_EINVAL;
	return fold(out, h, node, plan->n);
}

/* The root of `tree` that a proof leads to from one of its leaves. */
static enum vt_err root_from_leaf(struct merkle_hash *out, struct merkle_hasher *h,
				  const struct merkle_proof *proof, uint64_t index,
				  const struct merkle_hash *leaf, struct span tree)
{
	struct merkle_hash root = *leaf;
	enum vt_err err;
	struct walk w;

	if (!is_subtree(tree) || index < tree.start || index >= tree.end)
		return VT_EINVAL;
	walk_to(&w, tree, (struct span){index, index + 1});
	if (proof->n != w.n)
		return VT_EMISMATCH;
	for (size_t i = 0; i < w.n; i++) {
		const struct merkle_hash *p = &proof->hash[i];
		bool right = w.step[w.n - 1 - i].side == SIDE_RIGHT;

		if ((err = merkle_hash_node(&root, h, right ? &root : p, right ? p : &root)) !=
		    VT_OK)
			return err;
	}
	*out = root;
	return VT_OK;
}

enum vt_err proof_root_from_inclusion(struct merkle_hash *out, struct merkle_hasher *h,
				      const struct merkle_proof *proof, uint64_t index,
				      const struct merkle_hash *leaf, uint64_t size)
{
	return root_from_leaf(out, h, proof, index, leaf, (struct span){0, size});
}

enum vt_err proof_verify_subtree_inclusion(struct merkle_hasher *h,
					   const struct merkle_proof *proof, uint64_t index,
					   const struct merkle_hash *leaf, uint64_t start,
					   uint64_t end, const struct merkle_hash *subtree_root)
{
	struct merkle_hash root;
	enum vt_err err;

	if ((err = root_from_leaf(&root, h, proof, index, leaf, (struct span){start, end})) !=
	    VT_OK)
		return err;
	return merkle_hash_equal(&root, subtree_root) ? VT_OK : VT_EMISMATCH;
}

enum vt_err proof_verify_inclusion(struct merkle_hasher *h, const struct merkle_proof *proof,
				   uint64_t index, const struct merkle_hash *leaf,
				   const struct tree_head *head)
{
	return proof_verify_subtree_inclusion(h, proof, index, leaf, 0, head->size, &head->root);
}

/* Follow a consistency proof up, making the target's root from its parts and the tree's from all.
 */
static enum vt_err follow(struct merkle_hash *target_root, struct merkle_hash *tree_root,
			  struct merkle_hasher *h, const struct walk *w,
			  const struct merkle_hash *p)
{
	enum vt_err err;

	for (size_t i = w->n; i-- > 0; p++) {
		enum side side = w->step[i].side;
		bool right = side == SIDE_RIGHT;

		if (side == SIDE_INSIDE &&
		    (err = merkle_hash_node(target_root, h, p, target_root)) != VT_OK)
			return err;
		if ((err = merkle_hash_node(tree_root, h, right ? tree_root : p,
					    right ? p : tree_root)) != VT_OK)
			return err;
	}
	return VT_OK;
}

enum vt_err proof_verify_subtree_consistency(struct merkle_hasher *h,
					     const struct merkle_proof *proof, uint64_t start,
					     uint64_t end, const struct merkle_hash *subtree_root,
					     const struct tree_head *head)
{
	struct span target = {start, end};
	struct merkle_hash target_root, tree_root;
	enum vt_err err;
	struct walk w;

	if (!is_subtree(target) || end > head->size)
		return VT_EINVAL;
	if (start == end) {
		/* Every tree has every empty subtree: there is nothing to prove about this one. */
		if ((err = merkle_hash_empty(&target_root, h)) != VT_OK)
			return err;
		return proof->n == 0 && merkle_hash_equal(&target_root, subtree_root)
			   ? VT_OK
			   : VT_EMISMATCH;
	}
	walk_to(&w, (struct span){0, head->size}, target);
	if (proof->n != walk_hashes(&w))
		return VT_EMISMATCH;
	target_root = tree_root = w.seeded ? proof->hash[0] : *subtree_root;
	if ((err = follow(&target_root, &tree_root, h, &w, proof->hash + (w.seeded ? 1 : 0))) !=
	    VT_OK)
		return err;
	return merkle_hash_equal(&target_root, subtree_root) &&
		       merkle_hash_equal(&tree_root, &head->root)
		   ? VT_OK
		   : VT_EMISMATCH;
}

enum vt_err proof_verify_consistency(struct merkle_hasher *h, const struct merkle_proof *proof,
				     const struct tree_head *first, const struct tree_head *second)
{
	/* RFC 6962 section 2.1.2 has "0 < m": every tree extends the empty one, so a proof from it
	 * would hold whatever the second root is. */
	if (first->size == 0)
		return VT_EINVAL;
	return proof_verify_subtree_consistency(h, proof, 0, first->size, &first->root, second);
}
