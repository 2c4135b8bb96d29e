/*
 * What the log itself costs, without HTTP and without records: log_bench FOLDER ENTRIES IN_FLIGHT [TAIL_KEYS]
 * appends raw entries to a new SQLite store in FOLDER and prints, at every quarter of them, the time for each append, for the
 * proof in its answer, for a proof at random, for a known and an unknown leaf hash, and the resident memory.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"
#include "signer.h"

enum { ENTRY_SIZE = 1024, PROOFS = 20000, LOOKUPS = 5000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fewer = PTHREAD_COND_INITIALIZER;
static size_t in_flight, in_flight_max;
static uint64_t failed;

static void answered(void *ctx, const struct log_answer *answer)
{
	(void)ctx;
	(void)pthread_mutex_lock(&lock);
	in_flight--;
	failed += answer->outcome != LOG_ADDED;
	(void)pthread_cond_signal(&fewer);
	(void)pthread_mutex_unlock(&lock);
}

static double seconds(void)
{
	return (double)clock_monotonic_nanos() / 1e9;
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

static void must(enum vt_err err, const char *what)
{
	if (err == VT_OK)
		return;
	fprintf(stderr, "log_bench: %s: %s\n", what, vt_err_text(err));
	exit(1);
}

static void append(struct log *log, struct log_worker *w, uint64_t first, uint64_t end)
{
	uint8_t entry[ENTRY_SIZE] = {0};

	for (uint64_t i = first; i < end; i++) {
		(void)pthread_mutex_lock(&lock);
		while (in_flight == in_flight_max)
			(void)pthread_cond_wait(&fewer, &lock);
		in_flight++;
		(void)pthread_mutex_unlock(&lock);
		memcpy(entry, &i, sizeof(i));
		log_submit(log, w, bytes_of(entry, sizeof(entry)), NULL, answered, NULL);
	}
	(void)pthread_mutex_lock(&lock);
	while (in_flight > 0)
		(void)pthread_cond_wait(&fewer, &lock);
	(void)pthread_mutex_unlock(&lock);
}

/* Microseconds for each proof: of the last entries, as answers need them, or at random. */
static double prove(struct log_worker *w, uint64_t size, bool last)
{
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	struct buf note;
	unsigned n = size < PROOFS ? (unsigned)size : PROOFS;
	double start;

	buf_init(&note);
	start = cpu_seconds();
	for (unsigned i = 0; i < n; i++) {
		uint64_t index = last ? size - n + i : (uint64_t)i * 7919 * 104729 % size;

		buf_reset(&note);
		must(log_inclusion(w, index, 0, &leaf, &proof, &head, &note), "proof");
	}
	buf_release(&note);
	return (cpu_seconds() - start) * 1e6 / n;
}

static double look_up(struct log_worker *w, uint64_t size, bool known)
{
	unsigned n = LOOKUPS;
	double start = cpu_seconds();

	for (unsigned i = 0; i < n; i++) {
		uint8_t entry[ENTRY_SIZE] = {0};
		uint64_t number = known ? (uint64_t)i * 7919 * 104729 % size : UINT64_MAX - i;
		struct merkle_hash leaf;
		uint64_t index;

		memcpy(entry, &number, sizeof(number));
		must(merkle_hash_leaf(&leaf, log_worker_hasher(w), bytes_of(entry, sizeof(entry))),
		     "hash");
		if ((log_leaf(w, &leaf, &index) == VT_OK) != known)
			must(VT_EMISMATCH, "lookup");
	}
	return (cpu_seconds() - start) * 1e6 / n;
}

static unsigned long resident_kib(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f != NULL && fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	if (f != NULL)
		(void)fclose(f);
	return pages * 4;
}

static void report(struct log *log, struct log_worker *w, uint64_t n, double wall, double cpu)
{
	struct log_status s;

	log_status(log, &s);
	printf("%9llu entries: append %.1f us wall, %.1f us CPU; %.0f a batch (commit %.1f ms, "
	       "read back "
	       "%.1f, sign %.1f)\n",
	       (unsigned long long)s.size, wall * 1e6 / (double)n, cpu * 1e6 / (double)n,
	       (double)s.entries / (double)s.batches,
	       s.commit_seconds_sum * 1e3 / (double)s.batches,
	       s.readback_seconds_sum * 1e3 / (double)s.batches,
	       s.sign_seconds_sum * 1e3 / (double)s.batches);
	printf("          proof in an answer %.1f us, at random %.1f us; leaf known %.1f us, "
	       "unknown %.1f us; "
	       "%llu runs, %llu keys in the tail; %lu KiB resident\n",
	       prove(w, s.size, true), prove(w, s.size, false), look_up(w, s.size, true),
	       look_up(w, s.size, false), (unsigned long long)s.index_runs,
	       (unsigned long long)s.index_tail_keys, resident_kib());
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	struct store_identity identity = {.origin = "bench.example/log", .mode = "raw"};
	char path[4096], why[STORE_WHY_MAX];
	struct store_sqlite_config sqlite = {.path = path};
	struct log_config config = {0};
	struct note_signer note_signer;
	struct signer *signer;
	struct log_worker *w;
	struct buf vkey;
	struct log *log;
	uint64_t entries;

	if (argc < 4) {
		fprintf(stderr, "use: log_bench FOLDER ENTRIES IN_FLIGHT [TAIL_KEYS]\n");
		return 2;
	}
	entries = strtoull(argv[2], NULL, 10);
	in_flight_max = (size_t)strtoull(argv[3], NULL, 10);
	if (argc > 4)
		config.index_tail_max = (size_t)strtoull(argv[4], NULL, 10);
	(void)snprintf(path, sizeof(path), "%s/log.db", argv[1]);
	must(signer_generate(&signer, "ed25519", NULL), "key");
	must(signer_note(&note_signer, signer, identity.origin, VKEY_TYPE_ED25519), "key");
	buf_init(&vkey);
	must(vkey_format(&vkey, &note_signer.key), "vkey");
	identity.vkey = buf_detach_str(&vkey);
	must(store_sqlite_create(path, &identity, why), why);
	must(store_sqlite_open(&config.store, &sqlite, &identity, why), why);
	config.signer = &note_signer;
	config.queue_max = in_flight_max;
	must(log_open(&log, &config, why), why);
	must(log_start(log), "start");
	must(log_worker_new(&w, log), "worker");
	for (unsigned quarter = 0; quarter < 4; quarter++) {
		uint64_t first = entries * quarter / 4, end = entries * (quarter + 1) / 4;
		double wall = seconds(), cpu = cpu_seconds();

		append(log, w, first, end);
		report(log, w, end - first, seconds() - wall, cpu_seconds() - cpu);
	}
	if (failed > 0)
		printf("%llu appends failed\n", (unsigned long long)failed);
	log_stop(log);
	log_worker_free(w);
	log_free(log);
	store_free(config.store);
	signer_free(signer);
	return failed > 0;
}
