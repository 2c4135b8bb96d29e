/* `vitrine witness`: cosigns the checkpoints of logs. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "cmd.h"
#include "cosigner.h"
#include "durable.h"
#include "logline.h"
#include "options.h"
#include "signer.h"
#include "witness_cmd.h"

static const char *opt_key, *opt_state, *opt_policy, *opt_name, *opt_passphrase_file;
static const char *opt_listen = "127.0.0.1:8081";
static const char *opt_log_format = "text", *opt_log_level = "info";
static uint64_t opt_workers = 16, opt_connections = 4096, opt_per_address = 512, opt_rate = 1000;
static uint64_t opt_header_seconds = 10, opt_body_seconds = 30, opt_idle_seconds = 60;

static const struct option options[] = {
    {"key", OPTION_TEXT, &opt_key, "FILE",
     "The witness's private key, as `vitrine keygen --for witness` makes it.", 0, 0, true, true},
    {"state", OPTION_TEXT, &opt_state, "DIR",
     "Where it remembers what it cosigned, as `vitrine witness init` made it. A missing or empty "
     "folder "
     "is refused: it means that what was cosigned is forgotten. Never restore it from a copy.",
     0, 0, true, true},
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "The logs to witness (C2SP tlog-policy; its witnesses and quorum mean nothing here). Read "
     "again "
     "on SIGHUP.",
     0, 0, true, true},
    {"name", OPTION_TEXT, &opt_name, "NAME",
     "The witness's name, as in its vkey. Default: as --state has it.", 0, 0, false, true},
    {"passphrase-file", OPTION_TEXT, &opt_passphrase_file, "FILE",
     "Its first line opens an encrypted key.", 0, 0, false, true},
    {"listen", OPTION_TEXT, &opt_listen, "ADDR", CMD_LISTEN_HELP, 0, 0, false, true},
    CMD_OPTIONS_PROXY,
    {"workers", OPTION_COUNT, &opt_workers, "N",
     "Threads that verify, write and sign: so many logs' checkpoints are flushed side by side; a "
     "quarter of them for one log.",
     1, 256, false, true},
    {"connections", OPTION_COUNT, &opt_connections, "N", "Connections at once.", 1, 1 << 20, false,
     true},
    {"connections-per-address", OPTION_COUNT, &opt_per_address, "N", "Of those, from one address.",
     1, 1 << 20, false, true},
    {"rate", OPTION_COUNT, &opt_rate, "N",
     "Checkpoints per second and address, twice as many in a burst; beyond it they are answered "
     "429. 0: unlimited.",
     0, 1000000, false, true},
    {"header-seconds", OPTION_COUNT, &opt_header_seconds, "N", "Time for a request's headers.", 1,
     3600, false, true},
    {"body-seconds", OPTION_COUNT, &opt_body_seconds, "N", "Time for a request's body.", 1, 3600,
     false, true},
    {"idle-seconds", OPTION_COUNT, &opt_idle_seconds, "N", "Time an idle connection is kept.", 1,
     3600, false, true},
    {"log-format", OPTION_TEXT, &opt_log_format, "text|json", "Form of the log lines.", 0, 0, false,
     true},
    {"log-level", OPTION_TEXT, &opt_log_level, "LEVEL",
     "Least level shown: debug (every cosignature), info (every refusal), warn or error.", 0, 0,
     false, true},
};
static const struct command_usage usage = {
    "vitrine witness --key FILE --state DIR --policy FILE [--listen ADDR] ...",
    "Cosigns the checkpoints of logs, each only if it is consistent with the one before (C2SP "
    "tlog-witness). Prints \"listening on URL\" when it is ready; that URL is what a log's policy "
    "says of this witness. SIGHUP reads the policy again; a bad one is reported and the old one "
    "kept. SIGTERM or SIGINT stops it. `vitrine witness init` makes its state, once; `vitrine "
    "witness add` gives it a further log.",
    "  vitrine keygen --for witness --name witness.example.org --out witness.pem\n"
    "  vitrine witness init --name witness.example.org --key witness.pem --state witness "
    "--policy logs.policy\n"
    "  vitrine witness --key witness.pem --state witness --policy logs.policy\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

struct service {
	struct signer *key;
	struct note_signer signer;
	struct cosigner *cosigner;
	struct api *api;
	struct http_proxies *proxies;
};

/* The name in DIR/vkey, from an earlier start. false: there is none. */
static bool name_from_state(char name[VKEY_NAME_MAX + 1])
{
	char path[PATH_MAX];
	struct vkey vkey;
	struct buf text;
	bool found = false;

	buf_init(&text);
	if (snprintf(path, sizeof(path), "%s/vkey", opt_state) < (int)sizeof(path) &&
	    file_read(&text, path, 4096) == VT_OK && text.len > 0 &&
	    vkey_parse(&vkey, bytes_of(text.data, text.len - 1)) == VT_OK) {
		memcpy(name, vkey.name, sizeof(vkey.name));
		found = true;
	}
	buf_release(&text);
	return found;
}

