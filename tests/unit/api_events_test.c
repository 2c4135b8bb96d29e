/* The event stream: what is published is told once, in order, from wherever a subscriber says it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.h"
#include "log_fixture.h"
#include "raw_http.h"
#include "record_world.h"
#include "scratch.h"
#include "vitrine_test.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

enum {
	PATIENCE = 20, /* seconds; raw_connect() sets it */
};

struct fixture {
	struct log_fixture log;
	struct api *api;
	_Atomic(struct api *) tell;
	double heartbeat;
	struct http_config http;
};

static void on_published(void *ctx, const struct tree_head *head)
{
	struct fixture *f = ctx;
	struct api *api = f->tell;

	(void)head;
	if (api != NULL)
		api_published(api);
}

static void serve(struct fixture *f)
{
	struct api_config config = {
	    .log = f->log.log,
	    .version = "test",
	    .http = f->http,
	    .heartbeat_seconds = f->heartbeat,
	};
	char why[160] = "";

	config.http.listen = "127.0.0.1:0";
	if (api_start(&f->api, &config, why) != VT_OK)
		fail_msg("%s", why);
	f->tell = f->api;
}

static void start(struct fixture *f)
{
	f->log.config.published = on_published;
	f->log.config.ctx = f;
	fixture_start(&f->log);
	serve(f);
}

static void stop(struct fixture *f)
{
	api_stop(f->api, 5);
	f->tell = NULL;
	/* The log calls back until it has stopped. */
	log_stop(f->log.log);
	api_free(f->api);
	fixture_stop(&f->log);
}

static struct fixture *raw_log(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	scratch_clear();
	fixture_store(&f->log, scratch_path("log.sqlite"), "raw", bytes_of(NULL, 0));
	return f;
}

static void done(struct fixture *f)
{
	stop(f);
	fixture_free(&f->log);
	free(f);
}

/* Append n entries, each published by itself; the first is named `from`. */
static void append(struct fixture *f, unsigned from, unsigned n)
{
	for (unsigned i = from; i < from + n; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "entry %u", i);
		assert_int_equal(send_one(&f->log, bytes_str(text)).outcome, LOG_ADDED);
	}
}

/* The same, at once. */
static void append_together(struct fixture *f, unsigned from, unsigned n)
{
	struct sent *sent = calloc(n, sizeof(*sent));

	assert_non_null(sent);
	for (unsigned i = 0; i < n; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "entry %u", from + i);
		send_bytes(&f->log, f->log.w, &sent[i], bytes_str(text));
		if (i % 4096 == 4095)
			wait_for(sent, i + 1);
	}
	wait_for(sent, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sent[i].answer.outcome, LOG_ADDED);
	free(sent);
}

/* -- a subscriber --------------------------------------------------------------------------------------- */

struct listener {
	int fd;
	struct buf text; /* that was not looked at yet */
	bool ended;
};

/* One event, or a comment. */
struct event {
	char type[32]; /* ":" for a comment */
	char id[32];
	char data[4096];
};

static char *read_line(struct listener *l)
{
	static char line[8192];
	const uint8_t *end;
	size_t len;

	while (l->text.len == 0 || (end = memchr(l->text.data, '\n', l->text.len)) == NULL) {
		uint8_t piece[16384];
		ssize_t n = recv(l->fd, piece, sizeof(piece), 0);

		if (n < 0 && errno != ECONNRESET)
			fail_msg("nothing has come for %d seconds", PATIENCE);
		if (n <= 0) {
			l->ended = true;
			return NULL;
		}
		assert_int_equal(buf_append(&l->text, bytes_of(piece, (size_t)n)), VT_OK);
	}
	len = (size_t)(end - l->text.data);
	assert_true(len < sizeof(line));
	memcpy(line, l->text.data, len);
	line[len] = '\0';
	l->text.len -= len + 1;
	memmove(l->text.data, l->text.data + len + 1, l->text.len);
	return line;
}

/* HTTP/1.0: the bytes come as they are. query: "" or "?...". last: Last-Event-ID, or NULL. */
static void listen_from(struct listener *l, const struct fixture *f, const char *query,
			const char *last)
{
	char request[512];
	const char *line;

	l->fd = raw_connect(api_url(f->api));
	l->ended = false;
	buf_init(&l->text);
	(void)snprintf(request, sizeof(request), "GET /api/v1/events%s HTTP/1.0\r\n%s%s%s\r\n",
		       query, last != NULL ? "Last-Event-ID: " : "", last != NULL ? last : "",
		       last != NULL ? "\r\n" : "");
	raw_send_str(l->fd, request);
	line = read_line(l);
	assert_non_null(line);
	assert_memory_equal(line, "HTTP/1.1 200", 12);
	while (strcmp(line, "\r") != 0)
		assert_non_null(line = read_line(l));
	assert_string_equal(read_line(l), "retry: 3000");
	assert_string_equal(read_line(l), "");
}

