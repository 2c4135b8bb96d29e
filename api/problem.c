#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "handler.h"
#include "logline.h"

const struct problem_type api_problems[] = {
    {"bad-request", 400, "The request is not understood"},
    {"query-unknown", 400, "This query parameter is not known here"},
    {"query-invalid", 400, "A query parameter has a value that cannot be used"},
    {"checkpoint-untrusted", 403, "No log that is known here vouches for this checkpoint"},
    {"not-found", 404, "There is no such thing"},
    {"beyond-published", 404, "Not published yet"},
    {"method-not-allowed", 405, "This method is not possible here"},
    {"request-timeout", 408, "The request took too long to arrive"},
    {"body-too-large", 413, "The request body is too large"},
    {"uri-too-long", 414, "The address is too long"},
    {"content-coding", 415, "The body is in a coding that is not taken here"},
    {"checkpoint-inconsistent", 422, "The checkpoint does not extend the one cosigned last"},
    {"evidence-refused", 422, "This proves nothing about a log that is followed here"},
    {"too-many-requests", 429, "Too many requests from this address"},
    {"headers-too-large", 431, "The request headers are too large"},
    {"internal", 500, "Something is wrong inside the log"},
    {"transfer-coding", 501, "The body is sent in a coding that is not taken here"},
    {"unavailable", 503, "This cannot be answered now: ask again"},
    {"busy", 503, "The outcome is unknown: send the same bytes again"},
    {"not-ready", 503, "The log is not ready"},
    {"gossip-full", 503, "There is no room for this now: show it again later"},
    {"policy-not-met", 503, "The checkpoint has not the witnesses' quorum yet"},
    {NULL, 0, NULL},
};

static const struct problem_type *type_by_slug(const char *slug)
{
	for (const struct problem_type *t = api_problems; t->slug != NULL; t++)
		if (strcmp(t->slug, slug) == 0)
			return t;
	return type_by_slug("internal");
}

static const struct problem_type *type_by_status(unsigned status)
{
	for (const struct problem_type *t = api_problems; t->slug != NULL; t++)
		if (t->status == status)
			return t;
	return type_by_slug(status < 500 ? "bad-request" : "internal"); /* the nearest */
}

static void append_problem(struct buf *out, const struct problem_type *type, const char *detail)
{
	struct json *j;
	char urn[96];

	snprintf(urn, sizeof(urn), "urn:vitrine:problem:%s", type->slug);
	j = JSON_OBJECT_OF({"type", json_new_str(urn)}, {"title", json_new_str(type->title)},
			   {"status", json_new_integer((int64_t)type->status)},
			   {"detail", json_new_str(detail)});
	json_write(out, j, JSON_COMPACT);
	buf_append_byte(out, '\n');
	json_free(j);
}

static void problem_response(struct http_response *r, const struct problem_type *type,
			     const char *detail, unsigned retry_after)
{
	api_response_init(r, type->status, "application/problem+json", API_CACHE_NONE);
	if (retry_after > 0 && (type->status == 429 || type->status == 503))
		http_response_header(r, "Retry-After", "%u", retry_after);
	/* Without memory for the body the status and the headers still say what matters. */
	append_problem(&r->body, type, detail);
	if (buf_error(&r->body) != VT_OK)
		buf_reset(&r->body);
}

void api_problem(struct http_exchange *x, const char *slug, const char *fmt, ...)
{
	struct http_response r;
	char detail[PROBLEM_DETAIL_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	problem_response(&r, type_by_slug(slug), detail, 1);
	http_respond(x, &r);
}

void api_problem_typed(struct http_exchange *x, const struct problem *p, unsigned retry_after)
{
	struct http_response r;

	problem_response(&r, p->type, p->detail, retry_after > 0 ? retry_after : 1);
	http_respond(x, &r);
}

void api_policy_not_met(struct http_exchange *x, uint64_t index)
{
	struct problem p = {.type = type_by_slug("policy-not-met")};

	snprintf(
	    p.detail, sizeof(p.detail),
	    "entry %llu is in the log, and published without the witnesses' quorum: ask again for "
	    "its proof, or send the same bytes again",
	    (unsigned long long)index);
	api_problem_typed(x, &p, 5);
}

void api_problem_err(struct http_exchange *x, enum vt_err err, const char *what)
{
	switch (err) {
	case VT_ENOTFOUND:
		api_problem(x, "not-found", "%s: not found", what);
		return;
	case VT_EINVAL:
	case VT_EMALFORMED:
		api_problem(x, "bad-request", "%s: %s", what, vt_err_text(err));
		return;
	case VT_ELIMIT:
		api_problem(x, "body-too-large", "%s: %s", what, vt_err_text(err));
		return;
	case VT_ENOMEM:
	case VT_EBUSY:
	case VT_EIO:
	case VT_ECONFLICT:
		api_problem(x, "unavailable", "%s: %s", what, vt_err_text(err));
		return;
	default:
		api_problem_internal(x, what);
		return;
	}
}

/* Files and calls are the operator's to know. Who was answered so can name a line of the log, and the line has what was asked for. */
void api_problem_internal(struct http_exchange *x, const char *what)
{
	char path[300], doing[300];
	uint8_t id[4] = {0};
	char hex[2 * sizeof(id) + 1];

	/* Should it fail, the line's time has to do. */
	if (getrandom(id, sizeof(id), GRND_NONBLOCK) < 0)
		memset(id, 0, sizeof(id));
	hex_encode(hex, bytes_of(id, sizeof(id)));
	logline(LOGLINE_ERROR, "answered with an internal error", "id=%s path=%s doing=%s", hex,
		logline_quote(path, sizeof(path), bytes_str(http_request(x)->path)),
		logline_quote(doing, sizeof(doing), bytes_str(what)));
	api_problem(x, "internal",
		    "%s: an internal error; the server's log has more of it under the id %s, for "
		    "its operator",
		    what, hex);
}

void api_http_error(struct http_response *out, unsigned status, const char *detail, bool unknown,
		    void *app)
{
	struct problem_type type = *(unknown ? type_by_slug("busy") : type_by_status(status));

	(void)app;
	type.status = status;
	/* The http layer adds Retry-After itself. */
	problem_response(out, &type, detail, 0);
	/* "the Accept-Encoding response header field ought to be used to indicate which (if any) content
	 * codings would have been accepted" (RFC 9110 section 15.5.16) */
	if (status == 415)
		http_response_header(out, "Accept-Encoding", "identity");
}
