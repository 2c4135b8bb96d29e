/*
 * What the keys of a record may cost: which of them are tried on a signature, and when the arithmetic of a new one is looked at.
 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "dsse.h"
#include "record_world.h"

/* -- trials -------------------------------------------------------------------------------------- */

enum { SIGNATURES = 8, OTHERS = 13 };

static const char *const verdicts_only[] = {PREDICATE_TEST_RESULT};

static void grant_key(struct world *w, struct signer *key, const char *party)
{
	struct world_grant g = {.party = party,
				.role = "lab",
				.key = key,
				.previous = -1,
				.types = verdicts_only,
				.n_types = 1};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

static void make_verdict(struct buf *out)
{
	struct compose_digest subject = {
	    .name = "bios.bin",
	    .hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"};
	struct compose_resource configuration = {.name = "suite", .uri = "urn:suite:1"};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = "PASSED",
				    .configuration = &configuration,
				    .n_configuration = 1};

	buf_init(out);
	assert_int_equal(compose_verdict(out, &v, NULL), VT_OK);
}

/* Eight signatures of one key under one keyid, either copies or each made anew. */
static void sign_often(struct buf *out, struct bytes payload, struct signer *by, const char *keyid,
		       bool copies)
{
	struct dsse_signature sig[SIGNATURES];
	struct buf body[SIGNATURES];
	struct dsse made[SIGNATURES];

	for (size_t i = 0; i < SIGNATURES; i++) {
		world_sign_one(&body[i], payload, by);
		assert_int_equal(dsse_parse(&made[i], buf_bytes(&body[i]), NULL), VT_OK);
		sig[i] = (struct dsse_signature){bytes_str(keyid), made[copies ? 0 : i].sig[0].sig};
	}
	assert_true(copies || !bytes_equal(sig[0].sig, sig[1].sig));
	buf_init(out);
	assert_int_equal(dsse_write(out, payload, sig, SIGNATURES), VT_OK);
	for (size_t i = 0; i < SIGNATURES; i++) {
		buf_release(&body[i]);
		dsse_release(&made[i]);
	}
}

/* Of 13 keys that could have made each, those signatures would cost more than 64 trials. */
static void a_signature_under_its_right_keyid_costs_no_other_key_a_trial(void **state)
{
	struct world *w = *state;
	struct signer *key, *other[OTHERS];
	struct buf payload, body;
	struct record *r;
	char keyid[65], party[20];
	size_t n;

	for (size_t i = 0; i < OTHERS; i++) {
		(void)snprintf(party, sizeof(party), "other-%zu", i);
		assert_int_equal(signer_generate(&other[i], "p256", NULL), VT_OK);
		grant_key(w, other[i], party);
	}
	assert_int_equal(signer_generate(&key, "p256", NULL), VT_OK);
	grant_key(w, key, "lab-2");
	hex_encode(keyid, bytes_of(world_keyid(key)->b, MERKLE_HASH_SIZE));
	make_verdict(&payload);
	for (int copies = 0; copies < 2; copies++) {
		sign_often(&body, buf_bytes(&payload), key, keyid, copies);
		assert_int_equal(record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, &w->why),
				 VT_OK);
		assert_string_equal(record_signers(r, &n)[0].party, "lab-2");
		assert_int_equal(n, 1);
		record_free(r);
		buf_release(&body);
	}
	/* Copies without a keyid are one signature: fourteen keys are tried, once. */
	sign_often(&body, buf_bytes(&payload), key, "", true);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	buf_release(&payload);
	for (size_t i = 0; i < OTHERS; i++)
		signer_free(other[i]);
	signer_free(key);
}

/* -- arithmetic ---------------------------------------------------------------------------------- */

/*
 * RSA with the modulus 3 P, P the prime of RFC 3526 section 4: it signs and verifies like any other, and anyone can factor it.
 */
struct unsound_key {
	BIGNUM *n, *e, *d;
	uint8_t spki[1024];
	size_t spki_len;
};

