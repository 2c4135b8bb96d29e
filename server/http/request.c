#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "clock.h"
#include "http_loop.h"

enum {
	DISCARD_MAX = 512 * 1024, /* of a refused body, read so that the connection can stay */
	POOL_BATCH = 16,          /* requests that wait for one another on their way to the pool */
	STREAM_RETRY_AFTER = 30,  /* seconds */
	STREAM_SOCKET_BYTES = 128 * 1024,
};

static enum http_method method_of(const char *name)
{
	static const char *const known[] = {
	    [HTTP_GET] = "GET",
	    [HTTP_HEAD] = "HEAD",
	    [HTTP_POST] = "POST",
	    [HTTP_OPTIONS] = "OPTIONS",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(name, known[i]) == 0)
			return (enum http_method)i;
	}
	return HTTP_OTHER;
}

static void refuse(struct http_exchange *x, unsigned status, const char *detail,
		   unsigned retry_after)
{
	x->refusal = status;
	x->refusal_detail = detail;
	x->retry_after = retry_after;
}

/* Says whose share is used up: a proxy that is not trusted is found by that. */
static void refuse_address(struct http_exchange *x, const char *what, unsigned retry_after)
{
	snprintf(x->refusal_text, sizeof(x->refusal_text), "too many %s this address: %s", what,
		 x->peer);
	refuse(x, 429, x->refusal_text, retry_after);
}

struct framing {
	bool chunked;
	uint64_t length; /* when not chunked */
};

/* Where the body ends. What two readers could take differently is refused (RFC 9112 section 6.3).
 */
static struct framing judge_framing(struct http_exchange *x)
{
	const char *coding = http_header(x, "Transfer-Encoding");
	const char *length = http_header(x, "Content-Length");
	struct framing f = {0};

	if (coding != NULL) {
		f.chunked = true;
		if (length != NULL)
			refuse(x, 400, "both Transfer-Encoding and Content-Length", 0);
		else if (strcasecmp(coding, "chunked") != 0)
			refuse(x, 501, "the only transfer coding taken is chunked", 0);
	} else if (length != NULL && decimal_decode(&f.length, bytes_str(length)) != VT_OK) {
		refuse(x, 400, "Content-Length is not one decimal number", 0);
	}
	return f;
}

/* One stream more, if there is room. */
static bool admit_stream(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (s->streams >= s->config.streams_max) {
		refuse(c->x, 503, "too many streams are open", STREAM_RETRY_AFTER);
		return false;
	}
	if (!peer_stream(s->peers, c->client)) {
		refuse_address(c->x, "streams to", STREAM_RETRY_AFTER);
		return false;
	}
	c->counted_stream = true;
	s->streams++;
	atomic_fetch_add(&s->n_streams, 1);
	return true;
}

void request_stream_begin(struct http_conn *c)
{
	struct epoll_event leaves = {.events = EPOLLRDHUP, .data = {.ptr = c}};

	c->stream->conn = c;
	c->pending = false;
	socket_hold_back(c->fd, STREAM_SOCKET_BYTES);
	c->watched = epoll_ctl(c->server->watch_fd, EPOLL_CTL_ADD, c->fd, &leaves) == 0;
	if (c->server->draining)
		stream_finish(c->stream);
}

static void stream_end(struct http_conn *c)
{
	struct http_server *s = c->server;

	/* A linger holds another descriptor of this socket, which would keep it watched. */
	if (c->watched)
		(void)epoll_ctl(s->watch_fd, EPOLL_CTL_DEL, c->fd, NULL);
	c->watched = false;
	if (!c->counted_stream)
		return;
	c->counted_stream = false;
	peer_stream_ended(c->client);
	s->streams--;
	atomic_fetch_sub(&s->n_streams, 1);
}

static void refuse_body(struct http_exchange *x)
{
	if (x->match.body_max == 0)
		refuse(x, 400, "no body is taken here", 0);
	else
		refuse(x, 413, "the body is larger than is taken here", 0);
}

static void judge_body(struct http_exchange *x, const struct framing *f)
{
	const char *coding = http_header(x, "Content-Encoding");

	if (!f->chunked && f->length > x->match.body_max)
		refuse_body(x);
	else if ((f->chunked || f->length > 0) && coding != NULL && *coding != '\0' &&
		 strcasecmp(coding, "identity") != 0)
		refuse(x, 415, "a body is only taken as it is, in no content coding", 0);
}

