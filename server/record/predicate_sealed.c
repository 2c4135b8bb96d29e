/*
 * Sealed records: the hash of a record that is kept back for a while. What it seals cannot be seen
 * here; that its payload holds a salt is checked when it is revealed (admit.c).
 */
#include <string.h>

#include "json.h"
#include "predicate.h"

enum { SALT_HEX_MIN = 32 }; /* 128 bits */

enum vt_err rule_salt(const struct statement *s, struct problem *why)
{
	struct bytes salt = {0};
	bool good = json_text(statement_member(s, "salt"), &salt) && salt.len >= SALT_HEX_MIN;

	for (size_t i = 0; i < salt.len && good; i++)
		good = memchr("0123456789abcdef", salt.data[i], 16) != NULL;
	if (good)
		return VT_OK;
	return problem_set(why, VT_EMALFORMED, "sealed-salt",
			   "predicate.salt: expected at least %d lower-case hex digits in a record "
			   "that is sealed first",
			   SALT_HEX_MIN);
}

enum vt_err sealed_check(const struct statement *s, struct problem *why)
{
	static const char slug[] = "sealed-members";
	const struct json *until = statement_member(s, "embargoUntil");
	enum vt_err err;

	if (s->n_subjects != 1)
		return problem_set(why, VT_EMALFORMED, "sealed-subject", "subject: %zu, expected 1",
				   s->n_subjects);
	/* A second digest would be a second promise about the same record: at best redundant. */
	if (s->n_digests != 1 || !bytes_is(s->digest[0].algorithm, "sha256"))
		return problem_set(why, VT_EMALFORMED, "sealed-subject",
				   "subject[0].digest: expected sha256 alone, the SHA-256 of the "
				   "sealed record's DSSE pre-authentication encoding");
	if (until != NULL &&
	    (err = rule_time(NULL, s->predicate, "predicate", "embargoUntil", slug, why)) != VT_OK)
		return err;
	return rule_text_optional(NULL, s->predicate, "predicate", "reason", slug, why);
}
