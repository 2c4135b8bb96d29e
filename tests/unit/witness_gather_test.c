/* The gatherer against real HTTP servers that are honest, slow, dead, lying or malformed. */
#include "vitrine_test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "clock.h"
#include "fake_witness.h"
#include "gather.h"
#include "model_tree.h"
#include "test_policy.h"

enum {
	WITNESSES = 3,
	TOLD_MAX = 64,
	ALERTS_MAX = 64,
};

/* One call of the gathered callback. */
struct told {
	uint64_t size;
	bool quorum, done;
	size_t lines;
	char note[4096];
};

struct world {
	struct model_tree tree;
	struct note_signer log;
	struct fake_witness witness[WITNESSES];
	int silent;  /* a socket that takes connections and says nothing; -1 */
	int refused; /* bound, not listening: connections are refused */
	struct policy *policy;
	struct gather_config config;
	struct gather *gather;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t n_told, n_alerts, n_observed, n_proofs;
	struct told told[TOLD_MAX];
	struct {
		char witness[32];
		enum gather_trouble trouble;
		char text[GATHER_WHY_MAX];
	} alert[ALERTS_MAX];
	enum vt_err observed_says;
};

/* -- the log's side --------------------------------------------------------------------------------- */

static enum vt_err on_consistency(void *ctx, uint64_t first, uint64_t second,
				  struct merkle_proof *out)
{
	struct world *w = ctx;

	pthread_mutex_lock(&w->lock);
	out->n = 0;
	if (first > 0 && first < second)
		model_consistency(&w->tree, out, first, second);
	w->n_proofs++;
	pthread_mutex_unlock(&w->lock);
	return VT_OK;
}

static void on_gathered(void *ctx, const struct tree_head *head, struct bytes note, bool quorum,
			bool done)
{
	struct world *w = ctx;
	struct told *t;

	pthread_mutex_lock(&w->lock);
	assert_true(w->n_told < TOLD_MAX && note.len < sizeof(t->note));
	t = &w->told[w->n_told++];
	*t = (struct told){.size = head->size, .quorum = quorum, .done = done};
	if (note.len > 0)
		memcpy(t->note, note.data, note.len);
	for (const char *c = t->note; (c = strstr(c, "\xe2\x80\x94 w")) != NULL; c++)
		t->lines++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static enum vt_err on_observed(void *ctx, struct bytes note, const char *witness)
{
	struct world *w = ctx;
	enum vt_err err;

	(void)note;
	(void)witness;
	pthread_mutex_lock(&w->lock);
	w->n_observed++;
	err = w->observed_says;
	pthread_mutex_unlock(&w->lock);
	return err;
}

static void on_alert(void *ctx, const char *witness, enum gather_trouble trouble, const char *text)
{
	struct world *w = ctx;

	pthread_mutex_lock(&w->lock);
	assert_true(w->n_alerts < ALERTS_MAX);
	(void)snprintf(w->alert[w->n_alerts].witness, sizeof(w->alert->witness), "%s", witness);
	(void)snprintf(w->alert[w->n_alerts].text, sizeof(w->alert->text), "%s", text);
	w->alert[w->n_alerts++].trouble = trouble;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Wait until the log was told something like this, and return it. */
static struct told wait_told(struct world *w, uint64_t size, bool quorum, bool done, size_t lines)
{
	struct told found = {0};
	size_t i = 0;

	pthread_mutex_lock(&w->lock);
	for (;; pthread_cond_wait(&w->changed, &w->lock)) {
		for (; i < w->n_told; i++) {
			const struct told *t = &w->told[i];

			if (t->size == size && t->quorum == quorum && t->done >= done &&
			    t->lines >= lines) {
				found = *t;
				pthread_mutex_unlock(&w->lock);
				return found;
			}
		}
	}
}

static void wait_alert(struct world *w, const char *witness, enum gather_trouble trouble)
{
	size_t i = 0;

	pthread_mutex_lock(&w->lock);
	for (;; pthread_cond_wait(&w->changed, &w->lock)) {
		for (; i < w->n_alerts; i++) {
			if (strcmp(w->alert[i].witness, witness) == 0 &&
			    w->alert[i].trouble == trouble) {
				pthread_mutex_unlock(&w->lock);
				return;
			}
		}
	}
}

static size_t count_alerts(struct world *w, const char *witness)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n_alerts; i++)
		n += strcmp(w->alert[i].witness, witness) == 0;
	pthread_mutex_unlock(&w->lock);
	return n;
}

static void observed_says(struct world *w, enum vt_err err)
{
	pthread_mutex_lock(&w->lock);
	w->observed_says = err;
	pthread_mutex_unlock(&w->lock);
}

static struct tree_head head_of(struct world *w, uint64_t size)
{
	struct tree_head head = {.size = size};

	pthread_mutex_lock(&w->lock);
	head.root = model_mth(&w->tree, 0, size);
	pthread_mutex_unlock(&w->lock);
	return head;
}

/* Append the log's checkpoint of this size, cosigned by those letters. */
static void append_checkpoint(struct world *w, struct buf *out, uint64_t size, const char *cosigned)
{
	struct tree_head head = head_of(w, size);

	test_checkpoint(out, 'l', &head, cosigned);
}

static void begin_as(struct world *w, uint64_t size, bool remembered)
{
	struct tree_head head = head_of(w, size);
	struct buf note;

	buf_init(&note);
	append_checkpoint(w, &note, size, "");
	gather_begin(w->gather, buf_bytes(&note), &head, remembered);
	buf_release(&note);
}

