/* Many connections at once, limits on them, and how the server stops. */
#include "vitrine_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_app.h"
#include "raw_http.h"

#define HOST  "Host: t\r\n"
#define HELLO "GET /hello HTTP/1.1\r\n" HOST "\r\n"
#define LATER "POST /later HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nbody"

enum {
	MANY = 1500,
	THREADS = 8,
};

struct fixture {
	struct app app;
	struct raw_reply reply;
	int fd[MANY];
};

static struct fixture *start(struct http_config config)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	if (config.per_address_max == 0)
		config.per_address_max = 4096;
	app_start(&f->app, &config);
	raw_reply_init(&f->reply);
	return f;
}

static void stop(struct fixture *f)
{
	app_stop(&f->app, 10);
	raw_reply_release(&f->reply);
	free(f);
}

static void connect_all(struct fixture *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		f->fd[i] = raw_connect(f->app.url);
}

static void close_all(struct fixture *f, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(f->fd[i]);
}

static void send_all(struct fixture *f, size_t n, const char *request)
{
	for (size_t i = 0; i < n; i++)
		raw_send_str(f->fd[i], request);
}

static void read_all(struct fixture *f, size_t n, unsigned status)
{
	for (size_t i = 0; i < n; i++) {
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_int_equal(f->reply.status, status);
		assert_int_equal(f->reply.rest.len, 0);
	}
}

static void *answer_main(void *arg)
{
	struct http_exchange *x;

	while ((x = app_take_parked(arg)) != NULL) {
		const struct http_request *q = http_request(x);

		app_answer(x,
			   bytes_is(q->body, "body") ? "later" : "the body is not what was sent");
	}
	return NULL;
}

static void answer_from_threads(struct fixture *f)
{
	pthread_t thread[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, answer_main, &f->app), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

/* Exactly so many requests are ready at once, again and again: 128 is what the library collects in one
 * go, and where its own loop can hang. */
static void any_number_may_be_ready_at_once(void **state)
{
	static const size_t sizes[] = {64, 127, 128, 129, 256, 384};
	struct fixture *f = start((struct http_config){0});

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		connect_all(f, sizes[s]);
		for (int round = 0; round < 20; round++) {
			send_all(f, sizes[s], HELLO);
			read_all(f, sizes[s], 200);
		}
		close_all(f, sizes[s]);
	}
	stop(f);
}

static void suspended_requests_are_answered_from_other_threads(void **state)
{
	static const size_t sizes[] = {1, 64, 128, 256};
	struct fixture *f = start((struct http_config){0});

	(void)state;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		connect_all(f, sizes[s]);
		for (int round = 0; round < 10; round++) {
			struct http_server_stats stats;

			send_all(f, sizes[s], LATER);
			app_wait_parked(&f->app, sizes[s]);
			http_server_stats(f->app.server, &stats);
			assert_int_equal(stats.suspended, sizes[s]);
			answer_from_threads(f);
			read_all(f, sizes[s], 200);
			assert_true(bytes_is(buf_bytes(&f->reply.body), "later"));
		}
		close_all(f, sizes[s]);
	}
	stop(f);
}

static void *continue_main(void *arg)
{
	struct http_exchange *x;

	while ((x = app_take_parked(arg)) != NULL)
		app_continue(x);
	return NULL;
}

static void suspended_requests_are_continued_on_the_pool(void **state)
{
	struct fixture *f = start((struct http_config){0});
	pthread_t thread[THREADS];

	(void)state;
	connect_all(f, 64);
	for (int round = 0; round < 10; round++) {
		send_all(f, 64, "POST /hung HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
		app_wait_parked(&f->app, 64);
		for (size_t i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, continue_main, &f->app),
					 0);
		for (size_t i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		read_all(f, 64, 200);
		assert_true(bytes_is(buf_bytes(&f->reply.body), "hung"));
	}
	close_all(f, 64);
	stop(f);
}

static void *ask_main(void *arg)
{
	const struct app *a = arg;
	struct raw_reply reply;
	bool ok = true;
	int fd = raw_connect(a->url);

	raw_reply_init(&reply);
	for (int i = 0; i < 50 && ok; i++) {
		raw_send_str(fd, i % 2 ? HELLO : "GET /pooled HTTP/1.1\r\n" HOST "\r\n");
		ok = raw_read(fd, &reply, false) && reply.status == 200 &&
		     bytes_is(buf_bytes(&reply.body), i % 2 ? "hello" : "pooled");
	}
	close(fd);
	raw_reply_release(&reply);
	return ok ? arg : NULL;
}

static void many_threads_are_served_side_by_side(void **state)
{
	struct fixture *f = start((struct http_config){0});
	pthread_t thread[64];
	void *ok;

	(void)state;
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask_main, &f->app), 0);
	for (size_t i = 0; i < 64; i++) {
		pthread_join(thread[i], &ok);
		assert_non_null(ok);
	}
	stop(f);
}