static void leave(struct listener *l)
{
	close(l->fd);
	buf_release(&l->text);
}

/* false: the stream has ended. */
static bool hear(struct listener *l, struct event *e)
{
	const char *line;

	*e = (struct event){0};
	for (;;) {
		if ((line = read_line(l)) == NULL)
			return false;
		if (line[0] == '\0')
			return true;
		if (line[0] == ':')
			(void)snprintf(e->type, sizeof(e->type), ":");
		else if (strncmp(line, "event: ", 7) == 0)
			(void)snprintf(e->type, sizeof(e->type), "%.31s", line + 7);
		else if (strncmp(line, "id: ", 4) == 0)
			(void)snprintf(e->id, sizeof(e->id), "%.31s", line + 4);
		else if (strncmp(line, "data: ", 6) == 0)
			(void)snprintf(e->data, sizeof(e->data), "%.4095s", line + 6);
		else
			fail_msg("a line of no kind: %s", line);
	}
}

/* Past comments. */
static void hear_event(struct listener *l, struct event *e)
{
	do {
		assert_true(hear(l, e));
	} while (strcmp(e->type, ":") == 0);
}

/* The next event is this one. Its data says so too. */
static void expect(struct listener *l, const char *id)
{
	struct event e;
	char where[64];

	hear_event(l, &e);
	assert_string_equal(e.id, id);
	assert_string_equal(e.type, id[0] == 'e' ? "entry" : "tree-head");
	(void)snprintf(where, sizeof(where), id[0] == 'e' ? "\"index\":%s," : "\"treeSize\":%s,",
		       id + 1);
	assert_non_null(strstr(e.data, where));
	assert_non_null(strstr(e.data, id[0] == 'e' ? "\"leafHash\":\"" : "\"checkpoint\":\""));
}

static void expect_all(struct listener *l, const char *const *ids)
{
	for (; *ids != NULL; ids++)
		expect(l, *ids);
}

#define EXPECT(l, ...) expect_all(l, (const char *const[]){__VA_ARGS__, NULL})

/* Entries [from, to) and tree heads, in whatever portions; each head behind what it covers. */
static void expect_range(struct listener *l, uint64_t from, uint64_t to)
{
	uint64_t next = from, head = 0, n;
	struct event e;

	while (head < to) {
		hear_event(l, &e);
		assert_int_equal(decimal_decode(&n, bytes_str(e.id + 1)), VT_OK);
		if (e.id[0] == 'e') {
			assert_int_equal(n, next);
			next++;
		} else {
			assert_int_equal(n, next);
			assert_true(n > head || n == 0);
			head = n;
		}
	}
	assert_int_equal(next, to);
}

static unsigned ask(const struct fixture *f, const char *target, const char *fields,
		    struct raw_reply *reply)
{
	char request[512];

	(void)snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: t\r\n%s\r\n", target,
		       fields);
	return raw_ask(api_url(f->api), request, reply);
}

static uint64_t metric(const struct fixture *f, const char *name)
{
	struct raw_reply reply;
	const char *line;
	uint64_t n;
	char start[96];

	raw_reply_init(&reply);
	assert_int_equal(ask(f, "/metrics", "", &reply), 200);
	assert_int_equal(buf_append_byte(&reply.body, '\0'), VT_OK);
	(void)snprintf(start, sizeof(start), "\nvitrine_%s ", name);
	line = strstr((const char *)reply.body.data, start);
	assert_non_null(line);
	n = strtoull(line + strlen(start), NULL, 10);
	raw_reply_release(&reply);
	return n;
}

/* -- tests ----------------------------------------------------------------------------------------------- */

static void a_new_subscriber_hears_the_newest_head_and_what_comes(void **state)
{
	struct fixture *f = raw_log();
	struct listener empty, later;

	(void)state;
	start(f);
	listen_from(&empty, f, "", NULL);
	expect(&empty, "h0");
	/* One after the other: of tree heads within one second only the last is kept for who comes late, the hub
	 * included. */
	append(f, 0, 1);
	EXPECT(&empty, "e0", "h1");
	append(f, 1, 1);
	EXPECT(&empty, "e1", "h2");
	listen_from(&later, f, "", NULL);
	expect(&later, "h2");
	append(f, 2, 1);
	EXPECT(&empty, "e2", "h3");
	EXPECT(&later, "e2", "h3");
	leave(&empty);
	leave(&later);
	done(f);
}

