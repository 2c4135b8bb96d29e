/*
 * One changed bit of what an SQLite store holds, and back again. Link with SQLite::SQLite3. Failures that are no fault of
 * the store abort. The sequence of flips follows from the seed.
 */
#ifndef VITRINE_TEST_STORED_FLIP_H
#define VITRINE_TEST_STORED_FLIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;

struct stored_flip {
	char table[64];
	char column[64];
	int64_t number; /* the row's, 0 if its rows have none; as it was before */
	char row[160];  /* how SQL names the row, after the flip */
	size_t at;      /* byte of a text or blob */
	unsigned bit;   /* of that byte, or of the integer */
	char text[256]; /* all of this, for people */
};

/* Without its CHECK constraints: a broken disk does not ask them. */
struct sqlite3 *stored_open(const char *path);
void stored_close(struct sqlite3 *db);
/* The i-th text that a query gives, up to `max` of them; returns how many. */
size_t stored_names(struct sqlite3 *db, const char *sql, char name[][64], size_t max);

void stored_seed(uint64_t seed);
uint64_t stored_random(uint64_t below);

/* Flip one bit of one column of one row, chosen at random. false: there is none, or SQLite would not store that (a key that
 * exists already, say), and nothing was changed. */
bool stored_flip(struct sqlite3 *db, struct stored_flip *f, const char *table, const char *column);
/* The same again: what was flipped is flipped back. */
void stored_flip_back(struct sqlite3 *db, const struct stored_flip *f);

#endif
