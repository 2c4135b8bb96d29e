#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "http_loop.h"

enum {
	SHORT_OF_MEMORY = 8, /* times the least rate, while bodies and answers take half of it */
	QUIET_SLACK = 20,    /* milliseconds by which the kernel's clock may be coarser */
	LAST_FLUSH_MILLIS = 1000, /* for the 503s that end a drain */
	STRAGGLER_MILLIS = 1000,  /* for streams to end, and for requests that were on their way */
	LEAVERS = 64,             /* streams' clients that are seen to have left in one turn */
};

void loop_enter(struct http_conn *c, enum http_phase phase)
{
	deadline_enter(&c->server->deadlines, &c->deadline, phase, c->server->now);
}

void loop_cut(struct http_conn *c, bool reset)
{
	if (c->cut)
		return;
	c->cut = true;
	c->reset = reset;
	socket_cut(c->fd, reset);
	c->server->again = true;
}

/* Resume whoever has an answer. */
static void take_answers(struct http_server *s)
{
	struct http_exchange *x;

	pthread_mutex_lock(&s->lock);
	x = s->answered_first;
	s->answered_first = s->answered_last = NULL;
	pthread_mutex_unlock(&s->lock);
	while (x != NULL) {
		struct http_exchange *next = x->next;
		struct http_conn *c = x->conn;

		exchange_answered(c, x);
		library_resume(c);
		x = next;
	}
	streams_resume(s);
}

/* Nobody has answered for too long: the client is told so; what the handler says later is dropped.
 */
static void abandon(struct http_conn *c, const char *detail)
{
	struct MHD_Response *answer;
	int open = EXCHANGE_OPEN;

	if (!c->handed_over)
		return;
	answer = error_answer(c->server, c->x, 503, detail, 1);
	if (!atomic_compare_exchange_strong(&c->x->state, &open, EXCHANGE_ABANDONED)) {
		library_answer_free(answer);
		return; /* its answer has just come */
	}
	conn_release_memory(c);
	c->x = NULL;
	c->handed_over = false;
	c->answered = true;
	c->answer = answer;
	c->status = 503;
	library_resume(c);
}

static void time_out(struct http_conn *c)
{
	atomic_fetch_add(&c->server->n_timed_out, 1);
	loop_cut(c, c->deadline.phase == PHASE_WRITE);
}

/* Kept alive. The library does not tell when a request begins, the kernel knows when bytes came. */
static void check_idle(struct http_conn *c)
{
	struct http_server *s = c->server;
	uint64_t idle_millis = s->now > c->idle_since ? (s->now - c->idle_since) / MILLI : 0;
	struct socket_progress p;

	if (idle_millis >= (uint64_t)(s->config.idle_seconds * 1000)) {
		time_out(c);
		loop_enter(c, PHASE_IDLE);
	} else if (socket_progress(c->fd, &p) && p.quiet_millis + QUIET_SLACK >= idle_millis) {
		loop_enter(c, PHASE_IDLE);
	} else {
		loop_enter(c, PHASE_HEADER);
	}
}

/* Half of write_seconds is over: have enough bytes gone since the last look? */
static void check_write(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct socket_progress p = {0};
	bool is_short = atomic_load(&s->memory) > s->config.memory_max / 2;
	uint64_t least = (uint64_t)(s->config.write_seconds / 2 * s->config.least_rate *
				    (is_short ? SHORT_OF_MEMORY : 1));

	(void)socket_progress(c->fd, &p);
	if (c->looked && p.acked - c->acked < (least > 0 ? least : 1))
		time_out(c);
	c->looked = true;
	c->acked = p.acked;
	loop_enter(c, PHASE_WRITE);
}

/* Half of write_seconds is over. A stream whose client had taken all that the socket was given, then or now, is well: what it
 * still holds is ours to send. */
static void check_stream(struct http_conn *c)
{
	struct socket_progress p = {0};
	bool pending = socket_unsent(c->fd) > 0;

	(void)socket_progress(c->fd, &p);
	if (c->looked && c->pending && pending && p.acked == c->acked) {
		atomic_fetch_add(&c->server->n_dropped, 1);
		stream_cut(c->stream);
	}
	c->looked = true;
	c->pending = pending;
	c->acked = p.acked;
	loop_enter(c, PHASE_STREAM);
}

/* Clients of streams that closed their side. */
static void see_leavers(struct http_server *s)
{
	struct epoll_event left[LEAVERS];
	int n = epoll_wait(s->watch_fd, left, LEAVERS, 0);

	for (int i = 0; i < n; i++) {
		struct http_conn *c = left[i].data.ptr;

		/* It would be told of again until the library closes it. */
		(void)epoll_ctl(s->watch_fd, EPOLL_CTL_DEL, c->fd, NULL);
		c->watched = false;
		if (c->stream != NULL && !c->cut)
			stream_cut(c->stream);
	}
}

/* Whoever sent nothing at all waits for no answer either. */
static bool began(const struct http_conn *c)
{
	struct socket_progress p;

	return !c->cut && socket_progress(c->fd, &p) && p.received > 0;
}

