/*
 * The server's inside: what its files share. Nobody else's business.
 *
 *	server.c    start, stop, figures
 *	loop.c      the loop's thread: waiting, answers that came, deadlines, the drain
 *	request.c   what a request is judged by, and who handles it
 *	head.c      what is no request at all
 *	proxies.c   whose request it is that a trusted proxy passes on
 *	answer.c    http_respond(), errors of this layer
 *	shared.c    answers that several connections send at once
 *	stream.c    answers that go on
 *	listen.c    libmicrohttpd, and nothing else knows it
 *
 * Everything about a connection happens on the loop's thread. Other threads only build an answer, put
 * it on a list and, if the loop sleeps, write the eventfd; the loop resumes the connections.
 */
#ifndef HTTP_LOOP_H
#define HTTP_LOOP_H

#include <pthread.h>

#include "http_deadlines.h"
#include "http_exchange.h"
#include "http_pool.h"
#include "http_shared.h"
#include "http_sockets.h"
#include "http_stream.h"

#define MILLI  UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

struct MHD_Connection;
struct MHD_Daemon;

struct http_conn {
	struct deadline deadline; /* first, so that one is found from the other */
	struct http_server *server;
	struct MHD_Connection *mhd;
	int fd;
	struct http_address address; /* of who is connected */
	struct peer *peer;           /* the same: its connections count */
	struct peer *client;         /* who the request under way counts for; NULL: none is */

	struct http_exchange *x; /* NULL: none, or an answer has taken its place */
	const char *target;      /* of x, in the library's buffer, */
	size_t target_len;       /* before the library took it apart */
	bool busy;               /* from the complete header to on_done() */
	bool handed_over;        /* x is with a handler or among the answered */
	bool answered; /* answer and status are set; a NULL answer closes the connection */
	struct MHD_Response *answer;
	unsigned status;
	struct shared_answer *shared; /* the answer is; a reference */
	size_t answer_len;            /* counted in memory until on_done(), if not shared */
	size_t charged;               /* to the peer, for body and answer */
	struct http_stream *stream;   /* borrowed from the answer; NULL: the answer is no stream */
	bool counted_stream;          /* against the bounds on streams, until on_done() */
	bool watched;                 /* by watch_fd */

	uint64_t idle_since;
	uint64_t acked; /* at the last look while writing */
	bool looked;
	bool pending; /* a stream: there was something its client had not taken */
	bool closes;  /* with its answer: what comes behind this request is not looked at */
	bool linger;  /* the client may still be sending when it closes */
	bool cut;     /* shut down already, */
	bool reset;   /* and what was not sent forgotten */
};

struct http_server {
	struct http_config config;
	char url[SOCKET_URL_SIZE];
	bool everywhere;  /* it listens on every address */
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
	size_t conns, busy, streams;
	int watch_fd; /* epoll: tells which stream's client has left */
	bool again;   /* the library has something to do that no descriptor tells of */
	bool draining, stragglers_gone, giving_up;
	uint64_t drain_until;
	uint64_t
	    stragglers_until; /* for the streams, and requests that were on their way when the drain began */

	/* Shared, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct http_exchange *answered_first, *answered_last;
	struct http_stream *woken; /* streams that have something to send again */
	bool asleep;               /* somebody has to write wake_fd */
	bool stop_asked;
	double grace;
	bool started;
	enum vt_err start_err;
	char why[160];

	int wake_fd;
	pthread_t thread;
	bool joined;
	atomic_size_t memory;
	struct shared_answers shared;
	atomic_uint_fast64_t n_open, n_requests, n_suspended, n_timed_out, n_refused, n_status[6];
	atomic_uint_fast64_t n_streams, n_streams_asleep, n_dropped, n_streams_refused;
};

/* listen.c */

/* Start the library on listen_fd. VT_EIO. */
enum vt_err library_start(struct http_server *s, char why[160]);
/* Everything that can be done without waiting; calls what stands under request.c below. */
void library_run(struct http_server *s);
/* Has it something to do that no descriptor tells of? */
bool library_pending(const struct http_server *s);
/* Accept no more. */
void library_quiesce(struct http_server *s);
void library_resume(struct http_conn *c);
/* No connection may be suspended any more. */
void library_stop(struct http_server *s);
/* The library's form of r. Takes r's body over, also on failure. NULL: no memory. Any thread. */
struct MHD_Response *library_answer(struct http_response *r, const struct http_variant *v);
void library_answer_free(struct MHD_Response *answer); /* NULL is fine */
/* The same for an answer that goes on with st; r's body is not used. Takes a reference of st over, also on
 * failure. */
struct MHD_Response *library_stream_answer(struct http_response *r, const struct http_variant *v,
					   struct http_stream *st);
/* The connection's stream, whose reading suspended it, is to be read again. */
void library_resume_stream(struct http_conn *c);

/* answer.c */

/* An error of this layer, as the application writes it. x: the request, as far as it is known, or NULL. */
void error_response(struct http_response *out, const struct http_server *s,
		    const struct http_exchange *x, unsigned status, const char *detail,
		    unsigned retry_after);
/* The same, ready to send. NULL: no memory. */
struct MHD_Response *error_answer(const struct http_server *s, const struct http_exchange *x,
				  unsigned status, const char *detail, unsigned retry_after);
/* The connection gets x's answer; x is freed. */
void exchange_answered(struct http_conn *c, struct http_exchange *x);
/* Free one that had begun. */
void exchange_end(struct http_exchange *x);
/* Run x's handler on this, the loop's, thread. An answer that it gives at once needs no list. */
/* An answer that is sent, or never will be. len: of its body, where it is not shared. answer: NULL, or the library has no reference. */
void forget_answer(struct http_server *s, struct MHD_Response *answer, struct shared_answer *shared,
		   size_t len);
/* What the peer was charged for is no longer held, or no longer for its sake. */
void conn_release_memory(struct http_conn *c);
void answer_inline(struct http_exchange *x, void *state);
void server_unref(struct http_server *s);

/* request.c: in the order in which a connection goes through them */

enum request_step {
	STEP_READ,    /* go on reading */
	STEP_ANSWER,  /* the connection has its answer: send it */
	STEP_SUSPEND, /* somebody will answer */
	STEP_CLOSE,
};
/* The header is complete. fault: what http_head_fault() said of it. fields: at most HTTP_FIELDS_MAX + 1, borrowed. */
enum request_step request_begin(struct http_conn *c, const char *method, const char *fault,
				const struct http_field *fields, size_t n);
enum request_step request_body(struct http_conn *c, const char *piece, size_t len);
enum request_step request_complete(struct http_conn *c);
/* Answered, or it never will be; the connection may go on. */
void request_done(struct http_conn *c);
void request_run_handler(struct http_exchange *x, void *state); /* on any thread */
/* Before the answer is sent that goes on with c->stream. */
void request_stream_begin(struct http_conn *c);
/* Answer in the middle of a request, where the library would not let us. Nothing else has been
 * written for it, so what we write to the socket is the answer. The connection has to close then. */
void request_answer_raw(struct http_conn *c, unsigned status, const char *detail,
			unsigned retry_after);

/* loop.c */

void *loop_main(void *server); /* of the thread */
/* Leave the connection's phase, begin this one. */
void loop_enter(struct http_conn *c, enum http_phase phase);
/* Shut the socket down; the library will close it. reset: what was not sent is forgotten. */
void loop_cut(struct http_conn *c, bool reset);

#endif
