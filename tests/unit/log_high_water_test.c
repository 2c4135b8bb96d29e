/* The high-water mark, and freezes that outlast a process. */
#include "vitrine_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

static void open_store(struct world *w, const char *path)
{
	fixture_store(&w->f, path, "raw", bytes_of(NULL, 0));
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
	open_store(w, w->store);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fixture_free(&w->f);
	gatherer_release(&w->g);
	(void)rmdir(w->mark);
	(void)rmdir(w->frozen);
	free(w);
	return 0;
}

static struct log_answer send_number(struct world *w, unsigned n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "entry %u", n);
	return send_one(&w->f, bytes_str(text));
}

static void add(struct world *w, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(send_number(w, first + i).outcome, LOG_ADDED);
}

static void write_file(const char *path, struct bytes contents)
{
	assert_int_equal(durable_write(path, contents, 0600), VT_OK);
}

static void copy_file(const char *from, const char *to)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(&b, from, 1 << 26), VT_OK);
	write_file(to, buf_bytes(&b));
	buf_release(&b);
}

static struct log_status status_of(struct world *w)
{
	struct log_status s;

	log_status(w->f.log, &s);
	return s;
}

static uint64_t marked(struct world *w)
{
	struct tree_head head;

	assert_int_equal(mark_read(&head, w->mark, FIXTURE_ORIGIN), VT_OK);
	return head.size;
}

/* A log of 10 entries whose store is then the copy from when it had 4. Nothing is running. */
static void roll_back(struct world *w)
{
	fixture_start(&w->f);
	add(w, 0, 4);
	fixture_free(&w->f);
	copy_file(w->store, w->copy);
	open_store(w, w->store);
	fixture_start(&w->f);
	add(w, 4, 6);
	assert_int_equal(marked(w), 10);
	fixture_free(&w->f);
	copy_file(w->copy, w->store);
	open_store(w, w->store);
}

