#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fsck.h"
#include "http_fetch.h"
#include "log.h"
#include "log_folder.h"
#include "options.h"
#include "store.h"

static const char *opt_data, *opt_log, *opt_policy, *opt_centre;
static uint64_t opt_faults = 20, opt_threads;
static bool opt_json;

static const struct option options[] = {
    {"data", OPTION_TEXT, &opt_data, "DIR", "The log's folder, as given to `vitrine serve`.", 0, 0,
     false, true},
    {"log", OPTION_TEXT, &opt_log, "URL", "Or a log over HTTP, from its public files alone.", 0, 0,
     false, true},
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "With --log: which log and witnesses to trust (C2SP tlog-policy).", 0, 0, false, true},
    {"centre", OPTION_TEXT, &opt_centre, "PUBKEY",
     "With --log: the centre's first public key (SPKI PEM). Without it entry 0 is believed to name "
     "it.",
     0, 0, false, true},
    {"faults", OPTION_COUNT, &opt_faults, "N", "Stop after so many differences.", 1, 1000000, false,
     true},
    {"threads", OPTION_COUNT, &opt_threads, "N",
     "Verify signatures on so many threads; 0: one for each core.", 0, 64, false, true},
    CMD_OPTION_CA,
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object.", 0, 0, false, true},
};
static const struct option_exclusion exclusions[] = {{"data", "log", NULL}};
static const struct command_usage usage = {
    "vitrine fsck --data DIR | --log URL --policy FILE",
    "Recomputes a whole log from its entries: every leaf hash, tile and root, every index row, "
    "every "
    "signature on a kept checkpoint, and whether every entry was admissible when it came in. With "
    "--data also whether the store is behind its high-water mark, and whether the log is frozen. "
    "Only "
    "reads; a log may be running meanwhile. Exit code 1 names the first difference.",
    "  vitrine fsck --data log\n"
    "  vitrine fsck --log http://127.0.0.1:8080 --policy policy.txt\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

void fsck_progress(void *ctx, uint64_t done, uint64_t total, const char *what)
{
	struct fsck_run *run = ctx;
	unsigned percent = total ? (unsigned)(100.0 * (double)done / (double)total) : 100;

	if (!run->terminal || (percent == run->shown_percent && run->shown_what == what))
		return;
	run->shown_percent = percent;
	run->shown_what = what;
	fprintf(stderr, "\r\033[K%3u %% %s", percent, what);
	fflush(stderr);
}

enum vt_err fsck_fault(void *ctx, const char *place_and_fault)
{
	struct fsck_run *run = ctx;

	if (run->terminal)
		fputs("\r\033[K", stderr);
	run->faults++;
	if (run->json != NULL)
		return json_push(run->json, json_new_text(bytes_str(place_and_fault)));
	printf("%s\n", place_and_fault);
	return VT_OK;
}

static int fsck_store(struct fsck_run *run, struct tree_head *head)
{
	char why[STORE_WHY_MAX] = "";
	struct log_folder folder;
	struct store_sqlite_config config = {.path = folder.store, .read_only = true};
	struct fsck_config fsck = {.mark_path = folder.mark,
				   .frozen_path = folder.frozen,
				   .progress = fsck_progress,
				   .fault = fsck_fault,
				   .ctx = run,
				   .faults_max = (size_t)opt_faults,
				   .threads = run->threads};
	enum vt_err err;
	int code;

	if ((code = log_folder_name(&folder, "fsck", opt_data)) != CMD_HOLDS)
		return code;
	if ((err = store_sqlite_open(&fsck.store, &config, NULL, why)) != VT_OK)
		return cmd_fail("fsck", err == VT_ENOTFOUND ? CMD_USAGE : CMD_UNSURE, "%s: %s",
				folder.store, why[0] ? why : vt_err_text(err));
	snprintf(run->origin, sizeof(run->origin), "%s", fsck.store->identity.origin);
	run->raw = strcmp(fsck.store->identity.mode, "raw") == 0;
	run->no_mark = access(folder.mark, F_OK) != 0;
	err = log_fsck(&fsck, head);
	fsck.store->ops->free(fsck.store);
	if (err != VT_OK && run->faults == 0)
		return cmd_fail("fsck", CMD_UNSURE, "%s: %s", folder.store, vt_err_text(err));
	return err == VT_OK ? CMD_HOLDS : CMD_FAILS;
}

static int report(const struct fsck_run *run, int code, const struct tree_head *head)
{
	char root[65];
	int printed;

	if (run->terminal)
		fputs("\r\033[K", stderr);
	if (opt_json) {
		printed = cmd_print_json(
		    "fsck",
		    JSON_OBJECT_OF({"origin", json_new_str(run->origin)},
				   {"holds", json_new_bool(code == CMD_HOLDS)},
				   {"admissionsReplayed", json_new_bool(!run->raw)},
				   {"markCompared", opt_data != NULL ? json_new_bool(!run->no_mark)
								     : json_absent()},
				   {"treeSize", json_new_integer((int64_t)head->size)},
				   {"rootHash", json_new_hash(&head->root)},
				   {"faults", json_copy(run->json)}));
		return code == CMD_HOLDS ? printed : code;
	}
	hex_encode(root, bytes_of(head->root.b, sizeof(head->root.b)));
	if (code == CMD_HOLDS)
		printf("%s: %llu entries, root %s: nothing differs%s%s\n", run->origin,
		       (unsigned long long)head->size, root,
		       run->raw ? " (no records: there are no admissions to replay)" : "",
		       run->no_mark ? " (no high-water mark beside it: whether this is the "
				      "newest store was not looked at)"
				    : "");
	return code;
}

int cmd_fsck(int argc, char **argv)
{
	struct fsck_run run = {.terminal = isatty(STDERR_FILENO) != 0, .shown_percent = 101};
	struct tree_head head = {0};
	struct operands rest;
	bool help = false;
	int code;

	if (options_parse_exclusive(&usage, exclusions, sizeof(exclusions) / sizeof(*exclusions),
				    argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if ((opt_data == NULL) == (opt_log == NULL))
		return cmd_fail("fsck", CMD_USAGE, "give either --data DIR or --log URL");
	if (opt_log != NULL && opt_policy == NULL)
		return cmd_fail("fsck", CMD_USAGE,
				"--log needs --policy FILE: whose signature to believe");
	if (opt_json && (run.json = json_new_array()) == NULL)
		return cmd_fail("fsck", CMD_UNSURE, "out of memory");
	run.faults_max = opt_faults;
	run.threads = (unsigned)opt_threads;
	code = opt_data ? fsck_store(&run, &head)
			: fsck_over_http(&run, opt_log, opt_policy, opt_centre, &head);
	if (code == CMD_HOLDS || run.faults > 0)
		code = report(&run, code, &head);
	json_free(run.json);
	return code;
}
