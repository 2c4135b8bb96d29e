/* Whatever is done to them, right or wrong, a store in memory and one in SQLite give the same answers. */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "growth.h"
#include "made_store.h"
#include "memory_store.h"
#include "scratch.h"

static const struct growth plain = {.history = 1};
static const struct growth other = {.history = 2};

static const struct store_identity identity = {
    .origin = "example.com/log", .vkey = "example.com/log+00000000+AAAA", .mode = "raw"};

enum { MEMORY, SQLITE, STORES };

struct twins {
	struct store *store[STORES];
	struct store_reader *reader[STORES];
};

static char path[1024];
static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 20) % n;
}

static bool one_in(unsigned n)
{
	return random_below(n) == 0;
}

static void open_sqlite(struct twins *t)
{
	const struct store_sqlite_config config = {.path = path};
	char why[STORE_WHY_MAX];

	assert_int_equal(made_store_open(&t->store[SQLITE], &config, &identity, why), VT_OK);
	assert_int_equal(store_reader_new(&t->reader[SQLITE], t->store[SQLITE]), VT_OK);
}

static void assert_same(const enum vt_err err[STORES], const char *doing)
{
	if (err[MEMORY] != err[SQLITE])
		fail_msg("%s: %s in memory, %s in SQLite", doing, vt_err_text(err[MEMORY]),
			 vt_err_text(err[SQLITE]));
}

/* -- acts --------------------------------------------------------------------------------------- */

/* A batch on the head, or on one that is stale or of another history; complete, or spoilt. */
static void append(struct twins *t, const struct tree_state *stale)
{
	const struct growth *g = one_in(8) ? &other : &plain;
	const bool is_stale = one_in(6), spoilt = one_in(10), dropped = one_in(10);
	const size_t n = (size_t)random_below(one_in(5) ? 700 : 30);
	enum vt_err err[STORES];

	for (int i = 0; i < STORES; i++) {
		struct tree_state start, next;
		struct store_batch *b;

		assert_int_equal(store_read_state(t->reader[i], &start), VT_OK);
		if (is_stale)
			start = *stale;
		assert_int_equal(growth_batch(&b, &next, t->store[i], &start, g, n), VT_OK);
		if (spoilt)
			next.head.size++;
		err[i] = dropped ? VT_OK : store_batch_commit(b, &next);
		store_batch_discard(b);
	}
	assert_same(err, "append");
}

static void publish(struct twins *t)
{
	static uint64_t now = 1000;
	struct tree_state head;
	enum vt_err err[STORES];
	uint64_t size;
	char note[32];

	now += random_below(4);
	if (one_in(20))
		now -= random_below(10);
	assert_int_equal(store_read_state(t->reader[MEMORY], &head), VT_OK);
	size = head.head.size + 2 - random_below(5 < head.head.size ? 5 : 2);
	(void)snprintf(note, sizeof(note), "%llu", (unsigned long long)random_below(1 << 30));
	for (int i = 0; i < STORES; i++)
		err[i] = store_publish(t->store[i], size, bytes_str(note), now);
	assert_same(err, "publish");
}

static void write_chunks(struct twins *t)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];
	const size_t n = 1 + (size_t)random_below(one_in(3) ? STORE_CHUNK_SLOTS : 10);
	const uint64_t chunk = random_below(3);
	enum vt_err err[STORES];
	struct store_runs runs;
	uint64_t id;

	assert_int_equal(store_read_runs(t->reader[MEMORY], &runs), VT_OK);
	id = runs.next_id + 1 - random_below(runs.next_id < 4 ? 2 : 4);
	for (size_t k = 0; k < n; k++)
		slot[k] = (struct index_slot){.prefix = k << 30, .index = random_below(1 << 30)};
	for (int i = 0; i < STORES; i++)
		err[i] = store_write_chunk(t->store[i], id, chunk, slot, n);
	assert_same(err, "write_chunk");
}

