/* GET /api/v1/tree-heads[?at=|size=|after=&limit=]: published checkpoints over time. */
#include "handler.h"

#include "clock.h"
#include "vitrine/checkpoint.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 1000,
};

struct listing {
	struct json *array;
	size_t n;
	uint64_t last;
};

static enum vt_err root_of(struct merkle_hash *root, struct bytes note)
{
	struct checkpoint cp;
	struct note *n;
	enum vt_err err;

	if ((err = note_parse(&n, note)) == VT_OK) {
		if ((err = checkpoint_parse(&cp, n->text)) == VT_OK)
			*root = cp.head.root;
		note_free(n);
	}
	return err;
}

enum vt_err json_tree_head(struct json **out, const struct store_checkpoint *cp)
{
	struct merkle_hash root;
	char when[CLOCK_RFC3339_SIZE];
	enum vt_err err;

	*out = NULL;
	clock_format_rfc3339(when, cp->time);
	if ((err = root_of(&root, cp->note)) != VT_OK)
		return err;
	*out =
	    JSON_OBJECT_OF({"seq", json_new_uint(cp->seq)}, {"treeSize", json_new_uint(cp->size)},
			   {"rootHash", json_new_hash(&root)}, {"time", json_new_str(when)},
			   {"checkpoint", json_new_text(cp->note)});
	return *out != NULL ? VT_OK : VT_ENOMEM;
}

static enum vt_err list_one(void *ctx, const struct store_checkpoint *cp)
{
	struct listing *l = ctx;
	struct json *j;
	enum vt_err err = json_tree_head(&j, cp);

	if (err != VT_OK)
		return err;
	l->n++;
	l->last = cp->seq;
	json_add_element(&l->array, j);
	return l->array != NULL ? VT_OK : VT_ENOMEM;
}

static bool query_time(struct http_exchange *x, uint64_t *at, bool *given)
{
	char shown[64];
	struct buf text;
	int64_t seconds;
	bool ok;

	buf_init(&text);
	ok = api_query_text(x, "at", &text, given);
	if (ok && *given) {
		ok = clock_parse_rfc3339(&seconds, buf_bytes(&text)) == VT_OK && seconds >= 0;
		if (ok)
			*at = (uint64_t)seconds;
		else
			api_problem(
			    x, "query-invalid",
			    "at=\"%s\": expected an RFC 3339 time such as 2026-11-22T14:00:00Z",
			    problem_quote(shown, sizeof(shown), buf_bytes(&text)));
	}
	buf_release(&text);
	return ok;
}

void handle_tree_heads(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {"at", "size", "after", "limit", NULL};
	struct http_response r;
	struct listing l = {NULL, 0, 0};
	uint64_t at = 0, size = 0, after = 0, limit = LIMIT_DEFAULT;
	bool have_at, have_size, have_after, have_limit;
	enum vt_err err;

	(void)app;
	if (!api_only(x, names) || !query_time(x, &at, &have_at) ||
	    !api_query_number(x, "size", 0, SIZE_LIMIT, &size, &have_size) ||
	    !api_query_number(x, "after", 0, SIZE_LIMIT, &after, &have_after) ||
	    !api_query_number(x, "limit", 1, LIMIT_MAX, &limit, &have_limit))
		return;
	if (have_at + have_size + have_after > 1) {
		api_problem(x, "query-invalid", "at, size and after exclude each other");
		return;
	}
	if (have_limit && (have_at || have_size)) {
		api_problem(x, "query-invalid",
			    "limit: at and size are answered with one tree head");
		return;
	}
	l.array = json_new_array();
	err = l.array == NULL ? VT_ENOMEM
	      : have_at       ? log_tree_head_at(thread, at, list_one, &l)
	      : have_size     ? log_tree_head_covering(thread, size, list_one, &l)
			      : log_tree_heads(thread, after, limit, list_one, &l);
	if (err == VT_ENOTFOUND)
		err = VT_OK; /* nothing was published by then, or of that size: an empty list */
	if (err != VT_OK) {
		json_free(l.array);
		api_problem_err(x, err, "reading the tree heads");
		return;
	}
	api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
	if (!have_at && !have_size && l.n == limit)
		http_response_header(&r, "Link", "<tree-heads?after=%llu&limit=%llu>; rel=\"next\"",
				     (unsigned long long)l.last, (unsigned long long)limit);
	api_send_json(x, &r, JSON_OBJECT_OF({"treeHeads", l.array}));
}
