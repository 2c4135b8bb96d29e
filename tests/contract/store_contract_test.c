/* The contract of server/store/store.h, sentence by sentence, on whichever backend is linked. */
#include "vitrine_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "growth.h"
#include "store_backend.h"

static const struct growth plain = {.history = 1};
static const struct growth other = {.history = 2};

/* What every test starts with: an empty store, a reader on it, and its state. */
struct world {
	struct store *store;
	struct store_reader *reader;
	struct tree_state state;
};

static const struct store_identity identity = {
    .origin = "example.com/log",
    .vkey = "example.com/log+00000000+AAAA",
    .mode = "records",
    .centre = {(const uint8_t *)"centre", 6},
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char why[STORE_WHY_MAX];

	backend_erase();
	if (w == NULL || backend_open(&w->store, &identity, why) != VT_OK ||
	    store_reader_new(&w->reader, w->store) != VT_OK ||
	    store_read_state(w->reader, &w->state) != VT_OK)
		return -1;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	store_reader_free(w->reader);
	store_free(w->store);
	free(w);
	backend_erase();
	return 0;
}

static void grow(struct world *w, size_t n)
{
	assert_int_equal(growth_commit(w->store, &w->state, &plain, n), VT_OK);
}

static void assert_whole(struct world *w, uint64_t size)
{
	uint64_t found;
	const char *wrong = growth_wrong(w->reader, &plain, &found);

	if (wrong != NULL)
		fail_msg("wrong at size %llu: %s", (unsigned long long)found, wrong);
	assert_int_equal(found, size);
}

static void assert_head(struct world *w, const struct tree_state *expected)
{
	struct tree_state now;

	assert_int_equal(store_read_state(w->reader, &now), VT_OK);
	assert_true(tree_head_equal(&now.head, &expected->head));
	assert_int_equal(now.range.size, expected->range.size);
	assert_int_equal(now.range.n, expected->range.n);
	assert_memory_equal(now.range.node, expected->range.node,
			    now.range.n * sizeof(now.range.node[0]));
}

static enum vt_err count_entry(void *ctx, uint64_t index, struct bytes entry,
			       const struct merkle_hash *keys, size_t n_keys)
{
	size_t *n = ctx;

	(void)index, (void)entry, (void)keys, (void)n_keys;
	++*n;
	return VT_OK;
}

static enum vt_err no_fault_expected(void *ctx, const char *place_and_fault)
{
	(void)ctx;
	fail_msg("%s", place_and_fault);
	return VT_EMISMATCH;
}

/* -- identity -----------------------------------------------------------------------------------
 */

static void store_keeps_the_identity_it_was_made_for(void **state)
{
	struct world *w = *state;

	assert_string_equal(w->store->identity.origin, identity.origin);
	assert_string_equal(w->store->identity.vkey, identity.vkey);
	assert_string_equal(w->store->identity.mode, identity.mode);
	assert_true(bytes_equal(w->store->identity.centre, identity.centre));
	assert_ptr_not_equal(w->store->identity.origin, identity.origin);
}

static void identity_of_no_known_mode_is_refused(void **state)
{
	struct store_identity odd = identity;
	char why[STORE_WHY_MAX];
	struct store *s;

	(void)state;
	odd.mode = "neither";
	backend_erase();
	assert_int_equal(backend_open(&s, &odd, why), VT_EINVAL);
	assert_null(s);
	assert_string_not_equal(why, "");
}

static void without_an_identity_nothing_is_made(void **state)
{
	char why[STORE_WHY_MAX];
	struct store *s;

	(void)state;
	backend_erase();
	assert_int_equal(backend_open(&s, NULL, why), VT_ENOTFOUND);
	assert_null(s);
	assert_string_not_equal(why, "");
}

/* -- head and batches ---------------------------------------------------------------------------
 */

static void new_store_holds_the_empty_tree(void **state)
{
	struct world *w = *state;
	struct tree_state empty = {0};
	struct merkle_hasher hasher;

	assert_int_equal(merkle_hasher_init(&hasher), VT_OK);
	assert_int_equal(merkle_hash_empty(&empty.head.root, &hasher), VT_OK);
	merkle_hasher_release(&hasher);
	assert_head(w, &empty);
	assert_whole(w, 0);
}

static void commit_makes_the_whole_batch_visible(void **state)
{
	struct world *w = *state;

	grow(w, 1);
	assert_whole(w, 1);
	grow(w, 254);
	assert_whole(w, 255);
	grow(w, 1);
	assert_whole(w, 256);
	grow(w, 700);
	assert_whole(w, 956);
	assert_head(w, &w->state);
}

static void tree_of_three_levels_of_tiles_is_kept(void **state)
{
	struct world *w = *state;

	for (unsigned i = 0; i < 16; i++)
		grow(w, 4095);
	grow(w, 15);
	assert_whole(w, 65535);
	grow(w, 2);
	assert_whole(w, 65537);
}

static void reader_sees_nothing_before_commit(void **state)
{
	struct world *w = *state;
	struct merkle_hash tile[TILE_WIDTH];
	struct tree_state next;
	struct store_batch *b;
	size_t n = 0;

	grow(w, 10);
	assert_int_equal(growth_batch(&b, &next, w->store, &w->state, &plain, 300), VT_OK);
	assert_head(w, &w->state);
	assert_int_equal(store_read_entries(w->reader, 10, 1, count_entry, &n), VT_ENOTFOUND);
	assert_int_equal(n, 0);
	assert_int_equal(store_read_tile(w->reader, 0, 0, 11, tile), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 0, 1, 1, tile), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 1, 0, 1, tile), VT_ENOTFOUND);
	assert_int_equal(store_batch_commit(b, &next), VT_OK);
	store_batch_discard(b);
	assert_whole(w, 310);
}

static void discard_leaves_no_trace(void **state)
{
	struct world *w = *state;
	struct tree_state next;
	struct store_batch *b;

	grow(w, 10);
	assert_int_equal(growth_batch(&b, &next, w->store, &w->state, &other, 300), VT_OK);
	store_batch_discard(b);
	store_batch_discard(NULL);
	assert_head(w, &w->state);
	grow(w, 300);
	assert_whole(w, 310);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
}

