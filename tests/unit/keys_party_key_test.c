#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>

#include "durable.h"
#include "party_key.h"

static const char *folder; /* tests/vectors/keys */

static void load(struct buf *out, const char *name)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	buf_reset(out);
	if (file_read(out, path, 65536) != VT_OK)
		fail_msg("cannot read %s", path);
}

static struct party_key *load_key(const char *name)
{
	struct party_key *key;
	struct why why;
	struct buf der;

	buf_init(&der);
	load(&der, name);
	if (party_key_from_spki(&key, buf_bytes(&der), &why) != VT_OK)
		fail_msg("%s: %s", name, why.text);
	assert_true(bytes_equal(party_key_spki(key), buf_bytes(&der)));
	buf_release(&der);
	return key;
}

/* Refused with a reason; and the reason is in what it says. */
static void assert_refused(struct bytes der, enum vt_err expected, const char *says)
{
	struct party_key *key;
	struct why why;
	enum vt_err err = party_key_from_spki(&key, der, &why);

	assert_null(key);
	if (strstr(why.text, says) == NULL || why.text[0] == '\0')
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
	assert_int_equal(err, expected);
	assert_int_equal(party_key_from_spki(&key, der, NULL), expected);
}

static const struct {
	const char *spki;
	enum key_scheme first,
	    last; /* that it takes; the first is its default, but for RSA's PSS */
} taken[] = {
    {"ed25519.spki", SCHEME_ED25519, SCHEME_ED25519},
    {"p256.spki", SCHEME_ECDSA_P256_SHA256, SCHEME_ECDSA_P256_SHA256},
    {"p384.spki", SCHEME_ECDSA_P384_SHA384, SCHEME_ECDSA_P384_SHA384},
    {"rsa3072.spki", SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PKCS1_SHA512},
    {"rsa4096-e3.spki", SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PKCS1_SHA512},
};

static void each_kind_of_key_takes_its_own_schemes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct party_key *key = load_key(taken[i].spki);

		assert_int_equal(party_key_default_scheme(key), taken[i].first);
		for (unsigned s = 0; s < SCHEME_COUNT; s++)
			assert_int_equal(party_key_takes(key, (enum key_scheme)s),
					 s >= taken[i].first && s <= taken[i].last);
		assert_false(party_key_takes(key, SCHEME_COUNT));
		party_key_free(key);
	}
}

static void schemes_have_names(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SCHEME_COUNT; s++) {
		enum key_scheme back = SCHEME_COUNT;

		assert_int_equal(
		    key_scheme_parse(&back, bytes_str(key_scheme_name((enum key_scheme)s))), VT_OK);
		assert_int_equal(back, s);
	}
	enum key_scheme s;
	assert_int_equal(key_scheme_parse(&s, bytes_str("ED25519")), VT_EMALFORMED);
	assert_int_equal(key_scheme_parse(&s, bytes_str("ed25519 ")), VT_EMALFORMED);
	assert_int_equal(key_scheme_parse(&s, bytes_str("")), VT_EMALFORMED);
	assert_int_equal(key_scheme_parse(&s, bytes_str("rsa-pkcs1-sha1")), VT_EMALFORMED);
	assert_string_equal(key_scheme_name(SCHEME_COUNT), "unknown");
}

/* sha256sum ed25519.spki, and so on: the README has the command. */
static void the_key_id_is_the_digest_of_the_spki(void **state)
{
	(void)state;
	struct buf sums;
	char id[65], line[128];

	buf_init(&sums);
	load(&sums, "SHA256SUMS");
	assert_int_equal(buf_append_byte(&sums, 0), VT_OK);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		struct party_key *key = load_key(taken[i].spki);

		hex_encode(id, bytes_of(party_key_id(key)->b, 32));
		snprintf(line, sizeof(line), "%s  %s\n", id, taken[i].spki);
		assert_non_null(strstr((const char *)sums.data, line));
		party_key_free(key);
	}
	buf_release(&sums);
}

