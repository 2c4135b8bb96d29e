/*
 * What somebody wants to be told about: conditions that are all to hold of one entry. Several
 * watches are looked at side by side.
 */
#ifndef MONITOR_WATCH_H
#define MONITOR_WATCH_H

#include "admit.h"

enum {
	WATCH_MAX = 10000,        /* watches in a set */
	WATCH_FILE_MAX = 4 << 20, /* bytes of a file of them */
};

/* An empty text: no condition. */
struct watch {
	char *text;      /* as it was given: its name in alerts */
	char *algorithm; /* of the subject's digest; NULL: no condition on it */
	char *subject;   /* lower-case hex */
	char *party;
	char *type; /* predicateType */
	char *result;
};

struct watch_set {
	size_t n, cap;
	struct watch *watch;
};
void watch_set_init(struct watch_set *s);
void watch_set_release(struct watch_set *s);

/*
 * Add one: "subject=sha256:HEX,party=ID,type=URI,result=FAILED", at least one of the four in any
 * order, separated by commas. A digest without algorithm is SHA-256; type takes the short names
 * verdict, firmware, event, accreditation, sealed and correction too. VT_EMALFORMED, VT_ELIMIT, and
 * VT_ENOMEM, with why.
 */
enum vt_err watch_set_add(struct watch_set *s, struct bytes text, char why[160]);
/* One a line; empty lines and those that begin with # are skipped. *line is where it fails. */
enum vt_err watch_set_add_lines(struct watch_set *s, struct bytes text, size_t *line,
				char why[160]);

/* Does it want to know of this admissible record? */
bool watch_fits(const struct watch *w, const struct record *r);
/* The same of a statement that these parties signed. */
bool watch_fits_statement(const struct watch *w, const struct statement *s,
			  const char *const *party, size_t n_parties);

#endif