/* Frozen for a reason that has these words in it: nothing is taken, nothing is published, reads go on. */
static void assert_frozen(struct world *w, uint64_t published, const char *words)
{
	struct log_status s = status_of(w);
	struct log_answer a;
	struct buf text;
	uint64_t size = 0;

	buf_init(&text);
	assert_true(s.frozen);
	if (strstr(s.frozen_why, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, s.frozen_why);
	a = send_number(w, 1000);
	assert_int_equal(a.outcome, LOG_LATER);
	assert_non_null(strstr(a.reason, words));
	assert_int_equal(a.retry_after, 3600);
	assert_int_equal(log_checkpoint(w->f.w, &size, &text), VT_OK);
	assert_int_equal(size, published);
	buf_reset(&text);
	if (published > 2) {
		assert_int_equal(log_entry(w->f.w, 2, &text), VT_OK);
		assert_true(bytes_is(buf_bytes(&text), "entry 2"));
	}
	buf_release(&text);
}

/* -- the mark ------------------------------------------------------------------------------------------- */

static void the_mark_is_where_the_published_head_is(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	assert_int_equal(marked(w), 0);
	for (unsigned i = 0; i < 20; i++) {
		add(w, i, 1);
		assert_true(marked(w) >= i + 1);
	}
	assert_true(status_of(w).has_mark);
	assert_int_equal(status_of(w).mark_size, 20);
	fixture_stop(&w->f);
	fixture_start(&w->f); /* equal */
	add(w, 20, 1);
	assert_int_equal(fixture_verify(&w->f), 21);
}

static void one_write_of_the_mark_is_enough_for_a_batch(void **state)
{
	enum { N = 2000 };
	struct world *w = *state;
	struct sent *s = calloc(N, sizeof(*s));
	struct log_status status;
	char text[32];

	assert_non_null(s);
	gate_install(&w->f);
	fixture_start(&w->f);
	gate_close(&w->f.gate);
	for (unsigned i = 0; i < N; i++) {
		(void)snprintf(text, sizeof(text), "entry %u", i);
		send_bytes(&w->f, w->f.w, &s[i], bytes_str(text));
		if (i == 0)
			gate_wait(&w->f.gate);
	}
	gate_open(&w->f.gate);
	wait_for(s, N);
	status = status_of(w);
	assert_int_equal(status.batches, 2);
	assert_true(status.mark_writes == 1 || status.mark_writes == 2);
	assert_int_equal(marked(w), N);
	assert_int_equal(fixture_verify(&w->f), N);
	free(s);
}

static void an_older_copy_of_the_store_is_read_and_not_signed(void **state)
{
	struct world *w = *state;

	roll_back(w);
	fixture_start(&w->f);
	assert_frozen(w, 4, "the store has 4 entries, but this log has had 10");
	assert_non_null(strstr(status_of(w).frozen_why, "docs/operations.md"));
	/* Found again at each start, so it is not written down: with the right store all is well. */
	assert_int_not_equal(access(w->frozen, F_OK), 0);
	assert_int_equal(marked(w), 10);
	fixture_stop(&w->f);
	fixture_start(&w->f);
	assert_frozen(w, 4, "older copy");
}

static void an_empty_store_beside_a_mark_is_an_older_copy_too(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	add(w, 0, 3);
	fixture_free(&w->f);
	assert_int_equal(unlink(w->store), 0);
	open_store(w, w->store);
	fixture_start(&w->f);
	assert_true(status_of(w).frozen);
	assert_int_equal(log_checkpoint(w->f.w, NULL, NULL), VT_ENOTFOUND);
}

static void a_store_with_another_history_is_not_signed(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	add(w, 0, 3);
	fixture_free(&w->f);
	copy_file(w->mark, w->copy);
	assert_int_equal(unlink(w->store), 0);
	assert_int_equal(unlink(w->mark), 0);
	open_store(w, w->store);
	fixture_start(&w->f);
	add(w, 2, 5); /* what assert_frozen() reads is another entry here */
	fixture_stop(&w->f);
	copy_file(w->copy, w->mark);
	fixture_start(&w->f);
	assert_true(status_of(w).frozen);
	assert_non_null(strstr(status_of(w).frozen_why, "another history"));
}

static void a_store_ahead_of_its_mark_goes_on(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	add(w, 0, 3);
	copy_file(w->mark, w->copy);
	add(w, 3, 3);
	fixture_stop(&w->f);
	copy_file(w->copy, w->mark);
	assert_int_equal(marked(w), 3);
	fixture_start(&w->f);
	add(w, 6, 1);
	assert_int_equal(marked(w), 7);
}

static void a_write_that_was_cut_off_leaves_the_mark_before_it(void **state)
{
	struct world *w = *state;
	struct buf file;

	buf_init(&file);
	fixture_start(&w->f);
	add(w, 0, 6);
	fixture_stop(&w->f);
	for (unsigned slot = 0; slot < 2; slot++) {
		buf_reset(&file);
		assert_int_equal(file_read(&file, w->mark, MARK_SIZE), VT_OK);
		memset(file.data + (size_t)slot * MARK_SLOT + 40, 0, 600);
		write_file(w->mark, buf_bytes(&file));
		assert_true(marked(w) == 5 + slot || marked(w) == 6 + slot);
		fixture_start(&w->f);
		add(w, 6 + slot, 1);
		assert_int_equal(marked(w), 7 + slot);
		fixture_stop(&w->f);
	}
	buf_release(&file);
}

static void a_damaged_mark_stops_the_signing(void **state)
{
	struct world *w = *state;
	struct buf good, bad;

	buf_init(&good);
	buf_init(&bad);
	fixture_start(&w->f);
	add(w, 0, 5);
	fixture_stop(&w->f);
	assert_int_equal(file_read(&good, w->mark, MARK_SIZE), VT_OK);
	for (unsigned kind = 0; kind < 4; kind++) {
		buf_reset(&bad);
		assert_int_equal(buf_append(&bad, buf_bytes(&good)), VT_OK);
		if (kind == 0) { /* a digit of the size, in both slots */
			bad.data[strlen("vitrine high-water mark v1\n" FIXTURE_ORIGIN "\n")] ^= 1;
			bad.data[MARK_SLOT +
				 strlen("vitrine high-water mark v1\n" FIXTURE_ORIGIN "\n")] ^= 1;
		} else if (kind == 1) {
			bad.len = MARK_SLOT + 100;
		} else if (kind == 2) {
			bad.len = 0;
		} else {
			assert_int_equal(buf_append_byte(&bad, '\n'), VT_OK);
		}
		write_file(w->mark, buf_bytes(&bad));
		fixture_start(&w->f);
		assert_frozen(w, 5, "it is damaged");
		fixture_stop(&w->f);
	}
	/* Not even the operator's word makes a new one while this one is there. */
	w->f.config.new_mark = true;
	fixture_start(&w->f);
	assert_frozen(w, 5, "it is damaged");
	fixture_stop(&w->f);
	assert_int_equal(unlink(w->mark), 0);
	assert_int_equal(mkdir(w->mark, 0700), 0);
	fixture_start(&w->f);
	assert_frozen(w, 5, "cannot be used");
	buf_release(&good);
	buf_release(&bad);
}

static void another_logs_mark_stops_the_signing(void **state)
{
	struct world *w = *state;
	struct tree_head head = {.size = 3};

	fixture_start(&w->f);
	add(w, 0, 5);
	fixture_stop(&w->f);
	assert_int_equal(unlink(w->mark), 0);
	assert_int_equal(mark_create(w->mark, "log.example/other", &head), VT_OK);
	fixture_start(&w->f);
	assert_frozen(w, 5, "is another log's");
}

static void a_missing_mark_wants_the_operators_word(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	add(w, 0, 5);
	fixture_stop(&w->f);
	assert_int_equal(unlink(w->mark), 0);
	fixture_start(&w->f);
	assert_frozen(w, 5, "--new-mark");
	fixture_stop(&w->f);
	assert_int_not_equal(access(w->mark, F_OK), 0);
	w->f.config.new_mark = true;
	fixture_start(&w->f);
	add(w, 5, 1);
	assert_int_equal(marked(w), 6);
	fixture_stop(&w->f);
	/* The word changes nothing where there is a mark. */
	fixture_free(&w->f);
	scratch_clear();
	open_store(w, w->store);
	roll_back(w);
	w->f.config.new_mark = true;
	fixture_start(&w->f);
	assert_frozen(w, 4, "older copy");
}

/* A log that has a store has had a mark from the day that it was made. */
static void a_missing_mark_wants_the_operators_word_without_entries_too(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	fixture_stop(&w->f);
	assert_int_equal(unlink(w->mark), 0);
	fixture_start(&w->f);
	assert_true(status_of(w).frozen);
	assert_non_null(strstr(status_of(w).frozen_why, "--new-mark"));
	assert_int_not_equal(access(w->mark, F_OK), 0);
	fixture_stop(&w->f);
	w->f.config.new_mark = true;
	fixture_start(&w->f);
	add(w, 0, 1);
}

/* -- with witnesses instead of a mark ----------------------------------------------------------------------- */

static void witnesses_vouch_for_a_store_without_a_mark(void **state)
{
	struct world *w = *state;
	struct log_answer a;
	struct buf before;

	buf_init(&before);
	fixture_start(&w->f);
	add(w, 0, 5);
	assert_int_equal(log_checkpoint(w->f.w, NULL, &before), VT_OK);
	fixture_stop(&w->f);
	assert_int_equal(unlink(w->mark), 0);
	gatherer_install(&w->g, &w->f);
	w->f.config.without_quorum = LOG_PUBLISH; /* changes nothing about it */
	w->f.config.quorum_patience_millis = 1;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 5);
	/* What witnesses are shown was signed and published before. */
	assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&w->g.note)));
	a = send_number(w, 5);
	assert_int_equal(a.outcome, LOG_LATER);
	assert_non_null(strstr(a.reason, "vouch"));
	assert_true(status_of(w).holding);
	assert_false(status_of(w).has_mark);
	gatherer_reply(&w->g, 1, true);
	gatherer_wait_rounds(&w->g, 2);
	assert_int_not_equal(access(w->mark, F_OK), 0);
	w->g.generous = true;
	gatherer_reply(&w->g, 2, true);
	while (status_of(w).holding)
		(void)sched_yield();
	add(w, 5, 1);
	assert_true(status_of(w).has_mark);
	assert_int_equal(marked(w), 6);
	assert_int_equal(fixture_verify(&w->f), 6);
	buf_release(&before);
}