static void commit_on_stale_head_conflicts(void **state)
{
	struct world *w = *state;
	const struct tree_state stale = w->state;
	struct tree_state next;
	struct store_batch *b;

	grow(w, 3);
	assert_int_equal(growth_batch(&b, &next, w->store, &stale, &other, 5), VT_OK);
	assert_int_equal(store_batch_commit(b, &next), VT_ECONFLICT);
	store_batch_discard(b);
	assert_whole(w, 3);
	assert_head(w, &w->state);
	grow(w, 4);
	assert_whole(w, 7);
}

static void of_two_open_batches_the_first_to_commit_wins(void **state)
{
	struct world *w = *state;
	struct tree_state won, lost;
	struct store_batch *first, *second;

	grow(w, 3);
	assert_int_equal(growth_batch(&first, &lost, w->store, &w->state, &other, 2), VT_OK);
	assert_int_equal(growth_batch(&second, &won, w->store, &w->state, &plain, 4), VT_OK);
	assert_int_equal(store_batch_commit(second, &won), VT_OK);
	assert_int_equal(store_batch_commit(first, &lost), VT_ECONFLICT);
	store_batch_discard(first);
	store_batch_discard(second);
	assert_whole(w, 7);
}

static void commit_with_same_size_other_root_conflicts(void **state)
{
	struct world *w = *state;
	struct tree_state forked, next;
	struct store_batch *b;

	grow(w, 3);
	forked = w->state;
	forked.head.root.b[31] ^= 1;
	assert_int_equal(growth_batch(&b, &next, w->store, &forked, &plain, 1), VT_OK);
	assert_int_equal(store_batch_commit(b, &next), VT_ECONFLICT);
	store_batch_discard(b);
	assert_whole(w, 3);
}

static void commit_beyond_the_head_conflicts(void **state)
{
	struct world *w = *state;
	struct tree_state ahead = {.head.size = 8, .range = {.size = 8, .n = 1}}, next;
	struct store_batch *b;

	grow(w, 3);
	assert_int_equal(growth_batch(&b, &next, w->store, &ahead, &plain, 1), VT_OK);
	assert_int_equal(store_batch_commit(b, &next), VT_ECONFLICT);
	store_batch_discard(b);
	assert_whole(w, 3);
}

static void empty_batch_changes_nothing(void **state)
{
	struct world *w = *state;

	grow(w, 0);
	assert_whole(w, 0);
	grow(w, 5);
	grow(w, 0);
	assert_whole(w, 5);
}

static void probe_changes_nothing(void **state)
{
	struct world *w = *state;
	char why[STORE_WHY_MAX] = "";

	assert_int_equal(store_probe(w->store, true, why), VT_OK);
	grow(w, 300);
	assert_int_equal(store_probe(w->store, true, why), VT_OK);
	assert_int_equal(store_probe(w->store, false, why), VT_OK);
	assert_string_equal(why, "");
	assert_whole(w, 300);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
	grow(w, 1);
	assert_whole(w, 301);
}

static void batch_commits_only_once(void **state)
{
	struct world *w = *state;
	struct tree_state next;
	struct store_batch *b;

	assert_int_equal(growth_batch(&b, &next, w->store, &w->state, &plain, 2), VT_OK);
	assert_int_equal(store_batch_commit(b, &next), VT_OK);
	assert_int_equal(store_batch_commit(b, &next), VT_EINVAL);
	assert_int_equal(store_batch_entry(b, bytes_str("late"), NULL, 0), VT_EINVAL);
	store_batch_discard(b);
	assert_whole(w, 2);
}

static void commit_that_is_not_start_plus_its_entries_is_refused(void **state)
{
	struct world *w = *state;
	struct tree_state right, wrong;
	struct store_batch *b;

	grow(w, 6);
	for (unsigned fault = 0; fault < 4; fault++) {
		assert_int_equal(growth_batch(&b, &right, w->store, &w->state, &plain, 2), VT_OK);
		wrong = right;
		if (fault == 0)
			wrong.head.size++;
		else if (fault == 1)
			wrong.range.size--;
		else if (fault == 2)
			wrong.range.n++;
		else
			wrong = w->state;
		assert_int_equal(store_batch_commit(b, &wrong), VT_EINVAL);
		assert_int_equal(store_batch_commit(b, &right), VT_EINVAL);
		store_batch_discard(b);
	}
	assert_whole(w, 6);
}

static void batch_on_an_impossible_state_is_refused(void **state)
{
	struct world *w = *state;
	struct tree_state odd = w->state;
	struct store_batch *b;

	odd.range.n = 1;
	assert_int_equal(store_batch_begin(&b, w->store, &odd), VT_EINVAL);
	assert_null(b);
	odd = w->state;
	odd.range.size = 1;
	odd.range.n = 1;
	assert_int_equal(store_batch_begin(&b, w->store, &odd), VT_EINVAL);
	assert_null(b);
}

/* -- tiles --------------------------------------------------------------------------------------
 */

static void tile_continues_only_at_its_end(void **state)
{
	struct world *w = *state;
	struct merkle_hash hashes[TILE_WIDTH] = {0};
	struct store_batch *b;

	grow(w, 250);
	assert_int_equal(store_batch_begin(&b, w->store, &w->state), VT_OK);
	assert_int_equal(store_batch_tile(b, 0, 0, 249, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 0, 0, 251, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 0, 1, 0, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 0, 0, 250, hashes, 7), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 1, 0, 1, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 8, 0, 0, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 0, UINT64_MAX, 250, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 0, 0, 250, hashes, 6), VT_OK);
	assert_int_equal(store_batch_tile(b, 0, 0, 256, hashes, 1), VT_EINVAL);
	assert_int_equal(store_batch_tile(b, 0, 1, 0, hashes, 1), VT_OK);
	store_batch_discard(b);
	assert_whole(w, 250);
}

static void commit_without_all_its_tile_hashes_is_refused(void **state)
{
	struct world *w = *state;
	struct merkle_hash hashes[2] = {0};
	struct tree_state next = {.head.size = 2, .range = {.size = 2, .n = 1}};
	struct store_batch *b;

	for (unsigned given = 0; given <= 2; given++) {
		assert_int_equal(store_batch_begin(&b, w->store, &w->state), VT_OK);
		assert_int_equal(store_batch_entry(b, bytes_str("a"), NULL, 0), VT_OK);
		assert_int_equal(store_batch_entry(b, bytes_str("b"), NULL, 0), VT_OK);
		assert_int_equal(store_batch_tile(b, 0, 0, 0, hashes, given), VT_OK);
		assert_int_equal(store_batch_commit(b, &next), given == 2 ? VT_OK : VT_EINVAL);
		store_batch_discard(b);
	}
}

