/* The sequencer in records mode, over each store: what is known, what is judged at which index, what others see. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extra.h"
#include "json.h"
#include "log_fixture.h"
#include "record_world.h"
#include "scratch.h"
#include "vitrine/checkpoint.h"
#include "vitrine/tlog_proof.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

#define OTHER_DIGEST "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"

static bool on_disk;

/* The world makes keys and records; the log is what is tested. Both go through the same entries where `previous` matters. */
struct fixture {
	struct log_fixture log;
	struct world world;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	scratch_clear();
	world_init(&f->world);
	fixture_store(&f->log, on_disk ? scratch_path("log.sqlite") : NULL, "records",
		      world_spki(f->world.centre));
	gate_install(&f->log);
	*state = f;
	return 0;
}

/* Entry 0, a laboratory, a vendor. */
static void begin(struct fixture *f)
{
	fixture_start(&f->log);
	world_begin(&f->world);
	for (size_t i = 0; i < f->world.n; i++) {
		struct log_answer a = send_one(&f->log, buf_bytes(&f->world.entry[i].bytes));

		assert_int_equal(a.outcome, LOG_ADDED);
		assert_int_equal(a.index, i);
		assert_true(merkle_hash_equal(&a.leaf, &f->world.entry[i].leaf));
	}
}

static int setup_begun(void **state)
{
	setup(state);
	begin(*state);
	return 0;
}

static enum vt_err print_fault(void *ctx, const char *text)
{
	(void)ctx;
	print_error("fsck: %s\n", text);
	return VT_OK;
}

static void check_store(struct fixture *f)
{
	struct fsck_config config = {.store = f->log.store, .fault = print_fault};
	struct tree_head head;

	assert_int_equal(log_fsck(&config, &head), VT_OK);
}

/* Whatever a test has done, the log is one that replays. */
static int teardown(void **state)
{
	struct fixture *f = *state;

	fixture_stop(&f->log);
	check_store(f);
	fixture_free(&f->log);
	world_release(&f->world);
	free(f);
	return 0;
}

static struct fixture second_log(struct fixture *f)
{
	struct fixture other = {
	    .log = {.store = f->log.store, .store_is_borrowed = true, .signer = f->log.signer}};

	fixture_start(&other.log);
	return other;
}

/* -- records ------------------------------------------------------------------------------------------ */

/* The statement of the n-th verdict. */
static void verdict_statement(struct buf *out, unsigned n, const char *result)
{
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	char run[40];
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = result,
				    .configuration = &configuration,
				    .n_configuration = 1};

	(void)snprintf(run, sizeof(run), "urn:run:%u", n);
	buf_init(out);
	assert_int_equal(compose_verdict(out, &v, NULL), VT_OK);
}

static void verdict(struct fixture *f, struct buf *out, unsigned n)
{
	struct buf statement;

	verdict_statement(&statement, n, "PASSED");
	world_sign_one(out, buf_bytes(&statement), f->world.lab);
	buf_release(&statement);
}

/* A change of the laboratory's accreditation, on top of entry `previous`. */
static void lab_becomes(struct fixture *f, struct buf *out, enum accreditation_status status,
			int64_t previous)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct world_grant g = {.party = "lab-1",
				.role = "lab",
				.key = f->world.lab,
				.status = status,
				.previous = previous,
				.types = types,
				.n_types = 1};

	world_grant(&f->world, out, &g);
}

static struct log_answer send_buf(struct fixture *f, struct buf *body)
{
	struct log_answer a = send_one(&f->log, buf_bytes(body));

	buf_release(body);
	return a;
}

static struct log_answer send_verdict(struct fixture *f, struct fixture *via, unsigned n)
{
	struct buf body;

	verdict(f, &body, n);
	return send_buf(via, &body);
}

static void assert_refused(const struct log_answer *a, const char *slug)
{
	assert_int_equal(a->outcome, LOG_REFUSED);
	assert_non_null(a->problem.type);
	assert_string_equal(a->problem.type->slug, slug);
}

/* -- known -------------------------------------------------------------------------------------------- */

static void a_log_takes_nothing_before_entry_zero(void **state)
{
	struct fixture *f = *state;
	struct log_answer a;

	fixture_start(&f->log);
	a = send_verdict(f, f, 1);
	assert_int_equal(a.outcome, LOG_REFUSED);
	assert_int_equal(fixture_verify(&f->log), 0);
}

static void a_retry_gets_the_same_index(void **state)
{
	struct fixture *f = *state;
	struct log_answer first = send_verdict(f, f, 1), again = send_verdict(f, f, 1);

	assert_int_equal(first.outcome, LOG_ADDED);
	assert_int_equal(first.index, 3);
	assert_int_equal(again.outcome, LOG_KNOWN);
	assert_int_equal(again.index, 3);
	assert_true(merkle_hash_equal(&again.leaf, &first.leaf));
}

