#include "http_query.h"
#include "http_server.h"

#include <string.h>

/* One "name=value" of a query, still encoded. */
struct pair {
	struct bytes name;
	struct bytes value;
};

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Take the next pair off the query; empty ones ("a=1&&b=2") are skipped. false at the end. */
static bool next_pair(struct pair *out, const char **rest)
{
	while (**rest == '&')
		(*rest)++;
	if (**rest == '\0')
		return false;

	size_t len = strcspn(*rest, "&");
	struct bytes whole = bytes_of(*rest, len);
	const uint8_t *equals = memchr(whole.data, '=', len);

	*rest += len;
	if (equals == NULL) {
		out->name = whole;
		out->value = bytes_of(NULL, 0);
	} else {
		out->name = bytes_of(whole.data, (size_t)(equals - whole.data));
		out->value = bytes_of(equals + 1, len - out->name.len - 1);
	}
	return true;
}

/* Decode one byte at *at and step over what stood for it. -1: bad percent-encoding. */
static int decode_byte(struct bytes text, size_t *at)
{
	uint8_t c = text.data[(*at)++];

	if (c != '%')
		return c;
	if (text.len - *at < 2)
		return -1;

	int high = hex_digit(text.data[*at]);
	int low = hex_digit(text.data[*at + 1]);

	if (high < 0 || low < 0)
		return -1;
	*at += 2;
	return high * 16 + low;
}

static bool name_is(struct bytes encoded, const char *name)
{
	size_t at = 0;

	while (at < encoded.len) {
		int c = decode_byte(encoded, &at);

		if (c <= 0 || c != (uint8_t)*name)
			return false;
		name++;
	}
	return *name == '\0';
}

enum vt_err http_decode(struct buf *out, struct bytes encoded)
{
	size_t before = out->len;
	enum vt_err err = VT_OK;

	for (size_t at = 0; err == VT_OK && at < encoded.len;) {
		int c = decode_byte(encoded, &at);

		err = c < 0 ? VT_EMALFORMED : buf_append_byte(out, (uint8_t)c);
	}
	if (err != VT_OK)
		out->len = before;
	return err;
}

enum vt_err http_query_value(struct buf *out, const char *query, const char *name)
{
	struct bytes found = {0};
	struct pair pair;
	size_t times = 0;

	while (next_pair(&pair, &query)) {
		if (name_is(pair.name, name)) {
			found = pair.value;
			times++;
		}
	}
	if (times == 0)
		return VT_ENOTFOUND;
	if (times > 1)
		return VT_ECONFLICT;
	return http_decode(out, found);
}

static bool is_listed(struct bytes encoded, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (name_is(encoded, *names))
			return true;
	}
	return false;
}

bool http_query_names(const char *query, const char *const *names, char unknown[64])
{
	struct pair pair;

	while (next_pair(&pair, &query)) {
		if (is_listed(pair.name, names))
			continue;

		size_t n = pair.name.len < 63 ? pair.name.len : 63;

		for (size_t i = 0; i < n; i++) {
			uint8_t c = pair.name.data[i];

			unknown[i] = c > 0x20 && c < 0x7f ? (char)c : '?';
		}
		unknown[n] = '\0';
		return false;
	}
	return true;
}
