/*
 * One thread turns what waits into entries: it takes all of the queue as the next batch as soon as the last one is done. No
 * timer adds latency when little is going on, and batches grow by themselves when much is.
 *
 * A round: follow what other processes committed; judge in order; integrate; commit; read back; sign; gather; publish; answer.
 * A crash after any step leaves the old head or the new one, and log_open() goes on from there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "batch.h"
#include "clock.h"
#include "log_private.h"
#include "logline.h"

enum {
	IDLE_MILLIS = 1000,  /* between looks at the store when nothing comes in */
	OWED_MILLIS = 200,   /* while a head is committed and not published */
	FOLLOW_SLICE = 4096, /* entries */
	ROUND_TRIES = 64,    /* lost swaps of one batch before its senders are told to come again */
	PRESSED_SLICES = 256, /* of index work between two batches */
};

static double seconds_since(uint64_t start)
{
	return (double)(clock_monotonic_nanos() - start) / 1e9;
}

/* -- following ------------------------------------------------------------------------------------- */

static void set_covered(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	log->covered = log->state.head.size;
	(void)pthread_cond_broadcast(&log->progress);
	(void)pthread_mutex_unlock(&log->lock);
}

/* Entries that another process committed, as they are read. */
struct following {
	struct log *log;
	struct merkle_range range;
	size_t n;
	struct merkle_hash leaf[FOLLOW_SLICE];
};

static enum vt_err follow_entry(void *ctx, uint64_t index, struct bytes entry,
				const struct merkle_hash *keys, size_t n_keys)
{
	struct following *f = ctx;
	struct log *log = f->log;
	struct merkle_hash *leaf = &f->leaf[f->n];
	enum vt_err err;

	if ((err = merkle_hash_leaf(leaf, &log->hasher, entry)) != VT_OK)
		return err;
	if (n_keys == 0 || !merkle_hash_equal(&keys[0], leaf))
		return VT_EMISMATCH;
	if ((err = merkle_range_append(&f->range, &log->hasher, leaf, NULL, NULL)) != VT_OK ||
	    (err = index_append(log->index, keys, n_keys)) != VT_OK)
		return err;
	f->n++;
	if (log->mode == LOG_RAW || !keys_have(keys, n_keys, &log->accreditation_key))
		return VT_OK;
	if ((err = registry_apply(log->next, index, leaf, entry, NULL)) != VT_OK)
		return err;
	return registry_commit(log, index, leaf, entry);
}

/* The next slice towards `target`; log->state moves on. */
static enum vt_err follow_slice(struct following *f, const struct tree_state *target)
{
	struct log *log = f->log;
	uint64_t n = target->head.size - log->state.head.size;
	struct tree_state next;
	char why[LOG_WHY_MAX] = "an entry that another process committed cannot be read";
	enum vt_err err;

	if (n > FOLLOW_SLICE)
		n = FOLLOW_SLICE;
	f->n = 0;
	f->range = log->state.range;
	err = store_read_entries(log->reader, log->state.head.size, n, follow_entry, f);
	if (err != VT_OK)
		goto done;
	next.range = f->range;
	next.head.size = f->range.size;
	if ((err = merkle_range_root(&next.head.root, &log->hasher, &next.range)) != VT_OK)
		goto done;
	if (next.head.size == target->head.size && !tree_head_equal(&next.head, &target->head)) {
		(void)snprintf(why, sizeof(why),
			       "the entries do not make the stored root at size %" PRIu64,
			       next.head.size);
		err = VT_EMISMATCH;
		goto done;
	}
	if ((err = readback_tree(log, &log->state.head, &next.head, f->leaf, why)) != VT_OK)
		goto done;
	log->state = next;
	index_committed(log->index, next.head.size);
	set_covered(log);
done:
	/* Half-taken entries cannot be undone: what they say is committed, this process alone is at a loss. */
	if (err == VT_EMISMATCH || err == VT_ENOTFOUND)
		log_die_mismatch(why);
	if (err != VT_OK && f->n > 0)
		log_die_storage("taking in what another process committed", err);
	return err;
}

enum vt_err sequencer_follow(struct log *log)
{
	struct following *f = NULL;
	struct tree_state stored;
	enum vt_err err;

