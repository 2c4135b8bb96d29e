/* The parsers of what clients write: queries, entity-tags, codings; and gzip. */
#include "vitrine_test.h"

#include <string.h>

#include "http_exchange.h"
#include "http_gzip.h"
#include "http_negotiate.h"
#include "http_query.h"

static void assert_value(const char *query, const char *name, enum vt_err err, const char *value,
			 size_t len)
{
	struct buf out;
	enum vt_err got;

	buf_init(&out);
	assert_int_equal(buf_append_str(&out, "kept"), VT_OK);
	got = http_query_value(&out, query, name);
	if (got != err)
		fail_msg("\"%s\" in \"%s\" gives %s", name, query, vt_err_text(got));
	assert_int_equal(out.len, 4 + (err == VT_OK ? len : 0));
	assert_memory_equal(out.data, "kept", 4);
	if (err == VT_OK && len > 0)
		assert_memory_equal(out.data + 4, value, len);
	buf_release(&out);
}

static void query_values_are_decoded(void **state)
{
	(void)state;
	assert_value("a=1&b=2", "b", VT_OK, "2", 1);
	assert_value("a=1&b=2", "a", VT_OK, "1", 1);
	assert_value("a=%41%2b+%20%26%3D&b", "a", VT_OK, "A++ &=", 6);
	assert_value("a=x=y", "a", VT_OK, "x=y", 3);
	assert_value("a", "a", VT_OK, "", 0);
	assert_value("a=", "a", VT_OK, "", 0);
	assert_value("&&a=1&", "a", VT_OK, "1", 1);
	assert_value("%61=1", "a", VT_OK, "1", 1);
	assert_value("a=%00b", "a", VT_OK, "\0b", 2);
	assert_value("a=\xff", "a", VT_OK, "\xff", 1);
	assert_value("=1", "", VT_OK, "1", 1);
}

static void query_values_that_are_missing_double_or_malformed_are_told_apart(void **state)
{
	static const char *const malformed[] = {"a=%", "a=%4", "a=%4g", "a=%g4", "a=b%%41"};
	static const char *const twice[] = {"a=1&a=1", "a=1&%61=2", "a&a", "a=%&a=1"};

	(void)state;
	assert_value("", "a", VT_ENOTFOUND, NULL, 0);
	assert_value("ab=1&A=1&b=a", "a", VT_ENOTFOUND, NULL, 0);
	assert_value("a%00=1", "a", VT_ENOTFOUND, NULL, 0);
	assert_value("%6=1", "a", VT_ENOTFOUND, NULL, 0);
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
		assert_value(malformed[i], "a", VT_EMALFORMED, NULL, 0);
	for (size_t i = 0; i < sizeof(twice) / sizeof(twice[0]); i++)
		assert_value(twice[i], "a", VT_ECONFLICT, NULL, 0);
	/* Another name's malformed value is that name's problem. */
	assert_value("b=%&a=1", "a", VT_OK, "1", 1);
}

static void an_unknown_query_name_is_named(void **state)
{
	static const char *const names[] = {"after", "limit", NULL};
	char unknown[64];

	(void)state;
	assert_true(http_query_names("", names, unknown));
	assert_true(http_query_names("&limit=1&&after", names, unknown));
	assert_true(http_query_names("limi%74=1", names, unknown));
	assert_false(http_query_names("limit=1&lim=2", names, unknown));
	assert_string_equal(unknown, "lim");
	assert_false(http_query_names("=2", names, unknown));
	assert_string_equal(unknown, "");
	assert_false(http_query_names("a\x01\xff%zz=2", names, unknown));
	assert_string_equal(unknown, "a??%zz");
	assert_false(http_query_names("0123456789012345678901234567890123456789"
				      "0123456789012345678901234567890123456789",
				      names, unknown));
	assert_int_equal(strlen(unknown), 63);
}

