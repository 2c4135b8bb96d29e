#include "admit.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "logline.h"
#include "record_impl.h"

struct bytes record_entry(const struct record *r)
{
	return buf_bytes(&r->entry);
}

const struct merkle_hash *record_leaf(const struct record *r)
{
	return &r->leaf;
}

const struct merkle_hash *record_keys(const struct record *r, size_t *n)
{
	*n = r->n_keys;
	return r->key;
}

bool record_is_accreditation(const struct record *r)
{
	return r->has_claim;
}

const struct statement *record_statement(const struct record *r)
{
	return r->statement_fault.type == NULL ? &r->statement : NULL;
}

const struct merkle_hash *record_pae(const struct record *r)
{
	return &r->pae;
}

const struct record_signer *record_signers(const struct record *r, size_t *n)
{
	*n = r->n;
	return r->signer;
}

void record_sent(struct record_sent *out, const struct record *r)
{
	*out = (struct record_sent){.n = r->n_sent};
	for (size_t i = 0; i < r->n; i++) {
		out->kept[r->kept[i].sent] = true;
		out->keyid[r->kept[i].sent] = r->kept[i].who.keyid;
	}
}

/* -- index keys ----------------------------------------------------------------------------------
 */

static enum vt_err hash_key(struct merkle_hash *out, struct merkle_hasher *h, const char *label,
			    const struct bytes *value, size_t n)
{
	struct bytes part[5] = {bytes_of(label, strlen(label) + 1)}; /* the NUL is the 0x00 */

	if (n > 4)
		return INTERNAL("a key of more than four parts");
	memcpy(part + 1, value, n * sizeof(*value));
	return merkle_sha256(out, h, part, n + 1);
}

enum vt_err index_key(struct merkle_hash *out, struct merkle_hasher *h, const char *label,
		      struct bytes value)
{
	return hash_key(out, h, label, &value, 1);
}

/* Append one unless it is there already: two subjects may have one digest, two signers one party.
 */
static enum vt_err add_key(struct record *r, struct merkle_hasher *h, const char *label,
			   const struct bytes *value, size_t n)
{
	struct merkle_hash key;
	enum vt_err err;

	if ((err = hash_key(&key, h, label, value, n)) != VT_OK)
		return err;
	for (size_t i = 0; i < r->n_keys; i++)
		if (merkle_hash_equal(&r->key[i], &key))
			return VT_OK;
	if (r->n_keys == RECORD_KEYS_MAX)
		return VT_EINTERNAL; /* statement.h's bounds add up to less */
	r->key[r->n_keys++] = key;
	return VT_OK;
}

static enum vt_err add_hash(struct record *r, struct merkle_hasher *h, const char *label,
			    const struct merkle_hash *value)
{
	struct bytes bytes = bytes_of(value->b, MERKLE_HASH_SIZE);

	return add_key(r, h, label, &bytes, 1);
}

enum vt_err record_pair_key(struct merkle_hash *out, struct merkle_hasher *h,
			    const struct merkle_hash *pae, const struct merkle_hash *keyid)
{
	struct bytes pair[2] = {bytes_of(pae->b, MERKLE_HASH_SIZE),
				bytes_of(keyid->b, MERKLE_HASH_SIZE)};

	return hash_key(out, h, "pair", pair, 2);
}

static enum vt_err add_signer_keys(struct record *r, struct merkle_hasher *h)
{
	enum vt_err err;

