/*
 * Deadlines of connections. Every connection is in exactly one phase, each phase lasts the same for
 * all of them, so a list per phase is in order of time and nothing is ever searched.
 */
#ifndef HTTP_DEADLINES_H
#define HTTP_DEADLINES_H

#include <stddef.h>
#include <stdint.h>

enum http_phase {
	PHASE_IDLE,   /* kept alive, no request begun */
	PHASE_HEADER, /* accepted, or a request begun, header not complete */
	PHASE_BODY,
	PHASE_ANSWER, /* suspended until somebody answers */
	PHASE_WRITE,
	PHASE_STREAM, /* from a stream's head to its end */
	PHASES,
};

struct deadline {
	struct deadline *prev, *next; /* both NULL when in no list */
	uint64_t due;                 /* monotonic nanoseconds */
	enum http_phase phase;
};

struct deadlines {
	uint64_t after[PHASES];       /* nanoseconds that each phase may last */
	struct deadline list[PHASES]; /* heads of rings, soonest first */
};

void deadlines_init(struct deadlines *d, const uint64_t after[PHASES]);
/* Leave the present phase, if any, and begin this one now. */
void deadline_enter(struct deadlines *d, struct deadline *t, enum http_phase phase, uint64_t now);
void deadline_leave(struct deadline *t);
/* One that is due, still in its list; NULL when none is. */
struct deadline *deadlines_due(const struct deadlines *d, uint64_t now);
uint64_t deadlines_next(const struct deadlines *d); /* UINT64_MAX: none */
/* The first in a phase, or the one behind t; NULL at the end. */
struct deadline *deadlines_in(const struct deadlines *d, enum http_phase phase,
			      const struct deadline *t);

#endif
