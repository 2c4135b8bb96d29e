/* GET /api/v1/entries/{index}/proof?size= and GET /api/v1/leaves/{hash}: inclusion proofs as JSON. */
#include "handler.h"

static void answer_proof(struct http_exchange *x, struct log_worker *w, const struct api *api,
			 uint64_t index, uint64_t size, bool fixed)
{
	struct http_response r;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	struct json *j = NULL;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	err = log_inclusion(w, index, size, &leaf, &proof, &head, &note);
	if (err == VT_ENOTFOUND || (err == VT_EINVAL && !fixed)) {
		api_problem(x, "beyond-published",
			    "the published tree is not that large; see /checkpoint");
		goto done;
	} else if (err == VT_EINVAL) {
		api_problem(x, "query-invalid", "size: entry %llu is not in a tree of %llu entries",
			    (unsigned long long)index, (unsigned long long)size);
		goto done;
	} else if (err != VT_OK) {
		api_problem_err(x, err, "proving the entry");
		goto done;
	}
	j = json_new_object();
	if (j == NULL || json_set(j, "index", json_size(index)) != VT_OK ||
	    json_set(j, "leafHash", json_hash(&leaf)) != VT_OK ||
	    json_set(j, "treeSize", json_size(head.size)) != VT_OK ||
	    json_set(j, "rootHash", json_hash(&head.root)) != VT_OK ||
	    json_set(j, "hashes", json_proof(&proof)) != VT_OK ||
	    (note.len > 0 && (json_set(j, "checkpoint", json_new_text(buf_bytes(&note))) != VT_OK ||
			      json_set_policy_met(j, w, api, buf_bytes(&note)) != VT_OK))) {
		json_free(j);
		j = NULL;
	}
	/* A proof for a given size never changes, but the checkpoint beside it may gain cosignatures. */
	api_response_init(&r, 200, "application/json",
			  fixed && note.len == 0 ? API_CACHE_IMMUTABLE : API_CACHE_CHECK);
	api_send_json(x, &r, j);
done:
	buf_release(&note);
}

void handle_entry_proof(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {"size", NULL};
	uint64_t index, size = 0;
	bool given;

	if (api_only(x, names) && api_index_segment(x, 3, "index", &index) &&
	    api_query_number(x, "size", 1, SIZE_LIMIT, &size, &given))
		answer_proof(x, thread, app, index, size, given);
}

void handle_leaf(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};
	struct merkle_hash leaf;
	uint64_t index;
	enum vt_err err;

	if (!api_only(x, none) || !api_hash(x, api_segment(x, 3), "bad-request", "hash", &leaf))
		return;
	err = log_leaf(thread, &leaf, &index);
	if (err == VT_OK)
		answer_proof(x, thread, app, index, 0, false);
	else if (err == VT_ENOTFOUND)
		api_problem(x, "not-found", "no published entry has this leaf hash");
	else
		api_problem_err(x, err, "looking for the leaf hash");
}
