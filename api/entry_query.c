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

static enum vt_err append_condition(struct buf *out, const char *name, const char *value)
{
	enum vt_err err = buf_appendf(out, "&%s=", name);

	for (; *value != '\0' && err == VT_OK; value++) {
		uint8_t c = (uint8_t)*value;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr("-._~:/", c) != NULL;
		err = plain ? buf_append_byte(out, c) : buf_appendf(out, "%%%02X", c);
	}
	return err;
}

enum vt_err conditions_append(struct buf *out, const struct conditions *c)
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < CONDITIONS_N && err == VT_OK; i++)
		if (c->text[i] != NULL)
			err = append_condition(out, condition_names[i], c->text[i]);
	return err;
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

static enum vt_err copy_corrections(struct json *into, const struct json *full)
{
	static const char *const names[] = {"correctedBy", "correctedByMore", "standing",
					    "standingUnknown"};
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names) && err == VT_OK; i++)
		err = copy_member(into, full, names[i]);
	return err;
}

static enum vt_err summarise_record(struct json *into, size_t *read, struct log_worker *w,
				    uint64_t index)
{
	struct json *full = NULL;
	const struct json *statement;
	enum vt_err err = log_describe(w, index, &full, read);

	statement = json_member(full, "statement");
	if (err == VT_OK && (err = copy_member(into, full, "index")) == VT_OK &&
	    (err = copy_member(into, full, "leafHash")) == VT_OK &&
	    (err = copy_member(into, full, "predicateType")) == VT_OK &&
	    (err = copy_member(into, statement, "subject")) == VT_OK &&
	    (err = copy_result(into, statement)) == VT_OK &&
	    (err = copy_member(into, full, "signers")) == VT_OK)
		err = copy_corrections(into, full);
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