/* Write a run over all from the mark on, and put it in, perhaps in the place of others, perhaps wrongly. */
static void replace_runs(struct twins *t)
{
	struct index_slot slot[STORE_CHUNK_SLOTS] = {{0, 0}};
	struct store_run added = {.level = (unsigned)random_below(9)};
	const uint64_t stale = one_in(6), wrong = random_below(12);
	struct store_runs runs, next;
	struct tree_state head;
	enum vt_err err[STORES];

	assert_int_equal(store_read_runs(t->reader[MEMORY], &runs), VT_OK);
	assert_int_equal(store_read_state(t->reader[MEMORY], &head), VT_OK);
	next = runs;
	next.n = one_in(3) ? (size_t)random_below(runs.n + 1) : runs.n;
	added.id = runs.next_id;
	added.first = next.n == 0 ? 0 : next.run[next.n - 1].end;
	added.end = head.head.size + (wrong == 0);
	added.slots = random_below(40) * (added.end - added.first);
	if (added.slots > 3 * STORE_CHUNK_SLOTS)
		added.slots = 3 * STORE_CHUNK_SLOTS - 7;
	for (uint64_t at = 0, n; at < added.slots; at += n) {
		n = added.slots - at < STORE_CHUNK_SLOTS ? added.slots - at : STORE_CHUNK_SLOTS;
		for (int i = 0; i < STORES; i++)
			err[i] = store_write_chunk(t->store[i], added.id, at / STORE_CHUNK_SLOTS,
						   slot, (size_t)n);
		assert_same(err, "write_chunk");
	}
	if (next.n < STORE_RUNS_MAX && added.end > added.first)
		next.run[next.n++] = added;
	if (wrong == 1 && next.n != 0)
		next.run[random_below(next.n)].slots++;
	else if (wrong == 2 && next.n != 0)
		next.run[random_below(next.n)].end--;
	else if (wrong == 3 && next.n != 0)
		next.run[random_below(next.n)].id += 1 - random_below(3);
	for (int i = 0; i < STORES; i++)
		err[i] = store_replace_runs(t->store[i], runs.version - stale, &next);
	assert_same(err, "replace_runs");
}

/* Claims of runs under way end with the store that has them, so make the other one forget them, too. */
static void reopen(struct twins *t)
{
	struct store_runs runs;

	for (int i = 0; i < STORES; i++) {
		assert_int_equal(store_read_runs(t->reader[i], &runs), VT_OK);
		runs.next_id +=
		    STORE_RUNS_UNDER_WAY; /* whose ids are then not under way any more */
		assert_int_equal(store_replace_runs(t->store[i], runs.version, &runs), VT_OK);
	}
	store_reader_free(t->reader[SQLITE]);
	store_free(t->store[SQLITE]);
	open_sqlite(t);
}

/* -- looks -------------------------------------------------------------------------------------- */

static enum vt_err list_entry(void *ctx, uint64_t index, struct bytes entry,
			      const struct merkle_hash *keys, size_t n_keys)
{
	enum vt_err err;

	if ((err = buf_appendf(ctx, "%llu ", (unsigned long long)index)) != VT_OK ||
	    (err = buf_append(ctx, entry)) != VT_OK)
		return err;
	return buf_append(ctx, bytes_of(keys, n_keys * sizeof(*keys)));
}

static enum vt_err list_checkpoint(void *ctx, const struct store_checkpoint *cp)
{
	return buf_appendf(ctx, "%llu:%llu@%llu=%.*s ", (unsigned long long)cp->seq,
			   (unsigned long long)cp->size, (unsigned long long)cp->time,
			   (int)cp->note.len, (const char *)cp->note.data);
}

/* The same question to both, chosen at random; what they answer goes to *out. */
static enum vt_err ask(struct store_reader *r, const uint64_t dice[4], struct buf *out)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];
	struct merkle_hash tile[TILE_WIDTH];
	struct store_runs runs;
	uint64_t size;
	enum vt_err err;
	size_t n;

	switch (dice[0] % 7) {
	case 0:
		return store_read_entries(r, dice[1] % 3000, dice[2] % 700, list_entry, out);
	case 1:
		n = 1 + (size_t)(dice[3] % TILE_WIDTH);
		err = store_read_tile(r, (unsigned)(dice[1] % 3), dice[2] % 12, (unsigned)n, tile);
		return err != VT_OK ? err : buf_append(out, bytes_of(tile, n * sizeof(*tile)));
	case 2:
		err = store_read_published(r, &size, out);
		return err != VT_OK ? err : buf_append_decimal(out, size);
	case 3:
		return store_read_checkpoints(r, dice[1] % 200, (size_t)(dice[2] % 50),
					      list_checkpoint, out);
	case 5:
		return store_read_checkpoint_covering(r, dice[1] % 3000, list_checkpoint, out);
	case 4:
		return store_read_checkpoint_at(r, 990 + dice[1] % 1500, list_checkpoint, out);
	default:
		if ((err = store_read_runs(r, &runs)) != VT_OK)
			return err;
		err = store_read_chunk(r, runs.next_id - dice[1] % 4, dice[2] % 4, slot, &n);
		return err != VT_OK ? err : buf_append(out, bytes_of(slot, n * sizeof(*slot)));
	}
}

