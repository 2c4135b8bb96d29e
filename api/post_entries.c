/* POST /api/v1/entries: append a record; answered when it is durable and published. */
#include <stdlib.h>

#include "append.h"
#include "dsse.h"

/* A longer keyid is a mere name, and was sent by whoever asks. */
enum { KEYID_SHOWN_MAX = 256 };

static struct json *proof_object(uint64_t index, const struct tree_head *head,
				 const struct merkle_proof *proof)
{
	return JSON_OBJECT_OF(
	    {"index", json_new_uint(index)}, {"treeSize", json_new_uint(head->size)},
	    {"rootHash", json_new_hash(&head->root)}, {"hashes", json_proof(proof)});
}

static bool has_signer(const struct dsse *entry, struct bytes keyid)
{
	for (size_t i = 0; i < entry->n; i++)
		if (bytes_equal(entry->sig[i].keyid, keyid))
			return true;
	return false;
}

/* Signature i, unless whoever made it is among the entry's signers. */
static void list_dropped(struct json **list, const struct dsse *came, size_t i,
			 const struct record_sent *sent, const struct dsse *entry)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct bytes keyid = came->sig[i].keyid;
	bool shown;

	if (sent->kept[i]) {
		hex_encode(hex, bytes_of(sent->keyid[i].b, MERKLE_HASH_SIZE));
		keyid = bytes_str(hex);
	}
	if (has_signer(entry, keyid))
		return;
	shown = keyid.len > 0 && keyid.len <= KEYID_SHOWN_MAX;
	json_add_element(list,
			 JSON_OBJECT_OF({"signature", json_new_uint(i)},
					{"keyid", shown ? json_new_text(keyid) : json_absent()}));
}

/* Which of the signatures that came are not in the entry: of keys that nobody knows, or of a payload that the log had with other
 * signatures. One that came alone is, or there would be no entry. */
static struct json *dropped(struct bytes body, struct log_worker *w,
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
		list_dropped(&list, &came, i, &answer->sent, &entry);
	if (list != NULL && (err != VT_OK || json_count(list) == 0)) {
		json_free(list);
		list = err != VT_OK ? NULL : json_absent();
	}
	dsse_release(&entry);
	dsse_release(&came);
	buf_release(&bytes);
	return list;
}

static void answer_json(struct http_exchange *x, struct http_response *r, struct log_worker *w,
			const struct api *api, const struct log_answer *answer)
{
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	if ((err = log_inclusion(w, answer->index, 0, &leaf, &proof, &head, &note)) != VT_OK) {
		http_response_release(r);
		api_problem_err(x, err, "proving the entry");
	} else {
		api_send_json(
		    x, r,
		    JSON_OBJECT_OF(
			{"index", json_new_uint(answer->index)}, {"leafHash", json_new_hash(&leaf)},
			{"known", json_new_bool(answer->outcome == LOG_KNOWN)},
			{"checkpoint", json_new_text(buf_bytes(&note))},
			{"inclusionProof", proof_object(answer->index, &head, &proof)},
			{"policyMet", json_policy_met(w, api, buf_bytes(&note))},
			{"droppedSignatures", dropped(http_request(x)->body, w, answer)}));
	}
	buf_release(&note);
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
