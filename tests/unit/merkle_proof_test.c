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

/* RFC 6962 section 2.1.3 names the nodes of its tree of seven leaves. */
static char rfc_name(struct merkle_node_id id)
{
	static const char *const names[] = {"abcdefj", "ghi", "k"};

	assert_true(id.height < 3);
	assert_true(id.index < strlen(names[id.height]));
	return names[id.height][id.index];
}

/* "bhl": one node per hash; "l" of the RFC is the imperfect node made of i and j: "(ij)". */
static void assert_plan(const struct merkle_plan *plan, const char *want)
{
	char got[64];
	size_t len = 0, at = 0;

	for (size_t i = 0; i < plan->n_spans; i++) {
		if (plan->span[i] > 1)
			got[len++] = '(';
		for (size_t k = 0; k < plan->span[i]; k++)
			got[len++] = rfc_name(plan->node[at++]);
		if (plan->span[i] > 1)
			got[len++] = ')';
	}
	got[len] = '\0';
	assert_int_equal(at, plan->n);
	assert_string_equal(got, want);
}

static void plans_are_the_examples_of_rfc_6962(void **state)
{
	struct merkle_plan plan;

	(void)state;
	assert_int_equal(proof_plan_inclusion(&plan, 0, 7), VT_OK);
	assert_plan(&plan, "bh(ij)");
	assert_int_equal(proof_plan_inclusion(&plan, 3, 7), VT_OK);
	assert_plan(&plan, "cg(ij)");
	assert_int_equal(proof_plan_inclusion(&plan, 4, 7), VT_OK);
	assert_plan(&plan, "fjk");
	assert_int_equal(proof_plan_inclusion(&plan, 6, 7), VT_OK);
	assert_plan(&plan, "ik");
	assert_int_equal(proof_plan_consistency(&plan, 3, 7), VT_OK);
	assert_plan(&plan, "cdg(ij)");
	assert_int_equal(proof_plan_consistency(&plan, 4, 7), VT_OK);
	assert_plan(&plan, "(ij)");
	assert_int_equal(proof_plan_consistency(&plan, 6, 7), VT_OK);
	assert_plan(&plan, "ijk");
	assert_int_equal(proof_plan_root(&plan, 7), VT_OK);
	assert_plan(&plan, "(kij)");
}

static void plans_of_what_cannot_be_are_refused(void **state)
{
	struct merkle_plan plan;

	(void)state;
	assert_int_equal(proof_plan_inclusion(&plan, 0, 0), VT_EINVAL);
	assert_int_equal(proof_plan_inclusion(&plan, 7, 7), VT_EINVAL);
	assert_int_equal(proof_plan_inclusion(&plan, UINT64_MAX, UINT64_MAX), VT_EINVAL);
	assert_int_equal(proof_plan_inclusion(&plan, UINT64_MAX, 1), VT_EINVAL);
	assert_int_equal(proof_plan_consistency(&plan, 8, 7), VT_EINVAL);
	assert_int_equal(proof_plan_consistency(&plan, 1, 0), VT_EINVAL);
	assert_int_equal(proof_plan_subtree_inclusion(&plan, 3, 4, 8), VT_EINVAL);
	assert_int_equal(proof_plan_subtree_inclusion(&plan, 8, 4, 8), VT_EINVAL);
	assert_int_equal(proof_plan_subtree_inclusion(&plan, 4, 4, 4), VT_EINVAL);
	assert_int_equal(proof_plan_subtree_consistency(&plan, 4, 8, 7), VT_EINVAL);
	assert_int_equal(proof_plan_subtree_consistency(&plan, 9, 9, 8), VT_EINVAL);
	/* A start above 2^63 with an end that would need 2^64 as its power. */
	assert_int_equal(proof_plan_subtree_consistency(&plan, 1, UINT64_MAX, UINT64_MAX),
			 VT_EINVAL);
	assert_int_equal(plan.n, 0);
	assert_int_equal(plan.n_spans, 0);
}

static void nothing_to_prove_needs_no_hash(void **state)
{
	struct merkle_plan plan;
	struct merkle_proof proof;
	struct merkle_hash root, empty;

	(void)state;
	assert_int_equal(proof_plan_inclusion(&plan, 0, 1), VT_OK);
	assert_int_equal(plan.n, 0);
	assert_int_equal(proof_plan_consistency(&plan, 0, 7), VT_OK);
	assert_int_equal(plan.n, 0);
	assert_int_equal(proof_plan_consistency(&plan, 0, 0), VT_OK);
	assert_int_equal(plan.n, 0);
	assert_int_equal(proof_plan_consistency(&plan, 7, 7), VT_OK);
	assert_int_equal(plan.n, 0);
	assert_int_equal(proof_plan_subtree_consistency(&plan, 5, 5, 7), VT_OK);
	assert_int_equal(plan.n, 0);
	assert_int_equal(proof_build(&proof, &hasher, &plan, NULL), VT_OK);
	assert_int_equal(proof.n, 0);
	assert_int_equal(proof_plan_root(&plan, 0), VT_OK);
	assert_int_equal(proof_build_root(&root, &hasher, &plan, NULL), VT_OK);
	assert_int_equal(merkle_hash_empty(&empty, &hasher), VT_OK);
	assert_true(merkle_hash_equal(&root, &empty));
}

