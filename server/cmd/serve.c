/* `vitrine serve`: runs a log. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "cmd.h"
#include "durable.h"
#include "http_fetch.h"
#include "index.h"
#include "log.h"
#include "log_folder.h"
#include "logline.h"
#include "options.h"
#include "serve_gossip.h"
#include "serve_witnesses.h"

static const char *opt_data, *opt_origin, *opt_key, *opt_centre, *opt_passphrase_file;
static const char *opt_listen = "127.0.0.1:8080", *opt_admission = "records";
static const char *opt_log_format = "text", *opt_log_level = "info";
static const char *opt_policy, *opt_without_quorum = "hold";
static uint64_t opt_witness_interval = 1000, opt_witness_seconds = 10, opt_unpublished = 65536;
static uint64_t opt_append_seconds = 20;
static struct option_list opt_peers;
static uint64_t opt_gossip_seconds = 60;
static bool opt_new_mark;
static uint64_t opt_workers, opt_queue = 8192, opt_index_keys = INDEX_TAIL_DEFAULT;
static uint64_t opt_connections = 4096, opt_per_address = 512, opt_rate = 20000;
static uint64_t opt_read_rate = 20000, opt_subscribers = 2048, opt_subscribers_per_address = 64;
static uint64_t opt_header_seconds = 10, opt_body_seconds = 30, opt_idle_seconds = 60;
static uint64_t opt_least_rate = 8192;

static const struct option options[] = {
    {"data", OPTION_TEXT, &opt_data, "DIR",
     "Where the log lives, as `vitrine init` made it. A missing or empty folder is refused: it "
     "means loss, not a new log.",
     0, 0, true, true},
    {"origin", OPTION_TEXT, &opt_origin, "NAME",
     "The log's name for ever: the first line of its checkpoints and the name in its vkey.", 0, 0,
     true, true},
    {"key", OPTION_TEXT, &opt_key, "FILE", "The log's private key, as `vitrine keygen` makes it.",
     0, 0, true, true},
    {"passphrase-file", OPTION_TEXT, &opt_passphrase_file, "FILE",
     "Its first line opens an encrypted key.", 0, 0, false, true},
    {"centre", OPTION_TEXT, &opt_centre, "PUBKEY",
     "The centre's first public key (PEM), which must sign entry 0. Needed in records mode.", 0, 0,
     false, true},
    {"admission", OPTION_TEXT, &opt_admission, "MODE",
     "records: only signed records of accredited parties; raw: any bytes by POST /add. Fixed when "
     "the "
     "log is made.",
     0, 0, false, true},
    {"listen", OPTION_TEXT, &opt_listen, "ADDR", CMD_LISTEN_HELP, 0, 0, false, true},
    CMD_OPTIONS_PROXY,
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "A C2SP tlog-policy that lists this log: its witnesses that have a URL are asked to cosign, "
     "and "
     "a checkpoint is published once its quorum has. Read again on SIGHUP.",
     0, 0, false, true},
    CMD_OPTION_CA,
    {"without-quorum", OPTION_TEXT, &opt_without_quorum, "hold|publish",
     "While the quorum is missing: hold appends (they wait, then are answered 503; reads go on), "
     "or publish without it, and say so.",
     0, 0, false, true},
    {"peer", OPTION_LIST, &opt_peers, "URL",
     "A monitor or log to exchange signed tree heads and evidence with (docs/gossip.md). "
     "Others may come here in any case; nobody else is asked.",
     0, 0, false, true},
    {"gossip-seconds", OPTION_COUNT, &opt_gossip_seconds, "N",
     "Time between two rounds with a peer.", 1, 86400, false, true},
    {"witness-interval", OPTION_COUNT, &opt_witness_interval, "MILLIS",
     "At least so long between two heads that witnesses are asked about. An append waits for the "
     "next one.",
     1, 3600000, false, true},
    {"witness-seconds", OPTION_COUNT, &opt_witness_seconds, "N",
     "Time for one request to a witness. One that takes longer delays nothing but a quorum that "
     "needs it.",
     1, 600, false, true},
    {"unpublished", OPTION_COUNT, &opt_unpublished, "N",
     "Entries that may be committed and wait for the quorum; beyond it appends are answered 503.",
     1, 1 << 24, false, true},
    {"append-seconds", OPTION_COUNT, &opt_append_seconds, "N",
     "How long an append may take, whatever it waits for; then it is answered 503, outcome "
     "unknown.",
     1, 110, false, true},
    {"new-mark", OPTION_FLAG, &opt_new_mark, NULL,
     "Make a high-water mark where it is missing beside a store that has entries. Only if this is "
     "the newest store there is: see docs/operations.md.",
     0, 0, false, false},
    {"workers", OPTION_COUNT, &opt_workers, "N",
     "Threads that parse and verify what is appended, and as many that read; 0: one per core, at "
     "least two.",
     0, 256, false, true},
    {"queue", OPTION_COUNT, &opt_queue, "N",
     "Submissions that may wait; beyond it they are answered 503.", 1, 1 << 20, false, true},
    {"index-keys", OPTION_COUNT, &opt_index_keys, "N",
     "Index keys held in memory before they are folded into sorted runs on disk; "
     "docs/operations.md says what one costs.",
     1024, UINT64_C(1) << 28, false, true},
    {"connections", OPTION_COUNT, &opt_connections, "N", "Connections at once.", 1, 1 << 20, false,
     true},
    {"connections-per-address", OPTION_COUNT, &opt_per_address, "N", "Of those, from one address.",
     1, 1 << 20, false, true},
    {"rate", OPTION_COUNT, &opt_rate, "N",
     "Appends per second and address, twice as many in a burst; beyond it they are answered 429. "
     "0: unlimited.",
     0, 1000000, false, true},
    {"read-rate", OPTION_COUNT, &opt_read_rate, "N",
     "The same for all other requests: a tile is one. 0: unlimited.", 0, 1000000, false, true},
    {"subscribers", OPTION_COUNT, &opt_subscribers, "N",
     "Streams of /api/v1/events at once; beyond it they are answered 503. Each is a connection, "
     "too.",
     1, 1 << 20, false, true},
    {"subscribers-per-address", OPTION_COUNT, &opt_subscribers_per_address, "N",
     "Of those, to one address; beyond it they are answered 429.", 1, 1 << 20, false, true},
    {"header-seconds", OPTION_COUNT, &opt_header_seconds, "N", "Time for a request's headers.", 1,
     3600, false, true},
    {"body-seconds", OPTION_COUNT, &opt_body_seconds, "N", "Time for a request's body.", 1, 3600,
     false, true},
    {"idle-seconds", OPTION_COUNT, &opt_idle_seconds, "N", "Time an idle connection is kept.", 1,
     3600, false, true},
    {"least-rate", OPTION_COUNT, &opt_least_rate, "N",
     "Bytes a second that a client must take of an answer, on average over half a minute; eight "
     "times as many while memory for answers is short.",
     1, 1 << 30, false, true},
    {"log-format", OPTION_TEXT, &opt_log_format, "text|json", "Form of the log lines.", 0, 0, false,
     true},
    {"log-level", OPTION_TEXT, &opt_log_level, "LEVEL",
     "Least level shown: debug, info, warn or error.", 0, 0, false, true},
};
static const struct option_exclusion exclusions[] = {{"centre", "admission", "raw"}};
static const struct command_usage usage = {
    "vitrine serve --data DIR --origin NAME --key FILE [--centre PUBKEY] [--listen ADDR] ...",
    "Runs a log: takes records in, publishes signed checkpoints, answers queries. Prints "
    "\"listening on URL\" when it is ready. Never makes one: that is what `vitrine init` is for, "
    "once. SIGHUP reads the policy again; a bad one is reported and the old one kept. SIGTERM or "
    "SIGINT stops it after everything that was "
    "taken in has been answered.",
    "  vitrine serve --data log --origin log.example.org/lab --key log.pem --centre "
    "centre.pem.pub\n"
    "  vitrine serve --data log --origin log.example.org/raw --key log.pem --admission raw\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

struct service {
	struct log_folder folder;
	struct log_identity identity;
	struct store *store;
	struct serve_witnesses witnesses;
	struct log *log;
	_Atomic(struct api *) api; /* the sequencer looks at it, and it is there later than that */
	struct serve_gossip gossip;
	struct http_proxies *proxies;
};

