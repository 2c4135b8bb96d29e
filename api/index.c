/* GET /: what this server is and where to go from here, readable in a browser and a terminal. */
#include <string.h>

#include "handler.h"

static void append_page(struct buf *out, const struct api *api)
{
	const struct store_identity *id = log_identity(api->log);
	bool raw = log_mode(api->log) == LOG_RAW;

	buf_appendf(
	    out,
	    "Vitrine %s, a signed transparency log\n"
	    "\n"
	    "origin     %s\n"
	    "vkey       %s\n"
	    "mode       %s\n"
	    "\n"
	    "Anyone can check this log with a C2SP client and the vkey, from:\n"
	    "  /checkpoint                         the latest signed tree head\n"
	    "  /tile/...  /tile/entries/...        the tree and its entries (C2SP tlog-tiles)\n"
	    "\n"
	    "For people and scripts:\n"
	    "  %s\n"
	    "  /api/v1/entries/0                   one entry, decoded\n"
	    "  /api/v1/entries/0/tlog-proof        a file that proves it offline\n"
	    "  /api/v1/tree-heads                  published checkpoints over time\n"
	    "  /api/v1/events                      what is published from now on, as it is\n"
	    "  /feed.atom                          the same for feed readers\n"
	    "  /openapi.yaml                       everything there is\n"
	    "  /healthz  /readyz  /metrics         for operators\n",
	    api->version, id->origin, id->vkey, id->mode,
	    raw ? "POST /add                           append the body, get its index"
		: "POST /api/v1/entries                append a record (a DSSE envelope)\n"
		  "  /api/v1/entries?subject=sha256:...  search (&type=verdict &result=FAILED "
		  "&party=... "
		  "&order=desc)\n"
		  "  /api/v1/parties                     who may append what");
}

void handle_index(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_CHECK);
	append_page(&r.body, app);
	api_send(x, &r);
}
