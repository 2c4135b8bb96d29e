/*
 * Where a log keeps its entries, tiles, index and head: a narrow interface phrased as what a log
 * does.
 *
 * The head is the lock. Any number of processes may hold a store open; a batch becomes durable only
 * if the stored head (size and root) is still the one that the batch began on. Everything under a
 * committed size is immutable, so readers need no lock and no snapshot.
 *
 * A `struct store` is thread-safe. A batch or a reader serves one thread at a time; any number of
 * them may be open, and of batches on one head the first to commit wins. Free readers and batches
 * before their store. A reader reads through a connection of its own: what it returns is what is
 * stored, not what the writer remembers. A visitor (store_entry_fn and so on) must not call the
 * reader that calls it.
 *
 * Errors of every call: VT_EIO (the disk failed or what is stored is broken; the outcome of a write
 * is unknown, every later write through this store fails alike, and the process must end),
 * VT_ENOMEM, VT_EBUSY (contention that lasted: nothing was done, try again), VT_EINVAL (also: a
 * write to a store that was opened to be read), and those named below.
 *
 * store->ops->read_state(...) is long to write: the functions store_*() at the end of this file
 * call the table for you.
 */
#ifndef STORE_H
#define STORE_H

#include "vitrine/merkle.h"
#include "vitrine/tile.h"

/* What a log is. Fixed when the store is made. Strings are borrowed. */
struct store_identity {
	const char *origin;
	const char *vkey;
	const char *mode;    /* "records" or "raw" */
	struct bytes centre; /* canonical SPKI DER of the centre's first key; empty in raw mode */
};

/* The committed tree. Invariant: range.size == head.size, and head.root is range's root. */
struct tree_state {
	struct tree_head head;
	struct merkle_range range;
};

/*
 * An index key is a 32-byte hash under which an entry can be found: its leaf hash first, then one
 * per (PAE hash, keyid) pair, subject digest, party and so on, as index/index.h defines them. The
 * store keeps each entry's keys in one sequential row beside it, and sorted runs of (prefix, index)
 * made from them later.
 */
enum {
	STORE_KEYS_MAX = 256, /* of one entry */
	STORE_RUNS_MAX = 256,
	STORE_CHUNK_SLOTS = 256,   /* of a run, read and written together */
	STORE_RUNS_UNDER_WAY = 64, /* ids, the last that were given out: see replace_runs */
	/* Of one batch: entries, and bytes of entries and keys together. */
	STORE_BATCH_ENTRIES_MAX = 1 << 16,
	STORE_BATCH_BYTES_MAX = 1 << 28,
	STORE_NOTE_MAX = 1 << 20, /* bytes of a published checkpoint */
};

struct index_slot {
	uint64_t prefix; /* first 8 bytes of an index key, big endian */
	uint64_t index;  /* of the entry that has it */
};

/* A sorted run: every key of the entries [first, end), ordered by (prefix, index). */
struct store_run {
	uint64_t id;    /* unique in this store, never used again: see write_chunk */
	unsigned level; /* how many merges deep; 0 came from the tail */
	uint64_t first;
	uint64_t end;
	uint64_t slots;
};

/* Invariant: run[0].first == 0 if n > 0; run[i].first < run[i].end == run[i+1].first; no two ids
 * are equal, all are below next_id. The mark, up to which the runs are complete, is the last end,
 * or 0. */
struct store_runs {
	uint64_t version; /* raised by each replacement */
	uint64_t next_id; /* no run has ever had this id or a larger one */
	size_t n;
	struct store_run run[STORE_RUNS_MAX];
};

/* A published checkpoint as it is kept over time. */
struct store_checkpoint {
	uint64_t seq; /* grows with each one kept, from 1 */
	uint64_t size;
	uint64_t time; /* POSIX seconds at which it was published */
	struct bytes note;
};

struct store;
struct store_reader;
struct store_batch;

/* entry and keys are borrowed for the call. n_keys hashes. Returning an error stops the scan with
 * it. */
typedef enum vt_err (*store_entry_fn)(void *ctx, uint64_t index, struct bytes entry,
				      const struct merkle_hash *keys, size_t n_keys);
typedef enum vt_err (*store_checkpoint_fn)(void *ctx, const struct store_checkpoint *cp);
/* One sentence naming a place and what is wrong there. */
typedef enum vt_err (*store_fault_fn)(void *ctx, const char *place_and_fault);

