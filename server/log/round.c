/*
 * Publishing with witnesses. The sequencer signs the head, hands it to the gatherer and goes on with batches; what the gatherer
 * brings lies in log->gathered until the sequencer takes it. One round is under way at a time, for one head; the
 * next one is for the newest.
 */
#include "log_private.h"

#include <inttypes.h>
#include <string.h>

#include "clock.h"
#include "logline.h"

enum {
	/* Between looks at what other processes publish, while a round is under way. */
	LOOK_MILLIS = 200,
	/* Between log lines about one and the same missing quorum. */
	TELL_MILLIS = 60000,
};

static uint64_t nanos(unsigned millis)
{
	return millis * UINT64_C(1000000);
}

/* -- from the gatherer's threads -------------------------------------------------------------------------- */

void log_gathered(struct log *log, const struct tree_head *head, struct bytes note, bool quorum,
		  bool done)
{
	struct gathered *g = &log->gathered;

	(void)pthread_mutex_lock(&log->lock);
	if (!g->open || !tree_head_equal(&g->head, head))
		goto unlock;
	/* A note that waits to be taken is replaced, but never one with the quorum by one without. */
	if (note.len > 0 && (quorum || !g->quorum)) {
		buf_reset(&g->note);
		g->quorum = quorum && buf_append(&g->note, note) == VT_OK;
		if (!quorum && buf_append(&g->note, note) != VT_OK)
			buf_reset(&g->note);
	}
	g->fresh = true;
	g->done |= done;
	(void)pthread_cond_broadcast(&log->work);
unlock:
	(void)pthread_mutex_unlock(&log->lock);
}

/* -- what it brought ------------------------------------------------------------------------------------------ */

static void complain(const struct round *r, const char *what)
{
	logline(LOGLINE_ERROR, "what was gathered is not published", "size=%" PRIu64 " why=\"%s\"",
		r->head.size, what);
}

/* Nothing but signature lines may follow what the log signed. VT_EMISMATCH: something else does. */
static enum vt_err check_same_note(const struct round *r, struct bytes note)
{
	struct bytes signed_note = buf_bytes(&r->note);
	struct note *ours = NULL, *theirs = NULL;
	enum vt_err err;

	if (note.len < signed_note.len ||
	    memcmp(note.data, signed_note.data, signed_note.len) != 0) {
		complain(r, "it does not begin with what the log signed");
		return VT_EMISMATCH;
	}
	if ((err = note_parse(&ours, signed_note)) == VT_OK &&
	    (err = note_parse(&theirs, note)) == VT_OK && theirs->text.len != ours->text.len)
		err = VT_EMISMATCH;
	if (err == VT_EMISMATCH || err == VT_EMALFORMED || err == VT_ELIMIT) {
		complain(r, "something other than signature lines follows what the log signed");
		err = VT_EMISMATCH;
	}
	note_free(ours);
	note_free(theirs);
	return err;
}

/* Also if the head is published by now without it: the next ones wait for theirs again. */
static void quorum_came(struct log *log)
{
	log->round.quorum = true;
	log->unmet_since = 0;
	(void)pthread_mutex_lock(&log->lock);
	log->status.quorum_missing_since = 0;
	(void)pthread_mutex_unlock(&log->lock);
}

static enum vt_err use(struct log *log, const struct gathered *g)
{
	struct round *r = &log->round;
	enum vt_err err;

	if (g->note.len == 0)
		return VT_OK;
	if ((err = check_same_note(r, buf_bytes(&g->note))) != VT_OK)
		return err == VT_EMISMATCH ? VT_OK : err;
	if (!g->quorum && !r->quorum && log->config.without_quorum == LOG_HOLD)
		return VT_OK;
	/* Not before the round is over: a witness that the quorum can do without may show a later head. */
	if (log->probation && !(g->quorum && g->done))
		return VT_OK;
	/* Nor while those who are silent could have cosigned a later head by themselves. */
	if (log->probation && log->config.vouched != NULL &&
	    (err = log->config.vouched(log->config.ctx, buf_bytes(&g->note))) != VT_OK)
		return err == VT_EUNTRUSTED ? VT_OK : err;
	if (log->probation && (err = high_water_vouched(log, &r->head)) != VT_OK)
		return err;
	if ((err = publish_check(log)) != VT_OK ||
	    (err = publish_note(log, &r->head, buf_bytes(&g->note), g->quorum)) != VT_OK)
		return err;
	if (g->quorum)
		quorum_came(log);
	return VT_OK;
}

/* Say that the quorum is missing, once a minute, and that it is back. */
static void mention(struct log *log, bool done)
{
	uint64_t now = clock_monotonic_nanos();

	if (log->round.quorum && log->missing_told != 0) {
		logline(LOGLINE_INFO, "the witnesses' quorum is back",
			"size=%" PRIu64 " published=%" PRIu64, log->round.head.size,
			log->published);
		log->missing_told = 0;
	}
	if (log->round.quorum || !done ||
	    (log->missing_told != 0 && now - log->missing_told < nanos(TELL_MILLIS)))
		return;
	logline(LOGLINE_WARN, "the witnesses' quorum is missing",
		"size=%" PRIu64 " published=%" PRIu64 " without_quorum=%s", log->round.head.size,
		log->published, log->config.without_quorum == LOG_HOLD ? "hold" : "publish");
	log->missing_told = now;
}

static enum vt_err take_gathered(struct log *log)
{
	struct gathered *g = &log->gathered, taken;
	enum vt_err err = VT_OK;

