/*
 * Audit events: the members of a CADF event (DMTF DSP0262), by CADF's names and with what it
 * requires of them.
 */
#include <stdio.h>

#include "json.h"
#include "predicate.h"

/* One of the names, or a path that extends one: CADF's taxonomies grow by "/". */
static bool is_one_of(struct bytes text, const char *const *names, bool extensible)
{
	for (; *names != NULL; names++) {
		struct bytes name = bytes_str(*names);

		if (bytes_equal(text, name))
			return true;
		if (extensible && text.len > name.len + 1 && text.data[name.len] == '/' &&
		    bytes_equal(bytes_of(text.data, name.len), name))
			return true;
	}
	return false;
}

static enum vt_err check_outcome(const struct statement *s, struct problem *why)
{
	static const char *const outcomes[] = {"success", "failure", "unknown", "pending", NULL};
	static const char slug[] = "audit-event-outcome";
	char quoted[40];
	struct bytes outcome;
	enum vt_err err;

	if ((err = rule_text(&outcome, s->predicate, "predicate", "outcome", slug, why)) != VT_OK)
		return err;
	if (!is_one_of(outcome, outcomes, true))
		return problem_set(
		    why, VT_EMALFORMED, slug,
		    "predicate.outcome: \"%s\", expected success, failure, unknown or "
		    "pending",
		    problem_quote(quoted, sizeof(quoted), outcome));
	return VT_OK;
}

static enum vt_err check_type(const struct statement *s, struct problem *why)
{
	static const char *const types[] = {"activity", "monitor", "control", NULL};
	static const char slug[] = "audit-event-type";
	const struct json *reason;
	char quoted[40];
	struct bytes type;
	enum vt_err err;

	if ((err = rule_text(&type, s->predicate, "predicate", "eventType", slug, why)) != VT_OK)
		return err;
	if (!is_one_of(type, types, false))
		return problem_set(
		    why, VT_EMALFORMED, slug,
		    "predicate.eventType: \"%s\", expected activity, monitor or control",
		    problem_quote(quoted, sizeof(quoted), type));
	/* DSP0262 requires `reason` if eventType is "control". */
	reason = statement_member(s, "reason");
	if (bytes_is(type, "control") && (reason == NULL || json_kind(reason) != JSON_OBJECT))
		return rule_kind(reason, "predicate.reason", "an object", "audit-event-reason",
				 why);
	return VT_OK;
}

/* DSP0262 requires the resource or, in its place, its identifier: initiator or initiatorId. */
static enum vt_err check_resource(const struct statement *s, const char *name, const char *name_id,
				  struct problem *why)
{
	static const char slug[] = "audit-event-resource";
	const struct json *resource = statement_member(s, name);
	char path[RULE_PATH_MAX];
	enum vt_err err;

	snprintf(path, sizeof(path), "predicate.%s", name);
	if (resource == NULL && statement_member(s, name_id) != NULL)
		return rule_text(NULL, s->predicate, "predicate", name_id, slug, why);
	if (resource == NULL || json_kind(resource) != JSON_OBJECT)
		return rule_kind(resource, path, "an object", slug, why);
	if ((err = rule_text(NULL, resource, path, "id", slug, why)) != VT_OK ||
	    (err = rule_text(NULL, resource, path, "typeURI", slug, why)) != VT_OK)
		return err;
	return rule_text_optional(NULL, resource, path, "name", slug, why);
}

/* Evidence that others must not read stands here by its digest; CADF's own form, `content`, is
 * taken too. */
static enum vt_err check_attachment(const struct json *attachment, size_t i, struct problem *why)
{
	static const char slug[] = "audit-event-attachment";
	char path[RULE_PATH_MAX];
	const struct json *digest;

	snprintf(path, sizeof(path), "predicate.attachments[%zu]", i);
	if (json_kind(attachment) != JSON_OBJECT)
		return rule_kind(attachment, path, "an object", slug, why);
	digest = rule_member(attachment, "digest");
	if (digest == NULL && rule_member(attachment, "content") == NULL)
		return problem_set(why, VT_EMALFORMED, slug, "%s: expected digest or content",
				   path);
	if (digest == NULL)
		return VT_OK;
	snprintf(path, sizeof(path), "predicate.attachments[%zu].digest", i);
	return rule_strong_digest(digest, path, slug, why);
}

static enum vt_err check_attachments(const struct statement *s, struct problem *why)
{
	const struct json *list;
	enum vt_err err;

	if ((err = rule_list_optional(&list, s->predicate, "predicate", "attachments",
				      STATEMENT_LIST_MAX, "audit-event-attachment", why)) != VT_OK)
		return err;
	for (size_t i = 0; i < json_count(list); i++)
		if ((err = check_attachment(json_at(list, i), i, why)) != VT_OK)
			return err;
	return VT_OK;
}

enum vt_err audit_event_check(const struct statement *s, struct problem *why)
{
	static const char shape[] = "audit-event-shape";
	enum vt_err err;

	if ((err = rule_text(NULL, s->predicate, "predicate", "id", shape, why)) != VT_OK ||
	    (err = rule_text(NULL, s->predicate, "predicate", "action", shape, why)) != VT_OK ||
	    (err = check_type(s, why)) != VT_OK || (err = check_outcome(s, why)) != VT_OK ||
	    (err = rule_time(NULL, s->predicate, "predicate", "eventTime", "audit-event-time",
			     why)) != VT_OK ||
	    (err = check_resource(s, "initiator", "initiatorId", why)) != VT_OK ||
	    (err = check_resource(s, "target", "targetId", why)) != VT_OK ||
	    (err = check_resource(s, "observer", "observerId", why)) != VT_OK)
		return err;
	return check_attachments(s, why);
}
