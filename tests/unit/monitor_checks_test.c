/* Admissions replayed with restarts in between: what was remembered is what the next entries are judged by. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "party_key.h"
#include "record_world.h"
#include "scratch.h"
#include "watch.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

enum {
	TAIL = 4, /* so that runs and merges come soon */
	THREADS = 2,
};

static struct world *w;
static struct checks *checks;
static struct checks_mark mark;
static char why[PAIRS_WHY_MAX];
static enum vt_err read_error;

/* What the last entries were found to be. */
static struct {
	size_t admissible, refused, unjudged;
	uint64_t at;
	char rule[64];
} seen;

static const char no_record[] = "no record at all";

static enum vt_err read_entry(void *ctx, uint64_t index, struct buf *entry)
{
	(void)ctx;
	if (read_error != VT_OK)
		return read_error;
	if (index == w->n)
		return buf_append(entry, bytes_str(no_record));
	assert_true(index < w->n);
	return buf_append(entry, buf_bytes(&w->entry[index].bytes));
}

static enum vt_err judged(void *ctx, uint64_t index, const struct merkle_hash *leaf,
			  const struct record *record, const struct checks_refusal *refusal)
{
	(void)ctx;
	assert_int_equal(index, seen.at);
	assert_non_null(leaf);
	seen.at++;
	if (refusal->rule == NULL && record == NULL) {
		seen.unjudged++;
		return VT_OK;
	}
	if (refusal->rule == NULL) {
		seen.admissible++;
		return VT_OK;
	}
	assert_null(record);
	seen.refused++;
	snprintf(seen.rule, sizeof(seen.rule), "%s", refusal->rule);
	return VT_OK;
}

static enum vt_err open_checks_for(struct signer *centre, bool any_centre)
{
	struct checks_config config = {.dir = scratch_folder(),
				       .origin = WORLD_ORIGIN,
				       .centre = world_spki(centre),
				       .any_centre = any_centre,
				       .tail_max = TAIL,
				       .read = read_entry,
				       .judged = judged};

	checks_free(checks);
	return checks_open(&checks, &config, &mark, why);
}

static enum vt_err open_checks(void)
{
	return open_checks_for(w->centre, false);
}

static enum vt_err feed(uint64_t index, struct bytes entry)
{
	struct merkle_hash leaf;

	assert_int_equal(merkle_hash_leaf(&leaf, &w->h, entry), VT_OK);
	return checks_add(checks, index, entry, &leaf);
}

/* The world's entries [first, end), and what was made of them kept. */
static void replay(uint64_t first, uint64_t end)
{
	assert_int_equal(checks_begin(checks, THREADS), VT_OK);
	for (uint64_t i = first; i < end; i++)
		assert_int_equal(feed(i, buf_bytes(&w->entry[i].bytes)), VT_OK);
	assert_int_equal(checks_finish(checks), VT_OK);
	checks_end(checks);
	assert_int_equal(checks_save(checks, &mark, NULL), VT_OK);
	checks_saved(checks);
}

static void append_payload(const struct buf *payload, struct signer *by)
{
	struct buf body;

	world_sign_one(&body, buf_bytes(payload), by);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

static void make_verdict(struct buf *out, const char *run, const char *salt)
{
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = "FAILED",
				    .configuration = &configuration,
				    .n_configuration = 1,
				    .salt = salt};

	buf_init(out);
	assert_int_equal(compose_verdict(out, &v, NULL), VT_OK);
}

static void append_verdict(const char *run)
{
	struct buf payload;

	make_verdict(&payload, run, NULL);
	append_payload(&payload, w->lab);
	buf_release(&payload);
}

static void end_lab(void)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct world_grant g = {.party = "lab-1",
				.role = "lab",
				.key = w->lab,
				.status = ACCREDITATION_ENDED,
				.previous = 1,
				.types = types,
				.n_types = 1,
				.no_possession = true};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

