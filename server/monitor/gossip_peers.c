/*
 * The exchange: a thread per peer, so that a slow one delays nobody else. What a peer answers is
 * taken as what anybody shows; its own word counts for nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gossip_private.h"
#include "logline.h"

#define SECOND UINT64_C(1000000000)

enum {
	LIST_MAX = 2 << 20, /* bytes of a list of evidence */
	FETCHES_MAX = 16,   /* evidence fetched in one round */
	PATH_MAX_BYTES = 2048,
	PAUSE_MAX = 3600, /* seconds between two tries of a peer that fails */
	/* A round ends after the time of so many slowest answers, and a quarter of one for each log (witnesses are asked for
	 * each). */
	ROUND_ANSWERS = 6,
};

/* -- asking -------------------------------------------------------------------------------------------- */

/* One question to a peer. VT_OK: it answered 2xx. VT_ENOTFOUND: 404. VT_EBUSY: not now. Otherwise VT_EIO, or
 * VT_EMISMATCH for another 4xx. */
static enum vt_err ask_peer(struct peer *p, struct http_reply *reply, const char *method,
			    const char *path, struct bytes body, size_t max, char why[160])
{
	char url[PATH_MAX_BYTES];
	struct http_ask what = {
	    .method = method, .url = url, .body = body, .accept = "text/plain", .body_max = max};
	enum vt_err err;
	int n = snprintf(url, sizeof(url), "%s%s", p->url, path);

	if (n < 0 || (size_t)n >= sizeof(url))
		return VT_EINVAL;
	if (clock_monotonic_nanos() > p->round_until) {
		(void)snprintf(why, 160, "the round takes too long");
		return VT_EIO;
	}
	if (strcmp(method, "POST") == 0)
		what.content_type = "text/plain; charset=utf-8";
	if ((err = http_fetch(reply, p->fetcher, &what, why)) != VT_OK)
		return err == VT_ENOMEM ? err : VT_EIO;
	if (reply->status / 100 == 2)
		return VT_OK;
	(void)snprintf(why, 160, "it answers %s with %u", path, reply->status);
	if (reply->retry_after > p->retry_after)
		p->retry_after = reply->retry_after;
	if (reply->status == 404)
		return VT_ENOTFOUND;
	if (reply->status == 429 || reply->status == 503)
		return VT_EBUSY;
	return reply->status / 100 == 4 ? VT_EMISMATCH : VT_EIO;
}

/* -- heads --------------------------------------------------------------------------------------------- */

static void take_shown(struct peer *p, struct bytes heads)
{
	struct gossip_taken taken;
	char shown[300];
	enum vt_err err = gossip_take_heads(p->g, heads, p->url, false, &taken);

	/* Full is told by an alert of its own. */
	if (err != VT_OK && err != VT_EBUSY)
		logline(LOGLINE_WARN, "what a peer shows is no list of heads",
			"peer=%s error=\"%s\"",
			logline_quote(shown, sizeof(shown), bytes_str(p->url)), vt_err_text(err));
}

static enum vt_err exchange_heads(struct peer *p, struct http_reply *reply, char why[160])
{
	struct buf ours;
	enum vt_err err;

	buf_init(&ours);
	if ((err = gossip_heads(p->g, &ours)) == VT_OK)
		err = ask_peer(p, reply, ours.len > 0 ? "POST" : "GET", "/gossip/v1/tree-heads",
			       buf_bytes(&ours), GOSSIP_BODY_MAX, why);
	/* One log's many heads, which it has no room for, must not keep the others' from here. */
	if (err == VT_EBUSY && ours.len > 0)
		err = ask_peer(p, reply, "GET", "/gossip/v1/tree-heads", bytes_of(NULL, 0),
			       GOSSIP_BODY_MAX, why);
	buf_release(&ours);
	if (err == VT_OK)
		take_shown(p, buf_bytes(&reply->body));
	return err;
}

static enum vt_err read_checkpoint(struct peer *p, struct http_reply *reply, const char *path,
				   char why[160])
{
	enum vt_err err = ask_peer(p, reply, "GET", path, bytes_of(NULL, 0), GOSSIP_BODY_MAX, why);

	/* One that shows several at once would not be a checkpoint; each is judged for itself anyway. */
	if (err == VT_OK)
		take_shown(p, buf_bytes(&reply->body));
	return err == VT_ENOTFOUND ? VT_OK : err;
}

