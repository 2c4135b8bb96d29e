/*
 * What the rules say of a statement that is just within them, or just outside: record_edges_test FOLDER. The table is
 * FOLDER/edges.json; tests/interop/python/edges.py holds another implementation against the same.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "record_world.h"
#include "statement.h"
#include "test_file.h"

static const char *folder;

static char *text_of(const struct json *object, const char *name)
{
	struct bytes text;

	assert_true(json_text(json_member(object, name), &text));
	return bytes_dup_str(text);
}

/* The base, without white space, with ' for ". */
static char *base_text(const struct json *bases, const char *name)
{
	struct buf text;
	char *out;

	buf_init(&text);
	assert_int_equal(json_write(&text, json_member(bases, name), JSON_COMPACT), VT_OK);
	out = buf_detach_str(&text);
	for (char *p = strchr(out, '"'); p != NULL; p = strchr(p, '"'))
		*p = '\'';
	return out;
}

static const char *result_of(const char *statement, struct problem *why)
{
	struct statement s;

	if (statement_parse(&s, bytes_str(statement), why) == VT_OK &&
	    statement_check_predicate(&s, why) == VT_OK) {
		statement_release(&s);
		return "admitted";
	}
	statement_release(&s);
	return why->type == NULL ? "failed" : why->type->slug;
}

static bool holds(const struct json *bases, const struct json *one)
{
	char *name = text_of(one, "name"), *base_name = text_of(one, "base");
	char *from = text_of(one, "from"), *to = text_of(one, "to");
	char *base = base_text(bases, base_name), *changed = edited(base, from, to);
	char *statement = quoted(changed), *expected = text_of(one, "result");
	struct problem why = {0};
	const char *result = result_of(statement, &why);
	bool same = strcmp(result, expected) == 0;

	if (!same)
		print_error("%s, %s: expected %s, got %s: %s\n", base_name, name, expected, result,
			    why.detail);
	free(name);
	free(base_name);
	free(from);
	free(to);
	free(base);
	free(changed);
	free(statement);
	free(expected);
	return same;
}

static void each_edge_is_where_the_table_has_it(void **state)
{
	struct buf text = test_read_file(folder, "edges", ".json");
	const struct json *cases, *bases;
	struct json *table;
	size_t wrong = 0;

	(void)state;
	assert_int_equal(json_parse(&table, buf_bytes(&text), NULL), VT_OK);
	cases = json_member(table, "cases");
	bases = json_member(table, "bases");
	assert_true(json_count(cases) > 200);
	for (size_t i = 0; i < json_count(cases); i++)
		wrong += !holds(bases, json_at(cases, i));
	assert_int_equal(wrong, 0);
	json_free(table);
	buf_release(&text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_edge_is_where_the_table_has_it),
	};

	folder = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
