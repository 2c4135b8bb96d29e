/*
 * in-toto Statements (v1, and v0.1 as cosign 2 still writes it): parsing and the rules that hold
 * for every predicate; and the helpers that the predicates' own rules share. Unknown members are
 * ignored, as in-toto's parsing rules ask.
 */
#ifndef RECORD_STATEMENT_H
#define RECORD_STATEMENT_H

#include "problem.h"
#include "vitrine/merkle.h"

struct json;

#define STATEMENT_TYPE_V1  "https://in-toto.io/Statement/v1"
#define STATEMENT_TYPE_V01 "https://in-toto.io/Statement/v0.1"

#define PREDICATE_TEST_RESULT   "https://in-toto.io/attestation/test-result/v0.1"
#define PREDICATE_RELEASE_V01   "https://in-toto.io/attestation/release/v0.1"
#define PREDICATE_RELEASE_V02   "https://in-toto.io/attestation/release/v0.2"
#define PREDICATE_AUDIT_EVENT   "urn:vitrine:predicate:audit-event:v1"
#define PREDICATE_ACCREDITATION "urn:vitrine:predicate:accreditation:v1"
#define PREDICATE_SEALED        "urn:vitrine:predicate:sealed-record:v1"
#define PREDICATE_CORRECTION    "urn:vitrine:predicate:correction:v1"

/* Short names of predicateTypes, for people: those of `vitrine record` and what the records are called. */
struct predicate_name {
	const char *name;
	const char *type;  /* what is written under that name today */
	const char *older; /* what was, and is still admitted; NULL: nothing else */
};
extern const struct predicate_name predicate_names[]; /* ends with a NULL name */

enum {
	STATEMENT_SUBJECTS_MAX = 64, /* equals RECORD_SUBJECTS_MAX */
	STATEMENT_DIGESTS_MAX =
	    192, /* strong digests in all; with the other keys they fit RECORD_KEYS_MAX */
	STATEMENT_URI_MAX = 255,    /* bytes of a predicateType */
	STATEMENT_TEXT_MAX = 4096,  /* bytes of any text that a predicate's rule looks at */
	STATEMENT_LIST_MAX = 10000, /* elements of any list that a predicate's rule looks at */
};

/*
 * Digest algorithms that bind a subject, by their in-toto names: SHA-2 and SHA-3 of at least 256
 * bits, git objects under SHA-256, and HMAC-SHA-256 for content that could be guessed. Others are
 * ignored, as in-toto asks.
 */
struct digest_algorithm {
	const char *name;
	size_t hex_digits;
	/* libcrypto's name of it, if it is a hash of the content's bytes alone: then whoever has the content can compare.
	 * NULL for git's, which name objects as a repository keeps them, and for HMAC, which takes a key. */
	const char *hash;
};
extern const struct digest_algorithm digest_algorithms[]; /* ends with a NULL name */

struct subject_digest {
	size_t subject;         /* which subject it is of */
	struct bytes algorithm; /* a name out of digest_algorithms */
	struct bytes hex;       /* lower case, of that algorithm's length */
};

/* Owns all that it shows. */
struct statement {
	struct json *json;
	struct bytes predicate_type;
	const struct json *predicate; /* an object, or NULL: unset, which is the same as empty */
	size_t n_subjects;
	size_t n_digests;
	struct subject_digest *digest; /* the strong ones */
};

void statement_init(struct statement *s);
void statement_release(struct statement *s);
/* The rules for every statement; nothing of the predicate's own. VT_EMALFORMED with *why; *s is
 * then released. Problems: payload-not-json, statement-*. */
enum vt_err statement_parse(struct statement *s, struct bytes payload, struct problem *why);
/* Is this digest one of the strong ones of any subject? */
bool statement_names(const struct statement *s, const char *algorithm, struct bytes hex);
/* Has it one subject, with this SHA-256 and no other strong digest? */
bool statement_is_about(const struct statement *s, struct bytes hex);
/* The predicate's member, or NULL: absent or null. */
const struct json *statement_member(const struct statement *s, const char *name);
/* A verdict's "PASSED", "WARNED" or "FAILED". false: not a test result, or it has none. */
bool statement_result(const struct statement *s, struct bytes *out);

/* An entry of the log, named by index and leaf hash, as "previous", "target" and "replacement" have
 * it. */
struct entry_ref {
	uint64_t index;
	struct merkle_hash leaf;
};
/* A correction's target and what it does about it (withdraws may be NULL). false: not a
 * correction, or malformed. */
bool statement_correction(const struct statement *s, struct entry_ref *target, bool *withdraws);

/*
 * The predicate's own rules, as far as the statement alone can break them (the ones that need the
 * log are in record_judge()). VT_OK for a predicate without rules here. VT_EMALFORMED with *why.
 */
enum vt_err statement_check_predicate(const struct statement *s, struct problem *why);

/*
 * Helpers for rules. `slug` is the problem to set, `where` the path to name
 * ("predicate.assessment.dates"). Each returns VT_OK or VT_EMALFORMED with *why.
 */
/* The object's member, or NULL. Where these rules define a member, null counts as absent. */
const struct json *rule_member(const struct json *object, const char *name);
/* A member that must be there, as text of 1 to STATEMENT_TEXT_MAX bytes without U+0000. out may be NULL. */
enum vt_err rule_text(struct bytes *out, const struct json *object, const char *where,
		      const char *name, const char *slug, struct problem *why);
/* The same, where it may be absent or null: *out is then empty. */
enum vt_err rule_text_optional(struct bytes *out, const struct json *object, const char *where,
			       const char *name, const char *slug, struct problem *why);
/* RFC 3339; *out is its text. out may be NULL. */
enum vt_err rule_time(struct bytes *out, const struct json *object, const char *where,
		      const char *name, const char *slug, struct problem *why);
/* Absent (*out is then NULL), or a list of at most `most` texts of 1 to most_bytes bytes without U+0000. out may be NULL. */
enum vt_err rule_texts_optional(const struct json **out, const struct json *object,
				const char *where, const char *name, size_t most, size_t most_bytes,
				const char *slug, struct problem *why);
/* {"index": n, "leafHash": "<64 hex digits>"} */
enum vt_err rule_entry_ref(struct entry_ref *out, const struct json *value, const char *where,
			   const char *slug, struct problem *why);
/* A DigestSet with at least one strong digest. */
enum vt_err rule_strong_digest(const struct json *set, const char *where, const char *slug,
			       struct problem *why);
/* An in-toto ResourceDescriptor: one of uri, digest, content at least. */
enum vt_err rule_resource(const struct json *value, const char *where, const char *slug,
			  struct problem *why);
/* Could it be a URI (RFC 3986): a scheme, a colon, and no byte that a URI cannot hold? */
bool uri_plausible(struct bytes text);

#endif
