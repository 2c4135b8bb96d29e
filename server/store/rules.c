#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t bits_set(uint64_t n)
{
	size_t set = 0;

	for (; n != 0; n &= n - 1)
		set++;
	return set;
}

bool tree_state_valid(const struct tree_state *state)
{
	return state->range.size == state->head.size &&
	       state->range.n == bits_set(state->head.size);
}

bool slots_ordered(const struct index_slot *slot, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (slot[i - 1].prefix > slot[i].prefix ||
		    (slot[i - 1].prefix == slot[i].prefix && slot[i - 1].index > slot[i].index))
			return false;
	return true;
}

/* -- identity --------------------------------------------------------------------------------- */

static bool text_fits(const char *text)
{
	return text != NULL && strlen(text) <= STORE_IDENTITY_MAX;
}

enum vt_err identity_copy(struct store_identity *out, const struct store_identity *in)
{
	struct store_identity copy = {0};
	uint8_t *centre = NULL;

	if (!text_fits(in->origin) || !text_fits(in->vkey) || !text_fits(in->mode) ||
	    (strcmp(in->mode, "records") != 0 && strcmp(in->mode, "raw") != 0) ||
	    in->centre.len > STORE_IDENTITY_MAX)
		return VT_EINVAL;
	copy.origin = strdup(in->origin);
	copy.vkey = strdup(in->vkey);
	copy.mode = strdup(in->mode);
	centre = malloc(in->centre.len + 1);
	if (centre != NULL && in->centre.len != 0)
		memcpy(centre, in->centre.data, in->centre.len);
	copy.centre = bytes_of(centre, in->centre.len);
	if (copy.origin == NULL || copy.vkey == NULL || copy.mode == NULL || centre == NULL) {
		identity_release(&copy);
		return VT_ENOMEM;
	}
	*out = copy;
	return VT_OK;
}

/* A struct lends its members read-only; here alone they are owned. */
static void free_borrowed(const void *p)
{
	free((void *)(uintptr_t)p);
}

void identity_release(struct store_identity *identity)
{
	free_borrowed(identity->origin);
	free_borrowed(identity->vkey);
	free_borrowed(identity->mode);
	free_borrowed(identity->centre.data);
	*identity = (struct store_identity){0};
}

/* Text for a message: what could forge a line or a terminal sequence becomes '?'. */
enum { SHOWN_MAX = 90 };

static const char *shown(char out[SHOWN_MAX], const char *text)
{
	size_t i;

	for (i = 0; i < SHOWN_MAX - 1 && text[i] != '\0'; i++)
		out[i] = text[i] >= ' ' && text[i] != 0x7f ? text[i] : '?';
	out[i] = '\0';
	return out;
}

static enum vt_err texts_differ(const char *what, const char *stored, const char *expected,
				char why[STORE_WHY_MAX])
{
	char a[SHOWN_MAX], b[SHOWN_MAX];

	(void)snprintf(why, STORE_WHY_MAX, "the store's %s is \"%s\", not \"%s\"", what,
		       shown(a, stored), shown(b, expected));
	return VT_ECONFLICT;
}

enum vt_err identity_compare(const struct store_identity *stored,
			     const struct store_identity *expected, char why[STORE_WHY_MAX])
{
	if (strcmp(stored->origin, expected->origin) != 0)
		return texts_differ("origin", stored->origin, expected->origin, why);
	if (strcmp(stored->vkey, expected->vkey) != 0)
		return texts_differ("vkey", stored->vkey, expected->vkey, why);
	if (strcmp(stored->mode, expected->mode) != 0)
		return texts_differ("mode", stored->mode, expected->mode, why);
	if (!bytes_equal(stored->centre, expected->centre)) {
		(void)snprintf(why, STORE_WHY_MAX, "the store was made for another centre's key");
		return VT_ECONFLICT;
	}
	return VT_OK;
}

/* -- runs -------------------------------------------------------------------------------------- */

static bool claimed(const struct run_claims *claims, uint64_t run)
{
	for (size_t i = 0; i < claims->n; i++)
		if (claims->id[i] == run)
			return true;
	return false;
}

bool run_under_way(uint64_t id, uint64_t next_id)
{
	return next_id <= STORE_RUNS_UNDER_WAY || id >= next_id - STORE_RUNS_UNDER_WAY;
}

void claims_follow(struct run_claims *claims, const struct store_runs *stored)
{
	size_t n = 0;

	for (size_t i = 0; i < claims->n; i++)
		if (run_under_way(claims->id[i], stored->next_id) &&
		    runs_find(stored, claims->id[i]) == NULL)
			claims->id[n++] = claims->id[i];
	claims->n = n;
}

enum vt_err claims_judge(const struct run_claims *claims, uint64_t run, uint64_t *next_id)
{
	if (run == UINT64_MAX)
		return VT_ELIMIT;
	if (claimed(claims, run))
		return VT_OK;
	if (run < *next_id)
		return VT_ECONFLICT;
	*next_id = run + 1;
	return VT_OK;
}

void claims_add(struct run_claims *claims, uint64_t run)
{
	if (claimed(claims, run))
		return;
	if (claims->n == STORE_RUNS_MAX)
		memmove(claims->id, claims->id + 1, --claims->n * sizeof(claims->id[0]));
	claims->id[claims->n++] = run;
}

const struct store_run *runs_find(const struct store_runs *runs, uint64_t id)
{
	for (size_t i = 0; i < runs->n; i++)
		if (runs->run[i].id == id)
			return &runs->run[i];
	return NULL;
}

const char *runs_fault(const struct store_runs *runs, uint64_t size)
{
	uint64_t mark = 0;

	if (runs->n > STORE_RUNS_MAX)
		return "there are too many runs";
	for (size_t i = 0; i < runs->n; i++) {
		const struct store_run *run = &runs->run[i];

		if (run->first != mark)
			return "a run does not begin where the one before it ends";
		if (run->end <= run->first)
			return "a run covers nothing";
		if (run->end > size)
			return "a run reaches beyond the head";
		if (run->id >= runs->next_id)
			return "a run has an id that was never given out";
		if (runs_find(runs, run->id) != run)
			return "two runs have one id";
		if (run->slots / STORE_KEYS_MAX > run->end - run->first)
			return "a run has more slots than its entries can have keys";
		mark = run->end;
	}
	return NULL;
}

static bool run_equal(const struct store_run *a, const struct store_run *b)
{
	return a->id == b->id && a->level == b->level && a->first == b->first && a->end == b->end &&
	       a->slots == b->slots;
}

enum vt_err runs_judge(struct store_runs *out, const struct store_runs *stored,
		       const struct store_runs *next, const struct run_claims *claims,
		       uint64_t size)
{
	if (next->n > STORE_RUNS_MAX)
		return VT_EINVAL;
	*out = *next;
	out->version = stored->version + 1;
	if (out->next_id < stored->next_id)
		out->next_id = stored->next_id;
	for (size_t i = 0; i < next->n; i++) {
		const struct store_run *run = &next->run[i];
		const struct store_run *old = runs_find(stored, run->id);
		/* A run without slots has no chunk that could have claimed its id. */
		const bool ours =
		    claimed(claims, run->id) || (run->slots == 0 && run->id >= stored->next_id);

		if (run->id == UINT64_MAX || (old != NULL ? !run_equal(old, run) : !ours))
			return VT_EINVAL;
		if (out->next_id <= run->id)
			out->next_id = run->id + 1;
	}
	return runs_fault(out, size) == NULL ? VT_OK : VT_EINVAL;
}
