/* What other processes, witnesses and disks do to a log at the wrong moment. */
#include "vitrine_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "durable.h"
#include "fake_gatherer.h"
#include "mark.h"
#include "scratch.h"
#include "vitrine/checkpoint.h"

struct world {
	struct log_fixture f;
	struct fake_gatherer g;
	char store[256], copy[256], mark[256], frozen[256];
};

static void open_store(struct world *w)
{
	fixture_store(&w->f, w->store, "raw", bytes_of(NULL, 0));
	fixture_mark(&w->f, w->mark);
	w->f.config.frozen_path = w->frozen;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	scratch_clear();
	(void)snprintf(w->store, sizeof(w->store), "%s", scratch_path("log.db"));
	(void)snprintf(w->copy, sizeof(w->copy), "%s", scratch_path("copy.db"));
	(void)snprintf(w->mark, sizeof(w->mark), "%s", scratch_path("mark"));
	(void)snprintf(w->frozen, sizeof(w->frozen), "%s", scratch_path("FROZEN"));
	open_store(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fixture_free(&w->f);
	gatherer_release(&w->g);
	free(w);
	return 0;
}

static void send_number(struct log_fixture *f, struct sent *s, unsigned n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "entry %u", n);
	send_bytes(f, f->w, s, bytes_str(text));
}

static void add(struct log_fixture *f, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct sent s;

		send_number(f, &s, first + i);
		wait_for(&s, 1);
		assert_int_equal(s.answer.outcome, LOG_ADDED);
	}
}

static struct log_status status_of(const struct log_fixture *f)
{
	struct log_status s;

	log_status(f->log, &s);
	return s;
}

static void assert_frozen(const struct log_fixture *f, const char *words)
{
	struct log_status s = status_of(f);

	assert_true(s.frozen);
	if (strstr(s.frozen_why, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, s.frozen_why);
}

static void copy_file(const char *from, const char *to)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(&b, from, 1 << 26), VT_OK);
	assert_int_equal(durable_write(to, buf_bytes(&b), 0600), VT_OK);
	buf_release(&b);
}

/* -- a store that is looked at ------------------------------------------------------------------------------ */

/* Hands everything on; tells what is done. */
static struct watched {
	struct store_ops ops;
	const struct store_ops *real;
	void (*on_runs)(
	    void *ctx); /* once, when the runs are read: that is while a log is opened */
	void *ctx;
	unsigned published;
} watched;

static enum vt_err reader_new(struct store_reader **out, struct store *s)
{
	enum vt_err err = watched.real->reader_new(out, s);

	if (err == VT_OK)
		(*out)->ops = &watched.ops;
	return err;
}

static enum vt_err read_runs(struct store_reader *r, struct store_runs *out)
{
	void (*act)(void *ctx) = watched.on_runs;

	watched.on_runs = NULL;
	if (act != NULL)
		act(watched.ctx);
	return watched.real->read_runs(r, out);
}

static enum vt_err publish(struct store *s, uint64_t size, struct bytes note, uint64_t time)
{
	watched.published++;
	return watched.real->publish(s, size, note, time);
}

static void watch(struct store *s)
{
	watched = (struct watched){.ops = *s->ops, .real = s->ops};
	watched.ops.reader_new = reader_new;
	watched.ops.read_runs = read_runs;
	watched.ops.publish = publish;
	s->ops = &watched.ops;
}

/* -- several processes --------------------------------------------------------------------------------------- */

static void append_elsewhere(void *ctx)
{
	add(ctx, 3, 5);
}

static void what_is_committed_while_a_log_is_opened_freezes_nothing(void **state)
{
	struct world *w = *state, other = *w;

	fixture_store(&other.f, w->store, "raw", bytes_of(NULL, 0));
	other.f.config = w->f.config;
	fixture_start(&other.f);
	add(&other.f, 0, 3);
	watch(w->f.store);
	watched.on_runs = append_elsewhere;
	watched.ctx = &other.f;
	fixture_start(&w->f);
	assert_null(watched.on_runs);
	assert_false(status_of(&w->f).frozen);
	add(&w->f, 8, 2);
	assert_int_equal(fixture_verify(&w->f), 10);
	fixture_free(&other.f);
}

static void what_another_process_publishes_without_the_quorum_answers_nothing(void **state)
{
	struct world *w = *state;
	struct log_fixture other = {.store = w->f.store,
				    .store_is_borrowed = true,
				    .signer = w->f.signer,
				    .config = w->f.config};
	struct sent s[1];

	gatherer_install(&w->g, &w->f);
	w->f.config.append_wait_millis = 600;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 0);
	gatherer_reply(&w->g, 2, true);
	gatherer_wait_published(&w->g, 0);
	fixture_start(&other); /* asks nobody */
	send_number(&w->f, &s[0], 0);
	gatherer_wait(&w->g, 1);
	add(&other, 1, 1);
	assert_int_equal(status_of(&other).published_size, 2);
	wait_for(s, 1);
	assert_int_equal(s[0].answer.outcome, LOG_LATER);
	assert_non_null(strstr(s[0].answer.reason, "quorum"));
	/* Nor does it as a known one. */
	send_number(&w->f, &s[0], 0);
	wait_for(s, 1);
	assert_int_equal(s[0].answer.outcome, LOG_LATER);
	gatherer_reply(&w->g, 0, true);
	gatherer_wait(&w->g, 2);
	gatherer_reply(&w->g, 2, true);
	while (!status_of(&w->f).policy_met)
		(void)sched_yield();
	send_number(&w->f, &s[0], 0);
	wait_for(s, 1);
	assert_int_equal(s[0].answer.outcome, LOG_KNOWN);
	assert_int_equal(s[0].answer.index, 0);
	fixture_free(&other);
}