	for (size_t i = 0; i < r->n; i++) {
		struct merkle_hash *keyid = &r->signer[i].keyid;
		struct bytes pair[2] = {bytes_of(r->pae.b, MERKLE_HASH_SIZE),
					bytes_of(keyid->b, MERKLE_HASH_SIZE)};

		if ((err = add_key(r, h, "pair", pair, 2)) != VT_OK ||
		    (err = sealed_index_key(&r->kept[i].sealed, h, &r->pae, keyid)) != VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err add_statement_keys(struct record *r, struct merkle_hasher *h)
{
	const struct statement *s = &r->statement;
	enum vt_err err;

	for (size_t i = 0; i < s->n_digests; i++) {
		struct bytes digest[3] = {s->digest[i].algorithm, bytes_str(":"), s->digest[i].hex};

		if ((err = add_key(r, h, "subject", digest, 3)) != VT_OK)
			return err;
	}
	if ((err = add_key(r, h, "type", &s->predicate_type, 1)) != VT_OK)
		return err;
	for (size_t i = 0; i < r->n; i++) {
		struct bytes party = bytes_str(r->signer[i].party);

		if ((err = add_key(r, h, "party", &party, 1)) != VT_OK)
			return err;
	}
	return VT_OK;
}

/* What the sealed record's subject is, under each key that signed it: only those may reveal it
 * late. */
static enum vt_err add_sealed_keys(struct record *r, struct merkle_hasher *h)
{
	struct merkle_hash pae;
	enum vt_err err;

	if (hex_decode_exact(pae.b, MERKLE_HASH_SIZE, r->statement.digest[0].hex) != VT_OK)
		return VT_EINTERNAL; /* its rules were checked */
	for (size_t i = 0; i < r->n; i++) {
		struct bytes value[2] = {bytes_of(pae.b, MERKLE_HASH_SIZE),
					 bytes_of(r->signer[i].keyid.b, MERKLE_HASH_SIZE)};

		if ((err = add_key(r, h, "sealed", value, 2)) != VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err add_predicate_keys(struct record *r, struct merkle_hasher *h)
{
	struct entry_ref target;
	struct bytes result;
	bool withdraws;
	enum vt_err err;

	if (statement_result(&r->statement, &result))
		return add_key(r, h, "result", &result, 1);
	if (statement_correction(&r->statement, &target, &withdraws))
		return add_hash(r, h, "target", &target.leaf);
	if (bytes_is(r->statement.predicate_type, PREDICATE_SEALED))
		return add_sealed_keys(r, h);
	if (!r->has_claim)
		return VT_OK;
	if ((err = add_hash(r, h, "key", party_key_id(r->claim.key))) != VT_OK ||
	    r->claim.recovery == NULL)
		return err;
	return add_hash(r, h, "key", party_key_id(r->claim.recovery));
}

static enum vt_err add_all_keys(struct record *r, struct merkle_hasher *h)
{
	enum vt_err err;

	r->key[r->n_keys++] = r->leaf;
	if ((err = add_signer_keys(r, h)) != VT_OK || r->statement_fault.type != NULL)
		return err;
	if ((err = add_statement_keys(r, h)) != VT_OK || r->predicate_fault.type != NULL)
		return err;
	return add_predicate_keys(r, h);
}

enum vt_err record_make_keys(struct record *r, struct merkle_hasher *h)
{
	struct merkle_hash list[RECORD_KEYS_MAX];
	enum vt_err err;

	/* Gathered here and kept at their own size: many records wait in memory, and few have many keys. */
	r->n_keys = 0;
	r->key = list;
	err = add_all_keys(r, h);
	r->key = NULL;
	if (err != VT_OK)
		return err;
	r->key = malloc(r->n_keys * sizeof(*r->key));
	if (r->key == NULL)
		return VT_ENOMEM;
	memcpy(r->key, list, r->n_keys * sizeof(*r->key));
	return VT_OK;
}

/* -- known? --------------------------------------------------------------------------------------
 */

enum vt_err record_known(uint64_t *index, const struct record *r, const struct admission_view *view)
{
	uint64_t at;
	enum vt_err err;

	/* The latest of the signers' first entries: an admitted record brought a new pair, so that is its own. */
	*index = 0;
	for (size_t i = 0; i < r->n; i++) {
		if ((err = view->find(view->ctx, &r->key[1 + i], 0, &at)) != VT_OK)
			return err;
		if (at >= view->size)
			return VT_ENOTFOUND;
		if (at > *index)
			*index = at;
	}
	return VT_OK;
}

/* -- judging -------------------------------------------------------------------------------------
 */

static enum vt_err refuse_again(struct problem *why, const struct problem *fault)
{
	if (why != NULL)
		*why = *fault;
	return VT_EMALFORMED;
}

static enum vt_err refuse_signer(const struct record *r, const struct registered_key *key,
				 const struct accreditation *a, struct problem *why)
{
	char hex[2 * MERKLE_HASH_SIZE + 1], type[100];
	unsigned long long since = (unsigned long long)a->index;

	hex_encode(hex, bytes_of(party_key_id(key->key)->b, MERKLE_HASH_SIZE));
	if (a->status == ACCREDITATION_SUSPENDED)
		return problem_set(why, VT_EUNTRUSTED, "signer-suspended",
				   "key %s of \"%s\": suspended by entry %llu, until the log's "
				   "centre grants it again",
				   hex, key->party, since);
	if (a->status == ACCREDITATION_ENDED)
		return problem_set(
		    why, VT_EUNTRUSTED, "signer-ended",
		    "key %s of \"%s\": ended by entry %llu, for good: sign with another key", hex,
		    key->party, since);
	return problem_set(why, VT_EUNTRUSTED, "signer-not-accredited",
			   "key %s of \"%s\": entry %llu does not accredit it for \"%s\", and the "
			   "log's centre can",
			   hex, key->party, since,
			   problem_quote(type, sizeof(type), r->statement.predicate_type));
}

static enum vt_err judge_signer(const struct record *r, size_t i, const struct admission_view *view,
				struct problem *why)
{
	const struct merkle_hash *keyid = &r->signer[i].keyid;
	const struct registered_key *key = view_key(view, keyid);
	struct bytes type = r->statement.predicate_type;
	uint64_t sealed_at;
	enum vt_err err;

	/* The key that an accreditation is about "needs no accreditation to co-sign". */
	if (r->has_claim && merkle_hash_equal(keyid, party_key_id(r->claim.key)))
		return VT_OK;
	if (key == NULL)
		return problem_set(why, VT_EUNTRUSTED, "signature-unregistered",
				   "a signer's key is not registered before entry %llu",
				   (unsigned long long)view->size);
	if (registry_allows(key, view->size, type))
		return VT_OK;
	if (!bytes_is(type, PREDICATE_ACCREDITATION)) {
		err = sealed_record_find(&sealed_at, &r->kept[i].sealed, &r->pae, key, type, view);
		/* "Whose payload holds >= 128 bits of salt": else the hash that stood in the log could be guessed. */
		if (err == VT_OK)
			return rule_salt(&r->statement, why);
		if (err != VT_ENOTFOUND)
			return err;
	}
	return refuse_signer(r, key, registry_accreditation(key, view->size), why);
}

enum vt_err record_judge(const struct record *r, const struct admission_view *view,
			 struct problem *why)
{
	const struct predicate *p;
	enum vt_err err;

	if (r->statement_fault.type != NULL)
		return refuse_again(why, &r->statement_fault);
	if (view->size == 0 && !bytes_is(r->statement.predicate_type, PREDICATE_ACCREDITATION))
		return problem_set(why, VT_EUNTRUSTED, "log-not-begun",
				   "the log is empty: the centre's own accreditation comes first");
	/* Nobody is accredited before entry 0; who signs it is its predicate's own rule. */
	for (size_t i = 0; i < r->n && view->size != 0; i++)
		if ((err = judge_signer(r, i, view, why)) != VT_OK)
			return err;
	if (r->predicate_fault.type != NULL)
		return refuse_again(why, &r->predicate_fault);
	p = predicate_find(r->statement.predicate_type);
	return p == NULL || p->judge == NULL ? VT_OK : p->judge(r, view, why);
}

enum vt_err record_judge_with_keys(const struct record *r, const struct admission_view *view,
				   struct problem *why)
{
	enum vt_err err = record_judge(r, view, why);

	return err == VT_OK && record_brings_keys(r, view) ? record_check_keys(r, why) : err;
}

/* -- replaying -----------------------------------------------------------------------------------
 */

enum vt_err record_replay(const struct record *r, const struct admission_view *view,
			  struct problem *why)
{
	uint64_t known;
	enum vt_err err = record_known(&known, r, view);

	if (err == VT_OK)
		return problem_set(why, VT_EMISMATCH, "entry-known",
				   "entry %llu holds the same record already",
				   (unsigned long long)known);
	return err == VT_ENOTFOUND ? record_judge_with_keys(r, view, why) : err;
}
