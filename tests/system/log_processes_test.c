/*
 * Two processes append 20,000 records to one SQLite file at once, every tenth of them sent to both. One history must come of
 * it, without a duplicate; and what one of them takes into the registry binds the other.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log_fixture.h"
#include "record_world.h"
#include "scratch.h"

enum {
	RECORDS = 20000,
	SHARED = RECORDS / 10, /* sent to both */
	AT_ONCE = 256,
	FIRST = 3, /* index of the first of them: entry 0, a laboratory, a vendor */
};

/* What the processes tell the test. */
struct board {
	struct {
		enum log_outcome outcome;
		uint64_t index;
	} answer[2][RECORDS];
	uint64_t suspended_at;
	char refused_as[64]; /* the other process's next verdict */
	uint64_t lost_swaps[2];
	uint64_t folds[2];
};

static char path[512], mark[520];

static void open_log(struct log_fixture *f, struct world *w)
{
	(void)snprintf(mark, sizeof(mark), "%s.mark", path);
	fixture_store(f, path, "records", world_spki(w->centre));
	fixture_mark(f, mark);
	f->config.index_tail_max = 20000; /* so that both fold, and merge */
	fixture_start(f);
}

static void make_verdict(struct world *w, struct buf *body, unsigned n)
{
	struct compose_digest subject = {
	    "bios.bin", NULL, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"};
	char run[40];
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = "PASSED",
				    .configuration = &configuration,
				    .n_configuration = 1};
	struct buf statement;

	(void)snprintf(run, sizeof(run), "urn:run:%u", n);
	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
	world_sign_one(body, buf_bytes(&statement), w->lab);
	buf_release(&statement);
}

static void send_range(struct log_fixture *f, struct world *w, struct board *board, unsigned who,
		       unsigned first, unsigned end)
{
	struct sent *s = calloc(AT_ONCE, sizeof(*s));

	assert_non_null(s);
	for (unsigned at = first; at < end; at += AT_ONCE) {
		unsigned n = end - at < AT_ONCE ? end - at : AT_ONCE;

		for (unsigned i = 0; i < n; i++) {
			struct buf body;

			make_verdict(w, &body, at + i);
			send_bytes(f, f->w, &s[i], buf_bytes(&body));
			buf_release(&body);
		}
		wait_for(s, n);
		for (unsigned i = 0; i < n; i++) {
			board->answer[who][at + i].outcome = s[i].answer.outcome;
			board->answer[who][at + i].index = s[i].answer.index;
		}
	}
	free(s);
}

static void suspend_lab(struct log_fixture *f, struct world *w, struct board *board)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct world_grant g = {.party = "lab-1",
				.role = "lab",
				.key = w->lab,
				.status = ACCREDITATION_SUSPENDED,
				.previous = 1,
				.types = types,
				.n_types = 1};
	struct log_answer a;
	struct buf body;

	world_grant(w, &body, &g);
	a = send_one(f, buf_bytes(&body));
	assert_int_equal(a.outcome, LOG_ADDED);
	board->suspended_at = a.index;
	buf_release(&body);
}

/* Process 0 takes the first part and the shared one, process 1 the shared one and the rest. */
static void act(struct world *w, struct board *board, unsigned who, int done[2], int suspended[2])
{
	enum { HALF = (RECORDS - SHARED) / 2 };
	struct log_fixture f;
	struct log_status status;
	struct log_answer a;
	struct buf body;
	char byte = 0;

	open_log(&f, w);
	if (who == 0) {
		send_range(&f, w, board, 0, 0, HALF + SHARED);
		assert_int_equal(read(done[0], &byte, 1), 1);
		suspend_lab(&f, w, board);
		assert_int_equal(write(suspended[1], &byte, 1), 1);
	} else {
		send_range(&f, w, board, 1, HALF, RECORDS);
		assert_int_equal(write(done[1], &byte, 1), 1);
		assert_int_equal(read(suspended[0], &byte, 1), 1);
		make_verdict(w, &body, RECORDS + 1);
		a = send_one(&f, buf_bytes(&body));
		buf_release(&body);
		if (a.outcome == LOG_REFUSED)
			(void)snprintf(board->refused_as, sizeof(board->refused_as), "%s",
				       a.problem.type->slug);
	}
	log_status(f.log, &status);
	board->lost_swaps[who] = status.lost_swaps;
	fixture_free(&f);
	_exit(0);
}