static void check_header(struct http_conn *c)
{
	if (began(c))
		request_answer_raw(c, 408, "the header took too long", 0);
	time_out(c);
	loop_enter(c, PHASE_HEADER);
}

static void check_deadlines(struct http_server *s)
{
	struct deadline *t;

	while ((t = deadlines_due(&s->deadlines, s->now)) != NULL) {
		struct http_conn *c = (struct http_conn *)t;

		if (c->cut) {
			loop_enter(c, t->phase);
			continue;
		}
		switch (t->phase) {
		case PHASE_IDLE:
			check_idle(c);
			break;
		case PHASE_HEADER:
			check_header(c);
			break;
		case PHASE_BODY:
			request_answer_raw(c, 408, "the body took too long", 0);
			time_out(c);
			loop_enter(c, PHASE_BODY);
			break;
		case PHASE_ANSWER:
			atomic_fetch_add(&s->n_timed_out, 1);
			abandon(c, "no answer in time");
			loop_enter(c, PHASE_ANSWER);
			break;
		case PHASE_STREAM:
			if (c->stream != NULL)
				check_stream(c);
			else /* closed, and the library has not said so yet */
				loop_enter(c, PHASE_STREAM);
			break;
		default:
			check_write(c);
			break;
		}
	}
}

static void cut_phase(struct http_server *s, enum http_phase phase)
{
	struct deadline *t = NULL;

	while ((t = deadlines_in(&s->deadlines, phase, t)) != NULL)
		loop_cut((struct http_conn *)t, false);
}

/*
 * Whoever has no request under way goes. A request that has come and was not read yet, or came in part, is waited for a
 * moment, and refused.
 */
static void begin_drain(struct http_server *s, double grace)
{
	struct deadline *t = NULL;

	library_quiesce(s);
	s->draining = true;
	s->drain_until = s->now + (uint64_t)(grace * (double)SECOND);
	s->stragglers_until = s->now + STRAGGLER_MILLIS * MILLI;
	s->again = true;
	while ((t = deadlines_in(&s->deadlines, PHASE_IDLE, t)) != NULL) {
		if (!socket_unread(((struct http_conn *)t)->fd))
			loop_cut((struct http_conn *)t, false);
	}
	while ((t = deadlines_in(&s->deadlines, PHASE_HEADER, t)) != NULL) {
		if (!began((struct http_conn *)t))
			loop_cut((struct http_conn *)t, false);
	}
	while ((t = deadlines_in(&s->deadlines, PHASE_STREAM, t)) != NULL) {
		if (((struct http_conn *)t)->stream != NULL)
			stream_finish(((struct http_conn *)t)->stream);
	}
}

static bool uncut(const struct http_server *s, enum http_phase phase)
{
	struct deadline *t = NULL;

	while ((t = deadlines_in(&s->deadlines, phase, t)) != NULL) {
		if (!((struct http_conn *)t)->cut)
			return true;
	}
	return false;
}

/* Those that begin_drain() left: something of a request had come, and it is not complete yet. */
static void refuse_phase(struct http_server *s, enum http_phase phase)
{
	struct deadline *t = NULL;

	while ((t = deadlines_in(&s->deadlines, phase, t)) != NULL) {
		if (began((struct http_conn *)t))
			request_answer_raw((struct http_conn *)t, 503, "shutting down", 1);
		loop_cut((struct http_conn *)t, false);
	}
}

static void end_stragglers(struct http_server *s)
{
	struct deadline *t = NULL;

	s->stragglers_gone = true;
	refuse_phase(s, PHASE_IDLE);
	refuse_phase(s, PHASE_HEADER);
	while ((t = deadlines_in(&s->deadlines, PHASE_STREAM, t)) != NULL) {
		if (((struct http_conn *)t)->stream != NULL)
			stream_cut(((struct http_conn *)t)->stream);
	}
}

/* One step towards the end. true: nothing is left that is worth waiting for. */
static bool drained(struct http_server *s)
{
	struct deadline *t = NULL;

	if (s->now >= s->stragglers_until && !s->stragglers_gone)
		end_stragglers(s);
	if (s->busy == 0 && s->lingering.n == 0 && !uncut(s, PHASE_IDLE) && !uncut(s, PHASE_HEADER))
		return true;
	if (s->now >= s->drain_until && !s->giving_up) {
		s->giving_up = true;
		s->drain_until = s->now + LAST_FLUSH_MILLIS * MILLI;
		cut_phase(s, PHASE_BODY);
		while ((t = deadlines_in(&s->deadlines, PHASE_ANSWER, t)) != NULL)
			abandon((struct http_conn *)t, "shutting down");
	}
	/* The library must not be stopped while a connection is suspended; one that was not
	 * abandoned just now has its answer, which is on its way to the list. */
	return s->giving_up && s->now >= s->drain_until && atomic_load(&s->n_suspended) == 0 &&
	       atomic_load(&s->n_streams_asleep) == 0;
}