struct store_ops {
	void (*free)(struct store *s);

	/*
	 * Is this known to be the newest store that the log has had? One that is opened from a file is not until it was held
	 * against the high-water mark, and until then it is left as it is: every write is VT_EBUSY, and closing it merges
	 * nothing. (SQLite's close merges the write-ahead log as far as it can be read and deletes it. Behind one
	 * damaged page that would be good entries.) What was only just made by its process is trusted from the start.
	 */
	void (*trust)(struct store *s, bool newest);

	/*
	 * Could a batch be committed now? Waits for as long as a commit would. VT_EBUSY: another process has the lock. write: find out by
	 * writing something that changes nothing, else nothing is written. why is filled in on every failure.
	 */
	enum vt_err (*probe)(struct store *s, bool write, char why[256]);

	enum vt_err (*reader_new)(struct store_reader **out, struct store *s);
	void (*reader_free)(struct store_reader *r); /* NULL is legal */

	/* The committed head. The empty tree, with the root of nothing, in a new store. */
	enum vt_err (*read_state)(struct store_reader *r, struct tree_state *out);
	/* Append the latest published checkpoint to *note. VT_ENOTFOUND: none yet. size and note
	 * may be NULL. */
	enum vt_err (*read_published)(struct store_reader *r, uint64_t *size, struct buf *note);
	/* The first `width` (1 to 256) hashes of a tile. VT_ENOTFOUND: the row is missing or
	 * shorter. */
	enum vt_err (*read_tile)(struct store_reader *r, unsigned level, uint64_t index,
				 unsigned width, struct merkle_hash *out);
	/* Visit the entries [first, first + n) in order. VT_ENOTFOUND: one is missing (those before
	 * it have been visited). */
	enum vt_err (*read_entries)(struct store_reader *r, uint64_t first, uint64_t n,
				    store_entry_fn visit, void *ctx);
	/* Checkpoints kept with seq > after, oldest first, at most limit. */
	enum vt_err (*read_checkpoints)(struct store_reader *r, uint64_t after, size_t limit,
					store_checkpoint_fn visit, void *ctx);
	/* The newest one kept with time <= at. VT_ENOTFOUND. */
	enum vt_err (*read_checkpoint_at)(struct store_reader *r, uint64_t at,
					  store_checkpoint_fn visit, void *ctx);
	/* The oldest one kept whose size is `size` or larger. VT_ENOTFOUND. */
	enum vt_err (*read_checkpoint_covering)(struct store_reader *r, uint64_t size,
						store_checkpoint_fn visit, void *ctx);
	enum vt_err (*read_runs)(struct store_reader *r, struct store_runs *out);
	/* Slots [chunk * STORE_CHUNK_SLOTS, ...) of a run; *n is how many there are (the last chunk
	 * is shorter). VT_ENOTFOUND: no such chunk, or the run has been replaced: read the runs
	 * again. */
	enum vt_err (*read_chunk)(struct store_reader *r, uint64_t run, uint64_t chunk,
				  struct index_slot out[STORE_CHUNK_SLOTS], size_t *n);
	/* The backend's own faults, for fsck: broken pages, rows beyond the head, rows of the wrong
	 * shape, values that nothing else can contradict. fault is called for each; when it returns
	 * an error, that ends it. VT_OK: all was looked at, whether or not something was found. */
	enum vt_err (*check)(struct store_reader *r, store_fault_fn fault, void *ctx);