static enum vt_err read_witness(struct peer *p, struct http_reply *reply, char why[160])
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < p->g->n_logs && err == VT_OK; i++) {
		struct bytes origin = bytes_str(p->g->log[i].key.name);
		char path[2 * MERKLE_HASH_SIZE + 16] = "/";
		struct merkle_hash hash;

		(void)pthread_mutex_lock(&p->g->lock);
		err = merkle_sha256(&hash, &p->g->hasher, &origin, 1);
		(void)pthread_mutex_unlock(&p->g->lock);
		if (err != VT_OK)
			return err;
		hex_encode(path + 1, bytes_of(hash.b, sizeof(hash.b)));
		memcpy(path + 1 + 2 * MERKLE_HASH_SIZE, "/checkpoint", sizeof("/checkpoint"));
		err = read_checkpoint(p, reply, path, why);
	}
	return err;
}

/* -- evidence ------------------------------------------------------------------------------------------ */

/* Evidence from *at on that this peer was not shown yet. */
static bool next_unsent(struct peer *p, size_t *at, char id[GOSSIP_ID_SIZE])
{
	bool found = false;

	(void)pthread_mutex_lock(&p->g->lock);
	for (; *at < p->g->n_proven && !found; ++*at) {
		found = (p->g->proven[*at].passed_on & UINT32_C(1) << p->number) == 0;
		if (found)
			memcpy(id, p->g->proven[*at].id, GOSSIP_ID_SIZE);
	}
	(void)pthread_mutex_unlock(&p->g->lock);
	return found;
}

static void mark_sent(struct peer *p, const char *id)
{
	(void)pthread_mutex_lock(&p->g->lock);
	for (size_t i = 0; i < p->g->n_proven; i++)
		if (strcmp(p->g->proven[i].id, id) == 0)
			p->g->proven[i].passed_on |= UINT32_C(1) << p->number;
	(void)pthread_mutex_unlock(&p->g->lock);
}

/* Once to each peer: one that does not want it (another log's) is not asked again; one that has no room for it now (enough
 * of that log's) is in the next round, and what else there is does not wait for that. */
static enum vt_err push_evidence(struct peer *p, struct http_reply *reply, char why[160])
{
	char id[GOSSIP_ID_SIZE];
	struct buf text;
	size_t at = 0;
	enum vt_err err = VT_OK;

	buf_init(&text);
	while (err == VT_OK && next_unsent(p, &at, id)) {
		buf_reset(&text);
		err = gossip_evidence(p->g, bytes_str(id), &text);
		if (err == VT_OK)
			err = ask_peer(p, reply, "POST", "/gossip/v1/evidence", buf_bytes(&text),
				       GOSSIP_BODY_MAX, why);
		else if (err == VT_EIO) /* a damaged file: nothing that a peer can be shown */
			err = VT_EMISMATCH;
		if (err == VT_EMISMATCH || err == VT_ENOTFOUND)
			err = VT_OK;
		if (err == VT_OK)
			mark_sent(p, id);
		else if (err == VT_EBUSY)
			err = VT_OK;
	}
	buf_release(&text);
	return err;
}

/* Is this a line about evidence that is worth fetching? id is checked to be hex: it becomes part of a URL. */
static bool is_wanted(struct peer *p, struct bytes line, char id[GOSSIP_ID_SIZE])
{
	uint8_t digest[MERKLE_HASH_SIZE];
	struct bytes name;
	bool want = false;

	if (line.len < GOSSIP_ID_SIZE || line.data[GOSSIP_ID_SIZE - 1] != ' ' ||
	    hex_decode_exact(digest, sizeof(digest), bytes_of(line.data, GOSSIP_ID_SIZE - 1)) !=
		VT_OK)
		return false;
	hex_encode(id, bytes_of(digest, sizeof(digest)));
	name = bytes_of(line.data + GOSSIP_ID_SIZE, line.len - GOSSIP_ID_SIZE);
	(void)pthread_mutex_lock(&p->g->lock);
	for (size_t i = 0; i < p->g->n_logs; i++)
		want = want || (bytes_is(name, p->g->log[i].key.name) &&
				p->g->log[i].n_evidence < GOSSIP_EVIDENCE_MAX);
	want = want && gossip_find_evidence(p->g, bytes_str(id)) == NULL;
	(void)pthread_mutex_unlock(&p->g->lock);
	return want;
}

