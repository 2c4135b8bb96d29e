/*
 * A submission on its way to the queue: parsed, its signatures verified, its leaf hashed, looked up and judged, all on the
 * caller's thread. What is settled by published entries alone is answered here; the sequencer sees the rest.
 */
#include "log_private.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "problem.h"

enum { QUEUE_PARTS = 4 }; /* of which one key may have one */

/* -- submissions --------------------------------------------------------------------------------- */

struct bytes submission_entry(const struct submission *s)
{
	return s->record != NULL ? record_entry(s->record) : buf_bytes(&s->raw);
}

const struct merkle_hash *submission_keys(const struct submission *s, size_t *n)
{
	if (s->record != NULL)
		return record_keys(s->record, n);
	*n = 1; /* raw: the leaf hash alone */
	return &s->leaf;
}

void submission_free(struct submission *s)
{
	if (s == NULL)
		return;
	record_free(s->record);
	buf_release(&s->raw);
	free(s);
}

void submissions_init(struct submission_list *list)
{
	list->first = NULL;
	list->end = &list->first;
	list->n = 0;
}

void submissions_push(struct submission_list *list, struct submission *s)
{
	s->next = NULL;
	*list->end = s;
	list->end = &s->next;
	list->n++;
}

struct submission *submissions_pop(struct submission_list *list)
{
	struct submission *s = list->first;

	if (s == NULL)
		return NULL;
	list->first = s->next;
	if (list->first == NULL)
		list->end = &list->first;
	list->n--;
	s->next = NULL;
	return s;
}

static void count(struct log *log, enum log_outcome outcome)
{
	struct log_status *status = &log->status;

	if (outcome == LOG_KNOWN)
		status->known++;
	else if (outcome == LOG_REFUSED)
		status->refused++;
	else if (outcome == LOG_LATER)
		status->later++;
}

uint64_t log_answerable(struct log *log)
{
	uint64_t size;

	(void)pthread_mutex_lock(&log->lock);
	size = log->answerable;
	(void)pthread_mutex_unlock(&log->lock);
	return size;
}

void submission_answer(struct log *log, struct submission *s, const struct log_answer *answer)
{
	(void)pthread_mutex_lock(&log->lock);
	log->outstanding--;
	log->outstanding_bytes -= s->bytes;
	if (s->share != NULL) {
		s->share->n--;
		s->share->bytes -= s->bytes;
	}
	count(log, answer->outcome);
	(void)pthread_mutex_unlock(&log->lock);
	s->answer(s->ctx, answer);
	submission_free(s);
}

void submission_later(struct log *log, struct submission *s, const char *reason,
		      unsigned retry_after)
{
	struct log_answer answer = {
	    .outcome = LOG_LATER, .reason = reason, .retry_after = retry_after};

	submission_answer(log, s, &answer);
}

/* -- the entries so far, as a worker sees them ------------------------------------------------------- */

/* ctx of a worker's view. */
struct worker_view {
	struct log_worker *w;
	uint64_t size;
	bool consulted; /* anything was looked up at all */
	bool broken;    /* the index said so, and not a rule about what was sent */
};

static enum vt_err worker_find(void *ctx, const struct merkle_hash *key, uint64_t from,
			       uint64_t *index)
{
	struct worker_view *v = ctx;
	enum vt_err err;

	v->consulted = true;
	err = index_find(v->w->log->index, v->w->reader, key, from, v->size, index);
	if (err == VT_EMISMATCH)
		v->broken = true;
	return err;
}

static enum vt_err append_entry(void *ctx, uint64_t index, struct bytes entry,
				const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)keys;
	(void)n_keys;
	return buf_append(ctx, entry);
}

static enum vt_err worker_read(void *ctx, uint64_t index, struct buf *entry)
{
	struct worker_view *v = ctx;

	v->consulted = true;
	if (index >= v->size)
		return VT_ENOTFOUND;
	return store_read_entries(v->w->reader, index, 1, append_entry, entry);
}

static uint64_t covered(struct log *log)
{
	uint64_t size;

	(void)pthread_mutex_lock(&log->lock);
	size = log->covered;
	(void)pthread_mutex_unlock(&log->lock);
	return size;
}

