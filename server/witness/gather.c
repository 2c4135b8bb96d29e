/* The rounds and the threads; what is said to one witness is gather_ask.c's. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "gather_private.h"
#include "logline.h"

enum {
	PROOFS_KEPT = 8, /* witnesses mostly want the same one or two */
};

/*
 * One URL of the policy. What stands before `asker` is under gather's lock; asker is its thread's own.
 *
 * A round waits for a witness only while that can bring something: it has not answered this round, and did not fail
 * when it was asked last (`failures` is 0). One that failed is asked all the same, when `pause` is over.
 */
struct witness {
	struct gather *gather;
	char *name;
	char *url;
	struct vkey *key;
	size_t *listed; /* key[i] is the policy's witness listed[i] */
	size_t n;
	pthread_t thread;
	bool running;
	uint64_t answered;  /* the number of the last round for which it gave all it has */
	unsigned failures;  /* in a row */
	uint64_t failed_at; /* monotonic nanoseconds */
	uint64_t pause;     /* our own patience with it, */
	uint64_t obliged;   /* and what it asked for */
	struct gather_witness shown;
	struct asker asker;
};

/* Number 0: none has begun. Lines are kept by the policy's numbers. */
struct round {
	uint64_t number;
	struct buf note;
	struct tree_head head;
	bool remembered; /* only who remembers a head of this log is asked */
	uint64_t begun;  /* monotonic nanoseconds */
	bool *cosigned;
	bool *
	    ahead; /* has a later head of ours, from another process: nothing is wrong, and nothing to be had */
	struct buf *line;
	size_t n_lines;
	/* What the log has been told. */
	size_t told_lines;
	bool told_quorum, told_done;
};

struct gather {
	struct gather_config config;
	struct vkey log;
	size_t n_listed; /* witnesses of the policy */
	struct witness *witness;
	size_t n;
	pthread_t conductor;
	bool conducting;
	bool *could; /* scratch of decided() and missing() */

	pthread_mutex_t lock;
	pthread_cond_t work; /* for the witnesses: a round, an end, other pauses */
	pthread_cond_t news; /* for the conductor */
	struct round round;
	struct gather_status status;
	bool stopping;
	bool halted; /* a witness has shown that this log signed two histories */

	/* One call into the log at a time; nothing else is locked under it. */
	pthread_mutex_t call;
	struct proof_kept {
		uint64_t first, second;
		struct merkle_proof proof;
	} kept[PROOFS_KEPT];
	size_t next_kept;
};

/* -- time ------------------------------------------------------------------------------------------- */

static uint64_t nanos(double seconds)
{
	return (uint64_t)(seconds * 1e9);
}

/* until: monotonic nanoseconds; UINT64_MAX: for ever. */
static void cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until)
{
	struct timespec ts = {.tv_sec = (time_t)(until / 1000000000),
			      .tv_nsec = (long)(until % 1000000000)};

	if (until == UINT64_MAX)
		(void)pthread_cond_wait(cond, lock);
	else
		(void)pthread_cond_timedwait(cond, lock, &ts);
}

/* -- calls into the log --------------------------------------------------------------------------- */

static enum vt_err shared_consistency(void *ctx, uint64_t first, uint64_t second,
				      struct merkle_proof *out)
{
	struct gather *g = ctx;
	struct proof_kept *k;
	enum vt_err err;

	(void)pthread_mutex_lock(&g->call);
	for (size_t i = 0; i < PROOFS_KEPT; i++) {
		k = &g->kept[i];
		if (k->first == first && k->second == second) {
			*out = k->proof;
			(void)pthread_mutex_unlock(&g->call);
			return VT_OK;
		}
	}
	err = g->config.consistency(g->config.ctx, first, second, out);
	if (err == VT_OK) {
		k = &g->kept[g->next_kept++ % PROOFS_KEPT];
		*k = (struct proof_kept){.first = first, .second = second, .proof = *out};
	}
	(void)pthread_mutex_unlock(&g->call);
	return err;
}

static enum vt_err one_observed(void *ctx, struct bytes note, const char *witness)
{
	struct gather *g = ctx;
	enum vt_err err;

	(void)pthread_mutex_lock(&g->call);
	err = g->config.observed(g->config.ctx, note, witness);
	(void)pthread_mutex_unlock(&g->call);
	return err;
}

