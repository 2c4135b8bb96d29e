/* Reads JUnit XML with Expat: every test case goes into a list. */
#include "junit_private.h"

#include <expat.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NOTES_MAX = 20,
	/* Leaves room for " (2)". */
	LISTED_NAME_MAX = JUNIT_NAME_MAX - 32,
};

/* -- telling ---------------------------------------------------------------------------------------- */

size_t junit_offset(const struct reader *r)
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

void junit_stop_at(struct reader *r, enum vt_err err, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void junit_stop_at(struct reader *r, enum vt_err err, size_t offset, const char *fmt, ...)
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

void junit_stop_no_memory(struct reader *r)
{
	junit_stop_at(r, VT_ENOMEM, junit_offset(r), "out of memory");
}

void junit_note_at(struct reader *r, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void junit_note_at(struct reader *r, size_t offset, const char *fmt, ...)
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
		junit_stop_no_memory(r);
	}
}

/* -- names ------------------------------------------------------------------------------------------ */

/* Names may be very long: a parameterised test's may hold its data. */
static void shorten_name(struct reader *r, char *name, size_t offset)
{
	if (strlen(name) <= LISTED_NAME_MAX)
		return;
	memcpy(name + junit_whole_characters(name, LISTED_NAME_MAX - 3), "...", 4);
	junit_note_at(r, offset, "a test's name is longer than %d bytes, and was cut",
		      LISTED_NAME_MAX);
}

/* The caller frees it. NULL: out of memory, and the reading was stopped. */
static char *case_name(struct reader *r, const char *name, const char *class)
{
	char *out = NULL, unnamed[64];
	size_t offset = junit_offset(r);

	if (name == NULL || *name == '\0') {
		junit_text_advance(&r->place, r->text, offset);
		snprintf(unnamed, sizeof(unnamed), "(no name, line %zu)", r->place.line);
		name = unnamed;
		junit_note_at(r, offset, "a test case without a name; it is listed as \"%s\"",
			      unnamed);
	}
	/* CTest, and jest-junit, write the name twice. */
	if (class == NULL || strcmp(class, name) == 0)
		class = "";
	if (asprintf(&out, "%s%s%s", class, *class ? "." : "", name) < 0) {
		junit_stop_no_memory(r);
		return NULL;
	}
	shorten_name(r, out, offset);
	return out;
}

