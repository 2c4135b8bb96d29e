#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * 400: the bytes are no envelope. 403: nobody who may say this says it. 409: true once, overtaken
 * by a later entry. 413: too much. 422: an envelope whose contents break a rule.
 */
const struct problem_type admission_problems[] = {
    /* size, I-JSON, DSSE shape */
    {"body-too-large", 413, "The request body is too large"},
    {"body-not-json", 400, "The body is not I-JSON"},
    {"body-depth", 400, "The JSON is nested too deeply"},
    {"envelope-shape", 400, "The body is not a DSSE envelope"},
    {"envelope-payload-type", 400, "The payloadType is not the in-toto one"},
    {"envelope-base64", 400, "A base64 text of the envelope is malformed"},
    {"envelope-signature-count", 400, "The envelope has no signature, or too many"},
    {"entry-too-large", 413, "The record does not fit an entry"},
    /* signatures */
    {"key-unknown", 403, "The key that was named is not registered"},
    {"signature-trials", 422, "Too many keys would have to be tried"},
    {"signature-unregistered", 403, "No signature verifies under a registered key"},
    {"log-not-begun", 403, "The log takes nothing before the centre's own accreditation"},
    /* the statement */
    {"payload-not-json", 422, "The payload is not I-JSON"},
    {"statement-shape", 422, "The payload is not an in-toto Statement"},
    {"statement-type", 422, "The Statement is of an unknown version"},
    {"statement-subject-count", 422, "The Statement has no subject, or too many"},
    {"statement-subject-shape", 422, "A subject is malformed"},
    {"statement-digest-form", 422, "A digest is malformed"},
    {"statement-digest-missing", 422, "A subject has no strong digest"},
    {"statement-digest-count", 422, "The Statement has too many digests"},
    {"statement-predicate-type", 422, "The predicateType is malformed"},
    {"statement-member-case", 422, "A member's name is a defined one in other letter case"},
    /* the signers */
    {"signer-not-accredited", 403, "A signer is not accredited for this predicateType"},
    {"signer-suspended", 403, "A signer's accreditation is suspended"},
    {"signer-ended", 403, "A signer's accreditation has ended"},
    {"sealed-salt", 422, "The revealed record has no salt"},
    /* test verdicts */
    {"test-result-result", 422, "The test result is none of the three"},
    {"test-result-configuration", 422, "The test configuration is malformed"},
    {"test-result-tests", 422, "The lists of tests are malformed"},
    {"test-result-assessment", 422, "The assessment is incomplete or malformed"},
    /* firmware hashes */
    {"release-purl", 422, "The purl is missing or malformed"},
    {"release-package-id", 422, "The package identifier is malformed"},
    {"release-firmware", 422, "The firmware member is incomplete or malformed"},
    /* audit events */
    {"audit-event-shape", 422, "The audit event lacks a member"},
    {"audit-event-type", 422, "The eventType is not one of CADF's"},
    {"audit-event-outcome", 422, "The outcome is not one of CADF's"},
    {"audit-event-time", 422, "The eventTime is not an RFC 3339 time"},
    {"audit-event-resource", 422, "Initiator, target or observer is malformed"},
    {"audit-event-reason", 422, "A control event needs a reason"},
    {"audit-event-attachment", 422, "An attachment is malformed"},
    /* accreditations: what the entry says by itself */
    {"accreditation-type", 422, "The entry is not an accreditation"},
    {"accreditation-log", 422, "The accreditation is for another log"},
    {"accreditation-party", 422, "The party's name is malformed"},
    {"accreditation-role", 422, "The role is malformed"},
    {"accreditation-key", 422, "The key is not one that this log takes"},
    {"accreditation-scheme", 422, "The signature scheme does not fit the key"},
    {"accreditation-subject", 422, "The subject is not the key's digest"},
    {"accreditation-aliases", 422, "The keyidAliases are malformed"},
    {"accreditation-predicate-types", 422, "The predicateTypes are malformed or out of bounds"},
    {"accreditation-status", 422, "The status is none that this key can have"},
    {"accreditation-valid-until", 422, "validUntil is not an RFC 3339 time"},
    {"accreditation-rules", 422, "These admission rules are unknown or out of place"},
    {"accreditation-recovery", 422, "The recovery key is missing, malformed or out of place"},
    /* accreditations: what it changes */
    {"accreditation-centre", 403, "An accreditation needs the centre's signature"},
    {"accreditation-recovery-only", 403,
     "The recovery key's accreditation needs its own signature"},
    {"accreditation-possession", 403, "A new key has not signed its own accreditation"},
    {"accreditation-first-status", 422, "The first entry for a key must grant"},
    {"accreditation-ended", 422, "The key's accreditation has ended for good"},
    {"accreditation-key-party", 422, "The key belongs to another party"},
    {"accreditation-key-role", 422, "The key is registered in another role"},
    {"accreditation-key-scheme", 422, "The key is registered with another scheme"},
    {"accreditation-centre-party", 422, "The centre's keys belong to one party"},
    {"accreditation-entry-zero", 422, "Entry 0 must be the centre's own grant"},
    {"accreditation-previous", 422, "The previous member is malformed"},
    {"accreditation-previous-stale", 409, "previous is not the newest entry for this key"},
    /* sealed records */
    {"sealed-subject", 422, "A sealed record has one subject: the digest of what it keeps back"},
    {"sealed-members", 422, "A member of the sealed record is malformed"},
    /* corrections */
    {"correction-action", 422, "The action is neither withdraw nor replace"},
    {"correction-reason", 422, "The correction gives no reason"},
    {"correction-target", 422, "The target is malformed"},
    {"correction-replacement", 422, "The replacement is missing, malformed or out of place"},
    {"correction-subject", 422, "The subject is not the target's leaf hash"},
    {"correction-target-index", 422, "There is no entry at the index that the correction names"},
    {"correction-target-leaf", 422, "The entry at that index has another leaf hash"},
    {"correction-registry", 422, "Registry entries cannot be corrected"},
    {"correction-party", 403, "Only the same party or the centre may correct an entry"},
    /* replay */
    {"entry-not-canonical", 422, "The entry is not in its canonical form"},
    {"entry-signature", 422, "A signature of the entry does not verify"},
    {"entry-known", 422, "The entry repeats a record that is in the log"},
    {"extra-shape", 422, "The extra line is malformed"},
    {"extra-support", 422, "The extra line does not prove what it should"},
    {NULL, 0, NULL},
};