	buf_init(&taken.note);
	(void)pthread_mutex_lock(&log->lock);
	taken = *g;
	buf_init(&g->note);
	g->fresh = g->quorum = g->done = false;
	(void)pthread_mutex_unlock(&log->lock);
	if (!taken.fresh)
		goto done;
	err = use(log, &taken);
	if (taken.done) {
		log->round.asked = false;
	}
	if (err == VT_OK)
		mention(log, taken.done);
done:
	buf_release(&taken.note);
	return err;
}

/* -- rounds ------------------------------------------------------------------------------------------------ */

static void hand_over(struct log *log)
{
	struct round *r = &log->round;

	(void)pthread_mutex_lock(&log->lock);
	/* From now on a witness may ask for anything under this head. */
	if (log->handed < r->head.size)
		log->handed = r->head.size;
	log->gathered.open = true;
	log->gathered.head = r->head;
	log->gathered.fresh = log->gathered.quorum = log->gathered.done = false;
	buf_reset(&log->gathered.note);
	log->status.rounds++;
	if (log->status.quorum_missing_since == 0)
		log->status.quorum_missing_since = clock_unix();
	(void)pthread_mutex_unlock(&log->lock);
	log->config.gather(log->config.ctx, buf_bytes(&r->note), &r->head, log->probation);
}

static enum vt_err begin(struct log *log)
{
	struct round *r = &log->round;
	enum vt_err err;

	if ((err = publish_check(log)) != VT_OK || !publish_owed(log))
		return err;
	/* Another process is ahead: its head is followed before anything is asked for. */
	if (log->has_published && log->published > log->state.head.size)
		return VT_OK;
	/* On probation nothing is signed that was not signed before. */
	r->head = log->probation && log->has_published ? log->signed_head : log->state.head;
	r->quorum = false;
	buf_reset(&r->note);
	if ((err = publish_sign(log, &r->head, &r->note)) != VT_OK ||
	    (err = high_water_wait(log, &r->head)) != VT_OK)
		return err;
	if (log_frozen(log))
		return VT_EBUSY;
	r->asked = true;
	log->gather_at = clock_monotonic_nanos() + nanos(log->config.gather_pause_millis);
	if (log->unmet_since == 0)
		log->unmet_since = clock_monotonic_nanos();
	hand_over(log);
	return VT_OK;
}

/* LOG_PUBLISH: when heads go out without a quorum, as long as none comes. */
static uint64_t patience_ends(const struct log *log)
{
	if (log->config.without_quorum != LOG_PUBLISH || log->probation || log->unmet_since == 0)
		return UINT64_MAX;
	return log->unmet_since + nanos(log->config.quorum_patience_millis);
}

enum vt_err round_step(struct log *log)
{
	uint64_t now = clock_monotonic_nanos();
	enum vt_err err;

	if (log_frozen(log))
		return VT_EBUSY;
	if ((err = agreed_look(log)) != VT_OK || (err = take_gathered(log)) != VT_OK)
		return err;
	if (!publish_owed(log) && log->waiting.n == 0)
		return VT_OK;
	if (!log->round.asked && now >= log->gather_at && (err = begin(log)) != VT_OK)
		return err;
	if (now - log->looked_at >= nanos(LOOK_MILLIS)) {
		log->looked_at = now;
		if ((err = publish_check(log)) != VT_OK)
			return err;
	}
	return patience_ends(log) <= now ? publish_head(log) : VT_OK;
}

uint64_t round_next(const struct log *log)
{
	uint64_t patience = patience_ends(log);

	/* One that has ended was made use of: what it is owed is published, or could not be. */
	if (patience <= clock_monotonic_nanos())
		patience = UINT64_MAX;
	return !log->round.asked && log->gather_at < patience ? log->gather_at : patience;
}

/* -- another policy ------------------------------------------------------------------------------------------- */

/* Nothing of the old one's rounds is waited for, or taken. */
static void forget_rounds(struct log *log)
{
	log->round.asked = log->round.quorum = false;
	log->gather_at = log->unmet_since = log->missing_told = 0;
	(void)pthread_mutex_lock(&log->lock);
	log->gathered.open = log->gathered.fresh = log->gathered.quorum = log->gathered.done =
	    false;
	buf_reset(&log->gathered.note);
	buf_reset(&log->judged_note);
	log->policies++;
	log->status.quorum_missing_since = 0;
	log->status.asks_witnesses = log->asks;
	log->policy_met = log->status.policy_met = !log->asks;
	(void)pthread_mutex_unlock(&log->lock);
}

static enum vt_err set_policy(struct log *log, const struct policy_change *c)
{
	enum vt_err err = agreed_change(log, &c->policy);

	if (err != VT_OK)
		return err;
	if (c->swap != NULL)
		c->swap(c->ctx);
	log->asks = c->asks;
	forget_rounds(log);
	publish_judge_again(log);
	if (log->probation && !c->asks)
		high_water_nobody_to_ask(log);
	return VT_OK;
}

void round_set_policy(struct log *log)
{
	struct policy_change *c = &log->policy_change, now;

	(void)pthread_mutex_lock(&log->lock);
	now = *c;
	c->begun = now.asked;
	(void)pthread_mutex_unlock(&log->lock);
	if (!now.asked)
		return;
	now.err = set_policy(log, &now);
	(void)pthread_mutex_lock(&log->lock);
	c->asked = false;
	c->done = true;
	c->err = now.err;
	(void)pthread_cond_broadcast(&log->progress);
	(void)pthread_mutex_unlock(&log->lock);
}