static int read_keys(struct service *s)
{
	int code = log_identity_admission(&s->identity, "serve", opt_admission, opt_centre != NULL);

	if (code != CMD_HOLDS ||
	    (code = cmd_read_signer("serve", "key", opt_key, opt_passphrase_file,
				    &s->identity.key)) != CMD_HOLDS ||
	    (code = log_identity_name(&s->identity, "serve", opt_origin)) != CMD_HOLDS)
		return code;
	return s->identity.raw
		   ? CMD_HOLDS
		   : cmd_read_public_key("serve", "centre", opt_centre, &s->identity.centre);
}

static int open_store(struct service *s)
{
	const struct store_identity identity = log_identity_stored(&s->identity);
	const struct store_sqlite_config config = {.path = s->folder.store};
	char why[STORE_WHY_MAX] = "";
	enum vt_err err;
	int code;

	if ((code = log_folder_name(&s->folder, "serve", opt_data)) != CMD_HOLDS ||
	    (code = log_folder_check(&s->folder, "serve", opt_origin)) != CMD_HOLDS)
		return code;
	/* Whatever has to be written there one day: evidence, above all. */
	if (access(s->folder.frozen, F_OK) != 0 && durable_try(s->folder.frozen) != VT_OK)
		return cmd_fail("serve", CMD_UNSURE, "--data %s: no file can be written in it: %s",
				opt_data, strerror(errno));
	if ((err = store_sqlite_open(&s->store, &config, &identity, why)) != VT_OK)
		return cmd_fail("serve", err == VT_ECONFLICT ? CMD_USAGE : CMD_UNSURE, "%s: %s",
				s->folder.store, why);
	return CMD_HOLDS;
}

