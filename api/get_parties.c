/* GET /api/v1/parties[?after=&limit=] and /api/v1/parties/{id}: accreditations, each with the entry that made it so. */
#include <string.h>

#include "describe.h"
#include "entry_query.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 1000,
};

struct parties {
	const char *only; /* a party's id; NULL: a page of all */
	uint64_t after, limit, next;
	struct json *found;
	uint64_t published;
};

static enum vt_err read_parties(void *ctx, const struct registry *registry, uint64_t published)
{
	struct parties *p = ctx;

	p->published = published;
	return p->only ? describe_party(&p->found, registry, published, p->only)
		       : describe_parties(&p->found, registry, published, p->after,
					  (size_t)p->limit, &p->next);
}

static void answer_parties(struct http_exchange *x, struct log_worker *w, struct parties *p)
{
	struct http_response r;
	struct json *j;
	enum vt_err err = log_with_registry(w, read_parties, p);

	if (err == VT_ENOTFOUND) {
		api_problem(x, "not-found", "no party of this name was ever accredited");
		return;
	} else if (err != VT_OK) {
		api_problem_err(x, err, "reading the registry");
		return;
	}
	j = p->only ? p->found : JSON_OBJECT_OF({"parties", p->found});
	json_add(&j, "treeSize", json_new_uint(p->published));
	if (p->next != 0)
		json_add(&j, "next", json_new_uint(p->next));
	api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
	if (p->next != 0)
		http_response_header(&r, "Link", "<parties?after=%llu&limit=%llu>; rel=\"next\"",
				     (unsigned long long)p->next, (unsigned long long)p->limit);
	api_send_json(x, &r, j);
}

void handle_parties(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {"after", "limit", NULL};
	struct parties p = {.limit = LIMIT_DEFAULT};

	(void)app;
	if (api_only(x, names) && api_query_number(x, "after", 0, SIZE_LIMIT, &p.after, NULL) &&
	    api_query_number(x, "limit", 1, LIMIT_MAX, &p.limit, NULL))
		answer_parties(x, thread, &p);
}

void handle_party(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};
	struct conditions c;
	struct buf id;
	enum vt_err err;

	(void)app;
	if (!api_only(x, none))
		return;
	buf_init(&id);
	conditions_init(&c);
	if ((err = http_decode(&id, api_segment(x, 3))) != VT_OK)
		api_problem_err(x, err, "id: percent-encoding");
	else if (conditions_take(x, &c, CONDITION_PARTY, buf_bytes(&id)))
		answer_parties(x, thread, &(struct parties){.only = c.text[CONDITION_PARTY]});
	conditions_release(&c);
	buf_release(&id);
}
