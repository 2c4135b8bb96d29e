/*
 * Entries: bundles that are held against the leaf hashes of verified tiles, one or a stream of
 * them.
 */
#include "client_internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "logline.h"

enum {
	SLOTS_PER_THREAD = 2,
};

static struct tile_id bundle_id(uint64_t number, uint64_t size)
{
	return (struct tile_id){
	    .entries = true, .index = number, .width = tile_width(0, number, size)};
}

/*
 * Each of the bundle's first `width` entries hashes to its leaf in the tile; and unless it is a
 * wider bundle than was asked for, that is all of it.
 */
static enum vt_err check_bundle(struct client *c, const struct tile_id *id, struct bytes raw,
				bool wider, const struct merkle_hash *leaf, struct why *why)
{
	struct merkle_hash hash;
	struct bytes entry;
	enum vt_err err;

	for (unsigned i = 0; i < id->width; i++) {
		uint64_t index = id->index * TILE_WIDTH + i;
		if (bundle_next(&entry, &raw) != VT_OK)
			return why_say(why, VT_EMALFORMED, "%s: the bundle ends before entry %llu",
				       c->url, (unsigned long long)index);
		if ((err = merkle_hash_leaf(&hash, &c->hasher, entry)) != VT_OK)
			return why_say(why, err, "%s", vt_err_text(err));
		if (!merkle_hash_equal(&hash, &leaf[i]))
			return why_say(why, VT_EMISMATCH,
				       "%s: entry %llu does not hash to the leaf in the tree",
				       c->url, (unsigned long long)index);
	}
	if (raw.len != 0 && !wider)
		return why_say(why, VT_EMALFORMED,
			       "%s: something follows entry %llu, the last of its bundle", c->url,
			       (unsigned long long)(id->index * TILE_WIDTH + id->width - 1));
	return VT_OK;
}

/* The leaf hashes of a bundle, copied: the cache may move on while they are in use. */
static enum vt_err leaves_of(struct merkle_hash *out, struct client *c, const struct tile_id *id,
			     const struct bytes *given, struct why *why)
{
	struct tile_id leaves = {.index = id->index,
				 .width = tile_width(0, id->index, c->head.size)};
	const struct merkle_hash *hash;
	enum vt_err err;

	if ((err = tile_get(&hash, c, &leaves, given, why)) == VT_OK)
		memcpy(out, hash, id->width * sizeof(*out));
	return err;
}

static enum vt_err load_bundle(struct client *c, uint64_t number, struct why *why)
{
	struct tile_id id = bundle_id(number, c->head.size);
	struct merkle_hash leaf[TILE_WIDTH];
	struct bundle *b = &c->bundle;
	bool full;
	enum vt_err err;

	if (b->width == id.width && b->index == number && b->generation == c->generation)
		return VT_OK;
	b->width = 0;
	buf_reset(&b->raw);
	if ((err = leaves_of(leaf, c, &id, NULL, why)) != VT_OK ||
	    (err = fetch_tile(&b->raw, &full, &c->asker, &id, why)) != VT_OK ||
	    (err = check_bundle(c, &id, buf_bytes(&b->raw), full && id.width != TILE_WIDTH, leaf,
				why)) != VT_OK)
		return err;
	b->index = number;
	b->width = id.width;
	b->generation = c->generation;
	return VT_OK;
}

enum vt_err client_entry(struct buf *out, struct client *c, uint64_t index, struct why *why)
{
	struct bytes entry = {0}, rest;
	enum vt_err err;

	if (index >= c->head.size)
		return why_say(why, VT_EINVAL, "entry %llu is beyond the tree of %llu leaves",
			       (unsigned long long)index, (unsigned long long)c->head.size);
	if ((err = load_bundle(c, index / TILE_WIDTH, why)) != VT_OK)
		return err;
	rest = buf_bytes(&c->bundle.raw);
	for (uint64_t i = 0; i <= index % TILE_WIDTH; i++) {
		if ((err = bundle_next(&entry, &rest)) != VT_OK)
			return why_say(why, INTERNAL("a bundle that was checked is cut short"),
				       "%s", vt_err_text(VT_EINTERNAL));
	}
	if ((err = buf_append(out, entry)) != VT_OK)
		why_say(why, err, "%s", vt_err_text(err));
	return err;
}

