#include "vitrine_test.h"

#include <stdlib.h>
#include <string.h>

#include "model_tree.h"
#include "vitrine/tile.h"

enum {
	GROWN_SIZE = 70000,
	GROWN_LEVELS = 3,
};

/*
 * The tiles of a log of GROWN_SIZE entries, as a range emitted them: row[l] has every hash of
 * level l. At a smaller size the tiles are prefixes of these.
 */
static struct grown {
	struct merkle_hasher h;
	struct merkle_hash row[GROWN_LEVELS][GROWN_SIZE];
	struct merkle_hash root[GROWN_SIZE + 1]; /* as the range has it, at each size */
	uint64_t size;                           /* whose tiles are read */
	unsigned reads;
	enum vt_err fail;
} grown;

static enum vt_err keep(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	struct grown *g = ctx;

	if (id.height % TILE_HEIGHT == 0)
		g->row[id.height / TILE_HEIGHT][id.index] = *hash;
	return VT_OK;
}

static enum vt_err read_grown(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	struct grown *g = ctx;

	g->reads++;
	if (g->fail != VT_OK)
		return g->fail;
	assert_false(id->entries);
	assert_true(id->level < GROWN_LEVELS);
	assert_int_equal(id->width, tile_width(id->level, id->index, g->size));
	memcpy(out, &g->row[id->level][id->index * TILE_WIDTH], id->width * sizeof(*out));
	return VT_OK;
}

static int set_up(void **state)
{
	struct merkle_range r;

	(void)state;
	assert_int_equal(merkle_hasher_init(&grown.h), VT_OK);
	merkle_range_init(&r);
	assert_int_equal(merkle_range_root(&grown.root[0], &grown.h, &r), VT_OK);
	for (uint32_t i = 0; i < GROWN_SIZE; i++) {
		struct merkle_hash leaf;

		assert_int_equal(merkle_hash_leaf(&leaf, &grown.h, bytes_of(&i, sizeof(i))), VT_OK);
		assert_int_equal(merkle_range_append(&r, &grown.h, &leaf, keep, &grown), VT_OK);
		assert_int_equal(merkle_range_root(&grown.root[i + 1], &grown.h, &r), VT_OK);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	merkle_hasher_release(&grown.h);
	return 0;
}

static const struct {
	const char *path;
	struct tile_id id;
} paths[] = {
    {"tile/0/000", {false, 0, 0, 256}},
    {"tile/0/000.p/1", {false, 0, 0, 1}},
    {"tile/0/000.p/255", {false, 0, 0, 255}},
    {"tile/1/007.p/10", {false, 1, 7, 10}},
    {"tile/9/999", {false, 9, 999, 256}},
    {"tile/0/x001/000", {false, 0, 1000, 256}},
    {"tile/0/x001/x234/067", {false, 0, 1234067, 256}},
    {"tile/0/x001/x234/067.p/5", {false, 0, 1234067, 5}},
    {"tile/0/x100/x000/000", {false, 0, 100000000, 256}},
    {"tile/10/001", {false, 10, 1, 256}},
    {"tile/63/000.p/1", {false, 63, 0, 1}},
    {"tile/63/x018/x446/x744/x073/x709/x551/615.p/255", {false, 63, UINT64_MAX, 255}},
    {"tile/entries/000", {true, 0, 0, 256}},
    {"tile/entries/000.p/1", {true, 0, 0, 1}},
    {"tile/entries/x001/x234/067.p/255", {true, 0, 1234067, 255}},
    {"tile/entries/x018/x446/x744/x073/x709/x551/615.p/255", {true, 0, UINT64_MAX, 255}},
};

static void assert_same_tile(const struct tile_id *a, const struct tile_id *b)
{
	assert_int_equal(a->entries, b->entries);
	assert_int_equal(a->level, b->level);
	assert_true(a->index == b->index);
	assert_int_equal(a->width, b->width);
}

static void paths_parse_and_format_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char text[TILE_PATH_MAX];
		struct tile_id id;
		size_t len;

		assert_int_equal(tile_path_parse(&id, bytes_str(paths[i].path)), VT_OK);
		assert_same_tile(&id, &paths[i].id);
		assert_int_equal(tile_path_format(text, &len, &id), VT_OK);
		assert_string_equal(text, paths[i].path);
		assert_int_equal(len, strlen(text));
	}
}

