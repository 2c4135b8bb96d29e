/*
 * libmicrohttpd, and the only file that knows it.
 *
 * It runs without a thread of its own: the loop waits on its epoll descriptor and on an eventfd,
 * then calls MHD_run(), which never blocks. (Left to itself, its epoll mode hangs when a multiple of
 * 128 connections are ready at once, and its poll mode looks at every connection each time.)
 *
 * Of one request the library calls, in this order: on_target() when it has the request line,
 * on_request() when it has the header, on_request() for each piece of the body, on_request() at its
 * end and again whenever the connection was resumed, on_done() when the answer is sent or will
 * never be. An answer queued in the first of those closes the connection, for the body is then
 * not read; between pieces of the body none can be queued at all.
 */
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_head.h"
#include "http_loop.h"

/* Before 1.0 it takes NULs, folded fields and what not, and cannot be told to be strict. */
#define LENIENT_LIBRARY (MHD_VERSION < 0x00097701)

enum {
	CONNECTION_MEMORY = 32 * 1024, /* of the library, for header and answer header */
	CONNECTION_MEMORY_STEP = 4096,
	STREAM_BLOCK = 4096, /* for clients that know no chunks; the others read into the above */
};

/* ---- answers ------------------------------------------------------------------------------- */

static void free_body(void *data)
{
	free(data);
}

/* m, or NULL if there was no memory for its header fields. */
static struct MHD_Response *with_headers(struct MHD_Response *m, const struct http_response *r,
					 const struct http_variant *v)
{
	bool ok = true;

	if (r->content_type != NULL && !v->not_modified)
		ok = MHD_add_response_header(m, "Content-Type", r->content_type) == MHD_YES;
	/* A 304 says nothing of the coding: whoever keeps the answer knows. */
	if (ok && v->gzipped && !v->not_modified)
		ok = MHD_add_response_header(m, "Content-Encoding", "gzip") == MHD_YES;
	if (ok && v->vary != NULL)
		ok = MHD_add_response_header(m, "Vary", v->vary) == MHD_YES;
	if (ok && v->etag[0] != '\0')
		ok = MHD_add_response_header(m, "ETag", v->etag) == MHD_YES;
	for (size_t i = 0; ok && i < r->n_headers; i++)
		ok = MHD_add_response_header(m, r->header[i].name, r->header[i].value) == MHD_YES;
	if (ok)
		return m;
	MHD_destroy_response(m);
	return NULL;
}

struct MHD_Response *library_answer(struct http_response *r, const struct http_variant *v)
{
	static char nothing[1];
	bool empty = r->body.len == 0;
	struct MHD_Response *m = MHD_create_response_from_buffer_with_free_callback(
	    r->body.len, empty ? nothing : (void *)r->body.data, empty ? NULL : free_body);

	if (m == NULL || empty)
		buf_release(&r->body);
	buf_init(&r->body);
	return m == NULL ? NULL : with_headers(m, r, v);
}

/* The library wants more of a stream. */
static ssize_t on_stream(void *cls, uint64_t at, char *out, size_t max)
{
	struct http_stream *st = cls;
	struct http_conn *c = st->conn;
	size_t len;

	(void)at;
	switch (stream_read(st, out, max, &len)) {
	case STREAM_BYTES:
		return (ssize_t)len;
	case STREAM_SLEEP:
		MHD_suspend_connection(c->mhd);
		atomic_fetch_add(&c->server->n_streams_asleep, 1);
		return 0;
	case STREAM_END:
		return MHD_CONTENT_READER_END_OF_STREAM;
	default:
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
}

static void on_stream_gone(void *cls)
{
	stream_close(cls);
}

struct MHD_Response *library_stream_answer(struct http_response *r, const struct http_variant *v,
					   struct http_stream *st)
{
	struct MHD_Response *m = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK,
								   on_stream, st, on_stream_gone);

	if (m == NULL) {
		stream_close(st);
		return NULL;
	}
	return with_headers(m, r, v);
}

