/* Alerts on their way out: each is taken at least once and in order, whatever ends when. */
#include "vitrine_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "outbox.h"
#include "scratch_opened.h"

SCRATCH_OPENED(outbox, box)

static void add(unsigned n, size_t pad)
{
	char text[OUTBOX_ALERT_MAX];
	int len = snprintf(text, sizeof(text), "{\"n\":%u,\"pad\":\"%0*d\"}", n, (int)pad, 0);

	assert_int_equal(outbox_add(box, bytes_of(text, (size_t)len)), VT_OK);
}

/* The number of the oldest; -1: none. */
static int next(void)
{
	struct buf alert;
	unsigned n = 0;
	enum vt_err err;

	buf_init(&alert);
	err = outbox_next(box, &alert);
	if (err == VT_OK) {
		assert_int_equal(buf_append_byte(&alert, '\0'), VT_OK);
		assert_int_equal(sscanf((const char *)alert.data, "{\"n\":%u,", &n), 1);
	} else {
		assert_int_equal(err, VT_ENOTFOUND);
	}
	buf_release(&alert);
	return err == VT_OK ? (int)n : -1;
}

static void an_alert_counts_once_it_is_synced(void **state)
{
	(void)state;
	assert_int_equal(next(), -1);
	add(1, 1);
	assert_int_equal(next(), -1);
	assert_false(outbox_ready(box));
	assert_int_equal(outbox_sync(box), VT_OK);
	assert_true(outbox_ready(box));
	assert_int_equal(next(), 1);
	assert_int_equal(outbox_waiting(box), 1);
}

static void what_was_not_taken_is_shown_again(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		add(i, 1);
	assert_int_equal(outbox_sync(box), VT_OK);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(next(), i);
		assert_int_equal(next(), i);
		assert_int_equal(reopen(), VT_OK);
		assert_int_equal(outbox_waiting(box), 5 - i);
		assert_int_equal(next(), i);
		assert_int_equal(outbox_taken(box, false), VT_OK);
	}
	assert_int_equal(next(), -1);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(next(), -1);
}

static void what_was_taken_without_a_mark_is_shown_again_after_a_crash_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(i, 1);
	assert_int_equal(outbox_sync(box), VT_OK);
	assert_int_equal(next(), 0);
	assert_int_equal(outbox_taken(box, true), VT_OK);
	assert_int_equal(next(), 1);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(next(), 0);
	assert_int_equal(outbox_taken(box, true), VT_OK);
	assert_int_equal(next(), 1);
	assert_int_equal(outbox_taken(box, true), VT_OK);
	assert_int_equal(outbox_mark(box), VT_OK);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(next(), 2);
}

static void many_files_are_one_row(void **state)
{
	enum { N = 100, PAD = 50000 };

	(void)state;
	for (unsigned i = 0; i < N; i++) {
		add(i, PAD);
		if (i % 7 == 0)
			assert_int_equal(outbox_sync(box), VT_OK);
		if (i % 13 == 0) {
			assert_int_equal(outbox_sync(box), VT_OK);
			assert_int_equal(reopen(), VT_OK);
		}
	}
	assert_int_equal(outbox_sync(box), VT_OK);
	assert_true(outbox_waiting_bytes(box) > (uint64_t)N * PAD);
	for (int i = 0; i < N; i++) {
		assert_int_equal(next(), i);
		assert_int_equal(outbox_taken(box, i % 3 != 0), VT_OK);
		if (i % 11 == 5)
			assert_int_equal(outbox_mark(box), VT_OK);
	}
	assert_int_equal(next(), -1);
	assert_int_equal(outbox_waiting(box), 0);
	assert_int_equal(outbox_waiting_bytes(box), 0);
	assert_int_equal(access(scratch_path("alerts-00000000"), F_OK), -1);
}

static void a_line_that_was_cut_short_is_forgotten(void **state)
{
	int fd;

	(void)state;
	add(1, 1);
	assert_int_equal(outbox_sync(box), VT_OK);
	fd = open(scratch_path("alerts-00000000"), O_WRONLY | O_APPEND);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "0123456789abcdef {\"n\":2", 23), 23);
	close(fd);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(outbox_waiting(box), 1);
	add(3, 1);
	assert_int_equal(outbox_sync(box), VT_OK);
	assert_int_equal(next(), 1);
	assert_int_equal(outbox_taken(box, false), VT_OK);
	assert_int_equal(next(), 3);
}

static void a_changed_line_is_noticed(void **state)
{
	int fd;

	(void)state;
	add(1, 10);
	add(2, 10);
	assert_int_equal(outbox_sync(box), VT_OK);
	fd = open(scratch_path("alerts-00000000"), O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 25), 1);
	close(fd);
	assert_int_equal(reopen(), VT_EMISMATCH);
	assert_non_null(strstr(why, "alerts-00000000"));
}

static void what_is_no_line_is_refused(void **state)
{
	static char large[OUTBOX_ALERT_MAX + 1];

	(void)state;
	memset(large, 'a', sizeof(large));
	assert_int_equal(outbox_add(box, bytes_of(large, sizeof(large))), VT_EINVAL);
	assert_int_equal(outbox_add(box, bytes_str("a\nb")), VT_EINVAL);
	assert_int_equal(outbox_waiting(box), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(an_alert_counts_once_it_is_synced),
	    TEST(what_was_not_taken_is_shown_again),
	    TEST(what_was_taken_without_a_mark_is_shown_again_after_a_crash_alone),
	    TEST(many_files_are_one_row),
	    TEST(a_line_that_was_cut_short_is_forgotten),
	    TEST(a_changed_line_is_noticed),
	    TEST(what_is_no_line_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
