/* Publishing with witnesses: rounds, quorums that are late or never come, and notes that are not what was signed. */
#include "vitrine_test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fake_gatherer.h"
#include "scratch.h"
#include "vitrine/checkpoint.h"

struct world {
	struct log_fixture f;
	struct fake_gatherer g;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	fixture_store(&w->f, NULL, "raw", bytes_of(NULL, 0));
	gatherer_install(&w->g, &w->f);
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

/* With the empty tree published. */
static void start(struct world *w)
{
	fixture_start(&w->f);
	gatherer_wait(&w->g, 0);
	gatherer_reply(&w->g, GATHERER_QUORUM, true);
	gatherer_wait_published(&w->g, 0);
}

static void send_number(struct world *w, struct sent *s, unsigned n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "entry %u", n);
	send_bytes(&w->f, w->f.w, s, bytes_str(text));
}

static void wait_committed(struct world *w, uint64_t size)
{
	struct log_status status;

	do {
		(void)sched_yield();
		log_status(w->f.log, &status);
	} while (status.size < size);
}

/* Cosignatures under the published checkpoint. */
static unsigned cosigned(struct world *w, uint64_t *size)
{
	struct buf note;
	unsigned n;

	buf_init(&note);
	assert_int_equal(log_checkpoint(w->f.w, size, &note), VT_OK);
	n = gatherer_cosigned(&w->f, buf_bytes(&note));
	buf_release(&note);
	return n;
}

static void wait_cosigned(struct world *w, uint64_t size, unsigned n)
{
	uint64_t at;

	while (cosigned(w, &at) < n || at < size)
		(void)sched_yield();
}

/* -- rounds ------------------------------------------------------------------------------------------ */

static void commits_go_on_while_a_round_is_under_way(void **state)
{
	struct world *w = *state;
	struct sent s[6];
	uint64_t size;

	start(w);
	send_number(w, &s[0], 0);
	gatherer_wait(&w->g, 1);
	for (unsigned i = 1; i < 6; i++)
		send_number(w, &s[i], i);
	wait_committed(w, 6);
	assert_false(s[0].answered);
	assert_int_equal(cosigned(w, &size), GATHERER_QUORUM);
	assert_int_equal(size, 0);
	gatherer_reply(&w->g, GATHERER_QUORUM, true);
	wait_for(s, 1);
	assert_int_equal(s[0].answer.outcome, LOG_ADDED);
	/* The next round is for all that came meanwhile. */
	gatherer_wait(&w->g, 2);
	assert_int_equal(w->g.head.size, 6);
	for (unsigned i = 1; i < 6; i++)
		assert_false(s[i].answered);
	gatherer_reply(&w->g, GATHERER_QUORUM, true);
	wait_for(s, 6);
	assert_int_equal(w->g.rounds, 3);
	assert_int_equal(w->g.overlapping, 0);
	assert_int_equal(w->g.went_back, 0);
	assert_int_equal(fixture_verify(&w->f), 6);
}

static void late_cosignatures_are_added_to_what_is_published(void **state)
{
	struct world *w = *state;
	struct sent s[2];
	uint64_t size;

	start(w);
	send_number(w, &s[0], 0);
	gatherer_wait(&w->g, 1);
	gatherer_reply(&w->g, 2, false);
	wait_for(s, 1);
	assert_int_equal(cosigned(w, &size), 2);
	/* The round is not over, so the next head waits. */
	send_number(w, &s[1], 1);
	wait_committed(w, 2);
	assert_int_equal(w->g.rounds, 2);
	gatherer_reply(&w->g, 3, true);
	wait_cosigned(w, 1, 3);
	gatherer_wait(&w->g, 2);
	gatherer_reply(&w->g, 3, true);
	wait_for(s, 2);
	assert_int_equal(fixture_verify(&w->f), 2);
}