static void others_are_served_beside_many_idle_connections(void **state)
{
	struct fixture *f = start((struct http_config){0});
	struct rlimit limit;
	size_t n = MANY;
	int fd;

	(void)state;
	/* Both ends of every connection are in this process. */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 2 * n + 300)
		n = (limit.rlim_cur - 300) / 2;
	connect_all(f, n);
	send_all(f, n, HELLO);
	read_all(f, n, 200);
	fd = raw_connect(f->app.url);
	for (int i = 0; i < 200; i++) {
		raw_send_str(fd, HELLO);
		assert_true(raw_read(fd, &f->reply, false));
	}
	close(fd);
	send_all(f, n, HELLO);
	read_all(f, n, 200);
	close_all(f, n);
	stop(f);
}

static void a_client_that_left_costs_nobody_else_anything(void **state)
{
	struct fixture *f = start((struct http_config){0});

	(void)state;
	connect_all(f, 64);
	send_all(f, 64, LATER);
	app_wait_parked(&f->app, 64);
	close_all(f, 32); /* the first half leaves */
	answer_from_threads(f);
	for (size_t i = 32; i < 64; i++) {
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_int_equal(f->reply.status, 200);
		close(f->fd[i]);
	}
	assert_int_equal(raw_ask(f->app.url, HELLO, &f->reply), 200);
	stop(f);
}

static void one_more_than_an_address_may_have_is_closed(void **state)
{
	struct fixture *f = start((struct http_config){.per_address_max = 8});
	int fd;

	(void)state;
	connect_all(f, 8);
	send_all(f, 8, HELLO);
	read_all(f, 8, 200);
	fd = raw_connect(f->app.url);
	raw_drain(fd, NULL);
	close(fd);
	close(f->fd[7]);
	/* Its place is free once the server has seen that it left. */
	do {
		fd = raw_connect(f->app.url);
		raw_send_some(fd, bytes_str(HELLO));
		if (raw_read(fd, &f->reply, false))
			break;
		close(fd);
	} while (true);
	assert_int_equal(f->reply.status, 200);
	close(fd);
	close_all(f, 7);
	stop(f);
}

static void the_idlest_connection_makes_room_when_all_are_taken(void **state)
{
	struct fixture *f = start((struct http_config){.connections_max = 16});

	(void)state;
	connect_all(f, 16);
	/* One after the other, so that the first one is the idlest: side by side they end in any order. */
	for (int i = 0; i < 16; i++) {
		raw_send_str(f->fd[i], HELLO);
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_int_equal(f->reply.status, 200);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(raw_ask(f->app.url, HELLO, &f->reply), 200);
	raw_drain(f->fd[0], NULL);
	close_all(f, 16);
	stop(f);
}

static void appends_beyond_the_rate_are_told_429(void **state)
{
	struct fixture *f = start((struct http_config){.rate_per_second = 0.5});
	const char *request = "POST /paced HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
	int fd = raw_connect(f->app.url);
	struct http_server_stats stats;
	const char *after;

	(void)state;
	raw_send_str(fd, request);
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 200);
	raw_send_str(fd, request);
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 429);
	after = raw_field(&f->reply, "Retry-After");
	assert_non_null(after);
	assert_in_range(strtoul(after, NULL, 10), 1, 2);
	assert_string_equal(raw_field(&f->reply, "Content-Type"), "application/problem+json");
	/* The refused body was read, so the connection goes on; and reads are not counted. */
	raw_send_str(fd, HELLO);
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 200);
	http_server_stats(f->app.server, &stats);
	assert_int_equal(stats.refused_rate, 1);
	assert_int_equal(stats.requests, 3);
	assert_int_equal(stats.by_status[2], 2);
	assert_int_equal(stats.by_status[4], 1);
	close(fd);
	stop(f);
}

