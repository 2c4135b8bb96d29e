/* Answers that go on: what is appended arrives, whoever takes nothing is dropped, whoever has nothing to take is not. */
#include "vitrine_test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_app.h"
#include "raw_http.h"

#define HOST   "Host: t\r\n"
#define STREAM "GET /stream HTTP/1.1\r\n" HOST "\r\n"
#define HELLO  "GET /hello HTTP/1.1\r\n" HOST "\r\n"

enum {
	BIG = 64 * 1024, /* a chunk */
};

struct fixture {
	struct app app;
	struct buf got; /* of the answer at hand, chunks and all */
};

static void start(struct fixture *f, struct http_config config)
{
	app_start(&f->app, &config);
	buf_init(&f->got);
}

static void stop(struct fixture *f)
{
	app_stop(&f->app, 5);
	buf_release(&f->got);
}

static struct http_server_stats stats_of(const struct fixture *f)
{
	struct http_server_stats stats;

	http_server_stats(f->app.server, &stats);
	return stats;
}

/* Ask for a stream; the test's end of it in *s. Returns the socket. */
static int open_stream(struct fixture *f, const char *request, struct app_stream **s)
{
	size_t n = f->app.n_streams;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, request);
	app_wait_streams(&f->app, n + 1);
	*s = f->app.stream[n];
	return fd;
}

static bool has(const struct fixture *f, const char *text)
{
	return f->got.len > 0 && memmem(f->got.data, f->got.len, text, strlen(text)) != NULL;
}

/* Read until `text` has come. */
static void read_to(struct fixture *f, int fd, const char *text)
{
	uint8_t piece[16384];

	while (!has(f, text)) {
		ssize_t n = recv(fd, piece, sizeof(piece), 0);

		if (n <= 0)
			fail_msg("%s has not come, but %.*s", text, (int)f->got.len,
				 (const char *)f->got.data);
		assert_int_equal(buf_append(&f->got, bytes_of(piece, (size_t)n)), VT_OK);
	}
}

static struct http_chunk *big_chunk(void)
{
	static uint8_t bytes[BIG];

	memset(bytes, 'x', sizeof(bytes));
	return http_chunk_new(bytes_of(bytes, sizeof(bytes)));
}

/* Append until the socket takes no more: what is held back then stays. */
static void stuff(struct app_stream *s)
{
	struct http_chunk *chunk = big_chunk();

	for (int i = 0; i < 256; i++)
		assert_int_equal(http_stream_append(s->stream, chunk), VT_OK);
	http_chunk_unref(chunk);
	while (http_stream_held(s->stream) == 256 * (size_t)BIG)
		(void)sched_yield();
}

static void what_is_appended_arrives_at_once(void **state)
{
	struct app_stream *s;
	struct fixture f;
	unsigned empty;
	int fd;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, STREAM, &s);
	read_to(&f, fd, "begin\n");
	assert_true(has(&f, "Transfer-Encoding: chunked"));
	assert_true(has(&f, "Content-Type: text/event-stream"));
	empty = app_wait_empty(s, 0);
	for (int i = 0; i < 100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "event %d\n", i);
		assert_int_equal(app_append(s, text), VT_OK);
		read_to(&f, fd, text);
		empty = app_wait_empty(s, empty);
		assert_int_equal(http_stream_held(s->stream), 0);
	}
	assert_int_equal(stats_of(&f).streams_open, 1);
	assert_int_equal(stats_of(&f).suspended, 0);
	http_stream_end(s->stream);
	read_to(&f, fd, "\r\n0\r\n\r\n");
	app_wait_closed(s);
	/* The connection is as good as any. */
	raw_send_str(fd, HELLO);
	read_to(&f, fd, "hello");
	close(fd);
	assert_int_equal(stats_of(&f).streams_dropped, 0);
	stop(&f);
}

