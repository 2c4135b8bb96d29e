/* Alerts about several logs on their way out: what is urgent goes first, and no log delays another. */
#include "vitrine_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "outboxes.h"
#include "scratch_opened.h"

SCRATCH_OPENED(outboxes, boxes)

static char taken[4096]; /* what was, separated by spaces */

static void add(const char *log, enum severity severity, const char *text)
{
	assert_int_equal(outboxes_add(boxes, log, severity, bytes_str(text)), VT_OK);
	assert_int_equal(outboxes_sync(boxes, log), VT_OK);
}

static bool next(struct buf *alert)
{
	enum vt_err err = outboxes_next(boxes, alert);

	assert_true(err == VT_OK || err == VT_ENOTFOUND);
	return err == VT_OK;
}

static const char *take_all(void)
{
	struct buf alert;
	size_t len = 0;

	buf_init(&alert);
	taken[0] = '\0';
	while (next(&alert)) {
		len +=
		    (size_t)snprintf(taken + len, sizeof(taken) - len, "%s%.*s",
				     len == 0 ? "" : " ", (int)alert.len, (const char *)alert.data);
		assert_int_equal(outboxes_taken(boxes, false), VT_OK);
	}
	buf_release(&alert);
	return taken;
}

static void severity_comes_before_the_logs_in_turn_and_these_before_age(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		char text[8];
		snprintf(text, sizeof(text), "a%u", i);
		add("a", SEVERITY_NOTICE, text);
	}
	add("b", SEVERITY_NOTICE, "b0");
	add("c", SEVERITY_ERROR, "c-error");
	add("b", SEVERITY_NOTICE, "b1");
	add("a", SEVERITY_CRITICAL, "a-critical");
	add("c", SEVERITY_CRITICAL, "c-critical");
	assert_int_equal(outboxes_waiting(boxes), 9);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(outboxes_waiting(boxes), 9);
	take_all();
	/* Which of two logs begins is not said. */
	assert_true(strncmp(taken, "a-critical c-critical c-error ", 30) == 0 ||
		    strncmp(taken, "c-critical a-critical c-error ", 30) == 0);
	assert_true(strcmp(taken + 30, "a0 b0 a1 b1 a2 a3") == 0 ||
		    strcmp(taken + 30, "b0 a0 b1 a1 a2 a3") == 0);
	assert_int_equal(outboxes_waiting(boxes), 0);
	assert_int_equal(reopen(), VT_OK);
	assert_string_equal(take_all(), "");
}

static void a_flood_of_one_log_delays_no_other(void **state)
{
	struct buf alert;

	(void)state;
	buf_init(&alert);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(outboxes_add(boxes, "flood", SEVERITY_ERROR, bytes_str("flood")),
				 VT_OK);
	assert_int_equal(outboxes_sync(boxes, "flood"), VT_OK);
	assert_true(next(&alert));
	assert_int_equal(outboxes_taken(boxes, true), VT_OK);
	add("b", SEVERITY_ERROR, "b");
	add("c", SEVERITY_CRITICAL, "c");
	assert_true(next(&alert));
	assert_true(bytes_is(buf_bytes(&alert), "c"));
	assert_int_equal(outboxes_taken(boxes, true), VT_OK);
	assert_true(next(&alert));
	assert_true(bytes_is(buf_bytes(&alert), "b"));
	assert_int_equal(outboxes_taken(boxes, true), VT_OK);
	assert_true(outboxes_waiting_bytes(boxes, "flood") > 1999 * 5);
	assert_int_equal(outboxes_waiting_bytes(boxes, "b"), 0);
	assert_int_equal(outboxes_waiting_bytes(boxes, NULL),
			 outboxes_waiting_bytes(boxes, "flood"));
	buf_release(&alert);
}

static void what_nobody_takes_lets_others_go_first(void **state)
{
	struct buf alert;

	(void)state;
	buf_init(&alert);
	add("a", SEVERITY_CRITICAL, "poison");
	add("a", SEVERITY_NOTICE, "notice");
	add("b", SEVERITY_ERROR, "error");
	for (unsigned round = 0; round < 2; round++) {
		static const char *const order[] = {"poison", "error", "notice"};
		for (size_t i = 0; i < 3; i++) {
			assert_true(next(&alert));
			assert_true(bytes_is(buf_bytes(&alert), order[i]));
			outboxes_not_taken(boxes);
		}
	}
	assert_string_equal(take_all(), "poison error notice");
	buf_release(&alert);
}

static void an_alert_counts_once_its_log_is_synced(void **state)
{
	(void)state;
	assert_int_equal(outboxes_add(boxes, "a", SEVERITY_ERROR, bytes_str("a")), VT_OK);
	add("b", SEVERITY_ERROR, "b");
	assert_string_equal(take_all(), "b");
	assert_false(outboxes_wait(boxes, 0));
	assert_int_equal(outboxes_sync(boxes, "a"), VT_OK);
	assert_true(outboxes_wait(boxes, 0));
	assert_string_equal(take_all(), "a");
}

