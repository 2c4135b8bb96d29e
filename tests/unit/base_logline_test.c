#include "vitrine_test.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "logline.h"

static char said[1 << 20];
static FILE *capture;
static int real_stderr;

/* Standard error goes to a file until said_so_far() reads it back. */
static void start_capture(void)
{
	capture = tmpfile();
	assert_non_null(capture);
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(capture), STDERR_FILENO) >= 0);
}

static const char *end_capture(void)
{
	size_t n;

	assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
	close(real_stderr);
	rewind(capture);
	n = fread(said, 1, sizeof(said) - 1, capture);
	said[n] = '\0';
	fclose(capture);
	return said;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

/* "2026-11-22T14:40:50.123Z " */
static const char *after_time(const char *line)
{
	static const char shape[] = "0000-00-00T00:00:00.000Z ";

	for (size_t i = 0; i < sizeof(shape) - 1; i++) {
		if (shape[i] == '0')
			assert_in_range(line[i], '0', '9');
		else
			assert_int_equal(line[i], shape[i]);
	}
	return line + sizeof(shape) - 1;
}

static void a_line_has_time_level_event_and_fields(void **state)
{
	(void)state;
	logline_configure(LOGLINE_INFO, false);
	start_capture();
	errno = ENOSPC;
	logline(LOGLINE_WARN, "batch committed", "size=%d root=%s", 12, "abc");
	assert_int_equal(errno, ENOSPC);
	assert_string_equal(after_time(end_capture()), "warn batch committed size=12 root=abc\n");
	start_capture();
	logline(LOGLINE_ERROR, "stopped", "%s", "");
	assert_string_equal(after_time(end_capture()), "error stopped\n");
}

static void an_internal_error_says_where_it_arose_and_why(void **state)
{
	(void)state;
	logline_configure(LOGLINE_INFO, false);
	start_capture();
	assert_int_equal(internal_error("/src/a folder/pool.c", 12, "pthread_create", EAGAIN),
			 VT_EINTERNAL);
	assert_string_equal(after_time(end_capture()),
			    "error internal error at=pool.c:12 doing=pthread_create "
			    "errno=\"Resource temporarily unavailable\"\n");
	start_capture();
	assert_int_equal(internal_error("a.c", 3, "more than was asked for", 0), VT_EINTERNAL);
	assert_string_equal(after_time(end_capture()),
			    "error internal error at=a.c:3 doing=\"more than was asked for\"\n");
}

static void lines_below_the_level_are_left_out(void **state)
{
	(void)state;
	logline_configure(LOGLINE_WARN, false);
	start_capture();
	logline(LOGLINE_DEBUG, "a", "x=1");
	logline(LOGLINE_INFO, "b", "x=1");
	logline(LOGLINE_WARN, "c", "x=1");
	logline(LOGLINE_ERROR, "d", "x=1");
	assert_int_equal(count_lines(end_capture()), 2);
	logline_configure(LOGLINE_DEBUG, false);
	start_capture();
	logline(LOGLINE_DEBUG, "a", "x=1");
	assert_string_equal(after_time(end_capture()), "debug a x=1\n");
}

static void quoting_escapes_everything_but_plain_words(void **state)
{
	(void)state;
	static const struct {
		struct bytes text;
		const char *quoted;
	} cases[] = {
#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
	    {TEXT("lab-7.example"), "lab-7.example"},
	    {TEXT("/var/lib/vitrine"), "/var/lib/vitrine"},
	    {TEXT("a@b:80+c_d"), "a@b:80+c_d"},
	    {TEXT(""), "\"\""},
	    {TEXT("7"), "\"7\""},
	    {TEXT("-x"), "\"-x\""},
	    {TEXT("true"), "\"true\""},
	    {TEXT("null"), "\"null\""},
	    {TEXT("two words"), "\"two words\""},
	    {TEXT("a=b"), "\"a=b\""},
	    {TEXT("say \"x\\y\""), "\"say \\\"x\\\\y\\\"\""},
	    {TEXT("x\nerror forged line=1"), "\"x\\nerror forged line=1\""},
	    {TEXT("\r\t\0\033\x7f"), "\"\\r\\t\\u0000\\u001b\\u007f\""},
	    {TEXT("\xc3\xa9\xe2\x80\xae"), "\"\\u00e9\\u202e\""},
	    {TEXT("\xf0\x9f\x94\x8f"), "\"\\ud83d\\udd0f\""},
	    {TEXT("a\xff\xc3"), "\"a\\ufffd\\ufffd\""},
	};
	char out[128];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(logline_quote(out, sizeof(out), cases[i].text),
				    cases[i].quoted);
}

static void quoted_text_is_cut_to_its_room(void **state)
{
	(void)state;
	char out[64];

	for (size_t cap = 6; cap <= 40; cap++) {
		static const char *const texts[] = {
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
		    "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"};

		for (size_t i = 0; i < 3; i++) {
			memset(out, '#', sizeof(out));
			logline_quote(out, cap, bytes_str(texts[i]));
			assert_true(strlen(out) < cap);
			assert_true(strlen(out) + 6 >= cap);
			assert_int_equal(out[cap], '#');
			assert_string_equal(out + strlen(out) - 4, "...\"");
		}
	}
	assert_string_equal(logline_quote(out, 40, bytes_str("fits")), "fits");
	assert_string_equal(logline_quote(out, 7, bytes_str("a b")), "\"a...\"");
	assert_string_equal(logline_quote(out, 9, bytes_str("a b")), "\"a b\"");
	assert_string_equal(logline_quote(out, 3, bytes_str("a b")), "");
}

static struct json *only_line_as_json(void)
{
	const char *line = end_capture();
	struct json *j;
	struct json_error why;

	assert_int_equal(count_lines(line), 1);
	if (json_parse(&j, bytes_of(line, strlen(line) - 1), &why) != VT_OK)
		fail_msg("%s: %s", line, why.text);
	return j;
}

static void assert_text(const struct json *j, const char *name, const char *expected)
{
	struct bytes text;

	assert_true(json_text(json_member(j, name), &text));
	assert_true(bytes_is(text, expected));
}

static void json_lines_hold_the_same_fields(void **state)
{
	(void)state;
	char quoted[64];
	struct json *j;
	int64_t n;
	bool b;

	logline_configure(LOGLINE_INFO, true);
	start_capture();
	logline(LOGLINE_INFO, "entry added",
		"index=%d party=%s  note=%s ok=true took=%s far=-5 big=%s", 7, "lab-7",
		logline_quote(quoted, sizeof(quoted), bytes_str("say \"\xc3\xa9\"\n=7 x=1")),
		"1.5ms", "18446744073709551615");
	j = only_line_as_json();
	assert_int_equal(json_count(j), 10);
	assert_text(j, "level", "info");
	assert_text(j, "event", "entry added");
	assert_text(j, "party", "lab-7");
	assert_text(j, "note", "say \"\xc3\xa9\"\n=7 x=1");
	assert_text(j, "took", "1.5ms");
	assert_text(j, "big", "18446744073709551615");
	assert_true(json_integer(json_member(j, "index"), &n) && n == 7);
	assert_true(json_integer(json_member(j, "far"), &n) && n == -5);
	assert_true(json_bool(json_member(j, "ok"), &b) && b);
	json_free(j);
}

static void text_that_is_no_field_is_kept_as_text(void **state)
{
	(void)state;
	static const struct {
		const char *fields, *member, *value;
	} cases[] = {
	    {"just words", "text", "just words"},
	    {"a=1 then words", "text", "then words"},
	    {"=x", "text", "=x"},
	    {"a=", "a", ""},
	    {"a=\"open", "a", "\"open"},
	    {"a=x\"y", "a", "x\"y"},
	    {"a=\xff\n", "a", "\xef\xbf\xbd\n"},
	};

	logline_configure(LOGLINE_INFO, true);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct json *j;

		start_capture();
		logline(LOGLINE_INFO, "e", "%s", cases[i].fields);
		j = only_line_as_json();
		assert_text(j, cases[i].member, cases[i].value);
		json_free(j);
	}
}

