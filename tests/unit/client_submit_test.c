#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "extra.h"
#include "fake_log.h"
#include "record_world.h"
#include "test_signer.h"
#include "vitrine/checkpoint.h"
#include "vitrine/tlog_proof.h"

static const char digest[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

static struct world *world;
static struct policy *policy;
static struct client *client;
static struct why why;
static struct client_receipt receipt;
static struct buf record, answer; /* a submission, and what an honest log says to it */
static uint64_t index_of_record;
static unsigned waits;

static bool note_wait(void *ctx, uint64_t millis, const char *reason)
{
	(void)ctx;
	(void)millis;
	(void)reason;
	waits++;
	return true;
}

static void open_client(struct bytes centre)
{
	struct client_config config = {
	    .url = FAKE_LOG_URL, .policy = policy, .centre = centre, .wait = note_wait};

	client_free(client);
	waits = 0;
	assert_int_equal(client_new(&client, &config, &why), VT_OK);
}

/* A verdict, as the lab signs it. */
static void make_record(struct buf *out, const char *run)
{
	struct compose_digest subject = {"bios.bin", NULL, digest};
	struct compose_resource configuration = {.uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = "PASSED",
				    .configuration = &configuration,
				    .n_configuration = 1};
	struct buf statement;

	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, &world->why), VT_OK);
	world_sign_one(out, buf_bytes(&statement), world->lab);
	buf_release(&statement);
}

static void make_checkpoint(struct buf *out, uint8_t seed, uint64_t size)
{
	struct note_signer by = test_signer(WORLD_ORIGIN, VKEY_TYPE_ED25519, seed);
	struct tree_head head = fake_log_head_at(size);
	struct buf text;

	buf_init(&text);
	assert_int_equal(checkpoint_format(&text, WORLD_ORIGIN, &head), VT_OK);
	assert_int_equal(note_sign(out, buf_bytes(&text), &by, 1), VT_OK);
	buf_release(&text);
}

static enum vt_err prove(void *ctx, struct merkle_proof *out, uint64_t index)
{
	(void)ctx;
	*out = fake_log_path(index, fake_log_size());
	return VT_OK;
}

/* The tlog-proof of an entry, as a log hands it out. */
static void make_proof(struct buf *out, uint64_t index, bool with_extra, uint8_t seed)
{
	struct extra_source source = {.view = &world->view, .prove = prove};
	struct merkle_proof proof = fake_log_path(index, fake_log_size());
	struct buf extra, checkpoint;

	buf_init(&extra);
	buf_init(&checkpoint);
	if (with_extra)
		assert_int_equal(
		    extra_build(&extra, &world->h, index, fake_log_entry(index), &source), VT_OK);
	make_checkpoint(&checkpoint, seed, fake_log_size());
	assert_int_equal(
	    tlog_proof_format(out, buf_bytes(&extra), index, &proof, buf_bytes(&checkpoint)),
	    VT_OK);
	buf_release(&extra);
	buf_release(&checkpoint);
}

static void serve_head(void)
{
	struct buf checkpoint;

	buf_init(&checkpoint);
	make_checkpoint(&checkpoint, 1, fake_log_size());
	fake_log_serve_checkpoint(buf_bytes(&checkpoint));
	buf_release(&checkpoint);
}

static int set_up(void **state)
{
	(void)state;
	struct vkey vkey = test_vkey(WORLD_ORIGIN, VKEY_TYPE_ED25519, 1);
	struct buf text;

	buf_init(&text);
	assert_int_equal(buf_append_str(&text, "log "), VT_OK);
	assert_int_equal(vkey_format(&text, &vkey), VT_OK);
	assert_int_equal(buf_append_str(&text, "\nquorum none\n"), VT_OK);
	assert_int_equal(policy_parse(&policy, buf_bytes(&text), NULL), VT_OK);
	buf_release(&text);

	world = calloc(1, sizeof(*world));
	assert_non_null(world);
	world_init(world);
	world_begin(world);
	make_record(&record, "https://lab.example/run/1");
	index_of_record = world_append(world, buf_bytes(&record));
	fake_log_reset('a');
	for (size_t i = 0; i < world->n; i++)
		fake_log_add(buf_bytes(&world->entry[i].bytes));
	serve_head();
	make_proof(&answer, index_of_record, true, 1);
	fake_log_answer_post(201, "text/plain; charset=utf-8", buf_bytes(&answer));
	client_receipt_init(&receipt);
	open_client(world_spki(world->centre));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	client_receipt_release(&receipt);
	client_free(client);
	policy_free(policy);
	client = NULL;
	policy = NULL;
	fake_log_release();
	world_release(world);
	free(world);
	buf_release(&record);
	buf_release(&answer);
	return 0;
}