static void whoever_names_an_event_goes_on_behind_it(void **state)
{
	struct fixture *f = raw_log();
	struct listener l;

	(void)state;
	start(f);
	append_together(f, 0, 4);
	/* How many tree heads there are depends on how the four came together; the last is sure. */
	listen_from(&l, f, "?last-event-id=h0", NULL);
	expect_range(&l, 0, 4);
	leave(&l);
	listen_from(&l, f, "", "h4");
	append(f, 4, 1);
	EXPECT(&l, "e4", "h5");
	leave(&l);
	listen_from(&l, f, "", "e3");
	append(f, 5, 1);
	expect_range(&l, 4, 6);
	leave(&l);
	/* A browser that comes again still asks for the first place in the address. */
	listen_from(&l, f, "?last-event-id=h0", "h6");
	append(f, 6, 1);
	EXPECT(&l, "e6", "h7");
	leave(&l);
	done(f);
}

static void the_head_behind_the_last_entry_is_not_lost(void **state)
{
	struct fixture *f = raw_log();
	struct listener l;

	(void)state;
	start(f);
	append(f, 0, 3);
	listen_from(&l, f, "", "e2");
	expect(&l, "h3");
	leave(&l);
	done(f);
}

static void nothing_is_lost_or_repeated_across_a_restart(void **state)
{
	struct fixture *f = raw_log();
	struct listener l;
	struct event e;
	uint64_t next = 0, n;

	(void)state;
	start(f);
	append(f, 0, 1);
	listen_from(&l, f, "?last-event-id=h0", NULL);
	for (unsigned round = 0; round < 4; round++) {
		append_together(f, 1 + round * 20, 10);
		/* Leave in the middle, be away for a restart and for what comes then. */
		for (unsigned i = 0; i < 7; i++) {
			hear_event(&l, &e);
			assert_int_equal(decimal_decode(&n, bytes_str(e.id + 1)), VT_OK);
			assert_int_equal(n, next);
			next += e.id[0] == 'e';
		}
		leave(&l);
		stop(f);
		start(f);
		append_together(f, 11 + round * 20, 10);
		listen_from(&l, f, "", e.id);
	}
	expect_range(&l, next, 81);
	leave(&l);
	done(f);
}

static void what_another_process_publishes_is_told(void **state)
{
	struct fixture *f = raw_log();
	struct fixture other = {0};
	struct listener l;

	(void)state;
	start(f);
	other.log.store = f->log.store;
	other.log.store_is_borrowed = true;
	other.log.signer = f->log.signer;
	fixture_start(&other.log);
	listen_from(&l, f, "", NULL);
	expect(&l, "h0");
	append(&other, 0, 2);
	expect_range(&l, 0, 2);
	fixture_stop(&other.log);
	leave(&l);
	done(f);
}

static void ids_of_no_place_are_refused(void **state)
{
	static const char *const wrong[] = {"7",   "e",    "x7", "e07",
					    "e-1", "e1 2", "h ", "h9223372036854775807"};
	struct fixture *f = raw_log();
	struct raw_reply reply;
	struct listener l;

	(void)state;
	raw_reply_init(&reply);
	start(f);
	append(f, 0, 1);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char field[64];

		(void)snprintf(field, sizeof(field), "Last-Event-ID: %s\r\n", wrong[i]);
		if (ask(f, "/api/v1/events", field, &reply) != 400)
			fail_msg("\"%s\" is answered %u", wrong[i], reply.status);
	}
	assert_int_equal(ask(f, "/api/v1/events?last-event-id=z", "", &reply), 400);
	assert_int_equal(ask(f, "/api/v1/events?type=x", "", &reply), 400); /* raw mode */
	assert_int_equal(ask(f, "/api/v1/events", "Last-Event-ID: h2\r\n", &reply), 404);
	assert_int_equal(ask(f, "/api/v1/events", "Last-Event-ID: e1\r\n", &reply), 404);
	listen_from(&l, f, "", "e0");
	expect(&l, "h1");
	leave(&l);
	raw_reply_release(&reply);
	done(f);
}

