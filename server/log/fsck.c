/*
 * fsck: everything recomputed from the entries. The order matters: each step leans only on what the steps before it have
 * shown to follow from the entries, so nothing that is stored is believed before it is checked.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "fsck_private.h"
#include "index.h"
#include "log_private.h"
#include "logline.h"
#include "party_key.h"
#include "vitrine/checkpoint.h"

enum {
	FAULT_MAX = LOG_FROZEN_WHY_MAX + 64,
	CHECKPOINTS_AT_ONCE = 64,
};

enum vt_err tell_fault_text(void *ctx, const char *text)
{
	struct fsck *f = ctx;
	size_t most = f->config->faults_max == 0 ? 1 : f->config->faults_max;
	enum vt_err err = f->config->fault(f->config->ctx, text);

	f->faults++;
	if (err != VT_OK)
		return err;
	return f->faults >= most ? VT_EMISMATCH : VT_OK;
}

enum vt_err tell_fault(struct fsck *f, const char *fmt, ...)
{
	char text[FAULT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return tell_fault_text(f, text);
}

void tell_progress(struct fsck *f, uint64_t done, const char *what)
{
	if (f->config->progress != NULL &&
	    (done % FSCK_PROGRESS_EVERY == 0 || done == f->state.head.size))
		f->config->progress(f->config->ctx, done, f->state.head.size, what);
}

/* -- identity ------------------------------------------------------------------------------------- */

static enum vt_err check_identity(struct fsck *f)
{
	const struct store_identity *identity = &f->config->store->identity;
	struct party_key *centre = NULL;
	enum vt_err err;

	f->raw = strcmp(identity->mode, "raw") == 0;
	if (vkey_parse(&f->vkey, bytes_str(identity->vkey)) != VT_OK) {
		err = tell_fault(f, "identity: the vkey is none");
		return err == VT_OK ? VT_EMISMATCH : err; /* nothing signed can be checked */
	}
	if (strcmp(f->vkey.name, identity->origin) != 0 &&
	    (err = tell_fault(f, "identity: the origin is not the vkey's name")) != VT_OK)
		return err;
	if (f->raw)
		return identity->centre.len == 0
			   ? VT_OK
			   : tell_fault(f, "identity: a raw log with a centre's key");
	err = party_key_from_spki(&centre, identity->centre, NULL);
	party_key_free(centre);
	if (err == VT_ENOMEM)
		return err;
	return err == VT_OK ? VT_OK : tell_fault(f, "identity: the centre's key is none");
}

/* -- checkpoints ------------------------------------------------------------------------------------- */

static enum vt_err read_tile(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	struct fsck *f = ctx;

	return store_read_tile(f->r, id->level, id->index, id->width, out);
}

/* Kept checkpoints are looked at in slices, because a visitor must not read the tiles itself. */
struct kept {
	uint64_t seq;
	uint64_t size;
	struct buf note;
};

struct kept_slice {
	size_t n;
	struct kept kept[CHECKPOINTS_AT_ONCE];
};

static enum vt_err keep(void *ctx, const struct store_checkpoint *cp)
{
	struct kept_slice *slice = ctx;
	struct kept *k = &slice->kept[slice->n];

	if (slice->n == CHECKPOINTS_AT_ONCE)
		return INTERNAL("the store gave more checkpoints than were asked for");
	k->seq = cp->seq;
	k->size = cp->size;
	buf_reset(&k->note);
	slice->n++;
	return buf_append(&k->note, cp->note);
}

/* Has the log so many entries? It may be running, and have grown since the head was read. */
static enum vt_err head_reaches(struct fsck *f, uint64_t size, bool *reached)
{
	struct tree_state now;
	enum vt_err err;

	*reached = size <= f->state.head.size;
	if (*reached)
		return VT_OK;
	if ((err = store_read_state(f->r, &now)) == VT_OK)
		*reached = size <= now.head.size;
	return err;
}