void junit_list_test(struct reader *r, struct junit_names *list, char *name)
{
	if (name == NULL || junit_names_add(list, name) != VT_OK) {
		free(name);
		junit_stop_no_memory(r);
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
		shorten_name(r, name, junit_offset(r));
	junit_list_test(r, list, name);
}

/* -- test cases -------------------------------------------------------------------------------------- */

/* The worst of what a test case's attributes say. */
static enum outcome read_status(struct reader *r, const XML_Char **attributes)
{
	enum outcome worst = RAN, one;
	const char *word;

	for (size_t i = 0; i < JUNIT_TELLING; i++) {
		word = junit_attribute(attributes, junit_telling[i]);
		one = junit_told_outcome(attributes, junit_telling[i]);
		if (one == UNKNOWN)
			junit_stop_at(
			    r, VT_EMALFORMED, junit_offset(r),
			    "%s=\"%.*s\" is not known: it cannot be told whether this test passed",
			    junit_telling[i], junit_whole_characters(word, 40), word);
		else if (worst != FAILED && one != RAN)
			worst = one;
	}
	return worst;
}

static void open_case(struct reader *r, const XML_Char **attributes)
{
	struct suite *s = &r->suite[r->n_suites - 1];

	if (r->test.open) {
		junit_stop_at(r, VT_EMALFORMED, junit_offset(r), "a testcase inside a testcase");
		return;
	}
	r->test = (struct test_case){.open = true, .offset = junit_offset(r), .depth = r->depth};
	r->test.status = read_status(r, attributes);
	r->test.ctest_notrun = junit_attribute(attributes, "status") != NULL &&
			       strcmp(junit_attribute(attributes, "status"), "notrun") == 0;
	r->test.name = case_name(r, junit_attribute(attributes, "name"),
				 junit_attribute(attributes, "classname"));
	s->cases++;
	s->children++;
	if (r->test.name != NULL && r->last_name != NULL && strcmp(r->test.name, r->last_name) == 0)
		s->repeats++;
	free(r->last_name);
	r->last_name = r->test.name ? strdup(r->test.name) : NULL;
	if (r->last_name == NULL)
		junit_stop_no_memory(r);
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
	junit_list_test(r,
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

	return junit_is_one_of(element, bad)       ? MARK_BAD
	       : junit_is_one_of(element, reruns)  ? MARK_RERUN
	       : junit_is_one_of(element, flaky)   ? MARK_FLAKY
	       : junit_is_one_of(element, skipped) ? MARK_SKIPPED
						   : NO_MARK;
}

/* Directly inside a test case the words of a status mean the same. */
static enum mark case_mark(struct reader *r, const char *element)
{
	static const char *const say_nothing[] = {"system-out", "system-err", "properties", NULL};
	enum mark mark = element_mark(element);
	enum outcome word = junit_word_outcome(element);

	if (mark != NO_MARK || r->depth != r->test.depth + 1 ||
	    junit_is_one_of(element, say_nothing))
		return mark;
	/* PHPUnit before 10 shows by this alone that a class had no tests, or that one could not be set up. */
	if (strcmp(element, "warning") == 0)
		return MARK_BAD;
	if (word == UNKNOWN)
		junit_note_at(
		    r, junit_offset(r),
		    "the element <%.*s> of a test case is not known; it is taken to say nothing "
		    "about the result",
		    junit_whole_characters(element, 60), element);
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
		t->could_not_run |= !ctest_skipped_it(junit_attribute(attributes, "message"));
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
	bool list = junit_is_named(name, "testsuites"), suite = junit_is_named(name, "testsuite");

	if (r->err != VT_OK)
		return;
	if (++r->depth > JUNIT_DEPTH_MAX)
		junit_stop_at(r, VT_ELIMIT, junit_offset(r), "nested deeper than %d elements",
			      JUNIT_DEPTH_MAX);
	else if (r->depth == 1 && !list && !suite)
		junit_stop_at(
		    r, VT_EMALFORMED, junit_offset(r),
		    "not a JUnit report: the root element is <%.*s>, neither <testsuites> nor "
		    "<testsuite>",
		    junit_whole_characters(name, 60), name);
	else if (list || suite)
		junit_open_suite(r, list, attributes);
	else if (junit_is_named(name, "testcase"))
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
	if (junit_is_named(name, "testcase"))
		close_case(r);
	else if (junit_is_named(name, "testsuites") || junit_is_named(name, "testsuite"))
		junit_close_suite(r);
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
	junit_stop_at(r, VT_EMALFORMED, junit_offset(r),
		      "a document type declaration is not taken");
}

static void note_what_was_replaced(struct reader *r, const struct junit_replaced *replaced)
{
	if (replaced->controls > 0)
		junit_note_at(
		    r, replaced->first_control,
		    "control characters that XML does not allow were replaced: %zu, the first "
		    "one here",
		    replaced->controls);
	if (replaced->invalid > 0)
		junit_note_at(
		    r, replaced->first_invalid,
		    "bytes that are none of the report's encoding were replaced: %zu, the "
		    "first one here",
		    replaced->invalid);
}

static enum vt_err parse_text(struct reader *r)
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
		junit_stop_at(
		    r,
		    XML_GetErrorCode(r->parser) == XML_ERROR_NO_MEMORY ? VT_ENOMEM : VT_EMALFORMED,
		    junit_offset(r), "not XML: %s", XML_ErrorString(XML_GetErrorCode(r->parser)));
	if (r->err == VT_OK && r->flaky_tests > 0)
		junit_note_at(r, 0,
			      "%zu of the passed tests failed at first and passed when run again",
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
		err = parse_text(r);
	free(r->test.name);
	free(r->last_name);
	for (unsigned i = 0; i < r->n_suites; i++)
		free(r->suite[i].name);
done:
	free(r);
	buf_release(&text);
	return err;
}
