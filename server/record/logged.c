/* Entries read back from the log while another one is judged. */
#include <string.h>

#include "json.h"
#include "record_impl.h"

enum { SEALED_CANDIDATES_MAX = 16 };

void logged_entry_init(struct logged_entry *e)
{
	*e = (struct logged_entry){0};
	buf_init(&e->bytes);
	dsse_init(&e->envelope);
	statement_init(&e->statement);
}

void logged_entry_release(struct logged_entry *e)
{
	buf_release(&e->bytes);
	dsse_release(&e->envelope);
	statement_release(&e->statement);
	logged_entry_init(e);
}

/* From e->bytes. */
static enum vt_err take_apart(struct logged_entry *e)
{
	struct merkle_hasher h;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	err = merkle_hash_leaf(&e->leaf, &h, buf_bytes(&e->bytes));
	merkle_hasher_release(&h);
	if (err != VT_OK)
		return err;
	if ((err = dsse_parse(&e->envelope, buf_bytes(&e->bytes), NULL)) == VT_OK)
		err = statement_parse(&e->statement, e->envelope.payload, NULL);
	/* An admitted entry is neither malformed nor too deep: this one never was one. */
	return err == VT_EMALFORMED || err == VT_ELIMIT ? VT_EMISMATCH : err;
}

enum vt_err logged_entry_parse(struct logged_entry *e, uint64_t index, struct bytes entry)
{
	enum vt_err err;

	logged_entry_init(e);
	e->index = index;
	if ((err = buf_append(&e->bytes, entry)) != VT_OK || (err = take_apart(e)) != VT_OK)
		logged_entry_release(e);
	return err;
}

enum vt_err logged_entry_read(struct logged_entry *e, const struct admission_view *view,
			      uint64_t index)
{
	enum vt_err err;

	logged_entry_init(e);
	e->index = index;
	if ((err = view->read(view->ctx, index, &e->bytes)) != VT_OK ||
	    (err = take_apart(e)) != VT_OK)
		logged_entry_release(e);
	return err;
}

enum vt_err logged_entry_keyid(struct merkle_hash *out, const struct logged_entry *e, size_t i)
{
	return hex_decode_exact(out->b, MERKLE_HASH_SIZE, e->envelope.sig[i].keyid) == VT_OK
		   ? VT_OK
		   : VT_EMISMATCH;
}

enum vt_err sealed_index_key(struct merkle_hash *out, struct merkle_hasher *h,
			     const struct merkle_hash *pae, const struct merkle_hash *keyid)
{
	uint8_t value[2 * MERKLE_HASH_SIZE];

	memcpy(value, pae->b, MERKLE_HASH_SIZE);
	memcpy(value + MERKLE_HASH_SIZE, keyid->b, MERKLE_HASH_SIZE);
	return index_key(out, h, "sealed", bytes_of(value, sizeof(value)));
}

/* Does the entry itself say what the index key promised? */
static bool seals(const struct logged_entry *e, const struct merkle_hash *pae,
		  const struct merkle_hash *keyid)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct merkle_hash signer;

	hex_encode(hex, bytes_of(pae->b, MERKLE_HASH_SIZE));
	if (!bytes_is(e->statement.predicate_type, PREDICATE_SEALED) ||
	    !statement_names(&e->statement, "sha256", bytes_str(hex)))
		return false;
	for (size_t i = 0; i < e->envelope.n; i++)
		if (logged_entry_keyid(&signer, e, i) == VT_OK && merkle_hash_equal(&signer, keyid))
			return true;
	return false;
}

enum vt_err sealed_record_find(uint64_t *index, const struct merkle_hash *sealed_key,
			       const struct merkle_hash *pae, const struct registered_key *key,
			       struct bytes predicate_type, const struct admission_view *view)
{
	struct logged_entry e;
	uint64_t from = 0, at;
	enum vt_err err;

	/* Bounded, although only the key's own owner could make it many. */
	for (unsigned i = 0; i < SEALED_CANDIDATES_MAX && from < view->size; i++, from = at + 1) {
		if ((err = view->find(view->ctx, sealed_key, from, &at)) != VT_OK)
			return err;
		if (at >= view->size)
			return VT_ENOTFOUND;
		if (!registry_allows(key, at, predicate_type))
			continue;
		if ((err = logged_entry_read(&e, view, at)) != VT_OK)
			return err;
		bool sealed = seals(&e, pae, party_key_id(key->key));
		logged_entry_release(&e);
		if (!sealed)
			return VT_EMISMATCH; /* the index lies */
		*index = at;
		return VT_OK;
	}
	return VT_ENOTFOUND;
}

/* Is e a registry entry that is about this key, among others? */
static bool is_about(const struct logged_entry *e, const struct registered_key *key)
{
	for (size_t i = 0; i < key->n; i++)
		if (key->history[i].index == e->index)
			return true;
	return false;
}

enum vt_err signer_basis_find(struct signer_basis *out, struct merkle_hasher *h,
			      const struct logged_entry *e, const struct registered_key *key,
			      const struct admission_view *view)
{
	const struct accreditation *a = registry_accreditation(key, e->index);
	struct bytes type = e->statement.predicate_type;
	struct admission_view before = *view;
	struct merkle_hash pae, sealed_key;
	enum vt_err err;

	*out = (struct signer_basis){.accreditation = a == NULL ? e->index : a->index};
	if (a == NULL)
		return is_about(e, key) ? VT_OK : VT_EMISMATCH;
	if (registry_allows(key, e->index, type) || is_about(e, key))
		return VT_OK;
	before.size = e->index;
	if ((err = dsse_pae_hash(&pae, h, e->envelope.payload)) != VT_OK ||
	    (err = sealed_index_key(&sealed_key, h, &pae, party_key_id(key->key))) != VT_OK ||
	    (err = sealed_record_find(&out->sealed, &sealed_key, &pae, key, type, &before)) !=
		VT_OK)
		return err == VT_ENOTFOUND ? VT_EMISMATCH : err;
	a = registry_accreditation(key, out->sealed);
	if (a == NULL)
		return VT_EINTERNAL; /* it allowed the record a moment ago */
	out->by_sealed = true;
	out->accreditation = a->index;
	return VT_OK;
}