static void unsound_make(struct unsound_key *k)
{
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *p = BN_get_rfc3526_prime_3072(NULL), *group = BN_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;
	EVP_PKEY_CTX *pkey_ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *pkey = NULL;
	uint8_t *at = k->spki;
	int len;

	k->n = BN_dup(p);
	k->e = BN_new();
	assert_true(BN_set_word(k->e, RSA_F4) && BN_mul_word(k->n, 3));
	/* The order of its group: (3 - 1) (P - 1). */
	assert_true(BN_copy(group, p) != NULL && BN_sub_word(group, 1) && BN_mul_word(group, 2));
	k->d = BN_mod_inverse(NULL, k->e, group, ctx);
	assert_non_null(k->d);
	assert_true(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, k->n) &&
		    OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, k->e));
	params = OSSL_PARAM_BLD_to_param(build);
	assert_int_equal(EVP_PKEY_fromdata_init(pkey_ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(pkey_ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
	len = i2d_PUBKEY(pkey, NULL);
	assert_true(len > 0 && (size_t)len <= sizeof(k->spki));
	k->spki_len = (size_t)i2d_PUBKEY(pkey, &at);
	EVP_PKEY_free(pkey);
	EVP_PKEY_CTX_free(pkey_ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(group);
	BN_free(p);
	BN_CTX_free(ctx);
}

static void unsound_free(struct unsound_key *k)
{
	BN_free(k->n);
	BN_free(k->e);
	BN_free(k->d);
}

/* RFC 8017 section 9.2, with SHA-256. */
static void unsound_sign(uint8_t *sig, size_t len, const struct unsound_key *k,
			 const struct merkle_hash *message)
{
	static const uint8_t info[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
					 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
	BN_CTX *ctx = BN_CTX_new();
	BIGNUM *m;

	memset(sig, 0xff, len);
	sig[0] = 0;
	sig[1] = 1;
	sig[len - 32 - sizeof(info) - 1] = 0;
	memcpy(sig + len - 32 - sizeof(info), info, sizeof(info));
	memcpy(sig + len - 32, message->b, 32);
	m = BN_bin2bn(sig, (int)len, NULL);
	assert_true(m != NULL && BN_mod_exp(m, m, k->d, k->n, ctx));
	assert_int_equal(BN_bn2binpad(m, sig, (int)len), (int)len);
	BN_free(m);
	BN_CTX_free(ctx);
}

static void unsound_statement(struct buf *out, const struct unsound_key *k)
{
	struct merkle_hasher h;
	struct merkle_hash id;
	char hex[65];

	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_int_equal(merkle_sha256(&id, &h, &(struct bytes){k->spki, k->spki_len}, 1), VT_OK);
	merkle_hasher_release(&h);
	hex_encode(hex, bytes_of(id.b, sizeof(id.b)));
	buf_init(out);
	assert_int_equal(
	    buf_appendf(
		out,
		"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[{\"name\":\"k\","
		"\"digest\":{\"sha256\":\"%s\"}}],\"predicateType\":\"" PREDICATE_ACCREDITATION
		"\",\"predicate\":{\"log\":\"" WORLD_ORIGIN
		"\",\"party\":\"lab-2\",\"role\":\"lab\",\"scheme\":\"rsa-pkcs1-sha256\","
		"\"status\":\"granted\",\"previous\":null,\"predicateTypes\":["
		"\"" PREDICATE_TEST_RESULT "\"],\"spki\":\"",
		hex),
	    VT_OK);
	assert_int_equal(buf_append_base64(out, bytes_of(k->spki, k->spki_len)), VT_OK);
	assert_int_equal(buf_append_str(out, "\"}}"), VT_OK);
}

static void sign_with_unsound(struct buf *out, struct world *w, const struct unsound_key *k,
			      struct bytes payload, struct signer *by)
{
	size_t len = (size_t)BN_num_bytes(k->n);
	uint8_t raw[512];
	struct dsse_signature sig[2];
	struct merkle_hash pae;
	struct dsse made;
	struct buf one;

	world_sign_one(&one, payload, by);
	assert_int_equal(dsse_parse(&made, buf_bytes(&one), NULL), VT_OK);
	sig[0] = made.sig[0];
	assert_int_equal(dsse_pae_hash(&pae, &w->h, payload), VT_OK);
	unsound_sign(raw, len, k, &pae);
	sig[1] = (struct dsse_signature){bytes_str(""), bytes_of(raw, len)};
	buf_init(out);
	assert_int_equal(dsse_write(out, payload, sig, 2), VT_OK);
	dsse_release(&made);
	buf_release(&one);
}

static void refused(struct world *w, struct bytes body, const char *slug, const char *detail)
{
	uint64_t index;

	assert_int_not_equal(world_submit(w, body, &index, NULL), VT_OK);
	assert_string_equal(w->why.type->slug, slug);
	assert_non_null(strstr(w->why.detail, detail));
}

static void an_unsound_key_is_refused_although_it_signs(void **state)
{
	struct world *w = *state;
	struct unsound_key k;
	struct buf payload, body;

	unsound_make(&k);
	unsound_statement(&payload, &k);
	sign_with_unsound(&body, w, &k, buf_bytes(&payload), w->centre);
	refused(w, buf_bytes(&body), "accreditation-key", "predicate.spki: the numbers");
	buf_release(&body);
	/* Its arithmetic comes last: what a laboratory may not do is told without it. */
	sign_with_unsound(&body, w, &k, buf_bytes(&payload), w->lab);
	refused(w, buf_bytes(&body), "signer-not-accredited", "lab-1");
	buf_release(&body);
	world_sign_one(&body, buf_bytes(&payload), w->centre);
	refused(w, buf_bytes(&body), "accreditation-possession", "the key itself");
	buf_release(&body);
	buf_release(&payload);
	unsound_free(&k);
}

/* An entry that is in the log is replayed with it too: monitors find what a log let in. */
static void a_replay_looks_at_the_arithmetic(void **state)
{
	struct world *w = *state;
	struct unsound_key k;
	struct buf payload, body;
	struct record *taken, *read_back;

	unsound_make(&k);
	unsound_statement(&payload, &k);
	sign_with_unsound(&body, w, &k, buf_bytes(&payload), w->centre);
	assert_int_equal(record_open(&taken, &w->h, buf_bytes(&body), NULL, &w->view, &w->why),
			 VT_OK);
	assert_true(record_brings_keys(taken, &w->view));
	assert_int_equal(record_reopen(&read_back, &w->h, record_entry(taken), &w->view, &w->why),
			 VT_OK);
	assert_int_equal(record_replay(read_back, &w->view, &w->why), VT_EMALFORMED);
	assert_string_equal(w->why.type->slug, "accreditation-key");
	record_free(read_back);
	record_free(taken);
	buf_release(&body);
	buf_release(&payload);
	unsound_free(&k);
}

static void a_known_key_is_not_looked_at_again(void **state)
{
	struct world *w = *state;
	struct world_grant g = {.party = "lab-1",
				.role = "lab",
				.key = w->lab,
				.status = ACCREDITATION_SUSPENDED,
				.previous = 1,
				.types = verdicts_only,
				.n_types = 1};
	struct record *r;
	struct buf body;

	world_grant(w, &body, &g);
	assert_int_equal(record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, &w->why), VT_OK);
	assert_int_equal(record_judge(r, &w->view, &w->why), VT_OK);
	assert_false(record_brings_keys(r, &w->view));
	record_free(r);
	buf_release(&body);
}

int main(void)
{
#define BEGUN(test) cmocka_unit_test_setup_teardown(test, world_set_up_begun, world_tear_down)
	const struct CMUnitTest tests[] = {
	    BEGUN(a_signature_under_its_right_keyid_costs_no_other_key_a_trial),
	    BEGUN(an_unsound_key_is_refused_although_it_signs),
	    BEGUN(a_replay_looks_at_the_arithmetic),
	    BEGUN(a_known_key_is_not_looked_at_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
