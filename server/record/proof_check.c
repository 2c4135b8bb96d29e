#include "proof_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "file_kind.h"
#include "json.h"

void checked_init(struct checked *c)
{
	memset(c, 0, sizeof(*c));
	buf_init(&c->text);
	buf_init(&c->entry);
	tlog_proof_init(&c->proof);
	statement_init(&c->statement);
}

void checked_release(struct checked *c)
{
	statement_release(&c->statement);
	extra_verdict_release(&c->verdict);
	note_free(c->note);
	tlog_proof_release(&c->proof);
	buf_release(&c->entry);
	buf_release(&c->text);
}

/* What fails: the checkpoint, by the policy, or the inclusion proof? */
static enum vt_err explain_checkpoint(struct checked *c, enum vt_err err,
				      const struct policy *policy)
{
	char why[POLICY_WHY_MAX];
	enum vt_err explained;

	if (err == VT_ENOMEM ||
	    (explained = policy_explain(why, c->proof.checkpoint, policy)) != VT_OK)
		return err == VT_ENOMEM ? err : explained;
	if (why[0] != '\0')
		return why_say(&c->why, err, "its checkpoint does not hold: %s", why);
	return why_say(&c->why, err,
		       "the inclusion proof does not lead from this entry to the root that the log "
		       "signed");
}

static void count_cosignatures(struct checked *c, const struct policy *policy)
{
	bool *cosigned = calloc(policy_witness_count(policy) + 1, sizeof(bool));
	const struct policy_log *log;
	struct note *note = NULL;
	struct checkpoint cp;

	if (cosigned != NULL && policy_open_checkpoint(&note, &cp, &log, cosigned,
						       c->proof.checkpoint, policy) == VT_OK)
		for (size_t i = 0; i < policy_witness_count(policy); i++)
			c->cosigned += cosigned[i];
	note_free(note);
	free(cosigned);
}

static enum vt_err check_inclusion(struct checked *c, struct merkle_hasher *h, struct bytes entry,
				   const struct policy *policy)
{
	enum vt_err err;

	if ((err = merkle_hash_leaf(&c->leaf, h, entry)) != VT_OK)
		return err;
	err = tlog_proof_verify(&c->note, &c->cp, &c->log, h, &c->proof, &c->leaf, policy);
	if (err != VT_OK)
		return explain_checkpoint(c, err, policy);
	count_cosignatures(c, policy);
	c->entry.len = 0;
	return buf_append(&c->entry, entry);
}

/* The record inside the entry: its statement, and who signed it. */
static enum vt_err read_record(struct checked *c)
{
	struct problem why = {0};
	struct dsse envelope;
	enum vt_err err;

	dsse_init(&envelope);
	if ((err = dsse_parse(&envelope, buf_bytes(&c->entry), &why)) != VT_OK ||
	    (err = statement_parse(&c->statement, envelope.payload, &why)) != VT_OK) {
		why_say(&c->why, err, "the entry is no record: %s", why.detail);
		goto done;
	}
	for (size_t i = 0; i < envelope.n && i < CHECK_SIGNERS_MAX; i++) {
		const struct registered_key *key = NULL;
		struct merkle_hash id;

		if (envelope.sig[i].keyid.len != 64 ||
		    hex_decode_exact(id.b, sizeof(id.b), envelope.sig[i].keyid) != VT_OK) {
			err = why_say(&c->why, VT_EMALFORMED,
				      "the entry names a signer by something else than a keyid");
			goto done;
		}
		hex_encode(c->signer[i].keyid, bytes_of(id.b, sizeof(id.b)));
		if (c->proven_admission &&
		    (key = registry_find(c->verdict.registry, &id)) != NULL) {
			c->signer[i].party = key->party;
			c->signer[i].role = key->role;
		}
		c->n_signers = i + 1;
	}
done:
	dsse_release(&envelope);
	return err;
}

/* x holds under head: the entry's signatures, and what made it admissible. */
static enum vt_err check_admission(struct checked *c, struct merkle_hasher *h,
				   const struct extra *x, const struct tree_head *head,
				   struct bytes centre)
{
	struct problem why = {0};
	char origin[VKEY_NAME_MAX + 1];
	enum vt_err err;

	snprintf(origin, sizeof(origin), "%.*s", (int)c->cp.origin.len,
		 (const char *)c->cp.origin.data);
	err = extra_verify(&c->verdict, h, x, c->proof.index, head, origin, centre, &why);
	if (err != VT_OK)
		return why_say(&c->why, err, "it is in the log, but was not admissible: %s",
			       why.detail);
	c->proven_admission = true;
	return read_record(c);
}

