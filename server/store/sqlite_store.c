/*
 * A log in one SQLite file. One connection writes, under a mutex; each reader has its own. A batch
 * is held in memory until its commit, which is one short transaction: compare the head, write at
 * the right edges, swap the head.
 *
 * Sizes, indexes and times beyond 2^63 - 1 do not fit SQLite's integers and are refused
 * (VT_ELIMIT).
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "logline.h"
#include "pending.h"
#include "rules.h"
#include "sql.h"
#include "sqlite_check.h"
#include "sqlite_files.h"
#include "sqlite_rows.h"

enum {
	BUSY_SECONDS_DEFAULT = 10,
	WRITE_SECONDS_DEFAULT = 2, /* an append waits meanwhile, and may be tried again */
	/* A scan ends its read transaction after so many entries, or the write-ahead log could not
	 * start over while somebody reads a whole log. */
	SCAN_SLICE = 256,
	DROP_SLICE = 256, /* chunks deleted in one transaction */
};

struct sqlite_store {
	struct store base;
	struct sqlite_files files;
	uint64_t busy_nanos;
	bool read_only;
	bool frozen; /* no write-ahead log when it was opened to be read: nobody writes, nothing is
			locked */
	pthread_mutex_t lock; /* of everything below */
	struct sql *sql; /* the writer's, or, of a store opened to be read, what keeps it open */
	struct run_claims claims;
	/* It may be written, and its write-ahead log merged at the end. */
	bool trusted;
	bool
	    broken; /* a write has failed: its outcome is unknown, so nothing is written any more */
};

struct sqlite_reader {
	struct store_reader base;
	struct sqlite_store *store;
	struct sql *sql;
};

struct sqlite_batch {
	struct store_batch base;
	struct sqlite_store *store;
	struct pending pending;
};

static const struct store_ops sqlite_ops;

static struct sqlite_store *store_of(struct store *s)
{
	return (struct sqlite_store *)s;
}

static struct sql *sql_of(struct store_reader *r)
{
	return ((struct sqlite_reader *)r)->sql;
}

/* -- open ---------------------------------------------------------------------------------------
 */

static void sqlite_trust(struct store *base, bool newest)
{
	struct sqlite_store *s = store_of(base);

	if (s->read_only)
		return;
	(void)pthread_mutex_lock(&s->lock);
	s->trusted = newest;
	sql_merge_at_close(s->sql, newest);
	(void)pthread_mutex_unlock(&s->lock);
}

