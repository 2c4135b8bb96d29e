#include "vitrine_test.h"

#include <stdlib.h>
#include <string.h>

#include "vitrine/bytes.h"

#define LITERAL(text) bytes_of("" text, sizeof(text) - 1)

static void views_compare_by_content(void **state)
{
	(void)state;
	assert_true(bytes_equal(bytes_of(NULL, 0), bytes_str("")));
	assert_true(bytes_is(LITERAL("abc"), "abc"));
	assert_false(bytes_is(LITERAL("abc\0"), "abc"));
	assert_false(bytes_is(LITERAL("abd"), "abc"));
	assert_int_equal(bytes_compare(bytes_of(NULL, 0), bytes_of(NULL, 0)), 0);
	assert_true(bytes_compare(bytes_of(NULL, 0), bytes_str("a")) < 0);
	assert_true(bytes_compare(bytes_str("ab"), bytes_str("a")) > 0);
	assert_true(bytes_compare(bytes_str("ab"), bytes_str("b")) < 0);
	assert_true(bytes_compare(LITERAL("\xff"), LITERAL("\x01")) > 0);
}

static void buffer_grows_and_keeps_contents(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_null(b.data);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(buf_append_byte(&b, (uint8_t)i), VT_OK);
	assert_int_equal(b.len, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(b.data[i], (uint8_t)i);
	buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_true(b.cap >= 5000);
	buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	assert_int_equal(buf_append_str(&b, "usable again"), VT_OK);
	assert_true(bytes_is(buf_bytes(&b), "usable again"));
	buf_release(&b);
	buf_release(&b);
}

static void appending_nothing_allocates_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(buf_append(&b, bytes_of(NULL, 0)), VT_OK);
	assert_int_equal(buf_append_str(&b, ""), VT_OK);
	assert_int_equal(buf_append_base64(&b, bytes_of(NULL, 0)), VT_OK);
	assert_int_equal(buf_reserve(&b, 0), VT_OK);
	assert_null(b.data);
}

static void absurd_reservations_are_refused(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(buf_append_str(&b, "kept"), VT_OK);
	assert_int_equal(buf_reserve(&b, SIZE_MAX), VT_ENOMEM);
	assert_int_equal(buf_reserve(&b, (size_t)PTRDIFF_MAX), VT_ENOMEM);
	assert_true(bytes_is(buf_bytes(&b), "kept"));
	buf_release(&b);
}

static void formatting_appends_without_the_nul(void **state)
{
	struct buf b;
	char *text;

	(void)state;
	buf_init(&b);
	assert_int_equal(buf_appendf(&b, "%s", ""), VT_OK);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_appendf(&b, "%d-%s", 7, "x"), VT_OK);
	assert_int_equal(buf_appendf(&b, "%0200d", 1), VT_OK);
	assert_int_equal(b.len, 203);
	text = buf_detach_str(&b);
	assert_non_null(text);
	assert_null(b.data);
	assert_int_equal(strlen(text), 203);
	assert_memory_equal(text, "7-x000", 6);
	free(text);
	text = buf_detach_str(&b);
	assert_string_equal(text, "");
	free(text);
}

static void decimals_and_hex_are_appended(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(buf_append_decimal(&b, 0), VT_OK);
	assert_int_equal(buf_append_byte(&b, ' '), VT_OK);
	assert_int_equal(buf_append_decimal(&b, UINT64_MAX), VT_OK);
	assert_int_equal(buf_append_byte(&b, ' '), VT_OK);
	assert_int_equal(buf_append_hex(&b, LITERAL("\x00\xff\x0a")), VT_OK);
	assert_int_equal(buf_append_hex(&b, bytes_of(NULL, 0)), VT_OK);
	assert_true(bytes_is(buf_bytes(&b), "0 18446744073709551615 00ff0a"));
	buf_release(&b);
}

