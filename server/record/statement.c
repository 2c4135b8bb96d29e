#include "statement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "predicate.h"

/*
 * in-toto's digest_set.md names many algorithms and says: "Consumers MUST only accept algorithms
 * that they consider secure and MUST ignore unrecognized or unaccepted algorithms." These are the
 * ones accepted. A git object may be named by SHA-1 too, which is ignored: see binds().
 */
const struct digest_algorithm digest_algorithms[] = {
    {"sha256", 64, "SHA2-256"},
    {"sha384", 96, "SHA2-384"},
    {"sha512", 128, "SHA2-512"},
    {"sha512_256", 64, "SHA2-512/256"},
    {"sha3_256", 64, "SHA3-256"},
    {"sha3_384", 96, "SHA3-384"},
    {"sha3_512", 128, "SHA3-512"},
    {"gitCommit", 64, NULL},
    {"gitTree", 64, NULL},
    {"gitBlob", 64, NULL},
    {"gitTag", 64, NULL},
    {"hmac_sha256", 64, NULL},
    {NULL, 0, NULL},
};

enum { GIT_SHA1_DIGITS = 40 };

const struct predicate_name predicate_names[] = {
    {"verdict", PREDICATE_TEST_RESULT, NULL},
    {"firmware", PREDICATE_RELEASE_V02, PREDICATE_RELEASE_V01},
    {"event", PREDICATE_AUDIT_EVENT, NULL},
    {"accredit", PREDICATE_ACCREDITATION, NULL},
    {"accreditation", PREDICATE_ACCREDITATION, NULL},
    {"seal", PREDICATE_SEALED, NULL},
    {"sealed", PREDICATE_SEALED, NULL},
    {"correct", PREDICATE_CORRECTION, NULL},
    {"correction", PREDICATE_CORRECTION, NULL},
    {NULL, NULL, NULL},
};

void statement_init(struct statement *s)
{
	*s = (struct statement){0};
}

void statement_release(struct statement *s)
{
	json_free(s->json);
	free(s->digest);
	statement_init(s);
}

/* -- rules ---------------------------------------------------------------------------------------
 */

enum vt_err rule_kind(const struct json *value, const char *path, const char *expected,
		      const char *slug, struct problem *why)
{
	if (value == NULL)
		return problem_set(why, VT_EMALFORMED, slug, "%s: missing", path);
	return problem_set(why, VT_EMALFORMED, slug, "%s: %s, expected %s", path,
			   json_kind_name(json_kind(value)), expected);
}

const struct json *rule_member(const struct json *object, const char *name)
{
	const struct json *value = json_member(object, name);

	return json_kind(value) == JSON_NULL ? NULL : value;
}

static enum vt_err check_text(struct bytes *out, const struct json *value, const char *path,
			      size_t most, const char *slug, struct problem *why)
{
	struct bytes text;

	if (!json_text(value, &text))
		return rule_kind(value, path, "a string", slug, why);
	if (text.len == 0 || text.len > most)
		return problem_set(why, VT_EMALFORMED, slug, "%s: %zu bytes, expected 1 to %zu",
				   path, text.len, most);
	if (memchr(text.data, 0, text.len) != NULL)
		return problem_set(why, VT_EMALFORMED, slug, "%s: holds U+0000", path);
	if (out != NULL)
		*out = text;
	return VT_OK;
}

enum vt_err rule_text(struct bytes *out, const struct json *object, const char *where,
		      const char *name, const char *slug, struct problem *why)
{
	char path[RULE_PATH_MAX];

	snprintf(path, sizeof(path), "%s.%s", where, name);
	return check_text(out, rule_member(object, name), path, STATEMENT_TEXT_MAX, slug, why);
}

enum vt_err rule_text_optional(struct bytes *out, const struct json *object, const char *where,
			       const char *name, const char *slug, struct problem *why)
{
	if (rule_member(object, name) != NULL)
		return rule_text(out, object, where, name, slug, why);
	if (out != NULL)
		*out = bytes_of(NULL, 0);
	return VT_OK;
}