static void a_quiet_stream_has_a_heartbeat(void **state)
{
	struct fixture *f = raw_log();
	struct listener l;
	struct event e;

	(void)state;
	f->heartbeat = 0.02;
	start(f);
	listen_from(&l, f, "", NULL);
	expect(&l, "h0");
	for (int i = 0; i < 5; i++) {
		assert_true(hear(&l, &e));
		assert_string_equal(e.type, ":");
		assert_string_equal(e.id, "");
	}
	append(f, 0, 1);
	EXPECT(&l, "e0", "h1");
	leave(&l);
	done(f);
}

/* -- witnesses: what is committed and not published ----------------------------------------------------- */

static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t held_changed = PTHREAD_COND_INITIALIZER;
static struct buf held_note;
static struct tree_head held_head;
static bool is_held;

static void hold_head(void *ctx, struct bytes note, const struct tree_head *head, bool remembered)
{
	(void)remembered;
	(void)ctx;
	pthread_mutex_lock(&held_lock);
	buf_reset(&held_note);
	assert_int_equal(buf_append(&held_note, note), VT_OK);
	held_head = *head;
	is_held = true;
	pthread_cond_signal(&held_changed);
	pthread_mutex_unlock(&held_lock);
}

/* The quorum is there for the head that waits for it; its size. */
static uint64_t let_it_be_published(struct fixture *f)
{
	pthread_mutex_lock(&held_lock);
	while (!is_held)
		pthread_cond_wait(&held_changed, &held_lock);
	is_held = false;
	pthread_mutex_unlock(&held_lock);
	log_gathered(f->log.log, &held_head, buf_bytes(&held_note), true, true);
	return held_head.size;
}

static void nothing_is_told_before_it_is_published(void **state)
{
	struct fixture *f = raw_log();
	struct listener l;
	struct event e;
	struct sent sent;

	(void)state;
	f->heartbeat = 0.02;
	f->log.config.gather = hold_head;
	f->log.config.gather_pause_millis = 1;
	start(f);
	assert_int_equal(let_it_be_published(f), 0);
	listen_from(&l, f, "?last-event-id=h0", NULL);
	send_bytes(&f->log, f->log.w, &sent, bytes_str("entry"));
	pthread_mutex_lock(&held_lock);
	while (!is_held)
		pthread_cond_wait(&held_changed, &held_lock);
	pthread_mutex_unlock(&held_lock);
	/* Committed, and shown to witnesses. */
	for (int i = 0; i < 5; i++) {
		assert_true(hear(&l, &e));
		assert_string_equal(e.type, ":");
	}
	assert_int_equal(let_it_be_published(f), 1);
	EXPECT(&l, "e0", "h1");
	wait_for(&sent, 1);
	leave(&l);
	done(f);
	buf_release(&held_note);
}

/* -- many ---------------------------------------------------------------------------------------------------- */

static void old_entries_are_caught_up_with_in_order(void **state)
{
	struct fixture *f = raw_log();
	struct listener l[3];

	(void)state;
	start(f);
	append_together(f, 0, 6000); /* more than there are kept in memory */
	listen_from(&l[0], f, "?last-event-id=h0", NULL);
	listen_from(&l[1], f, "?last-event-id=e4999", NULL);
	listen_from(&l[2], f, "", NULL);
	append(f, 6000, 1);
	expect_range(&l[0], 0, 6001);
	expect_range(&l[1], 5000, 6001);
	expect_range(&l[2], 6000, 6001); /* head 6000 first, or it has been replaced already */
	for (int i = 0; i < 3; i++)
		leave(&l[i]);
	done(f);
}

static void whoever_falls_too_far_behind_is_dropped_and_can_come_again(void **state)
{
	struct fixture *f = raw_log();
	struct listener reads, stalls;
	uint64_t next = 0, n;
	struct event e;
	char last[32] = "h0";

	(void)state;
	start(f);
	listen_from(&reads, f, "", NULL);
	listen_from(&stalls, f, "", NULL);
	expect(&reads, "h0");
	append(f, 0, 1);
	expect_range(&reads, 0, 1);
	for (unsigned i = 0; metric(f, "http_streams_dropped_total") == 0; i++) {
		if (i == 100)
			fail_msg("a subscriber that takes nothing is kept for ever");
		append_together(f, 1 + i * 1000, 1000);
		expect_range(&reads, 1 + i * 1000, 1 + (i + 1) * 1000);
	}
	/* What it can still read is whole and in order, as far as it goes. */
	while (hear(&stalls, &e)) {
		assert_int_equal(decimal_decode(&n, bytes_str(e.id + 1)), VT_OK);
		assert_int_equal(n, next);
		next += e.id[0] == 'e';
		memcpy(last, e.id, sizeof(last));
	}
	leave(&stalls);
	leave(&reads);
	listen_from(&stalls, f, "", last);
	hear_event(&stalls, &e);
	assert_int_equal(decimal_decode(&n, bytes_str(e.id + 1)), VT_OK);
	assert_int_equal(n, next);
	leave(&stalls);
	done(f);
}

