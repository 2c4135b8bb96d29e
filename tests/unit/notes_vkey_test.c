#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "test_signer.h"
#include "vitrine/merkle.h"
#include "vitrine/note.h"

/* The specification's own. */
#define EXAMPLE "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

static enum vt_err parse(const char *text)
{
	struct vkey key;

	return vkey_parse(&key, bytes_str(text));
}

/* "<name>+<ID>+<type and key>" with the ID that the specification recommends, or that one XOR 1. */
static enum vt_err parse_made(const char *name, const uint8_t *data, size_t len, bool wrong_id)
{
	struct bytes part[] = {bytes_str(name), bytes_str("\n"), bytes_of(data, len)};
	struct merkle_hasher h;
	struct merkle_hash hash;
	struct vkey key;
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_int_equal(merkle_sha256(&hash, &h, part, 3), VT_OK);
	merkle_hasher_release(&h);
	hash.b[3] ^= wrong_id;
	assert_int_equal(buf_append_str(&text, name), VT_OK);
	assert_int_equal(buf_append_byte(&text, '+'), VT_OK);
	assert_int_equal(buf_append_hex(&text, bytes_of(hash.b, 4)), VT_OK);
	assert_int_equal(buf_append_byte(&text, '+'), VT_OK);
	assert_int_equal(buf_append_base64(&text, bytes_of(data, len)), VT_OK);
	err = vkey_parse(&key, buf_bytes(&text));
	if (err == VT_OK) {
		assert_string_equal(key.name, name);
		assert_int_equal(key.type, data[0]);
		assert_int_equal(key.id, (uint32_t)hash.b[0] << 24 | (uint32_t)hash.b[1] << 16 |
					     (uint32_t)hash.b[2] << 8 | hash.b[3]);
	}
	buf_release(&text);
	return err;
}

static void the_specifications_example_parses_and_formats_back(void **state)
{
	struct vkey key;
	struct buf text;

	(void)state;
	buf_init(&text);
	assert_int_equal(vkey_parse(&key, bytes_str(EXAMPLE)), VT_OK);
	assert_string_equal(key.name, "example.com/foo");
	assert_int_equal(key.id, 0x530d903a);
	assert_int_equal(key.type, VKEY_TYPE_ED25519);
	assert_int_equal(key.ed25519[0], 0xe9);
	assert_true(vkey_verifiable(&key));
	assert_int_equal(vkey_format(&text, &key), VT_OK);
	assert_true(bytes_is(buf_bytes(&text), EXAMPLE));
	buf_release(&text);
}

static void a_key_made_from_its_bytes_equals_the_one_parsed(void **state)
{
	struct vkey parsed, made, other;

	(void)state;
	assert_int_equal(vkey_parse(&parsed, bytes_str(EXAMPLE)), VT_OK);
	assert_int_equal(vkey_from_ed25519(&made, "example.com/foo", 1, parsed.ed25519), VT_OK);
	assert_true(vkey_equal(&parsed, &made));
	assert_int_equal(vkey_from_ed25519(&other, "example.com/foo", 4, parsed.ed25519), VT_OK);
	assert_false(vkey_equal(&parsed, &other));
	assert_int_not_equal(parsed.id, other.id);
	assert_memory_equal(parsed.key_hash, other.key_hash, sizeof(parsed.key_hash));
	assert_int_equal(vkey_from_ed25519(&other, "example.com/bar", 1, parsed.ed25519), VT_OK);
	assert_false(vkey_equal(&parsed, &other));
}

static void malformed_verifier_keys_are_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    "example.com/foo",
	    "example.com/foo+530d903a",
	    "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo++AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+0530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+30d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	    "example.com/foo+530d903a+",
	    "example.com/foo+530d903a+AQ==",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
	    "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2kAA==",
	    (EXAMPLE "\n"),
	    (" " EXAMPLE),
	    "example.com/foo +530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse(bad[i]), VT_EMALFORMED);
}

