/* Judges, from the newest entry back, for whom each entry stands. */
#include "entry_standing.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void entry_standing_init(struct entry_standing *s, uint64_t index, const struct merkle_hash *leaf,
			 const struct statement *statement)
{
	*s = (struct entry_standing){.index = index, .leaf = *leaf};
	s->corrects = statement_correction(statement, &s->target, &s->withdraws);
}

static struct entry_standing_party *find_party(struct entry_standing *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->party[i].name, name) == 0)
			return &s->party[i];
	return NULL;
}

void entry_standing_add(struct entry_standing *s, const struct registered_key *key)
{
	struct entry_standing_party *p = find_party(s, key->party);

	if (p == NULL && s->n < ENTRY_STANDING_PARTIES_MAX) {
		p = &s->party[s->n++];
		*p = (struct entry_standing_party){.name = key->party};
	}
	if (p != NULL && strcmp(key->role, "centre") == 0)
		p->centre = true;
}

static int by_index(const void *a, const void *b)
{
	const struct entry_standing *one = a, *other = b;

	return (one->index > other->index) - (one->index < other->index);
}

bool entry_standing_for(const struct entry_standing *s, const char *party)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->party[i].stands && strcasecmp(s->party[i].name, party) == 0)
			return true;
	return false;
}

bool entry_standing_for_anyone(const struct entry_standing *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->party[i].stands)
			return true;
	return false;
}

bool entry_standing_takes_effect(const struct entry_standing *correction,
				 const struct entry_standing *target, const char *party)
{
	if (!correction->corrects || correction->index <= target->index ||
	    correction->target.index != target->index ||
	    !merkle_hash_equal(&correction->target.leaf, &target->leaf))
		return false;
	for (size_t i = 0; i < correction->n; i++) {
		const struct entry_standing_party *q = &correction->party[i];

		if (q->stands && (q->centre || strcmp(q->name, party) == 0))
			return true;
	}
	return false;
}

/* What a correction, whose own standing is known, does to one entry. */
static void apply(const struct entry_standing *correction, struct entry_standing *target)
{
	for (size_t i = 0; i < target->n; i++) {
		struct entry_standing_party *p = &target->party[i];

		/* The newest came first, and is the one to name. */
		if (!p->stands || !entry_standing_takes_effect(correction, target, p->name))
			continue;
		p->stands = false;
		p->withdrawn = correction->withdraws;
		p->by = correction->index;
	}
}

/* The first entry of the sorted list whose index is at least this. */
static size_t first_at(const struct entry_standing *list, size_t n, uint64_t index)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void entry_standing_judge(struct entry_standing *list, size_t n)
{
	qsort(list, n, sizeof(*list), by_index);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < list[i].n; k++)
			list[i].party[k].stands = true;
	for (size_t i = n; i-- > 0;) {
		if (!list[i].corrects)
			continue;
		for (size_t t = first_at(list, n, list[i].target.index);
		     t < n && list[t].index == list[i].target.index; t++)
			apply(&list[i], &list[t]);
	}
}
