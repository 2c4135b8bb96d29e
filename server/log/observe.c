/* Signed heads that others show. Rule 8: a signature of its own that contradicts the store stops a log. */
#include "log_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "logline.h"
#include "vitrine/checkpoint.h"

/* tile_read_fn: from the store, nothing remembered. */
static enum vt_err read_tile(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	return store_read_tile(ctx, id->level, id->index, id->width, out);
}

/* VT_EMISMATCH with what contradicts in why. */
static enum vt_err compare(struct log_worker *w, const struct tree_head *head,
			   char why[LOG_WHY_MAX])
{
	struct tree_state state;
	struct merkle_hash root;
	enum vt_err err;

	/* Read after the signature was made: whatever it covers had been committed by then. */
	if ((err = store_read_state(w->reader, &state)) != VT_OK)
		return err;
	if (head->size > state.head.size) {
		(void)snprintf(why, LOG_WHY_MAX,
			       "is beyond what the store holds (%" PRIu64
			       " entries): " LOG_WHY_BEYOND,
			       state.head.size);
		return VT_EMISMATCH;
	}
	err = tile_root(&root, &w->hasher, head->size, read_tile, w->reader);
	if (err == VT_ENOTFOUND || (err == VT_OK && !merkle_hash_equal(&root, &head->root))) {
		(void)snprintf(why, LOG_WHY_MAX, "has another root than the store's tree");
		return VT_EMISMATCH;
	}
	return err;
}

enum vt_err log_observe(struct log_worker *w, struct bytes note, const char *from)
{
	char what[LOG_WHY_MAX], why[LOG_FROZEN_WHY_MAX];
	struct note *parsed = NULL;
	struct checkpoint cp;
	enum vt_err err = checkpoint_open(&parsed, &cp, note, &w->log->vkey, NULL);

	if (err != VT_OK)
		return err == VT_ENOMEM ? err : VT_EUNTRUSTED;
	err = compare(w, &cp.head, what);
	if (err == VT_EMISMATCH) {
		(void)snprintf(why, sizeof(why),
			       "a checkpoint of size %" PRIu64
			       " that this log signed, shown by %.100s, %s" LOG_SEE_FROZEN,
			       cp.head.size, from, what);
		log_freeze_with(w->log, why, note);
	}
	note_free(parsed);
	return err;
}
