/* Stores that are busy, lie about what they did, or break; and memory that runs out. */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "failing_store.h"
#include "log_fixture.h"
#include "test_signer.h"

struct fixture {
	struct log_fixture log;
	struct failing failing;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	fixture_store(&f->log, NULL, "raw", bytes_of(NULL, 0));
	failing_install(&f->failing, f->log.store);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	fixture_free(&f->log);
	free(f);
	return 0;
}

static struct log_answer send_text(struct fixture *f, const char *text)
{
	return send_one(&f->log, bytes_str(text));
}

/* -- contention ------------------------------------------------------------------------------------ */

static void a_store_that_is_busy_for_a_while_is_waited_for(void **state)
{
	struct fixture *f = *state;

	fixture_start(&f->log);
	fail_next(&f->failing.commit, 3, VT_EBUSY, false);
	assert_int_equal(send_text(f, "one").outcome, LOG_ADDED);
	assert_int_equal(fixture_verify(&f->log), 1);
}

static void a_store_that_stays_busy_is_told_to_the_senders(void **state)
{
	struct fixture *f = *state;
	struct log_answer a;

	fixture_start(&f->log);
	fail_next(&f->failing.commit, UINT32_MAX, VT_EBUSY, false);
	a = send_text(f, "one");
	assert_int_equal(a.outcome, LOG_LATER);
	assert_string_equal(a.reason, "the store is busy");
	assert_true(a.retry_after > 0);
	fail_next(&f->failing.commit, 0, VT_OK, false);
	assert_int_equal(send_text(f, "one").outcome, LOG_ADDED);
	assert_int_equal(fixture_verify(&f->log), 1);
}

/* The commit was done, and reported as if it had not been: what was meant is found in the log and not added twice. */
static void a_commit_that_was_done_all_the_same_is_noticed(void **state)
{
	static const enum vt_err errs[] = {VT_EBUSY, VT_ECONFLICT};
	struct fixture *f = *state;
	struct log_answer a;
	char text[16];

	fixture_start(&f->log);
	for (unsigned i = 0; i < 2; i++) {
		(void)snprintf(text, sizeof(text), "entry %u", i);
		fail_next(&f->failing.commit, 1, errs[i], true);
		a = send_text(f, text);
		assert_int_equal(a.outcome, LOG_KNOWN);
		assert_int_equal(a.index, i);
		assert_int_equal(send_text(f, text).outcome, LOG_KNOWN);
	}
	assert_int_equal(fixture_verify(&f->log), 2);
}

static void a_checkpoint_that_cannot_be_published_is_published_later(void **state)
{
	struct fixture *f = *state;

	fixture_start(&f->log);
	fail_next(&f->failing.publish, 12, VT_EBUSY, false);
	assert_int_equal(send_text(f, "one").outcome, LOG_ADDED);
	assert_int_equal(fixture_verify(&f->log), 1);
}

static void folds_that_fail_or_lose_are_made_up_for(void **state)
{
	struct fixture *f = *state;
	struct log_status status;
	char text[32];

	f->log.config.index_tail_max = 16;
	fixture_start(&f->log);
	for (unsigned i = 0; i < 300; i++) {
		if (i % 20 == 3)
			fail_next(&f->failing.chunk, 1, i % 40 == 3 ? VT_ECONFLICT : VT_EBUSY,
				  false);
		if (i % 20 == 13)
			fail_next(&f->failing.replace, 1, VT_ECONFLICT, i % 40 == 13);
		(void)snprintf(text, sizeof(text), "entry %u", i);
		assert_int_equal(send_text(f, text).outcome, LOG_ADDED);
	}
	for (unsigned i = 0; i < 300; i++) {
		struct log_answer a;

		(void)snprintf(text, sizeof(text), "entry %u", i);
		a = send_text(f, text);
		assert_int_equal(a.outcome, LOG_KNOWN);
		assert_int_equal(a.index, i);
	}
	log_status(f->log.log, &status);
	assert_true(status.index_runs > 0);
	assert_true(status.index_tail_keys < 100);
}

/* -- broken: the process ends, and the next one goes on ---------------------------------------------- */