static enum vt_err fetch_evidence(struct peer *p, struct http_reply *reply, const char *id,
				  char why[160])
{
	char path[GOSSIP_ID_SIZE + 32], got[GOSSIP_ID_SIZE];
	enum vt_err err;

	(void)snprintf(path, sizeof(path), "/gossip/v1/evidence/%s", id);
	err = ask_peer(p, reply, "GET", path, bytes_of(NULL, 0), EVIDENCE_SIZE_MAX, why);
	if (err == VT_OK)
		/* What does not verify is forgotten. */
		(void)gossip_admit_evidence(p->g, buf_bytes(&reply->body), p->url, false, got, NULL,
					    NULL);
	return err == VT_ENOTFOUND || err == VT_EMISMATCH ? VT_OK : err;
}

static enum vt_err pull_evidence(struct peer *p, struct http_reply *reply, char why[160])
{
	struct buf list;
	struct bytes rest;
	enum vt_err err =
	    ask_peer(p, reply, "GET", "/gossip/v1/evidence", bytes_of(NULL, 0), LIST_MAX, why);

	buf_init(&list);
	if (err == VT_OK)
		err = buf_append(&list, buf_bytes(&reply->body));
	rest = buf_bytes(&list);
	for (size_t n = 0; err == VT_OK && n < FETCHES_MAX && rest.len > 0;) {
		const uint8_t *end = memchr(rest.data, '\n', rest.len);
		size_t len = end != NULL ? (size_t)(end - rest.data) : rest.len;
		char id[GOSSIP_ID_SIZE];

		if (is_wanted(p, bytes_of(rest.data, len), id)) {
			n++;
			err = fetch_evidence(p, reply, id, why);
		}
		len += end != NULL;
		rest = bytes_of(rest.data + len, rest.len - len);
	}
	buf_release(&list);
	return err;
}

/* -- rounds -------------------------------------------------------------------------------------------- */

static enum vt_err round_with(struct peer *p, char why[160])
{
	struct http_reply reply;
	enum vt_err err = VT_EINTERNAL;

	http_reply_init(&reply);
	switch (p->kind) {
	case GOSSIP_PEER:
		/* What the exchange proves is passed on in the same round. */
		if ((err = exchange_heads(p, &reply, why)) == VT_OK &&
		    (err = pull_evidence(p, &reply, why)) == VT_OK)
			err = push_evidence(p, &reply, why);
		break;
	case GOSSIP_WITNESS:
		err = read_witness(p, &reply, why);
		break;
	case GOSSIP_LOG:
		err = read_checkpoint(p, &reply, "/checkpoint", why);
		break;
	}
	http_reply_release(&reply);
	return err;
}

/* Also says when to come again. */
static bool peer_round(struct peer *p)
{
	struct gossip *g = p->g;
	char why[160] = "", shown[300], said[400];
	double pause = g->config.interval_seconds;
	enum vt_err err;

	(void)pthread_mutex_lock(&p->busy);
	p->retry_after = 0;
	p->round_until =
	    clock_monotonic_nanos() + (uint64_t)((double)(ROUND_ANSWERS + g->n_logs / 4) *
						 g->config.answer_seconds * (double)SECOND);
	(void)pthread_mutex_lock(&g->lock);
	p->woken = false;
	(void)pthread_mutex_unlock(&g->lock);
	err = round_with(p, why);
	(void)pthread_mutex_lock(&g->lock);
	if (err != VT_OK && p->failures++ == 0)
		logline(
		    LOGLINE_WARN, "a peer does not answer", "peer=%s why=%s",
		    logline_quote(shown, sizeof(shown), bytes_str(p->url)),
		    logline_quote(said, sizeof(said), bytes_str(why[0] ? why : vt_err_text(err))));
	if (err == VT_OK && p->failures > 0) {
		logline(LOGLINE_INFO, "a peer answers again", "peer=%s",
			logline_quote(shown, sizeof(shown), bytes_str(p->url)));
		p->failures = 0;
	}
	for (unsigned i = 1; i < p->failures && pause < PAUSE_MAX; i++)
		pause *= 2;
	if (pause < (double)p->retry_after)
		pause = (double)p->retry_after;
	if (pause > PAUSE_MAX)
		pause = PAUSE_MAX;
	p->due = p->woken && err == VT_OK
		     ? 0
		     : clock_monotonic_nanos() + (uint64_t)(pause * (double)SECOND);
	(void)pthread_mutex_unlock(&g->lock);
	(void)pthread_mutex_unlock(&p->busy);
	return err == VT_OK;
}