static void a_witness_that_has_seen_more_stops_an_older_copy(void **state)
{
	struct world *w = *state;
	struct buf newest;

	buf_init(&newest);
	fixture_start(&w->f);
	add(w, 0, 4);
	fixture_free(&w->f);
	copy_file(w->store, w->copy);
	open_store(w, w->store);
	fixture_start(&w->f);
	add(w, 4, 6);
	assert_int_equal(log_checkpoint(w->f.w, NULL, &newest), VT_OK);
	fixture_free(&w->f);
	copy_file(w->copy, w->store);
	assert_int_equal(unlink(w->mark), 0);
	open_store(w, w->store);
	gatherer_install(&w->g, &w->f);
	fixture_start(&w->f);
	gatherer_wait(&w->g, 4);
	assert_int_equal(log_observe(w->f.w, buf_bytes(&newest), "witness.example/0"),
			 VT_EMISMATCH);
	gatherer_reply(&w->g, 0, true);
	assert_frozen(w, 4, "of size 10 that this log signed, shown by witness.example/0");
	assert_non_null(strstr(w->g.frozen, "beyond what the store holds"));
	assert_int_equal(access(w->frozen, F_OK), 0);
	assert_int_not_equal(access(w->mark, F_OK), 0);
	buf_release(&newest);
}

