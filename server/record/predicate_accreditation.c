/*
 * Accreditations: who may append what. What one says by itself is parsed and checked here; what it
 * may change is registry.c's (registry_check); who must have signed it is accreditation_judge()'s.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "json.h"
#include "predicate.h"
#include "record_impl.h"

void accreditation_claim_init(struct accreditation_claim *c)
{
	*c = (struct accreditation_claim){0};
}

void accreditation_claim_release(struct accreditation_claim *c)
{
	party_key_free(c->key);
	party_key_free(c->recovery);
	accreditation_claim_init(c);
}

/* Lower-case letters, digits, dots, dashes, underscores: names that no two people read differently.
 */
bool party_name_valid(struct bytes name)
{
	if (name.len == 0 || name.len > ACCREDITATION_NAME_MAX ||
	    memchr(".-_", name.data[0], 3) != NULL)
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] == 0 ||
		    strchr("abcdefghijklmnopqrstuvwxyz0123456789.-_", name.data[i]) == NULL)
			return false;
	return true;
}

static enum vt_err parse_name(struct bytes *out, const struct statement *s, const char *member,
			      const char *slug, struct problem *why)
{
	enum vt_err err;

	if ((err = rule_text(out, s->predicate, "predicate", member, slug, why)) != VT_OK)
		return err;
	if (!party_name_valid(*out))
		return problem_set(
		    why, VT_EMALFORMED, slug,
		    "predicate.%s: expected 1 to %d lower-case letters, digits, dots, "
		    "dashes or underscores, a letter or digit first",
		    member, ACCREDITATION_NAME_MAX);
	return VT_OK;
}

/* `spki` and `scheme` of object. The scheme's problems have their own slug only for the key itself.
 */
static enum vt_err parse_key(struct party_key **key, enum key_scheme *scheme,
			     const struct json *object, const char *where, const char *key_slug,
			     const char *scheme_slug, struct problem *why)
{
	uint8_t der[PARTY_KEY_SPKI_MAX];
	struct why fault;
	char quoted[40];
	struct bytes text;
	size_t len;
	enum vt_err err;

	if ((err = rule_text(&text, object, where, "spki", key_slug, why)) != VT_OK)
		return err;
	if (base64_decode(der, sizeof(der), &len, text, BASE64_STANDARD) != VT_OK)
		return problem_set(why, VT_EMALFORMED, key_slug,
				   "%s.spki: not standard padded base64 of at most %d bytes", where,
				   PARTY_KEY_SPKI_MAX);
	err = party_key_read(key, bytes_of(der, len), &fault);
	if (err == VT_EMALFORMED || err == VT_EUNTRUSTED)
		return problem_set(why, VT_EMALFORMED, key_slug, "%s.spki: %s", where, fault.text);
	if (err != VT_OK ||
	    (err = rule_text(&text, object, where, "scheme", scheme_slug, why)) != VT_OK)
		return err;
	if (key_scheme_parse(scheme, text) != VT_OK || !party_key_takes(*key, *scheme))
		return problem_set(
		    why, VT_EMALFORMED, scheme_slug,
		    "%s.scheme: \"%s\" is not a scheme of this key, expected e.g. %s", where,
		    problem_quote(quoted, sizeof(quoted), text),
		    key_scheme_name(party_key_default_scheme(*key)));
	return VT_OK;
}

static enum vt_err parse_status(struct accreditation_claim *c, const struct statement *s,
				struct problem *why)
{
	static const char slug[] = "accreditation-status";
	char quoted[40];
	struct bytes text;
	enum vt_err err;

	if ((err = rule_text(&text, s->predicate, "predicate", "status", slug, why)) != VT_OK)
		return err;
	for (c->status = ACCREDITATION_GRANTED; c->status <= ACCREDITATION_ENDED; c->status++)
		if (bytes_is(text, accreditation_status_name(c->status)))
			break;
	if (c->status == ACCREDITATION_SUSPENDED && bytes_is(c->role, ROLE_RECOVERY))
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.status: a recovery key is granted or ended, never "
				   "suspended: nobody could grant it again");
	if (c->status <= ACCREDITATION_ENDED)
		return VT_OK;
	return problem_set(why, VT_EMALFORMED, slug,
			   "predicate.status: \"%s\", expected granted, suspended or ended",
			   problem_quote(quoted, sizeof(quoted), text));
}

