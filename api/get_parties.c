/* GET /api/v1/parties and /api/v1/parties/{id}: accreditations, each with the entry that made it so. */
#include <string.h>

#include "handler.h"

struct parties {
	struct json *array;
	struct bytes only; /* a party's id; empty: all */
	uint64_t published;
};

static enum vt_err text_list(struct json *into, const char *name, char *const *text, size_t n)
{
	struct json *list = json_new_array();
	enum vt_err err = list ? VT_OK : VT_ENOMEM;

	for (size_t i = 0; i < n && err == VT_OK; i++)
		err = json_push(list, json_new_str(text[i]));
	if (err != VT_OK) {
		json_free(list);
		return err;
	}
	return json_set(into, name, list);
}

static enum vt_err add_accreditation(struct json *list, const struct accreditation *a)
{
	struct json *j = json_new_object();
	enum vt_err err;

	if ((err = json_set(j, "index", json_size(a->index))) != VT_OK ||
	    (err = json_set(j, "leafHash", json_hash(&a->leaf))) != VT_OK ||
	    (err = json_set(j, "status", json_new_str(accreditation_status_name(a->status)))) !=
	        VT_OK ||
	    (err = text_list(j, "predicateTypes", a->predicate_type, a->n_predicate_types)) !=
	        VT_OK ||
	    (err = text_list(j, "keyidAliases", a->alias, a->n_aliases)) != VT_OK ||
	    (a->valid_until != NULL &&
	        (err = json_set(j, "validUntil", json_new_str(a->valid_until))) != VT_OK)) {
		json_free(j);
		return err;
	}
	return json_push(list, j);
}

static struct json *key_object(const struct registered_key *key, uint64_t published)
{
	struct json *j = json_new_object(), *list = json_new_array();
	enum vt_err err = j && list ? VT_OK : VT_ENOMEM;

	for (size_t i = 0; i < key->n && err == VT_OK; i++)
		if (key->history[i].index < published)
			err = add_accreditation(list, &key->history[i]);
	if (err != VT_OK || json_set(j, "keyid", json_hash(party_key_id(key->key))) != VT_OK ||
	    json_set(j, "scheme", json_new_str(key_scheme_name(key->scheme))) != VT_OK ||
	    json_set(j, "role", json_new_str(key->role)) != VT_OK ||
	    json_set(j, "spki", json_base64(party_key_spki(key->key))) != VT_OK) {
		json_free(list);
		json_free(j);
		return NULL;
	}
	if (json_set(j, "accreditations", list) != VT_OK) {
		json_free(j);
		return NULL;
	}
	return j;
}

static bool listed_before(const struct registry *registry, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(registry_at(registry, k)->party, registry_at(registry, i)->party) == 0)
			return true;
	return false;
}

static enum vt_err add_party(struct parties *p, const struct registry *registry, size_t first)
{
	const char *id = registry_at(registry, first)->party;
	struct json *j = json_new_object(), *keys = json_new_array();
	enum vt_err err = j && keys ? VT_OK : VT_ENOMEM;

	for (size_t i = first; i < registry_count(registry) && err == VT_OK; i++) {
		const struct registered_key *key = registry_at(registry, i);
		if (strcmp(key->party, id) == 0 && key->history[0].index < p->published)
			err = json_push(keys, key_object(key, p->published));
	}
	if (err != VT_OK || (err = json_set(j, "id", json_new_str(id))) != VT_OK) {
		json_free(keys);
		json_free(j);
		return err;
	}
	if ((err = json_set(j, "keys", keys)) != VT_OK) {
		json_free(j);
		return err;
	}
	return json_push(p->array, j);
}

static enum vt_err list_parties(void *ctx, const struct registry *registry, uint64_t published)
{
	struct parties *p = ctx;
	enum vt_err err = VT_OK;

	p->published = published;
	for (size_t i = 0; i < registry_count(registry) && err == VT_OK; i++) {
		const struct registered_key *key = registry_at(registry, i);
		if (key->history[0].index >= published ||
		    (p->only.len > 0 && !bytes_is(p->only, key->party)) ||
		    listed_before(registry, i))
			continue;
		err = add_party(p, registry, i);
	}
	return err;
}

/* The id in a path may hold percent-encoded bytes: parties are named by text. */
static bool decode_id(struct http_exchange *x, struct buf *out)
{
	struct bytes id = api_segment(x, 3);

	for (size_t i = 0; i < id.len; i++) {
		uint8_t byte = id.data[i];
		if (byte == '%') {
			/* Path segments may use either case; the shared decoder takes lower case only. */
			char digits[2];
			for (size_t k = 0; k < 2; k++) {
				if (i + 1 + k >= id.len)
					return false;
				digits[k] = (char)id.data[i + 1 + k];
				if (digits[k] >= 'A' && digits[k] <= 'F')
					digits[k] = (char)(digits[k] - 'A' + 'a');
			}
			if (hex_decode_exact(&byte, 1, bytes_of(digits, 2)) != VT_OK)
				return false;
			i += 2;
		}
		if (buf_append_byte(out, byte) != VT_OK)
			return false;
	}
	return true;
}

static void answer_parties(struct http_exchange *x, struct log_worker *w, struct bytes only)
{
	struct parties p = {json_new_array(), only, 0};
	struct http_response r;
	struct json *j = NULL;
	enum vt_err err = p.array ? log_with_registry(w, list_parties, &p) : VT_ENOMEM;

	if (err != VT_OK) {
		json_free(p.array);
		api_problem_err(x, err, "reading the registry");
		return;
	}
	if (only.len > 0) {
		if (json_count(p.array) == 0) {
			json_free(p.array);
			api_problem(x, "not-found", "no party of this name is accredited");
			return;
		}
		j = json_copy(json_at(p.array, 0));
		json_free(p.array);
		if (j != NULL && json_set(j, "treeSize", json_size(p.published)) != VT_OK) {
			json_free(j);
			j = NULL;
		}
	} else {
		j = json_new_object();
		if (json_set(j, "treeSize", json_size(p.published)) != VT_OK) {
			json_free(j);
			j = NULL;
		}
		if (j == NULL)
			json_free(p.array);
		else if (json_set(j, "parties", p.array) != VT_OK) {
			json_free(j);
			j = NULL;
		}
	}
	api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
	api_send_json(x, &r, j);
}

void handle_parties(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};

	(void)app;
	if (api_only(x, none))
		answer_parties(x, thread, bytes_of(NULL, 0));
}

void handle_party(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};
	struct buf id;

	(void)app;
	if (!api_only(x, none))
		return;
	buf_init(&id);
	if (decode_id(x, &id) && id.len > 0)
		answer_parties(x, thread, buf_bytes(&id));
	else
		api_problem(x, "bad-request", "id: percent-encoding is broken");
	buf_release(&id);
}
