#include "logline.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_MAX_LEN = 4096,
};

static _Atomic int least_level = LOGLINE_INFO;
static atomic_bool as_json = false;
static pthread_mutex_t one_line_at_a_time = PTHREAD_MUTEX_INITIALIZER;

void logline_configure(enum logline_level least, bool json)
{
	least_level = (int)least;
	as_json = json;
}

static const char *level_name(enum logline_level level)
{
	switch (level) {
	case LOGLINE_DEBUG:
		return "debug";
	case LOGLINE_INFO:
		return "info";
	case LOGLINE_WARN:
		return "warn";
	case LOGLINE_ERROR:
		return "error";
	}
	return "error";
}

/* A line in the making: what does not fit is left out, whole pieces at a time. */
struct line {
	size_t len, cap;
	char *text;
};

static bool add(struct line *l, const char *piece, size_t len)
{
	if (len > l->cap - l->len)
		return false;
	memcpy(l->text + l->len, piece, len);
	l->len += len;
	return true;
}

static bool add_str(struct line *l, const char *piece)
{
	return add(l, piece, strlen(piece));
}

/* One code point of text, as it may stand inside JSON's quotes and on any terminal: printable
 * ASCII, or an escape. What is not UTF-8 becomes U+FFFD, a byte at a time. */
static size_t escape_one(char out[16], struct bytes text)
{
	uint8_t c = text.data[0];
	size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	uint32_t code;

	if (c >= ' ' && c <= '~') {
		snprintf(out, 16, c == '"' || c == '\\' ? "\\%c" : "%c", c);
		return 1;
	}
	if (c == '\n' || c == '\r' || c == '\t') {
		snprintf(out, 16, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
		return 1;
	}
	if (n > text.len || !utf8_valid(bytes_of(text.data, n))) {
		snprintf(out, 16, "\\ufffd");
		return 1;
	}
	code = n == 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		code = code << 6 | (text.data[i] & 0x3f);
	if (code < 0x10000)
		snprintf(out, 16, "\\u%04x", (unsigned)code);
	else
		snprintf(out, 16, "\\u%04x\\u%04x", 0xd800u + (unsigned)((code - 0x10000) >> 10),
			 0xdc00u + (unsigned)(code & 0x3ff));
	return n;
}

/* In quotes, cut with "..." where the room ends. false: not even that fits. */
static bool add_quoted(struct line *l, struct bytes text)
{
	static const char ending[] = "...\"";
	char piece[16];

	if (l->cap - l->len < 1 + sizeof(ending) - 1)
		return false;
	add(l, "\"", 1);
	l->cap -= sizeof(ending) - 1;
	bool whole = true;
	while (whole && text.len > 0) {
		size_t n = escape_one(piece, text);
		whole = add_str(l, piece);
		if (whole)
			text = bytes_of(text.data + n, text.len - n);
	}
	l->cap += sizeof(ending) - 1;
	return whole ? add(l, "\"", 1) : add_str(l, ending);
}

/* Can this stand without quotes, and be taken for nothing but a text? */
static bool is_plain(struct bytes text)
{
	if (text.len == 0 || bytes_is(text, "true") || bytes_is(text, "false") ||
	    bytes_is(text, "null"))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool letter =
		    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_';
		bool other = (c >= '0' && c <= '9') || c == '.' || c == '-' || c == ':' ||
			     c == '@' || c == '+';
		if (!letter && !(other && i > 0))
			return false;
	}
	return true;
}

const char *logline_quote(char *out, size_t cap, struct bytes text)
{
	struct line l = {0, cap, out};

	if (cap == 0)
		return "";
	l.cap--; /* the NUL */
	if (text.len > l.cap || !is_plain(text) || !add(&l, (const char *)text.data, text.len))
		add_quoted(&l, text);
	out[l.len] = '\0';
	return out;
}

static bool is_integer(struct bytes v)
{
	size_t sign = v.len > 0 && v.data[0] == '-';
	uint64_t n;

	return decimal_decode(&n, bytes_of(v.data + sign, v.len - sign)) == VT_OK && n < UINT64_C(1)
											     << 53;
}

/* The length of a value that begins here: in quotes, or up to a space. */
static size_t value_length(struct bytes rest)
{
	size_t i = 1;

	if (rest.len == 0)
		return 0;
	if (rest.data[0] != '"') {
		const uint8_t *space = memchr(rest.data, ' ', rest.len);
		return space == NULL ? rest.len : (size_t)(space - rest.data);
	}
	while (i < rest.len && rest.data[i] != '"')
		i += rest.data[i] == '\\' && i + 1 < rest.len ? 2 : 1;
	return i < rest.len ? i + 1 : rest.len;
}