static void sqlite_free(struct store *base)
{
	struct sqlite_store *s = store_of(base);

	/* Our own opening may have made an empty write-ahead log beside a store that had none. */
	if (s->sql != NULL && !s->read_only && files_empty_wal(&s->files))
		sql_merge_at_close(s->sql, true);
	sql_close(s->sql);
	files_release(&s->files);
	identity_release(&s->base.identity);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

static enum vt_err fill_new(struct sql *sql, const struct store_identity *identity)
{
	const struct store_runs none = {0};
	struct merkle_hash empty;
	struct query q;
	enum vt_err err;

	if ((err = merkle_hash_empty(&empty, sql_hasher(sql))) != VT_OK ||
	    (err = sql_begin(sql, true)) != VT_OK ||
	    (err = rows_write_identity(sql, identity)) != VT_OK ||
	    (err = rows_write_runs(sql, SQL_ADD_RUNS, &none)) != VT_OK)
		return err;
	q = query_start(sql, SQL_ADD_HEAD);
	query_bind_bytes(&q, 1, bytes_of(empty.b, sizeof(empty.b)));
	if ((err = query_run(&q)) != VT_OK)
		return err;
	return sql_commit(sql);
}

/* Under a temporary name first, and renamed when it is whole; so two processes that make it at the same time do not mix theirs. */
enum vt_err store_sqlite_create(const char *path, const struct store_identity *identity,
				char why[STORE_WHY_MAX])
{
	struct store_identity judged = {0};
	struct sql *sql = NULL;
	char *temporary = NULL;
	enum vt_err err;

	why[0] = '\0';
	if ((err = identity_copy(&judged, identity)) != VT_OK)
		goto done;
	if ((err = files_temporary(&temporary, path)) != VT_OK) {
		(void)snprintf(why, STORE_WHY_MAX, "cannot make a file: %s", strerror(errno));
		goto done;
	}
	if ((err = sql_create(&sql, temporary, why)) != VT_OK ||
	    (err = fill_new(sql, identity)) != VT_OK || (err = sql_settle(sql)) != VT_OK)
		goto done;
	sql_close(sql);
	sql = NULL;
	if ((err = files_install(temporary, path)) == VT_ECONFLICT)
		(void)snprintf(why, STORE_WHY_MAX, "there is a file of this name already");
done:
	if (err != VT_OK && why[0] == '\0')
		(void)snprintf(why, STORE_WHY_MAX, "%s", vt_err_text(err));
	sql_close(sql);
	if (temporary != NULL)
		files_discard(temporary);
	free(temporary);
	identity_release(&judged);
	return err;
}

static enum vt_err load_identity(struct sqlite_store *s, const struct store_identity *expected,
				 char why[STORE_WHY_MAX])
{
	const char *what = NULL;
	enum vt_err err;

	/* fsck opens what is broken, too, and check() says so. */
	err = rows_read_identity(s->sql, &s->base.identity, !s->read_only, &what);
	if (err == VT_EIO && what != NULL)
		(void)snprintf(why, STORE_WHY_MAX, "the store's identity is broken: %s", what);
	if (err != VT_OK || expected == NULL)
		return err;
	return identity_compare(&s->base.identity, expected, why);
}

static enum vt_err connect_first(struct sqlite_store *s, char why[STORE_WHY_MAX])
{
	enum vt_err err;

	s->frozen = s->read_only && !files_have_wal(&s->files);
	/* What happens after this look is noticed (files_untouched). */
	if (s->frozen)
		files_remember(&s->files);
	err = sql_open(&s->sql, s->files.path,
		       s->frozen      ? SQL_FROZEN
		       : s->read_only ? SQL_READER
				      : SQL_WRITER,
		       s->busy_nanos, why);
	return err;
}

static enum vt_err open_at(struct sqlite_store *s, const struct store_sqlite_config *config,
			   const struct store_identity *identity, char why[STORE_WHY_MAX])
{
	enum vt_err err;

	if ((err = files_init(&s->files, config->path)) != VT_OK)
		return err;
	/* SQLite deletes a write-ahead log that it finds beside an empty database. */
	if (files_empty(&s->files)) {
		(void)snprintf(why, STORE_WHY_MAX,
			       "the file is empty: it is not a database. What is beside it is left "
			       "as it is");
		return VT_ECONFLICT;
	}
	if ((err = connect_first(s, why)) != VT_OK ||
	    (err = load_identity(s, identity, why)) != VT_OK)
		return err;
	/* Only now: the first read has made the files that are there as long as we are. */
	if (!s->frozen)
		files_remember(&s->files);
	return VT_OK;
}

enum vt_err store_sqlite_open(struct store **out, const struct store_sqlite_config *config,
			      const struct store_identity *identity, char why[STORE_WHY_MAX])
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	const unsigned seconds =
	    config->busy_seconds != 0 ? config->busy_seconds : BUSY_SECONDS_DEFAULT;
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	why[0] = '\0';
	if (s == NULL || pthread_mutex_init(&s->lock, NULL) != 0) {
		free(s);
		s = NULL;
		goto done;
	}
	s->base.ops = &sqlite_ops;
	s->busy_nanos = seconds * UINT64_C(1000000000);
	s->read_only = config->read_only;
	if ((err = open_at(s, config, identity, why)) != VT_OK)
		goto done;
	if (config->busy_seconds == 0)
		sql_set_patience(s->sql, WRITE_SECONDS_DEFAULT * UINT64_C(1000000000));
	*out = &s->base;
	s = NULL; /* transferred */
	why[0] = '\0';
done:
	if (err != VT_OK && why[0] == '\0')
		(void)snprintf(why, STORE_WHY_MAX, "%s", vt_err_text(err));
	if (s != NULL)
		sqlite_free(&s->base);
	return err;
}

/* -- readers ------------------------------------------------------------------------------------
 */

static enum vt_err moved(const struct sqlite_store *s)
{
	char where[256];

	logline(LOGLINE_ERROR, "store was replaced", "path=%s",
		logline_quote(where, sizeof(where), bytes_str(s->files.path)));
	return VT_EIO;
}

static enum vt_err sqlite_reader_new(struct store_reader **out, struct store *base)
{
	struct sqlite_store *s = store_of(base);
	struct sqlite_reader *r = calloc(1, sizeof(*r));
	char why[STORE_WHY_MAX];
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (r == NULL)
		return VT_ENOMEM;
	if ((err = sql_open(&r->sql, s->files.path, s->frozen ? SQL_FROZEN : SQL_READER,
			    s->busy_nanos, why)) != VT_OK)
		goto done;
	/* The name leads to the file that the writer has, or this would read another log. */
	if (!s->frozen && !files_in_place(&s->files)) {
		err = moved(s);
		goto done;
	}
	r->base.ops = &sqlite_ops;
	r->store = s;
	*out = &r->base;
	r = NULL; /* transferred */
done:
	if (r != NULL)
		sql_close(r->sql);
	free(r);
	return err;
}