/* What the folder lacks is said before anything else: without it there is no name either. */
static int check_state(void)
{
	char why[COSIGNER_WHY_MAX];
	enum vt_err err = cosigner_folder_check(opt_state, why);

	if (err == VT_ENOTFOUND)
		return cmd_fail(
		    "witness", CMD_UNSURE,
		    "--state %s: %s. If this witness has run before, its folder is lost or "
		    "not mounted: mount it, or put it back as it was last (never an older "
		    "copy). A new witness is made once, by `vitrine witness init`",
		    opt_state, why);
	return err == VT_OK ? CMD_HOLDS
			    : cmd_fail("witness", CMD_UNSURE, "--state %s: %s", opt_state, why);
}

static int read_key(struct service *s)
{
	int code = cmd_read_signer("witness", "key", opt_key, opt_passphrase_file, &s->key);
	char known[VKEY_NAME_MAX + 1];
	const char *name = opt_name;

	if (code != CMD_HOLDS)
		return code;
	if (name == NULL && name_from_state(known))
		name = known;
	return cmd_witness_signer("witness", &s->signer, s->key, name);
}

#define STATE_IS_MISSING                                                                           \
	". If this witness has cosigned that log before, what it cosigned is lost: put the "       \
	"folder "                                                                                  \
	"back as it was last, or take the log off the policy. A log that is new here is given to " \
	"it by "                                                                                   \
	"`vitrine witness add --state %s ORIGIN`"

static int open_cosigner(struct service *s)
{
	char why[COSIGNER_WHY_MAX];
	struct policy *policy = NULL;
	int code = cmd_read_policy("witness", opt_policy, &policy);
	enum vt_err err;

	if (code != CMD_HOLDS)
		return code;
	struct cosigner_config config = {.state_path = opt_state,
					 .signer = &s->signer,
					 .policy = policy,
					 .turns_max = (unsigned)(opt_workers + 3) / 4};
	err = cosigner_open(&s->cosigner, &config, why);
	if (err == VT_ENOTFOUND)
		code = cmd_fail("witness", CMD_UNSURE, "--state %s: %s" STATE_IS_MISSING, opt_state,
				why, opt_state);
	else if (err != VT_OK)
		code = cmd_fail("witness",
				err == VT_ECONFLICT || err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE,
				"--state %s: %s", opt_state, why);
	else if (policy_log_count(policy) == 0)
		logline(LOGLINE_WARN, "the policy lists no log", "policy=%s", opt_policy);
	policy_free(policy);
	return code;
}

