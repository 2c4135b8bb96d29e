/*
 * Reads JUnit XML with Expat: every test case goes into a list, and each suite's own counters are held against the test cases that it
 * shows, so that what a tool counted as failed or skipped but did not show is never taken for passed.
 */
#include "junit.h"

#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "junit_text.h"

enum {
	DEPTH_MAX = 64,
	NOTES_MAX = 20,
	/* Leaves room for " (2)". */
	LISTED_NAME_MAX = JUNIT_NAME_MAX - 32,
};

enum outcome { RAN, FAILED, NOT_RUN, UNKNOWN };

/* Tests that are counted, and that nothing shows or explains. */
struct unseen {
	uint64_t n;
	/* Of the first suite that counts such tests. */
	size_t offset;
	uint64_t counted;
	size_t shown;
};

/* A testsuite or testsuites that is open: what its attributes say, and what was shown inside it so far. */
struct suite {
	/* or NULL */
	char *name;
	size_t offset;
	/* <testsuites> */
	bool root_list;
	bool counts_tests;
	/* What the attributes count; bad: failures and errors. */
	uint64_t tests, bad, skipped;
	size_t shown_bad, shown_skipped;
	/* In all suites inside it too. */
	size_t cases;
	/* Test cases and suites directly inside it. */
	size_t children;
	/* Cases called like the one before them: runs of a test that was run again. */
	size_t repeats;
	/* Something inside it tells of a rerun. */
	bool reran;
	/* Why more tests may be counted than are shown; or NULL. */
	const char *other_counts;
	/* How many more may be counted in it: runs of a test that was run again, and what other_counts explains. */
	uint64_t more_runs;
	/* In it and in the suites inside it. */
	struct unseen unseen;
};

struct test_case {
	bool open;
	size_t offset;
	unsigned depth;
	char *name;
	enum outcome status;
	/* How many elements inside it say so. */
	size_t bad, reruns, flaky, skipped;
	/* Its status is CTest's word. */
	bool ctest_notrun;
	/* ... and nobody chose that. */
	bool could_not_run;
};

struct reader {
	XML_Parser parser;
	struct bytes text;
	struct junit_report *report;
	char *why;
	enum vt_err err;
	unsigned depth, n_suites;
	struct suite suite[DEPTH_MAX];
	struct test_case test;
	struct junit_place place;
	/* Of the test case before, in the same suite. */
	char *last_name;
	size_t notes, flaky_tests;
};