	/* A batch on top of `start`. Nothing is visible to anybody before the commit; until then it
	 * takes no lock and holds what it is given in memory. */
	enum vt_err (*batch_begin)(struct store_batch **out, struct store *s,
				   const struct tree_state *start);
	/* The next entry: its index is start's size plus those added before. Copied. VT_ELIMIT:
	 * over BUNDLE_ENTRY_MAX bytes or STORE_KEYS_MAX keys, or the batch is full (it can still be
	 * committed). */
	enum vt_err (*batch_entry)(struct store_batch *b, struct bytes entry,
				   const struct merkle_hash *keys, size_t n_keys);
	/*
	 * Hashes that continue a tile at position `offset`. Levels in any order, but each level
	 * from its end on: VT_EINVAL if this is not where the level ends, by start's size and what
	 * was given before. A commit wants every level complete: next's size >> 8 * level hashes.
	 */
	enum vt_err (*batch_tile)(struct store_batch *b, unsigned level, uint64_t index,
				  unsigned offset, const struct merkle_hash *hashes, unsigned n);
	/*
	 * Entries, keys, tiles and head become durable together or not at all. VT_ECONFLICT: the
	 * stored head is no longer the batch's start, nothing was written. VT_EINVAL: next is not
	 * start plus the entries added, or its tiles are not those that next adds. VT_ELIMIT: a
	 * size that the backend cannot hold (SQLite: beyond 2^63 - 1). The batch is used up
	 * whatever happens: discard it. The store does not hash: that roots, range and tiles are
	 * those of the entries is for whoever reads them back to see.
	 */
	enum vt_err (*batch_commit)(struct store_batch *b, const struct tree_state *next);
	void (*batch_discard)(struct store_batch *b); /* NULL, committed or open */

	/*
	 * Raise the published mark. Monotonic: a smaller size changes nothing and is VT_OK; the
	 * same size replaces the note (more cosignatures). Also kept over time, with a seq of its
	 * own, unless one is there already for this second, which it then replaces. VT_EINVAL:
	 * beyond the committed head, or an empty note. VT_ELIMIT. Need not be durable before it
	 * returns: a crash after it costs one signature.
	 */
	enum vt_err (*publish)(struct store *s, uint64_t size, struct bytes note, uint64_t time);

	/*
	 * Write a part of a run that no reader knows yet: slots from chunk * STORE_CHUNK_SLOTS, n
	 * of them (all chunks but the last are full), ordered by (prefix, index). Repeating a chunk
	 * overwrites it. The first chunk of a run claims its id for this store: `run` is the
	 * next_id that read_runs gives (or above it), and next_id rises at once, so that no two
	 * processes write one run. VT_ECONFLICT: the id is somebody else's, read the runs again.
	 * Claim ids in rising order. Need not be durable before replace_runs is.
	 */
	enum vt_err (*write_chunk)(struct store *s, uint64_t run, uint64_t chunk,
				   const struct index_slot *slot, size_t n);
	/*
	 * Put `next` in the place of the runs whose version is `expected`, and drop the chunks of
	 * every run that was listed and is not any more. Chunks of runs that were never listed are
	 * left alone while their id is among the last STORE_RUNS_UNDER_WAY given out, so that a
	 * long merge can go on while others fold; then they are dropped too, as what a crash left.
	 * VT_ECONFLICT: somebody else replaced the runs first (what was written for `next` is still
	 * there: read the runs, and try again if it still fits). VT_EINVAL: the invariant of struct
	 * store_runs does not hold, a run reaches beyond the head, one that stays has changed, or a
	 * new one was not written here in full. next->version is ignored, and so is a next->next_id
	 * that is too small.
	 */
	enum vt_err (*replace_runs)(struct store *s, uint64_t expected,
				    const struct store_runs *next);
};

/* First member of every backend's own struct. */
struct store {
	const struct store_ops *ops;
	struct store_identity identity;
};

/* First member of every backend's reader and batch. */
struct store_reader {
	const struct store_ops *ops;
};
struct store_batch {
	const struct store_ops *ops;
};

/*
 * The backends. One that keeps its stores never makes one by opening it: a store that is missing was
 * lost, or is on a volume that is not mounted, and an empty one in its place would be a second
 * history. So it has a function of its own to make a store, and VT_ENOTFOUND for one that is missing.
 * Opening refuses with VT_ECONFLICT, naming the difference in why, a store that was made for another
 * identity (or by another program). Identity NULL takes the one that is stored. On success why is
 * empty; on any failure it says what is wrong, in words for people.
 */
enum { STORE_WHY_MAX = 256 };
struct store_sqlite_config {
	const char *path;      /* of the database file */
	unsigned busy_seconds; /* how long to wait for another process; 0: 10, and to write 2 */
	bool read_only;        /* for fsck: never writes, not even a journal if it can be avoided */
};
/* Make an empty store; at `path` there is a whole one or none, whenever the process or the machine stops. VT_ECONFLICT: there is
 * something of this name already. */
enum vt_err store_sqlite_create(const char *path, const struct store_identity *identity,
				char why[STORE_WHY_MAX]);
