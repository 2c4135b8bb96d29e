/* `vitrine submit`: sends records to a log, checks what comes back, and keeps the proofs. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admit.h"
#include "client.h"
#include "cmd.h"
#include "durable.h"
#include "http_fetch.h"
#include "json.h"
#include "options.h"
#include "output.h"
#include "vitrine/policy.h"

static const char *opt_log, *opt_policy, *opt_out;
static uint64_t opt_seconds = 300;
static bool opt_json, opt_quiet;
static char standard_input[] = "/dev/stdin";

static char command_name[] = "submit";

static const struct option options[] = {
    {"log", OPTION_TEXT, &opt_log, "URL", "The log.", 0, 0, true, true},
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "Which log and witnesses to trust (C2SP tlog-policy): what comes back is checked against it.",
     0, 0, true, true},
    {"out", OPTION_TEXT, &opt_out, "DIR",
     "Where the proofs go. Default: beside each record, as FILE.tlog-proof. Needed for a record "
     "from standard input (-).",
     0, 0, false, false},
    {"seconds", OPTION_COUNT, &opt_seconds, "N",
     "How long to keep trying while the log says \"not now\" or cannot be reached.", 1, 86400,
     false, true},
    CMD_OPTION_CA,
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object a record.", 0, 0, false, true},
    {"quiet", OPTION_FLAG, &opt_quiet, NULL, "Do not say that a record is sent again.", 0, 0, false,
     true},
};
static const struct command_usage usage = {
    "vitrine submit --log URL --policy FILE RECORD...",
    "Appends records (DSSE envelopes, also inside Sigstore bundles) and checks what comes back "
    "(the checkpoint's signatures, the inclusion proof, "
    "that "
    "the entry holds this very record, who signed it) before saying that it worked. Writes the "
    "proof beside each "
    "record. Exit code 1 if somebody signed the record whose signature is not in the entry (the "
    "log does not know the key). Sending a record twice is harmless: the log answers with the same "
    "index.",
    "  vitrine submit --log https://log.example.org --policy policy.txt verdict.json\n",
    "RECORD...",
    options,
    sizeof(options) / sizeof(*options)};

/* FILE.tlog-proof, in --out when given. */
static bool proof_path(char *out, size_t cap, const char *record, const char *suffix)
{
	const char *slash = strrchr(record, '/');
	int n = opt_out ? snprintf(out, cap, "%s/%s%s", opt_out, slash ? slash + 1 : record, suffix)
			: snprintf(out, cap, "%s%s", record, suffix);

	return n > 0 && (size_t)n < cap;
}

static int write_beside(const char *record, const char *suffix, struct bytes contents)
{
	char path[PATH_MAX];

	/* It fitted when check_outputs() looked. */
	if (!proof_path(path, sizeof(path), record, suffix))
		return cmd_fail("submit", CMD_UNSURE, "%s: the name is too long", record);
	/* What is wrong with the file is no wrong use any more: the record is in the log. */
	return cmd_write_output("submit", "it is in the log, but ", path, contents, false) ==
		       CMD_HOLDS
		   ? CMD_HOLDS
		   : CMD_UNSURE;
}

/* -- before anything is sent ---------------------------------------------------------------------- */

/* May `path`, made for record number `at`, be written without taking another record or its proof away? */
static int check_output(const char *path, const struct operands *records, size_t at,
			const char *suffix)
{
	char other[PATH_MAX];
	struct why why;

	if (cmd_same_file(path, opt_policy))
		return cmd_fail("submit", CMD_USAGE,
				"%s would be written over the policy; nothing was sent", path);
	for (size_t i = 0; i < records->n; i++) {
		if (cmd_same_file(path, records->arg[i]))
			return cmd_fail("submit", CMD_USAGE,
					"%s would be written over %s, which is to be sent; "
					"nothing was sent",
					path, records->arg[i]);
		if (i < at && proof_path(other, sizeof(other), records->arg[i], suffix) &&
		    strcmp(path, other) == 0)
			return cmd_fail("submit", CMD_USAGE,
					"the proofs of %s and %s would both be %s: send them one "
					"after the other, each with a folder of its own (--out); "
					"nothing was sent",
					records->arg[i], records->arg[at], path);
	}
	if (output_check(path, &why) != VT_OK)
		return cmd_fail("submit", CMD_USAGE, "%s: %s; nothing was sent", path, why.text);
	return CMD_HOLDS;
}

static int check_outputs(const struct operands *records)
{
	static const char *const suffix[] = {".tlog-proof", ".entry"};
	char path[PATH_MAX];
	struct stat st;
	int code = CMD_HOLDS;

	for (size_t i = 0; i < records->n; i++) {
		const char *record = records->arg[i];
		if (opt_out == NULL &&
		    (record == standard_input || (stat(record, &st) == 0 && !S_ISREG(st.st_mode))))
			return cmd_fail("submit", CMD_USAGE,
					"%s is no file that a proof could stand beside: --out DIR "
					"is needed; nothing was sent",
					record);
		for (size_t k = 0; k < 2 && code == CMD_HOLDS; k++)
			code =
			    proof_path(path, sizeof(path), record, suffix[k])
				? check_output(path, records, i, suffix[k])
				: cmd_fail("submit", CMD_USAGE, "%s: the name is too long", record);
		if (code != CMD_HOLDS)
			return code;
	}
	return CMD_HOLDS;
}

