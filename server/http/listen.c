/*
 * The loop over libmicrohttpd, and the only file that knows it.
 *
 * The library runs without a thread of its own: we wait on its epoll descriptor and on an eventfd,
 * then call MHD_run(), which never blocks. (Left to itself, its epoll mode hangs when a multiple of
 * 128 connections are ready at once, and its poll mode looks at every connection each time.)
 * Everything about a connection happens on the loop's thread. Other threads only build an answer,
 * put it on a list and, if the loop sleeps, write the eventfd; the loop resumes the connections.
 *
 * Of one request the library calls, in this order: on_target() when it has the request line,
 * on_request() when it has the header, on_request() for each piece of the body, on_request() at its
 * end and again whenever the connection was resumed, on_done() when the answer is sent or will
 * never be. An answer queued in the first of those closes the connection, for the body is then
 * not read; between pieces of the body none can be queued at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "http_deadlines.h"
#include "http_exchange.h"
#include "http_pool.h"
#include "http_sockets.h"

#define MILLI  UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum {
	CONNECTION_MEMORY = 32 * 1024, /* of the library, for header and answer header */
	CONNECTION_MEMORY_STEP = 4096,
	DISCARD_MAX = 512 * 1024, /* of a refused body, read so that the connection can stay */
	SMALL_ANSWER = 64 * 1024, /* sent whatever memory is in use */
	WRITE_RATE_MIN = 1024,    /* bytes a second */
	QUIET_SLACK = 20,         /* milliseconds by which the kernel's clock may be coarser */
	POOL_BATCH = 16,          /* requests that wait for one another on their way to the pool */
	LAST_FLUSH_MILLIS = 1000, /* for the 503s that end a drain */
};

struct http_conn {
	struct deadline deadline; /* first, so that one is found from the other */
	struct http_server *server;
	struct MHD_Connection *mhd;
	int fd;
	struct peer *peer;
	char peer_text[PEER_TEXT_SIZE];

	struct http_exchange *x; /* NULL: none, or an answer has taken its place */
	bool busy;               /* from the complete header to on_done() */
	bool handed_over;        /* x is with a handler or among the answered */
	bool answered; /* answer and status are set; a NULL answer closes the connection */
	struct MHD_Response *answer;
	unsigned status;
	size_t answer_len; /* counted in memory until on_done() */

	uint64_t idle_since;
	uint64_t acked; /* at the last look while writing */
	bool looked;
	bool linger; /* the client may still be sending when it closes */
	bool cut;    /* shut down already, */
	bool reset;  /* and what was not sent forgotten */
};

struct http_server {
	struct http_config config;
	char url[SOCKET_URL_SIZE];
	atomic_uint refs; /* the owner's, and one per exchange that a handler has */

	/* The loop's own. */
	struct MHD_Daemon *daemon;
	int daemon_fd;
	int listen_fd; /* -1 once the library has it */
	int accept_fd; /* the same, to look whether somebody waits */
	struct http_pool *pool;
	struct pool_batch to_pool; /* given to it when the library is done with what was ready */
	void *state;               /* of the loop's thread */
	uint64_t now;
	struct deadlines deadlines;
	struct peers *peers;
	struct lingering lingering;
	size_t conns, busy;
	bool again; /* the library has something to do that no descriptor tells of */
	bool draining, giving_up;
	uint64_t drain_until;

	/* Shared, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_exchange *answered_first, *answered_last;
	bool asleep; /* somebody has to write wake_fd */
	bool stop_asked;
	double grace;
	bool started;
	enum vt_err start_err;
	char why[160];

	int wake_fd;
	pthread_t thread;
	bool joined;
	atomic_size_t memory;
	atomic_uint_fast64_t n_open, n_requests, n_suspended, n_timed_out, n_refused, n_status[6];
};

/* The exchange whose handler runs on this (the loop's) thread: its answer needs no list. */
static _Thread_local struct http_exchange *handling;

