/* The only places that ask what time it is. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <pthread.h>
#include <time.h>

#include "vitrine/bytes.h"

enum {
	CLOCK_RFC3339_SIZE = 32,
};

uint64_t clock_unix(void);        /* POSIX seconds */
uint64_t clock_unix_millis(void); /* POSIX milliseconds */
uint64_t clock_monotonic_nanos(void);
/* Between two tries for a lock whose end nobody tells: 50 microseconds for each try so far, and no more than 1,000. */
void clock_pause(unsigned long tries);
/* A condition whose timed waits end at a time of the monotonic clock, and such a time. */
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_timespec(uint64_t monotonic_nanos);
/* "2026-11-22T14:40:50Z", NUL-terminated. Times beyond the year 9999 are shown as its last second.
 */
void clock_format_rfc3339(char out[CLOCK_RFC3339_SIZE], uint64_t unix_seconds);
/*
 * RFC 3339 date-time, strictly: real calendar days, upper-case T and Z, an offset (-00:00 too), any
 * number of decimals (dropped), and :60 only where UTC can have a leap second, at the end of a
 * month; it counts as the second after it, as in POSIX time. VT_EMALFORMED.
 */
enum vt_err clock_parse_rfc3339(int64_t *unix_seconds, struct bytes text);
/* Which of two such times is earlier, with all their decimals: below, at or above 0. */
int clock_compare_rfc3339(struct bytes a, struct bytes b);

#endif
