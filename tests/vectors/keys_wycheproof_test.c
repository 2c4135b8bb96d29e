/*
 * Project Wycheproof's signatures: what is valid verifies, everything else does not. One file a
 * scheme; in those named *.fixed the ECDSA signatures are r || s.
 */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "party_key.h"

enum {
	FIELD_MAX = 8192,
};

static const char *folder;

static struct bytes from_hex(uint8_t out[FIELD_MAX], const char *hex)
{
	size_t len = strcmp(hex, "-") == 0 ? 0 : strlen(hex) / 2;

	assert_true(len <= FIELD_MAX);
	assert_int_equal(hex_decode_exact(out, len, bytes_of(hex, len * 2)), VT_OK);
	return bytes_of(out, len);
}

struct tally {
	unsigned valid, invalid, keys;
};

static void check_line(char *line, struct party_key **key, enum key_scheme scheme, struct tally *t)
{
	static uint8_t msg_bytes[FIELD_MAX], sig_bytes[FIELD_MAX];
	static char first[16], second[2 * FIELD_MAX], third[2 * FIELD_MAX], fourth[2 * FIELD_MAX];
	struct why why;
	struct bytes msg, sig;
	struct buf canonical;

	int n = sscanf(line, "%15s %16383s %16383s %16383s", first, second, third, fourth);
	if (n == 2 && strcmp(first, "key") == 0) {
		party_key_free(*key);
		if (party_key_from_spki(key, from_hex(msg_bytes, second), &why) != VT_OK)
			fail_msg("%s: %s", second, why.text);
		t->keys++;
		return;
	}
	assert_int_equal(n, 4);
	msg = from_hex(msg_bytes, third);
	sig = from_hex(sig_bytes, fourth);
	buf_init(&canonical);
	enum vt_err err = party_key_verify(*key, scheme, msg, sig, &canonical);
	bool valid = strcmp(first, "valid") == 0;
	if (err != (valid ? VT_OK : VT_EMISMATCH))
		fail_msg("test %s, %s: %s", second, first, vt_err_text(err));
	if (valid) {
		t->valid++;
		assert_true(party_key_signature_fits(*key, scheme, sig));
		assert_int_equal(party_key_verify(*key, scheme, msg, buf_bytes(&canonical), NULL),
				 VT_OK);
	} else {
		t->invalid++; /* "acceptable" ones too: one signature has one encoding here */
		assert_int_equal(canonical.len, 0);
	}
	buf_release(&canonical);
}

static void check_file(const char *name, const char *scheme_name, struct tally expected)
{
	char path[4096], *line = NULL;
	size_t room = 0;
	enum key_scheme scheme;
	struct party_key *key = NULL;
	struct tally t = {0};
	FILE *f;

	assert_int_equal(key_scheme_parse(&scheme, bytes_str(scheme_name)), VT_OK);
	snprintf(path, sizeof(path), "%s/%s.txt", folder, name);
	if ((f = fopen(path, "r")) == NULL)
		fail_msg("cannot read %s", path);
	while (getline(&line, &room, f) > 0)
		check_line(line, &key, scheme, &t);
	fclose(f);
	free(line);
	party_key_free(key);
	assert_int_equal(t.keys, expected.keys);
	assert_int_equal(t.valid, expected.valid);
	assert_int_equal(t.invalid, expected.invalid);
}

static void ed25519_verifies_what_is_valid_alone(void **state)
{
	(void)state;
	check_file("ed25519", "ed25519", (struct tally){88, 63, 78});
}

static void ecdsa_p256_verifies_what_is_valid_alone(void **state)
{
	(void)state;
	check_file("ecdsa-p256-sha256", "ecdsa-p256-sha256", (struct tally){174, 310, 113});
	check_file("ecdsa-p256-sha256.fixed", "ecdsa-p256-sha256", (struct tally){173, 89, 112});
}

static void ecdsa_p384_verifies_what_is_valid_alone(void **state)
{
	(void)state;
	check_file("ecdsa-p384-sha384", "ecdsa-p384-sha384", (struct tally){194, 310, 105});
	check_file("ecdsa-p384-sha384.fixed", "ecdsa-p384-sha384", (struct tally){193, 87, 104});
}

static void rsa_verifies_what_is_valid_alone(void **state)
{
	(void)state;
	check_file("rsa-pss-sha256", "rsa-pss-sha256", (struct tally){63, 45, 1});
	check_file("rsa-pkcs1-sha256", "rsa-pkcs1-sha256", (struct tally){8, 251, 2});
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ed25519_verifies_what_is_valid_alone),
	    cmocka_unit_test(ecdsa_p256_verifies_what_is_valid_alone),
	    cmocka_unit_test(ecdsa_p384_verifies_what_is_valid_alone),
	    cmocka_unit_test(rsa_verifies_what_is_valid_alone),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: keys_wycheproof_test tests/vectors/wycheproof\n");
		return 2;
	}
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