static void an_overlong_line_is_cut_and_stays_one_line(void **state)
{
	(void)state;
	static char fields[9000];
	struct json *j;

	memset(fields, 'x', sizeof(fields) - 1);
	memcpy(fields, "a=1 b=", 6);
	for (int json = 0; json < 2; json++) {
		logline_configure(LOGLINE_INFO, json);
		start_capture();
		logline(LOGLINE_INFO, "long", "%s", fields);
		j = json ? only_line_as_json() : NULL;
		if (!json)
			end_capture();
		json_free(j);
		assert_int_equal(count_lines(said), 1);
		assert_true(strlen(said) <= 4096);
		assert_true(strlen(said) > 4000);
	}
}

static void a_control_character_does_not_make_a_second_line(void **state)
{
	(void)state;
	logline_configure(LOGLINE_INFO, false);
	start_capture();
	logline(LOGLINE_INFO, "e", "%s", "a=b\nforged\033[2J");
	assert_string_equal(after_time(end_capture()), "info e a=b?forged?[2J\n");
}

static void *write_many(void *ctx)
{
	for (int i = 0; i < 200; i++)
		logline(LOGLINE_INFO, "from a thread", "thread=%d i=%d", *(int *)ctx, i);
	return NULL;
}

static void lines_of_threads_do_not_mix(void **state)
{
	(void)state;
	pthread_t thread[4];
	int number[4] = {0, 1, 2, 3};
	size_t n = 0;

	logline_configure(LOGLINE_INFO, false);
	start_capture();
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, &number[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	end_capture();
	for (char *p = said; *p != '\0'; n++) {
		int t, i, used = 0;

		assert_int_equal(
		    sscanf(after_time(p), "info from a thread thread=%d i=%d%n", &t, &i, &used), 2);
		p = strchr(p, '\n') + 1;
	}
	assert_int_equal(n, 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_has_time_level_event_and_fields),
	    cmocka_unit_test(an_internal_error_says_where_it_arose_and_why),
	    cmocka_unit_test(lines_below_the_level_are_left_out),
	    cmocka_unit_test(quoting_escapes_everything_but_plain_words),
	    cmocka_unit_test(quoted_text_is_cut_to_its_room),
	    cmocka_unit_test(json_lines_hold_the_same_fields),
	    cmocka_unit_test(text_that_is_no_field_is_kept_as_text),
	    cmocka_unit_test(an_overlong_line_is_cut_and_stays_one_line),
	    cmocka_unit_test(a_control_character_does_not_make_a_second_line),
	    cmocka_unit_test(lines_of_threads_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