	if ((err = store_read_state(log->reader, &stored)) != VT_OK)
		return err;
	if (tree_head_equal(&stored.head, &log->state.head))
		return VT_OK;
	if (stored.head.size <= log->state.head.size) {
		log_freeze_with(log, "the store's head went back behind what this process has seen",
				buf_bytes(&log->verified_note));
		return VT_EBUSY;
	}
	if ((f = malloc(sizeof(*f))) == NULL)
		return VT_ENOMEM;
	f->log = log;
	while (err == VT_OK && log->state.head.size < stored.head.size) {
		bool pressed = true;

		err = follow_slice(f, &stored);
		for (unsigned i = 0; err == VT_OK && pressed && i < PRESSED_SLICES; i++)
			err = index_work(log->index, log->reader, log->state.head.size,
					 &log->index_more, &pressed);
	}
	free(f);
	return err;
}

/* -- answers ----------------------------------------------------------------------------------------- */

static const char *unpublished_why(const struct log *log)
{
	return log->asks
		   ? "the entry is in the log, but the witnesses' quorum that publishes it is "
		     "missing"
		   : "the entry is in the log, but could not be published yet";
}

uint64_t log_patience_end(struct log *log)
{
	uint64_t now = clock_monotonic_nanos();
	uint64_t wait = log->config.append_wait_millis * UINT64_C(1000000);
	bool stopping;

	(void)pthread_mutex_lock(&log->lock);
	stopping = log->stop_at != 0 && now >= log->stop_at;
	(void)pthread_mutex_unlock(&log->lock);
	if (stopping)
		return UINT64_MAX;
	return now < wait ? 0 : now - wait;
}

void log_set_stuck(struct log *log, const char *why)
{
	bool told;

	(void)pthread_mutex_lock(&log->lock);
	told = (log->status.stuck_why[0] != '\0') == (why[0] != '\0');
	(void)snprintf(log->status.stuck_why, sizeof(log->status.stuck_why), "%s", why);
	(void)pthread_mutex_unlock(&log->lock);
	if (told)
		return;
	if (why[0] != '\0')
		logline(LOGLINE_WARN, "nothing can be published now", "why=\"%s\"", why);
	else
		logline(LOGLINE_INFO, "the store can be written again", "size=%" PRIu64,
			log->state.head.size);
}

/* Those that wait for a checkpoint which covers them by now, and those that have waited long enough. */
static void answer_waiting(struct log *log)
{
	uint64_t patience = log->waiting.n > 0 ? log_patience_end(log) : 0;
	uint64_t answerable = log_answerable(log);
	struct submission_list still;
	struct submission *s;

	submissions_init(&still);
	while ((s = submissions_pop(&log->waiting)) != NULL) {
		struct log_answer a = {.outcome = s->verdict == VERDICT_NEW ? LOG_ADDED : LOG_KNOWN,
				       .index = s->index};

		if (s->index >= answerable) {
			if (s->since >= patience)
				submissions_push(&still, s);
			else
				submission_later(log, s, unpublished_why(log), RETRY_AFTER_QUORUM);
			continue;
		}
		/* A known record's entry may be another form of what was sent. */
		if (s->verdict == VERDICT_NEW)
			a.leaf = s->leaf;
		else if (leaf_at(log->reader, s->index, &a.leaf) != VT_OK) {
			submission_later(log, s, "the store could not be read", RETRY_AFTER_BUSY);
			continue;
		}
		if (s->record != NULL)
			record_sent(&a.sent, s->record);
		submission_answer(log, s, &a);
	}
	log->waiting = still;
	if (still.n == 0)
		submissions_init(&log->waiting); /* its end points into itself */
}

static void answer_all_later(struct log *log, struct submission_list *list, const char *reason,
			     unsigned retry_after)
{
	struct submission *s;

	while ((s = submissions_pop(list)) != NULL)
		submission_later(log, s, reason, retry_after);
}

/* -- a round ------------------------------------------------------------------------------------------- */

/* Judge and commit what the batch holds. VT_OK: its new entries are committed, or it has none. */
static enum vt_err commit_batch(struct log *log)
{
	enum vt_err err = VT_ECONFLICT;

	for (unsigned i = 0; i < ROUND_TRIES && err != VT_OK; i++) {
		if ((err = sequencer_follow(log)) == VT_OK &&
		    (err = batch_judge(log->batch)) == VT_OK)
			err = batch_commit(log->batch);
		if (err == VT_EIO)
			log_die_storage("committing a batch", err);
		if (err == VT_OK || err == VT_EBUSY)
			log_set_stuck(log, err == VT_OK || log_frozen(log) ? "" : STORE_IS_LOCKED);
		if (err == VT_EBUSY) /* others have waited for longer */
			answer_waiting(log);
		if (err == VT_OK)
			break;
		/* Nothing was committed, or (VT_ENOMEM) following will tell: what was meant for it is undone. */
		batch_undo(log->batch);
		if (err == VT_ECONFLICT) {
			(void)pthread_mutex_lock(&log->lock);
			log->status.lost_swaps++;
			(void)pthread_mutex_unlock(&log->lock);
		} else if (err != VT_EBUSY || log_frozen(log) ||
			   batch_oldest(log->batch) < log_patience_end(log)) {
			break;
		}
	}
	return err;
}