static void sqlite_reader_free(struct store_reader *base)
{
	struct sqlite_reader *r = (struct sqlite_reader *)base;

	if (r == NULL)
		return;
	sql_close(r->sql);
	free(r);
}

/*
 * After each read: what a frozen reader got is good only if still nobody writes, for it holds no
 * lock. Opened again, it would read through the write-ahead log.
 */
static enum vt_err still(struct store_reader *base, enum vt_err err)
{
	const struct sqlite_store *s = ((struct sqlite_reader *)base)->store;

	if (s->frozen && (err == VT_OK || err == VT_EIO || err == VT_ENOTFOUND) &&
	    !files_untouched(&s->files)) {
		logline(LOGLINE_WARN, "store was opened to write", "while=reading");
		return VT_EBUSY;
	}
	return err;
}

static enum vt_err sqlite_read_state(struct store_reader *r, struct tree_state *out)
{
	const struct sqlite_store *s = ((struct sqlite_reader *)r)->store;

	if (!s->frozen && !files_in_place(&s->files))
		return moved(s);
	return still(r, rows_read_head(sql_of(r), out));
}

static enum vt_err sqlite_read_tile(struct store_reader *r, unsigned level, uint64_t index,
				    unsigned width, struct merkle_hash *out)
{
	struct query q;
	struct bytes hashes;
	uint64_t id;
	bool there;

	if (width == 0 || width > TILE_WIDTH)
		return VT_EINVAL;
	if (rows_tile_id(&id, level, index) != VT_OK)
		return VT_ENOTFOUND;
	q = query_start(sql_of(r), SQL_READ_TILE);
	query_bind_u64(&q, 1, id);
	there = query_row(&q);
	hashes = there ? query_bytes(&q, 0) : bytes_of(NULL, 0);
	if (q.err == VT_OK && hashes.len < width * sizeof(*out))
		q.err = VT_ENOTFOUND;
	if (q.err == VT_OK)
		memcpy(out, hashes.data, width * sizeof(*out));
	return still(r, query_end(&q));
}

/* The entries [*next, end), as far as they are there; *next advances. */
static enum vt_err scan_slice(struct store_reader *r, uint64_t *next, uint64_t end,
			      store_entry_fn visit, void *ctx)
{
	struct query q = query_start(sql_of(r), SQL_READ_ENTRIES);

	query_bind_u64(&q, 1, *next);
	query_bind_u64(&q, 2, end);
	while (query_row(&q)) {
		const uint64_t index = query_u64(&q, 0);
		const struct bytes keys = query_bytes(&q, 1);
		const struct bytes entry = query_bytes(&q, 2);

		if (q.err == VT_OK && index != *next)
			q.err = VT_ENOTFOUND;
		if (q.err == VT_OK && keys.len % MERKLE_HASH_SIZE != 0)
			query_broken(&q, "an entry's keys");
		if (q.err == VT_OK)
			q.err = visit(ctx, index, entry, (const struct merkle_hash *)keys.data,
				      keys.len / MERKLE_HASH_SIZE);
		++*next;
	}
	if (q.err == VT_OK && *next != end)
		q.err = VT_ENOTFOUND;
	return query_end(&q);
}

static enum vt_err sqlite_read_entries(struct store_reader *r, uint64_t first, uint64_t n,
				       store_entry_fn visit, void *ctx)
{
	enum vt_err err = VT_OK;

	while (n != 0 && err == VT_OK) {
		const uint64_t slice = n < SCAN_SLICE ? n : SCAN_SLICE;

		if (first > INT64_MAX - SCAN_SLICE)
			return VT_ENOTFOUND;
		n -= slice;
		err = still(r, scan_slice(r, &first, first + slice, visit, ctx));
	}
	return err;
}

/* -- batches ------------------------------------------------------------------------------------
 */

static enum vt_err sqlite_batch_begin(struct store_batch **out, struct store *s,
				      const struct tree_state *start)
{
	struct sqlite_batch *b;
	enum vt_err err;

	*out = NULL;
	if (store_of(s)->read_only)
		return VT_EINVAL;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return VT_ENOMEM;
	if ((err = pending_init(&b->pending, start)) != VT_OK) {
		free(b);
		return err;
	}
	b->base.ops = &sqlite_ops;
	b->store = store_of(s);
	*out = &b->base;
	return VT_OK;
}

