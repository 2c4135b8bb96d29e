/* Clients that take their time, and what becomes of the others meanwhile. Nothing here sleeps: a test
 * waits for what the server does to a socket, and where time has to pass it lets a connection that
 * says nothing be cut off. */
#include "vitrine_test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_app.h"
#include "raw_http.h"

#define HOST  "Host: t\r\n"
#define HELLO "GET /hello HTTP/1.1\r\n" HOST "\r\n"

static uint64_t timed_out(const struct app_fixture *f)
{
	struct http_server_stats stats;

	http_server_stats(f->app.server, &stats);
	return stats.timed_out;
}

/* Everything that comes until the server closes. */
static void drain_text(int fd, char *out, size_t cap)
{
	struct buf all;
	size_t n;

	buf_init(&all);
	raw_drain(fd, &all);
	n = all.len < cap - 1 ? all.len : cap - 1;
	if (n > 0)
		memcpy(out, all.data, n);
	out[n] = '\0';
	buf_release(&all);
}

/* Send a byte again and again, each soon after the last, until the server has had enough. */
static void trickle(int fd, const char *bytes)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t i = 0, len = strlen(bytes);

	while (poll(&p, 1, 20) == 0) {
		raw_send_some(fd, bytes_of(&bytes[i % len], 1));
		if (++i > 1000)
			fail_msg("a client that sends a byte at a time is served for ever");
	}
}

/* Let header_seconds pass. */
static void let_time_pass(struct app_fixture *f)
{
	int fd = raw_connect(f->app.url);

	raw_drain(fd, NULL);
	close(fd);
}

static void served(struct app_fixture *f, int fd)
{
	raw_send_str(fd, HELLO);
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 200);
}

static void a_connection_that_says_nothing_is_closed(void **state)
{
	struct app_fixture f;
	char text[512];
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.header_seconds = 0.2});
	fd = raw_connect(f.app.url);
	drain_text(fd, text, sizeof(text));
	assert_string_equal(text, "");
	assert_int_equal(timed_out(&f), 1);
	close(fd);
	app_fixture_stop(&f);
}

static void a_header_that_stops_is_answered_408(void **state)
{
	struct app_fixture f;
	char text[512];
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.header_seconds = 0.2});
	fd = raw_connect(f.app.url);
	raw_send_str(fd, "GET /hello HTTP/1.1\r\nHo");
	drain_text(fd, text, sizeof(text));
	assert_memory_equal(text, "HTTP/1.1 408 ", 13);
	assert_non_null(strstr(text, " GMT\r\n"));
	assert_non_null(strstr(text, "Connection: close\r\n"));
	assert_non_null(strstr(text, "application/problem+json"));
	assert_non_null(strstr(text, "\"status\":408"));
	close(fd);
	app_fixture_stop(&f);
}

static void a_trickled_header_is_cut_off_while_others_are_served(void **state)
{
	struct app_fixture f;
	char text[512];
	int slow, other;

	(void)state;
	app_fixture_start(&f, (struct http_config){.header_seconds = 0.3});
	slow = raw_connect(f.app.url);
	other = raw_connect(f.app.url);
	served(&f, other);
	raw_send_str(slow, "GET /hello HTTP/1.1\r\nX-Slow: ");
	trickle(slow, "z");
	drain_text(slow, text, sizeof(text));
	assert_memory_equal(text, "HTTP/1.1 408 ", 13);
	served(&f, other);
	assert_int_equal(timed_out(&f), 1);
	close(slow);
	close(other);
	app_fixture_stop(&f);
}

static void a_trickled_body_is_cut_off_while_others_are_served(void **state)
{
	struct app_fixture f;
	char text[512];
	int slow, other;

	(void)state;
	app_fixture_start(&f, (struct http_config){.body_seconds = 0.3});
	slow = raw_connect(f.app.url);
	other = raw_connect(f.app.url);
	raw_send_str(slow, "POST /body HTTP/1.1\r\n" HOST "Content-Length: 5000\r\n\r\n");
	served(&f, other);
	trickle(slow, "b");
	drain_text(slow, text, sizeof(text));
	assert_memory_equal(text, "HTTP/1.1 408 ", 13);
	served(&f, other);
	close(slow);
	close(other);
	app_fixture_stop(&f);
}

