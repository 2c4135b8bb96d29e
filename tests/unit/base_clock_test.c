#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

static void formatted_times_are_what_the_c_library_says(void **state)
{
	(void)state;
	/* A prime step of about 3.2 days: 2.9 million years of days would be too many. */
	for (uint64_t t = 0; t <= 253402300799; t += 276721 * 37) {
		char ours[CLOCK_RFC3339_SIZE], theirs[CLOCK_RFC3339_SIZE];
		time_t c = (time_t)t;
		struct tm tm;
		int64_t back;

		assert_non_null(gmtime_r(&c, &tm));
		assert_int_equal(strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm), 20);
		clock_format_rfc3339(ours, t);
		assert_string_equal(ours, theirs);
		assert_int_equal(clock_parse_rfc3339(&back, bytes_str(ours)), VT_OK);
		assert_int_equal(back, t);
	}
}

static void times_beyond_the_calendar_are_shown_as_its_end(void **state)
{
	(void)state;
	char out[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(out, 253402300799);
	assert_string_equal(out, "9999-12-31T23:59:59Z");
	clock_format_rfc3339(out, 253402300800);
	assert_string_equal(out, "9999-12-31T23:59:59Z");
	clock_format_rfc3339(out, UINT64_MAX);
	assert_string_equal(out, "9999-12-31T23:59:59Z");
}

static void real_times_are_taken(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t unix_seconds;
	} cases[] = {
	    {"1970-01-01T00:00:00Z", 0},
	    /* RFC 3339 section 5.8. */
	    {"1985-04-12T23:20:50.52Z", 482196050},
	    {"1996-12-19T16:39:57-08:00", 851042397},
	    {"1990-12-31T23:59:60Z", 662688000},
	    {"1990-12-31T15:59:60-08:00", 662688000},
	    {"1937-01-01T12:00:27.87+00:20", -1041337173},
	    {"2017-01-01T05:29:60+05:30", 1483228800},
	    {"2024-02-29T12:00:00Z", 1709208000},
	    {"2000-02-29T00:00:00Z", 951782400},
	    {"2026-11-22T14:40:50+00:00", 1795358450},
	    {"2026-11-22T14:40:50-00:00", 1795358450},
	    {"2026-11-22T14:40:50.123456789012345678901234567890Z", 1795358450},
	    {"0000-01-01T00:00:00Z", -62167219200},
	    {"0000-02-29T00:00:00Z", -62162121600},
	    {"0000-03-01T00:00:00Z", -62162035200},
	    {"0001-01-01T00:00:00+23:59", -62135683140},
	    {"9999-12-31T23:59:59Z", 253402300799},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t t = 12345;

		if (clock_parse_rfc3339(&t, bytes_str(cases[i].text)) != VT_OK)
			fail_msg("refused: %s", cases[i].text);
		if (t != cases[i].unix_seconds)
			fail_msg("%s: %lld", cases[i].text, (long long)t);
	}
}

static void everything_else_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
	    "",
	    "2026",
	    "2026-11-22",
	    "2026-11-22T14:40:50",
	    "2026-11-22T14:40Z",
	    "2026-11-22 14:40:50Z",
	    "2026-11-22t14:40:50z",
	    "2026-11-22T14:40:50z",
	    "2026-11-22T14:40:50Z ",
	    " 2026-11-22T14:40:50Z",
	    "2026-11-22T14:40:50ZZ",
	    "2026-11-22T14:40:50.Z",
	    "2026-11-22T14:40:50,5Z",
	    "2026-11-22T14:40:50+0100",
	    "2026-11-22T14:40:50+01",
	    "2026-11-22T14:40:50+24:00",
	    "2026-11-22T14:40:50+01:60",
	    "2026-11-22T14:40:50+1:00",
	    "2026-00-22T14:40:50Z",
	    "2026-13-22T14:40:50Z",
	    "2026-11-00T14:40:50Z",
	    "2026-11-31T14:40:50Z",
	    "2026-02-29T14:40:50Z",
	    "1900-02-29T14:40:50Z",
	    "2026-11-22T24:00:00Z",
	    "2026-11-22T14:60:50Z",
	    "2026-11-22T14:40:61Z",
	    "2026-11-22T14:40:60Z",
	    "2016-12-30T23:59:60Z",
	    "2016-12-31T23:58:60Z",
	    "2016-12-31T23:59:60+01:00",
	    "+026-11-22T14:40:50Z",
	    "-026-11-22T14:40:50Z",
	    "12026-11-22T14:40:50Z",
	    "26-11-22T14:40:50Z",
	    "2026-11-22T1:40:50Z",
	    "2026-W47-7T14:40:50Z",
	    "2026/11/22T14:40:50Z",
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t t = 12345;

		if (clock_parse_rfc3339(&t, bytes_str(cases[i])) != VT_EMALFORMED)
			fail_msg("taken: %s", cases[i]);
		assert_int_equal(t, 12345);
	}
}

static void no_part_of_a_time_is_a_time(void **state)
{
	(void)state;
	const char *whole = "2026-11-22T14:40:50.25+01:30";
	int64_t t;

	for (size_t n = 0; n < strlen(whole); n++)
		assert_int_equal(clock_parse_rfc3339(&t, bytes_of(whole, n)), VT_EMALFORMED);
	assert_int_equal(clock_parse_rfc3339(&t, bytes_str(whole)), VT_OK);
}

static void clocks_run_forward_and_agree(void **state)
{
	(void)state;
	uint64_t first = clock_monotonic_nanos(), seconds = clock_unix();
	uint64_t millis = clock_unix_millis();

	assert_true(seconds > 1700000000);
	assert_true(millis / 1000 - seconds <= 1);
	while (clock_monotonic_nanos() == first)
		;
	assert_true(clock_monotonic_nanos() > first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(formatted_times_are_what_the_c_library_says),
	    cmocka_unit_test(times_beyond_the_calendar_are_shown_as_its_end),
	    cmocka_unit_test(real_times_are_taken),
	    cmocka_unit_test(everything_else_is_refused),
	    cmocka_unit_test(no_part_of_a_time_is_a_time),
	    cmocka_unit_test(clocks_run_forward_and_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