static void tile_is_read_at_any_width_up_to_its_own(void **state)
{
	struct world *w = *state;
	struct merkle_hash whole[TILE_WIDTH], part[TILE_WIDTH];

	grow(w, 300);
	assert_int_equal(store_read_tile(w->reader, 0, 0, 256, whole), VT_OK);
	for (unsigned width = 1; width <= 256; width += 51) {
		assert_int_equal(store_read_tile(w->reader, 0, 0, width, part), VT_OK);
		assert_memory_equal(part, whole, width * sizeof(part[0]));
	}
	assert_int_equal(store_read_tile(w->reader, 0, 1, 44, part), VT_OK);
	assert_int_equal(store_read_tile(w->reader, 0, 1, 45, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 0, 2, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 1, 0, 1, part), VT_OK);
	assert_int_equal(store_read_tile(w->reader, 1, 0, 2, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 2, 0, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 63, 0, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 64, 0, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 0, UINT64_MAX, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 0, UINT64_MAX >> 8, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 7, UINT64_MAX >> 11, 1, part), VT_ENOTFOUND);
	assert_int_equal(store_read_tile(w->reader, 0, 0, 0, part), VT_EINVAL);
	assert_int_equal(store_read_tile(w->reader, 0, 0, 257, part), VT_EINVAL);
}

/* -- entries ------------------------------------------------------------------------------------
 */

static void scan_over_the_end_visits_what_is_there(void **state)
{
	struct world *w = *state;
	size_t n = 0;

	grow(w, 700);
	assert_int_equal(store_read_entries(w->reader, 0, 0, count_entry, &n), VT_OK);
	assert_int_equal(store_read_entries(w->reader, UINT64_MAX, 0, count_entry, &n), VT_OK);
	assert_int_equal(n, 0);
	assert_int_equal(store_read_entries(w->reader, 100, 600, count_entry, &n), VT_OK);
	assert_int_equal(n, 600);
	assert_int_equal(store_read_entries(w->reader, 100, 601, count_entry, &n), VT_ENOTFOUND);
	assert_int_equal(n, 1200);
	assert_int_equal(store_read_entries(w->reader, 699, UINT64_MAX, count_entry, &n),
			 VT_ENOTFOUND);
	assert_int_equal(n, 1201);
	assert_int_equal(store_read_entries(w->reader, 700, 1, count_entry, &n), VT_ENOTFOUND);
	assert_int_equal(store_read_entries(w->reader, UINT64_MAX, 1, count_entry, &n),
			 VT_ENOTFOUND);
	assert_int_equal(n, 1201);
}

static enum vt_err stop_at_third(void *ctx, uint64_t index, struct bytes entry,
				 const struct merkle_hash *keys, size_t n_keys)
{
	size_t *n = ctx;

	(void)index, (void)entry, (void)keys, (void)n_keys;
	return ++*n == 3 ? VT_EUNTRUSTED : VT_OK;
}

static void visitor_stops_a_scan_with_its_error(void **state)
{
	struct world *w = *state;
	size_t n = 0;

	grow(w, 10);
	assert_int_equal(store_read_entries(w->reader, 0, 10, stop_at_third, &n), VT_EUNTRUSTED);
	assert_int_equal(n, 3);
	n = 0;
	assert_int_equal(store_read_entries(w->reader, 0, 10, count_entry, &n), VT_OK);
	assert_int_equal(n, 10);
}

struct seen {
	struct buf entry;
	size_t n_keys;
	struct merkle_hash keys[STORE_KEYS_MAX];
};

static enum vt_err keep_entry(void *ctx, uint64_t index, struct bytes entry,
			      const struct merkle_hash *keys, size_t n_keys)
{
	struct seen *seen = ctx;

	(void)index;
	seen->n_keys = n_keys;
	if (n_keys != 0)
		memcpy(seen->keys, keys, n_keys * sizeof(*keys));
	buf_reset(&seen->entry);
	return buf_append(&seen->entry, entry);
}

static void largest_and_smallest_entries_are_kept(void **state)
{
	struct world *w = *state;
	static uint8_t large[BUNDLE_ENTRY_MAX + 1];
	static struct merkle_hash keys[STORE_KEYS_MAX + 1];
	struct tree_state next = {.head.size = 3, .range = {.size = 3, .n = 2}};
	struct merkle_hash hashes[3] = {0};
	struct seen seen = {0};
	struct store_batch *b;

	for (size_t i = 0; i < sizeof(large); i++)
		large[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t i = 0; i <= STORE_KEYS_MAX; i++)
		memset(keys[i].b, (int)i, sizeof(keys[i].b));
	assert_int_equal(store_batch_begin(&b, w->store, &w->state), VT_OK);
	assert_int_equal(store_batch_entry(b, bytes_of(large, sizeof(large)), keys, 1), VT_ELIMIT);
	assert_int_equal(store_batch_entry(b, bytes_str("x"), keys, STORE_KEYS_MAX + 1), VT_ELIMIT);
	assert_int_equal(
	    store_batch_entry(b, bytes_of(large, BUNDLE_ENTRY_MAX), keys, STORE_KEYS_MAX), VT_OK);
	assert_int_equal(store_batch_entry(b, bytes_of(NULL, 0), keys, 1), VT_OK);
	assert_int_equal(store_batch_entry(b, bytes_of(NULL, 0), NULL, 0), VT_OK);
	assert_int_equal(store_batch_tile(b, 0, 0, 0, hashes, 3), VT_OK);
	assert_int_equal(store_batch_commit(b, &next), VT_OK);
	store_batch_discard(b);

	assert_int_equal(store_read_entries(w->reader, 0, 1, keep_entry, &seen), VT_OK);
	assert_true(bytes_equal(buf_bytes(&seen.entry), bytes_of(large, BUNDLE_ENTRY_MAX)));
	assert_int_equal(seen.n_keys, STORE_KEYS_MAX);
	assert_memory_equal(seen.keys, keys, sizeof(seen.keys));
	assert_int_equal(store_read_entries(w->reader, 1, 1, keep_entry, &seen), VT_OK);
	assert_int_equal(seen.entry.len, 0);
	assert_int_equal(seen.n_keys, 1);
	assert_int_equal(store_read_entries(w->reader, 2, 1, keep_entry, &seen), VT_OK);
	assert_int_equal(seen.entry.len, 0);
	assert_int_equal(seen.n_keys, 0);
	buf_release(&seen.entry);
}

