/*
 * fsck_flips VITRINE [RECORDS [FLIPS [SEED]]]: fsck at the size of a real log. Appends 100,000 records signed with Ed25519 in
 * process, through the path that a server takes, and runs `vitrine fsck` over them: it must pass. Then flips 200 bits, one
 * at a time, chosen at random among entries, index keys ("pairs"), tiles, index runs and the head: each time fsck must exit
 * with 1 and name the place; and pass again when all is as it was.
 *
 * tests/unit/log_fsck_test.c does the same to every column of small logs, also under sanitizers.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "log_fixture.h"
#include "record_world.h"
#include "scratch.h"
#include "stored_flip.h"

enum {
	SENDERS = 2,
	AT_ONCE = 512,     /* of one sender */
	GRANTS = 10,       /* keys that are accredited while records come in */
	TAIL_KEYS = 65536, /* a tenth of all keys, so that most are in runs */
	CHECKERS = 2,      /* copies of the log that are damaged side by side */
	SAID_MAX = 1024,
};

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "fsck_flips: line %d: does not hold: %s\n", __LINE__,      \
				#condition);                                                       \
			exit(1);                                                                   \
		}                                                                                  \
	} while (0)

static const char *vitrine;
static double began;

static double seconds(void)
{
	return (double)clock_monotonic_nanos() / 1e9;
}

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list ap;

	printf("%6.1f s: ", seconds() - began);
	va_start(ap, fmt);
	(void)vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	(void)fflush(stdout);
}

/* -- a log of records ---------------------------------------------------------------------------------- */

struct sender {
	struct log_fixture *f;
	struct world *w;
	struct log_worker *worker;
	unsigned first, end;
	pthread_t thread;
};

static const char *digest_of(struct merkle_hasher *h, const char *text, char hex[65])
{
	struct bytes part = bytes_str(text);
	struct merkle_hash hash;

	MUST(merkle_sha256(&hash, h, &part, 1) == VT_OK);
	hex_encode(hex, bytes_of(hash.b, sizeof(hash.b)));
	return hex;
}

/* Three verdicts for each firmware hash. */
static void make_record(struct sender *s, unsigned n, struct buf *body)
{
	char image[40], run[40], hex[65];
	struct compose_digest subject = {.name = image};
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = n % 7 == 0 ? "FAILED" : "PASSED",
				    .configuration = &configuration,
				    .n_configuration = 1};
	struct compose_firmware firmware = {.subjects = {&subject, 1}, .purl = image};
	struct signer *by = n % 4 == 0 ? s->w->vendor : s->w->lab;
	struct buf statement;

	(void)snprintf(image, sizeof(image), "pkg:generic/acme/router@%u", n / 4);
	(void)snprintf(run, sizeof(run), "urn:run:%u", n);
	subject.hex = digest_of(log_worker_hasher(s->worker), image, hex);
	buf_init(&statement);
	buf_init(body);
	if (n % 4 == 0)
		MUST(compose_firmware(&statement, &firmware, NULL) == VT_OK);
	else
		MUST(compose_verdict(&statement, &v, NULL) == VT_OK);
	MUST(compose_envelope(body, buf_bytes(&statement), by,
			      party_key_default_scheme(signer_public(by))) == VT_OK);
	buf_release(&statement);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	struct sent *sent = calloc(AT_ONCE, sizeof(*sent));

	MUST(sent != NULL);
	for (unsigned at = s->first; at < s->end; at += AT_ONCE) {
		unsigned n = s->end - at < AT_ONCE ? s->end - at : AT_ONCE;

		for (unsigned i = 0; i < n; i++) {
			struct buf body;

			make_record(s, at + i, &body);
			send_bytes(s->f, s->worker, &sent[i], buf_bytes(&body));
			buf_release(&body);
		}
		wait_for(sent, n);
		for (unsigned i = 0; i < n; i++)
			MUST(sent[i].answer.outcome == LOG_ADDED);
	}
	free(sent);
	return NULL;
}