/* -- the round (all under the lock) --------------------------------------------------------------- */

static bool quorum_holds(const struct gather *g)
{
	return policy_quorum(g->config.policy, g->round.cosigned);
}

/* Is there anything left to wait for? Not if the quorum holds, nor if those who may still answer could not make it. */
static bool decided(const struct gather *g)
{
	if (g->halted || quorum_holds(g))
		return true;
	memcpy(g->could, g->round.cosigned, g->n_listed * sizeof(*g->could));
	for (size_t i = 0; i < g->n; i++) {
		const struct witness *w = &g->witness[i];

		if (w->answered == g->round.number || w->failures > 0)
			continue;
		for (size_t k = 0; k < w->n; k++)
			g->could[w->listed[k]] = true;
	}
	return !policy_quorum(g->config.policy, g->could);
}

/* Is the quorum missing, or was this head only overtaken? */
static bool missing(const struct gather *g)
{
	if (quorum_holds(g))
		return false;
	for (size_t i = 0; i < g->n_listed; i++)
		g->could[i] = g->round.cosigned[i] || g->round.ahead[i];
	return !policy_quorum(g->config.policy, g->could);
}

/* While the quorum is missing, nobody is given long pauses; those that they ask for are kept all the same. */
static uint64_t due(const struct gather *g, const struct witness *w)
{
	uint64_t urgent = nanos(g->config.backoff_urgent_seconds);
	uint64_t pause = g->status.quorum_missing && w->pause > urgent ? urgent : w->pause;

	if (w->failures == 0)
		return 0;
	return w->failed_at + (pause > w->obliged ? pause : w->obliged);
}

static void clear_lines(struct gather *g)
{
	for (size_t i = 0; i < g->n_listed; i++) {
		buf_release(&g->round.line[i]);
		g->round.cosigned[i] = g->round.ahead[i] = false;
	}
	g->round.n_lines = 0;
}

void gather_begin(void *ctx, struct bytes signed_note, const struct tree_head *head,
		  bool remembered)
{
	struct gather *g = ctx;
	struct round *r = &g->round;

	(void)pthread_mutex_lock(&g->lock);
	if (r->number == 0 || !bytes_equal(buf_bytes(&r->note), signed_note)) {
		clear_lines(g);
		r->number++;
		buf_reset(&r->note);
		if (buf_append(&r->note, signed_note) != VT_OK) {
			/* Nobody can be asked about it: over, and the empty note says why. */
			for (size_t i = 0; i < g->n; i++)
				g->witness[i].answered = r->number;
		}
	}
	r->head = *head;
	r->remembered = remembered;
	r->begun = clock_monotonic_nanos();
	r->told_lines = 0;
	r->told_quorum = r->told_done = false;
	g->status.rounds++;
	(void)pthread_cond_broadcast(&g->work);
	(void)pthread_cond_signal(&g->news);
	(void)pthread_mutex_unlock(&g->lock);
}

static void set_missing(struct gather *g, bool is_missing)
{
	if (g->status.quorum_missing == is_missing)
		return;
	g->status.quorum_missing = is_missing;
	(void)pthread_cond_broadcast(&g->work); /* pauses have changed */
}

/* What is there to tell the log now? *again: when to look again at the latest, unless there is news. */
static bool news(struct gather *g, bool *quorum, bool *done, uint64_t *again)
{
	struct round *r = &g->round;
	uint64_t ends = r->begun + nanos(g->config.interval_seconds);
	bool is_decided;

	*again = UINT64_MAX;
	if (r->number == 0)
		return false;
	is_decided = decided(g);
	*quorum = quorum_holds(g);
	*done = r->told_done || (is_decided && clock_monotonic_nanos() >= ends);
	if (is_decided)
		set_missing(g, missing(g));
	if (is_decided && !*done)
		*again = ends;
	return (*quorum && !r->told_quorum) || (*done && !r->told_done) ||
	       ((r->told_quorum || r->told_done) && r->n_lines > r->told_lines);
}

/* The note with its lines, in the policy's order; empty if there is no memory for that. */
static void compose(const struct gather *g, struct buf *out)
{
	enum vt_err err = buf_append(out, buf_bytes(&g->round.note));

	for (size_t i = 0; i < g->n_listed && err == VT_OK; i++)
		err = buf_append(out, buf_bytes(&g->round.line[i]));
	if (err != VT_OK)
		buf_reset(out);
}