static void a_record_is_known_after_its_key_was_suspended(void **state)
{
	struct fixture *f = *state;
	struct log_answer a;
	struct buf body;

	assert_int_equal(send_verdict(f, f, 1).index, 3);
	lab_becomes(f, &body, ACCREDITATION_SUSPENDED, 1);
	a = send_buf(f, &body);
	assert_int_equal(a.outcome, LOG_ADDED);
	a = send_verdict(f, f, 1);
	assert_int_equal(a.outcome, LOG_KNOWN);
	assert_int_equal(a.index, 3);
	a = send_verdict(f, f, 2);
	assert_refused(&a, "signer-suspended");
}

static void one_signature_of_two_is_known_and_a_second_one_is_new(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct fixture *f = *state;
	struct world_grant g = {.party = "lab-2",
				.role = "lab",
				.key = f->world.stranger,
				.previous = -1,
				.types = types,
				.n_types = 1};
	struct signer *both[2] = {f->world.lab, f->world.stranger};
	struct buf grant, statement, two, one;
	struct log_answer a;

	world_grant(&f->world, &grant, &g);
	assert_int_equal(send_buf(f, &grant).outcome, LOG_ADDED);
	verdict_statement(&statement, 1, "PASSED");
	world_sign_one(&one, buf_bytes(&statement), f->world.lab);
	world_sign(&two, buf_bytes(&statement), both, 2);
	a = send_one(&f->log, buf_bytes(&one));
	assert_int_equal(a.outcome, LOG_ADDED);
	assert_int_equal(a.index, 4);
	a = send_one(&f->log, buf_bytes(&two)); /* brings one pair more */
	assert_int_equal(a.outcome, LOG_ADDED);
	assert_int_equal(a.index, 5);
	a = send_one(&f->log, buf_bytes(&one));
	assert_int_equal(a.outcome, LOG_KNOWN);
	buf_release(&one);
	world_sign_one(&one, buf_bytes(&statement), f->world.stranger);
	a = send_one(&f->log, buf_bytes(&one));
	assert_int_equal(a.outcome, LOG_KNOWN);
	assert_int_equal(a.index, 5);
	buf_release(&one);
	buf_release(&two);
	buf_release(&statement);
}

static void copies_in_flight_get_one_index(void **state)
{
	struct fixture *f = *state;
	struct sent s[5];
	struct buf body;

	verdict(f, &body, 1);
	gate_close(&f->log.gate);
	for (size_t i = 0; i < 5; i++) {
		send_bytes(&f->log, f->log.w, &s[i], buf_bytes(&body));
		if (i == 0)
			gate_wait(&f->log.gate);
	}
	gate_open(&f->log.gate);
	wait_for(s, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(s[i].answer.outcome, i == 0 ? LOG_ADDED : LOG_KNOWN);
		assert_int_equal(s[i].answer.index, 3);
	}
	buf_release(&body);
}

/* Each of its two signatures is in the log by the time its turn comes: one was when it was sent, the other in between. */
static void two_signatures_of_two_entries_are_known(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct fixture *f = *state;
	struct world_grant g = {.party = "lab-2",
				.role = "lab",
				.key = f->world.stranger,
				.previous = -1,
				.types = types,
				.n_types = 1};
	struct signer *both[2] = {f->world.lab, f->world.stranger};
	bool lab_first =
	    memcmp(world_keyid(both[0])->b, world_keyid(both[1])->b, MERKLE_HASH_SIZE) < 0;
	struct buf grant, statement, body[4];
	struct log_answer a;
	struct sent s[3];

	world_grant(&f->world, &grant, &g);
	assert_int_equal(send_buf(f, &grant).outcome, LOG_ADDED);
	verdict_statement(&statement, 1, "PASSED");
	/* The pair that is looked up first comes last. */
	world_sign_one(&body[0], buf_bytes(&statement), both[lab_first]);
	world_sign_one(&body[1], buf_bytes(&statement), both[!lab_first]);
	world_sign(&body[2], buf_bytes(&statement), both, 2);
	a = send_one(&f->log, buf_bytes(&body[0]));
	assert_int_equal(a.index, 4);
	verdict(f, &body[3], 100);
	gate_close(&f->log.gate);
	send_bytes(&f->log, f->log.w, &s[0], buf_bytes(&body[3]));
	gate_wait(&f->log.gate);
	for (size_t i = 1; i < 3; i++)
		send_bytes(&f->log, f->log.w, &s[i], buf_bytes(&body[i]));
	gate_open(&f->log.gate);
	wait_for(s, 3);
	assert_int_equal(s[1].answer.outcome, LOG_ADDED);
	assert_int_equal(s[1].answer.index, 6);
	assert_int_equal(s[2].answer.outcome, LOG_KNOWN);
	assert_int_equal(s[2].answer.index, 6);
	for (size_t i = 0; i < 4; i++)
		buf_release(&body[i]);
	buf_release(&statement);
}