static void alerts_of_the_form_before_are_read(void **state)
{
	struct outbox *before;

	(void)state;
	assert_int_equal(outbox_open(&before, scratch_folder(), why), VT_OK);
	for (unsigned i = 0; i < 3; i++) {
		char text[8];
		snprintf(text, sizeof(text), "old%u", i);
		assert_int_equal(outbox_add(before, bytes_str(text)), VT_OK);
	}
	assert_int_equal(outbox_sync(before), VT_OK);
	struct buf alert;
	buf_init(&alert);
	assert_int_equal(outbox_next(before, &alert), VT_OK);
	assert_int_equal(outbox_taken(before, false), VT_OK);
	outbox_free(before);
	buf_release(&alert);
	assert_int_equal(reopen(), VT_OK);
	add("a", SEVERITY_ERROR, "new");
	assert_string_equal(take_all(), "old1 old2 new");
	assert_int_equal(reopen(), VT_OK);
	assert_string_equal(take_all(), "");
}

static void a_file_that_is_gone_keeps_no_other_log_back(void **state)
{
	struct buf alert;

	(void)state;
	buf_init(&alert);
	add("a", SEVERITY_CRITICAL, "a");
	add("b", SEVERITY_NOTICE, "b");
	assert_int_equal(unlink(scratch_path("a-critical/alerts-00000000")), 0);
	assert_true(next(&alert));
	assert_true(bytes_is(buf_bytes(&alert), "b"));
	assert_int_equal(outboxes_taken(boxes, false), VT_OK);
	assert_int_equal(outboxes_next(boxes, &alert), VT_EMISMATCH);
	buf_release(&alert);
}

static void the_latest_are_shown_newest_first(void **state)
{
	struct buf recent;

	(void)state;
	buf_init(&recent);
	for (unsigned i = 0; i < OUTBOXES_RECENT + 7; i++) {
		char text[8];
		snprintf(text, sizeof(text), "%02u", i);
		add(i % 2 == 0 ? "a" : "b", SEVERITY_ERROR, text);
	}
	assert_int_equal(outboxes_recent(boxes, &recent), VT_OK);
	assert_int_equal(recent.len, 3 * OUTBOXES_RECENT);
	assert_memory_equal(recent.data, "56\n55\n54\n", 9);
	buf_release(&recent);
}

static void more_logs_than_files_may_be_open(void **state)
{
	char log[16];

	(void)state;
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(log, sizeof(log), "log%u", i);
		add(log, SEVERITY_CRITICAL, "x");
	}
	assert_int_equal(outboxes_waiting(boxes), 1500);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(outboxes_waiting(boxes), 1500);
}

/* A disk that takes its time: the next flush waits until it is let go. */
static pthread_mutex_t disk = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_moved = PTHREAD_COND_INITIALIZER;
static enum { DISK_FREE, DISK_HOLDS_NEXT, DISK_HOLDS } disk_state;

static void flush_when_let(void)
{
	pthread_mutex_lock(&disk);
	if (disk_state == DISK_HOLDS_NEXT) {
		disk_state = DISK_HOLDS;
		pthread_cond_broadcast(&disk_moved);
		while (disk_state == DISK_HOLDS)
			pthread_cond_wait(&disk_moved, &disk);
	}
	pthread_mutex_unlock(&disk);
}

/* Both in place of the C library's. */
int fdatasync(int fd)
{
	flush_when_let();
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	flush_when_let();
	return (int)syscall(SYS_fsync, fd);
}

static enum vt_err held_err; /* of what the disk held */

static void *sync_a(void *unused)
{
	(void)unused;
	held_err = outboxes_sync(boxes, "a");
	return NULL;
}

static void *take_one(void *unused)
{
	(void)unused;
	held_err = outboxes_taken(boxes, false);
	return NULL;
}

static void *mark_all(void *unused)
{
	(void)unused;
	held_err = outboxes_mark(boxes);
	return NULL;
}

static void *begin_c(void *unused)
{
	(void)unused;
	held_err = outboxes_add(boxes, "c", SEVERITY_NOTICE, bytes_str("c1"));
	return NULL;
}

/* On a thread of its own; returns when the disk holds it. */
static pthread_t begin_and_hold(void *(*act)(void *))
{
	pthread_t thread;

	alarm(60); /* if somebody waits for it, then for ever */
	disk_state = DISK_HOLDS_NEXT;
	assert_int_equal(pthread_create(&thread, NULL, act, NULL), 0);
	pthread_mutex_lock(&disk);
	while (disk_state != DISK_HOLDS)
		pthread_cond_wait(&disk_moved, &disk);
	pthread_mutex_unlock(&disk);
	return thread;
}

