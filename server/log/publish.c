/* Rule 8, the signature, and the published mark. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log_private.h"
#include "logline.h"
#include "vitrine/checkpoint.h"

enum {
	GATHER_PAUSE = 1, /* seconds between two rounds, whatever came of the first */
	PUBLISH_TRIES = 5,
};

static void raise_published(struct log *log, uint64_t size, uint64_t time)
{
	log->published = size;
	(void)pthread_mutex_lock(&log->lock);
	log->status.published_size = size;
	if (time != 0)
		log->status.published_time = time;
	if (log->handed < size)
		log->handed = size;
	(void)pthread_mutex_unlock(&log->lock);
}

/* A published checkpoint that verifies and agrees with the store. *note is taken over. */
static void remember(struct log *log, const struct tree_head *head, struct buf *note)
{
	log->signed_head = *head;
	log->has_signed_head = true;
	buf_release(&log->verified_note);
	log->verified_note = *note;
	buf_init(note);
}

static enum vt_err freeze(struct log *log, uint64_t size, const char *what)
{
	char why[LOG_WHY_MAX];

	(void)snprintf(why, sizeof(why), "the published checkpoint of size %" PRIu64 " %s", size,
		       what);
	log_freeze(log, why);
	return VT_EBUSY;
}

/*
 * "A verified signature of its own that contradicts the freshly read store (another root at a size it has, or a size
 * beyond it) makes a log stop signing." The checkpoint is read first: whatever it covers had been committed by then.
 */
static enum vt_err compare_with_store(struct log *log, const struct tree_head *head)
{
	struct tree_state state;
	struct merkle_hash root;
	enum vt_err err;

	if ((err = store_read_state(log->second, &state)) != VT_OK)
		return err;
	if (head->size > state.head.size)
		return freeze(log, head->size, "is beyond what the store holds");
	if (log->has_signed_head && tree_head_equal(head, &log->signed_head))
		return VT_OK;
	err = readback_root(log, head->size, &root);
	if (err == VT_ENOTFOUND || (err == VT_OK && !merkle_hash_equal(&root, &head->root)))
		return freeze(log, head->size, "has another root than the store's tree");
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
		err = freeze(log, size, "does not verify under the log's key");
		goto done;
	}
	if ((err = compare_with_store(log, &cp.head)) != VT_OK)
		goto done;
	if (size > log->published || !log->has_published)
		raise_published(log, size, 0);
	log->has_published = true;
	remember(log, &cp.head, &text);
done:
	note_free(note);
	buf_release(&text);
	return err;
}

/* The head as a note. note_sign() verifies the signature that it made; what it made it for is compared here. */
static enum vt_err sign_head(struct log *log, const struct tree_head *head, struct buf *out)
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

static enum vt_err gather(struct log *log, const struct tree_head *head, struct buf *note)
{
	struct buf published;
	enum vt_err err;

	if (log->config.gather == NULL)
		return VT_OK;
	/* From now on a witness may ask for anything under this head. */
	(void)pthread_mutex_lock(&log->lock);
	if (log->handed < head->size)
		log->handed = head->size;
	(void)pthread_mutex_unlock(&log->lock);
	buf_init(&published);
	err = log->config.gather(log->config.ctx, buf_bytes(note), head, &published);
	log->gather_at = clock_monotonic_nanos() + GATHER_PAUSE * UINT64_C(1000000000);
	if (err == VT_OK) {
		struct buf swap = *note;

		*note = published;
		published = swap;
	}
	buf_release(&published);
	return err;
}

static enum vt_err publish_note(struct log *log, uint64_t size, struct bytes note)
{
	uint64_t now = clock_unix();
	enum vt_err err = VT_EBUSY;

	for (unsigned i = 0; err == VT_EBUSY && i < PUBLISH_TRIES; i++)
		err = store_publish(log->store, size, note, now);
	if (err == VT_OK) {
		log->has_published = true;
		raise_published(log, size, now);
	}
	return err;
}

enum vt_err publish_head(struct log *log)
{
	struct tree_head head = log->state.head;
	uint64_t start = clock_monotonic_nanos();
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	if (log_frozen(log) || (log->config.gather != NULL && start < log->gather_at)) {
		err = VT_EBUSY;
		goto done;
	}
	if ((err = publish_check(log)) != VT_OK)
		goto done;
	/* Another process has signed this head, or a later one. */
	if (log->has_published && log->published >= head.size)
		goto done;
	if ((err = sign_head(log, &head, &note)) != VT_OK)
		goto done;
	(void)pthread_mutex_lock(&log->lock);
	log->status.sign_seconds_sum += (double)(clock_monotonic_nanos() - start) / 1e9;
	(void)pthread_mutex_unlock(&log->lock);
	if ((err = gather(log, &head, &note)) != VT_OK ||
	    (err = publish_note(log, head.size, buf_bytes(&note))) != VT_OK)
		goto done;
	remember(log, &head, &note);
done:
	buf_release(&note);
	return err;
}
