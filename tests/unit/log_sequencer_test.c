/* The sequencer in raw mode, over each store. */
#include "vitrine_test.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_fixture.h"
#include "scratch.h"
#include "test_signer.h"
#include "vitrine/checkpoint.h"
#include "vitrine/tlog_proof.h"

static bool on_disk; /* this run's store is a file */

static const char *path(void)
{
	return on_disk ? scratch_path("log.sqlite") : NULL;
}

static int setup(void **state)
{
	struct log_fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	scratch_clear();
	fixture_store(f, path(), "raw", bytes_of(NULL, 0));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_free(*state);
	free(*state);
	return 0;
}

static struct bytes numbered(char text[32], unsigned n)
{
	(void)snprintf(text, 32, "entry %u", n);
	return bytes_str(text);
}

static struct log_answer send_number(struct log_fixture *f, unsigned n)
{
	char text[32];

	return send_one(f, numbered(text, n));
}

/* -- appending ------------------------------------------------------------------------------------ */

static void an_empty_log_publishes_size_zero(void **state)
{
	struct log_fixture *f = *state;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;

	fixture_start(f);
	assert_int_equal(fixture_verify(f), 0);
	assert_int_equal(log_inclusion(f->w, 0, 0, &leaf, &proof, &head, NULL), VT_EINVAL);
	assert_int_equal(log_inclusion(f->w, 0, 1, &leaf, &proof, &head, NULL), VT_ENOTFOUND);
}

static void entries_are_added_in_order_and_proved(void **state)
{
	struct log_fixture *f = *state;

	fixture_start(f);
	for (unsigned i = 0; i < 300; i++) {
		struct log_answer a = send_number(f, i);

		assert_int_equal(a.outcome, LOG_ADDED);
		assert_int_equal(a.index, i);
	}
	assert_int_equal(fixture_verify(f), 300);
}

static void an_answer_is_covered_by_what_is_published(void **state)
{
	struct log_fixture *f = *state;

	fixture_start(f);
	for (unsigned i = 0; i < 50; i++) {
		struct log_answer a = send_number(f, i);
		struct merkle_hash leaf;
		struct merkle_proof proof;
		struct tree_head head;

		assert_int_equal(log_inclusion(f->w, a.index, 0, &leaf, &proof, &head, NULL),
				 VT_OK);
		assert_true(merkle_hash_equal(&leaf, &a.leaf));
	}
}

static void many_at_once_become_few_batches(void **state)
{
	enum { N = 3000 };
	struct log_fixture *f = *state;
	struct sent *s = calloc(N, sizeof(*s));
	struct log_status status;
	bool seen[N] = {false};
	char text[32];

	assert_non_null(s);
	gate_install(f);
	fixture_start(f);
	gate_close(&f->gate);
	send_bytes(f, f->w, &s[0], numbered(text, 0));
	gate_wait(&f->gate);
	for (unsigned i = 1; i < N; i++)
		send_bytes(f, f->w, &s[i], numbered(text, i));
	gate_open(&f->gate);
	wait_for(s, N);
	for (unsigned i = 0; i < N; i++) {
		assert_int_equal(s[i].answer.outcome, LOG_ADDED);
		assert_true(s[i].answer.index < N && !seen[s[i].answer.index]);
		seen[s[i].answer.index] = true;
	}
	log_status(f->log, &status);
	assert_int_equal(status.batches, 2);
	assert_int_equal(status.entries, N);
	assert_int_equal(fixture_verify(f), N);
	free(s);
}

static void the_empty_and_the_largest_entry_fit(void **state)
{
	struct log_fixture *f = *state;
	uint8_t *large = calloc(1, BUNDLE_ENTRY_MAX + 1);
	struct log_answer a;

	assert_non_null(large);
	fixture_start(f);
	a = send_one(f, bytes_of(NULL, 0));
	assert_int_equal(a.outcome, LOG_ADDED);
	a = send_one(f, bytes_of(large, BUNDLE_ENTRY_MAX));
	assert_int_equal(a.outcome, LOG_ADDED);
	a = send_one(f, bytes_of(large, BUNDLE_ENTRY_MAX + 1));
	assert_int_equal(a.outcome, LOG_REFUSED);
	assert_string_equal(a.problem.type->slug, "entry-too-large");
	assert_int_equal(fixture_verify(f), 2);
	free(large);
}

