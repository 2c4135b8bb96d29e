/*
 * The compact range: what appends. The second path to a root (tile_root) must be able to
 * contradict this file, so neither it nor the proofs use anything from here.
 */
#include "vitrine/merkle.h"

static bool range_holds(const struct merkle_range *r)
{
	return r->n == (size_t)__builtin_popcountll(r->size);
}

void merkle_range_init(struct merkle_range *r)
{
	r->size = 0;
	r->n = 0;
}

enum vt_err merkle_range_append(struct merkle_range *r, struct merkle_hasher *h,
				const struct merkle_hash *leaf, merkle_emit_fn emit, void *ctx)
{
	struct merkle_node_id id = {.height = 0, .index = r->size};
	struct merkle_hash hash = *leaf;
	size_t n = r->n;
	enum vt_err err;

	if (!range_holds(r))
		return VT_EINTERNAL;
	if (r->size == UINT64_MAX)
		return VT_ELIMIT;
	if (emit != NULL && (err = emit(ctx, id, &hash)) != VT_OK)
		return err;
	/* Each trailing one bit of size is a perfect subtree that the new node completes a pair
	 * with. */
	while ((id.index & 1) != 0) {
		if ((err = merkle_hash_node(&hash, h, &r->node[--n], &hash)) != VT_OK)
			return err;
		id.height++;
		id.index >>= 1;
		if (emit != NULL && (err = emit(ctx, id, &hash)) != VT_OK)
			return err;
	}
	r->node[n] = hash;
	r->n = n + 1;
	r->size++;
	return VT_OK;
}

enum vt_err merkle_range_root(struct merkle_hash *out, struct merkle_hasher *h,
			      const struct merkle_range *r)
{
	struct merkle_hash root;
	enum vt_err err;

	if (!range_holds(r))
		return VT_EINTERNAL;
	if (r->n == 0)
		return merkle_hash_empty(out, h);
	root = r->node[r->n - 1];
	for (size_t i = r->n - 1; i-- > 0;)
		if ((err = merkle_hash_node(&root, h, &r->node[i], &root)) != VT_OK)
			return err;
	*out = root;
	return VT_OK;
}
