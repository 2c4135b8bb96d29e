#include "http_pool.h"

#include "logline.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* How much nicer threads that read are than the process. */
enum { READS_NICER = 10 };

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
	SQUADS,
};

/* Threads that have a queue of their own, so that what others are asked for takes none of them. */
struct squad {
	struct queue queue;
	/* Something is queued, or the pool is closing. */
	pthread_cond_t work;
	unsigned idle;
};

struct http_pool {
	struct http_pool_config config;
	/* Guards all below but thread[]. */
	pthread_mutex_t lock;
	/* A thread has its state, or failed to get it. */
	pthread_cond_t started;
	struct squad squad[SQUADS];
	unsigned ready, failed;
	bool closing;
	/* As many for each squad: thread i is of squad i % SQUADS. */
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

static struct squad *squad_for(struct http_pool *p, const struct http_exchange *x)
{
	return &p->squad[x->match.rate_limited ? APPENDS : READS];
}

/* The next exchange; NULL: closing, and nothing is left for this squad. */
static struct http_exchange *squad_take(struct http_pool *p, struct squad *s)
{
	struct http_exchange *x;

	pthread_mutex_lock(&p->lock);
	while ((x = queue_take(&s->queue)) == NULL && !p->closing) {
		s->idle++;
		pthread_cond_wait(&s->work, &p->lock);
		s->idle--;
	}
	pthread_mutex_unlock(&p->lock);
	return x;
}

static void work(struct http_pool *p, struct squad *s)
{
	bool with_state = p->config.thread_new != NULL;
	void *state = with_state ? p->config.thread_new(p->config.app) : NULL;
	struct http_exchange *x;

	pthread_mutex_lock(&p->lock);
	p->ready++;
	if (with_state && state == NULL)
		p->failed++;
	pthread_cond_signal(&p->started);
	pthread_mutex_unlock(&p->lock);

	while ((x = squad_take(p, s)) != NULL)
		p->config.run(x, state);
	if (state != NULL && p->config.thread_free != NULL)
		p->config.thread_free(state, p->config.app);
}

static void *append_main(void *pool)
{
	struct http_pool *p = pool;

	work(p, &p->squad[APPENDS]);
	return NULL;
}

/*
 * Where the cores are taken, whoever appends goes first: a page of a thousand entries costs as much processor time as a
 * hundred appends do. On Linux a thread has a nice value of its own; reads go on without, should it be refused.
 */
static void *read_main(void *pool)
{
	struct http_pool *p = pool;

	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + READS_NICER);
	work(p, &p->squad[READS]);
	return NULL;
}

enum vt_err pool_start(struct http_pool **out, const struct http_pool_config *config)
{
	static void *(*const thread_main[SQUADS])(void *) = {read_main, append_main};
	const unsigned n = SQUADS * config->workers;
	struct http_pool *p = calloc(1, sizeof(*p) + n * sizeof(p->thread[0]));
	enum vt_err err = VT_OK;

	*out = NULL;
	if (p == NULL)
		return VT_ENOMEM;
	p->config = *config;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->started, NULL);
	for (unsigned i = 0; i < SQUADS; i++)
		pthread_cond_init(&p->squad[i].work, NULL);
	while (p->n_threads < n && err == VT_OK) {
		int failed = pthread_create(&p->thread[p->n_threads], NULL,
					    thread_main[p->n_threads % SQUADS], p);
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
	size_t put[SQUADS] = {0}, wake[SQUADS];

	if (b->n == 0)
		return;
	pthread_mutex_lock(&p->lock);
	while ((x = b->first) != NULL) {
		struct squad *s = squad_for(p, x);

		b->first = x->next;
		queue_put(&s->queue, x);
		put[s - p->squad]++;
	}
	for (unsigned i = 0; i < SQUADS; i++)
		wake[i] = put[i] < p->squad[i].idle ? put[i] : p->squad[i].idle;
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < SQUADS; i++)
		for (size_t n = 0; n < wake[i]; n++)
			pthread_cond_signal(&p->squad[i].work);
	*b = (struct pool_batch){0};
}

void pool_free(struct http_pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	for (unsigned i = 0; i < SQUADS; i++)
		pthread_cond_broadcast(&p->squad[i].work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		pthread_join(p->thread[i], NULL);
	pthread_cond_destroy(&p->started);
	for (unsigned i = 0; i < SQUADS; i++)
		pthread_cond_destroy(&p->squad[i].work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
