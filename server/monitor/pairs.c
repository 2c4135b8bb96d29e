#include "pairs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "durable.h"
#include "files.h"
#include "run_file.h"

enum {
	CHUNK_HEAD = 8, /* how many slots follow */
};

struct pairs {
	char *dir;
	struct merkle_hasher hasher;
	struct pairs_mark mark;           /* of the last save */
	struct pairs_mark kept;           /* of the last that was said to be durable */
	struct run_file *file[PAIRS_MAX]; /* of mark.run */
	int tail_fd;
	size_t tail_max;

	/* The tail in the order in which it came; the first `saved` of them are in its file. */
	struct run_slot *slot;
	size_t n, cap, saved;
	/* Where in slot, plus one: open addressing, so those of one key stand in the order in which they
	 * came. */
	uint32_t *table;
	size_t table_size; /* a power of two, at least twice n */
	uint64_t seed;     /* so that nobody can prepare collisions */
	char why[PAIRS_WHY_MAX];
};

static enum vt_err broken(struct pairs *r, enum vt_err err, const char *name, uint64_t id)
{
	if (err == VT_EMISMATCH)
		snprintf(r->why, sizeof(r->why), "%s/%s-%08" PRIx64 " is damaged or cut short",
			 r->dir, name, id);
	else if (err == VT_EIO)
		snprintf(r->why, sizeof(r->why), "%s/%s-%08" PRIx64 ": %s", r->dir, name, id,
			 errno != 0 ? strerror(errno) : vt_err_text(err));
	return err;
}

/* -- the tail in memory ----------------------------------------------------------------------- */

static size_t home(const struct pairs *r, const struct merkle_hash *key)
{
	uint64_t mixed = (files_get64(key->b) ^ r->seed) * UINT64_C(0x9e3779b97f4a7c15);

	return (size_t)(mixed >> 20) & (r->table_size - 1);
}

static void enter(struct pairs *r, size_t i)
{
	size_t at = home(r, &r->slot[i].key);

	while (r->table[at] != 0)
		at = (at + 1) & (r->table_size - 1);
	r->table[at] = (uint32_t)i + 1;
}

static enum vt_err make_room(struct pairs *r)
{
	size_t cap = r->cap == 0 ? 1024 : r->cap * 2;
	struct run_slot *slot;
	uint32_t *table;

	if (r->n < r->cap)
		return VT_OK;
	if ((slot = realloc(r->slot, cap * sizeof(*slot))) == NULL)
		return VT_ENOMEM;
	r->slot = slot;
	if ((table = calloc(cap * 2, sizeof(*table))) == NULL)
		return VT_ENOMEM;
	free(r->table);
	r->table = table;
	r->table_size = cap * 2;
	r->cap = cap;
	for (size_t i = 0; i < r->n; i++)
		enter(r, i);
	return VT_OK;
}

enum vt_err pairs_add(struct pairs *r, const struct merkle_hash *key, uint64_t index)
{
	enum vt_err err;

	if (r->n == UINT32_MAX - 1)
		return VT_ELIMIT;
	if ((err = make_room(r)) != VT_OK)
		return err;
	r->slot[r->n] = (struct run_slot){*key, index};
	enter(r, r->n++);
	return VT_OK;
}

static enum vt_err find_in_tail(const struct pairs *r, const struct merkle_hash *key, uint64_t from,
				uint64_t *index)
{
	if (r->n == 0)
		return VT_ENOTFOUND;
	for (size_t at = home(r, key); r->table[at] != 0; at = (at + 1) & (r->table_size - 1)) {
		const struct run_slot *s = &r->slot[r->table[at] - 1];
		if (s->index >= from && merkle_hash_equal(&s->key, key)) {
			*index = s->index;
			return VT_OK;
		}
	}
	return VT_ENOTFOUND;
}

static void empty_tail(struct pairs *r)
{
	r->n = r->saved = 0;
	memset(r->table, 0, r->table_size * sizeof(*r->table));
}