static void every_path_has_one_spelling(void **state)
{
	uint64_t random = 23;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct tile_id back,
		    id = {
			.entries = model_random(&random) % 4 == 0,
			.index = model_random(&random) >> model_random(&random) % 64,
			.width = 1 + (unsigned)(model_random(&random) % TILE_WIDTH),
		    };
		char text[TILE_PATH_MAX];
		size_t len;

		id.level = id.entries ? 0 : (unsigned)(model_random(&random) % 64);
		assert_int_equal(tile_path_format(text, &len, &id), VT_OK);
		assert_int_equal(tile_path_parse(&back, bytes_of(text, len)), VT_OK);
		assert_same_tile(&back, &id);
	}
}

static void what_is_no_tile_path_is_refused(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "/tile/0/000", /* a leading slash */
	    "tile",
	    "tile/",
	    "tile/0", /* no index */
	    "tile/0/",
	    "tile//000",   /* no level */
	    "tile/64/000", /* "between 0 and 63" */
	    "tile/100/000",
	    "tile/256/000",
	    "tile/4294967296/000", /* 0 if it were cut to 32 bits */
	    "tile/18446744073709551616/000",
	    "tile/00/000", /* "no additional leading zeroes" */
	    "tile/01/000",
	    "tile/+1/000",
	    "tile/-1/000",
	    "tile/0x1/000",
	    "tile/x/000",
	    "tile/0/0", /* "3-digit path elements" */
	    "tile/0/00",
	    "tile/0/0000",
	    "tile/0/1000",
	    "tile/0/00a",
	    "tile/0/-01",
	    "tile/0/ 01",
	    "tile/0/x000", /* the last element has no x */
	    "tile/0/x001",
	    "tile/0/x001/",
	    "tile/0/x001/x002",
	    "tile/0/001/002", /* all others have one */
	    "tile/0/x001/002/003",
	    "tile/0/X001/002",
	    "tile/0/xx001/002",
	    "tile/0/x01/002",
	    "tile/0/x0001/002",
	    "tile/0/x000/000", /* another spelling of 000 */
	    "tile/0/x000/001",
	    "tile/0/x000/x001/002",
	    "tile/0/x018/x446/x744/x073/x709/x551/616", /* 2^64 */
	    "tile/0/x019/x000/x000/x000/x000/x000/000",
	    "tile/0/x100/x000/x000/x000/x000/x000/000",
	    "tile/0/x001/x000/x000/x000/x000/x000/x000/000",
	    "tile/0/000.p", /* no width */
	    "tile/0/000.p/",
	    "tile/0/000.p/0", /* "between 1 and 255" */
	    "tile/0/000.p/256",
	    "tile/0/000.p/257",
	    "tile/0/000.p/999",
	    "tile/0/000.p/1000",
	    "tile/0/000.p/4294967297",
	    "tile/0/000.p/18446744073709551617",
	    "tile/0/000.p/01", /* "no additional leading zeroes" */
	    "tile/0/000.p/00",
	    "tile/0/000.p/+1",
	    "tile/0/000.p/1/",
	    "tile/0/000.p/1/2",
	    "tile/0/000.p/1.p/1",
	    "tile/0/000.P/1",
	    "tile/0/000p/1",
	    "tile/0/000/1",
	    "tile/0/000 ",
	    "tile/0/000\n",
	    "tile/0/000?",
	    "tile/0//000",
	    "tile/./0/000",
	    "tile/0/../000",
	    "tile/entries",
	    "tile/entries/",
	    "tile/entries/0/000", /* bundles have no level */
	    "tile/entriesx/000",
	    "tile/entries000",
	    "tile/entries/000.p/256",
	    "tile/entries/000.p/0",
	    "tile/Entries/000",
	    "tile/data/000",
	    "Tile/0/000",
	    "tiles/0/000",
	};
	struct tile_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (tile_path_parse(&id, bytes_str(wrong[i])) != VT_EMALFORMED)
			fail_msg("taken: \"%s\"", wrong[i]);
	assert_int_equal(tile_path_parse(&id, bytes_of("tile/0/000\0", 11)), VT_EMALFORMED);
	assert_int_equal(tile_path_parse(&id, bytes_of(NULL, 0)), VT_EMALFORMED);
	/* Every proper prefix of a path that ends in a width. */
	for (size_t len = 0; len < strlen("tile/0/x001/234.p/5"); len++) {
		bool whole = len == strlen("tile/0/x001/234");

		assert_int_equal(tile_path_parse(&id, bytes_of("tile/0/x001/234.p/5", len)),
				 whole ? VT_OK : VT_EMALFORMED);
	}
}

