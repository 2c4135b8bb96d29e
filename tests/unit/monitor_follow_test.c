/* A monitor against a log that exists only in this process, and that does what logs must not. */
#include "vitrine_test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "failing_readdir.h"
#include "fake_log.h"
#include "json.h"
#include "monitor.h"
#include "record_world.h"
#include "scratch.h"
#include "test_policy.h"
#include "vitrine/checkpoint.h"
#include "vitrine/evidence.h"

enum {
	ALERTS_MAX = 64,
};

static struct policy *policy;
static struct monitor *monitor;
static struct monitor_config config;
static char state_dir[600];
static unsigned states;

static struct json *alert[ALERTS_MAX];
static size_t n_alerts;
static bool refuse_alerts;
static struct buf evidence, observed;

static uint64_t now;
static uint64_t seconds_per_question; /* that passed whenever somebody asks for the time */

/* Before the how-manieth question of a look (0: none) how long passes. */
static unsigned questions, late_question;
static uint64_t late_seconds;

static uint64_t test_now(void)
{
	if (++questions == late_question)
		now += late_seconds;
	return now += seconds_per_question;
}

static bool take_alert(void *ctx, struct bytes text)
{
	(void)ctx;
	if (refuse_alerts)
		return false;
	assert_true(n_alerts < ALERTS_MAX);
	assert_int_equal(json_parse(&alert[n_alerts++], text, NULL), VT_OK);
	return true;
}

static void take_evidence(void *ctx, const char *origin, struct bytes text)
{
	(void)ctx;
	assert_string_equal(origin, "la.example");
	buf_reset(&evidence);
	assert_int_equal(buf_append(&evidence, text), VT_OK);
}

static void take_observed(void *ctx, const char *origin, struct bytes note)
{
	(void)ctx;
	(void)origin;
	buf_reset(&observed);
	assert_int_equal(buf_append(&observed, note), VT_OK);
}

static void open_monitor(const char *policy_template)
{
	char why[MONITOR_WHY_MAX];
	struct policy_error reason;
	struct buf text;

	monitor_free(monitor);
	policy_free(policy);
	buf_init(&text);
	test_policy_text(&text, policy_template);
	assert_int_equal(policy_parse(&policy, buf_bytes(&text), &reason), VT_OK);
	buf_release(&text);
	config.policy = policy;
	if (access(state_dir, F_OK) != 0 && monitor_init(state_dir, policy, why) != VT_OK)
		fail_msg("%s", why);
	if (monitor_new(&monitor, &config, why) != VT_OK)
		fail_msg("%s", why);
}

#define PLAIN  "log $La " FAKE_LOG_URL "\nquorum none\n"
#define QUORUM "log $La " FAKE_LOG_URL "\nwitness w1 $Wa\nquorum w1\n"

static void restart(void)
{
	open_monitor(PLAIN);
}

static int set_up(void **state)
{
	(void)state;
	fake_log_reset('a');
	fake_log_grow(300, "one");
	fake_log_publish();
	now = 1800000000;
	seconds_per_question = late_question = 0;
	refuse_alerts = false;
	snprintf(state_dir, sizeof(state_dir), "%s/%u", scratch_folder(), states++);
	config = (struct monitor_config){.state_dir = state_dir,
					 .read_seconds = 1,
					 .again_millis = 1,
					 .now = test_now,
					 .commit_entries = 64,
					 .print = take_alert,
					 .evidence = take_evidence,
					 .observed = take_observed};
	restart();
	return 0;
}

static void forget_alerts(void)
{
	while (n_alerts > 0)
		json_free(alert[--n_alerts]);
}

static void remove_all(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	char name[1200];

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		if (unlink(name) != 0)
			remove_all(name);
	}
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

static int tear_down(void **state)
{
	(void)state;
	monitor_free(monitor);
	monitor = NULL;
	policy_free(policy);
	policy = NULL;
	forget_alerts();
	buf_release(&evidence);
	buf_release(&observed);
	fake_log_release();
	remove_all(state_dir);
	return 0;
}

static enum monitor_outcome look(void)
{
	enum monitor_outcome outcome = monitor_once(monitor);

	monitor_deliver(monitor, 10);
	return outcome;
}

static void assert_followed(uint64_t size)
{
	struct tree_head expected = fake_log_head_at(size);
	struct monitor_log_status s;

	monitor_log_status(monitor, 0, &s);
	assert_int_equal(s.head.size, size);
	assert_true(merkle_hash_equal(&s.head.root, &expected.root));
}

static bool text_is(const struct json *j, const char *name, const char *text)
{
	struct bytes b;

	return json_text(json_member(j, name), &b) && bytes_is(b, text);
}

static void assert_told(const char *kind)
{
	assert_int_equal(n_alerts, 1);
	assert_true(text_is(alert[0], "kind", kind));
	assert_true(text_is(alert[0], "log", "la.example"));
	assert_non_null(json_member(alert[0], "id"));
}

static void assert_evidence(void)
{
	struct note_signer key = test_log('a');
	struct merkle_hasher h;
	const char *why = "";

	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	if (evidence_verify(NULL, &why, &h, buf_bytes(&evidence), &key.key) != VT_OK)
		fail_msg("%s", why);
	merkle_hasher_release(&h);
}

/* -- following -------------------------------------------------------------------------------- */

