#include "index_filter.h"

#include <stdlib.h>

enum { BITS_PER_SLOT = 8, SLOTS_MAX_BITS = 40 };

/* Words: a power of two, at least BITS_PER_SLOT bits for each slot. */
static uint64_t words_for(uint64_t slots)
{
	uint64_t words = 1;

	if (slots >> SLOTS_MAX_BITS != 0)
		return 0;
	while (words * 64 < slots * BITS_PER_SLOT)
		words *= 2;
	return words;
}

size_t filter_size(uint64_t slots)
{
	uint64_t words = words_for(slots);

	return words == 0 ? SIZE_MAX : sizeof(struct filter) + (size_t)words * sizeof(uint64_t);
}

struct filter *filter_new(uint64_t slots, uint64_t seed)
{
	size_t size = filter_size(slots);
	struct filter *f = size == SIZE_MAX ? NULL : calloc(1, size);

	if (f == NULL)
		return NULL;
	f->seed = seed;
	f->mask = words_for(slots) - 1;
	return f;
}

static uint64_t spread(const struct filter *f, uint64_t prefix)
{
	uint64_t h = (prefix ^ f->seed) * 0x9e3779b97f4a7c15u;

	h = (h ^ h >> 32) * (f->seed | 1);
	return h ^ h >> 29;
}

/* Four of the word's bits, from the 24 bits of the hash that do not choose the word (of which there are at most 2^37). */
static uint64_t pattern(uint64_t h)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 4; i++)
		bits |= UINT64_C(1) << (h >> (40 + 6 * i) & 63);
	return bits;
}

void filter_add(struct filter *f, uint64_t prefix)
{
	uint64_t h = spread(f, prefix);

	f->word[h & f->mask] |= pattern(h);
}

bool filter_may_have(const struct filter *f, uint64_t prefix)
{
	uint64_t h = spread(f, prefix);
	uint64_t bits = pattern(h);

	return (f->word[h & f->mask] & bits) == bits;
}