static int status_of_child(void (*act)(struct fixture *f), struct fixture *f)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)freopen("/dev/null", "w", stderr);
		act(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void commit_to_a_broken_disk(struct fixture *f)
{
	fixture_start(&f->log);
	fail_next(&f->failing.commit, 1, VT_EIO, false);
	(void)send_text(f, "one");
}

static void publish_to_a_broken_disk(struct fixture *f)
{
	fixture_start(&f->log);
	fail_next(&f->failing.publish, 1, VT_EIO, false);
	(void)send_text(f, "one");
}

static void fold_to_a_broken_disk(struct fixture *f)
{
	char text[32];

	f->log.config.index_tail_max = 4;
	fixture_start(&f->log);
	fail_next(&f->failing.chunk, 1, VT_EIO, false);
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof(text), "entry %u", i);
		(void)send_text(f, text);
	}
}

static void a_broken_store_ends_the_process(void **state)
{
	static void (*const act[])(struct fixture * f) = {
	    commit_to_a_broken_disk, publish_to_a_broken_disk, fold_to_a_broken_disk};

	for (size_t i = 0; i < sizeof(act) / sizeof(act[0]); i++) {
		int status = status_of_child(act[i], *state);

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), LOG_EXIT_STORAGE);
	}
}

/* -- memory -------------------------------------------------------------------------------------------- */

static void opening_without_memory_fails_cleanly(void **state)
{
	struct fixture *f = *state;
	char why[STORE_WHY_MAX], text[32];
	unsigned n;

	f->log.config.index_tail_max = 16;
	fixture_start(&f->log);
	for (unsigned i = 0; i < 50; i++) {
		(void)snprintf(text, sizeof(text), "entry %u", i);
		(void)send_text(f, text);
	}
	fixture_stop(&f->log);
	for (n = 1;; n++) {
		enum vt_err err;

		alloc_fail_at(n);
		err = fixture_open(&f->log, why);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			break;
		}
		assert_true(err == VT_ENOMEM || err == VT_OK);
		if (err == VT_OK) /* only what it can do without: publishing is tried again later */
			fixture_stop(&f->log);
		else
			assert_true(strlen(why) > 0);
	}
	assert_true(n > 20);
}

/* Each allocation of one append fails once, on whichever thread: it is answered, or the process ends as it says. */
static void append_without_memory(struct fixture *f, unsigned n)
{
	enum log_outcome outcome;

	fixture_start(&f->log);
	alloc_fail_at(n);
	outcome = send_text(f, "one").outcome;
	if (!alloc_failed())
		_exit(2);
	if (outcome != LOG_ADDED && outcome != LOG_LATER)
		_exit(3);
	outcome = send_text(f, "one").outcome;
	if (outcome != LOG_ADDED && outcome != LOG_KNOWN)
		_exit(4);
	if (fixture_verify(&f->log) != 1)
		_exit(5);
	_exit(0);
}

static void appending_without_memory_is_answered(void **state)
{
	unsigned n, answered = 0;

	for (n = 1; n < 1000; n++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			(void)freopen("/dev/null", "w", stderr);
			append_without_memory(*state, n);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		if (WEXITSTATUS(status) == 2)
			break;
		if (WEXITSTATUS(status) != LOG_EXIT_STORAGE)
			assert_int_equal(WEXITSTATUS(status), 0);
		answered += WEXITSTATUS(status) == 0;
	}
	assert_true(n > 10 && n < 1000);
	assert_true(answered > n / 2);
}

#define FAILING(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    FAILING(a_store_that_is_busy_for_a_while_is_waited_for),
	    FAILING(a_store_that_stays_busy_is_told_to_the_senders),
	    FAILING(a_commit_that_was_done_all_the_same_is_noticed),
	    FAILING(a_checkpoint_that_cannot_be_published_is_published_later),
	    FAILING(folds_that_fail_or_lose_are_made_up_for),
	    FAILING(a_broken_store_ends_the_process),
	    FAILING(opening_without_memory_fails_cleanly),
	    FAILING(appending_without_memory_is_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