/* A process that is stopped while it holds the lock looks like this. */
static void whoever_holds_the_mark_delays_what_is_published_and_nothing_else(void **state)
{
	struct world *w = *state;
	char why[STORE_WHY_MAX];
	struct sent s;
	int fd;

	gatherer_install(&w->g, &w->f);
	w->f.config.append_wait_millis = 100;
	w->f.config.stop_wait_millis = 1;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 0);
	gatherer_reply(&w->g, 2, true);
	gatherer_wait_published(&w->g, 0);
	fd = open(w->mark, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	send_number(&w->f, &s, 0);
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_LATER);
	assert_int_equal(status_of(&w->f).size, 1);
	assert_int_equal(w->g.rounds, 1); /* not a byte of it has gone out */
	fixture_stop(&w->f);
	assert_int_equal(fixture_open(&w->f, why), VT_EBUSY);
	assert_int_equal(close(fd), 0);
	w->g.open = false;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 1);
	gatherer_reply(&w->g, 2, true);
	gatherer_wait_published(&w->g, 1);
	assert_int_equal(fixture_verify(&w->f), 1);
}

/* -- rounds ------------------------------------------------------------------------------------------------------ */

static void rounds_that_bring_nothing_new_keep_nothing(void **state)
{
	struct world *w = *state;
	unsigned published;
	struct sent s;

	watch(w->f.store);
	gatherer_install(&w->g, &w->f);
	w->f.config.without_quorum = LOG_PUBLISH;
	w->f.config.quorum_patience_millis = 1;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 0);
	send_number(&w->f, &s, 0);
	wait_for(&s, 1);
	for (unsigned round = 1; round < 10; round++) {
		gatherer_reply(&w->g, 0, true);
		gatherer_wait_rounds(&w->g, round + 1);
	}
	published = watched.published;
	assert_true(published <= 3);
	/* One more line is news, and only once. */
	gatherer_reply(&w->g, 1, false);
	for (unsigned round = 10; round < 20; round++) {
		gatherer_reply(&w->g, 1, true);
		gatherer_wait_rounds(&w->g, round + 1);
	}
	assert_int_equal(watched.published, published + 1);
	gatherer_reply(&w->g, 2, true);
	while (!status_of(&w->f).policy_met)
		(void)sched_yield();
	assert_int_equal(watched.published, published + 2);
}

/* A log of 4 entries that has had 6, without its mark. *newest: its last checkpoint. Nothing is running. */
static void lose_mark_and_entries(struct world *w, struct buf *newest)
{
	fixture_start(&w->f);
	add(&w->f, 0, 4);
	fixture_free(&w->f);
	copy_file(w->store, w->copy);
	open_store(w);
	fixture_start(&w->f);
	add(&w->f, 4, 2);
	assert_int_equal(log_checkpoint(w->f.w, NULL, newest), VT_OK);
	fixture_free(&w->f);
	copy_file(w->copy, w->store);
	assert_int_equal(unlink(w->mark), 0);
	open_store(w);
}

static enum vt_err always_met(void *ctx, struct bytes note)
{
	(void)ctx;
	(void)note;
	return VT_OK;
}

static atomic_bool memory_is_out;

static enum vt_err met_if_memory_lasts(void *ctx, struct bytes note)
{
	(void)ctx;
	(void)note;
	return memory_is_out ? VT_ENOMEM : VT_OK;
}

static void a_policy_without_a_quorum_vouches_for_nothing(void **state)
{
	struct world *w = *state;
	struct buf buf;
	struct sent s;

	buf_init(&buf);
	lose_mark_and_entries(w, &buf);
	gatherer_install(&w->g, &w->f);
	w->f.config.policy_met = always_met; /* "quorum none", with witnesses to ask */
	fixture_start(&w->f);
	gatherer_wait(&w->g, 4);
	buf_reset(&buf);
	gatherer_note(&w->g, &buf, 0);
	gatherer_reply_bytes(&w->g, buf_bytes(&buf), true);
	while (!status_of(&w->f).frozen && access(w->mark, F_OK) != 0)
		(void)sched_yield();
	assert_int_not_equal(access(w->mark, F_OK), 0);
	assert_frozen(&w->f, "--new-mark");
	send_number(&w->f, &s, 100);
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_LATER);
	assert_int_equal(status_of(&w->f).size, 4);
	buf_release(&buf);
}

