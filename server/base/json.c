/* jansson's enumerators go by another name here, because json.h has some of the same. */
#define JSON_OBJECT  JANSSON_OBJECT
#define JSON_ARRAY   JANSSON_ARRAY
#define JSON_INTEGER JANSSON_INTEGER
#define JSON_REAL    JANSSON_REAL
#define JSON_NULL    JANSSON_NULL
#include <jansson.h>
#undef JSON_OBJECT
#undef JSON_ARRAY
#undef JSON_INTEGER
#undef JSON_REAL
#undef JSON_NULL

enum {
	JANSSON_COMPACT = JSON_COMPACT,
	JANSSON_INDENT_TWO = JSON_INDENT(2),
};
#undef JSON_COMPACT

/* Before json.h takes the name over. */
static json_t *jansson_integer(json_int_t n)
{
	return json_integer(n);
}

#include "json.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>

static const uint64_t INTEGER_MAX = (UINT64_C(1) << 53) - 1;

/* A struct json is a json_t, never anything else. jansson's iterators want it writable, but do not
 * write. */
static json_t *inner(const struct json *j)
{
	return (json_t *)(uintptr_t)j;
}

static struct json *outer(json_t *j)
{
	return (struct json *)j;
}

/*
 * jansson reports some failed allocations as syntax errors, and its lexer drops a byte and goes on
 * when it cannot grow a token. So every allocation of jansson's passes here, and a parse during
 * which one failed counts for nothing.
 */
static _Thread_local bool starved;

static void *note_starvation(size_t size)
{
	void *p = malloc(size);
	if (p == NULL)
		starved = true;
	return p;
}

static void install_allocator(void)
{
	json_set_alloc_funcs(note_starvation, free);
}

__attribute__((format(printf, 4, 5))) static enum vt_err
refuse(struct json_error *why, enum vt_err err, size_t offset, const char *fmt, ...)
{
	if (why == NULL)
		return err;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(why->text, sizeof(why->text), fmt, ap);
	va_end(ap);
	why->offset = offset;
	return err;
}

/*
 * The scan: everything that jansson would take and I-JSON does not, and the depth, before the
 * parser recurses. It judges strings and integers and counts brackets; the grammar is jansson's.
 */
struct scan {
	struct bytes text;
	size_t at;
	size_t depth; /* at most */
	struct json_error *why;
};