static void other_keys_and_other_encodings_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *spki;
		enum vt_err err;
		const char *says;
	} cases[] = {
	    {"bad-rsa2048.spki", VT_EUNTRUSTED, "2048 bits: only 3072 to 4096"},
	    {"bad-rsa3071.spki", VT_EUNTRUSTED, "3070 bits: only 3072 to 4096"},
	    {"bad-rsa8192.spki", VT_EUNTRUSTED, "8192 bits: only 3072 to 4096"},
	    {"bad-rsa-pss.spki", VT_EMALFORMED, "registered as rsaEncryption"},
	    {"bad-p521.spki", VT_EMALFORMED, "curve is not taken"},
	    {"bad-p224.spki", VT_EMALFORMED, "curve is not taken"},
	    {"bad-secp256k1.spki", VT_EMALFORMED, "curve is not taken"},
	    {"bad-ed448.spki", VT_EMALFORMED, "not a public key in SPKI form"},
	    {"bad-x25519.spki", VT_EMALFORMED, "not a public key in SPKI form"},
	    {"bad-p256-compressed.spki", VT_EMALFORMED, "uncompressed"},
	    {"bad-p384-compressed.spki", VT_EMALFORMED, "uncompressed"},
	    {"bad-p256-hybrid.spki", VT_EMALFORMED, "uncompressed"},
	    {"bad-p384-hybrid.spki", VT_EMALFORMED, "uncompressed"},
	    {"bad-p256-explicit.spki", VT_EMALFORMED, "given by name"},
	    {"bad-p384-explicit.spki", VT_EMALFORMED, "given by name"},
	};
	struct buf der;

	buf_init(&der);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load(&der, cases[i].spki);
		assert_refused(buf_bytes(&der), cases[i].err, cases[i].says);
	}
	buf_release(&der);
	assert_refused(bytes_of(NULL, 0), VT_EMALFORMED, "not a public key");
}

/* Every prefix, every byte added, every single bit flipped in what is not the key's own number. */
static void every_other_text_of_a_good_key_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *spki;
		size_t head; /* bytes before the key's own number */
	} cases[] = {
	    {"ed25519.spki", 12}, {"p256.spki", 27}, {"p384.spki", 24}, {"rsa3072.spki", 32}};
	struct party_key *key;
	struct buf der;

	buf_init(&der);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load(&der, cases[i].spki);
		for (size_t n = 0; n < der.len; n++)
			assert_int_not_equal(party_key_from_spki(&key, bytes_of(der.data, n), NULL),
					     VT_OK);
		for (size_t bit = 0; bit < cases[i].head * 8; bit++) {
			der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_not_equal(party_key_from_spki(&key, buf_bytes(&der), NULL),
					     VT_OK);
			der.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (unsigned extra = 0; extra < 256; extra++) {
			assert_int_equal(buf_append_byte(&der, (uint8_t)extra), VT_OK);
			assert_int_not_equal(party_key_from_spki(&key, buf_bytes(&der), NULL),
					     VT_OK);
			der.len--;
		}
	}
	buf_release(&der);
}