/* 3 a verdict, 4 a seal, 5 a correction of 3, 6 to 15 verdicts, 16 the laboratory ends, 17 what was sealed. */
static void fill_world(void)
{
	struct compose_correction correction = {.reason = "another sample"};
	struct compose_seal s = {.embargo_until = "2027-01-01T00:00:00Z"};
	struct buf kept_back, body, statement;
	char salt[COMPOSE_SALT_SIZE], run[64];

	world_begin(w);
	append_verdict("https://lab.example/runs/first");
	assert_int_equal(compose_salt(salt), VT_OK);
	make_verdict(&kept_back, "https://lab.example/runs/sealed", salt);
	world_sign_one(&body, buf_bytes(&kept_back), w->lab);
	s.envelope = buf_bytes(&body);
	buf_init(&statement);
	assert_int_equal(compose_seal(&statement, &w->h, &s, &w->why), VT_OK);
	append_payload(&statement, w->lab);
	correction.target = world_ref(w, 3);
	buf_reset(&statement);
	assert_int_equal(compose_correction(&statement, &correction, &w->why), VT_OK);
	append_payload(&statement, w->lab);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(run, sizeof(run), "https://lab.example/runs/%u", i);
		append_verdict(run);
	}
	end_lab();
	assert_int_equal(world_append(w, buf_bytes(&body)), 17);
	buf_release(&statement);
	buf_release(&kept_back);
	buf_release(&body);
}