static size_t sequence_length(uint8_t lead)
{
	return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

static enum vt_err scan_utf8(const struct scan *s)
{
	struct bytes text = s->text;
	if (utf8_valid(text))
		return VT_OK;
	size_t at = 0;
	while (at < text.len) {
		size_t n = sequence_length(text.data[at]);
		if (n > text.len - at || !utf8_valid(bytes_of(text.data + at, n)))
			break;
		at += n;
	}
	return refuse(s->why, VT_EMALFORMED, at, "not UTF-8");
}

/* RFC 7493 section 2.1: "MUST NOT include code points that identify Surrogates or Noncharacters".
 */
static enum vt_err check_code_point(const struct scan *s, size_t offset, uint32_t c)
{
	if ((c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe)
		return refuse(s->why, VT_EMALFORMED, offset, "noncharacter U+%04X in a string",
			      (unsigned)c);
	return VT_OK;
}

/* One code point that stands for itself. The text is known to be UTF-8. */
static enum vt_err scan_plain(struct scan *s)
{
	static const uint8_t lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	size_t start = s->at;
	size_t n = sequence_length(s->text.data[start]);
	uint32_t c = s->text.data[start] & lead_bits[n];
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (s->text.data[start + i] & 0x3f);
	if (c < 0x20)
		return refuse(s->why, VT_EMALFORMED, start,
			      "control character U+%04X in a string must be escaped", (unsigned)c);
	s->at += n;
	return check_code_point(s, start, c);
}

/* The four digits of a \u escape, with s->at on the backslash. */
static bool scan_unit(struct scan *s, uint32_t *unit)
{
	if (s->text.len - s->at < 6 || s->text.data[s->at] != '\\' ||
	    s->text.data[s->at + 1] != 'u')
		return false;
	*unit = 0;
	for (size_t i = 2; i < 6; i++) {
		uint8_t c = s->text.data[s->at + i];
		uint32_t digit;
		if (c >= '0' && c <= '9')
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20u) - 'a' + 10;
		else
			return false;
		*unit = *unit << 4 | digit;
	}
	s->at += 6;
	return true;
}

static enum vt_err scan_escape(struct scan *s)
{
	size_t start = s->at;
	if (s->text.len - start < 2)
		return refuse(s->why, VT_EMALFORMED, start, "the text ends inside a string");
	uint8_t kind = s->text.data[start + 1];
	if (kind != 'u') {
		if (kind == 0 || strchr("\"\\/bfnrt", kind) == NULL)
			return refuse(s->why, VT_EMALFORMED, start, "unknown escape in a string");
		s->at += 2;
		return VT_OK;
	}
	uint32_t c, low;
	if (!scan_unit(s, &c))
		return refuse(s->why, VT_EMALFORMED, start, "\\u takes four hex digits");
	if (c >= 0xdc00 && c <= 0xdfff)
		return refuse(s->why, VT_EMALFORMED, start, "unpaired surrogate \\u%04X",
			      (unsigned)c);
	if (c >= 0xd800 && c <= 0xdbff) {
		if (!scan_unit(s, &low) || low < 0xdc00 || low > 0xdfff)
			return refuse(s->why, VT_EMALFORMED, start, "unpaired surrogate \\u%04X",
				      (unsigned)c);
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	return check_code_point(s, start, c);
}

static enum vt_err scan_string(struct scan *s)
{
	enum vt_err err;
	size_t start = s->at++;
	while (s->at < s->text.len) {
		uint8_t c = s->text.data[s->at];
		if (c == '"') {
			s->at++;
			return VT_OK;
		}
		if ((err = c == '\\' ? scan_escape(s) : scan_plain(s)) != VT_OK)
			return err;
	}
	return refuse(s->why, VT_EMALFORMED, start, "the string that begins here does not end");
}

/* A number with a fraction or an exponent, by the very conversion that the parser will use. */
static enum vt_err real_in_range(struct bytes number, bool *in_range)
{
	starved = false;
	json_t *j = json_loadb((const char *)number.data, number.len, JSON_DECODE_ANY, NULL);
	/* NULL: not a number, or not representable. The parser will say so itself. */
	*in_range = j == NULL || fabs(json_real_value(j)) <= (double)INTEGER_MAX;
	json_decref(j);
	return starved ? VT_ENOMEM : VT_OK;
}

/*
 * RFC 7493 section 2.2: outside [-(2**53)+1, (2**53)-1] readers do not agree on a number. This
 * holds for 1e20 as well, which some of them take for an integer.
 */
static enum vt_err scan_number(struct scan *s)
{
	size_t start = s->at;
	bool integer = true, in_range = true;
	uint64_t n = 0;
	for (; s->at < s->text.len; s->at++) {
		uint8_t c = s->text.data[s->at];
		if (c >= '0' && c <= '9') {
			n = n * 10 + (c - '0');
			if (n > INTEGER_MAX)
				in_range = false;
			if (!in_range)
				n = 0; /* decided: and no overflow */
		} else if (c == '.' || c == 'e' || c == 'E') {
			integer = false;
		} else if (c != '+' && c != '-') {
			break;
		}
	}
	if (!integer &&
	    real_in_range(bytes_of(s->text.data + start, s->at - start), &in_range) != VT_OK)
		return refuse(s->why, VT_ENOMEM, 0, "out of memory");
	if (!in_range)
		return refuse(s->why, VT_EMALFORMED, start,
			      "a number must lie within +-(2^53 - 1)");
	return VT_OK;
}

static enum vt_err scan(struct scan *s)
{
	enum vt_err err;
	size_t depth = 0;
	if ((err = scan_utf8(s)) != VT_OK)
		return err;
	while (s->at < s->text.len) {
		uint8_t c = s->text.data[s->at];
		if (c == '"') {
			err = scan_string(s);
		} else if (c == '-' || (c >= '0' && c <= '9')) {
			err = scan_number(s);
		} else {
			if (c == '[' || c == '{')
				depth++;
			else if ((c == ']' || c == '}') && depth > 0)
				depth--;
			if (depth > s->depth)
				return refuse(s->why, VT_ELIMIT, s->at,
					      "nested deeper than %zu levels", s->depth);
			s->at++;
		}
		if (err != VT_OK)
			return err;
	}
	return VT_OK;
}

/* jansson's own words, which quote the text: only where that is plain enough to show anywhere. */
static enum vt_err refuse_as_jansson(struct json_error *why, json_error_t *theirs)
{
	for (const char *p = theirs->text; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~') {
			char *near = strstr(theirs->text, " near ");
			if (near != NULL)
				*near = '\0';
			break;
		}
	}
	size_t offset = theirs->position < 0 ? 0 : (size_t)theirs->position;
	switch (json_error_code(theirs)) {
	case json_error_premature_end_of_input:
		return refuse(why, VT_EMALFORMED, offset, "the text ends too early");
	case json_error_end_of_input_expected:
		return refuse(why, VT_EMALFORMED, offset, "something follows the value");
	case json_error_null_byte_in_key:
		return refuse(why, VT_EMALFORMED, offset, "a member name holds U+0000");
	case json_error_duplicate_key:
		return refuse(why, VT_EMALFORMED, offset, "duplicate member name%s",
			      strlen(theirs->text) > strlen("duplicate object key")
				  ? theirs->text + strlen("duplicate object key")
				  : "");
	default:
		return refuse(why, VT_EMALFORMED, offset, "%s", theirs->text);
	}
}

enum vt_err json_parse(struct json **out, struct bytes text, struct json_error *why)
{
	return json_parse_to(out, text, JSON_DEPTH_MAX, why);
}

enum vt_err json_parse_to(struct json **out, struct bytes text, size_t depth,
			  struct json_error *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	enum vt_err err;
	json_error_t theirs;
	struct scan s = {.text = text, .depth = depth, .why = why};

	*out = NULL;
	if (why != NULL)
		*why = (struct json_error){0};
	if (depth > JSON_ANSWER_DEPTH_MAX)
		return refuse(why, VT_EINVAL, 0, "a depth of %zu is never taken", depth);
	pthread_once(&once, install_allocator);
	if (text.len > INT_MAX) /* jansson counts positions in int */
		return refuse(why, VT_ELIMIT, 0, "longer than %d bytes", INT_MAX);
	if (text.len == 0)
		return refuse(why, VT_EMALFORMED, 0, "the text is empty");
	if ((err = scan(&s)) != VT_OK)
		return err;
	starved = false;
	json_t *j = json_loadb((const char *)text.data, text.len,
			       JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &theirs);
	if (starved) {
		json_decref(j);
		return refuse(why, VT_ENOMEM, 0, "out of memory");
	}
	if (j == NULL)
		return refuse_as_jansson(why, &theirs);
	*out = outer(j);
	return VT_OK;
}

void json_free(struct json *j)
{
	json_decref(inner(j));
}

enum json_kind json_kind(const struct json *j)
{
	if (j == NULL)
		return JSON_NULL;
	switch (json_typeof(inner(j))) {
	case JANSSON_OBJECT:
		return JSON_OBJECT;
	case JANSSON_ARRAY:
		return JSON_ARRAY;
	case JSON_STRING:
		return JSON_TEXT;
	case JANSSON_INTEGER:
		return JSON_INTEGER;
	case JANSSON_REAL:
		return JSON_REAL;
	case JSON_TRUE:
	case JSON_FALSE:
		return JSON_BOOL;
	case JANSSON_NULL:
		return JSON_NULL;
	}
	return JSON_NULL;
}

const char *json_kind_name(enum json_kind kind)
{
	switch (kind) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "true or false";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number with a fraction or an exponent";
	case JSON_TEXT:
		return "a string";
	case JSON_ARRAY:
		return "an array";
	case JSON_OBJECT:
		return "an object";
	}
	return "nothing known";
}