static enum vt_err submit(void)
{
	return client_submit(&receipt, client, buf_bytes(&record), &why);
}

static void assert_ok(enum vt_err err)
{
	if (err != VT_OK)
		fail_msg("%s: %s", vt_err_text(err), why.text);
}

static void assert_refused(enum vt_err expected, const char *says)
{
	enum vt_err err = submit();

	if (strstr(why.text, says) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, says);
	assert_int_equal(err, expected);
	assert_int_equal(receipt.proof.len, 0);
	assert_int_equal(receipt.entry.len, 0);
}

static void an_honest_answer_is_taken(void **state)
{
	(void)state;
	struct tree_head head = fake_log_head_at(fake_log_size());

	assert_ok(submit());
	assert_true(bytes_equal(fake_log_posted(), buf_bytes(&record)));
	assert_int_equal(receipt.index, index_of_record);
	assert_true(merkle_hash_equal(&receipt.leaf, &world->entry[index_of_record].leaf));
	assert_true(tree_head_equal(&receipt.head, &head));
	assert_true(bytes_equal(buf_bytes(&receipt.entry), fake_log_entry(index_of_record)));
	assert_true(bytes_equal(buf_bytes(&receipt.proof), buf_bytes(&answer)));
	assert_true(receipt.proof_has_entry);
	assert_true(receipt.admission_checked);
	assert_false(receipt.known);
	fake_log_answer_post(200, "text/plain; charset=utf-8", buf_bytes(&answer));
	assert_ok(submit());
	assert_true(receipt.known);
	assert_int_equal(fake_log_requests(), 2);
}

static void a_centre_that_is_not_pinned_is_taken_from_the_proof(void **state)
{
	(void)state;
	open_client((struct bytes){0});
	assert_ok(submit());
	open_client(world_spki(world->stranger));
	assert_refused(VT_EMISMATCH, "its admission does not hold");
}

static void not_now_means_the_same_bytes_again(void **state)
{
	(void)state;
	fake_log_fault(&(struct fake_fault){.times = 3, .status = 503, .retry_after = 2});
	fake_log_fault(&(struct fake_fault){.times = 7, .status = 0});
	assert_ok(submit());
	assert_true(bytes_equal(fake_log_posted(), buf_bytes(&record)));
	assert_int_equal(fake_log_requests(), 11);
	assert_int_equal(waits, 10);
}

static void an_unknown_outcome_is_said_to_be_unknown(void **state)
{
	(void)state;
	fake_log_fault(&(struct fake_fault){.times = 1000, .status = 503});
	assert_refused(VT_EBUSY, "HTTP 503, not available now (asked ");
	assert_in_range(waits, 10, 40);
}

static void nobody_to_submit_to_is_an_error_in_the_end(void **state)
{
	(void)state;
	fake_log_fault(&(struct fake_fault){.times = 1000, .status = 0});
	assert_refused(VT_EIO, "the connection was refused (asked ");
	assert_in_range(waits, 10, 40);
}

