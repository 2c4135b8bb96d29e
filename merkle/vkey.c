/* The only file of the signed text that knows OpenSSL. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "cursor.h"
#include "note_private.h"

enum {
	ED25519_KEY_SIZE = 32,
	ED25519_SIGNATURE_SIZE = 64,
	MLDSA44_KEY_SIZE = 1312,
	KEY_DATA_MAX =
	    1 + 4096, /* type byte and material; ML-DSA-87, the largest in sight, has 2592 */
};

/* Every character that Unicode calls White_Space and that is not a control, in UTF-8. Text that is
 * valid UTF-8 holds one of these byte sequences only where it holds the character. */
static const char *const unicode_space[] = {
    " ",
    "\xc2\x85",     /* U+0085 */
    "\xc2\xa0",     /* U+00A0 */
    "\xe1\x9a\x80", /* U+1680 */
    "\xe2\x80\x80", /* U+2000 to U+200A */
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
    "\xe2\x80\xa8", /* U+2028 */
    "\xe2\x80\xa9", /* U+2029 */
    "\xe2\x80\xaf", /* U+202F */
    "\xe2\x81\x9f", /* U+205F */
    "\xe3\x80\x80", /* U+3000 */
};

static bool starts_with_space(struct bytes text)
{
	for (size_t i = 0; i < sizeof(unicode_space) / sizeof(unicode_space[0]); i++) {
		size_t len = strlen(unicode_space[i]);

		if (text.len >= len && bytes_is(bytes_of(text.data, len), unicode_space[i]))
			return true;
	}
	return false;
}

/* signed-note, Format: "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus
 * (U+002B) characters." */
bool note_name_valid(struct bytes name)
{
	if (name.len == 0 || !utf8_valid(name))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.data[i] < 0x20 || name.data[i] == '+' ||
		    starts_with_space(bytes_of(name.data + i, name.len - i)))
			return false;
	}
	return true;
}

bool vkey_name_valid(struct bytes name)
{
	return name.len <= VKEY_NAME_MAX && note_name_valid(name);
}

/*
 * RFC 8032 section 5.1.3 wants y below p, and a point of small order verifies one signature on
 * every message. What is refused, once the sign of x is masked: y >= p = 2^255 - 19 (with it every
 * second spelling of a point), and the y of the eight points whose order divides 8.
 */
bool ed25519_key_valid(const uint8_t key[32])
{
	static const uint8_t small_order[][ED25519_KEY_SIZE] = {
	    {0}, /* order 4 */
	    {1}, /* order 1 */
	    /* order 8, twice */
	    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
	     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
	     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
	    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
	     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
	     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
	};
	uint8_t y[ED25519_KEY_SIZE];
	bool top = true;

	memcpy(y, key, sizeof(y));
	y[31] &= 0x7f;
	/* Little-endian: y >= p - 1 has ones in all the higher bits. p - 1 itself has order 2. */
	for (size_t i = 1; i < 31; i++)
		top = top && y[i] == 0xff;
	if (top && y[31] == 0x7f && y[0] >= 0xec)
		return false;
	for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++) {
		if (memcmp(y, small_order[i], sizeof(y)) == 0)
			return false;
	}
	return true;
}

enum vt_err ed25519_verify(const uint8_t key[32], struct bytes msg, const uint8_t sig[64])
{
	enum vt_err err = VT_EINTERNAL;
	EVP_MD_CTX *ctx = NULL;
	EVP_PKEY *pkey = NULL;
	int verified;

	if (!ed25519_key_valid(key))
		return VT_EMISMATCH;
	/* A signature that fails leaves the thread's error queue as it was found. */
	ERR_set_mark();
	pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, ED25519_KEY_SIZE);
	ctx = EVP_MD_CTX_new();
	if (pkey == NULL || ctx == NULL || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1)
		goto done;
	verified = EVP_DigestVerify(ctx, sig, ED25519_SIGNATURE_SIZE, msg.data, msg.len);
	if (verified == 1)
		err = VT_OK;
	else if (verified == 0)
		err = VT_EMISMATCH;
done:
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
	ERR_pop_to_mark();
	return err;
}

/*
 * signed-note, Signatures: "key ID = SHA-256(key name || 0x0A || signature type || public
 * key)[:4]". data is the type byte and the key material.
 */
static enum vt_err key_hashes(struct vkey *key, struct bytes name, struct bytes data)
{
	const struct bytes id_part[] = {name, bytes_of("\n", 1), data};
	const struct bytes material = bytes_of(data.data + 1, data.len - 1);
	struct merkle_hasher h = {0};
	struct merkle_hash id, hash;
	enum vt_err err = VT_EINTERNAL;

	if ((err = merkle_hasher_init(&h)) != VT_OK ||
	    (err = merkle_sha256(&id, &h, id_part, 3)) != VT_OK ||
	    (err = merkle_sha256(&hash, &h, &material, 1)) != VT_OK)
		goto done;
	key->id = load_be32(id.b);
	memcpy(key->key_hash, hash.b, sizeof(key->key_hash));
done:
	merkle_hasher_release(&h);
	return err;
}