static void what_is_no_tile_has_no_path(void **state)
{
	static const struct tile_id wrong[] = {
	    {false, 0, 0, 0},  {false, 0, 0, 257}, {false, 64, 0, 256},
	    {true, 1, 0, 256}, {true, 0, 0, 0},    {false, 1U << 31, 0, 1},
	};
	char text[TILE_PATH_MAX];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(tile_path_format(text, &len, &wrong[i]), VT_EINVAL);
		assert_string_equal(text, "");
		assert_int_equal(len, 0);
	}
}

static void widths_are_the_examples_of_the_specification(void **state)
{
	(void)state;
	/* "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0
	 * tile of width 112, one full level 1 tile, one partial level 1 tile of width 17, and one
	 * partial level 2 tile of width 1" */
	for (uint64_t i = 0; i < 273; i++)
		assert_int_equal(tile_width(0, i, 70000), 256);
	assert_int_equal(tile_width(0, 273, 70000), 112);
	assert_int_equal(tile_width(0, 274, 70000), 0);
	assert_int_equal(tile_width(1, 0, 70000), 256);
	assert_int_equal(tile_width(1, 1, 70000), 17);
	assert_int_equal(tile_width(1, 2, 70000), 0);
	assert_int_equal(tile_width(2, 0, 70000), 1);
	assert_int_equal(tile_width(2, 1, 70000), 0);
	assert_int_equal(tile_width(3, 0, 70000), 0);
	/* "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile
	 * of width 1" */
	assert_int_equal(tile_width(0, 0, 256), 256);
	assert_int_equal(tile_width(0, 1, 256), 0);
	assert_int_equal(tile_width(1, 0, 256), 1);
	assert_int_equal(tile_width(2, 0, 256), 0);
	assert_int_equal(tile_width(0, 0, 0), 0);
}

static void widths_hold_at_the_end_of_64_bits(void **state)
{
	const uint64_t last = (UINT64_C(1) << 56) - 1; /* level 0 tile of the last leaf */

	(void)state;
	assert_int_equal(tile_width(0, last - 1, UINT64_MAX), 256);
	assert_int_equal(tile_width(0, last, UINT64_MAX), 255);
	assert_int_equal(tile_width(0, last + 1, UINT64_MAX), 0);
	assert_int_equal(tile_width(0, UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(tile_width(7, 0, UINT64_MAX), 255);
	assert_int_equal(tile_width(7, 1, UINT64_MAX), 0);
	assert_int_equal(tile_width(8, 0, UINT64_MAX), 0);
	assert_int_equal(tile_width(63, 0, UINT64_MAX), 0);
	assert_int_equal(tile_width(64, 0, UINT64_MAX), 0);
	assert_int_equal(tile_width(7, 0, UINT64_C(1) << 56), 1);
	assert_int_equal(tile_width(7, 0, (UINT64_C(1) << 56) - 1), 0);
}

static void every_node_of_a_tree_is_in_one_of_its_tiles(void **state)
{
	static const uint64_t sizes[] = {1, 255, 256, 257, 1000, 65535, 65536, 65537, GROWN_SIZE};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned height = 0; height < 64; height++) {
			uint64_t nodes = sizes[i] >> height;
			uint64_t step = nodes / 50 + 1;
			struct tile_id tile;

			for (uint64_t k = 0; k < nodes; k += step) {
				uint64_t first = k << height % 8;

				assert_int_equal(tile_of_node(&tile,
							      (struct merkle_node_id){height, k},
							      sizes[i]),
						 VT_OK);
				assert_false(tile.entries);
				assert_int_equal(tile.level, height / 8);
				assert_int_equal(tile.index, first / 256);
				assert_int_equal(tile.width,
						 tile_width(tile.level, tile.index, sizes[i]));
				assert_true(first % 256 + (1U << height % 8) <= tile.width);
			}
			assert_int_equal(
			    tile_of_node(&tile, (struct merkle_node_id){height, nodes}, sizes[i]),
			    VT_EINVAL);
			assert_int_equal(tile_of_node(&tile,
						      (struct merkle_node_id){height, UINT64_MAX},
						      sizes[i]),
					 VT_EINVAL);
		}
	}
}

