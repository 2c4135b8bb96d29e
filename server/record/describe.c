#include "describe.h"

#include <stdlib.h>
#include <string.h>

#include "entry_standing.h"
#include "json.h"
#include "record_impl.h"

/* Either the finished value or nothing. */
static enum vt_err finish(struct json **out, struct json *value, enum vt_err err)
{
	if (err == VT_OK && value == NULL)
		err = VT_ENOMEM;
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
	enum vt_err err;

	*out = NULL;
	if ((err = logged_entry_keyid(&keyid, e, i)) != VT_OK)
		return err;
	key = registry_find(view->registry, &keyid);
	if (key == NULL)
		return VT_EMISMATCH;
	if ((err = signer_basis_find(&basis, h, e, key, view)) != VT_OK)
		return err;
	*out = JSON_OBJECT_OF(
	    {"keyid", json_new_hash(&keyid)}, {"party", json_new_str(key->party)},
	    {"role", json_new_str(key->role)},
	    {"scheme", json_new_str(key_scheme_name(key->scheme))},
	    {"accreditation", json_new_uint(basis.accreditation)},
	    {"sealed", basis.by_sealed ? json_new_uint(basis.sealed) : json_absent()});
	return *out != NULL ? VT_OK : VT_ENOMEM;
}

static enum vt_err describe_signers(struct json **out, struct merkle_hasher *h,
				    const struct logged_entry *e, const struct admission_view *view)
{
	struct json *list = json_new_array();
	struct json *signer;
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < e->envelope.n && err == VT_OK; i++)
		if ((err = describe_signer(&signer, h, e, i, view)) == VT_OK)
			json_add_element(&list, signer);
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
static struct json *describe_effect(const struct entry_standing *correction,
				    const struct entry_standing *target)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < target->n; i++)
		if (entry_standing_takes_effect(correction, target, target->party[i].name))
			json_add_element(&list, json_new_str(target->party[i].name));
	return list;
}

static struct json *describe_correction(const struct entry_standing *s, const struct family *f)
{
	return JSON_OBJECT_OF(
	    {"index", json_new_uint(s->index)}, {"leafHash", json_new_hash(&s->leaf)},
	    {"action", json_new_str(s->withdraws ? "withdraw" : "replace")},
	    {"parties", f->incomplete ? json_absent() : describe_effect(s, &f->member[0])});
}

struct json *describe_standing(const struct entry_standing *s)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct entry_standing_party *p = &s->party[i];
		struct json *j = JSON_OBJECT_OF({"party", json_new_str(p->name)},
						{"stands", json_new_bool(p->stands)});

		if (!p->stands) {
			json_add(&j, "by", json_new_uint(p->by));
			json_add(&j, "action", json_new_str(p->withdrawn ? "withdraw" : "replace"));
		}
		json_add_element(&list, j);
	}
	return list;
}

/* correctedBy, and correctedByMore where there are more than are listed. */
static void add_corrected_by(struct json **parent, const struct family *f)
{
	struct json *list = json_new_array();
	bool more = false;

	for (size_t i = 1; i < f->n && !more; i++) {
		if (!corrects(&f->member[i], &f->member[0]))
			continue;
		more = json_count(list) == DESCRIBE_CORRECTIONS_MAX;
		if (!more)
			json_add_element(&list, describe_correction(&f->member[i], f));
	}
	json_add(parent, "correctedBy", list);
	if (more)
		json_add(parent, "correctedByMore", json_new_bool(true));
}

static enum vt_err add_corrections(struct json **parent, struct merkle_hasher *h,
				   const struct logged_entry *e, const struct admission_view *view)
{
	struct family f = {.member = NULL};
	enum vt_err err = family_gather(&f, h, e, view);

	if (err == VT_OK) {
		add_corrected_by(parent, &f);
		/* What a registry entry says is in force until a newer one: nothing corrects it. */
		if (bytes_is(e->statement.predicate_type, PREDICATE_ACCREDITATION))
			;
		else if (f.incomplete)
			json_add(parent, "standingUnknown", json_new_bool(true));
		else
			json_add(parent, "standing", describe_standing(&f.member[0]));
	}
	free(f.member);
	return err;
}