static void it_follows_and_goes_on_where_it_stopped(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(300);
	fake_log_grow(1000, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(1000);
	restart();
	assert_followed(1000);
	unsigned before = fake_log_requests_of("/tile/entries/000");
	fake_log_grow(1001, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(1001);
	assert_int_equal(fake_log_requests_of("/tile/entries/000"), before);
	assert_int_equal(n_alerts, 0);
	assert_true(bytes_equal(buf_bytes(&observed), fake_log_checkpoint()));
}

static void an_empty_log_is_followed_too(void **state)
{
	(void)state;
	fake_log_cut(0);
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(0);
	fake_log_grow(2, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(2);
}

static void roots_and_proofs_below_what_was_followed_are_the_trees(void **state)
{
	struct tree_head second = fake_log_head_at(300);
	struct merkle_hasher h;
	struct merkle_hash root;
	struct merkle_proof proof;
	struct buf note;

	(void)state;
	buf_init(&note);
	assert_int_equal(monitor_head(monitor, "la.example", &note), VT_ENOTFOUND);
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	for (uint64_t size = 0; size <= 300; size++) {
		struct tree_head head = fake_log_head_at(size);
		assert_int_equal(monitor_root_at(monitor, "la.example", size, &root), VT_OK);
		assert_true(merkle_hash_equal(&root, &head.root));
		assert_int_equal(monitor_consistency(monitor, "la.example", size, 300, &proof),
				 VT_OK);
		if (size > 0)
			assert_int_equal(proof_verify_consistency(&h, &proof, &head, &second),
					 VT_OK);
	}
	assert_int_equal(monitor_root_at(monitor, "la.example", 301, &root), VT_ENOTFOUND);
	assert_int_equal(monitor_root_at(monitor, "lb.example", 1, &root), VT_ENOTFOUND);
	assert_int_equal(monitor_head(monitor, "la.example", &note), VT_OK);
	assert_true(bytes_equal(buf_bytes(&note), fake_log_checkpoint()));
	buf_release(&note);
	merkle_hasher_release(&h);
}

static void damaged_tiles_give_no_root_and_no_start(void **state)
{
	char why[MONITOR_WHY_MAX], path[1200] = "", logs[700];
	struct merkle_hash root;
	struct dirent *e;
	DIR *dir;
	FILE *f;

	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	snprintf(logs, sizeof(logs), "%s/logs", state_dir);
	dir = opendir(logs);
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			snprintf(path, sizeof(path), "%s/%s/tiles-0", logs, e->d_name);
	closedir(dir);
	f = fopen(path, "r+b");
	assert_non_null(f);
	fseek(f, 5 * MERKLE_HASH_SIZE, SEEK_SET);
	fputc('x', f);
	fflush(f);
	assert_int_equal(monitor_root_at(monitor, "la.example", 7, &root), VT_EMISMATCH);
	assert_int_equal(monitor_root_at(monitor, "la.example", 256, &root),
			 VT_OK); /* tile above */
	monitor_free(monitor);
	monitor = NULL;
	fseek(f, 299 * MERKLE_HASH_SIZE, SEEK_SET);
	fputc('x', f);
	fclose(f);
	assert_int_equal(monitor_new(&monitor, &config, why), VT_EMISMATCH);
	assert_non_null(strstr(why, "tiles"));
}

/* -- what logs must not do -------------------------------------------------------------------- */

static void a_fork_at_the_same_size_is_told_with_evidence(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_cut(299);
	fake_log_grow(300, "two");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("forked");
	assert_evidence();
	assert_int_equal(look(), MONITOR_FAULT); /* told once */
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 1);
}

static void fork_after(uint64_t seen, uint64_t common, uint64_t shown)
{
	fake_log_cut(common);
	fake_log_grow(seen, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_cut(common);
	fake_log_grow(shown, "two");
	fake_log_publish();
}

static void a_fork_that_has_grown_is_told_with_evidence(void **state)
{
	(void)state;
	fork_after(300, 256, 700);
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("forked");
	assert_evidence();
}

static void a_fork_that_has_grown_is_found_after_a_restart_too(void **state)
{
	(void)state;
	fork_after(300, 10, 700);
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("forked");
	assert_evidence();
}

static void a_smaller_fork_is_told_with_evidence_from_the_kept_tiles(void **state)
{
	(void)state;
	fork_after(300, 10, 256);
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("forked");
	assert_evidence();
}

static void a_fork_without_quorum_is_a_fork_all_the_same(void **state)
{
	(void)state;
	open_monitor(QUORUM);
	fake_log_publish_at(300, "a");
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_cut(10);
	fake_log_grow(200, "two");
	fake_log_publish_at(200, "");
	assert_int_equal(look(), MONITOR_FAULT);
	assert_true(text_is(alert[0], "kind", "forked"));
	assert_evidence();
}

static void a_head_that_goes_backwards_is_told_once_until_it_is_over(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_publish_at(200, "");
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("backwards");
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 1);
	assert_followed(300);
	fake_log_grow(310, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(310);
	fake_log_publish_at(200, "");
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 2);
}

static void a_missing_quorum_is_told_and_nothing_is_followed(void **state)
{
	(void)state;
	open_monitor(QUORUM);
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("quorum");
	assert_followed(0);
	fake_log_publish_at(300, "a");
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(300);
	assert_int_equal(n_alerts, 1);
}

static void answers_that_are_no_checkpoint_are_told(void **state)
{
	static const struct {
		const char *text, *kind;
	} cases[] = {
	    {"<html>moved</html>", "malformed"},
	    {"la.example\n300\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"
	     "\xe2\x80\x94 other.example AAAAAAAA\n",
	     "untrusted"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		forget_alerts();
		fake_log_serve_checkpoint(bytes_str(cases[i].text));
		assert_int_equal(look(), MONITOR_FAULT);
		assert_told(cases[i].kind);
		fake_log_publish();
		assert_int_equal(look(), MONITOR_HOLDS);
	}
}

static void a_signature_that_fails_is_told(void **state)
{
	struct buf bent;

	(void)state;
	buf_init(&bent);
	assert_int_equal(buf_append(&bent, fake_log_checkpoint()), VT_OK);
	bent.data[11] = '4'; /* the size */
	fake_log_serve_checkpoint(buf_bytes(&bent));
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("untrusted");
	assert_int_equal(observed.len, 0);
	buf_release(&bent);
}

static void entries_that_do_not_make_the_root_are_told_and_not_followed(void **state)
{
	static const struct fake_fault bent = {
	    .path = "/tile/entries/000", .times = 1000, .status = 200, .flip_bit = 77};

	(void)state;
	fake_log_fault(&bent);
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("contradicts");
	assert_followed(0);
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(300);
}

static void a_bundle_that_is_none_is_told_once_until_it_is_over(void **state)
{
	static const struct fake_fault bent = {
	    .path = "/tile/entries/000", .times = 1000, .status = 200, .cut = 3};

	(void)state;
	fake_log_fault(&bent);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(look(), MONITOR_FAULT);
		assert_told("malformed");
		restart();
	}
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_grow(301, "one");
	fake_log_publish();
	fake_log_serve_checkpoint(bytes_str("nothing"));
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 2);
}

static void what_was_replayed_before_a_failure_counts(void **state)
{
	static const struct fake_fault gone = {
	    .path = "/tile/entries/002", .times = 1000, .status = 404};
	struct monitor_log_status s;

	(void)state;
	fake_log_grow(1000, "one");
	fake_log_publish();
	fake_log_fault(&gone);
	assert_int_equal(look(), MONITOR_UNSURE);
	restart();
	monitor_log_status(monitor, 0, &s);
	assert_int_equal(s.head.size, 512);
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(1000);
	assert_int_equal(fake_log_requests_of("/tile/entries/000"),
			 1 + 1); /* and one for its mode */
}

static void silence_is_told_after_its_deadline_only(void **state)
{
	static const struct fake_fault down = {.times = 1000000};

	(void)state;
	config.silent_seconds = 2;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_fault(&down);
	now += 1;
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 0);
	now += 1;
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_told("silent");
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 1);
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
}