static void a_refusal_is_final_and_in_the_logs_own_words(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		enum vt_err err;
	} cases[] = {{400, VT_EMALFORMED}, {403, VT_EUNTRUSTED}, {404, VT_ENOTFOUND},
		     {405, VT_ENOTFOUND},  {409, VT_ECONFLICT},  {413, VT_ELIMIT},
		     {422, VT_EMALFORMED}, {500, VT_EIO},        {302, VT_EIO}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_log_answer_post(
		    cases[i].status, "application/problem+json",
		    bytes_str("{\"type\":\"urn:vitrine:problem:x\",\"title\":\"No\","
			      "\"detail\":\"subject[0]: bad\"}"));
		assert_refused(cases[i].err, "No: subject[0]: bad (HTTP ");
		assert_int_equal(fake_log_requests(), i + 1);
	}
}

static void an_answer_with_any_bit_changed_is_refused(void **state)
{
	(void)state;
	struct buf bent;

	buf_init(&bent);
	assert_int_equal(buf_append(&bent, buf_bytes(&answer)), VT_OK);
	for (size_t bit = 0; bit < bent.len * 8; bit += 7) {
		bent.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		fake_log_answer_post(201, "text/plain", buf_bytes(&bent));
		if (submit() != VT_EMISMATCH)
			fail_msg("bit %zu: %s", bit, why.text);
		assert_non_null(strstr(why.text, "the log took the record, but "));
		bent.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_release(&bent);
}

static void an_answer_of_any_other_length_is_refused(void **state)
{
	(void)state;
	struct buf longer;

	for (size_t n = 0; n < answer.len; n += 41) {
		fake_log_answer_post(201, "text/plain", bytes_of(answer.data, n));
		assert_refused(VT_EMISMATCH, "no proof");
	}
	buf_init(&longer);
	assert_int_equal(buf_append(&longer, buf_bytes(&answer)), VT_OK);
	assert_int_equal(buf_append_str(&longer, "x"), VT_OK);
	fake_log_answer_post(201, "text/plain", buf_bytes(&longer));
	assert_int_equal(submit(), VT_EMISMATCH);
	buf_release(&longer);
}

static void the_proof_of_another_record_is_refused(void **state)
{
	(void)state;
	buf_release(&record);
	make_record(&record, "https://lab.example/run/2");
	assert_refused(VT_EMISMATCH, "its entry holds another payload");
}

static void a_proof_under_another_key_is_refused(void **state)
{
	(void)state;
	buf_reset(&answer);
	make_proof(&answer, index_of_record, true, 2);
	fake_log_answer_post(201, "text/plain", buf_bytes(&answer));
	assert_refused(VT_EMISMATCH, "the proof's checkpoint is not acceptable");
}

static void a_second_history_shows_when_the_client_has_a_head(void **state)
{
	(void)state;
	assert_ok(client_refresh(client, &why));
	assert_ok(submit()); /* one history: fine */
	/* Another client was shown a tree with something else in the record's place. */
	open_client(world_spki(world->centre));
	fake_log_cut(index_of_record);
	fake_log_add(bytes_str("something else"));
	serve_head();
	assert_ok(client_refresh(client, &why));
	fake_log_cut(index_of_record);
	fake_log_add(buf_bytes(&world->entry[index_of_record].bytes));
	assert_refused(VT_EMISMATCH, "signed two histories");
}

static void an_entry_too_large_for_the_file_is_read_from_its_bundle(void **state)
{
	(void)state;
	buf_reset(&answer);
	make_proof(&answer, index_of_record, false, 1);
	fake_log_answer_post(201, "text/plain", buf_bytes(&answer));
	assert_ok(submit());
	assert_false(receipt.proof_has_entry);
	assert_true(bytes_equal(buf_bytes(&receipt.entry), fake_log_entry(index_of_record)));
	assert_int_equal(client_head(client)->size, fake_log_size());
	/* Another entry's index is no help to a liar. */
	buf_reset(&answer);
	make_proof(&answer, 1, false, 1);
	fake_log_answer_post(201, "text/plain", buf_bytes(&answer));
	assert_refused(VT_EMISMATCH, "another payload");
}

/* -- what made a record admissible, fetched ---------------------------------------------------------- */

static void describe(const char *path, const char *body)
{
	fake_log_fault(&(struct fake_fault){.path = path,
					    .times = 100,
					    .status = 200,
					    .content_type = "application/json",
					    .body = body});
}

#define SIGNERS(list) "{\"record\":{\"signers\":[" list "]}}"

/* As the log of the world does: the laboratory, accredited by entry 1, which the centre and the laboratory signed. */
static void describe_honestly(void)
{
	describe("/api/v1/entries/0",
		 SIGNERS("{\"accreditation\":0},{\"accreditation\":0,\"keyid\":\"x\"}"));
	describe("/api/v1/entries/1", SIGNERS("{\"accreditation\":0},{\"accreditation\":1}"));
	describe("/api/v1/entries/3", SIGNERS("{\"accreditation\":1}"));
}

static enum vt_err fetch_support(struct extra **x)
{
	return client_support(x, client, index_of_record, fake_log_entry(index_of_record), &why);
}

static void support_is_fetched_and_verifies(void **state)
{
	struct extra_verdict verdict;
	struct problem problem = {0};
	struct extra *x;

	(void)state;
	assert_int_equal(index_of_record, 3);
	assert_ok(client_refresh(client, &why));
	describe_honestly();
	assert_ok(fetch_support(&x));
	assert_int_equal(extra_verify(&verdict, &world->h, x, index_of_record, client_head(client),
				      WORLD_ORIGIN, world_spki(world->centre), &problem),
			 VT_OK);
	extra_verdict_release(&verdict);
	extra_free(x);
}

/* What was said of the laboratory before the accreditation in force is not asked for, however much that is. */
static void support_goes_not_back_through_a_keys_history(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct extra_verdict verdict;
	struct problem problem = {0};
	char keyid[2 * MERKLE_HASH_SIZE + 1], signers[256];
	uint64_t newest = 1;
	struct extra *x;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct world_grant g = {.party = "lab-1",
					.role = "lab",
					.key = world->lab,
					.previous = (int64_t)newest,
					.types = types,
					.n_types = 1,
					/* The key itself may sign, too. */
					.no_possession = i == 0};
		struct buf body;

		world_grant(world, &body, &g);
		newest = world_append(world, buf_bytes(&body));
		buf_release(&body);
		fake_log_add(buf_bytes(&world->entry[newest].bytes));
	}
	buf_release(&record);
	make_record(&record, "https://lab.example/run/2");
	index_of_record = world_append(world, buf_bytes(&record));
	fake_log_add(buf_bytes(&world->entry[index_of_record].bytes));
	serve_head();
	assert_ok(client_refresh(client, &why));
	describe("/api/v1/entries/0", SIGNERS("{\"accreditation\":0}"));
	hex_encode(keyid, bytes_of(world_keyid(world->lab)->b, MERKLE_HASH_SIZE));
	snprintf(signers, sizeof(signers),
		 SIGNERS("{\"accreditation\":0},{\"accreditation\":4,\"keyid\":\"%s\"}"), keyid);
	describe("/api/v1/entries/5", signers);
	describe("/api/v1/entries/6", SIGNERS("{\"accreditation\":5}"));
	assert_ok(fetch_support(&x));
	assert_int_equal(fake_log_requests_of("/api/v1/entries/5"), 1);
	assert_int_equal(fake_log_requests_of("/api/v1/entries/4"), 0);
	assert_int_equal(fake_log_requests_of("/api/v1/entries/1"), 0);
	assert_int_equal(extra_verify(&verdict, &world->h, x, index_of_record, client_head(client),
				      WORLD_ORIGIN, world_spki(world->centre), &problem),
			 VT_OK);
	extra_verdict_release(&verdict);
	extra_free(x);
}