/* Until when to sleep, in poll()'s milliseconds. */
static int sleep_millis(const struct http_server *s)
{
	uint64_t until = deadlines_next(&s->deadlines);
	uint64_t linger = linger_next(&s->lingering), now = clock_monotonic_nanos(), millis;

	if (s->again || library_pending(s))
		return 0;
	if (linger < until)
		until = linger;
	if (s->draining && s->drain_until < until)
		until = s->drain_until;
	if (s->draining && !s->stragglers_gone && s->stragglers_until < until)
		until = s->stragglers_until;
	if (until == UINT64_MAX)
		return -1;
	if (until <= now)
		return 0;
	millis = (until - now + MILLI - 1) / MILLI;
	return millis < 60000 ? (int)millis : 60000;
}

/* Clients wait to be let in while somebody is idle: that one makes room. */
static void make_room(struct http_server *s)
{
	struct deadline *t = NULL;

	while ((t = deadlines_in(&s->deadlines, PHASE_IDLE, t)) != NULL) {
		struct http_conn *c = (struct http_conn *)t;

		if (!c->cut) {
			loop_cut(c, false);
			return;
		}
	}
}

static bool somebody_idle(const struct http_server *s)
{
	return deadlines_in(&s->deadlines, PHASE_IDLE, NULL) != NULL;
}

/* Wait for work. What arrives on the list meanwhile finds asleep set and writes the eventfd. */
static void sleep_until_work(struct http_server *s)
{
	enum {
		LIBRARY,
		WAKE,
		LEAVE,
		ACCEPT,
		LINGER,
	};
	struct pollfd fds[LINGER + LINGER_MAX];
	bool readable[LINGER_MAX];
	int millis = sleep_millis(s);
	bool full = s->conns >= s->config.connections_max && !s->draining && somebody_idle(s);
	eventfd_t count;

	pthread_mutex_lock(&s->lock);
	if (s->answered_first != NULL || s->woken != NULL)
		millis = 0;
	s->asleep = millis != 0;
	pthread_mutex_unlock(&s->lock);

	fds[LIBRARY] = (struct pollfd){.fd = s->daemon_fd, .events = POLLIN};
	fds[WAKE] = (struct pollfd){.fd = s->wake_fd, .events = POLLIN};
	fds[LEAVE] = (struct pollfd){.fd = s->watch_fd, .events = POLLIN};
	fds[ACCEPT] = (struct pollfd){.fd = full ? s->accept_fd : -1, .events = POLLIN};
	for (size_t i = 0; i < s->lingering.n; i++)
		fds[LINGER + i] =
		    (struct pollfd){.fd = s->lingering.socket[i].fd, .events = POLLIN};
	if (millis != 0 || full || s->lingering.n > 0 || s->streams > 0)
		(void)poll(fds, LINGER + s->lingering.n, millis); /* no signal comes here */

	s->now = clock_monotonic_nanos();
	if (fds[WAKE].revents != 0)
		(void)eventfd_read(s->wake_fd, &count);
	if (fds[LEAVE].revents != 0)
		see_leavers(s);
	if (fds[ACCEPT].revents != 0)
		make_room(s);
	for (size_t i = 0; i < s->lingering.n; i++)
		readable[i] = fds[LINGER + i].revents != 0;
	linger_step(&s->lingering, readable, s->now);
}

static void run(struct http_server *s)
{
	for (;;) {
		bool stop;
		double grace;

		pthread_mutex_lock(&s->lock);
		s->asleep = false;
		stop = s->stop_asked;
		grace = s->grace;
		pthread_mutex_unlock(&s->lock);

		take_answers(s);
		s->again = false;
		library_run(s);
		pool_submit(s->pool, &s->to_pool);
		check_deadlines(s);
		if (stop && !s->draining)
			begin_drain(s, grace);
		if (s->draining && drained(s))
			return;
		sleep_until_work(s);
	}
}

static enum vt_err start_loop(struct http_server *s, char why[160])
{
	const struct http_config *config = &s->config;
	struct http_pool_config pool = {
	    .workers = config->workers,
	    .run = request_run_handler,
	    .thread_new = config->thread_new,
	    .thread_free = config->thread_free,
	    .app = config->app,
	};
	enum vt_err err;

	s->now = clock_monotonic_nanos();
	if (config->thread_new != NULL && (s->state = config->thread_new(config->app)) == NULL) {
		snprintf(why, 160, "the state of a thread could not be made");
		return VT_EINTERNAL;
	}
	if ((err = pool_start(&s->pool, &pool)) != VT_OK) {
		snprintf(why, 160, "%u workers could not be started: %s", config->workers,
			 vt_err_text(err));
		return err;
	}
	return library_start(s, why);
}

void *loop_main(void *arg)
{
	struct http_server *s = arg;
	char why[160] = "";
	enum vt_err err = start_loop(s, why);

	pthread_mutex_lock(&s->lock);
	s->started = true;
	s->start_err = err;
	memcpy(s->why, why, sizeof(s->why));
	pthread_cond_signal(&s->changed);
	pthread_mutex_unlock(&s->lock);

	if (err == VT_OK)
		run(s);
	library_stop(s);
	linger_release(&s->lingering);
	if (s->state != NULL && s->config.thread_free != NULL)
		s->config.thread_free(s->state, s->config.app);
	return NULL;
}