static enum vt_err check_record(struct checked *c, struct merkle_hasher *h, const struct extra *x,
				const struct policy *policy, struct bytes centre)
{
	enum vt_err err = check_inclusion(c, h, extra_entry(x), policy);

	return err != VT_OK ? err : check_admission(c, h, x, &c->cp.head, centre);
}

enum vt_err proof_check_support(struct checked *c, struct merkle_hasher *h, const struct extra *x,
				const struct tree_head *head, struct bytes centre)
{
	statement_release(&c->statement); /* as it was read without knowing who signed */
	c->n_signers = 0;
	c->raw = false;
	return check_admission(c, h, x, head, centre);
}

/* Says what the bytes are; memory that ran out says nothing of them. */
static bool not_a_record(enum vt_err err)
{
	return err == VT_EMALFORMED || err == VT_ELIMIT;
}

/* The proof does not carry the entry. Nothing is known then of the registry, so no signature is verified. */
static enum vt_err check_beside(struct checked *c, struct merkle_hasher *h, struct bytes beside,
				const struct policy *policy)
{
	enum vt_err err;

	if (beside.len == 0)
		return why_say(&c->why, VT_EINVAL,
			       "the proof does not carry the entry: give it with --entry");
	if ((err = check_inclusion(c, h, beside, policy)) != VT_OK)
		return err;
	err = read_record(c);
	if (not_a_record(err)) {
		c->raw = true;
		c->why.text[0] = '\0';
		err = VT_OK;
	}
	return err;
}

/* The hashes end at the first empty line and the checkpoint's text at the second; signatures follow. */
static bool ends_before_signatures(struct bytes proof)
{
	const char empty_line[] = "\n\n";
	const uint8_t *at = proof.data, *end = proof.data + proof.len;

	for (size_t i = 0; i < 2 && at != NULL; i++) {
		at = memmem(at, (size_t)(end - at), empty_line, 2);
		at = at == NULL ? NULL : at + 2;
	}
	return at == NULL || at == end;
}

static enum vt_err explain_no_proof(struct checked *c, enum vt_err err)
{
	struct bytes text = buf_bytes(&c->text);
	const char *fault = text_fault(text);

	if (err == VT_ENOMEM)
		return err;
	if (!file_kind_is(file_kind(text), "c2sp.org/tlog-proof@"))
		return why_say(&c->why, err, "it is %s, and no proof (C2SP tlog-proof)",
			       file_kind_text(text));
	if (fault == NULL && ends_before_signatures(text))
		fault = "it is cut short: the signatures at its end are missing";
	return why_say(&c->why, err, "a damaged proof (C2SP tlog-proof)%s%s",
		       fault != NULL ? ": " : "", fault != NULL ? fault : "");
}

enum vt_err proof_check(struct checked *c, struct merkle_hasher *h, const struct policy *policy,
			struct bytes centre, struct bytes beside)
{
	struct problem why = {0};
	struct extra *x = NULL;
	enum vt_err err;

	if ((err = tlog_proof_parse(&c->proof, buf_bytes(&c->text))) != VT_OK)
		return explain_no_proof(c, err);
	if (!c->proof.has_extra)
		return check_beside(c, h, beside, policy);
	err = extra_parse(&x, buf_bytes(&c->proof.extra), &why);
	if (err == VT_OK) {
		err = check_record(c, h, x, policy, centre);
		extra_free(x);
	} else if (not_a_record(err)) {
		/* No record and its support: then, as in raw mode, the extra is the entry itself. */
		c->raw = true;
		err = check_inclusion(c, h, buf_bytes(&c->proof.extra), policy);
	}
	if (err == VT_OK && beside.len > 0 && !bytes_equal(beside, buf_bytes(&c->entry)))
		return why_say(&c->why, VT_EMISMATCH,
			       "the proof carries another entry than the one given");
	return err;
}

bool checked_signed_by(const struct checked *c, const char *party)
{
	for (size_t i = 0; i < c->n_signers; i++)
		if (c->signer[i].party != NULL && strcmp(c->signer[i].party, party) == 0)
			return true;
	return false;
}

const char *checked_what(const struct checked *c, char *out, size_t cap)
{
	const struct bytes type = c->statement.predicate_type;
	char quoted[160];
	struct bytes text;

	if (c->raw)
		snprintf(out, cap, "%zu bytes", c->entry.len);
	else if (statement_result(&c->statement, &text))
		snprintf(out, cap, "test verdict %s", problem_quote(quoted, sizeof(quoted), text));
	else if ((bytes_is(type, PREDICATE_RELEASE_V02) || bytes_is(type, PREDICATE_RELEASE_V01)) &&
		 json_text(statement_member(&c->statement, "purl"), &text))
		snprintf(out, cap, "firmware release %s",
			 problem_quote(quoted, sizeof(quoted), text));
	else
		snprintf(out, cap, "%s", problem_quote(quoted, sizeof(quoted), type));
	return out;
}
