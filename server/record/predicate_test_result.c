/*
 * Test verdicts: in-toto's test-result v0.1, and an optional `assessment` with what ISO/IEC
 * 17025:2017 (7.8) asks of a report of results.
 */
#include <stdio.h>

#include "clock.h"
#include "json.h"
#include "predicate.h"

static enum vt_err check_result(const struct statement *s, struct problem *why)
{
	const struct json *value = statement_member(s, "result");
	char quoted[40];
	struct bytes result;

	if (!json_text(value, &result))
		return rule_kind(value, "predicate.result", "a string", "test-result-result", why);
	/* test-result.md: "One of `PASSED`, `WARNED`, or `FAILED`." */
	if (!bytes_is(result, "PASSED") && !bytes_is(result, "WARNED") &&
	    !bytes_is(result, "FAILED"))
		return problem_set(why, VT_EMALFORMED, "test-result-result",
				   "predicate.result: \"%s\", expected PASSED, WARNED or FAILED",
				   problem_quote(quoted, sizeof(quoted), result));
	return VT_OK;
}

static enum vt_err check_configuration(const struct statement *s, struct problem *why)
{
	static const char slug[] = "test-result-configuration";
	const struct json *list;
	char path[RULE_PATH_MAX];
	enum vt_err err;

	if ((err = rule_list_optional(&list, s->predicate, "predicate", "configuration",
				      STATEMENT_LIST_MAX, slug, why)) != VT_OK)
		return err;
	/* test-result.md: "`configuration` list of ResourceDescriptor, required". */
	if (list == NULL)
		return problem_set(why, VT_EMALFORMED, slug, "predicate.configuration: missing");
	for (size_t i = 0; i < json_count(list); i++) {
		snprintf(path, sizeof(path), "predicate.configuration[%zu]", i);
		if ((err = rule_resource(json_at(list, i), path, slug, why)) != VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err check_tests(const struct statement *s, struct problem *why)
{
	static const char slug[] = "test-result-tests";
	static const char *const lists[] = {"passedTests", "warnedTests", "failedTests"};
	enum vt_err err;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if ((err = rule_texts_optional(NULL, s->predicate, "predicate", lists[i],
					       STATEMENT_LIST_MAX, STATEMENT_TEXT_MAX, slug,
					       why)) != VT_OK)
			return err;
	return rule_text_optional(NULL, s->predicate, "predicate", "url", slug, why);
}

static const char assessment_slug[] = "test-result-assessment";
static const char assessment_path[] = "predicate.assessment";

/* 7.8.2.1: "the date of receipt of the test ... item(s)", "the date(s) of performance of the
 * laboratory activity", "the date of issue of the report". Receipt only where it matters. */
static enum vt_err check_dates(const struct json *assessment, struct problem *why)
{
	static const char path[] = "predicate.assessment.dates";
	const struct json *dates = rule_member(assessment, "dates");
	struct bytes started, completed;
	enum vt_err err;

	if (dates == NULL || json_kind(dates) != JSON_OBJECT)
		return rule_kind(dates, path, "an object", assessment_slug, why);
	if (rule_member(dates, "received") != NULL &&
	    (err = rule_time(NULL, dates, path, "received", assessment_slug, why)) != VT_OK)
		return err;
	if ((err = rule_time(&started, dates, path, "started", assessment_slug, why)) != VT_OK ||
	    (err = rule_time(&completed, dates, path, "completed", assessment_slug, why)) !=
		VT_OK ||
	    (err = rule_time(NULL, dates, path, "issued", assessment_slug, why)) != VT_OK)
		return err;
	if (clock_compare_rfc3339(completed, started) < 0)
		return problem_set(why, VT_EMALFORMED, assessment_slug,
				   "%s.completed: before started", path);
	return VT_OK;
}

static enum vt_err check_laboratory(const struct json *assessment, struct problem *why)
{
	static const char path[] = "predicate.assessment.laboratory";
	const struct json *laboratory = rule_member(assessment, "laboratory");
	enum vt_err err;

	if (laboratory == NULL || json_kind(laboratory) != JSON_OBJECT)
		return rule_kind(laboratory, path, "an object", assessment_slug, why);
	if ((err = rule_text(NULL, laboratory, path, "name", assessment_slug, why)) != VT_OK ||
	    (err = rule_text_optional(NULL, laboratory, path, "location", assessment_slug, why)) !=
		VT_OK)
		return err;
	return rule_text_optional(NULL, laboratory, path, "accreditation", assessment_slug, why);
}

static enum vt_err check_report(const struct json *assessment, struct problem *why)
{
	static const char path[] = "predicate.assessment.report";
	const struct json *report = rule_member(assessment, "report");
	enum vt_err err;

	if ((err = rule_resource(report, path, assessment_slug, why)) != VT_OK)
		return err;
	return rule_strong_digest(json_member(report, "digest"),
				  "predicate.assessment.report.digest", assessment_slug, why);
}

static enum vt_err check_assessment(const struct statement *s, struct problem *why)
{
	static const char *const texts[] = {"reportId", "scheme", "decisionRule"};
	const struct json *assessment = statement_member(s, "assessment");
	enum vt_err err;

	if (assessment == NULL)
		return VT_OK;
	if (json_kind(assessment) != JSON_OBJECT)
		return rule_kind(assessment, assessment_path, "an object", assessment_slug, why);
	if ((err = check_laboratory(assessment, why)) != VT_OK)
		return err;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if ((err = rule_text(NULL, assessment, assessment_path, texts[i], assessment_slug,
				     why)) != VT_OK)
			return err;
	if ((err = check_dates(assessment, why)) != VT_OK)
		return err;
	/* 7.8.2.1: "additions to, deviations, or exclusions from the method": said even if there
	 * are none. */
	if (rule_member(assessment, "deviations") == NULL)
		return problem_set(why, VT_EMALFORMED, assessment_slug, "%s.deviations: missing",
				   assessment_path);
	if ((err = rule_texts_optional(NULL, assessment, assessment_path, "deviations",
				       STATEMENT_LIST_MAX, STATEMENT_TEXT_MAX, assessment_slug,
				       why)) != VT_OK)
		return err;
	return check_report(assessment, why);
}

enum vt_err test_result_check(const struct statement *s, struct problem *why)
{
	enum vt_err err;

	if ((err = check_result(s, why)) != VT_OK || (err = check_configuration(s, why)) != VT_OK ||
	    (err = check_tests(s, why)) != VT_OK)
		return err;
	return check_assessment(s, why);
}
