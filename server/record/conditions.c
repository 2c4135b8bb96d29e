/* Reading conditions on entries, and whether a statement satisfies them. */
#include "conditions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "predicate.h"

enum {
	SHOWN_MAX = 80,   /* of what was given, in a complaint */
	LISTED_MAX = 160, /* of what would be right */
};

const char *const condition_names[CONDITIONS_N + 1] = {"subject", "type", "party", "result", NULL};

void conditions_init(struct conditions *c)
{
	*c = (struct conditions){0};
}

void conditions_release(struct conditions *c)
{
	for (size_t i = 0; i < CONDITIONS_N; i++)
		free(c->text[i]);
	free(c->owned);
	conditions_init(c);
}

bool conditions_any(const struct conditions *c)
{
	for (size_t i = 0; i < CONDITIONS_N; i++)
		if (c->text[i] != NULL)
			return true;
	return false;
}

bool conditions_equal(const struct conditions *a, const struct conditions *b)
{
	for (size_t i = 0; i < CONDITIONS_N; i++) {
		if ((a->text[i] == NULL) != (b->text[i] == NULL))
			return false;
		if (a->text[i] != NULL && strcmp(a->text[i], b->text[i]) != 0)
			return false;
	}
	return true;
}

static enum vt_err refuse(char why[CONDITIONS_WHY_MAX], enum condition which, struct bytes given,
			  const char *expected)
{
	char shown[SHOWN_MAX];

	snprintf(why, CONDITIONS_WHY_MAX, "%s=\"%s\": %s", condition_names[which],
		 problem_quote(shown, sizeof(shown), given), expected);
	return VT_EMALFORMED;
}

/* ASCII alone: whatever the locale calls a letter. */
static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void lower_text(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		text[i] = lower(text[i]);
}

static bool same_but_for_case(struct bytes a, const char *b)
{
	if (a.len != strlen(b))
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower((char)a.data[i]) != lower(b[i]))
			return false;
	return true;
}

/* -- subject ----------------------------------------------------------------------------------- */

static const struct digest_algorithm *algorithm_named(struct bytes name)
{
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++)
		if (same_but_for_case(name, a->name))
			return a;
	return NULL;
}

/* SHA-2 stands first in the table. */
static const struct digest_algorithm *algorithm_of_length(size_t digits)
{
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++)
		if (a->hex_digits == digits)
			return a;
	return NULL;
}

static enum vt_err refuse_algorithm(char why[CONDITIONS_WHY_MAX], struct bytes given)
{
	char expected[LISTED_MAX + 64] = "expected one of these before the colon: ";

	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++) {
		size_t used = strlen(expected);
		snprintf(expected + used, sizeof(expected) - used, "%s%s", a->name,
			 a[1].name == NULL ? "" : ", ");
	}
	return refuse(why, CONDITION_SUBJECT, given, expected);
}

static enum vt_err check_digest(const struct digest_algorithm **algorithm, struct bytes *hex,
				struct bytes given, char why[CONDITIONS_WHY_MAX])
{
	const uint8_t *colon = given.len == 0 ? NULL : memchr(given.data, ':', given.len);
	char expected[LISTED_MAX];

	*hex = given;
	if (colon != NULL) {
		size_t name = (size_t)(colon - given.data);
		if ((*algorithm = algorithm_named(bytes_of(given.data, name))) == NULL)
			return refuse_algorithm(why, given);
		*hex = bytes_of(colon + 1, given.len - name - 1);
	}
	for (size_t i = 0; i < hex->len; i++) {
		if (memchr("0123456789abcdefABCDEF", hex->data[i], 22) != NULL)
			continue;
		snprintf(expected, sizeof(expected),
			 "expected hexadecimal digits%s, character %zu is none",
			 colon == NULL ? ", or an algorithm, a colon and such digits" : "",
			 given.len - hex->len + i + 1);
		return refuse(why, CONDITION_SUBJECT, given, expected);
	}
	if (colon == NULL && (*algorithm = algorithm_of_length(hex->len)) == NULL) {
		snprintf(expected, sizeof(expected),
			 "%zu digits; expected 64 (SHA-256), 96 (SHA-384) or 128 (SHA-512)",
			 hex->len);
		return refuse(why, CONDITION_SUBJECT, given, expected);
	}
	if (hex->len != (*algorithm)->hex_digits) {
		snprintf(expected, sizeof(expected), "%zu digits; expected %zu after %s:", hex->len,
			 (*algorithm)->hex_digits, (*algorithm)->name);
		return refuse(why, CONDITION_SUBJECT, given, expected);
	}
	return VT_OK;
}

