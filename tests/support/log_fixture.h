/*
 * A log over a store, and submissions to it that are waited for. Link with ${log_fixture_source}.
 */
#ifndef VITRINE_TEST_LOG_FIXTURE_H
#define VITRINE_TEST_LOG_FIXTURE_H

#include <pthread.h>

#include "log.h"

#define FIXTURE_ORIGIN "log.example/records"

/* One submission and what became of it. */
struct sent {
	struct log_answer answer;
	bool answered;
};

/* Holds a log's integrator still between judging and committing. */
struct gate {
	bool closed;
	unsigned held;  /* how often it was reached since it was last set */
	unsigned steps; /* how many may pass although it is closed */
};

struct log_fixture {
	struct store *store;
	bool store_is_borrowed;
	bool fresh; /* fixture_store() has made the store */
	struct note_signer signer;
	struct log_config config;
	struct log *log;
	struct log_worker *w;
	struct gate gate;
};

/* memory_or_path NULL: a memory store. mode "raw" or "records". Aborts on failure, as all of these do. */
void fixture_store(struct log_fixture *f, const char *path, const char *mode, struct bytes centre);
/* The log has a mark there. With a fresh store it is made as `vitrine init` does, unless there is one: then the store is an older one. */
void fixture_mark(struct log_fixture *f, const char *path);
/* Open, but do not start. Set f->config before. Returns what log_open() returned. */
enum vt_err fixture_open(struct log_fixture *f, char why[STORE_WHY_MAX]);
/* Open and start. */
void fixture_start(struct log_fixture *f);
/* Stop and free the log; the store stays. */
void fixture_stop(struct log_fixture *f);
void fixture_free(struct log_fixture *f); /* the store too */

/* The gate is a tamper hook: install before fixture_start(). */
void gate_install(struct log_fixture *f);
void gate_close(struct gate *g);
void gate_open(struct gate *g);
/* Let the one that is held pass, and hold the next. */
void gate_step(struct gate *g);
/* Wait until the gate holds something. */
void gate_wait(struct gate *g);

/* Submit; the answer arrives in *s. */
void send_bytes(struct log_fixture *f, struct log_worker *w, struct sent *s, struct bytes body);
void wait_for(const struct sent *s, size_t n);
/* Submit and wait. */
struct log_answer send_one(struct log_fixture *f, struct bytes body);

/*
 * Is everything that the log publishes sound as an outsider sees it? The checkpoint verifies, every entry's inclusion proof
 * leads to it, its bytes hash to the leaf, and heads of some earlier sizes are consistent. Aborts with a message.
 * Returns the published size.
 */
uint64_t fixture_verify(struct log_fixture *f);

#endif
