#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "options.h"

static const char *opt_url, *opt_path, *opt_records, *opt_answers, *opt_retry, *opt_signal;
static uint64_t opt_connections = 64, opt_requests, opt_seconds = 10, opt_size = 64, opt_seed = 1;
static uint64_t opt_first, opt_pid, opt_signal_after = 1000, opt_signal_delay;
static bool opt_json;

static const struct option options[] = {
    {"url", OPTION_TEXT, &opt_url, "URL", "The log, e.g. http://127.0.0.1:8080.", 0, 0, true,
     false},
    {"records", OPTION_TEXT, &opt_records, "FILE",
     "Prepared records, one a line, each sent once. Default: bytes made from --seed.", 0, 0, false,
     false},
    {"size", OPTION_COUNT, &opt_size, "N", "Bytes of each made entry. Default: 64.", LOAD_SIZE_MIN,
     LOAD_SIZE_MAX, false, false},
    {"seed", OPTION_COUNT, &opt_seed, "N", "What they are made from. Default: 1.", 0, UINT64_MAX,
     false, false},
    {"first", OPTION_COUNT, &opt_first, "N",
     "Begin with the Nth body (from 0), e.g. behind those of an earlier run. Default: 0.", 0,
     UINT64_MAX / 2, false, false},
    {"path", OPTION_TEXT, &opt_path, "PATH",
     "Where they are posted. Default: /add, or /api/v1/entries with --records.", 0, 0, false,
     false},
    {"connections", OPTION_COUNT, &opt_connections, "N", "At once. Default: 64.", 1,
     LOAD_CONNECTIONS_MAX, false, false},
    {"requests", OPTION_COUNT, &opt_requests, "N",
     "Stop after so many. Default: 0, when time is up.", 0, UINT64_MAX / 2, false, false},
    {"seconds", OPTION_COUNT, &opt_seconds, "N", "Stop after so long. Default: 10.", 1,
     LOAD_SECONDS_MAX, false, false},
    {"answers", OPTION_TEXT, &opt_answers, "FILE",
     "Write what became of each: its number, the status, the index. `check` reads it.", 0, 0, false,
     false},
    {"retry", OPTION_TEXT, &opt_retry, "FILE",
     "Send again what has no index in this file, which --answers wrote, and nothing else.", 0, 0,
     false, false},
    {"pid", OPTION_COUNT, &opt_pid, "N", "The server's process: tell the CPU time it took.", 1,
     INT32_MAX, false, false},
    {"signal", OPTION_TEXT, &opt_signal, "TERM|KILL",
     "Send this to --pid while every connection has a request under way.", 0, 0, false, false},
    {"signal-after", OPTION_COUNT, &opt_signal_after, "N", "Once N are answered. Default: 1000.", 1,
     UINT64_MAX / 2, false, false},
    {"signal-delay", OPTION_COUNT, &opt_signal_delay, "N",
     "And so many microseconds later. Default: 0, at once.", 0, 1000000, false, false},
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object.", 0, 0, false, false},
};
static const struct command_usage usage = {
    "vitrine-load append --url URL [--connections N] [--requests N] [--seconds N] ...",
    "Appends as fast as the log takes it, one request at a time on each connection, and tells "
    "rate, "
    "latency and what was answered. Exits 0 if anything was, whatever the answers say.",
    "  vitrine-load append --url http://127.0.0.1:8080 --size 1024 --connections 256 --seconds 5\n"
    "  vitrine-load append --url http://127.0.0.1:8080 --records records.jsonl --pid $(pgrep "
    "vitrine)\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

struct appends {
	const struct load_target *target;
	struct load_bodies bodies;
	struct load_fates again; /* what --retry sends */
	uint64_t next, end;
	FILE *answers;
};

static bool next_append(void *ctx, struct buf *out, uint64_t *tag)
{
	struct appends *a = ctx;
	struct bytes body;

	while (opt_retry != NULL && a->next < a->end && a->again.fate[a->next].has_index)
		a->next++;
	if (a->next >= a->end)
		return false;
	*tag = opt_retry != NULL ? a->again.fate[a->next].seq : a->next;
	a->next++;
	body = load_bodies_get(&a->bodies, *tag);
	return buf_appendf(out,
			   "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\n"
			   "Content-Length: %zu\r\n\r\n",
			   opt_path, a->target->host,
			   opt_records != NULL ? "application/json" : "application/octet-stream",
			   body.len) == VT_OK &&
	       buf_append(out, body) == VT_OK;
}

/* The index, from the field or, as other logs' /add has it, from the body. */
static bool index_of(const struct load_answer *answer, uint64_t *index)
{
	const char *slash = strrchr(answer->location, '/');

	if (answer->status / 100 != 2)
		return false;
	if (slash != NULL)
		return decimal_decode(index, bytes_str(slash + 1)) == VT_OK;
	return decimal_decode(index, bytes_of(answer->body, answer->body_kept)) == VT_OK;
}

static void append_answered(void *ctx, uint64_t tag, const struct load_answer *answer)
{
	struct appends *a = ctx;
	uint64_t index;

	if (a->answers == NULL)
		return;
	if (index_of(answer, &index))
		fprintf(a->answers, "%" PRIu64 " %u %" PRIu64 "\n", tag, answer->status, index);
	else
		fprintf(a->answers, "%" PRIu64 " %u -\n", tag, answer->status);
}

static int prepare(struct appends *a)
{
	int code = load_bodies_option(&a->bodies, opt_records, opt_seed, opt_size);
	enum vt_err err;

	if (code != LOAD_HOLDS)
		return code;
	if (opt_path == NULL)
		opt_path = opt_records != NULL ? "/api/v1/entries" : "/add";
	a->next = opt_first;
	a->end = opt_requests > 0 ? opt_first + opt_requests : UINT64_MAX;
	if (a->end > a->bodies.count)
		a->end = a->bodies.count;
	if (opt_retry != NULL) {
		if ((err = load_fates_read(&a->again, opt_retry)) != VT_OK)
			return load_fail(LOAD_UNSURE, "--retry %s: %s", opt_retry,
					 vt_err_text(err));
		a->next = 0;
		a->end = a->again.n;
		for (size_t i = 0; i < a->again.n; i++)
			if (a->again.fate[i].seq >= a->bodies.count)
				return load_fail(LOAD_USAGE, "--retry %s: is of other records",
						 opt_retry);
	}
	if (opt_answers != NULL && (a->answers = fopen(opt_answers, "w")) == NULL)
		return load_fail(LOAD_UNSURE, "--answers %s: cannot be written", opt_answers);
	return LOAD_HOLDS;
}

static bool set_signal(struct load_job *job)
{
	job->kill_pid = (pid_t)opt_pid;
	if (opt_signal == NULL)
		return true;
	job->kill_after = opt_signal_after;
	job->kill_delay = opt_signal_delay * 1000;
	job->kill_signal = strcmp(opt_signal, "TERM") == 0 ? SIGTERM : SIGKILL;
	return opt_pid > 0 && (job->kill_signal == SIGTERM || strcmp(opt_signal, "KILL") == 0);
}

static int run_appends(struct appends *a, struct load_job *job)
{
	static struct load_report report;
	enum vt_err err = load_run(&report, a->target, job);

	if (err != VT_OK)
		return load_fail(LOAD_UNSURE, "%s: %s", opt_url,
				 err == VT_EIO ? "nothing answers there" : vt_err_text(err));
	load_report_print(&report, opt_json);
	if (a->answers != NULL && (fflush(a->answers) != 0 || ferror(a->answers)))
		return load_fail(LOAD_UNSURE, "--answers %s: cannot be written", opt_answers);
	return report.answered > 0 ? LOAD_HOLDS : LOAD_FAILS;
}

int load_append(int argc, char **argv)
{
	struct appends a = {0};
	struct load_job job = {.next = next_append, .answered = append_answered, .ctx = &a};
	struct load_target target;
	struct operands rest;
	bool help = false;
	int code;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return LOAD_USAGE;
	if (help)
		return LOAD_HOLDS;
	if (!load_target_option(&target, opt_url))
		return LOAD_USAGE;
	if (!set_signal(&job))
		return load_fail(LOAD_USAGE, "--signal is TERM or KILL, and needs --pid");
	a.target = &target;
	job.connections = (unsigned)opt_connections;
	job.seconds = (double)opt_seconds;
	if ((code = prepare(&a)) == LOAD_HOLDS)
		code = run_appends(&a, &job);
	if (a.answers != NULL)
		fclose(a.answers);
	load_fates_release(&a.again);
	load_bodies_release(&a.bodies);
	return code;
}