enum vt_err rule_time(struct bytes *out, const struct json *object, const char *where,
		      const char *name, const char *slug, struct problem *why)
{
	char quoted[64];
	struct bytes text;
	int64_t seconds;
	enum vt_err err;

	if ((err = rule_text(&text, object, where, name, slug, why)) != VT_OK)
		return err;
	if (clock_parse_rfc3339(&seconds, text) != VT_OK)
		return problem_set(why, VT_EMALFORMED, slug,
				   "%s.%s: \"%s\" is not an RFC 3339 date-time such as "
				   "2026-11-22T14:40:50Z",
				   where, name, problem_quote(quoted, sizeof(quoted), text));
	if (out != NULL)
		*out = text;
	return VT_OK;
}

enum vt_err rule_list_optional(const struct json **out, const struct json *object,
			       const char *where, const char *name, size_t most, const char *slug,
			       struct problem *why)
{
	const struct json *list = rule_member(object, name);
	char path[RULE_PATH_MAX];

	*out = NULL;
	if (list == NULL)
		return VT_OK;
	snprintf(path, sizeof(path), "%s.%s", where, name);
	if (json_kind(list) != JSON_ARRAY)
		return rule_kind(list, path, "an array", slug, why);
	if (json_count(list) > most)
		return problem_set(why, VT_EMALFORMED, slug,
				   "%s: %zu elements, expected at most %zu", path, json_count(list),
				   most);
	*out = list;
	return VT_OK;
}

enum vt_err rule_texts_optional(const struct json **out, const struct json *object,
				const char *where, const char *name, size_t most, size_t most_bytes,
				const char *slug, struct problem *why)
{
	const struct json *list;
	char path[RULE_PATH_MAX];
	enum vt_err err;

	if ((err = rule_list_optional(&list, object, where, name, most, slug, why)) != VT_OK)
		return err;
	for (size_t i = 0; i < json_count(list); i++) {
		snprintf(path, sizeof(path), "%s.%s[%zu]", where, name, i);
		if ((err = check_text(NULL, json_at(list, i), path, most_bytes, slug, why)) !=
		    VT_OK)
			return err;
	}
	if (out != NULL)
		*out = list;
	return VT_OK;
}

enum vt_err rule_hash(struct merkle_hash *out, const struct json *value, const char *path,
		      const char *slug, struct problem *why)
{
	struct bytes text;

	if (!json_text(value, &text))
		return rule_kind(value, path, "a string", slug, why);
	if (text.len != 2 * MERKLE_HASH_SIZE)
		return problem_set(why, VT_EMALFORMED, slug, "%s: %zu hex digits, expected %d",
				   path, text.len, 2 * MERKLE_HASH_SIZE);
	if (hex_decode_exact(out->b, MERKLE_HASH_SIZE, text) != VT_OK)
		return problem_set(why, VT_EMALFORMED, slug, "%s: not lower-case hexadecimal",
				   path);
	return VT_OK;
}

enum vt_err rule_entry_ref(struct entry_ref *out, const struct json *value, const char *where,
			   const char *slug, struct problem *why)
{
	const struct json *index;
	char path[RULE_PATH_MAX];
	int64_t n;

	if (value == NULL || json_kind(value) != JSON_OBJECT)
		return rule_kind(value, where, "an object", slug, why);
	index = json_member(value, "index");
	if (!json_integer(index, &n) || n < 0) {
		snprintf(path, sizeof(path), "%s.index", where);
		if (index == NULL || json_kind(index) != JSON_INTEGER)
			return rule_kind(index, path, "an integer", slug, why);
		return problem_set(why, VT_EMALFORMED, slug, "%s: negative", path);
	}
	out->index = (uint64_t)n;
	snprintf(path, sizeof(path), "%s.leafHash", where);
	return rule_hash(&out->leaf, json_member(value, "leafHash"), path, slug, why);
}

/* -- digests -------------------------------------------------------------------------------------
 */

static const struct digest_algorithm *find_algorithm(struct bytes name)
{
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++)
		if (bytes_is(name, a->name))
			return a;
	return NULL;
}

