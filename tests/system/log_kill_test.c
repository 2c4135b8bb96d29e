/*
 * A log that is killed at random moments: whatever it had answered is in the log that the next one opens, at the index that it
 * said, and the log is whole.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_fixture.h"
#include "scratch.h"
#include "vitrine_test.h"

enum {
	KILLS = 25,
	FSCKS = 12,
	CHECKED_MAX = 8000, /* entries, so that checking does not take ever longer */
	AT_ONCE = 40,
	ANSWERS_MAX = 1 << 16,
};

/* What the log said, in one write to the pipe. */
struct said {
	unsigned n;
	uint64_t index;
	struct merkle_hash leaf;
};

static char path[512], mark[520], frozen[520];

/* A store is never behind its own mark, whenever it is killed: every one of these starts signs. */
static void open_log(struct log_fixture *f)
{
	struct log_status status;

	(void)snprintf(mark, sizeof(mark), "%s.mark", path);
	(void)snprintf(frozen, sizeof(frozen), "%s.frozen", path);
	fixture_store(f, path, "raw", bytes_of(NULL, 0));
	fixture_mark(f, mark);
	f->config.frozen_path = frozen;
	f->config.index_tail_max = 256; /* it folds and merges all the time */
	fixture_start(f);
	log_status(f->log, &status);
	if (status.frozen || !status.has_mark || status.mark_size > status.size) {
		print_error("frozen: %s\n", status.frozen_why);
		abort();
	}
}

static struct bytes numbered(char text[32], unsigned n)
{
	(void)snprintf(text, 32, "entry %u", n);
	return bytes_str(text);
}

static void append_for_ever(unsigned from, int out, int begun)
{
	struct log_fixture f;

	open_log(&f);
	if (begun >= 0 && write(begun, "", 1) != 1)
		_exit(1);
	for (unsigned n = from;; n = begun >= 0 && n > CHECKED_MAX ? 0 : n + AT_ONCE) {
		struct sent s[AT_ONCE];
		char text[32];

		for (unsigned i = 0; i < AT_ONCE; i++)
			send_bytes(&f, f.w, &s[i], numbered(text, n + i));
		for (unsigned i = 0; i < AT_ONCE; i++) {
			struct said said = {.n = n + i};

			wait_for(&s[i], 1);
			if (s[i].answer.outcome == LOG_LATER)
				continue;
			said.index = s[i].answer.index;
			said.leaf = s[i].answer.leaf;
			if (write(out, &said, sizeof(said)) != (ssize_t)sizeof(said))
				_exit(1);
		}
	}
}

/* Let it append until it has given so many answers, then kill it in the middle of the next. Returns how many it gave. */
static size_t run_and_kill(unsigned from, size_t answers, struct said *said, size_t max)
{
	size_t n = 0;
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(pipes[0]);
		append_for_ever(from, pipes[1], -1);
	}
	(void)close(pipes[1]);
	while (n < max && read(pipes[0], &said[n], sizeof(said[n])) == (ssize_t)sizeof(said[n]))
		if (++n == answers)
			assert_int_equal(kill(pid, SIGKILL), 0);
	(void)close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return n;
}

static void check_answers(struct log_fixture *f, const struct said *said, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct log_answer a;
		struct buf entry;
		char text[32];

		buf_init(&entry);
		assert_int_equal(log_entry(f->w, said[i].index, &entry), VT_OK);
		assert_true(bytes_equal(buf_bytes(&entry), numbered(text, said[i].n)));
		a = send_one(f, buf_bytes(&entry));
		assert_int_equal(a.outcome, LOG_KNOWN);
		assert_int_equal(a.index, said[i].index);
		assert_true(merkle_hash_equal(&a.leaf, &said[i].leaf));
		buf_release(&entry);
	}
}

static enum vt_err print_fault(void *ctx, const char *text)
{
	(void)ctx;
	print_error("fsck: %s\n", text);
	return VT_OK;
}

static void nothing_that_was_answered_is_lost(void **state)
{
	struct said *said = calloc(ANSWERS_MAX, sizeof(*said));
	unsigned seed = 20261122, next = 0;
	struct fsck_config config = {.fault = print_fault};
	struct tree_head head;
	struct log_fixture f;
	size_t n = 0;

	(void)state;
	assert_non_null(said);
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	for (unsigned i = 0; i < KILLS; i++) {
		size_t more =
		    run_and_kill(next, 1 + (size_t)rand_r(&seed) % 300, said + n, ANSWERS_MAX - n);

		assert_true(more > 0);
		/* The last ones were under way: some of them will turn out to be known. */
		next = said[n + more - 1].n / AT_ONCE * AT_ONCE;
		open_log(&f);
		check_answers(&f, said + n, more);
		fixture_free(&f);
		n += more;
	}
	open_log(&f);
	check_answers(&f, said, n);
	assert_true(fixture_verify(&f) >= next);
	fixture_stop(&f);
	config.store = f.store;
	assert_int_equal(log_fsck(&config, &head), VT_OK);
	fixture_free(&f);
	free(said);
}

/* fsck needs no stop: it reads a log that grows, folds and publishes meanwhile. */
static void a_running_log_is_checked(void **state)
{
	struct store_sqlite_config sqlite = {.path = path, .read_only = true};
	struct fsck_config config = {.fault = print_fault};
	char why[STORE_WHY_MAX], byte;
	struct tree_head head = {0};
	uint64_t size = 0;
	int pipes[2], status;
	pid_t pid;

	(void)state;
	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(pipes[0]);
		append_for_ever(0, open("/dev/null", O_WRONLY), pipes[1]);
	}
	(void)close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1); /* it has begun */
	(void)close(pipes[0]);
	for (unsigned i = 0; i < FSCKS; i++) {
		assert_int_equal(store_sqlite_open(&config.store, &sqlite, NULL, why), VT_OK);
		assert_int_equal(log_fsck(&config, &head), VT_OK);
		assert_true(head.size >= size);
		size = head.size;
		store_free(config.store);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_true(size > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_that_was_answered_is_lost),
					   cmocka_unit_test(a_running_log_is_checked)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
