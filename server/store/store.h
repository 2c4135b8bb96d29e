/*
 * Where a log keeps its entries, tiles, index and head: a narrow interface phrased as what a log does.
 *
 * The head is the lock. Any number of processes may hold a store open; a batch becomes durable only
 * if the stored head (size and root) is still the one that the batch began on. Everything under a
 * committed size is immutable, so readers need no lock and no snapshot.
 *
 * A `struct store` is thread-safe, except that one batch may be open at a time. A reader serves one thread
 * at a time, and reads through a connection of its own: what it returns is what is stored, not what the
 * writer remembers. Errors: VT_EIO (the outcome is unknown: a process whose commit fails so must
 * end), VT_ENOMEM, VT_EBUSY (contention that lasted: nothing was done, try again), and those named below.
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
 * An index key is a 32-byte hash under which an entry can be found: its leaf hash first, then one per
 * (PAE hash, keyid) pair, subject digest, party and so on, as log/index.h defines them. The store keeps each
 * entry's keys in one sequential row beside it, and sorted runs of (prefix, index) made from them later.
 */
enum {
	STORE_KEYS_MAX = 256,    /* of one entry */
	STORE_RUNS_MAX = 256,
	STORE_CHUNK_SLOTS = 1024, /* of a run, read and written together */
};

struct index_slot {
	uint64_t prefix; /* first 8 bytes of an index key, big endian */
	uint64_t index;  /* of the entry that has it */
};

/* A sorted run: every key of the entries [first, end), ordered by (prefix, index). */
struct store_run {
	uint64_t id;    /* unique in this store, never used again */
	unsigned level; /* how many merges deep; 0 came from the tail */
	uint64_t first;
	uint64_t end;
	uint64_t slots;
};

/* Invariant: run[0].first == 0 if n > 0; run[i].end == run[i+1].first. The mark, up to which the runs
 * are complete, is the last end, or 0. */
struct store_runs {
	uint64_t version; /* raised by each replacement */
	uint64_t next_id;
	size_t n;
	struct store_run run[STORE_RUNS_MAX];
};

/* A published checkpoint as it is kept over time. */
struct store_checkpoint {
	uint64_t seq;  /* grows with each one kept */
	uint64_t size;
	uint64_t time; /* POSIX seconds at which it was published */
	struct bytes note;
};

struct store;
struct store_reader;
struct store_batch;

/* entry and keys are borrowed for the call. n_keys hashes. Returning an error stops the scan with it. */
typedef enum vt_err (*store_entry_fn)(void *ctx, uint64_t index, struct bytes entry,
    const struct merkle_hash *keys, size_t n_keys);
typedef enum vt_err (*store_checkpoint_fn)(void *ctx, const struct store_checkpoint *cp);
/* One sentence naming a place and what is wrong there. */
typedef enum vt_err (*store_fault_fn)(void *ctx, const char *place_and_fault);

struct store_ops {
	void (*free)(struct store *s);

	enum vt_err (*reader_new)(struct store_reader **out, struct store *s);
	void (*reader_free)(struct store_reader *r); /* NULL is legal */

	/* The committed head. The empty tree, with the root of nothing, in a new store. */
	enum vt_err (*read_state)(struct store_reader *r, struct tree_state *out);
	/* Append the latest published checkpoint to *note. VT_ENOTFOUND: none yet. note may be NULL. */
	enum vt_err (*read_published)(struct store_reader *r, uint64_t *size, struct buf *note);
	/* The first `width` hashes of a tile. VT_ENOTFOUND: the row is missing or shorter. */
	enum vt_err (*read_tile)(struct store_reader *r, unsigned level, uint64_t index, unsigned width,
	    struct merkle_hash *out);
	/* Visit the entries [first, first + n) in order. VT_ENOTFOUND: one is missing (those before it
	 * have been visited). */
	enum vt_err (*read_entries)(struct store_reader *r, uint64_t first, uint64_t n, store_entry_fn visit,
	    void *ctx);
	/* Checkpoints kept with seq > after, oldest first, at most limit. */
	enum vt_err (*read_checkpoints)(struct store_reader *r, uint64_t after, size_t limit,
	    store_checkpoint_fn visit, void *ctx);
	/* The newest one kept with time <= at. VT_ENOTFOUND. */
	enum vt_err (*read_checkpoint_at)(struct store_reader *r, uint64_t at, store_checkpoint_fn visit,
	    void *ctx);
	enum vt_err (*read_runs)(struct store_reader *r, struct store_runs *out);
	/* Slots [chunk * STORE_CHUNK_SLOTS, ...) of a run; *n is how many there are (the last chunk is
	 * shorter). VT_ENOTFOUND: no such chunk, or the run has been replaced: read the runs again. */
	enum vt_err (*read_chunk)(struct store_reader *r, uint64_t run, uint64_t chunk,
	    struct index_slot out[STORE_CHUNK_SLOTS], size_t *n);
	/* The backend's own faults, for fsck: broken pages, rows beyond the head, rows of the wrong shape. fault
	 * is called for each (bounded by its own return value). */
	enum vt_err (*check)(struct store_reader *r, store_fault_fn fault, void *ctx);

