/* What a JUnit report's tests amount to: lists of names, put together from several reports, and the result that they mean. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "junit.h"

enum vt_err junit_names_add(struct junit_names *names, char *name)
{
	/* Grow by doubling: n is a power of two exactly when the array is full. */
	if ((names->n & (names->n - 1)) == 0) {
		size_t cap = names->n ? 2 * names->n : 1;
		char **grown = reallocarray(names->name, cap, sizeof(*grown));
		if (grown == NULL)
			return VT_ENOMEM;
		names->name = grown;
	}
	names->name[names->n++] = name;
	return VT_OK;
}

static enum vt_err move_names(struct junit_names *into, struct junit_names *from)
{
	for (size_t i = 0; i < from->n; i++) {
		if (junit_names_add(into, from->name[i]) != VT_OK)
			return VT_ENOMEM;
		from->name[i] = NULL; /* transferred */
	}
	return VT_OK;
}

enum vt_err junit_add(struct junit_report *into, struct junit_report *from)
{
	if (move_names(&into->failed, &from->failed) != VT_OK ||
	    move_names(&into->not_run, &from->not_run) != VT_OK ||
	    move_names(&into->passed, &from->passed) != VT_OK)
		return VT_ENOMEM;
	into->unnamed_not_run += from->unnamed_not_run;
	return VT_OK;
}

/* -- repeats ----------------------------------------------------------------------------------------- */

struct slot {
	char **name;
	size_t order;
};

static int compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	int order = strcmp(*x->name, *y->name);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Slots [0, n) have one name. */
static enum vt_err number_equal(const struct slot *slot, size_t n)
{
	for (size_t i = n; i-- > 1;) {
		char *numbered = NULL;

		if (asprintf(&numbered, "%s (%zu)", *slot[i].name, i + 1) < 0)
			return VT_ENOMEM;
		free(*slot[i].name);
		*slot[i].name = numbered;
	}
	return VT_OK;
}

enum vt_err junit_number_repeats(struct junit_report *r)
{
	struct junit_names *lists[] = {&r->failed, &r->not_run, &r->passed};
	size_t n = r->failed.n + r->not_run.n + r->passed.n, filled = 0, end;
	struct slot *slots = calloc(n + 1, sizeof(*slots));
	enum vt_err err = VT_OK;

	if (slots == NULL)
		return VT_ENOMEM;
	for (size_t list = 0; list < 3; list++)
		for (size_t i = 0; i < lists[list]->n; i++, filled++)
			slots[filled] = (struct slot){&lists[list]->name[i], filled};
	qsort(slots, n, sizeof(*slots), compare_slots);
	for (size_t begin = 0; begin < n && err == VT_OK; begin = end) {
		for (end = begin + 1; end < n; end++)
			if (strcmp(*slots[begin].name, *slots[end].name) != 0)
				break;
		err = number_equal(slots + begin, end - begin);
	}
	free(slots);
	return err;
}

const char *junit_result(const struct junit_report *r)
{
	return r->failed.n > 0 ? "FAILED" : r->passed.n > 0 ? "PASSED" : NULL;
}

size_t junit_not_run(const struct junit_report *r)
{
	return r->not_run.n + r->unnamed_not_run;
}

static void names_release(struct junit_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct junit_names){NULL, 0};
}

void junit_release(struct junit_report *r)
{
	names_release(&r->passed);
	names_release(&r->failed);
	names_release(&r->not_run);
	names_release(&r->notes);
}
