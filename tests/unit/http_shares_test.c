/* What one address may have of the server, and that others have theirs meanwhile. */
#include "vitrine_test.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_app.h"
#include "raw_http.h"

#define HOST "Host: t\r\n"
#define MIB  ((size_t)1 << 20)

enum {
	READERS = 8,
	QUEUED = 40,
	OTHERS = 5,
};

/* A body of n bytes. */
static void post(int fd, const char *path, size_t n)
{
	char head[128];
	struct buf body;

	buf_init(&body);
	while (body.len < n)
		assert_int_equal(buf_append_byte(&body, 'x'), VT_OK);
	snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n\r\n",
		 path, n);
	raw_send_str(fd, head);
	raw_send(fd, buf_bytes(&body));
	buf_release(&body);
}

static unsigned post_from(struct app_fixture *f, const char *source, size_t n)
{
	int fd = raw_connect_from(f->app.url, source);

	post(fd, "/body", n);
	assert_true(raw_read(fd, &f->reply, false));
	close(fd);
	return f->reply.status;
}

/* Asks for n bytes, and reads of the answer no more than its status. Another n is another thing. */
static unsigned begin_to_read(int fd, size_t n)
{
	char text[128], status[13] = "";

	snprintf(text, sizeof(text), "GET /big?n=%zu HTTP/1.1\r\n" HOST "\r\n", n);
	raw_send_str(fd, text);
	assert_int_equal(recv(fd, status, 12, MSG_WAITALL), 12);
	assert_memory_equal(status, "HTTP/1.1 ", 9);
	return (unsigned)strtoul(status + 9, NULL, 10);
}

static void bodies_of_one_address_leave_room_for_those_of_others(void **state)
{
	struct app_fixture f;
	int fd[2];

	(void)state;
	app_fixture_start(&f, (struct http_config){.memory_max = 1000000}); /* a quarter each */
	for (size_t i = 0; i < 2; i++) {
		fd[i] = raw_connect(f.app.url);
		post(fd[i], "/later", 120000);
	}
	app_wait_parked(&f.app, 2);
	assert_int_equal(post_from(&f, "127.0.0.1", 120000), 429);
	assert_non_null(raw_field(&f.reply, "Retry-After"));
	assert_non_null(memmem(f.reply.body.data, f.reply.body.len, "this address: 127.0.0.1", 23));
	assert_int_equal(post_from(&f, "127.0.0.2", 120000), 200);
	for (size_t i = 0; i < 2; i++)
		app_answer(app_take_parked(&f.app), "done");
	for (size_t i = 0; i < 2; i++) {
		assert_true(raw_read(fd[i], &f.reply, false));
		close(fd[i]);
	}
	assert_int_equal(post_from(&f, "127.0.0.1", 120000), 200);
	app_fixture_stop(&f);
}

static void readers_leave_room_for_bodies(void **state)
{
	struct app_fixture f;
	int fd[READERS];
	size_t refused = 0;

	(void)state;
	app_fixture_start(
	    &f, (struct http_config){.memory_max = 30000000, .memory_per_address = 60000000});
	for (size_t i = 0; i < READERS; i++) {
		fd[i] = raw_connect(f.app.url);
		refused += begin_to_read(fd[i], 5999000 + i) == 503;
	}
	assert_true(refused >= READERS - 5);
	assert_int_equal(post_from(&f, "127.0.0.1", 250000), 200);
	for (size_t i = 0; i < READERS; i++)
		close(fd[i]);
	app_fixture_stop(&f);
}

/* Reads until the text has come, however the answer is cut into pieces. */
static void await_text(int fd, const char *text)
{
	char said[4096] = "";
	size_t len = 0;

	while (strstr(said, text) == NULL) {
		ssize_t n = recv(fd, said + len, sizeof(said) - 1 - len, 0);

		assert_true(n > 0);
		len += (size_t)n;
		said[len] = '\0';
	}
}

static void answers_to_one_address_leave_room_for_those_to_others(void **state)
{
	struct app_fixture f;
	int first, second, other;

	(void)state;
	app_fixture_start(&f, (struct http_config){.memory_max = 40000000});
	first = raw_connect(f.app.url);
	second = raw_connect(f.app.url);
	other = raw_connect_from(f.app.url, "127.0.0.2");
	assert_int_equal(begin_to_read(first, 6000000), 200);
	assert_int_equal(begin_to_read(second, 6000001), 429);
	await_text(second, "this address: 127.0.0.1");
	assert_int_equal(begin_to_read(other, 6000002), 200);
	close(first);
	close(second);
	close(other);
	app_fixture_stop(&f);
}

static void readers_of_one_thing_hold_it_once(void **state)
{
	static char rest[6 * MIB + 4096];
	struct app_fixture f;
	int fd[READERS];

	(void)state;
	app_fixture_start(
	    &f, (struct http_config){.memory_max = 12 * MIB, .memory_per_address = 12 * MIB});
	for (size_t i = 0; i < READERS; i++) {
		fd[i] = raw_connect(f.app.url);
		assert_int_equal(begin_to_read(fd[i], 6 * MIB), 200);
	}
	/* It is whole for each, also for the last one, when the first is gone. */
	for (size_t i = 0; i < READERS; i++) {
		if (i > 0) {
			char *end;
			ssize_t got = recv(fd[i], rest, 300, MSG_WAITALL);

			assert_int_equal(got, 300);
			end = memmem(rest, 300, "\r\n\r\n", 4);
			assert_non_null(end);
			got = 300 - (end + 4 - rest);
			got += recv(fd[i], rest, 6 * MIB - (size_t)got, MSG_WAITALL);
			assert_int_equal(got, 6 * MIB);
		}
		close(fd[i]);
	}
	/* And it is counted off: another thing of that size has room. */
	while (begin_to_read(fd[0] = raw_connect(f.app.url), 6 * MIB + 1) != 200)
		close(fd[0]);
	close(fd[0]);
	app_fixture_stop(&f);
}