static void chunks_come_whole_and_in_order(void **state)
{
	struct app_stream *s;
	struct fixture f;
	size_t at = 0;
	int fd;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, "GET /stream HTTP/1.0\r\n" HOST "\r\n", &s);
	for (int i = 0; i < 2000; i++) {
		char text[64];

		snprintf(text, sizeof(text), "[%d and some words to make it longer]", i);
		assert_int_equal(app_append(s, text), VT_OK);
	}
	http_stream_end(s->stream);
	assert_int_equal(app_append(s, "too late"), VT_ENOTFOUND);
	raw_drain(fd, &f.got); /* HTTP/1.0: the end of the connection is the end of the answer */
	close(fd);
	for (int i = 0; i < 2000; i++) {
		char text[64];
		const uint8_t *found;

		snprintf(text, sizeof(text), "[%d and some words to make it longer]", i);
		found = memmem(f.got.data + at, f.got.len - at, text, strlen(text));
		assert_non_null(found);
		at = (size_t)(found - f.got.data) + strlen(text);
	}
	assert_int_equal(at, f.got.len);
	stop(&f);
}

static void one_chunk_serves_many_streams(void **state)
{
	enum { N = 40 };
	struct app_stream *s[N];
	struct fixture f;
	struct http_chunk *chunk = http_chunk_new(bytes_str("shared\n"));
	int fd[N];

	(void)state;
	start(&f, (struct http_config){0});
	for (int i = 0; i < N; i++)
		fd[i] = open_stream(&f, STREAM, &s[i]);
	for (int i = 0; i < N; i++)
		assert_int_equal(http_stream_append(s[i]->stream, chunk), VT_OK);
	http_chunk_unref(chunk);
	for (int i = 0; i < N; i++) {
		buf_reset(&f.got);
		read_to(&f, fd[i], "shared\n");
		close(fd[i]);
		app_wait_closed(s[i]);
	}
	stop(&f);
}

static void whoever_leaves_is_noticed_without_a_word(void **state)
{
	struct app_stream *s;
	struct fixture f;
	int fd;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, STREAM, &s);
	read_to(&f, fd, "begin\n");
	(void)app_wait_empty(s, 0);
	close(fd);
	app_wait_closed(s);
	assert_int_equal(app_append(s, "nobody"), VT_ENOTFOUND);
	assert_int_equal(stats_of(&f).streams_dropped, 0);
	stop(&f);
}

static void whoever_takes_nothing_is_dropped(void **state)
{
	struct app_stream *s;
	struct fixture f;
	int fd;

	(void)state;
	start(&f, (struct http_config){.write_seconds = 0.2});
	fd = open_stream(&f, STREAM, &s);
	stuff(s);
	app_wait_closed(s);
	assert_int_equal(stats_of(&f).streams_dropped, 1);
	assert_int_equal(stats_of(&f).timed_out, 0);
	close(fd);
	stop(&f);
}

static void whoever_has_nothing_to_take_is_not(void **state)
{
	struct app_stream *quiet, *stalled;
	struct fixture f;
	int fd, other;

	(void)state;
	start(&f, (struct http_config){
		      .write_seconds = 0.1, .idle_seconds = 0.1, .answer_seconds = 0.1});
	fd = open_stream(&f, STREAM, &quiet);
	read_to(&f, fd, "begin\n");
	/* Several deadlines long. */
	for (int i = 0; i < 3; i++) {
		other = open_stream(&f, STREAM, &stalled);
		stuff(stalled);
		app_wait_closed(stalled);
		close(other);
	}
	assert_int_equal(quiet->closed, 0);
	assert_int_equal(app_append(quiet, "still there\n"), VT_OK);
	read_to(&f, fd, "still there\n");
	close(fd);
	stop(&f);
}

static void a_full_ring_takes_no_more(void **state)
{
	struct http_chunk *chunk = big_chunk();
	struct app_stream *s;
	struct fixture f;
	enum vt_err err = VT_OK;
	size_t n = 0, held;
	int fd;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, STREAM, &s);
	/* The socket takes a few hundred, then the ring fills. */
	while ((err = http_stream_append(s->stream, chunk)) == VT_OK &&
	       n < 4 * HTTP_STREAM_CHUNKS_MAX)
		n++;
	assert_int_equal(err, VT_ELIMIT);
	held = http_stream_held(s->stream);
	assert_true(held <= (size_t)HTTP_STREAM_CHUNKS_MAX * BIG);
	assert_true(held > (size_t)(HTTP_STREAM_CHUNKS_MAX - 1) * BIG / 2);
	http_chunk_unref(chunk);
	http_stream_drop(s->stream);
	app_wait_closed(s);
	assert_int_equal(http_stream_held(s->stream), 0);
	assert_int_equal(stats_of(&f).streams_dropped, 1);
	close(fd);
	stop(&f);
}

