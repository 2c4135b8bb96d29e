/* libvitrine-record: proof_check() behind an interface that shows nothing of the rest. */
#include "vitrine/record_proof.h"

#include <stdio.h>
#include <stdlib.h>

#include "digests.h"
#include "party_key.h"
#include "proof_check.h"

_Static_assert((int)RECORD_PROOF_SIGNERS_MAX == (int)CHECK_SIGNERS_MAX, "all signers are told");
_Static_assert((int)RECORD_PROOF_WHY_MAX == (int)WHY_MAX, "no reason is cut");

struct record_proof {
	struct checked checked;
	struct record_proof_says says;
	char *predicate_type, *result;
};

static enum vt_err tell_record(struct record_proof *p)
{
	struct record_proof_says *says = &p->says;
	const struct checked *c = &p->checked;
	struct bytes result;

	says->predicate_type = p->predicate_type = bytes_dup_str(c->statement.predicate_type);
	if (p->predicate_type == NULL)
		return VT_ENOMEM;
	if (statement_result(&c->statement, &result)) {
		says->result = p->result = bytes_dup_str(result);
		if (p->result == NULL)
			return VT_ENOMEM;
	}
	says->n_signers = c->n_signers;
	for (size_t i = 0; i < c->n_signers; i++)
		says->signer[i] = (struct record_proof_signer){
		    c->signer[i].keyid, c->signer[i].party, c->signer[i].role};
	return VT_OK;
}

static enum vt_err tell(struct record_proof *p)
{
	const struct checked *c = &p->checked;

	p->says = (struct record_proof_says){
	    .index = c->proof.index,
	    .size = c->cp.head.size,
	    .cosigned = c->cosigned,
	    .is_record = !c->raw,
	    .admission_proven = c->proven_admission,
	};
	return c->raw ? VT_OK : tell_record(p);
}

static enum vt_err read_centre(struct party_key **out, struct bytes file, struct checked *c)
{
	enum vt_err err = file.len == 0 ? VT_OK : party_key_parse(out, file, &c->why);

	if (err == VT_OK || err == VT_ENOMEM)
		return err;
	return why_say(&c->why, VT_EINVAL, "the centre's key: %s", why_text(&c->why, err));
}

static enum vt_err check(struct record_proof *p, struct bytes file, const struct policy *policy,
			 struct bytes centre, struct bytes entry)
{
	struct party_key *key = NULL;
	struct bytes spki = {0};
	struct merkle_hasher h;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	if ((err = read_centre(&key, centre, &p->checked)) == VT_OK &&
	    (err = buf_append(&p->checked.text, file)) == VT_OK) {
		if (key != NULL)
			spki = party_key_spki(key);
		err = proof_check(&p->checked, &h, policy, spki, entry);
	}
	party_key_free(key);
	merkle_hasher_release(&h);
	return err;
}

enum vt_err record_proof_check(struct record_proof **out, struct bytes file,
			       const struct policy *policy, struct bytes centre, struct bytes entry,
			       char why[RECORD_PROOF_WHY_MAX])
{
	struct record_proof *p = calloc(1, sizeof(*p));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	why[0] = '\0';
	if (p != NULL) {
		checked_init(&p->checked);
		if ((err = check(p, file, policy, centre, entry)) == VT_OK &&
		    (err = tell(p)) == VT_OK) {
			*out = p;
			return VT_OK;
		}
	}
	(void)snprintf(why, RECORD_PROOF_WHY_MAX, "%s",
		       p != NULL ? why_text(&p->checked.why, err) : vt_err_text(err));
	record_proof_free(p);
	return err;
}

void record_proof_free(struct record_proof *p)
{
	if (p == NULL)
		return;
	checked_release(&p->checked);
	free(p->predicate_type);
	free(p->result);
	free(p);
}

const struct record_proof_says *record_proof_says(const struct record_proof *p)
{
	return &p->says;
}

/* All of it is the first piece. */
static enum vt_err next_piece(void *source, struct bytes *piece)
{
	struct bytes *left = source;

	*piece = *left;
	*left = (struct bytes){0};
	return VT_OK;
}

enum vt_err record_proof_about(const struct record_proof *p, struct bytes content)
{
	struct file_digests digests;
	enum vt_err err;

	if (p->checked.raw)
		return VT_ENOTFOUND;
	if ((err = file_digests_make(&digests, next_piece, &content)) != VT_OK)
		return err;
	return file_digests_find(&digests, &p->checked.statement, NULL);
}
