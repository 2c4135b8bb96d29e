/*
 * Do the runs hold exactly what the entries' key rows say? Both sides are summed up, slot by slot, into keyed sums by
 * prefix; a sum that differs is looked into slot by slot. So memory is bounded, and two passes do for any log.
 */
#include "index_private.h"
#include "logline.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
	PARTS = 4096,         /* by the first 12 bits of the prefix */
	DETAIL_MAX = 1 << 20, /* slots of a part that are compared one by one */
	PLACE_MAX = 200,
	READ_SLICE = 1024, /* entries */
};

struct sum {
	uint64_t a;
	uint64_t b;
};

struct check {
	struct store_reader *r;
	store_fault_fn fault;
	void *ctx;
	uint64_t secret[4];
	uint64_t version; /* of the list that `run` is from */
	const struct store_run *run;
	struct sum rows[PARTS];
	struct sum run_sum[PARTS];
	/* While one part is looked into: what its rows say. */
	bool detail;
	unsigned part;
	size_t n;
	bool overflow;
	struct index_slot *slot;
};

static enum vt_err fault(const struct check *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static enum vt_err fault(const struct check *c, const char *fmt, ...)
{
	char text[PLACE_MAX], whole[PLACE_MAX + 40];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)snprintf(whole, sizeof(whole), "index run %" PRIu64 ": %s", c->run->id, text);
	return c->fault(c->ctx, whole);
}

/* The secrets are fresh for each check, so nobody can prepare rows whose sums agree. */
static uint64_t mix(uint64_t x, uint64_t y, uint64_t k)
{
	__extension__ typedef unsigned __int128 wide;
	wide m = (wide)(x ^ k) * ((y ^ (k << 32 | k >> 32)) | 1);
	uint64_t h = (uint64_t)m ^ (uint64_t)(m >> 64);

	h = (h ^ k ^ x) * 0x9e3779b97f4a7c15u;
	h ^= h >> 29;
	h = (h + y) * 0xbf58476d1ce4e5b9u;
	return h ^ h >> 32;
}

static unsigned part_of(uint64_t prefix)
{
	return (unsigned)(prefix >> 52);
}

static void add(const struct check *c, struct sum sums[PARTS], const struct index_slot *slot)
{
	struct sum *s = &sums[part_of(slot->prefix)];

	s->a += mix(slot->prefix, slot->index, c->secret[0]) ^ c->secret[1];
	s->b += mix(slot->index, slot->prefix, c->secret[2]) ^ c->secret[3];
}

/* -- what the rows say ---------------------------------------------------------------------------- */