static void reads_beyond_their_own_rate_are_told_429(void **state)
{
	struct fixture *f =
	    start((struct http_config){.reads_per_second = 1, .rate_per_second = 0.5});
	const char *wait;

	(void)state;
	assert_int_equal(raw_ask(f->app.url, HELLO, &f->reply), 200);
	assert_int_equal(raw_ask(f->app.url, "HEAD /nothing HTTP/1.1\r\n" HOST "\r\n", &f->reply),
			 404);
	assert_int_equal(raw_ask(f->app.url, HELLO, &f->reply), 429);
	wait = raw_field(&f->reply, "Retry-After");
	assert_string_equal(wait, "1");
	/* Appends have a bucket of their own. */
	assert_int_equal(raw_ask(f->app.url,
				 "POST /paced HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
				 &f->reply),
			 200);
	stop(f);
}

static void answers_that_would_take_too_much_memory_are_told_503(void **state)
{
	struct fixture *f =
	    start((struct http_config){.memory_max = 300000, .memory_per_address = 300000});

	(void)state;
	assert_int_equal(
	    raw_ask(f->app.url, "GET /big?n=200000 HTTP/1.1\r\n" HOST "\r\n", &f->reply), 200);
	assert_int_equal(
	    raw_ask(f->app.url, "GET /big?n=400000 HTTP/1.1\r\n" HOST "\r\n", &f->reply), 503);
	assert_int_equal(
	    raw_ask(f->app.url, "GET /big?n=60000 HTTP/1.1\r\n" HOST "\r\n", &f->reply), 200);
	stop(f);
}

static void bodies_that_would_take_too_much_memory_are_told_503(void **state)
{
	struct fixture *f =
	    start((struct http_config){.memory_max = 99999, .memory_per_address = 300000});
	const char *small = "POST /body HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc";
	struct http_exchange *x;
	struct buf body;

	(void)state;
	buf_init(&body);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_append_byte(&body, 'x'), VT_OK);
	connect_all(f, 2);
	raw_send_str(f->fd[0], "POST /later HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
	raw_send(f->fd[0], buf_bytes(&body));
	app_wait_parked(&f->app, 1);
	raw_send_str(f->fd[1], small);
	assert_true(raw_read(f->fd[1], &f->reply, false));
	assert_int_equal(f->reply.status, 503);
	assert_non_null(raw_field(&f->reply, "Retry-After"));
	x = app_take_parked(&f->app);
	assert_true(bytes_equal(http_request(x)->body, buf_bytes(&body)));
	app_answer(x, "done");
	assert_true(raw_read(f->fd[0], &f->reply, false));
	assert_int_equal(f->reply.status, 200);
	raw_send_str(f->fd[1], small);
	assert_true(raw_read(f->fd[1], &f->reply, false));
	assert_int_equal(f->reply.status, 200);
	close_all(f, 2);
	buf_release(&body);
	stop(f);
}

struct stopping {
	struct fixture *f;
	double grace;
};

static void *stop_main(void *arg)
{
	struct stopping *s = arg;

	http_server_stop(s->f->app.server, s->grace);
	return NULL;
}

/* The server has begun to stop once nobody listens any more. */
static void wait_until_refused(const char *url)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	addr.sin_port = htons((uint16_t)strtoul(strrchr(url, ':') + 1, NULL, 10));
	for (;;) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int rc = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
		int saved = errno;

		close(fd);
		if (rc != 0 && saved == ECONNREFUSED)
			return;
	}
}