/* -- finding ---------------------------------------------------------------------------------- */

enum vt_err pairs_find(struct pairs *r, const struct merkle_hash *key, uint64_t from,
		       uint64_t *index)
{
	struct run_slot least = {*key, from}, got;
	enum vt_err err;

	for (size_t i = 0; i < r->mark.n; i++) {
		err = run_file_search(&got, r->file[i], &r->hasher, &least);
		if (err == VT_ENOTFOUND || (err == VT_OK && !merkle_hash_equal(&got.key, key)))
			continue;
		if (err != VT_OK)
			return broken(r, err, "run", r->mark.run[i].id);
		*index = got.index;
		return VT_OK;
	}
	return find_in_tail(r, key, from, index);
}

/* -- the tail's file: chunks, each with how many slots it has and a digest -------------------- */

static enum vt_err chunk_digest(struct merkle_hash *out, struct pairs *r, uint64_t at,
				struct bytes chunk)
{
	uint8_t place[16] = {0};
	struct bytes part[2] = {bytes_of(place, sizeof(place)), chunk};

	files_put64(place, r->mark.tail_id);
	files_put64(place + 8, at);
	return merkle_sha256(out, &r->hasher, part, 2);
}

static enum vt_err open_tail(struct pairs *r, uint64_t len)
{
	char path[FILES_PATH_MAX];
	enum vt_err err;

	errno = 0;
	if ((err = files_path(path, r->dir, "tail", r->mark.tail_id)) != VT_OK ||
	    (err = files_open_at_length(&r->tail_fd, path, len)) != VT_OK)
		return broken(r, err, "tail", r->mark.tail_id);
	return VT_OK;
}

static enum vt_err append_chunk(struct pairs *r)
{
	size_t n = r->n - r->saved, len = CHUNK_HEAD + n * RUN_SLOT;
	struct merkle_hash digest;
	enum vt_err err;
	uint8_t *chunk;

	if (n == 0)
		return VT_OK;
	if (r->tail_fd < 0 && (err = open_tail(r, 0)) != VT_OK)
		return err;
	if ((chunk = malloc(len + MERKLE_HASH_SIZE)) == NULL)
		return VT_ENOMEM;
	files_put64(chunk, n);
	for (size_t i = 0; i < n; i++)
		run_slot_encode(chunk + CHUNK_HEAD + i * RUN_SLOT, &r->slot[r->saved + i]);
	if ((err = chunk_digest(&digest, r, r->mark.tail_bytes, bytes_of(chunk, len))) != VT_OK)
		goto done;
	memcpy(chunk + len, digest.b, MERKLE_HASH_SIZE);
	errno = 0;
	if ((err = files_write_at(r->tail_fd, chunk, len + MERKLE_HASH_SIZE, r->mark.tail_bytes)) !=
		VT_OK ||
	    (err = files_sync(r->tail_fd)) != VT_OK ||
	    (r->mark.tail_bytes == 0 && (err = files_sync_folder(r->dir)) != VT_OK)) {
		broken(r, err, "tail", r->mark.tail_id);
		goto done;
	}
	r->mark.tail_bytes += len + MERKLE_HASH_SIZE;
	r->saved = r->n;
done:
	free(chunk);
	return err;
}

static enum vt_err read_chunk(struct pairs *r, uint64_t *at)
{
	uint64_t left = r->mark.tail_bytes - *at, n;
	uint8_t head[CHUNK_HEAD], *chunk = NULL;
	struct merkle_hash digest;
	size_t len;
	enum vt_err err;

