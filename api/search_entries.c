/* GET /api/v1/entries?subject=&type=&party=&result=&after=&limit=: search; the conditions are ANDed. */
#include <stdlib.h>
#include <string.h>

#include "handler.h"
#include "statement.h"

enum {
	LIMIT_DEFAULT = 100,
	LIMIT_MAX = 1000,
};

struct conditions {
	struct buf subject, type, party, result;
};

static bool query_text(struct http_exchange *x, const char *name, struct buf *out)
{
	enum vt_err err = http_query(out, x, name);

	if (err == VT_ENOTFOUND || (err == VT_OK && out->len > 0 && utf8_valid(buf_bytes(out))))
		return true;
	if (err == VT_ENOMEM)
		api_problem_err(x, err, name);
	else
		api_problem(x, "query-invalid", "%s: empty, repeated, or not UTF-8", name);
	return false;
}

static enum vt_err copy_member(struct json *into, const struct json *from, const char *name)
{
	const struct json *value = json_member(from, name);

	return value ? json_set(into, name, json_copy(value)) : VT_OK;
}

/* A test verdict's result; other predicates may use the word for something else. */
static enum vt_err copy_result(struct json *into, const struct json *statement)
{
	struct bytes type;

	if (!json_text(json_member(statement, "predicateType"), &type) ||
	    !bytes_is(type, PREDICATE_TEST_RESULT))
		return VT_OK;
	return copy_member(into, json_member(statement, "predicate"), "result");
}

/* What a list shows of a record: enough to choose which one to open. */
static struct json *summary(struct log_worker *w, uint64_t index)
{
	struct json *full = NULL, *j = json_new_object();
	const struct json *statement;
	enum vt_err err = log_describe(w, index, &full);

	statement = json_member(full, "statement");
	if (err != VT_OK || (err = copy_member(j, full, "index")) != VT_OK ||
	    (err = copy_member(j, full, "leafHash")) != VT_OK ||
	    (err = copy_member(j, full, "predicateType")) != VT_OK ||
	    (err = copy_member(j, statement, "subject")) != VT_OK ||
	    (err = copy_result(j, statement)) != VT_OK ||
	    (err = copy_member(j, full, "signers")) != VT_OK ||
	    (err = copy_member(j, full, "correctedBy")) != VT_OK) {
		json_free(j);
		j = NULL;
	}
	json_free(full);
	return j;
}

static struct json *result_object(struct log_worker *w, const struct log_search_result *found)
{
	struct json *j = json_new_object(), *list = json_new_array();
	enum vt_err err = list ? VT_OK : VT_ENOMEM;

	for (size_t i = 0; i < found->n && err == VT_OK; i++)
		err = json_push(list, summary(w, found->index[i]));
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

static enum vt_err append_condition(struct buf *out, const char *name, const struct buf *value)
{
	enum vt_err err;

	if (value->len == 0)
		return VT_OK;
	if ((err = buf_append_byte(out, '&')) != VT_OK ||
	    (err = buf_append_str(out, name)) != VT_OK ||
	    (err = buf_append_byte(out, '=')) != VT_OK)
		return err;
	for (size_t i = 0; i < value->len && err == VT_OK; i++) {
		uint8_t c = value->data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~:/", c) != NULL;
		err = plain && c != 0 ? buf_append_byte(out, c) : buf_appendf(out, "%%%02X", c);
	}
	return err;
}

static void add_next_link(struct http_response *r, const struct conditions *c,
			  const struct log_search_result *found, uint64_t limit)
{
	struct buf rest;

	buf_init(&rest);
	if (append_condition(&rest, "subject", &c->subject) == VT_OK &&
	    append_condition(&rest, "type", &c->type) == VT_OK &&
	    append_condition(&rest, "party", &c->party) == VT_OK &&
	    append_condition(&rest, "result", &c->result) == VT_OK)
		http_response_header(r, "Link",
				     "</api/v1/entries?after=%llu&limit=%llu%.*s>; rel=\"next\"",
				     (unsigned long long)found->next, (unsigned long long)limit,
				     (int)rest.len, rest.len ? (const char *)rest.data : "");
	buf_release(&rest);
}

static void search(struct http_exchange *x, struct log_worker *w, const struct conditions *c,
		   uint64_t after, uint64_t limit)
{
	struct log_search what = {buf_bytes(&c->subject),
				  buf_bytes(&c->type),
				  buf_bytes(&c->party),
				  buf_bytes(&c->result),
				  after,
				  (size_t)limit};
	struct log_search_result *found = malloc(sizeof(*found));
	struct http_response r;
	enum vt_err err = found ? log_search(w, &what, found) : VT_ENOMEM;

	if (err == VT_EINVAL || err == VT_EMALFORMED) {
		api_problem(
		    x, "query-invalid",
		    "subject: expected sha256:<64 lower-case hex digits> or another strong digest");
	} else if (err != VT_OK) {
		api_problem_err(x, err, "searching");
	} else {
		api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
		if (found->more)
			add_next_link(&r, c, found, limit);
		api_send_json(x, &r, result_object(w, found));
	}
	free(found);
}

static bool query_result(struct http_exchange *x, struct buf *out)
{
	struct bytes result;

	if (!query_text(x, "result", out))
		return false;
	result = buf_bytes(out);
	if (result.len == 0 || bytes_is(result, "PASSED") || bytes_is(result, "WARNED") ||
	    bytes_is(result, "FAILED"))
		return true;
	api_problem(x, "query-invalid", "result: expected PASSED, WARNED or FAILED");
	return false;
}

void handle_entries_search(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {"subject", "type",  "party", "result",
					    "after",   "limit", NULL};
	struct conditions c;
	uint64_t after = 0, limit = LIMIT_DEFAULT;

	(void)app;
	buf_init(&c.subject);
	buf_init(&c.type);
	buf_init(&c.party);
	buf_init(&c.result);
	if (api_only(x, names) && query_text(x, "subject", &c.subject) &&
	    query_text(x, "type", &c.type) && query_text(x, "party", &c.party) &&
	    query_result(x, &c.result) &&
	    api_query_number(x, "after", 0, INT64_MAX, &after, NULL) &&
	    api_query_number(x, "limit", 1, LIMIT_MAX, &limit, NULL))
		search(x, thread, &c, after, limit);
	buf_release(&c.subject);
	buf_release(&c.type);
	buf_release(&c.party);
	buf_release(&c.result);
}