	/* A batch on top of `start`. Nothing is visible to anybody before the commit. */
	enum vt_err (*batch_begin)(struct store_batch **out, struct store *s,
	    const struct tree_state *start);
	/* The next entry: its index is start's size plus those added before. VT_ELIMIT. */
	enum vt_err (*batch_entry)(struct store_batch *b, struct bytes entry, const struct merkle_hash *keys,
	    size_t n_keys);
	/* Hashes that continue a tile at position `offset`. */
	enum vt_err (*batch_tile)(struct store_batch *b, unsigned level, uint64_t index, unsigned offset,
	    const struct merkle_hash *hashes, unsigned n);
	/*
	 * Entries, keys, tiles and head become durable together or not at all. VT_ECONFLICT: the stored head is
	 * no longer the batch's start, nothing was written. VT_EINVAL: next is not start plus the entries
	 * added, or a tile does not continue what is stored. The batch is used up whatever happens: discard it.
	 */
	enum vt_err (*batch_commit)(struct store_batch *b, const struct tree_state *next);
	void (*batch_discard)(struct store_batch *b); /* NULL, committed or open */

	/*
	 * Raise the published mark. Monotonic: a smaller size changes nothing and is VT_OK; the same size
	 * replaces the note (more cosignatures). Also kept over time, unless one is there already for this second, which it then replaces.
	 * VT_EINVAL: beyond the committed head. Need not be durable before it returns: a crash after it costs one signature.
	 */
	enum vt_err (*publish)(struct store *s, uint64_t size, struct bytes note, uint64_t time);

	/*
	 * Write a part of a run that no reader knows yet: slots from chunk * STORE_CHUNK_SLOTS, n of them (all chunks but
	 * the last are full). Repeating a chunk overwrites it.
	 */
	enum vt_err (*write_chunk)(struct store *s, uint64_t run, uint64_t chunk, const struct index_slot *slot,
	    size_t n);
	/*
	 * Put `next` in the place of the runs whose version is `expected`, and drop every chunk of a run not in
	 * it. VT_ECONFLICT: somebody else replaced them first (the chunks written for `next` may be gone too).
	 * VT_EINVAL: the invariant of struct store_runs does not hold or a run reaches beyond the head. next->version is ignored.
	 */
	enum vt_err (*replace_runs)(struct store *s, uint64_t expected, const struct store_runs *next);
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
 * The backends. Each makes the store if it is not there (identity NULL: VT_ENOTFOUND instead), and
 * refuses with VT_ECONFLICT, naming the difference in why, one that was made for another identity.
 */
enum { STORE_WHY_MAX = 256 };
enum vt_err store_memory_open(struct store **out, const struct store_identity *identity,
    char why[STORE_WHY_MAX]);
struct store_sqlite_config {
	const char *path;       /* of the database file */
	unsigned busy_seconds;  /* how long to wait for another process's write; 0: 10 */
	bool read_only;         /* for fsck: never writes, not even a journal if it can be avoided */
};
enum vt_err store_sqlite_open(struct store **out, const struct store_sqlite_config *config,
    const struct store_identity *identity, char why[STORE_WHY_MAX]);

#endif
