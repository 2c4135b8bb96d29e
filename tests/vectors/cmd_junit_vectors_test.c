/* The JUnit reports in tests/vectors/junit mean what the table beside them says; each report is in the table, and the other way round. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitrine_test.h"

#include "junit.h"
#include "test_file.h"

enum {
	REPORTS_MIN = 40,
};

static const char *folder;

/* The fields of a line, split at " | ". */
struct expectation {
	char *report, *verdict, *note;
};

static bool split(struct expectation *out, char *line)
{
	char *field[4] = {line, NULL, NULL, NULL};

	if (line[0] == '#' || line[0] == '\0')
		return false;
	for (size_t i = 1; i < 4 && (field[i] = strstr(field[i - 1], " | ")) != NULL; i++) {
		*field[i] = '\0';
		field[i] += 3;
	}
	assert_non_null(field[2]);
	*out = (struct expectation){field[0], field[1], field[3]};
	return true;
}

static struct junit_report parse_file(const char *name, char verdict[JUNIT_WHY_SIZE + 16])
{
	struct buf xml = test_read_file(folder, name, NULL);
	struct junit_report r;
	char why[JUNIT_WHY_SIZE];
	const char *result;

	if (junit_parse(&r, buf_bytes(&xml), why) != VT_OK) {
		snprintf(verdict, JUNIT_WHY_SIZE + 16, "refused %s", why);
	} else {
		result = junit_result(&r);
		snprintf(verdict, JUNIT_WHY_SIZE + 16, "%s %zu %zu %zu",
			 result ? result : "nothing", r.passed.n, r.failed.n, junit_not_run(&r));
	}
	buf_release(&xml);
	return r;
}

static void check_line(const struct expectation *want)
{
	char verdict[JUNIT_WHY_SIZE + 16];
	struct junit_report r = parse_file(want->report, verdict);
	const char *note = r.notes.n > 0 ? r.notes.name[0] : "";

	if (strcmp(verdict, want->verdict) != 0)
		fail_msg("%s: %s, expected %s", want->report, verdict, want->verdict);
	if (strcmp(note, want->note ? want->note : "") != 0)
		fail_msg("%s: remark \"%s\", expected \"%s\"", want->report, note,
			 want->note ? want->note : "");
	junit_release(&r);
}

static size_t count_reports(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		n += strstr(entry->d_name, ".xml") != NULL;
	closedir(dir);
	return n;
}

static void every_report_means_what_the_table_says(void **state)
{
	struct buf table = test_read_file(folder, "expected", ".txt");
	char *text = buf_detach_str(&table), *rest = text, *line;
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		struct expectation want;

		if (!split(&want, line))
			continue;
		check_line(&want);
		n++;
	}
	assert_true(n >= REPORTS_MIN);
	assert_int_equal(n, count_reports());
	free(text);
}

static void assert_names(const struct junit_names *names, const char *const *want, size_t n)
{
	assert_int_equal(names->n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(names->name[i], want[i]);
}
#define ASSERT_NAMES(names, ...)                                                                   \
	assert_names(&(names), (const char *const[]){__VA_ARGS__},                                 \
		     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void what_did_not_run_is_named_and_not_passed(void **state)
{
	char verdict[JUNIT_WHY_SIZE + 16];
	struct junit_report r = parse_file("ctest-all-kinds.xml", verdict);

	(void)state;
	ASSERT_NAMES(r.passed, "boots", "willfail", "control");
	/* What CTest could not start broke, though it is reported as not run. */
	ASSERT_NAMES(r.failed, "rejects_old", "cannot_start", "slow", "crash", "needs", "fix_setup",
		     "fix_user");
	ASSERT_NAMES(r.not_run, "disabled", "skipped_code", "skipped_regex");
	junit_release(&r);
}

static void names_come_out_in_utf_8_whatever_the_encoding(void **state)
{
	static const char *const reports[] = {
	    "encoding-windows-1252.xml",        "encoding-iso-8859-15.xml",
	    "encoding-utf-16-mark.xml",         "encoding-utf-16be.xml",
	    "encoding-utf-16le-no-mark.xml",    "encoding-utf-8-mark.xml",
	    "encoding-says-utf-16-is-utf-8.xml"};
	char verdict[JUNIT_WHY_SIZE + 16];

	(void)state;
	for (size_t i = 0; i < sizeof(reports) / sizeof(*reports); i++) {
		struct junit_report r = parse_file(reports[i], verdict);

		ASSERT_NAMES(r.passed, "Ger\u00e4t.Startet \u00fcber 5 \u20ac");
		junit_release(&r);
	}
}

static void what_is_no_xml_is_replaced_in_names(void **state)
{
	char verdict[JUNIT_WHY_SIZE + 16];
	struct junit_report r = parse_file("control-characters.xml", verdict);

	(void)state;
	ASSERT_NAMES(r.passed, "a\uFFFD[31m", "b\uFFFD\uFFFD");
	junit_release(&r);
	r = parse_file("bytes-not-utf-8.xml", verdict);
	ASSERT_NAMES(r.passed, "caf\uFFFD", "b");
	junit_release(&r);
}

static void failures_outside_test_cases_are_named_after_the_suite(void **state)
{
	char verdict[JUNIT_WHY_SIZE + 16];
	struct junit_report r = parse_file("failure-of-an-inner-suite.xml", verdict);

	(void)state;
	ASSERT_NAMES(r.failed, "T (the suite itself)");
	junit_release(&r);
}

static void repeated_names_are_numbered_also_across_reports(void **state)
{
	char verdict[JUNIT_WHY_SIZE + 16];
	struct junit_report all = {0}, one;

	(void)state;
	for (int i = 0; i < 2; i++) {
		one = parse_file("one-name-several-cases.xml", verdict);
		assert_int_equal(junit_add(&all, &one), VT_OK);
		junit_release(&one);
	}
	assert_int_equal(junit_number_repeats(&all), VT_OK);
	ASSERT_NAMES(all.failed, "S.p", "S.p (2)");
	ASSERT_NAMES(all.not_run, "S.p (3)", "S.p (4)");
	ASSERT_NAMES(all.passed, "S.p (5)", "S.p (6)", "S.p (7)", "S.p (8)");
	junit_release(&all);
}

static void a_long_name_is_cut_at_a_character(void **state)
{
	char verdict[JUNIT_WHY_SIZE + 16];
	struct junit_report r = parse_file("name-too-long.xml", verdict);
	const char *name = r.passed.name[0];

	(void)state;
	assert_in_range(strlen(name), 4000, JUNIT_NAME_MAX);
	assert_true(utf8_valid(bytes_str(name)));
	assert_string_equal(name + strlen(name) - 3, "...");
	junit_release(&r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_report_means_what_the_table_says),
	    cmocka_unit_test(what_did_not_run_is_named_and_not_passed),
	    cmocka_unit_test(names_come_out_in_utf_8_whatever_the_encoding),
	    cmocka_unit_test(what_is_no_xml_is_replaced_in_names),
	    cmocka_unit_test(failures_outside_test_cases_are_named_after_the_suite),
	    cmocka_unit_test(repeated_names_are_numbered_also_across_reports),
	    cmocka_unit_test(a_long_name_is_cut_at_a_character),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
