#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load.h"
#include "load_tree.h"
#include "options.h"
#include "vitrine/tile.h"

static const char *opt_url, *opt_what = "checkpoint";
static uint64_t opt_connections = 64, opt_requests, opt_seconds = 10, opt_seed = 1, opt_pid;
static bool opt_json;

static const struct option options[] = {
    {"url", OPTION_TEXT, &opt_url, "URL", "The log, e.g. http://127.0.0.1:8080.", 0, 0, true,
     false},
    {"what", OPTION_TEXT, &opt_what, "WHAT",
     "checkpoint, tile, entries, proof, tlog-proof, entry, or a path that begins with a slash. "
     "Which of them is chosen at random. Default: checkpoint.",
     0, 0, false, false},
    {"seed", OPTION_COUNT, &opt_seed, "N", "Of the choice. Default: 1.", 0, UINT64_MAX, false,
     false},
    {"connections", OPTION_COUNT, &opt_connections, "N", "At once. Default: 64.", 1,
     LOAD_CONNECTIONS_MAX, false, false},
    {"requests", OPTION_COUNT, &opt_requests, "N",
     "Stop after so many. Default: 0, when time is up.", 0, UINT64_MAX / 2, false, false},
    {"seconds", OPTION_COUNT, &opt_seconds, "N", "Stop after so long. Default: 10.", 1,
     LOAD_SECONDS_MAX, false, false},
    {"pid", OPTION_COUNT, &opt_pid, "N", "The server's process: tell the CPU time it took.", 1,
     INT32_MAX, false, false},
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object.", 0, 0, false, false},
};
static const struct command_usage usage = {
    "vitrine-load get --url URL --what WHAT [--connections N] [--requests N] [--seconds N] ...",
    "Fetches as fast as the log answers, one request at a time on each connection. Exits 0 if "
    "anything "
    "was answered, whatever the answers say.",
    "  vitrine-load get --url http://127.0.0.1:8080 --what proof --seconds 5\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

struct gets {
	const struct load_target *target;
	uint64_t size; /* of the tree */
	uint64_t random, left;
	enum vt_err (*path)(struct buf *out, struct gets *g);
};

static uint64_t next_random(struct gets *g)
{
	g->random ^= g->random << 13;
	g->random ^= g->random >> 7;
	g->random ^= g->random << 17;
	return g->random;
}

static enum vt_err path_given(struct buf *out, struct gets *g)
{
	(void)g;
	return buf_append_str(out, opt_what);
}

static enum vt_err path_checkpoint(struct buf *out, struct gets *g)
{
	(void)g;
	return buf_append_str(out, "/checkpoint");
}

static enum vt_err path_of_tile(struct buf *out, struct gets *g, bool entries)
{
	struct tile_id id = {.entries = entries};
	char path[TILE_PATH_MAX];
	enum vt_err err;
	size_t len;

	id.index = next_random(g) % ((g->size + TILE_WIDTH - 1) / TILE_WIDTH);
	id.width = tile_width(0, id.index, g->size);
	if ((err = tile_path_format(path, &len, &id)) != VT_OK)
		return err;
	return buf_appendf(out, "/%s", path);
}

static enum vt_err path_tile(struct buf *out, struct gets *g)
{
	return path_of_tile(out, g, false);
}

static enum vt_err path_entries(struct buf *out, struct gets *g)
{
	return path_of_tile(out, g, true);
}

static enum vt_err path_entry(struct buf *out, struct gets *g)
{
	return buf_appendf(out, "/api/v1/entries/%" PRIu64, next_random(g) % g->size);
}

static enum vt_err path_proof(struct buf *out, struct gets *g)
{
	return buf_appendf(out, "/api/v1/entries/%" PRIu64 "/proof", next_random(g) % g->size);
}

static enum vt_err path_tlog_proof(struct buf *out, struct gets *g)
{
	return buf_appendf(out, "/api/v1/entries/%" PRIu64 "/tlog-proof", next_random(g) % g->size);
}

static const struct {
	const char *name;
	enum vt_err (*path)(struct buf *out, struct gets *g);
} kinds[] = {
    {"checkpoint", path_checkpoint}, {"tile", path_tile},   {"entries", path_entries},
    {"tlog-proof", path_tlog_proof}, {"proof", path_proof}, {"entry", path_entry},
};

static bool choose_kind(struct gets *g)
{
	if (opt_what[0] == '/')
		g->path = path_given;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(opt_what, kinds[i].name) == 0)
			g->path = kinds[i].path;
	return g->path != NULL;
}

static bool next_get(void *ctx, struct buf *out, uint64_t *tag)
{
	struct gets *g = ctx;

	*tag = 0;
	if (g->left == 0)
		return false;
	g->left--;
	return buf_append_str(out, "GET ") == VT_OK && g->path(out, g) == VT_OK &&
	       buf_appendf(out, " HTTP/1.1\r\nHost: %s\r\n\r\n", g->target->host) == VT_OK;
}

int load_get(int argc, char **argv)
{
	static struct load_report report;
	struct load_target target;
	struct gets g = {.target = &target};
	struct load_job job = {.next = next_get, .ctx = &g};
	struct operands rest;
	bool help = false;
	enum vt_err err;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return LOAD_USAGE;
	if (help)
		return LOAD_HOLDS;
	if (!load_target_option(&target, opt_url))
		return LOAD_USAGE;
	if (!choose_kind(&g))
		return load_fail(LOAD_USAGE, "--what: there is no %s", opt_what);
	if (g.path != path_given && g.path != path_checkpoint &&
	    (!load_tree_size(&target, &g.size) || g.size == 0))
		return load_fail(LOAD_UNSURE, "%s: no checkpoint of a log with entries", opt_url);
	g.random = opt_seed | 1;
	g.left = opt_requests > 0 ? opt_requests : UINT64_MAX;
	job.connections = (unsigned)opt_connections;
	job.seconds = (double)opt_seconds;
	job.kill_pid = (pid_t)opt_pid;
	if ((err = load_run(&report, &target, &job)) != VT_OK)
		return load_fail(LOAD_UNSURE, "%s: %s", opt_url,
				 err == VT_EIO ? "nothing answers there" : vt_err_text(err));
	load_report_print(&report, opt_json);
	return report.answered > 0 ? LOAD_HOLDS : LOAD_FAILS;
}