enum vt_err client_holds_records(bool *out, struct client *c, struct bytes centre, struct why *why)
{
	struct dsse envelope;
	struct buf entry;
	enum vt_err err;

	*out = centre.len > 0;
	if (*out)
		return VT_OK;
	buf_init(&entry);
	dsse_init(&envelope);
	if ((err = client_entry(&entry, c, 0, why)) != VT_OK)
		goto done;
	err = dsse_parse(&envelope, buf_bytes(&entry), NULL);
	*out = err == VT_OK;
	if (err == VT_EMALFORMED || err == VT_ELIMIT)
		err = VT_OK;
	if (err != VT_OK)
		why_say(why, err, "%s", vt_err_text(err));
done:
	dsse_release(&envelope);
	buf_release(&entry);
	return err;
}

/* -- a stream --------------------------------------------------------------------------------- */

struct fetched {
	bool ready;
	enum vt_err err;
	struct why why;
	struct buf bundle, tile; /* as they were served */
	bool wider;
};

/*
 * Workers take the next number and fetch it into slot number % n_slots; the caller's thread
 * empties the slots in order. Invariant under the lock: emptied <= next <= emptied + n_slots.
 */
struct stream {
	const struct client *client;
	uint64_t size; /* of the head when it began */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t next, emptied, end; /* bundle numbers */
	atomic_bool stop;
	size_t n_slots;
	struct fetched slot[CLIENT_PARALLEL_MAX * SLOTS_PER_THREAD];
	size_t n_askers;
	struct asker asker[CLIENT_PARALLEL_MAX]; /* of the threads that have begun */
	size_t n_threads;
	pthread_t thread[CLIENT_PARALLEL_MAX];
};

static void fetch_one(struct fetched *f, struct asker *a, uint64_t number, uint64_t size)
{
	struct tile_id id = bundle_id(number, size), leaves = id;
	bool full;

	leaves.entries = false;
	if ((f->err = fetch_tile(&f->bundle, &full, a, &id, &f->why)) != VT_OK)
		return;
	f->wider = full && id.width != TILE_WIDTH;
	/* A partial tile is at the edge, which the client has. */
	if (id.width == TILE_WIDTH)
		f->err = fetch_tile(&f->tile, &full, a, &leaves, &f->why);
}