static void begin(struct world *w, uint64_t size)
{
	begin_as(w, size, false);
}

/* -- the world ---------------------------------------------------------------------------------------- */

static int open_socket(bool listening)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	if (listening)
		assert_int_equal(listen(fd, 16), 0);
	return fd;
}

static unsigned port_of(int fd)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	return ntohs(addr.sin_port);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	/* Whoever runs the tests may need a proxy to reach the world; the loopback needs none. */
	assert_int_equal(setenv("no_proxy", "*", 1), 0);
	assert_non_null(w);
	model_tree_dense(&w->tree);
	w->log = test_log('l');
	for (size_t i = 0; i < WITNESSES; i++) {
		struct note_signer by = test_witness((char)('a' + i));

		fake_witness_start(&w->witness[i], &by, 1, &w->log.key);
	}
	w->silent = open_socket(true);
	w->refused = open_socket(false);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	w->config = (struct gather_config){
	    .log = &w->log.key,
	    .interval_seconds = 0.001,
	    .backoff_seconds = 0.001,
	    .backoff_max_seconds = 0.01,
	    .backoff_urgent_seconds = 0.01,
	    .retry_after_max_seconds = 0.01,
	    .request_seconds = 20,
	    .consistency = on_consistency,
	    .gathered = on_gathered,
	    .observed = on_observed,
	    .alert = on_alert,
	    .ctx = w,
	};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	gather_free(w->gather);
	policy_free(w->policy);
	for (size_t i = 0; i < WITNESSES; i++)
		fake_witness_stop(&w->witness[i]);
	close(w->silent);
	close(w->refused);
	model_tree_release(&w->tree);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

/* A policy from a template: "$L" and "$W" as test_policy.h has them, "@a" the URL of witness a, "@silent" and "@refused"
 * those of the sockets. */
static void make_policy(struct world *w, const char *template)
{
	struct policy_error error;
	struct buf urls, text;

	buf_init(&urls);
	buf_init(&text);
	for (const char *c = template; *c != '\0'; c++) {
		if (*c != '@') {
			assert_int_equal(buf_append_byte(&urls, (uint8_t)*c), VT_OK);
		} else if (strncmp(c, "@silent", 7) == 0) {
			assert_int_equal(
			    buf_appendf(&urls, "http://127.0.0.1:%u", port_of(w->silent)), VT_OK);
			c += 6;
		} else if (strncmp(c, "@refused", 8) == 0) {
			assert_int_equal(
			    buf_appendf(&urls, "http://127.0.0.1:%u", port_of(w->refused)), VT_OK);
			c += 7;
		} else {
			assert_int_equal(buf_append_str(&urls, w->witness[*++c - 'a'].url), VT_OK);
		}
	}
	assert_int_equal(buf_append_byte(&urls, '\0'), VT_OK);
	test_policy_text(&text, (const char *)urls.data);
	policy_free(w->policy);
	if (policy_parse(&w->policy, buf_bytes(&text), &error) != VT_OK)
		fail_msg("line %zu: %s", error.line, error.text);
	w->config.policy = w->policy;
	buf_release(&urls);
	buf_release(&text);
}

#define TWO_OF(a, b, c)                                                                            \
	"log $Ll\nwitness a $Wa " a "\nwitness b $Wb " b "\nwitness c $Wc " c                      \
	"\ngroup g 2 a b c\nquorum g\n"
#define ALL_HONEST TWO_OF("@a", "@b", "@c")
#define ONLY_C     "log $Ll\nwitness c $Wc @c\nquorum c\n"

static void start(struct world *w, const char *template)
{
	char why[GATHER_WHY_MAX];

	make_policy(w, template);
	if (gather_new(&w->gather, &w->config, why) != VT_OK)
		fail_msg("%s", why);
	assert_int_equal(gather_start(w->gather), VT_OK);
}

/* Run a round for a head whose quorum must hold. */
static struct told round_holds(struct world *w, uint64_t size)
{
	struct told t;

	begin(w, size);
	(void)wait_told(w, size, true, false, 0);
	t = wait_told(w, size, true, true, 0);
	return t;
}

/* The note is what the policy asks for. */
static void assert_accepted(struct world *w, const struct told *t)
{
	const struct policy_log *log;
	struct note *note = NULL;
	struct checkpoint cp;

	assert_int_equal(
	    policy_open_checkpoint(&note, &cp, &log, NULL, bytes_str(t->note), w->policy), VT_OK);
	assert_int_equal(cp.head.size, t->size);
	note_free(note);
}

/* -- honest witnesses ----------------------------------------------------------------------------------- */

static void honest_witnesses_make_the_quorum(void **state)
{
	struct world *w = *state;
	struct told t;

	start(w, ALL_HONEST);
	begin(w, 5);
	t = wait_told(w, 5, true, false, 2);
	assert_accepted(w, &t);
	t = wait_told(w, 5, true, true, 3);
	assert_accepted(w, &t);
	assert_int_equal(w->n_alerts, 0);
}

static void proof_starts_from_what_was_cosigned_last(void **state)
{
	struct world *w = *state;
	struct fake_witness *c = &w->witness[2];

	start(w, ONLY_C);
	(void)round_holds(w, 5);
	assert_int_equal(c->old, 0);
	assert_int_equal(c->proof_n, 0);
	(void)round_holds(w, 11);
	assert_int_equal(c->old, 5);
	assert_true(c->proof_n > 0);
	assert_int_equal(c->head.size, 11);
	assert_int_equal(c->asked, 2);
}

