/*
 * The asking side of HTTP, over libcurl. Nothing is retried here, redirects are not followed, and
 * only http and https are spoken. One fetcher serves one thread at a time and keeps connections
 * alive.
 */
#ifndef HTTP_FETCH_H
#define HTTP_FETCH_H

#include "vitrine/bytes.h"

struct http_fetcher;

struct http_fetch_config {
	unsigned connect_seconds; /* 0: 10 */
	unsigned total_seconds;   /* 0: 60 */
	const char *user_agent;   /* NULL: "vitrine/VERSION" */
};
enum vt_err http_fetcher_new(struct http_fetcher **out, const struct http_fetch_config *config);
void http_fetcher_free(struct http_fetcher *f);

struct http_reply {
	unsigned status;
	struct buf body;
	char content_type[128];
	char etag[128];
	char location[512];
	uint64_t retry_after; /* seconds; 0 when absent */
};
void http_reply_init(struct http_reply *r);
void http_reply_release(struct http_reply *r);

struct http_ask {
	const char *method; /* "GET" or "POST" */
	const char *url;
	struct bytes body;        /* POST */
	const char *content_type; /* POST */
	const char *accept;       /* may be NULL */
	size_t body_max;          /* of the answer */
};
/* Any status is VT_OK. VT_EIO: no complete answer (why, at least 160 bytes, may be NULL, says what
 * happened). VT_ELIMIT: the answer is larger than body_max. VT_EINVAL: not an http(s) URL. gzip is
 * undone. */
enum vt_err http_fetch(struct http_reply *out, struct http_fetcher *f, const struct http_ask *ask,
		       char why[160]);
/* Append text with everything but RFC 3986 unreserved characters percent-encoded. */
enum vt_err http_escape(struct buf *out, struct bytes text);

#endif
