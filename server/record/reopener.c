#include "reopener.h"
#include "logline.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

struct reopener {
	const struct registry *registry;
	const char *origin;
	struct bytes centre;
	pthread_mutex_t lock;
	pthread_cond_t work; /* a slice was given, or closing */
	pthread_cond_t done; /* the slice is finished */
	struct reopen_slice *slice;
	size_t next, finished; /* entries of the slice */
	bool closing;
	unsigned n_threads;
	pthread_t thread[THREADS_MAX];
};

/* -- slices --------------------------------------------------------------------------------------- */

enum vt_err reopen_slice_add(struct reopen_slice *s, uint64_t index, struct bytes entry)
{
	enum vt_err err;

	if (s->n == REOPEN_ENTRIES_MAX ||
	    (s->n > 0 &&
	     (s->bytes.len > REOPEN_BYTES_MAX || entry.len > REOPEN_BYTES_MAX - s->bytes.len)))
		return VT_ELIMIT;
	s->entry[s->n] = (struct reopened){.index = index, .start = s->bytes.len, .len = entry.len};
	if ((err = buf_append(&s->bytes, entry)) == VT_OK)
		s->n++;
	return err;
}

struct bytes reopen_slice_entry(const struct reopen_slice *s, size_t i)
{
	return bytes_of(s->bytes.data + s->entry[i].start, s->entry[i].len);
}

void reopen_slice_clear(struct reopen_slice *s)
{
	for (size_t i = 0; i < s->n; i++)
		record_free(s->entry[i].record);
	s->n = 0;
	buf_reset(&s->bytes);
}

void reopen_slice_release(struct reopen_slice *s)
{
	reopen_slice_clear(s);
	buf_release(&s->bytes);
}

/* -- threads --------------------------------------------------------------------------------------- */

/* Opening looks at the registry alone. Should that ever change, it ends here and not in a race. */
static enum vt_err no_find(void *ctx, const struct merkle_hash *key, uint64_t from, uint64_t *index)
{
	(void)ctx;
	(void)key;
	(void)from;
	(void)index;
	return INTERNAL("opening a record looks something up");
}

static enum vt_err no_read(void *ctx, uint64_t index, struct buf *entry)
{
	(void)ctx;
	(void)index;
	(void)entry;
	return INTERNAL("opening a record reads an entry");
}

static void open_one(const struct reopener *r, struct merkle_hasher *h, struct reopen_slice *s,
		     size_t i)
{
	struct reopened *e = &s->entry[i];
	struct admission_view view = {.size = e->index,
				      .registry = r->registry,
				      .origin = r->origin,
				      .centre = r->centre,
				      .find = no_find,
				      .read = no_read};

	e->err = record_reopen(&e->record, h, reopen_slice_entry(s, i), &view, &e->why);
}

/* Under the lock, which is left while an entry is opened. */
static void open_next(struct reopener *r, struct merkle_hasher *h)
{
	struct reopen_slice *s = r->slice;
	size_t i = r->next++;

	pthread_mutex_unlock(&r->lock);
	if (h != NULL)
		open_one(r, h, s, i);
	else
		s->entry[i].err = VT_ENOMEM;
	pthread_mutex_lock(&r->lock);
	if (++r->finished == s->n)
		pthread_cond_signal(&r->done);
}

static void *work(void *arg)
{
	struct reopener *r = arg;
	struct merkle_hasher h;
	bool hashes = merkle_hasher_init(&h) == VT_OK;

	pthread_mutex_lock(&r->lock);
	while (!r->closing) {
		if (r->slice != NULL && r->next < r->slice->n)
			open_next(r, hashes ? &h : NULL);
		else
			pthread_cond_wait(&r->work, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	if (hashes)
		merkle_hasher_release(&h);
	return NULL;
}

static unsigned cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (unsigned)n;
}

enum vt_err reopener_new(struct reopener **out, unsigned threads, const struct admission_view *view)
{
	struct reopener *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL)
		return VT_ENOMEM;
	r->registry = view->registry;
	r->origin = view->origin;
	r->centre = view->centre;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->work, NULL);
	pthread_cond_init(&r->done, NULL);
	if (threads == 0)
		threads = cores();
	while (r->n_threads < threads && r->n_threads < THREADS_MAX &&
	       pthread_create(&r->thread[r->n_threads], NULL, work, r) == 0)
		r->n_threads++;
	*out = r;
	return VT_OK;
}

void reopener_free(struct reopener *r)
{
	if (r == NULL)
		return;
	reopener_wait(r);
	pthread_mutex_lock(&r->lock);
	r->closing = true;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->n_threads; i++)
		pthread_join(r->thread[i], NULL);
	pthread_cond_destroy(&r->done);
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void reopener_start(struct reopener *r, struct reopen_slice *s)
{
	reopener_wait(r);
	s->registry_version = registry_version(r->registry);
	pthread_mutex_lock(&r->lock);
	r->slice = s;
	r->next = r->finished = 0;
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
}

void reopener_wait(struct reopener *r)
{
	struct merkle_hasher h;
	bool hashes = false;

	pthread_mutex_lock(&r->lock);
	if (r->slice != NULL && r->n_threads == 0) {
		hashes = merkle_hasher_init(&h) == VT_OK;
		while (r->next < r->slice->n)
			open_next(r, hashes ? &h : NULL);
	}
	while (r->slice != NULL && r->finished < r->slice->n)
		pthread_cond_wait(&r->done, &r->lock);
	r->slice = NULL;
	pthread_mutex_unlock(&r->lock);
	if (hashes)
		merkle_hasher_release(&h);
}

/* -- taking ------------------------------------------------------------------------------------------ */

/*
 * An entry that opened has all its signatures verified under keys that the registry held; it still holds them, and a
 * key's party, role and scheme never change. What did not open may have been waiting for its key; and an accreditation may
 * be signed by the key that it names, which has another party's name once it is registered.
 */
static bool still_holds(const struct reopen_slice *s, const struct reopened *e,
			const struct admission_view *view)
{
	if (registry_version(view->registry) == s->registry_version)
		return true;
	return e->record != NULL && !record_is_accreditation(e->record);
}

enum vt_err reopen_slice_take(struct record **out, struct reopen_slice *s, size_t i,
			      struct merkle_hasher *h, const struct admission_view *view,
			      struct problem *why)
{
	struct reopened *e = &s->entry[i];

	if (!still_holds(s, e, view)) {
		record_free(e->record);
		e->record = NULL;
		return record_reopen(out, h, reopen_slice_entry(s, i), view, why);
	}
	*out = e->record;
	e->record = NULL; /* transferred */
	if (e->err != VT_OK)
		*why = e->why;
	return e->err;
}