static void size_is_learned_from_409(void **state)
{
	struct world *w = *state;
	struct tree_head head = head_of(w, 7);

	fake_witness_remembers(&w->witness[2], &head);
	start(w, ONLY_C);
	(void)round_holds(w, 20);
	assert_int_equal(w->witness[2].asked, 2);
	assert_int_equal(w->witness[2].old, 7);
	assert_int_equal(w->n_alerts, 0);
}

static void size_is_learned_from_what_the_witness_shows(void **state)
{
	struct world *w = *state;
	struct tree_head head = head_of(w, 7);
	struct buf note;

	buf_init(&note);
	append_checkpoint(w, &note, 7, "c");
	fake_witness_remembers(&w->witness[2], &head);
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	buf_release(&note);
	start(w, ONLY_C);
	(void)round_holds(w, 20);
	assert_int_equal(w->witness[2].asked, 1);
	assert_int_equal(w->witness[2].old, 7);
	assert_int_equal(w->n_observed, 1);
}

static void same_size_is_cosigned_again(void **state)
{
	struct world *w = *state;
	struct tree_head head = head_of(w, 7);

	fake_witness_remembers(&w->witness[2], &head);
	start(w, ONLY_C);
	(void)round_holds(w, 7);
	assert_int_equal(w->witness[2].old, 7);
	assert_int_equal(w->witness[2].proof_n, 0);
}

static void empty_log_is_cosigned(void **state)
{
	struct world *w = *state;

	start(w, ONLY_C);
	(void)round_holds(w, 0);
	(void)round_holds(w, 1);
	assert_int_equal(w->witness[2].old, 0);
	assert_int_equal(w->n_alerts, 0);
}

static void who_has_cosigned_nothing_of_this_log_is_not_made_to(void **state)
{
	struct world *w = *state;

	start(w, ONLY_C);
	begin_as(w, 20, true);
	wait_alert(w, "c", GATHER_NEW);
	(void)wait_told(w, 20, false, true, 0);
	assert_int_equal(w->witness[2].old, 20);
	assert_int_equal(w->witness[2].head.size, 0);
	/* Nor of an empty log, where asking would leave no trace: it would only seem to have been there. */
	begin_as(w, 0, true);
	(void)wait_told(w, 0, false, true, 0);
	/* When it matters no more, it is asked like everybody. */
	(void)round_holds(w, 20);
	assert_int_equal(w->witness[2].old, 0);
	wait_alert(w, "c", GATHER_FINE);
}

static void who_remembers_any_head_of_this_log_is_asked(void **state)
{
	struct world *w = *state;
	struct tree_head small = head_of(w, 7), same = head_of(w, 20);
	struct told t;

	fake_witness_remembers(&w->witness[0], &small);
	fake_witness_remembers(&w->witness[1], &same);
	start(w, ALL_HONEST);
	begin_as(w, 20, true);
	t = wait_told(w, 20, true, true, 2);
	assert_int_equal(t.lines, 2);
	assert_accepted(w, &t);
	wait_alert(w, "c", GATHER_NEW);
	assert_int_equal(w->witness[2].head.size, 0);
}

static void an_empty_head_that_a_witness_shows_is_remembered(void **state)
{
	struct world *w = *state;
	struct buf note;

	buf_init(&note);
	append_checkpoint(w, &note, 0, "c");
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	buf_release(&note);
	start(w, ONLY_C);
	begin_as(w, 0, true);
	(void)wait_told(w, 0, true, true, 1);
	assert_int_equal(w->n_alerts, 0);
}

static void one_proof_serves_witnesses_of_one_size(void **state)
{
	struct world *w = *state;

	start(w, ALL_HONEST);
	begin(w, 5);
	(void)wait_told(w, 5, true, true, 3);
	begin(w, 9);
	(void)wait_told(w, 9, true, true, 3);
	assert_int_equal(w->n_proofs, 1);
}

static void late_cosignature_is_handed_in_afterwards(void **state)
{
	struct world *w = *state;
	struct told t;

	start(w, ALL_HONEST);
	fake_witness_hold(&w->witness[2]);
	begin(w, 5);
	t = wait_told(w, 5, true, true, 0);
	assert_int_equal(t.lines, 2);
	fake_witness_wait_held(&w->witness[2], 1);
	fake_witness_release(&w->witness[2]);
	t = wait_told(w, 5, true, true, 3);
	assert_accepted(w, &t);
}

static void cosignature_of_a_head_that_is_gone_is_dropped(void **state)
{
	struct world *w = *state;
	struct told t;

	start(w, ALL_HONEST);
	fake_witness_hold(&w->witness[2]);
	begin(w, 5);
	(void)wait_told(w, 5, true, true, 2);
	fake_witness_wait_held(&w->witness[2], 1);
	(void)round_holds(w, 9);
	fake_witness_release(&w->witness[2]);
	t = wait_told(w, 9, true, true, 3);
	assert_accepted(w, &t);
	for (size_t i = 0; i < w->n_told; i++)
		assert_false(w->told[i].size == 5 && w->told[i].lines == 3);
}

static void two_keys_at_one_url_are_asked_once(void **state)
{
	struct note_signer by[2] = {test_witness('a'), test_witness('b')};
	struct world *w = *state;
	struct told t;

	memcpy(w->witness[0].signer, by, sizeof(by));
	w->witness[0].n_signers = 2;
	start(w, "log $Ll\nwitness a $Wa @a/\nwitness b $Wb @a\ngroup g all a b\nquorum g\n");
	t = round_holds(w, 5);
	assert_int_equal(t.lines, 2);
	assert_accepted(w, &t);
	assert_int_equal(w->witness[0].asked, 1);
}