static void an_id_that_is_not_the_keys_is_not_trusted(void **state)
{
	(void)state;
	assert_int_equal(
	    parse("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
	    VT_EUNTRUSTED);
	assert_int_equal(
	    parse("example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
	    VT_EUNTRUSTED);
}

static void key_names_have_no_unicode_space_plus_or_control(void **state)
{
	static const char *const good[] = {"a",
					   "example.com/log#1?x=y",
					   "caf\xc3\xa9.example",
					   "zero\xe2\x80\x8bwidth",
					   ("em\xe2\x80\x94"
					    "dash"),
					   "\xf0\x9f\x94\x91",
					   "\xe2\x80\xaa",
					   "\xe1\x9a\x81"};
	static const char *const bad[] = {"",
					  "a b",
					  "a+b",
					  "a\tb",
					  "a\nb",
					  "a\rb",
					  "a\vb",
					  "a\fb",
					  "a\x01"
					  "b",
					  "\xc2\x85",
					  "\xc2\xa0",
					  "a\xe1\x9a\x80",
					  "\xe2\x80\x80",
					  "\xe2\x80\x81",
					  "\xe2\x80\x82",
					  "\xe2\x80\x83",
					  "\xe2\x80\x84",
					  "\xe2\x80\x85",
					  "\xe2\x80\x86",
					  "\xe2\x80\x87",
					  "\xe2\x80\x88",
					  "\xe2\x80\x89",
					  "\xe2\x80\x8a",
					  "\xe2\x80\xa8",
					  "\xe2\x80\xa9",
					  "\xe2\x80\xaf",
					  "\xe2\x81\x9f",
					  "b\xe3\x80\x80"
					  "a",
					  "\xff",
					  "a\xc0\xafz",
					  "\xed\xa0\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(vkey_name_valid(bytes_str(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vkey_name_valid(bytes_str(bad[i])));
	assert_false(vkey_name_valid(bytes_of("a\0b", 3)));
}

static void key_names_have_at_most_255_bytes(void **state)
{
	char name[VKEY_NAME_MAX + 2];
	struct vkey key;
	uint8_t raw[32];

	(void)state;
	memset(name, 'n', sizeof(name));
	memcpy(raw, test_vkey("x", VKEY_TYPE_ED25519, 1).ed25519, sizeof(raw));
	name[VKEY_NAME_MAX + 1] = '\0';
	assert_int_equal(vkey_from_ed25519(&key, name, VKEY_TYPE_ED25519, raw), VT_EINVAL);
	name[VKEY_NAME_MAX] = '\0';
	assert_int_equal(vkey_from_ed25519(&key, name, VKEY_TYPE_ED25519, raw), VT_OK);
	assert_string_equal(key.name, name);
}

static void only_ed25519_types_are_made_and_formatted(void **state)
{
	struct vkey key = test_vkey("x", VKEY_TYPE_ED25519, 1), other;
	struct buf text;

	(void)state;
	buf_init(&text);
	assert_int_equal(vkey_from_ed25519(&other, "x", 0x06, key.ed25519), VT_EINVAL);
	assert_int_equal(vkey_from_ed25519(&other, "x", 0x02, key.ed25519), VT_EINVAL);
	assert_int_equal(vkey_from_ed25519(&other, "a b", 0x01, key.ed25519), VT_EINVAL);
	key.type = 0x06;
	assert_int_equal(vkey_format(&text, &key), VT_EINVAL);
	assert_int_equal(text.len, 0);
	buf_release(&text);
}

static void a_key_of_a_type_that_cannot_be_verified_is_known_by_name_and_id(void **state)
{
	uint8_t data[1 + 1312];
	struct vkey key;

	(void)state;
	memset(data, 0xab, sizeof(data));
	data[0] = VKEY_TYPE_COSIGNATURE_MLDSA44;
	assert_int_equal(parse_made("witness.example", data, sizeof(data), false), VT_OK);
	assert_int_equal(parse_made("witness.example", data, sizeof(data), true), VT_EUNTRUSTED);
	assert_int_equal(parse_made("witness.example", data, sizeof(data) - 1, false),
			 VT_EMALFORMED);
	/* How the ID of another type is made is its specification's business. */
	data[0] = 0x02;
	assert_int_equal(parse_made("rekor.example", data, 92, true), VT_OK);
	data[0] = 0xff;
	assert_int_equal(parse_made("other.example", data, 2, false), VT_OK);
	assert_int_equal(vkey_parse(&key, bytes_str("x+01020304+/wA=")), VT_OK);
	assert_false(vkey_verifiable(&key));
	assert_int_equal(key.id, 0x01020304);
}

static void an_endless_key_is_over_a_limit(void **state)
{
	static uint8_t data[8192];

	(void)state;
	data[0] = 0xff;
	assert_int_equal(parse_made("x", data, sizeof(data), false), VT_ELIMIT);
}

/* y of the points whose order divides 8, and the two of them that have a second spelling. */
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

static void points_of_small_order_are_not_trusted_however_they_are_spelled(void **state)
{
	uint8_t data[33] = {VKEY_TYPE_ED25519};
	struct vkey key;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(small_order) / sizeof(small_order[0]); i++) {
		assert_int_equal(hex_decode_exact(data + 1, 32, bytes_str(small_order[i / 2])),
				 VT_OK);
		data[32] |= (uint8_t)(i % 2 << 7);
		assert_false(ed25519_key_valid(data + 1));
		assert_int_equal(parse_made("x", data, sizeof(data), false), VT_EUNTRUSTED);
		assert_int_equal(vkey_from_ed25519(&key, "x", 4, data + 1), VT_EUNTRUSTED);
	}
}

/* With A of order 4 (y = 0), R = -[k]A and S = 0 satisfy the equation for one message in four; an
 * implementation that takes the key finds such a message soon. */
static void a_small_order_key_verifies_no_message(void **state)
{
	uint8_t key[32] = {0}, sig[64] = {0};

	(void)state;
	sig[0] = 1; /* R: the neutral element */
	for (unsigned i = 0; i < 64; i++) {
		uint8_t msg = (uint8_t)i;

		assert_int_equal(ed25519_verify(key, bytes_of(&msg, 1), sig), VT_EMISMATCH);
	}
}

static void an_encoding_of_y_at_or_above_p_is_not_trusted(void **state)
{
	uint8_t key[32];

	(void)state;
	memset(key, 0xff, sizeof(key));
	for (unsigned low = 0xeb; low <= 0xff; low++) {
		for (unsigned sign = 0; sign < 2; sign++) {
			key[0] = (uint8_t)low;
			key[31] = (uint8_t)(0x7f | sign << 7);
			assert_int_equal(ed25519_key_valid(key), low == 0xeb);
		}
	}
	key[0] = 0xff;
	for (size_t i = 1; i < 32; i++) {
		key[i] ^= 1;
		assert_true(ed25519_key_valid(key));
		key[i] ^= 1;
	}
}

/* RFC 8032 section 7.1, tests 1 and 2. */
static void the_rfcs_signatures_verify_and_altered_ones_do_not(void **state)
{
	static const struct {
		const char *key, *msg, *sig;
		size_t len;
	} test[] = {
	    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
	     0},
	    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
	     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	     1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(test) / sizeof(test[0]); i++) {
		struct bytes msg = bytes_of(test[i].msg, test[i].len);
		uint8_t key[32], sig[64];

		assert_int_equal(hex_decode_exact(key, 32, bytes_str(test[i].key)), VT_OK);
		assert_int_equal(hex_decode_exact(sig, 64, bytes_str(test[i].sig)), VT_OK);
		assert_int_equal(ed25519_verify(key, msg, sig), VT_OK);
		for (size_t k = 0; k < 8 * 64; k++) {
			sig[k / 8] ^= (uint8_t)(1U << (k % 8));
			assert_int_equal(ed25519_verify(key, msg, sig), VT_EMISMATCH);
			sig[k / 8] ^= (uint8_t)(1U << (k % 8));
		}
		assert_int_equal(ed25519_verify(key, bytes_str("other"), sig), VT_EMISMATCH);
		key[0] ^= 1;
		assert_int_equal(ed25519_verify(key, msg, sig), VT_EMISMATCH);
	}
}

static void formatting_survives_no_memory(void **state)
{
	struct vkey key = test_vkey("x.example", VKEY_TYPE_ED25519, 1);

	(void)state;
	for (unsigned n = 1;; n++) {
		struct buf text;
		enum vt_err err;

		buf_init(&text);
		assert_int_equal(buf_append_str(&text, "before"), VT_OK);
		alloc_fail_at(n);
		err = vkey_format(&text, &key);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			buf_release(&text);
			assert_true(n > 1);
			return;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_true(bytes_is(buf_bytes(&text), "before"));
		buf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_specifications_example_parses_and_formats_back),
	    cmocka_unit_test(a_key_made_from_its_bytes_equals_the_one_parsed),
	    cmocka_unit_test(malformed_verifier_keys_are_refused),
	    cmocka_unit_test(an_id_that_is_not_the_keys_is_not_trusted),
	    cmocka_unit_test(key_names_have_no_unicode_space_plus_or_control),
	    cmocka_unit_test(key_names_have_at_most_255_bytes),
	    cmocka_unit_test(only_ed25519_types_are_made_and_formatted),
	    cmocka_unit_test(a_key_of_a_type_that_cannot_be_verified_is_known_by_name_and_id),
	    cmocka_unit_test(an_endless_key_is_over_a_limit),
	    cmocka_unit_test(points_of_small_order_are_not_trusted_however_they_are_spelled),
	    cmocka_unit_test(a_small_order_key_verifies_no_message),
	    cmocka_unit_test(an_encoding_of_y_at_or_above_p_is_not_trusted),
	    cmocka_unit_test(the_rfcs_signatures_verify_and_altered_ones_do_not),
	    cmocka_unit_test(formatting_survives_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