/* The same numbers in BER: a long length, NULL left out, an indefinite length. */
static void ber_is_refused(void **state)
{
	(void)state;
	struct buf der, ber;

	buf_init(&der);
	buf_init(&ber);
	load(&der, "rsa3072.spki"); /* 30 82 01 a2 30 0d 06 09 ... 05 00 03 82 01 8f 00 ... */
	assert_int_equal(buf_append(&ber, bytes_of("\x30\x83\x00\x01\xa2", 5)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of(der.data + 4, der.len - 4)), VT_OK);
	assert_refused(buf_bytes(&ber), VT_EMALFORMED, "canonical SPKI form of an RSA key");

	buf_reset(&ber);
	assert_int_equal(buf_append(&ber, bytes_of("\x30\x82\x01\xa0\x30\x0b", 6)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of(der.data + 6, 11)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of(der.data + 19, der.len - 19)), VT_OK);
	assert_refused(buf_bytes(&ber), VT_EMALFORMED, "NULL parameters");

	/* Inside, where only the encoding again tells: the key's SEQUENCE of indefinite length. */
	buf_reset(&ber);
	assert_int_equal(buf_append(&ber, bytes_of("\x30\x82\x01\xa2", 4)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of(der.data + 4, 15)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of("\x03\x82\x01\x8f\x00\x30\x80", 7)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of(der.data + 28, der.len - 28)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of("\0\0", 2)), VT_OK);
	assert_int_equal(ber.len, der.len);
	assert_refused(buf_bytes(&ber), VT_EMALFORMED, "");

	load(&der, "p256.spki");
	buf_reset(&ber);
	assert_int_equal(buf_append(&ber, bytes_of("\x30\x81\x59", 3)), VT_OK);
	assert_int_equal(buf_append(&ber, bytes_of(der.data + 2, der.len - 2)), VT_OK);
	assert_refused(buf_bytes(&ber), VT_EMALFORMED, "canonical SPKI form of an ECDSA key");
	buf_release(&der);
	buf_release(&ber);
}

static void points_off_the_curve_are_refused(void **state)
{
	(void)state;
	struct buf der;

	buf_init(&der);
	load(&der, "p256.spki");
	der.data[der.len - 1] ^= 1;
	assert_refused(buf_bytes(&der), VT_EMALFORMED, "on the curve");
	memset(der.data + 27, 0, 64);
	assert_refused(buf_bytes(&der), VT_EMALFORMED, "on the curve");
	memset(der.data + 27, 0xff, 64); /* not reduced below p */
	assert_refused(buf_bytes(&der), VT_EMALFORMED, "on the curve");
	buf_release(&der);
}

static void unsound_rsa_numbers_are_refused(void **state)
{
	(void)state;
	struct buf der;

	buf_init(&der);
	load(&der, "rsa3072.spki"); /* ends in 02 03 01 00 01 */
	assert_memory_equal(der.data + der.len - 5, "\x02\x03\x01\x00\x01", 5);
	der.data[der.len - 1] = 0; /* an even exponent */
	assert_refused(buf_bytes(&der), VT_EUNTRUSTED, "exponent must be odd");
	der.data[der.len - 1] = 1;
	der.data[der.len - 6] &= 0xfe; /* an even modulus */
	assert_refused(buf_bytes(&der), VT_EUNTRUSTED, "sound key");
	buf_release(&der);

	/* e = 1: signing would be copying. */
	buf_init(&der);
	load(&der, "rsa3072.spki");
	der.data[3] -= 2;
	der.data[22] -= 2;
	der.data[27] -= 2;
	der.data[der.len - 4] = 1;
	der.data[der.len - 3] = 1;
	der.len -= 2;
	assert_refused(buf_bytes(&der), VT_EUNTRUSTED, "exponent must be odd");
	buf_release(&der);
}

static void an_overlong_rsa_exponent_is_refused(void **state)
{
	(void)state;
	struct buf der;

	buf_init(&der);
	load(&der, "rsa3072.spki");
	/* 02 03 01 00 01 becomes 02 09 01 00 ... 01: 65 bits. */
	der.len -= 5;
	assert_int_equal(buf_append(&der, bytes_of("\x02\x09\x01\0\0\0\0\0\0\0\x01", 11)), VT_OK);
	der.data[3] += 6;
	der.data[22] += 6;
	der.data[27] += 6;
	assert_refused(buf_bytes(&der), VT_EUNTRUSTED, "at most 64 bits");
	buf_release(&der);
}

static const uint8_t ed25519_head[12] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
					 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static struct bytes ed25519_spki(uint8_t out[44], const char *hex)
{
	memcpy(out, ed25519_head, 12);
	assert_int_equal(hex_decode_exact(out + 12, 32, bytes_str(hex)), VT_OK);
	return bytes_of(out, 44);
}