static enum vt_err vkey_make(struct vkey *out, struct bytes name, struct bytes data)
{
	struct vkey key = {.type = data.data[0]};
	enum vt_err err;

	memcpy(key.name, name.data, name.len);
	if ((err = key_hashes(&key, name, data)) != VT_OK)
		return err;
	if (vkey_verifiable(&key)) {
		memcpy(key.ed25519, data.data + 1, sizeof(key.ed25519));
		if (!ed25519_key_valid(key.ed25519))
			return VT_EUNTRUSTED;
	}
	*out = key;
	return VT_OK;
}

static bool key_data_fits(struct bytes data)
{
	if (data.len < 2)
		return false;
	switch (data.data[0]) {
	case VKEY_TYPE_ED25519:
	case VKEY_TYPE_COSIGNATURE_ED25519:
		return data.len == 1 + ED25519_KEY_SIZE;
	case VKEY_TYPE_COSIGNATURE_MLDSA44:
		return data.len == 1 + MLDSA44_KEY_SIZE;
	}
	return true;
}

/* signed-note, Verifier keys: "<key name>+hex(32-bit key ID)+base64(signature type || public
 * key)". The base64 may hold further pluses. */
enum vt_err vkey_parse(struct vkey *out, struct bytes text)
{
	uint8_t data[KEY_DATA_MAX], id_byte[4];
	struct bytes name, id_text;
	struct vkey key;
	struct cursor c;
	size_t len;
	uint32_t id;
	enum vt_err err;

	cursor_init(&c, text);
	if ((err = cursor_until(&c, '+', &name)) != VT_OK ||
	    (err = cursor_until(&c, '+', &id_text)) != VT_OK ||
	    (err = hex_decode_exact(id_byte, sizeof(id_byte), id_text)) != VT_OK ||
	    (err = base64_decode(data, sizeof(data), &len, c.rest, BASE64_STANDARD)) != VT_OK)
		return err;
	if (!vkey_name_valid(name) || !key_data_fits(bytes_of(data, len)))
		return VT_EMALFORMED;
	if ((err = vkey_make(&key, name, bytes_of(data, len))) != VT_OK)
		return err;
	id = load_be32(id_byte);
	switch (key.type) {
	case VKEY_TYPE_ED25519:
	case VKEY_TYPE_COSIGNATURE_ED25519:
	case VKEY_TYPE_COSIGNATURE_MLDSA44:
		if (id != key.id)
			return VT_EUNTRUSTED;
		break;
	default:
		/* "It is RECOMMENDED that key IDs be ..." only: 0x02 hashes something else, and
		 * an unknown type may. The ID is there to recognise its signatures by. */
		key.id = id;
	}
	*out = key;
	return VT_OK;
}

enum vt_err vkey_from_ed25519(struct vkey *out, const char *name, uint8_t type,
			      const uint8_t key[32])
{
	uint8_t data[1 + ED25519_KEY_SIZE];

	if (!vkey_name_valid(bytes_str(name)) ||
	    (type != VKEY_TYPE_ED25519 && type != VKEY_TYPE_COSIGNATURE_ED25519))
		return VT_EINVAL;
	data[0] = type;
	memcpy(data + 1, key, ED25519_KEY_SIZE);
	return vkey_make(out, bytes_str(name), bytes_of(data, sizeof(data)));
}

enum vt_err vkey_format(struct buf *out, const struct vkey *key)
{
	const size_t before = out->len;
	uint8_t id_byte[4], data[1 + ED25519_KEY_SIZE];
	enum vt_err err;

	if (!vkey_verifiable(key))
		return VT_EINVAL;
	store_be32(id_byte, key->id);
	data[0] = key->type;
	memcpy(data + 1, key->ed25519, ED25519_KEY_SIZE);
	if ((err = buf_append_str(out, key->name)) != VT_OK ||
	    (err = buf_append_byte(out, '+')) != VT_OK ||
	    (err = buf_append_hex(out, bytes_of(id_byte, sizeof(id_byte)))) != VT_OK ||
	    (err = buf_append_byte(out, '+')) != VT_OK ||
	    (err = buf_append_base64(out, bytes_of(data, sizeof(data)))) != VT_OK)
		out->len = before;
	return err;
}

bool vkey_verifiable(const struct vkey *key)
{
	return key->type == VKEY_TYPE_ED25519 || key->type == VKEY_TYPE_COSIGNATURE_ED25519;
}

bool vkey_equal(const struct vkey *a, const struct vkey *b)
{
	return a->id == b->id && a->type == b->type && strcmp(a->name, b->name) == 0 &&
	       memcmp(a->key_hash, b->key_hash, sizeof(a->key_hash)) == 0;
}