/* Does this member bind the content? Only then *strong. Unaccepted algorithms may hold any text. */
static enum vt_err check_digest(bool *strong, struct bytes name, const struct json *value,
				const char *where, const char *slug, struct problem *why)
{
	const struct digest_algorithm *algorithm = find_algorithm(name);
	char quoted[48], path[RULE_PATH_MAX];
	struct bytes hex;

	*strong = false;
	snprintf(path, sizeof(path), "%s.%s", where, problem_quote(quoted, sizeof(quoted), name));
	if (!json_text(value, &hex))
		return rule_kind(value, path, "a string", slug, why);
	if (algorithm == NULL)
		return VT_OK;
	for (size_t i = 0; i < hex.len; i++)
		if (memchr("0123456789abcdef", hex.data[i], 16) == NULL)
			return problem_set(why, VT_EMALFORMED, slug,
					   "%s: not lower-case hexadecimal at character %zu", path,
					   i + 1);
	/* digest_set.md: "The lowercase hex SHA-1 (40 character) or SHA-256 (64 character) of a git
	 * commit, tree, blob, or tag object". */
	if (hex.len == GIT_SHA1_DIGITS && strncmp(algorithm->name, "git", 3) == 0)
		return VT_OK;
	if (hex.len != algorithm->hex_digits)
		return problem_set(why, VT_EMALFORMED, slug, "%s: %zu hex digits, expected %zu",
				   path, hex.len, algorithm->hex_digits);
	*strong = true;
	return VT_OK;
}

static enum vt_err keep_digest(struct statement *s, size_t subject, struct bytes algorithm,
			       struct bytes hex, const char *where, struct problem *why)
{
	struct subject_digest *grown;

	if (s->n_digests == STATEMENT_DIGESTS_MAX)
		return problem_set(why, VT_EMALFORMED, "statement-digest-count",
				   "%s: more than %d digests in all subjects", where,
				   STATEMENT_DIGESTS_MAX);
	/* Grown by one: most statements have one, and many records wait in memory at a time. */
	grown = realloc(s->digest, (s->n_digests + 1) * sizeof(*grown));
	if (grown == NULL)
		return VT_ENOMEM;
	s->digest = grown;
	s->digest[s->n_digests++] =
	    (struct subject_digest){.subject = subject, .algorithm = algorithm, .hex = hex};
	return VT_OK;
}

/* Every member of a DigestSet; `keep`, if there is one, gets the strong ones. */
static enum vt_err check_digest_set(struct statement *keep, size_t subject, size_t *n_strong,
				    const struct json *set, const char *where, const char *slug,
				    struct problem *why)
{
	struct json_cursor at = {0};
	const struct json *value;
	struct bytes name, hex;
	enum vt_err err;
	bool strong;

	*n_strong = 0;
	if (set == NULL || json_kind(set) != JSON_OBJECT)
		return rule_kind(set, where, "an object", slug, why);
	while (json_next_member(set, &at, &name, &value)) {
		if ((err = check_digest(&strong, name, value, where, slug, why)) != VT_OK)
			return err;
		if (!strong)
			continue;
		++*n_strong;
		if (keep == NULL)
			continue;
		json_text(value, &hex);
		if ((err = keep_digest(keep, subject, name, hex, where, why)) != VT_OK)
			return err;
	}
	return VT_OK;
}

enum vt_err rule_strong_digest(const struct json *set, const char *where, const char *slug,
			       struct problem *why)
{
	size_t n_strong;
	enum vt_err err;

	if ((err = check_digest_set(NULL, 0, &n_strong, set, where, slug, why)) != VT_OK)
		return err;
	if (n_strong == 0)
		return problem_set(
		    why, VT_EMALFORMED, slug,
		    "%s: no strong digest, expected sha256 or another of at least 256 "
		    "bits",
		    where);
	return VT_OK;
}

/* Members that in-toto has as strings, whatever they hold. The list ends with NULL. */
static enum vt_err check_strings(const struct json *object, const char *const *names,
				 const char *where, const char *slug, struct problem *why)
{
	const struct json *member;
	char path[RULE_PATH_MAX];

	for (; *names != NULL; names++) {
		member = rule_member(object, *names);
		if (member == NULL || json_kind(member) == JSON_TEXT)
			continue;
		snprintf(path, sizeof(path), "%s.%s", where, *names);
		return rule_kind(member, path, "a string", slug, why);
	}
	return VT_OK;
}