static void read_back(struct log *log, const struct tree_head *old)
{
	uint64_t start = clock_monotonic_nanos();
	char why[LOG_WHY_MAX] = "";
	enum vt_err err;

	if (log->batch->n_new == 0)
		return;
	err = batch_read_back(log->batch, old, why);
	if (err == VT_EMISMATCH)
		log_die_mismatch(why);
	if (err != VT_OK)
		log_die_storage("reading a batch back", err);
	(void)pthread_mutex_lock(&log->lock);
	log->status.readback_seconds_sum += seconds_since(start);
	(void)pthread_mutex_unlock(&log->lock);
}

static void publish(struct log *log)
{
	enum vt_err err = log->asks ? round_step(log) : publish_head(log);

	if (err == VT_EIO)
		log_die_storage("publishing a checkpoint", err);
	if (err != VT_OK && err != VT_EBUSY)
		logline(LOGLINE_WARN, "the head is not published yet", "error=\"%s\"",
			vt_err_text(err));
	answer_waiting(log);
}

/* Why a batch was not committed, for its senders. */
static const char *put_off(struct log *log, enum vt_err err)
{
	if (log_frozen(log))
		return log->status.frozen_why;
	if (err == VT_ENOMEM)
		return "no memory";
	return err == VT_EBUSY || err == VT_ECONFLICT ? "the store is busy"
						      : "the entries could not be committed";
}

static void run_batch(struct log *log)
{
	struct tree_head old;
	enum vt_err err;

	err = commit_batch(log);
	if (err != VT_OK) {
		logline(LOGLINE_WARN, "a batch was put off", "entries=%zu error=\"%s\"",
			log->batch->n, vt_err_text(err));
		/* What was committed and read back once does not change by itself. */
		if (log->batch->index_broken)
			log_freeze(log, LOG_WHY_INDEX);
		batch_answer_later(log->batch, put_off(log, err));
		return;
	}
	/* Written while what was committed is read back. */
	high_water_raise(log, &log->state.head);
	old = log->batch->start.head;
	read_back(log, &old);
	batch_settle(log->batch);
	set_covered(log);
}

/* With nothing to do: could anything be done? */
static void probe(struct log *log)
{
	uint64_t now = clock_monotonic_nanos();
	char why[STORE_WHY_MAX] = "";
	enum vt_err err;

	if (log->probation || now - log->probed_at < IDLE_MILLIS * UINT64_C(1000000))
		return;
	log->probed_at = now;
	if (log->mark != NULL)
		mark_look(log->mark);
	err = store_probe(log->store, false, why);
	if (err == VT_EIO)
		log_die_storage("looking whether the store can be written", err);
	if (err == VT_OK || err == VT_EBUSY)
		log_set_stuck(log, why);
}

/* -- the thread --------------------------------------------------------------------------------------- */

static struct timespec timespec_of(uint64_t at)
{
	return (struct timespec){(time_t)(at / 1000000000), (long)(at % 1000000000)};
}

static bool owed(const struct log *log)
{
	return publish_owed(log) || log->waiting.n > 0;
}

/* How long may the sequencer sleep if nothing comes? */
static uint64_t wake_at(const struct log *log, bool frozen)
{
	uint64_t now = clock_monotonic_nanos();
	uint64_t at = now + IDLE_MILLIS * UINT64_C(1000000);

	if (frozen ? log->waiting.n > 0 : log->index_more && !log->probation)
		return now;
	if (frozen || !owed(log))
		return at;
	at = now + OWED_MILLIS * UINT64_C(1000000);
	if (log->asks && round_next(log) < at)
		at = round_next(log);
	return at;
}

/* Under the lock. */
static bool anything(const struct log *log, bool frozen)
{
	return log->queue.n > 0 || log->stopping || log->follow || log->policy_change.asked ||
	       (log->gathered.fresh && !frozen) || (log->mark_moved && !frozen) ||
	       log->status.frozen != frozen;
}

/* Has the gatherer brought something? Late cosignatures come when nothing is owed any more. */
static bool brought(struct log *log)
{
	bool fresh;

	(void)pthread_mutex_lock(&log->lock);
	fresh = log->gathered.fresh;
	(void)pthread_mutex_unlock(&log->lock);
	return fresh;
}