static void batch_of_4096_entries_of_a_kilobyte_is_kept(void **state)
{
	const struct growth large = {.history = 3, .entry_len = 1024};
	struct world *w = *state;
	uint64_t size;

	assert_int_equal(growth_commit(w->store, &w->state, &large, 4096), VT_OK);
	assert_null(growth_wrong(w->reader, &large, &size));
	assert_int_equal(size, 4096);
}

static void full_batch_refuses_more_and_can_be_committed(void **state)
{
	struct world *w = *state;
	struct tree_state next;
	struct store_batch *b;

	assert_int_equal(
	    growth_batch(&b, &next, w->store, &w->state, &plain, STORE_BATCH_ENTRIES_MAX), VT_OK);
	assert_int_equal(store_batch_entry(b, bytes_str("one too many"), NULL, 0), VT_ELIMIT);
	assert_int_equal(store_batch_commit(b, &next), VT_OK);
	store_batch_discard(b);
	assert_whole(w, STORE_BATCH_ENTRIES_MAX);
}

/* -- publishing ---------------------------------------------------------------------------------
 */

static enum vt_err publish(struct world *w, uint64_t size, const char *note, uint64_t at)
{
	return store_publish(w->store, size, bytes_str(note), at);
}

static void assert_published(struct world *w, uint64_t size, const char *text)
{
	struct buf note;
	uint64_t found;

	buf_init(&note);
	assert_int_equal(buf_append_str(&note, "> "), VT_OK);
	assert_int_equal(store_read_published(w->reader, &found, &note), VT_OK);
	assert_int_equal(found, size);
	assert_int_equal(note.len, 2 + strlen(text));
	assert_memory_equal(note.data + 2, text, strlen(text));
	buf_release(&note);
}

/* The checkpoints kept, as "seq:size@time=note " one after another. */
static enum vt_err list_checkpoint(void *ctx, const struct store_checkpoint *cp)
{
	struct buf *list = ctx;

	return buf_appendf(list, "%llu:%llu@%llu=%.*s ", (unsigned long long)cp->seq,
			   (unsigned long long)cp->size, (unsigned long long)cp->time,
			   (int)cp->note.len, (const char *)cp->note.data);
}