static void stop_answers_all_that_is_in_flight(void **state)
{
	struct fixture *f = start((struct http_config){0});
	struct stopping stopping = {.f = f, .grace = 60};
	pthread_t thread;
	int idle, halfway;

	(void)state;
	idle = raw_connect(f->app.url);
	raw_send_str(idle, HELLO);
	assert_true(raw_read(idle, &f->reply, false));
	halfway = raw_connect(f->app.url);
	raw_send_str(halfway, "POST /body HTTP/1.1\r\n" HOST "Content-Length: 4\r\n"
			      "Expect: 100-continue\r\n\r\n");
	/* "100 Continue" shows that it has been begun. */
	char go_on[25];
	assert_int_equal(recv(halfway, go_on, 25, MSG_WAITALL), 25);
	raw_send_str(halfway, "bo");
	connect_all(f, 64);
	send_all(f, 64, LATER);
	app_wait_parked(&f->app, 64);
	assert_int_equal(pthread_create(&thread, NULL, stop_main, &stopping), 0);
	wait_until_refused(f->app.url);
	raw_drain(idle, NULL); /* closed at once */
	raw_send_str(halfway, "dy");
	assert_true(raw_read(halfway, &f->reply, false));
	assert_int_equal(f->reply.status, 200);
	assert_string_equal(raw_field(&f->reply, "Connection"), "close");
	answer_from_threads(f);
	for (size_t i = 0; i < 64; i++) {
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_int_equal(f->reply.status, 200);
		assert_true(bytes_is(buf_bytes(&f->reply.body), "later"));
		assert_string_equal(raw_field(&f->reply, "Connection"), "close");
		assert_false(raw_read(f->fd[i], &f->reply, false));
	}
	pthread_join(thread, NULL);
	close(idle);
	close(halfway);
	close_all(f, 64);
	stop(f);
}

static void stop_tells_503_when_the_grace_is_over(void **state)
{
	struct fixture *f = start((struct http_config){0});
	struct http_exchange *late;

	(void)state;
	connect_all(f, 5);
	raw_send_str(f->fd[4], "POST /hung HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n");
	app_wait_parked(&f->app, 1);
	late = app_take_parked(&f->app);
	send_all(f, 4, LATER);
	app_wait_parked(&f->app, 4);
	http_server_stop(f->app.server, 0.1);
	app_continue(late); /* frees what it hung on the exchange */
	for (size_t i = 0; i < 5; i++) {
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_int_equal(f->reply.status, 503);
		/* Only of what appends, and has begun, is it unknown what became of it. */
		assert_non_null(memmem(f->reply.body.data, f->reply.body.len,
				       i == 4 ? "\"unknown\":1" : "\"unknown\":0", 11));
		assert_false(raw_read(f->fd[i], &f->reply, false));
	}
	/* Whoever answers now answers nobody, but must be free to. */
	late = app_take_parked(&f->app);
	answer_from_threads(f);
	close_all(f, 5);
	stop(f);
	app_answer(late, "later than the server lives");
}

static void stop_does_not_wait_for_clients_that_sent_nothing(void **state)
{
	struct fixture *f = start((struct http_config){0});

	(void)state;
	connect_all(f, 2);
	raw_send_str(f->fd[1], HELLO);
	assert_true(raw_read(f->fd[1], &f->reply, false));
	http_server_stop(f->app.server, 1000);
	close_all(f, 2);
	stop(f);
}

static void stop_refuses_requests_that_came_in_part(void **state)
{
	struct fixture *f = start((struct http_config){0});

	(void)state;
	connect_all(f, 2);
	raw_send_str(f->fd[0], "GET /hello HTTP/1.1\r\nHo");
	raw_send_str(f->fd[1], "GET /hel");
	/* One that is answered after them shows that they have been read. */
	assert_int_equal(raw_ask(f->app.url, HELLO, &f->reply), 200);
	http_server_stop(f->app.server, 1000);
	for (size_t i = 0; i < 2; i++) {
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_int_equal(f->reply.status, 503);
		assert_string_equal(raw_field(&f->reply, "Retry-After"), "1");
		assert_false(raw_read(f->fd[i], &f->reply, false));
	}
	close_all(f, 2);
	stop(f);
}

/* What has come before the server stops is answered, whichever way; nothing is closed without a word. */
static void stop_answers_what_was_in_the_socket(void **state)
{
	struct fixture *f = start((struct http_config){0});
	struct stopping stopping = {.f = f, .grace = 60};
	pthread_t thread;

	(void)state;
	connect_all(f, 256);
	send_all(f, 256, HELLO);
	for (size_t i = 0; i < 256; i++)
		assert_true(raw_read(f->fd[i], &f->reply, false));
	send_all(f, 256, HELLO);
	assert_int_equal(pthread_create(&thread, NULL, stop_main, &stopping), 0);
	for (size_t i = 0; i < 256; i++) {
		assert_true(raw_read(f->fd[i], &f->reply, false));
		assert_true(f->reply.status == 200 || f->reply.status == 503);
	}
	pthread_join(thread, NULL);
	close_all(f, 256);
	stop(f);
}