/* The second look can be told by its header, so a log could answer the first alone. */
static void an_answer_that_no_second_look_bears_out_ends_no_silence(void **state)
{
	static const struct fake_fault page = {.path = "/checkpoint",
					       .times = 1000000,
					       .status = 200,
					       .body = "<html>Sign in</html>",
					       .cached = true},
				       gone = {.times = 1000000, .status = 404};

	(void)state;
	config.silent_seconds = 2;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_fault(&page);
	fake_log_fault(&gone);
	now += 1;
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 0);
	now += 1;
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_told("silent");
	now += 10;
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 1);
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
}

static void a_log_that_never_answered_is_silent_over_restarts(void **state)
{
	static const struct fake_fault down = {.times = 1000000};

	(void)state;
	config.silent_seconds = 2;
	fake_log_fault(&down);
	for (unsigned run = 0; run < 3; run++) {
		restart();
		assert_int_equal(n_alerts, 0);
		assert_int_equal(look(), MONITOR_UNSURE);
		now += 1;
	}
	assert_told("silent");
}

/* What /checkpoint says from now on: the whole log, with a line more behind the root. */
static void publish_with(const char *line)
{
	struct tree_head head = fake_log_head_at(fake_log_size());
	struct note_signer key = test_log('a');
	struct buf text, note;

	buf_init(&text);
	buf_init(&note);
	fake_log_publish();
	assert_int_equal(checkpoint_format(&text, key.key.name, &head), VT_OK);
	assert_int_equal(buf_append_str(&text, line), VT_OK);
	assert_int_equal(note_sign(&note, buf_bytes(&text), &key, 1), VT_OK);
	fake_log_serve_checkpoint(buf_bytes(&note));
	buf_release(&text);
	buf_release(&note);
}

static void whatever_a_log_signs_can_be_remembered(void **state)
{
	/* Each may stand in a signed note, and some in no JSON. */
	static const char *const lines[] = {"\xef\xbf\xbf\n", "\xef\xb7\x90\n",
					    "\xf4\x8f\xbf\xbf\n", "\\ud800\n", "\x7f\"\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		fake_log_grow(301 + i, "one");
		publish_with(lines[i]);
		assert_int_equal(look(), MONITOR_HOLDS);
		restart();
		assert_followed(301 + i);
	}
}

static void kept_back(const char *path)
{
	struct fake_fault gone = {.path = path, .times = 1000000, .status = 404};
	struct monitor_log_status s;

	config.silent_seconds = 2;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_grow(1000, "one");
	fake_log_publish();
	fake_log_fault(&gone);
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 0);
	/* It goes on showing larger heads, and the deadline does not begin anew with a restart. */
	restart();
	fake_log_grow(1010, "one");
	fake_log_publish();
	now += 1;
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 0);
	now += 1;
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("withheld");
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 1);
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(1010);
	monitor_log_status(monitor, 0, &s);
	assert_int_equal(s.since[TROUBLE_WITHHELD], 0);
}

/* -- what stands ------------------------------------------------------------------------------ */

static struct standing_list standing;

static void read_standing(void)
{
	standing_list_release(&standing);
	assert_int_equal(monitor_standing(monitor, &standing), VT_OK);
}

static void assert_stands(const char *kind)
{
	read_standing();
	assert_int_equal(standing.n, 1);
	assert_string_equal(standing.item[0].kind, kind);
	assert_string_equal(standing.item[0].origin, "la.example");
	assert_int_equal(standing.item[0].since, 1800000000);
}

