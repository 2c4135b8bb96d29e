/* GET /api/v1/entries/{index}/proof?size= and GET /api/v1/leaves/{hash}: inclusion proofs as JSON. */
#include "handler.h"

static struct json *proof_object(uint64_t index, const struct merkle_hash *leaf,
				 const struct tree_head *head, const struct merkle_proof *proof,
				 struct json *checkpoint, struct json *policy_met)
{
	return JSON_OBJECT_OF(
	    {"index", json_new_uint(index)}, {"leafHash", json_new_hash(leaf)},
	    {"treeSize", json_new_uint(head->size)}, {"rootHash", json_new_hash(&head->root)},
	    {"hashes", json_proof(proof)}, {"checkpoint", checkpoint}, {"policyMet", policy_met});
}

static void answer_proof(struct http_exchange *x, struct log_worker *w, const struct api *api,
			 uint64_t index, uint64_t size, bool fixed)
{
	struct http_response r;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	struct bytes text;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	err = log_inclusion(w, index, size, &leaf, &proof, &head, &note);
	if (err == VT_ENOTFOUND || (err == VT_EINVAL && !fixed)) {
		api_problem(x, "beyond-published",
			    "the published tree is not that large; see /checkpoint");
	} else if (err == VT_EINVAL) {
		api_problem(x, "query-invalid", "size: entry %llu is not in a tree of %llu entries",
			    (unsigned long long)index, (unsigned long long)size);
	} else if (err != VT_OK) {
		api_problem_err(x, err, "proving the entry");
	} else {
		text = buf_bytes(&note);
		/* A proof for a given size never changes, but the checkpoint beside it may gain cosignatures. */
		api_response_init(&r, 200, "application/json",
				  fixed && text.len == 0 ? API_CACHE_IMMUTABLE : API_CACHE_CHECK);
		api_send_json(
		    x, &r,
		    proof_object(index, &leaf, &head, &proof,
				 text.len > 0 ? json_new_text(text) : json_absent(),
				 text.len > 0 ? json_policy_met(w, api, text) : json_absent()));
	}
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