	if (left < CHUNK_HEAD + MERKLE_HASH_SIZE)
		return VT_EMISMATCH;
	if ((err = files_read_at(r->tail_fd, head, sizeof(head), *at)) != VT_OK)
		return err;
	n = files_get64(head);
	if (n > (left - CHUNK_HEAD - MERKLE_HASH_SIZE) / RUN_SLOT)
		return VT_EMISMATCH;
	len = CHUNK_HEAD + (size_t)n * RUN_SLOT;
	if ((chunk = malloc(len + MERKLE_HASH_SIZE)) == NULL)
		return VT_ENOMEM;
	if ((err = files_read_at(r->tail_fd, chunk, len + MERKLE_HASH_SIZE, *at)) != VT_OK ||
	    (err = chunk_digest(&digest, r, *at, bytes_of(chunk, len))) != VT_OK)
		goto done;
	if (memcmp(digest.b, chunk + len, MERKLE_HASH_SIZE) != 0) {
		err = VT_EMISMATCH;
		goto done;
	}
	for (uint64_t i = 0; i < n && err == VT_OK; i++) {
		struct run_slot slot;
		run_slot_decode(&slot, chunk + CHUNK_HEAD + i * RUN_SLOT);
		err = pairs_add(r, &slot.key, slot.index);
	}
	*at += len + MERKLE_HASH_SIZE;
done:
	free(chunk);
	return err;
}

static enum vt_err read_tail(struct pairs *r)
{
	enum vt_err err;

	if (r->mark.tail_bytes == 0)
		return VT_OK;
	if ((err = open_tail(r, r->mark.tail_bytes)) != VT_OK)
		return err;
	for (uint64_t at = 0; at < r->mark.tail_bytes;) {
		errno = 0;
		if ((err = read_chunk(r, &at)) != VT_OK)
			return broken(r, err, "tail", r->mark.tail_id);
	}
	r->saved = r->n;
	return VT_OK;
}

/* -- what is there ---------------------------------------------------------------------------- */

static bool names(const struct pairs_mark *m, const char *kind, uint64_t id)
{
	if (strcmp(kind, "tail") == 0)
		return id == m->tail_id && m->tail_bytes > 0;
	for (size_t i = 0; i < m->n; i++)
		if (m->run[i].id == id)
			return true;
	return false;
}

static void drop(const struct pairs *r, const char *kind, uint64_t id)
{
	char path[FILES_PATH_MAX];

	if (files_path(path, r->dir, kind, id) == VT_OK)
		unlink(path);
}

/* -- runs ------------------------------------------------------------------------------------- */

static enum vt_err open_run(struct pairs *r, size_t i)
{
	const struct run_mark *m = &r->mark.run[i];
	char path[FILES_PATH_MAX];
	enum vt_err err;

	if ((r->file[i] = malloc(sizeof(*r->file[i]))) == NULL)
		return VT_ENOMEM;
	r->file[i]->fd = -1;
	errno = 0;
	if ((err = files_path(path, r->dir, "run", m->id)) != VT_OK ||
	    (err = run_file_open(r->file[i], path, m->id, m->slots)) != VT_OK)
		return broken(r, err, "run", m->id);
	return VT_OK;
}

static void close_run(struct pairs *r, size_t i)
{
	if (r->file[i] != NULL)
		run_file_close(r->file[i]);
	free(r->file[i]);
	r->file[i] = NULL;
}

static enum vt_err begin_run(struct run_writer *w, struct pairs *r, uint64_t id)
{
	char path[FILES_PATH_MAX];
	enum vt_err err;

	errno = 0;
	if ((err = files_path(path, r->dir, "run", id)) != VT_OK ||
	    (err = run_writer_open(w, path, id)) != VT_OK)
		return broken(r, err, "run", id);
	return VT_OK;
}

/* A run that is written, in the place of the runs [first, first + n) of the mark. */
static enum vt_err take_in(struct pairs *r, const struct run_writer *w, unsigned level,
			   size_t first, size_t n)
{
	struct pairs_mark *m = &r->mark;

	for (size_t i = 0; i < n; i++)
		close_run(r, first + i);
	m->run[first] = (struct run_mark){w->id, w->slots, level};
	m->n = first + 1; /* they were the last */
	return open_run(r, first);
}