/* -- checks on the caller's thread ------------------------------------------------------------------- */

/* What came of them. */
enum checked {
	CHECKED_QUEUE,
	CHECKED_KNOWN, /* below the published size: settled */
	CHECKED_REFUSED,
	CHECKED_FAILED, /* memory or the store: not the submission's fault */
	CHECKED_BROKEN, /* the index contradicts the entries */
};

static enum checked failed(const struct worker_view *v, enum vt_err err)
{
	if (v->broken)
		return CHECKED_BROKEN;
	return err == VT_EMALFORMED || err == VT_ELIMIT || err == VT_EUNTRUSTED ||
		       err == VT_ECONFLICT
		   ? CHECKED_REFUSED
		   : CHECKED_FAILED;
}

static enum checked check_raw(struct log_worker *w, struct submission *s, struct bytes body)
{
	struct worker_view v = {.w = w, .size = covered(w->log)};
	enum vt_err err;

	if (body.len > BUNDLE_ENTRY_MAX)
		return failed(&v, problem_set(&s->problem, VT_ELIMIT, "entry-too-large",
					      "%zu bytes, at most %d fit an entry", body.len,
					      BUNDLE_ENTRY_MAX));
	if (buf_append(&s->raw, body) != VT_OK ||
	    merkle_hash_leaf(&s->leaf, &w->hasher, body) != VT_OK)
		return CHECKED_FAILED;
	err = worker_find(&v, &s->leaf, 0, &s->index);
	if (err == VT_OK)
		return s->index < log_answerable(w->log) ? CHECKED_KNOWN : CHECKED_QUEUE;
	s->floor = v.size;
	return err == VT_ENOTFOUND ? CHECKED_QUEUE : failed(&v, err);
}

/* Its place in the queue counts for the key that brings it. For a signature that is in the log already it does not: anybody may send
 * that again beside his own, and would use up what somebody else may have. The centre's word on a key waits for no key's share. */
static enum vt_err charge_share(struct submission *s, const struct admission_view *view,
				struct log *log)
{
	const struct record_signer *signer;
	const struct merkle_hash *key;
	enum vt_err err = VT_OK;
	uint64_t index, h;
	size_t n, n_keys, i = 0;

	if (record_is_accreditation(s->record))
		return VT_OK;
	signer = record_signers(s->record, &n);
	key = record_keys(s->record, &n_keys);
	while (i + 1 < n && (err = view->find(view->ctx, &key[1 + i], 0, &index)) == VT_OK)
		i++;
	if (err != VT_OK && err != VT_ENOTFOUND)
		return err;
	memcpy(&h, signer[i].keyid.b, sizeof(h));
	h = (h ^ log->share_seed) * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ (h >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
	s->share = &log->share[(h >> 32) % QUEUE_SHARES];
	return VT_OK;
}

/* Under the registry's read lock. The registry covers v.size, and may cover more: what was committed a moment ago is counted
 * as covered when it has been read back. */
static enum checked check_record_locked(struct log_worker *w, struct submission *s,
					struct bytes body, const struct merkle_hash *key_hint,
					uint64_t *size, bool *brings_keys)
{
	struct log *log = w->log;
	struct worker_view v = {.w = w, .size = covered(log)};
	struct admission_view view = {
	    .size = v.size,
	    .registry = log->registry,
	    .origin = log->store->identity.origin,
	    .centre = log->store->identity.centre,
	    .find = worker_find,
	    .read = worker_read,
	    .ctx = &v,
	};
	enum vt_err err;
	bool consulted;
	size_t n;

	*size = v.size;
	if ((err = record_open(&s->record, &w->hasher, body, key_hint, &view, &s->problem)) !=
	    VT_OK)
		return failed(&v, err);
	s->leaf = *record_leaf(s->record);
	err = record_known(&s->index, s->record, &view);
	if (err == VT_OK)
		return s->index < log_answerable(log) ? CHECKED_KNOWN : CHECKED_QUEUE;
	if (err != VT_ENOTFOUND)
		return failed(&v, err);
	/* The first pair that is missing ends the search: of several, others may be there. */
	(void)record_signers(s->record, &n);
	s->floor = n == 1 ? v.size : 0;
	v.consulted = false;
	if ((err = record_judge(s->record, &view, &s->problem)) != VT_OK)
		return failed(&v, err);
	*brings_keys = record_brings_keys(s->record, &view);
	consulted = v.consulted;
	if ((err = charge_share(s, &view, log)) != VT_OK)
		return failed(&v, err);
	/* What was admissible for reasons found in other entries, or changes the registry itself, is judged again. */
	if (!consulted && !record_is_accreditation(s->record) &&
	    registry_end(log->registry) <= v.size)
		s->judged = registry_version(log->registry);
	return CHECKED_QUEUE;
}

static enum checked check_record(struct log_worker *w, struct submission *s, struct bytes body,
				 const struct merkle_hash *key_hint, uint64_t *size)
{
	struct worker_view v = {.w = w};
	enum checked checked;
	bool brings_keys = false;
	enum vt_err err;

	(void)pthread_rwlock_rdlock(&w->log->registry_lock);
	checked = check_record_locked(w, s, body, key_hint, size, &brings_keys);
	(void)pthread_rwlock_unlock(&w->log->registry_lock);
	/* The dear part, when nothing else can be said against it and nobody waits for the lock. */
	if (brings_keys && (err = record_check_keys(s->record, &s->problem)) != VT_OK)
		return failed(&v, err);
	return checked;
}

/* Take in what somebody has committed since `size`. VT_ENOTFOUND: there is nothing; VT_EBUSY: it takes too long. */
static enum vt_err catch_up(struct log_worker *w, uint64_t size)
{
	struct tree_state state;
	enum vt_err err;