static void what_witnesses_may_ask_for_is_known_after_a_restart(void **state)
{
	struct world *w = *state;
	struct tile_id tile = {.level = 0, .index = 0, .width = 1};
	struct buf out;
	struct sent s;

	buf_init(&out);
	gatherer_install(&w->g, &w->f);
	w->f.config.stop_wait_millis = 1;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 0);
	gatherer_reply(&w->g, 2, true);
	gatherer_wait_published(&w->g, 0);
	send_bytes(&w->f, w->f.w, &s, bytes_str("entry 0"));
	gatherer_wait(&w->g, 1);
	fixture_stop(&w->f);
	/* Opened, and not started: nothing is handed over again yet. */
	assert_int_equal(log_open(&w->f.log, &w->f.config, (char[STORE_WHY_MAX]){0}), VT_OK);
	assert_int_equal(log_worker_new(&w->f.w, w->f.log), VT_OK);
	assert_int_equal(status_of(w).published_size, 0);
	assert_int_equal(log_tile(w->f.w, &tile, &out), VT_OK);
	assert_int_equal(out.len, 32);
	buf_release(&out);
}

/* -- crashes ---------------------------------------------------------------------------------------------------- */

static int status_of_child(struct world *w, void (*act)(struct world *w))
{
	int status = 0;
	pid_t pid;

	fixture_free(&w->f);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)freopen("/dev/null", "w", stderr);
		open_store(w, w->store);
		act(w);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	open_store(w, w->store);
	return status;
}

static enum vt_err die_signing(void *ctx, uint8_t sig[64], struct bytes msg)
{
	(void)ctx;
	(void)sig;
	(void)msg;
	(void)kill(getpid(), SIGKILL);
	return VT_EINTERNAL;
}

static void die_asking(void *ctx, struct bytes note, const struct tree_head *head, bool remembered)
{
	(void)remembered;
	(void)ctx;
	(void)note;
	if (head->size > 0)
		(void)kill(getpid(), SIGKILL);
}

static void append_and_die_signing(struct world *w)
{
	fixture_start(&w->f);
	add(w, 0, 3);
	fixture_stop(&w->f);
	fixture_start(&w->f);
	w->f.log = NULL; /* lost: a new one over the same store, whose signer kills */
	w->f.signer.sign = die_signing;
	fixture_start(&w->f);
	(void)send_number(w, 3);
}

static void append_and_die_asking(struct world *w)
{
	fixture_start(&w->f);
	add(w, 0, 3);
	fixture_stop(&w->f);
	w->f.config.gather = die_asking;
	w->f.config.stop_wait_millis = 1;
	fixture_start(&w->f);
	(void)send_number(w, 3);
}

