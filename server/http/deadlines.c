#include "http_deadlines.h"

void deadlines_init(struct deadlines *d, const uint64_t after[PHASES])
{
	for (size_t i = 0; i < PHASES; i++) {
		d->after[i] = after[i];
		d->list[i].prev = d->list[i].next = &d->list[i];
	}
}

void deadline_leave(struct deadline *t)
{
	if (t->next == NULL)
		return;
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->prev = t->next = NULL;
}

void deadline_enter(struct deadlines *d, struct deadline *t, enum http_phase phase, uint64_t now)
{
	struct deadline *head = &d->list[phase];

	deadline_leave(t);
	t->phase = phase;
	t->due = now + d->after[phase];
	t->prev = head->prev;
	t->next = head;
	head->prev->next = t;
	head->prev = t;
}

struct deadline *deadlines_due(const struct deadlines *d, uint64_t now)
{
	for (size_t i = 0; i < PHASES; i++) {
		struct deadline *first = d->list[i].next;

		if (first != &d->list[i] && first->due <= now)
			return first;
	}
	return NULL;
}

uint64_t deadlines_next(const struct deadlines *d)
{
	uint64_t soonest = UINT64_MAX;

	for (size_t i = 0; i < PHASES; i++) {
		const struct deadline *first = d->list[i].next;

		if (first != &d->list[i] && first->due < soonest)
			soonest = first->due;
	}
	return soonest;
}

struct deadline *deadlines_in(const struct deadlines *d, enum http_phase phase,
			      const struct deadline *t)
{
	struct deadline *next = t == NULL ? d->list[phase].next : t->next;

	return next == &d->list[phase] ? NULL : next;
}
