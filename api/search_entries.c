/* GET /api/v1/entries?subject=&type=&party=&result=&order=&after=&before=&limit=: search; the conditions are ANDed. */
#include <stdlib.h>

#include "entry_query.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 1000,
};

/* A page that has become too dear ends early: *found is cut, and says where to go on. */
static void cut_page(struct log_search_result *found, size_t n, bool newest_first)
{
	if (n == found->n)
		return;
	found->more = true;
	found->next = found->index[n] + newest_first;
	found->n = n;
}

static struct json *result_object(struct log_worker *w, const struct log_search *what,
				  struct log_search_result *found)
{
	struct json *list = json_new_array(), *entry;
	size_t i = 0, bytes = 0, read;

	for (; i < found->n && list != NULL && bytes < PAGE_BYTES_MAX; i++) {
		/* NULL on failure, which the list remembers. */
		if (entry_summary(&entry, &read, w, LOG_RECORDS, found->index[i]) == VT_OK)
			bytes += read;
		json_add_element(&list, entry);
	}
	cut_page(found, i, what->newest_first);
	return JSON_OBJECT_OF({"treeSize", json_new_uint(found->size)},
			      {"next", found->more ? json_new_uint(found->next) : json_absent()},
			      {"entries", list});
}

static void add_next_link(struct http_response *r, const struct log_search *what,
			  const struct log_search_result *found)
{
	uint64_t after = what->newest_first ? what->after : found->next;
	uint64_t before = what->newest_first ? found->next : what->before;
	struct buf query;

	buf_init(&query);
	buf_appendf(&query, "limit=%zu", what->limit);
	if (what->newest_first)
		buf_append_str(&query, "&order=desc");
	if (after > 0)
		buf_appendf(&query, "&after=%llu", (unsigned long long)after);
	if (before > 0)
		buf_appendf(&query, "&before=%llu", (unsigned long long)before);
	conditions_append(&query, what->conditions);
	if (buf_error(&query) == VT_OK)
		http_response_header(r, "Link", "<entries?%.*s>; rel=\"next\"", (int)query.len,
				     (const char *)query.data);
	buf_release(&query);
}

static void search(struct http_exchange *x, struct log_worker *w, const struct log_search *what)
{
	struct log_search_result *found = malloc(sizeof(*found));
	struct http_response r;
	enum vt_err err = found ? log_search(w, what, found) : VT_ENOMEM;

	if (err != VT_OK) {
		api_problem_err(x, err, "searching");
	} else {
		struct json *page = result_object(w, what, found);

		api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
		if (found->more)
			add_next_link(&r, what, found);
		api_send_json(x, &r, page);
	}
	free(found);
}

struct accredited {
	const char *party;
	uint64_t size;
	bool yes;
};

static enum vt_err look_for_party(void *ctx, const struct registry *registry, uint64_t published)
{
	struct accredited *a = ctx;
	const struct registered_key *first = registry_of_party(registry, a->party, 0);

	a->size = published;
	a->yes = first != NULL && first->history[0].index < published;
	return VT_OK;
}

/*
 * Nobody but a party signs, so a party that no published entry accredits has nothing to be found: most likely the name is
 * wrong. (A stream or a feed takes the name: it lasts, and may be waiting for exactly that.)
 */
static bool party_known(struct http_exchange *x, struct log_worker *w, const struct conditions *c)
{
	struct accredited a = {.party = c->text[CONDITION_PARTY]};
	enum vt_err err;

	if (a.party == NULL)
		return true;
	if ((err = log_with_registry(w, look_for_party, &a)) != VT_OK)
		api_problem_err(x, err, "reading the registry");
	else if (!a.yes)
		api_problem(x, "query-invalid",
			    "party=\"%s\": none of the %llu published entries accredits a party "
			    "of this name; /api/v1/parties lists those that there are",
			    a.party, (unsigned long long)a.size);
	return err == VT_OK && a.yes;
}

static bool query_order(struct http_exchange *x, bool *newest_first)
{
	char shown[64];
	struct buf order;
	bool given, ok;

	buf_init(&order);
	ok = api_query_text(x, "order", &order, &given);
	*newest_first = ok && given && bytes_is(buf_bytes(&order), "desc");
	if (ok && given && !*newest_first && !bytes_is(buf_bytes(&order), "asc")) {
		api_problem(x, "query-invalid",
			    "order=\"%s\": expected asc (lowest index first) or desc",
			    problem_quote(shown, sizeof(shown), buf_bytes(&order)));
		ok = false;
	}
	buf_release(&order);
	return ok;
}

static bool query_range(struct http_exchange *x, struct log_search *what)
{
	if (!api_query_number(x, "after", 0, SIZE_LIMIT, &what->after, NULL) ||
	    !api_query_number(x, "before", 1, SIZE_LIMIT, &what->before, NULL))
		return false;
	if (what->before == 0 || what->after < what->before)
		return true;
	api_problem(x, "query-invalid",
		    "after=%llu, before=%llu: no index is from the one on and below the other",
		    (unsigned long long)what->after, (unsigned long long)what->before);
	return false;
}

void handle_entries_search(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {CONDITION_NAMES, "order", "after",
					    "before",        "limit", NULL};
	struct conditions c;
	struct log_search what = {.conditions = &c};
	uint64_t limit = LIMIT_DEFAULT;

	(void)app;
	conditions_init(&c);
	if (api_only(x, names) && conditions_query(x, &c) && query_order(x, &what.newest_first) &&
	    query_range(x, &what) && api_query_number(x, "limit", 1, LIMIT_MAX, &limit, NULL) &&
	    party_known(x, thread, &c)) {
		what.limit = (size_t)limit;
		search(x, thread, &what);
	}
	conditions_release(&c);
}
