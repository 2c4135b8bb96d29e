#include "serve_gossip.h"

#include <stdio.h>

#include "cmd.h"
#include "logline.h"

/* -- the log's own tree ----------------------------------------------------------------------------------- */

static enum vt_err on_head(void *ctx, struct buf *note)
{
	struct serve_gossip *s = ctx;
	uint64_t size;

	return log_checkpoint(s->worker, &size, note);
}

static enum vt_err on_root_at(void *ctx, uint64_t size, struct merkle_hash *out)
{
	struct serve_gossip *s = ctx;
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head head;
	enum vt_err err;

	if (size == 0)
		return merkle_hash_empty(out, log_worker_hasher(s->worker));
	err = log_inclusion(s->worker, 0, size, &leaf, &proof, &head, NULL);
	if (err == VT_OK)
		*out = head.root;
	return err;
}

static enum vt_err on_consistency(void *ctx, uint64_t first, uint64_t second,
				  struct merkle_proof *out)
{
	struct serve_gossip *s = ctx;

	return log_consistency(s->worker, first, second, out);
}

/* Signed by this very log, and not known to be of its history: the store decides (rule 8). */
static void on_observed(void *ctx, struct bytes note, const char *from)
{
	struct serve_gossip *s = ctx;
	char shown[128] = "gossip from ";
	enum vt_err err;

	(void)logline_quote(shown + 12, sizeof(shown) - 12, bytes_str(from));
	err = log_observe(s->worker, note, shown);
	if (err != VT_OK && err != VT_EMISMATCH)
		logline(LOGLINE_WARN, "a gossiped head could not be held against the store",
			"error=\"%s\"", vt_err_text(err));
}

/* -- life --------------------------------------------------------------------------------------------------- */

int serve_gossip_start(struct serve_gossip *s, struct log *log, const struct vkey *key,
		       const char *data, const struct option_list *peers, uint64_t seconds)
{
	struct gossip_log own = {key, {on_head, on_root_at, on_consistency, s}};
	struct gossip_peer peer[GOSSIP_PEERS_MAX];
	char path[4096], why[GOSSIP_WHY_MAX] = "";
	struct gossip_config config = {
	    .state_path = path,
	    .log = &own,
	    .n_logs = 1,
	    .peer = peer,
	    .n_peers = peers->n,
	    .interval_seconds = (double)seconds,
	    .observed = on_observed,
	    .ctx = s,
	};
	enum vt_err err;

	if (peers->n > GOSSIP_PEERS_MAX)
		return cmd_fail("serve", CMD_USAGE, "--peer: at most %d", GOSSIP_PEERS_MAX);
	for (size_t i = 0; i < peers->n; i++)
		peer[i] = (struct gossip_peer){peers->item[i], GOSSIP_PEER};
	if (snprintf(path, sizeof(path), "%s/gossip", data) >= (int)sizeof(path))
		return cmd_fail("serve", CMD_USAGE, "--data: the name is too long");
	if ((err = log_worker_new(&s->worker, log)) != VT_OK ||
	    (err = gossip_new(&s->gossip, &config, why)) != VT_OK)
		return cmd_fail("serve", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE, "%s%s: %s",
				err == VT_EINVAL ? "--peer, " : "", path,
				why[0] != '\0' ? why : vt_err_text(err));
	if ((err = gossip_start(s->gossip)) != VT_OK)
		return cmd_fail("serve", CMD_UNSURE, "gossip: %s", vt_err_text(err));
	return CMD_HOLDS;
}

void serve_gossip_stop(struct serve_gossip *s)
{
	if (s->gossip != NULL)
		gossip_stop(s->gossip);
}

void serve_gossip_close(struct serve_gossip *s)
{
	gossip_free(s->gossip);
	log_worker_free(s->worker);
	*s = (struct serve_gossip){0};
}
