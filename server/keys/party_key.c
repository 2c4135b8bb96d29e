#include "party_key.h"

#include "file_kind.h"
#include "keys_internal.h"
#include "logline.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	RSA_BITS_MIN = 3072,
	RSA_BITS_MAX = 4096,
	RSA_EXPONENT_BITS_MAX = 64, /* beyond, verifying gets as dear as signing */
	ECDSA_DER_MAX = 128,
	FIXED_MAX = 96, /* r || s on P-384 */
};

enum key_kind {
	KIND_ED25519,
	KIND_P256,
	KIND_P384,
	KIND_RSA,
};

/* A log may have a great many, so they are small: what is dear to keep is made again (parsed_key()). */
struct party_key {
	enum key_kind kind;
	uint16_t signature_len; /* in the fixed form: Ed25519 and RSA signatures, r || s */
	uint16_t spki_len;
	struct merkle_hash id;
	uint8_t spki[];
};

static const struct {
	const char *name;
	enum key_kind kind;
	const char *digest; /* NULL: the scheme hashes by itself */
	int rsa_padding;
} schemes[SCHEME_COUNT] = {
    [SCHEME_ED25519] = {"ed25519", KIND_ED25519, NULL, 0},
    [SCHEME_ECDSA_P256_SHA256] = {"ecdsa-p256-sha256", KIND_P256, "SHA256", 0},
    [SCHEME_ECDSA_P384_SHA384] = {"ecdsa-p384-sha384", KIND_P384, "SHA384", 0},
    [SCHEME_RSA_PSS_SHA256] = {"rsa-pss-sha256", KIND_RSA, "SHA256", RSA_PKCS1_PSS_PADDING},
    [SCHEME_RSA_PSS_SHA384] = {"rsa-pss-sha384", KIND_RSA, "SHA384", RSA_PKCS1_PSS_PADDING},
    [SCHEME_RSA_PSS_SHA512] = {"rsa-pss-sha512", KIND_RSA, "SHA512", RSA_PKCS1_PSS_PADDING},
    [SCHEME_RSA_PKCS1_SHA256] = {"rsa-pkcs1-sha256", KIND_RSA, "SHA256", RSA_PKCS1_PADDING},
    [SCHEME_RSA_PKCS1_SHA384] = {"rsa-pkcs1-sha384", KIND_RSA, "SHA384", RSA_PKCS1_PADDING},
    [SCHEME_RSA_PKCS1_SHA512] = {"rsa-pkcs1-sha512", KIND_RSA, "SHA512", RSA_PKCS1_PADDING},
};

const char *key_scheme_name(enum key_scheme scheme)
{
	return (unsigned)scheme < SCHEME_COUNT ? schemes[scheme].name : "unknown";
}

enum vt_err key_scheme_parse(enum key_scheme *out, struct bytes name)
{
	for (unsigned i = 0; i < SCHEME_COUNT; i++) {
		if (bytes_is(name, schemes[i].name)) {
			*out = (enum key_scheme)i;
			return VT_OK;
		}
	}
	return VT_EMALFORMED;
}

/* The first error in the queue, which stays as it is. */
static void describe_error(char out[OPENSSL_REASON_MAX])
{
	const char *call, *data;
	int flags;
	unsigned long code = ERR_peek_error_all(NULL, NULL, &call, &data, &flags);
	const char *reason = ERR_reason_error_string(code);

	if (code == 0)
		snprintf(out, OPENSSL_REASON_MAX, "OpenSSL gives no reason");
	else
		snprintf(out, OPENSSL_REASON_MAX, "OpenSSL, %s(): %s%s%s", call,
			 reason != NULL ? reason : "?", (flags & ERR_TXT_STRING) != 0 ? ", " : "",
			 (flags & ERR_TXT_STRING) != 0 ? data : "");
}

const char *openssl_reason(char out[OPENSSL_REASON_MAX])
{
	describe_error(out);
	ERR_clear_error();
	return out;
}

/* Is there an error of memory anywhere in the queue? It is emptied. */
static bool memory_ran_out(void)
{
	unsigned long code;
	bool starved = false;

	while ((code = ERR_get_error()) != 0)
		starved |= ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
	return starved;
}