/* How many bytes of this UTF-8 text, at most max, end with a whole character. For "%.*s". */
static int whole_characters(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return (int)n;
	for (n = max; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
		n--;
	return (int)n;
}

/* -- telling ---------------------------------------------------------------------------------------- */

static size_t current_offset(const struct reader *r)
{
	/* Expat 2.8 gave its calls that tell places a second, 64-bit form, and deprecates the first. */
#ifdef JUNIT_EXPAT_64
	int64_t offset = XML_GetCurrentByteIndex64(r->parser);
#else
	int64_t offset = XML_GetCurrentByteIndex(r->parser);
#endif

	return offset < 0 ? r->place.offset : (size_t)offset;
}

static void write_remark(struct reader *r, char out[JUNIT_WHY_SIZE], size_t offset, const char *fmt,
			 va_list args) __attribute__((format(printf, 4, 0)));
static void write_remark(struct reader *r, char out[JUNIT_WHY_SIZE], size_t offset, const char *fmt,
			 va_list args)
{
	int n;

	junit_text_advance(&r->place, r->text, offset);
	n = snprintf(out, JUNIT_WHY_SIZE, ":%zu:%zu: ", r->place.line, r->place.column);
	vsnprintf(out + n, JUNIT_WHY_SIZE - (size_t)n, fmt, args);
}

static void stop_at(struct reader *r, enum vt_err err, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
static void stop_at(struct reader *r, enum vt_err err, size_t offset, const char *fmt, ...)
{
	va_list args;

	if (r->err != VT_OK)
		return;
	r->err = err;
	va_start(args, fmt);
	write_remark(r, r->why, offset, fmt, args);
	va_end(args);
	XML_StopParser(r->parser, XML_FALSE);
}

static void stop_no_memory(struct reader *r)
{
	stop_at(r, VT_ENOMEM, current_offset(r), "out of memory");
}

static void note_at(struct reader *r, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void note_at(struct reader *r, size_t offset, const char *fmt, ...)
{
	char text[JUNIT_WHY_SIZE];
	char *copy;
	va_list args;

	if (++r->notes > NOTES_MAX + 1)
		return;
	va_start(args, fmt);
	write_remark(r, text, offset,
		     r->notes > NOTES_MAX ? "there are more remarks like these" : fmt, args);
	va_end(args);
	if ((copy = strdup(text)) == NULL || junit_names_add(&r->report->notes, copy) != VT_OK) {
		free(copy);
		stop_no_memory(r);
	}
}

/* -- names ------------------------------------------------------------------------------------------ */

/* Some tools write capitals: Failures="1", <TestCase>, <Failure>. */
static bool is_named(const char *name, const char *in_lower_case)
{
	return strcasecmp(name, in_lower_case) == 0;
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
	for (; attributes[0] != NULL; attributes += 2)
		if (is_named(attributes[0], name))
			return attributes[1];
	return NULL;
}

/* Names may be very long: a parameterised test's may hold its data. */
static void shorten(struct reader *r, char *name, size_t offset)
{
	if (strlen(name) <= LISTED_NAME_MAX)
		return;
	memcpy(name + whole_characters(name, LISTED_NAME_MAX - 3), "...", 4);
	note_at(r, offset, "a test's name is longer than %d bytes, and was cut", LISTED_NAME_MAX);
}

/* The caller frees it. NULL: out of memory, and the reading was stopped. */
static char *case_name(struct reader *r, const char *name, const char *class)
{
	char *out = NULL, unnamed[64];
	size_t offset = current_offset(r);

	if (name == NULL || *name == '\0') {
		junit_text_advance(&r->place, r->text, offset);
		snprintf(unnamed, sizeof(unnamed), "(no name, line %zu)", r->place.line);
		name = unnamed;
		note_at(r, offset, "a test case without a name; it is listed as \"%s\"", unnamed);
	}
	/* CTest, and jest-junit, write the name twice. */
	if (class == NULL || strcmp(class, name) == 0)
		class = "";
	if (asprintf(&out, "%s%s%s", class, *class ? "." : "", name) < 0) {
		stop_no_memory(r);
		return NULL;
	}
	shorten(r, out, offset);
	return out;
}

static void list_test(struct reader *r, struct junit_names *list, char *name)
{
	if (name == NULL || junit_names_add(list, name) != VT_OK) {
		free(name);
		stop_no_memory(r);
	}
}

/* What went wrong outside the test cases is listed under the suite's name. */
static void list_suite_itself(struct reader *r, struct junit_names *list)
{
	const char *suite = r->n_suites ? r->suite[r->n_suites - 1].name : NULL;
	char *name = NULL;

	if (asprintf(&name, "%s (the suite itself)", suite && *suite ? suite : "(no name)") < 0)
		name = NULL;
	else
		shorten(r, name, current_offset(r));
	list_test(r, list, name);
}

/* -- words ------------------------------------------------------------------------------------------- */

/* The words of CTest, GoogleTest, Bazel, behave, Katalon, NUnit's converters and others. */
static const char *const words_ran[] = {
    "run",       "passed",   "pass",     "ok",       "success", "successful", "succeeded",
    "completed", "complete", "executed", "finished", "done",    NULL};
static const char *const words_failed[] = {
    "fail",    "failed", "failure", "error",    "errored",   "broken",    "crash", "crashed",
    "aborted", "killed", "timeout", "timedout", "timed out", "undefined", NULL};
static const char *const words_not_run[] = {"notrun",     "not run",   "not_run",      "disabled",
					    "skipped",    "skip",      "ignored",      "ignore",
					    "suppressed", "pending",   "todo",         "untested",
					    "blocked",    "cancelled", "inconclusive", NULL};

static bool is_one_of(const char *word, const char *const *list)
{
	while (*list != NULL && strcasecmp(word, *list) != 0)
		list++;
	return *list != NULL;
}

static enum outcome word_outcome(const char *word)
{
	return is_one_of(word, words_failed)    ? FAILED
	       : is_one_of(word, words_not_run) ? NOT_RUN
	       : is_one_of(word, words_ran)     ? RAN
						: UNKNOWN;
}

/* GoogleTest has a result beside the status; success and executed are NUnit's, and true or false. */
enum { N_TELLING = 4 };
static const char *const telling[N_TELLING] = {"status", "result", "success", "executed"};

static enum outcome told_outcome(const XML_Char **attributes, const char *name)
{
	static const char *const yes[] = {"true", "yes", "1", NULL};
	static const char *const no[] = {"false", "no", "0", NULL};
	const char *word = attribute(attributes, name);
	bool executed = strcmp(name, "executed") == 0;

	if (word == NULL || *word == '\0')
		return RAN;
	if (!executed && strcmp(name, "success") != 0)
		return word_outcome(word);
	return is_one_of(word, yes)   ? RAN
	       : !is_one_of(word, no) ? UNKNOWN
	       : executed             ? NOT_RUN
				      : FAILED;
}

/* -- suites and their counters ------------------------------------------------------------------------ */

/* Add what an attribute counts; one that is not there, or empty, counts nothing. */
static bool add_counter(struct reader *r, uint64_t *sum, const XML_Char **attributes,
			const char *name)
{
	const char *text = attribute(attributes, name);
	uint64_t n = 0;

	if (text == NULL || *text == '\0')
		return false;
	if (decimal_decode(&n, bytes_str(text)) != VT_OK || n > UINT32_MAX) {
		stop_at(r, VT_EMALFORMED, current_offset(r), "%s=\"%.*s\": a number is expected",
			name, whole_characters(text, 40), text);
		return false;
	}
	*sum += n;
	return true;
}

/* failed="1" may stand beside failures="1", and says the same. A suite may also say it as a test case does. */
static void read_bad(struct reader *r, struct suite *s, const XML_Char **attributes)
{
	uint64_t failed = 0;

	add_counter(r, &failed, attributes, "failed");
	add_counter(r, &s->bad, attributes, "failures");
	add_counter(r, &s->bad, attributes, "errors");
	for (size_t i = 0; i < N_TELLING && failed == 0; i++)
		failed = told_outcome(attributes, telling[i]) == FAILED;
	if (s->bad < failed)
		s->bad = failed;
}

/* Who counts more tests than the report shows, and rightly so; NULL: nobody that is known. */
static const char *other_counts(const struct suite *s, const XML_Char **attributes)
{
	const char *host = attribute(attributes, "hostname");

	if (host != NULL && strcmp(host, "tbd") == 0)
		return "Catch2 counts assertions";
	if (s->name != NULL && strcmp(s->name, "pytest") == 0)
		return "pytest counts subtests";
	return NULL;
}

static void open_suite(struct reader *r, bool root_list, const XML_Char **attributes)
{
	static const char *const skips[] = {"skipped", "skips", "skip", "disabled", "ignored"};
	const char *name = attribute(attributes, "name");
	struct suite *s = &r->suite[r->n_suites];

	if (r->test.open) {
		stop_at(r, VT_EMALFORMED, current_offset(r), "a suite inside a testcase");
		return;
	}
	if (r->n_suites > 0)
		r->suite[r->n_suites - 1].children++;
	*s = (struct suite){.offset = current_offset(r), .root_list = root_list};
	r->n_suites++;
	free(r->last_name);
	r->last_name = NULL;
	if (name != NULL && (s->name = strdup(name)) == NULL)
		stop_no_memory(r);
	s->counts_tests = add_counter(r, &s->tests, attributes, "tests");
	read_bad(r, s, attributes);
	for (size_t i = 0; i < sizeof(skips) / sizeof(*skips); i++)
		add_counter(r, &s->skipped, attributes, skips[i]);
	s->other_counts = other_counts(s, attributes);
}

/*
 * jest-junit shows a test that is still to be written like a passed one, and does not count it. Others count less than they show in
 * ways that are all right: node:test counts what is directly inside, Boost.Test (whose root is no list) what ran, and Surefire and
 * pytest-rerunfailures leave out the runs of a test that was run again.
 */
static bool tests_are_counted(const struct reader *r, const struct suite *s)
{
	size_t shown = s->children < s->cases ? s->children : s->cases;

	return !s->counts_tests || s->reran || s->shown_bad > 0 || s->tests + s->repeats >= shown ||
	       (!r->suite[0].root_list && s->tests + s->shown_skipped == s->cases);
}

/*
 * mocha-junit-reporter counts the tests that it skipped, among all tests too, and shows none of them. So what is counted as skipped may be
 * missing where as many tests are; they go into the list as one line.
 */
static void list_unnamed_skips(struct reader *r, struct suite *s)
{
	uint64_t missing = s->skipped > s->shown_skipped ? s->skipped - s->shown_skipped : 0;
	const char *suite = s->name ? s->name : "";
	char *name = NULL;

	if (missing == 0 || !s->counts_tests || s->tests < s->cases + missing)
		return;
	if (asprintf(&name, "%.*s (%llu tests that the report does not name)",
		     whole_characters(suite, 200), suite, (unsigned long long)missing) < 0)
		name = NULL;
	list_test(r, &r->report->not_run, name);
	r->report->unnamed_not_run += (size_t)missing - 1;
	s->shown_skipped += (size_t)missing;
	s->cases += (size_t)missing;
	s->children += (size_t)missing;
	s->unseen.n -= s->unseen.n < missing ? s->unseen.n : missing;
}

/* node:test counts the suites and cases directly inside a suite, others the cases at any depth. */
static size_t most_shown(const struct suite *s)
{
	return s->children > s->cases ? s->children : s->cases;
}

static void note_counted(struct reader *r, const struct unseen *u, const char *why)
{
	note_at(r, u->offset, "%llu test%s counted, %zu %s shown: %s",
		(unsigned long long)u->counted, u->counted == 1 ? " is" : "s are", u->shown,
		u->shown == 1 ? "is" : "are", why);
}

/* Tests that are counted and not shown may have failed. An outer suite may still explain what is missing in an inner one. */
static void look_for_unseen(struct reader *r, struct suite *s)
{
	struct unseen here = {.offset = s->offset, .counted = s->tests, .shown = most_shown(s)};
	uint64_t explained = here.shown + s->more_runs;

	if (!s->counts_tests || s->tests <= explained)
		return;
	here.n = s->tests - explained;
	if (s->other_counts != NULL) {
		note_counted(r, &here, s->other_counts);
		s->more_runs += here.n;
	} else if (s->unseen.n == 0) {
		s->unseen = here;
	} else if (s->unseen.n < here.n) {
		s->unseen.n = here.n;
	}
}

/* Where something failed, the verdict is the same whatever else did. */
static void judge_unseen(struct reader *r, const struct unseen *u)
{
	if (r->report->failed.n > 0)
		note_counted(r, u, "the others may have failed, too");
	else
		stop_at(r, VT_EMALFORMED, u->offset,
			"contradiction: %llu test%s counted, %zu %s shown; what is not shown may "
			"have failed",
			(unsigned long long)u->counted, u->counted == 1 ? " is" : "s are", u->shown,
			u->shown == 1 ? "is" : "are");
}

static void check_counters(struct reader *r, const struct suite *s)
{
	const char *name = s->name ? s->name : "";
	int shown = whole_characters(name, 80);

	if (s->bad > s->shown_bad && s->root_list && s->shown_bad > 0)
		/* gotestsum counts what the compiler said as errors of the whole run. The verdict is the same. */
		note_at(r, s->offset,
			"failures and errors are counted as %llu here, and %zu are shown below",
			(unsigned long long)s->bad, s->shown_bad);
	else if (s->bad > s->shown_bad)
		stop_at(
		    r, VT_EMALFORMED, s->offset,
		    "contradiction: suite \"%.*s\" counts %llu failures and errors, and the test "
		    "cases in it show %zu",
		    shown, name, (unsigned long long)s->bad, s->shown_bad);
	else if (s->skipped > s->shown_skipped)
		stop_at(
		    r, VT_EMALFORMED, s->offset,
		    "contradiction: suite \"%.*s\" counts %llu tests that did not run (skipped, "
		    "disabled), and the test cases in it show %zu",
		    shown, name, (unsigned long long)s->skipped, s->shown_skipped);
	else if (!tests_are_counted(r, s))
		stop_at(r, VT_EMALFORMED, s->offset,
			"contradiction: suite \"%.*s\" counts %llu tests, and %zu are shown in it; "
			"what is not counted may not have run (a todo of Jest is shown so)",
			shown, name, (unsigned long long)s->tests,
			s->children < s->cases ? s->children : s->cases);
}

static void close_suite(struct reader *r)
{
	struct suite *s = &r->suite[--r->n_suites];

	list_unnamed_skips(r, s);
	check_counters(r, s);
	look_for_unseen(r, s);
	if (r->n_suites > 0) {
		struct suite *outer = &r->suite[r->n_suites - 1];

		outer->shown_bad += s->shown_bad;
		outer->shown_skipped += s->shown_skipped;
		outer->cases += s->cases;
		outer->repeats += s->repeats;
		outer->reran |= s->reran;
		outer->more_runs += s->more_runs;
		s->unseen.n += outer->unseen.n;
		if (outer->unseen.n == 0)
			outer->unseen = s->unseen;
		outer->unseen.n = s->unseen.n;
	} else if (s->unseen.n > 0) {
		judge_unseen(r, &s->unseen);
	}
	free(s->name);
	s->name = NULL;
}

/* -- test cases -------------------------------------------------------------------------------------- */

/* The worst of what a test case's attributes say. */
static enum outcome read_status(struct reader *r, const XML_Char **attributes)
{
	enum outcome worst = RAN, one;
	const char *word;

	for (size_t i = 0; i < N_TELLING; i++) {
		word = attribute(attributes, telling[i]);
		one = told_outcome(attributes, telling[i]);
		if (one == UNKNOWN)
			stop_at(
			    r, VT_EMALFORMED, current_offset(r),
			    "%s=\"%.*s\" is not known: it cannot be told whether this test passed",
			    telling[i], whole_characters(word, 40), word);
		else if (worst != FAILED && one != RAN)
			worst = one;
	}
	return worst;
}

static void open_case(struct reader *r, const XML_Char **attributes)
{
	struct suite *s = &r->suite[r->n_suites - 1];

	if (r->test.open) {
		stop_at(r, VT_EMALFORMED, current_offset(r), "a testcase inside a testcase");
		return;
	}
	r->test = (struct test_case){.open = true, .offset = current_offset(r), .depth = r->depth};
	r->test.status = read_status(r, attributes);
	r->test.ctest_notrun = attribute(attributes, "status") != NULL &&
			       strcmp(attribute(attributes, "status"), "notrun") == 0;
	r->test.name =
	    case_name(r, attribute(attributes, "name"), attribute(attributes, "classname"));
	s->cases++;
	s->children++;
	if (r->test.name != NULL && r->last_name != NULL && strcmp(r->test.name, r->last_name) == 0)
		s->repeats++;
	free(r->last_name);
	r->last_name = r->test.name ? strdup(r->test.name) : NULL;
	if (r->last_name == NULL)
		stop_no_memory(r);
}

static void close_case(struct reader *r)
{
	struct test_case *t = &r->test;
	struct suite *s = &r->suite[r->n_suites - 1];
	/* Surefire shows reruns that failed beside the failure itself, or, where one passed, as flaky. */
	bool bad = t->bad > 0 || t->status == FAILED || (t->reruns > 0 && t->flaky == 0);
	bool not_run = t->skipped > 0 || t->status == NOT_RUN;
	bool failed = bad || t->could_not_run;

	/* Its counters may count every run. */
	s->reran |= t->reruns + t->flaky > 0;
	s->more_runs += t->reruns + t->flaky;
	s->shown_bad += t->bad + t->reruns + t->flaky + (bad && t->bad + t->reruns == 0);
	s->shown_skipped += not_run;
	r->flaky_tests += !failed && t->flaky > 0;
	list_test(r,
		  failed    ? &r->report->failed
		  : not_run ? &r->report->not_run
			    : &r->report->passed,
		  t->name);
	*t = (struct test_case){0};
}

/*
 * CTest writes status="notrun" and <skipped message="..."> both for what was skipped on purpose and for what it could not
 * start: no executable, a missing file, a fixture that failed. The latter broke.
 */
static bool ctest_skipped_it(const char *message)
{
	return message != NULL && (strncmp(message, "SKIP_RETURN_CODE=", 17) == 0 ||
				   strcmp(message, "SKIP_REGULAR_EXPRESSION_MATCHED") == 0 ||
				   strcasecmp(message, "Disabled") == 0);
}

/* What an element says about the test case or the suite that it stands in. */
enum mark { NO_MARK, MARK_BAD, MARK_RERUN, MARK_FLAKY, MARK_SKIPPED };

static enum mark element_mark(const char *element)
{
	static const char *const bad[] = {"failure", "failed", "error", NULL};
	static const char *const reruns[] = {"rerunFailure", "rerunError", NULL};
	static const char *const flaky[] = {"flakyFailure", "flakyError", NULL};
	static const char *const skipped[] = {"skipped", "skip", "ignored", NULL};

	return is_one_of(element, bad)       ? MARK_BAD
	       : is_one_of(element, reruns)  ? MARK_RERUN
	       : is_one_of(element, flaky)   ? MARK_FLAKY
	       : is_one_of(element, skipped) ? MARK_SKIPPED
					     : NO_MARK;
}

/* Directly inside a test case the words of a status mean the same. */
static enum mark case_mark(struct reader *r, const char *element)
{
	static const char *const say_nothing[] = {"system-out", "system-err", "properties", NULL};
	enum mark mark = element_mark(element);
	enum outcome word = word_outcome(element);

	if (mark != NO_MARK || r->depth != r->test.depth + 1 || is_one_of(element, say_nothing))
		return mark;
	/* PHPUnit before 10 shows by this alone that a class had no tests, or that one could not be set up. */
	if (strcmp(element, "warning") == 0)
		return MARK_BAD;
	if (word == UNKNOWN)
		note_at(
		    r, current_offset(r),
		    "the element <%.*s> of a test case is not known; it is taken to say nothing "
		    "about the result",
		    whole_characters(element, 60), element);
	return word == FAILED ? MARK_BAD : word == NOT_RUN ? MARK_SKIPPED : NO_MARK;
}

static void mark_case(struct reader *r, const char *element, const XML_Char **attributes)
{
	struct test_case *t = &r->test;
	enum mark mark = case_mark(r, element);

	t->bad += mark == MARK_BAD;
	t->reruns += mark == MARK_RERUN;
	t->flaky += mark == MARK_FLAKY;
	t->skipped += mark == MARK_SKIPPED;
	if (mark == MARK_SKIPPED && t->ctest_notrun)
		t->could_not_run |= !ctest_skipped_it(attribute(attributes, "message"));
}

static void mark_suite(struct reader *r, const char *element)
{
	struct suite *s = &r->suite[r->n_suites - 1];
	enum mark mark = element_mark(element);

	if (mark == MARK_BAD || mark == MARK_RERUN) {
		s->shown_bad++;
		list_suite_itself(r, &r->report->failed);
	} else if (mark == MARK_SKIPPED) {
		s->shown_skipped++;
		list_suite_itself(r, &r->report->not_run);
	}
}

/* -- Expat ------------------------------------------------------------------------------------------- */

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = ctx;
	bool list = is_named(name, "testsuites"), suite = is_named(name, "testsuite");

	if (r->err != VT_OK)
		return;
	if (++r->depth > DEPTH_MAX)
		stop_at(r, VT_ELIMIT, current_offset(r), "nested deeper than %d elements",
			DEPTH_MAX);
	else if (r->depth == 1 && !list && !suite)
		stop_at(r, VT_EMALFORMED, current_offset(r),
			"not a JUnit report: the root element is <%.*s>, neither <testsuites> nor "
			"<testsuite>",
			whole_characters(name, 60), name);
	else if (list || suite)
		open_suite(r, list, attributes);
	else if (is_named(name, "testcase"))
		open_case(r, attributes);
	else if (r->test.open)
		mark_case(r, name, attributes);
	else
		mark_suite(r, name);
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
	struct reader *r = ctx;

	if (r->err != VT_OK)
		return;
	r->depth--;
	if (is_named(name, "testcase"))
		close_case(r);
	else if (is_named(name, "testsuites") || is_named(name, "testsuite"))
		close_suite(r);
}

/* Entities are defined in DTDs, and no JUnit report needs one: without them nothing can expand. */
static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid,
			       const XML_Char *pubid, int has_internal_subset)
{
	struct reader *r = ctx;

	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_internal_subset;
	stop_at(r, VT_EMALFORMED, current_offset(r), "a document type declaration is not taken");
}

static void note_what_was_replaced(struct reader *r, const struct junit_replaced *replaced)
{
	if (replaced->controls > 0)
		note_at(r, replaced->first_control,
			"control characters that XML does not allow were replaced: %zu, the first "
			"one here",
			replaced->controls);
	if (replaced->invalid > 0)
		note_at(r, replaced->first_invalid,
			"bytes that are none of the report's encoding were replaced: %zu, the "
			"first one here",
			replaced->invalid);
}

static enum vt_err parse(struct reader *r)
{
	/* What Expat takes by itself, named here so that a test can let it fail. */
	static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};

	/* The text is UTF-8 by now, whatever the declaration says. */
	if ((r->parser = XML_ParserCreate_MM("UTF-8", &memory, NULL)) == NULL)
		return VT_ENOMEM;
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
	if (XML_Parse(r->parser, (const char *)r->text.data, (int)r->text.len, 1) !=
		XML_STATUS_OK &&
	    r->err == VT_OK)
		stop_at(
		    r,
		    XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY ? VT_ENOMEM : VT_EMALFORMED,
		    current_offset(r), "not XML: %s", XML_ErrorString(XML_GetErrorCode(r->parser)));
	if (r->err == VT_OK && r->flaky_tests > 0)
		note_at(r, 0, "%zu of the passed tests failed at first and passed when run again",
			r->flaky_tests);
	XML_ParserFree(r->parser);
	return r->err;
}