static void server_unref(struct http_server *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	close(s->wake_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* ---- answers ------------------------------------------------------------------------------- */

static void free_body(void *data)
{
	free(data);
}

/* The library's form of r. Takes r's body over, also on failure. NULL: no memory. */
static struct MHD_Response *to_library(struct http_response *r, const struct http_variant *v)
{
	static char nothing[1];
	bool empty = r->body.len == 0;
	struct MHD_Response *m = MHD_create_response_from_buffer_with_free_callback(
	    r->body.len, empty ? nothing : (void *)r->body.data, empty ? NULL : free_body);
	bool ok = m != NULL;

	if (m == NULL || empty)
		buf_release(&r->body);
	buf_init(&r->body);
	if (!ok)
		return NULL;
	if (r->content_type != NULL && !v->not_modified)
		ok = MHD_add_response_header(m, "Content-Type", r->content_type) == MHD_YES;
	if (ok && v->gzipped)
		ok = MHD_add_response_header(m, "Content-Encoding", "gzip") == MHD_YES;
	if (ok && v->vary)
		ok = MHD_add_response_header(m, "Vary", "Accept-Encoding") == MHD_YES;
	if (ok && v->etag[0] != '\0')
		ok = MHD_add_response_header(m, "ETag", v->etag) == MHD_YES;
	for (size_t i = 0; ok && i < r->n_headers; i++)
		ok = MHD_add_response_header(m, r->header[i].name, r->header[i].value) == MHD_YES;
	if (!ok) {
		MHD_destroy_response(m);
		return NULL;
	}
	return m;
}

/* An error of this layer. */
static void error_response(struct http_response *out, const struct http_server *s, unsigned status,
			   const char *detail, unsigned retry_after)
{
	http_response_init(out, status, "text/plain");
	s->config.error(out, status, detail, s->config.app);
	out->status = status;
	if (retry_after > 0)
		(void)http_response_header(out, "Retry-After", "%u", retry_after);
}

static struct MHD_Response *error_answer(const struct http_server *s, unsigned status,
					 const char *detail, unsigned retry_after)
{
	struct http_variant plain = {0};
	struct MHD_Response *m;
	struct http_response r;

	error_response(&r, s, status, detail, retry_after);
	m = to_library(&r, &plain);
	http_response_release(&r);
	return m;
}

/* Turn r into x's answer. Whatever happens x has one, if only the one that closes the connection.
 */
static void build_answer(struct http_exchange *x, struct http_response *r)
{
	struct http_server *s = x->server;
	struct http_variant variant;

	response_negotiate(&variant, r, x);
	x->status = variant.not_modified ? 304 : r->status;
	x->answer_len = r->body.len;
	if (r->body.len > SMALL_ANSWER &&
	    atomic_load(&s->memory) + r->body.len > s->config.memory_max) {
		x->status = 503;
		x->answer_len = 0;
		x->answer = error_answer(s, 503, "too many large answers are being sent", 1);
	} else {
		x->answer = to_library(r, &variant);
	}
	if (x->answer == NULL) {
		x->status = 503;
		x->answer_len = 0;
		x->answer = error_answer(s, 503, "out of memory", 1);
	}
	atomic_fetch_add(&s->memory, x->answer_len);
	http_response_release(r);
}

/* The connection gets the answer, the exchange has done its work. */
static void hand_answer(struct http_conn *c, struct http_exchange *x)
{
	c->answered = true;
	c->answer = x->answer;
	c->status = x->status;
	c->answer_len = x->answer_len;
	c->x = NULL;
	c->handed_over = false;
}

static void exchange_end(struct http_exchange *x)
{
	atomic_fetch_sub(&x->server->memory, x->body.len);
	exchange_free(x);
}

void http_respond(struct http_exchange *x, struct http_response *r)
{
	struct http_server *s = x->server;
	bool wake = false;

	/* The application may be gone by now, and nobody reads the answer: do not even build it. */
	if (atomic_load(&x->state) == EXCHANGE_ABANDONED) {
		http_response_release(r);
		exchange_end(x);
		server_unref(s);
		return;
	}
	build_answer(x, r);
	if (handling == x) {
		handling = NULL;
		hand_answer(x->conn, x);
		exchange_end(x);
	} else if (atomic_exchange(&x->state, EXCHANGE_ANSWERED) == EXCHANGE_ABANDONED) {
		if (x->answer != NULL)
			MHD_destroy_response(x->answer);
		atomic_fetch_sub(&s->memory, x->answer_len);
		exchange_end(x);
	} else {
		x->next = NULL;
		pthread_mutex_lock(&s->lock);
		if (s->answered_first == NULL)
			s->answered_first = x;
		else
			s->answered_last->next = x;
		s->answered_last = x;
		wake = s->asleep;
		s->asleep = false;
		pthread_mutex_unlock(&s->lock);
		/* From here on x may be gone. */
	}
	if (wake)
		(void)eventfd_write(s->wake_fd, 1);
	server_unref(s);
}

/* ---- one connection ------------------------------------------------------------------------ */

static struct http_conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

static void enter(struct http_conn *c, enum http_phase phase)
{
	deadline_enter(&c->server->deadlines, &c->deadline, phase, c->server->now);
}

static void cut(struct http_conn *c, bool reset)
{
	if (c->cut)
		return;
	c->cut = true;
	c->reset = reset;
	socket_cut(c->fd, reset);
	c->server->again = true;
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *addr, socklen_t len)
{
	const struct http_server *s = cls;

	(void)len;
	return peers_admit(s->peers, addr) ? MHD_YES : MHD_NO;
}

static void conn_open(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
	/* What the library returns may be overwritten by its next call: take the values at once. */
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	const struct sockaddr *addr =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	struct http_conn *c = calloc(1, sizeof(*c));

	*context = NULL;
	if (c == NULL || (c->peer = peers_connect(s->peers, addr, s->now)) == NULL) {
		free(c);
		socket_cut(fd, true); /* without a context on_request() refuses it, too */
		return;
	}
	c->server = s;
	c->mhd = mhd;
	c->fd = fd;
	peer_text(c->peer_text, addr);
	enter(c, PHASE_HEADER);
	s->conns++;
	atomic_fetch_add(&s->n_open, 1);
	*context = c;
}

static void conn_close(struct http_server *s, struct http_conn *c)
{
	int unread = 0, fd;

	deadline_leave(&c->deadline);
	peers_disconnect(s->peers, c->peer, s->now);
	s->conns--;
	atomic_fetch_sub(&s->n_open, 1);
	s->again = true; /* only its next turn looks whether it may accept again */
	if (c->linger || (!c->reset && ioctl(c->fd, FIONREAD, &unread) == 0 && unread > 0)) {
		fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0)
			linger_add(&s->lingering, fd, s->now);
	}
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		conn_open(cls, mhd, context);
	else if (*context != NULL)
		conn_close(cls, *context);
}

/* ---- one request --------------------------------------------------------------------------- */

/* "%2F" is not "/" in a path, and "%00" is no end: whoever needs decoded text decodes it. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
	struct http_conn *c = conn_of(mhd);

	(void)cls;
	if (c == NULL || c->x != NULL)
		return NULL;
	c->x = exchange_new(target != NULL ? target : "");
	if (c->deadline.phase == PHASE_IDLE)
		enter(c, PHASE_HEADER);
	return c->x;
}

struct gathered {
	size_t n;
	struct http_field field[HTTP_FIELDS_MAX + 1];
};

static enum MHD_Result gather_field(void *cls, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	struct gathered *g = cls;

	(void)kind;
	if (g->n > HTTP_FIELDS_MAX)
		return MHD_NO;
	g->field[g->n].name = name;
	g->field[g->n].value = value != NULL ? value : "";
	g->n++;
	return MHD_YES;
}

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

/* "GET /a b HTTP/1.1", or worse. */
static bool target_plain(const struct http_exchange *x)
{
	for (const char *p = x->req.path; *p != '\0'; p++) {
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return false;
	}
	for (const char *p = x->req.query; *p != '\0'; p++) {
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return false;
	}
	return true;
}

/* "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message that
 * lacks a Host header field and to any request message that contains more than one" (RFC 9112
 * section 3.2). The library could see to it, but garbles its answer. */
static void judge_head(struct http_exchange *x, const char *version)
{
	const char *host = http_header(x, "Host");

	if (x->refusal != 0)
		return;
	if (!target_plain(x))
		refuse(x, 400, "the request target holds a space or a control character", 0);
	else if (strcmp(version, "HTTP/1.1") == 0 && host == NULL)
		refuse(x, 400, "no Host field", 0);
	else if (host != NULL && strchr(host, ',') != NULL)
		refuse(x, 400, "more than one Host field", 0);
}

struct framing {
	bool chunked;
	uint64_t length; /* when not chunked */
	bool sound;      /* where the body ends is beyond doubt */
};

/* Where the body ends. What two readers could take differently is refused (RFC 9112 section 6.3).
 */
static struct framing judge_framing(struct http_exchange *x)
{
	const char *coding = http_header(x, "Transfer-Encoding");
	const char *length = http_header(x, "Content-Length");
	struct framing f = {.sound = true};

	if (coding != NULL) {
		f.chunked = true;
		f.sound = length == NULL && strcasecmp(coding, "chunked") == 0;
		if (length != NULL)
			refuse(x, 400, "both Transfer-Encoding and Content-Length", 0);
		else if (!f.sound)
			refuse(x, 501, "the only transfer coding taken is chunked", 0);
	} else if (length != NULL && decimal_decode(&f.length, bytes_str(length)) != VT_OK) {
		f.length = UINT64_MAX;
		f.sound = false;
		refuse(x, 400, "Content-Length is not one decimal number", 0);
	}
	return f;
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
	if (!f->chunked && f->length > x->match.body_max) {
		refuse(x, 413, "the body is larger than is taken here", 0);
	} else if (x->match.rate_limited && (wait = peer_take(s->peers, c->peer, s->now)) > 0) {
		refuse(x, 429, "too many requests from this address", wait);
		atomic_fetch_add(&s->n_refused, 1);
	} else if ((f->chunked || f->length > 0) &&
		   atomic_load(&s->memory) > s->config.memory_max) {
		refuse(x, 503, "too many bodies are being received", 1);
	}
}

static enum MHD_Result send_answer(struct http_conn *c)
{
	struct MHD_Response *answer = c->answer;
	enum MHD_Result rc;

	if (answer == NULL)
		return MHD_NO;
	c->answer = NULL;
	if (c->server->draining)
		(void)MHD_add_response_header(answer, "Connection", "close");
	rc = MHD_queue_response(c->mhd, c->status, answer);
	MHD_destroy_response(answer);
	c->looked = false;
	enter(c, PHASE_WRITE);
	atomic_fetch_add(&c->server->n_status[c->status / 100 < 6 ? c->status / 100 : 5], 1);
	return rc;
}

/* The refusal becomes the answer; x is gone. */
static enum MHD_Result send_refusal(struct http_conn *c)
{
	struct http_exchange *x = c->x;

	x->answer = error_answer(c->server, x->refusal, x->refusal_detail, x->retry_after);
	x->status = x->refusal;
	hand_answer(c, x);
	exchange_end(x);
	return send_answer(c);
}

/* First call: the header is complete. */
static enum MHD_Result begin(struct http_conn *c, const char *method, const char *version)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;
	struct gathered g;
	struct framing f;

	x->server = s;
	x->conn = c;
	memcpy(x->peer, c->peer_text, sizeof(x->peer));
	x->req.method = method_of(method);
	snprintf(x->method_name, sizeof(x->method_name), "%s", method);
	x->req.method_name = x->method_name;
	g.n = 0;
	MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, gather_field, &g);
	switch (exchange_set_fields(x, g.field, g.n)) {
	case VT_OK:
		break;
	case VT_ELIMIT:
		refuse(x, 431, "more than 100 header fields", 0);
		break;
	default:
		return MHD_NO;
	}
	c->busy = true;
	s->busy++;
	atomic_fetch_add(&s->n_requests, 1);
	judge_head(x, version);
	f = judge_framing(x);
	judge(c, x, &f);
	if (!f.chunked && f.length == 0)
		return MHD_YES;
	enter(c, PHASE_BODY);
	if (x->refusal == 0)
		return MHD_YES;
	/*
	 * Refused, with a body to come. A short one is read and dropped, so that the connection can
	 * stay. Otherwise the answer goes out now and closes it: a client that waits for "100
	 * Continue" never sends the body, and one that is sending may see the answer and stop.
	 */
	if (f.sound && http_header(x, "Expect") == NULL && (f.chunked || f.length <= DISCARD_MAX))
		return MHD_YES;
	c->linger = true;
	return send_refusal(c);
}

