/* Inside of a stream: shared by the files of this folder, nobody else's business. */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "http_exchange.h"

/*
 * One reference is the library's answer's (given back by stream_close()), one the application's, one the list's of woken
 * ones. Everything below is the loop's or under server->lock, as it says.
 */
struct http_stream {
	atomic_uint refs;
	struct http_server *server; /* a reference */
	struct http_stream_calls calls;
	bool told; /* it was answered with, so `closed` is owed */

	/* The loop's. */
	struct http_conn *conn; /* NULL: its answer is not being sent */
	bool suspended;

	/* Under server->lock. */
	struct http_chunk **ring; /* cap is a power of two */
	size_t cap, first, n;
	size_t sent; /* of the first chunk */
	size_t held; /* bytes that are to be sent */
	bool asleep; /* the loop has to look at it when there is something new */
	bool woken;  /* in server->woken */
	bool ended;  /* nothing more is taken */
	bool closed; /* and nothing sent */
	struct http_stream *next_woken;
};

enum stream_read {
	STREAM_BYTES, /* some were copied */
	STREAM_SLEEP, /* there is nothing: suspend the connection */
	STREAM_END,
	STREAM_CUT,
};

/* The loop's: what is next, at most max bytes. */
enum stream_read stream_read(struct http_stream *st, char *out, size_t max, size_t *len);
/* The answer is gone. */
void stream_close(struct http_stream *st);
/* The loop's: resume the connections of all that were woken. */
void streams_resume(struct http_server *s);
/* The loop's: end it after the chunk that it is at. */
void stream_finish(struct http_stream *st);
/* The loop's: send nothing more and cut the connection off. */
void stream_cut(struct http_stream *st);
/* Send x's answer, which goes on with st. Takes the answer over. */
void respond_stream(struct http_exchange *x, struct http_stream *st, unsigned status,
		    struct MHD_Response *answer);

#endif
