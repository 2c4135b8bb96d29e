/* Appending a record, and believing the answer only after all of it was held against the policy. */
#include "client_internal.h"
#include "dsse.h"
#include "extra.h"
#include "vitrine/tlog_proof.h"

#include <stdio.h>
#include <string.h>

void client_receipt_init(struct client_receipt *r)
{
	*r = (struct client_receipt){0};
	buf_init(&r->entry);
	buf_init(&r->proof);
}

void client_receipt_release(struct client_receipt *r)
{
	buf_release(&r->entry);
	buf_release(&r->proof);
	client_receipt_init(r);
}

static enum vt_err plain_failure(enum vt_err err, struct why *why)
{
	return why_say(why, err, "%s", vt_err_text(err));
}

/* The log says that it has the record; from here on, what does not hold is the log's doing. */
static enum vt_err does_not_hold(enum vt_err err, struct why *why, const char *what,
				 const char *detail)
{
	if (err == VT_ENOMEM || err == VT_EINTERNAL)
		return plain_failure(err, why);
	return why_say(why, VT_EMISMATCH, "the log took the record, but %s: %s", what, detail);
}

/* -- the parts of an answer ------------------------------------------------------------------- */

static enum vt_err post_record(struct http_reply *reply, struct client *c, struct bytes record,
			       struct why *why)
{
	char reason[720];
	enum vt_err err;

	if ((err = ask_post(reply, &c->asker, "/api/v1/entries", "text/plain", record,
			    "application/json", TLOG_PROOF_SIZE_MAX, why)) != VT_OK)
		return err;
	if (reply->status == 200 || reply->status == 201)
		return VT_OK;
	client_explain(reason, sizeof(reason), reply);
	return why_say(why, status_error(reply->status), "%s", reason);
}

/* The entry: out of the proof's extra, or, where it was too large for that, from its bundle. */
static enum vt_err find_entry(struct client_receipt *out, struct extra **extra, struct client *c,
			      const struct tlog_proof *proof, struct why *why)
{
	struct problem problem = {0};
	enum vt_err err;

	out->proof_has_entry = proof->has_extra;
	if (proof->has_extra) {
		if ((err = extra_parse(extra, buf_bytes(&proof->extra), &problem)) != VT_OK)
			return does_not_hold(err, why, "its proof's extra line is malformed",
					     problem.detail);
		if ((err = buf_append(&out->entry, extra_entry(*extra))) != VT_OK)
			return plain_failure(err, why);
		return VT_OK;
	}
	if (c->log == NULL || c->head.size <= proof->index) {
		if ((err = client_refresh(c, why)) != VT_OK)
			return err;
	}
	if (c->head.size <= proof->index)
		return does_not_hold(VT_EMISMATCH, why, "its checkpoint does not cover it",
				     "ask again");
	return client_entry(&out->entry, c, proof->index, why);
}

/*
 * Is what we sent what they logged? Signatures may differ (they are malleable, and one log holds
 * each statement once per key), the payload may not.
 */
static enum vt_err check_payload(struct bytes record, struct bytes entry, struct why *why)
{
	struct dsse ours, theirs;
	struct problem problem = {0};
	enum vt_err err;

	dsse_init(&ours);
	dsse_init(&theirs);
	if ((err = dsse_parse(&ours, record, &problem)) != VT_OK) {
		why_say(why, err, "what was sent is no record: %s", problem.detail);
		goto done;
	}
	if ((err = dsse_parse(&theirs, entry, &problem)) != VT_OK)
		err = does_not_hold(err, why, "its entry is no record", problem.detail);
	else if (!bytes_equal(ours.payload, theirs.payload))
		err = does_not_hold(VT_EMISMATCH, why, "its entry holds another payload",
				    "not the one that was sent");
done:
	dsse_release(&ours);
	dsse_release(&theirs);
	return err;
}

/* -- who is in it ----------------------------------------------------------------------------- */

_Static_assert((int)CLIENT_SIGNERS_MAX == (int)DSSE_SIGNATURES_MAX, "room for every signer");

