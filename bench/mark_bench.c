/*
 * What the high-water mark costs: mark_bench FOLDER [ROUNDS] appends raw entries to two new logs in FOLDER in turn, one with a mark
 * and one without, with 1, 16, 256 and 2,048 submissions under way, and prints the medians side by side: time for an append,
 * entries of a batch, writes of the mark and microseconds that a publication waited for it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "signer.h"

enum { ENTRY_SIZE = 256, ROUNDS_MAX = 101 };

static const struct load {
	size_t under_way;
	unsigned entries; /* of one turn */
} loads[] = {{1, 200}, {16, 2000}, {256, 20000}, {2048, 40000}};

struct side {
	struct store *store;
	struct log *log;
	struct log_worker *w;
	uint64_t next;
	double micros[ROUNDS_MAX];
	struct log_status before;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t fewer = PTHREAD_COND_INITIALIZER;
static size_t under_way;

static void must(enum vt_err err, const char *what)
{
	if (err == VT_OK)
		return;
	fprintf(stderr, "mark_bench: %s: %s\n", what, vt_err_text(err));
	exit(1);
}

static void answered(void *ctx, const struct log_answer *answer)
{
	(void)ctx;
	if (answer->outcome != LOG_ADDED)
		must(VT_EBUSY, "an append");
	(void)pthread_mutex_lock(&lock);
	under_way--;
	(void)pthread_cond_signal(&fewer);
	(void)pthread_mutex_unlock(&lock);
}

static void wait_for_fewer_than(size_t n)
{
	(void)pthread_mutex_lock(&lock);
	while (under_way >= n)
		(void)pthread_cond_wait(&fewer, &lock);
	(void)pthread_mutex_unlock(&lock);
}

/* Microseconds for one append. */
static double turn(struct side *s, const struct load *load)
{
	uint64_t start = clock_monotonic_nanos();
	uint8_t entry[ENTRY_SIZE] = {0};

	for (unsigned i = 0; i < load->entries; i++) {
		wait_for_fewer_than(load->under_way);
		(void)pthread_mutex_lock(&lock);
		under_way++;
		(void)pthread_mutex_unlock(&lock);
		memcpy(entry, &s->next, sizeof(s->next));
		s->next++;
		log_submit(s->log, s->w, bytes_of(entry, sizeof(entry)), NULL, answered, NULL);
	}
	wait_for_fewer_than(1);
	return (double)(clock_monotonic_nanos() - start) / 1e3 / load->entries;
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), by_value);
	return values[n / 2];
}

static void compare(struct side side[2], const struct load *load, unsigned rounds)
{
	struct log_status now[2];
	double micros[2], batches;

	for (unsigned i = 0; i < 2; i++)
		log_status(side[i].log, &side[i].before);
	/* Who goes first changes each time. */
	for (unsigned r = 0; r < rounds; r++)
		for (unsigned i = 0; i < 2; i++) {
			struct side *s = &side[(r + i) % 2];

			s->micros[r] = turn(s, load);
		}
	for (unsigned i = 0; i < 2; i++) {
		log_status(side[i].log, &now[i]);
		micros[i] = median(side[i].micros, rounds);
	}
	batches = (double)(now[1].batches - side[1].before.batches);
	printf("%5zu under way: %8.1f us without, %8.1f us with (%.2f); %6.1f entries a batch, "
	       "%.3f writes of the mark a batch, %5.1f us waited for it\n",
	       load->under_way, micros[0], micros[1], micros[1] / micros[0],
	       (double)(now[1].entries - side[1].before.entries) / batches,
	       (double)(now[1].mark_writes - side[1].before.mark_writes) / batches,
	       (now[1].mark_wait_seconds_sum - side[1].before.mark_wait_seconds_sum) * 1e6 /
		   batches);
	(void)fflush(stdout);
}

static void open_side(struct side *s, const char *folder, const struct note_signer *signer,
		      bool with_mark)
{
	struct store_identity identity = {.origin = "bench.example/log", .mode = "raw"};
	char path[4096], mark[4096], why[STORE_WHY_MAX];
	struct store_sqlite_config sqlite = {.path = path};
	struct log_config config = {.signer = signer, .queue_max = 4096};
	struct buf vkey;

	(void)snprintf(path, sizeof(path), "%s/%s.db", folder, with_mark ? "with" : "without");
	(void)snprintf(mark, sizeof(mark), "%s/mark", folder);
	buf_init(&vkey);
	must(vkey_format(&vkey, &signer->key), "vkey");
	must(buf_append_byte(&vkey, '\0'), "vkey");
	identity.vkey = (const char *)vkey.data;
	must(store_sqlite_create(path, &identity, why), why);
	must(store_sqlite_open(&s->store, &sqlite, &identity, why), why);
	config.store = s->store;
	config.mark_path = with_mark ? mark : NULL;
	config.new_mark = true;
	must(log_open(&s->log, &config, why), why);
	must(log_start(s->log), "start");
	must(log_worker_new(&s->w, s->log), "worker");
	buf_release(&vkey);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 9;
	struct note_signer note_signer;
	struct side side[2] = {0};
	struct signer *signer;

	if (argc < 2 || rounds == 0 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "use: mark_bench FOLDER [ROUNDS, at most %d]\n", ROUNDS_MAX);
		return 2;
	}
	must(signer_generate(&signer, "ed25519", NULL), "key");
	must(signer_note(&note_signer, signer, "bench.example/log", VKEY_TYPE_ED25519), "key");
	for (unsigned i = 0; i < 2; i++)
		open_side(&side[i], argv[1], &note_signer, i == 1);
	for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++)
		compare(side, &loads[i], rounds);
	for (unsigned i = 0; i < 2; i++) {
		log_stop(side[i].log);
		log_worker_free(side[i].w);
		log_free(side[i].log);
		store_free(side[i].store);
	}
	signer_free(signer);
	return 0;
}
