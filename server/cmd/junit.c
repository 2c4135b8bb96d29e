#include "junit.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEPTH_MAX = 32,
};

struct reader {
	XML_Parser parser;
	struct junit_report *report;
	char *why;
	enum vt_err err;
	unsigned depth;
	bool in_case, failed, skipped;
	char *current; /* name of the test case that is open */
};

static void stop(struct reader *r, enum vt_err err, const char *why)
{
	if (r->err != VT_OK)
		return;
	r->err = err;
	snprintf(r->why, 160, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->parser),
		 why);
	XML_StopParser(r->parser, XML_FALSE);
}

static const char *attribute(const XML_Char **attributes, const char *name)
{
	for (; attributes[0] != NULL; attributes += 2)
		if (strcmp(attributes[0], name) == 0)
			return attributes[1];
	return NULL;
}

static void open_case(struct reader *r, const XML_Char **attributes)
{
	const char *name = attribute(attributes, "name"),
		   *class = attribute(attributes, "classname");

	if (r->in_case) {
		stop(r, VT_EMALFORMED, "a testcase inside a testcase");
		return;
	}
	if (name == NULL || *name == '\0') {
		stop(r, VT_EMALFORMED, "a testcase without a name");
		return;
	}
	/* CTest writes the name twice. */
	if (class == NULL || strcmp(class, name) == 0)
		class = "";
	if (asprintf(&r->current, "%s%s%s", class, *class ? "." : "", name) < 0) {
		r->current = NULL;
		stop(r, VT_ENOMEM, "out of memory");
		return;
	}
	r->in_case = true;
	r->failed = r->skipped = false;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = ctx;

	if (++r->depth > DEPTH_MAX) {
		stop(r, VT_ELIMIT, "nested too deeply");
		return;
	}
	if (r->depth == 1 && strcmp(name, "testsuites") != 0 && strcmp(name, "testsuite") != 0) {
		stop(r, VT_EMALFORMED, "the root element is neither testsuites nor testsuite");
		return;
	}
	if (strcmp(name, "testcase") == 0)
		open_case(r, attributes);
	else if (r->in_case && (strcmp(name, "failure") == 0 || strcmp(name, "error") == 0))
		r->failed = true;
	else if (r->in_case && strcmp(name, "skipped") == 0)
		r->skipped = true;
}

static enum vt_err names_add(struct junit_names *names, char *name)
{
	/* Grow by doubling: n is a power of two exactly when the array is full. */
	if ((names->n & (names->n - 1)) == 0) {
		size_t cap = names->n ? 2 * names->n : 1;
		char **grown = reallocarray(names->name, cap, sizeof(*grown));
		if (grown == NULL)
			return VT_ENOMEM;
		names->name = grown;
	}
	names->name[names->n++] = name;
	return VT_OK;
}

static void close_case(struct reader *r)
{
	struct junit_report *report = r->report;

	r->in_case = false;
	if (r->skipped && !r->failed) {
		report->skipped++;
		return;
	}
	if (report->passed.n + report->failed.n >= JUNIT_TESTS_MAX)
		stop(r, VT_ELIMIT, "more than 10000 test cases");
	else if (names_add(r->failed ? &report->failed : &report->passed, r->current) != VT_OK)
		stop(r, VT_ENOMEM, "out of memory");
	else
		r->current = NULL; /* transferred */
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
	struct reader *r = ctx;

	r->depth--;
	if (strcmp(name, "testcase") != 0)
		return;
	if (r->in_case)
		close_case(r);
	free(r->current);
	r->current = NULL;
}

/* Entities are defined in DTDs, and no JUnit report needs one: without them nothing can expand. */
static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *sysid,
			       const XML_Char *pubid, int has_internal_subset)
{
	(void)name;
	(void)sysid;
	(void)pubid;
	(void)has_internal_subset;
	stop(ctx, VT_EMALFORMED, "a document type declaration is not taken");
}

enum vt_err junit_parse(struct junit_report *out, struct bytes xml, char why[160])
{
	struct reader r = {.report = out, .why = why, .err = VT_OK};

	memset(out, 0, sizeof(*out));
	why[0] = '\0';
	if (xml.len > JUNIT_SIZE_MAX) {
		snprintf(why, 160, "larger than 64 MiB");
		return VT_ELIMIT;
	}
	if ((r.parser = XML_ParserCreate(NULL)) == NULL)
		return VT_ENOMEM;
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, (const char *)xml.data, (int)xml.len, 1) != XML_STATUS_OK &&
	    r.err == VT_OK)
		stop(&r, VT_EMALFORMED, XML_ErrorString(XML_GetErrorCode(r.parser)));
	XML_ParserFree(r.parser);
	free(r.current);
	if (r.err == VT_OK && out->passed.n + out->failed.n + out->skipped == 0) {
		snprintf(why, 160, "no test case in it");
		r.err = VT_EMALFORMED;
	}
	if (r.err != VT_OK)
		junit_release(out);
	return r.err;
}

static void names_release(struct junit_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct junit_names){NULL, 0};
}

void junit_release(struct junit_report *r)
{
	names_release(&r->passed);
	names_release(&r->failed);
}