/* A fork, and the evidence of it, which is a file with the time of its own. */
static void assert_fork_stands(void)
{
	size_t forks = 0;

	read_standing();
	assert_int_equal(standing.n, 2);
	assert_int_equal(standing_list_count(&standing, "la.example"), 2);
	for (size_t i = 0; i < standing.n; i++)
		forks += strcmp(standing.item[i].kind, "forked") == 0;
	assert_int_equal(forks, 1);
}

static void assert_nothing_stands(void)
{
	read_standing();
	assert_int_equal(standing.n, 0);
	standing_list_release(&standing);
}

static void acknowledge_what_stands(void)
{
	read_standing();
	for (size_t i = 0; i < standing.n; i++) {
		assert_true(standing.item[i].for_good);
		assert_int_equal(standing_acknowledge(state_dir, &standing.item[i], "looked into"),
				 VT_OK);
	}
	standing_list_release(&standing);
}

static void show_history(const char *history)
{
	fake_log_cut(299);
	fake_log_grow(300, history);
	fake_log_publish();
}

static void a_proven_fork_stands_although_the_log_shows_the_right_branch_again(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_nothing_stands();
	show_history("two");
	assert_int_equal(look(), MONITOR_FAULT);
	show_history("one");
	for (unsigned i = 0; i < 3; i++) {
		now += 10;
		assert_int_equal(look(), MONITOR_FAULT);
		assert_fork_stands();
		if (i == 1)
			restart();
	}
	assert_told("forked");
	/* It is followed all the same. */
	fake_log_grow(310, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_followed(310);
	acknowledge_what_stands();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_nothing_stands();
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	/* What comes after is new. */
	fake_log_cut(300);
	fake_log_grow(310, "three");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 2);
}

static void a_fork_that_is_acknowledged_is_a_fault_while_it_is_shown(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	show_history("two");
	assert_int_equal(look(), MONITOR_FAULT);
	acknowledge_what_stands();
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 1);
	show_history("one");
	assert_int_equal(look(), MONITOR_HOLDS);
}

/* Entry 0 is an envelope by nobody, so what follows cannot be judged: one fault, not one of each. */
static void an_entry_that_must_not_be_there_stands(void **state)
{
	(void)state;
	monitor_free(monitor);
	monitor = NULL;
	remove_all(state_dir);
	fake_log_cut(0);
	fake_log_add(
	    bytes_str("{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.in-toto+json\","
		      "\"signatures\":[{\"keyid\":\"\",\"sig\":\"AAAA\"}]}"));
	fake_log_grow(300, "one");
	fake_log_publish();
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("inadmissible");
	for (unsigned i = 0; i < 3; i++) {
		now += 10;
		fake_log_grow(310 + i, "one");
		fake_log_publish();
		assert_int_equal(look(), MONITOR_FAULT);
		restart();
		assert_stands("inadmissible");
	}
	assert_int_equal(n_alerts, 1);
	acknowledge_what_stands();
	assert_int_equal(look(), MONITOR_HOLDS);
}

static void put_file_in_place_of(const char *folder)
{
	char path[700];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", state_dir, folder);
	remove_all(path);
	assert_non_null(file = fopen(path, "w"));
	assert_int_equal(fclose(file), 0);
}

static enum vt_err also_stands(void *ctx, struct standing_list *out)
{
	const struct standing one = {
	    .kind = "unresolved", .origin = "la.example", .since = 1800000000};

	(void)ctx;
	return standing_list_add(out, &one);
}

static void what_others_know_stands_too(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_nothing_stands();
	config.standing = also_stands;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_stands("unresolved");
}

static void what_cannot_be_read_is_not_nothing(void **state)
{
	struct standing_list all;
	char path[700];

	(void)state;
	standing_list_init(&all);
	assert_int_equal(look(), MONITOR_HOLDS);
	snprintf(path, sizeof(path), "%s/gossip", state_dir);
	assert_nothing_stands(); /* no evidence has ever come */
	assert_int_equal(standing_of_folder(&all, state_dir), VT_OK);
	put_file_in_place_of("gossip/evidence");
	assert_int_equal(monitor_standing(monitor, &all), VT_EIO);
	assert_int_equal(standing_of_folder(&all, state_dir), VT_EIO);
	remove_all(path);
	put_file_in_place_of("logs");
	assert_int_equal(standing_of_folder(&all, state_dir), VT_EIO);
	standing_list_release(&all);
}

/* Its checkpoints lack the quorum, and whatever else is said of them would be untrue. */
static void without_memory_nothing_untrue_is_told(void **state)
{
	bool failed = true;

	(void)state;
	refuse_alerts = true;
	for (unsigned n = 1; failed; n++) {
		snprintf(state_dir, sizeof(state_dir), "%s/%u", scratch_folder(), states++);
		open_monitor(QUORUM);
		alloc_fail_at(n);
		(void)monitor_once(monitor);
		failed = alloc_failed();
		(void)monitor_deliver(monitor, 0);
		read_standing();
		for (size_t i = 0; i < standing.n; i++)
			assert_string_equal(standing.item[i].kind, "quorum");
		if (!failed)
			assert_int_equal(standing.n, 1);
		monitor_free(monitor);
		monitor = NULL;
		remove_all(state_dir);
	}
	standing_list_release(&standing);
}

/* -- what may be a cache's -------------------------------------------------------------------- */