static void mark_told(struct gather *g, bool quorum, bool done)
{
	struct round *r = &g->round;

	if (quorum && !r->told_quorum) {
		g->status.quorum_size = r->head.size;
		g->status.quorum_time = clock_unix();
	}
	if (done && !r->told_done && missing(g))
		g->status.rounds_failed++;
	r->told_quorum = quorum;
	r->told_done = done;
	r->told_lines = r->n_lines;
}

static void *conduct(void *ctx)
{
	struct gather *g = ctx;
	struct tree_head head;
	struct buf note;
	bool quorum, done;
	uint64_t again;

	buf_init(&note);
	(void)pthread_mutex_lock(&g->lock);
	while (!g->stopping) {
		if (!news(g, &quorum, &done, &again)) {
			cond_wait_until(&g->news, &g->lock, again);
			continue;
		}
		mark_told(g, quorum, done);
		head = g->round.head;
		buf_reset(&note);
		compose(g, &note);
		(void)pthread_mutex_unlock(&g->lock);
		g->config.gathered(g->config.ctx, &head, buf_bytes(&note), quorum, done);
		(void)pthread_mutex_lock(&g->lock);
	}
	(void)pthread_mutex_unlock(&g->lock);
	buf_release(&note);
	return NULL;
}

/* -- a witness's thread ----------------------------------------------------------------------------- */

static void keep_lines(struct gather *g, struct witness *w, const struct note *note)
{
	struct round *r = &g->round;

	for (size_t i = 0; i < w->n; i++) {
		const struct note_signature *s = note_signed_by(note, &w->key[i]);
		size_t at = w->listed[i];

		if (s == NULL || r->cosigned[at] || buf_append(&r->line[at], s->line) != VT_OK)
			continue;
		r->cosigned[at] = true;
		r->n_lines++;
	}
}

static void note_failure(struct gather *g, struct witness *w, const struct asked *got)
{
	double pause = g->config.backoff_seconds, asked_for = (double)got->retry_after;

	for (unsigned i = 0; i < w->failures && pause < g->config.backoff_max_seconds; i++)
		pause *= 2;
	if (pause > g->config.backoff_max_seconds)
		pause = g->config.backoff_max_seconds;
	if (asked_for > g->config.retry_after_max_seconds)
		asked_for = g->config.retry_after_max_seconds;
	w->failures++;
	w->failed_at = clock_monotonic_nanos();
	w->pause = nanos(pause);
	w->obliged = nanos(asked_for);
	w->shown.failures++;
}

/* Returns whether the trouble is another one than before. */
static bool note_trouble(struct witness *w, const struct asked *got)
{
	bool changed = w->shown.trouble != got->trouble;

	w->shown.trouble = got->trouble;
	(void)snprintf(w->shown.why, sizeof(w->shown.why), "%s", got->why);
	w->shown.size = w->asker.size;
	w->shown.requests = w->asker.requests;
	return changed;
}

/* Take in what came of asking for round `number`; 0: of looking. Under the lock. */
static bool settle(struct gather *g, struct witness *w, const struct asked *got, uint64_t number,
		   double seconds)
{
	if (got->trouble != GATHER_FINE) {
		note_failure(g, w, got);
	} else if (number != 0) {
		w->failures = 0;
		w->answered = number;
		if (got->note != NULL) {
			w->shown.cosignatures++;
			w->shown.last_success = clock_unix();
			w->shown.seconds_last = seconds;
			w->shown.seconds_sum += seconds;
			if (number == g->round.number)
				keep_lines(g, w, got->note);
		}
	}
	for (size_t i = 0; i < w->n && got->ahead && number == g->round.number; i++)
		g->round.ahead[w->listed[i]] = true;
	if (got->trouble == GATHER_CONTRADICTS)
		g->halted = true;
	(void)pthread_cond_signal(&g->news);
	return note_trouble(w, got);
}

static void tell_trouble(struct gather *g, const struct witness *w, const struct asked *got)
{
	g->config.alert(g->config.ctx, w->name, got->trouble,
			got->trouble == GATHER_FINE ? "cosigns again" : got->why);
}

