/*
 * How fast the SQLite store takes entries, by batch size, and how fast it answers. The store alone: hashes are
 * made up, nothing is verified.
 *
 *	store_bench FOLDER [ENTRIES]	in a new file FOLDER/bench.sqlite, after ENTRIES are there
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "store.h"

enum { ENTRY_LEN = 1024, SECONDS = 2, READS = 20000 };

static char path[1024];
static struct store *store;
static struct store_reader *reader;
static struct tree_state head;

static void must(enum vt_err err, const char *what)
{
	if (err == VT_OK)
		return;
	fprintf(stderr, "store_bench: %s: %s\n", what, vt_err_text(err));
	exit(1);
}

static void give_level(struct store_batch *b, unsigned level, uint64_t end)
{
	static struct merkle_hash hash[TILE_WIDTH];
	uint64_t at = head.head.size >> (TILE_HEIGHT * level);

	for (end >>= TILE_HEIGHT * level; at < end;) {
		const unsigned offset = (unsigned)(at % TILE_WIDTH);
		unsigned n = TILE_WIDTH - offset;

		if (n > end - at)
			n = (unsigned)(end - at);
		must(store_batch_tile(b, level, at / TILE_WIDTH, offset, hash, n), "tile");
		at += n;
	}
}

static void append(size_t n)
{
	static uint8_t entry[ENTRY_LEN];
	struct tree_state next = {.head.size = head.head.size + n};
	struct merkle_hash leaf = {0};
	struct store_batch *b;

	must(store_batch_begin(&b, store, &head), "begin");
	for (size_t i = 0; i < n; i++) {
		const uint64_t index = head.head.size + i;

		memcpy(entry, &index, sizeof(index));
		memcpy(leaf.b, &index, sizeof(index));
		must(store_batch_entry(b, bytes_of(entry, sizeof(entry)), &leaf, 1), "entry");
	}
	for (unsigned level = 0; level < 8; level++)
		give_level(b, level, next.head.size);
	next.range.size = next.head.size;
	for (uint64_t left = next.head.size; left != 0; left &= left - 1)
		next.range.n++;
	memcpy(next.head.root.b, &next.head.size, sizeof(next.head.size));
	must(store_batch_commit(b, &next), "commit");
	store_batch_discard(b);
	head = next;
}

static double seconds_since(uint64_t start)
{
	return (double)(clock_monotonic_nanos() - start) / 1e9;
}

/* The limit: the same bytes, appended to a plain file, which is synced for each batch. */
static double file_entries_per_second(size_t batch)
{
	static uint8_t entries[4096 * ENTRY_LEN];
	char name[sizeof(path) + 8];
	const uint64_t start = clock_monotonic_nanos();
	uint64_t batches = 0;
	double took;
	int fd;

	(void)snprintf(name, sizeof(name), "%s.plain", path);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		must(VT_EIO, name);
	do {
		if (write(fd, entries, batch * ENTRY_LEN) != (ssize_t)(batch * ENTRY_LEN) ||
		    fdatasync(fd) != 0)
			must(VT_EIO, name);
		batches++;
	} while ((took = seconds_since(start)) < 1);
	(void)close(fd);
	(void)unlink(name);
	return (double)(batches * batch) / took;
}

static void bench_appends(void)
{
	static const size_t size[] = {1, 16, 256, 1024, 4096};

	printf("batch      entries/s   commits/s   ms each     plain file and fdatasync\n");
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		const uint64_t start = clock_monotonic_nanos();
		uint64_t batches = 0;
		double took;

		do {
			append(size[i]);
			batches++;
		} while ((took = seconds_since(start)) < SECONDS);
		printf("%5zu %14.0f %11.0f %9.3f %14.0f/s\n", size[i],
		       (double)(batches * size[i]) / took, (double)batches / took,
		       took / (double)batches * 1e3, file_entries_per_second(size[i]));
	}
}

static enum vt_err ignore(void *ctx, uint64_t index, struct bytes entry,
			  const struct merkle_hash *keys, size_t n_keys)
{
	(void)ctx, (void)index, (void)entry, (void)keys, (void)n_keys;
	return VT_OK;
}

static void say(const char *what, uint64_t start, double n)
{
	printf("%-28s %8.2f us\n", what, seconds_since(start) / n * 1e6);
}