/* -- the registry at the index -------------------------------------------------------------------------- */

/* Hold a batch of one record, so that what is sent meanwhile makes the next batch. */
static void hold_batch(struct fixture *f, struct sent *s, unsigned n)
{
	struct buf body;

	verdict(f, &body, n);
	gate_close(&f->log.gate);
	send_bytes(&f->log, f->log.w, s, buf_bytes(&body));
	gate_wait(&f->log.gate);
	buf_release(&body);
}

/* Not begun: the queue is set up first. */
static void one_key_leaves_room_in_the_queue_for_others(void **state)
{
	struct fixture *f = *state;
	struct buf body;
	struct sent s[4];

	f->log.config.queue_max = 8; /* a quarter each */
	begin(f);
	hold_batch(f, &s[0], 100);
	for (unsigned i = 1; i < 3; i++) {
		verdict(f, &body, i);
		send_bytes(&f->log, f->log.w, &s[i], buf_bytes(&body));
		buf_release(&body);
	}
	assert_true(s[2].answered);
	assert_int_equal(s[2].answer.outcome, LOG_LATER);
	assert_non_null(strstr(s[2].answer.reason, "by this key"));
	/* The centre's, though that key signs it, too. */
	lab_becomes(f, &body, ACCREDITATION_GRANTED, 1);
	send_bytes(&f->log, f->log.w, &s[3], buf_bytes(&body));
	buf_release(&body);
	gate_open(&f->log.gate);
	wait_for(s, 4);
	assert_int_equal(s[1].answer.outcome, LOG_ADDED);
	assert_int_equal(s[3].answer.outcome, LOG_ADDED);
	/* What was answered counts no more. */
	assert_int_equal(send_verdict(f, f, 3).outcome, LOG_ADDED);
	assert_int_equal(send_verdict(f, f, 4).outcome, LOG_ADDED);
}

