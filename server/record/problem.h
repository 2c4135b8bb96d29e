/*
 * Why something was refused: a stable type from a table, and a sentence about this case. The API
 * makes it an RFC 9457 problem, the command line an error line, the monitor an alert.
 */
#ifndef RECORD_PROBLEM_H
#define RECORD_PROBLEM_H

#include "vitrine/bytes.h"

enum { PROBLEM_DETAIL_MAX = 640 };

/* One row of the table. */
struct problem_type {
	const char *slug; /* "urn:vitrine:problem:" comes before it */
	unsigned status;  /* HTTP */
	const char *title;
};

struct problem {
	const struct problem_type *type; /* NULL: no problem */
	char detail[PROBLEM_DETAIL_MAX]; /* what and where: "subject[0].digest.sha256: 63 hex
					    digits, expected 64" */
};

/* The admission rules' problems, one per rule that can be tripped; ends with a NULL slug. */
extern const struct problem_type admission_problems[];

/* Fill in *p (which may be NULL) and return err, so that a check can end in `return
 * problem_set(...)`. An unknown slug is a bug and aborts. Bytes from outside must have been made
 * printable (problem_quote). */
enum vt_err problem_set(struct problem *p, enum vt_err err, const char *slug, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Printable, cut form of untrusted text. */
const char *problem_quote(char *out, size_t cap, struct bytes text);

#endif