/* All 14 encodings of the 8 points of small order that decoders are known to take, and both signs.
 */
static void small_order_points_are_refused_in_every_encoding(void **state)
{
	(void)state;
	static const char *const points[] = {
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "0000000000000000000000000000000000000000000000000000000000000080",
	    "0100000000000000000000000000000000000000000000000000000000000000",
	    "0100000000000000000000000000000000000000000000000000000000000080",
	    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	};
	uint8_t der[44];

	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		assert_refused(ed25519_spki(der, points[i]), VT_EUNTRUSTED,
			       i < 10 ? "small order" : "not reduced");
}

static void ed25519_keys_that_are_no_reduced_point_are_refused(void **state)
{
	(void)state;
	uint8_t der[44];

	/* y = p + 2 ... 2^255 - 1, whether or not there is such a point. */
	for (unsigned low = 0xef; low <= 0xff; low++) {
		ed25519_spki(der,
			     "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
		der[12] = (uint8_t)low;
		assert_refused(bytes_of(der, 44), VT_EUNTRUSTED, "not reduced");
	}
	/* No x belongs to y = 2 (nor to 7 and 8); some does to 3, 4, 5, 6 and 9: half of them. */
	static const struct {
		uint8_t y;
		bool on_curve;
	} small[] = {{2, false}, {3, true},  {4, true},  {5, true},
		     {6, true},  {7, false}, {8, false}, {9, true}};
	for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++) {
		struct party_key *key;

		ed25519_spki(der,
			     "0000000000000000000000000000000000000000000000000000000000000000");
		der[12] = small[i].y;
		if (!small[i].on_curve) {
			assert_refused(bytes_of(der, 44), VT_EMALFORMED, "not a point");
			continue;
		}
		if (party_key_from_spki(&key, bytes_of(der, 44), NULL) != VT_OK)
			fail_msg("y = %u", small[i].y);
		party_key_free(key);
	}
}

