/*
 * Many subscribers of one log: every event reaches each of them, in order; no thread is added for them; and one that takes
 * nothing is dropped without anybody waiting for it.
 *
 * Usage: events_many_test [SUBSCRIBERS]
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "clock.h"
#include "log_fixture.h"
#include "raw_http.h"
#include "vitrine_test.h"

enum {
	SUBSCRIBERS = 1500,
	ALONE = 60,      /* entries that are appended one by one, */
	TOGETHER = 1500, /* and at once */
	ENTRIES = ALONE + TOGETHER,
	FILES_BESIDE = 400,
};

static size_t n_subscribers = SUBSCRIBERS;

/* One of many: what it has heard so far is a line that is not complete, and two numbers. */
struct listener {
	char line[64]; /* its beginning */
	size_t len;
	bool body;     /* the header is over */
	uint64_t next; /* the entry that has to come next */
	uint64_t head; /* the last tree head */
	uint64_t heads;
};

struct crowd {
	struct log_fixture log;
	_Atomic(struct api *) api;
	struct pollfd *fds;
	struct listener *l;
	uint64_t received; /* bytes */
};

static void on_published(void *ctx, const struct tree_head *head)
{
	struct crowd *c = ctx;
	struct api *api = c->api;

	(void)head;
	if (api != NULL)
		api_published(api);
}

static size_t threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	size_t n = 0;

	assert_non_null(dir);
	for (const struct dirent *e; (e = readdir(dir)) != NULL;)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Each subscriber takes two of this process's files. */
static void make_room(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= 2 * n_subscribers + FILES_BESIDE)
		return;
	n_subscribers = (size_t)(limit.rlim_cur - FILES_BESIDE) / 2;
	print_message("only %zu subscribers: that is what the limit on open files leaves\n",
		      n_subscribers);
}

static void see_line(struct listener *l, const char *line)
{
	uint64_t n;

	if (!l->body) {
		l->body = strcmp(line, "\r") == 0;
		return;
	}
	if (strncmp(line, "id: ", 4) != 0)
		return;
	assert_int_equal(decimal_decode(&n, bytes_str(line + 5)), VT_OK);
	if (line[4] == 'e') {
		assert_int_equal(n, l->next);
		l->next++;
	} else {
		assert_int_equal(n, l->next);
		assert_true(l->heads == 0 || n > l->head);
		l->head = n;
		l->heads++;
	}
}

static void see(struct listener *l, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			l->line[l->len < sizeof(l->line) ? l->len : sizeof(l->line) - 1] = '\0';
			see_line(l, l->line);
			l->len = 0;
		} else if (l->len++ < sizeof(l->line) - 1) {
			l->line[l->len - 1] = text[i];
		}
	}
}

/* Let everybody take what there is, until all have heard the tree head of this size. */
static void hear_until(struct crowd *c, uint64_t size)
{
	static char piece[65536];
	size_t left = 0;

	for (size_t i = 0; i < n_subscribers; i++)
		left += c->l[i].heads == 0 || c->l[i].head < size;
	while (left > 0) {
		int ready = poll(c->fds, (nfds_t)n_subscribers, 60000);

		if (ready <= 0)
			fail_msg("%zu subscribers have not heard of size %llu", left,
				 (unsigned long long)size);
		for (size_t i = 0; i < n_subscribers; i++) {
			struct listener *l = &c->l[i];
			bool waits = l->heads == 0 || l->head < size;
			ssize_t n;

			if (c->fds[i].revents == 0)
				continue;
			n = recv(c->fds[i].fd, piece, sizeof(piece), MSG_DONTWAIT);
			if (n <= 0)
				fail_msg("subscriber %zu was cut off: %s", i,
					 n == 0 ? "end" : strerror(errno));
			c->received += (uint64_t)n;
			see(l, piece, (size_t)n);
			left -= waits && l->heads > 0 && l->head >= size;
		}
	}
}

static void append_together(struct crowd *c, unsigned from, unsigned n)
{
	static struct sent sent[TOGETHER];

	for (unsigned i = 0; i < n; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "entry %u", from + i);
		send_bytes(&c->log, c->log.w, &sent[i], bytes_str(text));
	}
	wait_for(sent, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sent[i].answer.outcome, LOG_ADDED);
}

static struct http_server_stats stats_of(const struct crowd *c)
{
	struct raw_reply reply;
	struct http_server_stats s = {0};
	const char *at;

