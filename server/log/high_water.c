/* The store against its high-water mark: at the start, and before anything goes out. */
#include "log_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "logline.h"
#include "vitrine/tile.h"

#define WHERE_TO_READ "; see \"The store and its mark\" in docs/operations.md"

/* What is wrong with the mark or the store is found again at each start, so nothing is written down. */
static void stop_for(struct log *log, const char *why)
{
	char text[LOG_FROZEN_WHY_MAX];

	(void)snprintf(text, sizeof(text), "%.*s" WHERE_TO_READ,
		       (int)(sizeof(text) - sizeof(WHERE_TO_READ)), why);
	log_freeze_for_now(log, text);
}

static enum vt_err explain_unreadable(char why[LOG_FROZEN_WHY_MAX], const char *path,
				      enum vt_err err, int system_error)
{
	(void)snprintf(
	    why, LOG_FROZEN_WHY_MAX,
	    "the high-water mark %.100s %s (%s), so whether this store is the newest cannot "
	    "be told: nothing is signed",
	    path, err == VT_EMISMATCH ? "is another log's" : "cannot be used",
	    err == VT_EMALFORMED ? "it is damaged"
	    : err == VT_EIO      ? strerror(system_error)
				 : vt_err_text(err));
	return VT_EMISMATCH;
}

/* What the store has lost it may still hold behind a damaged page, so what to do begins with a copy. */
static enum vt_err explain_behind(char why[LOG_FROZEN_WHY_MAX], const char *path, uint64_t size,
				  uint64_t marked)
{
	(void)snprintf(why, LOG_FROZEN_WHY_MAX,
		       "the store has %" PRIu64 " entries, but this log has had %" PRIu64
		       " (high-water mark %.100s): an older copy of the store was put back, or "
		       "the write-ahead log or the disk is damaged and hides the newest entries. "
		       "Nothing is signed, and log.db and log.db-wal are left as they are. Stop, "
		       "copy the folder away, then put the newest store back, or the files as they "
		       "were before the damage, and start again",
		       size, marked, path);
	return VT_EMISMATCH;
}

static enum vt_err explain_other_root(char why[LOG_FROZEN_WHY_MAX], const char *path,
				      uint64_t marked)
{
	(void)snprintf(why, LOG_FROZEN_WHY_MAX,
		       "the store's tree of %" PRIu64
		       " entries has another root than the high-water mark %.100s: this store has "
		       "another history. Nothing is signed. Stop, put the right store back, start "
		       "again",
		       marked, path);
	return VT_EMISMATCH;
}

static enum vt_err read_tile(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	return store_read_tile(ctx, id->level, id->index, id->width, out);
}

enum vt_err high_water_compare(struct tree_head *mark, const char *path, const char *origin,
			       struct store_reader *r, struct merkle_hasher *h,
			       char why[LOG_FROZEN_WHY_MAX])
{
	struct tree_state state;
	struct merkle_hash root;
	enum vt_err err;

	errno = 0;
	err = mark_read(mark, path, origin);
	if (err == VT_ENOTFOUND || err == VT_ENOMEM || err == VT_EBUSY)
		return err;
	if (err == VT_ECONFLICT) {
		(void)snprintf(
		    why, LOG_FROZEN_WHY_MAX,
		    "the high-water mark %.100s says that the log is frozen, for want of a "
		    "file FROZEN" LOG_SEE_FROZEN,
		    path);
		return VT_EMISMATCH;
	}
	if (err != VT_OK)
		return explain_unreadable(why, path, err, errno);
	/* Read after the mark: another process may have committed and raised it since this one looked at the head. */
	if ((err = store_read_state(r, &state)) != VT_OK)
		return err;
	if (mark->size > state.head.size)
		return explain_behind(why, path, state.head.size, mark->size);
	err = tile_root(&root, h, mark->size, read_tile, r);
	if (err == VT_ENOTFOUND || (err == VT_OK && !merkle_hash_equal(&root, &mark->root)))
		return explain_other_root(why, path, mark->size);
	return err;
}

static void stop_unreadable(struct log *log, enum vt_err err, int system_error)
{
	char why[LOG_FROZEN_WHY_MAX];

	(void)explain_unreadable(why, log->config.mark_path, err, system_error);
	stop_for(log, why);
}

static void mark_moved(void *ctx)
{
	struct log *log = ctx;

	(void)pthread_mutex_lock(&log->lock);
	log->mark_moved = true;
	(void)pthread_cond_broadcast(&log->work);
	(void)pthread_mutex_unlock(&log->lock);
}

static enum vt_err open_mark(struct log *log, uint64_t size)
{
	struct mark *opened;
	enum vt_err err;

	errno = 0;
	err =
	    mark_open(&opened, log->config.mark_path, log->store->identity.origin, mark_moved, log);
	if (err == VT_EIO) {
		stop_unreadable(log, err, errno);
		return VT_OK;
	}
	if (err != VT_OK)
		return err;
	(void)pthread_mutex_lock(&log->lock);
	/* Whatever was shown to anyone before this start is under the mark. */
	if (log->handed < size)
		log->handed = size;
	log->mark = opened;
	log->status.has_mark = true;
	log->status.mark_size = size;
	(void)pthread_mutex_unlock(&log->lock);
	return VT_OK;
}

/* VT_ENOTFOUND: it does not say so. */
static enum vt_err adopt_frozen(struct log *log)
{
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	err = mark_frozen_text(&text, log->config.mark_path);
	if (err == VT_OK && (err = open_mark(log, 0)) == VT_OK)
		log_freeze_by_mark(log, &text);
	buf_release(&text);
	return err;
}

