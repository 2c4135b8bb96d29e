/*
 * How far a log was followed: one small file that is replaced as a whole, so that everything in it
 * moves together. All other files of the log count only as far as it says.
 */
#ifndef MONITOR_LOG_STATE_H
#define MONITOR_LOG_STATE_H

#include "checks.h"
#include "vitrine/checkpoint.h"

/* What may be wrong with a log for a while. Told once when it begins; over when it is. */
enum trouble {
	TROUBLE_SILENT,      /* no answer past the deadline */
	TROUBLE_MALFORMED,   /* what it serves is not in the format */
	TROUBLE_UNTRUSTED,   /* no valid signature of the log on its checkpoint */
	TROUBLE_QUORUM,      /* cosignatures are missing, or do not verify */
	TROUBLE_BACKWARDS,   /* a smaller head than before */
	TROUBLE_CONTRADICTS, /* tiles or entries that do not make its own root */
	TROUBLE_FORKED,      /* it signed two histories */
	TROUBLE_WITHHELD,    /* a head is shown, and for long not all that it covers is served */
	TROUBLE_CENTRE,      /* entry 0 is not by the centre that was named */
	TROUBLE_COUNT,
};
/* "silent", ...: the kind of its alert. */
const char *trouble_name(enum trouble t);

enum log_mode_seen {
	LOG_MODE_UNKNOWN, /* nothing is in it yet */
	LOG_MODE_RECORDS,
	LOG_MODE_RAW, /* its entries have no rules */
};

struct log_state {
	struct buf vkey; /* of the log, as text without NUL */
	enum log_mode_seen mode;
	struct merkle_range range; /* of the entries that were replayed */
	struct buf checkpoint;     /* the newest accepted one, at least as large; may be empty */
	struct checks_mark checks;
	uint64_t answered;     /* POSIX seconds of the last good checkpoint; 0: never */
	uint64_t inadmissible; /* entries so far */
	uint64_t hits;         /* of watches */
	/*
	 * What is refused of what a head covers. Since then (POSIX seconds, 0: nothing is) the head of
	 * lag_size entries is not served as a whole; the latest refusal was at refused_at. Of the time between
	 * watched_seconds count at all (counted_pause()), and lag_seconds were spent being refused rather than served.
	 */
	uint64_t stalled, refused_at, watched_seconds, lag_seconds, lag_size;
	/* The latest look that was not answered (POSIX seconds; 0: the last one was), and how much counts of the time
	 * since the last answer. */
	uint64_t unanswered_at, silent_seconds;
	/* POSIX seconds; 0: never. What can be made good by nothing that the log shows later: two
	 * signed histories, and entries that must not be there. Until somebody acknowledges it. */
	uint64_t proven_at, inadmissible_at;
	uint64_t evidence;             /* files that were kept about it */
	uint64_t since[TROUBLE_COUNT]; /* POSIX seconds; 0: it is not so */
};

void log_state_init(struct log_state *s);
void log_state_release(struct log_state *s);
/* s is initialised. VT_ENOTFOUND: there is none; VT_EMISMATCH: it is damaged; VT_EIO, VT_ENOMEM. */
enum vt_err log_state_read(struct log_state *s, const char *path);
/* Durable when it returns. */
enum vt_err log_state_write(const struct log_state *s, const char *path);

#endif