static enum vt_err sqlite_batch_entry(struct store_batch *b, struct bytes entry,
				      const struct merkle_hash *keys, size_t n_keys)
{
	return pending_entry(&((struct sqlite_batch *)b)->pending, entry, keys, n_keys);
}

static enum vt_err sqlite_batch_tile(struct store_batch *b, unsigned level, uint64_t index,
				     unsigned offset, const struct merkle_hash *hashes, unsigned n)
{
	return pending_tile(&((struct sqlite_batch *)b)->pending, level, index, offset, hashes, n);
}

static void sqlite_batch_discard(struct store_batch *base)
{
	struct sqlite_batch *b = (struct sqlite_batch *)base;

	if (b == NULL)
		return;
	pending_release(&b->pending);
	free(b);
}

/* Take the writer and begin. On VT_OK end_write() must follow; else nothing is held. */
static enum vt_err begin_write(struct sqlite_store *s, bool durable)
{
	enum vt_err err = VT_EIO;

	if (s->read_only)
		return VT_EINVAL;
	(void)pthread_mutex_lock(&s->lock);
	if (s->broken)
		goto done;
	err = VT_EBUSY;
	if (!s->trusted)
		goto done;
	if ((err = sql_begin(s->sql, durable)) != VT_OK)
		goto done;
	if (!files_in_place(&s->files)) {
		err = moved(s);
		(void)sql_rollback(s->sql);
		goto done;
	}
	return VT_OK;
done:
	if (err == VT_EIO)
		s->broken = true;
	(void)pthread_mutex_unlock(&s->lock);
	return err;
}

/* Commit if all went well until now, else roll back; let the writer go. */
static enum vt_err end_write(struct sqlite_store *s, enum vt_err err)
{
	if (err == VT_OK && (err = sql_commit(s->sql)) != VT_OK && err != VT_EBUSY)
		err = VT_EIO; /* out of memory, too, leaves open what is on disk */
	if (err != VT_OK && sql_rollback(s->sql) != VT_OK)
		err = VT_EIO;
	/* A file that cannot be synced now must not be trusted to be synced later. */
	if (err == VT_OK && sql_tidy(s->sql) == VT_EIO)
		err = VT_EIO;
	if (err == VT_EIO)
		s->broken = true;
	(void)pthread_mutex_unlock(&s->lock);
	return err;
}

static enum vt_err sqlite_probe(struct store *base, bool write, char why[STORE_WHY_MAX])
{
	struct sqlite_store *s = store_of(base);
	enum vt_err err = begin_write(s, write), ended;
	struct query q;

	if (err == VT_EBUSY)
		(void)snprintf(why, STORE_WHY_MAX,
			       "another process holds the lock to write the store");
	else if (err != VT_OK)
		(void)snprintf(why, STORE_WHY_MAX, "%s", sql_said(s->sql));
	if (err != VT_OK)
		return err;
	if (!write) {
		if ((err = sql_rollback(s->sql)) != VT_OK)
			s->broken = true;
		(void)pthread_mutex_unlock(&s->lock);
		return err;
	}
	q = query_start(s->sql, SQL_ADD_PROBE);
	if ((err = query_run(&q)) == VT_OK) {
		q = query_start(s->sql, SQL_DROP_PROBE);
		err = query_run(&q);
	}
	if (err != VT_OK)
		(void)snprintf(why, STORE_WHY_MAX, "%s", sql_said(s->sql));
	ended = end_write(s, err);
	if (err == VT_OK && ended != VT_OK)
		(void)snprintf(why, STORE_WHY_MAX, "%s", sql_said(s->sql));
	return ended;
}

static enum vt_err compare_head(struct sql *sql, const struct tree_head *start)
{
	struct tree_state stored;
	enum vt_err err;

	if ((err = rows_read_head(sql, &stored)) != VT_OK)
		return err;
	return tree_head_equal(&stored.head, start) ? VT_OK : VT_ECONFLICT;
}

static enum vt_err write_entries(struct sql *sql, const struct pending *p)
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < p->n && err == VT_OK; i++) {
		struct query q = query_start(sql, SQL_ADD_ENTRY);

		query_bind_u64(&q, 1, p->start.head.size + i);
		query_bind_bytes(&q, 2, pending_item_keys(p, &p->item[i]));
		query_bind_bytes(&q, 3, pending_item_entry(p, &p->item[i]));
		err = query_run(&q);
	}
	return err;
}

/* The stored row must end where the batch goes on: the head says so, thus anything else is broken.
 */