/* RFC 8032 section 7.1, tests 1, 2 and 3. */
static void published_ed25519_signatures_verify(void **state)
{
	(void)state;
	static const struct {
		const char *key, *msg, *sig;
	} cases[] = {
	    {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
	     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
	     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
	    {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
	     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
	     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
	    {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "\xaf\x82",
	     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
	     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t der[44], sig[64];
		struct party_key *key;

		assert_int_equal(party_key_from_spki(&key, ed25519_spki(der, cases[i].key), NULL),
				 VT_OK);
		assert_int_equal(hex_decode_exact(sig, 64, bytes_str(cases[i].sig)), VT_OK);
		assert_int_equal(party_key_verify(key, SCHEME_ED25519, bytes_str(cases[i].msg),
						  bytes_of(sig, 64), NULL),
				 VT_OK);
		/* S + L: the same signature under another name (section 5.1.7 step 1). */
		static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a,       0x63,
						  0x12, 0x58, 0xd6, 0x9c, 0xf7,       0xa2,
						  0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
		unsigned carry = 0;
		for (size_t k = 0; k < 32; k++) {
			carry += sig[32 + k] + (unsigned)order[k];
			sig[32 + k] = (uint8_t)carry;
			carry >>= 8;
		}
		assert_int_equal(party_key_verify(key, SCHEME_ED25519, bytes_str(cases[i].msg),
						  bytes_of(sig, 64), NULL),
				 VT_EMISMATCH);
		party_key_free(key);
	}
}

static const struct {
	const char *spki, *sig;
	enum key_scheme scheme;
	const char *canonical; /* NULL: the signature itself */
} signatures[] = {
    {"ed25519.spki", "ed25519.sig", SCHEME_ED25519, NULL},
    {"p256.spki", "ecdsa-p256-sha256.sig", SCHEME_ECDSA_P256_SHA256, NULL},
    {"p384.spki", "ecdsa-p384-sha384.sig", SCHEME_ECDSA_P384_SHA384, NULL},
    {"p256.spki", "ecdsa-p256-sha256.fixed.sig", SCHEME_ECDSA_P256_SHA256,
     "ecdsa-p256-sha256.fixed.der"},
    {"p384.spki", "ecdsa-p384-sha384.fixed.sig", SCHEME_ECDSA_P384_SHA384,
     "ecdsa-p384-sha384.fixed.der"},
    {"rsa3072.spki", "rsa-pss-sha256.sig", SCHEME_RSA_PSS_SHA256, NULL},
    {"rsa3072.spki", "rsa-pss-sha384.sig", SCHEME_RSA_PSS_SHA384, NULL},
    {"rsa3072.spki", "rsa-pss-sha512.sig", SCHEME_RSA_PSS_SHA512, NULL},
    {"rsa3072.spki", "rsa-pkcs1-sha256.sig", SCHEME_RSA_PKCS1_SHA256, NULL},
    {"rsa3072.spki", "rsa-pkcs1-sha384.sig", SCHEME_RSA_PKCS1_SHA384, NULL},
    {"rsa3072.spki", "rsa-pkcs1-sha512.sig", SCHEME_RSA_PKCS1_SHA512, NULL},
    {"rsa4096-e3.spki", "rsa4096-e3.sig", SCHEME_RSA_PKCS1_SHA256, NULL},
};
enum {
	N_SIGNATURES = sizeof(signatures) / sizeof(signatures[0]),
};

static void signatures_of_other_tools_verify_under_their_scheme_only(void **state)
{
	(void)state;
	struct buf msg, sig, canonical, expected;

	buf_init(&msg);
	buf_init(&sig);
	buf_init(&canonical);
	buf_init(&expected);
	load(&msg, "message");
	for (size_t i = 0; i < N_SIGNATURES; i++) {
		struct party_key *key = load_key(signatures[i].spki);

		load(&sig, signatures[i].sig);
		load(&expected,
		     signatures[i].canonical != NULL ? signatures[i].canonical : signatures[i].sig);
		buf_reset(&canonical);
		for (unsigned s = 0; s < SCHEME_COUNT; s++) {
			enum vt_err err = party_key_verify(key, (enum key_scheme)s, buf_bytes(&msg),
							   buf_bytes(&sig), &canonical);

			assert_int_equal(err, s == signatures[i].scheme ? VT_OK : VT_EMISMATCH);
		}
		assert_true(bytes_equal(buf_bytes(&canonical), buf_bytes(&expected)));
		assert_true(party_key_signature_fits(key, signatures[i].scheme, buf_bytes(&sig)));
		assert_int_equal(party_key_verify(key, signatures[i].scheme, buf_bytes(&msg),
						  buf_bytes(&canonical), NULL),
				 VT_OK);
		assert_int_equal(party_key_verify(key, signatures[i].scheme,
						  bytes_of(msg.data, msg.len - 1), buf_bytes(&sig),
						  NULL),
				 VT_EMISMATCH);
		assert_int_equal(
		    party_key_verify(key, SCHEME_COUNT, buf_bytes(&msg), buf_bytes(&sig), NULL),
		    VT_EMISMATCH);
		party_key_free(key);
	}
	buf_release(&msg);
	buf_release(&sig);
	buf_release(&canonical);
	buf_release(&expected);
}

static void a_signature_with_one_bit_changed_fails(void **state)
{
	(void)state;
	struct buf msg, sig, canonical;

	buf_init(&msg);
	buf_init(&sig);
	buf_init(&canonical);
	load(&msg, "message");
	for (size_t i = 0; i < N_SIGNATURES; i++) {
		struct party_key *key = load_key(signatures[i].spki);

		load(&sig, signatures[i].sig);
		/* Each bit of the short ones, one in each byte of RSA's. */
		for (size_t bit = 0; bit<sig.len * 8; bit += sig.len> 128 ? 9 : 1) {
			sig.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(party_key_verify(key, signatures[i].scheme,
							  buf_bytes(&msg), buf_bytes(&sig),
							  &canonical),
					 VT_EMISMATCH);
			sig.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (size_t n = 0; n < sig.len; n++)
			assert_int_equal(party_key_verify(key, signatures[i].scheme,
							  buf_bytes(&msg), bytes_of(sig.data, n),
							  &canonical),
					 VT_EMISMATCH);
		assert_int_equal(buf_append_byte(&sig, 0), VT_OK);
		assert_int_equal(party_key_verify(key, signatures[i].scheme, buf_bytes(&msg),
						  buf_bytes(&sig), &canonical),
				 VT_EMISMATCH);
		assert_int_equal(canonical.len, 0);
		party_key_free(key);
	}
	buf_release(&msg);
	buf_release(&sig);
	buf_release(&canonical);
}

static void pss_with_other_parameters_fails(void **state)
{
	(void)state;
	static const char *const names[] = {"bad-rsa-pss-sha256-long-salt.sig",
					    "bad-rsa-pss-sha256-mgf1-sha1.sig"};
	struct party_key *key = load_key("rsa3072.spki");
	struct buf msg, sig;

	buf_init(&msg);
	buf_init(&sig);
	load(&msg, "message");
	for (size_t i = 0; i < 2; i++) {
		load(&sig, names[i]);
		for (unsigned s = 0; s < SCHEME_COUNT; s++)
			assert_int_equal(party_key_verify(key, (enum key_scheme)s, buf_bytes(&msg),
							  buf_bytes(&sig), NULL),
					 VT_EMISMATCH);
	}
	buf_release(&msg);
	buf_release(&sig);
	party_key_free(key);
}

/* INTEGER of the big-endian number, with `zeros` needless zero bytes before it. */
static void append_integer(struct buf *out, struct bytes number, size_t zeros)
{
	while (number.len > 1 && number.data[0] == 0)
		number = bytes_of(number.data + 1, number.len - 1);
	zeros += number.data[0] >= 0x80;
	assert_int_equal(buf_append_byte(out, 0x02), VT_OK);
	assert_int_equal(buf_append_byte(out, (uint8_t)(number.len + zeros)), VT_OK);
	while (zeros-- > 0)
		assert_int_equal(buf_append_byte(out, 0), VT_OK);
	assert_int_equal(buf_append(out, number), VT_OK);
}

static void make_der(struct buf *out, struct bytes fixed, size_t r_zeros, size_t s_zeros)
{
	struct buf body;

	buf_init(&body);
	append_integer(&body, bytes_of(fixed.data, fixed.len / 2), r_zeros);
	append_integer(&body, bytes_of(fixed.data + fixed.len / 2, fixed.len / 2), s_zeros);
	buf_reset(out);
	assert_int_equal(buf_append_byte(out, 0x30), VT_OK);
	assert_int_equal(buf_append_byte(out, (uint8_t)body.len), VT_OK);
	assert_int_equal(buf_append(out, buf_bytes(&body)), VT_OK);
	buf_release(&body);
}

static void ecdsa_der_has_one_form(void **state)
{
	(void)state;
	struct party_key *key = load_key("p256.spki");
	struct buf msg, fixed, der, canonical;

	buf_init(&msg);
	buf_init(&fixed);
	buf_init(&der);
	buf_init(&canonical);
	load(&msg, "message");
	load(&fixed, "ecdsa-p256-sha256.fixed.sig");
	make_der(&der, buf_bytes(&fixed), 0, 0);
	assert_int_equal(party_key_verify(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&msg),
					  buf_bytes(&der), &canonical),
			 VT_OK);
	assert_true(bytes_equal(buf_bytes(&canonical), buf_bytes(&der)));

	for (size_t zeros = 1; zeros < 4; zeros++) {
		make_der(&der, buf_bytes(&fixed), zeros % 2, zeros / 2);
		assert_false(
		    party_key_signature_fits(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&der)));
		assert_int_equal(party_key_verify(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&msg),
						  buf_bytes(&der), NULL),
				 VT_EMISMATCH);
	}
	/* A long length. */
	make_der(&der, buf_bytes(&fixed), 0, 0);
	buf_reset(&canonical);
	assert_int_equal(buf_append(&canonical, bytes_of("\x30\x81", 2)), VT_OK);
	assert_int_equal(buf_append(&canonical, bytes_of(der.data + 1, der.len - 1)), VT_OK);
	assert_false(
	    party_key_signature_fits(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&canonical)));
	buf_release(&msg);
	buf_release(&fixed);
	buf_release(&der);
	buf_release(&canonical);
	party_key_free(key);
}

