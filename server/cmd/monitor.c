#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "clock.h"
#include "cmd.h"
#include "durable.h"
#include "http_fetch.h"
#include "logline.h"
#include "monitor.h"
#include "monitor_acknowledge.h"
#include "monitor_gossip.h"
#include "monitor_state.h"
#include "options.h"
#include "party_key.h"

enum {
	CENTRES_MAX = 256,
	PROGRESS_LINE_SECONDS = 10,
	FILES_OF_A_LOG = 32,
};

static const char *opt_policy, *opt_state, *opt_on_alert, *opt_watch_file;
static const char *opt_listen;
static const char *opt_log_format = "text", *opt_log_level = "info";
static struct option_list opt_centre, opt_watch, opt_peer;
static bool opt_once;
static uint64_t opt_interval = 10, opt_silent_seconds = 3600, opt_alert_seconds = 60;
static uint64_t opt_gossip_seconds = 60, opt_unresolved_seconds = 3600;
static uint64_t opt_command_seconds = 60, opt_parallel = 4, opt_memory_pairs = PAIRS_TAIL_DEFAULT;
static uint64_t opt_memory_registry = 64;

static const struct option options[] = {
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "The logs to follow, with their URLs, and the quorum of witnesses that their checkpoints need "
     "(C2SP tlog-policy).",
     0, 0, true, true},
    {"state", OPTION_TEXT, &opt_state, "DIR",
     "Where it remembers what it has seen: made once by `vitrine monitor init`. For one monitor at "
     "a "
     "time.",
     0, 0, true, true},
    {"centre", OPTION_LIST, &opt_centre, "[ORIGIN=]PUBKEY",
     "The public key (PEM) that must have signed entry 0: of every log, or of the one named. "
     "Without "
     "it entry 0 is believed.",
     0, 0, false, true},
    {"once", OPTION_FLAG, &opt_once, NULL,
     "Follow every log to the head that it shows, deliver the alerts, and end: 0 if all holds, 1 "
     "if something that a log did and must not stands, told now or before (vitrine monitor "
     "acknowledge), 3 if a log or whoever takes alerts could not be reached.",
     0, 0, false, true},
    CMD_OPTION_CA,
    {"peer", OPTION_LIST, &opt_peer, "URL",
     "Another monitor or log to exchange tree heads and evidence with (its /gossip/v1). The "
     "policy's "
     "witnesses are asked what they cosigned without being named here.",
     0, 0, false, true},
    {"gossip-seconds", OPTION_COUNT, &opt_gossip_seconds, "N", "Between two rounds with a peer.", 1,
     86400, false, true},
    {"unresolved-seconds", OPTION_COUNT, &opt_unresolved_seconds, "N",
     "A signed head that others showed and that the log does not reach for so long is an alert.", 1,
     1 << 30, false, true},
    {"watch", OPTION_LIST, &opt_watch, "CONDITIONS",
     "Tell of entries for which all of subject=[ALGORITHM:]HEX, party=ID, type=TYPE, result=RESULT "
     "hold that are given here, separated by commas, and of corrections of such entries. TYPE: "
     "verdict, firmware, event, accredit, seal, correct, or a predicateType's URI.",
     0, 0, false, true},
    {"watch-file", OPTION_TEXT, &opt_watch_file, "FILE", "The same, one watch a line.", 0, 0, false,
     true},
    {"on-alert", OPTION_TEXT, &opt_on_alert, "COMMAND",
     "Run by sh -c for each alert, with its JSON on standard input, until it exits with 0. Without "
     "it alerts are printed as lines of JSON.",
     0, 0, false, true},
    {"alert-seconds", OPTION_COUNT, &opt_alert_seconds, "N",
     "With --once: how long to go on trying to deliver alerts at the end.", 0, 86400, false, true},
    {"command-seconds", OPTION_COUNT, &opt_command_seconds, "N",
     "How long the command may take before it is ended and tried again.", 1, 86400, false, true},
    {"interval", OPTION_COUNT, &opt_interval, "N", "Seconds between looks at a log.", 1, 86400,
     false, true},
    {"silent-seconds", OPTION_COUNT, &opt_silent_seconds, "N",
     "A log that has not answered for so long is an alert.", 1, 1 << 30, false, true},
    {"parallel", OPTION_COUNT, &opt_parallel, "N", "Connections to each log.", 1, 16, false, true},
    {"memory-pairs", OPTION_COUNT, &opt_memory_pairs, "N",
     "What is remembered of each log in memory before it is folded into sorted files; 64 bytes "
     "each.",
     256, 1 << 26, false, true},
    {"memory-registry", OPTION_COUNT, &opt_memory_registry, "MIB",
     "What the accreditations of each log may take of memory; a log with more is not followed "
     "further, which is told as withheld.",
     1, 1 << 20, false, true},
    {"listen", OPTION_TEXT, &opt_listen, "ADDR",
     "Serve status page, /metrics, /readyz and /healthz here. " CMD_LISTEN_HELP
     " Default: nothing is served.",
     0, 0, false, true},
    CMD_OPTIONS_PROXY,
    {"log-format", OPTION_TEXT, &opt_log_format, "text|json", "Form of the log lines.", 0, 0, false,
     true},
    {"log-level", OPTION_TEXT, &opt_log_level, "LEVEL",
     "Least level shown: debug, info, warn or error.", 0, 0, false, true},
};
static const struct command_usage usage = {
    "vitrine monitor --policy FILE --state DIR [--once] [--watch CONDITIONS]... [--on-alert "
    "COMMAND] "
    "[--listen ADDR] ...",
    "Follows logs from outside: verifies every checkpoint, that each contains the one before, and "
    "every entry against the rules of admission; keeps the tree that it saw; tells when something "
    "does not hold, and of entries that are watched for. Starts where it stopped. SIGHUP "
    "reads the policy again; a bad one is reported and the old one kept. SIGTERM or SIGINT ends "
    "it.\n"
    "`vitrine monitor init` makes its state, once; `vitrine monitor add` adds a log to it, "
    "`vitrine "
    "monitor remove` takes one away (each with --help). A state that is missing is never taken for "
    "a new one.",
    "  vitrine monitor init --policy policy.txt --state monitor\n"
    "  vitrine monitor --policy policy.txt --state monitor --centre centre.pem.pub --once\n"
    "  vitrine monitor --policy policy.txt --state monitor --centre centre.pem.pub \\\n"
    "      --watch result=FAILED --watch party=lab-1,type=verdict --on-alert ./tell-me \\\n"
    "      --listen 127.0.0.1:8082\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

struct service {
	struct policy *policy;
	struct watch_set watches;
	size_t n_centres;
	struct monitor_centre centre[CENTRES_MAX];
	struct party_key *key[CENTRES_MAX];
	char *origin[CENTRES_MAX];
	struct monitor *monitor;
	struct monitor_gossip *gossip;
	struct api *api;
	struct http_proxies *proxies;
	pthread_mutex_t lock; /* one progress line at a time */
	bool bar;             /* one is on the terminal */
	uint64_t line_at;     /* monotonic seconds of the last progress log line */
};

/* -- options ---------------------------------------------------------------------------------- */

/* Origins hold no "=" in practice, file names may: so the first one splits, unless the whole is a
 * file. */
static int read_centre(struct service *s, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t i = s->n_centres;
	int code;

	if (i == CENTRES_MAX)
		return cmd_fail("monitor", CMD_USAGE, "--centre: more than %d of them",
				CENTRES_MAX);
	if (equals != NULL && access(text, F_OK) != 0) {
		if ((s->origin[i] = bytes_dup_str(bytes_of(text, (size_t)(equals - text)))) == NULL)
			return cmd_fail("monitor", CMD_UNSURE, "out of memory");
		text = equals + 1;
	}
	s->n_centres++;
	if ((code = cmd_read_public_key("monitor", "centre", text, &s->key[i])) != CMD_HOLDS)
		return code;
	s->centre[i] = (struct monitor_centre){s->origin[i], party_key_spki(s->key[i])};
	return CMD_HOLDS;
}

static int read_watches(struct service *s)
{
	char why[CONDITIONS_WHY_MAX] = "";
	struct buf text;
	size_t line = 0;
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < opt_watch.n; i++)
		if (watch_set_add(&s->watches, bytes_str(opt_watch.item[i]), why) != VT_OK)
			return cmd_fail("monitor", CMD_USAGE, "--watch %s: %s", opt_watch.item[i],
					why);
	if (opt_watch_file == NULL)
		return CMD_HOLDS;
	buf_init(&text);
	if ((err = file_read(&text, opt_watch_file, WATCH_FILE_MAX)) != VT_OK) {
		(void)cmd_fail("monitor", CMD_USAGE, "--watch-file %s: %s", opt_watch_file,
			       file_fault(err));
		buf_release(&text);
		return CMD_USAGE;
	}
	err = watch_set_add_lines(&s->watches, buf_bytes(&text), &line, why);
	buf_release(&text);
	return err == VT_OK
		   ? CMD_HOLDS
		   : cmd_fail("monitor", CMD_USAGE, "%s:%zu: %s", opt_watch_file, line, why);
}