static enum vt_err read_tile_before(struct sql *sql, uint64_t id, unsigned offset,
				    uint8_t out[TILE_WIDTH * MERKLE_HASH_SIZE])
{
	struct query q = query_start(sql, SQL_READ_TILE);
	struct bytes hashes = bytes_of(NULL, 0);

	query_bind_u64(&q, 1, id);
	if (query_row(&q))
		hashes = query_bytes(&q, 0);
	if (q.err == VT_OK && hashes.len != offset * MERKLE_HASH_SIZE)
		query_broken(&q, "the last tile does not end where the head says");
	if (q.err == VT_OK && hashes.len != 0)
		memcpy(out, hashes.data, hashes.len);
	return query_end(&q);
}

static enum vt_err write_tile(struct sql *sql, unsigned level, const struct pending_tile *tile)
{
	uint8_t row[TILE_WIDTH * MERKLE_HASH_SIZE];
	const size_t old = tile->offset * MERKLE_HASH_SIZE;
	struct query q;
	enum vt_err err;
	uint64_t id;

	if ((err = rows_tile_id(&id, level, tile->index)) != VT_OK)
		return err;
	if (old != 0 && (err = read_tile_before(sql, id, tile->offset, row)) != VT_OK)
		return err;
	memcpy(row + old, tile->hashes.data, tile->hashes.len);
	q = query_start(sql, old != 0 ? SQL_GROW_TILE : SQL_ADD_TILE);
	query_bind_u64(&q, 1, id);
	query_bind_bytes(&q, 2, bytes_of(row, old + tile->hashes.len));
	return query_run(&q);
}

static enum vt_err write_tiles(struct sql *sql, const struct pending *p)
{
	for (unsigned level = 0; level < PENDING_LEVELS; level++) {
		struct pending_tile tile;
		size_t done = 0;
		enum vt_err err;

		while (pending_next_tile(p, level, &done, &tile))
			if ((err = write_tile(sql, level, &tile)) != VT_OK)
				return err;
	}
	return VT_OK;
}

static enum vt_err write_head(struct sql *sql, const struct tree_state *next)
{
	struct query q = query_start(sql, SQL_WRITE_HEAD);

	query_bind_u64(&q, 1, next->head.size);
	query_bind_bytes(&q, 2, bytes_of(next->head.root.b, MERKLE_HASH_SIZE));
	query_bind_bytes(&q, 3, bytes_of(next->range.node, next->range.n * MERKLE_HASH_SIZE));
	return query_run(&q);
}

static enum vt_err sqlite_batch_commit(struct store_batch *base, const struct tree_state *next)
{
	struct sqlite_batch *b = (struct sqlite_batch *)base;
	struct sqlite_store *s = b->store;
	const struct pending *p = &b->pending;
	enum vt_err err;

	if ((err = pending_seal(&b->pending, next)) != VT_OK)
		return err;
	if (next->head.size > INT64_MAX)
		return VT_ELIMIT;
	if ((err = begin_write(s, true)) != VT_OK)
		return err;
	if ((err = compare_head(s->sql, &p->start.head)) == VT_OK &&
	    (err = write_entries(s->sql, p)) == VT_OK && (err = write_tiles(s->sql, p)) == VT_OK)
		err = write_head(s->sql, next);
	return end_write(s, err);
}

/* -- checkpoints --------------------------------------------------------------------------------
 */

static enum vt_err sqlite_read_published(struct store_reader *r, uint64_t *size, struct buf *note)
{
	struct query q = query_start(sql_of(r), SQL_READ_PUBLISHED);
	struct store_checkpoint cp;

	if (query_row(&q)) {
		if (rows_checkpoint(&q, &cp) == VT_OK && note != NULL)
			q.err = buf_append(note, cp.note);
		if (q.err == VT_OK && size != NULL)
			*size = cp.size;
	} else if (q.err == VT_OK) {
		q.err = VT_ENOTFOUND;
	}
	return still(r, query_end(&q));
}

static void visit_checkpoint(struct query *q, store_checkpoint_fn visit, void *ctx)
{
	struct store_checkpoint cp;

	if (rows_checkpoint(q, &cp) == VT_OK)
		q->err = visit(ctx, &cp);
}

static enum vt_err sqlite_read_checkpoints(struct store_reader *r, uint64_t after, size_t limit,
					   store_checkpoint_fn visit, void *ctx)
{
	struct query q;

	if (after > INT64_MAX)
		return VT_OK;
	q = query_start(sql_of(r), SQL_READ_CHECKPOINTS);
	query_bind_u64(&q, 1, after);
	query_bind_u64(&q, 2, limit > INT64_MAX ? INT64_MAX : limit);
	while (query_row(&q))
		visit_checkpoint(&q, visit, ctx);
	return still(r, query_end(&q));
}