/* -- known ------------------------------------------------------------------------------------------ */

static void the_same_bytes_get_the_same_index(void **state)
{
	struct log_fixture *f = *state;
	struct log_answer first, again;

	fixture_start(f);
	first = send_number(f, 1);
	(void)send_number(f, 2);
	again = send_number(f, 1);
	assert_int_equal(again.outcome, LOG_KNOWN);
	assert_int_equal(again.index, first.index);
	assert_true(merkle_hash_equal(&again.leaf, &first.leaf));
	assert_int_equal(fixture_verify(f), 2);
}

static void a_known_entry_is_found_after_a_restart(void **state)
{
	struct log_fixture *f = *state;
	struct log_answer a;

	f->config.index_tail_max = 16; /* most of them are in runs by then */
	fixture_start(f);
	for (unsigned i = 0; i < 200; i++)
		(void)send_number(f, i);
	fixture_stop(f);
	fixture_start(f);
	for (unsigned i = 0; i < 200; i++) {
		a = send_number(f, i);
		assert_int_equal(a.outcome, LOG_KNOWN);
		assert_int_equal(a.index, i);
	}
	assert_int_equal(fixture_verify(f), 200);
}

static void duplicate_in_flight_gets_same_index(void **state)
{
	enum { COPIES = 40 };
	struct log_fixture *f = *state;
	struct sent s[COPIES];
	unsigned added = 0;
	char text[32];

	gate_install(f);
	fixture_start(f);
	(void)send_number(f, 0);
	gate_close(&f->gate);
	send_bytes(f, f->w, &s[0], numbered(text, 7));
	gate_wait(&f->gate); /* the first copy is in a batch that is not committed */
	for (unsigned i = 1; i < COPIES; i++)
		send_bytes(f, f->w, &s[i], numbered(text, 7));
	for (unsigned i = 0; i < COPIES; i++)
		assert_false(s[i].answered);
	gate_open(&f->gate);
	wait_for(s, COPIES);
	for (unsigned i = 0; i < COPIES; i++) {
		added += s[i].answer.outcome == LOG_ADDED;
		assert_true(s[i].answer.outcome == LOG_ADDED || s[i].answer.outcome == LOG_KNOWN);
		assert_int_equal(s[i].answer.index, 1);
		assert_true(merkle_hash_equal(&s[i].answer.leaf, &s[0].answer.leaf));
	}
	assert_int_equal(added, 1);
	assert_int_equal(fixture_verify(f), 2);
}

static void copies_in_one_batch_get_one_index(void **state)
{
	struct log_fixture *f = *state;
	struct sent s[6];
	char text[32];

	gate_install(f);
	fixture_start(f);
	gate_close(&f->gate);
	send_bytes(f, f->w, &s[0], numbered(text, 0));
	gate_wait(&f->gate);
	for (unsigned i = 1; i < 6; i++)
		send_bytes(f, f->w, &s[i], numbered(text, i % 2 + 1));
	gate_open(&f->gate);
	wait_for(s, 6);
	for (unsigned i = 3; i < 6; i++) {
		assert_int_equal(s[i].answer.outcome, LOG_KNOWN);
		assert_int_equal(s[i].answer.index, s[i - 2].answer.index);
	}
	assert_int_equal(fixture_verify(f), 3);
}

/* -- bounds and ends ------------------------------------------------------------------------------------ */

static void a_full_queue_takes_no_more(void **state)
{
	struct log_fixture *f = *state;
	struct sent s[6];
	char text[32];

	gate_install(f);
	f->config.queue_max = 4;
	fixture_start(f);
	gate_close(&f->gate);
	for (unsigned i = 0; i < 4; i++)
		send_bytes(f, f->w, &s[i], numbered(text, i));
	for (unsigned i = 4; i < 6; i++) {
		send_bytes(f, f->w, &s[i], numbered(text, i));
		assert_true(s[i].answered);
		assert_int_equal(s[i].answer.outcome, LOG_LATER);
		assert_string_equal(s[i].answer.reason, "the queue is full");
		assert_true(s[i].answer.retry_after > 0);
	}
	gate_open(&f->gate);
	wait_for(s, 4);
	assert_int_equal(send_number(f, 4).outcome, LOG_ADDED);
	assert_int_equal(fixture_verify(f), 5);
}