static int read_options(struct service *s)
{
	int code = cmd_read_policy("monitor", opt_policy, &s->policy);

	for (size_t i = 0; i < opt_centre.n && code == CMD_HOLDS; i++)
		code = read_centre(s, opt_centre.item[i]);
	return code != CMD_HOLDS ? code : read_watches(s);
}

/* Of each log its files, and four for each client. Whoever asks takes one, of as many as the server has by default. */
static int open_enough_files(const struct policy *policy)
{
	uint64_t need = CMD_FILES_BESIDE + 4 * opt_peer.n + (opt_listen != NULL ? 4096 : 0);

	need += policy_log_count(policy) * (FILES_OF_A_LOG + 4 * (opt_parallel + 1));
	need += 4 * policy_witness_count(policy);
	return cmd_need_files("monitor", need);
}

/* -- what it tells ---------------------------------------------------------------------------- */

static bool print_alert(void *ctx, struct bytes alert)
{
	struct service *s = ctx;
	bool good;

	pthread_mutex_lock(&s->lock);
	if (s->bar)
		fputs("\r\033[K", stderr);
	s->bar = false;
	good = fwrite(alert.data, 1, alert.len, stdout) == alert.len &&
	       fputc('\n', stdout) != EOF && fflush(stdout) == 0;
	clearerr(stdout);
	pthread_mutex_unlock(&s->lock);
	return good;
}