static void assert_kept(struct world *w, uint64_t after, size_t limit, const char *expected)
{
	struct buf list;
	char *text;

	buf_init(&list);
	assert_int_equal(store_read_checkpoints(w->reader, after, limit, list_checkpoint, &list),
			 VT_OK);
	text = buf_detach_str(&list);
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void assert_kept_at(struct world *w, uint64_t at, const char *expected)
{
	struct buf list;
	char *text;

	buf_init(&list);
	assert_int_equal(store_read_checkpoint_at(w->reader, at, list_checkpoint, &list),
			 expected != NULL ? VT_OK : VT_ENOTFOUND);
	text = buf_detach_str(&list);
	assert_non_null(text);
	assert_string_equal(text, expected != NULL ? expected : "");
	free(text);
}

static void nothing_is_published_at_first(void **state)
{
	struct world *w = *state;
	uint64_t size;

	assert_int_equal(store_read_published(w->reader, &size, NULL), VT_ENOTFOUND);
	assert_kept(w, 0, 10, "");
	assert_kept_at(w, UINT64_MAX, NULL);
}

static void empty_tree_can_be_published(void **state)
{
	struct world *w = *state;

	assert_int_equal(publish(w, 0, "empty", 100), VT_OK);
	assert_published(w, 0, "empty");
	assert_int_equal(store_read_published(w->reader, NULL, NULL), VT_OK);
}

static void publish_is_monotonic(void **state)
{
	struct world *w = *state;

	grow(w, 10);
	assert_int_equal(publish(w, 7, "seven", 100), VT_OK);
	assert_int_equal(publish(w, 6, "six", 101), VT_OK);
	assert_published(w, 7, "seven");
	assert_int_equal(publish(w, 10, "ten", 102), VT_OK);
	assert_int_equal(publish(w, 7, "seven again", 103), VT_OK);
	assert_published(w, 10, "ten");
	assert_kept(w, 0, 10, "1:7@100=seven 2:10@102=ten ");
}

static void publishing_the_same_size_replaces_the_note(void **state)
{
	struct world *w = *state;

	grow(w, 10);
	assert_int_equal(publish(w, 10, "signed", 100), VT_OK);
	assert_int_equal(publish(w, 10, "signed and cosigned", 105), VT_OK);
	assert_published(w, 10, "signed and cosigned");
}

static void publish_beyond_head_is_refused(void **state)
{
	struct world *w = *state;
	uint64_t size;

	grow(w, 10);
	assert_int_equal(publish(w, 11, "eleven", 100), VT_EINVAL);
	assert_int_equal(publish(w, UINT64_MAX, "all", 100), VT_EINVAL);
	assert_int_equal(store_read_published(w->reader, &size, NULL), VT_ENOTFOUND);
	assert_kept(w, 0, 10, "");
}

static void empty_or_huge_note_is_refused(void **state)
{
	struct world *w = *state;
	uint8_t *huge = calloc(1, STORE_NOTE_MAX + 1);

	assert_non_null(huge);
	assert_int_equal(publish(w, 0, "", 100), VT_EINVAL);
	assert_int_equal(store_publish(w->store, 0, bytes_of(huge, STORE_NOTE_MAX + 1), 100),
			 VT_ELIMIT);
	assert_int_equal(store_publish(w->store, 0, bytes_of(huge, STORE_NOTE_MAX), 100), VT_OK);
	free(huge);
}

static void same_second_keeps_one_checkpoint(void **state)
{
	struct world *w = *state;

	grow(w, 10);
	assert_int_equal(publish(w, 1, "one", 100), VT_OK);
	assert_int_equal(publish(w, 2, "two", 101), VT_OK);
	assert_int_equal(publish(w, 3, "three", 101), VT_OK);
	assert_int_equal(publish(w, 4, "four", 101), VT_OK);
	assert_int_equal(publish(w, 5, "five", 102), VT_OK);
	assert_kept(w, 0, 10, "1:1@100=one 4:4@101=four 5:5@102=five ");
}

static void checkpoints_are_listed_after_a_seq(void **state)
{
	struct world *w = *state;

	grow(w, 10);
	for (uint64_t i = 0; i < 5; i++)
		assert_int_equal(publish(w, i, "n", 100 + i), VT_OK);
	assert_kept(w, 0, 2, "1:0@100=n 2:1@101=n ");
	assert_kept(w, 2, 2, "3:2@102=n 4:3@103=n ");
	assert_kept(w, 4, SIZE_MAX, "5:4@104=n ");
	assert_kept(w, 5, 2, "");
	assert_kept(w, UINT64_MAX, 2, "");
	assert_kept(w, 0, 0, "");
}

static void checkpoint_at_a_time_is_the_newest_until_then(void **state)
{
	struct world *w = *state;

	grow(w, 10);
	assert_int_equal(publish(w, 1, "one", 100), VT_OK);
	assert_int_equal(publish(w, 2, "two", 110), VT_OK);
	assert_kept_at(w, 99, NULL);
	assert_kept_at(w, 100, "1:1@100=one ");
	assert_kept_at(w, 109, "1:1@100=one ");
	assert_kept_at(w, 110, "2:2@110=two ");
	assert_kept_at(w, UINT64_MAX, "2:2@110=two ");
}

static void assert_covering(struct world *w, uint64_t size, const char *expected)
{
	struct buf list;

	buf_init(&list);
	assert_int_equal(store_read_checkpoint_covering(w->reader, size, list_checkpoint, &list),
			 expected != NULL ? VT_OK : VT_ENOTFOUND);
	if (expected != NULL)
		assert_true(bytes_is(buf_bytes(&list), expected));
	buf_release(&list);
}

static void checkpoint_covering_a_size_is_the_oldest_that_does(void **state)
{
	struct world *w = *state;

	assert_covering(w, 0, NULL);
	grow(w, 20);
	assert_int_equal(publish(w, 0, "none", 99), VT_OK);
	assert_int_equal(publish(w, 3, "three", 100), VT_OK);
	assert_int_equal(publish(w, 5, "five", 110), VT_OK);
	assert_int_equal(publish(w, 5, "five again", 111), VT_OK);
	assert_int_equal(publish(w, 6, "six", 112), VT_OK);
	assert_int_equal(publish(w, 9, "nine", 112), VT_OK); /* seq 5 is no more */
	assert_int_equal(publish(w, 12, "twelve", 90), VT_OK);
	assert_covering(w, 0, "1:0@99=none ");
	assert_covering(w, 1, "2:3@100=three ");
	assert_covering(w, 3, "2:3@100=three ");
	assert_covering(w, 4, "3:5@110=five ");
	assert_covering(w, 5, "3:5@110=five ");
	assert_covering(w, 6, "6:9@112=nine ");
	assert_covering(w, 9, "6:9@112=nine ");
	assert_covering(w, 10, "7:12@90=twelve ");
	assert_covering(w, 13, NULL);
	assert_covering(w, UINT64_MAX, NULL);
}

static void clock_set_back_loses_no_published_size(void **state)
{
	struct world *w = *state;

	grow(w, 10);
	assert_int_equal(publish(w, 1, "one", 200), VT_OK);
	assert_int_equal(publish(w, 2, "two", 100), VT_OK);
	assert_published(w, 2, "two");
	assert_kept_at(w, 150, "2:2@100=two ");
	assert_int_equal(publish(w, 3, "three", 200), VT_OK);
	assert_published(w, 3, "three");
	assert_kept(w, 0, 10, "2:2@100=two 3:3@200=three ");
}

/* -- index runs ---------------------------------------------------------------------------------
 */

static void make_slots(struct index_slot *slot, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		slot[i] = (struct index_slot){.prefix = UINT64_MAX / 3000 * i, .index = seed + i};
}

static enum vt_err write_run(struct world *w, uint64_t run, uint64_t slots)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];

	for (uint64_t c = 0; slots != 0; c++) {
		const size_t n = slots < STORE_CHUNK_SLOTS ? (size_t)slots : STORE_CHUNK_SLOTS;
		enum vt_err err;

		make_slots(slot, n, run * 1000 + c);
		if ((err = store_write_chunk(w->store, run, c, slot, n)) != VT_OK)
			return err;
		slots -= n;
	}
	return VT_OK;
}

static void assert_run_readable(struct world *w, uint64_t run, uint64_t slots)
{
	struct index_slot expected[STORE_CHUNK_SLOTS], found[STORE_CHUNK_SLOTS];
	uint64_t c;
	size_t n;

	for (c = 0; slots != 0; c++) {
		const size_t want = slots < STORE_CHUNK_SLOTS ? (size_t)slots : STORE_CHUNK_SLOTS;

		make_slots(expected, want, run * 1000 + c);
		assert_int_equal(store_read_chunk(w->reader, run, c, found, &n), VT_OK);
		assert_int_equal(n, want);
		assert_memory_equal(found, expected, n * sizeof(*found));
		slots -= want;
	}
	assert_int_equal(store_read_chunk(w->reader, run, c, found, &n), VT_ENOTFOUND);
}

static void assert_run_gone(struct world *w, uint64_t run)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];
	size_t n;

	for (uint64_t c = 0; c < 4; c++)
		assert_int_equal(store_read_chunk(w->reader, run, c, slot, &n), VT_ENOTFOUND);
}

static struct store_runs runs_now(struct world *w)
{
	struct store_runs runs;

	assert_int_equal(store_read_runs(w->reader, &runs), VT_OK);
	return runs;
}