enum vt_err store_sqlite_open(struct store **out, const struct store_sqlite_config *config,
			      const struct store_identity *identity, char why[STORE_WHY_MAX]);

/* -- the table, called ------------------------------------------------------------------------ */

static inline void store_free(struct store *s)
{
	if (s != NULL)
		s->ops->free(s);
}

static inline void store_trust(struct store *s, bool newest)
{
	s->ops->trust(s, newest);
}

static inline enum vt_err store_probe(struct store *s, bool write, char why[STORE_WHY_MAX])
{
	return s->ops->probe(s, write, why);
}

static inline enum vt_err store_reader_new(struct store_reader **out, struct store *s)
{
	return s->ops->reader_new(out, s);
}

static inline void store_reader_free(struct store_reader *r)
{
	if (r != NULL)
		r->ops->reader_free(r);
}

static inline enum vt_err store_read_state(struct store_reader *r, struct tree_state *out)
{
	return r->ops->read_state(r, out);
}

static inline enum vt_err store_read_published(struct store_reader *r, uint64_t *size,
					       struct buf *note)
{
	return r->ops->read_published(r, size, note);
}

static inline enum vt_err store_read_tile(struct store_reader *r, unsigned level, uint64_t index,
					  unsigned width, struct merkle_hash *out)
{
	return r->ops->read_tile(r, level, index, width, out);
}

static inline enum vt_err store_read_entries(struct store_reader *r, uint64_t first, uint64_t n,
					     store_entry_fn visit, void *ctx)
{
	return r->ops->read_entries(r, first, n, visit, ctx);
}

static inline enum vt_err store_read_checkpoints(struct store_reader *r, uint64_t after,
						 size_t limit, store_checkpoint_fn visit, void *ctx)
{
	return r->ops->read_checkpoints(r, after, limit, visit, ctx);
}

static inline enum vt_err store_read_checkpoint_at(struct store_reader *r, uint64_t at,
						   store_checkpoint_fn visit, void *ctx)
{
	return r->ops->read_checkpoint_at(r, at, visit, ctx);
}

static inline enum vt_err store_read_checkpoint_covering(struct store_reader *r, uint64_t size,
							 store_checkpoint_fn visit, void *ctx)
{
	return r->ops->read_checkpoint_covering(r, size, visit, ctx);
}

static inline enum vt_err store_read_runs(struct store_reader *r, struct store_runs *out)
{
	return r->ops->read_runs(r, out);
}

static inline enum vt_err store_read_chunk(struct store_reader *r, uint64_t run, uint64_t chunk,
					   struct index_slot out[STORE_CHUNK_SLOTS], size_t *n)
{
	return r->ops->read_chunk(r, run, chunk, out, n);
}

static inline enum vt_err store_check(struct store_reader *r, store_fault_fn fault, void *ctx)
{
	return r->ops->check(r, fault, ctx);
}

static inline enum vt_err store_batch_begin(struct store_batch **out, struct store *s,
					    const struct tree_state *start)
{
	return s->ops->batch_begin(out, s, start);
}

static inline enum vt_err store_batch_entry(struct store_batch *b, struct bytes entry,
					    const struct merkle_hash *keys, size_t n_keys)
{
	return b->ops->batch_entry(b, entry, keys, n_keys);
}

static inline enum vt_err store_batch_tile(struct store_batch *b, unsigned level, uint64_t index,
					   unsigned offset, const struct merkle_hash *hashes,
					   unsigned n)
{
	return b->ops->batch_tile(b, level, index, offset, hashes, n);
}

static inline enum vt_err store_batch_commit(struct store_batch *b, const struct tree_state *next)
{
	return b->ops->batch_commit(b, next);
}

static inline void store_batch_discard(struct store_batch *b)
{
	if (b != NULL)
		b->ops->batch_discard(b);
}

static inline enum vt_err store_publish(struct store *s, uint64_t size, struct bytes note,
					uint64_t time)
{
	return s->ops->publish(s, size, note, time);
}

static inline enum vt_err store_write_chunk(struct store *s, uint64_t run, uint64_t chunk,
					    const struct index_slot *slot, size_t n)
{
	return s->ops->write_chunk(s, run, chunk, slot, n);
}

static inline enum vt_err store_replace_runs(struct store *s, uint64_t expected,
					     const struct store_runs *next)
{
	return s->ops->replace_runs(s, expected, next);
}

#endif
