/*
 * The serving side of HTTP: an event loop over libmicrohttpd, a pool of workers, and deadlines.
 *
 * One loop thread owns all sockets. A request whose route says so is handled on the loop (must not
 * block); all others on a pool thread. A handler answers by http_respond(), before it returns or
 * later, from any thread, exactly once. Until then the connection is suspended: it costs its socket
 * and memory, and nobody notices if its client leaves. (A client that closes its sending side
 * before such an answer came counts as gone.)
 *
 * Bounds, all enforced here: header bytes and fields, body bytes, connections, connections per
 * address, time for headers, for the body, until an answer, for writing it, and idle; memory for
 * bodies and answers; appends and reads per address and second; streams in all, per address and in what
 * each may hold back. An address is an IPv4 address or an IPv6 /64: the client's where a trusted proxy names it, else that of
 * who is connected. Connections are counted before anything is read, so a trusted proxy's are not bounded by address.
 *
 * A request that two readers could take differently is refused with 400 before it is routed, and the
 * connection closes (http_head.h). What libmicrohttpd refuses before it shows us a request (a version that is
 * none, a line without a colon, a header over 16 KiB, broken chunks) keeps its own form; every other error is
 * written by the `error` callback. docs/threat-model.md lists what the library hides.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "http_proxies.h"
#include "vitrine/bytes.h"

struct http_server;
struct http_exchange; /* one request and its answer */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_OPTIONS,
	HTTP_OTHER,
};

/* The request. Everything is borrowed and lives until http_respond() is called. */
struct http_request {
	enum http_method method;
	const char *method_name;
	const char
	    *path; /* as it came, percent-encoding untouched, without the query; NUL-terminated */
	const char *query; /* after the "?", undecoded; "" when there is none */
	struct bytes body;
	const char *peer; /* the client's numeric address, no port */
};
const struct http_request *http_request(const struct http_exchange *x);
/* The server that it came to. Handlers run before http_server_start() has returned: only so do they have it. */
const struct http_server *http_exchange_server(const struct http_exchange *x);
/* NULL when absent; a header that came several times is joined with ", ". */
const char *http_header(const struct http_exchange *x, const char *name);
/* Does Accept ask for `type` rather than for `usual`, which is sent in doubt? Caches are told that the answer depends on it. */
bool http_prefers(struct http_exchange *x, const char *type, const char *usual);
/* Append this text with its percent-encoding undone. VT_EMALFORMED, and nothing is appended. */
enum vt_err http_decode(struct buf *out, struct bytes encoded);
/* One decoded query value. VT_ENOTFOUND; VT_EMALFORMED: bad
 * percent-encoding; VT_ECONFLICT: the name came twice. */
enum vt_err http_query(struct buf *out, const struct http_exchange *x, const char *name);
/* Is every query name in this NULL-terminated list? If not, *unknown (cut, NUL-terminated) is one.
 */
bool http_query_only(const struct http_exchange *x, const char *const *names, char unknown[64]);

enum {
	HTTP_HEADERS_MAX = 24, /* of an answer */
	HTTP_ETAG_MAX = 128,
};

struct http_response {
	unsigned status;
	const char *content_type; /* static */
	struct buf body;          /* taken over by http_respond() */
	/* Further headers: names are static, values owned by the response. */
	size_t n_headers;
	struct {
		const char *name;
		char *value;
	} header[HTTP_HEADERS_MAX];
	bool may_gzip;    /* compress if the client takes gzip and it helps; adds Vary */
	const char *etag; /* what stands between the quotes; static or NULL */
	char *etag_text;  /* the same, owned: http_response_etag() */
};
void http_response_init(struct http_response *r, unsigned status, const char *content_type);
void http_response_release(struct http_response *r);
/* printf-style value. VT_EINVAL, and no header, if it holds anything but printable ASCII: what came
 * from outside cannot begin a line of its own. VT_ELIMIT: HTTP_HEADERS_MAX are there already. */