static void send_range(struct log_fixture *f, struct world *w, unsigned first, unsigned end)
{
	struct sender s[SENDERS];

	for (unsigned i = 0; i < SENDERS; i++) {
		s[i] = (struct sender){.f = f,
				       .w = w,
				       .first = first + (end - first) * i / SENDERS,
				       .end = first + (end - first) * (i + 1) / SENDERS};
		MUST(log_worker_new(&s[i].worker, f->log) == VT_OK);
		MUST(pthread_create(&s[i].thread, NULL, send_all, &s[i]) == 0);
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		MUST(pthread_join(s[i].thread, NULL) == 0);
		log_worker_free(s[i].worker);
	}
}

static void accredit_another(struct log_fixture *f, struct world *w, unsigned n)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	char party[32];
	struct world_grant g = {
	    .party = party, .role = "lab", .previous = -1, .types = types, .n_types = 1};
	struct signer *key;
	struct buf body;

	(void)snprintf(party, sizeof(party), "lab-%u", n);
	MUST(signer_generate(&key, "ed25519", NULL) == VT_OK);
	g.key = key;
	world_grant(w, &body, &g);
	MUST(send_one(f, buf_bytes(&body)).outcome == LOG_ADDED);
	buf_release(&body);
	signer_free(key);
}

static void make_log(const char *path, unsigned records)
{
	static struct world w;
	struct log_fixture f;
	struct log_status status;
	unsigned rest;

	world_init(&w);
	fixture_store(&f, path, "records", world_spki(w.centre));
	f.config.index_tail_max = TAIL_KEYS;
	fixture_start(&f);
	world_begin(&w);
	for (size_t i = 0; i < w.n; i++)
		MUST(send_one(&f, buf_bytes(&w.entry[i].bytes)).outcome == LOG_ADDED);
	rest = records - (unsigned)w.n - GRANTS;
	for (unsigned i = 0; i < GRANTS; i++) {
		send_range(&f, &w, rest / GRANTS * i,
			   i + 1 == GRANTS ? rest : rest / GRANTS * (i + 1));
		accredit_another(&f, &w, 100 + i);
	}
	log_status(f.log, &status);
	MUST(status.published_size == records);
	say("%" PRIu64 " records appended, %" PRIu64 " index runs", status.published_size,
	    status.index_runs);
	fixture_free(&f);
	world_release(&w);
}

/* -- fsck ----------------------------------------------------------------------------------------------- */