static const struct problem_type *find_type(const char *slug)
{
	for (const struct problem_type *t = admission_problems; t->slug != NULL; t++)
		if (strcmp(t->slug, slug) == 0)
			return t;
	abort();
}

enum vt_err problem_set(struct problem *p, enum vt_err err, const char *slug, const char *fmt, ...)
{
	const struct problem_type *type = find_type(slug);
	va_list ap;
	int len;

	if (p == NULL)
		return err;
	p->type = type;
	va_start(ap, fmt);
	len = vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
	va_end(ap);
	/* A cut may have gone through a character. */
	if (len >= (int)sizeof(p->detail))
		for (len = (int)sizeof(p->detail) - 1; !utf8_valid(bytes_str(p->detail)); len--)
			p->detail[len - 1] = '\0';
	return err;
}

/* The code point that text, which is valid UTF-8 of one character, stands for. */
static uint32_t code_point(struct bytes text)
{
	static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = text.data[0] & lead_bits[text.len];

	for (size_t i = 1; i < text.len; i++)
		c = c << 6 | (text.data[i] & 0x3f);
	return c;
}

/* Controls, what ends or escapes a quotation, and what reorders or hides the text around it. */
static bool misleading(uint32_t c)
{
	static const struct {
		uint32_t first, last;
	} range[] = {
	    {0x00, 0x1f},     {'"', '"'},       {'\\', '\\'},       {0x7f, 0x9f},
	    {0xad, 0xad},     {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
	    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	for (size_t i = 0; i < sizeof(range) / sizeof(range[0]); i++)
		if (c >= range[i].first && c <= range[i].last)
			return true;
	return false;
}

/* Length of the character that text begins with, if it may be shown as it is; 0: it may not. */
static size_t printable_len(struct bytes text)
{
	uint8_t lead = text.data[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (len > text.len || !utf8_valid(bytes_of(text.data, len)) ||
	    misleading(code_point(bytes_of(text.data, len))))
		return 0;
	return len;
}

const char *problem_quote(char *out, size_t cap, struct bytes text)
{
	static const char more[] = "...";
	size_t at = 0;

	if (cap == 0)
		return "";
	while (text.len != 0) {
		size_t len = printable_len(text);
		size_t need = len == 0 ? 4 : len;

		/* What is kept leaves room for the dots, so that a cut is always visible. */
		if (at + need + sizeof(more) > cap) {
			if (cap - at >= sizeof(more)) {
				memcpy(out + at, more, sizeof(more) - 1);
				at += sizeof(more) - 1;
			}
			break;
		}
		if (len == 0) {
			snprintf(out + at, cap - at, "\\x%02x", text.data[0]);
			len = 1;
		} else {
			memcpy(out + at, text.data, len);
		}
		at += need;
		text.data += len;
		text.len -= len;
	}
	out[at] = '\0';
	return out;
}
