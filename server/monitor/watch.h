/*
 * What somebody wants to be told about: conditions that are all to hold of one entry. Several
 * watches are looked at side by side.
 */
#ifndef MONITOR_WATCH_H
#define MONITOR_WATCH_H

#include "admit.h"
#include "conditions.h"

enum {
	WATCH_MAX = 10000,        /* watches in a set */
	WATCH_FILE_MAX = 4 << 20, /* bytes of a file of them */
};

struct watch {
	char *text; /* as it was given: its name in alerts */
	struct conditions conditions;
};

struct watch_set {
	size_t n, cap;
	struct watch *watch;
};
void watch_set_init(struct watch_set *s);
void watch_set_release(struct watch_set *s);

/*
 * Add one: conditions (conditions.h), "subject=sha256:HEX,party=ID,type=URI,result=FAILED", at least one of the four in any
 * order, separated by commas. VT_EMALFORMED, VT_ELIMIT, and VT_ENOMEM, with why.
 */
enum vt_err watch_set_add(struct watch_set *s, struct bytes text, char why[CONDITIONS_WHY_MAX]);
/* One a line; empty lines and those that begin with # are skipped. *line is where it fails. */
enum vt_err watch_set_add_lines(struct watch_set *s, struct bytes text, size_t *line,
				char why[CONDITIONS_WHY_MAX]);

/* Does it want to know of this admissible record? */
bool watch_fits(const struct watch *w, const struct record *r);

#endif
