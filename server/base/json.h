/*
 * Strict JSON: I-JSON (RFC 7493) in, compact or indented text out. The only user of jansson.
 *
 * A value that json_parse() or a json_new_*() returned is owned by the caller until it is freed or
 * handed to what builds (below), which takes it over even when it fails. Everything that a
 * getter returns is borrowed from the value and lives as long as it does.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "vitrine/bytes.h"
#include "vitrine/merkle.h"

enum {
	JSON_DEPTH_MAX = 32,
	JSON_ANSWER_DEPTH_MAX =
	    JSON_DEPTH_MAX + 16, /* of an API's answer, which wraps such values */
};

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_INTEGER,
	JSON_REAL,
	JSON_TEXT,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json;

/* jansson exports functions of these two names, which ours must not replace when a program is
 * linked. */
#define json_integer vt_json_integer
#define json_copy    vt_json_copy

struct json_error {
	size_t offset;  /* bytes into the text, as far as it can be told */
	char text[160]; /* printable ASCII, e.g. "duplicate member name near '\"a\"'" */
};

/*
 * Parse one JSON value that fills the whole text. Refused, each with its reason in *why (may be
 * NULL): invalid UTF-8, a noncharacter or unpaired surrogate escape, a duplicate member, a byte
 * after the value, depth over JSON_DEPTH_MAX (scanned before the parser recurses), a number (with a
 * fraction or without) outside +-(2^53 - 1), U+0000 in a member name. VT_EMALFORMED, VT_ELIMIT
 * (depth; 2 GiB), VT_ENOMEM. *out is NULL on failure. The caller bounds the text's length.
 */
enum vt_err json_parse(struct json **out, struct bytes text, struct json_error *why);
/* The same with another bound on the depth, at most JSON_ANSWER_DEPTH_MAX (VT_EINVAL). */
enum vt_err json_parse_to(struct json **out, struct bytes text, size_t depth,
			  struct json_error *why);
void json_free(struct json *j);

enum json_kind json_kind(const struct json *j);  /* JSON_NULL for NULL */
const char *json_kind_name(enum json_kind kind); /* "a string", "an object", ... */
/* NULL if j is not an object or has no such member. */
const struct json *json_member(const struct json *j, const char *name);
size_t json_count(const struct json *j); /* elements or members; 0 for everything else */
const struct json *json_at(const struct json *j, size_t i); /* NULL beyond the end */
/* Members in the order they were written: i from 0. false at the end. name is NUL-terminated too.
 * Walks from the first member: for all of them use json_next_member(). */
bool json_member_at(const struct json *j, size_t i, struct bytes *name, const struct json **value);
/* All members in turn, from a cursor of {0}; the object must not change meanwhile. false at the
 * end, and at once for what is no object. */
struct json_cursor {
	void *iter;
	bool done;
};
bool json_next_member(const struct json *j, struct json_cursor *at, struct bytes *name,
		      const struct json **value);
/* The getters below return false, and leave *out alone, if j is NULL or of another kind. */
bool json_text(const struct json *j, struct bytes *out); /* may hold NULs; data is NUL-terminated */
bool json_integer(const struct json *j, int64_t *out);
bool json_bool(const struct json *j, bool *out);

struct json *json_new_object(void); /* these return NULL when there is no memory */
struct json *json_new_array(void);
struct json *json_new_text(struct bytes utf8); /* NULL also if it is not UTF-8 */
struct json *json_new_str(const char *utf8);
struct json *json_new_integer(int64_t n);
struct json *json_new_uint(uint64_t n);                     /* NULL also beyond 2^53 - 1 */
struct json *json_new_hash(const struct merkle_hash *hash); /* lower-case hex */
struct json *json_new_base64(struct bytes raw);
struct json *json_new_bool(bool b);
struct json *json_new_null(void);
struct json *json_copy(const struct json *j); /* deep */

/*
 * Building remembers its first failure as NULL, so that nobody asks but at the end: a value that could not be made spoils
 * what it is put into, and json_write() of NULL is VT_ENOMEM. A new object with these members, in this order:
 *
 *	return JSON_OBJECT_OF({"index", json_new_uint(index)}, {"name", name ? json_new_str(name) : json_absent()});
 */
struct json_named {
	const char *name;
	struct json *value;
};
#define JSON_OBJECT_OF(...)                                                                        \
	json_object_of((const struct json_named[]){__VA_ARGS__},                                   \
		       sizeof((const struct json_named[]){__VA_ARGS__}) /                          \
			   sizeof(struct json_named))
struct json *json_object_of(const struct json_named *member, size_t n);
/* Stands for a member (element) that is left out. Never to be read. */
struct json *json_absent(void);
/* Put one more in; on failure *object (*array) is freed and becomes NULL. */
void json_add(struct json **object, const char *name, struct json *value);
void json_add_element(struct json **array, struct json *value);

/* value NULL: VT_ENOMEM, so that a failed json_new_*() can be passed straight on. The same goes for
 * the container. A name that is there already keeps its place and takes the new value.
 * VT_EINVAL: not an object (array), the container itself, or a name that is not UTF-8. */
enum vt_err json_set(struct json *object, const char *name, struct json *value);
enum vt_err json_push(struct json *array, struct json *value);

enum json_style {
	JSON_COMPACT,  /* no white space, members in the order they were set */
	JSON_INDENTED, /* two spaces, for people */
};
/* Append the text; no trailing newline. Text beyond ASCII stays as it is, "/" too. VT_ENOMEM, also if j is NULL: out's contents
 * are unchanged, and it remembers the failure. */
enum vt_err json_write(struct buf *out, const struct json *j, enum json_style style);

#endif