static void *work(void *ctx)
{
	struct stream *s = ctx;
	struct asker *asker;
	enum vt_err err;

	pthread_mutex_lock(&s->lock);
	asker = &s->asker[s->n_askers++];
	err = asker_init(asker, s->client);
	asker->stop = &s->stop;
	for (;;) {
		while (!s->stop && s->next < s->end && s->next - s->emptied >= s->n_slots)
			pthread_cond_wait(&s->changed, &s->lock);
		if (s->stop || s->next >= s->end)
			break;
		uint64_t number = s->next++;
		struct fetched *f = &s->slot[number % s->n_slots];
		pthread_mutex_unlock(&s->lock);

		if (err == VT_OK)
			fetch_one(f, asker, number, s->size);
		else
			f->err = why_say(&f->why, err, "%s", vt_err_text(err));

		pthread_mutex_lock(&s->lock);
		f->ready = true;
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* [first, end) of what is in the slot. */
static enum vt_err visit_bundle(struct client *c, const struct fetched *f, const struct tile_id *id,
				uint64_t first, uint64_t end, client_entry_fn visit, void *ctx,
				struct why *why)
{
	struct merkle_hash leaf[TILE_WIDTH];
	struct bytes entry, rest = buf_bytes(&f->bundle), tile = buf_bytes(&f->tile);
	enum vt_err err;

	if ((err = leaves_of(leaf, c, id, id->width == TILE_WIDTH ? &tile : NULL, why)) != VT_OK ||
	    (err = check_bundle(c, id, rest, f->wider, leaf, why)) != VT_OK)
		return err;
	for (unsigned i = 0; i < id->width; i++) {
		uint64_t index = id->index * TILE_WIDTH + i;
		if ((err = bundle_next(&entry, &rest)) != VT_OK)
			return why_say(why, INTERNAL("a bundle that was checked is cut short"),
				       "%s", vt_err_text(VT_EINTERNAL));
		if (index < first || index >= end)
			continue;
		if ((err = visit(ctx, index, entry, &leaf[i])) != VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err visit_all(struct stream *s, struct client *c, uint64_t first, uint64_t end,
			     client_entry_fn visit, void *ctx, struct why *why)
{
	enum vt_err err;

	for (uint64_t number = s->emptied; number < s->end; number++) {
		struct tile_id id = bundle_id(number, s->size);
		struct fetched *f = &s->slot[number % s->n_slots];

		pthread_mutex_lock(&s->lock);
		while (!f->ready && !s->stop)
			pthread_cond_wait(&s->changed, &s->lock);
		bool ready = f->ready;
		pthread_mutex_unlock(&s->lock);

		if (!ready)
			return why_say(why, VT_EIO, "given up: told to stop");
		if (f->err != VT_OK)
			return why_say(why, f->err, "%s", f->why.text);
		if ((err = visit_bundle(c, f, &id, first, end, visit, ctx, why)) != VT_OK)
			return err;
		buf_reset(&f->bundle);
		buf_reset(&f->tile);

		pthread_mutex_lock(&s->lock);
		f->ready = false;
		s->emptied++;
		pthread_cond_broadcast(&s->changed);
		pthread_mutex_unlock(&s->lock);
	}
	return VT_OK;
}

void stream_cancel(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	for (size_t i = 0; i < s->n_askers; i++) {
		if (s->asker[i].fetcher != NULL)
			http_fetcher_cancel(s->asker[i].fetcher);
	}
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static void stop_stream(struct stream *s)
{
	stream_cancel(s);
	for (size_t i = 0; i < s->n_threads; i++)
		pthread_join(s->thread[i], NULL);
	for (size_t i = 0; i < s->n_askers; i++)
		asker_release(&s->asker[i]);
	for (size_t i = 0; i < s->n_slots; i++) {
		buf_release(&s->slot[i].bundle);
		buf_release(&s->slot[i].tile);
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static struct stream *start_stream(struct client *c, uint64_t first, uint64_t end)
{
	struct stream *s = calloc(1, sizeof(*s));
	uint64_t bundles;

	if (s == NULL)
		return NULL;
	s->client = c;
	s->size = c->head.size;
	s->next = s->emptied = first / TILE_WIDTH;
	s->end = (end - 1) / TILE_WIDTH + 1;
	bundles = s->end - s->next;
	s->n_slots = (size_t)c->parallel * SLOTS_PER_THREAD;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	while (s->n_threads < c->parallel && s->n_threads < bundles &&
	       pthread_create(&s->thread[s->n_threads], NULL, work, s) == 0)
		s->n_threads++;
	if (s->n_threads == 0) {
		stop_stream(s);
		return NULL;
	}
	return s;
}

/* To whoever cancels the client. */
static void show_stream(struct client *c, struct stream *s)
{
	pthread_mutex_lock(&c->stream_lock);
	c->stream = s;
	pthread_mutex_unlock(&c->stream_lock);
}

enum vt_err client_entries(struct client *c, uint64_t first, uint64_t end, client_entry_fn visit,
			   void *ctx, struct why *why)
{
	struct stream *s;
	enum vt_err err;

	if (end > c->head.size || first > end)
		return why_say(why, VT_EINVAL, "entries %llu to %llu of a tree of %llu leaves",
			       (unsigned long long)first, (unsigned long long)end,
			       (unsigned long long)c->head.size);
	if (c->in_entries)
		return why_say(why, VT_EINVAL, "one stream of entries at a time");
	if (first == end)
		return VT_OK;
	if ((s = start_stream(c, first, end)) == NULL)
		return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
	c->in_entries = true;
	show_stream(c, s);
	err = c->cancelled ? why_say(why, VT_EIO, "given up: told to stop")
			   : visit_all(s, c, first, end, visit, ctx, why);
	show_stream(c, NULL);
	c->in_entries = false;
	stop_stream(s);
	return err;
}