/* Signed by this log, of the size it is kept under, with the root that the tiles give. */
static enum vt_err check_note(struct fsck *f, const char *which, uint64_t seq, uint64_t size,
			      struct bytes text)
{
	struct note *note = NULL;
	struct checkpoint cp;
	struct merkle_hash root;
	bool reached;
	enum vt_err err;

	err = checkpoint_open(&note, &cp, text, &f->vkey, NULL);
	if (err == VT_ENOMEM)
		goto done;
	if (err != VT_OK) {
		err = tell_fault(f, "%s %" PRIu64 ": %s", which, seq,
				 err == VT_EMALFORMED ? "is no checkpoint"
						      : "its signature does not verify");
		goto done;
	}
	if ((err = head_reaches(f, size, &reached)) != VT_OK)
		goto done;
	if (cp.head.size != size || !reached) {
		err = tell_fault(f,
				 "%s %" PRIu64 ": is for size %" PRIu64 ", kept under %" PRIu64
				 " in a log of %" PRIu64,
				 which, seq, cp.head.size, size, f->state.head.size);
		goto done;
	}
	err = tile_root(&root, &f->hasher, size, read_tile, f);
	if (err == VT_ENOTFOUND || (err == VT_OK && !merkle_hash_equal(&root, &cp.head.root)))
		err = tell_fault(f, "%s %" PRIu64 ": its root is not the tree's at size %" PRIu64,
				 which, seq, size);
done:
	note_free(note);
	return err;
}

/* Times may go back with the clock; sizes never do. */
static enum vt_err check_kept(struct fsck *f, const struct kept *k, struct kept *last)
{
	enum vt_err err = check_note(f, "kept checkpoint", k->seq, k->size, buf_bytes(&k->note));

	if (err == VT_OK && k->size < last->size)
		err = tell_fault(f, "kept checkpoint %" PRIu64 ": smaller than the one before",
				 k->seq);
	last->seq = k->seq;
	last->size = k->size;
	return err;
}

static enum vt_err check_checkpoints(struct fsck *f)
{
	struct kept_slice *slice = calloc(1, sizeof(*slice));
	struct kept last = {0};
	struct buf published;
	uint64_t size;
	enum vt_err err = VT_ENOMEM;

	buf_init(&published);
	if (slice == NULL)
		goto done;
	do {
		slice->n = 0;
		err = store_read_checkpoints(f->r, last.seq, CHECKPOINTS_AT_ONCE, keep, slice);
		for (size_t i = 0; err == VT_OK && i < slice->n; i++)
			err = check_kept(f, &slice->kept[i], &last);
	} while (err == VT_OK && slice->n > 0);
	if (err != VT_OK)
		goto done;
	err = store_read_published(f->r, &size, &published);
	if (err == VT_ENOTFOUND) /* nothing was signed yet */
		err = VT_OK;
	else if (err == VT_OK)
		err = check_note(f, "published checkpoint of size", size, size,
				 buf_bytes(&published));
done:
	for (size_t i = 0; slice != NULL && i < CHECKPOINTS_AT_ONCE; i++)
		buf_release(&slice->kept[i].note);
	free(slice);
	buf_release(&published);
	return err;
}

/* -- what lies beside the store -------------------------------------------------------------------- */

static enum vt_err check_frozen(struct fsck *f, struct buf *evidence)
{
	const char *path = f->config->frozen_path;
	char why[LOG_FROZEN_WHY_MAX], at[CLOCK_RFC3339_SIZE];
	uint64_t time;
	enum vt_err err;

	if (path == NULL)
		return VT_OK;
	if ((err = frozen_file_read(path, why, &time, evidence)) != VT_OK)
		return err == VT_ENOTFOUND ? VT_OK : err;
	clock_format_rfc3339(at, time);
	f->beside++;
	return tell_fault(f, "FROZEN: the log has stopped signing, at %s: %s", at, why);
}

