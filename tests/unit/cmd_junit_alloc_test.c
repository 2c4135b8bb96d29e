/* Each allocation that reading a report makes fails once: the answer is "no memory", never a verdict, and nothing leaks. */
#include "vitrine_test.h"

#include "alloc_fail.h"
#include "junit.h"

static enum vt_err read_twice(const char *xml)
{
	struct junit_report all = {0}, one = {0};
	char why[JUNIT_WHY_SIZE];
	enum vt_err err = VT_OK;

	for (int i = 0; i < 2 && err == VT_OK; i++) {
		if ((err = junit_parse(&one, bytes_str(xml), why)) == VT_OK)
			err = junit_add(&all, &one);
		junit_release(&one);
	}
	if (err == VT_OK)
		err = junit_number_repeats(&all);
	junit_release(&all);
	return err;
}

static void starve(const char *xml)
{
	unsigned n = 1;
	enum vt_err err;

	for (;; n++) {
		alloc_fail_at(n);
		err = read_twice(xml);
		if (!alloc_failed())
			break;
		if (err != VT_ENOMEM)
			fail_msg("allocation %u: %s", n, vt_err_text(err));
	}
	assert_int_equal(err, VT_OK);
	assert_true(n > 10);
}

static void no_memory_is_never_a_verdict(void **state)
{
	(void)state;
	starve("<testsuites><testsuite name=\"S\"><testcase name=\"a\"/><testcase "
	       "name=\"b\"><failure/>"
	       "</testcase><error/></testsuite></testsuites>");
}

static void no_memory_loses_no_remark(void **state)
{
	(void)state;
	starve("<testsuites tests=\"9\"><testsuite name=\"pytest\" tests=\"3\"><testcase "
	       "name=\"a\"><unknown/></testcase></testsuite><testsuite><testcase name=\"b\" "
	       "success=\"false\"/></testsuite></testsuites>");
}

static void no_memory_is_not_an_unknown_encoding(void **state)
{
	(void)state;
	starve("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><testsuite><testcase "
	       "name=\"\xE9\x01\"/>"
	       "<testcase/></testsuite>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_memory_is_never_a_verdict),
	    cmocka_unit_test(no_memory_loses_no_remark),
	    cmocka_unit_test(no_memory_is_not_an_unknown_encoding),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
