#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "signer.h"

/* Private keys made for this run by tests/vectors/keys/make_private.sh. */
static char folder[] = "/tmp/keys_signer_test.XXXXXX";
static const char *maker;

static const char *in_folder(const char *name)
{
	static char path[sizeof(folder) + 64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int make_keys(void **state)
{
	(void)state;
	char command[4096];

	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(command, sizeof(command), "bash '%s' '%s'", maker, folder);
	return system(command);
}

static int remove_keys(void **state)
{
	(void)state;
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

static void write_key(const char *name, const char *text)
{
	assert_int_equal(durable_write(in_folder(name), bytes_str(text), 0600), VT_OK);
}

static void assert_refused(const char *name, const char *passphrase, enum vt_err expected,
			   const char *says)
{
	struct signer *s;
	struct why why;
	enum vt_err err = signer_from_file(&s, in_folder(name), passphrase, &why);

	assert_null(s);
	if (strstr(why.text, says) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", name, why.text, says);
	assert_int_equal(err, expected);
	assert_int_equal(signer_from_file(&s, in_folder(name), passphrase, NULL), expected);
}

static struct signer *load(const char *name, const char *passphrase)
{
	struct signer *s;
	struct why why;

	if (signer_from_file(&s, in_folder(name), passphrase, &why) != VT_OK)
		fail_msg("%s: %s", name, why.text);
	return s;
}

static void keys_of_openssl_are_read_and_sign(void **state)
{
	(void)state;
	static const struct {
		const char *name, *passphrase;
	} cases[] = {
	    {"ed25519.pem", NULL},
	    {"p256.pem", NULL},
	    {"p256-compressed.pem", NULL},
	    {"p256-sec1.pem", NULL},
	    {"p384.pem", NULL},
	    {"rsa3072.pem", NULL},
	    {"p256-encrypted.pem", "correct horse"},
	    {"ed25519-scrypt.pem", "correct horse"},
	    {"ed25519.pem", "not needed"},
	};
	struct bytes msg = bytes_str("a message");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct signer *s = load(cases[i].name, cases[i].passphrase);

		for (unsigned k = 0; k < SCHEME_COUNT; k++) {
			enum key_scheme scheme = (enum key_scheme)k;
			struct buf sig;

			buf_init(&sig);
			if (!party_key_takes(signer_public(s), scheme)) {
				assert_int_equal(signer_sign(&sig, s, scheme, msg), VT_EINVAL);
				assert_int_equal(sig.len, 0);
				continue;
			}
			assert_int_equal(signer_sign(&sig, s, scheme, msg), VT_OK);
			assert_int_equal(
			    party_key_verify(signer_public(s), scheme, msg, buf_bytes(&sig), NULL),
			    VT_OK);
			buf_release(&sig);
		}
		assert_null(signer_note_name(s));
		signer_free(s);
	}
	signer_free(NULL);
}

static void the_public_half_is_what_openssl_says(void **state)
{
	(void)state;
	static const char *const files[][2] = {{"ed25519.pem", "ed25519.spki"},
					       {"p256.pem", "p256.spki"},
					       {"p256-compressed.pem", "p256.spki"}};
	struct buf der;

	for (size_t i = 0; i < 3; i++) {
		struct signer *s = load(files[i][0], NULL);

		buf_init(&der);
		assert_int_equal(file_read(&der, in_folder(files[i][1]), 1000), VT_OK);
		assert_true(bytes_equal(party_key_spki(signer_public(s)), buf_bytes(&der)));
		buf_release(&der);
		signer_free(s);
	}
}

static void unfit_private_keys_are_refused(void **state)
{
	(void)state;
	assert_refused("missing.pem", NULL, VT_ENOTFOUND, "No such file");
	assert_refused(".", NULL, VT_EIO, "Is a directory");
	assert_refused("p256-encrypted.pem", NULL, VT_EMALFORMED, "its passphrase is needed");
	assert_refused("p256-encrypted.pem", "wrong horse", VT_EMALFORMED, "wrong passphrase");
	assert_refused("p256-encrypted.pem", "", VT_EMALFORMED, "wrong passphrase");
	assert_refused("bad-rsa2048.pem", NULL, VT_EUNTRUSTED, "2048 bits");
	assert_refused("bad-p521.pem", NULL, VT_EMALFORMED, "curve is not taken");
	assert_refused("bad-explicit.pem", NULL, VT_EMALFORMED, "given by name");
	assert_refused("bad-mixed.pem", NULL, VT_EMALFORMED, "do not belong together");
	write_key("public.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n");
	assert_refused("public.pem", NULL, VT_EMALFORMED, "it is a public key");
	write_key("zeros.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_refused("zeros.pem", NULL, VT_EMALFORMED, "not PKCS#8");
	write_key(
	    "zeros.pem",
	    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
	assert_refused("zeros.pem", "x", VT_EMALFORMED, "not PKCS#8");
	write_key("empty.pem", "");
	assert_refused("empty.pem", NULL, VT_EMALFORMED, "it is empty");
}

static void an_overlong_file_or_passphrase_is_refused(void **state)
{
	(void)state;
	static char spaces[70000], passphrase[1100];

	memset(spaces, ' ', sizeof(spaces) - 1);
	write_key("long.pem", spaces);
	assert_refused("long.pem", NULL, VT_EMALFORMED, "too long");
	memset(passphrase, 'p', sizeof(passphrase) - 1);
	assert_refused("p256-encrypted.pem", passphrase, VT_ELIMIT, "1024 bytes");
}

static void a_key_that_others_can_read_is_refused(void **state)
{
	(void)state;
	static const mode_t open_modes[] = {0604, 0660, 0622, 0601, 0610, 0644};

	for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
		assert_int_equal(chmod(in_folder("ed25519.pem"), open_modes[i]), 0);
		assert_refused("ed25519.pem", NULL, VT_EUNTRUSTED, "chmod 600");
	}
	assert_int_equal(chmod(in_folder("ed25519.pem"), 0400), 0);
	signer_free(load("ed25519.pem", NULL));
	assert_int_equal(chmod(in_folder("ed25519.pem"), 0600), 0);
}

/* A secret of a container is root's, and its group is the service's. */
static void a_group_may_read_a_key_that_is_roots(void **state)
{
	(void)state;
	static const mode_t modes[] = {0440, 0640};
	bool root = geteuid() == 0;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(in_folder("ed25519.pem"), modes[i]), 0);
		if (root)
			signer_free(load("ed25519.pem", NULL));
		else
			assert_refused("ed25519.pem", NULL, VT_EUNTRUSTED, "chmod 600");
	}
	if (root) {
		assert_int_equal(chown(in_folder("ed25519.pem"), 65534, (gid_t)-1), 0);
		assert_refused("ed25519.pem", NULL, VT_EUNTRUSTED, "chmod 600");
		assert_int_equal(chown(in_folder("ed25519.pem"), 0, (gid_t)-1), 0);
	}
	assert_int_equal(chmod(in_folder("ed25519.pem"), 0600), 0);
}

static void every_kind_is_generated_written_and_read_back(void **state)
{
	(void)state;
	static const char *const kinds[] = {"ed25519", "p256", "p384", "rsa3072"};
	static const char *const passphrases[] = {NULL, "correct horse"};
	struct why why;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct signer *s, *again;
		struct party_key *public;
		struct buf pem;

		assert_int_equal(signer_generate(&s, kinds[i], &why), VT_OK);
		for (size_t k = 0; k < 2; k++) {
			buf_init(&pem);
			assert_int_equal(signer_private_pem(&pem, s, passphrases[k]), VT_OK);
			assert_int_equal(durable_write(in_folder("new.pem"), buf_bytes(&pem), 0600),
					 VT_OK);
			secret_release(&pem);
			again = load("new.pem", passphrases[k]);
			assert_true(merkle_hash_equal(party_key_id(signer_public(s)),
						      party_key_id(signer_public(again))));
			signer_free(again);
			if (passphrases[k] != NULL)
				assert_refused("new.pem", NULL, VT_EMALFORMED, "encrypted");
		}
		buf_init(&pem);
		assert_int_equal(signer_public_pem(&pem, s), VT_OK);
		assert_int_equal(party_key_parse(&public, buf_bytes(&pem), &why), VT_OK);
		assert_true(
		    merkle_hash_equal(party_key_id(signer_public(s)), party_key_id(public)));
		party_key_free(public);
		assert_int_equal(signer_private_pem(&pem, s, ""), VT_EINVAL);
		buf_release(&pem);
		signer_free(s);
	}
	struct signer *s;
	assert_int_equal(signer_generate(&s, "rsa2048", &why), VT_EINVAL);
	assert_non_null(strstr(why.text, "ed25519, p256"));
	assert_null(s);
}

/* openssl reads what is written here, encrypted or not. */
static void openssl_reads_what_is_written(void **state)
{
	(void)state;
	static const char *const passphrases[] = {NULL, "correct horse"};
	struct signer *s;
	char command[512];

	for (size_t i = 0; i < 2; i++) {
		struct buf pem, der;

		buf_init(&pem);
		buf_init(&der);
		assert_int_equal(signer_generate(&s, "p256", NULL), VT_OK);
		assert_int_equal(signer_private_pem(&pem, s, passphrases[i]), VT_OK);
		assert_int_equal(durable_write(in_folder("new.pem"), buf_bytes(&pem), 0600), VT_OK);
		snprintf(command, sizeof(command),
			 "cd %s && openssl pkey -in new.pem -passin pass:'correct horse' -pubout "
			 "-outform DER "
			 "-out new.spki",
			 folder);
		assert_int_equal(system(command), 0);
		assert_int_equal(file_read(&der, in_folder("new.spki"), 1000), VT_OK);
		assert_true(bytes_equal(party_key_spki(signer_public(s)), buf_bytes(&der)));
		secret_release(&pem);
		buf_release(&der);
		signer_free(s);
	}
}

/* The example of golang.org/x/mod/sumdb/note's documentation. */
static const char note_key[] = "PRIVATE+KEY+PeterNeumann+c74f20a3+"
			       "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
static const char note_vkey[] =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

static void a_go_note_key_is_read_and_has_its_vkey(void **state)
{
	(void)state;
	struct note_signer by;
	struct signer *s;
	struct buf vkey, with_newline;

	buf_init(&vkey);
	buf_init(&with_newline);
	assert_int_equal(buf_appendf(&with_newline, "%s\n%c", note_key, 0), VT_OK);
	write_key("note", note_key);
	s = load("note", NULL);
	assert_string_equal(signer_note_name(s), "PeterNeumann");
	signer_free(s);
	write_key("note", (const char *)with_newline.data);
	s = load("note", NULL);
	assert_int_equal(signer_note(&by, s, signer_note_name(s), VKEY_TYPE_ED25519), VT_OK);
	assert_int_equal(vkey_format(&vkey, &by.key), VT_OK);
	assert_true(bytes_is(buf_bytes(&vkey), note_vkey));
	buf_release(&vkey);
	buf_release(&with_newline);
	signer_free(s);
}

static void a_note_key_with_anything_changed_is_refused(void **state)
{
	(void)state;
	char changed[sizeof(note_key) + 8];

	for (size_t i = 0; i < sizeof(note_key) - 1; i++) {
		memcpy(changed, note_key, sizeof(note_key));
		changed[i] = changed[i] == 'B' ? 'C' : 'B';
		write_key("note", changed);
		assert_refused("note", NULL, VT_EMALFORMED, "");
		changed[i] = '\0'; /* cut here */
		write_key("note", changed);
		assert_refused("note", NULL, VT_EMALFORMED, "");
	}
	write_key("note", "PRIVATE+KEY+PeterNeumann+c74f20a3+"
			  "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz+more");
	assert_refused("note", NULL, VT_EMALFORMED, "not a note key");
	write_key("note", "PRIVATE+KEY+PeterNeumann+C74F20A3+"
			  "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz");
	assert_refused("note", NULL, VT_EMALFORMED, "not a note key");
	write_key("note", "PRIVATE+KEY+PeterNeumann+c74f20a3+"
			  "BIEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz");
	assert_refused("note", NULL, VT_EMALFORMED, "type 4: only 1");
}

static void notes_signed_here_open(void **state)
{
	(void)state;
	static const char text[] =
	    "example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
	struct note_signer by;
	struct signer *s;
	struct vkey_set known;
	struct note *n;
	struct buf msg;

	buf_init(&msg);
	assert_int_equal(signer_generate(&s, "ed25519", NULL), VT_OK);
	assert_int_equal(signer_note(&by, s, "example.org/log", VKEY_TYPE_ED25519), VT_OK);
	assert_int_equal(note_sign(&msg, bytes_str(text), &by, 1), VT_OK);
	known = (struct vkey_set){&by.key, 1};
	assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_OK);
	assert_non_null(note_signed_by(n, &by.key));
	note_free(n);

	assert_int_equal(signer_note(&by, s, "witness", VKEY_TYPE_COSIGNATURE_ED25519), VT_OK);
	assert_int_equal(by.key.type, VKEY_TYPE_COSIGNATURE_ED25519);
	assert_int_equal(signer_note(&by, s, "a b", VKEY_TYPE_ED25519), VT_EINVAL);
	assert_int_equal(signer_note(&by, s, "x", 0x06), VT_EINVAL);
	signer_free(s);

	assert_int_equal(signer_generate(&s, "p256", NULL), VT_OK);
	assert_int_equal(signer_note(&by, s, "x", VKEY_TYPE_ED25519), VT_EINVAL);
	signer_free(s);
	buf_release(&msg);
}

