/* Conditions: what is given, and the one form that it is brought to or the reason why nothing could satisfy it. */
#include "vitrine_test.h"

#include <string.h>

#include "conditions.h"

#define HEX64    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX64_UP "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"
#define HEX63    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef"
#define HEX96    HEX64 "00112233445566778899aabbccddeeff"
#define HEX128   HEX64 HEX64

static void each_form_becomes_one(void **state)
{
	static const struct {
		enum condition which;
		const char *given, *text, *type, *other_type;
	} cases[] = {
	    {CONDITION_SUBJECT, HEX64, "sha256:" HEX64, NULL, NULL},
	    {CONDITION_SUBJECT, HEX64_UP, "sha256:" HEX64, NULL, NULL},
	    {CONDITION_SUBJECT, "SHA256:" HEX64, "sha256:" HEX64, NULL, NULL},
	    {CONDITION_SUBJECT, HEX96, "sha384:" HEX96, NULL, NULL},
	    {CONDITION_SUBJECT, HEX128, "sha512:" HEX128, NULL, NULL},
	    {CONDITION_SUBJECT, "Sha3_256:" HEX64, "sha3_256:" HEX64, NULL, NULL},
	    {CONDITION_SUBJECT, "gitcommit:" HEX64_UP, "gitCommit:" HEX64, NULL, NULL},
	    {CONDITION_SUBJECT, "HMAC_SHA256:" HEX64, "hmac_sha256:" HEX64, NULL, NULL},
	    {CONDITION_TYPE, "verdict", PREDICATE_TEST_RESULT, PREDICATE_TEST_RESULT, NULL},
	    {CONDITION_TYPE, "Verdict", PREDICATE_TEST_RESULT, PREDICATE_TEST_RESULT, NULL},
	    {CONDITION_TYPE, "firmware", "firmware", PREDICATE_RELEASE_V02, PREDICATE_RELEASE_V01},
	    {CONDITION_TYPE, "FIRMWARE", "firmware", PREDICATE_RELEASE_V02, PREDICATE_RELEASE_V01},
	    {CONDITION_TYPE, PREDICATE_RELEASE_V01, PREDICATE_RELEASE_V01, PREDICATE_RELEASE_V01,
	     NULL},
	    {CONDITION_TYPE, "event", PREDICATE_AUDIT_EVENT, PREDICATE_AUDIT_EVENT, NULL},
	    {CONDITION_TYPE, "accredit", PREDICATE_ACCREDITATION, PREDICATE_ACCREDITATION, NULL},
	    {CONDITION_TYPE, "accreditation", PREDICATE_ACCREDITATION, PREDICATE_ACCREDITATION,
	     NULL},
	    {CONDITION_TYPE, "seal", PREDICATE_SEALED, PREDICATE_SEALED, NULL},
	    {CONDITION_TYPE, "sealed", PREDICATE_SEALED, PREDICATE_SEALED, NULL},
	    {CONDITION_TYPE, "correct", PREDICATE_CORRECTION, PREDICATE_CORRECTION, NULL},
	    {CONDITION_TYPE, "correction", PREDICATE_CORRECTION, PREDICATE_CORRECTION, NULL},
	    {CONDITION_TYPE, "https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v1",
	     "https://slsa.dev/provenance/v1", NULL},
	    /* The path is what it is; scheme and authority are looked for in lower case, too. */
	    {CONDITION_TYPE, "HTTPS://Example.COM/A,b", "https://Example.COM/A,b",
	     "https://Example.COM/A,b", "https://example.com/A,b"},
	    {CONDITION_TYPE, "URN:Vitrine:predicate:X", "urn:Vitrine:predicate:X",
	     "urn:Vitrine:predicate:X", "urn:vitrine:predicate:X"},
	    {CONDITION_TYPE, "mailto:A@B.example", "mailto:A@B.example", "mailto:A@B.example",
	     NULL},
	    {CONDITION_PARTY, "lab-1", "lab-1", NULL, NULL},
	    {CONDITION_PARTY, "LAB-1", "lab-1", NULL, NULL},
	    {CONDITION_RESULT, "FAILED", "FAILED", NULL, NULL},
	    {CONDITION_RESULT, "passed", "PASSED", NULL, NULL},
	    {CONDITION_RESULT, "Warned", "WARNED", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conditions c, again;
		char why[CONDITIONS_WHY_MAX];

		conditions_init(&c);
		conditions_init(&again);
		if (conditions_add(&c, cases[i].which, bytes_str(cases[i].given), why) != VT_OK)
			fail_msg("%s", why);
		assert_true(conditions_any(&c));
		assert_string_equal(c.text[cases[i].which], cases[i].text);
		if (cases[i].type != NULL)
			assert_string_equal(c.type[0], cases[i].type);
		if (cases[i].other_type != NULL)
			assert_string_equal(c.type[1], cases[i].other_type);
		else
			assert_null(c.type[1]);
		/* It reads as itself. */
		assert_int_equal(
		    conditions_add(&again, cases[i].which, bytes_str(c.text[cases[i].which]), why),
		    VT_OK);
		assert_true(conditions_equal(&c, &again));
		conditions_release(&again);
		conditions_release(&c);
	}
}

#define LONG16 "abcdefghijklmnop"
#define LONG64 LONG16 LONG16 LONG16 LONG16

static void what_nothing_could_satisfy_is_refused_and_says_what_would_be_right(void **state)
{
#define GIVEN(text) text, sizeof(text) - 1
	static const struct {
		enum condition which;
		const char *given;
		size_t len;
		const char *said;
	} cases[] = {
	    {CONDITION_SUBJECT, GIVEN(""), "subject=\"\": empty"},
	    {CONDITION_SUBJECT, GIVEN(HEX63), "63 digits; expected 64 (SHA-256), 96"},
	    {CONDITION_SUBJECT, GIVEN("sha256:" HEX63), "63 digits; expected 64 after sha256:"},
	    {CONDITION_SUBJECT, GIVEN("sha384:" HEX64), "64 digits; expected 96 after sha384:"},
	    {CONDITION_SUBJECT, GIVEN("sha256:"), "0 digits; expected 64"},
	    {CONDITION_SUBJECT, GIVEN("md5:00112233445566778899aabbccddeeff"),
	     "subject=\"md5:00112233445566778899aabbccddeeff\": expected one of these before the "
	     "colon: sha256, sha384,"},
	    {CONDITION_SUBJECT, GIVEN("sha1:" HEX64), "hmac_sha256"},
	    {CONDITION_SUBJECT, GIVEN(":" HEX64), "before the colon"},
	    {CONDITION_SUBJECT, GIVEN("gitCommit:0123456789012345678901234567890123456789"),
	     "40 digits; expected 64 after gitCommit:"},
	    {CONDITION_SUBJECT, GIVEN("router.bin"),
	     "expected hexadecimal digits, or an algorithm"},
	    {CONDITION_SUBJECT, GIVEN("sha256:" HEX63 "g"), "character 71 is none"},
	    {CONDITION_SUBJECT, GIVEN("sha256:" HEX63 " "), "character 71 is none"},
	    {CONDITION_SUBJECT, GIVEN(HEX63 "\0"), "\\x00"},
	    {CONDITION_SUBJECT, GIVEN("\xff\xfe"), "subject=\"\\xff\\xfe\""},
	    {CONDITION_TYPE, GIVEN(""), "type=\"\": empty"},
	    {CONDITION_TYPE, GIVEN("verdicts"),
	     "type=\"verdicts\": expected a predicateType's URI"},
	    {CONDITION_TYPE, GIVEN("release"), "verdict, firmware, event, accredit,"},
	    {CONDITION_TYPE, GIVEN("verdict "), "correction"},
	    {CONDITION_TYPE, GIVEN("https:"), "expected a URI of at most 255 bytes"},
	    {CONDITION_TYPE, GIVEN("https://example.com/a b"), "expected a URI"},
	    {CONDITION_TYPE, GIVEN("https://example.com/\0"), "expected a URI"},
	    {CONDITION_TYPE, GIVEN("urn:x:\xc3\xa9"), "expected a URI"},
	    {CONDITION_TYPE, GIVEN("urn:x:" LONG64 LONG64 LONG64 LONG64), "at most 255 bytes"},
	    {CONDITION_PARTY, GIVEN(""), "party=\"\": empty"},
	    {CONDITION_PARTY, GIVEN("lab 1"), "party=\"lab 1\": expected 1 to 64 letters"},
	    {CONDITION_PARTY, GIVEN("-lab"), "a letter or digit first"},
	    {CONDITION_PARTY, GIVEN(LONG64 "a"), "expected 1 to 64"},
	    {CONDITION_PARTY, GIVEN("lab\0"), "party=\"lab\\x00\""},
	    {CONDITION_PARTY,
	     GIVEN("l\xc3\xa4"
		   "b"),
	     "expected 1 to 64"},
	    {CONDITION_RESULT, GIVEN(""), "result=\"\": empty"},
	    {CONDITION_RESULT, GIVEN("GOOD"), "result=\"GOOD\": expected PASSED, WARNED or FAILED"},
	    {CONDITION_RESULT, GIVEN("PASSED\0"), "expected PASSED"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct conditions c;
		char why[CONDITIONS_WHY_MAX] = "";

		conditions_init(&c);
		if (conditions_add(&c, cases[i].which, bytes_of(cases[i].given, cases[i].len),
				   why) != VT_EMALFORMED)
			fail_msg("\"%s\" was taken", cases[i].given);
		if (strstr(why, cases[i].said) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", why, cases[i].said);
		assert_true(strlen(why) < CONDITIONS_WHY_MAX - 1);
		assert_false(conditions_any(&c));
		conditions_release(&c);
	}
}

static void conditions_that_exclude_each_other_are_refused(void **state)
{
	struct conditions c;
	char why[CONDITIONS_WHY_MAX];

	(void)state;
	conditions_init(&c);
	assert_int_equal(conditions_add(&c, CONDITION_RESULT, bytes_str("FAILED"), why), VT_OK);
	assert_int_equal(conditions_add(&c, CONDITION_RESULT, bytes_str("FAILED"), why),
			 VT_EMALFORMED);
	assert_non_null(strstr(why, "second time"));
	assert_int_equal(conditions_add(&c, CONDITION_TYPE, bytes_str("firmware"), why),
			 VT_EMALFORMED);
	assert_non_null(strstr(why, "only a verdict has a result"));
	/* As it was before. */
	assert_null(c.text[CONDITION_TYPE]);
	assert_int_equal(conditions_add(&c, CONDITION_TYPE, bytes_str(PREDICATE_TEST_RESULT), why),
			 VT_OK);
	conditions_release(&c);
	assert_int_equal(conditions_add(&c, CONDITION_TYPE, bytes_str("urn:x:y"), why), VT_OK);
	assert_int_equal(conditions_add(&c, CONDITION_RESULT, bytes_str("passed"), why),
			 VT_EMALFORMED);
	assert_null(c.text[CONDITION_RESULT]);
	assert_string_equal(c.type[0], "urn:x:y");
	conditions_release(&c);
}

static void conditions_of_two_are_the_same_where_their_one_form_is(void **state)
{
	struct conditions a, b;
	char why[CONDITIONS_WHY_MAX];

	(void)state;
	conditions_init(&a);
	conditions_init(&b);
	assert_true(conditions_equal(&a, &b));
	assert_false(conditions_any(&a));
	assert_int_equal(conditions_add(&a, CONDITION_SUBJECT, bytes_str(HEX64), why), VT_OK);
	assert_false(conditions_equal(&a, &b));
	assert_int_equal(conditions_add(&b, CONDITION_SUBJECT, bytes_str("SHA256:" HEX64_UP), why),
			 VT_OK);
	assert_true(conditions_equal(&a, &b));
	assert_int_equal(conditions_add(&b, CONDITION_PARTY, bytes_str("x"), why), VT_OK);
	assert_int_equal(conditions_add(&a, CONDITION_PARTY, bytes_str("y"), why), VT_OK);
	assert_false(conditions_equal(&a, &b));
	conditions_release(&a);
	conditions_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_form_becomes_one),
	    cmocka_unit_test(what_nothing_could_satisfy_is_refused_and_says_what_would_be_right),
	    cmocka_unit_test(conditions_that_exclude_each_other_are_refused),
	    cmocka_unit_test(conditions_of_two_are_the_same_where_their_one_form_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
