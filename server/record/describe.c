#include "describe.h"

#include <string.h>

#include "json.h"
#include "record_impl.h"

/*
 * json_set() takes its value over whatever happens and takes NULL for want of memory, so the
 * builders below chain without checks between; on failure the whole tree is freed at the root.
 */
static struct json *new_hex(const struct merkle_hash *hash)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(hex, bytes_of(hash->b, MERKLE_HASH_SIZE));
	return json_new_str(hex);
}

/* No log that JSON can speak of is as long as 2^53. */
static struct json *new_index(uint64_t index)
{
	return json_new_integer((int64_t)index);
}

/* Either the finished value or nothing. */
static enum vt_err finish(struct json **out, struct json *value, enum vt_err err)
{
	if (err != VT_OK) {
		json_free(value);
		value = NULL;
	}
	*out = value;
	return err;
}

static enum vt_err describe_signer(struct json **out, struct merkle_hasher *h,
				   const struct logged_entry *e, size_t i,
				   const struct admission_view *view)
{
	const struct registered_key *key;
	struct signer_basis basis;
	struct merkle_hash keyid;
	struct json *j = NULL;
	enum vt_err err;

	if ((err = logged_entry_keyid(&keyid, e, i)) != VT_OK)
		goto done;
	key = registry_find(view->registry, &keyid);
	if (key == NULL) {
		err = VT_EMISMATCH;
		goto done;
	}
	if ((err = signer_basis_find(&basis, h, e, key, view)) != VT_OK)
		goto done;
	j = json_new_object();
	if (j == NULL) {
		err = VT_ENOMEM;
		goto done;
	}
	if ((err = json_set(j, "keyid", new_hex(&keyid))) != VT_OK ||
	    (err = json_set(j, "party", json_new_str(key->party))) != VT_OK ||
	    (err = json_set(j, "role", json_new_str(key->role))) != VT_OK ||
	    (err = json_set(j, "scheme", json_new_str(key_scheme_name(key->scheme)))) != VT_OK ||
	    (err = json_set(j, "accreditation", new_index(basis.accreditation))) != VT_OK)
		goto done;
	if (basis.by_sealed)
		err = json_set(j, "sealed", new_index(basis.sealed));
done:
	return finish(out, j, err);
}

static enum vt_err describe_signers(struct json **out, struct merkle_hasher *h,
				    const struct logged_entry *e, const struct admission_view *view)
{
	struct json *list = json_new_array();
	struct json *signer;
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 0; i < e->envelope.n && err == VT_OK; i++)
		if ((err = describe_signer(&signer, h, e, i, view)) == VT_OK)
			err = json_push(list, signer);
	return finish(out, list, err);
}

static enum vt_err describe_correction(struct json **out, uint64_t index,
				       const struct admission_view *view)
{
	struct logged_entry e;
	struct json *j = NULL;
	struct bytes action;
	enum vt_err err;

	if ((err = logged_entry_read(&e, view, index)) != VT_OK)
		return finish(out, NULL, err);
	if (!json_text(statement_member(&e.statement, "action"), &action)) {
		err = VT_EMISMATCH;
		goto done;
	}
	j = json_new_object();
	if (j == NULL) {
		err = VT_ENOMEM;
		goto done;
	}
	if ((err = json_set(j, "index", new_index(index))) != VT_OK ||
	    (err = json_set(j, "leafHash", new_hex(&e.leaf))) != VT_OK)
		goto done;
	err = json_set(j, "action", json_new_text(action));
done:
	logged_entry_release(&e);
	return finish(out, j, err);
}