static const char *phrase_of(unsigned status)
{
	switch (status) {
	case 408:
		return "Request Timeout";
	case 413:
		return "Content Too Large";
	default:
		return "Service Unavailable";
	}
}

/*
 * Answer where the library would not let us: in the middle of a request. Nothing else has been
 * written for it, so what we write to the socket is the answer. The connection must close after it.
 */
static void answer_raw(struct http_conn *c, unsigned status, const char *detail,
		       unsigned retry_after)
{
	struct http_server *s = c->server;
	struct http_response r;
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	error_response(&r, s, status, detail, retry_after);
	err = buf_appendf(
	    &text,
	    "HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n",
	    status, phrase_of(status), r.content_type, r.body.len);
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

/* A piece of the body. */
static enum MHD_Result take_body(struct http_conn *c, const char *piece, size_t len)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;

	if (x->refusal == 0 && x->body.len + len > x->match.body_max)
		refuse(x, 413, "the body is larger than is taken here", 0);
	else if (x->refusal == 0 && atomic_load(&s->memory) > s->config.memory_max)
		refuse(x, 503, "too many bodies are being received", 1);
	else if (x->refusal == 0 && buf_append(&x->body, bytes_of(piece, len)) != VT_OK)
		refuse(x, 503, "out of memory", 1);
	if (x->refusal == 0) {
		atomic_fetch_add(&s->memory, len);
		return MHD_YES;
	}
	atomic_fetch_sub(&s->memory, x->body.len);
	buf_release(&x->body);
	x->dropped += len;
	if (x->dropped <= DISCARD_MAX)
		return MHD_YES;
	answer_raw(c, x->refusal, x->refusal_detail, x->retry_after);
	return MHD_NO;
}