	raw_reply_init(&reply);
	assert_int_equal(
	    raw_ask(api_url(c->api), "GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n", &reply), 200);
	assert_int_equal(buf_append_byte(&reply.body, '\0'), VT_OK);
	at = strstr((const char *)reply.body.data, "\nvitrine_http_streams ");
	assert_non_null(at);
	s.streams_open = strtoull(at + strlen("\nvitrine_http_streams "), NULL, 10);
	at = strstr((const char *)reply.body.data, "\nvitrine_http_streams_dropped_total ");
	assert_non_null(at);
	s.streams_dropped =
	    strtoull(at + strlen("\nvitrine_http_streams_dropped_total "), NULL, 10);
	raw_reply_release(&reply);
	return s;
}

static int subscribe(struct crowd *c)
{
	int fd = raw_connect(api_url(c->api));

	/* HTTP/1.0: the bytes of the stream and nothing between them. */
	raw_send_str(fd, "GET /api/v1/events HTTP/1.0\r\n\r\n");
	return fd;
}

static void begin(struct crowd *c)
{
	struct api_config config = {
	    .version = "test",
	    .http =
		{
		    .listen = "127.0.0.1:0",
		    .workers = 2,
		    .connections_max = SUBSCRIBERS + 100,
		    .per_address_max = SUBSCRIBERS + 100,
		    .streams_max = SUBSCRIBERS + 10,
		    .streams_per_address_max = SUBSCRIBERS + 10,
		    /* So that one that takes nothing is dropped while the test goes on, and nobody else even if
		     * this thread comes round slowly. */
		    .write_seconds = n_subscribers == SUBSCRIBERS ? 6 : 15,
		},
	};
	struct api *api;
	char why[160] = "";

	fixture_store(&c->log, NULL, "raw", bytes_of(NULL, 0));
	c->log.config.published = on_published;
	c->log.config.ctx = c;
	fixture_start(&c->log);
	config.log = c->log.log;
	if (api_start(&api, &config, why) != VT_OK)
		fail_msg("%s", why);
	c->api = api;
	c->fds = calloc(n_subscribers, sizeof(*c->fds));
	c->l = calloc(n_subscribers, sizeof(*c->l));
	assert_non_null(c->fds);
	assert_non_null(c->l);
}

static void end(struct crowd *c)
{
	struct api *api = c->api;

	api_stop(api, 10);
	for (size_t i = 0; i < n_subscribers; i++)
		close(c->fds[i].fd);
	c->api = NULL;
	log_stop(c->log.log);
	api_free(api);
	fixture_free(&c->log);
	free(c->fds);
	free(c->l);
}

static void every_event_reaches_every_subscriber_and_a_stalled_one_delays_nobody(void **state)
{
	struct crowd *c = calloc(1, sizeof(*c));
	uint64_t start, alone, together;
	size_t before;
	int stalled;

	(void)state;
	assert_non_null(c);
	make_room();
	begin(c);
	before = threads();
	stalled = subscribe(c); /* and nobody reads what fits into its buffer */
	for (size_t i = 0; i < n_subscribers; i++)
		c->fds[i] = (struct pollfd){.fd = subscribe(c), .events = POLLIN};
	hear_until(c, 0);
	assert_int_equal(stats_of(c).streams_open, n_subscribers + 1);
	assert_int_equal(threads(), before);

	start = clock_monotonic_nanos();
	for (unsigned i = 0; i < ALONE; i++) {
		append_together(c, i, 1);
		hear_until(c, i + 1);
	}
	alone = clock_monotonic_nanos() - start;
	/* Nobody has waited for it, and it is still there or has been dropped: that is its own deadline's matter. */
	start = clock_monotonic_nanos();
	append_together(c, ALONE, TOGETHER);
	hear_until(c, ENTRIES);
	together = clock_monotonic_nanos() - start;
	assert_int_equal(threads(), before);
	for (size_t i = 0; i < n_subscribers; i++) {
		assert_int_equal(c->l[i].next, ENTRIES);
		assert_int_equal(c->l[i].head, ENTRIES);
	}

	/* Not to be read from, or it would not be stalled any more: a reset shows without. */
	assert_int_equal(poll(&(struct pollfd){.fd = stalled}, 1, 60000), 1);
	close(stalled);
	assert_int_equal(stats_of(c).streams_dropped, 1);
	assert_int_equal(stats_of(c).streams_open, n_subscribers);
	print_message(
	    "%zu subscribers, %zu threads: %.1f ms from an append to the last of them; %d "
	    "entries at once in %.0f ms; %.0f MB in all\n",
	    n_subscribers, before, (double)alone / 1e6 / ALONE, TOGETHER, (double)together / 1e6,
	    (double)c->received / 1e6);
	end(c);
	free(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_event_reaches_every_subscriber_and_a_stalled_one_delays_nobody),
	};
	uint64_t n;

	if (argc > 1 && decimal_decode(&n, bytes_str(argv[1])) == VT_OK && n > 0 && n < SUBSCRIBERS)
		n_subscribers = (size_t)n;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
