/*
 * Names that differ in letter case alone. I-JSON lets "subject" and "Subject" stand side by side, and some readers (Go's
 * encoding/json is one) take either for the other: they would see another statement than the one that was admitted. So
 * where these rules define members, nothing else may be called almost the same.
 */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "predicate.h"

struct place;

struct named {
	const char *name;
	const struct place
	    *inside; /* of the object, or of each object in the list; NULL: not looked into */
};

/* The members that are defined for an object; ends with a NULL name. */
struct place {
	struct named member[16];
};

static const struct place reference = {{{"index", NULL}, {"leafHash", NULL}}};

/* What is defined in a digest set are the strong algorithms: of statement.h's table, not of this one. */
static const struct place digest_set = {{{NULL, NULL}}};

/* resource_descriptor.md */
static const struct place resource = {{{"name", NULL},
				       {"uri", NULL},
				       {"digest", &digest_set},
				       {"content", NULL},
				       {"downloadLocation", NULL},
				       {"mediaType", NULL},
				       {"annotations", NULL}}};

static const struct place statement = {
    {{"_type", NULL}, {"subject", &resource}, {"predicateType", NULL}, {"predicate", NULL}}};

static const struct place laboratory = {
    {{"name", NULL}, {"location", NULL}, {"accreditation", NULL}}};
static const struct place dates = {
    {{"received", NULL}, {"started", NULL}, {"completed", NULL}, {"issued", NULL}}};
static const struct place assessment = {{{"laboratory", &laboratory},
					 {"reportId", NULL},
					 {"scheme", NULL},
					 {"decisionRule", NULL},
					 {"dates", &dates},
					 {"deviations", NULL},
					 {"report", &resource}}};
static const struct place test_result = {{{"result", NULL},
					  {"configuration", &resource},
					  {"url", NULL},
					  {"passedTests", NULL},
					  {"warnedTests", NULL},
					  {"failedTests", NULL},
					  {"assessment", &assessment},
					  {"salt", NULL}}};

static const struct place firmware = {{{"vendor", NULL},
				       {"model", NULL},
				       {"version", NULL},
				       {"hardwareRevisions", NULL},
				       {"suit", &resource}}};
static const struct place release_v02 = {
    {{"purl", NULL}, {"packageId", NULL}, {"firmware", &firmware}, {"salt", NULL}}};
static const struct place release_v01 = {
    {{"purl", NULL}, {"releaseId", NULL}, {"firmware", &firmware}, {"salt", NULL}}};

static const struct place actor = {{{"id", NULL}, {"typeURI", NULL}, {"name", NULL}}};
static const struct place attachment = {{{"digest", &digest_set}, {"content", NULL}}};
static const struct place audit_event = {{{"id", NULL},
					  {"action", NULL},
					  {"eventType", NULL},
					  {"outcome", NULL},
					  {"eventTime", NULL},
					  {"initiator", &actor},
					  {"initiatorId", NULL},
					  {"target", &actor},
					  {"targetId", NULL},
					  {"observer", &actor},
					  {"observerId", NULL},
					  {"reason", NULL},
					  {"attachments", &attachment},
					  {"salt", NULL}}};

static const struct place recovery = {{{"spki", NULL}, {"scheme", NULL}}};
static const struct place accreditation = {{{"log", NULL},
					    {"party", NULL},
					    {"role", NULL},
					    {"spki", NULL},
					    {"scheme", NULL},
					    {"keyidAliases", NULL},
					    {"predicateTypes", NULL},
					    {"status", NULL},
					    {"previous", &reference},
					    {"validUntil", NULL},
					    {"admissionRules", NULL},
					    {"recovery", &recovery}}};

static const struct place sealed = {{{"embargoUntil", NULL}, {"reason", NULL}, {"salt", NULL}}};
static const struct place correction = {{{"action", NULL},
					 {"reason", NULL},
					 {"target", &reference},
					 {"replacement", &reference},
					 {"salt", NULL}}};