/* resource_descriptor.md: "a ResourceDescriptor MUST specify one of `uri`, `digest` or `content` at
 * a minimum." */
enum vt_err rule_resource(const struct json *value, const char *where, const char *slug,
			  struct problem *why)
{
	static const char *const strings[] = {"name",      "uri", "content", "downloadLocation",
					      "mediaType", NULL};
	const struct json *digest;
	char path[RULE_PATH_MAX];
	size_t n_strong;
	enum vt_err err;

	if (value == NULL || json_kind(value) != JSON_OBJECT)
		return rule_kind(value, where, "an object", slug, why);
	if ((err = check_strings(value, strings, where, slug, why)) != VT_OK)
		return err;
	digest = rule_member(value, "digest");
	if (digest != NULL) {
		snprintf(path, sizeof(path), "%s.digest", where);
		if ((err = check_digest_set(NULL, 0, &n_strong, digest, path, slug, why)) != VT_OK)
			return err;
	}
	if (digest == NULL && rule_member(value, "uri") == NULL &&
	    rule_member(value, "content") == NULL)
		return problem_set(why, VT_EMALFORMED, slug, "%s: expected uri, digest or content",
				   where);
	return VT_OK;
}

/* RFC 3986 section 3: a scheme, a colon, something. field_types.md: "the scheme and authority MUST
 * be in lowercase". */
bool uri_plausible(struct bytes text)
{
	size_t i = 0;

	if (text.len == 0 || text.len > STATEMENT_URI_MAX || text.data[0] < 'a' ||
	    text.data[0] > 'z')
		return false;
	while (i < text.len && text.data[i] != 0 &&
	       strchr("abcdefghijklmnopqrstuvwxyz0123456789+-.", text.data[i]) != NULL)
		i++;
	if (i + 1 >= text.len || text.data[i] != ':')
		return false;
	for (; i < text.len; i++)
		if (text.data[i] <= 0x20 || text.data[i] >= 0x7f ||
		    strchr("\"<>\\^`{|}", text.data[i]) != NULL)
			return false;
	return true;
}

/* -- the statement -------------------------------------------------------------------------------
 */

static enum vt_err parse_subject(struct statement *s, const struct json *subject, size_t i,
				 struct problem *why)
{
	static const char *const strings[] = {"name", "uri", "downloadLocation", "mediaType", NULL};
	const struct json *digest;
	char path[RULE_PATH_MAX];
	size_t n_strong;
	enum vt_err err;

	snprintf(path, sizeof(path), "subject[%zu]", i);
	if (json_kind(subject) != JSON_OBJECT)
		return rule_kind(subject, path, "an object", "statement-subject-shape", why);
	if ((err = check_strings(subject, strings, path, "statement-subject-shape", why)) != VT_OK)
		return err;
	snprintf(path, sizeof(path), "subject[%zu].digest", i);
	/* statement.md: "Each element MUST have `digest` set." */
	digest = rule_member(subject, "digest");
	if (digest == NULL || json_kind(digest) != JSON_OBJECT)
		return rule_kind(digest, path, "an object", "statement-subject-shape", why);
	if ((err = check_digest_set(s, i, &n_strong, digest, path, "statement-digest-form", why)) !=
	    VT_OK)
		return err;
	if (n_strong == 0)
		return problem_set(
		    why, VT_EMALFORMED, "statement-digest-missing",
		    "%s: no strong digest, expected sha256 or another of at least 256 "
		    "bits",
		    path);
	return VT_OK;
}

static enum vt_err parse_subjects(struct statement *s, struct problem *why)
{
	const struct json *list = json_member(s->json, "subject");
	enum vt_err err;

	if (list == NULL || json_kind(list) != JSON_ARRAY)
		return rule_kind(list, "subject", "an array", "statement-shape", why);
	s->n_subjects = json_count(list);
	if (s->n_subjects == 0 || s->n_subjects > STATEMENT_SUBJECTS_MAX)
		return problem_set(why, VT_EMALFORMED, "statement-subject-count",
				   "subject: %zu, expected 1 to %d", s->n_subjects,
				   STATEMENT_SUBJECTS_MAX);
	for (size_t i = 0; i < s->n_subjects; i++)
		if ((err = parse_subject(s, json_at(list, i), i, why)) != VT_OK)
			return err;
	return VT_OK;
}

