/* For whom an entry stands, by the rule alone; tests/system/corrections has the same over a running log. */
#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>

#include "entry_standing.h"

enum { ENTRIES_MAX = 64 };

static struct entry_standing list[ENTRIES_MAX];
static size_t n;

/* An entry at `index`, signed by the parties in `who`, a letter each; C is the centre. of < 0: no correction. */
static void add(uint64_t index, const char *who, int64_t of)
{
	static const char *const names[] = {"a", "b", "c", "C"};
	struct entry_standing *s = &list[n++];

	*s = (struct entry_standing){.index = index, .corrects = of >= 0, .withdraws = true};
	memcpy(s->leaf.b, &index, sizeof(index));
	if (of >= 0) {
		s->target.index = (uint64_t)of;
		memcpy(s->target.leaf.b, &s->target.index, sizeof(s->target.index));
	}
	for (const char *p = who; *p != '\0'; p++)
		for (size_t i = 0; i < 4; i++)
			if (names[i][0] == *p)
				s->party[s->n++] = (struct entry_standing_party){
				    .name = names[i], .centre = *p == 'C'};
}

/* The letters for whom the first entry stands. */
static const char *judged(void)
{
	static char out[ENTRY_STANDING_PARTIES_MAX + 1];
	size_t len = 0;

	entry_standing_judge(list, n);
	for (size_t i = 0; i < list[0].n; i++)
		if (list[0].party[i].stands)
			out[len++] = list[0].party[i].name[0];
	out[len] = '\0';
	n = 0;
	return out;
}

static void a_signer_withdraws_for_itself_alone(void **state)
{
	(void)state;
	add(1, "ab", -1);
	add(2, "b", 1);
	assert_string_equal(judged(), "a");
	add(1, "ab", -1);
	add(2, "ab", 1);
	assert_string_equal(judged(), "");
	/* c was let in with b's signature, and has no say about what it did not sign. */
	add(1, "ab", -1);
	add(2, "bc", 1);
	assert_string_equal(judged(), "a");
}

static void the_centre_withdraws_for_all(void **state)
{
	(void)state;
	add(1, "ab", -1);
	add(2, "C", 1);
	assert_string_equal(judged(), "");
	/* And for all that remains where a signer takes back its part of the correction. */
	add(1, "ab", -1);
	add(2, "bC", 1);
	add(3, "b", 2);
	assert_string_equal(judged(), "");
	add(1, "ab", -1);
	add(2, "bC", 1);
	add(3, "C", 2);
	assert_string_equal(judged(), "ab");
}

static void a_withdrawn_correction_counts_no_more_for_whoever_withdrew_it(void **state)
{
	(void)state;
	add(1, "ab", -1);
	add(2, "ab", 1);
	add(3, "a", 2);
	assert_string_equal(judged(), "a");
	add(1, "ab", -1);
	add(2, "ab", 1);
	add(3, "a", 2);
	add(4, "a", 3);
	assert_string_equal(judged(), "");
}

static void chains_may_be_of_any_length(void **state)
{
	(void)state;
	for (uint64_t length = 0; length < ENTRIES_MAX - 1; length++) {
		add(0, "a", -1);
		for (uint64_t i = 1; i <= length; i++)
			add(i, "a", (int64_t)i - 1);
		assert_string_equal(judged(), length % 2 == 0 ? "a" : "");
	}
}

static void two_corrections_of_one_entry_each_count(void **state)
{
	(void)state;
	add(1, "a", -1);
	add(2, "a", 1);
	add(3, "a", 1);
	add(4, "a", 2);
	assert_string_equal(judged(), "");
	add(1, "a", -1);
	add(2, "a", 1);
	add(3, "a", 1);
	add(4, "a", 2);
	add(5, "a", 3);
	assert_string_equal(judged(), "a");
}

static void index_and_leaf_hash_name_the_target(void **state)
{
	(void)state;
	add(1, "a", -1);
	add(2, "a", 1);
	list[1].target.leaf.b[31] ^= 1;
	assert_string_equal(judged(), "a");
	/* What comes before its target was never admitted. */
	add(3, "a", -1);
	add(2, "a", 3);
	entry_standing_judge(list, n);
	assert_true(list[1].party[0].stands);
	n = 0;
}

static void order_and_repetition_do_not_matter(void **state)
{
	(void)state;
	add(4, "a", 2);
	add(2, "ab", 1);
	add(1, "ab", -1);
	add(1, "ab", -1);
	entry_standing_judge(list, n);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(list[i].index, 1);
		assert_true(entry_standing_for(&list[i], "a"));
		assert_false(entry_standing_for(&list[i], "b"));
		assert_int_equal(list[i].party[1].by, 2);
	}
	n = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_signer_withdraws_for_itself_alone),
	    cmocka_unit_test(the_centre_withdraws_for_all),
	    cmocka_unit_test(a_withdrawn_correction_counts_no_more_for_whoever_withdrew_it),
	    cmocka_unit_test(chains_may_be_of_any_length),
	    cmocka_unit_test(two_corrections_of_one_entry_each_count),
	    cmocka_unit_test(index_and_leaf_hash_name_the_target),
	    cmocka_unit_test(order_and_repetition_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