/* Sets correctedBy, and correctedByMore where there are more than are listed. */
static enum vt_err describe_corrections(struct json *parent, struct merkle_hasher *h,
					const struct logged_entry *e,
					const struct admission_view *view)
{
	struct json *list = json_new_array();
	struct json *correction;
	struct merkle_hash key;
	uint64_t at, from = e->index + 1;
	bool more = false;
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	if (err == VT_OK)
		err = index_key(&key, h, "target", bytes_of(e->leaf.b, MERKLE_HASH_SIZE));
	for (; err == VT_OK && from < view->size; from = at + 1) {
		if ((err = view->find(view->ctx, &key, from, &at)) != VT_OK || at >= view->size)
			break;
		more = json_count(list) == DESCRIBE_CORRECTIONS_MAX;
		if (more)
			break;
		if ((err = describe_correction(&correction, at, view)) == VT_OK)
			err = json_push(list, correction);
	}
	if (err == VT_ENOTFOUND)
		err = VT_OK;
	if (err != VT_OK) {
		json_free(list);
		return err;
	}
	if ((err = json_set(parent, "correctedBy", list)) != VT_OK || !more)
		return err;
	return json_set(parent, "correctedByMore", json_new_bool(true));
}

static enum vt_err set_parsed(struct json *parent, const char *name, struct bytes text)
{
	struct json *value = NULL;
	enum vt_err err = json_parse(&value, text, NULL);

	return err == VT_OK ? json_set(parent, name, value) : err;
}

static enum vt_err describe_into(struct json *j, struct merkle_hasher *h,
				 const struct logged_entry *e, const struct admission_view *view)
{
	struct json *signers;
	enum vt_err err;

	if ((err = json_set(j, "index", new_index(e->index))) != VT_OK ||
	    (err = json_set(j, "leafHash", new_hex(&e->leaf))) != VT_OK ||
	    (err = json_set(j, "payloadType", json_new_str(DSSE_PAYLOAD_TYPE))) != VT_OK ||
	    (err = json_set(j, "predicateType", json_new_text(e->statement.predicate_type))) !=
		VT_OK ||
	    (err = json_set(j, "statement", json_copy(e->statement.json))) != VT_OK ||
	    (err = describe_signers(&signers, h, e, view)) != VT_OK ||
	    (err = json_set(j, "signers", signers)) != VT_OK ||
	    (err = describe_corrections(j, h, e, view)) != VT_OK)
		return err;
	return set_parsed(j, "envelope", buf_bytes(&e->bytes));
}

enum vt_err describe_entry(struct json **out, struct merkle_hasher *h, uint64_t index,
			   struct bytes entry, const struct admission_view *view)
{
	struct logged_entry e;
	struct json *j = NULL;
	enum vt_err err;

	*out = NULL;
	if (index >= view->size)
		return VT_EINVAL;
	if ((err = logged_entry_parse(&e, index, entry)) != VT_OK)
		return err == VT_EMISMATCH ? VT_EMALFORMED : err;
	j = json_new_object();
	err = j == NULL ? VT_ENOMEM : describe_into(j, h, &e, view);
	logged_entry_release(&e);
	return finish(out, j, err);
}

/* -- parties -------------------------------------------------------------------------------------
 */

static enum vt_err set_texts(struct json *parent, const char *name, char *const *text, size_t n)
{
	struct json *list = json_new_array();
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 0; i < n && err == VT_OK; i++)
		err = json_push(list, json_new_str(text[i]));
	if (err == VT_OK)
		return json_set(parent, name, list);
	json_free(list);
	return err;
}

static enum vt_err describe_accreditation(struct json **out, const struct accreditation *a)
{
	struct json *j = json_new_object();
	enum vt_err err = VT_ENOMEM;

	if (j == NULL || (err = json_set(j, "index", new_index(a->index))) != VT_OK ||
	    (err = json_set(j, "leafHash", new_hex(&a->leaf))) != VT_OK ||
	    (err = json_set(j, "status", json_new_str(accreditation_status_name(a->status)))) !=
		VT_OK ||
	    (err = set_texts(j, "predicateTypes", a->predicate_type, a->n_predicate_types)) !=
		VT_OK ||
	    (err = set_texts(j, "keyidAliases", a->alias, a->n_aliases)) != VT_OK)
		goto done;
	if (a->valid_until != NULL)
		err = json_set(j, "validUntil", json_new_str(a->valid_until));
done:
	return finish(out, j, err);
}