void library_answer_free(struct MHD_Response *answer)
{
	if (answer != NULL)
		MHD_destroy_response(answer);
}

/* ---- one connection ------------------------------------------------------------------------ */

static struct http_conn *conn_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

static enum MHD_Result on_accept(void *cls, const struct sockaddr *addr, socklen_t len)
{
	const struct http_server *s = cls;
	const struct http_address from = http_address_of(addr);

	(void)len;
	return http_proxies_trust(s->config.proxies, &from) || peers_admit(s->peers, &from)
		   ? MHD_YES
		   : MHD_NO;
}

static void conn_open(struct http_server *s, struct MHD_Connection *mhd, void **context)
{
	/* What the library returns may be overwritten by its next call: take the values at once. */
	int fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	const struct sockaddr *addr =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
	struct http_conn *c = calloc(1, sizeof(*c));

	*context = NULL;
	if (c != NULL) {
		c->address = http_address_of(addr);
		c->peer = peers_connect(s->peers, &c->address, s->now);
	}
	if (c == NULL || c->peer == NULL) {
		free(c);
		socket_cut(fd, true); /* without a context on_request() refuses it, too */
		return;
	}
	c->server = s;
	c->mhd = mhd;
	c->fd = fd;
	loop_enter(c, PHASE_HEADER);
	s->conns++;
	atomic_fetch_add(&s->n_open, 1);
	*context = c;
}