static void another_keys_signature_beside_ones_own_does_not_count_for_it(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct fixture *f = *state;
	struct signer *both[2] = {f->world.lab, f->world.stranger};
	struct buf body, statement;
	struct sent s[4];

	f->log.config.queue_max = 8;
	begin(f);
	world_grant(&f->world, &body,
		    &(struct world_grant){.party = "lab-2",
					  .role = "lab",
					  .key = f->world.stranger,
					  .previous = -1,
					  .types = types,
					  .n_types = 1});
	assert_int_equal(send_buf(f, &body).outcome, LOG_ADDED);
	for (unsigned i = 1; i < 4; i++)
		assert_int_equal(send_verdict(f, f, i).outcome, LOG_ADDED);
	hold_batch(f, &s[0], 100);
	for (unsigned i = 1; i < 4; i++) {
		verdict_statement(&statement, i, "PASSED");
		world_sign(&body, buf_bytes(&statement), both, 2);
		send_bytes(&f->log, f->log.w, &s[i], buf_bytes(&body));
		buf_release(&body);
		buf_release(&statement);
	}
	/* The third is one too many of the stranger's; the laboratory, of which one waits, may still send one. */
	assert_true(s[3].answered);
	assert_int_equal(s[3].answer.outcome, LOG_LATER);
	verdict(f, &body, 5);
	send_bytes(&f->log, f->log.w, &s[3], buf_bytes(&body));
	buf_release(&body);
	gate_open(&f->log.gate);
	wait_for(s, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(s[i].answer.outcome, LOG_ADDED);
}

static void a_suspension_binds_the_next_index_of_its_own_batch(void **state)
{
	struct fixture *f = *state;
	struct buf body[3];
	struct sent s[4];

	hold_batch(f, &s[0], 100);
	verdict(f, &body[0], 1);
	lab_becomes(f, &body[1], ACCREDITATION_SUSPENDED, 1);
	verdict(f, &body[2], 2);
	for (size_t i = 0; i < 3; i++)
		send_bytes(&f->log, f->log.w, &s[1 + i], buf_bytes(&body[i]));
	gate_open(&f->log.gate);
	wait_for(s, 4);
	assert_int_equal(s[1].answer.outcome, LOG_ADDED);
	assert_int_equal(s[1].answer.index, 4);
	assert_int_equal(s[2].answer.outcome, LOG_ADDED);
	assert_int_equal(s[2].answer.index, 5);
	assert_refused(&s[3].answer, "signer-suspended");
	for (size_t i = 0; i < 3; i++)
		buf_release(&body[i]);
}

static void a_suspension_taken_by_one_process_binds_the_other(void **state)
{
	struct fixture *f = *state, other = second_log(f);
	struct log_answer a;
	struct buf body;

	assert_int_equal(send_verdict(f, &other, 1).outcome, LOG_ADDED);
	lab_becomes(f, &body, ACCREDITATION_SUSPENDED, 1);
	assert_int_equal(send_buf(f, &body).index, 4);
	a = send_verdict(f, &other, 2);
	assert_refused(&a, "signer-suspended");
	assert_int_equal(fixture_verify(&other.log), 5);
	fixture_free(&other.log);
}

static void a_grant_taken_by_one_process_is_seen_by_the_other(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct fixture *f = *state, other = second_log(f);
	struct world_grant g = {.party = "lab-2",
				.role = "lab",
				.key = f->world.stranger,
				.previous = -1,
				.types = types,
				.n_types = 1};
	struct buf body, statement;

	world_grant(&f->world, &body, &g);
	assert_int_equal(send_buf(f, &body).outcome, LOG_ADDED);
	verdict_statement(&statement, 1, "FAILED");
	world_sign_one(&body, buf_bytes(&statement), f->world.stranger);
	assert_int_equal(send_buf(&other, &body).outcome, LOG_ADDED);
	buf_release(&statement);
	fixture_free(&other.log);
}

/* Called once, while a batch that was committed is read back: workers see its accreditations, but not yet its size. */
static struct during_readback {
	struct store_ops ops;
	const struct store_ops *real;
	unsigned readers;
	struct store_reader *second;
	struct fixture *f;
	struct log_worker *w;
	struct bytes body;
	struct sent sent;
} during;

static enum vt_err read_entries_and_send(struct store_reader *r, uint64_t first, uint64_t n,
					 store_entry_fn visit, void *ctx)
{
	struct bytes body = during.body;

	if (r == during.second && body.len > 0) {
		during.body.len = 0;
		send_bytes(&during.f->log, during.w, &during.sent, body);
	}
	return during.real->read_entries(r, first, n, visit, ctx);
}

static enum vt_err notice_second_reader(struct store_reader **out, struct store *s)
{
	enum vt_err err = during.real->reader_new(out, s);

	if (err == VT_OK && ++during.readers == 2) {
		during.second = *out;
		during.second->ops = &during.ops;
	}
	return err;
}

static void a_suspension_binds_what_was_checked_before_it_was_covered(void **state)
{
	struct fixture *f = *state;
	struct buf suspension, body;

	fixture_stop(&f->log);
	during = (struct during_readback){.real = f->log.store->ops, .f = f};
	during.ops = *during.real;
	during.ops.reader_new = notice_second_reader;
	during.ops.read_entries = read_entries_and_send;
	f->log.store->ops = &during.ops;
	fixture_start(&f->log);
	assert_int_equal(log_worker_new(&during.w, f->log.log), VT_OK);
	verdict(f, &body, 1);
	lab_becomes(f, &suspension, ACCREDITATION_SUSPENDED, 1);
	during.body = buf_bytes(&body);
	assert_int_equal(send_buf(f, &suspension).index, 3);
	assert_int_equal(during.body.len, 0);
	wait_for(&during.sent, 1);
	assert_refused(&during.sent.answer, "signer-suspended");
	log_worker_free(during.w);
	fixture_stop(&f->log);
	f->log.store->ops = during.real;
	buf_release(&body);
}

/* Its key was registered by another process, which this one has no time to follow: a refusal would be final, and wrong. */
static void nothing_is_refused_by_a_registry_known_to_be_old(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct fixture *f = *state, other = second_log(f);
	struct world_grant g = {.party = "lab-2",
				.role = "lab",
				.key = f->world.stranger,
				.previous = -1,
				.types = types,
				.n_types = 1};
	struct buf grant, statement, body;
	struct log_answer a;
	struct sent s;

	hold_batch(f, &s, 100);
	world_grant(&f->world, &grant, &g);
	assert_int_equal(send_buf(&other, &grant).outcome, LOG_ADDED);
	verdict_statement(&statement, 1, "PASSED");
	world_sign_one(&body, buf_bytes(&statement), f->world.stranger);
	a = send_one(&f->log, buf_bytes(&body));
	assert_int_equal(a.outcome, LOG_LATER);
	gate_open(&f->log.gate);
	wait_for(&s, 1);
	assert_int_equal(send_buf(f, &body).outcome, LOG_ADDED);
	buf_release(&statement);
	fixture_free(&other.log);
}

static void a_lost_swap_is_judged_by_the_winners_registry(void **state)
{
	struct fixture *f = *state, other = second_log(f);
	struct log_status status;
	struct sent s;
	struct buf body;

	hold_batch(f, &s, 1); /* admissible, about to be committed at index 3 */
	lab_becomes(f, &body, ACCREDITATION_SUSPENDED, 1);
	assert_int_equal(send_buf(&other, &body).index, 3);
	gate_open(&f->log.gate);
	wait_for(&s, 1);
	assert_refused(&s.answer, "signer-suspended");
	log_status(f->log.log, &status);
	assert_int_equal(status.lost_swaps, 1);
	fixture_free(&other.log);
}

/* The lost batch had suspended the laboratory and refused its verdict; the winner grants anew, so the suspension's
 * `previous` is stale, and nothing of the lost batch may be left. */
static void a_lost_batch_leaves_no_trace_in_the_registry(void **state)
{
	struct fixture *f = *state, other = second_log(f);
	struct buf body[2], grant;
	struct sent s[3];

	hold_batch(f, &s[0], 100);
	lab_becomes(f, &body[0], ACCREDITATION_SUSPENDED, 1);
	verdict(f, &body[1], 2);
	for (size_t i = 0; i < 2; i++)
		send_bytes(&f->log, f->log.w, &s[1 + i], buf_bytes(&body[i]));
	/* Let the first batch through, hold the second. */
	gate_step(&f->log.gate);
	gate_wait(&f->log.gate);
	assert_false(s[2].answered);
	lab_becomes(f, &grant, ACCREDITATION_GRANTED, 1);
	assert_int_equal(send_buf(&other, &grant).index, 4);
	gate_open(&f->log.gate);
	wait_for(s, 3);
	assert_refused(&s[1].answer, "accreditation-previous-stale");
	assert_int_equal(s[2].answer.outcome, LOG_ADDED);
	assert_int_equal(s[2].answer.index, 5);
	for (size_t i = 0; i < 2; i++)
		buf_release(&body[i]);
	fixture_free(&other.log);
}

static void the_registry_is_rebuilt_at_a_restart(void **state)
{
	struct fixture *f = *state;
	struct log_status before, after;
	struct log_answer a;
	struct buf body;

	lab_becomes(f, &body, ACCREDITATION_SUSPENDED, 1);
	assert_int_equal(send_buf(f, &body).index, 3);
	log_status(f->log.log, &before);
	fixture_stop(&f->log);
	f->log.config.index_tail_max = 8; /* and from runs */
	fixture_start(&f->log);
	log_status(f->log.log, &after);
	assert_int_equal(before.registry_version, 4);
	assert_int_equal(after.registry_version, 4);
	a = send_verdict(f, f, 1);
	assert_refused(&a, "signer-suspended");
}

/* -- reading ------------------------------------------------------------------------------------------------ */

/* What fits them, as "3 6 9 "; conditions as "subject=X,party=Y", like a watch's. */
static const char *search(struct fixture *f, const char *text, bool newest_first)
{
	static char said[4096];
	struct conditions c;
	struct log_search what = {.conditions = &c, .newest_first = newest_first, .limit = 1000};
	struct log_search_result *out = malloc(sizeof(*out));

	assert_non_null(out);
	conditions_init(&c);
	for (size_t len; *text != '\0'; text += len + (text[len] == ',')) {
		size_t which = 0, name;
		char why[CONDITIONS_WHY_MAX];

		len = strcspn(text, ",");
		name = strcspn(text, "=");
		while (!bytes_is(bytes_of(text, name), condition_names[which]))
			which++;
		if (conditions_add(&c, (enum condition)which,
				   bytes_of(text + name + 1, len - name - 1), why) != VT_OK)
			fail_msg("%s", why);
	}
	assert_int_equal(log_search(f->log.w, &what, out), VT_OK);
	assert_false(out->more);
	said[0] = '\0';
	for (size_t i = 0; i < out->n; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%llu ",
			 (unsigned long long)out->index[i]);
	free(out);
	conditions_release(&c);
	return said;
}

static void search_conditions_are_anded(void **state)
{
	struct fixture *f = *state;
	struct buf statement, body;

	for (unsigned i = 0; i < 12; i++) {
		verdict_statement(&statement, i, i % 3 == 0 ? "FAILED" : "PASSED");
		world_sign_one(&body, buf_bytes(&statement), f->world.lab);
		assert_int_equal(send_buf(f, &body).outcome, LOG_ADDED);
		buf_release(&statement);
	}
	assert_string_equal(search(f, "subject=" DIGEST, false), "3 4 5 6 7 8 9 10 11 12 13 14 ");
	assert_string_equal(search(f, "subject=SHA256:" DIGEST, true),
			    "14 13 12 11 10 9 8 7 6 5 4 3 ");
	assert_string_equal(
	    search(f, "subject=" DIGEST ",type=verdict,party=LAB-1,result=failed", false),
	    "3 6 9 12 ");
	assert_string_equal(search(f, "result=FAILED,type=" PREDICATE_TEST_RESULT, true),
			    "12 9 6 3 ");
	assert_string_equal(search(f, "type=accredit", false), "0 1 2 ");
	assert_string_equal(search(f, "type=" PREDICATE_ACCREDITATION ",party=lab-1", true), "1 ");
	assert_string_equal(search(f, "party=acme,subject=" DIGEST, false), "");
	assert_string_equal(search(f, "", true), "14 13 12 11 10 9 8 7 6 5 4 3 2 1 0 ");
	assert_string_equal(search(f, "", false), "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 ");
}

static void pages_of_a_search_meet_end_to_end(void **state)
{
	struct fixture *f = *state;
	struct conditions c;
	struct log_search what = {.conditions = &c, .limit = 5};
	struct log_search_result *out = malloc(sizeof(*out));
	char why[CONDITIONS_WHY_MAX];
	uint64_t expected = 3;

	assert_non_null(out);
	conditions_init(&c);
	assert_int_equal(conditions_add(&c, CONDITION_SUBJECT, bytes_str(DIGEST), why), VT_OK);
	for (unsigned i = 0; i < 13; i++)
		(void)send_verdict(f, f, i);
	for (unsigned page = 0; page < 3; page++) {
		assert_int_equal(log_search(f->log.w, &what, out), VT_OK);
		assert_int_equal(out->n, page == 2 ? 3 : 5);
		for (size_t i = 0; i < out->n; i++)
			assert_int_equal(out->index[i], expected++);
		assert_true(out->more == (page < 2));
		what.after = out->next;
	}
	/* Backwards, while the log grows. */
	what.newest_first = true;
	what.after = 4;
	for (unsigned page = 0; page < 3; page++) {
		assert_int_equal(log_search(f->log.w, &what, out), VT_OK);
		assert_int_equal(out->size, 16 + page);
		assert_int_equal(out->n, page == 2 ? 2 : 5);
		for (size_t i = 0; i < out->n; i++)
			assert_int_equal(out->index[i], --expected);
		assert_true(out->more == (page < 2));
		what.before = out->next;
		(void)send_verdict(f, f, 13 + page);
	}
	assert_int_equal(expected, 4);
	what.limit = 0;
	assert_int_equal(log_search(f->log.w, &what, out), VT_EINVAL);
	what.limit = 1001;
	assert_int_equal(log_search(f->log.w, &what, out), VT_EINVAL);
	free(out);
	conditions_release(&c);
}

/* -- the search against a reading of every entry --------------------------------------------------------- */

enum { SEARCHED = 90 };

/* What an entry says, for conditions_fit(). */
struct read_entry {
	struct json *described;
	struct statement statement;
	size_t n;
	const char *party[RECORD_SIGNATURES_MAX];
	struct buf names[RECORD_SIGNATURES_MAX];
};

static void read_entry(struct fixture *f, uint64_t index, struct read_entry *e)
{
	const struct json *signers;
	struct problem why;
	struct bytes party;
	struct buf text;

	memset(e, 0, sizeof(*e));
	assert_int_equal(log_describe(f->log.w, index, &e->described, NULL), VT_OK);
	buf_init(&text);
	assert_int_equal(json_write(&text, json_member(e->described, "statement"), JSON_COMPACT),
			 VT_OK);
	assert_int_equal(statement_parse(&e->statement, buf_bytes(&text), &why), VT_OK);
	buf_release(&text);
	signers = json_member(e->described, "signers");
	for (; e->n < json_count(signers); e->n++) {
		buf_init(&e->names[e->n]);
		assert_true(json_text(json_member(json_at(signers, e->n), "party"), &party));
		assert_int_equal(buf_append(&e->names[e->n], party), VT_OK);
		assert_int_equal(buf_append_byte(&e->names[e->n], 0), VT_OK);
		e->party[e->n] = (const char *)e->names[e->n].data;
	}
}

static void forget_entry(struct read_entry *e)
{
	for (size_t i = 0; i < e->n; i++)
		buf_release(&e->names[i]);
	statement_release(&e->statement);
	json_free(e->described);
}

/* Verdicts and releases of two firmwares, in no order that a search could lean on. */
static void send_some_record(struct fixture *f, unsigned n)
{
	static const char *const result[] = {"PASSED", "WARNED", "FAILED"};
	unsigned dice = n * 2654435761u >> 7;
	struct compose_digest subject = {"bios.bin", "sha256", dice % 2 ? DIGEST : OTHER_DIGEST};
	struct compose_firmware firmware = {.subjects = {&subject, 1}};
	struct buf statement, body;
	char purl[64], *older;

	if (dice / 2 % 3 != 0) {
		verdict_statement(&statement, n, result[dice / 8 % 3]);
		world_sign_one(&body, buf_bytes(&statement), f->world.lab);
	} else {
		(void)snprintf(purl, sizeof(purl), "pkg:generic/acme/bios@%u", n);
		firmware.purl = purl;
		buf_init(&statement);
		assert_int_equal(compose_firmware(&statement, &firmware, NULL), VT_OK);
		assert_int_equal(buf_append_byte(&statement, 0), VT_OK);
		older = edited((const char *)statement.data, PREDICATE_RELEASE_V02,
			       dice / 8 % 2 ? PREDICATE_RELEASE_V01 : PREDICATE_RELEASE_V02);
		world_sign_one(&body, bytes_str(older), f->world.vendor);
		free(older);
	}
	assert_int_equal(send_buf(f, &body).outcome, LOG_ADDED);
	buf_release(&statement);
}

/* Pages of `limit` in both directions, over [after, before), hold what fits, in order. */
static void compare_search(struct fixture *f, const struct conditions *c,
			   const struct read_entry *entry, uint64_t n, struct log_search what)
{
	struct log_search_result *out = malloc(sizeof(*out));
	uint64_t at = what.newest_first ? what.before : what.after;

	assert_non_null(out);
	assert_true(what.before <= n);
	what.conditions = c;
	do {
		assert_int_equal(log_search(f->log.w, &what, out), VT_OK);
		for (size_t i = 0; i < out->n; i++) {
			do {
				assert_true(what.newest_first ? at > what.after : at < what.before);
				at = what.newest_first ? at - 1 : at + 1;
			} while (!conditions_fit(c,
						 &entry[what.newest_first ? at : at - 1].statement,
						 entry[what.newest_first ? at : at - 1].party,
						 entry[what.newest_first ? at : at - 1].n));
			assert_int_equal(out->index[i], what.newest_first ? at : at - 1);
		}
		*(what.newest_first ? &what.before : &what.after) = out->next;
	} while (out->more);
	/* And nothing behind the last one. */
	while (what.newest_first ? at > what.after : at < what.before) {
		uint64_t i = what.newest_first ? --at : at++;

		assert_false(conditions_fit(c, &entry[i].statement, entry[i].party, entry[i].n));
	}
	free(out);
}

static void every_search_finds_what_reading_every_entry_finds(void **state)
{
	static const char *const given[CONDITIONS_N][7] = {
	    {NULL, DIGEST, "SHA256:" OTHER_DIGEST,
	     "sha256:00000000000000000000000000000000000000000000000000000000000000ff"},
	    {NULL, "verdict", "firmware", "accredit", PREDICATE_RELEASE_V01, PREDICATE_RELEASE_V02,
	     "HTTPS://IN-TOTO.io/attestation/release/v0.1"},
	    {NULL, "LAB-1", "acme", "centre"},
	    {NULL, "passed", "WARNED", "Failed"},
	};
	struct fixture *f = *state;
	struct read_entry *entry = calloc(SEARCHED + 3, sizeof(*entry));
	struct log_status status;
	unsigned asked = 0;

	assert_non_null(entry);
	f->log.config.index_tail_max = 64; /* so that the most of it is in runs */
	begin(f);
	for (unsigned n = 0; n < SEARCHED; n++)
		send_some_record(f, n);
	for (uint64_t i = 0; i < SEARCHED + 3; i++)
		read_entry(f, i, &entry[i]);
	log_status(f->log.log, &status);
	assert_true(status.index_runs > 0 && status.index_tail_keys > 0);
	for (unsigned n = 0; n < 4 * 7 * 4 * 4; n++) {
		const size_t which[] = {n % 4, n / 4 % 7, n / 28 % 4, n / 112};
		struct conditions c;
		char why[CONDITIONS_WHY_MAX];
		enum vt_err err = VT_OK;

		conditions_init(&c);
		for (int i = 0; i < CONDITIONS_N && err == VT_OK; i++)
			if (given[i][which[i]] != NULL)
				err = conditions_add(&c, (enum condition)i,
						     bytes_str(given[i][which[i]]), why);
		/* A result of what has none is refused. */
		assert_true(err == VT_OK || (which[1] > 1 && which[3] > 0));
		for (unsigned way = 0; err == VT_OK && way < 4; way++, asked++)
			compare_search(f, &c, entry, SEARCHED + 3,
				       (struct log_search){.after = way < 2 ? 0 : 5 + n % 20,
							   .before = way < 2 ? SEARCHED + 3
									     : SEARCHED - n % 30,
							   .newest_first = way % 2 != 0,
							   .limit = 1 + n % 7});
		conditions_release(&c);
	}
	assert_true(asked > 4 * 150);
	for (size_t i = 0; i < SEARCHED + 3; i++)
		forget_entry(&entry[i]);
	free(entry);
}

static void a_proof_file_proves_a_verdict_offline(void **state)
{
	struct fixture *f = *state;
	struct extra_verdict found = {0};
	struct extra *extra = NULL;
	struct note *note = NULL;
	struct checkpoint cp;
	struct problem why = {0};
	struct tlog_proof p;
	struct buf text;

	(void)send_verdict(f, f, 1);
	(void)send_verdict(f, f, 2);
	buf_init(&text);
	tlog_proof_init(&p);
	assert_int_equal(log_tlog_proof(f->log.w, 3, &text), VT_OK);
	assert_int_equal(tlog_proof_parse(&p, buf_bytes(&text)), VT_OK);
	assert_true(p.has_extra);
	assert_int_equal(checkpoint_open(&note, &cp, p.checkpoint, &f->log.signer.key, NULL),
			 VT_OK);
	assert_int_equal(extra_parse(&extra, buf_bytes(&p.extra), &why), VT_OK);
	assert_int_equal(extra_verify(&found, &f->world.h, extra, 3, &cp.head, WORLD_ORIGIN,
				      world_spki(f->world.centre), &why),
			 VT_OK);
	extra_verdict_release(&found);
	extra_free(extra);
	note_free(note);
	tlog_proof_release(&p);
	buf_release(&text);
}

static enum vt_err count_keys(void *ctx, const struct registry *registry, uint64_t published)
{
	size_t *n = ctx;

	assert_int_equal(published, 4);
	*n = registry_count(registry);
	return VT_OK;
}

static void an_entry_is_described_with_its_signers(void **state)
{
	struct fixture *f = *state;
	struct json *j;
	struct bytes party;
	int64_t index;
	size_t n = 0;

	(void)send_verdict(f, f, 1);
	assert_int_equal(log_describe(f->log.w, 3, &j, NULL), VT_OK);
	assert_true(json_integer(json_member(j, "index"), &index));
	assert_int_equal(index, 3);
	assert_true(json_text(json_member(json_at(json_member(j, "signers"), 0), "party"), &party));
	assert_true(bytes_is(party, "lab-1"));
	json_free(j);
	assert_int_equal(log_describe(f->log.w, 4, &j, NULL), VT_ENOTFOUND);
	assert_int_equal(log_with_registry(f->log.w, count_keys, &n), VT_OK);
	assert_int_equal(n, 4); /* the recovery key is one */
}

#define BEGUN(name) cmocka_unit_test_setup_teardown(name, setup_begun, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_log_takes_nothing_before_entry_zero, setup, teardown),
	    BEGUN(a_retry_gets_the_same_index),
	    BEGUN(a_record_is_known_after_its_key_was_suspended),
	    BEGUN(one_signature_of_two_is_known_and_a_second_one_is_new),
	    BEGUN(copies_in_flight_get_one_index),
	    BEGUN(two_signatures_of_two_entries_are_known),
	    cmocka_unit_test_setup_teardown(one_key_leaves_room_in_the_queue_for_others, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(
		another_keys_signature_beside_ones_own_does_not_count_for_it, setup, teardown),
	    BEGUN(a_suspension_binds_the_next_index_of_its_own_batch),
	    BEGUN(a_suspension_binds_what_was_checked_before_it_was_covered),
	    BEGUN(a_suspension_taken_by_one_process_binds_the_other),
	    BEGUN(a_grant_taken_by_one_process_is_seen_by_the_other),
	    BEGUN(nothing_is_refused_by_a_registry_known_to_be_old),
	    BEGUN(a_lost_swap_is_judged_by_the_winners_registry),
	    BEGUN(a_lost_batch_leaves_no_trace_in_the_registry),
	    BEGUN(the_registry_is_rebuilt_at_a_restart),
	    BEGUN(search_conditions_are_anded),
	    cmocka_unit_test_setup_teardown(every_search_finds_what_reading_every_entry_finds,
					    setup, teardown),
	    BEGUN(pages_of_a_search_meet_end_to_end),
	    BEGUN(a_proof_file_proves_a_verdict_offline),
	    BEGUN(an_entry_is_described_with_its_signers),
	};

	on_disk = argc > 1 && strcmp(argv[1], "sqlite") == 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
