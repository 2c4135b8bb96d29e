/*
 * Requests that two readers could take differently. Each is sent with a request for /hello behind it: one answer
 * may come, a refusal, and then the connection ends, without "hello".
 */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_app.h"
#include "raw_cases.h"
#include "raw_http.h"

#define NEXT "GET /hello HTTP/1.1\r\nHost: t\r\n\r\n"

struct fixture {
	struct app app;
	struct buf got;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	app_start(&f->app, NULL);
	buf_init(&f->got);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	app_stop(&f->app, 5);
	buf_release(&f->got);
	free(f);
	return 0;
}

/* Everything that comes back, until the other side closes. */
static const struct buf *tell(struct fixture *f, const struct raw_case *c, const char *next)
{
	int fd = raw_connect(f->app.url);

	buf_reset(&f->got);
	raw_send_some(fd, bytes_of(c->bytes, c->len));
	raw_send_some(fd, bytes_str(next));
	raw_drain(fd, &f->got);
	close(fd);
	return &f->got;
}

static void assert_refused_once(const struct raw_case *c, const struct buf *got)
{
#ifndef LENIENT_LIBRARY
	if (got->len == 0)
		return; /* a NUL in the request line is not even answered */
#endif
	if (raw_times(got, "\r\nDate: ") != 1 || raw_times(got, "hello") != 0 || got->len < 13 ||
	    (memcmp(got->data, "HTTP/1.1 4", 10) != 0 && memcmp(got->data, "HTTP/1.1 5", 10) != 0))
		fail_msg("%s: %.*s", c->what, (int)got->len, (const char *)got->data);
}

static void what_is_no_request_is_refused_and_nothing_behind_it_is_read(void **state)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		const struct buf *got = tell(*state, &ours[i], NEXT);

		assert_refused_once(&ours[i], got);
#ifdef LENIENT_LIBRARY
		if (raw_times(got, "\r\nContent-Type: application/problem+json\r\n") != 1 ||
		    raw_times(got, "\r\nConnection: close\r\n") != 1 ||
		    (raw_times(got, "\"status\":400") != 1 &&
		     raw_times(got, "\"status\":501") != 1))
			fail_msg("%s: %.*s", ours[i].what, (int)got->len, (const char *)got->data);
#endif
	}
}

static void what_the_library_refuses_is_answered_once(void **state)
{
	for (size_t i = 0; i < sizeof(of_the_library) / sizeof(of_the_library[0]); i++)
		assert_refused_once(&of_the_library[i], tell(*state, &of_the_library[i], NEXT));
}

static void what_only_looks_strange_is_taken(void **state)
{
	static const char last[] = "GET /hello HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n";

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		const struct buf *got = tell(*state, &taken[i], last);

		if (raw_times(got, "HTTP/1.1 200 ") != 2 || raw_times(got, "hello") != 1)
			fail_msg("%s: %.*s", taken[i].what, (int)got->len, (const char *)got->data);
	}
}

/* A large head of many fields that comes in pieces of every size is the same head. */
static void a_head_is_taken_in_whatever_pieces_it_comes(void **state)
{
	struct fixture *f = *state;
	struct raw_reply reply;
	struct buf head;

	raw_reply_init(&reply);
	buf_init(&head);
	assert_int_equal(buf_append_str(&head, "GET /echo?a=b+c&d HTTP/1.1\r\nHost: t\r\n"), VT_OK);
	for (unsigned i = 0; i < 90; i++)
		assert_int_equal(buf_appendf(&head, "X-%u:%*s\r\n", i, (int)(1 + i), "v"), VT_OK);
	assert_int_equal(buf_append_str(&head, "X-Test: last\r\n\r\n"), VT_OK);
	for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
		int fd = raw_connect(f->app.url);

		for (int round = 0; round < 2; round++) {
			for (size_t at = 0; at < head.len; at += piece) {
				size_t len = head.len - at < piece ? head.len - at : piece;

				raw_send(fd, bytes_of(head.data + at, len));
			}
			assert_true(raw_read(fd, &reply, false));
			assert_int_equal(reply.status, 200);
			assert_true(
			    bytes_is(buf_bytes(&reply.body), "GET|/echo|a=b+c&d|127.0.0.1|last"));
		}
		close(fd);
	}
	buf_release(&head);
	raw_reply_release(&reply);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(what_is_no_request_is_refused_and_nothing_behind_it_is_read),
	    TEST(what_the_library_refuses_is_answered_once),
	    TEST(what_only_looks_strange_is_taken),
	    TEST(a_head_is_taken_in_whatever_pieces_it_comes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