static void nodes_at_the_end_of_64_bits_have_tiles(void **state)
{
	struct tile_id tile;

	(void)state;
	assert_int_equal(tile_of_node(&tile, (struct merkle_node_id){63, 0}, UINT64_MAX), VT_OK);
	assert_same_tile(&tile, &(struct tile_id){false, 7, 0, 255});
	assert_int_equal(tile_of_node(&tile, (struct merkle_node_id){63, 1}, UINT64_MAX),
			 VT_EINVAL);
	assert_int_equal(tile_of_node(&tile, (struct merkle_node_id){64, 0}, UINT64_MAX),
			 VT_EINVAL);
	assert_int_equal(tile_of_node(&tile, (struct merkle_node_id){72, 0}, UINT64_MAX),
			 VT_EINVAL);
	assert_int_equal(
	    tile_of_node(&tile, (struct merkle_node_id){0, UINT64_MAX - 1}, UINT64_MAX), VT_OK);
	assert_same_tile(&tile, &(struct tile_id){false, 0, (UINT64_C(1) << 56) - 1, 255});
	assert_int_equal(tile_of_node(&tile, (struct merkle_node_id){0, UINT64_MAX}, UINT64_MAX),
			 VT_EINVAL);
}

/* Recursive, unlike the library's. */
static struct merkle_hash root_of(const struct merkle_hash *hashes, unsigned n)
{
	struct merkle_hash left, right;

	if (n == 1)
		return hashes[0];
	left = root_of(hashes, n / 2);
	right = root_of(hashes + n / 2, n / 2);
	assert_int_equal(merkle_hash_node(&left, &grown.h, &left, &right), VT_OK);
	return left;
}

static void a_tile_gives_every_node_it_covers_and_no_other(void **state)
{
	static const unsigned widths[] = {1, 2, 3, 100, 128, 255, 256};
	const uint64_t index = 5;

	(void)state;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct tile_id tile = {false, 1, index, widths[i]};

		for (unsigned height = 0; height <= 8; height++) {
			unsigned nodes = 256U >> height;

			for (unsigned k = 0; k < nodes; k++) {
				struct merkle_node_id id = {8 + height, index * nodes + k};
				bool covered = (k + 1) << height <= widths[i];
				struct merkle_hash got, want;

				assert_int_equal(tile_node(&got, &grown.h, &tile, grown.row[0], id),
						 covered ? VT_OK : VT_EINVAL);
				if (!covered)
					continue;
				want = root_of(&grown.row[0][k << height], 1U << height);
				assert_true(merkle_hash_equal(&got, &want));
			}
		}
	}
}

static void a_tile_does_not_give_other_tiles_nodes(void **state)
{
	const struct tile_id tile = {false, 1, 5, 256};
	static const struct merkle_node_id wrong[] = {
	    {7, 5},           /* a level below */
	    {17, 0},          /* above its root */
	    {8, 5 * 256 - 1}, /* the tile before */
	    {8, 6 * 256},     /* the tile after */
	    {16, 4},          {16, 6},         {12, 5 * 16 - 1},   {12, 6 * 16},
	    {8, 0},           {8, UINT64_MAX}, {0, 5 * 256 * 256}, {64, 5},
	    {UINT32_MAX, 5},
	};
	struct tile_id broken = tile;
	struct merkle_hash got;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(tile_node(&got, &grown.h, &tile, grown.row[0], wrong[i]),
				 VT_EINVAL);
	broken.entries = true;
	assert_int_equal(
	    tile_node(&got, &grown.h, &broken, grown.row[0], (struct merkle_node_id){8, 5 * 256}),
	    VT_EINVAL);
	broken = tile;
	broken.width = 257;
	assert_int_equal(
	    tile_node(&got, &grown.h, &broken, grown.row[0], (struct merkle_node_id){8, 5 * 256}),
	    VT_EINVAL);
	broken = tile;
	broken.level = 1U << 30; /* times eight it is zero */
	assert_int_equal(
	    tile_node(&got, &grown.h, &broken, grown.row[0], (struct merkle_node_id){0, 5 * 256}),
	    VT_EINVAL);
}