/* Add a run over the next `n` entries, of `slots` slots. Returns its id. */
static uint64_t add_run(struct world *w, uint64_t n, uint64_t slots)
{
	struct store_runs runs = runs_now(w);
	const uint64_t mark = runs.n == 0 ? 0 : runs.run[runs.n - 1].end;
	const uint64_t id = runs.next_id;

	assert_int_equal(write_run(w, id, slots), VT_OK);
	runs.run[runs.n++] =
	    (struct store_run){.id = id, .first = mark, .end = mark + n, .slots = slots};
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	return id;
}

static void new_store_has_no_runs(void **state)
{
	struct world *w = *state;
	const struct store_runs runs = runs_now(w);

	assert_int_equal(runs.n, 0);
	assert_int_equal(runs.version, 0);
	assert_run_gone(w, runs.next_id);
}

static void runs_are_kept_as_they_were_given(void **state)
{
	struct world *w = *state;
	struct store_runs runs;
	uint64_t a, b;

	grow(w, 100);
	a = add_run(w, 40, 2500);
	b = add_run(w, 60, STORE_CHUNK_SLOTS);
	runs = runs_now(w);
	assert_int_equal(runs.n, 2);
	assert_int_equal(runs.version, 2);
	assert_int_equal(runs.run[0].id, a);
	assert_int_equal(runs.run[1].id, b);
	assert_true(runs.next_id > b && b > a);
	assert_int_equal(runs.run[1].first, 40);
	assert_int_equal(runs.run[1].end, 100);
	assert_int_equal(runs.run[1].slots, STORE_CHUNK_SLOTS);
	assert_run_readable(w, a, 2500);
	assert_run_readable(w, b, STORE_CHUNK_SLOTS);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
}

static void replace_runs_with_stale_version_conflicts(void **state)
{
	struct world *w = *state;
	struct store_runs stale, now;

	grow(w, 100);
	add_run(w, 10, 10);
	stale = runs_now(w);
	add_run(w, 10, 10);
	assert_int_equal(store_replace_runs(w->store, stale.version, &stale), VT_ECONFLICT);
	now = runs_now(w);
	assert_int_equal(now.n, 2);
	assert_int_equal(store_replace_runs(w->store, now.version + 1, &now), VT_ECONFLICT);
}

static void chunks_of_dropped_runs_are_gone(void **state)
{
	struct world *w = *state;
	struct store_runs runs;
	uint64_t a, b, merged, unused;

	grow(w, 100);
	a = add_run(w, 10, 1500);
	b = add_run(w, 10, 1600);
	runs = runs_now(w);
	merged = runs.next_id;
	unused = merged + 1;
	assert_int_equal(write_run(w, merged, 3100), VT_OK);
	assert_int_equal(write_run(w, unused, 10), VT_OK);
	runs.n = 1;
	runs.run[0] =
	    (struct store_run){.id = merged, .level = 1, .first = 0, .end = 20, .slots = 3100};
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	assert_run_gone(w, a);
	assert_run_gone(w, b);
	assert_run_readable(w, merged, 3100);
	runs = runs_now(w);
	assert_int_equal(runs.n, 1);
	assert_int_equal(runs.run[0].level, 1);
	assert_true(runs.next_id > unused);
	/* What was never listed stays while somebody may be writing it. */
	assert_run_readable(w, unused, 10);
	runs.next_id = unused + STORE_RUNS_UNDER_WAY;
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	assert_run_readable(w, unused, 10);
	runs = runs_now(w);
	runs.next_id++;
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	assert_run_gone(w, unused);
	assert_run_readable(w, merged, 3100);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
}

/* A merge goes on while others fold: its chunks and its claim outlive their replacements. */
static void run_is_written_across_replacements(void **state)
{
	struct world *w = *state;
	struct index_slot slot[STORE_CHUNK_SLOTS];
	struct store_runs runs;
	uint64_t merged;

	grow(w, 100);
	add_run(w, 10, 1500);
	add_run(w, 10, 1600);
	merged = runs_now(w).next_id;
	assert_int_equal(write_run(w, merged, 2 * STORE_CHUNK_SLOTS), VT_OK);
	add_run(w, 10, 5);
	make_slots(slot, 100, merged * 1000 + 2);
	assert_int_equal(store_write_chunk(w->store, merged, 2, slot, 100), VT_OK);
	add_run(w, 10, 6);
	runs = runs_now(w);
	runs.n = 3;
	runs.run[0] = (struct store_run){
	    .id = merged, .level = 1, .first = 0, .end = 20, .slots = 2 * STORE_CHUNK_SLOTS + 100};
	runs.run[1] = runs.run[2];
	runs.run[2] = runs.run[3];
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	assert_run_readable(w, merged, 2 * STORE_CHUNK_SLOTS + 100);
	/* Listed, it is written no more. */
	assert_int_equal(store_write_chunk(w->store, merged, 2, slot, 100), VT_ECONFLICT);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
}

static void all_runs_can_be_dropped(void **state)
{
	struct world *w = *state;
	struct store_runs runs;
	uint64_t a;

	grow(w, 100);
	a = add_run(w, 10, 1500);
	runs = runs_now(w);
	runs.n = 0;
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	assert_run_gone(w, a);
	assert_true(runs_now(w).next_id > a);
}

static void run_id_that_was_given_out_is_refused(void **state)
{
	struct world *w = *state;
	struct index_slot slot[2];
	uint64_t a;

	grow(w, 100);
	make_slots(slot, 2, 0);
	a = add_run(w, 10, 10);
	assert_int_equal(store_write_chunk(w->store, a, 0, slot, 2), VT_ECONFLICT);
	assert_run_readable(w, a, 10);
	assert_int_equal(store_write_chunk(w->store, a + 5, 0, slot, 2), VT_OK);
	assert_int_equal(runs_now(w).next_id, a + 6);
	assert_int_equal(store_write_chunk(w->store, a + 4, 0, slot, 2), VT_ECONFLICT);
}

static void repeated_chunk_overwrites(void **state)
{
	struct world *w = *state;
	struct index_slot slot[STORE_CHUNK_SLOTS], found[STORE_CHUNK_SLOTS];
	const uint64_t id = runs_now(w).next_id;
	size_t n;

	make_slots(slot, 20, 5);
	assert_int_equal(store_write_chunk(w->store, id, 0, slot, 20), VT_OK);
	make_slots(slot, 10, 6);
	assert_int_equal(store_write_chunk(w->store, id, 0, slot, 10), VT_OK);
	assert_int_equal(store_read_chunk(w->reader, id, 0, found, &n), VT_OK);
	assert_int_equal(n, 10);
	assert_memory_equal(found, slot, 10 * sizeof(*slot));
}

