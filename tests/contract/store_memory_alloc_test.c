/* Every allocation of the store in memory fails once: the answer says so, and nothing has changed. */
#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "growth.h"
#include "memory_store.h"

static const struct growth plain = {.history = 1};

static const struct store_identity identity = {
    .origin = "example.com/log", .vkey = "example.com/log+00000000+AAAA", .mode = "raw"};

static enum vt_err fold(struct store *s, struct store_reader *r, uint64_t end)
{
	struct index_slot slot[STORE_CHUNK_SLOTS] = {{0, 0}};
	struct store_runs runs;
	enum vt_err err;

	if ((err = store_read_runs(r, &runs)) != VT_OK ||
	    (err = store_write_chunk(s, runs.next_id, 0, slot, STORE_CHUNK_SLOTS)) != VT_OK)
		return err;
	runs.run[0] =
	    (struct store_run){.id = runs.next_id, .end = end, .slots = STORE_CHUNK_SLOTS};
	runs.n = 1;
	return store_replace_runs(s, runs.version, &runs);
}

/* Each act is tried until it succeeds, so that all of its allocations fail in turn. */
static void each_allocation_may_fail_and_be_tried_again(void **state)
{
	struct store_reader *r = NULL;
	char why[STORE_WHY_MAX];
	struct tree_state head;
	struct store *s = NULL;
	unsigned failures = 0;
	uint64_t size;

	(void)state;
	for (unsigned act = 0, n = 1; act < 12;) {
		enum vt_err err = VT_OK;

		alloc_fail_at(n);
		if (act == 0)
			err = store_memory_open(&s, &identity, why);
		else if (act == 1)
			err = store_reader_new(&r, s);
		else if (act == 2)
			err = store_read_state(r, &head);
		else if (act % 3 == 0)
			err = growth_commit(s, &head, &plain, 70 * act);
		else if (act % 3 == 1)
			err = store_publish(s, head.head.size, bytes_str("note"), 1000 + act);
		else
			err = fold(s, r, head.head.size);
		if (alloc_failed()) {
			assert_int_equal(err, VT_ENOMEM);
			failures++;
			n++;
			if (r != NULL)
				assert_null(growth_wrong(r, &plain, &size));
			continue;
		}
		assert_int_equal(err, VT_OK);
		act++;
		n = 1;
	}
	assert_true(failures > 30);
	assert_null(growth_wrong(r, &plain, &size));
	assert_int_equal(size, head.head.size);
	store_reader_free(r);
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_allocation_may_fail_and_be_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
