/* `vitrine record verdict`: a laboratory's verdict, its result stated or derived from test reports. */
#include <stdio.h>
#include <string.h>

#include "file_digests.h"
#include "junit_files.h"
#include "problem.h"
#include "record.h"

enum { QUOTED_SIZE = 200 };

static struct record_signing how;
static struct record_subjects subjects;
static const char *opt_result, *opt_url, *opt_report;
static struct option_list opt_junit, opt_configuration, opt_deviation;
static struct compose_assessment assessment;
static bool opt_salt;

static const struct option options[] = {
    RECORD_SUBJECT_OPTIONS(subjects),
    {"result", OPTION_TEXT, &opt_result, "RESULT",
     "PASSED, WARNED or FAILED. With --junit it may be left out: FAILED if anything failed, else "
     "PASSED if a test ran. What is stated may be worse than what the reports show, never better.",
     0, 0, false, false},
    {"junit", OPTION_LIST, &opt_junit, "FILE|FOLDER",
     "A JUnit XML report, or a folder with reports (*.xml, also in its folders). Their tests are "
     "listed as passed, failed or not run, and the reports logged by digest.",
     0, 0, false, false},
    {"configuration", OPTION_LIST, &opt_configuration, "FILE|URI",
     "What was tested with: a file (logged by digest) or a URI; one at least.", 0, 0, false, false},
    {"url", OPTION_TEXT, &opt_url, "URL", "Where the run can be looked up.", 0, 0, false, false},
    {"laboratory", OPTION_TEXT, &assessment.laboratory, "NAME",
     "Name of the laboratory. This and the options below make the assessment that ISO/IEC 17025 "
     "asks "
     "of a report.",
     0, 0, false, false},
    {"location", OPTION_TEXT, &assessment.location, "TEXT", "Where it was tested.", 0, 0, false,
     false},
    {"accreditation", OPTION_TEXT, &assessment.accreditation, "TEXT",
     "The laboratory's own accreditation, e.g. its number.", 0, 0, false, false},
    {"report-id", OPTION_TEXT, &assessment.report_id, "ID", "The report's unique number.", 0, 0,
     false, false},
    {"test-scheme", OPTION_TEXT, &assessment.scheme, "TEXT",
     "Method or scheme, e.g. EN 18031-1:2024.", 0, 0, false, false},
    {"received", OPTION_TEXT, &assessment.received, "TIME", "When the item came in (RFC 3339).", 0,
     0, false, false},
    {"started", OPTION_TEXT, &assessment.started, "TIME", "When testing began.", 0, 0, false,
     false},
    {"completed", OPTION_TEXT, &assessment.completed, "TIME", "When it ended.", 0, 0, false, false},
    {"issued", OPTION_TEXT, &assessment.issued, "TIME", "When the report was issued.", 0, 0, false,
     false},
    {"decision-rule", OPTION_TEXT, &assessment.decision_rule, "TEXT",
     "How results became a verdict.", 0, 0, false, false},
    {"deviation", OPTION_LIST, &opt_deviation, "TEXT", "A deviation from the method.", 0, 0, false,
     false},
    {"report", OPTION_TEXT, &opt_report, "FILE", "The report itself; logged by digest.", 0, 0,
     false, false},
    {"salted", OPTION_FLAG, &opt_salt, NULL,
     "Put 128 random bits inside, as a record needs that is to be sealed first.", 0, 0, false,
     false},
    RECORD_SIGNING_OPTIONS(how),
};
static const struct command_usage usage = {
    "vitrine record verdict --firmware FILE --result PASSED --configuration FILE|URI --key FILE "
    "...",
    "Writes a laboratory's verdict on a file, as an in-toto test-result.",
    "  vitrine record verdict --firmware fw.bin --junit report.xml --configuration plan.yaml \\\n"
    "      --key lab.pem --out verdict.json\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

enum {
	CONFIGURATIONS_MAX = 64,
};

struct evidence {
	struct junit_input junit;
	struct compose_tests tests;
	struct compose_resource test_report[JUNIT_SOURCES_MAX];
	struct compose_resource configuration[CONFIGURATIONS_MAX];
	char hex[CONFIGURATIONS_MAX][65];
	char report_hex[65];
	char salt[COMPOSE_SALT_SIZE];
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int nothing_ran(const struct junit_report *tests)
{
	return cmd_fail(
	    "record verdict", CMD_USAGE,
	    "nothing ran: in the reports are %zu tests that were skipped, disabled or could "
	    "not be started, and no other; that is never PASSED. To state a result all the "
	    "same, give --result FAILED or --result WARNED",
	    junit_not_run(tests));
}

/* What the reports show binds what may be stated: worse, never better. */
static int decide_result(const struct junit_report *tests, struct compose_verdict *v)
{
	const char *shown = junit_result(tests);
	char quoted[QUOTED_SIZE];

	if (v->result == NULL) {
		v->result = shown;
		return shown != NULL ? CMD_HOLDS : nothing_ran(tests);
	}
	if (strcmp(v->result, "FAILED") == 0)
		return CMD_HOLDS;
	if (shown != NULL && strcmp(shown, "FAILED") == 0)
		return cmd_fail(
		    "record verdict", CMD_USAGE,
		    "--result %s: the reports show %zu failed tests, the first is \"%s\"; "
		    "a result may be stated that is worse than what the reports show, not a better "
		    "one",
		    v->result, tests->failed.n,
		    problem_quote(quoted, sizeof(quoted), bytes_str(tests->failed.name[0])));
	return shown == NULL && strcmp(v->result, "PASSED") == 0 ? nothing_ran(tests) : CMD_HOLDS;
}

static int read_junit(struct evidence *e, struct compose_verdict *v)
{
	const struct junit_report *tests = &e->junit.tests;
	char quoted[QUOTED_SIZE];
	size_t not_run;
	int code = junit_read("record verdict", &opt_junit, &e->junit);

	if (code == CMD_HOLDS)
		code = decide_result(tests, v);
	if (code != CMD_HOLDS)
		return code;
	if ((not_run = junit_not_run(tests)) > 0)
		(void)cmd_fail(
		    "record verdict", CMD_HOLDS,
		    "note: %zu of %zu tests did not run, the first is \"%s\"", not_run,
		    tests->passed.n + tests->failed.n + not_run,
		    problem_quote(quoted, sizeof(quoted), bytes_str(tests->not_run.name[0])));
	for (size_t i = 0; i < e->junit.n; i++) {
		e->test_report[i].name = e->junit.source[i].name;
		e->test_report[i].hex = e->junit.source[i].hex;
	}
	e->tests = (struct compose_tests){.n_passed = tests->passed.n,
					  .n_failed = tests->failed.n,
					  .n_not_run = not_run,
					  .report = e->test_report,
					  .n_reports = e->junit.n};
	v->tests = &e->tests;
	return CMD_HOLDS;
}

static int read_configuration(struct evidence *e, struct compose_verdict *v)
{
	/* test-result.md: "`configuration` list of ResourceDescriptor, required". An empty list says nothing, either. */
	if (opt_configuration.n == 0)
		return cmd_fail("record verdict", CMD_USAGE,
				"--configuration FILE|URI is needed, one at least: what was tested "
				"with, e.g. the test plan's file or urn:example:plan-7");
	if (opt_configuration.n > CONFIGURATIONS_MAX)
		return cmd_fail("record verdict", CMD_USAGE, "--configuration: at most %d",
				CONFIGURATIONS_MAX);
	for (size_t i = 0; i < opt_configuration.n; i++) {
		const char *text = opt_configuration.item[i];
		if (strstr(text, "://") != NULL || strncmp(text, "urn:", 4) == 0) {
			e->configuration[i].uri = text;
		} else {
			int code = file_sha256(e->hex[i], "record verdict", text);
			if (code != CMD_HOLDS)
				return code;
			e->configuration[i].name = base_name(text);
			e->configuration[i].hex = e->hex[i];
		}
	}
	v->configuration = e->configuration;
	v->n_configuration = opt_configuration.n;
	return CMD_HOLDS;
}

_Static_assert((int)JUNIT_NAME_MAX <= (int)STATEMENT_TEXT_MAX, "every listed name is admissible");

/* ISO/IEC 17025 asks for all of them, so that one alone is no assessment yet. Told at once, by option. */
static int check_assessment(struct compose_verdict *v)
{
	const struct {
		const char *option, *value;
		bool optional;
	} part[] = {
	    {"--laboratory NAME", assessment.laboratory, false},
	    {"--location TEXT", assessment.location, true},
	    {"--accreditation TEXT", assessment.accreditation, true},
	    {"--report-id ID", assessment.report_id, false},
	    {"--test-scheme TEXT", assessment.scheme, false},
	    {"--received TIME", assessment.received, true},
	    {"--started TIME", assessment.started, false},
	    {"--completed TIME", assessment.completed, false},
	    {"--issued TIME", assessment.issued, false},
	    {"--decision-rule TEXT", assessment.decision_rule, false},
	    {"--deviation TEXT", opt_deviation.n > 0 ? "" : NULL, true},
	    {"--report FILE", opt_report, false},
	};
	char missing[256] = "";
	size_t len = 0;
	bool any = false;

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++) {
		any = any || part[i].value != NULL;
		if (part[i].value == NULL && !part[i].optional)
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s",
						len > 0 ? ", " : "", part[i].option);
	}
	if (any && len > 0)
		return cmd_fail("record verdict", CMD_USAGE,
				"an assessment is given, and this is missing from it: %s", missing);
	if (any)
		v->assessment = &assessment;
	return CMD_HOLDS;
}