static void policy_without_a_quorum_waits_for_nobody(void **state)
{
	struct world *w = *state;
	struct told t;

	fake_witness_hold(&w->witness[2]);
	start(w, "log $Ll\nwitness c $Wc @c\nquorum none\n");
	begin(w, 5);
	t = wait_told(w, 5, true, true, 0);
	assert_int_equal(t.lines, 0);
	fake_witness_wait_held(&w->witness[2], 1);
	fake_witness_release(&w->witness[2]);
	(void)wait_told(w, 5, true, true, 1);
}

static void witness_without_url_is_not_asked(void **state)
{
	struct world *w = *state;
	struct gather_status s;

	start(w, TWO_OF("@a", "@b", ""));
	(void)round_holds(w, 5);
	gather_status(w->gather, &s);
	assert_int_equal(s.witnesses, 2);
	assert_int_equal(fake_witness_asked(&w->witness[2]), 0);
}

static void same_note_again_keeps_its_cosignatures(void **state)
{
	struct world *w = *state;
	struct told t;

	fake_witness_says(&w->witness[1], (struct fake_answer){.status = 500});
	start(w, TWO_OF("@a", "@b", "@refused"));
	for (int i = 0; i < 5; i++) {
		begin(w, 5);
		(void)wait_told(w, 5, false, true, 1);
	}
	fake_witness_says(&w->witness[1], (struct fake_answer){0});
	t = wait_told(w, 5, true, true, 2);
	assert_accepted(w, &t);
	assert_int_equal(fake_witness_asked(&w->witness[0]), 1);
}

static void round_lasts_its_interval(void **state)
{
	struct world *w = *state;
	uint64_t start_at;

	w->config.interval_seconds = 0.05;
	start(w, ALL_HONEST);
	start_at = clock_monotonic_nanos();
	begin(w, 5);
	(void)wait_told(w, 5, true, false, 2);
	(void)wait_told(w, 5, true, true, 2);
	assert_true(clock_monotonic_nanos() - start_at >= 50000000);
}

static void figures_are_kept_for_each_witness(void **state)
{
	struct world *w = *state;
	struct gather_witness f;
	struct gather_status s;

	fake_witness_says(&w->witness[2], (struct fake_answer){.status = 500});
	start(w, ALL_HONEST);
	begin(w, 5);
	(void)wait_told(w, 5, true, true, 2);
	wait_alert(w, "c", GATHER_FAILING);
	gather_witness_status(w->gather, 0, &f);
	assert_string_equal(f.name, "a");
	assert_string_equal(f.url, w->witness[0].url);
	assert_int_equal(f.trouble, GATHER_FINE);
	assert_int_equal(f.size, 5);
	assert_int_equal(f.cosignatures, 1);
	assert_true(f.requests >= 2 && f.last_success > 0 && f.seconds_last > 0);
	gather_witness_status(w->gather, 2, &f);
	assert_int_equal(f.trouble, GATHER_FAILING);
	assert_int_equal(f.cosignatures, 0);
	assert_true(f.failures > 0 && f.why[0] != '\0');
	gather_status(w->gather, &s);
	assert_int_equal(s.rounds, 1);
	assert_int_equal(s.rounds_failed, 0);
	assert_int_equal(s.quorum_size, 5);
	assert_false(s.quorum_missing);
}

/* -- slow and dead ones ----------------------------------------------------------------------------------- */

static void silent_witness_delays_nothing(void **state)
{
	struct world *w = *state;

	w->config.request_seconds = 3600;
	start(w, TWO_OF("@a", "@b", "@silent"));
	for (uint64_t size = 1; size <= 20; size++)
		(void)round_holds(w, size);
	/* Stopping breaks off what it is asked: the end of the test. */
}

static void silent_witness_is_given_up_after_its_deadline(void **state)
{
	struct world *w = *state;
	struct gather_status status;

	w->config.request_seconds = 0.2;
	start(w, TWO_OF("@a", "@silent", "@refused"));
	begin(w, 5);
	(void)wait_told(w, 5, false, true, 1);
	wait_alert(w, "b", GATHER_UNREACHABLE);
	gather_status(w->gather, &status);
	assert_true(status.quorum_missing);
}

static void witness_that_is_not_needed_is_waited_for_by_nobody(void **state)
{
	struct world *w = *state;

	fake_witness_hold(&w->witness[2]);
	start(w, ALL_HONEST);
	for (uint64_t size = 1; size <= 10; size++)
		(void)round_holds(w, size);
	assert_true(fake_witness_asked(&w->witness[2]) <= 1);
}

static void missing_quorum_is_told_and_comes_by_itself(void **state)
{
	struct world *w = *state;
	struct gather_status s;
	struct told t;

	fake_witness_says(&w->witness[1], (struct fake_answer){.status = 500});
	start(w, TWO_OF("@a", "@b", "@refused"));
	begin(w, 5);
	(void)wait_told(w, 5, false, true, 1);
	wait_alert(w, "c", GATHER_UNREACHABLE);
	wait_alert(w, "b", GATHER_FAILING);
	gather_status(w->gather, &s);
	assert_true(s.quorum_missing);
	assert_int_equal(s.rounds_failed, 1);
	assert_int_equal(s.quorum_time, 0);
	fake_witness_says(&w->witness[1], (struct fake_answer){0});
	t = wait_told(w, 5, true, true, 2);
	assert_accepted(w, &t);
	wait_alert(w, "b", GATHER_FINE);
	gather_status(w->gather, &s);
	assert_false(s.quorum_missing);
	assert_int_equal(s.quorum_size, 5);
}