/* All that can be said before the body: in order of what it costs to say. */
static void judge(struct http_conn *c, struct http_exchange *x, const struct framing *f)
{
	struct http_server *s = c->server;
	unsigned wait;

	if (x->refusal != 0)
		return;
	if (s->draining) {
		refuse(x, 503, "shutting down", 1);
		return;
	}
	s->config.route(&x->match, x, s->config.app);
	if (!x->match.any_body)
		judge_body(x, f);
	if (x->refusal != 0) {
		return;
	} else if ((wait = peer_take(s->peers, c->client,
				     x->match.rate_limited ? PEER_APPENDS : PEER_READS, s->now)) >
		   0) {
		refuse_address(x, "requests from", wait);
		atomic_fetch_add(&s->n_refused, 1);
	} else if (x->match.stream && x->req.method == HTTP_GET && !admit_stream(c)) {
		atomic_fetch_add(&s->n_streams_refused, 1);
	} else if (!x->match.any_body && (f->chunked || f->length > 0) &&
		   atomic_load(&s->memory) > s->config.memory_max) {
		refuse(x, 503, "too many bodies are being received", 1);
	} else if (!x->match.any_body && (f->chunked || f->length > 0) &&
		   !peer_affords(s->peers, c->client, 1)) {
		refuse_address(x, "bodies at once from", 1);
	}
}

/* The refusal becomes the answer. */
static enum request_step answer_refusal(struct http_conn *c)
{
	struct http_exchange *x = c->x;

	x->answer = error_answer(c->server, x, x->refusal, x->refusal_detail, x->retry_after);
	x->status = x->refusal;
	exchange_answered(c, x);
	return STEP_ANSWER;
}

/* Whose request is it? What a trusted proxy says is looked at only here. */
static void find_client(struct http_conn *c)
{
	const struct http_proxies *proxies = c->server->config.proxies;
	struct http_address client = c->address;

	if (http_proxies_trust(proxies, &client))
		(void)http_proxies_client(proxies, http_header(c->x, http_proxies_header(proxies)),
					  &client);
	http_address_text(c->x->peer, &client);
	c->client = peers_begin_request(c->server->peers, c->peer, &client, c->server->now);
	c->x->lane = peer_lane(c->client);
}

enum request_step request_begin(struct http_conn *c, const char *method, const char *fault,
				const struct http_field *fields, size_t n)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;
	struct framing f;

	x->server = s;
	x->conn = c;
	x->req.method = method_of(method);
	snprintf(x->method_name, sizeof(x->method_name), "%s", method);
	x->req.method_name = x->method_name;
	switch (exchange_set_fields(x, fields, n)) {
	case VT_OK:
		break;
	case VT_ELIMIT:
		refuse(x, 431, "more than 100 header fields", 0);
		break;
	default:
		return STEP_CLOSE;
	}
	find_client(c);
	c->busy = true;
	s->busy++;
	atomic_fetch_add(&s->n_requests, 1);
	if (x->refusal == 0 && fault != NULL)
		refuse(x, 400, fault, 0);
	if (x->refusal == 0)
		f = judge_framing(x);
	if (x->refusal != 0) {
		/* Where the next request begins is anybody's guess. */
		c->closes = true;
		c->linger = true;
		return answer_refusal(c);
	}
	judge(c, x, &f);
	if (!f.chunked && f.length == 0)
		return STEP_READ;
	loop_enter(c, PHASE_BODY);
	if (x->refusal == 0 && !x->match.any_body)
		return STEP_READ;
	/*
	 * A body is to come that nobody takes. A short one is read and dropped, so that the connection
	 * can stay. Otherwise the answer goes out now and closes it: a client that waits for "100
	 * Continue" never sends the body, and one that is sending may see the answer and stop.
	 */
	if (http_header(x, "Expect") == NULL &&
	    (f.chunked ? x->refusal != 0 : f.length <= DISCARD_MAX))
		return STEP_READ;
	c->linger = true;
	return request_complete(c);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7), in any locale. */
