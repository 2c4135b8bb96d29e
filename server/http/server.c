#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http_loop.h"

static double or_default(double given, double otherwise)
{
	return given > 0 ? given : otherwise;
}

static void fill_in(struct http_config *c)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	if (c->workers == 0)
		c->workers = cores > 2 ? (unsigned)cores : 2;
	if (c->connections_max == 0)
		c->connections_max = 4096;
	if (c->per_address_max == 0)
		c->per_address_max = 512;
	if (c->streams_max == 0)
		c->streams_max = 2048;
	if (c->streams_per_address_max == 0)
		c->streams_per_address_max = 64;
	if (c->memory_max == 0)
		c->memory_max = (size_t)256 << 20;
	if (c->memory_per_address == 0)
		c->memory_per_address = c->memory_max / 4;
	if (c->least_rate <= 0)
		c->least_rate = 8192;
	c->header_seconds = or_default(c->header_seconds, 10);
	c->body_seconds = or_default(c->body_seconds, 30);
	c->answer_seconds = or_default(c->answer_seconds, 120);
	c->write_seconds = or_default(c->write_seconds, 60);
	c->idle_seconds = or_default(c->idle_seconds, 60);
}

static enum vt_err prepare(struct http_server *s)
{
	const struct http_config *c = &s->config;
	const struct peers_config peers = {
	    .connections_max = c->per_address_max,
	    .streams_max = c->streams_per_address_max,
	    .memory_max = c->memory_per_address,
	    .bucket =
		{
		    [PEER_APPENDS] = {c->rate_per_second, fmax(1, 2 * c->rate_per_second)},
		    [PEER_READS] = {c->reads_per_second, fmax(1, 2 * c->reads_per_second)},
		},
	};
	const double seconds[PHASES] = {
	    [PHASE_IDLE] = fmin(c->idle_seconds, c->header_seconds),
	    [PHASE_HEADER] = c->header_seconds,
	    [PHASE_BODY] = c->body_seconds,
	    [PHASE_ANSWER] = c->answer_seconds,
	    [PHASE_WRITE] = c->write_seconds / 2,
	    [PHASE_STREAM] = c->write_seconds / 2,
	};
	uint64_t after[PHASES];

	for (size_t i = 0; i < PHASES; i++)
		after[i] = (uint64_t)(seconds[i] * (double)SECOND);
	deadlines_init(&s->deadlines, after);
	s->peers = peers_new(&peers);
	return s->peers != NULL ? VT_OK : VT_ENOMEM;
}

/* Start the loop with every signal blocked: they are the main thread's to take. */
static enum vt_err start_thread(struct http_server *s, char why[160])
{
	sigset_t all, before;
	enum vt_err err;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&s->thread, NULL, loop_main, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		snprintf(why, 160, "cannot start a thread: %s", strerror(rc));
		return VT_EIO;
	}
	pthread_mutex_lock(&s->lock);
	while (!s->started)
		pthread_cond_wait(&s->changed, &s->lock);
	err = s->start_err;
	pthread_mutex_unlock(&s->lock);
	if (err == VT_OK)
		return VT_OK;
	pthread_join(s->thread, NULL);
	memcpy(why, s->why, 160);
	return err;
}

enum vt_err http_server_start(struct http_server **out, const struct http_config *config,
			      char why[160])
{
	struct http_server *s = calloc(1, sizeof(*s));
	char reason[160] = "out of memory";
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (s == NULL)
		goto done;
	s->joined = true; /* nothing to stop yet */
	s->wake_fd = s->watch_fd = s->listen_fd = -1;
	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	shared_init(&s->shared);
	pthread_cond_init(&s->changed, NULL);
	s->config = *config;
	fill_in(&s->config);
	if ((err = prepare(s)) != VT_OK)
		goto done;
	if ((s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
	    (s->watch_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		snprintf(reason, sizeof(reason), "eventfd, epoll: %s", strerror(errno));
		err = VT_EIO;
		goto done;
	}
	if ((err = socket_listen(&s->listen_fd, s->url, &s->everywhere, config->listen, reason)) !=
		VT_OK ||
	    (err = start_thread(s, reason)) != VT_OK)
		goto done;
	s->joined = false;
	*out = s;
	s = NULL; /* transferred */
done:
	if (err != VT_OK && why != NULL)
		memcpy(why, reason, sizeof(reason));
	if (s != NULL && s->listen_fd >= 0)
		close(s->listen_fd);
	http_server_free(s);
	return err;
}

const char *http_server_url(const struct http_server *s)
{
	return s->url;
}

bool http_server_everywhere(const struct http_server *s)
{
	return s->everywhere;
}

enum vt_err http_server_reach(char url[HTTP_URL_SIZE], const char *listen, char why[160])
{
	return socket_reach(url, listen, why);
}

void http_server_stop(struct http_server *s, double grace_seconds)
{
	if (s->joined)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop_asked = true;
	s->grace = grace_seconds;
	pthread_mutex_unlock(&s->lock);
	(void)eventfd_write(s->wake_fd, 1);
	pthread_join(s->thread, NULL);
	s->joined = true;
}

void http_server_free(struct http_server *s)
{
	if (s == NULL)
		return;
	http_server_stop(s, 0);
	/* Last, because http_continue() may hand it exchanges until whoever calls that has stopped. */
	pool_free(s->pool);
	peers_free(s->peers);
	if (s->watch_fd >= 0)
		close(s->watch_fd);
	server_unref(s);
}

void http_server_stats(const struct http_server *s, struct http_server_stats *out)
{
	out->connections_open = atomic_load(&s->n_open);
	out->requests = atomic_load(&s->n_requests);
	out->suspended = atomic_load(&s->n_suspended);
	out->timed_out = atomic_load(&s->n_timed_out);
	out->refused_rate = atomic_load(&s->n_refused);
	out->streams_open = atomic_load(&s->n_streams);
	out->streams_dropped = atomic_load(&s->n_dropped);
	out->streams_refused = atomic_load(&s->n_streams_refused);
	for (size_t i = 0; i < 6; i++)
		out->by_status[i] = atomic_load(&s->n_status[i]);
}