static void one_bad_answer_is_looked_at_twice(void **state)
{
	char stale[600];
	const struct fake_fault cases[] = {
	    {.path = "/checkpoint", .body = stale},
	    {.path = "/checkpoint", .body = "<html>Sign in to this network</html>"},
	    {.path = "/checkpoint", .cut = 9},
	    {.path = "/tile/entries/002", .flip_bit = 100},
	    {.path = "/tile/entries/002", .cut = 9},
	    {.path = "/tile/0/002", .flip_bit = 100},
	};
	uint64_t size = 600;

	(void)state;
	snprintf(stale, sizeof(stale), "%.*s", (int)fake_log_checkpoint().len,
		 (const char *)fake_log_checkpoint().data);
	fake_log_grow(size, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_HOLDS);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fake_fault once = cases[i], cached = cases[i];

		once.status = cached.status = 200;
		once.times = 1;
		cached.times = 1000;
		cached.cached = true;
		fake_log_grow(size += 256, "one");
		fake_log_publish();
		fake_log_fault(&once);
		assert_int_equal(look(), MONITOR_HOLDS);
		fake_log_mend();
		fake_log_grow(size += 256, "one");
		fake_log_publish();
		fake_log_fault(&cached);
		assert_int_equal(look(), MONITOR_HOLDS);
		fake_log_mend();
		assert_followed(size);
	}
	assert_int_equal(n_alerts, 0);
	assert_nothing_stands();
}

static void what_cannot_be_looked_at_twice_is_not_known(void **state)
{
	const struct fake_fault page = {.path = "/checkpoint",
					.times = 1,
					.status = 200,
					.body = "<html>Sign in</html>"},
				gone = {.times = 1000000};

	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_fault(&page);
	fake_log_fault(&gone);
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_int_equal(n_alerts, 0);
	assert_nothing_stands();
}

/* -- lag -------------------------------------------------------------------------------------- */

static char last_path[32];

/* Bundles up to n are served. */
static void serve_bundles(unsigned n)
{
	struct fake_fault gone = {.path = last_path, .times = 1000000, .status = 404};

	fake_log_mend();
	snprintf(last_path, sizeof(last_path), "/tile/entries/%03u", n);
	fake_log_fault(&gone);
}

/* The first bundle is followed; then there are so many. */
static void follow_one_then_grow_to(unsigned bundles)
{
	fake_log_cut(256);
	fake_log_publish();
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_grow((uint64_t)bundles * 256, "one");
	fake_log_publish();
}

static void a_log_that_gives_out_a_bundle_now_and_then_is_told_of(void **state)
{
	struct monitor_log_status s;

	(void)state;
	config.silent_seconds = 100;
	follow_one_then_grow_to(20);
	for (unsigned i = 1; i <= 10; i++) {
		serve_bundles(i);
		assert_int_equal(look(), MONITOR_UNSURE);
		assert_int_equal(n_alerts, 0);
		now += 10;
		if (i == 5)
			restart();
	}
	serve_bundles(11);
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("withheld");
	serve_bundles(12);
	now += 10;
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 1);
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
	monitor_log_status(monitor, 0, &s);
	assert_int_equal(s.since[TROUBLE_WITHHELD], 0);
	assert_nothing_stands();
}

/* Each entry takes a second, and after each bundle the line breaks: nobody keeps anything back. */
static void a_long_catch_up_from_a_slow_log_is_not_withheld(void **state)
{
	(void)state;
	config.silent_seconds = 300;
	fake_log_cut(0);
	fake_log_grow((uint64_t)20 * 256, "one");
	fake_log_publish();
	restart();
	seconds_per_question = 1;
	for (unsigned i = 1; i <= 15; i++) {
		serve_bundles(i);
		assert_int_equal(look(), MONITOR_UNSURE);
		now += 40;
	}
	assert_int_equal(n_alerts, 0);
	/* Then it refuses, and that is told. */
	for (unsigned i = 0; i < 20 && n_alerts == 0; i++) {
		now += 40;
		look();
	}
	assert_told("withheld");
}

/* At each look so many bundles, of which the late question falls before an entry, and then a refusal. Returns after
 * how many looks that is told. */
static unsigned give_out(unsigned bundles, unsigned question, unsigned silent_seconds)
{
	config.silent_seconds = silent_seconds;
	follow_one_then_grow_to(40);
	late_question = question;
	late_seconds = 29;
	for (unsigned i = 1; i <= 15; i++) {
		serve_bundles(1 + i * bundles);
		questions = 0;
		if (look() == MONITOR_FAULT) {
			assert_told("withheld");
			return i;
		}
		now += 10;
	}
	return 0;
}

static void waiting_for_a_bundle_is_no_time_in_which_entries_came_in(void **state)
{
	(void)state;
	/* The first refusal, and 39 seconds with each look after it. */
	assert_int_equal(give_out(1, 2, 100), 4);
}

static void a_log_that_trickles_is_told_of_all_the_same(void **state)
{
	(void)state;
	/* Each look has one bundle at its beginning and one at its end: 24 times the deadline is all that this gains. */
	assert_int_equal(give_out(2, 300, 10), 9);
}

enum { A_DAY = 86400 };

/* As from cron: after how many runs, a day apart, the log is told of. */
static unsigned runs_until_told(const char *kind)
{
	for (unsigned run = 1; run <= 200; run++) {
		restart();
		look();
		if (n_alerts > 0) {
			assert_told(kind);
			return run;
		}
		now += A_DAY;
	}
	return 0;
}