/* Is what it froze for mended? An operator has to know before the file is removed. */
static enum vt_err check_evidence(struct fsck *f, struct bytes evidence)
{
	struct note *note = NULL;
	struct checkpoint cp;
	struct merkle_hash root;
	enum vt_err err;

	if (evidence.len == 0)
		return VT_OK;
	f->beside++; /* one of these is told */
	err = checkpoint_open(&note, &cp, evidence, &f->vkey, NULL);
	if (err != VT_OK) {
		if (err != VT_ENOMEM)
			err = tell_fault(f, "FROZEN: what it ends with is no checkpoint that this "
					    "log signed");
		goto done;
	}
	if (cp.head.size > f->state.head.size) {
		err = tell_fault(f,
				 "FROZEN: its checkpoint of size %" PRIu64
				 " is beyond this store of %" PRIu64 " entries",
				 cp.head.size, f->state.head.size);
		goto done;
	}
	err = tile_root(&root, &f->hasher, cp.head.size, read_tile, f);
	if (err == VT_OK && merkle_hash_equal(&root, &cp.head.root))
		err = tell_fault(f,
				 "FROZEN: its checkpoint of size %" PRIu64
				 " is in this store: that is mended",
				 cp.head.size);
	else if (err == VT_OK || err == VT_ENOTFOUND)
		err = tell_fault(f,
				 "FROZEN: its checkpoint of size %" PRIu64
				 " has another root than this store's tree",
				 cp.head.size);
done:
	note_free(note);
	return err;
}

/* A store that is whole in itself may still not be the newest. Its tiles have been checked by now. */
static enum vt_err check_mark(struct fsck *f)
{
	const struct fsck_config *c = f->config;
	char why[LOG_FROZEN_WHY_MAX];
	struct tree_head mark;
	enum vt_err err;

	if (c->mark_path == NULL)
		return VT_OK;
	err = high_water_compare(&mark, c->mark_path, c->store->identity.origin, f->r, &f->hasher,
				 why);
	if (err == VT_ENOTFOUND)
		return VT_OK;
	if (err != VT_EMISMATCH)
		return err;
	f->beside++;
	return tell_fault(f, "high-water mark: %s", why);
}

/* -- all of it --------------------------------------------------------------------------------------- */

static enum vt_err check_all(struct fsck *f, struct bytes evidence)
{
	enum vt_err err;

	if ((err = store_check(f->r, tell_fault_text, f)) != VT_OK ||
	    (err = check_identity(f)) != VT_OK)
		return err;
	/* What the store cannot read any more it has just told of. */
	if (f->faults > f->beside)
		return VT_EMISMATCH;
	if ((err = store_read_state(f->r, &f->state)) != VT_OK || (err = fsck_tree(f)) != VT_OK ||
	    (err = check_evidence(f, evidence)) != VT_OK || (err = check_mark(f)) != VT_OK ||
	    (err = check_checkpoints(f)) != VT_OK)
		return err;
	tell_progress(f, 0, "index runs");
	if ((err = index_check(f->r, tell_fault_text, f)) != VT_OK)
		return err;
	return f->faults > f->beside ? VT_EMISMATCH : fsck_replay(f);
}

enum vt_err log_fsck(const struct fsck_config *config, struct tree_head *head)
{
	struct fsck f = {.config = config};
	struct buf evidence;
	enum vt_err err;

	buf_init(&evidence);
	memset(head, 0, sizeof(*head));
	if ((err = merkle_hasher_init(&f.hasher)) != VT_OK ||
	    (err = store_reader_new(&f.r, config->store)) != VT_OK)
		goto done;
	if ((err = check_frozen(&f, &evidence)) == VT_OK)
		err = check_all(&f, buf_bytes(&evidence));
	*head = f.state.head;
done:
	buf_release(&evidence);
	store_reader_free(f.r);
	merkle_hasher_release(&f.hasher);
	if (f.faults > 0)
		return VT_EMISMATCH;
	/* A difference that nobody described would be a wrong all-clear. */
	return err;
}