enum vt_err openssl_failure_at(const char *file, int line, enum vt_err otherwise)
{
	char reason[OPENSSL_REASON_MAX];

	describe_error(reason);
	if (memory_ran_out())
		return VT_ENOMEM;
	return otherwise == VT_EINTERNAL ? internal_error(file, line, reason, 0) : otherwise;
}

/*
 * The head of each form that is taken, up to the key's own bytes. OpenSSL's decoder, which takes
 * far more than this, sees nothing that does not begin so.
 */
static const struct form {
	enum key_kind kind;
	size_t len; /* of the whole SPKI; 0: depends on the key */
	size_t head_at, head_len;
	uint8_t head[32];
} forms[] = {
    {KIND_ED25519,
     44,
     0,
     12,
     {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00}},
    {KIND_P256, 91, 0, 27, {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
			    0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
			    0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04}},
    {KIND_P384, 120, 0, 24, {0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86,
			     0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
			     0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04}},
    /* After SEQUENCE and its two-byte length, which depends on the modulus. */
    {KIND_RSA,
     0,
     4,
     15,
     {0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00}},
};

static const struct form *find_form(struct bytes der)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *f = &forms[i];
		if (f->len != 0 ? der.len != f->len : der.len < f->head_at + f->head_len)
			continue;
		if (memcmp(der.data + f->head_at, f->head, f->head_len) == 0)
			return f;
	}
	return NULL;
}

/* An object identifier of an algorithm or curve stands near the front, if this is an SPKI at all.
 */
static bool mentions(struct bytes der, const char *oid, size_t oid_len)
{
	size_t front = der.len < 64 ? der.len : 64;
	return front > 0 && memmem(der.data, front, oid, oid_len) != NULL;
}

static enum vt_err explain_unknown_form(struct bytes der, struct why *why)
{
	const char *text =
	    "not a public key in SPKI form of Ed25519, ECDSA P-256, ECDSA P-384 or RSA";