static void chunk_of_no_or_unordered_slots_is_refused(void **state)
{
	struct world *w = *state;
	struct index_slot slot[STORE_CHUNK_SLOTS + 1] = {{2, 0}, {1, 0}};
	const uint64_t id = runs_now(w).next_id;

	assert_int_equal(store_write_chunk(w->store, id, 0, slot, 0), VT_EINVAL);
	assert_int_equal(store_write_chunk(w->store, id, 0, slot, 2), VT_EINVAL);
	slot[1] = (struct index_slot){2, UINT64_MAX};
	slot[0] = slot[1];
	assert_int_equal(store_write_chunk(w->store, id, 0, slot, 2), VT_OK);
	slot[0] = (struct index_slot){2, 7};
	slot[1] = (struct index_slot){2, 6};
	assert_int_equal(store_write_chunk(w->store, id, 0, slot, 2), VT_EINVAL);
	memset(slot, 0, sizeof(slot));
	assert_int_equal(store_write_chunk(w->store, id, 0, slot, STORE_CHUNK_SLOTS + 1),
			 VT_EINVAL);
}

/* Replace the runs, with one fault in what is otherwise right. */
static void faulty_runs_are_refused(void **state)
{
	struct world *w = *state;
	struct store_runs before, next;
	uint64_t id;

	grow(w, 100);
	add_run(w, 10, 10);
	id = runs_now(w).next_id;
	assert_int_equal(write_run(w, id, 2000), VT_OK);
	before = runs_now(w);
	for (unsigned fault = 0; fault < 11; fault++) {
		next = before;
		next.n = 2;
		next.run[1] = (struct store_run){.id = id, .first = 10, .end = 60, .slots = 2000};
		if (fault == 0)
			next.run[1].first = 11;
		else if (fault == 1)
			next.run[1].first = 9;
		else if (fault == 2)
			next.run[1].end = 10;
		else if (fault == 3)
			next.run[1].end = 101;
		else if (fault == 4)
			next.run[1].slots = 2001;
		else if (fault == 5)
			next.run[1].slots = 1024;
		else if (fault == 6)
			next.run[1].id = id + 1;
		else if (fault == 7)
			next.run[1].id = next.run[0].id;
		else if (fault == 8)
			next.run[0].level++;
		else if (fault == 9)
			next.run[0].slots--;
		else
			next.n = STORE_RUNS_MAX + 1;
		if (store_replace_runs(w->store, before.version, &next) != VT_EINVAL)
			fail_msg("fault %u was taken", fault);
	}
	assert_int_equal(runs_now(w).version, before.version);
	next = before;
	next.n = 2;
	next.run[1] = (struct store_run){.id = id, .first = 10, .end = 60, .slots = 2000};
	assert_int_equal(store_replace_runs(w->store, before.version, &next), VT_OK);
	assert_run_readable(w, id, 2000);
}

static void run_without_slots_needs_no_chunk(void **state)
{
	struct world *w = *state;
	struct store_runs runs;

	grow(w, 10);
	runs = runs_now(w);
	runs.n = 1;
	runs.run[0] = (struct store_run){.id = runs.next_id, .first = 0, .end = 10};
	assert_int_equal(store_replace_runs(w->store, runs.version, &runs), VT_OK);
	assert_int_equal(runs_now(w).next_id, runs.next_id + 1);
	assert_int_equal(runs_now(w).n, 1);
}

static void as_many_runs_as_there_may_be_are_kept(void **state)
{
	struct world *w = *state;
	struct store_runs runs;

	grow(w, STORE_RUNS_MAX);
	for (unsigned i = 0; i < STORE_RUNS_MAX; i++)
		add_run(w, 1, 1);
	runs = runs_now(w);
	assert_int_equal(runs.n, STORE_RUNS_MAX);
	for (unsigned i = 0; i < STORE_RUNS_MAX; i++)
		assert_run_readable(w, runs.run[i].id, 1);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
}

/* -- many at once -------------------------------------------------------------------------------
 */

enum { WATCHERS = 4, WATCHED_BATCHES = 150 };

struct watch {
	struct store *store;
	atomic_bool *done;
	const char *wrong;
	uint64_t looks;
};

/* The head must only grow, and everything below it must be there. */
static void *watch(void *arg)
{
	struct merkle_hash tile[TILE_WIDTH];
	struct watch *me = arg;
	struct store_reader *r;
	struct tree_state now;
	uint64_t last = 0, published;
	bool done = false;

	if (store_reader_new(&r, me->store) != VT_OK) {
		me->wrong = "no reader";
		return NULL;
	}
	while (!done && me->wrong == NULL) {
		size_t n = 0;

		done = atomic_load(me->done);
		if (store_read_state(r, &now) != VT_OK || now.head.size < last)
			me->wrong = "the head";
		else if (store_read_entries(r, last, now.head.size - last, count_entry, &n) !=
			     VT_OK ||
			 n != now.head.size - last)
			me->wrong = "entries below the head";
		else if (now.head.size != 0 &&
			 store_read_tile(r, 0, (now.head.size - 1) / TILE_WIDTH,
					 (unsigned)((now.head.size - 1) % TILE_WIDTH) + 1,
					 tile) != VT_OK)
			me->wrong = "the last tile";
		else if (store_read_published(r, &published, NULL) == VT_OK &&
			 (store_read_state(r, &now) != VT_OK || published > now.head.size))
			me->wrong = "the published size";
		last = now.head.size;
		me->looks++;
	}
	store_reader_free(r);
	return NULL;
}