static void the_root_of_a_full_tile_stands_in_its_parent(void **state)
{
	struct merkle_hash got;

	(void)state;
	for (uint64_t i = 0; i < GROWN_SIZE / 256; i++) {
		const struct tile_id tile = {false, 0, i, 256};

		assert_int_equal(tile_node(&got, &grown.h, &tile, &grown.row[0][i * 256],
					   (struct merkle_node_id){8, i}),
				 VT_OK);
		assert_true(merkle_hash_equal(&got, &grown.row[1][i]));
	}
}

static void both_paths_lead_to_the_same_root_as_a_log_grows(void **state)
{
	struct merkle_hash root;
	uint64_t random = 29;

	(void)state;
	for (grown.size = 0; grown.size <= GROWN_SIZE;) {
		unsigned edges = 0;

		for (unsigned level = 0; level < 8; level++)
			edges += (grown.size >> 8 * level & 255) != 0;
		grown.reads = 0;
		assert_int_equal(tile_root(&root, &grown.h, grown.size, read_grown, &grown), VT_OK);
		assert_true(merkle_hash_equal(&root, &grown.root[grown.size]));
		/* Right-edge tiles, each once, and no others. */
		assert_int_equal(grown.reads, edges);
		if (grown.size < 1100 || (grown.size & 255) < 3 || (grown.size & 255) > 252)
			grown.size++;
		else
			grown.size += 1 + model_random(&random) % 100;
	}
}

static void a_flipped_bit_on_the_right_edge_changes_the_root(void **state)
{
	static const uint64_t sizes[] = {1, 257, 1000, 65536, 69999};
	struct merkle_hash root;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		grown.size = sizes[i];
		for (unsigned level = 0; level < GROWN_LEVELS; level++) {
			uint64_t n = grown.size >> 8 * level;

			for (uint64_t k = n / 256 * 256; k < n; k++) {
				uint8_t *byte = &grown.row[level][k].b[k % 32];

				*byte ^= (uint8_t)(1U << k % 8);
				assert_int_equal(
				    tile_root(&root, &grown.h, grown.size, read_grown, &grown),
				    VT_OK);
				assert_false(merkle_hash_equal(&root, &grown.root[grown.size]));
				*byte ^= (uint8_t)(1U << k % 8);
			}
		}
		assert_int_equal(tile_root(&root, &grown.h, grown.size, read_grown, &grown), VT_OK);
		assert_true(merkle_hash_equal(&root, &grown.root[grown.size]));
	}
}

static void a_failed_read_is_passed_on(void **state)
{
	struct merkle_hash node[MERKLE_PLAN_MAX], root;
	struct merkle_plan plan;

	(void)state;
	grown.size = GROWN_SIZE;
	grown.fail = VT_EIO;
	assert_int_equal(tile_root(&root, &grown.h, grown.size, read_grown, &grown), VT_EIO);
	assert_int_equal(proof_plan_inclusion(&plan, 3, GROWN_SIZE), VT_OK);
	assert_int_equal(tile_read_plan(node, &grown.h, &plan, grown.size, read_grown, &grown),
			 VT_EIO);
	grown.fail = VT_OK;
	/* A plan for a larger tree than the tiles are of. */
	grown.size = 1000;
	assert_int_equal(tile_read_plan(node, &grown.h, &plan, 1000, read_grown, &grown),
			 VT_EINVAL);
	plan.n = MERKLE_PLAN_MAX + 1;
	assert_int_equal(tile_read_plan(node, &grown.h, &plan, grown.size, read_grown, &grown),
			 VT_EINVAL);
}