static enum vt_err check_subject(const struct accreditation_claim *c, const struct statement *s,
				 struct problem *why)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(hex, bytes_of(party_key_id(c->key)->b, MERKLE_HASH_SIZE));
	if (!statement_is_about(s, bytes_str(hex)))
		return problem_set(
		    why, VT_EMALFORMED, "accreditation-subject",
		    "subject: expected one, with digest.sha256 %s (of the key's SPKI) alone", hex);
	return VT_OK;
}

static enum vt_err parse_aliases(struct accreditation_claim *c, const struct statement *s,
				 struct problem *why)
{
	return rule_texts_optional(&c->aliases, s->predicate, "predicate", "keyidAliases",
				   ACCREDITATION_ALIASES_MAX, ACCREDITATION_ALIAS_MAX,
				   "accreditation-aliases", why);
}

static bool listed(const struct json *list, size_t n, struct bytes text)
{
	struct bytes item;

	for (size_t i = 0; i < n; i++)
		if (json_text(json_at(list, i), &item) && bytes_equal(item, text))
			return true;
	return false;
}

static const char types_slug[] = "accreditation-predicate-types";

/* The centre accredits, and nobody else does: a centre that could not would end the log. */
static enum vt_err check_types_of_role(const struct accreditation_claim *c, struct problem *why)
{
	struct bytes accredit = bytes_str(PREDICATE_ACCREDITATION);
	size_t n = json_count(c->types);
	bool may = listed(c->types, n, accredit);

	if (bytes_is(c->role, ROLE_RECOVERY) && (n != 1 || !may))
		return problem_set(why, VT_EMALFORMED, types_slug,
				   "predicate.predicateTypes: a recovery key's is "
				   "[\"" PREDICATE_ACCREDITATION "\"]");
	if (bytes_is(c->role, ROLE_CENTRE) && !may)
		return problem_set(why, VT_EMALFORMED, types_slug,
				   "predicate.predicateTypes: the centre's must contain "
				   "\"" PREDICATE_ACCREDITATION "\"");
	if (!bytes_is(c->role, ROLE_CENTRE) && !bytes_is(c->role, ROLE_RECOVERY) && may)
		return problem_set(why, VT_EMALFORMED, types_slug,
				   "predicate.predicateTypes: only the centre may hold "
				   "\"" PREDICATE_ACCREDITATION "\"");
	return VT_OK;
}

static enum vt_err parse_types(struct accreditation_claim *c, const struct statement *s,
			       struct problem *why)
{
	struct bytes type;
	enum vt_err err;

	if ((err = rule_list_optional(&c->types, s->predicate, "predicate", "predicateTypes",
				      ACCREDITATION_TYPES_MAX, types_slug, why)) != VT_OK)
		return err;
	for (size_t i = 0; i < json_count(c->types); i++) {
		if (!json_text(json_at(c->types, i), &type) || !uri_plausible(type))
			return problem_set(
			    why, VT_EMALFORMED, types_slug,
			    "predicate.predicateTypes[%zu]: expected a URI of at most "
			    "%d bytes",
			    i, STATEMENT_URI_MAX);
		if (listed(c->types, i, type))
			return problem_set(why, VT_EMALFORMED, types_slug,
					   "predicate.predicateTypes[%zu]: there already", i);
	}
	if (c->status != ACCREDITATION_GRANTED && json_count(c->types) == 0)
		return VT_OK;
	if (json_count(c->types) == 0)
		return problem_set(why, VT_EMALFORMED, types_slug,
				   "predicate.predicateTypes: expected 1 to %d",
				   ACCREDITATION_TYPES_MAX);
	return check_types_of_role(c, why);
}

static enum vt_err parse_previous(struct accreditation_claim *c, const struct statement *s,
				  struct problem *why)
{
	static const char slug[] = "accreditation-previous";
	/* The one member whose null is not the same as leaving it out. */
	const struct json *previous = json_member(s->predicate, "previous");

	if (previous == NULL)
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.previous: missing, expected null or the index and "
				   "leafHash of the newest entry for this key");
	c->has_previous = json_kind(previous) != JSON_NULL;
	return c->has_previous
		   ? rule_entry_ref(&c->previous, previous, "predicate.previous", slug, why)
		   : VT_OK;
}

static enum vt_err parse_valid_until(struct accreditation_claim *c, const struct statement *s,
				     struct problem *why)
{
	static const char slug[] = "accreditation-valid-until";
	enum vt_err err;