static enum vt_err sqlite_read_checkpoint_at(struct store_reader *r, uint64_t at,
					     store_checkpoint_fn visit, void *ctx)
{
	struct query q = query_start(sql_of(r), SQL_READ_CHECKPOINT_AT);

	query_bind_u64(&q, 1, at > INT64_MAX ? INT64_MAX : at);
	if (query_row(&q))
		visit_checkpoint(&q, visit, ctx);
	else if (q.err == VT_OK)
		q.err = VT_ENOTFOUND;
	return still(r, query_end(&q));
}

/* What is published now, without its note. VT_ENOTFOUND. */
static enum vt_err newest_checkpoint(struct sql *sql, struct store_checkpoint *out)
{
	struct query q = query_start(sql, SQL_READ_PUBLISHED);

	if (query_row(&q))
		(void)rows_checkpoint(&q, out);
	else if (q.err == VT_OK)
		q.err = VT_ENOTFOUND;
	out->note = bytes_of(NULL, 0); /* gone with the row */
	return query_end(&q);
}

/* The size of the first one kept with this seq or a later one. */
static enum vt_err size_from(struct sql *sql, uint64_t seq, uint64_t *size)
{
	struct query q = query_start(sql, SQL_READ_CHECKPOINT_SIZE);

	query_bind_u64(&q, 1, seq);
	if (query_row(&q))
		*size = query_u64(&q, 1);
	else if (q.err == VT_OK)
		q.err = VT_ENOTFOUND;
	return query_end(&q);
}

/*
 * Sizes never fall with seq, so the place is found by halving: some twenty rows are looked at, and no index by size has to be
 * kept. What is published meanwhile comes behind them all, and at most takes the place of the newest.
 */
static enum vt_err find_covering(struct sql *sql, uint64_t size, uint64_t *seq)
{
	struct store_checkpoint newest;
	uint64_t low = 1, high;
	enum vt_err err;

	if ((err = newest_checkpoint(sql, &newest)) != VT_OK)
		return err;
	if (newest.size < size)
		return VT_ENOTFOUND;
	high = newest.seq;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2, found = UINT64_MAX;

		err = size_from(sql, middle, &found);
		if (err != VT_OK && err != VT_ENOTFOUND)
			return err;
		if (found >= size)
			high = middle;
		else
			low = middle + 1;
	}
	*seq = low;
	return VT_OK;
}

static enum vt_err sqlite_read_checkpoint_covering(struct store_reader *r, uint64_t size,
						   store_checkpoint_fn visit, void *ctx)
{
	struct query q;
	uint64_t seq;
	enum vt_err err = find_covering(sql_of(r), size, &seq);

	if (err != VT_OK)
		return still(r, err);
	q = query_start(sql_of(r), SQL_READ_CHECKPOINTS);
	query_bind_u64(&q, 1, seq - 1);
	query_bind_u64(&q, 2, 1);
	if (query_row(&q))
		visit_checkpoint(&q, visit, ctx);
	else if (q.err == VT_OK)
		q.err = VT_ENOTFOUND;
	return still(r, query_end(&q));
}

static enum vt_err keep_checkpoint(struct sql *sql, struct store_checkpoint *cp)
{
	struct store_checkpoint newest = {0};
	struct tree_state state;
	struct query q;
	enum vt_err err;

	if ((err = rows_read_head(sql, &state)) != VT_OK)
		return err;
	if (cp->size > state.head.size)
		return VT_EINVAL;
	err = newest_checkpoint(sql, &newest);
	if (err != VT_OK && err != VT_ENOTFOUND)
		return err;
	if (cp->size < newest.size)
		return VT_OK;
	cp->seq = newest.seq + 1;
	q = query_start(sql, SQL_DROP_CHECKPOINT);
	query_bind_u64(&q, 1, cp->time);
	if ((err = query_run(&q)) != VT_OK)
		return err;
	return rows_write_checkpoint(sql, cp);
}

static enum vt_err sqlite_publish(struct store *base, uint64_t size, struct bytes note,
				  uint64_t time)
{
	struct store_checkpoint cp = {.size = size, .time = time, .note = note};
	struct sqlite_store *s = store_of(base);
	enum vt_err err;

	if (note.len == 0)
		return VT_EINVAL;
	if (note.len > STORE_NOTE_MAX || time > INT64_MAX)
		return VT_ELIMIT;
	if ((err = begin_write(s, false)) != VT_OK)
		return err;
	return end_write(s, keep_checkpoint(s->sql, &cp));
}

/* -- index runs ---------------------------------------------------------------------------------
 */

static enum vt_err sqlite_read_runs(struct store_reader *r, struct store_runs *out)
{
	return still(r, rows_read_runs(sql_of(r), out));
}

