/*
 * A store whose readers lie: it hands everything on to another store, and flips one bit of one answer of one reader.
 */
#ifndef VITRINE_TEST_FLIPPING_STORE_H
#define VITRINE_TEST_FLIPPING_STORE_H

#include "store.h"

/* What is flipped. */
enum flip_in {
	FLIP_NOTHING,
	FLIP_TILE,
	FLIP_ENTRY,
	FLIP_KEY,
};

struct flipping {
	struct store_ops ops;
	const struct store_ops *real;
	/* The reader that lies: the nth that was made, from 1. */
	unsigned liar;
	unsigned made;
	struct store_reader *reader;
	enum flip_in in;
	uint64_t after; /* answers (tiles or entries) that are left alone first */
	uint64_t bit;   /* of the answer, modulo its length */
	uint64_t seen;  /* answers so far */
	bool flipped;
};

/* From now on `s` goes through f. One store at a time. */
void flipping_install(struct flipping *f, struct store *s, unsigned liar);
void flipping_arm(struct flipping *f, enum flip_in in, uint64_t after, uint64_t bit);

#endif
