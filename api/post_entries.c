/* POST /api/v1/entries: append a record; answered when it is durable and published. */
#include <stdlib.h>

#include "append.h"

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
	    json_set_policy_met(j, w, api, buf_bytes(&note)) != VT_OK) {
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