	if (mentions(der, "\x2b\x65\x70", 3))
		text =
		    "not the one canonical SPKI form of an Ed25519 key (44 bytes, no parameters)";
	else if (mentions(der, "\x2a\x86\x48\xce\x3d\x03\x01\x07", 8) ||
		 mentions(der, "\x2b\x81\x04\x00\x22", 5))
		text =
		    "not the canonical SPKI form of an ECDSA key: the point must be uncompressed, "
		    "with nothing after it (openssl ec -conv_form uncompressed)";
	else if (mentions(der, "\x2a\x86\x48\xce\x3d\x02\x01", 7))
		text = "this elliptic curve is not taken: use P-256 or P-384, given by name "
		       "(openssl ecparam -name prime256v1 -param_enc named_curve)";
	else if (mentions(der, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a", 9))
		text = "an RSA key must be registered as rsaEncryption, not as id-RSASSA-PSS; "
		       "the scheme says which padding it signs with";
	else if (mentions(der, "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01", 9))
		text =
		    "not the canonical SPKI form of an RSA key (NULL parameters, shortest lengths, "
		    "3072 to 4096 bits)";
	return why_say(why, VT_EMALFORMED, "%s", text);
}

/*
 * RFC 8032 section 5.1.3 decodes a point from y and a sign; it exists if (y^2 - 1) / (d y^2 + 1)
 * is a square, which is so if the product of the two is. OpenSSL does not look before it verifies.
 */
static enum vt_err ed25519_on_curve(const uint8_t y_bytes[32], bool *on_curve)
{
	enum vt_err err = VT_ENOMEM;
	BIGNUM *p = NULL, *d = NULL, *y = NULL, *u = NULL, *v = NULL;
	BN_CTX *ctx = BN_CTX_new();
	int symbol;

	if (ctx == NULL ||
	    !BN_hex2bn(&p, "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed") ||
	    !BN_hex2bn(&d, "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3") ||
	    (y = BN_lebin2bn(y_bytes, 32, NULL)) == NULL || (u = BN_new()) == NULL ||
	    (v = BN_new()) == NULL || !BN_mod_sqr(u, y, p, ctx) || !BN_mod_mul(v, u, d, p, ctx) ||
	    !BN_add_word(v, 1) || !BN_sub_word(u, 1) || !BN_mod_mul(u, u, v, p, ctx) ||
	    (symbol = BN_kronecker(u, p, ctx)) < -1)
		goto done;
	*on_curve = symbol >= 0;
	err = VT_OK;
done:
	BN_free(p);
	BN_free(d);
	BN_free(y);
	BN_free(u);
	BN_free(v);
	BN_CTX_free(ctx);
	return err;
}

/*
 * The points whose order divides 8, by their y: 1, -1 (orders 1 and 2), 0 (order 4), and the two of
 * order 8; x has either sign. Under such a key one signature verifies for every message.
 */
static const uint8_t small_order[][32] = {
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

static enum vt_err check_ed25519(const uint8_t key[32], struct why *why)
{
	enum vt_err err;
	uint8_t y[32];
	bool all_ones = true, on_curve = false;

	memcpy(y, key, 32);
	y[31] &= 0x7f; /* the sign of x */
	for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
		if (memcmp(y, small_order[i], 32) == 0)
			return why_say(
			    why, VT_EUNTRUSTED,
			    "an Ed25519 key of small order signs everything at once: not taken");
	}
	/* p = 2^255 - 19: a larger y is a second name for y - p. */
	for (size_t i = 1; i < 31; i++)
		all_ones &= y[i] == 0xff;
	if (all_ones && y[31] == 0x7f && y[0] >= 0xed)
		return why_say(why, VT_EUNTRUSTED,
			       "the Ed25519 key's y is not reduced below 2^255 - 19");
	if ((err = ed25519_on_curve(y, &on_curve)) != VT_OK)
		return why_say(why, err, "%s", vt_err_text(err));
	if (!on_curve)
		return why_say(why, VT_EMALFORMED, "the Ed25519 key is not a point on the curve");
	return VT_OK;
}

static enum vt_err check_rsa(const EVP_PKEY *pkey, struct why *why)
{
	int bits = EVP_PKEY_get_bits(pkey);
	BIGNUM *e = NULL;
	bool fine;

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)
		return why_say(why, VT_EUNTRUSTED, "an RSA key of %d bits: only %d to %d are taken",
			       bits, RSA_BITS_MIN, RSA_BITS_MAX);
	if (!EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e))
		return why_say(why, openssl_failure(VT_EINTERNAL),
			       "the RSA exponent is unreadable");
	fine = BN_is_odd(e) && !BN_is_one(e) && BN_num_bits(e) <= RSA_EXPONENT_BITS_MAX;
	BN_free(e);
	if (!fine)
		return why_say(
		    why, VT_EUNTRUSTED,
		    "the RSA public exponent must be odd, at least 3, and of at most %d bits",
		    RSA_EXPONENT_BITS_MAX);
	return VT_OK;
}

/* What the library knows to check of a public key: on the curve and in its group; no prime power
 * and no small factor as RSA modulus. Of Ed25519 it knows nothing that check_ed25519() did not see. */
enum vt_err party_key_check_arithmetic(const struct party_key *key, struct why *why)
{
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *pkey;
	int ok;

	if (key->kind == KIND_ED25519)
		return VT_OK;
	pkey = parse_key(party_key_spki(key));
	ctx = pkey == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	ok = ctx == NULL ? 0 : EVP_PKEY_public_check(ctx);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	if (ok == 1)
		return VT_OK;
	return why_say(why, openssl_failure(VT_EUNTRUSTED),
		       "the numbers in this public key do not make a sound key");
}

static enum vt_err check_strength(const struct party_key *key, const EVP_PKEY *pkey,
				  struct why *why)
{
	switch (key->kind) {
	case KIND_ED25519:
		return check_ed25519(key->spki + key->spki_len - 32, why);
	case KIND_RSA:
		return check_rsa(pkey, why);
	case KIND_P256:
	case KIND_P384:
		return VT_OK;
	}
	return VT_EINTERNAL;
}

static enum vt_err check_canonical(const struct party_key *key, const EVP_PKEY *pkey,
				   struct why *why)
{
	uint8_t *again = NULL;
	int len = i2d_PUBKEY(pkey, &again);
	bool same =
	    len > 0 && (size_t)len == key->spki_len && memcmp(again, key->spki, (size_t)len) == 0;