static void a_log_that_hides_what_a_record_rests_on_proves_nothing(void **state)
{
	struct extra_verdict verdict;
	struct problem problem = {0};
	struct extra *x;

	(void)state;
	assert_ok(client_refresh(client, &why));
	describe("/api/v1/entries/3", SIGNERS("{\"accreditation\":0}"));
	describe_honestly();
	assert_ok(fetch_support(&x));
	assert_true(extra_verify(&verdict, &world->h, x, index_of_record, client_head(client),
				 WORLD_ORIGIN, world_spki(world->centre), &problem) != VT_OK);
	extra_free(x);
}

static void answers_that_help_nobody_are_no_finding(void **state)
{
	static const struct {
		const char *body;
		enum vt_err err;
	} answers[] = {
	    {SIGNERS("{\"accreditation\":4}"), VT_EIO}, /* what came later */
	    {SIGNERS("{\"accreditation\":9007199254740991}"), VT_EIO},
	    {SIGNERS("{\"accreditation\":-1}"), VT_EIO},
	    {SIGNERS("{\"accreditation\":\"1\"}"), VT_EIO},
	    {SIGNERS("{\"accreditation\":1,\"sealed\":[]}"), VT_EIO},
	    {"{\"record\":", VT_EIO},
	    {"[]", VT_ENOTFOUND},
	    {"{\"record\":{}}", VT_ENOTFOUND},
	};
	struct extra *x;

	(void)state;
	assert_ok(client_refresh(client, &why));
	assert_int_equal(fetch_support(&x), VT_ENOTFOUND); /* no API at all */
	assert_null(x);
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		fake_log_mend();
		describe("/api/v1/entries/3", answers[i].body);
		assert_int_equal(fetch_support(&x), answers[i].err);
		assert_null(x);
	}
}

