/* Corrections: withdraw an earlier entry, or put another in its place. */
#include "json.h"
#include "predicate.h"
#include "record_impl.h"

static enum vt_err check_target(struct entry_ref *target, const struct statement *s,
				struct problem *why)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];
	enum vt_err err;

	if ((err = rule_entry_ref(target, statement_member(s, "target"), "predicate.target",
				  "correction-target", why)) != VT_OK)
		return err;
	hex_encode(hex, bytes_of(target->leaf.b, MERKLE_HASH_SIZE));
	if (!statement_is_about(s, bytes_str(hex)))
		return problem_set(
		    why, VT_EMALFORMED, "correction-subject",
		    "subject: expected one, with digest.sha256 %s (the target's leaf "
		    "hash) alone",
		    hex);
	return VT_OK;
}

static enum vt_err check_replacement(const struct statement *s, const struct entry_ref *target,
				     bool withdraws, struct problem *why)
{
	static const char slug[] = "correction-replacement";
	static const char path[] = "predicate.replacement";
	const struct json *replacement = statement_member(s, "replacement");
	struct entry_ref ref;
	enum vt_err err;

	if (withdraws && replacement != NULL)
		return problem_set(why, VT_EMALFORMED, slug, "%s: not with action withdraw", path);
	if (withdraws)
		return VT_OK;
	if ((err = rule_entry_ref(&ref, replacement, path, slug, why)) != VT_OK)
		return err;
	if (ref.index == target->index)
		return problem_set(why, VT_EMALFORMED, slug, "%s: the target itself", path);
	return VT_OK;
}

enum vt_err correction_check(const struct statement *s, struct problem *why)
{
	static const char slug[] = "correction-action";
	struct entry_ref target;
	struct bytes action;
	char quoted[40];
	bool withdraws;
	enum vt_err err;

	if ((err = rule_text(&action, s->predicate, "predicate", "action", slug, why)) != VT_OK)
		return err;
	withdraws = bytes_is(action, "withdraw");
	if (!withdraws && !bytes_is(action, "replace"))
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.action: \"%s\", expected withdraw or replace",
				   problem_quote(quoted, sizeof(quoted), action));
	if ((err = rule_text(NULL, s->predicate, "predicate", "reason", "correction-reason",
			     why)) != VT_OK ||
	    (err = check_target(&target, s, why)) != VT_OK)
		return err;
	return check_replacement(s, &target, withdraws, why);
}

/* Read the entry that ref names. *entry is parsed by the caller's release. */
static enum vt_err read_named(struct logged_entry *entry, const struct entry_ref *ref,
			      const char *path, const struct admission_view *view,
			      struct problem *why)
{
	enum vt_err err;

	if (ref->index >= view->size)
		return problem_set(why, VT_EMALFORMED, "correction-target-index",
				   "%s.index: %llu, but the log has %llu entries", path,
				   (unsigned long long)ref->index, (unsigned long long)view->size);
	if ((err = logged_entry_read(entry, view, ref->index)) != VT_OK)
		return err;
	if (!merkle_hash_equal(&entry->leaf, &ref->leaf))
		return problem_set(why, VT_EMALFORMED, "correction-target-leaf",
				   "%s.leafHash: not that of entry %llu", path,
				   (unsigned long long)ref->index);
	if (bytes_is(entry->statement.predicate_type, PREDICATE_ACCREDITATION))
		return problem_set(
		    why, VT_EMALFORMED, "correction-registry",
		    "%s: entry %llu is an accreditation, which only a newer one replaces", path,
		    (unsigned long long)ref->index);
	return VT_OK;
}

/* May this signer correct an entry that `entry`'s signers signed? */
static bool may_correct(const struct record_signer *signer, const struct logged_entry *entry,
			const struct admission_view *view)
{
	const struct registered_key *key = registry_find(view->registry, &signer->keyid);
	const struct accreditation *a =
	    key == NULL ? NULL : registry_accreditation(key, view->size);
	const struct registered_key *theirs;
	struct merkle_hash keyid;

	/* "A current key": one that a sealed record alone made admissible is not. */
	if (a == NULL || a->status != ACCREDITATION_GRANTED)
		return false;
	if (key == registry_centre(view->registry, view->size))
		return true;
	for (size_t i = 0; i < entry->envelope.n; i++) {
		if (logged_entry_keyid(&keyid, entry, i) != VT_OK)
			continue;
		theirs = registry_find(view->registry, &keyid);
		if (theirs != NULL && bytes_equal(bytes_str(theirs->party), bytes_str(key->party)))
			return true;
	}
	return false;
}

static enum vt_err judge_party(const struct record *r, const struct logged_entry *target,
			       const struct admission_view *view, struct problem *why)
{
	for (size_t i = 0; i < r->n; i++)
		if (may_correct(&r->signer[i], target, view))
			return VT_OK;
	return problem_set(
	    why, VT_EUNTRUSTED, "correction-party",
	    "signatures: none by a current key of a party that signed entry %llu, or "
	    "of the centre",
	    (unsigned long long)target->index);
}

enum vt_err correction_judge(const struct record *r, const struct admission_view *view,
			     struct problem *why)
{
	const struct json *replacement = statement_member(&r->statement, "replacement");
	struct logged_entry entry;
	struct entry_ref ref;
	enum vt_err err;

	logged_entry_init(&entry);
	if ((err = rule_entry_ref(&ref, statement_member(&r->statement, "target"),
				  "predicate.target", "correction-target", why)) != VT_OK ||
	    (err = read_named(&entry, &ref, "predicate.target", view, why)) != VT_OK ||
	    (err = judge_party(r, &entry, view, why)) != VT_OK)
		goto done;
	if (replacement == NULL)
		goto done;
	logged_entry_release(&entry);
	if ((err = rule_entry_ref(&ref, replacement, "predicate.replacement",
				  "correction-replacement", why)) != VT_OK)
		goto done;
	err = read_named(&entry, &ref, "predicate.replacement", view, why);
done:
	logged_entry_release(&entry);
	return err;
}