static void an_idle_connection_outlives_header_time_but_not_idle_time(void **state)
{
	struct app_fixture f;
	char text[512];
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.header_seconds = 0.1, .idle_seconds = 1});
	fd = raw_connect(f.app.url);
	served(&f, fd);
	let_time_pass(&f);
	let_time_pass(&f);
	let_time_pass(&f);
	served(&f, fd);
	drain_text(fd, text, sizeof(text));
	assert_string_equal(text, "");
	close(fd);
	app_fixture_stop(&f);
}

static void a_trickled_header_on_a_kept_connection_is_cut_off(void **state)
{
	struct app_fixture f;
	char text[512];
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.header_seconds = 0.2, .idle_seconds = 1000});
	fd = raw_connect(f.app.url);
	served(&f, fd);
	let_time_pass(&f);
	raw_send_str(fd, "GET /hello HTTP/1.1\r\nX-Slow: ");
	trickle(fd, "z");
	drain_text(fd, text, sizeof(text));
	assert_memory_equal(text, "HTTP/1.1 408 ", 13);
	close(fd);
	app_fixture_stop(&f);
}

static void a_reader_that_takes_nothing_is_reset(void **state)
{
	struct app_fixture f;
	struct pollfd p = {.events = 0};
	int other;

	(void)state;
	app_fixture_start(&f, (struct http_config){.write_seconds = 0.4});
	p.fd = raw_connect(f.app.url);
	other = raw_connect(f.app.url);
	raw_send_str(p.fd, "GET /big?n=16000000 HTTP/1.1\r\n" HOST "\r\n");
	served(&f, other);
	assert_int_equal(poll(&p, 1, 20000), 1);
	assert_true((p.revents & (POLLERR | POLLHUP)) != 0);
	served(&f, other);
	assert_int_equal(timed_out(&f), 1);
	close(p.fd);
	close(other);
	app_fixture_stop(&f);
}

static void a_slow_but_steady_reader_gets_it_all(void **state)
{
	const size_t whole = 24 << 20;
	struct app_fixture f;
	static char piece[1 << 20];
	size_t got = 0;
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.write_seconds = 0.8, .header_seconds = 0.05});
	fd = raw_connect(f.app.url);
	raw_send_str(fd, "GET /big?n=25165824 HTTP/1.0\r\n\r\n");
	for (;;) {
		ssize_t n = recv(fd, piece, sizeof(piece), MSG_WAITALL);

		assert_true(n >= 0);
		if (n == 0)
			break;
		got += (size_t)n;
		let_time_pass(&f);
	}
	assert_true(got > whole && got < whole + 1000);
	close(fd);
	app_fixture_stop(&f);
}

static void whoever_is_not_answered_in_time_is_told_503(void **state)
{
	struct app_fixture f;
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.answer_seconds = 0.2});
	fd = raw_connect(f.app.url);
	raw_send_str(fd, "POST /later HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
	assert_true(raw_read(fd, &f.reply, false));
	assert_int_equal(f.reply.status, 503);
	assert_string_equal(raw_field(&f.reply, "Retry-After"), "1");
	assert_string_equal(raw_field(&f.reply, "Content-Type"), "application/problem+json");
	/* The connection is as good as new, and the exchange is still the handler's. */
	served(&f, fd);

	struct http_exchange *x = app_take_parked(&f.app);

	assert_true(bytes_is(http_request(x)->body, "hi"));
	assert_string_equal(http_request(x)->path, "/later");
	assert_string_equal(http_header(x, "host"), "t");
	app_answer(x, "too late");
	served(&f, fd);
	close(fd);
	app_fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_connection_that_says_nothing_is_closed),
	    cmocka_unit_test(a_header_that_stops_is_answered_408),
	    cmocka_unit_test(a_trickled_header_is_cut_off_while_others_are_served),
	    cmocka_unit_test(a_trickled_body_is_cut_off_while_others_are_served),
	    cmocka_unit_test(an_idle_connection_outlives_header_time_but_not_idle_time),
	    cmocka_unit_test(a_trickled_header_on_a_kept_connection_is_cut_off),
	    cmocka_unit_test(a_reader_that_takes_nothing_is_reset),
	    cmocka_unit_test(a_slow_but_steady_reader_gets_it_all),
	    cmocka_unit_test(whoever_is_not_answered_in_time_is_told_503),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
