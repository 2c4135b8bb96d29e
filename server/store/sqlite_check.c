/*
 * What SQLite and the tables can be checked for without knowing what an entry means: broken pages,
 * rows that are missing, beyond the head or of the wrong shape, and digests. Together with what
 * log_fsck() recomputes from the entries this finds any one changed bit: server/DESIGN.md, "Store".
 */
#include "sqlite_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sqlite_rows.h"

/* What all checks share. err stays once it is set, and ends everything. */
struct check {
	struct sql *sql;
	store_fault_fn fault;
	void *ctx;
	enum vt_err err;
	struct tree_state head;
	bool head_known;
	struct store_runs runs;
	bool runs_known;
};

static void complain(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void complain(struct check *c, const char *fmt, ...)
{
	char text[512];
	va_list args;

	if (c->err != VT_OK)
		return;
	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	c->err = c->fault(c->ctx, text);
}

/* A table that cannot be read is a fault like any other; the rest is still looked at. */
static void finish(struct check *c, struct query *q, const char *table)
{
	const enum vt_err err = query_end(q);

	if (err == VT_EIO)
		complain(c, "%s: cannot be read to its end", table);
	else if (err != VT_OK && c->err == VT_OK)
		c->err = err;
}

static bool next_row(struct check *c, struct query *q)
{
	return c->err == VT_OK && query_row(q);
}

static void check_pages(struct check *c)
{
	struct query q = query_start(c->sql, SQL_CHECK_PAGES);

	while (next_row(c, &q)) {
		const char *said = query_text(&q, 0);

		if (q.err == VT_OK && strcmp(said, "ok") != 0)
			complain(c, "pages: %s", said);
	}
	finish(c, &q, "pages");
}

/* The text of the schema, too, is stored, and decides what the rows mean. */
static void check_schema(struct check *c)
{
	char why[STORE_WHY_MAX];
	struct sql *fresh;
	struct query a, b;
	bool more = true;

	if ((c->err = sql_open(&fresh, "", SQL_SCRATCH, 0, why)) != VT_OK)
		return;
	a = query_start(c->sql, SQL_CHECK_SCHEMA);
	b = query_start(fresh, SQL_CHECK_SCHEMA);
	while (more && c->err == VT_OK) {
		const bool there = query_row(&a), expected = query_row(&b);
		const char *found = there ? query_text(&a, 0) : "";
		const char *wanted = expected ? query_text(&b, 0) : "";

		if (a.err == VT_OK && b.err == VT_OK && strcmp(found, wanted) != 0) {
			complain(c, "schema: found \"%.150s\", expected \"%.150s\"", found, wanted);
			break; /* what follows is out of step */
		}
		more = there && expected;
	}
	finish(c, &b, "schema of a new store");
	finish(c, &a, "schema");
	sql_close(fresh);
}

static void check_identity(struct check *c)
{
	struct store_identity identity = {0};
	const char *what = NULL;
	const enum vt_err err = rows_read_identity(c->sql, &identity, true, &what);

	identity_release(&identity);
	if (err == VT_EIO)
		complain(c, "meta: %s", what != NULL ? what : "cannot be read");
	else if (err != VT_OK)
		c->err = err;
}

static void check_one_row(struct check *c, enum sql_statement count, const char *table)
{
	struct query q = query_start(c->sql, count);
	uint64_t n;

	if (next_row(c, &q)) {
		n = query_u64(&q, 0);
		if (q.err == VT_OK && n != 1)
			complain(c, "%s: %" PRIu64 " rows, expected 1", table, n);
	}
	finish(c, &q, table);
}

static void check_head(struct check *c)
{
	enum vt_err err;

	check_one_row(c, SQL_CHECK_HEAD, "head");
	if (c->err != VT_OK)
		return;
	err = rows_read_head(c->sql, &c->head);
	if (err == VT_EIO)
		complain(c, "head: missing, or its size, root and range do not fit each other");
	else
		c->err = err;
	c->head_known = err == VT_OK;
}

/* Rows come in order; say which are missing before this one. */
static void expect_row(struct check *c, const char *table, uint64_t *next, uint64_t now)
{
	if (now > *next)
		complain(c, "%s %" PRIu64 ": missing (%" PRIu64 " in a row)", table, *next,
			 now - *next);
	*next = now + 1;
}

static void check_entries(struct check *c)
{
	struct query q = query_start(c->sql, SQL_CHECK_ENTRIES);
	uint64_t next = 0;

	while (next_row(c, &q)) {
		const uint64_t index = query_u64(&q, 0);
		const uint64_t keys = query_u64(&q, 1);
		const uint64_t bytes = query_u64(&q, 2);
		const uint64_t blobs = query_u64(&q, 3);

		if (q.err != VT_OK)
			break;
		if (index >= c->head.head.size) {
			complain(c, "entry %" PRIu64 ": beyond the head", index);
			continue;
		}
		expect_row(c, "entry", &next, index);
		if (!blobs)
			complain(c, "entry %" PRIu64 ": its keys or bytes are no blob", index);
		if (keys % MERKLE_HASH_SIZE != 0 || keys > STORE_KEYS_MAX * MERKLE_HASH_SIZE)
			complain(c, "entry %" PRIu64 ": %" PRIu64 " bytes of keys", index, keys);
		if (bytes > BUNDLE_ENTRY_MAX)
			complain(c, "entry %" PRIu64 ": %" PRIu64 " bytes", index, bytes);
	}
	if (q.err == VT_OK)
		expect_row(c, "entry", &next, c->head.head.size);
	finish(c, &q, "entry");
}

enum { LEVELS = 1 << ROWS_LEVEL_BITS };

static void check_tile(struct check *c, uint64_t next[LEVELS], uint64_t id, uint64_t len)
{
	const unsigned level = (unsigned)(id % LEVELS);
	const uint64_t index = id >> ROWS_LEVEL_BITS;
	const unsigned width = tile_width(level, index, c->head.head.size);
	char table[32];

	if (width == 0) {
		complain(c, "tile %u/%" PRIu64 ": beyond the head", level, index);
		return;
	}
	(void)snprintf(table, sizeof(table), "tile of level %u", level);
	expect_row(c, table, &next[level], index);
	if (len != width * MERKLE_HASH_SIZE)
		complain(c, "tile %u/%" PRIu64 ": %" PRIu64 " bytes, expected %u", level, index,
			 len, width * MERKLE_HASH_SIZE);
}

static void check_tiles(struct check *c)
{
	struct query q = query_start(c->sql, SQL_CHECK_TILES);
	uint64_t next[LEVELS] = {0};

	while (next_row(c, &q)) {
		const uint64_t id = query_u64(&q, 0);
		const uint64_t len = query_u64(&q, 1);
		const uint64_t blob = query_u64(&q, 2);

		if (q.err != VT_OK)
			break;
		if (!blob)
			complain(c, "tile row %" PRIu64 ": no blob", id);
		check_tile(c, next, id, len);
	}
	for (unsigned level = 0; level < LEVELS && q.err == VT_OK; level++) {
		const uint64_t hashes = c->head.head.size >> (TILE_HEIGHT * level);
		char table[32];

		(void)snprintf(table, sizeof(table), "tile of level %u", level);
		expect_row(c, table, &next[level],
			   hashes / TILE_WIDTH + (hashes % TILE_WIDTH != 0));
	}
	finish(c, &q, "tile");
}

static void check_checkpoints(struct check *c)
{
	struct query q = query_start(c->sql, SQL_CHECK_CHECKPOINTS);
	uint64_t size = 0;

	while (next_row(c, &q)) {
		const uint64_t seq = query_u64(&q, 0);
		struct store_checkpoint cp;

		if (rows_checkpoint(&q, &cp) == VT_EIO) {
			complain(c, "checkpoint %" PRIu64 ": it does not have its digest", seq);
			q.err = VT_OK; /* look at the others, too */
			continue;
		}
		if (cp.size > c->head.head.size)
			complain(c, "checkpoint %" PRIu64 ": beyond the head", seq);
		if (cp.size < size)
			complain(c, "checkpoint %" PRIu64 ": smaller than one before it", seq);
		size = cp.size;
	}
	finish(c, &q, "checkpoint");
}

static void check_runs(struct check *c)
{
	const char *what;
	enum vt_err err;

	check_one_row(c, SQL_CHECK_RUNS, "runs");
	if (c->err != VT_OK)
		return;
	err = rows_read_runs(c->sql, &c->runs);
	c->runs_known = err == VT_OK;
	if (err == VT_EIO)
		complain(c, "runs: missing, or without their digest");
	else if (err != VT_OK)
		c->err = err;
	else if ((what = runs_fault(&c->runs, c->head.head.size)) != NULL)
		complain(c, "runs: %s", what);
}

static void check_chunk(struct check *c, uint64_t found[STORE_RUNS_MAX], uint64_t id, uint64_t len)
{
	const uint64_t run = id >> ROWS_CHUNK_BITS, chunk = id & UINT32_MAX;
	const struct store_run *known = runs_find(&c->runs, run);
	uint64_t before = chunk * STORE_CHUNK_SLOTS, left;

	if (known == NULL) {
		/* Under way, or left by a crash until the runs are next replaced. */
		if (run >= c->runs.next_id)
			complain(c, "chunk %" PRIu64 "/%" PRIu64 ": of a run that nobody made", run,
				 chunk);
		return;
	}
	if (before >= known->slots) {
		complain(c, "chunk %" PRIu64 "/%" PRIu64 ": beyond its run", run, chunk);
		return;
	}
	found[known - c->runs.run]++;
	left = known->slots - before;
	if (left > STORE_CHUNK_SLOTS)
		left = STORE_CHUNK_SLOTS;
	if (len != left * ROWS_SLOT_SIZE)
		complain(c, "chunk %" PRIu64 "/%" PRIu64 ": %" PRIu64 " bytes, expected %" PRIu64,
			 run, chunk, len, left * ROWS_SLOT_SIZE);
}

static void check_chunks(struct check *c)
{
	struct query q = query_start(c->sql, SQL_CHECK_CHUNKS);
	uint64_t found[STORE_RUNS_MAX] = {0};

	while (next_row(c, &q)) {
		const uint64_t id = query_u64(&q, 0);
		const uint64_t len = query_u64(&q, 1);
		const uint64_t blob = query_u64(&q, 2);

		if (q.err != VT_OK)
			break;
		if (!blob)
			complain(c, "chunk row %" PRIu64 ": no blob", id);
		check_chunk(c, found, id, len);
	}
	for (size_t i = 0; i < c->runs.n && q.err == VT_OK; i++) {
		const uint64_t slots = c->runs.run[i].slots;
		const uint64_t expected =
		    slots / STORE_CHUNK_SLOTS + (slots % STORE_CHUNK_SLOTS != 0);

		if (found[i] != expected)
			complain(c, "run %" PRIu64 ": %" PRIu64 " chunks, expected %" PRIu64,
				 c->runs.run[i].id, found[i], expected);
	}
	finish(c, &q, "chunk");
}

static enum vt_err run(struct sql *sql, enum sql_statement id)
{
	struct query q = query_start(sql, id);

	return query_run(&q);
}

enum vt_err sqlite_check(struct sql *sql, store_fault_fn fault, void *ctx)
{
	struct check c = {.sql = sql, .fault = fault, .ctx = ctx};
	enum vt_err err;

	check_pages(&c);
	check_schema(&c);
	/* One snapshot, or a log that grows would seem to have rows beyond its head. */
	if (c.err != VT_OK || (c.err = run(sql, SQL_BEGIN_READ)) != VT_OK)
		return c.err;
	check_identity(&c);
	check_head(&c);
	if (c.head_known) {
		check_entries(&c);
		check_tiles(&c);
		check_checkpoints(&c);
		check_runs(&c);
	}
	if (c.runs_known)
		check_chunks(&c);
	err = run(sql, SQL_END_READ);
	return c.err != VT_OK ? c.err : err;
}
