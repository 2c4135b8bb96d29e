/* Every hash of a content that a record may name it by, and whether a record does. */
#ifndef RECORD_DIGESTS_H
#define RECORD_DIGESTS_H

#include "content_digest.h"
#include "statement.h"
#include "why.h"

/* By each of digest_algorithms that is a hash of the bytes, in that order: SHA-256 first. */
struct file_digests {
	size_t n; /* 0: there is no content */
	const struct digest_algorithm *algorithm[CONTENT_DIGESTS_MAX];
	char hex[CONTENT_DIGESTS_MAX][CONTENT_DIGEST_HEX];
};

/* Reads the content once. Errors as content_digests() has them. */
enum vt_err file_digests_make(struct file_digests *out, content_next_fn next, void *source);
/*
 * Is the content a subject of the statement: the one of which every digest that can be compared is the content's, one at least?
 * VT_ENOTFOUND: it is none. VT_EMISMATCH, with why (may be NULL): a subject has digests of this content and of another.
 */
enum vt_err file_digests_find(const struct file_digests *f, const struct statement *s,
			      struct why *why);

#endif