static void a_round_without_quorum_is_followed_by_another(void **state)
{
	struct world *w = *state;
	struct log_status status;
	struct sent s;
	struct buf first;
	uint64_t size;

	buf_init(&first);
	start(w);
	send_number(w, &s, 0);
	gatherer_wait(&w->g, 1);
	assert_int_equal(buf_append(&first, buf_bytes(&w->g.note)), VT_OK);
	gatherer_reply(&w->g, 1, true);
	gatherer_wait_rounds(&w->g, 3);
	assert_int_equal(w->g.head.size, 1);
	assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&w->g.note)));
	assert_false(s.answered);
	assert_int_equal(cosigned(w, &size), 2);
	assert_int_equal(size, 0);
	log_status(w->f.log, &status);
	assert_true(status.quorum_missing_since > 0);
	assert_int_equal(status.rounds, 3);
	assert_int_equal(status.handed_size, 1);
	gatherer_reply_bytes(&w->g, bytes_of(NULL, 0), true); /* it may end with nothing at all */
	gatherer_wait_rounds(&w->g, 4);
	gatherer_reply(&w->g, 2, true);
	wait_for(&s, 1);
	log_status(w->f.log, &status);
	assert_int_equal(status.quorum_missing_since, 0);
	assert_true(status.policy_met);
	buf_release(&first);
}

static void rounds_keep_their_distance(void **state)
{
	struct world *w = *state;
	struct sent s;

	w->f.config.gather_pause_millis = 40;
	w->g.generous = true;
	fixture_start(&w->f);
	for (unsigned i = 0; i < 5; i++) {
		send_number(w, &s, i);
		wait_for(&s, 1);
		assert_int_equal(s.answer.outcome, LOG_ADDED);
	}
	assert_true(w->g.rounds >= 5);
	assert_true(w->g.least_gap >= 40 * UINT64_C(1000000));
	assert_int_equal(w->g.overlapping, 0);
}

/* -- what is published begins with what was signed ----------------------------------------------------------- */

static void insert(struct buf *out, struct bytes note, size_t at, const char *text)
{
	assert_int_equal(buf_append(out, bytes_of(note.data, at)), VT_OK);
	assert_int_equal(buf_append_str(out, text), VT_OK);
	assert_int_equal(buf_append(out, bytes_of(note.data + at, note.len - at)), VT_OK);
}

static void a_note_that_is_not_what_was_signed_is_not_published(void **state)
{
	struct world *w = *state;
	struct buf good, bad;
	struct sent s;
	uint64_t size;

	buf_init(&good);
	buf_init(&bad);
	start(w);
	send_number(w, &s, 0);
	for (unsigned kind = 0; kind < 5; kind++) {
		gatherer_wait_rounds(&w->g, 2 + kind);
		buf_reset(&good);
		buf_reset(&bad);
		gatherer_note(&w->g, &good, 2);
		switch (kind) {
		case 0: /* another root */
			assert_int_equal(buf_append(&bad, buf_bytes(&good)), VT_OK);
			bad.data[30] ^= 1;
			break;
		case 1: /* an extension line */
			insert(&bad, buf_bytes(&good), strlen(FIXTURE_ORIGIN) + 3, "extension\n");
			break;
		case 2: /* the log's own signature is not the first */
			insert(&bad, buf_bytes(&good), w->g.note.len, "\nmore text\n");
			break;
		case 3: /* the text goes on behind the signature, up to a later blank line */
			assert_int_equal(buf_append(&bad, buf_bytes(&w->g.note)), VT_OK);
			assert_int_equal(buf_append_str(&bad, "\n"), VT_OK);
			assert_int_equal(buf_append(&bad, bytes_of(good.data + w->g.note.len,
								   good.len - w->g.note.len)),
					 VT_OK);
			break;
		default: /* cut off */
			assert_int_equal(
			    buf_append(&bad, bytes_of(w->g.note.data, w->g.note.len - 1)), VT_OK);
			break;
		}
		gatherer_reply_bytes(&w->g, buf_bytes(&bad), true);
	}
	gatherer_wait_rounds(&w->g, 7);
	assert_false(s.answered);
	assert_int_equal(cosigned(w, &size), 2);
	assert_int_equal(size, 0);
	gatherer_reply(&w->g, 2, true);
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_ADDED);
	buf_release(&good);
	buf_release(&bad);
}