static void random_bytes_differ_and_fill_all(void **state)
{
	(void)state;
	uint8_t a[64] = {0}, b[64] = {0};
	static const uint8_t zeros[8];

	assert_int_equal(random_bytes(a, sizeof(a)), VT_OK);
	assert_int_equal(random_bytes(b, sizeof(b)), VT_OK);
	for (size_t i = 0; i < 64; i += 8) {
		assert_memory_not_equal(a + i, b + i, 8);
		assert_memory_not_equal(a + i, zeros, 8);
	}
	assert_int_equal(random_bytes(NULL, 0), VT_OK);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_of_openssl_are_read_and_sign),
	    cmocka_unit_test(the_public_half_is_what_openssl_says),
	    cmocka_unit_test(unfit_private_keys_are_refused),
	    cmocka_unit_test(an_overlong_file_or_passphrase_is_refused),
	    cmocka_unit_test(a_key_that_others_can_read_is_refused),
	    cmocka_unit_test(a_group_may_read_a_key_that_is_roots),
	    cmocka_unit_test(every_kind_is_generated_written_and_read_back),
	    cmocka_unit_test(openssl_reads_what_is_written),
	    cmocka_unit_test(a_go_note_key_is_read_and_has_its_vkey),
	    cmocka_unit_test(a_note_key_with_anything_changed_is_refused),
	    cmocka_unit_test(notes_signed_here_open),
	    cmocka_unit_test(random_bytes_differ_and_fill_all),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: keys_signer_test tests/vectors/keys/make_private.sh\n");
		return 2;
	}
	maker = argv[1];
	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
