/*
 * Every proof that the library plans, reads, builds and verifies, held against the recursive
 * definitions: all of them in small trees, random ones in large ones.
 */
#include "vitrine_test.h"

#include <stdlib.h>
#include <string.h>

#include "model_tree.h"
#include "vitrine/tile.h"

enum {
	SUBTREE_SIZES = 130, /* every subtree of every tree up to this size */
	SPARSE_TREES = 8,
	SPARSE_TRIALS = 250, /* per tree and kind of proof */
};

static const uint64_t seeds[SPARSE_TREES] = {1, 2, 3, 5, 8, 13, 0xdecaf, 0x5eed};

/* A tree whose tiles are made on demand. */
struct tiled {
	struct model_tree *tree;
	uint64_t size;
	struct tile_id last;
	unsigned reads;
};

static enum vt_err read_tile(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	struct tiled *t = ctx;
	uint64_t hashes = t->size >> 8 * id->level;

	assert_false(id->entries);
	/* tlog-tiles: "The partial tile at level l for a tree of size s has floor(s / 256**l) mod
	 * 256 entries." */
	assert_true(id->index <= hashes / 256);
	assert_int_equal(id->width, id->index < hashes / 256 ? 256 : hashes % 256);
	assert_true(id->width != 0);
	/* A neighbour in the plan must not read the same tile again. */
	assert_false(t->reads != 0 && id->level == t->last.level && id->index == t->last.index);
	for (unsigned i = 0; i < id->width; i++)
		out[i] = model_node(t->tree,
				    (struct merkle_node_id){8 * id->level, id->index * 256 + i});
	t->last = *id;
	t->reads++;
	return VT_OK;
}

static void assert_same(const struct merkle_proof *a, const struct merkle_proof *b)
{
	assert_int_equal(a->n, b->n);
	assert_memory_equal(a->hash, b->hash, a->n * sizeof(a->hash[0]));
}

/* Build a planned proof from nodes, and from the tiles of a tree of tile_size leaves. */
static void assert_builds(struct model_tree *t, const struct merkle_plan *plan,
			  const struct merkle_proof *want, uint64_t tile_size)
{
	struct tiled tiled = {.tree = t, .size = tile_size};
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_proof got;

	for (size_t i = 0; i < plan->n; i++)
		node[i] = model_node(t, plan->node[i]);
	assert_int_equal(proof_build(&got, &t->h, plan, node), VT_OK);
	assert_same(&got, want);
	memset(node, 0, sizeof(node));
	assert_int_equal(tile_read_plan(node, &t->h, plan, tile_size, read_tile, &tiled), VT_OK);
	assert_int_equal(proof_build(&got, &t->h, plan, node), VT_OK);
	assert_same(&got, want);
}

/* Ways to break a proof; each must make it fail. */
static bool spoil(struct merkle_proof *p, unsigned how, uint64_t random)
{
	switch (how) {
	case 0:
		if (p->n == 0)
			return false;
		p->hash[random % p->n].b[random / 64 % 32] ^= (uint8_t)(1U << random / 2048 % 8);
		return true;
	case 1:
		if (p->n == 0)
			return false;
		p->n--;
		return true;
	case 2:
		if (p->n == MERKLE_PROOF_MAX)
			return false;
		memset(&p->hash[p->n++], 0, sizeof(p->hash[0]));
		return true;
	case 3: /* one hash too many in front: the rest would still fit */
		if (p->n == 0 || p->n == MERKLE_PROOF_MAX)
			return false;
		memmove(p->hash + 1, p->hash, p->n * sizeof(p->hash[0]));
		p->n++;
		return true;
	}
	return false;
}