static struct json *dropped_list(const struct client_receipt *r)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < r->n_dropped; i++)
		json_add_element(&list, json_new_str(r->dropped[i]));
	return list;
}

/* Whoever signed and is not in the entry did not say it as far as the log goes: that is not what was asked for. */
static int check_signers(const char *record, const struct client_receipt *r)
{
	for (size_t i = 0; i < r->n_dropped; i++)
		(void)cmd_fail(
		    "submit", CMD_FAILS,
		    "%s: it is in the log, but not as signed by %s: that signature verifies "
		    "under no key of the entry",
		    record, r->dropped[i]);
	return r->n_dropped == 0 ? CMD_HOLDS : CMD_FAILS;
}

static int report(const char *record, const struct client_receipt *r, const char *origin)
{
	char leaf[65];

	if (opt_json)
		return cmd_print_json(
		    "submit",
		    JSON_OBJECT_OF({"record", json_new_str(record)}, {"log", json_new_str(origin)},
				   {"index", json_new_integer((int64_t)r->index)},
				   {"leafHash", json_new_hash(&r->leaf)},
				   {"known", json_new_bool(r->known)},
				   {"admissionChecked", json_new_bool(r->admission_checked)},
				   {"droppedSigners", dropped_list(r)},
				   {"treeSize", json_new_integer((int64_t)r->head.size)}));
	hex_encode(leaf, bytes_of(r->leaf.b, sizeof(r->leaf.b)));
	printf("%s: entry %llu of %s%s, leaf %s%s\n", record, (unsigned long long)r->index, origin,
	       r->known ? " (it was there already)" : "", leaf,
	       r->admission_checked ? "" : "; who signed it was not checked");
	return CMD_HOLDS;
}

static int submit_one(struct client *c, const char *path)
{
	struct client_receipt receipt;
	struct why why = {""};
	struct buf record;
	enum vt_err err;
	int code, told;

	buf_init(&record);
	client_receipt_init(&receipt);
	if ((err = file_read(&record, path, RECORD_BODY_MAX)) != VT_OK) {
		code = cmd_fail("submit", err == VT_EIO ? CMD_UNSURE : CMD_USAGE, "%s: %s", path,
				file_fault(err));
	} else if (cmd_check_record("submit", path, buf_bytes(&record)) != CMD_HOLDS) {
		code = CMD_USAGE;
	} else if ((err = client_submit(&receipt, c, buf_bytes(&record), &why)) != VT_OK) {
		/* Refused is an answer; anything that leaves the outcome open is not. */
		code = cmd_fail("submit",
				err == VT_EIO || err == VT_EBUSY || err == VT_ENOMEM ||
					err == VT_EINTERNAL
				    ? CMD_UNSURE
				    : CMD_FAILS,
				"%s: %s", path, why.text[0] ? why.text : vt_err_text(err));
	} else {
		code = write_beside(path, ".tlog-proof", buf_bytes(&receipt.proof));
		if (code == CMD_HOLDS && !receipt.proof_has_entry)
			code = write_beside(path, ".entry", buf_bytes(&receipt.entry));
		told = report(path, &receipt, client_origin(c));
		code = code == CMD_HOLDS ? told : code;
		if (check_signers(path, &receipt) != CMD_HOLDS && code == CMD_HOLDS)
			code = CMD_FAILS;
	}
	client_receipt_release(&receipt);
	buf_release(&record);
	return code;
}

int cmd_submit(int argc, char **argv)
{
	struct client_config config = {0};
	struct why why = {""};
	struct client *c = NULL;
	struct policy *policy = NULL;
	struct operands rest;
	enum vt_err err;
	bool help = false;
	int code, one, worst = CMD_HOLDS;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (rest.n == 0)
		return cmd_fail("submit", CMD_USAGE, "which record? Give one file or more");
	for (size_t i = 0; i < rest.n; i++)
		if (strcmp(rest.arg[i], "-") == 0)
			rest.arg[i] = standard_input;
	if ((code = check_outputs(&rest)) != CMD_HOLDS)
		return code;
	if ((code = cmd_read_policy("submit", opt_policy, &policy)) != CMD_HOLDS)
		return code;
	config = (struct client_config){.url = opt_log,
					.policy = policy,
					.submit_seconds = (unsigned)opt_seconds,
					.read_seconds = (unsigned)opt_seconds,
					.keep_trying = true,
					.wait = opt_quiet ? NULL : cmd_wait_before_retry,
					.ctx = command_name};
	if (client_new(&c, &config, &why) != VT_OK)
		code = cmd_fail("submit", CMD_USAGE, "--log %s: %s", opt_log, why.text);
	/* Nothing is sent to a log that the policy does not accept; and every answer must then be consistent with
	 * this head. */
	if (c != NULL && (err = client_refresh(c, &why)) != VT_OK)
		code = cmd_fail(
		    "submit", err == VT_EMISMATCH || err == VT_EUNTRUSTED ? CMD_FAILS : CMD_UNSURE,
		    "%s: %s", opt_log, why.text);
	for (size_t i = 0; code == CMD_HOLDS && i < rest.n; i++) {
		one = submit_one(c, rest.arg[i]);
		/* The first that failed decides, but the others are sent all the same. */
		if (worst == CMD_HOLDS)
			worst = one;
	}
	client_free(c);
	policy_free(policy);
	return code != CMD_HOLDS ? code : worst;
}