enum vt_err http_response_header(struct http_response *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* printf-style text between the quotes. VT_EINVAL: it may not stand there (a quote, a space), or is
 * longer than HTTP_ETAG_MAX. The gzip form's is another one: weak, with "-gzip" behind it. */
enum vt_err http_response_etag(struct http_response *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Send it. Takes over everything r owns and re-initialises it. HEAD sends the headers alone, so a
 * handler treats it as GET. If a 200 to GET or HEAD has an etag that the request's If-None-Match
 * lists, 304 goes out instead. x must not be used afterwards. Many calls in a row wake the loop
 * once.
 */
void http_respond(struct http_exchange *x, struct http_response *r);

/*
 * A handler that answers later: hang its own state on the exchange, return without answering, and
 * when there is something to say call http_continue() from any thread. `then` runs on a pool
 * thread, with that thread's state, and must answer. It runs even if the loop has given up waiting
 * meanwhile, so that it can free what it hung there. Fine between http_server_stop() and
 * http_server_free(), not after.
 */
void http_set_state(struct http_exchange *x, void *state);
void *http_state(const struct http_exchange *x);

/* thread: what thread_new() made for the thread that runs the handler. */
typedef void (*http_handler)(struct http_exchange *x, void *thread, void *app);

void http_continue(struct http_exchange *x, http_handler then);

/*
 * Streams: answers that go on until somebody ends them, whose bytes any thread appends (server-sent events).
 * What is appended is a chunk: bytes that are written once and shared by every stream that sends them.
 *
 * A stream with nothing to send costs its socket, 32 KiB of the library and some 500 bytes; what it holds back adds
 * 8 bytes a chunk beside the chunks themselves, which are shared. Its socket buffers at most 128 KiB. No deadline
 * touches a stream that has nothing to send. One whose client takes nothing of what there is for
 * write_seconds is dropped, and so is one whose client closed, at once.
 *
 * When the server stops, streams end after the chunk that they are at, and after a second in any case.
 */
struct http_chunk;
/* A copy of these bytes, with one reference. NULL: no memory. */
struct http_chunk *http_chunk_new(struct bytes bytes);
struct http_chunk *http_chunk_ref(struct http_chunk *chunk); /* returns it */
void http_chunk_unref(struct http_chunk *chunk);             /* NULL is fine */
size_t http_chunk_len(const struct http_chunk *chunk);

struct http_stream;
struct http_stream_calls {
	/* Everything that was appended has been handed to the socket. On the loop's thread. May be NULL. */
	void (*empty)(void *ctx);
	/* Nothing will be sent any more. Once, on any thread, perhaps before http_respond_stream() has returned. */
	void (*closed)(void *ctx);
	void *ctx;
};

/*
 * Answer x with the head that r holds and then with what is appended. r's body is what is sent first. *out is a
 * reference, given back by http_stream_release(). Takes over what r owns, also on failure. VT_ENOMEM: nothing was
 * answered; `closed` will not be called. HEAD gets the head alone, and the stream is closed then.
 */
enum vt_err http_respond_stream(struct http_stream **out, struct http_exchange *x,
				struct http_response *r, const struct http_stream_calls *calls);
/* Append. The stream takes a reference of its own. Any thread. VT_ENOTFOUND: it is closed or ended. VT_ELIMIT: it
 * holds HTTP_STREAM_CHUNKS_MAX chunks; nothing was appended. VT_ENOMEM: likewise. Many calls in a row wake the loop
 * once. */
enum vt_err http_stream_append(struct http_stream *s, struct http_chunk *chunk);
size_t
http_stream_held(struct http_stream *s);      /* bytes appended and not handed to the socket yet */
void http_stream_end(struct http_stream *s);  /* after what was appended */
void http_stream_drop(struct http_stream *s); /* at once, and counted as dropped */
void http_stream_release(struct http_stream *s); /* NULL is fine; the stream goes on */
enum { HTTP_STREAM_CHUNKS_MAX = 4096 };

struct http_route_match {
	http_handler handler;
	bool on_loop;    /* answers from memory at once; never blocks */
	size_t body_max; /* 0: a body is refused with 400, without being kept */
	/* Answers on the loop, at once, and whatever the body is: it is dropped. */
	bool any_body;
	bool rate_limited; /* counts against the per-address append rate, not that of reads */
	/* Once its handler has begun, a 503 of this layer leaves unknown what was done. */
	bool appends;
	bool stream; /* counts as a stream; may call http_respond_stream() */
};

struct http_config {
	const char
	    *listen; /* "127.0.0.1:8080", "[::1]:0", ":8080", "*:8080"; port 0 picks a free one */
	/* Threads for appends, and as many for everything else. 0: one per core, at least 2. */
	unsigned workers;
	unsigned connections_max; /* 0: 4096 */
	unsigned per_address_max; /* 0: 512 */
	/* Seconds; fractions are taken. */
	double header_seconds; /* 0: 10; from accept or a request's first byte to its last header
				  byte */
	double body_seconds;   /* 0: 30; the whole body */
	double answer_seconds; /* 0: 120; then the client is told 503 */
	/* 0: 60. A client is looked at twice in that time, and reset if it took fewer bytes than least_rate asks for. */
	double write_seconds;
	/* 0: 8,192 bytes a second; eight times as many while bodies and answers take half of memory_max. */
	double least_rate;
	double idle_seconds; /* 0: 60; keep-alive */
	/*
	 * 0: 256 MiB; bodies of requests and answers at any moment. Beyond it requests with a body become 503, and answers over
	 * 64 KiB beyond three quarters of it. An answer that several read at once counts once.
	 */
	size_t memory_max;
	/* 0: a quarter of memory_max; the same for the sake of one address, which is told 429. */
	size_t memory_per_address;
	double rate_per_second;  /* 0: unlimited; tokens per address, burst as large as 2 s */
	double reads_per_second; /* the same, for everything that is not rate_limited */
	const struct http_proxies
	    *proxies;         /* borrowed, as long as the server lives; NULL: none is trusted */
	unsigned streams_max; /* 0: 2048 */
	unsigned streams_per_address_max; /* 0: 64 */
	/* Find the route; called on the loop before the body is read. Always fills in a handler
	 * (one that answers 404 or 405 where nothing fits). */
	void (*route)(struct http_route_match *out, const struct http_exchange *x, void *app);
	/* Writes the body of errors that arise here (400, 413, 415, 429, 431, 501, 503): the API's
	 * problem+json. unknown: what was asked may have been done. out is initialised with the status;
	 * Retry-After is added here. On any thread. */
	void (*error)(struct http_response *out, unsigned status, const char *detail, bool unknown,
		      void *app);
	/* State per thread (readers, hashers), the loop's included; called on that thread. NULL
	 * from new fails the start. Both may be NULL: then `thread` is. */
	void *(*thread_new)(void *app);
	void (*thread_free)(void *thread, void *app);
	void *app;
};

/* Bind and start. why (at least 160 bytes, may be NULL) says what failed. VT_EIO, VT_EINVAL. */
enum vt_err http_server_start(struct http_server **out, const struct http_config *config,
			      char why[160]);
/* "http://127.0.0.1:8080"; where it listens on every address, the loopback one is shown. */
const char *http_server_url(const struct http_server *s);
bool http_server_everywhere(const struct http_server *s);
enum { HTTP_URL_SIZE = 320 };
/* The URL of whatever server on this machine was given this `listen`. VT_EINVAL: none can be told; why says so. */
enum vt_err http_server_reach(char url[HTTP_URL_SIZE], const char *listen, char why[160]);
/*
 * Take no new connection or request; wait until every exchange under way is answered and sent, at
 * most grace_seconds; then answer 503 to what is left and close all. Ends the loop, not the pool. An
 * exchange that is answered later still has to be: that frees it, even after http_server_free().
 */
void http_server_stop(struct http_server *s, double grace_seconds);
/* Stops without grace if it still runs; lets the pool finish what it has and ends it. NULL is fine. */
void http_server_free(struct http_server *s);

struct http_server_stats {
	uint64_t connections_open;
	uint64_t requests;
	uint64_t suspended;
	uint64_t timed_out; /* header, body, idle and write deadlines together */
	uint64_t refused_rate;
	uint64_t streams_open;
	uint64_t streams_dropped; /* by http_stream_drop(), or because their client took nothing */
	uint64_t streams_refused; /* over streams_max or streams_per_address_max */
	uint64_t by_status[6];    /* [2]: 2xx ... [5]: 5xx */
};
void http_server_stats(const struct http_server *s, struct http_server_stats *out);

#endif