/* How many entries may be committed before something is published. */
static uint64_t room(const struct log *log)
{
	uint64_t size = log->state.head.size, most = log->config.unpublished_max;
	uint64_t unpublished = size > log->published ? size - log->published : 0;
	bool may = !log->probation && !log->status.policy_differs;

	return unpublished < most && may ? most - unpublished : 0;
}

/* Wait for work, a while at most; take it. False: the log is stopping and nothing is left in the queue. */
static bool take(struct log *log, bool *stopping)
{
	bool frozen = log_frozen(log);
	uint64_t wake = wake_at(log, frozen);
	struct timespec at = timespec_of(wake);
	struct submission_list refused;
	const char *why = NULL;
	uint64_t begun;

	submissions_init(&refused);
	begun = clock_monotonic_nanos();
	(void)pthread_mutex_lock(&log->lock);
	while (!anything(log, frozen) && wake > clock_monotonic_nanos()) {
		if (pthread_cond_timedwait(&log->work, &log->lock, &at) != 0)
			break;
	}
	if (log->mark_pending)
		log->status.mark_wait_seconds_sum += seconds_since(begun);
	log->mark_moved = false;
	log->follow = false;
	*stopping = log->stopping;
	batch_take(log->batch, &log->queue, log->status.frozen ? UINT64_MAX : room(log));
	if (log->batch->n == 0 && (why = log_holding(log)) != NULL) {
		refused = log->queue;
		submissions_init(&log->queue);
		if (refused.n == 0)
			submissions_init(&refused); /* its end pointed into log->queue */
	}
	(void)pthread_mutex_unlock(&log->lock);
	answer_all_later(log, &refused, why, RETRY_AFTER_QUORUM);
	return log->batch->n > 0 || !*stopping;
}

static void work_on_index(struct log *log)
{
	bool pressed = true;
	enum vt_err err = VT_OK;

	for (unsigned i = 0; err == VT_OK && (i == 0 || pressed) && i < PRESSED_SLICES; i++)
		err = index_work(log->index, log->reader, log->state.head.size, &log->index_more,
				 &pressed);
	if (err == VT_EIO)
		log_die_storage("folding the index", err);
	if (err != VT_OK) {
		log->index_more = false;
		logline(LOGLINE_WARN, "the index was not folded", "error=\"%s\"", vt_err_text(err));
	}
}

/* Wait for the checkpoint that the last entries need. */
static void finish(struct log *log)
{
	uint64_t until;

	(void)pthread_mutex_lock(&log->lock);
	until = log->stop_at;
	(void)pthread_mutex_unlock(&log->lock);
	while (log->waiting.n > 0 && !log_frozen(log) && clock_monotonic_nanos() < until) {
		uint64_t wake = wake_at(log, false);
		struct timespec at = timespec_of(wake < until ? wake : until);

		(void)pthread_mutex_lock(&log->lock);
		if (!log->gathered.fresh && !log->mark_moved && !log->status.frozen)
			(void)pthread_cond_timedwait(&log->work, &log->lock, &at);
		log->mark_moved = false;
		(void)pthread_mutex_unlock(&log->lock);
		publish(log);
	}
	answer_all_later(log, &log->waiting, "the log is shutting down", RETRY_AFTER_BUSY);
}

void *sequencer_main(void *arg)
{
	struct log *log = arg;
	bool stopping;

	/* What an earlier process left unpublished goes first. */
	if (!log_frozen(log) && owed(log))
		publish(log);
	while (take(log, &stopping)) {
		enum vt_err err;

		round_set_policy(log);
		if (log_frozen(log)) {
			log_freeze_keep(log);
			batch_answer_later(log->batch, log->status.frozen_why);
			answer_all_later(log, &log->waiting, log->status.frozen_why,
					 RETRY_AFTER_FROZEN);
			continue;
		}
		if (log->batch->n > 0) {
			run_batch(log);
		} else if ((err = sequencer_follow(log)) != VT_OK) {
			if (err == VT_EIO)
				log_die_storage("reading the head", err);
			continue;
		} else {
			log_freeze_look(log);
			(void)agreed_look(log);
			if (!log_frozen(log))
				probe(log);
		}
		if (owed(log) || brought(log))
			publish(log);
		if (!log->probation && !log_frozen(log)) /* else the store is not to be written */
			work_on_index(log);
	}
	finish(log);
	round_set_policy(log); /* whoever asked a moment too late waits for it */
	return NULL;
}
