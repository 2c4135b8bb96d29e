/*
 * A witness over HTTP that does as it is told: honest (it keeps what it cosigned, and checks proofs), or not. Link with
 * http_test_support, ${test_signer_source} and OpenSSL::Crypto.
 */
#ifndef VITRINE_TEST_FAKE_WITNESS_H
#define VITRINE_TEST_FAKE_WITNESS_H

#include <pthread.h>

#include "http_server.h"
#include "vitrine/checkpoint.h"

enum {
	FAKE_WITNESS_BODY_MAX = 128 * 1024,
	FAKE_WITNESS_KEYS_MAX = 2,
	FAKE_WITNESS_HELD_MAX = 16,
};

/* What it says to add-checkpoint instead of what is right. */
struct fake_answer {
	unsigned status; /* 0: the right answer */
	const char *content_type;
	const char *body; /* NULL: empty */
	size_t body_len;  /* 0: strlen(body) */
	unsigned retry_after;
	/* Of a right answer: */
	const char *before, *after; /* further lines */
	uint64_t time;              /* of the cosignature; 0: now */
	bool time_zero;
	bool other_text; /* cosigns another checkpoint's text */
};

struct fake_witness {
	struct http_server *server;
	const char *url;
	struct note_signer signer[FAKE_WITNESS_KEYS_MAX];
	size_t n_signers;
	struct vkey log; /* whose checkpoints it takes */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	struct fake_answer answer;
	struct tree_head head; /* cosigned last */
	struct buf shown;      /* what GET /<origin hash>/checkpoint says; empty: 404 */
	bool shows;            /* keep `shown` up to date by itself */
	bool holds;            /* keep requests without an answer */
	struct http_exchange *held[FAKE_WITNESS_HELD_MAX];
	size_t n_held;
	unsigned asked;  /* add-checkpoint requests so far */
	unsigned looked; /* GETs */
	uint64_t old;    /* of the last one: its old size, */
	size_t proof_n;  /* and how many proof lines */
};

/* Starts on a free port. Fails the test if it does not. */
void fake_witness_start(struct fake_witness *f, const struct note_signer *by, size_t n,
			const struct vkey *log);
void fake_witness_stop(struct fake_witness *f);
void fake_witness_says(struct fake_witness *f, struct fake_answer answer);
/* From now on GET shows this, whatever was cosigned. */
void fake_witness_shows(struct fake_witness *f, struct bytes note);
/* It has cosigned this head before. */
void fake_witness_remembers(struct fake_witness *f, const struct tree_head *head);
void fake_witness_hold(struct fake_witness *f);
/* Answer what was held, and hold no more. */
void fake_witness_release(struct fake_witness *f);
/* Wait until so many requests are held. */
void fake_witness_wait_held(struct fake_witness *f, size_t n);
/* Wait until so many add-checkpoint requests have come. */
void fake_witness_wait_asked(struct fake_witness *f, unsigned n);
unsigned fake_witness_asked(struct fake_witness *f);

#endif