static enum vt_err set_subject(struct conditions *c, struct bytes given,
			       char why[CONDITIONS_WHY_MAX])
{
	const struct digest_algorithm *algorithm;
	struct bytes hex;
	size_t name;
	char *text;
	enum vt_err err = check_digest(&algorithm, &hex, given, why);

	if (err != VT_OK)
		return err;
	name = strlen(algorithm->name);
	if ((text = malloc(name + 1 + hex.len + 1)) == NULL)
		return VT_ENOMEM;
	memcpy(text, algorithm->name, name);
	text[name] = ':';
	memcpy(text + name + 1, hex.data, hex.len);
	lower_text(text + name + 1, hex.len);
	text[name + 1 + hex.len] = '\0';
	c->algorithm = algorithm;
	c->text[CONDITION_SUBJECT] = text;
	return VT_OK;
}

/* -- type -------------------------------------------------------------------------------------- */

/*
 * in-toto's field_types.md: "the scheme and authority MUST be in lowercase"; RFC 8141 section 3.1: "urn" and the namespace
 * identifier are compared in any letter case. Admission enforces that of the scheme alone, so an entry may have
 * either form of the rest: both are looked for.
 */
static void lower_uri(char *uri)
{
	char *rest = strchr(uri, ':') + 1;
	size_t more = 0;

	if (strncmp(rest, "//", 2) == 0)
		more = 2 + strcspn(rest + 2, "/?#");
	else if (strncmp(uri, "urn:", 4) == 0)
		more = strcspn(rest, ":");
	lower_text(rest, more);
}

static enum vt_err set_uri(struct conditions *c, struct bytes given, char why[CONDITIONS_WHY_MAX])
{
	char *text = bytes_dup_str(given), *normal = NULL;

	if (text == NULL)
		return VT_ENOMEM;
	lower_text(text, strcspn(text, ":"));
	if (strlen(text) != given.len || !uri_plausible(bytes_str(text))) {
		char expected[LISTED_MAX];

		free(text);
		snprintf(expected, sizeof(expected), "expected a URI of at most %d bytes",
			 STATEMENT_URI_MAX);
		return refuse(why, CONDITION_TYPE, given, expected);
	}
	if ((normal = bytes_dup_str(bytes_str(text))) == NULL) {
		free(text);
		return VT_ENOMEM;
	}
	lower_uri(normal);
	c->text[CONDITION_TYPE] = text;
	c->owned = normal;
	c->type[0] = text;
	c->type[1] = strcmp(text, normal) == 0 ? NULL : normal;
	return VT_OK;
}

static const struct predicate_name *type_named(struct bytes given)
{
	for (const struct predicate_name *n = predicate_names; n->name != NULL; n++)
		if (same_but_for_case(given, n->name))
			return n;
	return NULL;
}

static enum vt_err refuse_type(char why[CONDITIONS_WHY_MAX], struct bytes given)
{
	char expected[LISTED_MAX] = "expected a predicateType's URI, or one of ";

	for (const struct predicate_name *n = predicate_names; n->name != NULL; n++) {
		size_t used = strlen(expected);
		snprintf(expected + used, sizeof(expected) - used, "%s%s", n->name,
			 n[1].name == NULL ? "" : ", ");
	}
	return refuse(why, CONDITION_TYPE, given, expected);
}

static enum vt_err set_type(struct conditions *c, struct bytes given, char why[CONDITIONS_WHY_MAX])
{
	const struct predicate_name *n = type_named(given);

	if (n == NULL && memchr(given.data, ':', given.len) == NULL)
		return refuse_type(why, given);
	if (n == NULL)
		return set_uri(c, given, why);
	/* Where one URI says it all, that is the one form. */
	c->text[CONDITION_TYPE] = bytes_dup_str(bytes_str(n->older != NULL ? n->name : n->type));
	if (c->text[CONDITION_TYPE] == NULL)
		return VT_ENOMEM;
	c->type[0] = n->type;
	c->type[1] = n->older;
	return VT_OK;
}