void http_set_state(struct http_exchange *x, void *state)
{
	x->handler_state = state;
}

void *http_state(const struct http_exchange *x)
{
	return x->handler_state;
}

void http_continue(struct http_exchange *x, http_handler then)
{
	struct pool_batch one = {0};

	x->match.handler = then;
	x->continued = true;
	pool_batch_add(&one, x);
	pool_submit(x->server->pool, &one);
}

static void run_handler(struct http_exchange *x, void *state)
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

/* The request is complete: hand it over. */
static enum MHD_Result dispatch(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_exchange *x = c->x;

	if (x->refusal != 0)
		return send_refusal(c);
	atomic_fetch_add(&s->refs, 1);
	c->handed_over = true;
	if (x->match.on_loop) {
		handling = x;
		run_handler(x, s->state);
		handling = NULL;
		if (c->answered)
			return send_answer(c);
	}
	MHD_suspend_connection(c->mhd);
	enter(c, PHASE_ANSWER);
	atomic_fetch_add(&s->n_suspended, 1);
	if (!x->match.on_loop) {
		pool_batch_add(&s->to_pool, x);
		if (s->to_pool.n == POOL_BATCH)
			pool_submit(s->pool, &s->to_pool);
	}
	return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *piece,
				  size_t *piece_len, void **context)
{
	struct http_conn *c = conn_of(mhd);

	(void)cls;
	(void)url;
	(void)context;
	if (c == NULL)
		return MHD_NO;
	if (c->answered)
		return send_answer(c);
	if (c->x == NULL)
		return MHD_NO; /* no memory for it */
	if (!c->busy)
		return begin(c, method, version);
	if (*piece_len > 0) {
		size_t len = *piece_len;

		*piece_len = 0;
		return take_body(c, piece, len);
	}
	return dispatch(c);
}

