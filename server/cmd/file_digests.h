/* Every hash of a file that a record may name it by, and whether a record does. */
#ifndef CMD_FILE_DIGESTS_H
#define CMD_FILE_DIGESTS_H

#include "cmd.h"
#include "content_digest.h"
#include "statement.h"
#include "why.h"

/* By each of digest_algorithms that is a hash of the bytes, in that order: SHA-256 first. */
struct file_digests {
	size_t n; /* 0: there is no file */
	const struct digest_algorithm *algorithm[CONTENT_DIGESTS_MAX];
	char hex[CONTENT_DIGESTS_MAX][CONTENT_DIGEST_HEX];
};

/* Reads the file once. CMD_HOLDS, or the code to exit with, the reason having been said. */
int file_digests_read(struct file_digests *out, const char *name, const char *path);
/* SHA-256 alone: what records that are written here name a file by. */
int file_sha256(char hex[65], const char *name, const char *path);

/*
 * Is the file a subject of the statement: the one of which every digest that can be compared is the file's, one at least?
 * VT_ENOTFOUND: it is none. VT_EMISMATCH, with why (may be NULL): a subject has digests of this file and of another.
 */
enum vt_err file_digests_find(const struct file_digests *f, const struct statement *s,
			      struct why *why);

#endif