static void show_progress(void *ctx, const char *origin, uint64_t at, uint64_t size)
{
	uint64_t now = clock_monotonic_nanos() / 1000000000;
	struct service *s = ctx;
	char quoted[120];

	logline_quote(quoted, sizeof(quoted), bytes_str(origin));
	pthread_mutex_lock(&s->lock);
	if (isatty(STDERR_FILENO)) {
		fprintf(stderr, "\r\033[K%s: %" PRIu64 " of %" PRIu64 " entries (%u %%)%s", quoted,
			at, size, size == 0 ? 100 : (unsigned)((double)at / (double)size * 100),
			at == size ? "\n" : "");
		s->bar = at != size;
	} else if (s->line_at == 0) { /* what is quickly done is not worth a line */
		s->line_at = now;
	} else if (at != size && now - s->line_at >= PROGRESS_LINE_SECONDS) {
		s->line_at = now;
		logline(LOGLINE_INFO, "catching up", "log=%s at=%" PRIu64 " size=%" PRIu64, quoted,
			at, size);
	}
	pthread_mutex_unlock(&s->lock);
}

static void on_observed(void *ctx, const char *origin, struct bytes note)
{
	monitor_gossip_observed(((struct service *)ctx)->gossip, origin, note);
}

static void on_held(void *ctx, const char *origin, uint64_t size)
{
	monitor_gossip_held(((struct service *)ctx)->gossip, origin, size);
}

static void on_evidence(void *ctx, const char *origin, struct bytes text)
{
	monitor_gossip_evidence(((struct service *)ctx)->gossip, origin, text);
}

static enum vt_err on_standing(void *ctx, struct standing_list *out)
{
	struct monitor_gossip *gossip = ((struct service *)ctx)->gossip;

	return gossip == NULL ? VT_OK : gossip_standing(monitor_gossip_gossip(gossip), out);
}

/* -- running ---------------------------------------------------------------------------------- */

static struct monitor_config config_of(struct service *s, const struct policy *policy)
{
	return (struct monitor_config){
	    .state_dir = opt_state,
	    .policy = policy,
	    .centre = s->centre,
	    .n_centres = s->n_centres,
	    .watches = &s->watches,
	    .on_alert = opt_on_alert,
	    .interval_seconds = (unsigned)opt_interval,
	    .silent_seconds = (unsigned)opt_silent_seconds,
	    .command_seconds = (unsigned)opt_command_seconds,
	    .parallel = (unsigned)opt_parallel,
	    .tail_max = (size_t)opt_memory_pairs,
	    .registry_max = (size_t)opt_memory_registry << 20,
	    .print = print_alert,
	    .progress = show_progress,
	    .observed = on_observed,
	    .held = on_held,
	    .evidence = on_evidence,
	    .standing = on_standing,
	    .ctx = s,
	};
}