static void a_reader_that_takes_less_than_the_least_rate_is_reset(void **state)
{
	char piece[4096];
	struct app_fixture f;
	size_t got = 0;
	ssize_t n;
	int fd;

	(void)state;
	app_fixture_start(&f, (struct http_config){.write_seconds = 0.2, .least_rate = 1e12});
	fd = raw_connect(f.app.url);
	assert_int_equal(begin_to_read(fd, 16 * MIB), 200);
	/* This is steady, and too slow for that rate. It ends before all has come. */
	while ((n = recv(fd, piece, 4096, 0)) > 0) {
		got += (size_t)n;
		(void)raw_ask(f.app.url, "GET /hello HTTP/1.1\r\n" HOST "\r\n", &f.reply);
	}
	assert_true(got < 16 * MIB);
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
	app_fixture_stop(&f);
}

static void ask_at_gate(struct app_fixture *f, int *fd, const char *source)
{
	*fd = raw_connect_from(f->app.url, source);
	raw_send_str(*fd, "GET /gate HTTP/1.1\r\n" HOST "\r\n");
}

static void wait_suspended(struct app_fixture *f, size_t n)
{
	struct http_server_stats stats;

	do {
		(void)sched_yield();
		http_server_stats(f->app.server, &stats);
	} while (stats.suspended < n);
}

/* Lanes are shared by chance; that all of the others share the busy one's will not happen. */
static void whoever_asks_for_little_does_not_wait_for_whoever_asks_for_much(void **state)
{
	static const char *const other[OTHERS] = {"127.0.0.2", "127.0.0.3", "127.0.0.4",
						  "127.0.0.5", "127.0.0.6"};
	int fd[QUEUED + OTHERS];
	struct app_fixture f;
	size_t early = 0;

	(void)state;
	app_fixture_start(&f, (struct http_config){.workers = 1});
	for (size_t i = 0; i < QUEUED; i++)
		ask_at_gate(&f, &fd[i], "127.0.0.1");
	wait_suspended(&f, QUEUED);
	for (size_t i = 0; i < OTHERS; i++)
		ask_at_gate(&f, &fd[QUEUED + i], other[i]);
	wait_suspended(&f, QUEUED + OTHERS);
	app_open_gate(&f.app);
	for (size_t i = 0; i < QUEUED + OTHERS; i++) {
		assert_true(raw_read(fd[i], &f.reply, false));
		assert_int_equal(f.reply.status, 200);
		close(fd[i]);
	}
	for (size_t i = 0; i < QUEUED / 2; i++)
		early += strcmp(f.app.order[i], "127.0.0.1") != 0;
	assert_true(early > 0);
	app_fixture_stop(&f);
}

static void an_append_does_not_wait_until_a_read_is_done(void **state)
{
	int fd[4], append;
	struct app_fixture f;

	(void)state;
	app_fixture_start(&f, (struct http_config){.workers = 1});
	for (size_t i = 0; i < 4; i++)
		ask_at_gate(&f, &fd[i], "127.0.0.2");
	wait_suspended(&f, 4);
	append = raw_connect(f.app.url);
	post(append, "/paced", 10);
	assert_true(raw_read(append, &f.reply, false));
	assert_int_equal(f.reply.status, 200);
	close(append);
	app_open_gate(&f.app);
	for (size_t i = 0; i < 4; i++) {
		assert_true(raw_read(fd[i], &f.reply, false));
		assert_int_equal(f.reply.status, 200);
		close(fd[i]);
	}
	app_fixture_stop(&f);
}

static void a_read_does_not_wait_until_appends_are_done(void **state)
{
	int fd[4], read;
	struct app_fixture f;

	(void)state;
	app_fixture_start(&f, (struct http_config){.workers = 1});
	for (size_t i = 0; i < 4; i++) {
		fd[i] = raw_connect_from(f.app.url, "127.0.0.2");
		post(fd[i], "/slow-append", 10);
	}
	wait_suspended(&f, 4);
	read = raw_connect(f.app.url);
	raw_send_str(read, "GET /pooled HTTP/1.1\r\n" HOST "\r\n");
	assert_true(raw_read(read, &f.reply, false));
	assert_int_equal(f.reply.status, 200);
	close(read);
	app_open_gate(&f.app);
	for (size_t i = 0; i < 4; i++) {
		assert_true(raw_read(fd[i], &f.reply, false));
		assert_int_equal(f.reply.status, 200);
		close(fd[i]);
	}
	app_fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bodies_of_one_address_leave_room_for_those_of_others),
	    cmocka_unit_test(readers_leave_room_for_bodies),
	    cmocka_unit_test(answers_to_one_address_leave_room_for_those_to_others),
	    cmocka_unit_test(readers_of_one_thing_hold_it_once),
	    cmocka_unit_test(a_reader_that_takes_less_than_the_least_rate_is_reset),
	    cmocka_unit_test(whoever_asks_for_little_does_not_wait_for_whoever_asks_for_much),
	    cmocka_unit_test(an_append_does_not_wait_until_a_read_is_done),
	    cmocka_unit_test(a_read_does_not_wait_until_appends_are_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
