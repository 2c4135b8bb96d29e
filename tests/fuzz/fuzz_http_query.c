/*
 * What clients write into a request target and into If-None-Match, Accept-Encoding, Accept and the headers that proxies append
 * to. The first line of the input is the target, the second an If-None-Match, the third any of the others.
 */
#include "fuzz_target.h"

#include <string.h>

#include "http_exchange.h"
#include "http_negotiate.h"
#include "http_proxies.h"
#include "http_query.h"

/* Percent-encode every byte: whatever the value was, this must decode to it. */
static char *encode_pair(const char *name, struct bytes value)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = strlen(name);
	char *out = malloc(n + 1 + value.len * 3 + 1), *p = out;

	MUST(out != NULL);
	memcpy(p, name, n);
	p += n;
	*p++ = '=';
	for (size_t i = 0; i < value.len; i++) {
		*p++ = '%';
		*p++ = digits[value.data[i] >> 4];
		*p++ = digits[value.data[i] & 15];
	}
	*p = '\0';
	return out;
}

static void check_query(const char *target)
{
	static const char *const names[] = {"after", "limit", NULL};
	struct http_exchange *x = exchange_new(target);
	char unknown[64];
	struct buf value;

	MUST(x != NULL);
	MUST(strlen(x->req.path) + strlen(x->req.query) <= strlen(target) + 1);
	buf_init(&value);
	if (!http_query_only(x, names, unknown))
		MUST(strlen(unknown) < sizeof(unknown));
	for (const char *const *name = names; *name != NULL; name++) {
		enum vt_err err = http_query(&value, x, *name);

		MUST(err == VT_OK || err == VT_ENOTFOUND || err == VT_EMALFORMED ||
		     err == VT_ECONFLICT);
		MUST(err == VT_OK || value.len == 0);
		MUST(value.len <= strlen(x->req.query));
		if (err == VT_OK) {
			char *pair = encode_pair(*name, buf_bytes(&value));
			struct buf again;

			buf_init(&again);
			MUST(http_query_value(&again, pair, *name) == VT_OK);
			MUST(bytes_equal(buf_bytes(&again), buf_bytes(&value)));
			buf_release(&again);
			free(pair);
		}
		buf_reset(&value);
	}
	buf_release(&value);
	exchange_free(x);
}

/* A list that holds a tag still holds it with others put before it. */
static void check_tags(const char *field)
{
	size_t room = strlen(field) + 16;
	char *longer = malloc(room);

	MUST(longer != NULL);
	snprintf(longer, room, "W/\"q,r\", %s", field);
	if (field[strspn(field, " \t")] != '*')
		MUST(http_etag_listed(longer, "one") == http_etag_listed(field, "one"));
	MUST(http_etag_listed(longer, "q,r"));
	free(longer);
}

/* Forbidding gzip at the front is not undone by anything but naming it again. */
static void check_codings(const char *field)
{
	size_t room = strlen(field) + 32;
	char *longer = malloc(room);

	MUST(longer != NULL);
	if (strcasestr(field, "gzip") == NULL) {
		snprintf(longer, room, "gzip;q=0,%s", field);
		MUST(!http_gzip_wanted(longer));
	}
	snprintf(longer, room, "%s,gzip", field);
	MUST(http_gzip_wanted(longer));
	free(longer);
}

/* Of two forms at most one is preferred to the other, whatever else is listed. */
static void check_media(const char *field)
{
	static const char text[] = "text/plain", json[] = "application/json";

	MUST(!http_media_preferred(field, text, json) || !http_media_preferred(field, json, text));
	MUST(!http_media_preferred(field, text, text));
}

/* Whatever a client writes, what a proxy appends to it is what counts. */
static void check_forged(const char *field)
{
	static const char *const trusted[] = {"10.0.0.0/8"};
	static const char *const appended[][2] = {
	    {"X-Forwarded-For", "192.0.2.1"},
	    {"Forwarded", "for=192.0.2.1;host=\"a,b\", for=10.1.1.1"}};
	char text[HTTP_ADDRESS_TEXT_SIZE], why[160];
	size_t room = strlen(field) + 64;
	char *longer = malloc(room);

	MUST(longer != NULL);
	for (size_t i = 0; i < 2; i++) {
		struct http_address a;
		struct http_proxies *p;

		MUST(http_proxies_new(&p, appended[i][0], trusted, 1, why) == VT_OK);
		MUST(!http_proxies_client(p, field, &a) || !http_proxies_trust(p, &a));
		snprintf(longer, room, "%s, %s", field, appended[i][1]);
		MUST(http_proxies_client(p, longer, &a));
		http_address_text(text, &a);
		MUST(strcmp(text, "192.0.2.1") == 0);
		http_proxies_free(p);
	}
	free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line[3];

	MUST(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	line[0] = text;
	for (size_t i = 1; i < 3; i++) {
		char *end = strchr(line[i - 1], '\n');

		line[i] = end == NULL ? line[i - 1] + strlen(line[i - 1]) : end + 1;
		if (end != NULL)
			*end = '\0';
	}
	check_query(line[0]);
	check_tags(line[1]);
	check_codings(line[2]);
	check_media(line[2]);
	check_forged(line[2]);
	free(text);
	return 0;
}