	OPENSSL_free(again);
	if (len <= 0)
		return why_say(why, openssl_failure(VT_EINTERNAL), "the key cannot be encoded");
	if (!same)
		return why_say(
		    why, VT_EMALFORMED,
		    "the key's DER is not canonical: encoding it again gives other bytes");
	return VT_OK;
}

static enum vt_err fill_in(struct party_key *key, const EVP_PKEY *pkey)
{
	key->signature_len = 64;
	if (key->kind == KIND_RSA)
		key->signature_len = (uint16_t)EVP_PKEY_get_size(pkey);
	if (key->kind == KIND_P384)
		key->signature_len = 96;
	if (!EVP_Digest(key->spki, key->spki_len, key->id.b, NULL, EVP_sha256(), NULL))
		return openssl_failure(VT_EINTERNAL);
	return VT_OK;
}

enum vt_err party_key_read(struct party_key **out, struct bytes der, struct why *why)
{
	enum vt_err err = VT_EINTERNAL;
	const struct form *form;
	struct party_key *key = NULL;
	EVP_PKEY *pkey = NULL;

	*out = NULL;
	if (why != NULL)
		why->text[0] = '\0';
	if (der.len > PARTY_KEY_SPKI_MAX)
		return why_say(why, VT_EMALFORMED,
			       "a public key of %zu bytes: at most %d are taken", der.len,
			       PARTY_KEY_SPKI_MAX);
	if ((form = find_form(der)) == NULL)
		return explain_unknown_form(der, why);
	if ((key = calloc(1, sizeof(*key) + der.len)) == NULL)
		return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
	key->kind = form->kind;
	key->spki_len = (uint16_t)der.len;
	memcpy(key->spki, der.data, der.len);
	if ((pkey = parse_key(der)) == NULL) {
		err = why_say(why, openssl_failure(VT_EMALFORMED),
			      "the public key's DER does not decode (is the point on the curve?)");
		goto done;
	}
	if ((err = check_canonical(key, pkey, why)) != VT_OK ||
	    (err = check_strength(key, pkey, why)) != VT_OK)
		goto done;
	if ((err = fill_in(key, pkey)) != VT_OK) {
		why_say(why, err, "%s", vt_err_text(err));
		goto done;
	}
	*out = key;
	key = NULL; /* transferred */
done:
	party_key_free(key);
	EVP_PKEY_free(pkey);
	ERR_clear_error();
	return err;
}

enum vt_err party_key_from_spki(struct party_key **out, struct bytes der, struct why *why)
{
	enum vt_err err = party_key_read(out, der, why);

	if (err == VT_OK && (err = party_key_check_arithmetic(*out, why)) != VT_OK) {
		party_key_free(*out);
		*out = NULL;
	}
	return err;
}

/* "ssh-ed25519 BASE64 COMMENT", of which file_kind() has seen the first word. */
static enum vt_err party_key_from_openssh(struct party_key **out, struct bytes text,
					  struct why *why)
{
	static const size_t word = sizeof("ssh-ed25519") - 1;
	struct bytes line = text_trimmed(text), raw,
		     base64 = text_trimmed(bytes_of(line.data + word, line.len - word));
	struct buf blob;
	uint8_t der[44];
	enum vt_err err;

	for (size_t i = 0; i < base64.len; i++)
		if (strchr(" \t\r\n", base64.data[i]) != NULL)
			base64.len = i;
	buf_init(&blob);
	if ((err = buf_append_decoded_base64(&blob, base64, BASE64_STANDARD)) == VT_OK)
		err = openssh_public(&raw, buf_bytes(&blob));
	if (err != VT_OK) {
		why_say(why, err, "%s",
			err == VT_ENOMEM ? vt_err_text(err)
					 : "the OpenSSH public key in it is damaged");
		goto done;
	}
	memcpy(der, forms[KIND_ED25519].head, 12);
	memcpy(der + 12, raw.data, 32);
	err = party_key_from_spki(out, bytes_of(der, sizeof(der)), why);
done:
	buf_release(&blob);
	return err;
}

enum vt_err party_key_parse(struct party_key **out, struct bytes file, struct why *why)
{
	enum vt_err err;
	struct bytes label, text = text_without_mark(file);
	const struct file_kind *kind = file_kind(file);
	struct buf der;

