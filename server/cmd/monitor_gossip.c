#include "monitor_gossip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
#include "logline.h"

struct lent_tree {
	struct monitor *monitor;
	const char *origin;
};

struct monitor_gossip {
	struct gossip *gossip;
	struct monitor *monitor;
	size_t n;
	struct lent_tree tree[POLICY_LOGS_MAX];
	struct gossip_log log[POLICY_LOGS_MAX];
	size_t n_peers;
	struct gossip_peer peer[GOSSIP_PEERS_MAX];
	char *witness_url[GOSSIP_PEERS_MAX];
	size_t n_witness_urls;
};

/* -- the trees -------------------------------------------------------------------------------- */

static enum vt_err on_head(void *ctx, struct buf *note)
{
	const struct lent_tree *t = ctx;

	return monitor_head(t->monitor, t->origin, note);
}

static enum vt_err on_root_at(void *ctx, uint64_t size, struct merkle_hash *out)
{
	const struct lent_tree *t = ctx;

	return monitor_root_at(t->monitor, t->origin, size, out);
}

static enum vt_err on_consistency(void *ctx, uint64_t first, uint64_t second,
				  struct merkle_proof *out)
{
	const struct lent_tree *t = ctx;

	return monitor_consistency(t->monitor, t->origin, first, second, out);
}

/* -- from gossip to the monitor --------------------------------------------------------------- */

static enum vt_err on_alert(void *ctx, const struct gossip_alert *alert)
{
	struct monitor_gossip *g = ctx;
	struct bytes id_of = alert->evidence != NULL ? bytes_str(alert->evidence) : alert->note;
	struct json *more = JSON_OBJECT_OF(
	    {"evidence", alert->evidence != NULL ? json_new_str(alert->evidence) : json_absent()},
	    {"checkpoint", alert->note.len > 0 ? json_new_text(alert->note) : json_absent()});

	if (more == NULL)
		return VT_ENOMEM;
	return monitor_alert(g->monitor, alert->kind, alert->origin, id_of, alert->text, more);
}

/* -- from the monitor to gossip --------------------------------------------------------------- */

void monitor_gossip_observed(struct monitor_gossip *g, const char *origin, struct bytes note)
{
	struct gossip_taken taken;
	enum vt_err err;

	if (g == NULL || (err = gossip_see(g->gossip, note, "the log", &taken)) == VT_OK)
		return;
	/* It will be shown again. */
	logline(LOGLINE_DEBUG, "head not taken by gossip", "error=\"%s\"", vt_err_text(err));
	(void)origin;
}

void monitor_gossip_held(struct monitor_gossip *g, const char *origin, uint64_t size)
{
	if (g != NULL)
		gossip_grew(g->gossip, origin, size);
}

void monitor_gossip_evidence(struct monitor_gossip *g, const char *origin, struct bytes text)
{
	const char *why = "";
	char id[GOSSIP_ID_SIZE];

	(void)origin;
	if (g != NULL &&
	    gossip_see_evidence(g->gossip, text, "this monitor", id, NULL, &why) != VT_OK)
		logline(LOGLINE_WARN, "evidence not taken by gossip", "why=\"%s\"", why);
}

/* -- life ------------------------------------------------------------------------------------- */

static void lend_trees(struct monitor_gossip *g, const struct policy *policy)
{
	for (size_t i = 0; i < policy_log_count(policy); i++) {
		const struct policy_log *log = policy_log(policy, i);
		struct lent_tree *t = &g->tree[g->n];
		/* Only such keys sign evidence. */
		if (log->url.len == 0 || log->key.type != VKEY_TYPE_ED25519)
			continue;
		*t = (struct lent_tree){g->monitor, log->key.name};
		g->log[g->n++] =
		    (struct gossip_log){&log->key, {on_head, on_root_at, on_consistency, t}};
	}
}

static int name_peers(struct monitor_gossip *g, const struct policy *policy,
		      const struct option_list *peers)
{
	if (peers->n > GOSSIP_PEERS_MAX)
		return cmd_fail("monitor", CMD_USAGE, "--peer: at most %d", GOSSIP_PEERS_MAX);
	for (size_t i = 0; i < peers->n; i++)
		g->peer[g->n_peers++] = (struct gossip_peer){peers->item[i], GOSSIP_PEER};
	for (size_t i = 0; i < policy_witness_count(policy) && g->n_peers < GOSSIP_PEERS_MAX; i++) {
		struct bytes url = policy_witness(policy, i)->url;
		char *text;
		if (url.len == 0)
			continue;
		if ((text = bytes_dup_str(url)) == NULL)
			return cmd_fail("monitor", CMD_UNSURE, "out of memory");
		g->witness_url[g->n_witness_urls++] = text;
		g->peer[g->n_peers++] = (struct gossip_peer){text, GOSSIP_WITNESS};
	}
	return CMD_HOLDS;
}

int monitor_gossip_new(struct monitor_gossip **out, struct monitor *m, const struct policy *policy,
		       const char *state, const struct option_list *peers, uint64_t seconds,
		       uint64_t deadline_seconds)
{
	struct monitor_gossip *g = calloc(1, sizeof(*g));
	char path[4096], why[GOSSIP_WHY_MAX] = "";
	enum vt_err err;
	int code;

	*out = NULL;
	if (g == NULL)
		return cmd_fail("monitor", CMD_UNSURE, "out of memory");
	g->monitor = m;
	lend_trees(g, policy);
	if ((code = name_peers(g, policy, peers)) != CMD_HOLDS)
		goto done;
	struct gossip_config config = {
	    .state_path = path,
	    .copy_path = state,
	    .log = g->log,
	    .n_logs = g->n,
	    .peer = g->peer,
	    .n_peers = g->n_peers,
	    .interval_seconds = (double)seconds,
	    .deadline_seconds = deadline_seconds,
	    .alert = on_alert,
	    .ctx = g,
	};
	if (snprintf(path, sizeof(path), "%s/gossip", state) >= (int)sizeof(path)) {
		code = cmd_fail("monitor", CMD_USAGE, "--state: the name is too long");
	} else if ((err = gossip_new(&g->gossip, &config, why)) != VT_OK) {
		code = cmd_fail("monitor", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE, "%s%s: %s",
				err == VT_EINVAL ? "--peer, " : "", path,
				why[0] != '\0' ? why : vt_err_text(err));
	} else {
		*out = g;
		g = NULL; /* transferred */
	}
done:
	monitor_gossip_free(g);
	return code;
}

struct gossip *monitor_gossip_gossip(struct monitor_gossip *g)
{
	return g->gossip;
}

void monitor_gossip_free(struct monitor_gossip *g)
{
	if (g == NULL)
		return;
	gossip_free(g->gossip);
	for (size_t i = 0; i < g->n_witness_urls; i++)
		free(g->witness_url[i]);
	free(g);
}