static enum vt_err sqlite_read_chunk(struct store_reader *r, uint64_t run, uint64_t chunk,
				     struct index_slot out[STORE_CHUNK_SLOTS], size_t *n)
{
	struct query q;
	uint64_t id;

	*n = 0;
	if (rows_chunk_id(&id, run, chunk) != VT_OK)
		return VT_ENOTFOUND;
	q = query_start(sql_of(r), SQL_READ_CHUNK);
	query_bind_u64(&q, 1, id);
	if (query_row(&q)) {
		const struct bytes blob = query_bytes(&q, 0);

		if (q.err == VT_OK && rows_unpack_slots(out, n, blob) != VT_OK)
			query_broken(&q, "a chunk of an index run");
	} else if (q.err == VT_OK) {
		q.err = VT_ENOTFOUND;
	}
	return still(r, query_end(&q));
}

/* Claim the run for this store if it is not yet: raise the stored next_id. */
static enum vt_err claim_run(struct sqlite_store *s, uint64_t run)
{
	struct store_runs stored;
	uint64_t next_id;
	enum vt_err err;

	if ((err = rows_read_runs(s->sql, &stored)) != VT_OK)
		return err;
	claims_follow(&s->claims, &stored);
	next_id = stored.next_id;
	if ((err = claims_judge(&s->claims, run, &next_id)) != VT_OK || next_id == stored.next_id)
		return err;
	stored.next_id = next_id;
	return rows_write_runs(s->sql, SQL_WRITE_RUNS, &stored);
}

static enum vt_err sqlite_write_chunk(struct store *base, uint64_t run, uint64_t chunk,
				      const struct index_slot *slot, size_t n)
{
	struct sqlite_store *s = store_of(base);
	uint8_t blob[ROWS_CHUNK_SIZE];
	enum vt_err err;
	uint64_t id;

	if (n == 0 || n > STORE_CHUNK_SLOTS || !slots_ordered(slot, n))
		return VT_EINVAL;
	if ((err = rows_chunk_id(&id, run, chunk)) != VT_OK)
		return err;
	rows_pack_slots(blob, slot, n);
	if ((err = begin_write(s, false)) != VT_OK)
		return err;
	if ((err = claim_run(s, run)) == VT_OK) {
		struct query q = query_start(s->sql, SQL_WRITE_CHUNK);

		query_bind_u64(&q, 1, id);
		query_bind_bytes(&q, 2, bytes_of(blob, n * ROWS_SLOT_SIZE));
		err = query_run(&q);
	}
	/* If the commit fails, so does every later write: a claim too many does no harm. */
	if (err == VT_OK)
		claims_add(&s->claims, run);
	return end_write(s, err);
}

/* Is every chunk of the run there, all but the last of them full, and no more? */
static enum vt_err run_written(struct sql *sql, const struct store_run *run)
{
	const uint64_t n = run->slots / STORE_CHUNK_SLOTS + (run->slots % STORE_CHUNK_SLOTS != 0);
	struct query q;
	uint64_t first, end;
	enum vt_err err;

	if ((err = rows_chunk_id(&first, run->id, 0)) != VT_OK ||
	    (err = rows_chunk_id(&end, run->id, UINT32_MAX)) != VT_OK)
		return err;
	q = query_start(sql, SQL_MEASURE_CHUNKS);
	query_bind_u64(&q, 1, first);
	query_bind_u64(&q, 2, end);
	query_bind_u64(&q, 3, n == 0 ? first : first + n - 1);
	query_bind_u64(&q, 4, ROWS_CHUNK_SIZE);
	if (!query_row(&q)) {
		query_broken(&q, "counting gives no row");
	} else {
		const uint64_t chunks = query_u64(&q, 0);
		const uint64_t bytes = query_u64(&q, 1);
		const uint64_t odd = query_u64(&q, 2);

		if (q.err == VT_OK &&
		    (chunks != n || bytes != run->slots * ROWS_SLOT_SIZE || odd != 0))
			q.err = VT_EINVAL;
	}
	return query_end(&q);
}

static enum vt_err swap_runs(struct sqlite_store *s, uint64_t expected,
			     const struct store_runs *next, struct store_runs *stored,
			     struct store_runs *judged)
{
	struct tree_state state;
	enum vt_err err;

	if ((err = rows_read_runs(s->sql, stored)) != VT_OK)
		return err;
	if (stored->version != expected)
		return VT_ECONFLICT;
	claims_follow(&s->claims, stored);
	if ((err = rows_read_head(s->sql, &state)) != VT_OK ||
	    (err = runs_judge(judged, stored, next, &s->claims, state.head.size)) != VT_OK)
		return err;
	for (size_t i = 0; i < judged->n; i++)
		if (runs_find(stored, judged->run[i].id) == NULL &&
		    (err = run_written(s->sql, &judged->run[i])) != VT_OK)
			return err;
	return rows_write_runs(s->sql, SQL_WRITE_RUNS, judged);
}