enum vt_err junit_parse(struct junit_report *out, struct bytes xml, char why[JUNIT_WHY_SIZE])
{
	struct reader *r = NULL;
	struct junit_replaced replaced;
	struct buf text;
	char encoding[41];
	enum vt_err err = VT_ENOMEM;

	*out = (struct junit_report){0};
	snprintf(why, JUNIT_WHY_SIZE, ": out of memory");
	buf_init(&text);
	if (xml.len > JUNIT_SIZE_MAX) {
		snprintf(why, JUNIT_WHY_SIZE, ": larger than %d MiB", JUNIT_SIZE_MAX >> 20);
		return VT_ELIMIT;
	}
	if ((r = calloc(1, sizeof(*r))) == NULL ||
	    (err = junit_text_clean(&text, xml, &replaced, encoding)) != VT_OK) {
		if (err == VT_EMALFORMED)
			snprintf(why, JUNIT_WHY_SIZE, ":1:1: the encoding \"%s\" is not known",
				 encoding);
		goto done;
	}
	r->report = out;
	r->why = why;
	r->text = buf_bytes(&text);
	note_what_was_replaced(r, &replaced);
	if ((err = r->err) == VT_OK)
		err = parse(r);
	free(r->test.name);
	free(r->last_name);
	for (unsigned i = 0; i < r->n_suites; i++)
		free(r->suite[i].name);
done:
	free(r);
	buf_release(&text);
	return err;
}