size_t gossip_round(struct gossip *g)
{
	size_t failed = 0;

	(void)pthread_mutex_lock(&g->lock);
	gossip_settle(g);
	(void)pthread_mutex_unlock(&g->lock);
	for (size_t i = 0; i < g->n_peers; i++)
		failed += !peer_round(&g->peer[i]);
	return failed;
}

void *gossip_peer_main(void *arg)
{
	struct peer *p = arg;
	struct gossip *g = p->g;

	(void)pthread_mutex_lock(&g->lock);
	while (!g->stopping) {
		if (clock_monotonic_nanos() < p->due) {
			struct timespec at = clock_timespec(p->due);

			(void)pthread_cond_timedwait(&g->work, &g->lock, &at);
			continue;
		}
		(void)pthread_mutex_unlock(&g->lock);
		(void)peer_round(p);
		(void)pthread_mutex_lock(&g->lock);
	}
	(void)pthread_mutex_unlock(&g->lock);
	return NULL;
}

void gossip_wake_peers(struct gossip *g)
{
	for (size_t i = 0; i < g->n_peers; i++) {
		if (g->peer[i].failures > 0 || g->peer[i].kind != GOSSIP_PEER)
			continue;
		g->peer[i].woken = true;
		g->peer[i].due = 0;
	}
	(void)pthread_cond_broadcast(&g->work);
}

/* -- life ---------------------------------------------------------------------------------------------- */

static bool is_address(const char *url)
{
	const char *rest = strncmp(url, "http://", 7) == 0    ? url + 7
			   : strncmp(url, "https://", 8) == 0 ? url + 8
							      : "";
	size_t len = strlen(url);

	if (*rest == '\0' || *rest == '/' || len > PATH_MAX_BYTES / 2)
		return false;
	for (size_t i = 0; i < len; i++)
		if (url[i] <= ' ' || url[i] > '~' || url[i] == '?' || url[i] == '#')
			return false;
	return true;
}

static enum vt_err peer_new(struct gossip *g, struct peer *p, const struct gossip_peer *config,
			    char why[GOSSIP_WHY_MAX])
{
	struct http_fetch_config http = {.connect_seconds = g->config.answer_seconds,
					 .total_seconds = g->config.answer_seconds};
	char shown[160];

	if (!is_address(config->url)) {
		(void)snprintf(why, GOSSIP_WHY_MAX, "not an http or https address: %s",
			       logline_quote(shown, sizeof(shown), bytes_str(config->url)));
		return VT_EINVAL;
	}
	p->g = g;
	p->kind = config->kind;
	if ((p->url = strdup(config->url)) == NULL)
		return VT_ENOMEM;
	for (size_t len = strlen(p->url); len > 0 && p->url[len - 1] == '/'; len--)
		p->url[len - 1] = '\0';
	return http_fetcher_new(&p->fetcher, &http);
}

enum vt_err gossip_peers_new(struct gossip *g, char why[GOSSIP_WHY_MAX])
{
	enum vt_err err = VT_OK;

	if (g->config.n_peers > GOSSIP_PEERS_MAX) {
		(void)snprintf(why, GOSSIP_WHY_MAX, "at most %d peers", GOSSIP_PEERS_MAX);
		return VT_EINVAL;
	}
	if ((g->peer = calloc(g->config.n_peers + 1, sizeof(*g->peer))) == NULL)
		err = VT_ENOMEM;
	for (size_t i = 0; i < g->config.n_peers && err == VT_OK; i++) {
		struct peer *p = &g->peer[g->n_peers];

		p->number = (unsigned)g->n_peers++;
		(void)pthread_mutex_init(&p->busy, NULL);
		err = peer_new(g, p, &g->config.peer[i], why);
	}
	if (err != VT_OK && why[0] == '\0')
		(void)snprintf(why, GOSSIP_WHY_MAX, "no memory");
	return err;
}

void gossip_peers_free(struct gossip *g)
{
	for (size_t i = 0; i < g->n_peers; i++) {
		http_fetcher_free(g->peer[i].fetcher);
		free(g->peer[i].url);
		(void)pthread_mutex_destroy(&g->peer[i].busy);
	}
	free(g->peer);
}
