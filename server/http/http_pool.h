/* Worker threads that run the handlers which may block. */
#ifndef HTTP_POOL_H
#define HTTP_POOL_H

#include "http_exchange.h"

struct http_pool;

struct http_pool_config {
	/* Threads for appends, and as many, at a lower priority, for everything else. */
	unsigned workers;
	void (*run)(struct http_exchange *x, void *state);
	void *(*thread_new)(void *app); /* may be NULL */
	void (*thread_free)(void *state, void *app);
	void *app;
};

/* Returns when every thread has its state. VT_EIO: no thread; VT_ENOMEM; VT_EINTERNAL: thread_new
 * failed. */
enum vt_err pool_start(struct http_pool **out, const struct http_pool_config *config);
/* Exchanges linked by next, on their way to the pool: to wake a thread costs more than most handlers. */
struct pool_batch {
	struct http_exchange *first, *last;
	size_t n;
};
void pool_batch_add(struct pool_batch *b, struct http_exchange *x);
/*
 * Takes them over and runs each once; b is empty afterwards. Those of one lane run in order, and lanes take turns. An append
 * never waits for a read, nor a read for an append. The queues need no bound of their own: a connection has one exchange at a time.
 */
void pool_submit(struct http_pool *p, struct pool_batch *b);
/* Run what is queued, end the threads, free. NULL is fine. */
void pool_free(struct http_pool *p);

#endif
