/* Reading where a request came from out of what a trusted proxy wrote. */
#include "http_proxies.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_head.h"

struct prefix {
	struct http_address address;
	unsigned bits;
};

struct http_proxies {
	const char *header;
	bool forwarded; /* the header's form is that of RFC 7239 */
	size_t n;
	struct prefix trusted[];
};

static bool prefix_has(const struct prefix *p, const struct http_address *a)
{
	size_t whole = p->bits / 8, rest = p->bits % 8;

	return memcmp(p->address.byte, a->byte, whole) == 0 &&
	       (rest == 0 || ((p->address.byte[whole] ^ a->byte[whole]) >> (8 - rest)) == 0);
}

static struct bytes slice(const char *from, const char *end)
{
	return bytes_of(from, (size_t)(end - from));
}

/* NULL, or what is wrong with it. */
static const char *prefix_parse(struct prefix *out, const char *text)
{
	size_t len = strcspn(text, "/");
	uint64_t bits = 0;

	if (!http_address_parse(&out->address, bytes_of(text, len)))
		return "no IP address, and no prefix like 10.0.0.0/8";
	out->bits = 128;
	if (text[len] == '\0')
		return NULL;
	/* "::ffff:10.0.0.0/104" counts as IPv6 does. */
	bool v4 = memchr(text, ':', len) == NULL;

	if (decimal_decode(&bits, bytes_str(text + len + 1)) != VT_OK || bits > (v4 ? 32 : 128))
		return v4 ? "the length of an IPv4 prefix is 1 to 32"
			  : "the length of an IPv6 prefix is 1 to 128";
	if (bits == 0)
		return "that is everybody: name the proxies alone";
	out->bits = (unsigned)bits + (v4 ? 96 : 0);
	for (unsigned i = out->bits; i < 128; i++) {
		if ((out->address.byte[i / 8] >> (7 - i % 8) & 1) != 0)
			return "the address has bits beyond the prefix";
	}
	return NULL;
}

enum vt_err http_proxies_new(struct http_proxies **out, const char *header,
			     const char *const *trusted, size_t n, char why[160])
{
	struct http_proxies *p;

	*out = NULL;
	if (!http_is_token(header)) {
		snprintf(why, 160, "%.80s: no name of a header", header);
		return VT_EINVAL;
	}
	if ((p = calloc(1, sizeof(*p) + n * sizeof(*p->trusted))) == NULL) {
		snprintf(why, 160, "out of memory");
		return VT_ENOMEM;
	}
	p->header = header;
	p->forwarded = strcasecmp(header, "Forwarded") == 0;
	for (; p->n < n; p->n++) {
		const char *fault = prefix_parse(&p->trusted[p->n], trusted[p->n]);

		if (fault != NULL) {
			snprintf(why, 160, "%.80s: %s", trusted[p->n], fault);
			free(p);
			return VT_EINVAL;
		}
	}
	*out = p;
	return VT_OK;
}

void http_proxies_free(struct http_proxies *p)
{
	free(p);
}

const char *http_proxies_header(const struct http_proxies *p)
{
	return p->header;
}

bool http_proxies_trust(const struct http_proxies *p, const struct http_address *a)
{
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		if (prefix_has(&p->trusted[i], a))
			return true;
	}
	return false;
}

static struct bytes trim(struct bytes b)
{
	while (b.len > 0 && (b.data[0] == ' ' || b.data[0] == '\t'))
		b = bytes_of(b.data + 1, b.len - 1);
	while (b.len > 0 && (b.data[b.len - 1] == ' ' || b.data[b.len - 1] == '\t'))
		b.len--;
	return b;
}

/*
 * The last part of [from, *end) that a separator begins, a quoted one not counted; *end moves to that separator, or to NULL
 * before the first part. It is read from the right: a quote that somebody left open on the left reaches no part that a
 * proxy appended. false: an open quote, or an escape in one, which no address needs.
 */
static bool last_part(struct bytes *out, const char *from, const char **end, char separator)
{
	const char *at = *end, *last = *end;
	bool quoted = false;

	while (at > from && (quoted || at[-1] != separator)) {
		at--;
		if (*at == '"')
			quoted = !quoted;
		else if (*at == '\\')
			return false;
	}
	if (quoted)
		return false;
	*out = trim(slice(at, last));
	*end = at > from ? at - 1 : NULL;
	return true;
}

static bool is_port(struct bytes text)
{
	uint64_t port;

	return decimal_decode(&port, text) == VT_OK && port <= 65535;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool node_parse(struct http_address *out, struct bytes node)
{
	const uint8_t *colon;

	if (http_address_parse(out, node))
		return true;
	if (node.len > 0 && node.data[0] == '[') {
		const uint8_t *close = memchr(node.data, ']', node.len);
		size_t len = close != NULL ? (size_t)(close - node.data) : 0, rest;

		if (close == NULL || memchr(node.data, ':', len) == NULL)
			return false;
		rest = node.len - len - 1;
		return http_address_parse(out, bytes_of(node.data + 1, len - 1)) &&
		       (rest == 0 || (close[1] == ':' && is_port(bytes_of(close + 2, rest - 1))));
	}
	colon = memchr(node.data, ':', node.len);
	if (colon == NULL)
		return false;

	size_t len = (size_t)(colon - node.data);

	return http_address_parse(out, bytes_of(node.data, len)) &&
	       is_port(bytes_of(colon + 1, node.len - len - 1));
}

/* "for=192.0.2.1;proto=http", "for=\"[2001:db8::1]:80\"": the one parameter "for" of an element. */
static bool element_parse(struct http_address *out, struct bytes element)
{
	const char *from = (const char *)element.data, *end = from + element.len;
	struct bytes pair;
	bool found = false;

	while (end != NULL) {
		if (!last_part(&pair, from, &end, ';'))
			return false;
		if (pair.len < 4 || strncasecmp((const char *)pair.data, "for=", 4) != 0)
			continue;
		pair = bytes_of(pair.data + 4, pair.len - 4);
		if (pair.len >= 2 && pair.data[0] == '"' && pair.data[pair.len - 1] == '"')
			pair = bytes_of(pair.data + 1, pair.len - 2);
		if (found || !node_parse(out, pair))
			return false;
		found = true;
	}
	return found;
}

bool http_proxies_client(const struct http_proxies *p, const char *value,
			 struct http_address *client)
{
	const char *end = value != NULL ? value + strlen(value) : NULL;
	struct http_address a;
	struct bytes part;

	while (end != NULL) {
		if (!last_part(&part, value, &end, ',') ||
		    !(p->forwarded ? element_parse(&a, part) : node_parse(&a, part)))
			return false;
		if (!http_proxies_trust(p, &a)) {
			*client = a;
			return true;
		}
	}
	return false;
}
