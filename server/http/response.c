#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_exchange.h"
#include "http_gzip.h"
#include "http_negotiate.h"

void http_response_init(struct http_response *r, unsigned status, const char *content_type)
{
	*r = (struct http_response){.status = status, .content_type = content_type};
	buf_init(&r->body);
}

void http_response_release(struct http_response *r)
{
	buf_release(&r->body);
	for (size_t i = 0; i < r->n_headers; i++)
		free(r->header[i].value);
	free(r->etag_text);
	http_response_init(r, 0, NULL);
}

/* Printable ASCII, as a field value or an entity-tag may be made of: above all no CR and no LF. */
static bool is_plain(const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value < 0x20 || *value > 0x7e)
			return false;
	}
	return true;
}

static enum vt_err format_value(char **out, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));

static enum vt_err format_value(char **out, const char *fmt, va_list args)
{
	char *text = NULL;

	*out = NULL;
	if (vasprintf(&text, fmt, args) < 0)
		return VT_ENOMEM;
	if (!is_plain(text)) {
		free(text);
		return VT_EINVAL;
	}
	*out = text;
	return VT_OK;
}

enum vt_err http_response_header(struct http_response *r, const char *name, const char *fmt, ...)
{
	enum vt_err err;
	va_list args;
	char *value;

	if (r->n_headers == HTTP_HEADERS_MAX)
		return VT_ELIMIT;
	va_start(args, fmt);
	err = format_value(&value, fmt, args);
	va_end(args);
	if (err != VT_OK)
		return err;
	r->header[r->n_headers].name = name;
	r->header[r->n_headers].value = value;
	r->n_headers++;
	return VT_OK;
}

enum vt_err http_response_etag(struct http_response *r, const char *fmt, ...)
{
	enum vt_err err;
	va_list args;
	char *value;

	va_start(args, fmt);
	err = format_value(&value, fmt, args);
	va_end(args);
	if (err != VT_OK)
		return err;
	if (strlen(value) > HTTP_ETAG_MAX || !http_etag_valid(value)) {
		free(value);
		return VT_EINVAL;
	}
	free(r->etag_text);
	r->etag_text = value;
	return VT_OK;
}

/* Compress the body if both sides gain. */
static bool compress(struct http_response *r, const struct http_exchange *x)
{
	struct buf packed;

	if (r->body.len < GZIP_WORTH_FROM || !http_gzip_wanted(http_header(x, "Accept-Encoding")))
		return false;
	buf_init(&packed);
	if (gzip_compress(&packed, buf_bytes(&r->body)) != VT_OK) {
		buf_release(&packed);
		return false; /* the plain body is as good an answer */
	}
	buf_release(&r->body);
	r->body = packed;
	return true;
}

/*
 * Each form has a tag of its own: a cache that asks with the tags of all that it keeps sends on the one that a 304 names,
 * and that must not be gzip for somebody who does not take it. What gzip makes of the same bytes may change with its
 * version, so its tag is a weak one (RFC 9110 section 8.8.3.3).
 */
static void tag_variant(struct http_variant *out, const char *tag, bool safe,
			const struct http_exchange *x)
{
	char own[HTTP_ETAG_MAX + sizeof("-gzip")];

	snprintf(own, sizeof(own), "%s%s", tag, out->gzipped ? "-gzip" : "");
	snprintf(out->etag, sizeof(out->etag), "%s\"%s\"", out->gzipped ? "W/" : "", own);
	out->not_modified = safe && http_etag_listed(http_header(x, "If-None-Match"), own);
}

void response_negotiate(struct http_variant *out, struct http_response *r,
			const struct http_exchange *x)
{
	const char *tag = r->etag_text != NULL ? r->etag_text : r->etag;
	bool safe = x->req.method == HTTP_GET || x->req.method == HTTP_HEAD;
	/* In one line: there are caches that look at the last one alone. */
	static const char *const vary[2][2] = {{NULL, "Accept-Encoding"},
					       {"Accept", "Accept, Accept-Encoding"}};

	*out = (struct http_variant){.vary = vary[x->by_accept][r->may_gzip]};
	if (tag != NULL && (strlen(tag) > HTTP_ETAG_MAX || !http_etag_valid(tag)))
		tag = NULL;
	/* A 304 needs the body too: its Content-Length is the 200's (RFC 9110 section 8.6). */
	if (r->may_gzip)
		out->gzipped = compress(r, x);
	if (tag != NULL)
		tag_variant(out, tag, safe && r->status == 200, x);
}
