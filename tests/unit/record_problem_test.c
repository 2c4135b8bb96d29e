/* What is said about a refusal, and how untrusted text is shown in it. */
#include <stdlib.h>
#include <string.h>

#include "vitrine_test.h"

#include "problem.h"

static void untrusted_text_is_shown_safely(void **state)
{
	static const struct {
		const char *text;
		const char *shown;
	} pairs[] = {
	    {"", ""},
	    {"plain text", "plain text"},
	    {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
	     "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
	    {"a\nb\x1b[31m\x7f", "a\\x0ab\\x1b[31m\\x7f"},
	    {"\"quoted\\\"", "\\x22quoted\\x5c\\x22"},
	    {"\xff\xc3", "\\xff\\xc3"},
	    {"\xc2\x9b", "\\xc2\\x9b"}, /* a C1 control */
	    {"\xe2\x80\xae"
	     "abc",
	     "\\xe2\\x80\\xae"
	     "abc"},                             /* right-to-left override */
	    {"\xe2\x80\xb0", "\xe2\x80\xb0"},    /* per mille, next to them */
	    {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"}, /* byte order mark */
	};
	char out[200];

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_string_equal(problem_quote(out, sizeof(out), bytes_str(pairs[i].text)),
				    pairs[i].shown);
	assert_string_equal(problem_quote(out, sizeof(out), bytes_of("a\0b", 3)), "a\\x00b");
}

static void a_cut_is_visible_and_between_characters(void **state)
{
	char out[12];

	(void)state;
	assert_string_equal(problem_quote(out, sizeof(out), bytes_str("12345678")), "12345678");
	assert_string_equal(problem_quote(out, sizeof(out), bytes_str("123456789")), "12345678...");
	assert_string_equal(problem_quote(out, sizeof(out), bytes_str("1234567\xe2\x82\xac")),
			    "1234567...");
	for (size_t cap = 1; cap <= sizeof(out); cap++) {
		problem_quote(out, cap,
			      bytes_str("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"));
		assert_true(strlen(out) < cap);
		assert_true(utf8_valid(bytes_str(out)));
	}
}

static void a_long_detail_is_cut_between_characters(void **state)
{
	struct problem p;
	char text[2 * PROBLEM_DETAIL_MAX + 1];

	(void)state;
	for (size_t shift = 0; shift < 4; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xf0\x9f\x98\x80", 5);
		assert_int_equal(problem_set(&p, VT_EMALFORMED, "statement-shape", "%s", text),
				 VT_EMALFORMED);
		assert_string_equal(p.type->slug, "statement-shape");
		assert_true(utf8_valid(bytes_str(p.detail)));
		assert_true(strlen(p.detail) > PROBLEM_DETAIL_MAX - 5);
	}
}

static void nobody_need_listen(void **state)
{
	(void)state;
	assert_int_equal(problem_set(NULL, VT_EUNTRUSTED, "key-unknown", "x"), VT_EUNTRUSTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(untrusted_text_is_shown_safely),
	    cmocka_unit_test(a_cut_is_visible_and_between_characters),
	    cmocka_unit_test(a_long_detail_is_cut_between_characters),
	    cmocka_unit_test(nobody_need_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
