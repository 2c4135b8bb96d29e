/* Opening ahead says what opening in turn says, whatever the registry was when the slice was opened. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record_world.h"
#include "reopener.h"

static struct world w;

static int set_up(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT, PREDICATE_RELEASE_V02};
	struct world_grant g = {.party = "late",
				.role = "lab",
				.key = NULL,
				.previous = -1,
				.types = types,
				.n_types = 2};
	struct buf body;

	(void)state;
	world_init(&w);
	world_begin(&w);
	for (unsigned i = 0; i < 40; i++) {
		struct compose_digest subject = {
		    "bios.bin", NULL,
		    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"};
		char run[40];
		struct compose_resource configuration = {.name = "suite", .uri = run};
		struct compose_verdict v = {.subjects = {&subject, 1},
					    .result = "PASSED",
					    .configuration = &configuration,
					    .n_configuration = 1};
		struct buf statement;

		(void)snprintf(run, sizeof(run), "urn:run:%u", i);
		buf_init(&statement);
		assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
		world_sign_one(&body, buf_bytes(&statement), i < 20 ? w.lab : w.stranger);
		world_append(&w, buf_bytes(&body));
		buf_release(&statement);
		buf_release(&body);
		if (i != 19)
			continue;
		g.key = w.stranger;
		world_grant(&w, &body, &g);
		world_append(&w, buf_bytes(&body));
		buf_release(&body);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_release(&w);
	return 0;
}

static struct bytes entry_of(size_t i)
{
	return buf_bytes(&w.entry[i].bytes);
}

/* As a replay does: open all in slices of `slice` on so many threads, judge in order. */
static void replay(unsigned threads, size_t slice)
{
	struct reopen_slice *s = calloc(1, sizeof(*s));
	struct registry *registry;
	struct reopener *r;
	struct admission_view view = w.view;

	assert_non_null(s);
	assert_int_equal(registry_new(&registry), VT_OK);
	view.registry = registry;
	assert_int_equal(reopener_new(&r, threads, &view), VT_OK);
	for (size_t at = 0; at < w.n; at += slice) {
		size_t n = w.n - at < slice ? w.n - at : slice;

		for (size_t i = 0; i < n; i++)
			assert_int_equal(reopen_slice_add(s, at + i, entry_of(at + i)), VT_OK);
		reopener_start(r, s);
		reopener_wait(r);
		for (size_t i = 0; i < n; i++) {
			struct record *record;
			size_t n_keys;

			view.size = at + i;
			if (reopen_slice_take(&record, s, i, &w.h, &view, &w.why) != VT_OK)
				fail_msg("entry %zu: %s", at + i, w.why.detail);
			assert_int_equal(record_judge(record, &view, &w.why), VT_OK);
			(void)record_keys(record, &n_keys);
			assert_int_equal(n_keys, w.entry[at + i].n_keys);
			if (record_is_accreditation(record))
				assert_int_equal(registry_apply(registry, at + i,
								record_leaf(record),
								entry_of(at + i), &w.why),
						 VT_OK);
			record_free(record);
		}
		reopen_slice_clear(s);
	}
	assert_int_equal(registry_count(registry), registry_count(w.registry));
	reopener_free(r);
	registry_free(registry);
	reopen_slice_release(s);
	free(s);
}

static void a_key_registered_within_the_slice_is_found(void **state)
{
	(void)state;
	replay(1, REOPEN_ENTRIES_MAX);
	replay(3, REOPEN_ENTRIES_MAX);
	replay(3, 7);
	replay(2, 1);
}

/* Each entry with one bit changed, in turn, among sound ones. */
static void what_does_not_open_says_why(void **state)
{
	struct reopen_slice *s = calloc(1, sizeof(*s));
	struct reopener *r;
	struct admission_view view = w.view;
	struct problem alone;
	struct record *record;

	(void)state;
	assert_non_null(s);
	assert_int_equal(reopener_new(&r, 2, &view), VT_OK);
	for (size_t i = 0; i < w.n; i++) {
		struct buf copy;

		buf_init(&copy);
		assert_int_equal(buf_append(&copy, entry_of(i)), VT_OK);
		copy.data[copy.len / 2] ^= i % 2;
		assert_int_equal(reopen_slice_add(s, i, buf_bytes(&copy)), VT_OK);
		buf_release(&copy);
	}
	reopener_start(r, s);
	reopener_wait(r);
	for (size_t i = 0; i < w.n; i++) {
		enum vt_err err;

		view.size = i;
		w.why.detail[0] = '\0';
		err = reopen_slice_take(&record, s, i, &w.h, &view, &w.why);
		assert_int_equal(err == VT_OK, i % 2 == 0);
		record_free(record);
		if (err == VT_OK)
			continue;
		assert_int_equal(
		    record_reopen(&record, &w.h, reopen_slice_entry(s, i), &view, &alone), err);
		assert_ptr_equal(w.why.type, alone.type);
		assert_string_equal(w.why.detail, alone.detail);
	}
	reopener_free(r);
	reopen_slice_release(s);
	free(s);
}

static void a_slice_is_bounded_in_entries_and_in_bytes(void **state)
{
	struct reopen_slice *s = calloc(1, sizeof(*s));
	uint8_t *large = calloc(1, REOPEN_BYTES_MAX + 1);

	(void)state;
	assert_non_null(s);
	assert_non_null(large);
	for (size_t i = 0; i < REOPEN_ENTRIES_MAX; i++)
		assert_int_equal(reopen_slice_add(s, i, bytes_str("x")), VT_OK);
	assert_int_equal(reopen_slice_add(s, 1, bytes_str("x")), VT_ELIMIT);
	reopen_slice_clear(s);
	assert_int_equal(reopen_slice_add(s, 0, bytes_of(large, REOPEN_BYTES_MAX + 1)), VT_OK);
	assert_int_equal(reopen_slice_add(s, 1, bytes_str("x")), VT_ELIMIT);
	reopen_slice_clear(s);
	assert_int_equal(reopen_slice_add(s, 0, bytes_of(large, REOPEN_BYTES_MAX - 1)), VT_OK);
	assert_int_equal(reopen_slice_add(s, 1, bytes_str("x")), VT_OK);
	assert_int_equal(reopen_slice_add(s, 2, bytes_str("x")), VT_ELIMIT);
	reopen_slice_release(s);
	free(large);
	free(s);
}

static void freeing_waits_for_what_is_under_way(void **state)
{
	struct reopen_slice *s = calloc(1, sizeof(*s));
	struct reopener *r;

	(void)state;
	assert_non_null(s);
	for (size_t i = 0; i < w.n; i++)
		assert_int_equal(reopen_slice_add(s, i, entry_of(i)), VT_OK);
	assert_int_equal(reopener_new(&r, 2, &w.view), VT_OK);
	reopener_start(r, s);
	reopener_free(r);
	for (size_t i = 0; i < w.n; i++)
		assert_int_equal(s->entry[i].err, VT_OK);
	reopen_slice_release(s);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_registered_within_the_slice_is_found),
	    cmocka_unit_test(what_does_not_open_says_why),
	    cmocka_unit_test(a_slice_is_bounded_in_entries_and_in_bytes),
	    cmocka_unit_test(freeing_waits_for_what_is_under_way),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
