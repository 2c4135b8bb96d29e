/* Rule 8, the signature, and the published mark. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log_private.h"
#include "logline.h"
#include "vitrine/checkpoint.h"

static void raise_published(struct log *log, const struct tree_head *head, uint64_t time)
{
	bool more = !log->has_published || head->size > log->published;
	bool tell;

	log->has_published = true;
	log->published = head->size;
	(void)pthread_mutex_lock(&log->lock);
	log->status.published_size = head->size;
	if (time != 0)
		log->status.published_time = time;
	if (log->handed < head->size)
		log->handed = head->size;
	tell = more && log->running;
	(void)pthread_mutex_unlock(&log->lock);
	if (tell && log->config.published != NULL)
		log->config.published(log->config.ctx, head);
}

/* Does a published note meet the policy? Where it could not be told, it is gathered for again. Without being told how, what was found is taken as met, but for what an
 * earlier process left: that is gathered again. */
static bool meets(const struct log *log, struct bytes note, bool gathered)
{
	if (!log->asks)
		return true;
	if (log->config.policy_met != NULL)
		return log->config.policy_met(log->config.ctx, note) == VT_OK;
	return gathered || (log->running && log->config.without_quorum == LOG_HOLD);
}

/* A published checkpoint that verifies and agrees with the store. *note is taken over. */
static void remember(struct log *log, const struct tree_head *head, struct buf *note, bool gathered)
{
	log->signed_head = *head;
	log->has_signed_head = true;
	buf_release(&log->verified_note);
	log->verified_note = *note;
	buf_init(note);
	log->policy_met = meets(log, buf_bytes(&log->verified_note), gathered);
	if (log->policy_met) /* if by another process, ours may still come to it */
		log->unmet_since = log->round.asked ? clock_monotonic_nanos() : 0;
	(void)pthread_mutex_lock(&log->lock);
	log->status.policy_met = log->policy_met;
	if (log->policy_met)
		log->status.quorum_missing_since = 0;
	/* Another process may publish without the quorum that this one is to wait for. */
	if ((log->policy_met || log->config.without_quorum == LOG_PUBLISH) &&
	    log->answerable < head->size)
		log->answerable = head->size;
	(void)pthread_mutex_unlock(&log->lock);
}

static enum vt_err freeze(struct log *log, uint64_t size, const char *what, struct bytes note)
{
	char why[LOG_FROZEN_WHY_MAX];

	(void)snprintf(why, sizeof(why),
		       "the published checkpoint of size %" PRIu64 " %s" LOG_SEE_FROZEN, size,
		       what);
	log_freeze_with(log, why, note);
	return VT_EBUSY;
}

/*
 * "A verified signature of its own that contradicts the freshly read store (another root at a size it has, or a size
 * beyond it) makes a log stop signing." The checkpoint is read first: whatever it covers had been committed by then.
 */
static enum vt_err compare_with_store(struct log *log, const struct tree_head *head,
				      struct bytes note)
{
	struct tree_state state;
	struct merkle_hash root;
	enum vt_err err;

	if ((err = store_read_state(log->second, &state)) != VT_OK)
		return err;
	if (head->size > state.head.size)
		return freeze(log, head->size, "is beyond what the store holds", note);
	if (log->has_signed_head && tree_head_equal(head, &log->signed_head))
		return VT_OK;
	err = readback_root(log, head->size, &root);
	if (err == VT_ENOTFOUND || (err == VT_OK && !merkle_hash_equal(&root, &head->root)))
		return freeze(log, head->size, "has another root than the store's tree", note);
	return err;
}

enum vt_err publish_check(struct log *log)
{
	struct note *note = NULL;
	struct checkpoint cp;
	struct buf text;
	uint64_t size;
	enum vt_err err;

	buf_init(&text);
	err = store_read_published(log->second, &size, &text);
	if (err == VT_ENOTFOUND) {
		err = VT_OK;
		goto done;
	}
	if (err != VT_OK)
		goto done;
	/* The very bytes that were verified last: the store has only grown since. */
	if (log->has_published && bytes_equal(buf_bytes(&text), buf_bytes(&log->verified_note)))
		goto done;
	err = checkpoint_open(&note, &cp, buf_bytes(&text), &log->vkey, NULL);
	if (err == VT_ENOMEM)
		goto done;
	if (err != VT_OK || cp.head.size != size) {
		err = freeze(log, size, "does not verify under the log's key", buf_bytes(&text));
		goto done;
	}
	if ((err = compare_with_store(log, &cp.head, buf_bytes(&text))) != VT_OK)
		goto done;
	if (size > log->published || !log->has_published)
		raise_published(log, &cp.head, 0);
	remember(log, &cp.head, &text, false);
done:
	note_free(note);
	buf_release(&text);
	return err;
}