static int compare_slots(const void *a, const void *b)
{
	return run_slot_compare(a, b);
}

static enum vt_err fold_tail(struct pairs *r)
{
	struct run_writer w = {.fd = -1};
	uint64_t id = r->mark.next_id++;
	enum vt_err err;

	if (r->mark.n == PAIRS_MAX)
		return VT_ELIMIT;
	if ((err = begin_run(&w, r, id)) != VT_OK)
		goto done;
	qsort(r->slot, r->n, sizeof(*r->slot), compare_slots);
	for (size_t i = 0; i < r->n; i++)
		if ((err = run_writer_add(&w, &r->hasher, &r->slot[i])) != VT_OK)
			goto done;
	if ((err = run_writer_finish(&w, &r->hasher, r->dir)) != VT_OK ||
	    (err = take_in(r, &w, 0, r->mark.n, 0)) != VT_OK)
		goto done;
	empty_tail(r);
	if (r->tail_fd >= 0)
		close(r->tail_fd);
	r->tail_fd = -1;
	r->mark.tail_id = r->mark.next_id++;
	r->mark.tail_bytes = 0;
done:
	run_writer_close(&w);
	return err == VT_EIO ? broken(r, err, "run", id) : err;
}

struct source {
	struct run_file *file;
	uint64_t at;
	struct run_slot slot;
	bool more;
};

static enum vt_err next_slot(struct source *s, struct merkle_hasher *h)
{
	enum vt_err err = run_file_slot(&s->slot, s->file, h, s->at++);

	s->more = err == VT_OK;
	return err == VT_ENOTFOUND ? VT_OK : err;
}

static enum vt_err merge_into(struct run_writer *w, struct pairs *r, size_t first, size_t n,
			      const atomic_bool *stop)
{
	struct source source[PAIRS_FAN];
	enum vt_err err;

	for (size_t i = 0; i < n; i++) {
		source[i] = (struct source){.file = r->file[first + i]};
		if ((err = next_slot(&source[i], &r->hasher)) != VT_OK)
			return broken(r, err, "run", r->mark.run[first + i].id);
	}
	for (;;) {
		struct source *least = NULL;
		for (size_t i = 0; i < n; i++)
			if (source[i].more &&
			    (least == NULL || run_slot_compare(&source[i].slot, &least->slot) < 0))
				least = &source[i];
		if (least == NULL)
			return VT_OK;
		if (w->n == 0 && stop != NULL && *stop)
			return VT_EBUSY;
		if ((err = run_writer_add(w, &r->hasher, &least->slot)) != VT_OK)
			return broken(r, err, "run", w->id);
		if ((err = next_slot(least, &r->hasher)) != VT_OK)
			return broken(r, err, "run", least->file->id);
	}
}

/* Are the last runs of one level, and enough of them? */
static bool merge_is_due(const struct pairs_mark *m)
{
	if (m->n < PAIRS_FAN)
		return false;
	for (size_t i = m->n - PAIRS_FAN; i < m->n; i++)
		if (m->run[i].level != m->run[m->n - 1].level)
			return false;
	return true;
}

/* Runs that no mark on disk names: nobody else would ever delete them. */
static void drop_unsaved(const struct pairs *r, const struct run_mark *merged, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!names(&r->kept, "run", merged[i].id))
			drop(r, "run", merged[i].id);
}

static enum vt_err merge_last(struct pairs *r, const atomic_bool *stop)
{
	size_t first = r->mark.n - PAIRS_FAN;
	unsigned level = r->mark.run[first].level + 1;
	uint64_t id = r->mark.next_id++;
	struct run_writer w = {.fd = -1};
	struct run_mark merged[PAIRS_FAN];
	enum vt_err err;