static enum vt_err parse_type(const struct statement *s, struct problem *why)
{
	const struct json *type = json_member(s->json, "_type");
	char quoted[80];
	struct bytes text;

	if (!json_text(type, &text))
		return rule_kind(type, "_type", "a string", "statement-shape", why);
	if (!bytes_is(text, STATEMENT_TYPE_V1) && !bytes_is(text, STATEMENT_TYPE_V01))
		return problem_set(why, VT_EMALFORMED, "statement-type",
				   "_type: \"%s\", expected \"" STATEMENT_TYPE_V1
				   "\" or \"" STATEMENT_TYPE_V01 "\"",
				   problem_quote(quoted, sizeof(quoted), text));
	return VT_OK;
}

static enum vt_err parse_predicate(struct statement *s, struct problem *why)
{
	const struct json *type = json_member(s->json, "predicateType");
	char quoted[80];

	if (!json_text(type, &s->predicate_type))
		return rule_kind(type, "predicateType", "a string", "statement-shape", why);
	if (!uri_plausible(s->predicate_type))
		return problem_set(why, VT_EMALFORMED, "statement-predicate-type",
				   "predicateType: \"%s\" is not a URI of at most %d bytes",
				   problem_quote(quoted, sizeof(quoted), s->predicate_type),
				   STATEMENT_URI_MAX);
	/* statement.md: "Unset is treated the same as set-but-empty." */
	s->predicate = rule_member(s->json, "predicate");
	if (s->predicate != NULL && json_kind(s->predicate) != JSON_OBJECT)
		return rule_kind(s->predicate, "predicate", "an object", "statement-shape", why);
	return VT_OK;
}

enum vt_err statement_parse(struct statement *s, struct bytes payload, struct problem *why)
{
	struct json_error jerr;
	enum vt_err err;

	statement_init(s);
	err = json_parse(&s->json, payload, &jerr);
	if (err == VT_EMALFORMED || err == VT_ELIMIT)
		err = problem_set(why, VT_EMALFORMED, "payload-not-json", "payload byte %zu: %s",
				  jerr.offset, jerr.text);
	if (err != VT_OK)
		goto done;
	if (json_kind(s->json) != JSON_OBJECT) {
		err = rule_kind(s->json, "the payload", "an object", "statement-shape", why);
		goto done;
	}
	if ((err = parse_type(s, why)) != VT_OK || (err = parse_predicate(s, why)) != VT_OK ||
	    (err = rule_member_case(s, why)) != VT_OK)
		goto done;
	err = parse_subjects(s, why);
done:
	if (err != VT_OK)
		statement_release(s);
	return err;
}

bool statement_names(const struct statement *s, const char *algorithm, struct bytes hex)
{
	for (size_t i = 0; i < s->n_digests; i++)
		if (bytes_is(s->digest[i].algorithm, algorithm) &&
		    bytes_equal(s->digest[i].hex, hex))
			return true;
	return false;
}

bool statement_is_about(const struct statement *s, struct bytes hex)
{
	return s->n_subjects == 1 && s->n_digests == 1 && statement_names(s, "sha256", hex);
}

const struct json *statement_member(const struct statement *s, const char *name)
{
	return rule_member(s->predicate, name);
}

bool statement_result(const struct statement *s, struct bytes *out)
{
	return bytes_is(s->predicate_type, PREDICATE_TEST_RESULT) &&
	       json_text(statement_member(s, "result"), out);
}

bool statement_correction(const struct statement *s, struct entry_ref *target, bool *withdraws)
{
	struct bytes action;

	if (!bytes_is(s->predicate_type, PREDICATE_CORRECTION) ||
	    !json_text(statement_member(s, "action"), &action) ||
	    rule_entry_ref(target, statement_member(s, "target"), "predicate.target",
			   "correction-target", NULL) != VT_OK)
		return false;
	if (withdraws != NULL)
		*withdraws = bytes_is(action, "withdraw");
	return true;
}

enum vt_err statement_check_predicate(const struct statement *s, struct problem *why)
{
	const struct predicate *p = predicate_find(s->predicate_type);

	return p == NULL ? VT_OK : p->check(s, why);
}
