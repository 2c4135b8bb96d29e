#include "vitrine_test.h"

#include <string.h>

#include "model_tree.h"

static struct model_tree dense;

static int set_up(void **state)
{
	(void)state;
	model_tree_dense(&dense);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	model_tree_release(&dense);
	return 0;
}

static void assert_hash(const struct merkle_hash *hash, const char *hex)
{
	char text[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(text, bytes_of(hash->b, sizeof(hash->b)));
	assert_string_equal(text, hex);
}

static void assert_same_hash(struct merkle_hash a, struct merkle_hash b)
{
	assert_memory_equal(a.b, b.b, sizeof(a.b));
}

/* The leaves and roots that Certificate Transparency's implementations test each other with. */
static void the_known_tree_has_its_known_roots(void **state)
{
	static const struct {
		const char *leaf;
		size_t len;
		const char *root;
	} known[] = {
	    {"", 0, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"},
	    {"\x00", 1, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"},
	    {"\x10", 1, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"},
	    {"\x20\x21", 2, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"},
	    {"\x30\x31", 2, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"},
	    {"\x40\x41\x42\x43", 4,
	     "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"},
	    {"\x50\x51\x52\x53\x54\x55\x56\x57", 8,
	     "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"},
	    {"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f", 16,
	     "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"},
	};
	struct merkle_hash leaf, root;
	struct merkle_range r;

	(void)state;
	merkle_range_init(&r);
	assert_int_equal(merkle_range_root(&root, &dense.h, &r), VT_OK);
	assert_hash(&root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		assert_int_equal(
		    merkle_hash_leaf(&leaf, &dense.h, bytes_of(known[i].leaf, known[i].len)),
		    VT_OK);
		assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, NULL, NULL), VT_OK);
		assert_int_equal(merkle_range_root(&root, &dense.h, &r), VT_OK);
		assert_hash(&root, known[i].root);
	}
}

/* The range of t's first size leaves, from its nodes. */
static void range_of(struct merkle_range *r, struct model_tree *t, uint64_t size)
{
	uint64_t at = 0;

	merkle_range_init(r);
	for (unsigned height = 64; height-- > 0;) {
		if ((size >> height & 1) == 0)
			continue;
		r->node[r->n++] = model_node(t, (struct merkle_node_id){height, at >> height});
		at += UINT64_C(1) << height;
	}
	r->size = size;
}

struct emitted {
	struct model_tree *tree;
	uint64_t leaf;
	unsigned next_height; /* of the leaf that is being appended */
	unsigned count;
	unsigned fail_at; /* 0: never */
};

static enum vt_err check_emitted(void *ctx, struct merkle_node_id id,
				 const struct merkle_hash *hash)
{
	struct emitted *e = ctx;

	if (++e->count == e->fail_at)
		return VT_EIO;
	assert_int_equal(id.height, e->next_height++);
	assert_true(id.index == e->leaf >> id.height);
	assert_same_hash(*hash, model_node(e->tree, id));
	return VT_OK;
}

static void every_range_up_to_300_is_the_recursive_tree(void **state)
{
	struct emitted e = {.tree = &dense};
	struct merkle_range r, want;
	struct merkle_hash leaf, root;

	(void)state;
	merkle_range_init(&r);
	for (uint64_t i = 0; i < MODEL_DENSE_MAX; i++) {
		leaf = model_mth(&dense, i, i + 1);
		e.leaf = i;
		e.next_height = 0;
		assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, check_emitted, &e),
				 VT_OK);
		range_of(&want, &dense, i + 1);
		assert_int_equal(r.size, i + 1);
		assert_int_equal(r.n, want.n);
		assert_memory_equal(r.node, want.node, want.n * sizeof(want.node[0]));
		assert_int_equal(merkle_range_root(&root, &dense.h, &r), VT_OK);
		assert_same_hash(root, model_mth(&dense, 0, i + 1));
		/* Every perfect node, each once. */
		assert_int_equal(e.count, 2 * r.size - r.n);
	}
}

static void appending_works_up_to_the_last_64_bit_size(void **state)
{
	static const uint64_t special[] = {0, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 63,
					   UINT64_MAX - 3, UINT64_MAX - 2};
	static const uint64_t sizes[] = {(UINT64_C(1) << 32) - 1, (UINT64_C(1) << 40) + 12345,
					 (UINT64_C(1) << 63) - 2, (UINT64_C(1) << 63) - 1,
					 UINT64_C(1) << 63,       UINT64_MAX - 3};
	struct merkle_hash leaf, root;
	struct merkle_range r, want;
	struct model_tree t;

	(void)state;
	model_tree_sparse(&t, special, sizeof(special) / sizeof(special[0]));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		range_of(&r, &t, sizes[i]);
		for (uint64_t k = 0; k < 3; k++) {
			struct emitted e = {.tree = &t, .leaf = sizes[i] + k};

			leaf = model_mth(&t, r.size, r.size + 1);
			assert_int_equal(merkle_range_append(&r, &t.h, &leaf, check_emitted, &e),
					 VT_OK);
			range_of(&want, &t, sizes[i] + k + 1);
			assert_true(r.size == want.size);
			assert_int_equal(r.n, want.n);
			assert_memory_equal(r.node, want.node, want.n * sizeof(want.node[0]));
			assert_int_equal(merkle_range_root(&root, &t.h, &r), VT_OK);
			assert_same_hash(root, model_mth(&t, 0, r.size));
		}
	}
	/* The last one left r at 2^64 - 1. */
	assert_true(r.size == UINT64_MAX);
	assert_int_equal(r.n, MERKLE_RANGE_MAX);
	want = r;
	assert_int_equal(merkle_range_append(&r, &t.h, &leaf, NULL, NULL), VT_ELIMIT);
	assert_memory_equal(&r, &want, sizeof(r));
	model_tree_release(&t);
}

static void a_failed_emit_leaves_the_range_unchanged(void **state)
{
	struct merkle_hash leaf = model_mth(&dense, 255, 256);
	struct merkle_range r, before;

	(void)state;
	range_of(&r, &dense, 255); /* the next leaf completes nine nodes */
	before = r;
	for (unsigned at = 1; at <= 9; at++) {
		struct emitted e = {.tree = &dense, .leaf = 255, .fail_at = at};

		assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, check_emitted, &e),
				 VT_EIO);
		assert_int_equal(e.count, at);
		assert_int_equal(r.size, before.size);
		assert_int_equal(r.n, before.n);
		assert_memory_equal(r.node, before.node, r.n * sizeof(r.node[0]));
	}
	assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, NULL, NULL), VT_OK);
	assert_int_equal(r.n, 1);
}

static void a_range_that_breaks_its_invariant_is_refused(void **state)
{
	struct merkle_hash leaf = {0}, root;
	struct merkle_range r;

	(void)state;
	range_of(&r, &dense, 7);
	r.n = 2;
	assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, NULL, NULL), VT_EINTERNAL);
	assert_int_equal(merkle_range_root(&root, &dense.h, &r), VT_EINTERNAL);
	r.n = 65;
	assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, NULL, NULL), VT_EINTERNAL);
	assert_int_equal(merkle_range_root(&root, &dense.h, &r), VT_EINTERNAL);
	r.n = 3;
	r.size = 8;
	assert_int_equal(merkle_range_append(&r, &dense.h, &leaf, NULL, NULL), VT_EINTERNAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_known_tree_has_its_known_roots),
	    cmocka_unit_test(every_range_up_to_300_is_the_recursive_tree),
	    cmocka_unit_test(appending_works_up_to_the_last_64_bit_size),
	    cmocka_unit_test(a_failed_emit_leaves_the_range_unchanged),
	    cmocka_unit_test(a_range_that_breaks_its_invariant_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