	if ((err = store_read_state(w->reader, &state)) != VT_OK)
		return err;
	if (state.head.size <= size)
		return VT_ENOTFOUND;
	return log_cover(w->log, state.head.size) ? VT_OK : VT_EBUSY;
}

static enum checked check(struct log_worker *w, struct submission *s, struct bytes body,
			  const struct merkle_hash *key_hint)
{
	enum checked checked;
	uint64_t size = 0;
	enum vt_err err;

	if (w->log->mode == LOG_RAW)
		return check_raw(w, s, body);
	checked = check_record(w, s, body, key_hint, &size);
	/* A refusal is final for the sender, so it must not rest on an old registry. */
	if (checked != CHECKED_REFUSED || (err = catch_up(w, size)) == VT_ENOTFOUND)
		return checked;
	if (err != VT_OK)
		return CHECKED_FAILED;
	record_free(s->record);
	s->record = NULL;
	s->problem = (struct problem){0};
	return check_record(w, s, body, key_hint, &size);
}

/* -- the queue ------------------------------------------------------------------------------------ */

const char *log_holding(const struct log *log)
{
	if (log->probation)
		return "the high-water mark is missing: the log waits for its witnesses to vouch "
		       "for "
		       "its head";
	if (log->status.policy_differs)
		return "another process of this store has another policy: nothing is published "
		       "here "
		       "until this one reads it again (SIGHUP)";
	if (log->covered < log->status.published_size ||
	    log->covered - log->status.published_size < log->config.unpublished_max)
		return NULL;
	return log->asks
		   ? "the witnesses' quorum is missing, and as many entries as may be wait for it"
		   : "as many entries as may be wait to be published";
}

/* Why nothing is taken now; NULL: it is. Under the lock. */
static const char *closed(const struct log *log, size_t bytes)
{
	if (log->status.frozen)
		return log->status.frozen_why;
	if (log->stopping)
		return "the log is shutting down";
	if (!log->running)
		return "the log is not running";
	if (log->outstanding >= log->config.queue_max ||
	    log->outstanding_bytes + bytes > log->config.queue_bytes_max)
		return "the queue is full";
	return NULL;
}

/* Has its key a quarter of all in the queue already? One is let in always. Under the lock. */
static bool share_is_used_up(const struct log *log, const struct submission *s)
{
	return s->share != NULL && s->share->n > 0 &&
	       (s->share->n >= log->config.queue_max / QUEUE_PARTS ||
		s->share->bytes + s->bytes > log->config.queue_bytes_max / QUEUE_PARTS);
}

static void answer_later(struct log *log, const char *reason, log_answer_fn answer, void *ctx)
{
	struct log_answer a = {
	    .outcome = LOG_LATER, .reason = reason, .retry_after = RETRY_AFTER_BUSY};

	(void)pthread_mutex_lock(&log->lock);
	count(log, LOG_LATER);
	if (log->status.frozen)
		a.retry_after = RETRY_AFTER_FROZEN;
	else if (log_holding(log) != NULL)
		a.retry_after = RETRY_AFTER_QUORUM;
	(void)pthread_mutex_unlock(&log->lock);
	answer(ctx, &a);
}

static void answer_now(struct log_worker *w, const struct submission *s, enum log_outcome outcome)
{
	struct log_answer a = {.outcome = outcome, .index = s->index, .problem = s->problem};

	/* The entry in the log may be another form of the record. */
	if (outcome == LOG_KNOWN && leaf_at(w->reader, s->index, &a.leaf) != VT_OK) {
		answer_later(w->log, "the store could not be read", s->answer, s->ctx);
		return;
	}
	if (outcome == LOG_KNOWN && s->record != NULL)
		record_sent(&a.sent, s->record);
	(void)pthread_mutex_lock(&w->log->lock);
	count(w->log, outcome);
	(void)pthread_mutex_unlock(&w->log->lock);
	s->answer(s->ctx, &a);
}

/* True: the queue has it now. */
static bool enqueue(struct log *log, struct submission *s, const char **reason)
{
	struct bytes entry = submission_entry(s);
	bool taken;
	size_t n;

	(void)submission_keys(s, &n);
	s->bytes = entry.len + n * sizeof(struct merkle_hash);
	(void)pthread_mutex_lock(&log->lock);
	/* Only what would be added: what is known and published has been answered. */
	if ((*reason = closed(log, s->bytes)) == NULL)
		*reason = log_holding(log);
	if (*reason == NULL && share_is_used_up(log, s))
		*reason = "as much by this key waits as one key may have in the queue";
	taken = *reason == NULL;
	if (taken) {
		if (s->share != NULL) {
			s->share->n++;
			s->share->bytes += s->bytes;
		}
		s->since = clock_monotonic_nanos();
		log->outstanding++;
		log->outstanding_bytes += s->bytes;
		submissions_push(&log->queue, s);
		(void)pthread_cond_signal(&log->work);
	}
	(void)pthread_mutex_unlock(&log->lock);
	return taken;
}

void log_submit(struct log *log, struct log_worker *w, struct bytes body,
		const struct merkle_hash *key_hint, log_answer_fn answer, void *ctx)
{
	struct submission *s = NULL;
	const char *reason;

	/* Before anything dear. */
	(void)pthread_mutex_lock(&log->lock);
	reason = closed(log, 0);
	(void)pthread_mutex_unlock(&log->lock);
	if (reason == NULL && (s = calloc(1, sizeof(*s))) == NULL)
		reason = "no memory";
	if (reason != NULL) {
		answer_later(log, reason, answer, ctx);
		return;
	}
	s->answer = answer;
	s->ctx = ctx;
	buf_init(&s->raw);
	switch (check(w, s, body, key_hint)) {
	case CHECKED_QUEUE:
		if (enqueue(log, s, &reason))
			return; /* transferred */
		answer_later(log, reason, answer, ctx);
		break;
	case CHECKED_KNOWN:
		answer_now(w, s, LOG_KNOWN);
		break;
	case CHECKED_REFUSED:
		answer_now(w, s, LOG_REFUSED);
		break;
	case CHECKED_BROKEN:
		log_freeze(log, LOG_WHY_INDEX);
		answer_later(log, LOG_WHY_INDEX, answer, ctx);
		break;
	case CHECKED_FAILED:
		answer_later(log, "no memory, or the store could not be read in time", answer, ctx);
		break;
	}
	submission_free(s);
}