static void what_comes_for_another_head_is_dropped(void **state)
{
	struct world *w = *state;
	struct tree_head other = {.size = 1};
	struct buf note;
	struct sent s;
	uint64_t size;

	buf_init(&note);
	start(w);
	gatherer_note(&w->g, &note, 3);
	log_gathered(w->f.log, &w->g.head, buf_bytes(&note), true, true); /* long over */
	send_number(w, &s, 0);
	gatherer_wait(&w->g, 1);
	log_gathered(w->f.log, &other, buf_bytes(&note), true, true);
	gatherer_reply(&w->g, 2, true);
	wait_for(&s, 1);
	assert_int_equal(cosigned(w, &size), 2);
	assert_int_equal(size, 1);
	assert_int_equal(w->g.rounds, 2);
	buf_release(&note);
}

/* -- holding ------------------------------------------------------------------------------------------------- */

static void appends_that_have_waited_long_enough_are_put_off(void **state)
{
	struct world *w = *state;
	struct sent s[2];

	w->f.config.append_wait_millis = 50;
	start(w);
	send_number(w, &s[0], 0);
	wait_for(s, 1);
	assert_int_equal(s[0].answer.outcome, LOG_LATER);
	assert_non_null(strstr(s[0].answer.reason, "quorum"));
	assert_true(s[0].answer.retry_after > 0);
	/* The same bytes again, when the quorum is back, are known. */
	gatherer_wait(&w->g, 1);
	gatherer_reply(&w->g, 2, true);
	gatherer_wait_published(&w->g, 1);
	send_number(w, &s[1], 0);
	wait_for(s, 2);
	assert_int_equal(s[1].answer.outcome, LOG_KNOWN);
	assert_int_equal(s[1].answer.index, 0);
	assert_int_equal(fixture_verify(&w->f), 1);
}

static void what_waits_for_the_quorum_is_bounded(void **state)
{
	struct world *w = *state;
	struct log_status status;
	struct sent s[12], again;

	w->f.config.unpublished_max = 4;
	start(w);
	send_number(w, &s[0], 0);
	gatherer_wait(&w->g, 1);
	gatherer_reply(&w->g, 2, true);
	wait_for(s, 1);
	for (unsigned i = 1; i < 12; i++)
		send_number(w, &s[i], i);
	wait_for(s + 5, 7);
	for (unsigned i = 5; i < 12; i++) {
		assert_int_equal(s[i].answer.outcome, LOG_LATER);
		assert_non_null(strstr(s[i].answer.reason, "quorum"));
		assert_true(s[i].answer.retry_after >= 5);
	}
	wait_committed(w, 5);
	log_status(w->f.log, &status);
	assert_int_equal(status.size, 5);
	assert_true(status.holding);
	/* What is published already is answered all the same. */
	send_number(w, &again, 0);
	wait_for(&again, 1);
	assert_int_equal(again.answer.outcome, LOG_KNOWN);
	gatherer_wait(&w->g, 2);
	w->g.generous = true;
	gatherer_reply(&w->g, 2, true);
	wait_for(s, 5);
	send_number(w, &s[5], 5);
	wait_for(s + 5, 1);
	assert_int_equal(s[5].answer.outcome, LOG_ADDED);
	log_status(w->f.log, &status);
	assert_false(status.holding);
	assert_int_equal(fixture_verify(&w->f), 6);
}

static void proofs_reach_to_what_witnesses_were_shown(void **state)
{
	struct world *w = *state;
	struct tile_id tile = {.level = 0, .index = 0, .width = 3};
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	struct sent s[3];
	struct buf out;

	buf_init(&out);
	start(w);
	send_number(w, &s[0], 0);
	gatherer_wait(&w->g, 1);
	send_number(w, &s[1], 1);
	send_number(w, &s[2], 2);
	wait_committed(w, 3);
	/* Committed, and shown to nobody. */
	assert_int_equal(log_tile(w->f.w, &tile, &out), VT_ENOTFOUND);
	assert_int_equal(log_consistency(w->f.w, 1, 3, &proof), VT_ENOTFOUND);
	gatherer_reply(&w->g, 0, true);
	gatherer_wait(&w->g, 3);
	assert_int_equal(log_tile(w->f.w, &tile, &out), VT_OK);
	assert_int_equal(log_consistency(w->f.w, 1, 3, &proof), VT_OK);
	assert_int_equal(log_inclusion(w->f.w, 0, 3, &leaf, &proof, &head, NULL), VT_ENOTFOUND);
	gatherer_reply(&w->g, 2, true);
	wait_for(s, 3);
	buf_release(&out);
}

