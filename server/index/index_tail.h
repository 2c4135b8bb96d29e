/*
 * One segment of the in-memory tail: a multimap from key prefixes to entries, built in entry order.
 *
 * Memory: a node for each key and a table of node numbers, 2 slots or fewer for each node. The entries of
 * one prefix form a list, newest first, with skew-binary jump pointers, so that a key that every entry has
 * (its predicate type, say) is searched in logarithmic time and appended to in constant time.
 *
 * Not locked: index.c keeps the one writer and the readers apart. Sealed segments are never written.
 */
#ifndef LOG_INDEX_TAIL_H
#define LOG_INDEX_TAIL_H

#include "store.h"

struct segment_node {
	uint64_t prefix;
	uint32_t entry; /* counted from the segment's first */
	uint32_t prev;  /* the same prefix's next older node; itself for the oldest */
	uint32_t jump;  /* an older node further down the list; itself for the oldest */
	uint32_t depth; /* nodes below this one in the list */
};

/* Invariant: nodes are in order of entry; table[] holds node numbers plus one, 0 is empty; each prefix
 * has one table slot, which names its newest node. */
struct segment {
	uint64_t first; /* entries [first, end) */
	uint64_t end;
	uint64_t seed; /* of the table's hash, so that nobody can choose what collides */
	size_t n;
	size_t cap;
	struct segment_node *node;
	uint32_t *table;
	size_t mask; /* of the table: a power of two less one */
};

/* Room for `keys` nodes is set aside (untouched memory costs nothing). */
enum vt_err segment_new(struct segment **out, uint64_t first, size_t keys, uint64_t seed);
void segment_free(struct segment *s);

/* Add the next entry's prefixes; equal ones count once. All or nothing. VT_ELIMIT: the segment is full. */
enum vt_err segment_append(struct segment *s, const struct merkle_hash *keys, size_t n);
/* Forget entries >= end. */
void segment_rollback(struct segment *s, uint64_t end);

/* The lowest entry >= from, or the highest one < below, with this prefix. */
bool segment_find(const struct segment *s, uint64_t prefix, uint64_t from, uint64_t *index);
bool segment_find_last(const struct segment *s, uint64_t prefix, uint64_t below, uint64_t *index);

/* Every (prefix, index) with index >= first, in a run's order. *out is new, freed with free(). */
enum vt_err segment_sorted(struct index_slot **out, size_t *n, const struct segment *s,
			   uint64_t first);

uint64_t index_prefix(const struct merkle_hash *key);

#endif
