#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "index.h"
#include "reopener.h"
#include "store.h"

enum {
	BATCH = 256, /* entries between commits */
};

struct replay {
	char dir[64];
	char *origin;
	struct buf centre;
	struct store *store;
	struct store_reader *reader;
	struct index *index;
	struct registry *registry;
	struct reopener *reopener;
	struct reopen_slice slice[2];
	struct reopen_slice *gathering, *opening; /* each is one of the two */
	uint64_t gathered;                        /* entries taken so far */
	replay_refused_fn refused;
	void *ctx;
	struct merkle_hasher hasher;
	struct tree_state committed;
	struct merkle_range range; /* committed, and what the open batch adds */
	struct store_batch *batch;
	struct buf pending; /* entries of the open batch, one after another */
	size_t end[BATCH];  /* where each ends in pending */
};

/* -- the view ----------------------------------------------------------------------------------- */

static enum vt_err view_find(void *ctx, const struct merkle_hash *key, uint64_t from,
			     uint64_t *index)
{
	struct replay *r = ctx;

	return index_find(r->index, r->reader, key, from, r->range.size, index);
}

static enum vt_err copy_entry(void *ctx, uint64_t index, struct bytes entry,
			      const struct merkle_hash *keys, size_t n_keys)
{
	(void)index;
	(void)keys;
	(void)n_keys;
	return buf_append(ctx, entry);
}

static enum vt_err view_read(void *ctx, uint64_t index, struct buf *out)
{
	struct replay *r = ctx;
	uint64_t first = r->committed.head.size;
	size_t i, start;

	if (index >= r->range.size)
		return VT_ENOTFOUND;
	if (index < first)
		return r->reader->ops->read_entries(r->reader, index, 1, copy_entry, out);
	i = (size_t)(index - first);
	start = i ? r->end[i - 1] : 0;
	return buf_append(out, bytes_of(r->pending.data + start, r->end[i] - start));
}

static struct admission_view view_of(struct replay *r)
{
	return (struct admission_view){.size = r->range.size,
				       .registry = r->registry,
				       .origin = r->origin,
				       .centre = buf_bytes(&r->centre),
				       .find = view_find,
				       .read = view_read,
				       .ctx = r};
}

/* -- remembering --------------------------------------------------------------------------------- */

static enum vt_err keep_node(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	struct replay *r = ctx;

	if (id.height % TILE_HEIGHT != 0)
		return VT_OK;
	return r->batch->ops->batch_tile(r->batch, id.height / TILE_HEIGHT, id.index / TILE_WIDTH,
					 (unsigned)(id.index % TILE_WIDTH), hash, 1);
}

static enum vt_err commit(struct replay *r)
{
	struct tree_state next = {.range = r->range};
	bool more = true, pressed = true;
	enum vt_err err;

	next.head.size = r->range.size;
	if ((err = merkle_range_root(&next.head.root, &r->hasher, &r->range)) != VT_OK ||
	    (err = r->batch->ops->batch_commit(r->batch, &next)) != VT_OK)
		return err;
	r->batch->ops->batch_discard(r->batch);
	r->batch = NULL;
	r->committed = next;
	buf_reset(&r->pending);
	index_committed(r->index, next.head.size);
	while (pressed && err == VT_OK)
		err = index_work(r->index, r->reader, next.head.size, &more, &pressed);
	return err;
}

static enum vt_err remember(struct replay *r, struct bytes entry, const struct merkle_hash *keys,
			    size_t n_keys)
{
	size_t i = (size_t)(r->range.size - r->committed.head.size);
	enum vt_err err;

	if (r->batch == NULL &&
	    (err = r->store->ops->batch_begin(&r->batch, r->store, &r->committed)) != VT_OK)
		return err;
	if ((err = r->batch->ops->batch_entry(r->batch, entry, keys, n_keys)) != VT_OK ||
	    (err = merkle_range_append(&r->range, &r->hasher, &keys[0], keep_node, r)) != VT_OK ||
	    (err = index_append(r->index, keys, n_keys)) != VT_OK ||
	    (err = buf_append(&r->pending, entry)) != VT_OK)
		return err;
	r->end[i] = r->pending.len;
	return i + 1 == BATCH ? commit(r) : VT_OK;
}

/* -- judging --------------------------------------------------------------------------------------- */

static enum vt_err judge(struct replay *r, const struct record *record, struct bytes entry,
			 const struct admission_view *view, struct problem *why)
{
	enum vt_err err = record_replay(record, view, why);

	if (err != VT_OK)
		return err;
	if (!record_is_accreditation(record))
		return VT_OK;
	reopener_wait(r->reopener); /* the registry is about to change */
	return registry_apply(r->registry, view->size, record_leaf(record), entry, why);
}

static enum vt_err replay_one(struct replay *r, struct reopen_slice *s, size_t i)
{
	struct bytes entry = reopen_slice_entry(s, i);
	struct admission_view view = view_of(r);
	struct record *record = NULL;
	struct problem why = {0};
	struct merkle_hash leaf;
	const struct merkle_hash *keys = &leaf;
	size_t n_keys = 1;
	enum vt_err err;

