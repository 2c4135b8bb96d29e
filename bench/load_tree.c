#include "load_tree.h"

#include <stdio.h>
#include <string.h>

#include "http_fetch.h"
#include "vitrine/tile.h"

struct getter {
	const struct load_target *target;
	struct http_fetcher *fetcher;
	struct http_reply reply;
};

static bool getter_init(struct getter *g, const struct load_target *target)
{
	const struct http_fetch_config config = {.total_seconds = 30};

	g->target = target;
	http_reply_init(&g->reply);
	if (http_fetcher_new(&g->fetcher, &config) == VT_OK)
		return true;
	fprintf(stderr, "vitrine-load: out of memory\n");
	return false;
}

static void getter_release(struct getter *g)
{
	http_fetcher_free(g->fetcher);
	http_reply_release(&g->reply);
}

static bool get(struct getter *g, const char *path)
{
	char url[256], why[160] = "";
	struct http_ask ask = {
	    .method = "GET", .url = url, .body_max = (size_t)TILE_WIDTH * (BUNDLE_ENTRY_MAX + 2)};

	snprintf(url, sizeof(url), "http://%s/%s", g->target->host, path);
	if (http_fetch(&g->reply, g->fetcher, &ask, why) == VT_OK && g->reply.status == 200)
		return true;
	fprintf(stderr, "vitrine-load: %s: status %u %s\n", url, g->reply.status, why);
	return false;
}

/* The second line of a checkpoint. */
static bool parse_size(uint64_t *size, struct bytes note)
{
	const char *p = (const char *)note.data, *end = p + note.len, *line, *line_end;

	line = note.len > 0 ? memchr(p, '\n', note.len) : NULL;
	if (line == NULL)
		return false;
	line++;
	line_end = memchr(line, '\n', (size_t)(end - line));
	return line_end != NULL &&
	       decimal_decode(size, bytes_of(line, (size_t)(line_end - line))) == VT_OK;
}

bool load_tree_size(const struct load_target *target, uint64_t *size)
{
	struct getter g;
	bool ok = getter_init(&g, target);

	if (!ok)
		return false;
	ok = get(&g, "checkpoint");
	if (ok && !(ok = parse_size(size, buf_bytes(&g.reply.body))))
		fprintf(stderr, "vitrine-load: http://%s/checkpoint is none\n", target->host);
	getter_release(&g);
	return ok;
}

static bool visit_bundle(struct bytes rest, const struct tile_id *id, load_entry_fn visit,
			 void *ctx)
{
	enum vt_err err = VT_OK;
	struct bytes entry;

	for (unsigned i = 0; i < id->width && err == VT_OK; i++) {
		err = bundle_next(&entry, &rest);
		if (err == VT_OK)
			err = visit(ctx, id->index * TILE_WIDTH + i, entry);
	}
	if (err == VT_OK && rest.len > 0)
		err = VT_EMALFORMED;
	if (err != VT_OK)
		fprintf(stderr, "vitrine-load: entry bundle %llu: %s\n",
			(unsigned long long)id->index, vt_err_text(err));
	return err == VT_OK;
}

bool load_tree_entries(const struct load_target *target, uint64_t size, load_entry_fn visit,
		       void *ctx)
{
	struct tile_id id = {.entries = true};
	struct getter g;
	bool ok = getter_init(&g, target);

	if (!ok)
		return false;
	while (ok && (id.width = tile_width(0, id.index, size)) > 0) {
		char path[TILE_PATH_MAX];
		size_t len;

		ok = tile_path_format(path, &len, &id) == VT_OK && get(&g, path) &&
		     visit_bundle(buf_bytes(&g.reply.body), &id, visit, ctx);
		id.index++;
	}
	getter_release(&g);
	return ok;
}