static void a_sleeping_stream_can_be_dropped(void **state)
{
	struct app_stream *s;
	struct fixture f;
	int fd;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, STREAM, &s);
	(void)app_wait_empty(s, 0);
	http_stream_drop(s->stream);
	raw_drain(fd, &f.got);
	app_wait_closed(s);
	close(fd);
	stop(&f);
}

static void too_many_streams_are_refused(void **state)
{
	struct app_stream *s[4];
	struct raw_reply reply;
	struct fixture f;
	int fd[4];

	(void)state;
	raw_reply_init(&reply);
	start(&f, (struct http_config){.streams_max = 4, .streams_per_address_max = 3});
	for (int i = 0; i < 3; i++)
		fd[i] = open_stream(&f, STREAM, &s[i]);
	assert_int_equal(raw_ask(f.app.url, STREAM, &reply), 429);
	assert_string_equal(raw_field(&reply, "Retry-After"), "30");
	assert_int_equal(stats_of(&f).streams_refused, 1);
	/* One place becomes free. */
	close(fd[1]);
	app_wait_closed(s[1]);
	fd[1] = open_stream(&f, STREAM, &s[1]);
	for (int i = 0; i < 3; i++)
		close(fd[i]);
	stop(&f);

	start(&f, (struct http_config){.streams_max = 2, .streams_per_address_max = 3});
	for (int i = 0; i < 2; i++)
		fd[i] = open_stream(&f, STREAM, &s[i]);
	assert_int_equal(raw_ask(f.app.url, STREAM, &reply), 503);
	assert_string_equal(raw_field(&reply, "Retry-After"), "30");
	for (int i = 0; i < 2; i++)
		close(fd[i]);
	raw_reply_release(&reply);
	stop(&f);
}

static void head_gets_the_head_alone(void **state)
{
	struct app_stream *s;
	struct fixture f;
	int fd;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, "HEAD /stream HTTP/1.1\r\n" HOST "\r\n", &s);
	app_wait_closed(s);
	raw_send_str(fd, HELLO);
	read_to(&f, fd, "hello");
	assert_false(has(&f, "begin"));
	close(fd);
	stop(&f);
}

static void stopping_ends_every_stream_cleanly(void **state)
{
	struct app_stream *quiet, *stalled;
	struct fixture f;
	int fd, other;

	(void)state;
	start(&f, (struct http_config){0});
	fd = open_stream(&f, STREAM, &quiet);
	other = open_stream(&f, STREAM, &stalled);
	read_to(&f, fd, "begin\n");
	(void)app_wait_empty(quiet, 0);
	stuff(stalled);
	/* The grace is for answers; a stream that nobody reads must not use it up. */
	http_server_stop(f.app.server, 600);
	raw_drain(fd, &f.got);
	assert_true(f.got.len > 5);
	assert_memory_equal(f.got.data + f.got.len - 5, "0\r\n\r\n", 5);
	assert_int_equal(quiet->closed, 1);
	assert_int_equal(stalled->closed, 1);
	assert_int_equal(app_append(quiet, "too late"), VT_ENOTFOUND);
	close(fd);
	close(other);
	stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_appended_arrives_at_once),
	    cmocka_unit_test(chunks_come_whole_and_in_order),
	    cmocka_unit_test(one_chunk_serves_many_streams),
	    cmocka_unit_test(whoever_leaves_is_noticed_without_a_word),
	    cmocka_unit_test(whoever_takes_nothing_is_dropped),
	    cmocka_unit_test(whoever_has_nothing_to_take_is_not),
	    cmocka_unit_test(a_full_ring_takes_no_more),
	    cmocka_unit_test(a_sleeping_stream_can_be_dropped),
	    cmocka_unit_test(too_many_streams_are_refused),
	    cmocka_unit_test(head_gets_the_head_alone),
	    cmocka_unit_test(stopping_ends_every_stream_cleanly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