	memcpy(merged, &r->mark.run[first], sizeof(merged));
	if ((err = begin_run(&w, r, id)) == VT_OK &&
	    (err = merge_into(&w, r, first, PAIRS_FAN, stop)) == VT_OK) {
		errno = 0;
		if ((err = run_writer_finish(&w, &r->hasher, r->dir)) != VT_OK)
			broken(r, err, "run", id);
		else
			err = take_in(r, &w, level, first, PAIRS_FAN);
	}
	if (err == VT_OK)
		drop_unsaved(r, merged, PAIRS_FAN);
	run_writer_close(&w);
	return err;
}

enum vt_err pairs_save(struct pairs *r, struct pairs_mark *out, const atomic_bool *stop)
{
	enum vt_err err = r->n >= r->tail_max ? fold_tail(r) : append_chunk(r);

	while (err == VT_OK && merge_is_due(&r->mark))
		err = merge_last(r, stop);
	if (err == VT_EBUSY) /* told to stop: what was merged so far goes when it is opened again */
		err = VT_OK;
	if (err == VT_OK)
		*out = r->mark;
	return err;
}

/* -- what is there no more --------------------------------------------------------------------- */

void pairs_saved(struct pairs *r)
{
	for (size_t i = 0; i < r->kept.n; i++)
		if (!names(&r->mark, "run", r->kept.run[i].id))
			drop(r, "run", r->kept.run[i].id);
	if (r->kept.tail_id != r->mark.tail_id)
		drop(r, "tail", r->kept.tail_id);
	r->kept = r->mark;
}

static enum vt_err drop_stranger(void *ctx, const char *name)
{
	const struct pairs *r = ctx;
	unsigned long long id;
	char kind[5];
	int len = 0;

	if (sscanf(name, "%4[a-z]-%llx%n", kind, &id, &len) != 2 || name[len] != '\0' ||
	    (strcmp(kind, "run") && strcmp(kind, "tail")))
		return VT_OK;
	if (!names(&r->mark, kind, id))
		drop(r, kind, id);
	return VT_OK;
}

enum vt_err pairs_open(struct pairs **out, const char *dir, const struct pairs_mark *mark,
		       size_t tail_max, char why[PAIRS_WHY_MAX])
{
	struct pairs *r = calloc(1, sizeof(*r));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	why[0] = '\0';
	if (r == NULL)
		return VT_ENOMEM;
	r->tail_fd = -1;
	r->mark = r->kept = *mark;
	r->tail_max = tail_max == 0 ? PAIRS_TAIL_DEFAULT : tail_max;
	if (getrandom(&r->seed, sizeof(r->seed), 0) != (ssize_t)sizeof(r->seed)) {
		err = VT_EIO;
		goto done;
	}
	if ((r->dir = strdup(dir)) == NULL || (err = merkle_hasher_init(&r->hasher)) != VT_OK)
		goto done;
	for (size_t i = 0; i < mark->n; i++)
		if ((err = open_run(r, i)) != VT_OK)
			goto done;
	if ((err = read_tail(r)) != VT_OK || (err = folder_each(r->dir, drop_stranger, r)) != VT_OK)
		goto done;
	*out = r;
	r = NULL; /* transferred */
done:
	if (r != NULL && err != VT_OK)
		snprintf(why, PAIRS_WHY_MAX, "%s", r->why[0] ? r->why : vt_err_text(err));
	pairs_free(r);
	return err;
}

void pairs_free(struct pairs *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < PAIRS_MAX; i++)
		close_run(r, i);
	if (r->tail_fd >= 0)
		close(r->tail_fd);
	merkle_hasher_release(&r->hasher);
	free(r->slot);
	free(r->table);
	free(r->dir);
	free(r);
}

size_t pairs_tail(const struct pairs *r)
{
	return r->n;
}

size_t pairs_count(const struct pairs *r)
{
	return r->mark.n;
}

const char *pairs_why(const struct pairs *r)
{
	return r->why;
}