static int read_evidence(struct evidence *e, struct compose_verdict *v)
{
	int code = record_subjects_read("record verdict", &subjects, &v->subjects);

	v->result = opt_result;
	v->url = opt_url;
	if (code == CMD_HOLDS && opt_junit.n != 0)
		code = read_junit(e, v);
	if (code == CMD_HOLDS)
		code = read_configuration(e, v);
	if (code == CMD_HOLDS && v->result == NULL)
		code = cmd_fail("record verdict", CMD_USAGE, "--result or --junit is needed");
	if (code == CMD_HOLDS && opt_report != NULL) {
		code = file_sha256(e->report_hex, "record verdict", opt_report);
		assessment.report.name = base_name(opt_report);
		assessment.report.hex = e->report_hex;
	}
	assessment.deviations = (struct compose_texts){opt_deviation.item, opt_deviation.n};
	if (code == CMD_HOLDS)
		code = check_assessment(v);
	if (code == CMD_HOLDS && opt_salt) {
		if (compose_salt(e->salt) != VT_OK)
			code = cmd_fail("record verdict", CMD_UNSURE, "no random bytes");
		v->salt = e->salt;
	}
	return code;
}

/* -- as much of the tests as fits ------------------------------------------------------------------ */

enum detail {
	ALL_TESTS,
	FAILED_AND_NOT_RUN,
	FAILED_ALONE,
	COUNTS_ALONE,
	N_DETAILS,
};

