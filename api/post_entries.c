/* POST /api/v1/entries: append a record; answered when it is durable and published. */
#include <stdlib.h>

#include "append.h"
#include "dsse.h"

/* A longer keyid is a mere name, and was sent by whoever asks. */
enum { KEYID_SHOWN_MAX = 256 };

static struct json *proof_object(uint64_t index, const struct tree_head *head,
				 const struct merkle_proof *proof)
{
	struct json *j = json_new_object();

	if (j == NULL || json_set(j, "index", json_size(index)) != VT_OK ||
	    json_set(j, "treeSize", json_size(head->size)) != VT_OK ||
	    json_set(j, "rootHash", json_hash(&head->root)) != VT_OK ||
	    json_set(j, "hashes", json_proof(proof)) != VT_OK) {
		json_free(j);
		return NULL;
	}
	return j;
}

static bool has_signer(const struct dsse *entry, struct bytes keyid)
{
	for (size_t i = 0; i < entry->n; i++)
		if (bytes_equal(entry->sig[i].keyid, keyid))
			return true;
	return false;
}

/* Signature i, unless whoever made it is among the entry's signers. */
static enum vt_err list_dropped(struct json *list, const struct dsse *came, size_t i,
				const struct record_sent *sent, const struct dsse *entry)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct bytes keyid = came->sig[i].keyid;
	struct json *one;
	enum vt_err err;

	if (sent->kept[i]) {
		hex_encode(hex, bytes_of(sent->keyid[i].b, MERKLE_HASH_SIZE));
		keyid = bytes_str(hex);
	}
	if (has_signer(entry, keyid))
		return VT_OK;
	one = json_new_object();
	if ((err = json_set(one, "signature", json_size(i))) == VT_OK && keyid.len > 0 &&
	    keyid.len <= KEYID_SHOWN_MAX)
		err = json_set(one, "keyid", json_new_text(keyid));
	if (err == VT_OK)
		return json_push(list, one);
	json_free(one);
	return err;
}

/* Which of the signatures that came are not in the entry: of keys that nobody knows, or of a payload that the log had with other
 * signatures. One that came alone is, or there would be no entry. */
static enum vt_err set_dropped(struct json *j, struct bytes body, struct log_worker *w,
			       const struct log_answer *answer)
{
	struct json *list = json_new_array();
	struct problem why = {0};
	struct dsse came, entry;
	struct buf bytes;
	enum vt_err err = VT_OK;

	buf_init(&bytes);
	dsse_init(&came);
	dsse_init(&entry);
	if (answer->sent.n > 1 && (err = dsse_parse(&came, body, &why)) == VT_OK &&
	    (err = log_entry(w, answer->index, &bytes)) == VT_OK)
		err = dsse_parse(&entry, buf_bytes(&bytes), &why);
	for (size_t i = 0; i < came.n && err == VT_OK; i++)
		err = list_dropped(list, &came, i, &answer->sent, &entry);
	if (err == VT_OK && json_count(list) > 0) {
		err = json_set(j, "droppedSignatures", list);
		list = NULL;
	}
	json_free(list);
	dsse_release(&entry);
	dsse_release(&came);
	buf_release(&bytes);
	return err;
}

static void answer_json(struct http_exchange *x, struct http_response *r, struct log_worker *w,
			const struct api *api, const struct log_answer *answer)
{
	struct json *j = json_new_object();
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	if ((err = log_inclusion(w, answer->index, 0, &leaf, &proof, &head, &note)) != VT_OK) {
		http_response_release(r);
		api_problem_err(x, err, "proving the entry");
		goto done;
	}
	if (j == NULL || json_set(j, "index", json_size(answer->index)) != VT_OK ||
	    json_set(j, "leafHash", json_hash(&leaf)) != VT_OK ||
	    json_set(j, "known", json_new_bool(answer->outcome == LOG_KNOWN)) != VT_OK ||
	    json_set(j, "checkpoint", json_new_text(buf_bytes(&note))) != VT_OK ||
	    json_set(j, "inclusionProof", proof_object(answer->index, &head, &proof)) != VT_OK ||
	    json_set_policy_met(j, w, api, buf_bytes(&note)) != VT_OK ||
	    set_dropped(j, http_request(x)->body, w, answer) != VT_OK) {
		json_free(j);
		j = NULL;
	}
	api_send_json(x, r, j);
	j = NULL; /* freed by api_send_json() */
done:
	buf_release(&note);
	json_free(j);
}

static void answer_append(struct http_exchange *x, void *thread, void *app)
{
	struct append *a = http_state(x);
	struct http_response r;
	unsigned status = a->answer.outcome == LOG_ADDED ? 201 : 200;
	enum vt_err err;

	if (append_failed(x, a))
		goto done;
	if (http_prefers(x, "text/plain", "application/json")) {
		api_response_init(&r, status, "text/plain; charset=utf-8", API_CACHE_NONE);
		if ((err = log_tlog_proof(thread, a->answer.index, &r.body)) != VT_OK) {
			http_response_release(&r);
			if (err == VT_EUNTRUSTED)
				api_policy_not_met(x, a->answer.index);
			else
				api_problem_err(x, err, "proving the entry");
			goto done;
		}
		http_response_header(&r, "Location", "entries/%llu",
				     (unsigned long long)a->answer.index);
		http_respond(x, &r);
	} else {
		api_response_init(&r, status, "application/json", API_CACHE_NONE);
		http_response_header(&r, "Location", "entries/%llu",
				     (unsigned long long)a->answer.index);
		answer_json(x, &r, thread, app, &a->answer);
	}
done:
	free(a);
}

void handle_entries_post(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {"key", NULL};
	struct merkle_hash hint;
	struct buf key;
	bool given, ok;

	buf_init(&key);
	ok = api_only(x, names) && api_query_text(x, "key", &key, &given) &&
	     (!given || api_hash(x, buf_bytes(&key), "query-invalid", "key", &hint));
	buf_release(&key);
	if (ok)
		append_begin(x, thread, app, given ? &hint : NULL, answer_append);
}
