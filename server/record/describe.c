#include "describe.h"

#include <stdlib.h>
#include <string.h>

#include "entry_standing.h"
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

/* -- corrections --------------------------------------------------------------------------------- */

/* An entry and all that corrects it, what corrects those, and so on. */
struct family {
	struct entry_standing *member;
	size_t n, room;
	size_t read;     /* bytes, of all but the entry itself */
	bool incomplete; /* there are more than DESCRIBE_FAMILY_MAX or DESCRIBE_FAMILY_BYTES */
};

static enum vt_err family_add(struct family *f, const struct logged_entry *e,
			      const struct admission_view *view)
{
	size_t room = f->room == 0 ? 4 : 2 * f->room;
	struct entry_standing *grown = f->member;
	struct merkle_hash keyid;
	enum vt_err err;

	if (f->n == f->room && (grown = realloc(f->member, room * sizeof(*grown))) == NULL)
		return VT_ENOMEM;
	f->room = f->n == f->room ? room : f->room;
	f->member = grown;
	entry_standing_init(&f->member[f->n], e->index, &e->leaf, &e->statement);
	for (size_t i = 0; i < e->envelope.n; i++) {
		const struct registered_key *key;

		if ((err = logged_entry_keyid(&keyid, e, i)) != VT_OK)
			return err;
		if ((key = registry_find(view->registry, &keyid)) == NULL)
			return VT_EMISMATCH;
		entry_standing_add(&f->member[f->n], key);
	}
	f->n++;
	return VT_OK;
}

static enum vt_err family_add_at(struct family *f, uint64_t index,
				 const struct admission_view *view)
{
	struct logged_entry e;
	enum vt_err err = logged_entry_read(&e, view, index);

	if (err != VT_OK)
		return err;
	f->read += e.bytes.len;
	err = family_add(f, &e, view);
	logged_entry_release(&e);
	return err;
}

static enum vt_err family_add_corrections(struct family *f, struct merkle_hasher *h, size_t of,
					  const struct admission_view *view)
{
	uint64_t at, from = f->member[of].index + 1;
	struct merkle_hash key;
	enum vt_err err =
	    index_key(&key, h, "target", bytes_of(f->member[of].leaf.b, MERKLE_HASH_SIZE));

	for (; err == VT_OK && from < view->size; from = at + 1) {
		if ((err = view->find(view->ctx, &key, from, &at)) != VT_OK || at >= view->size)
			break;
		f->incomplete = f->n == DESCRIBE_FAMILY_MAX || f->read > DESCRIBE_FAMILY_BYTES;
		if (f->incomplete)
			break;
		err = family_add_at(f, at, view);
	}
	return err == VT_ENOTFOUND ? VT_OK : err;
}

static enum vt_err family_gather(struct family *f, struct merkle_hasher *h,
				 const struct logged_entry *e, const struct admission_view *view)
{
	enum vt_err err = family_add(f, e, view);

	for (size_t i = 0; err == VT_OK && i < f->n && !f->incomplete; i++)
		err = family_add_corrections(f, h, i, view);
	if (err == VT_OK)
		entry_standing_judge(f->member,
				     f->n); /* the entry itself stays first: it is the oldest */
	return err;
}

static bool corrects(const struct entry_standing *s, const struct entry_standing *target)
{
	return s->corrects && s->target.index == target->index &&
	       merkle_hash_equal(&s->target.leaf, &target->leaf);
}

/* The parties for whom a correction ends the standing of the family's first. */
static enum vt_err describe_effect(struct json **out, const struct entry_standing *correction,
				   const struct entry_standing *target)
{
	struct json *list = json_new_array();
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 0; i < target->n && err == VT_OK; i++)
		if (entry_standing_takes_effect(correction, target, target->party[i].name))
			err = json_push(list, json_new_str(target->party[i].name));
	return finish(out, list, err);
}

static enum vt_err describe_correction(struct json **out, const struct entry_standing *s,
				       const struct family *f)
{
	struct json *j = json_new_object(), *parties;
	enum vt_err err = VT_ENOMEM;

	if (j == NULL || (err = json_set(j, "index", new_index(s->index))) != VT_OK ||
	    (err = json_set(j, "leafHash", new_hex(&s->leaf))) != VT_OK ||
	    (err = json_set(j, "action", json_new_str(s->withdraws ? "withdraw" : "replace"))) !=
		VT_OK ||
	    f->incomplete || (err = describe_effect(&parties, s, &f->member[0])) != VT_OK)
		goto done;
	err = json_set(j, "parties", parties);
done:
	return finish(out, j, err);
}

enum vt_err describe_standing(struct json **out, const struct entry_standing *s)
{
	struct json *list = json_new_array();
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 0; i < s->n && err == VT_OK; i++) {
		const struct entry_standing_party *p = &s->party[i];
		struct json *j = json_new_object();

		if ((err = json_set(j, "party", json_new_str(p->name))) == VT_OK &&
		    (err = json_set(j, "stands", json_new_bool(p->stands))) == VT_OK &&
		    !p->stands && (err = json_set(j, "by", new_index(p->by))) == VT_OK)
			err = json_set(j, "action",
				       json_new_str(p->withdrawn ? "withdraw" : "replace"));
		if (err == VT_OK)
			err = json_push(list, j);
		else
			json_free(j);
	}
	return finish(out, list, err);
}

/* correctedBy, and correctedByMore where there are more than are listed. */
static enum vt_err set_corrections(struct json *parent, const struct family *f)
{
	struct json *list = json_new_array();
	struct json *correction;
	bool more = false;
	enum vt_err err = list == NULL ? VT_ENOMEM : VT_OK;

	for (size_t i = 1; i < f->n && err == VT_OK && !more; i++) {
		if (!corrects(&f->member[i], &f->member[0]))
			continue;
		more = json_count(list) == DESCRIBE_CORRECTIONS_MAX;
		if (!more && (err = describe_correction(&correction, &f->member[i], f)) == VT_OK)
			err = json_push(list, correction);
	}
	if (err != VT_OK) {
		json_free(list);
		return err;
	}
	if ((err = json_set(parent, "correctedBy", list)) != VT_OK || !more)
		return err;
	return json_set(parent, "correctedByMore", json_new_bool(true));
}

static enum vt_err describe_corrections(struct json *parent, struct merkle_hasher *h,
					const struct logged_entry *e,
					const struct admission_view *view)
{
	struct family f = {.member = NULL};
	struct json *standing;
	enum vt_err err;

	if ((err = family_gather(&f, h, e, view)) != VT_OK ||
	    (err = set_corrections(parent, &f)) != VT_OK)
		goto done;
	/* What a registry entry says is in force until a newer one: nothing corrects it. */
	if (bytes_is(e->statement.predicate_type, PREDICATE_ACCREDITATION))
		goto done;
	if (f.incomplete)
		err = json_set(parent, "standingUnknown", json_new_bool(true));
	else if ((err = describe_standing(&standing, &f.member[0])) == VT_OK)
		err = json_set(parent, "standing", standing);
done:
	free(f.member);
	return err;
}

/* -- entries ------------------------------------------------------------------------------------- */

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