/* RFC 4648 section 10, and each alphabet's last two digits. */
static const struct {
	struct bytes raw;
	const char *text;
} base64_pairs[] = {
    {{(const uint8_t *)"", 0}, ""},
    {{(const uint8_t *)"f", 1}, "Zg=="},
    {{(const uint8_t *)"fo", 2}, "Zm8="},
    {{(const uint8_t *)"foo", 3}, "Zm9v"},
    {{(const uint8_t *)"foob", 4}, "Zm9vYg=="},
    {{(const uint8_t *)"fooba", 5}, "Zm9vYmE="},
    {{(const uint8_t *)"foobar", 6}, "Zm9vYmFy"},
    {{(const uint8_t *)"\x00", 1}, "AA=="},
    {{(const uint8_t *)"\xfb\xff\xbf", 3}, "+/+/"},
};

static void base64_texts_decode_and_encode_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(base64_pairs) / sizeof(base64_pairs[0]); i++) {
		struct bytes raw = base64_pairs[i].raw;
		struct bytes text = bytes_str(base64_pairs[i].text);
		struct buf b;

		buf_init(&b);
		assert_int_equal(buf_append_base64(&b, raw), VT_OK);
		assert_true(bytes_equal(buf_bytes(&b), text));
		for (enum base64_form form = BASE64_STANDARD; form <= BASE64_ANY; form++) {
			buf_reset(&b);
			assert_int_equal(buf_append_decoded_base64(&b, text, form), VT_OK);
			assert_true(bytes_equal(buf_bytes(&b), raw));
		}
		buf_release(&b);
	}
}

static void every_byte_and_length_survives_base64(void **state)
{
	uint8_t raw[300], back[300];
	struct buf b;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(raw); i++)
		raw[i] = (uint8_t)(i * 7 + 3);
	buf_init(&b);
	for (size_t n = 0; n <= sizeof(raw); n++) {
		buf_reset(&b);
		assert_int_equal(buf_append_base64(&b, bytes_of(raw, n)), VT_OK);
		assert_int_equal(b.len, BASE64_ENCODED_LEN(n));
		assert_int_equal(base64_decode(back, n, &len, buf_bytes(&b), BASE64_STANDARD),
				 VT_OK);
		assert_int_equal(len, n);
		assert_memory_equal(back, raw, n);
		assert_int_equal(base64_decode_exact(back, n, buf_bytes(&b), BASE64_ANY), VT_OK);
		assert_int_equal(base64_decode_exact(back, n + 1, buf_bytes(&b), BASE64_ANY),
				 VT_EMALFORMED);
		if (n != 0) {
			assert_int_equal(
			    base64_decode(back, n - 1, &len, buf_bytes(&b), BASE64_ANY), VT_ELIMIT);
			assert_int_equal(
			    base64_decode_exact(back, n - 1, buf_bytes(&b), BASE64_ANY),
			    VT_EMALFORMED);
		}
	}
	buf_release(&b);
}

static enum vt_err decode(struct bytes text, enum base64_form form)
{
	uint8_t out[64];
	size_t len;

	return base64_decode(out, sizeof(out), &len, text, form);
}