static void begin_log(struct world *w)
{
	struct log_fixture f;

	open_log(&f, w);
	world_begin(w);
	for (size_t i = 0; i < w->n; i++)
		assert_int_equal(send_one(&f, buf_bytes(&w->entry[i].bytes)).outcome, LOG_ADDED);
	fixture_free(&f);
}

static void check_answers(const struct board *board)
{
	bool *taken = calloc(RECORDS + FIRST, sizeof(*taken));
	unsigned added = 0;

	assert_non_null(taken);
	for (unsigned i = 0; i < RECORDS; i++) {
		uint64_t index = 0;

		for (unsigned who = 0; who < 2; who++) {
			enum log_outcome outcome = board->answer[who][i].outcome;

			if (who == 0 ? i >= (RECORDS + SHARED) / 2 : i < (RECORDS - SHARED) / 2)
				continue;
			assert_true(outcome == LOG_ADDED || outcome == LOG_KNOWN);
			added += outcome == LOG_ADDED;
			if (index != 0)
				assert_int_equal(board->answer[who][i].index, index);
			index = board->answer[who][i].index;
		}
		assert_true(index >= FIRST && index < RECORDS + FIRST && !taken[index]);
		taken[index] = true;
	}
	assert_int_equal(added, RECORDS);
	free(taken);
}

static enum vt_err print_fault(void *ctx, const char *text)
{
	(void)ctx;
	print_error("fsck: %s\n", text);
	return VT_OK;
}

static void check_log(struct world *w)
{
	struct store_sqlite_config sqlite = {.path = path, .read_only = true};
	struct fsck_config config = {.fault = print_fault};
	char why[STORE_WHY_MAX];
	struct tree_head head;
	struct log_fixture f;

	assert_int_equal(store_sqlite_open(&config.store, &sqlite, NULL, why), VT_OK);
	assert_int_equal(log_fsck(&config, &head), VT_OK);
	assert_int_equal(head.size, RECORDS + FIRST + 1); /* the suspension */
	store_free(config.store);
	open_log(&f, w);
	assert_int_equal(fixture_verify(&f), RECORDS + FIRST + 1);
	fixture_free(&f);
}

static void two_processes_make_one_history(void **state)
{
	struct board *board =
	    mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct world *w = malloc(sizeof(*w));
	int done[2], suspended[2];
	pid_t pid[2];

	(void)state;
	assert_true(board != MAP_FAILED);
	assert_non_null(w);
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	world_init(w);
	begin_log(w);
	assert_int_equal(pipe(done), 0);
	assert_int_equal(pipe(suspended), 0);
	for (unsigned who = 0; who < 2; who++) {
		pid[who] = fork();
		assert_true(pid[who] >= 0);
		if (pid[who] == 0)
			act(w, board, who, done, suspended);
	}
	for (unsigned who = 0; who < 2; who++) {
		int status;

		assert_int_equal(waitpid(pid[who], &status, 0), pid[who]);
		assert_int_equal(status, 0);
	}
	check_answers(board);
	assert_int_equal(board->suspended_at, RECORDS + FIRST);
	assert_string_equal(board->refused_as, "signer-suspended");
	/* They were really at it at once. */
	assert_true(board->lost_swaps[0] + board->lost_swaps[1] > 0);
	check_log(w);
	world_release(w);
	free(w);
	(void)munmap(board, sizeof(*board));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(two_processes_make_one_history)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