/* -- publishing without --------------------------------------------------------------------------------------- */

static void a_head_is_published_as_it_is_when_its_quorum_is_late(void **state)
{
	struct world *w = *state;
	struct log_status status;
	struct sent s[3];
	struct buf out;
	uint64_t size;

	buf_init(&out);
	w->f.config.without_quorum = LOG_PUBLISH;
	w->f.config.quorum_patience_millis = 20;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 0);
	gatherer_wait_published(&w->g, 0);
	send_number(w, &s[0], 0); /* while the round for the empty tree goes on */
	wait_for(s, 1);
	assert_int_equal(s[0].answer.outcome, LOG_ADDED);
	assert_int_equal(cosigned(w, &size), 0);
	assert_int_equal(log_tlog_proof(w->f.w, 0, &out), VT_EUNTRUSTED);
	log_status(w->f.log, &status);
	assert_false(status.policy_met);
	assert_true(status.quorum_missing_since > 0);
	/* One witness less than the quorum helps nobody. */
	gatherer_reply(&w->g, 1, true);
	gatherer_wait(&w->g, 1);
	assert_int_equal(log_tlog_proof(w->f.w, 0, &out), VT_EUNTRUSTED);
	gatherer_reply(&w->g, 2, true);
	wait_cosigned(w, 1, 2);
	assert_int_equal(log_tlog_proof(w->f.w, 0, &out), VT_OK);
	do
		log_status(w->f.log, &status);
	while (!status.policy_met);
	assert_int_equal(status.quorum_missing_since, 0);
	send_number(w, &s[1], 1);
	gatherer_wait(&w->g, 2);
	gatherer_reply(&w->g, 2, true);
	wait_for(s, 2);
	wait_cosigned(w, 2, 2);
	buf_release(&out);
}

static void with_the_quorum_back_heads_wait_for_it_again(void **state)
{
	struct world *w = *state;
	struct sent s[3];
	uint64_t size;

	w->f.config.without_quorum = LOG_PUBLISH;
	w->f.config.quorum_patience_millis = 1000;
	start(w);
	send_number(w, &s[0], 0);
	gatherer_wait(&w->g, 1);
	wait_for(s, 1);
	send_number(w, &s[1], 1); /* at once: it is known by now that the quorum is missing */
	wait_for(s, 2);
	assert_int_equal(cosigned(w, &size), 0);
	assert_int_equal(size, 2);
	/* It comes for a head that has been overtaken. */
	gatherer_reply(&w->g, 2, true);
	gatherer_wait(&w->g, 2);
	assert_int_equal(cosigned(w, &size), 0);
	send_number(w, &s[2], 2);
	gatherer_reply(&w->g, 2, true);
	wait_cosigned(w, 2, 2);
	gatherer_wait(&w->g, 3);
	gatherer_reply(&w->g, 2, true);
	wait_for(s, 3);
	wait_cosigned(w, 3, 2);
}

static void a_note_without_quorum_never_replaces_one_with_it(void **state)
{
	struct world *w = *state;
	struct sent s;
	uint64_t size;

	w->f.config.without_quorum = LOG_PUBLISH;
	start(w);
	send_number(w, &s, 0);
	gatherer_wait(&w->g, 1);
	gatherer_reply(&w->g, 2, false);
	gatherer_reply(&w->g, 1, false);
	gatherer_reply(&w->g, 0, true);
	wait_for(&s, 1);
	send_number(w, &s, 1);
	gatherer_wait(&w->g, 2); /* all three were taken by now */
	assert_int_equal(cosigned(w, &size), 2);
	assert_int_equal(size, 1);
	gatherer_reply(&w->g, 2, true);
	wait_for(&s, 1);
}

/* -- starting and stopping --------------------------------------------------------------------------------------- */

static void a_restart_goes_on_with_the_same_head(void **state)
{
	struct world *w = *state;
	struct buf before;
	struct sent s;

	buf_init(&before);
	w->f.config.stop_wait_millis = 1;
	start(w);
	send_number(w, &s, 0);
	gatherer_wait(&w->g, 1);
	assert_int_equal(buf_append(&before, buf_bytes(&w->g.note)), VT_OK);
	fixture_stop(&w->f);
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_LATER);
	w->g.open = false;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 1);
	assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&w->g.note)));
	gatherer_reply(&w->g, 2, true);
	gatherer_wait_published(&w->g, 1);
	send_number(w, &s, 0);
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_KNOWN);
	assert_int_equal(fixture_verify(&w->f), 1);
	buf_release(&before);
}