/* The head as a note. note_sign() verifies the signature that it made; what it made it for is compared here. */
static enum vt_err sign_text(struct log *log, const struct tree_head *head, struct buf *out)
{
	struct checkpoint cp;
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	if ((err = checkpoint_format(&text, log->store->identity.origin, head)) != VT_OK)
		goto done;
	err = note_sign(out, buf_bytes(&text), &log->signer, 1);
	if (err == VT_EMISMATCH)
		log_die_mismatch("the fresh signature does not verify");
	if (err != VT_OK)
		goto done;
	if (out->len <= text.len || memcmp(out->data, text.data, text.len) != 0 ||
	    checkpoint_parse(&cp, buf_bytes(&text)) != VT_OK || !tree_head_equal(&cp.head, head) ||
	    !bytes_is(cp.origin, log->vkey.name))
		log_die_mismatch("the fresh checkpoint is not what was to be signed");
done:
	buf_release(&text);
	return err;
}

enum vt_err publish_sign(struct log *log, const struct tree_head *head, struct buf *note)
{
	uint64_t start = clock_monotonic_nanos();
	enum vt_err err;

	log_freeze_look(log);
	if (log_frozen(log))
		return VT_EBUSY;
	err = sign_text(log, head, note);
	(void)pthread_mutex_lock(&log->lock);
	log->status.sign_seconds_sum += (double)(clock_monotonic_nanos() - start) / 1e9;
	(void)pthread_mutex_unlock(&log->lock);
	return err;
}

static enum vt_err store_note(struct log *log, uint64_t size, struct bytes note, uint64_t now)
{
	enum vt_err err = agreed_begin(log);

	if (err != VT_OK)
		return err;
	err = store_publish(log->store, size, note, now);
	agreed_end(log);
	if (err == VT_OK || err == VT_EBUSY)
		log_set_stuck(log, err == VT_OK ? "" : STORE_IS_LOCKED);
	return err;
}

enum vt_err publish_note(struct log *log, const struct tree_head *head, struct bytes note,
			 bool quorum)
{
	uint64_t now = clock_unix();
	struct buf copy;
	enum vt_err err;

	buf_init(&copy);
	if (log_frozen(log))
		return VT_EBUSY;
	/* A later head, or this one with its quorum, may have come from another process. */
	if (log->has_published && (log->published > head->size ||
				   (log->published == head->size && log->policy_met && !quorum)))
		return VT_OK;
	if ((err = buf_append(&copy, note)) != VT_OK)
		goto done;
	/* The very bytes that are published are not kept once more: rounds without a quorum go on for as long as it is away. */
	if (!log->has_published || !bytes_equal(note, buf_bytes(&log->verified_note))) {
		if ((err = store_note(log, head->size, note, now)) != VT_OK)
			goto done;
		raise_published(log, head, now);
	}
	remember(log, head, &copy, quorum);
done:
	buf_release(&copy);
	return err;
}

void publish_judge_again(struct log *log)
{
	struct buf note = log->verified_note;

	if (!log->has_published)
		return;
	buf_init(&log->verified_note);
	remember(log, &log->signed_head, &note, false);
}

bool publish_owed(const struct log *log)
{
	return !log->has_published || log->published < log->state.head.size || !log->policy_met ||
	       log->probation;
}

enum vt_err publish_head(struct log *log)
{
	struct tree_head head = log->state.head;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	if (log_frozen(log)) {
		err = VT_EBUSY;
		goto done;
	}
	if ((err = agreed_look(log)) != VT_OK || (err = publish_check(log)) != VT_OK)
		goto done;
	/* Another process has signed this head, or a later one. */
	if (log->has_published && log->published >= head.size)
		goto done;
	/* Before it is started nobody would come back to it. */
	err = log->running ? high_water_choose(log, &head) : high_water_wait(log, &head);
	if (err == VT_OK && (err = publish_sign(log, &head, &note)) == VT_OK &&
	    (err = high_water_wait(log, &head)) == VT_OK)
		err = publish_note(log, &head, buf_bytes(&note), false);
done:
	buf_release(&note);
	return err;
}