static void append_and_lose_the_mark(struct world *w)
{
	fixture_start(&w->f);
	add(w, 0, 3);
	(void)unlink(w->mark);
	(void)send_number(w, 3);
}

static uint64_t published(struct world *w)
{
	struct store_reader *r;
	uint64_t size = 0;

	assert_int_equal(store_reader_new(&r, w->f.store), VT_OK);
	assert_int_equal(store_read_published(r, &size, NULL), VT_OK);
	store_reader_free(r);
	return size;
}

static void killed_between_commit_mark_and_signature_it_goes_on(void **state)
{
	struct world *w = *state;
	int status = status_of_child(w, append_and_die_signing);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_int_equal(published(w), 3);
	assert_true(marked(w) == 3 || marked(w) == 4); /* it is written meanwhile */
	fixture_start(&w->f);
	assert_int_equal(send_number(w, 3).outcome, LOG_KNOWN);
	assert_int_equal(marked(w), 4);
	assert_int_equal(fixture_verify(&w->f), 4);
}

static void killed_while_witnesses_are_asked_it_goes_on(void **state)
{
	struct world *w = *state;
	int status = status_of_child(w, append_and_die_asking);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	assert_true(marked(w) >= 3); /* before a byte of it went out */
	fixture_start(&w->f);
	assert_true(send_number(w, 3).outcome != LOG_LATER);
	assert_int_equal(fixture_verify(&w->f), 4);
}

static void a_mark_that_is_taken_away_ends_the_process(void **state)
{
	struct world *w = *state;
	int status = status_of_child(w, append_and_lose_the_mark);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), LOG_EXIT_STORAGE);
	assert_int_equal(published(w), 3);
	fixture_start(&w->f);
	assert_frozen(w, 3, "is missing");
}

static void two_logs_on_one_store_share_the_mark(void **state)
{
	struct world *w = *state, other = {0};

	fixture_start(&w->f);
	other.f = (struct log_fixture){.store = w->f.store,
				       .store_is_borrowed = true,
				       .signer = w->f.signer,
				       .config = w->f.config};
	fixture_start(&other.f);
	for (unsigned i = 0; i < 30; i++) {
		add(i % 2 == 0 ? w : &other, i, 1);
		assert_true(marked(w) >= i + 1);
	}
	assert_int_equal(fixture_verify(&other.f), 30);
	fixture_free(&other.f);
}

/* -- freezes that last ------------------------------------------------------------------------------------------------ */

/* A note that the log has signed, of any tree head. */
static void sign(struct world *w, struct buf *out, uint64_t size, uint8_t fill)
{
	struct tree_head head = {.size = size};
	struct buf text;

	buf_init(&text);
	memset(&head.root, fill, sizeof(head.root));
	assert_int_equal(checkpoint_format(&text, FIXTURE_ORIGIN, &head), VT_OK);
	assert_int_equal(note_sign(out, buf_bytes(&text), &w->f.signer, 1), VT_OK);
	buf_release(&text);
}

static void a_head_that_is_consistent_is_observed_and_that_is_all(void **state)
{
	struct world *w = *state;
	struct buf note;

	buf_init(&note);
	fixture_start(&w->f);
	for (unsigned i = 0; i < 5; i++) {
		add(w, i, 1);
		buf_reset(&note);
		assert_int_equal(log_checkpoint(w->f.w, NULL, &note), VT_OK);
		assert_int_equal(log_observe(w->f.w, buf_bytes(&note), "x"), VT_OK);
	}
	add(w, 5, 300);
	assert_int_equal(log_observe(w->f.w, buf_bytes(&note), "x"), VT_OK);
	/* What the log has not signed is about whoever showed it. */
	note.data[note.len - 10] ^= 1;
	assert_int_equal(log_observe(w->f.w, buf_bytes(&note), "x"), VT_EUNTRUSTED);
	assert_int_equal(log_observe(w->f.w, bytes_str("no note"), "x"), VT_EUNTRUSTED);
	assert_int_equal(log_observe(w->f.w, bytes_of(NULL, 0), "x"), VT_EUNTRUSTED);
	assert_false(status_of(w).frozen);
	assert_int_not_equal(access(w->frozen, F_OK), 0);
	buf_release(&note);
}

