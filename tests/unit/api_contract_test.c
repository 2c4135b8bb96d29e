/*
 * The route table and the problem tables against openapi.yaml. The document is read by its layout (paths at
 * two spaces, methods at four), which the Python validator in the full run keeps honest.
 */
#include <stdio.h>
#include <string.h>

#include "api.h"
#include "vitrine_test.h"

extern const unsigned char openapi_yaml[];

static const char *method_name(enum http_method method)
{
	return method == HTTP_POST ? "post" : "get";
}

/* Find the next line from *at on; false at the end. */
static bool next_line(const char **at, const char **line, size_t *len)
{
	if (**at == '\0')
		return false;
	*line = *at;
	*len = strcspn(*at, "\n");
	*at += *len + ((*at)[*len] == '\n');
	return true;
}

static bool line_is(const char *line, size_t len, const char *indent, const char *name)
{
	size_t n = strlen(indent), m = strlen(name);

	return len == n + m + 1 && strncmp(line, indent, n) == 0 &&
	       strncmp(line + n, name, m) == 0 && line[n + m] == ':';
}

/* OpenAPI has no word for "the rest of the path": {+path} is {path} there. */
static const char *documented_path(const char *pattern)
{
	static char path[256];
	size_t n = 0;

	for (const char *c = pattern; *c != '\0' && n < sizeof(path) - 1; c++)
		if (c[0] != '+' || c[-1] != '{')
			path[n++] = *c;
	path[n] = '\0';
	return path;
}

static bool documented(const char *path, const char *method)
{
	const char *at = (const char *)openapi_yaml, *line;
	size_t len;
	bool inside = false;

	while (next_line(&at, &line, &len)) {
		if (len > 2 && strncmp(line, "  ", 2) == 0 && line[2] != ' ')
			inside = line_is(line, len, "  ", path);
		else if (inside && line_is(line, len, "    ", method))
			return true;
	}
	return false;
}

static void every_route_is_documented(void **state)
{
	(void)state;
	assert_true(api_routes_count > 0);
	for (size_t i = 0; i < api_routes_count; i++)
		if (!documented(documented_path(api_routes[i].pattern),
				method_name(api_routes[i].method)))
			fail_msg("%s %s is not in openapi.yaml", method_name(api_routes[i].method),
				 api_routes[i].pattern);
}

static bool routed(const char *path, size_t len, const char *method)
{
	for (size_t i = 0; i < api_routes_count; i++) {
		const char *known = documented_path(api_routes[i].pattern);

		if (strlen(known) == len && strncmp(known, path, len) == 0 &&
		    strcmp(method_name(api_routes[i].method), method) == 0)
			return true;
	}
	return false;
}

/* A path may have a route for each role of a process; the document has it once. */
static size_t distinct_routes(void)
{
	size_t n = 0;

	for (size_t i = 0; i < api_routes_count; i++) {
		size_t j = 0;

		while (j < i && (api_routes[j].method != api_routes[i].method ||
				 strcmp(api_routes[j].pattern, api_routes[i].pattern) != 0))
			j++;
		n += j == i;
	}
	return n;
}

static void every_documented_path_is_routed(void **state)
{
	const char *at = (const char *)openapi_yaml, *line, *path = NULL;
	size_t len, path_len = 0, seen = 0;

	(void)state;
	while (next_line(&at, &line, &len)) {
		if (len > 3 && strncmp(line, "  /", 3) == 0) {
			path = line + 2;
			path_len = len - 3;
		} else if (len > 0 && line[0] != ' ') {
			path = NULL;
		} else if (path != NULL && (line_is(line, len, "    ", "get") ||
					    line_is(line, len, "    ", "post"))) {
			const char *method = line[4] == 'g' ? "get" : "post";
			if (!routed(path, path_len, method))
				fail_msg("%s %.*s has no route", method, (int)path_len, path);
			seen++;
		}
	}
	assert_int_equal(seen, distinct_routes());
}

static bool in_table(const char *slug, const struct problem_type *table)
{
	for (; table->slug != NULL; table++)
		if (strcmp(table->slug, slug) == 0)
			return true;
	return false;
}

/* One that both tables have, as the same fault can be found in two places, counts in the first. */
static size_t count_types(const struct problem_type *table, const struct problem_type *before)
{
	size_t n = 0;

	for (; table->slug != NULL; table++) {
		char line[128];
		snprintf(line, sizeof(line), "- urn:vitrine:problem:%s\n", table->slug);
		if (strstr((const char *)openapi_yaml, line) == NULL)
			fail_msg("%s is not in openapi.yaml's ProblemType", table->slug);
		n += before == NULL || !in_table(table->slug, before);
	}
	return n;
}

static void every_problem_type_is_documented_and_none_else(void **state)
{
	size_t known =
	    count_types(admission_problems, NULL) + count_types(api_problems, admission_problems);
	size_t listed = 0;

	(void)state;
	for (const char *at = (const char *)openapi_yaml;
	     (at = strstr(at, "        - urn:vitrine:problem:")) != NULL; at++)
		listed++;
	assert_int_equal(known, listed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_route_is_documented),
	    cmocka_unit_test(every_documented_path_is_routed),
	    cmocka_unit_test(every_problem_type_is_documented_and_none_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