/* -- entries ------------------------------------------------------------------------------------- */

static enum vt_err describe_logged(struct json **out, struct merkle_hasher *h,
				   const struct logged_entry *e, const struct admission_view *view)
{
	struct json *signers = NULL, *envelope = NULL, *j;
	enum vt_err err;

	if ((err = describe_signers(&signers, h, e, view)) != VT_OK ||
	    (err = json_parse(&envelope, buf_bytes(&e->bytes), NULL)) != VT_OK) {
		json_free(signers);
		return err;
	}
	j = JSON_OBJECT_OF({"index", json_new_uint(e->index)},
			   {"leafHash", json_new_hash(&e->leaf)},
			   {"payloadType", json_new_str(DSSE_PAYLOAD_TYPE)},
			   {"predicateType", json_new_text(e->statement.predicate_type)},
			   {"statement", json_copy(e->statement.json)}, {"signers", signers});
	err = add_corrections(&j, h, e, view);
	json_add(&j, "envelope", envelope);
	return finish(out, j, err);
}

enum vt_err describe_entry(struct json **out, struct merkle_hasher *h, uint64_t index,
			   struct bytes entry, const struct admission_view *view)
{
	struct logged_entry e;
	enum vt_err err;

	*out = NULL;
	if (index >= view->size)
		return VT_EINVAL;
	if ((err = logged_entry_parse(&e, index, entry)) != VT_OK)
		return err == VT_EMISMATCH ? VT_EMALFORMED : err;
	err = describe_logged(out, h, &e, view);
	logged_entry_release(&e);
	return err;
}

/* -- parties -------------------------------------------------------------------------------------
 */

static struct json *list_texts(char *const *text, size_t n)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < n; i++)
		json_add_element(&list, json_new_str(text[i]));
	return list;
}

static struct json *describe_accreditation(const struct accreditation *a)
{
	return JSON_OBJECT_OF(
	    {"index", json_new_uint(a->index)}, {"leafHash", json_new_hash(&a->leaf)},
	    {"status", json_new_str(accreditation_status_name(a->status))},
	    {"predicateTypes", list_texts(a->predicate_type, a->n_predicate_types)},
	    {"keyidAliases", list_texts(a->alias, a->n_aliases)},
	    {"validUntil", a->valid_until != NULL ? json_new_str(a->valid_until) : json_absent()});
}

static struct json *describe_history(const struct registered_key *key, uint64_t index)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < key->n && key->history[i].index < index; i++)
		json_add_element(&list, describe_accreditation(&key->history[i]));
	return list;
}

static struct json *describe_key(const struct registered_key *key, const struct accreditation *now,
				 uint64_t index)
{
	return JSON_OBJECT_OF({"keyid", json_new_hash(party_key_id(key->key))},
			      {"role", json_new_str(key->role)},
			      {"scheme", json_new_str(key_scheme_name(key->scheme))},
			      {"spki", json_new_base64(party_key_spki(key->key))},
			      {"status", json_new_str(accreditation_status_name(now->status))},
			      {"accreditation", json_new_uint(now->index)},
			      {"history", describe_history(key, index)});
}

enum vt_err describe_party(struct json **out, const struct registry *registry, uint64_t index,
			   const char *party)
{
	struct json *keys = json_new_array();
	enum vt_err err = VT_ENOTFOUND;

	for (size_t i = 0;; i++) {
		const struct registered_key *key = registry_of_party(registry, party, i);
		const struct accreditation *now =
		    key == NULL ? NULL : registry_accreditation(key, index);

		if (now == NULL) /* and so are those that were registered later */
			break;
		json_add_element(&keys, describe_key(key, now, index));
		err = VT_OK;
	}
	return finish(out, JSON_OBJECT_OF({"party", json_new_str(party)}, {"keys", keys}), err);
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
	enum vt_err err = VT_OK;

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
		json_add_element(&list, item);
	}
	return finish(out, list, err);
}