static void a_freeze_outlasts_the_process_with_its_evidence(void **state)
{
	struct world *w = *state;
	struct buf bad, text;
	struct checkpoint cp;
	struct note *note;
	char *evidence;

	buf_init(&bad);
	buf_init(&text);
	fixture_start(&w->f);
	add(w, 0, 5);
	sign(w, &bad, 3, 0x42);
	assert_int_equal(log_observe(w->f.w, buf_bytes(&bad), "somebody\nwhy: nothing"),
			 VT_EMISMATCH);
	assert_frozen(w, 5, "has another root than the store's tree");
	assert_int_equal(file_read(&text, w->frozen, 1 << 20), VT_OK);
	assert_int_equal(buf_append_byte(&text, '\0'), VT_OK);
	evidence = strstr((char *)text.data, FIXTURE_ORIGIN "\n3\n");
	assert_non_null(evidence);
	assert_int_equal(checkpoint_open(&note, &cp, bytes_str(evidence), &w->f.signer.key, NULL),
			 VT_OK);
	note_free(note);
	/* The first reason stays. */
	assert_int_equal(log_observe(w->f.w, buf_bytes(&bad), "somebody else"), VT_EMISMATCH);
	fixture_stop(&w->f);
	for (unsigned i = 0; i < 3; i++) {
		fixture_start(&w->f);
		assert_frozen(w, 5, "shown by somebody why: nothing, has another root");
		fixture_stop(&w->f);
	}
	/* The operator has read what there is to read. */
	assert_int_equal(unlink(w->frozen), 0);
	fixture_start(&w->f);
	add(w, 5, 1);
	assert_int_equal(fixture_verify(&w->f), 6);
	buf_release(&bad);
	buf_release(&text);
}

static void a_head_beyond_the_store_freezes(void **state)
{
	struct world *w = *state;
	struct buf bad;

	buf_init(&bad);
	fixture_start(&w->f);
	add(w, 0, 3);
	sign(w, &bad, 4, 1);
	assert_int_equal(log_observe(w->f.w, buf_bytes(&bad), "a peer"), VT_EMISMATCH);
	assert_frozen(w, 3, "beyond what the store holds (3 entries)");
	buf_release(&bad);
}

static void whatever_the_file_says_nothing_is_signed(void **state)
{
	struct world *w = *state;

	fixture_start(&w->f);
	add(w, 0, 5);
	fixture_stop(&w->f);
	write_file(w->frozen, bytes_of(NULL, 0));
	fixture_start(&w->f);
	assert_frozen(w, 5, "FROZEN is there");
	fixture_stop(&w->f);
	assert_int_equal(unlink(w->frozen), 0);
	assert_int_equal(mkdir(w->frozen, 0700), 0);
	fixture_start(&w->f);
	assert_frozen(w, 5, "cannot be read");
	fixture_stop(&w->f);
	/* What it leads to is not mounted, say. */
	assert_int_equal(rmdir(w->frozen), 0);
	assert_int_equal(symlink("nowhere", w->frozen), 0);
	fixture_start(&w->f);
	assert_frozen(w, 5, "cannot be read");
}

static void the_other_process_stops_too(void **state)
{
	struct world *w = *state, other = {0};

	fixture_start(&w->f);
	other.f = (struct log_fixture){.store = w->f.store,
				       .store_is_borrowed = true,
				       .signer = w->f.signer,
				       .config = w->f.config};
	fixture_start(&other.f);
	add(w, 0, 3);
	add(&other, 3, 1);
	log_freeze(w->f.log, "the test says so");
	/* It commits what it is given, and looks before it signs. */
	assert_int_equal(send_number(&other, 4).outcome, LOG_LATER);
	assert_frozen(&other, 4, "the test says so");
	fixture_free(&other.f);
}