static void failed_witness_is_asked_but_not_waited_for(void **state)
{
	struct world *w = *state;

	/* Two fail at first; then one of them takes its time. */
	fake_witness_says(&w->witness[1], (struct fake_answer){.status = 500});
	start(w, TWO_OF("@a", "@b", "@refused"));
	begin(w, 5);
	(void)wait_told(w, 5, false, true, 1);
	fake_witness_hold(&w->witness[1]);
	fake_witness_wait_held(&w->witness[1], 1);
	begin(w, 6);
	(void)wait_told(w, 6, false, true, 1);
	fake_witness_says(&w->witness[1], (struct fake_answer){0});
	fake_witness_release(&w->witness[1]);
	(void)wait_told(w, 6, true, true, 2);
}

static void pause_after_failures_is_kept(void **state)
{
	struct world *w = *state;

	w->config.backoff_seconds = w->config.backoff_max_seconds = 3600;
	w->config.backoff_urgent_seconds = 3600;
	fake_witness_says(&w->witness[2], (struct fake_answer){.status = 500});
	start(w, ALL_HONEST);
	begin(w, 1);
	wait_alert(w, "c", GATHER_FAILING);
	(void)wait_told(w, 1, true, true, 2);
	for (uint64_t size = 2; size <= 10; size++)
		(void)round_holds(w, size);
	assert_int_equal(fake_witness_asked(&w->witness[2]), 1);
}

static void pause_is_short_while_the_quorum_is_missing(void **state)
{
	struct world *w = *state;

	w->config.backoff_seconds = w->config.backoff_max_seconds = 3600;
	fake_witness_says(&w->witness[1], (struct fake_answer){.status = 500});
	start(w, TWO_OF("@a", "@b", "@refused"));
	begin(w, 5);
	(void)wait_told(w, 5, false, true, 1);
	fake_witness_says(&w->witness[1], (struct fake_answer){0});
	(void)wait_told(w, 5, true, true, 2);
}

static void retry_after_is_kept_also_when_the_quorum_is_missing(void **state)
{
	struct world *w = *state;

	w->config.retry_after_max_seconds = 7200;
	fake_witness_says(&w->witness[1], (struct fake_answer){.status = 429, .retry_after = 3600});
	start(w, TWO_OF("@a", "@b", "@refused"));
	for (uint64_t size = 1; size <= 10; size++) {
		begin(w, size);
		(void)wait_told(w, size, false, true, 1);
	}
	wait_alert(w, "b", GATHER_BUSY);
	assert_int_equal(fake_witness_asked(&w->witness[1]), 1);
}

static void retry_after_is_bounded(void **state)
{
	struct world *w = *state;

	fake_witness_says(&w->witness[2],
			  (struct fake_answer){.status = 429, .retry_after = 4000000000});
	start(w, ONLY_C);
	begin(w, 5);
	fake_witness_wait_asked(&w->witness[2], 3);
	fake_witness_says(&w->witness[2], (struct fake_answer){0});
	(void)wait_told(w, 5, true, true, 1);
}

/* -- lying and malformed ones --------------------------------------------------------------------------- */

/* Witness c answers like this; the quorum holds without it, and its trouble has this name. */
static void assert_trouble(struct world *w, struct fake_answer answer, enum gather_trouble trouble)
{
	struct told t;

	fake_witness_says(&w->witness[2], answer);
	start(w, ALL_HONEST);
	begin(w, 5);
	wait_alert(w, "c", trouble);
	t = wait_told(w, 5, true, true, 2);
	assert_int_equal(t.lines, 2);
	assert_accepted(w, &t);
	/* The next round goes as well. */
	(void)round_holds(w, 6);
	assert_int_equal(count_alerts(w, "a") + count_alerts(w, "b"), 0);
	gather_free(w->gather);
	w->gather = NULL;
	w->n_told = w->n_alerts = 0;
	for (size_t i = 0; i < 2; i++)
		fake_witness_remembers(&w->witness[i], &(struct tree_head){0});
}

