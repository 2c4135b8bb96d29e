/* docs/records.md is true: its examples keep the rules, every predicate has one, and every problem is in its table. */
#include <stdlib.h>
#include <string.h>

#include "vitrine_test.h"

#include "problem.h"
#include "statement.h"
#include "test_file.h"

static const char *folder;

static char *read_page(void)
{
	struct buf page = test_read_file(folder, "records", ".md");
	char *text = buf_detach_str(&page);

	assert_non_null(text);
	return text;
}

static void examples_keep_the_rules(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT, PREDICATE_RELEASE_V02,
					    PREDICATE_AUDIT_EVENT, PREDICATE_ACCREDITATION,
					    PREDICATE_SEALED,      PREDICATE_CORRECTION};
	bool seen[sizeof(types) / sizeof(types[0])] = {false};
	char *page = read_page();
	char *at = page, *end;

	(void)state;
	while ((at = strstr(at, "```json\n")) != NULL) {
		struct problem why = {0};
		struct statement s;
		enum vt_err err;

		at += strlen("```json\n");
		end = strstr(at, "```");
		assert_non_null(end);
		err = statement_parse(&s, bytes_of(at, (size_t)(end - at)), &why);
		if (err == VT_OK)
			err = statement_check_predicate(&s, &why);
		if (err != VT_OK)
			fail_msg("%s in: %.*s", why.detail, (int)(end - at), at);
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			seen[i] = seen[i] || bytes_is(s.predicate_type, types[i]);
		statement_release(&s);
		at = end;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!seen[i])
			fail_msg("no example of %s", types[i]);
	free(page);
}

static void every_problem_is_listed(void **state)
{
	char *page = read_page();

	(void)state;
	for (const struct problem_type *t = admission_problems; t->slug != NULL; t++) {
		struct buf row;
		char *text;

		buf_init(&row);
		assert_int_equal(
		    buf_appendf(&row, "\n| `%s` | %u | %s |\n", t->slug, t->status, t->title),
		    VT_OK);
		text = buf_detach_str(&row);
		if (strstr(page, text) == NULL)
			fail_msg("no row for %s", t->slug);
		free(text);
	}
	free(page);
}

static void every_strong_digest_is_listed(void **state)
{
	char *page = read_page();

	(void)state;
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++) {
		struct buf name;
		char *text;

		buf_init(&name);
		assert_int_equal(buf_appendf(&name, "`%s`", a->name), VT_OK);
		text = buf_detach_str(&name);
		if (strstr(page, text) == NULL)
			fail_msg("%s is not there", text);
		free(text);
	}
	free(page);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(examples_keep_the_rules),
	    cmocka_unit_test(every_problem_is_listed),
	    cmocka_unit_test(every_strong_digest_is_listed),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
