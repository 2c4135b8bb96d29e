/*
 * Answers that go on. A thread that appends takes the server's lock, puts the chunk on the stream's ring and, if its
 * connection sleeps, the stream on the list of woken ones; the loop resumes those, and the library reads them.
 * A stream that has nothing left suspends its connection.
 */
#include "http_stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "http_loop.h"

enum {
	RING_FIRST = 16, /* chunks */
};

struct http_chunk {
	atomic_uint refs;
	size_t len;
	uint8_t data[];
};

struct http_chunk *http_chunk_new(struct bytes bytes)
{
	struct http_chunk *chunk = malloc(sizeof(*chunk) + bytes.len);

	if (chunk == NULL)
		return NULL;
	atomic_init(&chunk->refs, 1);
	chunk->len = bytes.len;
	if (bytes.len > 0)
		memcpy(chunk->data, bytes.data, bytes.len);
	return chunk;
}

struct http_chunk *http_chunk_ref(struct http_chunk *chunk)
{
	atomic_fetch_add(&chunk->refs, 1);
	return chunk;
}

void http_chunk_unref(struct http_chunk *chunk)
{
	if (chunk != NULL && atomic_fetch_sub(&chunk->refs, 1) == 1)
		free(chunk);
}

size_t http_chunk_len(const struct http_chunk *chunk)
{
	return chunk->len;
}

/* -- the ring: all of it under the server's lock ----------------------------------------------- */

static struct http_chunk *ring_first(const struct http_stream *st)
{
	return st->ring[st->first & (st->cap - 1)];
}

static void ring_pop(struct http_stream *st)
{
	struct http_chunk *chunk = ring_first(st);

	st->held -= chunk->len - st->sent;
	st->sent = 0;
	st->first++;
	st->n--;
	http_chunk_unref(chunk);
}

/* Forget what is behind the first `keep` chunks. */
static void ring_cut(struct http_stream *st, size_t keep)
{
	while (st->n > keep) {
		struct http_chunk *last = st->ring[(st->first + --st->n) & (st->cap - 1)];

		st->held -= last->len - (st->n == 0 ? st->sent : 0);
		http_chunk_unref(last);
	}
	if (keep == 0)
		st->sent = 0;
}

static enum vt_err ring_grow(struct http_stream *st)
{
	size_t cap = st->cap == 0 ? RING_FIRST : 2 * st->cap;
	struct http_chunk **ring;

	if (st->cap == HTTP_STREAM_CHUNKS_MAX)
		return VT_ELIMIT;
	ring = malloc(cap * sizeof(struct http_chunk *));
	if (ring == NULL)
		return VT_ENOMEM;
	for (size_t i = 0; i < st->n; i++)
		ring[i] = st->ring[(st->first + i) & (st->cap - 1)];
	free(st->ring);
	st->ring = ring;
	st->cap = cap;
	st->first = 0;
	return VT_OK;
}

/* -- the stream ------------------------------------------------------------------------------------ */

static struct http_stream *stream_new(struct http_server *s, const struct http_stream_calls *calls)
{
	struct http_stream *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return NULL;
	atomic_init(&st->refs, 1);
	atomic_fetch_add(&s->refs, 1);
	st->server = s;
	st->calls = *calls;
	return st;
}

void http_stream_release(struct http_stream *st)
{
	struct http_server *s;

	if (st == NULL || atomic_fetch_sub(&st->refs, 1) != 1)
		return;
	s = st->server;
	ring_cut(st, 0);
	free(st->ring);
	free(st);
	server_unref(s);
}

/* Under the lock: the loop is to look at it. true: the loop has to be woken for that. */
static bool wake(struct http_stream *st)
{
	struct http_server *s = st->server;
	bool loop_asleep = s->asleep;

	if (!st->asleep || st->woken)
		return false;
	st->woken = true;
	atomic_fetch_add(&st->refs, 1);
	st->next_woken = s->woken;
	s->woken = st;
	s->asleep = false;
	return loop_asleep;
}

static void unlock_and_wake(struct http_server *s, bool loop)
{
	pthread_mutex_unlock(&s->lock);
	if (loop)
		(void)eventfd_write(s->wake_fd, 1);
}

enum vt_err http_stream_append(struct http_stream *st, struct http_chunk *chunk)
{
	struct http_server *s = st->server;
	enum vt_err err = VT_OK;
	bool loop = false;

	if (chunk->len == 0)
		return VT_OK;
	pthread_mutex_lock(&s->lock);
	if (st->closed || st->ended)
		err = VT_ENOTFOUND;
	else if (st->n == st->cap)
		err = ring_grow(st);
	if (err == VT_OK) {
		st->ring[(st->first + st->n++) & (st->cap - 1)] = http_chunk_ref(chunk);
		st->held += chunk->len;
		loop = wake(st);
	}
	unlock_and_wake(s, loop);
	return err;
}