static void no_memory_to_judge_the_policy_vouches_for_nothing(void **state)
{
	struct world *w = *state;
	struct buf buf;

	buf_init(&buf);
	lose_mark_and_entries(w, &buf);
	gatherer_install(&w->g, &w->f);
	w->f.config.policy_met = met_if_memory_lasts; /* "quorum none" again */
	memory_is_out = true;
	fixture_start(&w->f);
	for (unsigned round = 0; round < 2; round++) {
		gatherer_wait_rounds(&w->g, round + 1);
		assert_int_not_equal(access(w->mark, F_OK), 0);
		buf_reset(&buf);
		gatherer_note(&w->g, &buf, 0);
		gatherer_reply_bytes(&w->g, buf_bytes(&buf), true);
	}
	gatherer_wait_rounds(&w->g, 3);
	assert_int_not_equal(access(w->mark, F_OK), 0);
	memory_is_out = false;
	buf_reset(&buf);
	gatherer_note(&w->g, &buf, 0);
	gatherer_reply_bytes(&w->g, buf_bytes(&buf), true);
	while (!status_of(&w->f).frozen && access(w->mark, F_OK) != 0)
		(void)sched_yield();
	assert_frozen(&w->f, "--new-mark");
	buf_release(&buf);
}

static void nobody_vouches_before_the_round_is_over(void **state)
{
	struct world *w = *state;
	struct buf newest;

	buf_init(&newest);
	lose_mark_and_entries(w, &newest);
	gatherer_install(&w->g, &w->f);
	fixture_start(&w->f);
	gatherer_wait(&w->g, 4);
	assert_int_equal(w->g.remembered, 1);
	/* Two that saw no more are quicker than the third. */
	gatherer_reply(&w->g, 2, false);
	assert_true(status_of(&w->f).holding);
	assert_int_equal(log_observe(w->f.w, buf_bytes(&newest), "the third"), VT_EMISMATCH);
	gatherer_reply(&w->g, 2, true);
	assert_frozen(&w->f, "shown by the third");
	fixture_stop(&w->f);
	assert_int_not_equal(access(w->mark, F_OK), 0);
	buf_release(&newest);
}

static void who_has_seen_nothing_of_a_log_is_asked_once_its_store_was_vouched_for(void **state)
{
	struct world *w = *state;
	unsigned before;

	gatherer_install(&w->g, &w->f);
	w->g.generous = true;
	fixture_start(&w->f);
	add(&w->f, 0, 4);
	fixture_free(&w->f);
	assert_int_equal(w->g.remembered, 0);
	assert_int_equal(unlink(w->mark), 0);
	open_store(w);
	gatherer_release(&w->g);
	gatherer_install(&w->g, &w->f);
	w->g.generous = true;
	fixture_start(&w->f);
	while (status_of(&w->f).holding)
		(void)sched_yield();
	before = w->g.remembered;
	assert_true(before > 0);
	add(&w->f, 4, 1);
	assert_int_equal(w->g.remembered, before);
}

/* -- freezes -------------------------------------------------------------------------------------------------------- */

static void a_freeze_outlasts_the_process_on_a_full_disk(void **state)
{
	struct world *w = *state;
	struct rlimit was, full;
	struct buf text;

	buf_init(&text);
	fixture_start(&w->f);
	add(&w->f, 0, 3);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	full = (struct rlimit){.rlim_cur = 0, .rlim_max = was.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	log_freeze(w->f.log, "the test says so");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(access(w->frozen, F_OK), 0);
	/* What it should say follows when there is room. */
	do {
		buf_reset(&text);
		assert_int_equal(file_read(&text, w->frozen, 1 << 20), VT_OK);
	} while (text.len == 0);
	assert_int_equal(buf_append_byte(&text, '\0'), VT_OK);
	assert_non_null(strstr((char *)text.data, "the test says so"));
	fixture_stop(&w->f);
	fixture_start(&w->f);
	assert_frozen(&w->f, "the test says so");
	buf_release(&text);
}

#define SHARED_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    SHARED_TEST(what_is_committed_while_a_log_is_opened_freezes_nothing),
	    SHARED_TEST(what_another_process_publishes_without_the_quorum_answers_nothing),
	    SHARED_TEST(whoever_holds_the_mark_delays_what_is_published_and_nothing_else),
	    SHARED_TEST(rounds_that_bring_nothing_new_keep_nothing),
	    SHARED_TEST(a_policy_without_a_quorum_vouches_for_nothing),
	    SHARED_TEST(no_memory_to_judge_the_policy_vouches_for_nothing),
	    SHARED_TEST(nobody_vouches_before_the_round_is_over),
	    SHARED_TEST(who_has_seen_nothing_of_a_log_is_asked_once_its_store_was_vouched_for),
	    SHARED_TEST(a_freeze_outlasts_the_process_on_a_full_disk),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