	if ((err = reopen_slice_take(&record, s, i, &r->hasher, &view, &why)) == VT_OK)
		err = judge(r, record, entry, &view, &why);
	if (err != VT_OK && why.type == NULL)
		goto done; /* no verdict: a fault of this machine */
	if (err == VT_OK)
		keys = record_keys(record, &n_keys);
	else if ((err = merkle_hash_leaf(&leaf, &r->hasher, entry)) != VT_OK)
		goto done;
	if ((err = remember(r, entry, keys, n_keys)) == VT_OK && why.type != NULL)
		err = r->refused(r->ctx, view.size, &why);
done:
	record_free(record);
	return err;
}

/* Let the threads open what was gathered, and judge what they opened before. */
static enum vt_err turn(struct replay *r)
{
	struct reopen_slice *opened = r->opening;
	enum vt_err err = VT_OK;

	reopener_wait(r->reopener);
	r->opening = r->gathering;
	r->gathering = opened;
	reopener_start(r->reopener, r->opening);
	for (size_t i = 0; err == VT_OK && i < opened->n; i++)
		err = replay_one(r, opened, i);
	reopen_slice_clear(opened);
	return err;
}

enum vt_err replay_add(struct replay *r, struct bytes entry)
{
	enum vt_err err = reopen_slice_add(r->gathering, r->gathered, entry);

	if (err == VT_ELIMIT && (err = turn(r)) == VT_OK)
		err = reopen_slice_add(r->gathering, r->gathered, entry);
	if (err == VT_OK)
		r->gathered++;
	return err;
}

enum vt_err replay_finish(struct replay *r)
{
	enum vt_err err = turn(r);

	return err != VT_OK ? err : turn(r);
}

/* -- its own store ---------------------------------------------------------------------------------- */

static enum vt_err make_store(struct replay *r, char why[256])
{
	const char *tmp = getenv("TMPDIR");
	struct store_identity identity = {r->origin, "replay", "raw", {NULL, 0}};
	char path[96];
	struct store_sqlite_config config = {.path = path};
	enum vt_err err;

	if (snprintf(r->dir, sizeof(r->dir), "%s/vitrine-replay-XXXXXX",
		     tmp && *tmp ? tmp : "/tmp") >= (int)sizeof(r->dir) ||
	    mkdtemp(r->dir) == NULL) {
		snprintf(why, 256, "no temporary folder can be made (TMPDIR)");
		r->dir[0] = '\0';
		return VT_EIO;
	}
	snprintf(path, sizeof(path), "%s/replay.db", r->dir);
	if ((err = store_sqlite_open(&r->store, &config, &identity, why)) != VT_OK)
		return err;
	return r->store->ops->reader_new(&r->reader, r->store);
}

static void remove_store(struct replay *r)
{
	static const char *const files[] = {"replay.db", "replay.db-wal", "replay.db-shm", NULL};
	char path[96];

	if (r->dir[0] == '\0')
		return;
	for (const char *const *f = files; *f != NULL; f++) {
		snprintf(path, sizeof(path), "%s/%s", r->dir, *f);
		unlink(path);
	}
	rmdir(r->dir);
}

enum vt_err replay_new(struct replay **out, const char *origin, struct bytes centre,
		       unsigned threads, replay_refused_fn refused, void *ctx, char why[256])
{
	struct replay *r = calloc(1, sizeof(*r));
	struct admission_view view;
	struct index_config config;
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	why[0] = '\0';
	if (r == NULL)
		return VT_ENOMEM;
	buf_init(&r->centre);
	buf_init(&r->pending);
	merkle_range_init(&r->range);
	r->gathering = &r->slice[0];
	r->opening = &r->slice[1];
	r->refused = refused;
	r->ctx = ctx;
	if ((r->origin = strdup(origin)) == NULL ||
	    (err = buf_append(&r->centre, centre)) != VT_OK ||
	    (err = merkle_hasher_init(&r->hasher)) != VT_OK ||
	    (err = registry_new(&r->registry)) != VT_OK || (err = make_store(r, why)) != VT_OK ||
	    (err = r->reader->ops->read_state(r->reader, &r->committed)) != VT_OK)
		goto done;
	config = (struct index_config){.store = r->store};
	view = view_of(r);
	if ((err = index_open(&r->index, &config, r->reader, 0)) != VT_OK ||
	    (err = reopener_new(&r->reopener, threads, &view)) != VT_OK)
		goto done;
	*out = r;
	r = NULL; /* transferred */
done:
	replay_free(r);
	return err;
}

void replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	reopener_free(r->reopener);
	for (size_t i = 0; i < 2; i++)
		reopen_slice_release(&r->slice[i]);
	if (r->batch != NULL)
		r->batch->ops->batch_discard(r->batch);
	index_free(r->index);
	registry_free(r->registry);
	if (r->reader != NULL)
		r->reader->ops->reader_free(r->reader);
	if (r->store != NULL)
		r->store->ops->free(r->store);
	remove_store(r);
	merkle_hasher_release(&r->hasher);
	buf_release(&r->pending);
	buf_release(&r->centre);
	free(r->origin);
	free(r);
}