/* NIST P-256's n; r and s must lie in [1, n - 1]. */
static void ecdsa_numbers_out_of_range_are_refused(void **state)
{
	(void)state;
	static const char n[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
	struct party_key *key = load_key("p256.spki");
	struct buf msg, good, der;
	uint8_t fixed[64];

	buf_init(&msg);
	buf_init(&good);
	buf_init(&der);
	load(&msg, "message");
	load(&good, "ecdsa-p256-sha256.fixed.sig");
	for (unsigned which = 0; which < 6; which++) {
		uint8_t *part = fixed + (which % 2) * 32;

		memcpy(fixed, good.data, 64);
		if (which < 2)
			memset(part, 0, 32);
		else if (which < 4)
			assert_int_equal(hex_decode_exact(part, 32, bytes_str(n)), VT_OK);
		else
			memset(part, 0xff, 32);
		assert_int_equal(party_key_verify(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&msg),
						  bytes_of(fixed, 64), NULL),
				 VT_EMISMATCH);
		make_der(&der, bytes_of(fixed, 64), 0, 0);
		assert_false(
		    party_key_signature_fits(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&der)));
		assert_int_equal(party_key_verify(key, SCHEME_ECDSA_P256_SHA256, buf_bytes(&msg),
						  buf_bytes(&der), NULL),
				 VT_EMISMATCH);
	}
	/* Negative: the sign bit without a zero byte before it. */
	assert_false(party_key_signature_fits(key, SCHEME_ECDSA_P256_SHA256,
					      bytes_of("\x30\x06\x02\x01\x81\x02\x01\x01", 8)));
	assert_true(party_key_signature_fits(key, SCHEME_ECDSA_P256_SHA256,
					     bytes_of("\x30\x06\x02\x01\x01\x02\x01\x01", 8)));
	buf_release(&msg);
	buf_release(&good);
	buf_release(&der);
	party_key_free(key);
}

