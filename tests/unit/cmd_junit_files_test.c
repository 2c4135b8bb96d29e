/* Reports in a folder: all of them, or none. */
#include "vitrine_test.h"

#include <stdarg.h>
#include <stdio.h>

#include "cmd.h"
#include "durable.h"
#include "failing_readdir.h"
#include "junit_files.h"
#include "scratch.h"

/* The program's is in main.c, with all commands. */
int cmd_fail(const char *name, int code, const char *fmt, ...)
{
	va_list args;

	(void)fprintf(stderr, "%s: ", name);
	va_start(args, fmt);
	(void)vfprintf(stderr, fmt, args);
	va_end(args);
	(void)fputc('\n', stderr);
	return code;
}

static void a_folder_that_is_read_half_is_no_shorter_report(void **state)
{
	static const char report[] =
	    "<testsuite name=\"s\" tests=\"1\"><testcase name=\"one\"/></testsuite>";
	const char *path = scratch_folder();
	const struct option_list paths = {.item = &path, .n = 1};
	struct junit_input in;

	(void)state;
	assert_int_equal(durable_write(scratch_path("one.xml"), bytes_str(report), 0600), VT_OK);
	assert_int_equal(junit_read("test", &paths, &in), CMD_HOLDS);
	assert_int_equal(in.n, 1);
	junit_input_release(&in);
	for (readdir_names = 0; readdir_names <= 3; readdir_names++) {
		assert_int_equal(junit_read("test", &paths, &in), CMD_UNSURE);
		junit_input_release(&in);
	}
	readdir_names = -1;
	assert_int_equal(junit_read("test", &paths, &in), CMD_HOLDS);
	junit_input_release(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_folder_that_is_read_half_is_no_shorter_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