static void conn_close(struct http_server *s, struct http_conn *c)
{
	int fd;

	deadline_leave(&c->deadline);
	peers_disconnect(s->peers, c->peer, s->now);
	s->conns--;
	atomic_fetch_sub(&s->n_open, 1);
	s->again = true; /* only its next turn looks whether it may accept again */
	if (c->linger || (!c->reset && socket_unread(c->fd))) {
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
	c->target = target;
	c->target_len = target != NULL ? strlen(target) : 0;
	if (c->deadline.phase == PHASE_IDLE)
		loop_enter(c, PHASE_HEADER);
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

static enum MHD_Result send_answer(struct http_conn *c)
{
	struct MHD_Response *answer = c->answer;
	enum MHD_Result rc;

	if (answer == NULL)
		return MHD_NO;
	c->answer = NULL;
	/* A shared answer is not for one of its readers to change: who reads it while the server drains is cut off afterwards. */
	if ((c->server->draining || c->closes) && c->shared == NULL)
		(void)MHD_add_response_header(answer, "Connection", "close");
	if (c->stream != NULL)
		request_stream_begin(c);
	rc = MHD_queue_response(c->mhd, c->status, answer);
	if (c->shared == NULL)
		MHD_destroy_response(answer);
	c->looked = false;
	loop_enter(c, c->stream != NULL ? PHASE_STREAM : PHASE_WRITE);
	atomic_fetch_add(&c->server->n_status[c->status / 100 < 6 ? c->status / 100 : 5], 1);
	return rc;
}

/* 0: the header is not complete. */
static size_t head_len(const struct http_conn *c)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info == NULL ? 0 : info->header_size;
}

static enum request_step begin(struct http_conn *c, const char *method, const char *version)
{
	struct gathered g;

	g.n = 0;
	MHD_get_connection_values(c->mhd, MHD_HEADER_KIND, gather_field, &g);

	const struct http_head head = {
	    .method = method,
	    .path = c->x->req.path,
	    .query = c->x->req.query,
	    .target = c->target,
	    .target_len = c->target_len,
	    .version = version,
	    .field = g.field,
	    .n = g.n,
	    .len = LENIENT_LIBRARY && g.n <= HTTP_FIELDS_MAX ? head_len(c) : 0,
	};

	return request_begin(c, method, http_head_fault(&head), g.field, g.n);
}

static enum MHD_Result go_on(struct http_conn *c, enum request_step step)
{
	switch (step) {
	case STEP_READ:
		return MHD_YES;
	case STEP_ANSWER:
		return send_answer(c);
	case STEP_SUSPEND:
		MHD_suspend_connection(c->mhd);
		return MHD_YES;
	default:
		return MHD_NO;
	}
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
		return go_on(c, begin(c, method, version));
	if (*piece_len > 0) {
		size_t len = *piece_len;

		*piece_len = 0;
		return go_on(c, request_body(c, piece, len));
	}
	return go_on(c, request_complete(c));
}

static void on_done(void *cls, struct MHD_Connection *mhd, void **context,
		    enum MHD_RequestTerminationCode why)
{
	struct http_conn *c = conn_of(mhd);

	(void)cls;
	(void)context;
	(void)why;
	if (c != NULL)
		request_done(c);
}

#if LENIENT_LIBRARY
/*
 * The library answers a bad Content-Length itself, and twice. It says so first, between the moment when the
 * header is complete and on_request(): whose header it is can be seen by that, and who has got our answer
 * and is cut off gets none of the library's.
 */
static void on_log(void *cls, const char *format, va_list args)
{
	struct http_server *s = cls;
	struct deadline *t = NULL;

	(void)args;
	if (strstr(format, "Content-Length") == NULL)
		return;
	while ((t = deadlines_in(&s->deadlines, PHASE_HEADER, t)) != NULL) {
		struct http_conn *c = (struct http_conn *)t;

		if (c->x != NULL && !c->busy && !c->cut && head_len(c) > 0) {
			request_answer_raw(c, 400, "Content-Length is not one decimal number", 0);
			loop_cut(c, false);
			return;
		}
	}
}
#define STRICTNESS(s) MHD_OPTION_EXTERNAL_LOGGER, on_log, s
#else
/* "more strict protocol interpretation, within the limits set by RFCs for HTTP servers" */
#define STRICTNESS(s) MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1
#endif

/* ---- the whole ----------------------------------------------------------------------------- */

enum vt_err library_start(struct http_server *s, char why[160])
{
	const union MHD_DaemonInfo *info;

	/* What version 0.9.75 has, as far as nothing else is said. Its own timeout stays off: a byte a second resets it. */
	s->daemon = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (LENIENT_LIBRARY ? MHD_USE_ERROR_LOG : 0), 0,
	    on_accept, s, on_request, s, MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
	    MHD_OPTION_CONNECTION_LIMIT, s->config.connections_max,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
	    MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)CONNECTION_MEMORY_STEP,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
	    MHD_OPTION_URI_LOG_CALLBACK, on_target, s, STRICTNESS(s), MHD_OPTION_NOTIFY_CONNECTION,
	    on_connection, s, MHD_OPTION_NOTIFY_COMPLETED, on_done, s, MHD_OPTION_END);
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

void library_run(struct http_server *s)
{
	MHD_run(s->daemon);
}

bool library_pending(const struct http_server *s)
{
	MHD_UNSIGNED_LONG_LONG millis;

	/* It has no timeouts of its own: anything but "none" is "at once". */
	return MHD_get_timeout(s->daemon, &millis) == MHD_YES;
}

void library_quiesce(struct http_server *s)
{
	int fd = MHD_quiesce_daemon(s->daemon);

	if (fd >= 0)
		close(fd);
}

void library_resume(struct http_conn *c)
{
	MHD_resume_connection(c->mhd);
	atomic_fetch_sub(&c->server->n_suspended, 1);
	c->server->again = true;
}

void library_resume_stream(struct http_conn *c)
{
	MHD_resume_connection(c->mhd);
	atomic_fetch_sub(&c->server->n_streams_asleep, 1);
	c->server->again = true;
}

void library_stop(struct http_server *s)
{
	if (s->daemon != NULL)
		MHD_stop_daemon(s->daemon);
	s->daemon = NULL;
}