static void statuses_have_names(void **state)
{
	static const struct {
		unsigned status;
		enum gather_trouble trouble;
	} cases[] = {
	    {400, GATHER_REFUSED},   {403, GATHER_UNTRUSTED}, {404, GATHER_UNKNOWN_LOG},
	    {422, GATHER_DISPROVED}, {429, GATHER_BUSY},      {500, GATHER_FAILING},
	    {503, GATHER_FAILING},   {301, GATHER_MALFORMED}, {204, GATHER_MALFORMED},
	    {418, GATHER_MALFORMED},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_trouble(w, (struct fake_answer){.status = cases[i].status},
			       cases[i].trouble);
}

static void answers_that_are_no_cosignature_are_named(void **state)
{
	static char many[200 * 64], big[GATHER_ANSWER_MAX + 1];
	struct world *w = *state;
	const char foreign[] = "\xe2\x80\x94 somebody.example AAAAAAAAAAAA\n";
	uint64_t now = clock_unix();

	for (size_t i = 0; i < 200; i++)
		memcpy(many + i * (sizeof(foreign) - 1), foreign, sizeof(foreign));
	memset(big, 'x', sizeof(big));
	const struct {
		struct fake_answer answer;
		enum gather_trouble trouble;
	} cases[] = {
	    {{.status = 200}, GATHER_UNSIGNED},
	    {{.status = 200, .body = "garbage\n"}, GATHER_MALFORMED},
	    {{.status = 200, .body = "\n\n"}, GATHER_MALFORMED},
	    {{.status = 200, .body = "\0\0\0", .body_len = 3}, GATHER_MALFORMED},
	    {{.status = 200, .body = foreign}, GATHER_UNSIGNED},
	    {{.status = 200, .body = many}, GATHER_MALFORMED},
	    {{.status = 200, .body = big, .body_len = sizeof(big)}, GATHER_MALFORMED},
	    {{.before = "garbage\n"}, GATHER_MALFORMED},
	    {{.after = "\n"}, GATHER_MALFORMED},
	    /* Another text, then, which is no checkpoint. */
	    {{.before = "\n"}, GATHER_UNSIGNED},
	    {{.other_text = true}, GATHER_UNSIGNED},
	    {{.time_zero = true}, GATHER_BAD_TIME},
	    {{.time = 1}, GATHER_BAD_TIME},
	    {{.time = now + 2 * GATHER_TIME_AHEAD_MAX}, GATHER_BAD_TIME},
	    {{.time = INT64_MAX}, GATHER_BAD_TIME},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fake_witness_remembers(&w->witness[2], &(struct tree_head){0});
		assert_trouble(w, cases[i].answer, cases[i].trouble);
	}
}

static void foreign_lines_are_left_out(void **state)
{
	struct world *w = *state;
	struct told t;

	fake_witness_says(&w->witness[2],
			  (struct fake_answer){
			      .before = "\xe2\x80\x94 somebody.example AAAAAAAAAAAA\n",
			      .after = "\xe2\x80\x94 wc.example AAAAAAAAAAAA\n",
			  });
	start(w, ONLY_C);
	t = round_holds(w, 5);
	assert_null(strstr(t.note, "AAAAAAAAAAAA"));
	assert_int_equal(t.lines, 1);
	assert_accepted(w, &t);
}

static void cosignature_by_another_witness_does_not_count(void **state)
{
	struct note_signer a = test_witness('a');
	struct world *w = *state;

	w->witness[2].signer[0] = a;
	assert_trouble(w, (struct fake_answer){0}, GATHER_UNSIGNED);
}

static void sizes_that_are_none_are_malformed(void **state)
{
	static const struct fake_answer cases[] = {
	    {.status = 409},
	    {.status = 409, .content_type = "text/plain", .body = "3\n"},
	    {.status = 409, .content_type = "text/x.tlog.sizes", .body = "3\n"},
	    {.status = 409, .content_type = "text/x.tlog.size", .body = "3"},
	    {.status = 409, .content_type = "text/x.tlog.size", .body = "03\n"},
	    {.status = 409, .content_type = "text/x.tlog.size", .body = "-3\n"},
	    {.status = 409, .content_type = "text/x.tlog.size", .body = "\n"},
	    {.status = 409, .content_type = "text/x.tlog.size", .body = "3\n3\n"},
	    {.status = 409, .content_type = "text/x.tlog.size", .body = "99999999999999999999\n"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_trouble(w, cases[i], GATHER_MALFORMED);
}

static void conflict_without_end_is_given_up(void **state)
{
	struct world *w = *state;

	/* First from 0: told 3; then from 3: told 3. */
	assert_trouble(
	    w,
	    (struct fake_answer){.status = 409, .content_type = "text/x.tlog.size", .body = "3\n"},
	    GATHER_CONFLICT);
	assert_trouble(
	    w,
	    (struct fake_answer){.status = 409, .content_type = "text/x.tlog.size", .body = "0\n"},
	    GATHER_CONFLICT);
}

static const struct fake_answer claims_much = {
    .status = 409, .content_type = "text/x.tlog.size", .body = "99999999\n"};

static void claim_beyond_us_is_an_alert_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct note_signer other = test_log('m');
	struct tree_head head = {.size = 99999999};
	struct buf note;

	assert_trouble(w, claims_much, GATHER_CLAIMS);
	assert_int_equal(w->n_observed, 0);
	/* Neither does another log's checkpoint make it more, nor one that only the witness signed. */
	buf_init(&note);
	test_checkpoint(&note, 'm', &head, "c");
	assert_string_equal(other.key.name, "lm.example");
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	assert_trouble(w, claims_much, GATHER_CLAIMS);
	assert_int_equal(w->n_observed, 0);
	/* An old one of ours is looked at, and does not bear the claim out. */
	buf_reset(&note);
	append_checkpoint(w, &note, 3, "c");
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	assert_trouble(w, claims_much, GATHER_CLAIMS);
	assert_true(w->n_observed > 0);
	buf_release(&note);
}

static void witness_ahead_of_this_head_is_no_trouble(void **state)
{
	struct world *w = *state;
	struct tree_head head = head_of(w, 30);
	struct buf note;

	/* Another process of this log was quicker. */
	start(w, ALL_HONEST);
	(void)round_holds(w, 5);
	buf_init(&note);
	append_checkpoint(w, &note, 30, "c");
	/* In this order: a slow machine may still be asking it about the head of size 5. */
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	fake_witness_remembers(&w->witness[2], &head);
	buf_release(&note);
	(void)round_holds(w, 20);
	begin(w, 40);
	(void)wait_told(w, 40, true, true, 3);
	assert_int_equal(w->n_alerts, 0);
	assert_true(w->n_observed > 0);
}

static void head_that_was_overtaken_misses_no_quorum(void **state)
{
	struct world *w = *state;
	struct tree_head head = head_of(w, 30);
	struct gather_status status;
	struct buf note;

	start(w, ONLY_C);
	(void)round_holds(w, 5);
	buf_init(&note);
	append_checkpoint(w, &note, 30, "c");
	fake_witness_remembers(&w->witness[2], &head);
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	buf_release(&note);
	begin(w, 20);
	(void)wait_told(w, 20, false, true, 0);
	gather_status(w->gather, &status);
	assert_false(status.quorum_missing);
	assert_int_equal(status.rounds_failed, 0);
	(void)round_holds(w, 40);
	assert_int_equal(w->n_alerts, 0);
}

static void contradiction_stops_all_asking(void **state)
{
	struct world *w = *state;
	struct buf note;
	unsigned asked;

	start(w, ALL_HONEST);
	begin(w, 5);
	(void)wait_told(w, 5, true, true, 3);
	buf_init(&note);
	append_checkpoint(w, &note, 30, "c");
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	buf_release(&note);
	observed_says(w, VT_EMISMATCH);
	fake_witness_says(&w->witness[2], claims_much);
	fake_witness_hold(&w->witness[2]);
	begin(w, 6);
	(void)wait_told(w, 6, true, true, 2);
	fake_witness_wait_held(&w->witness[2], 1);
	fake_witness_release(&w->witness[2]);
	wait_alert(w, "c", GATHER_CONTRADICTS);
	asked = fake_witness_asked(&w->witness[0]);
	begin(w, 7);
	(void)wait_told(w, 7, false, true, 0);
	assert_int_equal(fake_witness_asked(&w->witness[0]), asked);
}

static void contradiction_shown_at_the_start_is_found_before_anything_is_sent(void **state)
{
	struct world *w = *state;
	struct buf note;

	buf_init(&note);
	append_checkpoint(w, &note, 30, "c");
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	buf_release(&note);
	observed_says(w, VT_EMISMATCH);
	start(w, ONLY_C);
	wait_alert(w, "c", GATHER_CONTRADICTS);
	begin(w, 5);
	(void)wait_told(w, 5, false, true, 0);
	assert_int_equal(fake_witness_asked(&w->witness[2]), 0);
}

static void disproof_is_looked_into(void **state)
{
	struct world *w = *state;
	struct buf note;

	start(w, ALL_HONEST);
	begin(w, 5);
	(void)wait_told(w, 5, true, true, 3);
	buf_init(&note);
	append_checkpoint(w, &note, 5, "c");
	fake_witness_shows(&w->witness[2], buf_bytes(&note));
	buf_release(&note);
	observed_says(w, VT_EMISMATCH);
	fake_witness_says(&w->witness[2], (struct fake_answer){.status = 422});
	begin(w, 6);
	wait_alert(w, "c", GATHER_CONTRADICTS);
}

static void trouble_is_told_once_for_each_change(void **state)
{
	struct world *w = *state;
	struct fake_witness *c = &w->witness[2];

	fake_witness_says(c, (struct fake_answer){.status = 404});
	start(w, ALL_HONEST);
	for (uint64_t size = 1; size <= 5; size++)
		(void)round_holds(w, size);
	fake_witness_wait_asked(c, 5);
	fake_witness_says(c, (struct fake_answer){.status = 403});
	wait_alert(w, "c", GATHER_UNTRUSTED);
	fake_witness_says(c, (struct fake_answer){0});
	wait_alert(w, "c", GATHER_FINE);
	assert_int_equal(count_alerts(w, "c"), 3);
}

/* -- policies --------------------------------------------------------------------------------------------- */

static void assert_refused(struct world *w, const char *template, enum vt_err err,
			   const char *because)
{
	char why[GATHER_WHY_MAX] = "";
	struct gather *g;

	make_policy(w, template);
	assert_int_equal(gather_new(&g, &w->config, why), err);
	assert_null(g);
	if (strstr(why, because) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, because);
}

static void policies_that_cannot_work_are_refused(void **state)
{
	struct world *w = *state;
	struct note_signer renamed = test_signer("lm.example", VKEY_TYPE_ED25519, 9);

	assert_refused(w, "log $Lm\nwitness a $Wa @a\nquorum a\n", VT_EUNTRUSTED,
		       "does not list this log");
	assert_refused(w, "witness a $Wa @a\nquorum a\n", VT_EUNTRUSTED, "does not list this log");
	assert_refused(w, "log $Ll\nwitness a $Wa\nquorum a\n", VT_EINVAL,
		       "cannot make its quorum");
	assert_refused(w, TWO_OF("@a", "", ""), VT_EINVAL, "cannot make its quorum");
	assert_refused(w, "log $Ll\nwitness a $Wa ftp://a.example\nquorum a\n", VT_EINVAL,
		       "not an http or https URL");
	assert_refused(w, "log $Ll\nquorum none\n", VT_ENOTFOUND, "no witness");
	assert_refused(w, "log $Ll\nwitness a $Wa\nquorum none\n", VT_ENOTFOUND, "no witness");
	w->config.log = &renamed.key;
	assert_refused(w, "log $Lm\nwitness a $Wa @a\nquorum a\n", VT_EUNTRUSTED, "another key");
}

/* A template that names n witnesses. */
static void append_witnesses(struct buf *out, unsigned n)
{
	assert_int_equal(buf_append_str(out, "log $Ll\n"), VT_OK);
	for (unsigned i = 0; i < n; i++) {
		struct vkey key =
		    test_vkey("many.example", VKEY_TYPE_COSIGNATURE_ED25519, (uint8_t)(100 + i));

		assert_int_equal(buf_appendf(out, "witness w%u ", i), VT_OK);
		assert_int_equal(vkey_format(out, &key), VT_OK);
		assert_int_equal(buf_appendf(out, " http://127.0.0.1:1/%u\n", i), VT_OK);
	}
	assert_int_equal(buf_append_str(out, "quorum w0\n"), VT_OK);
	assert_int_equal(buf_append_byte(out, '\0'), VT_OK);
}

static void more_witnesses_than_a_note_has_lines_are_refused(void **state)
{
	struct world *w = *state;
	char why[GATHER_WHY_MAX];
	struct buf text;

	buf_init(&text);
	append_witnesses(&text, NOTE_SIGNATURES_MAX);
	assert_refused(w, (const char *)text.data, VT_EINVAL, "room for the cosignatures of 127");
	buf_reset(&text);
	append_witnesses(&text, NOTE_SIGNATURES_MAX - 1);
	make_policy(w, (const char *)text.data);
	assert_int_equal(gather_new(&w->gather, &w->config, why), VT_OK);
	buf_release(&text);
}

static void stopping_without_having_started_is_fine(void **state)
{
	struct world *w = *state;
	char why[GATHER_WHY_MAX];

	make_policy(w, ALL_HONEST);
	assert_int_equal(gather_new(&w->gather, &w->config, why), VT_OK);
	begin(w, 5);
	gather_stop(w->gather);
	assert_int_equal(w->n_told, 0);
}

static void gatherer_is_made_whole_or_not_at_all(void **state)
{
	struct world *w = *state;
	char why[GATHER_WHY_MAX];
	bool failed = true;

	make_policy(w, ALL_HONEST);
	for (unsigned n = 1; failed; n++) {
		struct gather *g;
		enum vt_err err;

		alloc_fail_at(n);
		err = gather_new(&g, &w->config, why);
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		gather_free(g);
	}
}

static void round_without_memory_is_over_and_says_so(void **state)
{
	struct world *w = *state;
	struct tree_head head = head_of(w, 5);
	char why[GATHER_WHY_MAX];
	struct told t;
	struct buf note;

	make_policy(w, ALL_HONEST);
	assert_int_equal(gather_new(&w->gather, &w->config, why), VT_OK);
	buf_init(&note);
	append_checkpoint(w, &note, 5, "");
	/* No thread runs yet that could be the one to go without. */
	alloc_fail_at(1);
	gather_begin(w->gather, buf_bytes(&note), &head, false);
	assert_true(alloc_failed());
	assert_int_equal(gather_start(w->gather), VT_OK);
	t = wait_told(w, 5, false, true, 0);
	assert_string_equal(t.note, "");
	gather_begin(w->gather, buf_bytes(&note), &head, false);
	(void)wait_told(w, 5, true, true, 2);
	buf_release(&note);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(honest_witnesses_make_the_quorum),
	    TEST(proof_starts_from_what_was_cosigned_last),
	    TEST(size_is_learned_from_409),
	    TEST(size_is_learned_from_what_the_witness_shows),
	    TEST(same_size_is_cosigned_again),
	    TEST(empty_log_is_cosigned),
	    TEST(who_has_cosigned_nothing_of_this_log_is_not_made_to),
	    TEST(who_remembers_any_head_of_this_log_is_asked),
	    TEST(an_empty_head_that_a_witness_shows_is_remembered),
	    TEST(one_proof_serves_witnesses_of_one_size),
	    TEST(late_cosignature_is_handed_in_afterwards),
	    TEST(cosignature_of_a_head_that_is_gone_is_dropped),
	    TEST(two_keys_at_one_url_are_asked_once),
	    TEST(policy_without_a_quorum_waits_for_nobody),
	    TEST(witness_without_url_is_not_asked),
	    TEST(same_note_again_keeps_its_cosignatures),
	    TEST(round_lasts_its_interval),
	    TEST(figures_are_kept_for_each_witness),
	    TEST(silent_witness_delays_nothing),
	    TEST(silent_witness_is_given_up_after_its_deadline),
	    TEST(witness_that_is_not_needed_is_waited_for_by_nobody),
	    TEST(missing_quorum_is_told_and_comes_by_itself),
	    TEST(failed_witness_is_asked_but_not_waited_for),
	    TEST(pause_after_failures_is_kept),
	    TEST(pause_is_short_while_the_quorum_is_missing),
	    TEST(retry_after_is_kept_also_when_the_quorum_is_missing),
	    TEST(retry_after_is_bounded),
	    TEST(statuses_have_names),
	    TEST(answers_that_are_no_cosignature_are_named),
	    TEST(foreign_lines_are_left_out),
	    TEST(cosignature_by_another_witness_does_not_count),
	    TEST(sizes_that_are_none_are_malformed),
	    TEST(conflict_without_end_is_given_up),
	    TEST(claim_beyond_us_is_an_alert_and_nothing_else),
	    TEST(witness_ahead_of_this_head_is_no_trouble),
	    TEST(head_that_was_overtaken_misses_no_quorum),
	    TEST(contradiction_stops_all_asking),
	    TEST(contradiction_shown_at_the_start_is_found_before_anything_is_sent),
	    TEST(disproof_is_looked_into),
	    TEST(trouble_is_told_once_for_each_change),
	    TEST(policies_that_cannot_work_are_refused),
	    TEST(more_witnesses_than_a_note_has_lines_are_refused),
	    TEST(stopping_without_having_started_is_fine),
	    TEST(gatherer_is_made_whole_or_not_at_all),
	    TEST(round_without_memory_is_over_and_says_so),
	};

	return cmocka_run_group_tests_name("asking witnesses", tests, NULL, NULL);
}