static const struct {
	const char *type;
	const struct place *predicate;
} predicates[] = {
    {PREDICATE_TEST_RESULT, &test_result},     {PREDICATE_RELEASE_V02, &release_v02},
    {PREDICATE_RELEASE_V01, &release_v01},     {PREDICATE_AUDIT_EVENT, &audit_event},
    {PREDICATE_ACCREDITATION, &accreditation}, {PREDICATE_SEALED, &sealed},
    {PREDICATE_CORRECTION, &correction},
};

/*
 * The next letter of a name as readers fold it: ASCII letters, and the two characters elsewhere in Unicode whose simple case
 * folding is an ASCII letter, U+017F (long s) and U+212A (the Kelvin sign). Anything else stands for itself.
 */
static uint8_t folded(struct bytes name, size_t *at)
{
	const uint8_t *p = name.data + *at;
	size_t left = name.len - *at;

	if (left >= 2 && memcmp(p, "\xc5\xbf", 2) == 0) {
		*at += 2;
		return 's';
	}
	if (left >= 3 && memcmp(p, "\xe2\x84\xaa", 3) == 0) {
		*at += 3;
		return 'k';
	}
	++*at;
	return *p >= 'A' && *p <= 'Z' ? (uint8_t)(*p | 0x20) : *p;
}

static bool folds_to(struct bytes name, const char *defined)
{
	struct bytes other = bytes_str(defined);
	size_t i = 0, k = 0;

	while (i < name.len && k < other.len)
		if (folded(name, &i) != folded(other, &k))
			return false;
	return i == name.len && k == other.len;
}

static enum vt_err check_object(const struct json *object, const struct place *place,
				const char *path, struct problem *why);

static enum vt_err check_value(const struct json *value, const struct place *place,
			       const char *path, struct problem *why)
{
	char item[RULE_PATH_MAX];
	enum vt_err err;

	if (place == NULL || value == NULL)
		return VT_OK;
	if (json_kind(value) != JSON_ARRAY)
		return check_object(value, place, path, why);
	for (size_t i = 0; i < json_count(value); i++) {
		snprintf(item, sizeof(item), "%s[%zu]", path, i);
		if ((err = check_object(json_at(value, i), place, item, why)) != VT_OK)
			return err;
	}
	return VT_OK;
}

static const char *defined_name(const struct place *place, size_t i)
{
	return place == &digest_set ? digest_algorithms[i].name : place->member[i].name;
}

static enum vt_err check_member(struct bytes name, const struct json *value,
				const struct place *place, const char *path, struct problem *why)
{
	const char *dot = path[0] == '\0' ? "" : ".";
	char inner[RULE_PATH_MAX], quoted[60];
	const char *defined;

	for (size_t i = 0; (defined = defined_name(place, i)) != NULL; i++) {
		if (bytes_is(name, defined)) {
			if (place == &digest_set)
				return VT_OK;
			snprintf(inner, sizeof(inner), "%s%s%s", path, dot, defined);
			return check_value(value, place->member[i].inside, inner, why);
		}
		if (folds_to(name, defined))
			return problem_set(
			    why, VT_EMALFORMED, "statement-member-case",
			    "%s%s%s: differs from \"%s\" in letter case alone, so that "
			    "some readers would take it for that",
			    path, dot, problem_quote(quoted, sizeof(quoted), name), defined);
	}
	return VT_OK;
}

/* What is no object where one should be is for others to refuse. */
static enum vt_err check_object(const struct json *object, const struct place *place,
				const char *path, struct problem *why)
{
	struct json_cursor at = {0};
	const struct json *value;
	struct bytes name;
	enum vt_err err;

	while (json_next_member(object, &at, &name, &value))
		if ((err = check_member(name, value, place, path, why)) != VT_OK)
			return err;
	return VT_OK;
}

enum vt_err rule_member_case(const struct statement *s, struct problem *why)
{
	enum vt_err err = check_object(s->json, &statement, "", why);

	for (size_t i = 0; err == VT_OK && i < sizeof(predicates) / sizeof(predicates[0]); i++)
		if (bytes_is(s->predicate_type, predicates[i].type))
			return check_value(s->predicate, predicates[i].predicate, "predicate", why);
	return err;
}