	if ((err = rule_text_optional(&c->valid_until, s->predicate, "predicate", "validUntil",
				      slug, why)) != VT_OK ||
	    c->valid_until.len == 0)
		return err;
	return rule_time(NULL, s->predicate, "predicate", "validUntil", slug, why);
}

static enum vt_err parse_rules(struct accreditation_claim *c, const struct statement *s,
			       struct problem *why)
{
	static const char slug[] = "accreditation-rules";
	char quoted[80];
	struct bytes rules;
	enum vt_err err;

	if ((err = rule_text_optional(&rules, s->predicate, "predicate", "admissionRules", slug,
				      why)) != VT_OK)
		return err;
	c->has_rules = rules.len != 0;
	if (!c->has_rules)
		return VT_OK;
	if (!bytes_is(c->role, ROLE_CENTRE))
		return problem_set(
		    why, VT_EMALFORMED, slug,
		    "predicate.admissionRules: only in an entry about the centre's key");
	/* An entry that changes the rules can only be admitted by a build that knows the new ones.
	 */
	if (!bytes_is(rules, ADMISSION_RULES))
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.admissionRules: \"%s\", expected \"" ADMISSION_RULES
				   "\"",
				   problem_quote(quoted, sizeof(quoted), rules));
	return VT_OK;
}

static enum vt_err parse_recovery(struct accreditation_claim *c, const struct statement *s,
				  struct problem *why)
{
	static const char slug[] = "accreditation-recovery";
	const struct json *recovery = statement_member(s, "recovery");
	enum vt_err err;

	if (recovery == NULL)
		return VT_OK;
	if (json_kind(recovery) != JSON_OBJECT)
		return rule_kind(recovery, "predicate.recovery", "an object", slug, why);
	if (!bytes_is(c->role, ROLE_CENTRE))
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.recovery: only in entry 0, the centre's own");
	if ((err = parse_key(&c->recovery, &c->recovery_scheme, recovery, "predicate.recovery",
			     slug, slug, why)) != VT_OK)
		return err;
	if (merkle_hash_equal(party_key_id(c->recovery), party_key_id(c->key)))
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.recovery.spki: the same key as predicate.spki");
	return VT_OK;
}

enum vt_err accreditation_claim_parse(struct accreditation_claim *c, const struct statement *s,
				      struct problem *why)
{
	enum vt_err err;

	accreditation_claim_init(c);
	if ((err = rule_text(&c->log, s->predicate, "predicate", "log", "accreditation-log",
			     why)) != VT_OK ||
	    (err = parse_name(&c->party, s, "party", "accreditation-party", why)) != VT_OK ||
	    (err = parse_name(&c->role, s, "role", "accreditation-role", why)) != VT_OK ||
	    (err = parse_key(&c->key, &c->scheme, s->predicate, "predicate", "accreditation-key",
			     "accreditation-scheme", why)) != VT_OK ||
	    (err = check_subject(c, s, why)) != VT_OK ||
	    (err = parse_aliases(c, s, why)) != VT_OK || (err = parse_status(c, s, why)) != VT_OK ||
	    (err = parse_types(c, s, why)) != VT_OK || (err = parse_previous(c, s, why)) != VT_OK ||
	    (err = parse_valid_until(c, s, why)) != VT_OK ||
	    (err = parse_rules(c, s, why)) != VT_OK || (err = parse_recovery(c, s, why)) != VT_OK)
		accreditation_claim_release(c);
	return err;
}

enum vt_err accreditation_check(const struct statement *s, struct problem *why)
{
	struct accreditation_claim c;
	enum vt_err err = accreditation_claim_parse(&c, s, why);

	if (err == VT_OK)
		accreditation_claim_release(&c);
	return err;
}

/* -- keys that are new to the log ---------------------------------------------------------------- */

bool record_brings_keys(const struct record *r, const struct admission_view *view)
{
	return r->has_claim && view_key(view, party_key_id(r->claim.key)) == NULL;
}

enum vt_err record_check_keys(const struct record *r, struct problem *why)
{
	const struct {
		const struct party_key *key;
		const char *where, *slug;
	} brought[] = {{r->claim.key, "predicate", "accreditation-key"},
		       {r->claim.recovery, "predicate.recovery", "accreditation-recovery"}};
	struct why fault;