static void a_pause_in_which_nobody_looked_is_no_withholding(void **state)
{
	(void)state;
	config.silent_seconds = 100;
	follow_one_then_grow_to(20);
	/* A hiccup today and one tomorrow. */
	for (unsigned day = 1; day <= 2; day++) {
		serve_bundles(day);
		assert_int_equal(look(), MONITOR_UNSURE);
		assert_int_equal(n_alerts, 0);
		now += A_DAY;
	}
	fake_log_mend();
	assert_int_equal(look(), MONITOR_HOLDS);
	/* Every day from the first to the fifth: four pauses. */
	fake_log_grow((uint64_t)30 * 256, "one");
	fake_log_publish();
	serve_bundles(20);
	assert_int_equal(runs_until_told("withheld"), 5);
}

static void a_pause_in_which_nobody_looked_is_no_silence(void **state)
{
	static const struct fake_fault down = {.times = 1000000};

	(void)state;
	config.silent_seconds = 100;
	restart();
	for (unsigned day = 1; day <= 6; day++) {
		assert_int_equal(look(), MONITOR_HOLDS);
		now += A_DAY;
		fake_log_fault(&down);
		assert_int_equal(look(), MONITOR_UNSURE);
		assert_int_equal(n_alerts, 0);
		now += A_DAY;
		fake_log_mend();
	}
	assert_int_equal(look(), MONITOR_HOLDS);
	now += A_DAY;
	fake_log_fault(&down);
	assert_int_equal(runs_until_told("silent"), 4);
}

static void entries_that_are_kept_back_are_told_after_a_deadline(void **state)
{
	(void)state;
	kept_back("/tile/entries/001");
}

static void tiles_that_are_kept_back_are_told_after_a_deadline(void **state)
{
	(void)state;
	kept_back("/tile/1/000.p/3");
}

static unsigned files_of_evidence(void)
{
	char path[700];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/evidence", state_dir);
	assert_non_null(dir = opendir(path));
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void a_log_that_changes_sides_at_each_look_fills_no_disk(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++) {
		fake_log_grow(301 + i, "one");
		fake_log_publish();
		look();
		fake_log_cut(200);
		fake_log_grow(301 + i, i % 2 == 0 ? "another" : "a third");
		fake_log_publish();
		assert_int_equal(look(), MONITOR_FAULT);
		if (i == 20)
			restart();
		fake_log_cut(200);
		fake_log_grow(301 + i, "one");
		forget_alerts();
	}
	assert_int_equal(files_of_evidence(), MONITOR_EVIDENCE_MAX);
}

/* -- alerts and the folder -------------------------------------------------------------------- */

static void an_alert_that_nobody_took_waits_over_a_restart(void **state)
{
	struct monitor_status s;

	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	fake_log_publish_at(200, "");
	refuse_alerts = true;
	assert_int_equal(monitor_once(monitor), MONITOR_FAULT);
	assert_false(monitor_deliver(monitor, 1));
	refuse_alerts = false;
	restart();
	monitor_status(monitor, &s);
	assert_int_equal(s.waiting, 1);
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("backwards");
	monitor_status(monitor, &s);
	assert_int_equal(s.waiting, 0);
}

static void raise_alerts(const char *origin)
{
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(monitor_alert(monitor, "unresolved", origin,
					       bytes_of(&i, sizeof(i)), "a head waits", NULL),
				 VT_OK);
}

static void alerts_that_nobody_takes_stop_the_log_that_they_are_about(void **state)
{
	(void)state;
	config.waiting_max = 3000;
	refuse_alerts = true;
	restart();
	raise_alerts("somebody.else");
	assert_int_equal(monitor_once(monitor), MONITOR_HOLDS);
	assert_false(monitor_deliver(monitor, 0));
	assert_followed(300);
	raise_alerts("la.example");
	restart();
	fake_log_grow(310, "one");
	fake_log_publish();
	assert_int_equal(monitor_once(monitor), MONITOR_UNSURE);
	assert_false(monitor_deliver(monitor, 0));
	assert_followed(300);
	/* Its heads are looked at all the same. */
	fake_log_cut(299);
	fake_log_grow(320, "two");
	fake_log_publish();
	assert_int_equal(monitor_once(monitor), MONITOR_FAULT);
	assert_false(monitor_deliver(monitor, 0));
	refuse_alerts = false;
	fake_log_cut(299);
	fake_log_grow(320, "one");
	fake_log_publish();
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 41);
	look();
	assert_followed(320);
}

static void an_alert_of_others_is_told_like_its_own(void **state)
{
	(void)state;
	assert_int_equal(
	    monitor_alert(monitor, "evidence", "la.example", bytes_str("x"), "two \"heads\"", NULL),
	    VT_OK);
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_told("evidence");
}

static void an_alert_about_something_large_is_told_without_it(void **state)
{
	struct json *more = json_new_object();
	char *large = malloc(60001);

	(void)state;
	assert_non_null(large);
	memset(large, '"', 60000);
	large[60000] = '\0';
	assert_int_equal(json_set(more, "checkpoint", json_new_str(large)), VT_OK);
	assert_int_equal(json_set(more, "evidence", json_new_str("name")), VT_OK);
	assert_int_equal(monitor_alert(monitor, "unresolved", "la.example", bytes_str(large),
				       "a head waits", more),
			 VT_OK);
	free(large);
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_told("unresolved");
	assert_true(text_is(alert[0], "evidence", "name"));
	assert_null(json_member(alert[0], "checkpoint"));
}

static void a_folder_is_for_one_monitor_at_a_time(void **state)
{
	struct monitor *other;
	char why[MONITOR_WHY_MAX];

	(void)state;
	assert_int_equal(monitor_new(&other, &config, why), VT_EBUSY);
	assert_non_null(strstr(why, "another monitor"));
}

