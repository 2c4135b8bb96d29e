/*
 * The predicates that have rules of their own: one file each, dispatched from a table. Inside the
 * record module only.
 */
#ifndef RECORD_PREDICATE_H
#define RECORD_PREDICATE_H

#include "admit.h"

enum {
	RULE_PATH_MAX = 160, /* "predicate.assessment.report.digest.sha256" */
	ACCREDITATION_TYPES_MAX = 32,
	ACCREDITATION_ALIASES_MAX = 8,
	ACCREDITATION_ALIAS_MAX = 255, /* bytes */
	ACCREDITATION_NAME_MAX = 64,   /* bytes of a party's or role's name */
};

/* Could a party or a role be called this? */
bool party_name_valid(struct bytes name);

#define ROLE_CENTRE   "centre"
#define ROLE_RECOVERY "recovery"

/* The rules that this build enforces, as entry 0 names them. */
#define ADMISSION_RULES "urn:vitrine:admission-rules:v1"

struct predicate {
	const char *type;
	/* Rules that the statement alone can break. VT_EMALFORMED with *why. */
	enum vt_err (*check)(const struct statement *s, struct problem *why);
	/* Rules that need the log; NULL: none. Errors as record_judge() has them. The signers'
	 * accreditation has been judged before. */
	enum vt_err (*judge)(const struct record *r, const struct admission_view *view,
			     struct problem *why);
};

/* NULL: only the rules for every statement hold. */
const struct predicate *predicate_find(struct bytes type);

enum vt_err test_result_check(const struct statement *s, struct problem *why);
enum vt_err release_check(const struct statement *s, struct problem *why);
enum vt_err audit_event_check(const struct statement *s, struct problem *why);
enum vt_err accreditation_check(const struct statement *s, struct problem *why);
enum vt_err accreditation_judge(const struct record *r, const struct admission_view *view,
				struct problem *why);
enum vt_err sealed_check(const struct statement *s, struct problem *why);
enum vt_err correction_check(const struct statement *s, struct problem *why);
enum vt_err correction_judge(const struct record *r, const struct admission_view *view,
			     struct problem *why);

/* What an accreditation says. Views point into the statement, which must outlive it; the keys are
 * its own. */
struct accreditation_claim {
	struct bytes log;
	struct bytes party;
	struct bytes role;
	struct party_key *key;
	enum key_scheme scheme;
	enum accreditation_status status;
	const struct json *aliases; /* a checked list of texts, or NULL */
	const struct json *types;   /* the same */
	bool has_previous;
	struct entry_ref previous;
	struct bytes valid_until; /* empty: none */
	bool has_rules;
	struct party_key *recovery; /* entry 0 only, or NULL */
	enum key_scheme recovery_scheme;
};

void accreditation_claim_init(struct accreditation_claim *c);
void accreditation_claim_release(struct accreditation_claim *c);
/* Parse and check all that the statement alone tells. VT_EMALFORMED with *why; *c is then released.
 */
enum vt_err accreditation_claim_parse(struct accreditation_claim *c, const struct statement *s,
				      struct problem *why);

/*
 * May the entry at `index` say this, as far as the registry's state before it tells? (Who signed it
 * is judged apart.) VT_EMALFORMED or VT_ECONFLICT with *why.
 */
enum vt_err registry_check(const struct registry *r, uint64_t index,
			   const struct accreditation_claim *c, struct problem *why);

/* More helpers for rules, as in statement.h. `path` is the whole path of the value. */
enum vt_err rule_kind(const struct json *value, const char *path, const char *expected,
		      const char *slug, struct problem *why);
enum vt_err rule_hash(struct merkle_hash *out, const struct json *value, const char *path,
		      const char *slug, struct problem *why);
/* No member is called almost as one that is defined at its place: in the statement, and in the predicate where it is one of those
 * in the table. predicate_type and predicate have been taken from s->json. */
enum vt_err rule_member_case(const struct statement *s, struct problem *why);
/* A sealed record must hold a salt when it is revealed: predicate.salt, hexadecimal, 128 bits at least. */
enum vt_err rule_salt(const struct statement *s, struct problem *why);
/* *out NULL: absent or null. */
enum vt_err rule_list_optional(const struct json **out, const struct json *object,
			       const char *where, const char *name, size_t most, const char *slug,
			       struct problem *why);

#endif