const struct json *json_member(const struct json *j, const char *name)
{
	return outer(json_object_get(inner(j), name)); /* NULL for what is no object */
}

size_t json_count(const struct json *j)
{
	/* Each answers 0 for what is not of its kind. */
	return json_array_size(inner(j)) + json_object_size(inner(j));
}

const struct json *json_at(const struct json *j, size_t i)
{
	return outer(json_array_get(inner(j), i));
}

bool json_next_member(const struct json *j, struct json_cursor *at, struct bytes *name,
		      const struct json **value)
{
	if (at->done)
		return false;
	json_t *object = inner(j);
	void *iter =
	    at->iter == NULL ? json_object_iter(object) : json_object_iter_next(object, at->iter);
	if (iter == NULL) {
		at->done = true;
		return false;
	}
	at->iter = iter;
	*name = bytes_of(json_object_iter_key(iter), json_object_iter_key_len(iter));
	*value = outer(json_object_iter_value(iter));
	return true;
}

bool json_member_at(const struct json *j, size_t i, struct bytes *name, const struct json **value)
{
	struct json_cursor at = {0};
	struct bytes n;
	const struct json *v;
	for (size_t k = 0; json_next_member(j, &at, &n, &v); k++) {
		if (k == i) {
			*name = n;
			*value = v;
			return true;
		}
	}
	return false;
}

