/* GET /tile/<L>/<N>[.p/<W>] and /tile/entries/<N>[.p/<W>] (C2SP tlog-tiles). */
#include "handler.h"

void handle_tile(struct http_exchange *x, void *thread, void *app)
{
	const char *path = http_request(x)->path;
	struct http_response r;
	struct tile_id id;
	enum vt_err err;

	(void)app;
	if (tile_path_parse(&id, bytes_str(path + 1)) != VT_OK) {
		api_problem(
		    x, "not-found",
		    "this is not the path of a tile: expected /tile/<L>/<N> or /tile/entries/<N>, "
		    "N in "
		    "groups of three digits (x001/x234/067), with .p/<1 to 255> when partial");
		return;
	}
	/* "This endpoint is immutable, so its caching headers SHOULD be long-lived." */
	api_response_init(&r, 200, "application/octet-stream", API_CACHE_IMMUTABLE);
	if ((err = log_tile(thread, &id, &r.body)) != VT_OK) {
		http_response_release(&r);
		if (err == VT_ENOTFOUND)
			api_problem(x, "beyond-published",
				    "the tree is not that large, or this tile is not that wide; "
				    "see /checkpoint");
		else
			api_problem_err(x, err, "reading the tile");
		return;
	}
	api_response_etag(&r, id.entries ? "e" : "t", id.level, id.index * 257 + id.width);
	r.may_gzip = id.entries; /* hashes do not compress */
	http_respond(x, &r);
}