static int compare_prefix(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static enum vt_err add_row(void *ctx, uint64_t index, struct bytes entry,
			   const struct merkle_hash *keys, size_t n_keys)
{
	uint64_t prefix[STORE_KEYS_MAX];
	struct check *c = ctx;

	(void)entry;
	if (n_keys > STORE_KEYS_MAX)
		return VT_ELIMIT;
	for (size_t i = 0; i < n_keys; i++)
		prefix[i] = index_prefix(&keys[i]);
	qsort(prefix, n_keys, sizeof(prefix[0]), compare_prefix);
	for (size_t i = 0; i < n_keys; i++) {
		struct index_slot slot = {prefix[i], index};

		if (i > 0 && prefix[i] == prefix[i - 1])
			continue;
		if (!c->detail)
			add(c, c->rows, &slot);
		else if (part_of(slot.prefix) != c->part)
			continue;
		else if (c->n == DETAIL_MAX)
			c->overflow = true;
		else
			c->slot[c->n++] = slot;
	}
	return VT_OK;
}

static enum vt_err read_rows(struct check *c)
{
	enum vt_err err = VT_OK;

	for (uint64_t at = c->run->first; err == VT_OK && at < c->run->end; at += READ_SLICE) {
		uint64_t n = c->run->end - at < READ_SLICE ? c->run->end - at : READ_SLICE;

		err = store_read_entries(c->r, at, n, add_row, c);
	}
	return err == VT_ENOTFOUND ? VT_EMISMATCH : err;
}

/* -- what the run says ---------------------------------------------------------------------------- */

/* *ended: a fault was found and told; the rest of the run means nothing then. */
static enum vt_err check_chunk(struct check *c, uint64_t no, const struct chunk *chunk,
			       struct index_slot *last, bool *ended)
{
	for (size_t i = 0; i < chunk->n; i++) {
		const struct index_slot *slot = &chunk->slot[i];

		*ended = true;
		if (slot->index < c->run->first || slot->index >= c->run->end)
			return fault(c,
				     "chunk %" PRIu64 " slot %zu: entry %" PRIu64
				     " is not one of the run's",
				     no, i, slot->index);
		if ((no > 0 || i > 0) && slot_compare(last, slot) >= 0)
			return fault(c, "chunk %" PRIu64 " slot %zu: not in order", no, i);
		*ended = false;
		*last = *slot;
		add(c, c->run_sum, slot);
	}
	return VT_OK;
}

/* A chunk is not there: has the run been replaced since its list was read? VT_ECONFLICT: so it has. */
static enum vt_err chunk_missing(struct check *c, uint64_t no)
{
	struct store_runs *now = malloc(sizeof(*now));
	enum vt_err err = now == NULL ? VT_ENOMEM : store_read_runs(c->r, now);

	if (err == VT_OK && now->version != c->version)
		err = VT_ECONFLICT;
	else if (err == VT_OK)
		err = fault(c, "chunk %" PRIu64 ": missing", no);
	free(now);
	return err;
}

static enum vt_err read_run(struct check *c, bool *ended)
{
	uint64_t chunks = (c->run->slots + STORE_CHUNK_SLOTS - 1) / STORE_CHUNK_SLOTS;
	struct index_slot last = {0, 0};
	struct chunk chunk;
	enum vt_err err;

	for (uint64_t no = 0; no < chunks && !*ended; no++) {
		uint64_t expected = c->run->slots - no * STORE_CHUNK_SLOTS;

		if (expected > STORE_CHUNK_SLOTS)
			expected = STORE_CHUNK_SLOTS;
		chunk.n = 0;
		err = store_read_chunk(c->r, c->run->id, no, chunk.slot, &chunk.n);
		*ended = err == VT_ENOTFOUND || (err == VT_OK && chunk.n != expected);
		if (err == VT_ENOTFOUND)
			return chunk_missing(c, no);
		if (*ended)
			return fault(c, "chunk %" PRIu64 ": of the wrong length", no);
		if (err != VT_OK || (err = check_chunk(c, no, &chunk, &last, ended)) != VT_OK)
			return err;
	}
	return VT_OK;
}

/* -- where they differ ---------------------------------------------------------------------------- */

static int compare_slot(const void *a, const void *b)
{
	return slot_compare(a, b);
}

/* The run's slots of one part against c->slot, which is sorted. */
static enum vt_err compare_part(struct check *c)
{
	struct run *run = run_new(c->run);
	struct index_slot target = {(uint64_t)c->part << 52, 0};
	struct chunk *chunk = calloc(1, sizeof(*chunk));
	enum vt_err err = VT_ENOMEM;
	size_t at = 0, i = 0;

	if (run == NULL || chunk == NULL)
		goto done;
	err = run_seek(run, c->r, &target, chunk, &at);
	while (err == VT_OK && part_of(chunk->slot[at].prefix) == c->part && i < c->n) {
		int order = slot_compare(&chunk->slot[at], &c->slot[i]);

		if (order < 0)
			break;
		if (order > 0) {
			err = fault(c, "no slot %016" PRIx64 " for entry %" PRIu64,
				    c->slot[i].prefix, c->slot[i].index);
			goto done;
		}
		i++;
		if (++at == chunk->n) {
			at = 0;
			err = chunk->no + 1 == run->chunks
				  ? VT_ENOTFOUND
				  : run_load(run, c->r, chunk->no + 1, chunk);
		}
	}
	if (err == VT_OK && part_of(chunk->slot[at].prefix) == c->part)
		err = fault(
		    c, "chunk %" PRIu64 " slot %zu: entry %" PRIu64 " has no key %016" PRIx64 "...",
		    chunk->no, at, chunk->slot[at].index, chunk->slot[at].prefix);
	else if ((err == VT_OK || err == VT_ENOTFOUND) && i < c->n)
		err = fault(c, "no slot %016" PRIx64 " for entry %" PRIu64, c->slot[i].prefix,
			    c->slot[i].index);
	else if (err == VT_OK || err == VT_ENOTFOUND)
		err = fault(c, "slots %03x...: differ from the entries' keys", c->part);
done:
	free(run);
	free(chunk);
	return err;
}

static enum vt_err look_into(struct check *c, unsigned part)
{
	enum vt_err err;

	c->detail = true;
	c->part = part;
	c->n = 0;
	c->overflow = false;
	c->slot = malloc(DETAIL_MAX * sizeof(c->slot[0]));
	err = c->slot == NULL ? VT_ENOMEM : read_rows(c);
	if (err == VT_OK && c->overflow) {
		err = fault(c, "slots %03x...: differ from the entries' keys", part);
	} else if (err == VT_OK) {
		qsort(c->slot, c->n, sizeof(c->slot[0]), compare_slot);
		err = compare_part(c);
	}
	free(c->slot);
	c->slot = NULL;
	c->detail = false;
	return err;
}

static enum vt_err check_run(struct check *c)
{
	bool ended = false;
	enum vt_err err;

	memset(c->rows, 0, sizeof(c->rows));
	memset(c->run_sum, 0, sizeof(c->run_sum));
	if ((err = read_run(c, &ended)) != VT_OK || ended)
		return err;
	if ((err = read_rows(c)) != VT_OK)
		return err;
	for (unsigned i = 0; i < PARTS; i++) {
		if (memcmp(&c->rows[i], &c->run_sum[i], sizeof(c->rows[i])) == 0)
			continue;
		return look_into(c, i);
	}
	return VT_OK;
}

enum vt_err index_check(struct store_reader *r, store_fault_fn fault_fn, void *ctx)
{
	struct check *c = calloc(1, sizeof(*c));
	struct store_runs *runs = malloc(sizeof(*runs));
	enum vt_err err = VT_ENOMEM;
	unsigned tries = 0;

	if (c == NULL || runs == NULL)
		goto done;
	c->r = r;
	c->fault = fault_fn;
	c->ctx = ctx;
	if (getrandom(c->secret, sizeof(c->secret), 0) != (ssize_t)sizeof(c->secret)) {
		err = INTERNAL_ERRNO("getrandom");
		goto done;
	}
	/* A log may be running, and replace what is being looked at: then from the beginning. */
	do {
		if ((err = store_read_runs(r, runs)) != VT_OK)
			break;
		c->version = runs->version;
		for (size_t i = 0; err == VT_OK && i < runs->n; i++) {
			c->run = &runs->run[i];
			err = check_run(c);
		}
	} while (err == VT_ECONFLICT && ++tries < INDEX_STALE_MAX);
done:
	free(runs);
	free(c);
	return err;
}