/* -- party, result ------------------------------------------------------------------------------ */

static enum vt_err set_party(struct conditions *c, struct bytes given, char why[CONDITIONS_WHY_MAX])
{
	char *text = bytes_dup_str(given);
	char expected[LISTED_MAX];

	if (text == NULL)
		return VT_ENOMEM;
	lower_text(text, given.len);
	if (party_name_valid(bytes_of(text, given.len))) {
		c->text[CONDITION_PARTY] = text;
		return VT_OK;
	}
	free(text);
	snprintf(expected, sizeof(expected),
		 "expected 1 to %d letters, digits, dots, dashes or underscores, a letter or digit "
		 "first",
		 ACCREDITATION_NAME_MAX);
	return refuse(why, CONDITION_PARTY, given, expected);
}

static enum vt_err set_result(struct conditions *c, struct bytes given,
			      char why[CONDITIONS_WHY_MAX])
{
	static const char *const results[] = {"PASSED", "WARNED", "FAILED"};

	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		if (!same_but_for_case(given, results[i]))
			continue;
		c->text[CONDITION_RESULT] = bytes_dup_str(bytes_str(results[i]));
		return c->text[CONDITION_RESULT] != NULL ? VT_OK : VT_ENOMEM;
	}
	return refuse(why, CONDITION_RESULT, given, "expected PASSED, WARNED or FAILED");
}

/* -- all of them ---------------------------------------------------------------------------------- */

typedef enum vt_err (*set_fn)(struct conditions *c, struct bytes given,
			      char why[CONDITIONS_WHY_MAX]);
static const set_fn set[CONDITIONS_N] = {set_subject, set_type, set_party, set_result};

/* "result" is a verdict's alone (statement_result()): with another type nothing could fit. */
static bool contradicts(const struct conditions *c)
{
	if (c->text[CONDITION_RESULT] == NULL || c->type[0] == NULL)
		return false;
	for (size_t i = 0; i < CONDITION_TYPES_MAX && c->type[i] != NULL; i++)
		if (strcmp(c->type[i], PREDICATE_TEST_RESULT) == 0)
			return false;
	return true;
}

static void forget(struct conditions *c, enum condition which)
{
	free(c->text[which]);
	c->text[which] = NULL;
	if (which != CONDITION_TYPE)
		return;
	free(c->owned);
	c->owned = NULL;
	c->type[0] = c->type[1] = NULL;
}

enum vt_err conditions_add(struct conditions *c, enum condition which, struct bytes value,
			   char why[CONDITIONS_WHY_MAX])
{
	enum vt_err err;

	if (c->text[which] != NULL)
		return refuse(why, which, value, "given for the second time, expected once");
	if (value.len == 0)
		return refuse(why, which, value, "empty; leave it out to ask for any");
	err = set[which](c, value, why);
	if (err == VT_ENOMEM)
		snprintf(why, CONDITIONS_WHY_MAX, "%s: %s", condition_names[which],
			 vt_err_text(err));
	if (err == VT_OK && contradicts(c)) {
		forget(c, which);
		err = refuse(why, which, value,
			     "only a verdict has a result; expected type=verdict, or no type");
	}
	return err;
}

bool conditions_fit(const struct conditions *c, const struct statement *s, const char *const *party,
		    size_t n_parties)
{
	bool signed_by = c->text[CONDITION_PARTY] == NULL, of_type = c->type[0] == NULL;
	const char *subject = c->text[CONDITION_SUBJECT], *wanted = c->text[CONDITION_RESULT];
	struct bytes result;

	for (size_t i = 0; i < n_parties && !signed_by; i++)
		signed_by = strcmp(party[i], c->text[CONDITION_PARTY]) == 0;
	for (size_t i = 0; i < CONDITION_TYPES_MAX && c->type[i] != NULL; i++)
		of_type = of_type || bytes_is(s->predicate_type, c->type[i]);
	return signed_by && of_type &&
	       (subject == NULL ||
		statement_names(s, c->algorithm->name,
				bytes_str(subject + strlen(c->algorithm->name) + 1))) &&
	       (wanted == NULL || (statement_result(s, &result) && bytes_is(result, wanted)));
}
