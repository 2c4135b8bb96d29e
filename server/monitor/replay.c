#include "replay.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

enum {
	SAVE_EVERY = 1 << 14, /* entries: what is in memory becomes files */
};

struct replay {
	char dir[64];
	struct client *log;
	struct checks *checks;
	replay_refused_fn refused;
	void *ctx;
	uint64_t gathered; /* entries taken so far */
	uint64_t unsaved;
};

static enum vt_err read_earlier(void *ctx, uint64_t index, struct buf *entry)
{
	struct replay *r = ctx;

	return client_entry(entry, r->log, index, NULL);
}

static enum vt_err judged(void *ctx, uint64_t index, const struct merkle_hash *leaf,
			  const struct record *record, const struct checks_refusal *refusal)
{
	struct replay *r = ctx;
	struct checks_mark mark;
	enum vt_err err;

	(void)leaf;
	(void)record;
	if (refusal->rule != NULL && (err = r->refused(r->ctx, index, refusal)) != VT_OK)
		return err;
	if (++r->unsaved < SAVE_EVERY)
		return VT_OK;
	r->unsaved = 0;
	if ((err = checks_save(r->checks, &mark, NULL)) == VT_OK)
		checks_saved(r->checks);
	return err;
}

enum vt_err replay_add(struct replay *r, struct bytes entry, const struct merkle_hash *leaf)
{
	return checks_add(r->checks, r->gathered++, entry, leaf);
}

enum vt_err replay_finish(struct replay *r)
{
	return checks_finish(r->checks);
}

static enum vt_err make_folder(struct replay *r, char why[PAIRS_WHY_MAX])
{
	const char *tmp = getenv("TMPDIR");

	if (snprintf(r->dir, sizeof(r->dir), "%s/vitrine-replay-XXXXXX",
		     tmp && *tmp ? tmp : "/tmp") < (int)sizeof(r->dir) &&
	    mkdtemp(r->dir) != NULL)
		return VT_OK;
	snprintf(why, PAIRS_WHY_MAX, "no temporary folder can be made (TMPDIR)");
	r->dir[0] = '\0';
	return VT_EIO;
}

static void remove_folder(const struct replay *r)
{
	DIR *dir = r->dir[0] == '\0' ? NULL : opendir(r->dir);
	struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(r->dir);
}

enum vt_err replay_new(struct replay **out, struct client *log, struct bytes centre,
		       unsigned threads, replay_refused_fn refused, void *ctx,
		       char why[PAIRS_WHY_MAX])
{
	static const struct checks_mark nothing = {0};
	struct replay *r = calloc(1, sizeof(*r));
	struct checks_config config;
	enum vt_err err;

	*out = NULL;
	why[0] = '\0';
	if (r == NULL)
		return VT_ENOMEM;
	r->log = log;
	r->refused = refused;
	r->ctx = ctx;
	config = (struct checks_config){.dir = r->dir,
					.origin = client_origin(log),
					.centre = centre,
					.read = read_earlier,
					.judged = judged,
					.ctx = r};
	if ((err = make_folder(r, why)) != VT_OK ||
	    (err = checks_open(&r->checks, &config, &nothing, why)) != VT_OK ||
	    (err = checks_begin(r->checks, threads)) != VT_OK)
		goto done;
	*out = r;
	r = NULL; /* transferred */
done:
	replay_free(r);
	return err;
}

void replay_free(struct replay *r)
{
	if (r == NULL)
		return;
	checks_free(r->checks);
	remove_folder(r);
	free(r);
}
