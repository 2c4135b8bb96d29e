/*
 * Which prefixes a run certainly does not have: most of what is looked up in a log is new, and reading a chunk of every run
 * to learn that would cost as much as a signature. A Bloom filter whose bits for one prefix lie in one word.
 */
#ifndef LOG_INDEX_FILTER_H
#define LOG_INDEX_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct filter {
	uint64_t seed; /* so that nobody can prepare prefixes that all seem to be there */
	uint64_t mask; /* words less one: a power of two */
	uint64_t word[];
};

/* Bytes of a filter for so many slots: 8 to 16 bits each. SIZE_MAX: too many. */
size_t filter_size(uint64_t slots);
struct filter *filter_new(uint64_t slots, uint64_t seed); /* NULL: no memory */
void filter_add(struct filter *f, uint64_t prefix);
/* False: certainly not. True for what was not added in 1 of 20 to 1 of 100 cases. */
bool filter_may_have(const struct filter *f, uint64_t prefix);

#endif