/* Delete the chunks of runs [first, end), a transaction for each slice. */
static enum vt_err drop_runs(struct sqlite_store *s, uint64_t first, uint64_t end)
{
	enum vt_err err = VT_OK;
	uint64_t low, high;
	bool more = first < end;

	if (rows_chunk_id(&low, first, 0) != VT_OK || end == 0 ||
	    rows_chunk_id(&high, end - 1, UINT32_MAX) != VT_OK)
		return VT_OK; /* no row can have such an id */
	while (more && (err = begin_write(s, false)) == VT_OK) {
		struct query q = query_start(s->sql, SQL_DROP_CHUNKS);

		query_bind_u64(&q, 1, low);
		query_bind_u64(&q, 2, high);
		query_bind_u64(&q, 3, DROP_SLICE);
		err = query_run(&q);
		more = err == VT_OK && sql_changes(s->sql) == DROP_SLICE;
		err = end_write(s, err);
		if (err != VT_OK)
			break;
	}
	return err;
}

static int by_id(const void *a, const void *b)
{
	const uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/*
 * Delete the chunks of runs that `before` lists and `runs` does not, and of those that nobody can be
 * writing any more. What a crash or contention leaves undone is harmless: when as many ids have been
 * given out as may be under way, a replacement does it.
 */
static enum vt_err drop_other_runs(struct sqlite_store *s, const struct store_runs *before,
				   const struct store_runs *runs)
{
	uint64_t id[STORE_RUNS_MAX + 1];
	uint64_t floor = 0, from = 0;
	enum vt_err err = VT_OK;
	size_t n = 0;

	for (size_t i = 0; i < before->n && err == VT_OK; i++) {
		const uint64_t old = before->run[i].id;

		if (runs_find(runs, old) == NULL)
			err = drop_runs(s, old, old + 1);
	}
	if (runs->next_id > STORE_RUNS_UNDER_WAY)
		floor = runs->next_id - STORE_RUNS_UNDER_WAY;
	for (size_t i = 0; i < runs->n; i++)
		if (runs->run[i].id < floor)
			id[n++] = runs->run[i].id;
	id[n++] = floor;
	qsort(id, n, sizeof(id[0]), by_id);
	for (size_t i = 0; i < n && err == VT_OK; i++) {
		err = drop_runs(s, from, id[i]);
		from = id[i] + 1;
	}
	return err == VT_EBUSY || err == VT_ENOMEM ? VT_OK : err;
}

static enum vt_err sqlite_replace_runs(struct store *base, uint64_t expected,
				       const struct store_runs *next)
{
	struct sqlite_store *s = store_of(base);
	struct store_runs before, judged;
	enum vt_err err;

	if ((err = begin_write(s, true)) != VT_OK)
		return err;
	err = swap_runs(s, expected, next, &before, &judged);
	if ((err = end_write(s, err)) != VT_OK)
		return err;
	return drop_other_runs(s, &before, &judged);
}

/* -- fsck ---------------------------------------------------------------------------------------
 */

static enum vt_err sqlite_store_check(struct store_reader *r, store_fault_fn fault, void *ctx)
{
	return still(r, sqlite_check(sql_of(r), fault, ctx));
}

static const struct store_ops sqlite_ops = {
    .free = sqlite_free,
    .trust = sqlite_trust,
    .probe = sqlite_probe,
    .reader_new = sqlite_reader_new,
    .reader_free = sqlite_reader_free,
    .read_state = sqlite_read_state,
    .read_published = sqlite_read_published,
    .read_tile = sqlite_read_tile,
    .read_entries = sqlite_read_entries,
    .read_checkpoints = sqlite_read_checkpoints,
    .read_checkpoint_at = sqlite_read_checkpoint_at,
    .read_checkpoint_covering = sqlite_read_checkpoint_covering,
    .read_runs = sqlite_read_runs,
    .read_chunk = sqlite_read_chunk,
    .check = sqlite_store_check,
    .batch_begin = sqlite_batch_begin,
    .batch_entry = sqlite_batch_entry,
    .batch_tile = sqlite_batch_tile,
    .batch_commit = sqlite_batch_commit,
    .batch_discard = sqlite_batch_discard,
    .publish = sqlite_publish,
    .write_chunk = sqlite_write_chunk,
    .replace_runs = sqlite_replace_runs,
};
