/*
 * A small application on the HTTP server, for tests:
 *   GET  /hello     "hello", on the loop
 *   GET  /pooled    "pooled", from a pool thread
 *   GET  /echo      path, query, peer and one header, as it came to the handler
 *   GET  /fresh     what it says to caches: Cache-Control and Pragma
 *   GET  /big?n=    n bytes of text, may be gzipped, ETag "big"
 *   GET  /tag       ETag "one", no gzip
 *   POST /body      the body's length and FNV-1a hash; at most APP_BODY_MAX
 *   POST /later     answered when the test says so: app_wait_parked(), app_answer_parked()
 *   POST /hung      the same, but to be gone on with: app_continue(); an append
 *   POST /paced     like /body, counts against the append rate
 *   GET  /gate      waits in its worker for app_open_gate(), then notes its peer in order[]
 *   POST /slow-append  the same, and counts as an append
 *   GET  /stream    a stream that begins with "begin\n" and is the test's: app_wait_streams()
 *   anything else   404
 */
#ifndef VITRINE_HTTP_APP_H
#define VITRINE_HTTP_APP_H

#include <pthread.h>

#include "http_server.h"
#include "raw_http.h"

enum {
	APP_BODY_MAX = 256 * 1024,
	APP_PARKED_MAX = 1024,
};

struct app {
	struct http_server *server;
	const char *url;
	pthread_mutex_t lock;
	pthread_cond_t parked_more;
	size_t n_parked;
	struct http_exchange *parked[APP_PARKED_MAX];
	unsigned threads_made, threads_freed;
	bool gate_open;
	size_t n_order;
	char order[APP_PARKED_MAX][16]; /* peers, as their handlers ran */
	size_t n_streams;
	struct app_stream *stream[APP_PARKED_MAX]; /* in the order in which they came */
};

/* What became of a stream. Its stream is a reference that app_stop() gives back. */
struct app_stream {
	struct app *app;
	struct http_stream *stream;
	unsigned empty, closed; /* how often each was called */
};

/* config may be NULL; its routes and callbacks are filled in here. Fails the test if it does not
 * start. */
void app_start(struct app *a, const struct http_config *config);
void app_stop(struct app *a, double grace_seconds);
void app_wait_parked(struct app *a, size_t n);
void app_open_gate(struct app *a);
void app_wait_streams(struct app *a, size_t n);
/* Wait until the stream has been empty more than `before` times; how often it has. */
unsigned app_wait_empty(struct app_stream *s, unsigned before);
void app_wait_closed(struct app_stream *s);
/* Append a text. */
enum vt_err app_append(struct app_stream *s, const char *text);
/* Take a parked exchange off the list; NULL: none. */
struct http_exchange *app_take_parked(struct app *a);
/* For one that came to /hung: answer "hung" by http_continue(). */
void app_continue(struct http_exchange *x);
/* 200 with this text. */
void app_answer(struct http_exchange *x, const char *text);
uint64_t app_hash(struct bytes data);

/* The application, and the answer that was read last. */
struct app_fixture {
	struct app app;
	struct raw_reply reply;
};
void app_fixture_start(struct app_fixture *f, struct http_config config);
void app_fixture_stop(struct app_fixture *f);

#endif