static void state_file(char out[1200])
{
	char logs[700];
	struct dirent *e;
	DIR *dir;

	out[0] = '\0';
	snprintf(logs, sizeof(logs), "%s/logs", state_dir);
	dir = opendir(logs);
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			snprintf(out, 1200, "%s/%s/state", logs, e->d_name);
	closedir(dir);
}

/* The state as versions before wrote it: without what stands for good, and with a digest that fits. */
static void write_older_state(void)
{
	char path[1200], text[8192], hex[2 * MERKLE_HASH_SIZE + 1];
	struct merkle_hasher h;
	struct merkle_hash hash;
	size_t n;
	char *from, *to;
	FILE *f;

	state_file(path);
	assert_non_null(f = fopen(path, "rb"));
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_non_null(from = strstr(text, ",\"refusedAt\":"));
	assert_non_null(to = strstr(from, ",\"evidence\":"));
	memmove(from, to, strlen(to) + 1);
	struct bytes rest = bytes_str(text + 2 * MERKLE_HASH_SIZE + 1);
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_int_equal(merkle_sha256(&hash, &h, &rest, 1), VT_OK);
	merkle_hasher_release(&h);
	hex_encode(hex, bytes_of(hash.b, MERKLE_HASH_SIZE));
	memcpy(text, hex, 2 * MERKLE_HASH_SIZE);
	assert_non_null(f = fopen(path, "wb"));
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	fclose(f);
}

static void what_stood_in_a_state_of_before_stands(void **state)
{
	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	show_history("two");
	assert_int_equal(look(), MONITOR_FAULT);
	show_history("one");
	monitor_free(monitor);
	monitor = NULL;
	write_older_state();
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_fork_stands();
	assert_int_equal(n_alerts, 1);
}

/* The list of the logs is made from what is there; what could not be read of that is there all the same. */
static void a_folder_that_is_read_half_is_not_half_a_state(void **state)
{
	char why[MONITOR_WHY_MAX], path[1200];
	struct standing_list all;

	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	monitor_free(monitor);
	monitor = NULL;
	standing_list_init(&all);
	snprintf(path, sizeof(path), "%s/logs.list", state_dir);
	assert_int_equal(unlink(path), 0);
	/* More than in the state folder, which is looked into before. */
	for (unsigned i = 0; i < 20; i++) {
		char name[1200];

		snprintf(name, sizeof(name), "%s/logs/%u", state_dir, i);
		assert_int_equal(mkdir(name, 0700), 0);
	}
	for (readdir_names = 0; readdir_names <= 20; readdir_names++) {
		assert_int_equal(monitor_new(&monitor, &config, why), VT_EIO);
		assert_int_equal(monitor_check_state(state_dir, why), VT_EIO);
		assert_non_null(strstr(why, readdir_names > 10 ? "logs: " : ": "));
		assert_int_equal(standing_of_folder(&all, state_dir), VT_EIO);
		assert_int_equal(standing_evidence(&all, state_dir),
				 readdir_names > 2 ? VT_OK : VT_EIO);
		assert_int_equal(access(path, F_OK), -1);
	}
	readdir_names = -1;
	restart();
	assert_int_equal(access(path, F_OK), 0);
	assert_followed(300);
	standing_list_release(&all);
}

/* Or whatever was seen would be forgotten, and the tiles with it. */
static void a_state_that_is_gone_is_no_new_beginning(void **state)
{
	char why[MONITOR_WHY_MAX], path[1200];

	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	monitor_free(monitor);
	monitor = NULL;
	state_file(path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(monitor_new(&monitor, &config, why), VT_ENOTFOUND);
	assert_non_null(strstr(why, "missing"));
	assert_int_equal(monitor_new(&monitor, &config, why), VT_ENOTFOUND);
	remove_all(state_dir);
	assert_int_equal(monitor_new(&monitor, &config, why), VT_ENOTFOUND);
	assert_int_equal(access(state_dir, F_OK), -1);
	/* restart() makes a new one. */
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(300);
}

/* The fake log is no log of records: no centre has begun it. */
static void a_centre_that_is_named_and_is_not_the_logs_is_one_fault_that_stands(void **state)
{
	struct monitor_centre centre = {NULL, bytes_str("what no entry was signed with")};

	(void)state;
	config.centre = &centre;
	config.n_centres = 1;
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("centre");
	assert_followed(300);
	fake_log_grow(600, "one");
	fake_log_publish();
	assert_int_equal(look(), MONITOR_FAULT);
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_int_equal(n_alerts, 1);
	config.n_centres = 0;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	forget_alerts();
	/* Named only after it was followed: the same. */
	config.n_centres = 1;
	restart();
	assert_int_equal(look(), MONITOR_FAULT);
	assert_told("centre");
}

static void a_damaged_state_is_no_state(void **state)
{
	char why[MONITOR_WHY_MAX], path[1200];
	FILE *f;

	(void)state;
	assert_int_equal(look(), MONITOR_HOLDS);
	monitor_free(monitor);
	monitor = NULL;
	state_file(path);
	f = fopen(path, "r+b");
	assert_non_null(f);
	fseek(f, 200, SEEK_SET);
	fputc(7, f);
	fclose(f);
	assert_int_equal(monitor_new(&monitor, &config, why), VT_EMISMATCH);
	assert_non_null(strstr(why, "damaged"));
}

/* Entries of the world that the log does not have yet. */
static void publish_world(const struct world *w)
{
	for (size_t i = fake_log_size(); i < w->n; i++)
		fake_log_add(buf_bytes(&w->entry[i].bytes));
	fake_log_publish();
}

static void accredit_some(struct world *w, size_t n)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};

	for (size_t i = 0; i < n; i++) {
		struct signer *key;
		char party[32];
		struct buf body;

		(void)snprintf(party, sizeof(party), "lab-%zu", w->n);
		assert_int_equal(signer_generate(&key, "ed25519", NULL), VT_OK);
		world_grant(w, &body,
			    &(struct world_grant){.party = party,
						  .role = "lab",
						  .key = key,
						  .previous = -1,
						  .types = types,
						  .n_types = 1});
		world_append(w, buf_bytes(&body));
		buf_release(&body);
		signer_free(key);
	}
}

