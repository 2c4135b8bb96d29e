/*
 * What proofs say, taken together: for whom each verdict stands, whether what was asked for is met, and one plain sentence
 * about it. `verify` and `find` share it.
 */
#ifndef CMD_WEIGH_H
#define CMD_WEIGH_H

#include "entry_standing.h"
#include "proof_check.h"

/* One proof. */
struct weighed {
	const struct checked
	    *checked; /* outlives it; its log is the same pointer for the same log */
	bool fails;   /* it does not hold, or is about something else */
	bool usable;  /* it holds, and who signed was proven: nothing else excuses or accuses */
	bool about;   /* about what was asked for; corrections need not be */
	struct entry_standing standing; /* filled in by weigh() for usable ones, else {0} */
};

/* What was asked for beside that the proofs hold. */
struct weigh_demands {
	const char *result; /* a verdict with this result must stand; NULL: none */
	const char *party; /* for this party; alone: any verdict of it. A demand, never an excuse */
	bool file;         /* a firmware file was compared */
	bool unsure;       /* something that may matter could not be told */
	const char *unseen; /* ends the sentence: what nobody looked at */
};

/*
 * Judge all of them. Appends one sentence to `why`. CMD_HOLDS; CMD_FAILS: a FAILED verdict stands (where a file, a result or
 * a party was asked about), all verdicts were taken back, or a demand is not met; CMD_UNSURE: a demand is not met and
 * something could not be told, or memory ran out.
 */
int weigh(struct weighed *list, size_t n, const struct weigh_demands *demands, struct buf *why);

/* Is it a result that verdicts have, or NULL? */
bool weigh_result_known(const char *result);
/* "stands for lab-1; withdrawn for lab-2 by entry 9". */
enum vt_err weigh_text(struct buf *out, const struct entry_standing *s);
/* "FAILED stands for lab-1"; of other records, what they are. */
enum vt_err weigh_verdict_text(struct buf *out, const struct weighed *w);

#endif