static void bench_rest(void)
{
	struct merkle_hash tile[TILE_WIDTH];
	struct tree_state state;
	uint64_t start = clock_monotonic_nanos(), at = 1, size;
	const uint64_t scanned = head.head.size < 200000 ? head.head.size : 200000;

	for (unsigned i = 0; i < READS; i++)
		must(store_publish(store, head.head.size, bytes_str("a note of some length"),
				   1000 + i / 100),
		     "publish");
	say("publish", start, READS);
	start = clock_monotonic_nanos();
	for (unsigned i = 0; i < READS; i++)
		must(store_read_state(reader, &state), "state");
	say("read_state", start, READS);
	start = clock_monotonic_nanos();
	for (unsigned i = 0; i < READS; i++)
		must(store_read_published(reader, &size, NULL), "published");
	say("read_published", start, READS);
	start = clock_monotonic_nanos();
	for (unsigned i = 0; i < READS; i++) {
		at = (at * 2862933555777941757 + 3037000493) % (head.head.size / TILE_WIDTH);
		must(store_read_tile(reader, 0, at, TILE_WIDTH, tile), "tile");
	}
	say("read_tile, full, at random", start, READS);
	start = clock_monotonic_nanos();
	for (unsigned i = 0; i < READS; i++) {
		at = (at * 2862933555777941757 + 3037000493) % head.head.size;
		must(store_read_entries(reader, at, 1, ignore, NULL), "entry");
	}
	say("read_entries, 1 at random", start, READS);
	start = clock_monotonic_nanos();
	must(store_read_entries(reader, 0, scanned, ignore, NULL), "scan");
	say("read_entries, each of many", start, (double)scanned);
}

static void bench_runs(void)
{
	enum { CHUNKS = 2000 };
	static struct index_slot slot[STORE_CHUNK_SLOTS];
	struct store_runs runs;
	uint64_t start;

	must(store_read_runs(reader, &runs), "runs");
	start = clock_monotonic_nanos();
	for (uint64_t c = 0; c < CHUNKS; c++)
		must(store_write_chunk(store, runs.next_id, c, slot, STORE_CHUNK_SLOTS), "chunk");
	say("write_chunk", start, CHUNKS);
	start = clock_monotonic_nanos();
	runs.n = 1;
	runs.run[0] = (struct store_run){
	    .id = runs.next_id, .end = head.head.size, .slots = CHUNKS * STORE_CHUNK_SLOTS};
	must(store_replace_runs(store, runs.version, &runs), "replace");
	say("replace_runs, 2000 chunks", start, 1);
	must(store_read_runs(reader, &runs), "runs");
	runs.n = 0;
	start = clock_monotonic_nanos();
	must(store_replace_runs(store, runs.version, &runs), "drop");
	say("replace_runs, 2000 dropped", start, 1);
}

int main(int argc, char **argv)
{
	const struct store_identity identity = {.origin = "bench", .vkey = "bench", .mode = "raw"};
	const struct store_sqlite_config config = {.path = path};
	const uint64_t before = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	char why[STORE_WHY_MAX];
	struct stat st;

	if (argc < 2) {
		fprintf(stderr, "usage: store_bench FOLDER [ENTRIES]\n");
		return 2;
	}
	(void)snprintf(path, sizeof(path), "%s/bench.sqlite", argv[1]);
	if (access(path, F_OK) == 0) {
		fprintf(stderr, "store_bench: %s is there already\n", path);
		return 2;
	}
	if (store_sqlite_create(path, &identity, why) != VT_OK ||
	    store_sqlite_open(&store, &config, &identity, why) != VT_OK) {
		fprintf(stderr, "store_bench: %s\n", why);
		return 1;
	}
	store_trust(store, true);
	must(store_reader_new(&reader, store), "reader");
	must(store_read_state(reader, &head), "state");
	while (head.head.size < before)
		append(4096);
	printf("%d-byte entries, one key each; %" PRIu64 " in the store\n", ENTRY_LEN,
	       head.head.size);
	bench_appends();
	bench_rest();
	bench_runs();
	store_reader_free(reader);
	store_free(store);
	if (stat(path, &st) == 0)
		printf("%" PRIu64 " entries in %lld bytes: %.0f each\n", head.head.size,
		       (long long)st.st_size, (double)st.st_size / (double)head.head.size);
	return unlink(path) == 0 ? 0 : 1;
}
