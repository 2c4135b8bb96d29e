#include "vitrine_test.h"

#include <string.h>

#include "vitrine/merkle.h"

static struct merkle_hasher hasher;

static int set_up(void **state)
{
	(void)state;
	return merkle_hasher_init(&hasher) == VT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	merkle_hasher_release(&hasher);
	return 0;
}

static void assert_hash(const struct merkle_hash *hash, const char *hex)
{
	char text[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(text, bytes_of(hash->b, sizeof(hash->b)));
	assert_string_equal(text, hex);
}

static void empty_tree_has_the_hash_of_nothing(void **state)
{
	struct merkle_hash hash;

	(void)state;
	assert_int_equal(merkle_hash_empty(&hash, &hasher), VT_OK);
	assert_hash(&hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void leaf_of_nothing_is_the_hash_of_one_zero_byte(void **state)
{
	struct merkle_hash hash;

	(void)state;
	assert_int_equal(merkle_hash_leaf(&hash, &hasher, bytes_of(NULL, 0)), VT_OK);
	assert_hash(&hash, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
	assert_int_equal(merkle_hash_leaf(&hash, &hasher, bytes_str("L123456")), VT_OK);
	assert_hash(&hash, "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56");
}

static void node_is_the_hash_of_one_and_its_children(void **state)
{
	struct merkle_hash left, right, node, plain;
	uint8_t one = 1;

	(void)state;
	assert_int_equal(merkle_hash_leaf(&left, &hasher, bytes_str("l")), VT_OK);
	assert_int_equal(merkle_hash_leaf(&right, &hasher, bytes_str("r")), VT_OK);
	assert_int_equal(merkle_hash_node(&node, &hasher, &left, &right), VT_OK);
	const struct bytes part[] = {bytes_of(&one, 1), bytes_of(NULL, 0), bytes_of(left.b, 32),
				     bytes_of(right.b, 32)};
	assert_int_equal(merkle_sha256(&plain, &hasher, part, 4), VT_OK);
	assert_true(merkle_hash_equal(&node, &plain));
	/* Children are not interchangeable. */
	assert_int_equal(merkle_hash_node(&plain, &hasher, &right, &left), VT_OK);
	assert_false(merkle_hash_equal(&node, &plain));
}

static void a_node_may_overwrite_its_child(void **state)
{
	struct merkle_hash left, right, node, again;

	(void)state;
	assert_int_equal(merkle_hash_leaf(&left, &hasher, bytes_str("l")), VT_OK);
	assert_int_equal(merkle_hash_leaf(&right, &hasher, bytes_str("r")), VT_OK);
	assert_int_equal(merkle_hash_node(&node, &hasher, &left, &right), VT_OK);
	again = left;
	assert_int_equal(merkle_hash_node(&again, &hasher, &again, &right), VT_OK);
	assert_true(merkle_hash_equal(&again, &node));
	again = right;
	assert_int_equal(merkle_hash_node(&again, &hasher, &left, &again), VT_OK);
	assert_true(merkle_hash_equal(&again, &node));
}

static void plain_sha256_joins_its_parts(void **state)
{
	const struct bytes part[] = {bytes_str("a"), bytes_str(""), bytes_str("bc")};
	struct merkle_hash hash;

	(void)state;
	assert_int_equal(merkle_sha256(&hash, &hasher, part, 3), VT_OK);
	assert_hash(&hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void heads_are_equal_in_size_and_root(void **state)
{
	struct tree_head a = {.size = 7}, b = {.size = 7};

	(void)state;
	assert_true(tree_head_equal(&a, &b));
	b.size = 8;
	assert_false(tree_head_equal(&a, &b));
	b.size = 7;
	b.root.b[31] = 1;
	assert_false(tree_head_equal(&a, &b));
}

static void a_released_hasher_can_be_released_again(void **state)
{
	struct merkle_hasher h;

	(void)state;
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	merkle_hasher_release(&h);
	merkle_hasher_release(&h);
	assert_null(h.md);
	assert_null(h.ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_tree_has_the_hash_of_nothing),
	    cmocka_unit_test(leaf_of_nothing_is_the_hash_of_one_zero_byte),
	    cmocka_unit_test(node_is_the_hash_of_one_and_its_children),
	    cmocka_unit_test(a_node_may_overwrite_its_child),
	    cmocka_unit_test(plain_sha256_joins_its_parts),
	    cmocka_unit_test(heads_are_equal_in_size_and_root),
	    cmocka_unit_test(a_released_hasher_can_be_released_again),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