static void check_inclusion(struct model_tree *t, uint64_t index, uint64_t start, uint64_t end,
			    uint64_t tile_size, uint64_t random)
{
	struct merkle_hash leaf = model_mth(t, index, index + 1), other = leaf, root;
	struct tree_head head = {.size = end, .root = model_mth(t, start, end)};
	struct merkle_proof want = {0};
	struct merkle_plan plan;

	model_path(t, &want, index - start, start, end);
	assert_int_equal(proof_plan_subtree_inclusion(&plan, index, start, end), VT_OK);
	assert_builds(t, &plan, &want, tile_size);
	other.b[random % 32] ^= 1;
	assert_int_equal(
	    proof_verify_subtree_inclusion(&t->h, &want, index, &leaf, start, end, &head.root),
	    VT_OK);
	assert_int_equal(
	    proof_verify_subtree_inclusion(&t->h, &want, index, &other, start, end, &head.root),
	    VT_EMISMATCH);
	if (start == 0) {
		struct merkle_plan whole;

		assert_int_equal(proof_plan_inclusion(&whole, index, end), VT_OK);
		assert_builds(t, &whole, &want, tile_size);
		assert_int_equal(proof_verify_inclusion(&t->h, &want, index, &leaf, &head), VT_OK);
		assert_int_equal(proof_root_from_inclusion(&root, &t->h, &want, index, &leaf, end),
				 VT_OK);
		assert_true(merkle_hash_equal(&root, &head.root));
	}
	for (unsigned how = 0; how < 4; how++) {
		struct merkle_proof bad = want;

		if (spoil(&bad, how, random))
			assert_int_equal(proof_verify_subtree_inclusion(&t->h, &bad, index, &leaf,
									start, end, &head.root),
					 VT_EMISMATCH);
	}
	head.root.b[random % 32] ^= 0x80;
	assert_int_equal(
	    proof_verify_subtree_inclusion(&t->h, &want, index, &leaf, start, end, &head.root),
	    VT_EMISMATCH);
}

static void check_subtree_consistency(struct model_tree *t, uint64_t start, uint64_t end,
				      uint64_t size, uint64_t tile_size, uint64_t random)
{
	struct merkle_hash subtree = model_mth(t, start, end);
	struct tree_head head = {.size = size, .root = model_mth(t, 0, size)};
	struct merkle_proof want = {0};
	struct merkle_plan plan;

	model_subtree_consistency(t, &want, start, end, size);
	assert_int_equal(proof_plan_subtree_consistency(&plan, start, end, size), VT_OK);
	assert_builds(t, &plan, &want, tile_size);
	assert_int_equal(
	    proof_verify_subtree_consistency(&t->h, &want, start, end, &subtree, &head), VT_OK);
	for (unsigned how = 0; how < 4; how++) {
		struct merkle_proof bad = want;

		if (spoil(&bad, how, random))
			assert_int_equal(proof_verify_subtree_consistency(&t->h, &bad, start, end,
									  &subtree, &head),
					 VT_EMISMATCH);
	}
	subtree.b[random % 32] ^= 0x10;
	assert_int_equal(
	    proof_verify_subtree_consistency(&t->h, &want, start, end, &subtree, &head),
	    VT_EMISMATCH);
	subtree.b[random % 32] ^= 0x10;
	head.root.b[random % 32] ^= 0x01;
	assert_int_equal(
	    proof_verify_subtree_consistency(&t->h, &want, start, end, &subtree, &head),
	    VT_EMISMATCH);
}

static void check_consistency(struct model_tree *t, uint64_t first, uint64_t second,
			      uint64_t tile_size, uint64_t random)
{
	struct tree_head a = {.size = first, .root = model_mth(t, 0, first)};
	struct tree_head b = {.size = second, .root = model_mth(t, 0, second)};
	struct merkle_proof want = {0};
	struct merkle_plan plan;

	model_consistency(t, &want, first, second);
	assert_int_equal(proof_plan_consistency(&plan, first, second), VT_OK);
	assert_builds(t, &plan, &want, tile_size);
	assert_int_equal(proof_verify_consistency(&t->h, &want, &a, &b), VT_OK);
	for (unsigned how = 0; how < 4; how++) {
		struct merkle_proof bad = want;

		if (spoil(&bad, how, random))
			assert_int_equal(proof_verify_consistency(&t->h, &bad, &a, &b),
					 VT_EMISMATCH);
	}
	a.root.b[random % 32] ^= 0x02;
	assert_int_equal(proof_verify_consistency(&t->h, &want, &a, &b), VT_EMISMATCH);
	a.root.b[random % 32] ^= 0x02;
	b.root.b[random % 32] ^= 0x04;
	assert_int_equal(proof_verify_consistency(&t->h, &want, &a, &b), VT_EMISMATCH);
}