static void *stop_thread(void *log)
{
	log_stop(log);
	return NULL;
}

static void stop_answers_everything(void **state)
{
	enum { N = 64 };
	struct log_fixture *f = *state;
	struct sent s[N];
	pthread_t thread;
	char text[32];

	gate_install(f);
	fixture_start(f);
	gate_close(&f->gate);
	for (unsigned i = 0; i < N; i++)
		send_bytes(f, f->w, &s[i], numbered(text, i));
	assert_int_equal(pthread_create(&thread, NULL, stop_thread, f->log), 0);
	gate_open(&f->gate);
	assert_int_equal(pthread_join(thread, NULL), 0);
	for (unsigned i = 0; i < N; i++) {
		assert_true(s[i].answered);
		assert_int_equal(s[i].answer.outcome, LOG_ADDED);
	}
	send_bytes(f, f->w, &s[0], bytes_str("after the end"));
	assert_true(s[0].answered);
	assert_int_equal(s[0].answer.outcome, LOG_LATER);
	assert_int_equal(fixture_verify(f), N);
}

/* -- several processes ------------------------------------------------------------------------------------- */

/* Another log over the same store, as another process would have it. */
static struct log_fixture second_log(const struct log_fixture *f)
{
	struct log_fixture other = {
	    .store = f->store, .store_is_borrowed = true, .signer = f->signer};

	return other;
}

static void lost_swap_rejudges(void **state)
{
	struct log_fixture *f = *state, other = second_log(f);
	struct log_status status;
	struct sent s[3];
	char text[32];

	gate_install(f);
	fixture_start(f);
	fixture_start(&other);
	gate_close(&f->gate);
	send_bytes(f, f->w, &s[0], numbered(text, 0));
	gate_wait(&f->gate);
	/* While the first log is about to commit entry 0, the second one commits three, one of them the same. */
	assert_int_equal(send_number(&other, 10).index, 0);
	assert_int_equal(send_number(&other, 0).index, 1);
	assert_int_equal(send_number(&other, 11).index, 2);
	send_bytes(f, f->w, &s[1], numbered(text, 1));
	send_bytes(f, f->w, &s[2], numbered(text, 11));
	gate_open(&f->gate);
	wait_for(s, 3);
	assert_int_equal(s[0].answer.outcome, LOG_KNOWN);
	assert_int_equal(s[0].answer.index, 1);
	assert_int_equal(s[1].answer.outcome, LOG_ADDED);
	assert_int_equal(s[1].answer.index, 3);
	assert_int_equal(s[2].answer.outcome, LOG_KNOWN);
	assert_int_equal(s[2].answer.index, 2);
	log_status(f->log, &status);
	assert_int_equal(status.lost_swaps, 1);
	assert_int_equal(fixture_verify(f), 4);
	assert_int_equal(fixture_verify(&other), 4);
	fixture_free(&other);
}

static void a_follower_finds_what_another_process_appended(void **state)
{
	struct log_fixture *f = *state, other = second_log(f);
	struct log_search_result *found = malloc(sizeof(*found));
	struct log_search all = {.limit = 1000};

	assert_non_null(found);
	fixture_start(f);
	fixture_start(&other);
	for (unsigned i = 0; i < 20; i++) {
		struct log_answer a = send_number(f, i);
		uint64_t index = UINT64_MAX;

		assert_int_equal(log_leaf(other.w, &a.leaf, &index), VT_OK);
		assert_int_equal(index, i);
		assert_int_equal(send_number(&other, i).outcome, LOG_KNOWN);
	}
	assert_int_equal(log_search(other.w, &all, found), VT_OK);
	assert_int_equal(found->n, 20);
	assert_int_equal(found->size, 20);
	assert_false(found->more);
	assert_int_equal(fixture_verify(&other), 20);
	fixture_free(&other);
	free(found);
}

