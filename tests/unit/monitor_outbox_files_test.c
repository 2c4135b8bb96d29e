/* Alerts on disk: whichever file is gone, none is left behind in silence. */
#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "outbox.h"
#include "scratch_opened.h"

enum {
	LINE = 60000,
	PER_FILE = 18, /* lines until a file of a mebibyte is full */
};

SCRATCH_OPENED(outbox, outbox)

/* Alert n: its number, and a long rest. */
static void add(unsigned n)
{
	static char line[LINE + 1];

	memset(line, 'x', LINE);
	(void)snprintf(line, sizeof(line), "%08u", n);
	line[8] = ' ';
	assert_int_equal(outbox_add(outbox, bytes_str(line)), VT_OK);
	assert_int_equal(outbox_sync(outbox), VT_OK);
}

static void assert_takes(unsigned n)
{
	struct buf alert;
	char number[16];

	buf_init(&alert);
	(void)snprintf(number, sizeof(number), "%08u", n);
	assert_int_equal(outbox_next(outbox, &alert), VT_OK);
	assert_memory_equal(alert.data, number, 8);
	assert_int_equal(outbox_taken(outbox, false), VT_OK);
	buf_release(&alert);
}

static void each_is_taken_once_and_in_order_over_files_and_restarts(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3 * PER_FILE; n++)
		add(n);
	for (unsigned n = 0; n < 3 * PER_FILE; n++) {
		assert_takes(n);
		assert_int_equal(reopen(), VT_OK);
	}
	assert_int_equal(outbox_waiting(outbox), 0);
}

static void without_the_mark_what_is_there_is_told_again(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3 * PER_FILE; n++)
		add(n);
	for (unsigned n = 0; n < PER_FILE + 2; n++)
		assert_takes(n);
	assert_int_equal(unlink(scratch_path("taken")), 0);
	assert_int_equal(reopen(), VT_OK);
	for (unsigned n = PER_FILE; n < 3 * PER_FILE; n++)
		assert_takes(n);
	assert_int_equal(outbox_waiting(outbox), 0);
}

static void a_file_that_is_gone_is_said(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3 * PER_FILE; n++)
		add(n);
	assert_takes(0);
	assert_int_equal(unlink(scratch_path("alerts-00000001")), 0);
	assert_int_equal(reopen(), VT_EMISMATCH);
	assert_non_null(strstr(why, "alerts-00000001 is missing"));
}

static void a_file_that_is_gone_while_it_runs_is_no_silence(void **state)
{
	struct buf alert;

	(void)state;
	for (unsigned n = 0; n < 3 * PER_FILE; n++)
		add(n);
	assert_int_equal(unlink(scratch_path("alerts-00000001")), 0);
	for (unsigned n = 0; n < PER_FILE; n++)
		assert_takes(n);
	buf_init(&alert);
	assert_int_equal(outbox_next(outbox, &alert), VT_EMISMATCH);
	buf_release(&alert);
}

static void what_was_taken_and_is_gone_hides_nothing_that_comes(void **state)
{
	(void)state;
	add(0);
	add(1);
	assert_takes(0);
	outbox_free(outbox);
	outbox = NULL;
	assert_int_equal(truncate(scratch_path("alerts-00000000"), 100), 0);
	assert_int_equal(reopen(), VT_EMISMATCH);
	assert_int_equal(unlink(scratch_path("alerts-00000000")), 0);
	assert_int_equal(reopen(), VT_EMISMATCH);
	/* With the whole folder gone it is a new one. */
	assert_int_equal(unlink(scratch_path("taken")), 0);
	assert_int_equal(reopen(), VT_OK);
	add(2);
	assert_takes(2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(each_is_taken_once_and_in_order_over_files_and_restarts),
	    TEST(without_the_mark_what_is_there_is_told_again),
	    TEST(a_file_that_is_gone_is_said),
	    TEST(a_file_that_is_gone_while_it_runs_is_no_silence),
	    TEST(what_was_taken_and_is_gone_hides_nothing_that_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