static bool has_ipv6(void)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;

	close(fd);
	return ok;
}

static void it_listens_where_it_is_told_to(void **state)
{
	static const struct {
		const char *listen, *url;
	} cases[] = {
	    {"127.0.0.1:0", "http://127.0.0.1:"},
	    {"[::1]:0", "http://[::1]:"},
	    {":0", "http://127.0.0.1:"},
	    {"0.0.0.0:0", "http://127.0.0.1:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].listen[0] == '[' && !has_ipv6()) {
			print_message("no IPv6 here: %s is left out\n", cases[i].listen);
			continue;
		}

		struct fixture *f = start((struct http_config){.listen = cases[i].listen});

		assert_memory_equal(f->app.url, cases[i].url, strlen(cases[i].url));
		assert_int_equal(
		    raw_ask(f->app.url, "GET /echo HTTP/1.1\r\n" HOST "\r\n", &f->reply), 200);
		if (cases[i].listen[0] == '[')
			assert_true(bytes_is(buf_bytes(&f->reply.body), "GET|/echo||::1|-"));
		else
			assert_true(bytes_is(buf_bytes(&f->reply.body), "GET|/echo||127.0.0.1|-"));
		stop(f);
	}
}

static void no_route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	(void)out;
	(void)x;
	(void)app;
}

static void no_error(struct http_response *out, unsigned status, const char *detail, bool unknown,
		     void *app)
{
	(void)unknown;
	(void)out;
	(void)status;
	(void)detail;
	(void)app;
}

static void *no_state(void *app)
{
	(void)app;
	return NULL;
}

static void a_start_that_fails_says_why(void **state)
{
	static const char *const wrong[] = {
	    "",       "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",  "127.0.0.1:65536",
	    "::1:80", "[::1]",     "[::1:80",    "127.0.0.1:-1", "127.0.0.1: 80"};
	struct fixture *f = start((struct http_config){0});
	struct http_config config = {.route = no_route, .error = no_error};
	struct http_server *s;
	char why[160];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		config.listen = wrong[i];
		why[0] = '\0';
		if (http_server_start(&s, &config, why) != VT_EINVAL)
			fail_msg("listens on \"%s\"", wrong[i]);
		assert_null(s);
		assert_true(why[0] != '\0');
	}
	config.listen = f->app.url + strlen("http://"); /* taken */
	assert_int_equal(http_server_start(&s, &config, why), VT_EIO);
	assert_non_null(strstr(why, "in use"));
	config.listen = "127.0.0.1:0";
	config.thread_new = no_state;
	assert_int_equal(http_server_start(&s, &config, why), VT_EINTERNAL);
	assert_null(s);
	stop(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_number_may_be_ready_at_once),
	    cmocka_unit_test(suspended_requests_are_answered_from_other_threads),
	    cmocka_unit_test(suspended_requests_are_continued_on_the_pool),
	    cmocka_unit_test(many_threads_are_served_side_by_side),
	    cmocka_unit_test(others_are_served_beside_many_idle_connections),
	    cmocka_unit_test(a_client_that_left_costs_nobody_else_anything),
	    cmocka_unit_test(one_more_than_an_address_may_have_is_closed),
	    cmocka_unit_test(the_idlest_connection_makes_room_when_all_are_taken),
	    cmocka_unit_test(appends_beyond_the_rate_are_told_429),
	    cmocka_unit_test(reads_beyond_their_own_rate_are_told_429),
	    cmocka_unit_test(answers_that_would_take_too_much_memory_are_told_503),
	    cmocka_unit_test(bodies_that_would_take_too_much_memory_are_told_503),
	    cmocka_unit_test(stop_answers_all_that_is_in_flight),
	    cmocka_unit_test(stop_tells_503_when_the_grace_is_over),
	    cmocka_unit_test(stop_does_not_wait_for_clients_that_sent_nothing),
	    cmocka_unit_test(stop_refuses_requests_that_came_in_part),
	    cmocka_unit_test(stop_answers_what_was_in_the_socket),
	    cmocka_unit_test(it_listens_where_it_is_told_to),
	    cmocka_unit_test(a_start_that_fails_says_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
