/* GET /api/v1/entries?subject=&type=&party=&result=&after=&limit=: search; the conditions are ANDed. */
#include <stdlib.h>

#include "conditions.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 1000,
	PAGE_BYTES_MAX =
	    1 << 20, /* of the entries that one page reads and takes apart, but for the last */
};

/* A page that has become too dear ends early: *found is cut, and says where to go on. */
static void cut_page(struct log_search_result *found, size_t n)
{
	if (n == found->n)
		return;
	found->more = true;
	found->next = found->index[n];
	found->n = n;
}

static struct json *result_object(struct log_worker *w, struct log_search_result *found)
{
	struct json *j = json_new_object(), *list = json_new_array();
	enum vt_err err = list ? VT_OK : VT_ENOMEM;
	size_t i = 0, bytes = 0;

	for (; i < found->n && err == VT_OK && bytes < PAGE_BYTES_MAX; i++) {
		struct json *entry;
		size_t read;

		if ((err = entry_summary(&entry, &read, w, LOG_RECORDS, found->index[i])) != VT_OK)
			break;
		bytes += read;
		err = json_push(list, entry);
	}
	cut_page(found, i);
	if (err == VT_OK)
		err = json_set(j, "treeSize", json_size(found->size));
	if (err == VT_OK && found->more)
		err = json_set(j, "next", json_size(found->next));
	if (err != VT_OK) {
		json_free(list);
		json_free(j);
		return NULL;
	}
	if (json_set(j, "entries", list) != VT_OK) {
		json_free(j);
		return NULL;
	}
	return j;
}

static void add_next_link(struct http_response *r, const struct conditions *c,
			  const struct log_search_result *found, uint64_t limit)
{
	struct buf rest;

	buf_init(&rest);
	if (conditions_append(&rest, c) == VT_OK)
		http_response_header(r, "Link",
				     "</api/v1/entries?after=%llu&limit=%llu%.*s>; rel=\"next\"",
				     (unsigned long long)found->next, (unsigned long long)limit,
				     (int)rest.len, rest.len ? (const char *)rest.data : "");
	buf_release(&rest);
}

static void search(struct http_exchange *x, struct log_worker *w, const struct conditions *c,
		   uint64_t after, uint64_t limit)
{
	struct log_search what = conditions_search(c, after, (size_t)limit);
	struct log_search_result *found = malloc(sizeof(*found));
	struct http_response r;
	enum vt_err err = found ? log_search(w, &what, found) : VT_ENOMEM;

	if (err != VT_OK) {
		conditions_problem(x, err);
	} else {
		struct json *page = result_object(w, found);

		api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
		if (found->more)
			add_next_link(&r, c, found, limit);
		api_send_json(x, &r, page);
	}
	free(found);
}

void handle_entries_search(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {CONDITION_NAMES, "after", "limit", NULL};
	struct conditions c;
	uint64_t after = 0, limit = LIMIT_DEFAULT;

	(void)app;
	conditions_init(&c);
	if (api_only(x, names) && conditions_query(x, &c) &&
	    api_query_number(x, "after", 0, INT64_MAX, &after, NULL) &&
	    api_query_number(x, "limit", 1, LIMIT_MAX, &limit, NULL))
		search(x, thread, &c, after, limit);
	conditions_release(&c);
}