static void base64_that_is_no_canonical_text_is_refused(void **state)
{
	static const struct bytes wrong[] = {
	    {(const uint8_t *)"QR==", 4},      /* non-zero trailing bits */
	    {(const uint8_t *)"QUJ=", 4},      /* the same, two bytes */
	    {(const uint8_t *)"QR", 2},        /* the same, unpadded */
	    {(const uint8_t *)"====", 4},      /* nothing but padding */
	    {(const uint8_t *)"Q===", 4},      /* six bits */
	    {(const uint8_t *)"Q", 1},         /* the same, unpadded */
	    {(const uint8_t *)"=", 1},         /* padding of nothing */
	    {(const uint8_t *)"==", 2},        /* padding of nothing */
	    {(const uint8_t *)"QQ=", 3},       /* half the padding */
	    {(const uint8_t *)"QQ=Q", 4},      /* padding inside */
	    {(const uint8_t *)"QQ==QUJD", 8},  /* two texts */
	    {(const uint8_t *)"QUJD====", 8},  /* padding of a whole group */
	    {(const uint8_t *)"QUJD=", 5},     /* padding of a whole group */
	    {(const uint8_t *)"QUJD==", 6},    /* padding of a whole group */
	    {(const uint8_t *)" QUJD", 5},     /* white space before */
	    {(const uint8_t *)"QUJD\n", 5},    /* white space after */
	    {(const uint8_t *)"QUJD   \n", 8}, /* white space that makes a group */
	    {(const uint8_t *)"QU\nJD", 5},    /* white space inside */
	    {(const uint8_t *)"QU\r\nJDA=", 8}, {(const uint8_t *)"QUJD\0", 5},
	    {(const uint8_t *)"QUJ\0", 4},      {(const uint8_t *)"-+-+", 4}, /* two alphabets */
	    {(const uint8_t *)"_A/A", 4},                                     /* two alphabets */
	    {(const uint8_t *)"_AAA+Q==", 8},   {(const uint8_t *)"QUJ\xc1", 4},
	    {(const uint8_t *)"QUJ*", 4},       {(const uint8_t *)"*UJD", 4},
	    {(const uint8_t *)"QUJDQ*==", 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		if (decode(wrong[i], BASE64_STANDARD) != VT_EMALFORMED ||
		    decode(wrong[i], BASE64_ANY) != VT_EMALFORMED)
			fail_msg("taken: \"%s\"", (const char *)wrong[i].data);
	}
}

static void only_the_any_form_takes_dashes_and_missing_padding(void **state)
{
	static const struct bytes loose[] = {
	    {(const uint8_t *)"-_-_", 4}, {(const uint8_t *)"QQ", 2},
	    {(const uint8_t *)"QUI", 3},  {(const uint8_t *)"_w==", 4},
	    {(const uint8_t *)"_w", 2},   {(const uint8_t *)"__8=", 4},
	    {(const uint8_t *)"/w", 2},   {(const uint8_t *)"QUJDQQ", 6},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(loose) / sizeof(loose[0]); i++) {
		assert_int_equal(decode(loose[i], BASE64_ANY), VT_OK);
		assert_int_equal(decode(loose[i], BASE64_STANDARD), VT_EMALFORMED);
	}
}

static void each_of_the_256_bytes_is_a_digit_or_is_refused(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		uint8_t text[4] = {'A', (uint8_t)c, 'A', 'A'};
		bool standard =
		    c != 0 &&
		    strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
			   (int)c) != NULL;
		bool url = c == '-' || c == '_';

		assert_int_equal(decode(bytes_of(text, 4), BASE64_STANDARD) == VT_OK, standard);
		assert_int_equal(decode(bytes_of(text, 4), BASE64_ANY) == VT_OK, standard || url);
	}
}

static void refused_base64_leaves_the_buffer_alone(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b);
	assert_int_equal(buf_append_str(&b, "kept"), VT_OK);
	assert_int_equal(buf_append_decoded_base64(&b, bytes_str("QUJDQR=="), BASE64_ANY),
			 VT_EMALFORMED);
	assert_true(bytes_is(buf_bytes(&b), "kept"));
	buf_release(&b);
}

static void hex_is_lower_case_and_of_the_right_length(void **state)
{
	uint8_t out[3];
	char text[7];

	(void)state;
	assert_int_equal(hex_decode_exact(out, 3, bytes_str("00ff9a")), VT_OK);
	assert_memory_equal(out, "\x00\xff\x9a", 3);
	hex_encode(text, bytes_of(out, 3));
	assert_string_equal(text, "00ff9a");
	assert_int_equal(hex_decode_exact(out, 0, bytes_str("")), VT_OK);
	assert_int_equal(hex_decode_exact(out, 3, bytes_str("00FF9A")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 3, bytes_str("00ff9")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 3, bytes_str("00ff9ab")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 2, bytes_str("00ff9a")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 3, bytes_str("0x00ff")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 3, bytes_str("00 f9a")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 1, bytes_str("g0")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 1, bytes_str("0`")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 1, bytes_str("0/")), VT_EMALFORMED);
	assert_int_equal(hex_decode_exact(out, 1, bytes_str(":0")), VT_EMALFORMED);
}