/* -- publication --------------------------------------------------------------------------------------------- */

/* A gatherer that answers at once, on the sequencer's thread. */
struct quorum {
	atomic_uint missing; /* rounds that still fail */
	atomic_uint rounds;
	struct log_fixture *f;
};

static void ask_quorum(void *ctx, struct bytes note, const struct tree_head *head, bool remembered)
{
	struct quorum *q = ctx;
	bool missing = atomic_load(&q->missing) > 0;

	assert_false(remembered);

	atomic_fetch_add(&q->rounds, 1);
	if (missing)
		atomic_fetch_sub(&q->missing, 1);
	log_gathered(q->f->log, head, note, !missing, true);
}

static void answers_wait_for_the_quorum(void **state)
{
	struct log_fixture *f = *state;
	struct quorum q = {2, 0, f};
	struct log_status status;

	f->config.gather = ask_quorum;
	f->config.gather_pause_millis = 1;
	f->config.ctx = &q;
	fixture_start(f);
	assert_int_equal(send_number(f, 0).outcome, LOG_ADDED);
	assert_true(atomic_load(&q.rounds) >= 3);
	log_status(f->log, &status);
	assert_int_equal(status.published_size, 1);
	assert_int_equal(fixture_verify(f), 1);
}

static void what_was_committed_unsigned_is_published_at_the_next_start(void **state)
{
	struct log_fixture *f = *state;
	struct quorum never = {UINT32_MAX, 0, f};
	struct tree_state committed;
	struct store_reader *r;
	struct sent s[3];
	char text[32];

	f->config.gather = ask_quorum;
	f->config.gather_pause_millis = 1;
	f->config.ctx = &never;
	fixture_start(f);
	for (unsigned i = 0; i < 3; i++)
		send_bytes(f, f->w, &s[i], numbered(text, i));
	assert_int_equal(store_reader_new(&r, f->store), VT_OK);
	do
		assert_int_equal(store_read_state(r, &committed), VT_OK);
	while (committed.head.size < 3);
	log_freeze(f->log, "the test ends it"); /* so that stopping does not wait for the quorum */
	fixture_stop(f);
	wait_for(s, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(s[i].answer.outcome, LOG_LATER);
	assert_int_equal(store_read_published(r, NULL, NULL), VT_ENOTFOUND);
	store_reader_free(r);
	f->config.gather = NULL;
	fixture_start(f);
	assert_int_equal(fixture_verify(f), 3);
	assert_int_equal(send_number(f, 1).outcome, LOG_KNOWN);
}

/* -- rule 8 --------------------------------------------------------------------------------------------------- */

static void freeze_seen(void *ctx, const char *why)
{
	(void)snprintf(ctx, 200, "%s", why);
}

static void a_contradicting_checkpoint_of_its_own_freezes_the_log(void **state)
{
	struct log_fixture *f = *state;
	struct tree_head other = {.size = 3};
	char seen[200] = "", why[STORE_WHY_MAX];
	struct log_status status;
	struct log_answer a;
	struct buf text, note;
	struct sent s;

	buf_init(&text);
	buf_init(&note);
	fixture_start(f);
	for (unsigned i = 0; i < 3; i++)
		(void)send_number(f, i);
	fixture_stop(f);
	memset(&other.root, 0x42, sizeof(other.root));
	assert_int_equal(checkpoint_format(&text, FIXTURE_ORIGIN, &other), VT_OK);
	assert_int_equal(note_sign(&note, buf_bytes(&text), &f->signer, 1), VT_OK);
	assert_int_equal(store_publish(f->store, 3, buf_bytes(&note), 1000), VT_OK);
	f->config.freeze = freeze_seen;
	f->config.ctx = seen;
	assert_int_equal(fixture_open(f, why), VT_OK);
	assert_int_equal(log_start(f->log), VT_OK);
	assert_int_equal(log_worker_new(&f->w, f->log), VT_OK);
	assert_non_null(strstr(seen, "size 3"));
	log_status(f->log, &status);
	assert_true(status.frozen);
	assert_string_equal(status.frozen_why, seen);
	send_bytes(f, f->w, &s, bytes_str("no more"));
	assert_true(s.answered);
	a = s.answer;
	assert_int_equal(a.outcome, LOG_LATER);
	assert_non_null(strstr(a.reason, "size 3"));
	/* Reads go on. */
	buf_reset(&text);
	assert_int_equal(log_entry(f->w, 1, &text), VT_OK);
	assert_true(bytes_is(buf_bytes(&text), "entry 1"));
	buf_release(&text);
	buf_release(&note);
}

/* -- rule 3: in a process of its own, which dies --------------------------------------------------------------- */

static void flip(void *ctx, struct merkle_hash *hash, size_t n)
{
	(void)ctx;
	hash[n - 1].b[31] ^= 1;
}

/* What a child does with the store must not be seen through a connection from before the fork. */
static int status_of_child(struct log_fixture *f, void (*act)(struct log_fixture *f))
{
	int status = 0;
	pid_t pid;

	fixture_free(f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)freopen("/dev/null", "w", stderr);
		fixture_store(f, path(), "raw", bytes_of(NULL, 0));
		act(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fixture_store(f, path(), "raw", bytes_of(NULL, 0));
	return status;
}

static void append_three(struct log_fixture *f)
{
	fixture_start(f);
	for (unsigned i = 0; i < 3; i++)
		(void)send_number(f, i);
	fixture_free(f);
}

static void append_flipped(struct log_fixture *f)
{
	f->config.tamper = flip;
	fixture_start(f);
	(void)send_number(f, 3);
}

static void append_with_a_bad_signer(struct log_fixture *f)
{
	f->signer = test_bad_signer(FIXTURE_ORIGIN, VKEY_TYPE_ED25519, 1);
	fixture_start(f);
	(void)send_number(f, 3);
}

static uint64_t published_size(struct log_fixture *f)
{
	struct store_reader *r;
	uint64_t size = 0;

	assert_int_equal(store_reader_new(&r, f->store), VT_OK);
	assert_int_equal(store_read_published(r, &size, NULL), VT_OK);
	store_reader_free(r);
	return size;
}

static void sees_flip_and_dies(void **state)
{
	struct log_fixture *f = *state;
	char why[STORE_WHY_MAX];
	int status;

	if (!on_disk)
		return; /* a store in memory dies with its process: there is nothing to look at */
	assert_int_equal(status_of_child(f, append_three), 0);
	status = status_of_child(f, append_flipped);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(published_size(f), 3);
	/* And the next start sees it too. */
	assert_int_equal(fixture_open(f, why), VT_EMISMATCH);
	assert_int_equal(published_size(f), 3);
}

static void a_signature_that_does_not_verify_is_not_published(void **state)
{
	struct log_fixture *f = *state;
	int status;

	if (!on_disk)
		return;
	assert_int_equal(status_of_child(f, append_three), 0);
	status = status_of_child(f, append_with_a_bad_signer);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(published_size(f), 3);
	fixture_start(f); /* what was committed is sound, and is signed now */
	assert_int_equal(fixture_verify(f), 4);
}

/* -- opening ---------------------------------------------------------------------------------------------------- */

static void another_key_is_refused(void **state)
{
	struct log_fixture *f = *state;
	char why[STORE_WHY_MAX];

	f->signer = test_signer(FIXTURE_ORIGIN, VKEY_TYPE_ED25519, 2);
	assert_int_equal(fixture_open(f, why), VT_EMISMATCH);
	assert_non_null(strstr(why, "another signing key"));
}

static void a_proof_file_verifies_offline(void **state)
{
	struct log_fixture *f = *state;
	struct tlog_proof p;
	struct buf text;

	buf_init(&text);
	fixture_start(f);
	for (unsigned i = 0; i < 10; i++)
		(void)send_number(f, i);
	assert_int_equal(log_tlog_proof(f->w, 4, &text), VT_OK);
	tlog_proof_init(&p);
	assert_int_equal(tlog_proof_parse(&p, buf_bytes(&text)), VT_OK);
	assert_int_equal(p.index, 4);
	assert_true(p.has_extra);
	assert_true(bytes_is(buf_bytes(&p.extra), "entry 4"));
	tlog_proof_release(&p);
	assert_int_equal(log_tlog_proof(f->w, 10, &text), VT_ENOTFOUND);
	buf_release(&text);
}

static void tiles_are_served_as_far_as_published(void **state)
{
	struct log_fixture *f = *state;
	struct tile_id tile = {.level = 0, .index = 0, .width = 256};
	struct tile_id bundle = {.entries = true, .index = 1, .width = 44};
	struct buf out;

	buf_init(&out);
	fixture_start(f);
	for (unsigned i = 0; i < 300; i++)
		(void)send_number(f, i);
	assert_int_equal(log_tile(f->w, &tile, &out), VT_OK);
	assert_int_equal(out.len, 256 * 32);
	tile.level = 1;
	assert_int_equal(log_tile(f->w, &tile, &out), VT_ENOTFOUND);
	tile.width = 1;
	assert_int_equal(log_tile(f->w, &tile, &out), VT_OK);
	buf_reset(&out);
	assert_int_equal(log_tile(f->w, &bundle, &out), VT_OK);
	assert_memory_equal(out.data, "\0\011entry 256", 11);
	bundle.width = 45;
	assert_int_equal(log_tile(f->w, &bundle, &out), VT_ENOTFOUND);
	buf_release(&out);
}

#define RAW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void count_swap(void *ctx)
{
	++*(unsigned *)ctx;
}

static void a_policy_is_exchanged_between_two_batches_or_not_at_all(void **state)
{
	const struct merkle_hash policy = {{1}};
	struct log_fixture *f = *state;
	unsigned swaps = 0;
	struct sent s;
	char text[32];

	assert_non_null(f);
	gate_install(f);
	fixture_start(f);
	gate_close(&f->gate);
	send_bytes(f, f->w, &s, numbered(text, 0));
	gate_wait(&f->gate);
	/* Whoever asks is told to come again, and nothing happens behind its back. */
	assert_int_equal(log_set_policy(f->log, &policy, false, count_swap, &swaps), VT_EBUSY);
	gate_open(&f->gate);
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_ADDED);
	assert_int_equal(swaps, 0);
	assert_int_equal(log_set_policy(f->log, &policy, false, count_swap, &swaps), VT_OK);
	assert_int_equal(swaps, 1);
	/* There is nobody who could ask. */
	assert_int_equal(log_set_policy(f->log, &policy, true, count_swap, &swaps), VT_EINVAL);
	log_stop(f->log);
	assert_int_equal(log_set_policy(f->log, &policy, false, count_swap, &swaps), VT_EINVAL);
	assert_int_equal(swaps, 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    RAW_TEST(an_empty_log_publishes_size_zero),
	    RAW_TEST(entries_are_added_in_order_and_proved),
	    RAW_TEST(an_answer_is_covered_by_what_is_published),
	    RAW_TEST(many_at_once_become_few_batches),
	    RAW_TEST(the_empty_and_the_largest_entry_fit),
	    RAW_TEST(the_same_bytes_get_the_same_index),
	    RAW_TEST(a_known_entry_is_found_after_a_restart),
	    RAW_TEST(duplicate_in_flight_gets_same_index),
	    RAW_TEST(copies_in_one_batch_get_one_index),
	    RAW_TEST(a_policy_is_exchanged_between_two_batches_or_not_at_all),
	    RAW_TEST(a_full_queue_takes_no_more),
	    RAW_TEST(stop_answers_everything),
	    RAW_TEST(lost_swap_rejudges),
	    RAW_TEST(a_follower_finds_what_another_process_appended),
	    RAW_TEST(answers_wait_for_the_quorum),
	    RAW_TEST(what_was_committed_unsigned_is_published_at_the_next_start),
	    RAW_TEST(a_contradicting_checkpoint_of_its_own_freezes_the_log),
	    RAW_TEST(sees_flip_and_dies),
	    RAW_TEST(a_signature_that_does_not_verify_is_not_published),
	    RAW_TEST(another_key_is_refused),
	    RAW_TEST(a_proof_file_verifies_offline),
	    RAW_TEST(tiles_are_served_as_far_as_published),
	};

	on_disk = argc > 1 && strcmp(argv[1], "sqlite") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