/* Four for each connection to the store, which every worker has, and for each client; but for those of witnesses. */
static uint64_t files_needed(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t workers = opt_workers != 0 ? opt_workers : cores > 2 ? (uint64_t)cores : 2;

	return opt_connections + 4 * (2 * workers + opt_peers.n) + CMD_FILES_BESIDE;
}

static int open_witnesses(struct service *s)
{
	static struct serve_witnesses_options o;

	if (strcmp(opt_without_quorum, "hold") != 0 && strcmp(opt_without_quorum, "publish") != 0)
		return cmd_fail("serve", CMD_USAGE, "--without-quorum: hold or publish, not %s",
				opt_without_quorum);
	/* Otherwise every append would be given up before its round begins. */
	if (opt_policy != NULL && opt_witness_interval >= opt_append_seconds * 1000)
		return cmd_fail("serve", CMD_USAGE,
				"--witness-interval is in milliseconds and must be shorter than "
				"--append-seconds");
	o = (struct serve_witnesses_options){opt_policy, opt_without_quorum, opt_witness_interval,
					     opt_witness_seconds, files_needed()};
	return serve_witnesses_open(&s->witnesses, &o, &s->identity.signer.key);
}

static int open_enough_files(struct service *s)
{
	return cmd_need_files("serve", files_needed() + 4 * serve_witnesses_listed(&s->witnesses));
}

static void on_gather(void *ctx, struct bytes signed_note, const struct tree_head *head,
		      bool remembered)
{
	serve_witnesses_begin(&((struct service *)ctx)->witnesses, signed_note, head, remembered);
}

static enum vt_err on_policy_met(void *ctx, struct bytes note)
{
	return serve_witnesses_policy_met(&((struct service *)ctx)->witnesses, note);
}

static enum vt_err on_vouched(void *ctx, struct bytes note)
{
	return serve_witnesses_vouched(&((struct service *)ctx)->witnesses, note);
}

static void on_published(void *ctx, const struct tree_head *head)
{
	struct service *s = ctx;
	struct api *api = s->api;

	(void)head;
	if (api != NULL)
		api_published(api);
}

static int open_log(struct service *s)
{
	bool policy = opt_policy != NULL;
	struct log_config config = {
	    .store = s->store,
	    .signer = &s->identity.signer,
	    .queue_max = (size_t)opt_queue,
	    .index_tail_max = (size_t)opt_index_keys,
	    .gather = policy ? on_gather : NULL,
	    .policy_met = policy ? on_policy_met : NULL,
	    .vouched = policy ? on_vouched : NULL,
	    .asks_nobody = serve_witnesses_gather(&s->witnesses) == NULL,
	    .published = on_published,
	    .ctx = s,
	    .without_quorum = strcmp(opt_without_quorum, "hold") == 0 ? LOG_HOLD : LOG_PUBLISH,
	    .unpublished_max = opt_unpublished,
	    .gather_pause_millis = (unsigned)opt_witness_interval,
	    .append_wait_millis = (unsigned)opt_append_seconds * 1000,
	    .mark_path = s->folder.mark,
	    .frozen_path = s->folder.frozen,
	    .policy_path = s->folder.policy,
	    .new_mark = opt_new_mark,
	};
	char why[STORE_WHY_MAX] = "";
	enum vt_err err;
	int code;

	if ((err = serve_witnesses_digest(&s->witnesses, &config.policy)) != VT_OK ||
	    (err = log_open(&s->log, &config, why)) != VT_OK)
		return cmd_fail("serve", err == VT_ECONFLICT ? CMD_USAGE : CMD_UNSURE, "%s: %s",
				s->folder.store, why[0] ? why : vt_err_text(err));
	/* First what the witnesses show, then the first head that they are asked about. */
	if ((code = serve_witnesses_start(&s->witnesses, s->log)) != CMD_HOLDS)
		return code;
	if ((err = log_start(s->log)) != VT_OK)
		return cmd_fail("serve", CMD_UNSURE, "%s: %s", s->folder.store, vt_err_text(err));
	return CMD_HOLDS;
}