static void a_freeze_that_cannot_be_written_is_written_later(void **state)
{
	struct world *w = *state;
	char folder[256], path[300];

	(void)snprintf(folder, sizeof(folder), "%s", scratch_path("later"));
	(void)snprintf(path, sizeof(path), "%s/FROZEN", folder);
	w->f.config.frozen_path = path;
	fixture_start(&w->f);
	add(w, 0, 3);
	log_freeze(w->f.log, "the test says so");
	assert_frozen(w, 3, "the test says so");
	assert_int_equal(mkdir(folder, 0700), 0);
	while (access(path, F_OK) != 0)
		(void)sched_yield();
	fixture_stop(&w->f);
	fixture_start(&w->f);
	assert_frozen(w, 3, "the test says so");
	fixture_stop(&w->f);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* -- fsck ---------------------------------------------------------------------------------------------- */

enum { FAULT_MAX = LOG_FROZEN_WHY_MAX + 64 };

static enum vt_err keep_fault(void *ctx, const char *text)
{
	(void)snprintf(ctx, FAULT_MAX, "%s", text);
	return VT_OK;
}

/* Nothing is running. */
static enum vt_err fsck(struct world *w, char fault[FAULT_MAX])
{
	struct store_sqlite_config config = {.path = w->store, .read_only = true};
	struct fsck_config check = {
	    .mark_path = w->mark, .frozen_path = w->frozen, .fault = keep_fault, .ctx = fault};
	char why[STORE_WHY_MAX];
	struct tree_head head;
	enum vt_err err;

	fault[0] = '\0';
	assert_int_equal(store_sqlite_open(&check.store, &config, NULL, why), VT_OK);
	err = log_fsck(&check, &head);
	store_free(check.store);
	return err;
}

static void assert_fsck_says(struct world *w, const char *words)
{
	char fault[FAULT_MAX];

	assert_int_equal(fsck(w, fault), VT_EMISMATCH);
	if (strstr(fault, words) == NULL)
		fail_msg("\"%s\" is not in: %s", words, fault);
}

/* As on a disk without room for a name, or for a process without file descriptors. */
static void a_freeze_without_room_for_a_file_outlasts_the_process(void **state)
{
	struct world *w = *state, other = {0};
	char folder[256], path[300];
	struct buf text;

	(void)snprintf(folder, sizeof(folder), "%s", scratch_path("never"));
	(void)snprintf(path, sizeof(path), "%s/FROZEN", folder);
	w->f.config.frozen_path = path;
	fixture_start(&w->f);
	add(w, 0, 3);
	other.f = (struct log_fixture){.store = w->f.store,
				       .store_is_borrowed = true,
				       .signer = w->f.signer,
				       .config = w->f.config};
	fixture_start(&other.f);
	log_freeze(w->f.log, "the test says so");
	assert_frozen(w, 3, "the test says so");
	assert_false(status_of(w).frozen_unwritten);
	/* Another process finds it where the file would have been looked for in vain. */
	assert_int_equal(send_number(&other, 3).outcome, LOG_LATER);
	assert_frozen(&other, 3, "the high-water mark says so");
	fixture_free(&other.f);
	fixture_stop(&w->f);
	for (unsigned i = 0; i < 2; i++) {
		fixture_start(&w->f);
		assert_frozen(w, 3, "the test says so");
		fixture_stop(&w->f);
	}
	assert_fsck_says(w, "says that the log is frozen");

	/* When there is room it goes to the file, which somebody may remove; and the mark is what it was. */
	assert_int_equal(mkdir(folder, 0700), 0);
	fixture_start(&w->f);
	assert_frozen(w, 3, "the test says so");
	fixture_stop(&w->f);
	buf_init(&text);
	assert_int_equal(file_read(&text, path, 1 << 16), VT_OK);
	assert_non_null(memmem(text.data, text.len, "why: the test says so\n", 22));
	buf_release(&text);
	assert_true(marked(w) >= 3);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	fixture_start(&w->f);
	assert_false(status_of(w).frozen);
	add(w, 10, 1);
}

static void a_freeze_that_is_nowhere_is_told(void **state)
{
	struct world *w = *state;
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/FROZEN", scratch_path("never"));
	w->f.config.frozen_path = path;
	fixture_start(&w->f);
	add(w, 0, 3);
	assert_int_equal(rename(w->mark, w->copy), 0);
	log_freeze(w->f.log, "the test says so");
	assert_frozen(w, 3, "the test says so");
	assert_true(status_of(w).frozen_unwritten);
	/* It goes on trying. */
	assert_int_equal(rename(w->copy, w->mark), 0);
	while (status_of(w).frozen_unwritten)
		(void)sched_yield();
	fixture_stop(&w->f);
	fixture_start(&w->f);
	assert_frozen(w, 3, "the test says so");
}

static void fsck_compares_the_mark_and_what_froze_the_log(void **state)
{
	char fault[FAULT_MAX];
	struct world *w = *state;

	roll_back(w);
	assert_fsck_says(w, "the store has 4 entries, but this log has had 10");
	write_file(w->frozen, bytes_str("vitrine frozen v1\nwhy: a reason\n"));
	assert_fsck_says(w, "a reason");
	write_file(w->frozen, bytes_of(NULL, 0));
	assert_fsck_says(w, "is there");
	assert_int_equal(unlink(w->frozen), 0);

	write_file(w->mark, bytes_str("nonsense"));
	assert_fsck_says(w, "it is damaged");
	assert_int_equal(unlink(w->mark), 0);
	assert_int_equal(fsck(w, fault), VT_OK);

	w->f.config.new_mark = true;
	fixture_start(&w->f);
	add(w, 4, 1);
	fixture_free(&w->f);
	assert_int_equal(fsck(w, fault), VT_OK);
	/* Five entries again, and another one is the last. */
	copy_file(w->copy, w->store);
	open_store(w, w->store);
	w->f.config.mark_path = NULL;
	fixture_start(&w->f);
	add(w, 9, 1);
	fixture_free(&w->f);
	assert_fsck_says(w, "another history");
}

#define MARK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    MARK_TEST(the_mark_is_where_the_published_head_is),
	    MARK_TEST(one_write_of_the_mark_is_enough_for_a_batch),
	    MARK_TEST(an_older_copy_of_the_store_is_read_and_not_signed),
	    MARK_TEST(an_empty_store_beside_a_mark_is_an_older_copy_too),
	    MARK_TEST(a_store_with_another_history_is_not_signed),
	    MARK_TEST(a_store_ahead_of_its_mark_goes_on),
	    MARK_TEST(a_write_that_was_cut_off_leaves_the_mark_before_it),
	    MARK_TEST(a_damaged_mark_stops_the_signing),
	    MARK_TEST(another_logs_mark_stops_the_signing),
	    MARK_TEST(a_missing_mark_wants_the_operators_word),
	    MARK_TEST(a_missing_mark_wants_the_operators_word_without_entries_too),
	    MARK_TEST(witnesses_vouch_for_a_store_without_a_mark),
	    MARK_TEST(a_witness_that_has_seen_more_stops_an_older_copy),
	    MARK_TEST(what_witnesses_may_ask_for_is_known_after_a_restart),
	    MARK_TEST(killed_between_commit_mark_and_signature_it_goes_on),
	    MARK_TEST(killed_while_witnesses_are_asked_it_goes_on),
	    MARK_TEST(a_mark_that_is_taken_away_ends_the_process),
	    MARK_TEST(two_logs_on_one_store_share_the_mark),
	    MARK_TEST(a_head_that_is_consistent_is_observed_and_that_is_all),
	    MARK_TEST(a_freeze_outlasts_the_process_with_its_evidence),
	    MARK_TEST(a_head_beyond_the_store_freezes),
	    MARK_TEST(whatever_the_file_says_nothing_is_signed),
	    MARK_TEST(the_other_process_stops_too),
	    MARK_TEST(a_freeze_that_cannot_be_written_is_written_later),
	    MARK_TEST(a_freeze_without_room_for_a_file_outlasts_the_process),
	    MARK_TEST(a_freeze_that_is_nowhere_is_told),
	    MARK_TEST(fsck_compares_the_mark_and_what_froze_the_log),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