static void on_done(void *cls, struct MHD_Connection *mhd, void **context,
		    enum MHD_RequestTerminationCode why)
{
	struct http_conn *c = conn_of(mhd);
	struct http_server *s = cls;

	(void)context;
	(void)why;
	if (c == NULL)
		return;
	if (c->x != NULL && !c->busy)
		exchange_free(c->x);
	else if (c->x != NULL)
		exchange_end(c->x);
	c->x = NULL;
	if (c->answer != NULL)
		MHD_destroy_response(c->answer);
	c->answer = NULL;
	atomic_fetch_sub(&s->memory, c->answer_len);
	c->answer_len = 0;
	c->answered = false;
	s->busy -= c->busy;
	c->busy = false;
	c->idle_since = s->now;
	enter(c, PHASE_IDLE);
	if (s->draining)
		cut(c, false);
}

/* ---- the loop ------------------------------------------------------------------------------ */

static void resume(struct http_conn *c)
{
	MHD_resume_connection(c->mhd);
	atomic_fetch_sub(&c->server->n_suspended, 1);
	c->server->again = true;
}

/* Resume whoever has an answer. */
static void take_answers(struct http_server *s)
{
	struct http_exchange *x;

	pthread_mutex_lock(&s->lock);
	x = s->answered_first;
	s->answered_first = s->answered_last = NULL;
	pthread_mutex_unlock(&s->lock);
	while (x != NULL) {
		struct http_exchange *next = x->next;
		struct http_conn *c = x->conn;

		hand_answer(c, x);
		exchange_end(x);
		resume(c);
		x = next;
	}
}

/* Nobody has answered for too long: the client is told so; what the handler says later is dropped.
 */
static void abandon(struct http_conn *c, const char *detail)
{
	struct MHD_Response *answer = error_answer(c->server, 503, detail, 1);
	int open = EXCHANGE_OPEN;

	if (!c->handed_over ||
	    !atomic_compare_exchange_strong(&c->x->state, &open, EXCHANGE_ABANDONED)) {
		if (answer != NULL)
			MHD_destroy_response(answer);
		return; /* its answer has just come */
	}
	c->x = NULL;
	c->handed_over = false;
	c->answered = true;
	c->answer = answer;
	c->status = 503;
	resume(c);
}

static void time_out(struct http_conn *c)
{
	atomic_fetch_add(&c->server->n_timed_out, 1);
	cut(c, c->deadline.phase == PHASE_WRITE);
}

/* Kept alive. The library does not tell when a request begins, the kernel knows when bytes came. */
static void check_idle(struct http_conn *c)
{
	struct http_server *s = c->server;
	uint64_t idle_millis = (s->now - c->idle_since) / MILLI;
	struct socket_progress p;

	if (idle_millis >= (uint64_t)(s->config.idle_seconds * 1000)) {
		time_out(c);
		enter(c, PHASE_IDLE);
	} else if (socket_progress(c->fd, &p) && p.quiet_millis + QUIET_SLACK >= idle_millis) {
		enter(c, PHASE_IDLE);
	} else {
		enter(c, PHASE_HEADER);
	}
}