static int open_api(struct service *s)
{
	struct api_config config = {
	    .cosigner = s->cosigner,
	    .version = VITRINE_VERSION,
	    .http =
		{
		    .listen = opt_listen,
		    .proxies = s->proxies,
		    .workers = (unsigned)opt_workers,
		    .connections_max = (unsigned)opt_connections,
		    .per_address_max = (unsigned)opt_per_address,
		    .header_seconds = (unsigned)opt_header_seconds,
		    .body_seconds = (unsigned)opt_body_seconds,
		    .idle_seconds = (unsigned)opt_idle_seconds,
		    .rate_per_second = (double)opt_rate,
		},
	};
	char why[160] = "";
	enum vt_err err;

	if ((err = api_start(&s->api, &config, why)) != VT_OK)
		return cmd_fail("witness", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE,
				"--listen %s: %s", opt_listen, why[0] ? why : vt_err_text(err));
	return CMD_HOLDS;
}

/* A file that cannot be read or does not parse changes nothing; cmd_read_policy() has said why. */
static void reload_policy(struct service *s)
{
	char why[COSIGNER_WHY_MAX] = "";
	struct policy *policy = NULL;
	bool taken = cmd_read_policy("witness", opt_policy, &policy) == CMD_HOLDS &&
		     cosigner_set_policy(s->cosigner, policy, why) == VT_OK;

	if (taken) {
		logline(LOGLINE_INFO, "policy read again", "logs=%zu", policy_log_count(policy));
	} else {
		cosigner_policy_failed(s->cosigner);
		if (why[0] != '\0')
			(void)cmd_fail("witness", CMD_UNSURE, "--state %s: %s" STATE_IS_MISSING,
				       opt_state, why, opt_state);
		logline(LOGLINE_ERROR, "policy not taken: the old one is kept", "policy=%s",
			opt_policy);
	}
	policy_free(policy);
}

static int run(struct service *s, const sigset_t *signals)
{
	struct cosigner_stats stats;
	struct buf vkey;
	int got = SIGHUP, code;

	buf_init(&vkey);
	cosigner_stats(s->cosigner, &stats);
	if (vkey_format(&vkey, cosigner_key(s->cosigner)) == VT_OK)
		logline(LOGLINE_INFO, "witnessing", "vkey=%.*s logs=%llu url=%s", (int)vkey.len,
			(const char *)vkey.data, (unsigned long long)stats.logs, api_url(s->api));
	buf_release(&vkey);
	if ((code = cmd_say_listening("witness", api_url(s->api), api_everywhere(s->api))) !=
	    CMD_HOLDS)
		return code;
	while (got == SIGHUP) {
		if (sigwait(signals, &got) == 0 && got == SIGHUP)
			reload_policy(s);
	}
	logline(LOGLINE_INFO, "stopping", "signal=%d", got);
	return CMD_HOLDS;
}

int cmd_witness(int argc, char **argv)
{
	struct operands rest;
	struct service s = {0};
	sigset_t signals;
	bool help = false;
	int code;

	if (argc > 1 && strcmp(argv[1], "init") == 0)
		return cmd_witness_init(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "add") == 0)
		return cmd_witness_add(argc - 1, argv + 1);
	cmd_take_signals(&signals);
	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (cmd_configure_loglines("witness", opt_log_format, opt_log_level) != CMD_HOLDS)
		return CMD_USAGE;
	if ((code = cmd_read_proxies("witness", &s.proxies)) == CMD_HOLDS &&
	    (code = cmd_need_files("witness", opt_connections + 2 * opt_workers +
						  CMD_FILES_BESIDE)) == CMD_HOLDS &&
	    (code = check_state()) == CMD_HOLDS && (code = read_key(&s)) == CMD_HOLDS &&
	    (code = open_cosigner(&s)) == CMD_HOLDS && (code = open_api(&s)) == CMD_HOLDS)
		code = run(&s, &signals);
	if (s.api != NULL)
		api_stop(s.api, CMD_STOP_GRACE_SECONDS);
	api_free(s.api);
	http_proxies_free(s.proxies);
	cosigner_free(s.cosigner);
	signer_free(s.key);
	options_release(&usage);
	return code;
}
