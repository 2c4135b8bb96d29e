/*
 * Conditions on entries, as the search, the event stream, the feed and the monitor's watches take them: all that are
 * given hold of an entry, or it is not wanted. What is given is brought to one form; what no entry of any log could
 * satisfy is refused, with a sentence that names the condition, what was given and what would be right, because an
 * empty answer would read like "there is nothing".
 *
 *	subject  [ALGORITHM:]HEX, a digest of the length that the algorithm has; digits and the algorithm's name in any
 *	         letter case. Without an algorithm the length tells which SHA-2 it is.
 *	type     a predicateType's URI, or a short name: those of `vitrine record` and some more (predicate_names). A
 *	         short name stands for every version of the type, a URI for itself. Scheme and authority, and a URN's
 *	         namespace, are compared in any letter case.
 *	party    a party's name, in any letter case: admission takes lower case alone, so no two differ in that.
 *	result   PASSED, WARNED or FAILED, in any letter case. Only a verdict has one.
 *
 * Pure: whether a party has been accredited by now is the log's to say.
 */
#ifndef RECORD_CONDITIONS_H
#define RECORD_CONDITIONS_H

#include "statement.h"

enum condition {
	CONDITION_SUBJECT,
	CONDITION_TYPE,
	CONDITION_PARTY,
	CONDITION_RESULT,
	CONDITIONS_N,
};

enum {
	CONDITIONS_WHY_MAX = PROBLEM_DETAIL_MAX,
	CONDITION_TYPES_MAX = 2,
};

/* "subject", "type", "party", "result": by enum condition, then NULL. */
extern const char *const condition_names[CONDITIONS_N + 1];

/* May be moved by assignment. */
struct conditions {
	/* Each in its one form, which reads as the same condition again; NULL: it was not given. The subject's is
	 * "ALGORITHM:hex", as the entries' index keys have it. */
	char *text[CONDITIONS_N];
	const struct digest_algorithm *algorithm; /* of the subject */
	/* predicateTypes of which an entry has to have one; NULL: none, or no further one. */
	const char *type[CONDITION_TYPES_MAX];
	char *owned; /* what a type may point to, beside text */
};

void conditions_init(struct conditions *c);
void conditions_release(struct conditions *c);
/* Is any given? */
bool conditions_any(const struct conditions *c);
bool conditions_equal(const struct conditions *a, const struct conditions *b);

/*
 * Add one condition. VT_EMALFORMED: it is given for the second time, or nothing could satisfy it, alone or with those given
 * before. VT_ENOMEM. In both cases with *why, and *c is as before.
 */
enum vt_err conditions_add(struct conditions *c, enum condition which, struct bytes value,
			   char why[CONDITIONS_WHY_MAX]);

/* Do they hold of a statement that these parties signed? */
bool conditions_fit(const struct conditions *c, const struct statement *s, const char *const *party,
		    size_t n_parties);

#endif