static int open_api(struct service *s)
{
	struct api_config config = {
	    .log = s->log,
	    .gather = serve_witnesses_gather(&s->witnesses),
	    .gossip = s->gossip.gossip,
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
		    .least_rate = (double)opt_least_rate,
		    .rate_per_second = (double)opt_rate,
		    .reads_per_second = (double)opt_read_rate,
		    .streams_max = (unsigned)opt_subscribers,
		    .streams_per_address_max = (unsigned)opt_subscribers_per_address,
		},
	};
	char why[160] = "";
	struct api *api;
	enum vt_err err;

	err = api_start(&api, &config, why);
	s->api = api;
	if (err != VT_OK)
		return cmd_fail("serve", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE,
				"--listen %s: %s", opt_listen, why[0] ? why : vt_err_text(err));
	return CMD_HOLDS;
}

/* Answers first, then the log: an append under way needs the sequencer to be answered; then the gatherer, whose quorum the
 * last appends wait for. */
static void close_service(struct service *s)
{
	if (s->log != NULL)
		log_stop_soon(s->log);
	if (s->api != NULL)
		api_stop(s->api, CMD_STOP_GRACE_SECONDS);
	serve_gossip_stop(&s->gossip);
	if (s->log != NULL)
		log_stop(s->log);
	api_free(s->api);
	http_proxies_free(s->proxies);
	serve_gossip_close(&s->gossip);
	serve_witnesses_close(&s->witnesses);
	log_free(s->log);
	if (s->store != NULL)
		s->store->ops->free(s->store);
	log_identity_release(&s->identity);
}

static void show_gather(void *ctx, struct gather *g)
{
	api_set_gather(((struct service *)ctx)->api, g);
}

static int serve(const sigset_t *signals)
{
	struct service s = {0};
	int code, got = SIGHUP;

	if ((code = cmd_read_proxies("serve", &s.proxies)) == CMD_HOLDS &&
	    (code = read_keys(&s)) == CMD_HOLDS && (code = open_witnesses(&s)) == CMD_HOLDS &&
	    (code = open_enough_files(&s)) == CMD_HOLDS && (code = open_store(&s)) == CMD_HOLDS &&
	    (code = open_log(&s)) == CMD_HOLDS &&
	    (code = serve_gossip_start(&s.gossip, s.log, &s.identity.signer.key, opt_data,
				       &opt_peers, opt_gossip_seconds)) == CMD_HOLDS &&
	    (code = open_api(&s)) == CMD_HOLDS &&
	    (code = cmd_say_listening("serve", api_url(s.api), api_everywhere(s.api))) ==
		CMD_HOLDS) {
		logline(LOGLINE_INFO, "serving", "origin=%s mode=%s vkey=%s url=%s", opt_origin,
			opt_admission, (const char *)s.identity.vkey.data, api_url(s.api));
		while (got == SIGHUP)
			if (sigwait(signals, &got) == 0 && got == SIGHUP)
				serve_witnesses_reload(&s.witnesses, show_gather, &s);
		logline(LOGLINE_INFO, "stopping", "signal=%d", got);
	}
	close_service(&s);
	return code;
}

int cmd_serve(int argc, char **argv)
{
	struct operands rest;
	sigset_t signals;
	bool help = false;
	int code;

	cmd_take_signals(&signals);
	if (options_parse_exclusive(&usage, exclusions, sizeof(exclusions) / sizeof(*exclusions),
				    argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (cmd_configure_loglines("serve", opt_log_format, opt_log_level) != CMD_HOLDS)
		return CMD_USAGE;
	code = serve(&signals);
	options_release(&usage);
	return code;
}