static void write_date(char out[40])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = (time_t)clock_unix();
	struct tm t;

	gmtime_r(&now, &t);
	snprintf(out, 40, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", &days[t.tm_wday * 3],
		 t.tm_mday, &months[t.tm_mon * 3], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

void request_answer_raw(struct http_conn *c, unsigned status, const char *detail,
			unsigned retry_after)
{
	struct http_server *s = c->server;
	struct http_response r;
	struct buf text;
	enum vt_err err;
	char date[40];

	buf_init(&text);
	write_date(date);
	error_response(&r, s, c->x, status, detail, retry_after);
	err = buf_appendf(
	    &text,
	    "HTTP/1.1 %u Refused\r\nDate: %s\r\nConnection: close\r\nContent-Type: %s\r\n"
	    "Content-Length: %zu\r\n",
	    status, date, r.content_type, r.body.len);
	for (size_t i = 0; err == VT_OK && i < r.n_headers; i++)
		err = buf_appendf(&text, "%s: %s\r\n", r.header[i].name, r.header[i].value);
	if (err == VT_OK && (err = buf_append_str(&text, "\r\n")) == VT_OK)
		err = buf_append(&text, buf_bytes(&r.body));
	if (err == VT_OK)
		(void)send(c->fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL);
	http_response_release(&r);
	buf_release(&text);
	c->linger = true;
	atomic_fetch_add(&s->n_status[status / 100], 1);
}

enum request_step request_body(struct http_conn *c, const char *piece, size_t len)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;

	if (x->refusal == 0 && x->match.any_body)
		return STEP_READ;
	if (x->refusal == 0 && x->body.len + len > x->match.body_max)
		refuse_body(x);
	else if (x->refusal == 0 && atomic_load(&s->memory) > s->config.memory_max)
		refuse(x, 503, "too many bodies are being received", 1);
	else if (x->refusal == 0 && !peer_affords(s->peers, c->client, 1))
		refuse_address(x, "bodies at once from", 1);
	else if (x->refusal == 0 && buf_append(&x->body, bytes_of(piece, len)) != VT_OK)
		refuse(x, 503, "out of memory", 1);
	if (x->refusal == 0) {
		atomic_fetch_add(&s->memory, len);
		peer_charge(c->client, len);
		c->charged += len;
		return STEP_READ;
	}
	atomic_fetch_sub(&s->memory, x->body.len);
	conn_release_memory(c);
	buf_release(&x->body);
	x->dropped += len;
	if (x->dropped <= DISCARD_MAX)
		return STEP_READ;
	request_answer_raw(c, x->refusal, x->refusal_detail, x->retry_after);
	return STEP_CLOSE;
}

void request_run_handler(struct http_exchange *x, void *state)
{
	/* A handler that has state on the exchange must run, abandoned or not: it frees it. */
	if (!x->continued && atomic_load(&x->state) == EXCHANGE_ABANDONED) {
		struct http_server *s = x->server;

		exchange_end(x);
		server_unref(s);
		return;
	}
	x->req.body = buf_bytes(&x->body);
	x->match.handler(x, state, x->server->config.app);
}

enum request_step request_complete(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;

	if (x->refusal != 0)
		return answer_refusal(c);
	atomic_fetch_add(&s->refs, 1);
	x->begun = true;
	c->handed_over = true;
	if (x->match.on_loop) {
		answer_inline(x, s->state);
		if (c->answered)
			return STEP_ANSWER;
	}
	loop_enter(c, PHASE_ANSWER);
	atomic_fetch_add(&s->n_suspended, 1);
	if (!x->match.on_loop) {
		pool_batch_add(&s->to_pool, x);
		if (s->to_pool.n == POOL_BATCH)
			pool_submit(s->pool, &s->to_pool);
	}
	return STEP_SUSPEND;
}

void request_done(struct http_conn *c)
{
	struct http_server *s = c->server;

	if (c->x != NULL && !c->busy)
		exchange_free(c->x);
	else if (c->x != NULL)
		exchange_end(c->x);
	c->x = NULL;
	forget_answer(s, c->answer, c->shared, c->answer_len);
	c->answer = NULL;
	c->shared = NULL;
	c->answer_len = 0;
	conn_release_memory(c);
	c->answered = false;
	stream_end(c);
	if (c->client != NULL)
		peers_end_request(s->peers, c->client, s->now);
	c->client = NULL;
	s->busy -= c->busy;
	c->busy = false;
	/* Not s->now: what has come since then may be this very request. */
	c->idle_since = clock_monotonic_nanos();
	loop_enter(c, PHASE_IDLE);
	if (s->draining)
		loop_cut(c, false);
}