static void shapes_tell_candidates_apart(void **state)
{
	(void)state;
	static const uint8_t zeros[1025];
	struct party_key *ed = load_key("ed25519.spki"), *p256 = load_key("p256.spki");
	struct party_key *p384 = load_key("p384.spki"), *rsa = load_key("rsa3072.spki");

	for (size_t n = 0; n <= 1025; n++) {
		struct bytes sig = bytes_of(zeros, n);

		assert_int_equal(party_key_signature_fits(ed, SCHEME_ED25519, sig), n == 64);
		assert_int_equal(party_key_signature_fits(p256, SCHEME_ECDSA_P256_SHA256, sig),
				 n == 64);
		assert_int_equal(party_key_signature_fits(p384, SCHEME_ECDSA_P384_SHA384, sig),
				 n == 96);
		assert_int_equal(party_key_signature_fits(rsa, SCHEME_RSA_PSS_SHA256, sig),
				 n == 384);
		assert_false(party_key_signature_fits(rsa, SCHEME_ED25519, sig));
		assert_false(party_key_signature_fits(ed, SCHEME_ECDSA_P256_SHA256, sig));
	}
	party_key_free(ed);
	party_key_free(p256);
	party_key_free(p384);
	party_key_free(rsa);
}

static void pem_is_one_block_and_nothing_else(void **state)
{
	(void)state;
	struct party_key *key, *same = load_key("p256.spki");
	struct why why;
	struct buf pem, other;

	buf_init(&pem);
	buf_init(&other);
	load(&pem, "p256.pub.pem");
	assert_int_equal(party_key_parse(&key, buf_bytes(&pem), &why), VT_OK);
	assert_true(merkle_hash_equal(party_key_id(key), party_key_id(same)));
	party_key_free(key);

	/* White space around it and other line ends are no difference. */
	assert_int_equal(buf_append_str(&other, "\r\n "), VT_OK);
	for (size_t i = 0; i < pem.len; i++) {
		if (pem.data[i] == '\n')
			assert_int_equal(buf_append_byte(&other, '\r'), VT_OK);
		assert_int_equal(buf_append_byte(&other, pem.data[i]), VT_OK);
	}
	assert_int_equal(party_key_parse(&key, buf_bytes(&other), &why), VT_OK);
	party_key_free(key);

	for (size_t n = 0; n + 1 < pem.len; n++) /* the last byte is the newline */
		assert_int_equal(party_key_parse(&key, bytes_of(pem.data, n), &why), VT_EMALFORMED);
	buf_reset(&other);
	assert_int_equal(buf_append(&other, buf_bytes(&pem)), VT_OK);
	assert_int_equal(buf_append(&other, buf_bytes(&pem)), VT_OK);
	assert_int_equal(party_key_parse(&key, buf_bytes(&other), &why), VT_EMALFORMED);
	buf_reset(&other);
	assert_int_equal(buf_append_str(&other, "x\n"), VT_OK);
	assert_int_equal(buf_append(&other, buf_bytes(&pem)), VT_OK);
	assert_int_equal(party_key_parse(&key, buf_bytes(&other), &why), VT_EMALFORMED);
	assert_null(key);

	static const char private_key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n"
					  "-----END PRIVATE KEY-----\n";
	assert_int_equal(party_key_parse(&key, bytes_str(private_key), &why), VT_EMALFORMED);
	assert_non_null(strstr(why.text, "a public key is needed"));
	static const char empty[] = "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----\n";
	assert_int_equal(party_key_parse(&key, bytes_str(empty), &why), VT_EMALFORMED);
	buf_release(&pem);
	buf_release(&other);
	party_key_free(same);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_of_key_takes_its_own_schemes),
	    cmocka_unit_test(schemes_have_names),
	    cmocka_unit_test(the_key_id_is_the_digest_of_the_spki),
	    cmocka_unit_test(other_keys_and_other_encodings_are_refused),
	    cmocka_unit_test(every_other_text_of_a_good_key_is_refused),
	    cmocka_unit_test(ber_is_refused),
	    cmocka_unit_test(points_off_the_curve_are_refused),
	    cmocka_unit_test(unsound_rsa_numbers_are_refused),
	    cmocka_unit_test(an_overlong_rsa_exponent_is_refused),
	    cmocka_unit_test(small_order_points_are_refused_in_every_encoding),
	    cmocka_unit_test(ed25519_keys_that_are_no_reduced_point_are_refused),
	    cmocka_unit_test(published_ed25519_signatures_verify),
	    cmocka_unit_test(signatures_of_other_tools_verify_under_their_scheme_only),
	    cmocka_unit_test(a_signature_with_one_bit_changed_fails),
	    cmocka_unit_test(pss_with_other_parameters_fails),
	    cmocka_unit_test(ecdsa_der_has_one_form),
	    cmocka_unit_test(ecdsa_numbers_out_of_range_are_refused),
	    cmocka_unit_test(shapes_tell_candidates_apart),
	    cmocka_unit_test(pem_is_one_block_and_nothing_else),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: keys_party_key_test tests/vectors/keys\n");
		return 2;
	}
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
