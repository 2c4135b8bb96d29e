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
	double connect_seconds; /* 0: 10 */
	double total_seconds;   /* 0: 60; from start to the last byte of the answer */
	const char *user_agent; /* NULL: "vitrine/VERSION" */
};
/* PEM: the authorities whose certificates are believed. NULL: the file named by SSL_CERT_FILE, or else the system's. Set before the first
 * fetcher is made. */
extern const char *http_fetch_ca_file;
enum vt_err http_fetcher_new(struct http_fetcher **out, const struct http_fetch_config *config);
void http_fetcher_free(struct http_fetcher *f); /* NULL is fine */
/* From any thread: the fetch under way ends within about a second, and that and every later one fails
 * with VT_EIO. For programs that stop. */
void http_fetcher_cancel(struct http_fetcher *f);

/* Of the texts: "" when the field is absent, or too long for its place. All of them are the other
 * side's: printable ASCII or above, but otherwise anything. */
struct http_reply {
	unsigned status;
	struct buf body;
	char content_type[128];
	char etag[136];       /* as it came, with its quotes */
	char location[512];   /* as it came, perhaps relative */
	uint64_t retry_after; /* seconds, a date turned into them; 0 when absent */
};
void http_reply_init(struct http_reply *r);
void http_reply_release(struct http_reply *r);

struct http_ask {
	const char *method; /* "GET" or "POST" */
	const char *url;
	struct bytes body;         /* POST */
	const char *content_type;  /* POST */
	const char *accept;        /* may be NULL */
	const char *if_none_match; /* an etag that came before; may be NULL */
	bool fresh;                /* no cache on the way may answer */
	size_t body_max;           /* of the answer; never more than 1 GiB */
};
/*
 * Ask, and wait for the whole answer. Any status is VT_OK. out has to be initialised; what it held is
 * dropped, and after an error it is empty. gzip is undone, and body_max counts what comes out of it.
 * VT_EIO: no complete answer (refused, timed out, cut short, not HTTP). VT_ELIMIT: it is larger than
 * body_max. VT_EUNTRUSTED: the other side's certificate does not verify, which asking again does not mend. VT_EINVAL: not an http(s) URL, or another method. VT_ENOMEM. why (at least 160 bytes, may
 * be NULL) says what happened.
 */
enum vt_err http_fetch(struct http_reply *out, struct http_fetcher *f, const struct http_ask *ask,
		       char why[160]);
/* Append text with everything but RFC 3986 unreserved characters percent-encoded. */
enum vt_err http_escape(struct buf *out, struct bytes text);

#endif
