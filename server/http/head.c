/* Refuses requests that two readers could take differently, before anything else looks at them. */
#include "http_head.h"

#include <string.h>
#include <strings.h>

/* tchar (RFC 9110 section 5.6.2) */
static bool is_tchar(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

bool http_is_token(const char *text)
{
	const char *p = text;

	while (is_tchar(*p))
		p++;
	return *p == '\0' && p != text;
}

/* field-vchar, SP and HTAB (RFC 9110 section 5.5) */
static bool is_value(const char *text)
{
	for (; *text != '\0'; text++) {
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	}
	return true;
}

/* "Host = uri-host [ ":" port ]" (RFC 9110 section 7.2): roughly, but no space, "/" or "@". */
static bool is_host(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= 0x20 || *text >= 0x7f || strchr("\"#/<>?@\\^`{|}", *text) != NULL)
			return false;
	}
	return true;
}

/* Printable ASCII, and no fragment. */
static bool is_target(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= 0x20 || *text >= 0x7f || *text == '#')
			return false;
	}
	return true;
}

/* All fields of this name; *value is the last one's. */
static size_t count_fields(const struct http_head *h, const char *name, const char **value)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		if (strcasecmp(h->field[i].name, name) == 0) {
			*value = h->field[i].value;
			n++;
		}
	}
	return n;
}

/* Does a line end behind this text? Then *next is where the next one begins. */
static bool line_ends(const char **next, const char *text)
{
	const char *end = text + strlen(text);

	*next = end + 2;
	return end[1] == '\0';
}

/* Is there nothing but these texts between the method and the empty line? */
static bool is_gapless(const struct http_head *h)
{
	const char *next;

	if (h->target != h->method + strlen(h->method) + 1 ||
	    h->version != h->target + h->target_len + 1 || !line_ends(&next, h->version))
		return false;
	for (size_t i = 0; i < h->n; i++) {
		const char *value = h->field[i].name + strlen(h->field[i].name) + 1;

		value += strspn(value, " \t");
		if (h->field[i].name != next || h->field[i].value != value ||
		    !line_ends(&next, value))
			return false;
	}
	return next + 2 == h->method + h->len;
}

static const char *field_fault(const struct http_field *f)
{
	if (!http_is_token(f->name))
		return "the name of a field is not a token";
	if (!is_value(f->value))
		return "there is a control character in the value of a field";
	return NULL;
}

/* "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that lacks a Host
 * header field and to any request message that contains more than one Host header field line or a Host header
 * field with an invalid field value." (RFC 9112 section 3.2) The library could see to it, but garbles its answer. */
static const char *host_fault(const struct http_head *h)
{
	const char *host = "";
	size_t n = count_fields(h, "Host", &host);

	if (n == 0 && strcmp(h->version, "HTTP/1.0") != 0)
		return "no Host field";
	if (n > 1)
		return "more than one Host field";
	return is_host(host) ? NULL : "the Host field is no host";
}

const char *http_head_fault(const struct http_head *h)
{
	const char *fault = NULL, *value;

	if (!http_is_token(h->method))
		return "the method is not a token";
	for (size_t i = 0; i < h->n && fault == NULL; i++)
		fault = field_fault(&h->field[i]);
	if (fault != NULL)
		return fault;
	if (h->len > 0 && !is_gapless(h))
		return "a folded field, a NUL, a space too many, or a line that does not end with "
		       "CRLF";
	if ((*h->path != '/' && strcmp(h->path, "*") != 0) || !is_target(h->path) ||
	    !is_target(h->query))
		return "the request target is no path, or holds what has to be percent-encoded";
	/* "A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding header field
	 * MUST treat the message as if the framing is faulty" (RFC 9112 section 6.1) */
	if (strcmp(h->version, "HTTP/1.0") == 0 && count_fields(h, "Transfer-Encoding", &value) > 0)
		return "HTTP/1.0 has no Transfer-Encoding";
	return host_fault(h);
}