static enum vt_err describe_history(struct json **out, const struct registered_key *key,
				    uint64_t index)
{
	struct json *list = json_new_array();
	struct json *item;
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 0; i < key->n && key->history[i].index < index && err == VT_OK; i++)
		if ((err = describe_accreditation(&item, &key->history[i])) == VT_OK)
			err = json_push(list, item);
	return finish(out, list, err);
}

static struct json *new_spki(const struct party_key *key)
{
	struct json *j = NULL;
	struct buf text;

	buf_init(&text);
	if (buf_append_base64(&text, party_key_spki(key)) == VT_OK)
		j = json_new_text(buf_bytes(&text));
	buf_release(&text);
	return j;
}

static enum vt_err describe_key(struct json **out, const struct registered_key *key,
				const struct accreditation *now, uint64_t index)
{
	struct json *j = json_new_object();
	struct json *history;
	enum vt_err err = VT_ENOMEM;

	if (j == NULL || (err = json_set(j, "keyid", new_hex(party_key_id(key->key)))) != VT_OK ||
	    (err = json_set(j, "role", json_new_str(key->role))) != VT_OK ||
	    (err = json_set(j, "scheme", json_new_str(key_scheme_name(key->scheme)))) != VT_OK ||
	    (err = json_set(j, "spki", new_spki(key->key))) != VT_OK ||
	    (err = json_set(j, "status", json_new_str(accreditation_status_name(now->status)))) !=
		VT_OK ||
	    (err = json_set(j, "accreditation", new_index(now->index))) != VT_OK ||
	    (err = describe_history(&history, key, index)) != VT_OK)
		goto done;
	err = json_set(j, "history", history);
done:
	return finish(out, j, err);
}

enum vt_err describe_party(struct json **out, const struct registry *registry, uint64_t index,
			   const char *party)
{
	struct json *j = json_new_object(), *keys = json_new_array();
	struct json *item;
	enum vt_err err = j == NULL || keys == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 0; err == VT_OK; i++) {
		const struct registered_key *key = registry_of_party(registry, party, i);
		const struct accreditation *now =
		    key == NULL ? NULL : registry_accreditation(key, index);

		if (now == NULL) /* and so are those that were registered later */
			break;
		if ((err = describe_key(&item, key, now, index)) == VT_OK)
			err = json_push(keys, item);
	}
	if (err == VT_OK && json_count(keys) == 0)
		err = VT_ENOTFOUND;
	if (err == VT_OK && (err = json_set(j, "party", json_new_str(party))) == VT_OK) {
		err = json_set(j, "keys", keys);
		keys = NULL; /* transferred, even on failure */
	}
	json_free(keys);
	return finish(out, j, err);
}

static bool first_of_party(const struct registry *registry, const struct registered_key *key)
{
	return registry_of_party(registry, key->party, 0) == key;
}

enum vt_err describe_parties(struct json **out, const struct registry *registry, uint64_t index,
			     uint64_t from, size_t limit, uint64_t *next)
{
	struct json *list = json_new_array();
	struct json *item;
	size_t keys = 0;
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	*next = 0;
	for (size_t i = registry_since(registry, from);
	     i < registry_count(registry) && err == VT_OK; i++) {
		const struct registered_key *key = registry_at(registry, i);

		if (key->history[0].index >= index)
			break;
		if (!first_of_party(registry, key))
			continue;
		if (json_count(list) == limit || keys >= DESCRIBE_KEYS_MAX) {
			*next = key->history[0].index;
			break;
		}
		if ((err = describe_party(&item, registry, index, key->party)) != VT_OK)
			break;
		keys += json_count(json_member(item, "keys"));
		err = json_push(list, item);
	}
	return finish(out, list, err);
}