/* The monitor, and gossip over its trees. */
static int open_monitor(struct service *s)
{
	struct monitor_config config = config_of(s, s->policy);
	char why[MONITOR_WHY_MAX];
	enum vt_err err = monitor_new(&s->monitor, &config, why);

	if (err != VT_OK)
		return cmd_monitor_refused("monitor", opt_state, err, why);
	return monitor_gossip_new(&s->gossip, s->monitor, s->policy, opt_state, &opt_peer,
				  opt_gossip_seconds, opt_unresolved_seconds);
}

static int open_api(struct service *s)
{
	struct api_config config = {
	    .monitor = s->monitor,
	    .gossip = monitor_gossip_gossip(s->gossip),
	    .version = VITRINE_VERSION,
	    .http = {.listen = opt_listen, .proxies = s->proxies},
	};
	char why[160] = "";
	enum vt_err err;

	if (opt_listen == NULL)
		return CMD_HOLDS;
	if ((err = api_start(&s->api, &config, why)) != VT_OK)
		return cmd_fail("monitor", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE,
				"--listen %s: %s", opt_listen, why[0] ? why : vt_err_text(err));
	return cmd_say_listening("monitor", api_url(s->api), api_everywhere(s->api));
}

static sigset_t signals;

static void *interrupt_on_signal(void *ctx)
{
	int got;

	while (sigwait(&signals, &got) != 0 || got == SIGHUP)
		; /* it ends by itself, and there is nothing to go on with by another policy */
	monitor_interrupt(ctx);
	return NULL;
}

/* What was told in this run or before and is not over: an alert is told once, this each time. */
static enum vt_err tell_what_stands(bool *fault, const struct service *s)
{
	char time[CLOCK_RFC3339_SIZE], origin[VKEY_NAME_MAX + 8], text[STANDING_TEXT_SIZE + 8];
	struct standing_list all;
	enum vt_err err;

	standing_list_init(&all);
	if ((err = monitor_standing(s->monitor, &all)) == VT_OK) {
		for (size_t i = 0; i < all.n; i++) {
			const struct standing *one = &all.item[i];
			clock_format_rfc3339(time, one->since);
			logline(LOGLINE_WARN, "stands",
				"kind=%s severity=%s log=%s since=%s%s%s why=%s", one->kind,
				severity_name(one->severity),
				logline_quote(origin, sizeof(origin), bytes_str(one->origin)), time,
				one->for_good ? " acknowledge=" : "", one->for_good ? one->id : "",
				logline_quote(text, sizeof(text), bytes_str(one->text)));
			*fault = *fault || !one->unsure;
		}
	}
	standing_list_release(&all);
	return err;
}

static int run_once(struct service *s)
{
	struct gossip *gossip = monitor_gossip_gossip(s->gossip);
	enum monitor_outcome outcome;
	struct gossip_stats stats;
	bool reached, delivered, fault;
	pthread_t listener;

	if (pthread_create(&listener, NULL, interrupt_on_signal, s->monitor) != 0)
		return cmd_fail("monitor", CMD_UNSURE, "no thread can be had");
	outcome = monitor_once(s->monitor);
	reached = gossip_round(gossip) == 0;
	delivered = monitor_deliver(s->monitor, (unsigned)opt_alert_seconds);
	pthread_cancel(listener);
	pthread_join(listener, NULL);
	gossip_stats(gossip, &stats);
	fault = outcome == MONITOR_FAULT || stats.alerts > 0;
	if (tell_what_stands(&fault, s) != VT_OK)
		outcome = MONITOR_UNSURE;
	if (fault)
		return CMD_FAILS;
	return outcome == MONITOR_HOLDS && reached && delivered ? CMD_HOLDS : CMD_UNSURE;
}

static int start_monitor(struct service *s)
{
	if (monitor_start(s->monitor) != VT_OK ||
	    gossip_start(monitor_gossip_gossip(s->gossip)) != VT_OK)
		return cmd_fail("monitor", CMD_UNSURE, "no threads can be had");
	logline(LOGLINE_INFO, "monitoring", "logs=%zu", monitor_logs(s->monitor));
	return CMD_HOLDS;
}

/* The monitor's threads show gossip what they see, and gossip reads the monitor's trees. */
static void close_monitor(struct service *s)
{
	if (s->monitor != NULL)
		monitor_interrupt(s->monitor);
	if (s->gossip != NULL)
		gossip_stop(monitor_gossip_gossip(s->gossip));
	if (s->monitor != NULL)
		monitor_stop(s->monitor);
	monitor_gossip_free(s->gossip);
	monitor_free(s->monitor);
	s->gossip = NULL;
	s->monitor = NULL;
}