static void support_that_the_tree_does_not_hold_is_a_finding(void **state)
{
	struct extra *x;

	(void)state;
	assert_ok(client_refresh(client, &why));
	describe_honestly();
	fake_log_fault(&(struct fake_fault){
	    .path = "/tile/entries/000.p/4", .times = 1, .status = 200, .flip_bit = 800});
	assert_int_equal(fetch_support(&x), VT_EMISMATCH);
	assert_null(x);
}

/* Its proof has no room for the accreditations, but the log tells of them. */
static void the_signers_of_a_large_record_are_checked_too(void **state)
{
	(void)state;
	buf_reset(&answer);
	make_proof(&answer, index_of_record, false, 1);
	fake_log_answer_post(201, "text/plain", buf_bytes(&answer));
	assert_ok(submit());
	assert_false(receipt.admission_checked);
	describe_honestly();
	assert_ok(submit());
	assert_true(receipt.admission_checked);
	assert_false(receipt.proof_has_entry);
	open_client(world_spki(world->stranger));
	assert_refused(VT_EMISMATCH, "its admission does not hold");
}

static void what_is_no_record_is_never_reported_as_logged(void **state)
{
	(void)state;
	buf_release(&record);
	assert_int_equal(buf_append_str(&record, "{\"payload\":7}"), VT_OK);
	assert_refused(VT_EMALFORMED, "what was sent is no record");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_WORLD(an_honest_answer_is_taken),
	    IN_WORLD(a_centre_that_is_not_pinned_is_taken_from_the_proof),
	    IN_WORLD(not_now_means_the_same_bytes_again),
	    IN_WORLD(an_unknown_outcome_is_said_to_be_unknown),
	    IN_WORLD(nobody_to_submit_to_is_an_error_in_the_end),
	    IN_WORLD(a_refusal_is_final_and_in_the_logs_own_words),
	    IN_WORLD(an_answer_with_any_bit_changed_is_refused),
	    IN_WORLD(an_answer_of_any_other_length_is_refused),
	    IN_WORLD(the_proof_of_another_record_is_refused),
	    IN_WORLD(a_proof_under_another_key_is_refused),
	    IN_WORLD(a_second_history_shows_when_the_client_has_a_head),
	    IN_WORLD(an_entry_too_large_for_the_file_is_read_from_its_bundle),
	    IN_WORLD(support_is_fetched_and_verifies),
	    IN_WORLD(support_goes_not_back_through_a_keys_history),
	    IN_WORLD(a_log_that_hides_what_a_record_rests_on_proves_nothing),
	    IN_WORLD(answers_that_help_nobody_are_no_finding),
	    IN_WORLD(support_that_the_tree_does_not_hold_is_a_finding),
	    IN_WORLD(the_signers_of_a_large_record_are_checked_too),
	    IN_WORLD(what_is_no_record_is_never_reported_as_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
