/*
 * Asking witnesses (C2SP tlog-witness) to cosign this log's checkpoints, until the quorum of a policy holds.
 *
 * A thread and a keep-alive connection for each URL; one round at a time, for one head. A witness that is slow, dead,
 * lying or malformed costs its own thread's time and nothing else: a round ends when it is decided, whatever is still
 * under way, and a witness that failed last is asked again when its time has come, but never waited for.
 *
 * What a witness last cosigned is kept in memory only. At the start it is read from the checkpoint that the witness shows, or
 * learned from its first 409: one more request per witness and start, and nothing on disk that could be wrong.
 */
#ifndef GATHER_H
#define GATHER_H

#include "vitrine/policy.h"

enum {
	GATHER_WHY_MAX = 192,
	GATHER_ANSWER_MAX = 64 * 1024, /* bytes of a witness's answer that are looked at */
	/* A cosignature's time may be this many seconds off: clocks differ, and a witness may answer the same
	 * checkpoint with the cosignature that it made before. */
	GATHER_TIME_AHEAD_MAX = 600,
	GATHER_TIME_BEHIND_MAX = 86400,
};

/* What is wrong with a witness. */
enum gather_trouble {
	GATHER_FINE,
	GATHER_UNREACHABLE, /* no complete HTTP answer in time */
	GATHER_MALFORMED,   /* an answer that the protocol does not have */
	GATHER_UNSIGNED,    /* 200 without a cosignature that verifies */
	GATHER_BAD_TIME,    /* a cosignature from the future, or from long ago */
	GATHER_REFUSED,     /* 400: it finds the request malformed */
	GATHER_UNTRUSTED,   /* 403: it does not take the log's signature */
	GATHER_UNKNOWN_LOG, /* 404 */
	GATHER_CONFLICT,    /* 409 again and again, or with the size that was sent */
	GATHER_CLAIMS,      /* 409 with a size beyond ours and nothing of ours to show for it */
	GATHER_DISPROVED,   /* 422: it finds the proof or the root wrong */
	GATHER_BUSY,        /* 429 */
	GATHER_FAILING,     /* 5xx */
	GATHER_NO_PROOF,    /* our own: the consistency proof could not be made */
	GATHER_NEW,         /* only who has cosigned this log before is asked, and it never has */
	GATHER_CONTRADICTS, /* it shows a checkpoint signed by us that contradicts the log */
};

struct gather_config {
	const struct policy *policy; /* borrowed */
	const struct vkey *log;      /* copied; one of the policy's logs */
	/* Seconds; fractions are taken. */
	double interval_seconds;    /* 0: 1; at least, between the beginnings of two rounds */
	double connect_seconds;     /* 0: 5 */
	double request_seconds;     /* 0: 10; one request, connecting included */
	double backoff_seconds;     /* 0: 1; after a first failure, then twice as long each time, */
	double backoff_max_seconds; /* 0: 60; up to this, */
	double backoff_urgent_seconds;  /* 0: 5; or this, while the quorum is missing */
	double retry_after_max_seconds; /* 0: 300; what is made of a longer Retry-After */

	/* The proof between two sizes of the log, first > 0. One call at a time, from any of the threads. */
	enum vt_err (*consistency)(void *ctx, uint64_t first, uint64_t second,
				   struct merkle_proof *out);
	/*
	 * What was gathered for `head`: the note that began the round with the lines that verified, in the policy's
	 * order (an empty note: no memory). Called when the quorum holds, again when there are more lines, and with done when
	 * the next round may begin. Later calls have done set too: lines that came late, as long as no other round has begun. One
	 * call at a time, always from the same thread; gather_begin() may be called from inside.
	 */
	void (*gathered)(void *ctx, const struct tree_head *head, struct bytes note, bool quorum,
			 bool done);
	/* A checkpoint that a witness showed and that carries a valid signature of this log. VT_OK: consistent with
	 * it; VT_EMISMATCH: it contradicts the log, and no witness is asked for anything any more. One call at a time. */
	enum vt_err (*observed)(void *ctx, struct bytes note, const char *witness);
	/* A witness's trouble has begun, changed or (GATHER_FINE) ended: once each time, not once a round. Any of
	 * the threads. The witness's name is the policy's; its bytes and the text's are from outside. */
	void (*alert)(void *ctx, const char *witness, enum gather_trouble trouble,
		      const char *text);
	void *ctx;
};

struct gather;

/*
 * *out is new, freed with gather_free(). why says, for whoever wrote the policy, what is wrong with it.
 * VT_EUNTRUSTED: it does not list this log. VT_EINVAL: the witnesses that can be asked (with a URL, and a key that this build
 * can verify) cannot make the quorum or are more than a note has room for, or a URL is none. VT_ENOTFOUND: it asks for no witness, and names none that could be
 * asked. VT_ENOMEM.
 */
enum vt_err gather_new(struct gather **out, const struct gather_config *config,
		       char why[GATHER_WHY_MAX]);
/* Begin to ask: each witness first for what it shows of this log. VT_EINTERNAL: no thread, and none is left. */
enum vt_err gather_start(struct gather *g);
/* A new round, for this head; g is a struct gather. Copies; does not block. The last round must be done. With the same note
 * as the last round the lines that it brought are kept. remembered: ask only witnesses that have cosigned a head of this log
 * before, and in such a way that no other one begins to (GATHER_NEW). */
void gather_begin(void *g, struct bytes signed_note, const struct tree_head *head, bool remembered);
/* Break off what is under way (within about a second) and end the threads: no callback after it. */
void gather_stop(struct gather *g);
void gather_free(struct gather *g); /* stops; NULL is legal */

struct gather_status {
	size_t witnesses;       /* that are asked: URLs */
	uint64_t rounds;        /* since the start */
	uint64_t rounds_failed; /* of these, ended without a quorum */
	uint64_t quorum_size;   /* of the newest head that had a quorum since the start */
	uint64_t quorum_time;   /* when that was (POSIX seconds); 0: never */
	bool
	    quorum_missing; /* the newest round is decided and has none, and no other process's head overtook it */
};
void gather_status(struct gather *g, struct gather_status *out);

/* One of the witnesses that are asked. */
struct gather_witness {
	const char
	    *name; /* the policy's; of several keys at one URL, the first's. Lives as long as g */
	const char *url;
	enum gather_trouble trouble;
	char why[GATHER_WHY_MAX]; /* "" when it is fine */
	uint64_t size;            /* what it cosigned last, as far as is known */
	uint64_t last_success;    /* POSIX seconds; 0: not yet */
	uint64_t requests, cosignatures, failures;
	double seconds_sum;  /* that cosigning took, over all cosignatures */
	double seconds_last; /* of the last one */
};
/* i < witnesses */
void gather_witness_status(struct gather *g, size_t i, struct gather_witness *out);
/* A word for labels, "unreachable"; static. */
const char *gather_trouble_name(enum gather_trouble trouble);

#endif