	for (size_t i = 0; i < 2 && brought[i].key != NULL; i++) {
		enum vt_err err = party_key_check_arithmetic(brought[i].key, &fault);

		if (err == VT_EUNTRUSTED)
			return problem_set(why, VT_EMALFORMED, brought[i].slug, "%s.spki: %s",
					   brought[i].where, fault.text);
		if (err != VT_OK)
			return err;
	}
	return VT_OK;
}

/* -- who signed it -------------------------------------------------------------------------------
 */

static bool signed_by_registered(const struct record *r, const struct registered_key *key)
{
	return key != NULL && record_signed_by(r, party_key_id(key->key));
}

/* "Signed by the centre's current key"; the recovery key outranks it, and nothing outranks the
 * recovery key. */
static enum vt_err judge_authority(const struct record *r, const struct admission_view *view,
				   struct problem *why)
{
	const struct registered_key *centre = registry_centre(view->registry, view->size);
	const struct registered_key *recovery = registry_recovery(view->registry, view->size);

	if (signed_by_registered(r, recovery))
		return VT_OK;
	if (bytes_is(r->claim.role, ROLE_RECOVERY))
		return problem_set(why, VT_EUNTRUSTED, "accreditation-recovery-only",
				   "signatures: none by the current recovery key, which alone may "
				   "change its own accreditation or name its successor");
	if (!signed_by_registered(r, centre))
		return problem_set(
		    why, VT_EUNTRUSTED, "accreditation-centre",
		    "signatures: none by the centre's current key or the recovery key");
	return VT_OK;
}

static enum vt_err judge_possession(const struct record *r, const struct party_key *key,
				    const char *which, struct problem *why)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	if (record_signed_by(r, party_key_id(key)))
		return VT_OK;
	hex_encode(hex, bytes_of(party_key_id(key)->b, MERKLE_HASH_SIZE));
	return problem_set(
	    why, VT_EUNTRUSTED, "accreditation-possession",
	    "signatures: none by %s (keyid %s), which is new to the log and must sign "
	    "too",
	    which, hex);
}

/* The scheme under which a key signed is the one that is being registered. Only entry 0 can differ:
 * its key is known before its scheme is. */
static enum vt_err judge_scheme(const struct record *r, struct problem *why)
{
	for (size_t i = 0; i < r->n; i++)
		if (merkle_hash_equal(&r->signer[i].keyid, party_key_id(r->claim.key)) &&
		    r->signer[i].scheme != r->claim.scheme)
			return problem_set(why, VT_EMALFORMED, "accreditation-scheme",
					   "predicate.scheme: %s, but the signature is %s",
					   key_scheme_name(r->claim.scheme),
					   key_scheme_name(r->signer[i].scheme));
	return VT_OK;
}

static enum vt_err judge_entry_zero(const struct record *r, const struct admission_view *view,
				    struct problem *why)
{
	enum vt_err err;

	if (view->centre.len != 0 && !bytes_equal(view->centre, party_key_spki(r->claim.key)))
		return problem_set(why, VT_EUNTRUSTED, "accreditation-entry-zero",
				   "predicate.spki: not the key that this log was made with");
	if ((err = judge_scheme(r, why)) != VT_OK ||
	    (err = judge_possession(r, r->claim.key, "the centre's key", why)) != VT_OK)
		return err;
	return judge_possession(r, r->claim.recovery, "the recovery key", why);
}

enum vt_err accreditation_judge(const struct record *r, const struct admission_view *view,
				struct problem *why)
{
	const struct accreditation_claim *c = &r->claim;
	char quoted[100], expected[100];
	enum vt_err err;

	if (!bytes_is(c->log, view->origin))
		return problem_set(
		    why, VT_EMALFORMED, "accreditation-log",
		    "predicate.log: \"%s\", expected \"%s\"",
		    problem_quote(quoted, sizeof(quoted), c->log),
		    problem_quote(expected, sizeof(expected), bytes_str(view->origin)));
	if (view->size != 0 && (err = judge_authority(r, view, why)) != VT_OK)
		return err;
	if ((err = registry_check(view->registry, view->size, c, why)) != VT_OK)
		return err;
	if (view->size == 0)
		return judge_entry_zero(r, view, why);
	/* One that has an earlier entry has proven it there. */
	if (!c->has_previous && view_key(view, party_key_id(c->key)) == NULL)
		return judge_possession(r, c->key, "the key itself", why);
	return VT_OK;
}
