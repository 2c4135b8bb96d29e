/*
 * What was seen elsewhere (docs/gossip.md): POST and GET /gossip/v1/tree-heads, GET and POST /gossip/v1/evidence,
 * GET /gossip/v1/evidence/{id}. All bodies are text: names and sizes in them are whatever somebody signed.
 */
#include "gossip.h"
#include "handler.h"
#include "metrics.h"

static const char *const no_query[] = {NULL};

static void answer_text(struct http_exchange *x, struct http_response *r, enum vt_err err)
{
	buf_fail(&r->body, err);
	api_send(x, r);
}

static void answer_heads(struct http_exchange *x, struct api *api)
{
	struct http_response r;

	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	answer_text(x, &r, gossip_heads(api->gossip, &r.body));
}

void handle_gossip_heads(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	if (api_only(x, no_query))
		answer_heads(x, app);
}

void handle_gossip_heads_post(struct http_exchange *x, void *thread, void *app)
{
	const struct http_request *req = http_request(x);
	struct api *api = app;
	struct gossip_taken taken;
	enum vt_err err;

	(void)thread;
	if (!api_only(x, no_query))
		return;
	err = gossip_take(api->gossip, req->body, req->peer, &taken);
	if (err == VT_OK)
		answer_heads(x, api);
	else if (err == VT_EMALFORMED)
		api_problem(x, "bad-request",
			    "expected signed checkpoints with an empty line between two");
	else if (err == VT_ELIMIT)
		api_problem(x, "body-too-large", "at most %d heads in %d bytes", GOSSIP_HEADS_MAX,
			    GOSSIP_BODY_MAX);
	else if (err == VT_EBUSY && taken.refused > 0)
		api_problem(
		    x, "gossip-full",
		    "%zu of these heads: so many of their log wait for judgement that there is no "
		    "room for more",
		    taken.refused);
	else if (err == VT_EBUSY)
		api_problem(x, "too-many-requests", "too many heads in too short a time");
	else
		api_problem_err(x, err, "keeping these heads");
}

void handle_evidence_list(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	struct http_response r;

	(void)thread;
	if (!api_only(x, no_query))
		return;
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_CHECK);
	answer_text(x, &r, gossip_evidence_list(api->gossip, &r.body));
}

void handle_evidence(struct http_exchange *x, void *thread, void *app)
{
	char id[2 * MERKLE_HASH_SIZE + 1];
	struct api *api = app;
	struct merkle_hash digest;
	struct http_response r;
	enum vt_err err;

	(void)thread;
	if (!api_hash(x, api_segment(x, 3), "not-found", "id", &digest))
		return;
	hex_encode(id, bytes_of(digest.b, sizeof(digest.b)));
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_IMMUTABLE);
	if ((err = gossip_evidence(api->gossip, bytes_str(id), &r.body)) == VT_OK) {
		http_respond(x, &r);
		return;
	}
	http_response_release(&r);
	if (err == VT_ENOTFOUND)
		api_problem(
		    x, "not-found",
		    "there is no such evidence here; /gossip/v1/evidence lists what there is");
	else
		api_problem_err(x, err, "reading this evidence");
}

static void answer_kept(struct http_exchange *x, const char *id, bool fresh)
{
	struct http_response r;

	api_response_init(&r, fresh ? 201 : 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	(void)http_response_header(&r, "Location", "evidence/%s", id);
	buf_appendf(&r.body, "%s\n", id);
	api_send(x, &r);
}

void handle_evidence_post(struct http_exchange *x, void *thread, void *app)
{
	const struct http_request *req = http_request(x);
	struct api *api = app;
	char id[GOSSIP_ID_SIZE];
	const char *why = "";
	enum vt_err err;
	bool fresh;

	(void)thread;
	if (!api_only(x, no_query))
		return;
	err = gossip_take_evidence(api->gossip, req->body, req->peer, id, &fresh, &why);
	if (err == VT_OK)
		answer_kept(x, id, fresh);
	else if (err == VT_EMALFORMED || err == VT_ELIMIT)
		api_problem(x, "bad-request", "%s", why);
	else if (err == VT_EUNTRUSTED || err == VT_EMISMATCH)
		api_problem(x, "evidence-refused", "%s", why);
	else if (err == VT_EBUSY)
		api_problem(x, "gossip-full", "%s", why);
	else
		api_problem_err(x, err, "keeping this evidence");
}

void metrics_gossip(struct buf *out, const struct api *api)
{
	struct gossip_stats s;

	gossip_stats(api->gossip, &s);
	const struct metric rows[] = {
	    {"gossip_logs", "gauge", "Logs whose heads are compared.", (double)s.logs},
	    {"gossip_unresolved", "gauge", "Signed heads of others that could not be judged yet.",
	     (double)s.unresolved},
	    {"gossip_oldest_unresolved_timestamp_seconds", "gauge",
	     "Since when the oldest of them waits (POSIX seconds, 0: none).",
	     (double)s.oldest_since},
	    {"gossip_evidence", "gauge", "Proofs that a log signed two histories.",
	     (double)s.evidence},
	    {"gossip_peers", "gauge", "Peers that are asked.", (double)s.peers},
	    {"gossip_peers_failing", "gauge", "Of those, whose last round failed.",
	     (double)s.peers_failing},
	    {"gossip_heads_known_total", "counter", "Heads shown that were known.",
	     (double)s.heads.known},
	    {"gossip_heads_consistent_total", "counter", "Heads shown that proved consistent.",
	     (double)s.heads.consistent},
	    {"gossip_heads_kept_total", "counter", "Heads shown that had to wait.",
	     (double)s.heads.kept},
	    {"gossip_heads_proven_total", "counter", "Heads shown that contradict another one.",
	     (double)s.heads.proven},
	    {"gossip_heads_unknown_total", "counter",
	     "Heads shown that no log followed here signed.", (double)s.heads.unknown},
	    {"gossip_heads_refused_total", "counter", "Heads shown that there was no room for.",
	     (double)s.heads.refused},
	    {"gossip_alerts_total", "counter", "Alerts raised.", (double)s.alerts},
	};

	metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
}