static void look(struct twins *t)
{
	const uint64_t dice[4] = {random_below(1 << 30), random_below(1 << 30),
				  random_below(1 << 30), random_below(1 << 30)};
	struct buf answer[STORES];
	enum vt_err err[STORES];

	for (int i = 0; i < STORES; i++) {
		buf_init(&answer[i]);
		err[i] = ask(t->reader[i], dice, &answer[i]);
	}
	assert_same(err, "read");
	if (!bytes_equal(buf_bytes(&answer[MEMORY]), buf_bytes(&answer[SQLITE])))
		fail_msg("the answers to question %u differ", (unsigned)(dice[0] % 7));
	for (int i = 0; i < STORES; i++)
		buf_release(&answer[i]);
}

static void assert_same_state(struct twins *t)
{
	struct tree_state state[STORES];
	struct store_runs runs[STORES];

	for (int i = 0; i < STORES; i++) {
		memset(&runs[i], 0, sizeof(runs[i]));
		assert_int_equal(store_read_state(t->reader[i], &state[i]), VT_OK);
		assert_int_equal(store_read_runs(t->reader[i], &runs[i]), VT_OK);
	}
	assert_true(tree_head_equal(&state[0].head, &state[1].head));
	assert_int_equal(state[0].range.n, state[1].range.n);
	assert_memory_equal(state[0].range.node, state[1].range.node,
			    state[0].range.n * sizeof(state[0].range.node[0]));
	assert_int_equal(runs[0].version, runs[1].version);
	assert_int_equal(runs[0].next_id, runs[1].next_id);
	assert_int_equal(runs[0].n, runs[1].n);
	for (size_t k = 0; k < runs[0].n; k++) {
		assert_int_equal(runs[0].run[k].id, runs[1].run[k].id);
		assert_int_equal(runs[0].run[k].level, runs[1].run[k].level);
		assert_int_equal(runs[0].run[k].first, runs[1].run[k].first);
		assert_int_equal(runs[0].run[k].end, runs[1].run[k].end);
		assert_int_equal(runs[0].run[k].slots, runs[1].run[k].slots);
	}
}

static enum vt_err no_fault(void *ctx, const char *place_and_fault)
{
	(void)ctx;
	fail_msg("%s", place_and_fault);
	return VT_EMISMATCH;
}

/* Right acts must have been among the wrong ones. */
static void assert_round_was_worth_it(struct twins *t)
{
	struct tree_state state;
	struct store_runs runs;
	uint64_t published;

	assert_int_equal(store_read_state(t->reader[SQLITE], &state), VT_OK);
	assert_true(state.head.size > 500);
	assert_int_equal(store_read_runs(t->reader[SQLITE], &runs), VT_OK);
	assert_true(runs.version > 4);
	assert_int_equal(store_read_published(t->reader[SQLITE], &published, NULL), VT_OK);
	assert_true(published > 100);
}

static void random_acts_have_the_same_effect_on_both(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		struct tree_state stale;
		char why[STORE_WHY_MAX];
		struct twins t;

		random_state = 20261122 + round;
		scratch_clear();
		(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
		assert_int_equal(store_memory_open(&t.store[MEMORY], &identity, why), VT_OK);
		assert_int_equal(store_reader_new(&t.reader[MEMORY], t.store[MEMORY]), VT_OK);
		open_sqlite(&t);
		assert_int_equal(store_read_state(t.reader[MEMORY], &stale), VT_OK);
		for (unsigned act = 0; act < 150; act++) {
			switch (random_below(6)) {
			case 0:
			case 1:
				append(&t, &stale);
				break;
			case 2:
				publish(&t);
				break;
			case 3:
				write_chunks(&t);
				break;
			case 4:
				replace_runs(&t);
				break;
			default:
				if (one_in(8))
					reopen(&t);
				if (one_in(3))
					assert_int_equal(store_read_state(t.reader[MEMORY], &stale),
							 VT_OK);
			}
			assert_same_state(&t);
			for (unsigned i = 0; i < 4; i++)
				look(&t);
		}
		assert_round_was_worth_it(&t);
		for (int i = 0; i < STORES; i++) {
			assert_int_equal(store_check(t.reader[i], no_fault, NULL), VT_OK);
			store_reader_free(t.reader[i]);
			store_free(t.store[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_acts_have_the_same_effect_on_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
