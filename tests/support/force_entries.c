/*
 * force_entries LOG.db ORIGIN VKEY CENTRE.der <ENTRIES: make a records log's store that holds these
 * entries, in the form of entry bundles one after the other, whether or not they are admissible.
 *
 * Past admission, through store.h alone: what somebody with the disk and no scruples can do. No
 * checkpoint is signed. An entry has the index keys that the log gives it; one that is not
 * admissible, only that of its leaf hash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admit.h"
#include "store.h"

enum {
	ENTRIES_MAX = 1 << 16,
	LEVELS = 3,
};

static void must(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "force_entries: %s\n", what);
		exit(1);
	}
}

static struct buf read_all(FILE *in)
{
	uint8_t part[65536];
	struct buf all;
	size_t n;

	must(in != NULL, "a file cannot be opened");
	buf_init(&all);
	while ((n = fread(part, 1, sizeof(part), in)) != 0)
		must(buf_append(&all, bytes_of(part, n)) == VT_OK, "memory");
	must(!ferror(in), "a file cannot be read");
	return all;
}

/* The hashes of each level, in the order in which the tree grows them. */
struct levels {
	struct merkle_hash hash[LEVELS][ENTRIES_MAX];
	size_t n[LEVELS];
};

static enum vt_err keep_node(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	struct levels *levels = ctx;
	unsigned level = id.height / 8;

	if (id.height % 8 == 0 && level < LEVELS)
		levels->hash[level][levels->n[level]++] = *hash;
	return VT_OK;
}

static void add_tiles(struct store_batch *batch, const struct levels *levels)
{
	for (unsigned level = 0; level < LEVELS; level++)
		for (size_t at = 0; at < levels->n[level]; at += TILE_WIDTH) {
			size_t left = levels->n[level] - at;

			must(store_batch_tile(
				 batch, level, at / TILE_WIDTH, 0, &levels->hash[level][at],
				 (unsigned)(left < TILE_WIDTH ? left : TILE_WIDTH)) == VT_OK,
			     "a tile was not taken");
		}
}

/* The entries so far, as the view that the next one is opened with. */
struct past {
	size_t n;
	struct bytes entry[ENTRIES_MAX];
	size_t n_keys[ENTRIES_MAX];
	struct merkle_hash *keys[ENTRIES_MAX];
};

static enum vt_err find(void *ctx, const struct merkle_hash *key, uint64_t from, uint64_t *index)
{
	const struct past *past = ctx;

	for (*index = from; *index < past->n; ++*index)
		for (size_t i = 0; i < past->n_keys[*index]; i++)
			if (merkle_hash_equal(&past->keys[*index][i], key))
				return VT_OK;
	return VT_ENOTFOUND;
}

static enum vt_err read(void *ctx, uint64_t index, struct buf *entry)
{
	const struct past *past = ctx;

	return index < past->n ? buf_append(entry, past->entry[index]) : VT_ENOTFOUND;
}

/* Its keys. What is not admissible counts for nothing that comes after it. */
static void open_entry(struct past *past, struct merkle_hasher *h, struct admission_view *view,
		       struct registry *registry, const struct merkle_hash *leaf)
{
	struct bytes entry = past->entry[past->n];
	struct record *r = NULL;
	struct problem why = {0};
	const struct merkle_hash *keys = leaf;
	uint64_t known;
	size_t n = 1;

	view->size = past->n;
	if (record_reopen(&r, h, entry, view, &why) == VT_OK &&
	    record_known(&known, r, view) == VT_ENOTFOUND && record_judge(r, view, &why) == VT_OK) {
		keys = record_keys(r, &n);
		if (record_is_accreditation(r))
			must(registry_apply(registry, past->n, leaf, entry, &why) == VT_OK,
			     why.detail);
	}
	must((past->keys[past->n] = malloc(n * sizeof(*keys))) != NULL, "memory");
	memcpy(past->keys[past->n], keys, n * sizeof(*keys));
	past->n_keys[past->n] = n;
	record_free(r);
}

static void add_entries(struct store_batch *batch, struct tree_state *next, struct levels *levels,
			struct bytes rest, const struct store_identity *identity)
{
	static struct past past;
	struct registry *registry = NULL;
	struct merkle_hasher h;
	struct merkle_hash leaf;

	must(merkle_hasher_init(&h) == VT_OK && registry_new(&registry) == VT_OK, "memory");
	struct admission_view view = {.registry = registry,
				      .origin = identity->origin,
				      .centre = identity->centre,
				      .find = find,
				      .read = read,
				      .ctx = &past};
	while (rest.len != 0) {
		struct bytes *entry = &past.entry[past.n];

		must(past.n < ENTRIES_MAX && bundle_next(entry, &rest) == VT_OK &&
			 merkle_hash_leaf(&leaf, &h, *entry) == VT_OK,
		     "not entry bundles");
		open_entry(&past, &h, &view, registry, &leaf);
		must(store_batch_entry(batch, *entry, past.keys[past.n], past.n_keys[past.n]) ==
			     VT_OK &&
			 merkle_range_append(&next->range, &h, &leaf, keep_node, levels) == VT_OK,
		     "an entry was not taken");
		past.n++;
	}
	next->head.size = next->range.size;
	must(merkle_range_root(&next->head.root, &h, &next->range) == VT_OK, "no root");
	for (size_t i = 0; i < past.n; i++)
		free(past.keys[i]);
	registry_free(registry);
	merkle_hasher_release(&h);
}

int main(int argc, char **argv)
{
	static struct levels levels;
	struct store_identity identity = {.mode = "records"};
	struct store_sqlite_config config = {0};
	char why[STORE_WHY_MAX] = "";
	struct store *store;
	struct store_reader *reader;
	struct store_batch *batch;
	struct tree_state start, next;
	struct buf entries, centre;

	must(argc == 5, "LOG.db ORIGIN VKEY CENTRE.der");
	entries = read_all(stdin);
	FILE *der = fopen(argv[4], "rb");
	centre = read_all(der);
	fclose(der);
	config.path = argv[1];
	identity.origin = argv[2];
	identity.vkey = argv[3];
	identity.centre = buf_bytes(&centre);
	must(store_sqlite_create(argv[1], &identity, why) == VT_OK &&
		 store_sqlite_open(&store, &config, &identity, why) == VT_OK,
	     why);
	store_trust(store, true);
	must(store_reader_new(&reader, store) == VT_OK &&
		 store_read_state(reader, &start) == VT_OK && start.head.size == 0,
	     "the store is not empty");
	must(store_batch_begin(&batch, store, &start) == VT_OK, "no batch");
	next = start;
	add_entries(batch, &next, &levels, buf_bytes(&entries), &identity);
	add_tiles(batch, &levels);
	must(store_batch_commit(batch, &next) == VT_OK, "not committed");
	printf("force_entries: %llu\n", (unsigned long long)next.head.size);
	store_batch_discard(batch);
	store_reader_free(reader);
	store_free(store);
	buf_release(&entries);
	buf_release(&centre);
	return 0;
}