/* Wait until there is something to ask. False: never again. */
static bool await_work(struct gather *g, struct witness *w)
{
	while (!g->stopping) {
		uint64_t at = UINT64_MAX;

		if (!g->halted && g->round.number != 0 && w->answered != g->round.number) {
			at = due(g, w);
			if (at <= clock_monotonic_nanos())
				return true;
		}
		cond_wait_until(&g->work, &g->lock, at);
	}
	return false;
}

static void *attend(void *ctx)
{
	struct witness *w = ctx;
	struct gather *g = w->gather;
	struct asked got;
	struct tree_head head;
	struct buf note;
	uint64_t number = 0, start;
	bool changed, stopping, remembered;

	buf_init(&note);
	start = clock_monotonic_nanos();
	ask_what_it_shows(&got, &w->asker);
	(void)pthread_mutex_lock(&g->lock);
	for (;;) {
		changed =
		    settle(g, w, &got, number, (double)(clock_monotonic_nanos() - start) / 1e9);
		stopping = g->stopping;
		(void)pthread_mutex_unlock(&g->lock);
		note_free(got.note);
		if (changed && !stopping)
			tell_trouble(g, w, &got);
		(void)pthread_mutex_lock(&g->lock);
		if (!await_work(g, w))
			break;
		number = g->round.number;
		head = g->round.head;
		remembered = g->round.remembered;
		buf_reset(&note);
		got = (struct asked){.trouble = GATHER_NO_PROOF, .why = "out of memory"};
		if (buf_append(&note, buf_bytes(&g->round.note)) != VT_OK)
			continue;
		(void)pthread_mutex_unlock(&g->lock);
		start = clock_monotonic_nanos();
		ask_for_cosignature(&got, &w->asker, buf_bytes(&note), &head, remembered);
		(void)pthread_mutex_lock(&g->lock);
	}
	(void)pthread_mutex_unlock(&g->lock);
	buf_release(&note);
	return NULL;
}

/* -- making it ---------------------------------------------------------------------------------------- */

static double or_else(double seconds, double otherwise)
{
	return seconds > 0 ? seconds : otherwise;
}

static void take_config(struct gather *g, const struct gather_config *config)
{
	struct gather_config *c = &g->config;

	*c = *config;
	g->log = *config->log;
	c->log = &g->log;
	c->interval_seconds = or_else(c->interval_seconds, 1);
	c->connect_seconds = or_else(c->connect_seconds, 5);
	c->request_seconds = or_else(c->request_seconds, 10);
	c->backoff_seconds = or_else(c->backoff_seconds, 1);
	c->backoff_max_seconds = or_else(c->backoff_max_seconds, 60);
	c->backoff_urgent_seconds = or_else(c->backoff_urgent_seconds, 5);
	c->retry_after_max_seconds = or_else(c->retry_after_max_seconds, 300);
}

/* Is this log one of the policy's? */
static enum vt_err check_listed(const struct gather *g, char why[GATHER_WHY_MAX])
{
	const struct policy *p = g->config.policy;
	bool named = false;

	for (size_t i = 0; i < policy_log_count(p); i++) {
		if (vkey_equal(&policy_log(p, i)->key, &g->log))
			return VT_OK;
		named = named || strcmp(policy_log(p, i)->key.name, g->log.name) == 0;
	}
	(void)snprintf(why, GATHER_WHY_MAX,
		       named ? "it lists a log of this name, but with another key"
			     : "it does not list this log; it needs a line \"log\" with this "
			       "log's verifier key");
	return VT_EUNTRUSTED;
}

static struct bytes without_slashes(struct bytes url)
{
	while (url.len > 0 && url.data[url.len - 1] == '/')
		url.len--;
	return url;
}

static bool is_http(struct bytes url)
{
	return (url.len > 7 && memcmp(url.data, "http://", 7) == 0) ||
	       (url.len > 8 && memcmp(url.data, "https://", 8) == 0);
}

static struct witness *witness_at(struct gather *g, struct bytes url)
{
	for (size_t i = 0; i < g->n; i++) {
		if (bytes_is(url, g->witness[i].url))
			return &g->witness[i];
	}
	return NULL;
}

/* Add a listed witness: to the one at the same URL if there is one, for one answer can hold several keys' lines. */
static enum vt_err add_witness(struct gather *g, size_t listed)
{
	const struct policy_witness *l = policy_witness(g->config.policy, listed);
	struct bytes url = without_slashes(l->url);
	struct witness *w = witness_at(g, url);
	struct vkey *key;
	size_t *index;