static void decimals_have_one_spelling(void **state)
{
	static const char *const wrong[] = {"",
					    "00",
					    "01",
					    "+1",
					    "-1",
					    " 1",
					    "1 ",
					    "1\n",
					    "0x1",
					    "1e3",
					    "1_0",
					    "18446744073709551616",
					    "18446744073709551620",
					    "20000000000000000000",
					    "99999999999999999999",
					    "184467440737095516150",
					    "/",
					    ":"};
	uint64_t n;

	(void)state;
	assert_int_equal(decimal_decode(&n, bytes_str("0")), VT_OK);
	assert_int_equal(n, 0);
	assert_int_equal(decimal_decode(&n, bytes_str("1234067")), VT_OK);
	assert_int_equal(n, 1234067);
	assert_int_equal(decimal_decode(&n, bytes_str("18446744073709551615")), VT_OK);
	assert_true(n == UINT64_MAX);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (decimal_decode(&n, bytes_str(wrong[i])) != VT_EMALFORMED)
			fail_msg("taken: \"%s\"", wrong[i]);
}

static void utf8_is_what_rfc_3629_allows(void **state)
{
	static const char *const right[] = {"",
					    "ascii \x7f",
					    "\xc2\x80",
					    "\xdf\xbf",
					    "\xe0\xa0\x80",
					    "\xed\x9f\xbf",
					    "\xee\x80\x80",
					    "\xef\xbf\xbf",
					    "\xf0\x90\x80\x80",
					    "\xf4\x8f\xbf\xbf",
					    "\xe2\x80\x94 note"};
	static const char *const wrong[] = {"\x80",
					    "\xbf",
					    "\xc0\x80",
					    "\xc1\xbf",
					    "\xc2",
					    "\xc2\x7f",
					    "\xc2\xc0",
					    "\xe0\x9f\xbf",
					    "\xe0\xa0",
					    "\xe1\x80\x7f",
					    "\xe1\x80\xc0",
					    "\xed\xa0\x80",
					    "\xed\xbf\xbf",
					    "\xf0\x8f\xbf\xbf",
					    "\xf0\x90\x80",
					    "\xf1\x80\x80\xc0",
					    "\xf4\x90\x80\x80",
					    "\xf5\x80\x80\x80",
					    "\xf8\x88\x80\x80\x80",
					    "\xfe",
					    "\xff",
					    "good \xe2\x80"};

	(void)state;
	assert_true(utf8_valid(bytes_of(NULL, 0)));
	assert_true(utf8_valid(LITERAL("a\0b")));
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_true(utf8_valid(bytes_str(right[i])));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (utf8_valid(bytes_str(wrong[i])))
			fail_msg("taken: case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(views_compare_by_content),
	    cmocka_unit_test(buffer_grows_and_keeps_contents),
	    cmocka_unit_test(appending_nothing_allocates_nothing),
	    cmocka_unit_test(absurd_reservations_are_refused),
	    cmocka_unit_test(formatting_appends_without_the_nul),
	    cmocka_unit_test(decimals_and_hex_are_appended),
	    cmocka_unit_test(base64_texts_decode_and_encode_back),
	    cmocka_unit_test(every_byte_and_length_survives_base64),
	    cmocka_unit_test(base64_that_is_no_canonical_text_is_refused),
	    cmocka_unit_test(only_the_any_form_takes_dashes_and_missing_padding),
	    cmocka_unit_test(each_of_the_256_bytes_is_a_digit_or_is_refused),
	    cmocka_unit_test(refused_base64_leaves_the_buffer_alone),
	    cmocka_unit_test(hex_is_lower_case_and_of_the_right_length),
	    cmocka_unit_test(decimals_have_one_spelling),
	    cmocka_unit_test(utf8_is_what_rfc_3629_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