static void readers_see_only_whole_batches_while_they_are_written(void **state)
{
	struct world *w = *state;
	struct watch watcher[WATCHERS];
	pthread_t thread[WATCHERS];
	atomic_bool done = false;

	for (unsigned i = 0; i < WATCHERS; i++) {
		watcher[i] = (struct watch){.store = w->store, .done = &done};
		assert_int_equal(pthread_create(&thread[i], NULL, watch, &watcher[i]), 0);
	}
	for (unsigned i = 0; i < WATCHED_BATCHES; i++) {
		grow(w, 1 + i % 60);
		assert_int_equal(publish(w, w->state.head.size - i % 2, "note", 100 + i / 3),
				 VT_OK);
		if (i % 10 == 9)
			add_run(w, 5 + i % 7, 1100);
	}
	atomic_store(&done, true);
	for (unsigned i = 0; i < WATCHERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		if (watcher[i].wrong != NULL)
			fail_msg("watcher %u: %s", i, watcher[i].wrong);
		assert_true(watcher[i].looks > 0);
	}
	assert_whole(w, w->state.head.size);
	assert_int_equal(store_check(w->reader, no_fault_expected, NULL), VT_OK);
}

enum { APPENDERS = 3, APPENDED = 40 };

struct appender {
	struct store *store;
	unsigned conflicts;
	enum vt_err err;
};

/* Append until 40 batches of one's own are in, on whatever head there is. */
static void *append_batches(void *arg)
{
	struct appender *me = arg;
	struct store_reader *r;
	unsigned left = APPENDED;

	if ((me->err = store_reader_new(&r, me->store)) != VT_OK)
		return NULL;
	while (left != 0 && me->err == VT_OK) {
		struct tree_state head;

		if ((me->err = store_read_state(r, &head)) != VT_OK)
			break;
		me->err = growth_commit(me->store, &head, &plain, 3);
		if (me->err == VT_OK) {
			left--;
		} else if (me->err == VT_ECONFLICT) {
			me->err = VT_OK;
			me->conflicts++;
		}
	}
	store_reader_free(r);
	return NULL;
}

static void appenders_on_one_store_make_one_history(void **state)
{
	struct world *w = *state;
	struct appender appender[APPENDERS];
	pthread_t thread[APPENDERS];

	for (unsigned i = 0; i < APPENDERS; i++) {
		appender[i] = (struct appender){.store = w->store};
		assert_int_equal(pthread_create(&thread[i], NULL, append_batches, &appender[i]), 0);
	}
	for (unsigned i = 0; i < APPENDERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(appender[i].err, VT_OK);
	}
	assert_whole(w, APPENDERS * APPENDED * 3);
}

#define IN_A_NEW_STORE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    IN_A_NEW_STORE(store_keeps_the_identity_it_was_made_for),
	    cmocka_unit_test(identity_of_no_known_mode_is_refused),
	    cmocka_unit_test(without_an_identity_nothing_is_made),
	    IN_A_NEW_STORE(new_store_holds_the_empty_tree),
	    IN_A_NEW_STORE(commit_makes_the_whole_batch_visible),
	    IN_A_NEW_STORE(tree_of_three_levels_of_tiles_is_kept),
	    IN_A_NEW_STORE(reader_sees_nothing_before_commit),
	    IN_A_NEW_STORE(discard_leaves_no_trace),
	    IN_A_NEW_STORE(commit_on_stale_head_conflicts),
	    IN_A_NEW_STORE(of_two_open_batches_the_first_to_commit_wins),
	    IN_A_NEW_STORE(commit_with_same_size_other_root_conflicts),
	    IN_A_NEW_STORE(commit_beyond_the_head_conflicts),
	    IN_A_NEW_STORE(empty_batch_changes_nothing),
	    IN_A_NEW_STORE(probe_changes_nothing),
	    IN_A_NEW_STORE(batch_commits_only_once),
	    IN_A_NEW_STORE(commit_that_is_not_start_plus_its_entries_is_refused),
	    IN_A_NEW_STORE(batch_on_an_impossible_state_is_refused),
	    IN_A_NEW_STORE(tile_continues_only_at_its_end),
	    IN_A_NEW_STORE(commit_without_all_its_tile_hashes_is_refused),
	    IN_A_NEW_STORE(tile_is_read_at_any_width_up_to_its_own),
	    IN_A_NEW_STORE(scan_over_the_end_visits_what_is_there),
	    IN_A_NEW_STORE(visitor_stops_a_scan_with_its_error),
	    IN_A_NEW_STORE(largest_and_smallest_entries_are_kept),
	    IN_A_NEW_STORE(batch_of_4096_entries_of_a_kilobyte_is_kept),
	    IN_A_NEW_STORE(full_batch_refuses_more_and_can_be_committed),
	    IN_A_NEW_STORE(nothing_is_published_at_first),
	    IN_A_NEW_STORE(empty_tree_can_be_published),
	    IN_A_NEW_STORE(publish_is_monotonic),
	    IN_A_NEW_STORE(publishing_the_same_size_replaces_the_note),
	    IN_A_NEW_STORE(publish_beyond_head_is_refused),
	    IN_A_NEW_STORE(empty_or_huge_note_is_refused),
	    IN_A_NEW_STORE(same_second_keeps_one_checkpoint),
	    IN_A_NEW_STORE(checkpoints_are_listed_after_a_seq),
	    IN_A_NEW_STORE(checkpoint_at_a_time_is_the_newest_until_then),
	    IN_A_NEW_STORE(checkpoint_covering_a_size_is_the_oldest_that_does),
	    IN_A_NEW_STORE(clock_set_back_loses_no_published_size),
	    IN_A_NEW_STORE(new_store_has_no_runs),
	    IN_A_NEW_STORE(runs_are_kept_as_they_were_given),
	    IN_A_NEW_STORE(replace_runs_with_stale_version_conflicts),
	    IN_A_NEW_STORE(chunks_of_dropped_runs_are_gone),
	    IN_A_NEW_STORE(run_is_written_across_replacements),
	    IN_A_NEW_STORE(all_runs_can_be_dropped),
	    IN_A_NEW_STORE(run_id_that_was_given_out_is_refused),
	    IN_A_NEW_STORE(repeated_chunk_overwrites),
	    IN_A_NEW_STORE(chunk_of_no_or_unordered_slots_is_refused),
	    IN_A_NEW_STORE(faulty_runs_are_refused),
	    IN_A_NEW_STORE(run_without_slots_needs_no_chunk),
	    IN_A_NEW_STORE(as_many_runs_as_there_may_be_are_kept),
	    IN_A_NEW_STORE(readers_see_only_whole_batches_while_they_are_written),
	    IN_A_NEW_STORE(appenders_on_one_store_make_one_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