/* Half of write_seconds is over: have enough bytes gone since the last look? */
static void check_write(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct socket_progress p = {0};
	uint64_t least = (uint64_t)(s->config.write_seconds / 2 * WRITE_RATE_MIN);

	(void)socket_progress(c->fd, &p);
	if (c->looked && p.acked - c->acked < (least > 0 ? least : 1))
		time_out(c);
	c->looked = true;
	c->acked = p.acked;
	enter(c, PHASE_WRITE);
}

static void check_header(struct http_conn *c)
{
	struct socket_progress p;

	/* Whoever sent nothing at all waits for no answer either. */
	if (!c->cut && socket_progress(c->fd, &p) && p.received > 0)
		answer_raw(c, 408, "the header took too long", 0);
	time_out(c);
	enter(c, PHASE_HEADER);
}

static void check_deadlines(struct http_server *s)
{
	struct deadline *t;

	while ((t = deadlines_due(&s->deadlines, s->now)) != NULL) {
		struct http_conn *c = (struct http_conn *)t;

		if (c->cut) {
			enter(c, t->phase);
			continue;
		}
		switch (t->phase) {
		case PHASE_IDLE:
			check_idle(c);
			break;
		case PHASE_HEADER:
			check_header(c);
			break;
		case PHASE_BODY:
			answer_raw(c, 408, "the body took too long", 0);
			time_out(c);
			enter(c, PHASE_BODY);
			break;
		case PHASE_ANSWER:
			atomic_fetch_add(&s->n_timed_out, 1);
			abandon(c,
				"no answer in time; the outcome is unknown, send the same again");
			enter(c, PHASE_ANSWER);
			break;
		default:
			check_write(c);
			break;
		}
	}
}

static void cut_phase(struct http_server *s, enum http_phase phase)
{
	struct deadline *t = NULL;

	while ((t = deadlines_in(&s->deadlines, phase, t)) != NULL)
		cut((struct http_conn *)t, false);
}

static void begin_drain(struct http_server *s, double grace)
{
	int fd = MHD_quiesce_daemon(s->daemon);

	if (fd >= 0)
		close(fd);
	s->draining = true;
	s->drain_until = s->now + (uint64_t)(grace * (double)SECOND);
	cut_phase(s, PHASE_IDLE);
	cut_phase(s, PHASE_HEADER);
}

/* One step towards the end. true: nothing is left that is worth waiting for. */
static bool drained(struct http_server *s)
{
	struct deadline *t = NULL;

	if (s->busy == 0 && s->lingering.n == 0)
		return true;
	if (s->now >= s->drain_until && !s->giving_up) {
		s->giving_up = true;
		s->drain_until = s->now + LAST_FLUSH_MILLIS * MILLI;
		cut_phase(s, PHASE_BODY);
		while ((t = deadlines_in(&s->deadlines, PHASE_ANSWER, t)) != NULL)
			abandon((struct http_conn *)t,
				"shutting down; the outcome is unknown, send the same again");
	}
	/* The library must not be stopped while a connection is suspended; one that was not
	 * abandoned just now has its answer, which is on its way to the list. */
	return s->giving_up && s->now >= s->drain_until && atomic_load(&s->n_suspended) == 0;
}

/* Until when to sleep, in poll()'s milliseconds. */
static int sleep_millis(const struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG library;
	uint64_t until = deadlines_next(&s->deadlines);
	uint64_t linger = linger_next(&s->lingering), now = clock_monotonic_nanos(), millis;

	if (s->again || (MHD_get_timeout(s->daemon, &library) == MHD_YES && library == 0))
		return 0;
	if (linger < until)
		until = linger;
	if (s->draining && s->drain_until < until)
		until = s->drain_until;
	if (until == UINT64_MAX)
		return -1;
	if (until <= now)
		return 0;
	millis = (until - now + MILLI - 1) / MILLI;
	return millis < 60000 ? (int)millis : 60000;
}

/* Clients wait to be let in while somebody is idle: that one makes room. */
static void make_room(struct http_server *s)
{
	struct deadline *t = NULL;

	while ((t = deadlines_in(&s->deadlines, PHASE_IDLE, t)) != NULL) {
		struct http_conn *c = (struct http_conn *)t;

		if (!c->cut) {
			cut(c, false);
			return;
		}
	}
}

static bool somebody_idle(const struct http_server *s)
{
	return deadlines_in(&s->deadlines, PHASE_IDLE, NULL) != NULL;
}

