#include "index_tail.h"

#include <stdlib.h>
#include <string.h>

uint64_t index_prefix(const struct merkle_hash *key)
{
	uint64_t prefix = 0;

	for (size_t i = 0; i < 8; i++)
		prefix = prefix << 8 | key->b[i];
	return prefix;
}

/* Smallest power of two that holds n nodes at a load of at most 3/4. */
static size_t table_size(size_t n)
{
	size_t size = 16;

	while (size / 4 * 3 < n)
		size *= 2;
	return size;
}

enum vt_err segment_new(struct segment **out, uint64_t first, size_t keys, uint64_t seed)
{
	struct segment *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (s == NULL)
		return VT_ENOMEM;
	s->first = first;
	s->end = first;
	s->seed = seed | 1;
	s->cap = keys < 16 ? 16 : keys;
	s->mask = table_size(s->cap) - 1;
	s->node = malloc(s->cap * sizeof(s->node[0]));
	s->table = calloc(s->mask + 1, sizeof(s->table[0]));
	if (s->node == NULL || s->table == NULL) {
		segment_free(s);
		return VT_ENOMEM;
	}
	*out = s;
	return VT_OK;
}

void segment_free(struct segment *s)
{
	if (s == NULL)
		return;
	free(s->node);
	free(s->table);
	free(s);
}

/* The prefix's slot: the one that has it, or the empty one where it belongs. */
static size_t table_slot(const struct segment *s, uint64_t prefix)
{
	uint64_t h = (prefix ^ s->seed) * 0x9e3779b97f4a7c15u;
	size_t i;

	h = (h ^ h >> 32) * s->seed;
	for (i = (size_t)(h >> 32 ^ h) & s->mask; s->table[i] != 0; i = (i + 1) & s->mask) {
		if (s->node[s->table[i] - 1].prefix == prefix)
			break;
	}
	return i;
}

/*
 * Nodes are entered in their own order. Rollback leans on that: the newest prefix's slot can simply be
 * emptied, because no slot entered before it was placed by stepping over it.
 */
static enum vt_err segment_grow(struct segment *s, size_t more)
{
	size_t cap = s->cap;
	struct segment_node *node;
	uint32_t *table;

	while (cap - s->n < more)
		cap += cap / 2;
	if (cap > UINT32_MAX / 2)
		return VT_ELIMIT;
	table = calloc(table_size(cap), sizeof(table[0]));
	if (table == NULL)
		return VT_ENOMEM;
	node = realloc(s->node, cap * sizeof(node[0]));
	if (node == NULL) {
		free(table);
		return VT_ENOMEM;
	}
	free(s->table);
	s->node = node;
	s->cap = cap;
	s->table = table;
	s->mask = table_size(cap) - 1;
	for (size_t i = 0; i < s->n; i++)
		s->table[table_slot(s, node[i].prefix)] = (uint32_t)i + 1;
	return VT_OK;
}

static void segment_add(struct segment *s, uint32_t entry, uint64_t prefix)
{
	size_t slot = table_slot(s, prefix);
	uint32_t id = (uint32_t)s->n;
	struct segment_node *node = &s->node[id];

	*node = (struct segment_node){
	    .prefix = prefix, .entry = entry, .prev = id, .jump = id, .depth = 0};
	if (s->table[slot] != 0) {
		uint32_t p = s->table[slot] - 1;
		const struct segment_node *prev = &s->node[p];
		const struct segment_node *skip = &s->node[prev->jump];

		if (prev->entry == entry)
			return;
		/* Two jumps of equal length below make one of twice the length and one. */
		node->prev = p;
		node->depth = prev->depth + 1;
		node->jump = p;
		if (prev->depth - skip->depth == skip->depth - s->node[skip->jump].depth)
			node->jump = skip->jump;
	}
	s->table[slot] = id + 1;
	s->n++;
}

enum vt_err segment_append(struct segment *s, const struct merkle_hash *keys, size_t n)
{
	uint64_t entry = s->end - s->first;
	enum vt_err err;

	if (entry >= UINT32_MAX)
		return VT_ELIMIT;
	if (s->cap - s->n < n && (err = segment_grow(s, n)) != VT_OK)
		return err;
	for (size_t i = 0; i < n; i++)
		segment_add(s, (uint32_t)entry, index_prefix(&keys[i]));
	s->end++;
	return VT_OK;
}

void segment_rollback(struct segment *s, uint64_t end)
{
	while (s->n > 0 && s->first + s->node[s->n - 1].entry >= end) {
		uint32_t id = (uint32_t)s->n - 1;
		const struct segment_node *node = &s->node[id];
		size_t slot = table_slot(s, node->prefix);

		s->table[slot] = node->prev == id ? 0 : node->prev + 1;
		s->n--;
	}
	if (s->end > end)
		s->end = end > s->first ? end : s->first;
}

bool segment_find(const struct segment *s, uint64_t prefix, uint64_t from, uint64_t *index)
{
	uint32_t head = s->table[table_slot(s, prefix)];
	uint64_t least = from > s->first ? from - s->first : 0;
	const struct segment_node *cur;

	if (head == 0)
		return false;
	cur = &s->node[head - 1];
	if (cur->entry < least)
		return false;
	while (cur->depth > 0) {
		if (s->node[cur->jump].entry >= least)
			cur = &s->node[cur->jump];
		else if (s->node[cur->prev].entry >= least)
			cur = &s->node[cur->prev];
		else
			break;
	}
	*index = s->first + cur->entry;
	return true;
}

bool segment_find_last(const struct segment *s, uint64_t prefix, uint64_t below, uint64_t *index)
{
	uint32_t head = s->table[table_slot(s, prefix)];
	const struct segment_node *cur;

	if (head == 0 || below <= s->first)
		return false;
	cur = &s->node[head - 1];
	while (s->first + cur->entry >= below) {
		if (cur->depth == 0)
			return false;
		if (s->first + s->node[cur->jump].entry >= below)
			cur = &s->node[cur->jump];
		else
			cur = &s->node[cur->prev];
	}
	*index = s->first + cur->entry;
	return true;
}

/* Stable, byte by byte: slots that start in order of index end in order of (prefix, index). */
static void radix_sort(struct index_slot *slot, struct index_slot *scratch, size_t n)
{
	for (unsigned shift = 0; shift < 64; shift += 8) {
		size_t start[256] = {0}, sum = 0;
		struct index_slot *swap;

		for (size_t i = 0; i < n; i++)
			start[slot[i].prefix >> shift & 0xff]++;
		for (size_t d = 0; d < 256; d++) {
			size_t count = start[d];

			start[d] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			scratch[start[slot[i].prefix >> shift & 0xff]++] = slot[i];
		swap = slot;
		slot = scratch;
		scratch = swap;
	}
}

enum vt_err segment_sorted(struct index_slot **out, size_t *n, const struct segment *s,
			   uint64_t first)
{
	struct index_slot *slot = malloc((s->n + 1) * sizeof(*slot));
	struct index_slot *scratch = malloc((s->n + 1) * sizeof(*slot));

	*out = NULL;
	*n = 0;
	if (slot == NULL || scratch == NULL) {
		free(slot);
		free(scratch);
		return VT_ENOMEM;
	}
	for (size_t i = 0; i < s->n; i++) {
		uint64_t index = s->first + s->node[i].entry;

		if (index >= first)
			slot[(*n)++] = (struct index_slot){s->node[i].prefix, index};
	}
	radix_sort(slot, scratch, *n); /* an even number of passes: the result is in slot */
	free(scratch);
	*out = slot;
	return VT_OK;
}