	*out = NULL;
	if (kind != NULL && kind->for_public != NULL)
		return why_say(why, VT_EMALFORMED, "it is %s: %s", kind->what, kind->for_public);
	if (file_kind_is(kind, "ssh-ed25519 "))
		return party_key_from_openssh(out, text, why);
	if (!file_kind_is(kind, "PUBLIC KEY"))
		return why_say(why, VT_EMALFORMED, "it is %s: a public key is needed, in PEM",
			       file_kind_text(file));
	if (der_label(file) != NULL)
		return party_key_from_spki(out, file, why);
	buf_init(&der);
	if ((err = pem_decode(&label, &der, text, why)) == VT_OK)
		err = party_key_from_spki(out, buf_bytes(&der), why);
	secret_release(&der);
	return err;
}

void party_key_free(struct party_key *key)
{
	free(key);
}

size_t party_key_bytes(const struct party_key *key)
{
	return sizeof(*key) + key->spki_len;
}

struct bytes party_key_spki(const struct party_key *key)
{
	return bytes_of(key->spki, key->spki_len);
}

const struct merkle_hash *party_key_id(const struct party_key *key)
{
	return &key->id;
}

bool party_key_takes(const struct party_key *key, enum key_scheme scheme)
{
	return (unsigned)scheme < SCHEME_COUNT && schemes[scheme].kind == key->kind;
}

enum key_scheme party_key_default_scheme(const struct party_key *key)
{
	switch (key->kind) {
	case KIND_ED25519:
		return SCHEME_ED25519;
	case KIND_P256:
		return SCHEME_ECDSA_P256_SHA256;
	case KIND_P384:
		return SCHEME_ECDSA_P384_SHA384;
	case KIND_RSA:
		return SCHEME_RSA_PSS_SHA256;
	}
	return SCHEME_COUNT;
}

static bool is_ecdsa(const struct party_key *key)
{
	return key->kind == KIND_P256 || key->kind == KIND_P384;
}

/* The order n of each curve (SEC 2), big-endian. */
static const uint8_t p256_order[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t p384_order[48] = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf,
    0x58, 0x1a, 0x0d, 0xb2, 0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};

/* 1 <= r, s < n, as FIPS 186-5 section 6.4.2 step 1 has it. */
static bool ecdsa_in_range(const struct party_key *key, const ECDSA_SIG *sig)
{
	const BIGNUM *part[2] = {ECDSA_SIG_get0_r(sig), ECDSA_SIG_get0_s(sig)};
	const uint8_t *order = key->kind == KIND_P256 ? p256_order : p384_order;
	int size = key->signature_len / 2;
	uint8_t number[sizeof(p384_order)];

	for (size_t i = 0; i < 2; i++) {
		if (BN_is_zero(part[i]) || BN_is_negative(part[i]) ||
		    BN_bn2binpad(part[i], number, size) != size ||
		    memcmp(number, order, (size_t)size) >= 0)
			return false;
	}
	return true;
}

/* Strict DER into out. VT_EMISMATCH: sig is not what the form says, or a number is out of range. */
static enum vt_err ecdsa_to_der(uint8_t out[ECDSA_DER_MAX], size_t *len,
				const struct party_key *key, struct bytes sig, bool fixed)
{
	enum vt_err err = VT_EMISMATCH;
	const uint8_t *p = sig.data;
	uint8_t *end = out;
	size_t half = key->signature_len / 2u;
	ECDSA_SIG *parsed = NULL;
	BIGNUM *r = NULL, *s = NULL;
	int n;

	if (fixed) {
		if (sig.len != key->signature_len)
			goto done;
		r = BN_bin2bn(sig.data, (int)half, NULL);
		s = BN_bin2bn(sig.data + half, (int)half, NULL);
		parsed = ECDSA_SIG_new();
		if (r == NULL || s == NULL || parsed == NULL || !ECDSA_SIG_set0(parsed, r, s)) {
			err = VT_ENOMEM;
			goto done;
		}
		r = s = NULL; /* taken over */
	} else {
		if (sig.len > ECDSA_DER_MAX)
			goto done;
		if ((parsed = d2i_ECDSA_SIG(NULL, &p, (long)sig.len)) == NULL) {
			err = openssl_failure(VT_EMISMATCH);
			goto done;
		}
	}
	if (!ecdsa_in_range(key, parsed))
		goto done;
	if ((n = i2d_ECDSA_SIG(parsed, NULL)) <= 0 || n > ECDSA_DER_MAX ||
	    i2d_ECDSA_SIG(parsed, &end) != n) {
		err = openssl_failure(VT_EINTERNAL);
		goto done;
	}
	/* One signature has one DER text: what does not encode back to itself is refused. */
	if (!fixed && !bytes_equal(bytes_of(out, (size_t)n), sig))
		goto done;
	*len = (size_t)n;
	err = VT_OK;
done:
	ECDSA_SIG_free(parsed);
	BN_free(r);
	BN_free(s);
	ERR_clear_error();
	return err;
}

