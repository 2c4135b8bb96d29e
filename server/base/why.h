/* One line of text, for people, that says why something failed. It goes up beside an error code. */
#ifndef BASE_WHY_H
#define BASE_WHY_H

#include "vitrine/err.h"

/* The longest reasons name a path and a verifier key. */
enum { WHY_MAX = 2048 };

/* "": nothing was said. {""} begins one. */
struct why {
	char text[WHY_MAX];
};

/*
 * Say it and return err, so that a refusal is one line. why may be NULL. The arguments may hold why->text itself: what was
 * said inside is told with where it happened, as in why_say(why, err, "%s: %s", path, why->text). What is too long ends
 * in "...", and no UTF-8 character is cut.
 */
enum vt_err why_say(struct why *why, enum vt_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* What was said, or else what err is called. */
const char *why_text(const struct why *why, enum vt_err err);

#endif
