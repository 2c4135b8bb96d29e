/* Hashes a content once, by several algorithms. */
#include "content_digest.h"

#include "keys_internal.h"

static enum vt_err begin_digest(EVP_MD_CTX **out, const char *hash)
{
	EVP_MD *md = EVP_MD_fetch(NULL, hash, NULL);
	enum vt_err err = VT_OK;

	if (md == NULL || EVP_MD_get_size(md) > EVP_MAX_MD_SIZE ||
	    (*out = EVP_MD_CTX_new()) == NULL || EVP_DigestInit_ex2(*out, md, NULL) != 1)
		err = openssl_failure(VT_EINTERNAL);
	EVP_MD_free(md); /* the context keeps its own reference */
	return err;
}

static enum vt_err add_piece(EVP_MD_CTX **digest, size_t n, struct bytes piece)
{
	for (size_t i = 0; i < n; i++)
		if (EVP_DigestUpdate(digest[i], piece.data, piece.len) != 1)
			return openssl_failure(VT_EINTERNAL);
	return VT_OK;
}

static enum vt_err end_digest(char hex[CONTENT_DIGEST_HEX], EVP_MD_CTX *digest)
{
	uint8_t raw[EVP_MAX_MD_SIZE];
	unsigned len;

	if (EVP_DigestFinal_ex(digest, raw, &len) != 1)
		return openssl_failure(VT_EINTERNAL);
	hex_encode(hex, bytes_of(raw, len));
	return VT_OK;
}

enum vt_err content_digests(char (*hex)[CONTENT_DIGEST_HEX], const char *const *hash, size_t n,
			    content_next_fn next, void *source)
{
	EVP_MD_CTX *digest[CONTENT_DIGESTS_MAX] = {0};
	struct bytes piece = {0};
	enum vt_err err = n <= CONTENT_DIGESTS_MAX ? VT_OK : VT_EINTERNAL;

	for (size_t i = 0; i < n && err == VT_OK; i++)
		err = begin_digest(&digest[i], hash[i]);
	while (err == VT_OK && (err = next(source, &piece)) == VT_OK && piece.len > 0)
		err = add_piece(digest, n, piece);
	for (size_t i = 0; i < n && err == VT_OK; i++)
		err = end_digest(hex[i], digest[i]);
	for (size_t i = 0; i < CONTENT_DIGESTS_MAX; i++)
		EVP_MD_CTX_free(digest[i]);
	return err;
}
