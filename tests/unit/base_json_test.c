#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "json.h"

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}

/* What I-JSON (RFC 7493 over RFC 8259) makes of a text. */
static const struct expectation {
	struct bytes text;
	enum vt_err err;
	size_t offset;   /* where it goes wrong; SIZE_MAX: not looked at */
	const char *why; /* part of the reason */
	const char *rewritten;
} expectations[] = {
    /* Every kind at the top (RFC 8259 section 2). */
    {TEXT("{}"), VT_OK, 0, NULL, "{}"},
    {TEXT("[]"), VT_OK, 0, NULL, "[]"},
    {TEXT("\"a\""), VT_OK, 0, NULL, "\"a\""},
    {TEXT("0"), VT_OK, 0, NULL, "0"},
    {TEXT("-0"), VT_OK, 0, NULL, "0"},
    {TEXT("true"), VT_OK, 0, NULL, "true"},
    {TEXT("false"), VT_OK, 0, NULL, "false"},
    {TEXT("null"), VT_OK, 0, NULL, "null"},
    {TEXT(" \t\r\n[ 1 ,\t2 ]\n"), VT_OK, 0, NULL, "[1,2]"},
    {TEXT("{\"b\":1,\"a\":{\"z\":[true,null]}}"), VT_OK, 0, NULL,
     "{\"b\":1,\"a\":{\"z\":[true,null]}}"},
    /* Structure. */
    {TEXT(""), VT_EMALFORMED, 0, "empty", NULL},
    {TEXT(" "), VT_EMALFORMED, SIZE_MAX, "too early", NULL},
    {TEXT("{"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("[1"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("[1,]"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("{\"a\":1,}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("{a:1}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("{'a':1}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("[1 2]"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("{} {}"), VT_EMALFORMED, SIZE_MAX, "follows", NULL},
    {TEXT("{}x"), VT_EMALFORMED, SIZE_MAX, "follows", NULL},
    {TEXT("{}\0"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("]"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("[}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("[1]/*c*/"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("True"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("NaN"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("Infinity"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("\xef\xbb\xbf{}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("\v{}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("\xc2\xa0{}"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    /* Duplicate members (RFC 7493 section 2.3), however they are spelled. */
    {TEXT("{\"a\":1,\"a\":1}"), VT_EMALFORMED, SIZE_MAX, "duplicate member name near '\"a\"'",
     NULL},
    {TEXT("{\"a\":1,\"\\u0061\":2}"), VT_EMALFORMED, SIZE_MAX, "duplicate", NULL},
    {TEXT("[{\"x\":{\"\":1,\"\":2}}]"), VT_EMALFORMED, SIZE_MAX, "duplicate", NULL},
    {TEXT("{\"\xc3\xa9\":1,\"\xc3\xa9\":1}"), VT_EMALFORMED, SIZE_MAX, "duplicate", NULL},
    {TEXT("{\"a\":1,\"A\":1}"), VT_OK, 0, NULL, "{\"a\":1,\"A\":1}"},
    {TEXT("[{\"a\":1},{\"a\":1}]"), VT_OK, 0, NULL, "[{\"a\":1},{\"a\":1}]"},
    /* Encoding (section 2.1). */
    {TEXT("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x8f\""), VT_OK, 0, NULL,
     "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x8f\""},
    {TEXT("\"a\xff\""), VT_EMALFORMED, 2, "UTF-8", NULL},
    {TEXT("\"\xc0\xaf\""), VT_EMALFORMED, 1, "UTF-8", NULL},
    {TEXT("\"\xed\xa0\x80\""), VT_EMALFORMED, 1, "UTF-8", NULL},
    {TEXT("\"\xe2\x82"), VT_EMALFORMED, 1, "UTF-8", NULL},
    {TEXT("\"\xf4\x90\x80\x80\""), VT_EMALFORMED, 1, "UTF-8", NULL},
    {TEXT("\"\xc3\xa9\x80\""), VT_EMALFORMED, 3, "UTF-8", NULL},
    {TEXT("\xff"), VT_EMALFORMED, 0, "UTF-8", NULL},
    {TEXT("\"\xef\xbf\xbe\""), VT_EMALFORMED, 1, "noncharacter U+FFFE", NULL},
    {TEXT("\"ab\xef\xbf\xbf\""), VT_EMALFORMED, 3, "noncharacter U+FFFF", NULL},
    {TEXT("\"\xef\xb7\x90\""), VT_EMALFORMED, 1, "noncharacter U+FDD0", NULL},
    {TEXT("\"\xef\xb7\xaf\""), VT_EMALFORMED, 1, "noncharacter U+FDEF", NULL},
    {TEXT("\"\xef\xb7\xb0\""), VT_OK, 0, NULL, "\"\xef\xb7\xb0\""},
    {TEXT("\"\xf0\x9f\xbf\xbe\""), VT_EMALFORMED, 1, "noncharacter U+1FFFE", NULL},
    {TEXT("\"\xf4\x8f\xbf\xbf\""), VT_EMALFORMED, 1, "noncharacter U+10FFFF", NULL},
    {TEXT("{\"\\uFFFE\":1}"), VT_EMALFORMED, 2, "noncharacter U+FFFE", NULL},
    {TEXT("\"\\ufdd0\""), VT_EMALFORMED, 1, "noncharacter U+FDD0", NULL},
    {TEXT("\"\\uD83F\\uDFFE\""), VT_EMALFORMED, 1, "noncharacter U+1FFFE", NULL},
    {TEXT("\"\\ud800\""), VT_EMALFORMED, 1, "unpaired surrogate \\uD800", NULL},
    {TEXT("\"x\\udc00\""), VT_EMALFORMED, 2, "unpaired surrogate \\uDC00", NULL},
    {TEXT("\"\\ud83d\\u0041\""), VT_EMALFORMED, 1, "unpaired surrogate \\uD83D", NULL},
    {TEXT("\"\\udd0f\\ud83d\""), VT_EMALFORMED, 1, "unpaired surrogate \\uDD0F", NULL},
    {TEXT("\"\\ud83d\\udd0f\""), VT_OK, 0, NULL, "\"\xf0\x9f\x94\x8f\""},
    /* Strings (RFC 8259 section 7). */
    {TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\""), VT_OK, 0, NULL,
     "\"\\\"\\\\/\\b\\f\\n\\r\\tA\""},
    {TEXT("\"a\\u0000b\""), VT_OK, 0, NULL, "\"a\\u0000b\""},
    {TEXT("\"\x7f\""), VT_OK, 0, NULL, "\"\x7f\""},
    {TEXT("{\"a\\u0000b\":1}"), VT_EMALFORMED, SIZE_MAX, "U+0000", NULL},
    {TEXT("\"a\nb\""), VT_EMALFORMED, 2, "control character U+000A", NULL},
    {TEXT("\"a\0b\""), VT_EMALFORMED, 2, "control character U+0000", NULL},
    {TEXT("\"\\x41\""), VT_EMALFORMED, 1, "unknown escape", NULL},
    {TEXT("\"\\\0\""), VT_EMALFORMED, 1, "unknown escape", NULL},
    {TEXT("\"\\U0041\""), VT_EMALFORMED, 1, "unknown escape", NULL},
    {TEXT("\"\\u004\""), VT_EMALFORMED, 1, "four hex", NULL},
    {TEXT("\"\\u004g\""), VT_EMALFORMED, 1, "four hex", NULL},
    {TEXT("\"\\u+041\""), VT_EMALFORMED, 1, "four hex", NULL},
    {TEXT("[\"abc"), VT_EMALFORMED, 1, "does not end", NULL},
    {TEXT("\"abc\\"), VT_EMALFORMED, 4, "inside a string", NULL},
    {TEXT("\"abc\\\""), VT_EMALFORMED, 0, "does not end", NULL},
    {TEXT("\"[[[{{{\""), VT_OK, 0, NULL, "\"[[[{{{\""},
    /* Numbers (section 2.2): (2^53)-1 = 9007199254740991. */
    {TEXT("9007199254740991"), VT_OK, 0, NULL, "9007199254740991"},
    {TEXT("-9007199254740991"), VT_OK, 0, NULL, "-9007199254740991"},
    {TEXT("[9007199254740992]"), VT_EMALFORMED, 1, "2^53", NULL},
    {TEXT("-9007199254740992"), VT_EMALFORMED, 0, "2^53", NULL},
    {TEXT("18446744073709551617"), VT_EMALFORMED, 0, "2^53", NULL},
    {TEXT("36893488147419103232000000000000000000000000001"), VT_EMALFORMED, 0, "2^53", NULL},
    {TEXT("9007199254740991.0"), VT_OK, 0, NULL, "9007199254740991.0"},
    {TEXT("9007199254740992.0"), VT_EMALFORMED, 0, "2^53", NULL},
    {TEXT("[0,-1e20]"), VT_EMALFORMED, 3, "2^53", NULL},
    {TEXT("1E400"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("1.5"), VT_OK, 0, NULL, "1.5"},
    {TEXT("-0.25"), VT_OK, 0, NULL, "-0.25"},
    {TEXT("1e2"), VT_OK, 0, NULL, "100.0"},
    {TEXT("1e-400"), VT_OK, 0, NULL, "0.0"},
    {TEXT("01"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("+1"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("-"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("1."), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT(".5"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("1e"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("1e+"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("0x10"), VT_EMALFORMED, SIZE_MAX, "", NULL},
    {TEXT("1_000"), VT_EMALFORMED, SIZE_MAX, "", NULL},
};

static void assert_refused(const struct expectation *e)
{
	struct json *j;
	struct json_error why;

	assert_int_equal(json_parse(&j, e->text, &why), e->err);
	assert_null(j);
	assert_true(why.text[0] != '\0');
	for (const char *p = why.text; *p != '\0'; p++)
		assert_true(*p >= ' ' && *p <= '~');
	if (strstr(why.text, e->why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, e->why);
	if (e->offset != SIZE_MAX)
		assert_int_equal(why.offset, e->offset);
	assert_true(why.offset <= e->text.len);
	assert_int_equal(json_parse(&j, e->text, NULL), e->err);
}

static void texts_are_taken_and_refused_as_ijson_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expectations) / sizeof(expectations[0]); i++) {
		const struct expectation *e = &expectations[i];
		struct json *j;
		struct json_error why;
		struct buf out;

		if (e->err != VT_OK) {
			assert_refused(e);
			continue;
		}
		buf_init(&out);
		if (json_parse(&j, e->text, &why) != VT_OK)
			fail_msg("%.*s: %s", (int)e->text.len, (const char *)e->text.data,
				 why.text);
		assert_int_equal(json_write(&out, j, JSON_COMPACT), VT_OK);
		assert_true(bytes_is(buf_bytes(&out), e->rewritten));
		json_free(j);
		buf_release(&out);
	}
}

static enum vt_err parse_nested_to(size_t most, size_t depth, const char *open, const char *close)
{
	struct json *j;
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	for (size_t i = 0; i < depth; i++)
		assert_int_equal(buf_append_str(&text, open), VT_OK);
	assert_int_equal(buf_append_str(&text, "1"), VT_OK);
	for (size_t i = 0; i < depth; i++)
		assert_int_equal(buf_append_str(&text, close), VT_OK);
	err = most == 0 ? json_parse(&j, buf_bytes(&text), NULL)
			: json_parse_to(&j, buf_bytes(&text), most, NULL);
	json_free(j);
	buf_release(&text);
	return err;
}

static enum vt_err parse_nested(size_t depth, const char *open, const char *close)
{
	return parse_nested_to(0, depth, open, close);
}

static void another_depth_may_be_asked_for(void **state)
{
	(void)state;
	assert_int_equal(parse_nested_to(2, 2, "[", "]"), VT_OK);
	assert_int_equal(parse_nested_to(2, 3, "[", "]"), VT_ELIMIT);
	assert_int_equal(parse_nested_to(JSON_ANSWER_DEPTH_MAX, JSON_ANSWER_DEPTH_MAX, "[", "]"),
			 VT_OK);
	assert_int_equal(
	    parse_nested_to(JSON_ANSWER_DEPTH_MAX, JSON_ANSWER_DEPTH_MAX + 1, "[", "]"), VT_ELIMIT);
	assert_int_equal(parse_nested_to(JSON_ANSWER_DEPTH_MAX + 1, 1, "[", "]"), VT_EINVAL);
}

static void depth_is_bounded_before_the_parser_recurses(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(JSON_DEPTH_MAX, "[", "]"), VT_OK);
	assert_int_equal(parse_nested(JSON_DEPTH_MAX, "{\"a\":", "}"), VT_OK);
	assert_int_equal(parse_nested(JSON_DEPTH_MAX + 1, "[", "]"), VT_ELIMIT);
	assert_int_equal(parse_nested(JSON_DEPTH_MAX + 1, "{\"a\":", "}"), VT_ELIMIT);
	assert_int_equal(parse_nested(1000000, "[", "]"), VT_ELIMIT);
	assert_int_equal(parse_nested(1000000, "[", ""), VT_ELIMIT);
}

static void siblings_do_not_add_to_the_depth(void **state)
{
	(void)state;
	struct json *j;
	struct buf text;

	buf_init(&text);
	assert_int_equal(buf_append_str(&text, "[0"), VT_OK);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(buf_append_str(&text, ",[[]],{}"), VT_OK);
	assert_int_equal(buf_append_str(&text, "]"), VT_OK);
	assert_int_equal(json_parse(&j, buf_bytes(&text), NULL), VT_OK);
	assert_int_equal(json_count(j), 201);
	json_free(j);
	buf_release(&text);
}

static struct json *parsed(const char *text)
{
	struct json *j;

	assert_int_equal(json_parse(&j, bytes_str(text), NULL), VT_OK);
	return j;
}

static void getters_answer_for_their_own_kind_only(void **state)
{
	(void)state;
	struct json *j = parsed("{\"t\":\"x\\u0000y\",\"i\":-7,\"r\":0.5,\"b\":true,\"f\":false,"
				"\"n\":null,\"a\":[1,2],\"o\":{}}");
	struct bytes text = {NULL, 99};
	int64_t n = 99;
	bool b = false;

	assert_int_equal(json_kind(j), JSON_OBJECT);
	assert_int_equal(json_count(j), 8);
	assert_true(json_text(json_member(j, "t"), &text));
	assert_true(bytes_equal(text, bytes_of("x\0y", 3)));
	assert_int_equal(text.data[3], 0);
	assert_true(json_integer(json_member(j, "i"), &n));
	assert_int_equal(n, -7);
	assert_true(json_bool(json_member(j, "b"), &b));
	assert_true(b);
	assert_true(json_bool(json_member(j, "f"), &b));
	assert_false(b);

	static const char *const names[] = {"t", "i", "r", "b", "f", "n", "a", "o", "missing"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct json *v = json_member(j, names[i]);
		struct bytes t = {NULL, 99};
		int64_t k = 99;
		bool is = true;

		if (names[i][0] != 't')
			assert_true(!json_text(v, &t) && t.len == 99 && t.data == NULL);
		if (names[i][0] != 'i')
			assert_true(!json_integer(v, &k) && k == 99);
		if (names[i][0] != 'b' && names[i][0] != 'f')
			assert_true(!json_bool(v, &is) && is);
		if (names[i][0] != 'a' && names[i][0] != 'o')
			assert_int_equal(json_count(v), 0);
		assert_null(json_member(v, "t"));
		if (names[i][0] != 'a')
			assert_null(json_at(v, 0));
	}
	assert_non_null(json_at(json_member(j, "a"), 1));
	assert_null(json_at(json_member(j, "a"), 2));
	assert_int_equal(json_kind(json_member(j, "r")), JSON_REAL);
	assert_int_equal(json_kind(NULL), JSON_NULL);
	json_free(j);
}

static void members_come_in_the_order_they_were_written(void **state)
{
	(void)state;
	struct json *j = parsed("{\"zeta\":0,\"alpha\":1,\"\":2,\"mid\":3}");
	static const char *const order[] = {"zeta", "alpha", "", "mid"};
	struct json_cursor at = {0};
	struct bytes name;
	const struct json *value;

	for (int64_t i = 0; i < 4; i++) {
		int64_t n;

		assert_true(json_next_member(j, &at, &name, &value));
		assert_true(bytes_is(name, order[i]));
		assert_int_equal(name.data[name.len], 0);
		assert_true(json_integer(value, &n) && n == i);
		assert_true(json_member_at(j, (size_t)i, &name, &value));
		assert_true(bytes_is(name, order[i]));
		assert_true(json_integer(value, &n) && n == i);
	}
	assert_false(json_next_member(j, &at, &name, &value));
	assert_false(json_next_member(j, &at, &name, &value));
	assert_false(json_member_at(j, 4, &name, &value));
	at = (struct json_cursor){0};
	assert_false(json_next_member(json_member(j, "mid"), &at, &name, &value));
	assert_false(json_member_at(NULL, 0, &name, &value));
	json_free(j);
}

static enum vt_err build(struct json **out)
{
	struct json *o = json_new_object();
	struct json *a = json_new_array();
	struct json *copy = NULL;
	enum vt_err err;

	if ((err = json_push(a, json_new_integer(-5))) != VT_OK ||
	    (err = json_push(a, json_new_bool(true))) != VT_OK ||
	    (err = json_push(a, json_new_null())) != VT_OK ||
	    (err = json_set(o, "text", json_new_text(bytes_of("a\0\"/", 4)))) != VT_OK ||
	    (err = json_set(o, "str", json_new_str("\xe2\x82\xac"))) != VT_OK)
		goto done;
	err = json_set(o, "list", a);
	a = NULL; /* taken over */
	if (err != VT_OK)
		goto done;
	err = VT_ENOMEM;
	if ((copy = json_copy(o)) == NULL)
		goto done;
	if ((err = json_set(o, "copy", json_copy(json_member(copy, "list")))) != VT_OK)
		goto done;
	*out = o;
	o = NULL; /* transferred */
done:
	json_free(copy);
	json_free(a);
	json_free(o);
	return err;
}

static void built_values_are_written_in_the_order_they_were_set(void **state)
{
	(void)state;
	struct json *j;
	struct buf out;

	buf_init(&out);
	assert_int_equal(build(&j), VT_OK);
	assert_int_equal(json_write(&out, j, JSON_COMPACT), VT_OK);
	assert_true(bytes_is(buf_bytes(&out),
			     "{\"text\":\"a\\u0000\\\"/\",\"str\":\"\xe2\x82\xac\","
			     "\"list\":[-5,true,null],\"copy\":[-5,true,null]}"));
	json_free(j);

	buf_reset(&out);
	j = parsed("{\"a\":[1,{}],\"b\":[]}");
	assert_int_equal(json_write(&out, j, JSON_INDENTED), VT_OK);
	assert_true(
	    bytes_is(buf_bytes(&out), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"));
	json_free(j);
	buf_release(&out);
}

static void a_member_that_is_set_again_keeps_its_place(void **state)
{
	(void)state;
	struct json *j = parsed("{\"a\":1,\"b\":2}");
	struct buf out;

	buf_init(&out);
	assert_int_equal(json_set(j, "a", json_new_str("new")), VT_OK);
	assert_int_equal(json_write(&out, j, JSON_COMPACT), VT_OK);
	assert_true(bytes_is(buf_bytes(&out), "{\"a\":\"new\",\"b\":2}"));
	json_free(j);
	buf_release(&out);
}

static void wrong_use_is_refused_and_the_value_is_still_taken_over(void **state)
{
	(void)state;
	struct json *o = json_new_object();
	struct json *a = json_new_array();

	assert_int_equal(json_set(o, "x", NULL), VT_ENOMEM);
	assert_int_equal(json_push(a, NULL), VT_ENOMEM);
	assert_int_equal(json_set(NULL, "x", json_new_null()), VT_ENOMEM);
	assert_int_equal(json_push(NULL, json_new_str("leaks if it is not freed")), VT_ENOMEM);
	assert_int_equal(json_set(a, "x", json_new_str("leaks if it is not freed")), VT_EINVAL);
	assert_int_equal(json_push(o, json_new_str("leaks if it is not freed")), VT_EINVAL);
	assert_int_equal(json_set(o, "\xff", json_new_str("leaks if it is not freed")), VT_EINVAL);
	assert_int_equal(json_set(o, "o", o), VT_EINVAL);
	assert_int_equal(json_push(a, a), VT_EINVAL);
	assert_int_equal(json_count(o), 0);
	assert_int_equal(json_count(a), 0);
	assert_null(json_new_text(bytes_str("\xff")));
	assert_null(json_new_str("\xc0\x80"));
	json_free(o);
	json_free(a);
	json_free(NULL);
}

static enum vt_err parse_and_write(void)
{
	static const char text[] =
	    "{\"long enough to grow a buffer, which starts at sixteen bytes\":"
	    "[1,2.5,\"a\",null,true,{\"b\":[]},3,4,5,6,7,8,9,10,11,12,13]}";
	struct json *j = NULL;
	struct buf out;
	enum vt_err err;

	buf_init(&out);
	if ((err = buf_append_str(&out, "x")) != VT_OK)
		goto done;
	if ((err = json_parse(&j, bytes_str(text), NULL)) != VT_OK) {
		assert_null(j);
		goto done;
	}
	if ((err = json_write(&out, j, JSON_COMPACT)) != VT_OK) {
		assert_int_equal(out.len, 1);
		goto done;
	}
	assert_true(bytes_is(bytes_of(out.data + 1, out.len - 1), text));
done:
	json_free(j);
	buf_release(&out);
	return err;
}

static enum vt_err build_once(void)
{
	struct json *j = NULL;
	enum vt_err err = build(&j);

	if (err == VT_OK)
		json_free(j);
	return err;
}

static struct json *one_expression(const char *maybe)
{
	struct json *list = json_new_array();

	json_add_element(&list, json_new_integer(1));
	json_add_element(&list, json_absent());
	return JSON_OBJECT_OF(
	    {"name", json_new_str("a")}, {"list", list},
	    {"maybe", maybe != NULL ? json_new_str(maybe) : json_absent()},
	    {"in", JSON_OBJECT_OF({"deep", json_new_str("long enough to be allocated")})});
}

static void an_object_is_one_expression_without_what_is_absent(void **state)
{
	(void)state;
	struct json *j = one_expression(NULL);
	struct buf out;

	buf_init(&out);
	assert_int_equal(json_write(&out, j, JSON_COMPACT), VT_OK);
	assert_true(bytes_is(buf_bytes(&out), "{\"name\":\"a\",\"list\":[1],\"in\":{\"deep\":"
					      "\"long enough to be allocated\"}}"));
	json_free(j);
	json_free(json_absent());
	assert_null(JSON_OBJECT_OF({"name", json_new_str("leaks if it is not freed")},
				   {"not UTF-8", json_new_str("\xff")}));
	assert_int_equal(json_write(&out, NULL, JSON_COMPACT), VT_ENOMEM);
	assert_int_equal(buf_error(&out), VT_ENOMEM);
	buf_release(&out);
}

static enum vt_err build_one_expression(void)
{
	struct json *j = one_expression("there");
	enum vt_err err = j != NULL ? VT_OK : VT_ENOMEM;

	json_free(j);
	return err;
}

static void every_failed_allocation_is_reported_as_one(void **state)
{
	(void)state;
	enum vt_err (*const thing[])(void) = {parse_and_write, build_once, build_one_expression};

	for (size_t i = 0; i < sizeof(thing) / sizeof(*thing); i++) {
		assert_int_equal(thing[i](), VT_OK);
		for (unsigned n = 1;; n++) {
			alloc_fail_at(n);
			enum vt_err err = thing[i]();
			if (!alloc_failed()) {
				assert_int_equal(err, VT_OK);
				assert_true(n > 10);
				break;
			}
			assert_int_equal(err, VT_ENOMEM);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_taken_and_refused_as_ijson_says),
	    cmocka_unit_test(depth_is_bounded_before_the_parser_recurses),
	    cmocka_unit_test(another_depth_may_be_asked_for),
	    cmocka_unit_test(siblings_do_not_add_to_the_depth),
	    cmocka_unit_test(getters_answer_for_their_own_kind_only),
	    cmocka_unit_test(members_come_in_the_order_they_were_written),
	    cmocka_unit_test(built_values_are_written_in_the_order_they_were_set),
	    cmocka_unit_test(a_member_that_is_set_again_keeps_its_place),
	    cmocka_unit_test(wrong_use_is_refused_and_the_value_is_still_taken_over),
	    cmocka_unit_test(an_object_is_one_expression_without_what_is_absent),
	    cmocka_unit_test(every_failed_allocation_is_reported_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
