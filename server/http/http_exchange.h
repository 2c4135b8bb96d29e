/* Inside of an exchange: shared by the files of this folder, nobody else's business. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdatomic.h>

#include "http_peers.h"
#include "http_server.h"

struct MHD_Response;
struct http_conn;
struct shared_answer;

/* Who may answer. */
enum exchange_state {
	EXCHANGE_OPEN,      /* the handler */
	EXCHANGE_ANSWERED,  /* nobody: the loop will pick the answer up */
	EXCHANGE_ABANDONED, /* nobody: the loop has answered 503; http_respond() only frees it */
};

struct http_field {
	const char *name;
	const char *value;
};

enum {
	HTTP_FIELDS_MAX = 100, /* of a request */
};

/*
 * Owned by its connection until it is handed to a handler, by the handler until it answers, then by
 * the loop. It holds copies of all that it needs, so it may outlive the connection.
 */
struct http_exchange {
	struct http_request req;
	struct http_server *server;
	struct http_conn *conn; /* for the loop alone */
	struct http_route_match match;
	struct buf body;
	size_t n_fields;
	struct http_field *field; /* one block with the texts */

	/* An error of this layer takes the handler's place; refusal is its status, 0: none. */
	unsigned refusal;
	const char *refusal_detail;
	char refusal_text[HTTP_ADDRESS_TEXT_SIZE + 64]; /* one that is not static */
	unsigned retry_after;
	size_t dropped; /* bytes of a refused body that were read and thrown away */

	void *handler_state; /* http_set_state() */
	bool begun;          /* its handler may have run */
	bool continued;

	_Atomic int state; /* enum exchange_state */
	unsigned status;
	struct MHD_Response *answer; /* NULL: there was no memory even for an error */
	size_t answer_len;
	struct http_stream
	    *stream; /* that the answer goes on with; the answer holds the reference */
	struct shared_answer *shared; /* NULL: the answer is its own */
	unsigned lane;                /* peer_lane() */
	bool by_accept;               /* the answer depends on Accept: http_prefers() was asked */
	struct http_exchange *next;   /* in the pool's queue, then among the answered */

	char method_name[16]; /* cut to fit */
	char peer[HTTP_ADDRESS_TEXT_SIZE];
	char target[]; /* path NUL query NUL */
};

/* target: as it stands in the request line. NULL: no memory. */
struct http_exchange *exchange_new(const char *target);
void exchange_free(struct http_exchange *x);
/*
 * Keep the header fields, those of one name joined. The texts are copied. VT_ELIMIT: more than
 * HTTP_FIELDS_MAX.
 */
enum vt_err exchange_set_fields(struct http_exchange *x, const struct http_field *field, size_t n);

/* What content negotiation and preconditions make of an answer. */
struct http_variant {
	bool not_modified;
	bool gzipped;     /* the body of the response has been replaced */
	const char *vary; /* the whole header value; NULL: the same for whoever asks */
	char etag[144];   /* the same; "" for none */
};
void response_negotiate(struct http_variant *out, struct http_response *r,
			const struct http_exchange *x);

#endif