bool party_key_signature_fits(const struct party_key *key, enum key_scheme scheme, struct bytes sig)
{
	uint8_t der[ECDSA_DER_MAX];
	size_t len;

	if (!party_key_takes(key, scheme))
		return false;
	if (sig.len == key->signature_len)
		return true;
	return is_ecdsa(key) && ecdsa_to_der(der, &len, key, sig, false) == VT_OK;
}

enum vt_err scheme_set_up(EVP_PKEY_CTX *ctx, enum key_scheme scheme)
{
	int padding = schemes[scheme].rsa_padding;

	if (padding == 0)
		return VT_OK;
	if (EVP_PKEY_CTX_set_rsa_padding(ctx, padding) <= 0)
		return openssl_failure(VT_EINTERNAL);
	/* MGF1 follows the digest by itself; the salt does not. */
	if (padding == RSA_PKCS1_PSS_PADDING &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) <= 0)
		return openssl_failure(VT_EINTERNAL);
	return VT_OK;
}

const char *scheme_digest(enum key_scheme scheme)
{
	return schemes[scheme].digest;
}

static enum vt_err verify_one(const struct party_key *key, enum key_scheme scheme, struct bytes msg,
			      struct bytes sig)
{
	enum vt_err err = VT_EMISMATCH;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *settings = NULL; /* belongs to ctx */
	EVP_PKEY *pkey = parsed_key(key);

	if (ctx == NULL || pkey == NULL) {
		err = openssl_failure(VT_ENOMEM);
		goto done;
	}
	if (EVP_DigestVerifyInit_ex(ctx, &settings, scheme_digest(scheme), NULL, NULL, pkey,
				    NULL) != 1) {
		err = openssl_failure(VT_EINTERNAL);
		goto done;
	}
	if ((err = scheme_set_up(settings, scheme)) != VT_OK)
		goto done;
	if (EVP_DigestVerify(ctx, sig.data, sig.len, msg.len == 0 ? (const uint8_t *)"" : msg.data,
			     msg.len) != 1)
		err = openssl_failure(VT_EMISMATCH);
done:
	EVP_MD_CTX_free(ctx);
	parsed_key_free(pkey);
	ERR_clear_error();
	return err;
}

static enum vt_err verify_ecdsa(const struct party_key *key, enum key_scheme scheme,
				struct bytes msg, struct bytes sig, struct buf *canonical)
{
	enum vt_err err = VT_EMISMATCH;
	uint8_t der[ECDSA_DER_MAX];
	size_t len = 0;

	/* Short numbers can make DER as long as the fixed form: then both readings are tried. */
	for (int fixed = 0; fixed < 2 && err == VT_EMISMATCH; fixed++) {
		if ((err = ecdsa_to_der(der, &len, key, sig, fixed)) == VT_OK)
			err = verify_one(key, scheme, msg, bytes_of(der, len));
	}
	if (err == VT_OK && canonical != NULL)
		err = buf_append(canonical, bytes_of(der, len));
	return err;
}

enum vt_err party_key_verify(const struct party_key *key, enum key_scheme scheme, struct bytes msg,
			     struct bytes sig, struct buf *canonical)
{
	enum vt_err err;

	if (!party_key_takes(key, scheme))
		return VT_EMISMATCH;
	if (is_ecdsa(key))
		return verify_ecdsa(key, scheme, msg, sig, canonical);
	if (sig.len != key->signature_len)
		return VT_EMISMATCH;
	if ((err = verify_one(key, scheme, msg, sig)) != VT_OK)
		return err;
	return canonical == NULL ? VT_OK : buf_append(canonical, sig);
}