static void a_log_may_not_fill_the_memory_with_accreditations(void **state)
{
	struct monitor_log_status status;
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	assert_non_null(w);
	world_init(w);
	w->view.origin = "la.example";
	world_begin(w);
	fake_log_cut(0);
	publish_world(w);
	config.registry_max = 4000; /* some ten keys */
	config.silent_seconds = 100;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	accredit_some(w, 10);
	publish_world(w);
	look();
	/* What was judged together is let in. */
	assert_followed(w->n);
	accredit_some(w, 10);
	publish_world(w);
	assert_int_equal(look(), MONITOR_UNSURE);
	assert_followed(w->n - 10);
	monitor_log_status(monitor, 0, &status);
	assert_non_null(strstr(status.why.text, "its accreditations"));
	for (unsigned i = 0; i < 10; i++) {
		now += 20;
		look();
	}
	assert_told("withheld");
	config.registry_max = 0;
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(w->n);
	world_release(w);
	free(w);
}

static void *interrupt(void *ctx)
{
	(void)ctx;
	monitor_interrupt(monitor);
	return NULL;
}

static void an_interrupted_look_ends_and_loses_nothing(void **state)
{
	pthread_t thread;

	(void)state;
	fake_log_grow(20000, "one");
	fake_log_publish();
	assert_int_equal(pthread_create(&thread, NULL, interrupt, NULL), 0);
	look();
	pthread_join(thread, NULL);
	restart();
	assert_int_equal(look(), MONITOR_HOLDS);
	assert_followed(20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(it_follows_and_goes_on_where_it_stopped),
	    TEST(an_empty_log_is_followed_too),
	    TEST(roots_and_proofs_below_what_was_followed_are_the_trees),
	    TEST(damaged_tiles_give_no_root_and_no_start),
	    TEST(a_fork_at_the_same_size_is_told_with_evidence),
	    TEST(a_fork_that_has_grown_is_told_with_evidence),
	    TEST(a_fork_that_has_grown_is_found_after_a_restart_too),
	    TEST(a_smaller_fork_is_told_with_evidence_from_the_kept_tiles),
	    TEST(a_fork_without_quorum_is_a_fork_all_the_same),
	    TEST(a_head_that_goes_backwards_is_told_once_until_it_is_over),
	    TEST(a_missing_quorum_is_told_and_nothing_is_followed),
	    TEST(answers_that_are_no_checkpoint_are_told),
	    TEST(a_signature_that_fails_is_told),
	    TEST(entries_that_do_not_make_the_root_are_told_and_not_followed),
	    TEST(a_bundle_that_is_none_is_told_once_until_it_is_over),
	    TEST(what_was_replayed_before_a_failure_counts),
	    TEST(silence_is_told_after_its_deadline_only),
	    TEST(an_answer_that_no_second_look_bears_out_ends_no_silence),
	    TEST(a_log_that_never_answered_is_silent_over_restarts),
	    TEST(whatever_a_log_signs_can_be_remembered),
	    TEST(entries_that_are_kept_back_are_told_after_a_deadline),
	    TEST(tiles_that_are_kept_back_are_told_after_a_deadline),
	    TEST(a_log_that_changes_sides_at_each_look_fills_no_disk),
	    TEST(a_pause_in_which_nobody_looked_is_no_withholding),
	    TEST(a_pause_in_which_nobody_looked_is_no_silence),
	    TEST(a_long_catch_up_from_a_slow_log_is_not_withheld),
	    TEST(waiting_for_a_bundle_is_no_time_in_which_entries_came_in),
	    TEST(a_log_that_trickles_is_told_of_all_the_same),
	    TEST(a_log_that_gives_out_a_bundle_now_and_then_is_told_of),
	    TEST(what_cannot_be_looked_at_twice_is_not_known),
	    TEST(one_bad_answer_is_looked_at_twice),
	    TEST(an_entry_that_must_not_be_there_stands),
	    TEST(a_fork_that_is_acknowledged_is_a_fault_while_it_is_shown),
	    TEST(what_others_know_stands_too),
	    TEST(what_cannot_be_read_is_not_nothing),
	    TEST(without_memory_nothing_untrue_is_told),
	    TEST(a_proven_fork_stands_although_the_log_shows_the_right_branch_again),
	    TEST(an_alert_that_nobody_took_waits_over_a_restart),
	    TEST(alerts_that_nobody_takes_stop_the_log_that_they_are_about),
	    TEST(an_alert_of_others_is_told_like_its_own),
	    TEST(an_alert_about_something_large_is_told_without_it),
	    TEST(what_stood_in_a_state_of_before_stands),
	    TEST(a_folder_is_for_one_monitor_at_a_time),
	    TEST(a_folder_that_is_read_half_is_not_half_a_state),
	    TEST(a_state_that_is_gone_is_no_new_beginning),
	    TEST(a_centre_that_is_named_and_is_not_the_logs_is_one_fault_that_stands),
	    TEST(a_damaged_state_is_no_state),
	    TEST(a_log_may_not_fill_the_memory_with_accreditations),
	    TEST(an_interrupted_look_ends_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