/* Wait for work. What arrives on the list meanwhile finds asleep set and writes the eventfd. */
static void sleep_until_work(struct http_server *s)
{
	enum {
		LIBRARY,
		WAKE,
		ACCEPT,
		LINGER,
	};
	struct pollfd fds[LINGER + LINGER_MAX];
	bool readable[LINGER_MAX];
	int millis = sleep_millis(s);
	bool full = s->conns >= s->config.connections_max && !s->draining && somebody_idle(s);
	eventfd_t count;

	pthread_mutex_lock(&s->lock);
	if (s->answered_first != NULL)
		millis = 0;
	s->asleep = millis != 0;
	pthread_mutex_unlock(&s->lock);

	fds[LIBRARY] = (struct pollfd){.fd = s->daemon_fd, .events = POLLIN};
	fds[WAKE] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
	fds[ACCEPT] = (struct pollfd){.fd = full ? s->accept_fd : -1, .events = POLLIN};
	for (size_t i = 0; i < s->lingering.n; i++)
		fds[LINGER + i] =
		    (struct pollfd){.fd = s->lingering.socket[i].fd, .events = POLLIN};
	if (millis != 0 || full || s->lingering.n > 0)
		(void)poll(fds, LINGER + s->lingering.n, millis); /* no signal comes here */

	s->now = clock_monotonic_nanos();
	if (fds[WAKE].revents != 0)
		(void)eventfd_read(s->wake_fd, &count);
	if (fds[ACCEPT].revents != 0)
		make_room(s);
	for (size_t i = 0; i < s->lingering.n; i++)
		readable[i] = fds[LINGER + i].revents != 0;
	linger_step(&s->lingering, readable, s->now);
}

static void run(struct http_server *s)
{
	for (;;) {
		bool stop;
		double grace;

		pthread_mutex_lock(&s->lock);
		s->asleep = false;
		stop = s->stop_asked;
		grace = s->grace;
		pthread_mutex_unlock(&s->lock);

		take_answers(s);
		s->again = false;
		MHD_run(s->daemon);
		pool_submit(s->pool, &s->to_pool);
		check_deadlines(s);
		if (stop && !s->draining)
			begin_drain(s, grace);
		if (s->draining && drained(s))
			return;
		sleep_until_work(s);
	}
}

static enum vt_err start_library(struct http_server *s, char why[160])
{
	const union MHD_DaemonInfo *info;

	/* Only what version 0.9.75 has. Its own timeout stays off: a byte a second resets it. */
	s->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, s, on_request, s,
	    MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
	    s->config.connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
	    (size_t)CONNECTION_MEMORY_STEP, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
	    MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_URI_LOG_CALLBACK,
	    on_target, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
	    MHD_OPTION_NOTIFY_COMPLETED, on_done, s, MHD_OPTION_END);
	if (s->daemon == NULL) {
		snprintf(why, 160, "libmicrohttpd did not start");
		return VT_EIO;
	}
	s->accept_fd = s->listen_fd;
	s->listen_fd = -1;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (info == NULL || info->epoll_fd < 0) {
		snprintf(why, 160, "libmicrohttpd has no epoll here");
		return VT_EIO;
	}
	s->daemon_fd = info->epoll_fd;
	return VT_OK;
}

static enum vt_err start_loop(struct http_server *s, char why[160])
{
	const struct http_config *config = &s->config;
	struct http_pool_config pool = {
	    .workers = config->workers,
	    .run = run_handler,
	    .thread_new = config->thread_new,
	    .thread_free = config->thread_free,
	    .app = config->app,
	};
	enum vt_err err;

	s->now = clock_monotonic_nanos();
	if (config->thread_new != NULL && (s->state = config->thread_new(config->app)) == NULL) {
		snprintf(why, 160, "the state of a thread could not be made");
		return VT_EINTERNAL;
	}
	if ((err = pool_start(&s->pool, &pool)) != VT_OK) {
		snprintf(why, 160, "%u workers could not be started: %s", config->workers,
			 vt_err_text(err));
		return err;
	}
	return start_library(s, why);
}

static void *loop_main(void *arg)
{
	struct http_server *s = arg;
	char why[160] = "";
	enum vt_err err = start_loop(s, why);

	pthread_mutex_lock(&s->lock);
	s->started = true;
	s->start_err = err;
	memcpy(s->why, why, sizeof(s->why));
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);

	if (err == VT_OK)
		run(s);
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	linger_release(&s->lingering);
	if (s->state != NULL && s->config.thread_free != NULL)
		s->config.thread_free(s->state, s->config.app);
	return NULL;
}

/* ---- start and stop ------------------------------------------------------------------------ */

static double or_default(double given, double otherwise)
{
	return given > 0 ? given : otherwise;
}