static void neighbours_in_a_plan_share_one_read(void **state)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_plan plan;

	(void)state;
	grown.size = GROWN_SIZE;
	grown.reads = 0;
	assert_int_equal(proof_plan_inclusion(&plan, 12345, GROWN_SIZE), VT_OK);
	assert_int_equal(tile_read_plan(node, &grown.h, &plan, grown.size, read_grown, &grown),
			 VT_OK);
	/* Eight siblings in its level 0 tile, eight in the level 1 tile above; then the right-edge
	 * subtree, of the partial tiles at levels 1 and 0. */
	assert_int_equal(grown.reads, 4);
}

static void bundles_split_into_what_was_appended(void **state)
{
	static uint8_t big[BUNDLE_ENTRY_MAX + 1];
	const struct bytes entries[] = {bytes_str("one"),   bytes_of(NULL, 0),
					bytes_of(big, 1),   bytes_of(big, 255),
					bytes_of(big, 256), bytes_of(big, BUNDLE_ENTRY_MAX),
					bytes_of(NULL, 0)};
	const size_t n = sizeof(entries) / sizeof(entries[0]);
	struct bytes rest, entry;
	struct buf b;

	(void)state;
	memset(big, 0xa5, sizeof(big));
	buf_init(&b);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(bundle_append(&b, entries[i]), VT_OK);
	assert_memory_equal(b.data, "\x00\x03one\x00\x00\x00\x01\xa5\x00\xff", 12);
	rest = buf_bytes(&b);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(bundle_next(&entry, &rest), VT_OK);
		assert_true(bytes_equal(entry, entries[i]));
	}
	assert_int_equal(rest.len, 0);
	assert_int_equal(bundle_next(&entry, &rest), VT_EMALFORMED);
	buf_reset(&b);
	assert_int_equal(bundle_append(&b, bytes_of(big, BUNDLE_ENTRY_MAX + 1)), VT_ELIMIT);
	assert_int_equal(b.len, 0);
	buf_release(&b);
}

static void truncated_bundles_are_refused_and_not_advanced(void **state)
{
	static const uint8_t bundle[] = {0, 3, 'o', 'n', 'e', 0, 2, 'h', 'i'};
	struct bytes rest, entry;

	(void)state;
	for (size_t len = 0; len <= sizeof(bundle); len++) {
		enum vt_err err = VT_OK;
		size_t taken = 0;

		rest = bytes_of(bundle, len);
		while (rest.len != 0 && (err = bundle_next(&entry, &rest)) == VT_OK)
			taken += 2 + entry.len;
		assert_int_equal(err, len == 0 || len == 5 || len == 9 ? VT_OK : VT_EMALFORMED);
		assert_int_equal(taken + rest.len, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_parse_and_format_back),
	    cmocka_unit_test(every_path_has_one_spelling),
	    cmocka_unit_test(what_is_no_tile_path_is_refused),
	    cmocka_unit_test(what_is_no_tile_has_no_path),
	    cmocka_unit_test(widths_are_the_examples_of_the_specification),
	    cmocka_unit_test(widths_hold_at_the_end_of_64_bits),
	    cmocka_unit_test(every_node_of_a_tree_is_in_one_of_its_tiles),
	    cmocka_unit_test(nodes_at_the_end_of_64_bits_have_tiles),
	    cmocka_unit_test(a_tile_gives_every_node_it_covers_and_no_other),
	    cmocka_unit_test(a_tile_does_not_give_other_tiles_nodes),
	    cmocka_unit_test(the_root_of_a_full_tile_stands_in_its_parent),
	    cmocka_unit_test(both_paths_lead_to_the_same_root_as_a_log_grows),
	    cmocka_unit_test(a_flipped_bit_on_the_right_edge_changes_the_root),
	    cmocka_unit_test(a_failed_read_is_passed_on),
	    cmocka_unit_test(neighbours_in_a_plan_share_one_read),
	    cmocka_unit_test(bundles_split_into_what_was_appended),
	    cmocka_unit_test(truncated_bundles_are_refused_and_not_advanced),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
