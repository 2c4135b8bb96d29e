/* Every allocation fails once, from the start to the evidence: nothing is lost that is not heard again. */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "gossip.h"
#include "model_tree.h"
#include "test_signer.h"

#define ORIGIN "log.example/alloc"

enum { HELD = 9 };

static struct model_tree tree[2];
static struct note_signer signer;
static struct buf held, contradicting, beyond;

static void make_head(struct buf *out, int history, uint64_t size)
{
	struct tree_head head = {.size = size, .root = model_mth(&tree[history], 0, size)};
	struct buf text;

	buf_init(out);
	buf_init(&text);
	assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
	assert_int_equal(note_sign(out, buf_bytes(&text), &signer, 1), VT_OK);
	buf_release(&text);
}

static enum vt_err on_head(void *ctx, struct buf *note)
{
	(void)ctx;
	return buf_append(note, buf_bytes(&held));
}

static enum vt_err on_root_at(void *ctx, uint64_t size, struct merkle_hash *out)
{
	(void)ctx;
	*out = model_mth(&tree[0], 0, size);
	return VT_OK;
}

static enum vt_err on_consistency(void *ctx, uint64_t first, uint64_t second,
				  struct merkle_proof *out)
{
	(void)ctx;
	out->n = 0;
	model_consistency(&tree[0], out, first, second);
	return VT_OK;
}

static void open_gossip(struct gossip **out, const char *folder, enum vt_err *err)
{
	struct gossip_log log = {&signer.key, {on_head, on_root_at, on_consistency, NULL}};
	struct gossip_config config = {.state_path = folder, .log = &log, .n_logs = 1};
	char why[GOSSIP_WHY_MAX];

	*err = gossip_new(out, &config, why);
	assert_int_equal(*err == VT_OK, *out != NULL);
	assert_int_equal(*err == VT_OK, why[0] == '\0');
}

static enum vt_err use(struct gossip *g)
{
	struct gossip_taken taken;
	struct buf shown;
	enum vt_err err;

	buf_init(&shown);
	if ((err = gossip_take(g, buf_bytes(&contradicting), "test", &taken)) != VT_OK ||
	    (err = gossip_take(g, buf_bytes(&beyond), "test", &taken)) != VT_OK ||
	    (err = gossip_heads(g, &shown)) != VT_OK)
		goto done;
	buf_reset(&shown);
	err = gossip_evidence_list(g, &shown);
done:
	buf_release(&shown);
	return err;
}

static void remove_folder(const char *folder)
{
	char command[600];

	(void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
}

static void every_allocation_may_fail(void **state)
{
	const char *tmp = getenv("TMPDIR");
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct gossip_stats stats;
		struct gossip *g = NULL;
		char folder[500];
		enum vt_err err;

		(void)snprintf(folder, sizeof(folder), "%s/vitrine-test-XXXXXX",
			       tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
		assert_non_null(mkdtemp(folder));
		alloc_fail_at(n);
		open_gossip(&g, folder, &err);
		if (err == VT_OK)
			err = use(g);
		failed = alloc_failed();
		assert_true(err == VT_OK || (failed && err == VT_ENOMEM));
		/* Once there is memory again, everything comes right, by the same bytes. */
		if (g == NULL)
			open_gossip(&g, folder, &err);
		assert_int_equal(use(g), VT_OK);
		gossip_round(g);
		gossip_stats(g, &stats);
		assert_int_equal(stats.evidence, 1);
		assert_int_equal(stats.unresolved, 1);
		gossip_free(g);
		open_gossip(&g, folder, &err);
		assert_int_equal(err, VT_OK);
		gossip_stats(g, &stats);
		assert_int_equal(stats.evidence, 1);
		assert_int_equal(stats.unresolved, 1);
		gossip_free(g);
		remove_folder(folder);
	}
}

int main(void)
{
	static const uint64_t first_leaf = 0;
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
	int failed;

	model_tree_sparse(&tree[0], &first_leaf, 0);
	model_tree_sparse(&tree[1], &first_leaf, 1);
	signer = test_signer(ORIGIN, VKEY_TYPE_ED25519, 5);
	make_head(&held, 0, HELD);
	make_head(&contradicting, 1, 6);
	make_head(&beyond, 0, HELD + 3);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_release(&held);
	buf_release(&contradicting);
	buf_release(&beyond);
	model_tree_release(&tree[0]);
	model_tree_release(&tree[1]);
	return failed;
}
