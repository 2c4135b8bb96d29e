#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http_loop.h"

enum {
	SMALL_ANSWER = 64 * 1024, /* sent whatever memory is in use */
};

/* The exchange whose handler runs on this (the loop's) thread: its answer needs no list. */
static _Thread_local struct http_exchange *handling;

void server_unref(struct http_server *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	close(s->wake_fd);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	shared_destroy(&s->shared);
	free(s);
}

void error_response(struct http_response *out, const struct http_server *s,
		    const struct http_exchange *x, unsigned status, const char *detail,
		    unsigned retry_after)
{
	bool unknown = x != NULL && x->begun && x->match.appends;

	http_response_init(out, status, "text/plain");
	s->config.error(out, status, detail, unknown, s->config.app);
	out->status = status;
	if (retry_after > 0)
		(void)http_response_header(out, "Retry-After", "%u", retry_after);
}

struct MHD_Response *error_answer(const struct http_server *s, const struct http_exchange *x,
				  unsigned status, const char *detail, unsigned retry_after)
{
	struct http_variant plain = {0};
	struct MHD_Response *m;
	struct http_response r;

	error_response(&r, s, x, status, detail, retry_after);
	m = library_answer(&r, &plain);
	http_response_release(&r);
	return m;
}

void forget_answer(struct http_server *s, struct MHD_Response *answer, struct shared_answer *shared,
		   size_t len)
{
	if (shared != NULL)
		len = shared_unref(&s->shared, shared);
	else
		library_answer_free(answer);
	atomic_fetch_sub(&s->memory, len);
}

static void refuse_answer(struct http_exchange *x, unsigned status, const char *detail)
{
	x->status = status;
	x->shared = NULL;
	x->answer_len = 0;
	x->answer = error_answer(x->server, x, status, detail, 1);
}

/* A quarter of the memory is for bodies alone, so that readers cannot stop appends. */
static bool no_room_for(const struct http_server *s, size_t len)
{
	size_t room = s->config.memory_max - s->config.memory_max / 4;

	return len > SMALL_ANSWER && atomic_load(&s->memory) + len > room;
}

/* Turn r into x's answer. Whatever happens x has one, if only the one that closes the connection.
 */
static void build_answer(struct http_exchange *x, struct http_response *r)
{
	struct http_server *s = x->server;
	struct http_variant variant;

	response_negotiate(&variant, r, x);
	x->status = variant.not_modified ? 304 : r->status;
	x->answer_len = r->body.len;
	if (buf_error(&r->body) != VT_OK) {
		x->answer = NULL; /* the body is not whole */
	} else if (shared_worth(r, &variant) &&
		   (x->shared = shared_join(&s->shared, r, &variant)) != NULL) {
		x->answer = shared_response(x->shared);
		x->answer_len = 0;
	} else if (no_room_for(s, r->body.len)) {
		refuse_answer(x, 503, "too many large answers are being sent");
	} else if (shared_worth(r, &variant)) {
		x->shared = shared_add(&s->shared, r, &variant);
		x->answer = x->shared != NULL ? shared_response(x->shared) : NULL;
	} else {
		x->answer = library_answer(r, &variant);
	}
	if (x->answer == NULL)
		refuse_answer(x, 503, "out of memory");
	atomic_fetch_add(&s->memory, x->answer_len);
	http_response_release(r);
}

void exchange_end(struct http_exchange *x)
{
	atomic_fetch_sub(&x->server->memory, x->body.len);
	exchange_free(x);
}

void conn_release_memory(struct http_conn *c)
{
	if (c->charged > 0)
		peer_release(c->client, c->charged);
	c->charged = 0;
}

/* A large answer counts against its address's share. Whoever joins one counts nothing. */
static void charge_answer(struct http_conn *c, struct http_exchange *x)
{
	conn_release_memory(c);
	if (x->answer_len > SMALL_ANSWER &&
	    !peer_affords(c->server->peers, c->client, x->answer_len)) {
		forget_answer(c->server, x->answer, x->shared, x->answer_len);
		snprintf(x->refusal_text, sizeof(x->refusal_text),
			 "too many large answers at once to this address: %s", x->peer);
		refuse_answer(x, 429, x->refusal_text);
	}
	c->charged = x->answer_len;
	peer_charge(c->client, c->charged);
}

void exchange_answered(struct http_conn *c, struct http_exchange *x)
{
	charge_answer(c, x);
	c->answered = true;
	c->shared = x->shared;
	c->answer = x->answer;
	c->status = x->status;
	c->answer_len = x->answer_len;
	c->stream = x->stream;
	c->x = NULL;
	c->handed_over = false;
	exchange_end(x);
}

void answer_inline(struct http_exchange *x, void *state)
{
	handling = x;
	request_run_handler(x, state);
	handling = NULL;
}

/* The application may be gone by now, and nobody reads the answer: do not even build it. */
static bool abandoned(struct http_exchange *x)
{
	struct http_server *s = x->server;

	if (atomic_load(&x->state) != EXCHANGE_ABANDONED)
		return false;
	exchange_end(x);
	server_unref(s);
	return true;
}

/* x has its answer: to its connection with it. */
static void deliver(struct http_exchange *x)
{
	struct http_server *s = x->server;
	bool wake = false;

	if (handling == x) {
		handling = NULL;
		exchange_answered(x->conn, x);
	} else if (atomic_exchange(&x->state, EXCHANGE_ANSWERED) == EXCHANGE_ABANDONED) {
		forget_answer(s, x->answer, x->shared, x->answer_len);
		exchange_end(x);
	} else {
		x->next = NULL;
		pthread_mutex_lock(&s->lock);
		if (s->answered_first == NULL)
			s->answered_first = x;
		else
			s->answered_last->next = x;
		s->answered_last = x;
		wake = s->asleep;
		s->asleep = false;
		pthread_mutex_unlock(&s->lock);
		/* From here on x may be gone. */
	}
	if (wake)
		(void)eventfd_write(s->wake_fd, 1);
	server_unref(s);
}

void http_respond(struct http_exchange *x, struct http_response *r)
{
	if (abandoned(x)) {
		http_response_release(r);
		return;
	}
	build_answer(x, r);
	deliver(x);
}

void respond_stream(struct http_exchange *x, struct http_stream *st, unsigned status,
		    struct MHD_Response *answer)
{
	if (abandoned(x)) {
		library_answer_free(answer);
		return;
	}
	x->status = status;
	x->answer = answer;
	x->stream = st;
	deliver(x);
}

void http_set_state(struct http_exchange *x, void *state)
{
	x->handler_state = state;
}

void *http_state(const struct http_exchange *x)
{
	return x->handler_state;
}

void http_continue(struct http_exchange *x, http_handler then)
{
	struct pool_batch one = {0};

	x->match.handler = then;
	x->continued = true;
	pool_batch_add(&one, x);
	pool_submit(x->server->pool, &one);
}