/* A value in quotes, as logline_quote() writes them, is JSON as it stands. */
static bool is_quoted(struct bytes v)
{
	if (v.len < 2 || v.data[0] != '"' || v.data[v.len - 1] != '"')
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.data[i] < ' ' || v.data[i] > '~')
			return false;
	}
	return value_length(v) == v.len;
}

static bool add_json_value(struct line *l, struct bytes v)
{
	if (is_quoted(v) || is_integer(v) || bytes_is(v, "true") || bytes_is(v, "false"))
		return add(l, (const char *)v.data, v.len);
	return add_quoted(l, v);
}

/* key=value pairs as JSON members; what is no pair, as the member "text". */
static void add_json_fields(struct line *l, struct bytes rest)
{
	while (rest.len > 0) {
		size_t before = l->len;
		const uint8_t *equals = memchr(rest.data, '=', rest.len);
		size_t name = equals == NULL ? 0 : (size_t)(equals - rest.data), value;
		bool fits = add_str(l, ",");

		if (rest.data[0] == ' ') {
			l->len = before;
			rest = bytes_of(rest.data + 1, rest.len - 1);
			continue;
		}
		if (name == 0 || memchr(rest.data, ' ', name) != NULL) {
			if (!fits || !add_str(l, "\"text\":") || !add_quoted(l, rest))
				l->len = before;
			return;
		}
		fits = fits && add_quoted(l, bytes_of(rest.data, name)) && add_str(l, ":");
		rest = bytes_of(rest.data + name + 1, rest.len - name - 1);
		value = value_length(rest);
		if (!fits || !add_json_value(l, bytes_of(rest.data, value))) {
			l->len = before;
			return;
		}
		rest = bytes_of(rest.data + value, rest.len - value);
	}
}

static void format_json(struct line *l, const char *time, const char *level, const char *event,
			struct bytes fields)
{
	l->cap -= 2; /* the end */
	add_str(l, "{\"time\":\"");
	add_str(l, time);
	add_str(l, "\",\"level\":\"");
	add_str(l, level);
	add_str(l, "\",\"event\":");
	add_quoted(l, bytes_str(event));
	add_json_fields(l, fields);
	l->cap += 2;
	add_str(l, "}\n");
}

/* Fields are safe by contract; should a control character be in them all the same, it must not make
 * a second line. */
static void format_text(struct line *l, const char *time, const char *level, const char *event,
			struct bytes fields)
{
	l->cap -= 1;
	add_str(l, time);
	add_str(l, " ");
	add_str(l, level);
	add_str(l, " ");
	add_str(l, event);
	if (fields.len > 0 && add_str(l, " "))
		add(l, (const char *)fields.data,
		    fields.len < l->cap - l->len ? fields.len : l->cap - l->len);
	for (size_t i = 0; i < l->len; i++) {
		if ((uint8_t)l->text[i] < ' ' || l->text[i] == 0x7f)
			l->text[i] = '?';
	}
	l->cap += 1;
	add_str(l, "\n");
}

static void write_line(const struct line *l)
{
	size_t done = 0;

	pthread_mutex_lock(&one_line_at_a_time);
	while (done < l->len) {
		ssize_t n = write(STDERR_FILENO, l->text + done, l->len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* nobody to tell */
		done += (size_t)n;
	}
	pthread_mutex_unlock(&one_line_at_a_time);
}

void logline(enum logline_level level, const char *event, const char *fields, ...)
{
	char text[LINE_MAX_LEN], formatted[LINE_MAX_LEN], second[CLOCK_RFC3339_SIZE];
	char time[CLOCK_RFC3339_SIZE + 8];
	struct line l = {0, sizeof(text), text};
	int kept_errno = errno;
	uint64_t millis;
	va_list ap;
	int n;

	if ((int)level < least_level)
		return;
	va_start(ap, fields);
	n = vsnprintf(formatted, sizeof(formatted), fields, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(formatted))
		n = sizeof(formatted) - 1;
	millis = clock_unix_millis();
	clock_format_rfc3339(second, millis / 1000);
	snprintf(time, sizeof(time), "%.19s.%03uZ", second, (unsigned)(millis % 1000));
	(as_json ? format_json : format_text)(&l, time, level_name(level), event,
					      bytes_of(formatted, (size_t)n));
	write_line(&l);
	errno = kept_errno;
}

enum vt_err internal_error(const char *file, int line, const char *what, int reason)
{
	const char *slash = strrchr(file, '/');
	char shown[400], why[200];

	logline_quote(shown, sizeof(shown), bytes_str(what));
	logline(LOGLINE_ERROR, "internal error", "at=%s:%d doing=%s%s%s",
		slash != NULL ? slash + 1 : file, line, shown, reason != 0 ? " errno=" : "",
		reason != 0 ? logline_quote(why, sizeof(why), bytes_str(strerror(reason))) : "");
	return VT_EINTERNAL;
}