static struct compose_texts texts_of(const struct junit_names *names, bool listed)
{
	if (!listed)
		return (struct compose_texts){NULL, 0};
	return (struct compose_texts){(const char *const *)names->name, names->n};
}

/* false: a list is longer than the log takes one. */
static bool list_tests(struct evidence *e, struct compose_verdict *v, enum detail detail)
{
	const struct junit_report *tests = &e->junit.tests;

	v->passed = texts_of(&tests->passed, detail == ALL_TESTS);
	e->tests.not_run = texts_of(&tests->not_run, detail <= FAILED_AND_NOT_RUN);
	v->failed = texts_of(&tests->failed, detail <= FAILED_ALONE);
	return v->passed.n <= STATEMENT_LIST_MAX && v->failed.n <= STATEMENT_LIST_MAX &&
	       e->tests.not_run.n <= STATEMENT_LIST_MAX;
}

static void tell_what_is_counted_only(const struct evidence *e, enum detail detail)
{
	static const char *const counted[] = {"", "tests that passed",
					      "tests that passed or did not run", "tests"};

	if (detail != ALL_TESTS)
		(void)cmd_fail(
		    "record verdict", CMD_HOLDS,
		    "note: not all of %zu tests fit into a record: the %s are counted in it, "
		    "not listed; the reports themselves are bound by their digests",
		    e->tests.n_passed + e->tests.n_failed + e->tests.n_not_run, counted[detail]);
}

/* Append the statement with as much detail as leaves a record that a log takes. */
static int compose_fitting(struct buf *out, struct evidence *e, struct compose_verdict *v)
{
	struct buf statement;
	struct problem why = {0};
	enum vt_err err = VT_OK;
	enum detail detail = ALL_TESTS;

	buf_init(&statement);
	for (; detail < N_DETAILS; detail++) {
		buf_reset(&statement);
		if (!list_tests(e, v, detail))
			continue;
		if ((err = compose_verdict(&statement, v, &why)) != VT_OK || v->tests == NULL ||
		    record_has_room(&how, statement.len) || detail == COUNTS_ALONE)
			break;
	}
	if (err == VT_OK)
		err = buf_append(out, buf_bytes(&statement));
	buf_release(&statement);
	if (err != VT_OK)
		return record_refused("record verdict", err, &why);
	tell_what_is_counted_only(e, detail);
	return CMD_HOLDS;
}

static int compose(struct buf *statement, const struct operands *rest)
{
	static struct evidence e;
	struct compose_verdict v = {0};
	int code = read_evidence(&e, &v);

	(void)rest;
	if (code == CMD_HOLDS)
		code = compose_fitting(statement, &e, &v);
	junit_input_release(&e.junit);
	return code;
}

int record_verdict(int argc, char **argv)
{
	static const struct record_kind kind = {"record verdict", &usage, &how, &subjects, compose};

	return record_run(&kind, argc, argv);
}