static int set_up(void **state)
{
	(void)state;
	scratch_clear();
	w = calloc(1, sizeof(*w));
	assert_non_null(w);
	world_init(w);
	fill_world();
	memset(&mark, 0, sizeof(mark));
	memset(&seen, 0, sizeof(seen));
	read_error = VT_OK;
	assert_int_equal(open_checks(), VT_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	checks_free(checks);
	checks = NULL;
	world_release(w);
	free(w);
	return 0;
}

static void all_of_an_honest_log_is_admissible_wherever_it_is_cut(void **state)
{
	(void)state;
	for (uint64_t cut = 0; cut <= w->n; cut++) {
		scratch_clear();
		memset(&mark, 0, sizeof(mark));
		memset(&seen, 0, sizeof(seen));
		assert_int_equal(open_checks(), VT_OK);
		replay(0, cut);
		assert_int_equal(open_checks(), VT_OK);
		replay(cut, w->n);
		assert_int_equal(seen.admissible, w->n);
		assert_int_equal(registry_version(checks_registry(checks)),
				 registry_version(w->registry));
	}
}

static void a_record_that_is_there_already_is_found_after_each_entry(void **state)
{
	(void)state;
	for (uint64_t end = 1; end <= w->n; end++) {
		replay(end - 1, end);
		struct checks_mark here = mark;
		for (uint64_t i = 0; i < end; i++) {
			assert_int_equal(open_checks(), VT_OK);
			assert_int_equal(checks_begin(checks, 1), VT_OK);
			seen.rule[0] = '\0';
			assert_int_equal(feed(end, buf_bytes(&w->entry[i].bytes)), VT_OK);
			assert_int_equal(checks_finish(checks), VT_OK);
			assert_string_equal(seen.rule, "entry-known");
			seen.at = end;
		}
		mark = here;
		assert_int_equal(open_checks(), VT_OK);
	}
}

/* Also after a restart, and for the threads that opened them ahead. */
static void without_entry_zero_nothing_is_judged(void **state)
{
	(void)state;
	assert_int_equal(open_checks_for(w->stranger, false), VT_OK);
	replay(0, 7);
	assert_int_equal(open_checks_for(w->stranger, false), VT_OK);
	replay(7, w->n);
	assert_int_equal(seen.refused, 1);
	assert_string_equal(seen.rule, "accreditation-entry-zero");
	assert_int_equal(seen.unjudged, w->n - 1);
	assert_int_equal(registry_count(checks_registry(checks)), 0);
}

static void any_centre_may_begin_a_log_for_who_asks_that(void **state)
{
	(void)state;
	assert_int_equal(open_checks_for(w->stranger, true), VT_OK);
	replay(0, w->n);
	assert_int_equal(seen.admissible, w->n);
	assert_true(bytes_equal(party_key_spki(registry_at(checks_registry(checks), 0)->key),
				world_spki(w->centre)));
}

static void what_is_refused_counts_for_nothing_that_follows(void **state)
{
	struct buf bent;

	(void)state;
	buf_init(&bent);
	/* Not the accreditation of the laboratory, but one that a stranger may have written. */
	assert_int_equal(buf_append(&bent, buf_bytes(&w->entry[1].bytes)), VT_OK);
	bent.data[bent.len - 10] ^= 1;
	assert_int_equal(checks_begin(checks, THREADS), VT_OK);
	assert_int_equal(feed(0, buf_bytes(&w->entry[0].bytes)), VT_OK);
	assert_int_equal(feed(1, buf_bytes(&bent)), VT_OK);
	assert_int_equal(feed(2, buf_bytes(&w->entry[2].bytes)), VT_OK);
	for (uint64_t i = 3; i < w->n; i++)
		assert_int_equal(feed(i, buf_bytes(&w->entry[i].bytes)), VT_OK);
	assert_int_equal(checks_finish(checks), VT_OK);
	assert_int_equal(seen.admissible, 2);
	assert_int_equal(seen.refused, w->n - 2);
	buf_release(&bent);
}

static void an_entry_that_cannot_be_read_again_is_no_verdict(void **state)
{
	(void)state;
	replay(0, 5);
	read_error = VT_EIO;
	assert_int_equal(checks_begin(checks, 1), VT_OK);
	assert_int_equal(feed(5, buf_bytes(&w->entry[5].bytes)), VT_OK);
	assert_int_equal(checks_finish(checks), VT_EIO);
	checks_end(checks);
	assert_int_equal(seen.at, 5);
	read_error = VT_OK;
	assert_int_equal(open_checks(), VT_OK);
	replay(5, w->n);
	assert_int_equal(seen.refused, 0);
}

/* Nothing that a log may have put into its tree keeps a replay from going on. */
static void what_leans_on_an_entry_that_is_no_record_is_refused(void **state)
{
	struct compose_correction correction = {.reason = "it should not be there"};
	struct buf statement, body;
	struct record *r;

	(void)state;
	correction.target.index = w->n;
	assert_int_equal(merkle_hash_leaf(&correction.target.leaf, &w->h, bytes_str(no_record)),
			 VT_OK);
	buf_init(&statement);
	assert_int_equal(compose_correction(&statement, &correction, &w->why), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->vendor);
	assert_int_equal(record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, &w->why), VT_OK);
	replay(0, w->n);
	assert_int_equal(checks_begin(checks, THREADS), VT_OK);
	assert_int_equal(feed(w->n, bytes_str(no_record)), VT_OK);
	assert_int_equal(feed(w->n + 1, record_entry(r)), VT_OK);
	assert_int_equal(checks_finish(checks), VT_OK);
	assert_int_equal(seen.refused, 2);
	assert_string_equal(seen.rule, "entry-reference");
	record_free(r);
	buf_release(&statement);
	buf_release(&body);
}

static void a_damaged_registry_does_not_open(void **state)
{
	uint64_t len;

	(void)state;
	replay(0, w->n);
	len = mark.registry_bytes;
	for (uint64_t at = 0; at < len; at += 101) {
		FILE *f = fopen(scratch_path("registry"), "r+b");
		int byte;
		assert_non_null(f);
		fseek(f, (long)at, SEEK_SET);
		byte = fgetc(f);
		fseek(f, (long)at, SEEK_SET);
		fputc(byte ^ 4, f);
		fclose(f);
		assert_int_equal(open_checks(), VT_EMISMATCH);
		assert_non_null(strstr(why, "registry"));
		f = fopen(scratch_path("registry"), "r+b");
		fseek(f, (long)at, SEEK_SET);
		fputc(byte, f);
		fclose(f);
	}
	assert_int_equal(open_checks(), VT_OK);
}

/* -- watches ---------------------------------------------------------------------------------- */

