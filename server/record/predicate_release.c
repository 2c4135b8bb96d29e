/*
 * Firmware hashes: in-toto's release v0.2 and v0.1, and an optional `firmware` that says which
 * device the artifacts are for.
 */
#include <string.h>

#include "json.h"
#include "predicate.h"

/* The place of the last `c` in text, or text.len. */
static size_t last_of(struct bytes text, char c)
{
	const uint8_t *at = text.len == 0 ? NULL : memrchr(text.data, c, text.len);

	return at == NULL ? text.len : (size_t)(at - text.data);
}

static struct bytes before_first(struct bytes text, char c)
{
	const uint8_t *at = text.len == 0 ? NULL : memchr(text.data, c, text.len);

	return at == NULL ? text : bytes_of(text.data, (size_t)(at - text.data));
}

/* purl-spec: the type "MUST be composed only of ASCII letters and numbers, period '.', plus '+',
 * and dash '-'" and "MUST start with an ASCII letter". */
static bool purl_type_valid(struct bytes type)
{
	for (size_t i = 0; i < type.len; i++) {
		uint8_t c = type.data[i] | 0x20;
		bool letter = c >= 'a' && c <= 'z';

		if (!letter && (i == 0 || strchr("0123456789.+-", type.data[i]) == NULL))
			return false;
	}
	return type.len != 0;
}

/*
 * What is wrong with this package URL; NULL: nothing. release.md: "It MUST include a purl `version`
 * (which is OPTIONAL in the purl-spec)." A version stands after the last '@' of the last path
 * segment: scopes such as
 * "@angular" are segments of their own.
 */
static const char *purl_fault(struct bytes purl)
{
	struct bytes rest, type;
	size_t at;

	if (!uri_plausible(purl) || purl.len < 4 || memcmp(purl.data, "pkg:", 4) != 0)
		return "does not begin with pkg: or is not a URI of at most 255 bytes";
	rest = bytes_of(purl.data + 4, purl.len - 4);
	while (rest.len != 0 && rest.data[0] == '/')
		rest = bytes_of(rest.data + 1, rest.len - 1);
	rest = before_first(before_first(rest, '#'), '?');
	type = before_first(rest, '/');
	if (type.len == rest.len || !purl_type_valid(type))
		return "has no type";
	at = last_of(rest, '/') + 1;
	rest = bytes_of(rest.data + at, rest.len - at);
	at = last_of(rest, '@');
	if (at == 0 || rest.len == 0)
		return "has no name";
	if (at + 1 >= rest.len)
		return "has no version";
	return NULL;
}

static enum vt_err check_purl(const struct statement *s, struct problem *why)
{
	static const char slug[] = "release-purl";
	const char *fault;
	char quoted[100];
	struct bytes purl;
	enum vt_err err;

	if ((err = rule_text(&purl, s->predicate, "predicate", "purl", slug, why)) != VT_OK)
		return err;
	if ((fault = purl_fault(purl)) != NULL)
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.purl: \"%s\" %s, expected e.g. "
				   "pkg:generic/acme/router@1.2.3",
				   problem_quote(quoted, sizeof(quoted), purl), fault);
	return VT_OK;
}

static enum vt_err check_firmware(const struct statement *s, struct problem *why)
{
	static const char slug[] = "release-firmware";
	static const char path[] = "predicate.firmware";
	static const char *const texts[] = {"vendor", "model", "version"};
	const struct json *firmware = statement_member(s, "firmware");
	const struct json *suit;
	enum vt_err err;

	if (firmware == NULL)
		return VT_OK;
	if (json_kind(firmware) != JSON_OBJECT)
		return rule_kind(firmware, path, "an object", slug, why);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if ((err = rule_text(NULL, firmware, path, texts[i], slug, why)) != VT_OK)
			return err;
	if ((err = rule_texts_optional(NULL, firmware, path, "hardwareRevisions",
				       STATEMENT_LIST_MAX, STATEMENT_TEXT_MAX, slug, why)) != VT_OK)
		return err;
	suit = rule_member(firmware, "suit");
	if (suit == NULL)
		return VT_OK;
	/* The SUIT manifest (RFC 9019) is named by its digest: it is a file of its own. */
	if ((err = rule_resource(suit, "predicate.firmware.suit", slug, why)) != VT_OK)
		return err;
	return rule_strong_digest(json_member(suit, "digest"), "predicate.firmware.suit.digest",
				  slug, why);
}

enum vt_err release_check(const struct statement *s, struct problem *why)
{
	/* v0.2 "Renamed the `releaseId` predicate field to `packageId`". */
	const char *id =
	    bytes_is(s->predicate_type, PREDICATE_RELEASE_V01) ? "releaseId" : "packageId";
	enum vt_err err;

	if ((err = check_purl(s, why)) != VT_OK ||
	    (err = rule_text_optional(NULL, s->predicate, "predicate", id, "release-package-id",
				      why)) != VT_OK)
		return err;
	return check_firmware(s, why);
}
