/* The search's conditions, which the event stream and the feed share; and what a list shows of an entry. */
#include "conditions.h"

#include <string.h>

#include "statement.h"

void conditions_init(struct conditions *c)
{
	buf_init(&c->subject);
	buf_init(&c->type);
	buf_init(&c->party);
	buf_init(&c->result);
}

void conditions_release(struct conditions *c)
{
	buf_release(&c->subject);
	buf_release(&c->type);
	buf_release(&c->party);
	buf_release(&c->result);
}

bool conditions_any(const struct conditions *c)
{
	return c->subject.len + c->type.len + c->party.len + c->result.len > 0;
}

bool conditions_equal(const struct conditions *a, const struct conditions *b)
{
	return bytes_equal(buf_bytes(&a->subject), buf_bytes(&b->subject)) &&
	       bytes_equal(buf_bytes(&a->type), buf_bytes(&b->type)) &&
	       bytes_equal(buf_bytes(&a->party), buf_bytes(&b->party)) &&
	       bytes_equal(buf_bytes(&a->result), buf_bytes(&b->result));
}

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

bool conditions_query(struct http_exchange *x, struct conditions *c)
{
	return query_text(x, "subject", &c->subject) && query_text(x, "type", &c->type) &&
	       query_text(x, "party", &c->party) && query_result(x, &c->result);
}

struct log_search conditions_search(const struct conditions *c, uint64_t after, size_t limit)
{
	return (struct log_search){
	    .subject = buf_bytes(&c->subject),
	    .type = buf_bytes(&c->type),
	    .party = buf_bytes(&c->party),
	    .result = buf_bytes(&c->result),
	    .after = after,
	    .limit = limit,
	};
}

void conditions_problem(struct http_exchange *x, enum vt_err err)
{
	if (err == VT_EINVAL || err == VT_EMALFORMED)
		api_problem(
		    x, "query-invalid",
		    "subject: expected sha256:<64 lower-case hex digits> or another strong digest");
	else
		api_problem_err(x, err, "searching");
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

enum vt_err conditions_append(struct buf *out, const struct conditions *c)
{
	enum vt_err err;

	if ((err = append_condition(out, "subject", &c->subject)) != VT_OK ||
	    (err = append_condition(out, "type", &c->type)) != VT_OK ||
	    (err = append_condition(out, "party", &c->party)) != VT_OK)
		return err;
	return append_condition(out, "result", &c->result);
}

/* -- entries in short ----------------------------------------------------------------------------- */

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

static enum vt_err summarise_record(struct json *into, size_t *read, struct log_worker *w,
				    uint64_t index)
{
	struct json *full = NULL;
	const struct json *statement;
	struct bytes payload = bytes_of(NULL, 0);
	enum vt_err err = log_describe(w, index, &full);

	(void)json_text(json_member(json_member(full, "envelope"), "payload"), &payload);
	*read = payload.len;
	statement = json_member(full, "statement");
	if (err == VT_OK && (err = copy_member(into, full, "index")) == VT_OK &&
	    (err = copy_member(into, full, "leafHash")) == VT_OK &&
	    (err = copy_member(into, full, "predicateType")) == VT_OK &&
	    (err = copy_member(into, statement, "subject")) == VT_OK &&
	    (err = copy_result(into, statement)) == VT_OK &&
	    (err = copy_member(into, full, "signers")) == VT_OK)
		err = copy_member(into, full, "correctedBy");
	json_free(full);
	return err;
}

static enum vt_err summarise_raw(struct json *into, size_t *read, struct log_worker *w,
				 uint64_t index)
{
	struct merkle_hash leaf;
	struct buf entry;
	enum vt_err err;

	buf_init(&entry);
	if ((err = log_entry(w, index, &entry)) == VT_OK &&
	    (err = merkle_hash_leaf(&leaf, log_worker_hasher(w), buf_bytes(&entry))) == VT_OK &&
	    (err = json_set(into, "index", json_size(index))) == VT_OK)
		err = json_set(into, "leafHash", json_hash(&leaf));
	*read = entry.len;
	buf_release(&entry);
	return err;
}

enum vt_err entry_summary(struct json **out, size_t *read, struct log_worker *w, enum log_mode mode,
			  uint64_t index)
{
	struct json *j = json_new_object();
	enum vt_err err = VT_ENOMEM;
	size_t bytes;

	*out = NULL;
	if (j != NULL)
		err = mode == LOG_RAW ? summarise_raw(j, &bytes, w, index)
				      : summarise_record(j, &bytes, w, index);
	if (err == VT_OK && read != NULL)
		*read = bytes;
	if (err == VT_OK)
		*out = j;
	else
		json_free(j);
	return err;
}