static void if_none_match_lists_are_read_weakly(void **state)
{
	static const struct {
		const char *field, *tag;
		bool listed;
	} cases[] = {
	    {NULL, "a", false},
	    {"", "a", false},
	    {"*", "a", true},
	    {" * ", "a", true},
	    {"*, \"a\"", "a", false},
	    {"\"a\"", "a", true},
	    {"W/\"a\"", "a", true},
	    {"w/\"a\"", "a", false},
	    {"W/ \"a\"", "a", false},
	    {"\"b\", W/\"a\"", "a", true},
	    {"\"b\",\"a\"", "a", true},
	    {" ,, \"b\" ,\t\"a\" ,", "a", true},
	    {"\"a,b\"", "a,b", true},
	    {"\"a,b\"", "a", false},
	    {"\"ab\"", "a", false},
	    {"\"\"", "", true},
	    {"\"\"", "a", false},
	    {"a", "a", false},
	    {"\"a", "a", false},
	    {"\"b\" \"a\"", "a", false},
	    {"\"b c\", \"a\"", "a", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (http_etag_listed(cases[i].field, cases[i].tag) != cases[i].listed)
			fail_msg("case %zu: %s", i, cases[i].field);
	}
}

static void accept_encoding_is_weighed(void **state)
{
	static const struct {
		const char *field;
		bool wanted;
	} cases[] = {
	    {NULL, false},
	    {"", false},
	    {"gzip", true},
	    {"GZIP", true},
	    {"x-gzip", true},
	    {"br, gzip, deflate", true},
	    {"br", false},
	    {"gzip;q=0", false},
	    {"gzip;q=0.0", false},
	    {"gzip;q=0.000", false},
	    {"gzip;q=0.001", true},
	    {"gzip; q=1.000", true},
	    {"gzip ;Q=1", true},
	    {"gzip;q=1.001", false},
	    {"gzip;q=2", false},
	    {"gzip;q=", false},
	    {"gzip;q=.5", false},
	    {"gzip;q=0.1234", false},
	    {"gzip;x=1", false},
	    {"gzip;", false},
	    {"gzip;q=0.5, identity", false},
	    {"gzip;q=0.5, identity;q=0.5", true},
	    {"gzip;q=0.5, identity;q=0.4", true},
	    {"identity", false},
	    {"identity;q=0", false},
	    {"identity;q=0, gzip;q=0.1", true},
	    {"*", true},
	    {"*;q=0", false},
	    {"gzip;q=0, *", false},
	    {"*;q=0, gzip", true},
	    {"*;q=0.5, identity", false},
	    {"gzipped", false},
	    {"gzip x", false},
	    {",, gzip ,", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (http_gzip_wanted(cases[i].field) != cases[i].wanted)
			fail_msg("case %zu: %s", i, cases[i].field);
	}
}

static void what_is_packed_unpacks_to_the_same(void **state)
{
	struct buf text, packed, again;
	size_t n;

	(void)state;
	buf_init(&text);
	buf_init(&packed);
	buf_init(&again);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(buf_append_byte(&text, (uint8_t)("vitrine"[i * i % 7])), VT_OK);
	assert_int_equal(gzip_compress(&packed, buf_bytes(&text)), VT_OK);
	assert_true(packed.len < text.len / 10);
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), text.len), VT_OK);
	assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&text)));
	buf_reset(&again);
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), text.len - 1), VT_ELIMIT);
	assert_int_equal(again.len, 0);
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), 0), VT_ELIMIT);
	/* Several members are one text, and nothing else may follow. */
	n = packed.len;
	assert_int_equal(buf_append(&packed, buf_bytes(&packed)), VT_OK);
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), 2 * text.len - 1), VT_ELIMIT);
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), 2 * text.len), VT_OK);
	assert_int_equal(again.len, 2 * text.len);
	assert_memory_equal(again.data + text.len, text.data, text.len);
	buf_reset(&again);
	packed.len = 2 * n - 1;
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), 2 * text.len), VT_EMALFORMED);
	packed.len = n;
	assert_int_equal(buf_append_byte(&packed, 0), VT_OK);
	assert_int_equal(gzip_expand(&again, buf_bytes(&packed), text.len), VT_EMALFORMED);
	/* What does not shrink is not packed. */
	assert_int_equal(gzip_compress(&again, bytes_of(packed.data, 20)), VT_ELIMIT);
	assert_int_equal(again.len, 0);
	buf_release(&text);
	buf_release(&packed);
	buf_release(&again);
}

static void the_target_is_split_at_its_first_question_mark(void **state)
{
	static const struct {
		const char *target, *path, *query;
	} cases[] = {
	    {"/", "/", ""},
	    {"/a?b", "/a", "b"},
	    {"/a?", "/a", ""},
	    {"/a?b?c", "/a", "b?c"},
	    {"?b", "", "b"},
	    {"", "", ""},
	    {"*", "*", ""},
	    {"http://host/a?b", "/a", "b"},
	    {"HTTPS://host:1/a", "/a", ""},
	    {"http://host", "/", ""},
	    {"http://host?b", "/", "b"},
	    {"http://", "/", ""},
	    {"/http://host/a", "/http://host/a", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_exchange *x = exchange_new(cases[i].target);

		assert_non_null(x);
		assert_string_equal(x->req.path, cases[i].path);
		assert_string_equal(x->req.query, cases[i].query);
		exchange_free(x);
	}
}

static void fields_of_one_name_are_joined(void **state)
{
	const struct http_field fields[] = {
	    {"Accept", "a"}, {"X", ""}, {"accept", "b"}, {"x", "c"}, {"ACCEPT", "d"}};
	struct http_field many[HTTP_FIELDS_MAX + 1];
	struct http_exchange *x = exchange_new("/");

	(void)state;
	assert_int_equal(exchange_set_fields(x, fields, 5), VT_OK);
	assert_int_equal(x->n_fields, 2);
	assert_string_equal(http_header(x, "aCCEPT"), "a, b, d");
	assert_string_equal(http_header(x, "X"), ", c");
	assert_null(http_header(x, "Accep"));
	exchange_free(x);

	for (size_t i = 0; i <= HTTP_FIELDS_MAX; i++)
		many[i] = (struct http_field){"A", "1"};
	x = exchange_new("/");
	assert_int_equal(exchange_set_fields(x, many, HTTP_FIELDS_MAX + 1), VT_ELIMIT);
	assert_null(http_header(x, "A"));
	assert_int_equal(exchange_set_fields(x, many, HTTP_FIELDS_MAX), VT_OK);
	assert_int_equal(strlen(http_header(x, "A")), HTTP_FIELDS_MAX * 3 - 2);
	exchange_free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(query_values_are_decoded),
	    cmocka_unit_test(query_values_that_are_missing_double_or_malformed_are_told_apart),
	    cmocka_unit_test(an_unknown_query_name_is_named),
	    cmocka_unit_test(if_none_match_lists_are_read_weakly),
	    cmocka_unit_test(accept_encoding_is_weighed),
	    cmocka_unit_test(what_is_packed_unpacks_to_the_same),
	    cmocka_unit_test(the_target_is_split_at_its_first_question_mark),
	    cmocka_unit_test(fields_of_one_name_are_joined),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
