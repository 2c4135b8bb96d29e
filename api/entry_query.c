/* Conditions from and to a query; and what a list shows of an entry. */
#include "entry_query.h"

#include <string.h>

bool conditions_take(struct http_exchange *x, struct conditions *c, enum condition which,
		     struct bytes value)
{
	char why[CONDITIONS_WHY_MAX];
	enum vt_err err = conditions_add(c, which, value, why);

	if (err == VT_OK)
		return true;
	api_problem(x, err == VT_ENOMEM ? "unavailable" : "query-invalid", "%s", why);
	return false;
}

bool conditions_query(struct http_exchange *x, struct conditions *c)
{
	bool ok = true;

	for (int i = 0; i < CONDITIONS_N && ok; i++) {
		struct buf value;
		bool given;

		buf_init(&value);
		ok = api_query_text(x, condition_names[i], &value, &given) &&
		     (!given || conditions_take(x, c, (enum condition)i, buf_bytes(&value)));
		buf_release(&value);
	}
	return ok;
}

static void append_condition(struct buf *out, const char *name, const char *value)
{
	buf_appendf(out, "&%s=", name);
	for (; *value != '\0'; value++) {
		uint8_t c = (uint8_t)*value;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~:/", c) != NULL;

		if (plain)
			buf_append_byte(out, c);
		else
			buf_appendf(out, "%%%02X", c);
	}
}

void conditions_append(struct buf *out, const struct conditions *c)
{
	for (size_t i = 0; i < CONDITIONS_N; i++)
		if (c->text[i] != NULL)
			append_condition(out, condition_names[i], c->text[i]);
}

/* -- entries in short ----------------------------------------------------------------------------- */

static struct json *member_copy(const struct json *from, const char *name)
{
	const struct json *value = json_member(from, name);

	return value != NULL ? json_copy(value) : json_absent();
}

/* A test verdict's result; other predicates may use the word for something else. */
static struct json *result_copy(const struct json *statement)
{
	struct bytes type;

	if (!json_text(json_member(statement, "predicateType"), &type) ||
	    !bytes_is(type, PREDICATE_TEST_RESULT))
		return json_absent();
	return member_copy(json_member(statement, "predicate"), "result");
}

static enum vt_err summarise_record(struct json **out, size_t *read, struct log_worker *w,
				    uint64_t index)
{
	struct json *full = NULL;
	const struct json *statement;
	enum vt_err err = log_describe(w, index, &full, read);

	if (err != VT_OK)
		return err;
	statement = json_member(full, "statement");
	*out = JSON_OBJECT_OF(
	    {"index", member_copy(full, "index")}, {"leafHash", member_copy(full, "leafHash")},
	    {"predicateType", member_copy(full, "predicateType")},
	    {"subject", member_copy(statement, "subject")}, {"result", result_copy(statement)},
	    {"signers", member_copy(full, "signers")},
	    {"correctedBy", member_copy(full, "correctedBy")},
	    {"correctedByMore", member_copy(full, "correctedByMore")},
	    {"standing", member_copy(full, "standing")},
	    {"standingUnknown", member_copy(full, "standingUnknown")});
	json_free(full);
	return *out != NULL ? VT_OK : VT_ENOMEM;
}

static enum vt_err summarise_raw(struct json **out, size_t *read, struct log_worker *w,
				 uint64_t index)
{
	struct merkle_hash leaf;
	struct buf entry;
	enum vt_err err;

	buf_init(&entry);
	if ((err = log_entry(w, index, &entry)) == VT_OK &&
	    (err = merkle_hash_leaf(&leaf, log_worker_hasher(w), buf_bytes(&entry))) == VT_OK &&
	    (*out = JSON_OBJECT_OF({"index", json_new_uint(index)},
				   {"leafHash", json_new_hash(&leaf)})) == NULL)
		err = VT_ENOMEM;
	*read = entry.len;
	buf_release(&entry);
	return err;
}

enum vt_err entry_summary(struct json **out, size_t *read, struct log_worker *w, enum log_mode mode,
			  uint64_t index)
{
	*out = NULL;
	return mode == LOG_RAW ? summarise_raw(out, read, w, index)
			       : summarise_record(out, read, w, index);
}