static void watches_are_read_or_refused_with_a_reason(void **state)
{
	static const char *const good[] = {
	    "subject=" DIGEST,
	    "subject=sha256:" DIGEST ",result=FAILED",
	    "type=https://example.com/a,b,party=lab-1",
	    "result=warned,type=verdict,party=LAB-1",
	};
	static const char *const bad[] = {
	    "",
	    "colour=red",
	    "subject=",
	    "subject=abc",
	    "subject=md5:0",
	    "result=good",
	    "result=FAILED,",
	    "result=FAILED,result=PASSED",
	    "party",
	    " party=a",
	    "party=lab-1,",
	    "party=lab 1",
	    "type=verdicts",
	    "type=firmware,result=FAILED",
	    "subject=sha256:" DIGEST "0",
	};
	struct watch_set set;
	char reason[CONDITIONS_WHY_MAX];
	size_t line;

	(void)state;
	watch_set_init(&set);
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_int_equal(watch_set_add(&set, bytes_str(good[i]), reason), VT_OK);
	assert_string_equal(set.watch[2].conditions.text[CONDITION_TYPE],
			    "https://example.com/a,b");
	assert_string_equal(set.watch[2].conditions.text[CONDITION_PARTY], "lab-1");
	assert_string_equal(set.watch[3].text, "result=warned,type=verdict,party=LAB-1");
	assert_string_equal(set.watch[3].conditions.type[0], PREDICATE_TEST_RESULT);
	assert_string_equal(set.watch[3].conditions.text[CONDITION_PARTY], "lab-1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		reason[0] = '\0';
		if (watch_set_add(&set, bytes_str(bad[i]), reason) != VT_EMALFORMED)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_true(reason[0] != '\0');
	}
	assert_int_equal(set.n, 4);
	assert_int_equal(
	    watch_set_add_lines(&set, bytes_str("# a\n\n  party=x \r\nparty=\n"), &line, reason),
	    VT_EMALFORMED);
	assert_int_equal(line, 4);
	assert_int_equal(set.n, 5);
	watch_set_release(&set);
}

static void a_watch_fits_when_all_of_it_does(void **state)
{
	static const struct {
		const char *text;
		bool fits;
	} cases[] = {
	    {"subject=" DIGEST, true},
	    {"subject=sha256:" DIGEST ",party=lab-1,type=verdict,result=FAILED", true},
	    {"subject=sha512_256:" DIGEST, false},
	    {"subject=SHA256:" DIGEST ",type=" PREDICATE_TEST_RESULT, true},
	    {"type=HTTPS://In-toto.io/attestation/test-result/v0.1", true},
	    {"type=https://in-toto.io/attestation/Test-result/v0.1", false},
	    {"party=lab-1", true},
	    {"party=LAB-1,result=failed", true},
	    {"party=lab", false},
	    {"party=acme", false},
	    {"result=PASSED", false},
	    {"type=firmware", false},
	    {"subject=" DIGEST ",result=PASSED", false},
	};
	struct watch_set set;
	struct record *r;
	char reason[CONDITIONS_WHY_MAX];

	(void)state;
	struct admission_view view = w->view;
	view.size = 3;
	assert_int_equal(record_reopen(&r, &w->h, buf_bytes(&w->entry[3].bytes), &view, &w->why),
			 VT_OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		watch_set_init(&set);
		if (watch_set_add(&set, bytes_str(cases[i].text), reason) != VT_OK)
			fail_msg("%s: %s", cases[i].text, reason);
		if (watch_fits(&set.watch[0], r) != cases[i].fits)
			fail_msg("%s", cases[i].text);
		watch_set_release(&set);
	}
	record_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(all_of_an_honest_log_is_admissible_wherever_it_is_cut),
	    TEST(a_record_that_is_there_already_is_found_after_each_entry),
	    TEST(without_entry_zero_nothing_is_judged),
	    TEST(any_centre_may_begin_a_log_for_who_asks_that),
	    TEST(what_is_refused_counts_for_nothing_that_follows),
	    TEST(an_entry_that_cannot_be_read_again_is_no_verdict),
	    TEST(what_leans_on_an_entry_that_is_no_record_is_refused),
	    TEST(a_damaged_registry_does_not_open),
	    TEST(watches_are_read_or_refused_with_a_reason),
	    TEST(a_watch_fits_when_all_of_it_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
