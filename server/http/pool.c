#include "http_pool.h"

#include "logline.h"

#include <pthread.h>
#include <stdlib.h>

/* What one lane waits for, first come first served. */
struct lane {
	struct http_exchange *first, *last;
	struct lane *next; /* among those that wait */
};

/* Lanes are served in turn, so that an address that asks for much waits for itself alone. */
struct queue {
	struct lane *first, *last;
	struct lane lane[PEER_LANES];
};

enum {
	READS,
	APPENDS,
	QUEUES,
};

struct http_pool {
	struct http_pool_config config;
	pthread_mutex_t lock;
	pthread_cond_t work;        /* something is queued, or closing */
	pthread_cond_t started;     /* a thread has its state, or failed to get it */
	struct queue queue[QUEUES]; /* in turn, too: neither starves the other */
	unsigned turn;
	unsigned
	    reads; /* under way, config.workers at most: there is one thread more, for appends */
	unsigned idle;
	unsigned ready, failed;
	bool closing;
	unsigned n_threads;
	pthread_t thread[];
};

/* Its turn comes after those of all lanes that wait. */
static void queue_lane(struct queue *q, struct lane *l)
{
	l->next = NULL;
	if (q->first == NULL)
		q->first = l;
	else
		q->last->next = l;
	q->last = l;
}

static void queue_put(struct queue *q, struct http_exchange *x)
{
	struct lane *l = &q->lane[x->lane];

	x->next = NULL;
	if (l->first != NULL) {
		l->last->next = x;
		l->last = x;
		return;
	}
	l->first = l->last = x;
	queue_lane(q, l);
}

static struct http_exchange *queue_take(struct queue *q)
{
	struct lane *l = q->first;
	struct http_exchange *x;

	if (l == NULL)
		return NULL;
	x = l->first;
	l->first = x->next;
	q->first = l->next;
	if (l->first != NULL)
		queue_lane(q, l);
	return x;
}

static unsigned queue_of(const struct http_exchange *x)
{
	return x->match.rate_limited ? APPENDS : READS;
}

static struct http_exchange *take_of(struct http_pool *p, unsigned queue)
{
	struct http_exchange *x = NULL;

	if (queue != READS || p->reads < p->config.workers)
		x = queue_take(&p->queue[queue]);
	p->reads += x != NULL && queue == READS;
	return x;
}

/* NULL: nothing waits that may be begun. */
static struct http_exchange *next_of(struct http_pool *p)
{
	struct http_exchange *x = take_of(p, p->turn);

	p->turn = (p->turn + 1) % QUEUES;
	return x != NULL ? x : take_of(p, p->turn);
}

/* The next exchange; NULL: closing and nothing is left that this thread may do. */
static struct http_exchange *take(struct http_pool *p, unsigned done)
{
	struct http_exchange *x;

	pthread_mutex_lock(&p->lock);
	if (done == READS) {
		p->reads--;
		/* This thread may take an append now, and another one the next read. */
		if (p->queue[READS].first != NULL)
			pthread_cond_signal(&p->work);
	}
	while ((x = next_of(p)) == NULL && !p->closing) {
		p->idle++;
		pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	pthread_mutex_unlock(&p->lock);
	return x;
}

static void *worker_main(void *arg)
{
	struct http_pool *p = arg;
	bool with_state = p->config.thread_new != NULL;
	void *state = with_state ? p->config.thread_new(p->config.app) : NULL;
	struct http_exchange *x;
	unsigned done = QUEUES; /* nothing yet */

	pthread_mutex_lock(&p->lock);
	p->ready++;
	if (with_state && state == NULL)
		p->failed++;
	pthread_cond_signal(&p->started);
	pthread_mutex_unlock(&p->lock);

	while ((x = take(p, done)) != NULL) {
		done = queue_of(x);
		p->config.run(x, state);
	}
	if (state != NULL && p->config.thread_free != NULL)
		p->config.thread_free(state, p->config.app);
	return NULL;
}

enum vt_err pool_start(struct http_pool **out, const struct http_pool_config *config)
{
	struct http_pool *p = calloc(1, sizeof(*p) + (config->workers + 1) * sizeof(p->thread[0]));
	enum vt_err err = VT_OK;

	*out = NULL;
	if (p == NULL)
		return VT_ENOMEM;
	p->config = *config;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->started, NULL);
	while (p->n_threads < config->workers + 1 && err == VT_OK) {
		int failed = pthread_create(&p->thread[p->n_threads], NULL, worker_main, p);
		if (failed == 0)
			p->n_threads++;
		else
			err = internal_error(__FILE__, __LINE__, "pthread_create", failed);
	}
	pthread_mutex_lock(&p->lock);
	while (p->ready < p->n_threads)
		pthread_cond_wait(&p->started, &p->lock);
	if (p->failed > 0)
		err = INTERNAL("a thread's state could not be made");
	pthread_mutex_unlock(&p->lock);
	if (err != VT_OK) {
		pool_free(p);
		return err;
	}
	*out = p;
	return VT_OK;
}

void pool_batch_add(struct pool_batch *b, struct http_exchange *x)
{
	x->next = NULL;
	if (b->n == 0)
		b->first = x;
	else
		b->last->next = x;
	b->last = x;
	b->n++;
}

void pool_submit(struct http_pool *p, struct pool_batch *b)
{
	struct http_exchange *x;
	size_t wake;

	if (b->n == 0)
		return;
	pthread_mutex_lock(&p->lock);
	while ((x = b->first) != NULL) {
		b->first = x->next;
		queue_put(&p->queue[queue_of(x)], x);
	}
	wake = b->n < p->idle ? b->n : p->idle;
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < wake; i++)
		pthread_cond_signal(&p->work);
	*b = (struct pool_batch){0};
}

void pool_free(struct http_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->started);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
