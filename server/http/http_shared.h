/*
 * Answers that are being sent, and are the same to the last byte, exist once for all who read them. Any thread.
 */
#ifndef HTTP_SHARED_H
#define HTTP_SHARED_H

#include <pthread.h>

#include "http_exchange.h"

struct shared_answer;

enum { SHARED_ROWS = 256 };

struct shared_answers {
	pthread_mutex_t lock;
	struct shared_answer *row[SHARED_ROWS];
};
void shared_init(struct shared_answers *s);
void shared_destroy(struct shared_answers *s); /* nothing may be left in it */

/* Is it worth looking? It is large, whole, and has an entity tag. */
bool shared_worth(const struct http_response *r, const struct http_variant *v);
/* A reference to an answer that is being sent and has r's headers and body; NULL: there is none, or no memory. */
struct shared_answer *shared_join(struct shared_answers *s, const struct http_response *r,
				  const struct http_variant *v);
/* A reference to r as an answer that others may join. r's body is taken over, also on failure. NULL: no memory. */
struct shared_answer *shared_add(struct shared_answers *s, struct http_response *r,
				 const struct http_variant *v);
/* Borrowed, for as long as the reference is held. */
struct MHD_Response *shared_response(const struct shared_answer *a);
/* Give a reference back. So many bytes are no longer held: none, or the body's. */
size_t shared_unref(struct shared_answers *s, struct shared_answer *a);

#endif
