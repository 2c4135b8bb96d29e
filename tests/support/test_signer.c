#include "test_signer.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static EVP_PKEY *private_key(uint8_t seed)
{
	uint8_t raw[32];
	EVP_PKEY *key;

	memset(raw, seed, sizeof(raw));
	key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw));
	if (key == NULL)
		abort();
	return key;
}

static enum vt_err sign(void *ctx, uint8_t sig[64], struct bytes msg)
{
	/* The context is the seed itself, so that nothing has to be freed. */
	EVP_PKEY *key = private_key((uint8_t)(uintptr_t)ctx);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t len = 64;

	if (md == NULL || EVP_DigestSignInit(md, NULL, NULL, NULL, key) != 1 ||
	    EVP_DigestSign(md, sig, &len, msg.data, msg.len) != 1 || len != 64)
		abort();
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	return VT_OK;
}

static enum vt_err sign_badly(void *ctx, uint8_t sig[64], struct bytes msg)
{
	enum vt_err err = sign(ctx, sig, msg);

	sig[10] ^= 4;
	return err;
}

struct vkey test_vkey(const char *name, uint8_t type, uint8_t seed)
{
	EVP_PKEY *key = private_key(seed);
	struct vkey out;
	uint8_t raw[32];
	size_t len = sizeof(raw);

	if (EVP_PKEY_get_raw_public_key(key, raw, &len) != 1 ||
	    vkey_from_ed25519(&out, name, type, raw) != VT_OK)
		abort();
	EVP_PKEY_free(key);
	return out;
}

struct note_signer test_signer(const char *name, uint8_t type, uint8_t seed)
{
	return (struct note_signer){
	    .key = test_vkey(name, type, seed),
	    .sign = sign,
	    .ctx = (void *)(uintptr_t)seed,
	};
}

struct note_signer test_bad_signer(const char *name, uint8_t type, uint8_t seed)
{
	struct note_signer by = test_signer(name, type, seed);

	by.sign = sign_badly;
	return by;
}