	if (w == NULL) {
		w = &g->witness[g->n++];
		w->gather = g;
		w->name = bytes_dup_str(l->name);
		w->url = bytes_dup_str(url);
		if (w->name == NULL || w->url == NULL)
			return VT_ENOMEM;
	}
	key = realloc(w->key, (w->n + 1) * sizeof(*key));
	if (key == NULL)
		return VT_ENOMEM;
	w->key = key;
	index = realloc(w->listed, (w->n + 1) * sizeof(*index));
	if (index == NULL)
		return VT_ENOMEM;
	w->listed = index;
	w->key[w->n] = l->key;
	w->listed[w->n++] = listed;
	return VT_OK;
}

static enum vt_err add_witnesses(struct gather *g, char why[GATHER_WHY_MAX])
{
	const struct policy *p = g->config.policy;
	enum vt_err err = VT_OK;
	size_t lines = 1; /* the log's own */

	for (size_t i = 0; i < g->n_listed && err == VT_OK; i++) {
		const struct policy_witness *l = policy_witness(p, i);

		if (l->url.len == 0 || !vkey_verifiable(&l->key))
			continue;
		if (!is_http(l->url)) {
			(void)snprintf(why, GATHER_WHY_MAX,
				       "the URL of witness number %zu is not an http or https URL",
				       i + 1);
			return VT_EINVAL;
		}
		err = add_witness(g, i);
		g->could[i] = true;
		lines++;
	}
	if (err != VT_OK)
		return err;
	/* All may answer, and the note has to be one that everybody can read. */
	if (lines > NOTE_SIGNATURES_MAX) {
		(void)snprintf(why, GATHER_WHY_MAX,
			       "it names %zu witnesses to ask; a checkpoint has room for the "
			       "cosignatures of %d",
			       lines - 1, NOTE_SIGNATURES_MAX - 1);
		return VT_EINVAL;
	}
	if (!policy_quorum(p, g->could)) {
		(void)snprintf(why, GATHER_WHY_MAX,
			       "the witnesses that can be asked (with a URL, and a key of a type "
			       "that can be verified) cannot make its quorum");
		return VT_EINVAL;
	}
	if (g->n == 0) {
		(void)snprintf(why, GATHER_WHY_MAX, "it names no witness to ask");
		return VT_ENOTFOUND;
	}
	return VT_OK;
}

static enum vt_err prepare(struct gather *g, struct witness *w)
{
	const struct http_fetch_config config = {
	    .connect_seconds = g->config.connect_seconds,
	    .total_seconds = g->config.request_seconds,
	};
	struct asker *a = &w->asker;

	a->url = w->shown.url = w->url;
	a->name = w->shown.name = w->name;
	a->keys = (struct vkey_set){.key = w->key, .n = w->n};
	a->log = &g->log;
	a->consistency = shared_consistency;
	a->observed = one_observed;
	a->ctx = g;
	http_reply_init(&a->reply);
	buf_init(&a->request);
	buf_init(&a->answer);
	return http_fetcher_new(&a->fetcher, &config);
}

enum vt_err gather_new(struct gather **out, const struct gather_config *config,
		       char why[GATHER_WHY_MAX])
{
	struct gather *g = calloc(1, sizeof(*g));
	enum vt_err err = VT_ENOMEM;
	size_t n = policy_witness_count(config->policy);

	*out = NULL;
	why[0] = '\0';
	if (g == NULL)
		return VT_ENOMEM;
	(void)pthread_mutex_init(&g->lock, NULL);
	(void)pthread_mutex_init(&g->call, NULL);
	clock_cond_init(&g->work);
	clock_cond_init(&g->news);
	buf_init(&g->round.note);
	take_config(g, config);
	g->round.cosigned = calloc(n + 1, sizeof(bool));
	g->round.ahead = calloc(n + 1, sizeof(bool));
	g->could = calloc(n + 1, sizeof(bool));
	g->witness = calloc(n + 1, sizeof(*g->witness));
	g->round.line = calloc(n + 1, sizeof(*g->round.line));
	if (g->round.cosigned == NULL || g->round.ahead == NULL || g->could == NULL ||
	    g->witness == NULL || g->round.line == NULL)
		goto done;
	g->n_listed = n;
	if ((err = check_listed(g, why)) != VT_OK || (err = add_witnesses(g, why)) != VT_OK)
		goto done;
	for (size_t i = 0; i < g->n; i++) {
		if ((err = prepare(g, &g->witness[i])) != VT_OK)
			goto done;
	}
	g->status.witnesses = g->n;
	*out = g;
	g = NULL; /* transferred */
done:
	gather_free(g);
	return err;
}