/* By this policy, as if started anew. */
static int begin_by(struct service *s, struct policy *policy)
{
	int code;

	s->policy = policy;
	if ((code = open_monitor(s)) != CMD_HOLDS || (code = start_monitor(s)) != CMD_HOLDS)
		close_monitor(s);
	return code;
}

static int read_next_policy(struct service *s, struct policy **next)
{
	char why[MONITOR_WHY_MAX];
	struct monitor_config config;
	int code = cmd_read_policy("monitor", opt_policy, next);
	enum vt_err err;

	if (code != CMD_HOLDS || (code = open_enough_files(*next)) != CMD_HOLDS)
		return code;
	config = config_of(s, *next);
	err = monitor_check_config(&config, why);
	return err == VT_OK ? CMD_HOLDS : cmd_monitor_refused("monitor", opt_state, err, why);
}

/*
 * What is remembered is on disk, so another policy is put to use by ending and beginning again; whoever asks meanwhile is told to come
 * back. The old policy is kept if the new one does not do. Only if that one does not, either, it is the end: the code.
 */
static int reload_policy(struct service *s)
{
	struct policy *before = s->policy, *next = NULL;
	int code, taken = read_next_policy(s, &next);

	if (taken != CMD_HOLDS) {
		code = CMD_HOLDS;
		goto done;
	}
	if (s->api != NULL)
		api_set_monitor(s->api, NULL, NULL);
	close_monitor(s);
	code = taken = begin_by(s, next);
	if (taken != CMD_HOLDS)
		code = begin_by(s, before);
	if (s->api != NULL && code == CMD_HOLDS)
		api_set_monitor(s->api, s->monitor, monitor_gossip_gossip(s->gossip));
done:
	if (taken == CMD_HOLDS)
		logline(LOGLINE_INFO, "policy read again", "policy=%s logs=%zu", opt_policy,
			monitor_logs(s->monitor));
	else
		logline(LOGLINE_ERROR, "policy not taken: the old one is kept", "policy=%s",
			opt_policy);
	policy_free(s->policy == before ? next : before);
	return code;
}

static int run(struct service *s)
{
	int code, got = SIGHUP;

	if ((code = open_api(s)) != CMD_HOLDS || (code = start_monitor(s)) != CMD_HOLDS)
		return code;
	while (got == SIGHUP) {
		if (sigwait(&signals, &got) == 0 && got == SIGHUP &&
		    (code = reload_policy(s)) != CMD_HOLDS)
			return code;
	}
	logline(LOGLINE_INFO, "stopping", "signal=%d", got);
	return CMD_HOLDS;
}

/* Answers ask gossip and monitor. */
static void close_service(struct service *s)
{
	if (s->monitor != NULL)
		monitor_interrupt(s->monitor);
	if (s->api != NULL)
		api_stop(s->api, CMD_STOP_GRACE_SECONDS);
	api_free(s->api);
	http_proxies_free(s->proxies);
	close_monitor(s);
	watch_set_release(&s->watches);
	for (size_t i = 0; i < s->n_centres; i++) {
		party_key_free(s->key[i]);
		free(s->origin[i]);
	}
	policy_free(s->policy);
	pthread_mutex_destroy(&s->lock);
}

int cmd_monitor(int argc, char **argv)
{
	static struct service s;
	struct operands rest;
	bool help = false;
	int code;

	if (argc > 1 && strcmp(argv[1], "init") == 0)
		return cmd_monitor_init(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "add") == 0)
		return cmd_monitor_add(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "remove") == 0)
		return cmd_monitor_remove(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "acknowledge") == 0)
		return cmd_monitor_acknowledge(argc - 1, argv + 1);
	cmd_take_signals(&signals);
	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (cmd_configure_loglines("monitor", opt_log_format, opt_log_level) != CMD_HOLDS) {
		options_release(&usage);
		return CMD_USAGE;
	}
	pthread_mutex_init(&s.lock, NULL);
	watch_set_init(&s.watches);
	if ((code = cmd_read_proxies("monitor", &s.proxies)) == CMD_HOLDS &&
	    (code = read_options(&s)) == CMD_HOLDS &&
	    (code = open_enough_files(s.policy)) == CMD_HOLDS &&
	    (code = open_monitor(&s)) == CMD_HOLDS)
		code = opt_once ? run_once(&s) : run(&s);
	close_service(&s);
	options_release(&usage);
	return code;
}