static void stopping_ends_the_stream(void **state)
{
	struct fixture *f = raw_log();
	struct listener l;
	struct event e;

	(void)state;
	start(f);
	listen_from(&l, f, "", NULL);
	expect(&l, "h0");
	api_stop(f->api, 600);
	assert_false(hear(&l, &e));
	leave(&l);
	done(f);
}

/* -- conditions ------------------------------------------------------------------------------------------ */

static void append_verdict(struct fixture *f, struct world *w, unsigned n, const char *result)
{
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	char run[40];
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = result,
				    .configuration = &configuration,
				    .n_configuration = 1};
	struct buf statement, body;

	(void)snprintf(run, sizeof(run), "urn:run:%u", n);
	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	assert_int_equal(send_one(&f->log, buf_bytes(&body)).outcome, LOG_ADDED);
	buf_release(&statement);
	buf_release(&body);
}

static void conditions_choose_entries_and_heads_come_anyway(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct listener failed, lab, subject, none;
	struct raw_reply reply;
	struct world world;

	(void)state;
	assert_non_null(f);
	raw_reply_init(&reply);
	world_init(&world);
	fixture_store(&f->log, NULL, "records", world_spki(world.centre));
	start(f);
	world_begin(&world);
	for (size_t i = 0; i < world.n; i++)
		assert_int_equal(send_one(&f->log, buf_bytes(&world.entry[i].bytes)).outcome,
				 LOG_ADDED);
	listen_from(&failed, f, "?result=FAILED", NULL);
	expect(&failed, "h3");
	listen_from(&subject, f, "?subject=" DIGEST "&party=lab-1", "h3");
	listen_from(&none, f, "?subject=" DIGEST "&party=acme", "h3");
	append_verdict(f, &world, 1, "PASSED");
	expect(&failed, "h4");
	EXPECT(&subject, "e3", "h4");
	EXPECT(&none, "h4");
	append_verdict(f, &world, 2, "FAILED");
	EXPECT(&failed, "e4", "h5");
	EXPECT(&subject, "e4", "h5");
	EXPECT(&none, "h5");
	append_verdict(f, &world, 3, "PASSED");
	EXPECT(&failed, "h6");
	EXPECT(&subject, "e5", "h6");
	EXPECT(&none, "h6");
	leave(&failed);
	leave(&none);
	/* The same from the start, by whoever comes later: another filter, the same answers. */
	listen_from(&lab, f, "?party=lab-1", "h4");
	expect(&lab, "e4");
	expect_range(&lab, 5, 6);
	leave(&lab);
	leave(&subject);
	assert_int_equal(ask(f, "/api/v1/events?subject=bios.bin", "", &reply), 400);
	assert_int_equal(ask(f, "/api/v1/events?result=GOOD", "", &reply), 400);
	assert_int_equal(ask(f, "/api/v1/events?colour=red", "", &reply), 400);
	raw_reply_release(&reply);
	done(f);
	world_release(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_subscriber_hears_the_newest_head_and_what_comes),
	    cmocka_unit_test(whoever_names_an_event_goes_on_behind_it),
	    cmocka_unit_test(the_head_behind_the_last_entry_is_not_lost),
	    cmocka_unit_test(nothing_is_lost_or_repeated_across_a_restart),
	    cmocka_unit_test(what_another_process_publishes_is_told),
	    cmocka_unit_test(ids_of_no_place_are_refused),
	    cmocka_unit_test(a_quiet_stream_has_a_heartbeat),
	    cmocka_unit_test(nothing_is_told_before_it_is_published),
	    cmocka_unit_test(old_entries_are_caught_up_with_in_order),
	    cmocka_unit_test(whoever_falls_too_far_behind_is_dropped_and_can_come_again),
	    cmocka_unit_test(stopping_ends_the_stream),
	    cmocka_unit_test(conditions_choose_entries_and_heads_come_anyway),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