/* A mark that is there: compare, and open it to be raised. */
static enum vt_err adopt_mark(struct log *log)
{
	char why[LOG_FROZEN_WHY_MAX];
	struct tree_head mark;
	enum vt_err err;

	if ((err = adopt_frozen(log)) == VT_OK || err == VT_ENOMEM)
		return err;
	err = high_water_compare(&mark, log->config.mark_path, log->store->identity.origin,
				 log->second, &log->second_hasher, why);
	if (err == VT_EMISMATCH) {
		stop_for(log, why);
		return VT_OK;
	}
	return err != VT_OK ? err : open_mark(log, mark.size);
}

static enum vt_err make_mark(struct log *log, const struct tree_head *head)
{
	enum vt_err err;

	errno = 0;
	err = mark_create(log->config.mark_path, log->store->identity.origin, head);
	if (err == VT_EIO) {
		stop_unreadable(log, err, errno);
		return VT_OK;
	}
	/* VT_ECONFLICT: another process was quicker. Its mark is as good. */
	return err == VT_OK || err == VT_ECONFLICT ? adopt_mark(log) : err;
}

static void missing_why(const struct log *log, char why[LOG_FROZEN_WHY_MAX])
{
	(void)snprintf(
	    why, LOG_FROZEN_WHY_MAX,
	    "the high-water mark %.100s is missing beside a store of %" PRIu64
	    " entries, so whether it is the newest cannot be told: nothing is signed. If it "
	    "is, start once with --new-mark",
	    log->config.mark_path, log->state.head.size);
}

void high_water_nobody_to_ask(struct log *log)
{
	char why[LOG_FROZEN_WHY_MAX];

	missing_why(log, why);
	stop_for(log, why);
}

static enum vt_err judge_missing(struct log *log)
{
	if (log_frozen(log))
		return VT_OK;
	if (log->config.new_mark) {
		logline(LOGLINE_WARN, "a new high-water mark is made, as asked for",
			"size=%" PRIu64, log->state.head.size);
		return make_mark(log, &log->state.head);
	}
	if (log->asks) {
		logline(LOGLINE_WARN,
			"the high-water mark is missing: nothing is taken in until the witnesses' "
			"quorum has cosigned the head",
			"size=%" PRIu64, log->state.head.size);
		log->probation = true;
		return VT_OK;
	}
	high_water_nobody_to_ask(log);
	return VT_OK;
}

enum vt_err high_water_open(struct log *log)
{
	enum vt_err err;

	if (log->config.mark_path == NULL)
		return VT_OK;
	err = adopt_mark(log);
	return err == VT_ENOTFOUND ? judge_missing(log) : err;
}

enum vt_err high_water_vouched(struct log *log, const struct tree_head *head)
{
	char why[LOG_FROZEN_WHY_MAX];
	enum vt_err err;

	if (log_frozen(log))
		return VT_EBUSY;
	/* "quorum none" holds without a single witness: nobody has said that this store is the newest. */
	err = log->config.policy_met == NULL
		  ? VT_EUNTRUSTED
		  : log->config.policy_met(log->config.ctx, buf_bytes(&log->round.note));
	if (err == VT_OK) {
		missing_why(log, why);
		stop_for(log, why);
		return VT_EBUSY;
	}
	if (err != VT_EUNTRUSTED)
		return err;
	if ((err = make_mark(log, head)) != VT_OK)
		return err;
	if (log->mark == NULL)
		return VT_EBUSY;
	logline(LOGLINE_INFO, "the witnesses' quorum has vouched for the head: a new mark is made",
		"size=%" PRIu64, head->size);
	(void)pthread_mutex_lock(&log->lock);
	log->probation = false;
	(void)pthread_mutex_unlock(&log->lock);
	store_trust(log->store, true);
	return VT_OK;
}

void high_water_raise(struct log *log, const struct tree_head *head)
{
	if (log->mark != NULL)
		mark_raise(log->mark, head);
}

static enum vt_err raising_failed(struct log *log, const struct tree_head *head, enum vt_err err)
{
	char why[LOG_FROZEN_WHY_MAX];

	if (err == VT_EBUSY)
		return err;
	if (err == VT_ECONFLICT) {
		log_freeze_for_now(log, "another process of this store has frozen the log, and the "
					"high-water mark says so" LOG_SEE_FROZEN);
		return VT_EBUSY;
	}
	if (err != VT_EMISMATCH)
		log_die_storage("raising the high-water mark", err);
	(void)snprintf(why, sizeof(why),
		       "the high-water mark %.100s has another root at size %" PRIu64
		       " than this store",
		       log->config.mark_path, head->size);
	log_freeze(log, why);
	return VT_EBUSY;
}

enum vt_err high_water_choose(struct log *log, struct tree_head *head)
{
	struct tree_head there;
	enum vt_err err;

	log->mark_pending = false;
	if (log->mark == NULL)
		return VT_OK;
	mark_raise(log->mark, head);
	err = mark_durable(log->mark, &there);
	if (err == VT_OK && there.size >= head->size)
		return VT_OK;
	if (err != VT_OK && err != VT_ENOTFOUND)
		return raising_failed(log, head, err);
	log->mark_pending = true;
	/* Heads that were begun have been read back since: the sequencer does that before it comes here. */
	*head = there;
	return err == VT_ENOTFOUND || (log->has_published && head->size <= log->published)
		   ? VT_EBUSY
		   : VT_OK;
}

enum vt_err high_water_wait(struct log *log, const struct tree_head *head)
{
	enum vt_err err;

	if (log->mark == NULL)
		return VT_OK;
	mark_raise(log->mark, head);
	err = mark_wait(log->mark, head->size);
	return err == VT_OK ? VT_OK : raising_failed(log, head, err);
}
