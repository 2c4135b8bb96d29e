/*
 * The suites of a JUnit report: each one's counters are held against the test cases that it shows, so that what a tool counted as failed
 * or skipped but did not show is never taken for passed.
 */
#include "junit_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Add what an attribute counts; one that is not there, or empty, counts nothing. */
static bool add_counter(struct reader *r, uint64_t *sum, const char **attributes, const char *name)
{
	const char *text = junit_attribute(attributes, name);
	uint64_t n = 0;

	if (text == NULL || *text == '\0')
		return false;
	if (decimal_decode(&n, bytes_str(text)) != VT_OK || n > UINT32_MAX) {
		junit_stop_at(r, VT_EMALFORMED, junit_offset(r),
			      "%s=\"%.*s\": a number is expected", name,
			      junit_whole_characters(text, 40), text);
		return false;
	}
	*sum += n;
	return true;
}

/* failed="1" may stand beside failures="1", and says the same. A suite may also say it as a test case does. */
static void read_bad(struct reader *r, struct suite *s, const char **attributes)
{
	uint64_t failed = 0;

	add_counter(r, &failed, attributes, "failed");
	s->counts_bad = add_counter(r, &s->bad, attributes, "failures");
	s->counts_bad &= add_counter(r, &s->bad, attributes, "errors");
	for (size_t i = 0; i < JUNIT_TELLING && failed == 0; i++)
		failed = junit_told_outcome(attributes, junit_telling[i]) == FAILED;
	if (s->bad < failed)
		s->bad = failed;
}

/* Who counts more tests than the report shows, and rightly so; NULL: nobody that is known. */
static const char *other_counts(const struct suite *s, const char **attributes)
{
	const char *host = junit_attribute(attributes, "hostname");

	if (host != NULL && strcmp(host, "tbd") == 0)
		return "Catch2 counts assertions";
	if (s->name != NULL && strcmp(s->name, "pytest") == 0)
		return "pytest counts subtests";
	return NULL;
}

void junit_open_suite(struct reader *r, bool root_list, const char **attributes)
{
	static const char *const skips[] = {"skipped", "skips", "skip", "disabled", "ignored"};
	const char *name = junit_attribute(attributes, "name");
	struct suite *s = &r->suite[r->n_suites];

	if (r->test.open) {
		junit_stop_at(r, VT_EMALFORMED, junit_offset(r), "a suite inside a testcase");
		return;
	}
	if (r->n_suites > 0)
		r->suite[r->n_suites - 1].children++;
	*s = (struct suite){.offset = junit_offset(r), .root_list = root_list};
	r->n_suites++;
	free(r->last_name);
	r->last_name = NULL;
	if (name != NULL && (s->name = strdup(name)) == NULL)
		junit_stop_no_memory(r);
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
		     junit_whole_characters(suite, 200), suite, (unsigned long long)missing) < 0)
		name = NULL;
	junit_list_test(r, &r->report->not_run, name);
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
	junit_note_at(r, u->offset, "%llu test%s counted, %zu %s shown: %s",
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
	/* Whoever counts what it does not show must say that none of it failed. Of nothing at all there are no assertions. */
	if (s->other_counts != NULL && s->counts_bad && s->cases > 0) {
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
		junit_stop_at(
		    r, VT_EMALFORMED, u->offset,
		    "contradiction: %llu test%s counted, %zu %s shown; what is not shown may "
		    "have failed",
		    (unsigned long long)u->counted, u->counted == 1 ? " is" : "s are", u->shown,
		    u->shown == 1 ? "is" : "are");
}

static void check_counters(struct reader *r, const struct suite *s)
{
	const char *name = s->name ? s->name : "";
	int shown = junit_whole_characters(name, 80);

	if (s->bad > s->shown_bad && s->root_list && s->shown_bad > 0)
		/* gotestsum counts what the compiler said as errors of the whole run. The verdict is the same. */
		junit_note_at(
		    r, s->offset,
		    "failures and errors are counted as %llu here, and %zu are shown below",
		    (unsigned long long)s->bad, s->shown_bad);
	else if (s->bad > s->shown_bad)
		junit_stop_at(
		    r, VT_EMALFORMED, s->offset,
		    "contradiction: suite \"%.*s\" counts %llu failures and errors, and the test "
		    "cases in it show %zu",
		    shown, name, (unsigned long long)s->bad, s->shown_bad);
	else if (s->skipped > s->shown_skipped)
		junit_stop_at(
		    r, VT_EMALFORMED, s->offset,
		    "contradiction: suite \"%.*s\" counts %llu tests that did not run (skipped, "
		    "disabled), and the test cases in it show %zu",
		    shown, name, (unsigned long long)s->skipped, s->shown_skipped);
	else if (!tests_are_counted(r, s))
		junit_stop_at(
		    r, VT_EMALFORMED, s->offset,
		    "contradiction: suite \"%.*s\" counts %llu tests, and %zu are shown in it; "
		    "what is not counted may not have run (a todo of Jest is shown so)",
		    shown, name, (unsigned long long)s->tests,
		    s->children < s->cases ? s->children : s->cases);
}

void junit_close_suite(struct reader *r)
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
