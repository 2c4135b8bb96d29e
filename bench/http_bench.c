/*
 * A server with nothing behind it, for measuring what HTTP alone costs. It prints its URL and runs
 * until it is interrupted; then it prints how much processor time a request took.
 *
 *	cmake --preset release -DVITRINE_BENCH=ON && cmake --build --preset release -t http_bench
 *	build/release/bench/http_bench 127.0.0.1:8099 &
 *	wrk -t1 -c64 -d8 --latency http://127.0.0.1:8099/loop     200 bytes, answered on the loop
 *	wrk -t1 -c64 -d8 --latency http://127.0.0.1:8099/pool     the same, from a pool thread
 *	wrk -t1 -c64 -d8 --latency http://127.0.0.1:8099/tile     8 KiB, from a pool thread
 *	wrk -t1 -c64 -d8 --latency -s bench/post.lua http://127.0.0.1:8099/append
 *		1 KiB in; a pool thread queues it, one other thread answers whatever is queued
 *
 * HTTP rates swing by a factor of 1.6 on a shared machine; the processor time is what to compare.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "http_server.h"

enum {
	ANSWER_BYTES = 200,
	TILE_BYTES = 8192,
	QUEUE_MAX = 16384,
};

static struct {
	uint8_t text[TILE_BYTES];
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct http_exchange *queue[QUEUE_MAX];
	size_t n;
	bool closing;
	uint64_t batches, appends;
} b = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER};

static void answer(struct http_exchange *x, size_t len)
{
	struct http_response r;

	http_response_init(&r, 200, "text/plain");
	(void)buf_append(&r.body, bytes_of(b.text, len));
	http_respond(x, &r);
}

static void on_small(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	(void)app;
	answer(x, ANSWER_BYTES);
}

static void on_tile(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	(void)app;
	answer(x, TILE_BYTES);
}

static void on_append(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	(void)app;
	pthread_mutex_lock(&b.lock);
	b.queue[b.n++] = x; /* as many as there are connections at most */
	pthread_cond_signal(&b.more);
	pthread_mutex_unlock(&b.lock);
}

/* Stands for the sequencer: whatever waits is the next batch. */
static void *batch_main(void *arg)
{
	static struct http_exchange *batch[QUEUE_MAX];
	size_t n;

	(void)arg;
	for (;;) {
		pthread_mutex_lock(&b.lock);
		while (b.n == 0 && !b.closing)
			pthread_cond_wait(&b.more, &b.lock);
		n = b.n;
		memcpy(batch, b.queue, n * sizeof(batch[0]));
		b.n = 0;
		pthread_mutex_unlock(&b.lock);
		if (n == 0)
			return NULL;
		b.batches++;
		b.appends += n;
		for (size_t i = 0; i < n; i++)
			answer(batch[i], ANSWER_BYTES);
	}
}

static void route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	const char *path = http_request(x)->path;

	(void)app;
	*out = (struct http_route_match){.handler = on_small, .on_loop = true};
	if (strcmp(path, "/pool") == 0)
		*out = (struct http_route_match){.handler = on_small};
	else if (strcmp(path, "/tile") == 0)
		*out = (struct http_route_match){.handler = on_tile};
	else if (strcmp(path, "/append") == 0)
		*out = (struct http_route_match){.handler = on_append, .body_max = 256 * 1024};
}

static void write_error(struct http_response *out, unsigned status, const char *detail,
			bool unknown, void *app)
{
	(void)unknown;
	(void)app;
	(void)buf_appendf(&out->body, "%u %s\n", status, detail);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

int main(int argc, char **argv)
{
	struct http_config config = {
	    .listen = argc > 1 ? argv[1] : "127.0.0.1:0",
	    .connections_max = QUEUE_MAX,
	    .per_address_max = QUEUE_MAX,
	    .route = route,
	    .error = write_error,
	};
	struct http_server_stats stats;
	struct http_server *s;
	struct rusage usage;
	char why[160];
	pthread_t thread;
	sigset_t stop;
	int which;

	memset(b.text, 'v', sizeof(b.text));
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &stop, NULL);
	if (pthread_create(&thread, NULL, batch_main, NULL) != 0 ||
	    http_server_start(&s, &config, why) != VT_OK) {
		fprintf(stderr, "http_bench: %s\n", why);
		return 1;
	}
	printf("%s\n", http_server_url(s));
	fflush(stdout);
	sigwait(&stop, &which);
	http_server_stats(s, &stats);
	http_server_stop(s, 5);
	http_server_free(s);
	pthread_mutex_lock(&b.lock);
	b.closing = true;
	pthread_cond_signal(&b.more);
	pthread_mutex_unlock(&b.lock);
	pthread_join(thread, NULL);
	getrusage(RUSAGE_SELF, &usage);
	if (stats.requests > 0)
		printf("%llu requests; a request: %.1f us in the program, %.1f us in the kernel\n",
		       (unsigned long long)stats.requests,
		       seconds(usage.ru_utime) * 1e6 / (double)stats.requests,
		       seconds(usage.ru_stime) * 1e6 / (double)stats.requests);
	if (b.batches > 0)
		printf("%.1f appends a batch\n", (double)b.appends / (double)b.batches);
	return 0;
}
