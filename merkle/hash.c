/* The only file of the trees that knows OpenSSL. */
#include <openssl/evp.h>
#include <string.h>

#include "vitrine/merkle.h"

/* RFC 6962 section 2.1: the prefixes keep a leaf from being read as a node. */
enum {
	LEAF_PREFIX = 0x00,
	NODE_PREFIX = 0x01,
};

enum vt_err merkle_hasher_init(struct merkle_hasher *h)
{
	enum vt_err err = VT_EINTERNAL;

	*h = (struct merkle_hasher){0};
	h->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (h->md == NULL || EVP_MD_get_size(h->md) != MERKLE_HASH_SIZE)
		goto done;
	h->ctx = EVP_MD_CTX_new();
	if (h->ctx == NULL) {
		err = VT_ENOMEM;
		goto done;
	}
	return VT_OK;
done:
	merkle_hasher_release(h);
	return err;
}

void merkle_hasher_release(struct merkle_hasher *h)
{
	EVP_MD_CTX_free(h->ctx);
	EVP_MD_free(h->md);
	*h = (struct merkle_hasher){0};
}

bool merkle_hash_equal(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool tree_head_equal(const struct tree_head *a, const struct tree_head *b)
{
	return a->size == b->size && merkle_hash_equal(&a->root, &b->root);
}

enum vt_err merkle_sha256(struct merkle_hash *out, struct merkle_hasher *h,
			  const struct bytes *part, size_t n)
{
	if (EVP_DigestInit_ex2(h->ctx, h->md, NULL) != 1)
		return VT_EINTERNAL;
	for (size_t i = 0; i < n; i++)
		if (part[i].len != 0 && EVP_DigestUpdate(h->ctx, part[i].data, part[i].len) != 1)
			return VT_EINTERNAL;
	return EVP_DigestFinal_ex(h->ctx, out->b, NULL) == 1 ? VT_OK : VT_EINTERNAL;
}

enum vt_err merkle_hash_leaf(struct merkle_hash *out, struct merkle_hasher *h, struct bytes entry)
{
	const uint8_t prefix = LEAF_PREFIX;
	const struct bytes part[] = {bytes_of(&prefix, 1), entry};

	return merkle_sha256(out, h, part, 2);
}

enum vt_err merkle_hash_node(struct merkle_hash *out, struct merkle_hasher *h,
			     const struct merkle_hash *left, const struct merkle_hash *right)
{
	uint8_t node[1 + 2 * MERKLE_HASH_SIZE];
	struct bytes part;

	/* One update of 65 bytes is faster than three, and lets out be an input. */
	node[0] = NODE_PREFIX;
	memcpy(node + 1, left->b, MERKLE_HASH_SIZE);
	memcpy(node + 1 + MERKLE_HASH_SIZE, right->b, MERKLE_HASH_SIZE);
	part = bytes_of(node, sizeof(node));
	return merkle_sha256(out, h, &part, 1);
}

enum vt_err merkle_hash_empty(struct merkle_hash *out, struct merkle_hasher *h)
{
	return merkle_sha256(out, h, NULL, 0);
}