static void a_consistency_proof_from_nothing_proves_nothing(void **state)
{
	struct tree_head none = {.size = 0}, some = {.size = 7, .root = {{1, 2, 3}}};
	struct merkle_proof proof = {0};

	(void)state;
	assert_int_equal(merkle_hash_empty(&none.root, &hasher), VT_OK);
	assert_int_equal(proof_verify_consistency(&hasher, &proof, &none, &some), VT_EINVAL);
	assert_int_equal(proof_verify_consistency(&hasher, &proof, &none, &none), VT_EINVAL);
	assert_int_equal(proof_verify_consistency(&hasher, &proof, &some, &none), VT_EINVAL);
	assert_int_equal(proof_verify_consistency(&hasher, &proof, &some, &some), VT_OK);
}

static void numbers_that_belong_to_no_tree_are_refused(void **state)
{
	struct merkle_proof proof = {0};
	struct merkle_hash hash = {0};
	struct tree_head head = {.size = 7};

	(void)state;
	assert_int_equal(proof_verify_inclusion(&hasher, &proof, 7, &hash, &head), VT_EINVAL);
	assert_int_equal(proof_verify_inclusion(&hasher, &proof, UINT64_MAX, &hash, &head),
			 VT_EINVAL);
	assert_int_equal(proof_root_from_inclusion(&hash, &hasher, &proof, 0, &hash, 0), VT_EINVAL);
	assert_int_equal(proof_verify_subtree_inclusion(&hasher, &proof, 3, &hash, 4, 8, &hash),
			 VT_EINVAL);
	assert_int_equal(proof_verify_subtree_consistency(&hasher, &proof, 4, 8, &hash, &head),
			 VT_EINVAL);
	assert_int_equal(proof_verify_subtree_consistency(&hasher, &proof, 8, 8, &hash, &head),
			 VT_EINVAL);
}

/* A proof's count is the sender's word: it must not be believed before it is compared. */
static void absurd_counts_of_hashes_do_not_hold(void **state)
{
	struct merkle_proof proof = {.n = SIZE_MAX};
	struct merkle_hash hash = {0};
	struct tree_head first = {.size = 3}, second = {.size = 7};

	(void)state;
	assert_int_equal(proof_verify_inclusion(&hasher, &proof, 3, &hash, &second), VT_EMISMATCH);
	assert_int_equal(proof_verify_consistency(&hasher, &proof, &first, &second), VT_EMISMATCH);
	assert_int_equal(proof_verify_subtree_consistency(&hasher, &proof, 2, 2, &hash, &second),
			 VT_EMISMATCH);
}

static void broken_plans_are_not_built(void **state)
{
	static struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_plan plan, broken;
	struct merkle_proof proof;
	struct merkle_hash root;

	(void)state;
	assert_int_equal(proof_plan_inclusion(&plan, 0, 7), VT_OK);
	broken = plan;
	broken.span[0] = 0;
	assert_int_equal(proof_build(&proof, &hasher, &broken, node), VT_EINVAL);
	broken = plan;
	broken.span[2] = 3;
	assert_int_equal(proof_build(&proof, &hasher, &broken, node), VT_EINVAL);
	broken = plan;
	broken.n_spans = 2;
	assert_int_equal(proof_build(&proof, &hasher, &broken, node), VT_EINVAL);
	broken = plan;
	broken.n = MERKLE_PLAN_MAX + 1;
	assert_int_equal(proof_build(&proof, &hasher, &broken, node), VT_EINVAL);
	assert_int_equal(proof_build_root(&root, &hasher, &broken, node), VT_EINVAL);
	broken = plan;
	broken.n_spans = MERKLE_PROOF_MAX + 1;
	assert_int_equal(proof_build(&proof, &hasher, &broken, node), VT_EINVAL);
	assert_int_equal(proof.n, 0);
	/* A proof's plan is not a root's. */
	assert_int_equal(proof_build_root(&root, &hasher, &plan, node), VT_EINVAL);
	assert_int_equal(proof_plan_root(&plan, 7), VT_OK);
	broken = plan;
	broken.span[0] = 2;
	assert_int_equal(proof_build_root(&root, &hasher, &broken, node), VT_EINVAL);
	broken = plan;
	broken.n = broken.span[0] = 0;
	assert_int_equal(proof_build_root(&root, &hasher, &broken, node), VT_EINVAL);
	broken = plan;
	broken.n_spans = 0;
	assert_int_equal(proof_build_root(&root, &hasher, &broken, node), VT_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plans_are_the_examples_of_rfc_6962),
	    cmocka_unit_test(plans_of_what_cannot_be_are_refused),
	    cmocka_unit_test(nothing_to_prove_needs_no_hash),
	    cmocka_unit_test(a_consistency_proof_from_nothing_proves_nothing),
	    cmocka_unit_test(numbers_that_belong_to_no_tree_are_refused),
	    cmocka_unit_test(absurd_counts_of_hashes_do_not_hold),
	    cmocka_unit_test(broken_plans_are_not_built),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