static struct model_tree dense;

static int set_up_dense(void **state)
{
	(void)state;
	model_tree_dense(&dense);
	return 0;
}

static int tear_down_dense(void **state)
{
	(void)state;
	model_tree_release(&dense);
	return 0;
}

static void every_inclusion_proof_up_to_300_is_the_recursive_one(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (uint64_t size = 1; size <= MODEL_DENSE_MAX; size++)
		for (uint64_t index = 0; index < size; index++)
			check_inclusion(&dense, index, 0, size,
					model_random(&random) % 2 ? size : MODEL_DENSE_MAX,
					model_random(&random));
}

static void every_consistency_proof_up_to_300_is_the_recursive_one(void **state)
{
	uint64_t random = 11;

	(void)state;
	for (uint64_t second = 1; second <= MODEL_DENSE_MAX; second++)
		for (uint64_t first = 1; first <= second; first++)
			check_consistency(&dense, first, second,
					  model_random(&random) % 2 ? second : MODEL_DENSE_MAX,
					  model_random(&random));
}

static void every_subtree_proof_is_the_recursive_one(void **state)
{
	uint64_t random = 13;
	unsigned subtrees = 0;

	(void)state;
	for (uint64_t end = 1; end <= SUBTREE_SIZES; end++) {
		for (uint64_t start = 0; start < end; start++) {
			if (!model_is_subtree(start, end))
				continue;
			subtrees++;
			for (uint64_t index = start; index < end; index++)
				check_inclusion(&dense, index, start, end, end,
						model_random(&random));
			for (uint64_t size = end; size <= SUBTREE_SIZES; size++)
				check_subtree_consistency(&dense, start, end, size, size,
							  model_random(&random));
		}
	}
	assert_true(subtrees > SUBTREE_SIZES);
}

static void ranges_that_are_no_subtrees_are_refused(void **state)
{
	struct merkle_proof p = {0};
	struct merkle_plan plan;
	struct merkle_hash hash = {0};
	unsigned refused = 0;

	(void)state;
	for (uint64_t end = 0; end <= SUBTREE_SIZES; end++) {
		for (uint64_t start = 0; start <= SUBTREE_SIZES; start++) {
			struct tree_head head = {.size = SUBTREE_SIZES};

			if (start <= end && model_is_subtree(start, end))
				continue;
			refused++;
			assert_int_equal(proof_plan_subtree_inclusion(&plan, start, start, end),
					 VT_EINVAL);
			assert_int_equal(
			    proof_plan_subtree_consistency(&plan, start, end, SUBTREE_SIZES),
			    VT_EINVAL);
			assert_int_equal(proof_verify_subtree_inclusion(&dense.h, &p, start, &hash,
									start, end, &hash),
					 VT_EINVAL);
			assert_int_equal(proof_verify_subtree_consistency(&dense.h, &p, start, end,
									  &hash, &head),
					 VT_EINVAL);
		}
	}
	assert_true(refused > SUBTREE_SIZES);
}