/* Does the signature verify under the key that the entry names so? VT_ENOMEM, VT_EINTERNAL: it could not be told. */
static enum vt_err check_is_by(bool *yes, const struct dsse_signature *sent, struct bytes keyid,
			       struct bytes pae, const struct registry *registry)
{
	const struct registered_key *key = NULL;
	struct merkle_hash id;
	enum vt_err err;

	*yes = false;
	if (registry != NULL && hex_decode_exact(id.b, sizeof(id.b), keyid) == VT_OK)
		key = registry_find(registry, &id);
	if (key == NULL)
		return VT_OK;
	err = party_key_verify(key->key, key->scheme, pae, sent->sig, NULL);
	*yes = err == VT_OK;
	return err == VT_ENOMEM || err == VT_EINTERNAL ? err : VT_OK;
}

/*
 * Is whoever made this signature among the entry's signers? Its bytes may differ there (a signature can be made anew and put
 * into another form) and its keyid may be an alias or missing, so it is tried under the entry's keys. Where these
 * could not be had, the keyid has to do.
 */
static enum vt_err find_signer(bool *in, const struct dsse_signature *sent,
			       const struct dsse *entry, struct bytes pae,
			       const struct registry *registry)
{
	enum vt_err err = VT_OK;

	*in = false;
	for (size_t i = 0; i < entry->n && !*in && err == VT_OK; i++) {
		if ((registry == NULL && bytes_equal(sent->keyid, entry->sig[i].keyid)) ||
		    bytes_equal(sent->sig, entry->sig[i].sig))
			*in = true;
		else
			err = check_is_by(in, sent, entry->sig[i].keyid, pae, registry);
	}
	return err;
}

static void name_dropped(char out[72], const struct dsse_signature *sent, size_t i)
{
	size_t n = sent->keyid.len < 64 ? sent->keyid.len : 64;

	if (n == 0) {
		snprintf(out, 72, "signature %zu, which has no keyid", i + 1);
		return;
	}
	for (size_t k = 0; k < n; k++)
		out[k] = sent->keyid.data[k] > ' ' && sent->keyid.data[k] <= '~'
			     ? (char)sent->keyid.data[k]
			     : '?';
	memcpy(out + n, n < sent->keyid.len ? "..." : "", n < sent->keyid.len ? 4 : 1);
}

/* registry NULL: the entry's keys could not be had, so that names alone tell. */
static enum vt_err find_dropped(struct client_receipt *out, struct bytes record, struct bytes entry,
				const struct registry *registry)
{
	struct dsse ours, theirs;
	struct problem problem = {0};
	struct buf pae;
	enum vt_err err;
	bool in;

	buf_init(&pae);
	dsse_init(&ours);
	dsse_init(&theirs);
	if ((err = dsse_parse(&ours, record, &problem)) != VT_OK ||
	    (err = dsse_parse(&theirs, entry, &problem)) != VT_OK ||
	    (err = dsse_pae(&pae, ours.payload)) != VT_OK)
		goto done;
	for (size_t i = 0; i < ours.n && err == VT_OK; i++) {
		err = find_signer(&in, &ours.sig[i], &theirs, buf_bytes(&pae), registry);
		if (err == VT_OK && !in)
			name_dropped(out->dropped[out->n_dropped++], &ours.sig[i], i);
	}
done:
	dsse_release(&ours);
	dsse_release(&theirs);
	buf_release(&pae);
	return err;
}

/* Signatures and accreditations, back to entry 0; and with the keys that they bring, who of the record's signers is left. */
static enum vt_err check_admission(struct client_receipt *out, struct bytes record,
				   struct client *c, const struct extra *extra, uint64_t index,
				   const struct checkpoint *cp, const struct policy_log *log,
				   struct why *why)
{
	struct extra_verdict verdict = {0};
	struct problem problem = {0};
	enum vt_err err;

