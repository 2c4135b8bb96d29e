#include "vitrine_test.h"

#include "cursor.h"

static struct cursor at(const char *text)
{
	struct cursor c;

	cursor_init(&c, bytes_str(text));
	return c;
}

static void a_line_ends_at_its_newline_and_the_newline_is_taken(void **state)
{
	struct cursor c = at("one\n\ntwo\n");
	struct bytes line;

	(void)state;
	assert_int_equal(cursor_line(&c, &line), VT_OK);
	assert_true(bytes_is(line, "one"));
	assert_int_equal(cursor_line(&c, &line), VT_OK);
	assert_int_equal(line.len, 0);
	assert_int_equal(cursor_line(&c, &line), VT_OK);
	assert_true(bytes_is(line, "two"));
	assert_true(cursor_at_end(&c));
}

static void a_line_without_newline_is_malformed_and_stays(void **state)
{
	struct cursor c = at("one");
	struct bytes line;

	(void)state;
	assert_int_equal(cursor_line(&c, &line), VT_EMALFORMED);
	assert_true(bytes_is(c.rest, "one"));
	c = at("");
	assert_int_equal(cursor_line(&c, &line), VT_EMALFORMED);
	cursor_init(&c, bytes_of(NULL, 0));
	assert_true(cursor_at_end(&c));
	assert_int_equal(cursor_line(&c, &line), VT_EMALFORMED);
}

static void a_literal_is_taken_whole_or_not_at_all(void **state)
{
	struct cursor c = at("index 7\n");

	(void)state;
	assert_int_equal(cursor_literal(&c, "indices "), VT_EMALFORMED);
	assert_false(cursor_skip(&c, "index 7\n and more"));
	assert_true(bytes_is(c.rest, "index 7\n"));
	assert_int_equal(cursor_literal(&c, "index "), VT_OK);
	assert_true(cursor_skip(&c, "7\n"));
	assert_true(cursor_at_end(&c));
}

static void a_nonempty_line_is_not_empty(void **state)
{
	struct cursor c = at("\nx\n");
	struct bytes line;

	(void)state;
	assert_int_equal(cursor_nonempty_line(&c, &line), VT_EMALFORMED);
	assert_true(bytes_is(c.rest, "\nx\n"));
}

static void a_decimal_line_is_one_number(void **state)
{
	struct cursor c = at("18446744073709551615\n0\n");
	uint64_t n;

	(void)state;
	assert_int_equal(cursor_decimal_line(&c, &n), VT_OK);
	assert_true(n == UINT64_MAX);
	assert_int_equal(cursor_decimal_line(&c, &n), VT_OK);
	assert_true(n == 0);
	for (const char *const *bad =
		 (const char *const[]){"\n", "01\n", "1 \n", " 1\n", "-1\n", "1", NULL};
	     *bad != NULL; bad++) {
		c = at(*bad);
		assert_int_equal(cursor_decimal_line(&c, &n), VT_EMALFORMED);
		assert_true(bytes_is(c.rest, *bad));
	}
}

static void a_hash_line_is_thirty_two_bytes_of_base64(void **state)
{
	struct cursor c = at("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nrest");
	struct merkle_hash hash;

	(void)state;
	assert_int_equal(cursor_hash_line(&c, &hash), VT_OK);
	assert_int_equal(hash.b[0], 0x0a);
	assert_int_equal(hash.b[31], 0x62);
	assert_true(bytes_is(c.rest, "rest"));
	c = at("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n"); /* pad bits */
	assert_int_equal(cursor_hash_line(&c, &hash), VT_EMALFORMED);
	c = at("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxqw==\n"); /* 31 bytes */
	assert_int_equal(cursor_hash_line(&c, &hash), VT_EMALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_ends_at_its_newline_and_the_newline_is_taken),
	    cmocka_unit_test(a_line_without_newline_is_malformed_and_stays),
	    cmocka_unit_test(a_literal_is_taken_whole_or_not_at_all),
	    cmocka_unit_test(a_nonempty_line_is_not_empty),
	    cmocka_unit_test(a_decimal_line_is_one_number),
	    cmocka_unit_test(a_hash_line_is_thirty_two_bytes_of_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