size_t http_stream_held(struct http_stream *st)
{
	size_t held;

	pthread_mutex_lock(&st->server->lock);
	held = st->held;
	pthread_mutex_unlock(&st->server->lock);
	return held;
}

void http_stream_end(struct http_stream *st)
{
	bool loop;

	pthread_mutex_lock(&st->server->lock);
	st->ended = true;
	loop = wake(st);
	unlock_and_wake(st->server, loop);
}

void http_stream_drop(struct http_stream *st)
{
	bool loop = false;

	pthread_mutex_lock(&st->server->lock);
	if (!st->closed) {
		atomic_fetch_add(&st->server->n_dropped, 1);
		st->ended = st->closed = true;
		ring_cut(st, 0);
		/* Where it is not asleep the library waits for the socket to take more, perhaps for long:
		 * the loop has to cut that off. */
		st->asleep = true;
		loop = wake(st);
	}
	unlock_and_wake(st->server, loop);
}

enum vt_err http_respond_stream(struct http_stream **out, struct http_exchange *x,
				struct http_response *r, const struct http_stream_calls *calls)
{
	static const struct http_variant plain;
	struct http_stream *st = stream_new(x->server, calls);
	struct http_chunk *first = http_chunk_new(buf_bytes(&r->body));
	struct MHD_Response *answer = NULL;
	unsigned status = r->status;
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (st == NULL || first == NULL || (err = http_stream_append(st, first)) != VT_OK)
		goto done;
	err = VT_ENOMEM;
	atomic_fetch_add(&st->refs, 1); /* the answer's */
	if ((answer = library_stream_answer(r, &plain, st)) == NULL)
		goto done;
	st->told = true;
	*out = st;
	respond_stream(x, st, status, answer);
	st = NULL; /* transferred */
	err = VT_OK;
done:
	http_chunk_unref(first);
	http_response_release(r);
	http_stream_release(st);
	return err;
}

/* -- the loop's ------------------------------------------------------------------------------------ */

enum stream_read stream_read(struct http_stream *st, char *out, size_t max, size_t *len)
{
	struct http_server *s = st->server;
	enum stream_read what = STREAM_BYTES;

	*len = 0;
	pthread_mutex_lock(&s->lock);
	while (st->n > 0 && *len < max) {
		const struct http_chunk *chunk = ring_first(st);
		size_t n = chunk->len - st->sent;

		if (n > max - *len)
			n = max - *len;
		memcpy(out + *len, chunk->data + st->sent, n);
		*len += n;
		st->sent += n;
		st->held -= n;
		if (st->sent == chunk->len)
			ring_pop(st);
	}
	if (*len == 0) {
		what = st->closed ? STREAM_CUT : st->ended ? STREAM_END : STREAM_SLEEP;
		st->asleep = what == STREAM_SLEEP;
	}
	pthread_mutex_unlock(&s->lock);
	st->suspended = what == STREAM_SLEEP;
	if (what == STREAM_SLEEP && st->calls.empty != NULL)
		st->calls.empty(st->calls.ctx);
	return what;
}

void stream_close(struct http_stream *st)
{
	pthread_mutex_lock(&st->server->lock);
	st->ended = st->closed = true;
	if (st->conn != NULL)
		st->conn->stream = NULL;
	st->conn = NULL;
	st->asleep = false;
	ring_cut(st, 0);
	pthread_mutex_unlock(&st->server->lock);
	if (st->told)
		st->calls.closed(st->calls.ctx);
	http_stream_release(st);
}

static void resume(struct http_stream *st)
{
	if (!st->suspended)
		return;
	st->suspended = false;
	library_resume_stream(st->conn);
}

void stream_finish(struct http_stream *st)
{
	pthread_mutex_lock(&st->server->lock);
	ring_cut(st, st->sent > 0 ? 1 : 0);
	st->ended = true;
	st->asleep = false;
	pthread_mutex_unlock(&st->server->lock);
	resume(st);
}

void stream_cut(struct http_stream *st)
{
	pthread_mutex_lock(&st->server->lock);
	st->ended = st->closed = true;
	st->asleep = false;
	ring_cut(st, 0);
	pthread_mutex_unlock(&st->server->lock);
	loop_cut(st->conn, true);
	resume(st);
}

void streams_resume(struct http_server *s)
{
	struct http_stream *st;

	pthread_mutex_lock(&s->lock);
	st = s->woken;
	s->woken = NULL;
	pthread_mutex_unlock(&s->lock);
	while (st != NULL) {
		struct http_stream *next = st->next_woken;
		bool dropped, there;

		pthread_mutex_lock(&s->lock);
		st->woken = st->asleep = false;
		dropped = st->closed;
		there = st->conn != NULL;
		pthread_mutex_unlock(&s->lock);
		if (there && dropped)
			stream_cut(st);
		else if (there)
			resume(st);
		http_stream_release(st);
		st = next;
	}
}