	err = extra_verify(&verdict, &c->hasher, extra, index, &cp->head, log->key.name,
			   buf_bytes(&c->centre), &problem);
	if (err != VT_OK)
		return does_not_hold(err, why, "its admission does not hold", problem.detail);
	err = find_dropped(out, record, extra_entry(extra), verdict.registry);
	extra_verdict_release(&verdict);
	return err == VT_OK ? VT_OK : plain_failure(err, why);
}

/* The same for an entry that is too large for its proof to carry it. The log has just answered: what it cannot say now is left
 * open, and out->admission_checked tells. */
static enum vt_err check_fetched(struct client_receipt *out, struct bytes record, struct client *c,
				 uint64_t index, struct why *why)
{
	struct checkpoint cp = {.head = c->head};
	struct why inner = {0};
	struct extra *extra = NULL;
	enum vt_err err = client_support(&extra, c, index, buf_bytes(&out->entry), &inner);

	out->admission_checked = err == VT_OK;
	if (err == VT_OK)
		err = check_admission(out, record, c, extra, index, &cp, c->log, why);
	else if (err == VT_EMISMATCH || err == VT_EMALFORMED)
		err = does_not_hold(err, why, "what made it admissible does not hold", inner.text);
	else if ((err = find_dropped(out, record, buf_bytes(&out->entry), NULL)) != VT_OK)
		err = plain_failure(err, why);
	extra_free(extra);
	return err;
}

/* out->proof is the answer. */
static enum vt_err take_answer(struct client_receipt *out, struct client *c, struct bytes record,
			       struct why *why)
{
	struct why inner = {0};
	struct extra *extra = NULL;
	const struct policy_log *log;
	struct tlog_proof proof;
	struct checkpoint cp;
	enum vt_err err;

	tlog_proof_init(&proof);
	if ((err = tlog_proof_parse(&proof, buf_bytes(&out->proof))) != VT_OK) {
		err = does_not_hold(err, why, "its answer is no proof (C2SP tlog-proof)",
				    vt_err_text(err));
		goto done;
	}
	if ((err = find_entry(out, &extra, c, &proof, why)) != VT_OK ||
	    (err = check_payload(record, buf_bytes(&out->entry), why)) != VT_OK)
		goto done;
	if ((err = open_checkpoint(&cp, &log, c, proof.checkpoint, &inner)) != VT_OK) {
		err =
		    does_not_hold(err, why, "the proof's checkpoint is not acceptable", inner.text);
		goto done;
	}
	if ((err = merkle_hash_leaf(&out->leaf, &c->hasher, buf_bytes(&out->entry))) != VT_OK) {
		plain_failure(err, why);
		goto done;
	}
	if ((err = proof_verify_inclusion(&c->hasher, &proof.proof, proof.index, &out->leaf,
					  &cp.head)) != VT_OK) {
		err = does_not_hold(err, why, "the inclusion proof fails", vt_err_text(err));
		goto done;
	}
	if (extra != NULL &&
	    (err = check_admission(out, record, c, extra, proof.index, &cp, log, why)) != VT_OK)
		goto done;
	if (c->log != NULL && (err = client_adopt(c, proof.checkpoint, NULL, why)) != VT_OK)
		goto done;
	out->admission_checked = extra != NULL;
	if (extra == NULL && (err = check_fetched(out, record, c, proof.index, why)) != VT_OK)
		goto done;
	out->index = proof.index;
	out->head = cp.head;
done:
	extra_free(extra);
	tlog_proof_release(&proof);
	return err;
}

enum vt_err client_submit(struct client_receipt *out, struct client *c, struct bytes record,
			  struct why *why)
{
	struct http_reply reply;
	enum vt_err err;

	client_receipt_release(out);
	http_reply_init(&reply);
	if ((err = post_record(&reply, c, record, why)) != VT_OK)
		goto done;
	out->known = reply.status == 200;
	if ((err = buf_append(&out->proof, buf_bytes(&reply.body))) != VT_OK) {
		plain_failure(err, why);
		goto done;
	}
	err = take_answer(out, c, record, why);
done:
	http_reply_release(&reply);
	if (err != VT_OK)
		client_receipt_release(out);
	return err;
}