/* Leaves differ, so a proof can hold for one index only. */
static void a_proof_holds_at_its_own_index_only(void **state)
{
	(void)state;
	for (uint64_t size = 1; size <= 70; size++) {
		struct tree_head head = {.size = size, .root = model_mth(&dense, 0, size)};

		for (uint64_t index = 0; index < size; index++) {
			struct merkle_hash leaf = model_mth(&dense, index, index + 1);
			struct merkle_proof p = {0};

			model_path(&dense, &p, index, 0, size);
			for (uint64_t at = 0; at < size; at++)
				assert_int_equal(
				    proof_verify_inclusion(&dense.h, &p, at, &leaf, &head) == VT_OK,
				    at == index);
		}
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* 1 to 2^40, of any magnitude, often next to a power of two. */
static uint64_t random_size(uint64_t *random)
{
	uint64_t bits = model_random(random) % 41;
	uint64_t size = (UINT64_C(1) << bits) - 1 + model_random(random) % 3;

	if (model_random(random) % 4 != 0)
		size = model_random(random) % (UINT64_C(1) << bits) + 1;
	if (size == 0)
		return 1;
	return size > UINT64_C(1) << 40 ? UINT64_C(1) << 40 : size;
}

/* Anywhere below size, or beside a special leaf. */
static uint64_t random_index(const struct model_tree *t, uint64_t *random, uint64_t size)
{
	uint64_t index = model_random(random);

	if (model_random(random) % 2 == 0)
		index = t->special[index % t->n_special] + model_random(random) % 3 - 1;
	return index % size;
}

static void make_sparse(struct model_tree *t, uint64_t *random)
{
	uint64_t special[MODEL_SPECIAL_MAX];
	size_t n = 0;

	/* Half of them anywhere, half where small trees have them too. */
	for (size_t i = 0; i < MODEL_SPECIAL_MAX; i++)
		special[i] = i % 2 ? random_size(random) : model_random(random) >> 24;
	qsort(special, MODEL_SPECIAL_MAX, sizeof(special[0]), by_value);
	for (size_t i = 0; i < MODEL_SPECIAL_MAX; i++)
		if (n == 0 || special[n - 1] != special[i])
			special[n++] = special[i];
	model_tree_sparse(t, special, n);
}

/* The largest subtree end below size for a random start, or the whole tree. */
static void random_subtree(uint64_t *random, uint64_t size, uint64_t *start, uint64_t *end)
{
	unsigned height = (unsigned)(model_random(random) % 41);
	uint64_t width = UINT64_C(1) << height;

	*start = model_random(random) % size >> height << height;
	/* More than half of width: else a smaller power of two would do, which is valid as well. */
	*end = *start + 1 + model_random(random) % width;
	if (*end > size)
		*end = size;
}

static void random_proofs_up_to_2_40_are_the_recursive_ones(void **state)
{
	(void)state;
	for (size_t i = 0; i < SPARSE_TREES; i++) {
		uint64_t random = seeds[i];
		struct model_tree t;

		print_message("seed %llu\n", (unsigned long long)seeds[i]);
		make_sparse(&t, &random);
		for (unsigned trial = 0; trial < SPARSE_TRIALS; trial++) {
			uint64_t size = random_size(&random);
			uint64_t larger = size + random_size(&random);
			uint64_t first = random_index(&t, &random, size) + 1;
			uint64_t start, end;

			check_inclusion(&t, random_index(&t, &random, size), 0, size,
					trial % 2 ? size : larger, model_random(&random));
			check_consistency(&t, first, size, trial % 2 ? size : larger,
					  model_random(&random));
			random_subtree(&random, size, &start, &end);
			assert_true(model_is_subtree(start, end));
			check_subtree_consistency(&t, start, end, size, trial % 2 ? size : larger,
						  model_random(&random));
			check_inclusion(&t, start + model_random(&random) % (end - start), start,
					end, trial % 2 ? size : larger, model_random(&random));
		}
		model_tree_release(&t);
	}
}

/* Where 64-bit arithmetic could go wrong. Ascending. */
static const uint64_t edges[] = {
    1,
    2,
    3,
    255,
    256,
    257,
    UINT64_C(1) << 32,
    (UINT64_C(1) << 56) - 1,
    UINT64_C(1) << 56,
    (UINT64_C(1) << 56) + 1,
    (UINT64_C(1) << 62) + 1,
    (UINT64_C(1) << 63) - 2,
    (UINT64_C(1) << 63) - 1,
    UINT64_C(1) << 63,
    (UINT64_C(1) << 63) + 1,
    UINT64_C(0xaaaaaaaaaaaaaaaa),
    (UINT64_C(1) << 63) + (UINT64_C(1) << 62) + 3,
    UINT64_MAX - 256,
    UINT64_MAX - 255,
    UINT64_MAX - 2,
    UINT64_MAX - 1,
    UINT64_MAX,
};

static void proofs_at_the_end_of_64_bits_are_the_recursive_ones(void **state)
{
	static const uint64_t special[] = {0,
					   1,
					   255,
					   256,
					   (UINT64_C(1) << 63) - 1,
					   UINT64_C(1) << 63,
					   UINT64_MAX - 2,
					   UINT64_MAX - 1};
	const size_t n = sizeof(edges) / sizeof(edges[0]);
	struct model_tree t;
	uint64_t random = 17;

	(void)state;
	model_tree_sparse(&t, special, sizeof(special) / sizeof(special[0]));
	for (size_t i = 0; i < n; i++) {
		for (size_t k = i; k < n; k++) {
			check_inclusion(&t, edges[i] - 1, 0, edges[k], edges[k],
					model_random(&random));
			check_consistency(&t, edges[i], edges[k], UINT64_MAX,
					  model_random(&random));
			for (size_t s = 0; s < i; s++) {
				if (!model_is_subtree(edges[s], edges[i]))
					continue;
				check_subtree_consistency(&t, edges[s], edges[i], edges[k],
							  edges[k], model_random(&random));
				check_inclusion(&t, edges[i] - 1, edges[s], edges[i], edges[k],
						model_random(&random));
			}
		}
	}
	model_tree_release(&t);
}

static void the_longest_proofs_fit(void **state)
{
	static struct merkle_plan plan;
	size_t widest = 0;

	(void)state;
	assert_int_equal(proof_plan_inclusion(&plan, 0, UINT64_MAX), VT_OK);
	assert_int_equal(plan.n_spans, 64);
	assert_int_equal(proof_plan_consistency(&plan, (UINT64_C(1) << 63) + 1, UINT64_MAX), VT_OK);
	assert_int_equal(plan.n_spans, MERKLE_PROOF_MAX);
	/* The imperfect sibling is on the right edge: the further up the path leaves that, the more
	 * parts it has. */
	for (unsigned i = 0; i < 64; i++) {
		uint64_t left = UINT64_MAX << 1 << (63 - i);

		for (uint64_t index = left > 2 ? left - 2 : 0;
		     index < left + 2 && index < UINT64_MAX; index++) {
			assert_int_equal(proof_plan_inclusion(&plan, index, UINT64_MAX), VT_OK);
			widest = plan.n > widest ? plan.n : widest;
			assert_int_equal(proof_plan_consistency(&plan, index, UINT64_MAX), VT_OK);
			widest = plan.n > widest ? plan.n : widest;
		}
	}
	print_message("widest plan: %zu nodes\n", widest);
	assert_true(widest <= MERKLE_PLAN_MAX);
	assert_true(widest > 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_inclusion_proof_up_to_300_is_the_recursive_one),
	    cmocka_unit_test(every_consistency_proof_up_to_300_is_the_recursive_one),
	    cmocka_unit_test(every_subtree_proof_is_the_recursive_one),
	    cmocka_unit_test(ranges_that_are_no_subtrees_are_refused),
	    cmocka_unit_test(a_proof_holds_at_its_own_index_only),
	    cmocka_unit_test(random_proofs_up_to_2_40_are_the_recursive_ones),
	    cmocka_unit_test(proofs_at_the_end_of_64_bits_are_the_recursive_ones),
	    cmocka_unit_test(the_longest_proofs_fit),
	};

	return cmocka_run_group_tests(tests, set_up_dense, tear_down_dense);
}