static void what_was_published_before_there_were_witnesses_is_gathered(void **state)
{
	struct world *w = *state;
	struct log_config config = w->f.config;
	struct sent s;

	w->f.config = (struct log_config){0};
	fixture_start(&w->f);
	send_number(w, &s, 0);
	wait_for(&s, 1);
	fixture_stop(&w->f);
	w->f.config = config;
	fixture_start(&w->f);
	gatherer_wait(&w->g, 1);
	gatherer_reply(&w->g, 2, true);
	wait_cosigned(w, 1, 2);
}

static void stopping_without_a_quorum_ends_in_bounded_time(void **state)
{
	struct world *w = *state;
	uint64_t begun;
	struct sent s;

	w->f.config.stop_wait_millis = 100;
	start(w);
	send_number(w, &s, 0);
	gatherer_wait(&w->g, 1);
	begun = clock_monotonic_nanos();
	log_stop(w->f.log);
	assert_true(clock_monotonic_nanos() - begun < 10 * UINT64_C(1000000000));
	assert_true(s.answered);
	assert_int_equal(s.answer.outcome, LOG_LATER);
	gatherer_reply(&w->g, 2, true); /* too late, and harmless */
}

static void stopping_waits_for_a_quorum_that_is_on_its_way(void **state)
{
	struct world *w = *state;
	struct sent s;

	start(w);
	send_number(w, &s, 0);
	gatherer_wait(&w->g, 1);
	log_stop_soon(w->f.log);
	gatherer_reply(&w->g, 2, true);
	log_stop(w->f.log);
	assert_true(s.answered);
	assert_int_equal(s.answer.outcome, LOG_ADDED);
}

/* -- several processes --------------------------------------------------------------------------------------------- */

static void what_another_process_publishes_answers_who_waits(void **state)
{
	struct world *w = *state, *other = calloc(1, sizeof(*other));
	struct sent s;

	assert_non_null(other);
	start(w);
	other->f = (struct log_fixture){
	    .store = w->f.store, .store_is_borrowed = true, .signer = w->f.signer};
	gatherer_install(&other->g, &other->f);
	other->g.generous = true;
	fixture_start(&other->f);
	send_number(w, &s, 0); /* its own witnesses never answer */
	wait_for(&s, 1);
	assert_int_equal(s.answer.outcome, LOG_ADDED);
	gatherer_wait_published(&w->g, 1);
	assert_int_equal(w->g.went_back, 0);
	assert_int_equal(fixture_verify(&w->f), 1);
	fixture_free(&other->f);
	gatherer_release(&other->g);
	free(other);
}

#define GATHER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    GATHER_TEST(commits_go_on_while_a_round_is_under_way),
	    GATHER_TEST(late_cosignatures_are_added_to_what_is_published),
	    GATHER_TEST(a_round_without_quorum_is_followed_by_another),
	    GATHER_TEST(rounds_keep_their_distance),
	    GATHER_TEST(a_note_that_is_not_what_was_signed_is_not_published),
	    GATHER_TEST(what_comes_for_another_head_is_dropped),
	    GATHER_TEST(appends_that_have_waited_long_enough_are_put_off),
	    GATHER_TEST(what_waits_for_the_quorum_is_bounded),
	    GATHER_TEST(proofs_reach_to_what_witnesses_were_shown),
	    GATHER_TEST(a_head_is_published_as_it_is_when_its_quorum_is_late),
	    GATHER_TEST(with_the_quorum_back_heads_wait_for_it_again),
	    GATHER_TEST(a_note_without_quorum_never_replaces_one_with_it),
	    GATHER_TEST(a_restart_goes_on_with_the_same_head),
	    GATHER_TEST(what_was_published_before_there_were_witnesses_is_gathered),
	    GATHER_TEST(stopping_without_a_quorum_ends_in_bounded_time),
	    GATHER_TEST(stopping_waits_for_a_quorum_that_is_on_its_way),
	    GATHER_TEST(what_another_process_publishes_answers_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
