/*
 * GET /api/v1/events?subject=&type=&party=&result=&last-event-id=: server-sent events (WHATWG HTML, section 9.2): entries and tree
 * heads as they are published, or from the one on that the client names.
 */
#include "event_hub.h"

/* How long a client waits before it comes again. */
#define RETRY "retry: 3000\n\n"

/* The place to begin at: after the event that the client saw last, or at the newest tree head. */
static bool begin_at(struct http_exchange *x, struct log_worker *w, struct hub_place *out)
{
	const char *header = http_header(x, "Last-Event-ID");
	struct buf query;
	struct bytes id;
	uint64_t published = 0;
	enum vt_err err;
	bool given, ok = false;

	buf_init(&query);
	if (!api_query_text(x, "last-event-id", &query, &given))
		goto done;
	/* A browser that comes again asks for the same address as before, and tells in the header where it is by now. */
	id = header != NULL && header[0] != '\0' ? bytes_str(header) : buf_bytes(&query);
	if ((err = log_checkpoint(w, &published, NULL)) != VT_OK && err != VT_ENOTFOUND) {
		api_problem_err(x, err, "reading the checkpoint");
	} else if (id.len == 0 && !given) {
		*out = (struct hub_place){published, published};
		ok = true;
	} else if (hub_place_parse(out, id) != VT_OK) {
		api_problem(x, "bad-request",
			    "Last-Event-ID: expected e<index> (after this entry) or h<size> (after "
			    "this tree head)");
	} else if (out->entry > published) {
		api_problem(x, "beyond-published",
			    "Last-Event-ID: this is beyond what is published, %llu entries; were "
			    "they from another log?",
			    (unsigned long long)published);
	} else {
		ok = true;
	}
done:
	buf_release(&query);
	return ok;
}

static void subscribe(struct http_exchange *x, struct hub *hub, const struct hub_place *from,
		      struct conditions *c)
{
	struct http_response r;
	enum vt_err err;

	api_response_init(&r, 200, "text/event-stream", API_CACHE_NONE);
	/* Proxies that collect an answer before they pass it on take this word for it. */
	http_response_header(&r, "X-Accel-Buffering", "no");
	if (http_request(x)->method == HTTP_HEAD) {
		http_respond(x, &r);
		return;
	}
	if ((err = buf_append_str(&r.body, RETRY)) == VT_OK)
		err = hub_subscribe(hub, x, &r, from, c);
	else
		http_response_release(&r);
	if (err != VT_OK)
		api_problem_err(x, err, "subscribing");
}

void handle_events(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {CONDITION_NAMES, "last-event-id", NULL};
	static const char *const raw_names[] = {"last-event-id", NULL};
	struct api *api = app;
	struct hub_place from;
	struct conditions c;

	conditions_init(&c);
	if (api_only(x, log_mode(api->log) == LOG_RAW ? raw_names : names) &&
	    conditions_query(x, &c) && begin_at(x, thread, &from))
		subscribe(x, api->hub, &from, &c);
	conditions_release(&c);
}
