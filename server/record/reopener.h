/*
 * Opening many entries of a log at once. Replaying a log is mostly verifying signatures, and those of one entry do not
 * depend on what the entries before it made of the registry, but for which keys there are. So threads open entries ahead,
 * a slice of them at a time, while the owner judges the slice before, in order.
 *
 * Everything here is called by one thread, the owner's.
 */
#ifndef RECORD_REOPENER_H
#define RECORD_REOPENER_H

#include "admit.h"

enum {
	REOPEN_ENTRIES_MAX = 256,
	REOPEN_BYTES_MAX = 1 << 20, /* of entries; parsed they may take twenty times as much */
};

/* Entries in order. All zero is an empty one. */
struct reopen_slice {
	size_t n;
	struct reopened {
		uint64_t index;
		size_t start, len;     /* of its bytes */
		enum vt_err err;       /* what opening it said, and why */
		struct record *record; /* NULL: it did not open, or was taken */
		struct problem why;
	} entry[REOPEN_ENTRIES_MAX];
	struct buf bytes;
	uint64_t registry_version; /* that they were opened under */
};

/* Append a copy of an entry. VT_ELIMIT: the slice is full (one entry always fits an empty one). */
enum vt_err reopen_slice_add(struct reopen_slice *s, uint64_t index, struct bytes entry);
struct bytes reopen_slice_entry(const struct reopen_slice *s, size_t i);
void reopen_slice_clear(struct reopen_slice *s); /* empty again; keeps its memory */
void reopen_slice_release(struct reopen_slice *s);

struct reopener;

/* threads 0: one for each core. Borrowed from view: registry, origin and centre; the rest of it is not looked at. If no
 * thread can be had, the owner's does the work. */
enum vt_err reopener_new(struct reopener **out, unsigned threads,
			 const struct admission_view *view);
void reopener_free(struct reopener *r); /* NULL is legal; waits */

/* Begin opening all of s (waits for the slice before). Until reopener_wait() has returned, s is the threads', and the
 * registry must not change. */
void reopener_start(struct reopener *r, struct reopen_slice *s);
void reopener_wait(struct reopener *r); /* nothing under way: returns at once */

/*
 * What record_reopen() says of entry i under `view`, whose registry may have grown since the slice was opened: where that
 * could change the answer it is opened again. *out is the caller's.
 */
enum vt_err reopen_slice_take(struct record **out, struct reopen_slice *s, size_t i,
			      struct merkle_hasher *h, const struct admission_view *view,
			      struct problem *why);

#endif