static void fill_in(struct http_config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->workers == 0)
		c->workers = cores > 2 ? (unsigned)cores : 2;
	if (c->connections_max == 0)
		c->connections_max = 4096;
	c->connections_max = socket_room(c->connections_max);
	if (c->per_address_max == 0)
		c->per_address_max = 512;
	if (c->memory_max == 0)
		c->memory_max = (size_t)256 << 20;
	c->header_seconds = or_default(c->header_seconds, 10);
	c->body_seconds = or_default(c->body_seconds, 30);
	c->answer_seconds = or_default(c->answer_seconds, 120);
	c->write_seconds = or_default(c->write_seconds, 60);
	c->idle_seconds = or_default(c->idle_seconds, 60);
}

static enum vt_err prepare(struct http_server *s)
{
	const struct http_config *c = &s->config;
	const struct peers_config peers = {
	    .connections_max = c->per_address_max,
	    .rate = c->rate_per_second,
	    .burst = fmax(1, 2 * c->rate_per_second),
	};
	const double seconds[PHASES] = {
	    [PHASE_IDLE] = fmin(c->idle_seconds, c->header_seconds),
	    [PHASE_HEADER] = c->header_seconds,
	    [PHASE_BODY] = c->body_seconds,
	    [PHASE_ANSWER] = c->answer_seconds,
	    [PHASE_WRITE] = c->write_seconds / 2,
	};
	uint64_t after[PHASES];

	for (size_t i = 0; i < PHASES; i++)
		after[i] = (uint64_t)(seconds[i] * (double)SECOND);
	deadlines_init(&s->deadlines, after);
	s->peers = peers_new(&peers);
	return s->peers != NULL ? VT_OK : VT_ENOMEM;
}

/* Start the loop with every signal blocked: they are the main thread's to take. */
static enum vt_err start_thread(struct http_server *s, char why[160])
{
	sigset_t all, before;
	enum vt_err err;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->thread, NULL, loop_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		snprintf(why, 160, "cannot start a thread: %s", strerror(rc));
		return VT_EIO;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->started)
		pthread_cond_wait(&s->changed, &s->lock);
	err = s->start_err;
	pthread_mutex_unlock(&s->lock);
	if (err == VT_OK)
		return VT_OK;
	pthread_join(s->thread, NULL);
	memcpy(why, s->why, 160);
	return err;
}

enum vt_err http_server_start(struct http_server **out, const struct http_config *config,
			      char why[160])
{
	struct http_server *s = calloc(1, sizeof(*s));
	char reason[160] = "out of memory";
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (s == NULL)
		goto done;
	s->joined = true; /* nothing to stop yet */
	s->wake_fd = s->listen_fd = -1;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->config = *config;
	fill_in(&s->config);
	if ((err = prepare(s)) != VT_OK)
		goto done;
	if ((s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) {
		snprintf(reason, sizeof(reason), "eventfd: %s", strerror(errno));
		err = VT_EIO;
		goto done;
	}
	if ((err = socket_listen(&s->listen_fd, s->url, config->listen, reason)) != VT_OK ||
	    (err = start_thread(s, reason)) != VT_OK)
		goto done;
	s->joined = false;
	*out = s;
	s = NULL; /* transferred */
done:
	if (err != VT_OK && why != NULL)
		memcpy(why, reason, sizeof(reason));
	if (s != NULL && s->listen_fd >= 0)
		close(s->listen_fd);
	http_server_free(s);
	return err;
}

const char *http_server_url(const struct http_server *s)
{
	return s->url;
}

void http_server_stop(struct http_server *s, double grace_seconds)
{
	if (s->joined)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop_asked = true;
	s->grace = grace_seconds;
	pthread_mutex_unlock(&s->lock);
	(void)eventfd_write(s->wake_fd, 1);
	pthread_join(s->thread, NULL);
	s->joined = true;
}

void http_server_free(struct http_server *s)
{
	if (s == NULL)
		return;
	http_server_stop(s, 0);
	/* Last, because http_continue() may hand it exchanges until whoever calls that has stopped. */
	pool_free(s->pool);
	peers_free(s->peers);
	server_unref(s);
}

void http_server_stats(const struct http_server *s, struct http_server_stats *out)
{
	out->connections_open = atomic_load(&s->n_open);
	out->requests = atomic_load(&s->n_requests);
	out->suspended = atomic_load(&s->n_suspended);
	out->timed_out = atomic_load(&s->n_timed_out);
	out->refused_rate = atomic_load(&s->n_refused);
	for (size_t i = 0; i < 6; i++)
		out->by_status[i] = atomic_load(&s->n_status[i]);
}
