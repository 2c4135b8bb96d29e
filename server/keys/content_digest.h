/* Hashes of a content of any size, all in one pass: what a file is compared with that records name by its digest. */
#ifndef KEYS_CONTENT_DIGEST_H
#define KEYS_CONTENT_DIGEST_H

#include "vitrine/bytes.h"

enum {
	CONTENT_DIGESTS_MAX = 8,         /* hashes of one pass */
	CONTENT_DIGEST_HEX = 2 * 64 + 1, /* the longest one's digits, and a NUL */
};

/* The next piece of the content, valid until the next call; an empty one ends it. */
typedef enum vt_err (*content_next_fn)(void *source, struct bytes *piece);

/*
 * hex[i] is the digest by hash[i], libcrypto's name of one of at most 512 bits; n is at most CONTENT_DIGESTS_MAX.
 * VT_EINTERNAL: this libcrypto does not have it. VT_ENOMEM, or whatever next() fails with.
 */
enum vt_err content_digests(char (*hex)[CONTENT_DIGEST_HEX], const char *const *hash, size_t n,
			    content_next_fn next, void *source);

#endif