static void let_go(pthread_t thread)
{
	pthread_mutex_lock(&disk);
	disk_state = DISK_FREE;
	pthread_cond_broadcast(&disk_moved);
	pthread_mutex_unlock(&disk);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(held_err, VT_OK);
	alarm(0);
}

static void no_log_waits_for_the_disk_of_another(void **state)
{
	pthread_t thread;

	(void)state;
	assert_int_equal(outboxes_add(boxes, "a", SEVERITY_NOTICE, bytes_str("a0")), VT_OK);
	thread = begin_and_hold(sync_a);
	/* Neither another log, nor who takes alerts or counts them, nor the same log's next alert; and what is not
	 * on disk does not count. */
	add("b", SEVERITY_NOTICE, "b0");
	assert_int_equal(outboxes_add(boxes, "a", SEVERITY_NOTICE, bytes_str("a1")), VT_OK);
	assert_int_equal(outboxes_waiting(boxes), 3);
	assert_string_equal(take_all(), "b0");
	let_go(thread);
	assert_string_equal(take_all(), "a0");
	assert_int_equal(outboxes_sync(boxes, "a"), VT_OK);
	assert_string_equal(take_all(), "a1");
}

static void no_log_waits_until_it_is_on_disk_what_was_taken_of_another(void **state)
{
	struct buf alert;

	(void)state;
	buf_init(&alert);
	add("a", SEVERITY_NOTICE, "a0");
	add("a", SEVERITY_NOTICE, "a1");
	for (int later = 0; later < 2; later++) {
		pthread_t thread;

		assert_true(next(&alert));
		if (later == 1)
			assert_int_equal(outboxes_taken(boxes, true), VT_OK);
		thread = begin_and_hold(later == 1 ? mark_all : take_one);
		add("b", SEVERITY_ERROR, "b");
		add("a", SEVERITY_NOTICE, "more");
		assert_int_equal(outboxes_waiting(boxes), later == 1 ? 4 : 3);
		let_go(thread);
	}
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(outboxes_waiting(boxes), 4);
	assert_null(strstr(take_all(), "a0"));
	buf_release(&alert);
}

static void no_log_waits_until_the_folder_of_another_is_on_disk(void **state)
{
	pthread_t thread;

	(void)state;
	thread = begin_and_hold(begin_c);
	add("b", SEVERITY_NOTICE, "b0");
	add("c", SEVERITY_NOTICE, "c0"); /* the same folder, made by both at once */
	assert_int_equal(outboxes_waiting(boxes), 2);
	let_go(thread);
	assert_int_equal(outboxes_sync(boxes, "c"), VT_OK);
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(outboxes_waiting(boxes), 3);
	assert_string_equal(take_all(), "b0 c0 c1");
}

static void a_long_file_of_alerts_is_flushed_by_nobody_who_adds(void **state)
{
	static char text[OUTBOX_ALERT_MAX];
	size_t n = 0;
	struct buf alert;

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&alert);
	add("a", SEVERITY_NOTICE, "first");
	assert_string_equal(take_all(), "first");
	for (int files = 0; files < 3; files++) {
		disk_state = DISK_HOLDS_NEXT;
		alarm(60);
		for (int i = 0; i < 40; i++, n++) /* 2.5 MiB; a file is begun at 1 MiB */
			assert_int_equal(
			    outboxes_add(boxes, "a", SEVERITY_NOTICE, bytes_of(text, sizeof(text))),
			    VT_OK);
		assert_int_equal(disk_state, DISK_HOLDS_NEXT);
		disk_state = DISK_FREE;
		alarm(0);
		assert_int_equal(outboxes_sync(boxes, "a"), VT_OK);
	}
	assert_int_equal(reopen(), VT_OK);
	assert_int_equal(outboxes_waiting(boxes), n);
	for (; next(&alert); n--) {
		assert_int_equal(alert.len, sizeof(text));
		assert_int_equal(outboxes_taken(boxes, true), VT_OK);
	}
	assert_int_equal(n, 0);
	/* What was read to its end is gone. */
	assert_int_equal(access(scratch_path("a-notice/alerts-00000000"), F_OK), -1);
	buf_release(&alert);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(severity_comes_before_the_logs_in_turn_and_these_before_age),
	    TEST(a_flood_of_one_log_delays_no_other),
	    TEST(what_nobody_takes_lets_others_go_first),
	    TEST(an_alert_counts_once_its_log_is_synced),
	    TEST(alerts_of_the_form_before_are_read),
	    TEST(a_file_that_is_gone_keeps_no_other_log_back),
	    TEST(the_latest_are_shown_newest_first),
	    TEST(no_log_waits_for_the_disk_of_another),
	    TEST(no_log_waits_until_it_is_on_disk_what_was_taken_of_another),
	    TEST(no_log_waits_until_the_folder_of_another_is_on_disk),
	    TEST(a_long_file_of_alerts_is_flushed_by_nobody_who_adds),
	    TEST(more_logs_than_files_may_be_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
