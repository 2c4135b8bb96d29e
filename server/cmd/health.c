#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "http_fetch.h"
#include "http_server.h"
#include "options.h"

static const char *opt_listen = "127.0.0.1:8080";

static const struct option options[] = {
    {"listen", OPTION_TEXT, &opt_listen, "ADDR",
     "Where a log, witness or monitor of this machine listens, in every form that its own --listen "
     "takes; used "
     "when no URL is given.",
     0, 0, false, true},
    CMD_OPTION_CA,
};
static const struct command_usage usage = {
    "vitrine health [URL]",
    "Asks a log whether it is ready: exit code 0 if it "
    "takes and publishes entries, 1 if it answers that "
    "it does not, 3 if it cannot be reached. Witnesses and monitors can be asked, too.",
    "  vitrine health http://127.0.0.1:8080\n"
    "  vitrine health --listen '*:8080'\n",
    "[URL]",
    options,
    sizeof(options) / sizeof(*options)};

int cmd_health(int argc, char **argv)
{
	struct http_fetch_config config = {.connect_seconds = 3, .total_seconds = 5};
	struct http_fetcher *fetcher = NULL;
	struct http_reply reply;
	struct operands rest;
	char base[HTTP_URL_SIZE], url[600], why[160] = "";
	enum vt_err err;
	bool help = false;
	int code = CMD_HOLDS;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (rest.n > 1)
		return cmd_fail("health", CMD_USAGE, "one URL at most");
	if (rest.n == 0) {
		if (http_server_reach(base, opt_listen, why) != VT_OK)
			return cmd_fail("health", CMD_USAGE, "--listen %s", why);
		/* It is this machine: no proxy of the environment leads there. */
		unsetenv("http_proxy");
		unsetenv("all_proxy");
		unsetenv("ALL_PROXY");
	}
	snprintf(url, sizeof(url), "%.*s/readyz", (int)strcspn(rest.n ? rest.arg[0] : base, " \n"),
		 rest.n ? rest.arg[0] : base);
	http_reply_init(&reply);
	if ((err = http_fetcher_new(&fetcher, &config)) == VT_OK)
		err = http_fetch(
		    &reply, fetcher,
		    &(struct http_ask){.method = "GET", .url = url, .body_max = 64 * 1024}, why);
	if (err != VT_OK)
		code = cmd_fail("health", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE, "%s: %s", url,
				why[0] ? why : vt_err_text(err));
	else if (reply.status != 200)
		code = cmd_fail("health", CMD_FAILS, "%s: %u %.*s", url, reply.status,
				(int)reply.body.len,
				reply.body.len ? (const char *)reply.body.data : "");
	http_reply_release(&reply);
	http_fetcher_free(fetcher);
	return code;
}
