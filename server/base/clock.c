#include "clock.h"

#include <stdio.h>
#include <string.h>

static const int64_t DAY_SECONDS = 86400;
enum { RFC3339_DOT = 19 };                /* where a fraction begins, after YYYY-MM-DDTHH:MM:SS */
static const int64_t CYCLE_DAYS = 146097; /* the calendar repeats after 400 years */

static struct timespec now(clockid_t which)
{
	struct timespec t = {0};

	clock_gettime(which, &t); /* fails only for clocks that do not exist */
	return t;
}

uint64_t clock_unix(void)
{
	return (uint64_t)now(CLOCK_REALTIME).tv_sec;
}

uint64_t clock_unix_millis(void)
{
	struct timespec t = now(CLOCK_REALTIME);

	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_monotonic_nanos(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void clock_pause(unsigned long tries)
{
	struct timespec pause = {.tv_nsec = tries < 20 ? 50000L * ((long)tries + 1) : 1000000L};

	(void)nanosleep(&pause, NULL);
}

void clock_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t monotonic;

	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(cond, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
}

struct timespec clock_timespec(uint64_t monotonic_nanos)
{
	return (struct timespec){(time_t)(monotonic_nanos / 1000000000),
				 (long)(monotonic_nanos % 1000000000)};
}

/*
 * Days in the Gregorian calendar of years 0 to 9999, counted from 1970-01-01. The year is taken to
 * begin in March, so that the leap day is its last.
 */
static int64_t days_from_date(unsigned year, unsigned month, unsigned day)
{
	int64_t y = (int64_t)year - (month <= 2);
	int64_t m = month <= 2 ? month + 9 : month - 3;
	int64_t leap_days = y >= 0 ? y / 4 - y / 100 + y / 400 : -1;

	/* 719468 days from 0000-03-01 to 1970-01-01; (153 m + 2) / 5 days before month m. */
	return 365 * y + leap_days + (153 * m + 2) / 5 + day - 1 - 719468;
}

static unsigned month_days(unsigned year, unsigned month)
{
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

static void date_from_days(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	unsigned y = 1970, m = 1;
	int64_t cycles = days / CYCLE_DAYS;

	y += (unsigned)cycles * 400;
	days -= cycles * CYCLE_DAYS;
	for (; days >= 365 + (month_days(y, 2) == 29); y++)
		days -= 365 + (month_days(y, 2) == 29);
	for (; days >= month_days(y, m); m++)
		days -= month_days(y, m);
	*year = y;
	*month = m;
	*day = (unsigned)days + 1;
}

void clock_format_rfc3339(char out[CLOCK_RFC3339_SIZE], uint64_t unix_seconds)
{
	static const uint64_t last =
	    253402300799; /* 9999-12-31T23:59:59Z: RFC 3339 has no later one */
	uint64_t s = unix_seconds > last ? last : unix_seconds;
	unsigned year, month, day, second = (unsigned)(s % 86400);

	date_from_days((int64_t)(s / 86400), &year, &month, &day);
	snprintf(out, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02uZ", year % 10000, month,
		 day, second / 3600, second / 60 % 60, second % 60);
}

/* Reads the grammar of RFC 3339 section 5.6 piece by piece. */
struct reader {
	struct bytes rest;
	bool ok;
};

static unsigned digits(struct reader *r, size_t n, unsigned min, unsigned max)
{
	unsigned value = 0;

	if (r->rest.len < n) {
		r->ok = false;
		return min;
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t c = r->rest.data[i];
		if (c < '0' || c > '9')
			r->ok = false;
		value = value * 10 + (unsigned)(c - '0');
	}
	r->rest = bytes_of(r->rest.data + n, r->rest.len - n);
	if (!r->ok || value < min || value > max) {
		r->ok = false;
		return min;
	}
	return value;
}

static uint8_t one_of(struct reader *r, const char *choices)
{
	uint8_t c = r->rest.len > 0 ? r->rest.data[0] : 0;

	for (; *choices != '\0'; choices++) {
		if (c == (uint8_t)*choices) {
			r->rest = bytes_of(r->rest.data + 1, r->rest.len - 1);
			return c;
		}
	}
	r->ok = false;
	return 0;
}

static void fraction(struct reader *r)
{
	if (r->rest.len == 0 || r->rest.data[0] != '.')
		return;
	one_of(r, ".");
	digits(r, 1, 0, 9);
	while (r->ok && r->rest.len > 0 && r->rest.data[0] >= '0' && r->rest.data[0] <= '9')
		digits(r, 1, 0, 9);
}

/* Seconds east of UTC. */
static int64_t offset(struct reader *r)
{
	uint8_t sign = one_of(r, "Z+-");
	int64_t seconds;

	if (sign == 'Z' || !r->ok)
		return 0;
	seconds = (int64_t)digits(r, 2, 0, 23) * 3600;
	one_of(r, ":");
	seconds += (int64_t)digits(r, 2, 0, 59) * 60;
	return sign == '-' ? -seconds : seconds;
}

/* A leap second ends the last day of a month in UTC; `t` is the second after it. */
static bool may_follow_leap_second(int64_t t)
{
	unsigned year, month, day;

	if (t % DAY_SECONDS != 0)
		return false;
	/* 2,000 years later, where the calendar is the same, so that the days are positive. */
	date_from_days(t / DAY_SECONDS + 5 * CYCLE_DAYS, &year, &month, &day);
	return day == 1;
}

enum vt_err clock_parse_rfc3339(int64_t *unix_seconds, struct bytes text)
{
	struct reader r = {text, true};
	unsigned year, month, day, hour, minute, second;
	int64_t t;

	year = digits(&r, 4, 0, 9999);
	one_of(&r, "-");
	month = digits(&r, 2, 1, 12);
	one_of(&r, "-");
	day = digits(&r, 2, 1, month_days(year, month));
	one_of(&r, "T");
	hour = digits(&r, 2, 0, 23);
	one_of(&r, ":");
	minute = digits(&r, 2, 0, 59);
	one_of(&r, ":");
	second = digits(&r, 2, 0, 60);
	fraction(&r);
	t = days_from_date(year, month, day) * DAY_SECONDS;
	t += (int64_t)hour * 3600 + (int64_t)minute * 60 + second;
	t -= offset(&r);
	if (!r.ok || r.rest.len != 0 || (second == 60 && !may_follow_leap_second(t)))
		return VT_EMALFORMED;
	*unix_seconds = t;
	return VT_OK;
}

/* The digits of its fraction without the zeros at their end, which makes their order that of the fractions. */
static struct bytes fraction_digits(struct bytes text)
{
	struct bytes all = text.len > RFC3339_DOT && text.data[RFC3339_DOT] == '.'
			       ? bytes_of(text.data + RFC3339_DOT + 1, text.len - RFC3339_DOT - 1)
			       : bytes_of(NULL, 0);
	size_t n = 0;

	for (size_t i = 0; i < all.len && all.data[i] >= '0' && all.data[i] <= '9'; i++)
		if (all.data[i] != '0')
			n = i + 1;
	return bytes_of(all.data, n);
}

int clock_compare_rfc3339(struct bytes a, struct bytes b)
{
	struct bytes fa = fraction_digits(a), fb = fraction_digits(b);
	size_t shared = fa.len < fb.len ? fa.len : fb.len;
	int64_t ta = INT64_MIN, tb = INT64_MIN;
	int order;

	(void)clock_parse_rfc3339(&ta, a);
	(void)clock_parse_rfc3339(&tb, b);
	if (ta != tb)
		return ta < tb ? -1 : 1;
	order = shared == 0 ? 0 : memcmp(fa.data, fb.data, shared);
	return order != 0 ? order : (fa.len > fb.len) - (fa.len < fb.len);
}
