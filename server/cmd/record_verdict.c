#include <stdio.h>
#include <string.h>

#include "durable.h"
#include "junit.h"
#include "record.h"

static struct record_signing how;
static struct record_subjects subjects;
static const char *opt_result, *opt_junit, *opt_url, *opt_report;
static struct option_list opt_configuration, opt_deviation;
static struct compose_assessment assessment;
static bool opt_salt;

static const struct option options[] = {
    RECORD_SUBJECT_OPTIONS(subjects),
    {"result", OPTION_TEXT, &opt_result, "RESULT",
     "PASSED, WARNED or FAILED. Default with --junit: FAILED if a test failed, else PASSED.", 0, 0,
     false, false},
    {"junit", OPTION_TEXT, &opt_junit, "FILE",
     "A JUnit XML report; its tests are listed as passed or failed.", 0, 0, false, false},
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
	struct junit_report junit;
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

static int hash_hex(const char *path, char hex[65])
{
	struct merkle_hash digest;
	int code = cmd_hash_file("record verdict", path, &digest);

	if (code == CMD_HOLDS)
		hex_encode(hex, bytes_of(digest.b, sizeof(digest.b)));
	return code;
}

static int read_junit(struct evidence *e, struct compose_verdict *v)
{
	struct buf xml;
	char why[160] = "";
	enum vt_err err;
	int code = CMD_HOLDS;

	buf_init(&xml);
	if ((err = file_read(&xml, opt_junit, JUNIT_SIZE_MAX)) != VT_OK)
		code = cmd_fail("record verdict", CMD_UNSURE, "--junit %s: %s", opt_junit,
				vt_err_text(err));
	else if ((err = junit_parse(&e->junit, buf_bytes(&xml), why)) != VT_OK)
		code = cmd_fail("record verdict", CMD_USAGE, "--junit %s: %s", opt_junit, why);
	buf_release(&xml);
	v->passed =
	    (struct compose_texts){(const char *const *)e->junit.passed.name, e->junit.passed.n};
	v->failed =
	    (struct compose_texts){(const char *const *)e->junit.failed.name, e->junit.failed.n};
	if (code == CMD_HOLDS && opt_result == NULL)
		v->result = e->junit.failed.n ? "FAILED" : "PASSED";
	return code;
}

static int read_configuration(struct evidence *e, struct compose_verdict *v)
{
	if (opt_configuration.n > CONFIGURATIONS_MAX)
		return cmd_fail("record verdict", CMD_USAGE, "--configuration: at most %d",
				CONFIGURATIONS_MAX);
	for (size_t i = 0; i < opt_configuration.n; i++) {
		const char *text = opt_configuration.item[i];
		if (strstr(text, "://") != NULL || strncmp(text, "urn:", 4) == 0) {
			e->configuration[i].uri = text;
		} else {
			int code = hash_hex(text, e->hex[i]);
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

static int read_evidence(struct evidence *e, struct compose_verdict *v)
{
	int code = record_subjects_read("record verdict", &subjects, &v->subjects);

	v->result = opt_result;
	v->url = opt_url;
	if (code == CMD_HOLDS && opt_junit != NULL)
		code = read_junit(e, v);
	if (code == CMD_HOLDS)
		code = read_configuration(e, v);
	if (code == CMD_HOLDS && v->result == NULL)
		code = cmd_fail("record verdict", CMD_USAGE, "--result or --junit is needed");
	if (code == CMD_HOLDS && opt_report != NULL) {
		code = hash_hex(opt_report, e->report_hex);
		assessment.report.name = base_name(opt_report);
		assessment.report.hex = e->report_hex;
	}
	assessment.deviations = (struct compose_texts){opt_deviation.item, opt_deviation.n};
	if (assessment.laboratory != NULL)
		v->assessment = &assessment;
	else if (assessment.report_id != NULL || assessment.scheme != NULL || opt_report != NULL)
		code = cmd_fail("record verdict", CMD_USAGE, "an assessment needs --laboratory");
	if (code == CMD_HOLDS && opt_salt) {
		if (compose_salt(e->salt) != VT_OK)
			code = cmd_fail("record verdict", CMD_UNSURE, "no random bytes");
		v->salt = e->salt;
	}
	return code;
}

static int compose(struct buf *statement, const struct operands *rest)
{
	static struct evidence e;
	struct compose_verdict v = {0};
	struct problem why = {0};
	enum vt_err err;
	int code = read_evidence(&e, &v);

	(void)rest;
	if (code == CMD_HOLDS && (err = compose_verdict(statement, &v, &why)) != VT_OK)
		code = record_refused("record verdict", err, &why);
	junit_release(&e.junit);
	return code;
}

int record_verdict(int argc, char **argv)
{
	static const struct record_kind kind = {"record verdict", &usage, &how, &subjects, compose};

	return record_run(&kind, argc, argv);
}
