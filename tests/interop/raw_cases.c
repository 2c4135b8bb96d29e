/*
 * raw_cases PROXY: sends what two readers could take differently through a proxy, each with a request behind it that only this
 * connection may see the answer of, and then asks as somebody else. Whatever the proxy makes of it, no answer may be another's, and
 * none may come that nobody asked for. The server behind it answers an unknown path with that path.
 */
#include "vitrine_test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "raw_cases.h"
#include "raw_http.h"

static const char *proxy;

/* An ordinary client, on a connection of its own: does it get its own answer? */
static void ask_as_another(const struct raw_case *c, unsigned number)
{
	struct raw_reply reply;
	char request[128], path[32];

	raw_reply_init(&reply);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/other-%u-%u;", number, i);
		snprintf(request, sizeof(request),
			 "GET /other-%u-%u HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
			 number, i);
		if (raw_ask(proxy, request, &reply) != 404 || raw_times(&reply.body, path) != 1)
			fail_msg("%s: another client got %.*s", c->what, (int)reply.body.len,
				 (const char *)reply.body.data);
	}
	raw_reply_release(&reply);
}

static void send_case(const struct raw_case *c, unsigned number)
{
	char next[128], path[32];
	struct buf got;
	size_t answers;
	int fd = raw_connect(proxy);

	buf_init(&got);
	snprintf(path, sizeof(path), "/next-%u;", number);
	snprintf(next, sizeof(next),
		 "GET /next-%u HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", number);
	raw_send_some(fd, bytes_of(c->bytes, c->len));
	raw_send_some(fd, bytes_str(next));
	raw_drain(fd, &got);
	close(fd);
	answers = raw_times(&got, "HTTP/1.1 ") + raw_times(&got, "HTTP/1.0 ");
	if (answers > 2 || raw_times(&got, path) > 1 || raw_times(&got, "/other-") != 0 ||
	    (answers < 2 && raw_times(&got, path) != 0))
		fail_msg("%s: %.*s", c->what, (int)got.len, (const char *)got.data);
	buf_release(&got);
}

/* One after the other for whoever reads along, but those that a proxy waits for at once. */
struct task {
	pthread_t thread;
	const struct raw_case *c;
	unsigned number;
};

static void *run(void *arg)
{
	struct task *t = arg;

	send_case(t->c, t->number);
	ask_as_another(t->c, t->number);
	return NULL;
}

static void every_answer_reaches_who_asked(void **state)
{
	static const struct {
		const struct raw_case *c;
		size_t n;
	} sets[] = {
	    {ours, sizeof(ours) / sizeof(ours[0])},
	    {of_the_library, sizeof(of_the_library) / sizeof(of_the_library[0])},
	    {taken, sizeof(taken) / sizeof(taken[0])},
	};
	static struct task task[256];
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		for (size_t j = 0; j < sets[i].n; j++, n++) {
			task[n] = (struct task){.c = &sets[i].c[j], .number = n};
			assert_int_equal(pthread_create(&task[n].thread, NULL, run, &task[n]), 0);
		}
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(task[i].thread, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(every_answer_reaches_who_asked)};

	if (argc != 2) {
		fprintf(stderr, "usage: raw_cases PROXY\n");
		return 2;
	}
	proxy = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