enum vt_err gather_start(struct gather *g)
{
	int failed = pthread_create(&g->conductor, NULL, conduct, g);

	g->conducting = failed == 0;
	for (size_t i = 0; i < g->n && failed == 0; i++) {
		struct witness *w = &g->witness[i];

		failed = pthread_create(&w->thread, NULL, attend, w);
		w->running = failed == 0;
	}
	if (failed == 0)
		return VT_OK;
	gather_stop(g);
	return internal_error(__FILE__, __LINE__, "pthread_create", failed);
}

void gather_stop(struct gather *g)
{
	(void)pthread_mutex_lock(&g->lock);
	g->stopping = true;
	(void)pthread_cond_broadcast(&g->work);
	(void)pthread_cond_broadcast(&g->news);
	(void)pthread_mutex_unlock(&g->lock);
	for (size_t i = 0; i < g->n; i++) {
		if (g->witness[i].running)
			http_fetcher_cancel(g->witness[i].asker.fetcher);
	}
	for (size_t i = 0; i < g->n; i++) {
		if (g->witness[i].running)
			(void)pthread_join(g->witness[i].thread, NULL);
		g->witness[i].running = false;
	}
	if (g->conducting)
		(void)pthread_join(g->conductor, NULL);
	g->conducting = false;
}

static void witness_release(struct witness *w)
{
	http_fetcher_free(w->asker.fetcher);
	http_reply_release(&w->asker.reply);
	buf_release(&w->asker.request);
	buf_release(&w->asker.answer);
	free(w->key);
	free(w->listed);
	free(w->name);
	free(w->url);
}

void gather_free(struct gather *g)
{
	if (g == NULL)
		return;
	gather_stop(g);
	for (size_t i = 0; i < g->n; i++)
		witness_release(&g->witness[i]);
	for (size_t i = 0; i < g->n_listed; i++)
		buf_release(&g->round.line[i]);
	buf_release(&g->round.note);
	free(g->round.line);
	free(g->round.cosigned);
	free(g->round.ahead);
	free(g->could);
	free(g->witness);
	(void)pthread_cond_destroy(&g->work);
	(void)pthread_cond_destroy(&g->news);
	(void)pthread_mutex_destroy(&g->lock);
	(void)pthread_mutex_destroy(&g->call);
	free(g);
}

/* -- figures ------------------------------------------------------------------------------------------ */

void gather_status(struct gather *g, struct gather_status *out)
{
	(void)pthread_mutex_lock(&g->lock);
	*out = g->status;
	(void)pthread_mutex_unlock(&g->lock);
}

void gather_witness_status(struct gather *g, size_t i, struct gather_witness *out)
{
	(void)pthread_mutex_lock(&g->lock);
	*out = g->witness[i].shown;
	(void)pthread_mutex_unlock(&g->lock);
}

const char *gather_trouble_name(enum gather_trouble trouble)
{
	static const char *const name[] = {
	    [GATHER_FINE] = "fine",
	    [GATHER_UNREACHABLE] = "unreachable",
	    [GATHER_MALFORMED] = "malformed",
	    [GATHER_UNSIGNED] = "unsigned",
	    [GATHER_BAD_TIME] = "bad-time",
	    [GATHER_REFUSED] = "refused",
	    [GATHER_UNTRUSTED] = "untrusted",
	    [GATHER_UNKNOWN_LOG] = "unknown-log",
	    [GATHER_CONFLICT] = "conflict",
	    [GATHER_CLAIMS] = "claims",
	    [GATHER_DISPROVED] = "disproved",
	    [GATHER_BUSY] = "busy",
	    [GATHER_FAILING] = "failing",
	    [GATHER_NO_PROOF] = "no-proof",
	    [GATHER_NEW] = "new",
	    [GATHER_CONTRADICTS] = "contradicts",
	};

	return name[trouble];
}