/* The exit code; said: the standard output. */
static int fsck(const char *folder, char said[SAID_MAX])
{
	char command[2048];
	size_t n;
	FILE *out;
	int status;

	(void)snprintf(command, sizeof(command),
		       "exec '%s' fsck --data '%s' --faults 1 2>/dev/null", vitrine, folder);
	out = popen(command, "r");
	MUST(out != NULL);
	n = fread(said, 1, SAID_MAX - 1, out);
	said[n] = '\0';
	status = pclose(out);
	MUST(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* What is stored, how many of 200 flips it gets, and what fsck's line must begin with. */
static const struct kind {
	const char *table, *column;
	unsigned share;
	const char *place; /* NULL: see named() */
} kinds[] = {
    {"entry", "bytes", 50, NULL},  {"entry", "keys", 50, NULL},
    {"tile", "hashes", 40, NULL},  {"chunk", "slots", 35, "index run "},
    {"runs", "list", 5, "runs: "}, {"head", "size", 5, "head: "},
    {"head", "root", 8, "head: "}, {"head", "range", 7, "head: "},
};

static const struct kind *random_kind(void)
{
	uint64_t at = stored_random(200);
	const struct kind *k = kinds;

	for (; at >= k->share; k++)
		at -= k->share;
	return k;
}

/* Does it say which entry, or which hash of which tile? Keys are told of by the run that holds others, too. */
static bool named(const struct kind *k, const struct stored_flip *f, const char *said)
{
	const char *at;
	char place[80];

	if (k->place != NULL)
		return strncmp(said, k->place, strlen(k->place)) == 0;
	if (strcmp(k->table, "tile") == 0) {
		(void)snprintf(place, sizeof(place),
			       "tile %" PRId64 "/%" PRId64 " hash %zu: ", f->number % 8,
			       f->number / 8, f->at / MERKLE_HASH_SIZE);
		return strncmp(said, place, strlen(place)) == 0;
	}
	(void)snprintf(place, sizeof(place), "entry %" PRId64, f->number);
	at = strstr(said, place);
	return at != NULL && strchr("0123456789", at[strlen(place)]) == NULL;
}

static void flip_some(const char *folder, unsigned flips, uint64_t seed)
{
	char path[1024], said[SAID_MAX];
	double slowest = 0;

	(void)snprintf(path, sizeof(path), "%s/log.db", folder);
	stored_seed(seed);
	for (unsigned done = 0; done < flips;) {
		struct sqlite3 *db = stored_open(path);
		const struct kind *k = random_kind();
		struct stored_flip f;
		double start = seconds();
		bool flipped = stored_flip(db, &f, k->table, k->column);
		int code;

		stored_close(db);
		if (!flipped)
			continue;
		code = fsck(folder, said);
		slowest = seconds() - start > slowest ? seconds() - start : slowest;
		if (getenv("VITRINE_TEST_SHOW") != NULL)
			say("%s (%.1f s)\n    -> %d %s", f.text, seconds() - start, code, said);
		if (code != 1 || !named(k, &f, said)) {
			say("NOT FOUND, or not where: %s: fsck exits with %d and says: %s", f.text,
			    code, said);
			exit(1);
		}
		db = stored_open(path);
		stored_flip_back(db, &f);
		stored_close(db);
		done++;
	}
	MUST(fsck(folder, said) == 0);
	say("%u flips found and named, the slowest in %.1f s", flips, slowest);
}

static void copy_log(const char *from, const char *folder)
{
	char command[4096];

	(void)snprintf(command, sizeof(command), "mkdir '%s' && cp '%s/log.db' '%s'", folder, from,
		       folder);
	MUST(system(command) == 0);
}

int main(int argc, char **argv)
{
	unsigned records = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 100000;
	unsigned flips = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 200;
	uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : clock_monotonic_nanos();
	char folder[CHECKERS][600], path[640], said[SAID_MAX];
	bool failed = false;
	double start;
	int status;

	MUST(argc > 1);
	vitrine = argv[1];
	began = seconds();
	say("seed %" PRIu64, seed);
	for (unsigned i = 0; i < CHECKERS; i++)
		(void)snprintf(folder[i], sizeof(folder[i]), "%s/%u", scratch_folder(), i);
	MUST(snprintf(path, sizeof(path), "mkdir '%s'", folder[0]) > 0 && system(path) == 0);
	(void)snprintf(path, sizeof(path), "%s/log.db", folder[0]);
	make_log(path, records);
	start = seconds();
	if (fsck(folder[0], said) != 0) {
		say("the whole log differs: %s", said);
		return 1;
	}
	say("fsck takes %.1f s: %s", seconds() - start, said);
	for (unsigned i = 1; i < CHECKERS; i++)
		copy_log(folder[0], folder[i]);
	for (unsigned i = 0; i < CHECKERS; i++) {
		pid_t child = fork();

		MUST(child >= 0);
		if (child == 0) {
			flip_some(folder[i], flips / CHECKERS, seed + i);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < CHECKERS; i++) {
		MUST(wait(&status) > 0);
		failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	}
	(void)snprintf(path, sizeof(path), "rm -rf '%s/0' '%s/1'", scratch_folder(),
		       scratch_folder());
	MUST(system(path) == 0);
	return failed;
}