bool json_text(const struct json *j, struct bytes *out)
{
	if (j == NULL || json_kind(j) != JSON_TEXT)
		return false;
	*out = bytes_of(json_string_value(inner(j)), json_string_length(inner(j)));
	return true;
}

bool json_integer(const struct json *j, int64_t *out)
{
	if (j == NULL || json_kind(j) != JSON_INTEGER)
		return false;
	*out = json_integer_value(inner(j));
	return true;
}

bool json_bool(const struct json *j, bool *out)
{
	if (j == NULL || json_kind(j) != JSON_BOOL)
		return false;
	*out = json_typeof(inner(j)) == JSON_TRUE;
	return true;
}

struct json *json_new_object(void)
{
	return outer(json_object());
}

struct json *json_new_array(void)
{
	return outer(json_array());
}

struct json *json_new_text(struct bytes utf8)
{
	return outer(json_stringn(utf8.len == 0 ? "" : (const char *)utf8.data, utf8.len));
}

struct json *json_new_str(const char *utf8)
{
	return outer(json_string(utf8));
}

struct json *json_new_integer(int64_t n)
{
	return outer(jansson_integer(n));
}

struct json *json_new_uint(uint64_t n)
{
	return n <= INTEGER_MAX ? json_new_integer((int64_t)n) : NULL;
}

struct json *json_new_hash(const struct merkle_hash *hash)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(hex, bytes_of(hash->b, sizeof(hash->b)));
	return json_new_str(hex);
}

struct json *json_new_base64(struct bytes raw)
{
	struct buf text;
	struct json *j = NULL;

	buf_init(&text);
	if (buf_append_base64(&text, raw) == VT_OK)
		j = json_new_text(buf_bytes(&text));
	buf_release(&text);
	return j;
}

struct json *json_new_bool(bool b)
{
	return outer(json_boolean(b));
}

struct json *json_new_null(void)
{
	return outer(json_null());
}

struct json *json_copy(const struct json *j)
{
	return outer(json_deep_copy(inner(j)));
}

enum vt_err json_set(struct json *object, const char *name, struct json *value)
{
	if (object == NULL || value == NULL) {
		json_free(value);
		return VT_ENOMEM;
	}
	if (json_kind(object) != JSON_OBJECT || value == object || !utf8_valid(bytes_str(name))) {
		if (value != object)
			json_free(value);
		return VT_EINVAL;
	}
	return json_object_set_new(inner(object), name, inner(value)) == 0 ? VT_OK : VT_ENOMEM;
}

enum vt_err json_push(struct json *array, struct json *value)
{
	if (array == NULL || value == NULL) {
		json_free(value);
		return VT_ENOMEM;
	}
	if (json_kind(array) != JSON_ARRAY || value == array) {
		if (value != array)
			json_free(value);
		return VT_EINVAL;
	}
	return json_array_append_new(inner(array), inner(value)) == 0 ? VT_OK : VT_ENOMEM;
}

struct json *json_absent(void)
{
	/* This count is jansson's word for what is never freed. */
	static json_t absent = {.type = JANSSON_NULL, .refcount = (size_t)-1};

	return outer(&absent);
}

void json_add(struct json **object, const char *name, struct json *value)
{
	if (value == json_absent() || json_set(*object, name, value) == VT_OK)
		return;
	json_free(*object);
	*object = NULL;
}

void json_add_element(struct json **array, struct json *value)
{
	if (value == json_absent() || json_push(*array, value) == VT_OK)
		return;
	json_free(*array);
	*array = NULL;
}

struct json *json_object_of(const struct json_named *member, size_t n)
{
	struct json *j = json_new_object();

	for (size_t i = 0; i < n; i++)
		json_add(&j, member[i].name, member[i].value);
	return j;
}

static int append_chunk(const char *chunk, size_t len, void *ctx)
{
	return buf_append(ctx, bytes_of(chunk, len)) == VT_OK ? 0 : -1;
}

enum vt_err json_write(struct buf *out, const struct json *j, enum json_style style)
{
	size_t flags =
	    JSON_ENCODE_ANY | (style == JSON_COMPACT ? JANSSON_COMPACT : JANSSON_INDENT_TWO);
	size_t start = out->len;
	if (j == NULL)
		return buf_fail(out, VT_ENOMEM);
	/* What a struct json can hold can be written: only memory can fail. */
	if (json_dump_callback(inner(j), append_chunk, out, flags) != 0) {
		out->len = start;
		return buf_fail(out, VT_ENOMEM);
	}
	return buf_error(out);
}
