#include "gossip_world.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_fetch.h"
#include "model_tree.h"
#include "test_signer.h"

struct party party[WORLD_PARTIES];
uint64_t world_now = 1700000000;
unsigned world_requests;
struct vkey world_key;
const char *world_bends;

static char folder[512];
static struct model_tree tree[WORLD_HISTORIES];
static struct note_signer signer;
static struct buf witness;
/* Of the trees, the counts and the alerts: parties have threads of their own. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "gossip_world.c:%d: %s\n", __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* -- histories ------------------------------------------------------------------------------------------ */

static struct merkle_hash root_of(int history, uint64_t size)
{
	struct merkle_hash root;

	if (size > 0)
		return model_mth(&tree[history], 0, size);
	MUST(merkle_hash_empty(&root, &tree[history].h) == VT_OK);
	return root;
}

void world_signed(struct buf *out, const struct tree_head *head, size_t extension)
{
	struct buf text;

	buf_init(&text);
	MUST(checkpoint_format(&text, WORLD_ORIGIN, head) == VT_OK);
	for (size_t i = 0; i < extension; i++)
		MUST(buf_append_byte(&text, i + 1 < extension ? 'x' : '\n') == VT_OK);
	MUST(note_sign(out, buf_bytes(&text), &signer, 1) == VT_OK);
	buf_release(&text);
}

void world_head(struct buf *out, int history, uint64_t size)
{
	struct tree_head head = {.size = size};

	(void)pthread_mutex_lock(&lock);
	head.root = root_of(history, size);
	(void)pthread_mutex_unlock(&lock);
	world_signed(out, &head, 0);
}

static enum vt_err tree_head_of(void *ctx, struct buf *note)
{
	const struct party *p = ctx;

	if (p->size == UINT64_MAX)
		return VT_ENOTFOUND;
	if (p->large)
		world_signed(note, &(struct tree_head){.size = p->size}, 100000);
	else
		world_head(note, p->history, p->size);
	return VT_OK;
}

static enum vt_err tree_root_at(void *ctx, uint64_t size, struct merkle_hash *out)
{
	const struct party *p = ctx;

	if (p->broken)
		return VT_EIO;
	MUST(size <= p->size);
	(void)pthread_mutex_lock(&lock);
	*out = root_of(p->history, size);
	(void)pthread_mutex_unlock(&lock);
	return VT_OK;
}

static enum vt_err tree_consistency(void *ctx, uint64_t first, uint64_t second,
				    struct merkle_proof *out)
{
	const struct party *p = ctx;

	if (p->broken)
		return VT_EIO;
	MUST(first > 0 && second == p->size);
	out->n = 0;
	(void)pthread_mutex_lock(&lock);
	model_consistency(&tree[p->history], out, first, second);
	(void)pthread_mutex_unlock(&lock);
	return VT_OK;
}

/* -- parties --------------------------------------------------------------------------------------------- */

static enum vt_err on_alert(void *ctx, const struct gossip_alert *alert)
{
	struct party *p = ctx;

	MUST(strcmp(alert->origin, WORLD_ORIGIN) == 0 && alert->text[0] != '\0');
	if (p->deaf)
		return VT_EIO;
	(void)pthread_mutex_lock(&lock);
	MUST(p->n_alerts < WORLD_ALERTS);
	(void)snprintf(p->alert[p->n_alerts++], sizeof(p->alert[0]), "%s", alert->kind);
	(void)pthread_cond_broadcast(&told);
	(void)pthread_mutex_unlock(&lock);
	return VT_OK;
}

static void on_observed(void *ctx, struct bytes note, const char *from)
{
	struct party *p = ctx;

	MUST(note.len > 0 && from != NULL);
	p->n_observed++;
}

static uint64_t now(void)
{
	return world_now;
}

struct party *world_party(char name)
{
	MUST(name >= 'a' && name < 'a' + WORLD_PARTIES);
	return &party[name - 'a'];
}

static void start(struct party *p, const char *peers)
{
	struct gossip_log log = {&world_key, {tree_head_of, tree_root_at, tree_consistency, p}};
	struct gossip_peer peer[8];
	char url[8][32], why[GOSSIP_WHY_MAX];
	size_t n = strlen(peers);
	struct gossip_config config = {.state_path = p->folder,
				       .copy_path = p->copy[0] != '\0' ? p->copy : NULL,
				       .log = &log,
				       .n_logs = 1,
				       .peer = peer,
				       .n_peers = n,
				       .deadline_seconds = 600,
				       .alert = on_alert,
				       .observed = on_observed,
				       .ctx = p,
				       .now = now};

	MUST(n <= 8);
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(url[i], sizeof(url[i]), "http://%c/", peers[i]);
		peer[i] = (struct gossip_peer){url[i], peers[i] == 'w'   ? GOSSIP_WITNESS
						       : peers[i] == 'l' ? GOSSIP_LOG
									 : GOSSIP_PEER};
	}
	if (gossip_new(&p->gossip, &config, why) != VT_OK) {
		(void)fprintf(stderr, "%s\n", why);
		abort();
	}
}

void world_join(char name, int history, uint64_t size, const char *peers)
{
	static unsigned n;
	struct party *p = world_party(name);

	memset(p, 0, sizeof(*p));
	p->name[0] = name;
	(void)snprintf(p->folder, sizeof(p->folder), "%.400s/%c-%u", folder, name, n++);
	p->history = history;
	p->size = size;
	start(p, peers);
}

void world_leave(char name)
{
	gossip_stop(world_party(name)->gossip);
	gossip_free(world_party(name)->gossip);
	world_party(name)->gossip = NULL;
}

void world_restart(char name, const char *peers)
{
	world_leave(name);
	start(world_party(name), peers);
}

unsigned world_alerts(const struct party *p, const char *kind)
{
	unsigned n = 0;

	(void)pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < p->n_alerts; i++)
		n += strcmp(p->alert[i], kind) == 0;
	(void)pthread_mutex_unlock(&lock);
	return n;
}

void world_await(struct party *p, const char *kind)
{
	(void)pthread_mutex_lock(&lock);
	for (bool found = false; !found;) {
		for (unsigned i = 0; i < p->n_alerts; i++)
			found = found || strcmp(p->alert[i], kind) == 0;
		if (!found)
			(void)pthread_cond_wait(&told, &lock);
	}
	(void)pthread_mutex_unlock(&lock);
}

size_t world_evidence(const struct party *p)
{
	struct merkle_hasher h;
	struct buf list, text;
	size_t n = 0;

	buf_init(&list);
	buf_init(&text);
	MUST(merkle_hasher_init(&h) == VT_OK);
	MUST(gossip_evidence_list(p->gossip, &list) == VT_OK);
	for (size_t at = 0; at < list.len; at += GOSSIP_ID_SIZE + strlen(WORLD_ORIGIN) + 1, n++) {
		buf_reset(&text);
		MUST(gossip_evidence(p->gossip, bytes_of(list.data + at, GOSSIP_ID_SIZE - 1),
				     &text) == VT_OK);
		MUST(evidence_verify(NULL, NULL, &h, buf_bytes(&text), &world_key) == VT_OK);
	}
	merkle_hasher_release(&h);
	buf_release(&list);
	buf_release(&text);
	return n;
}

void world_witness(struct bytes shown)
{
	buf_reset(&witness);
	MUST(buf_append(&witness, shown) == VT_OK);
}

/* -- the network, in place of http_fetch.h ------------------------------------------------------------------ */

struct http_fetcher {
	int unused;
};

enum vt_err http_fetcher_new(struct http_fetcher **out, const struct http_fetch_config *config)
{
	(void)config;
	return (*out = calloc(1, sizeof(**out))) != NULL ? VT_OK : VT_ENOMEM;
}

void http_fetcher_free(struct http_fetcher *f)
{
	free(f);
}

void http_fetcher_cancel(struct http_fetcher *f)
{
	(void)f;
}

void http_reply_init(struct http_reply *r)
{
	memset(r, 0, sizeof(*r));
}

void http_reply_release(struct http_reply *r)
{
	buf_release(&r->body);
	http_reply_init(r);
}

static unsigned answer_evidence(struct party *p, const struct http_ask *ask, const char *id,
				struct http_reply *out)
{
	char got[GOSSIP_ID_SIZE];
	enum vt_err err;
	bool fresh;

	if (strcmp(ask->method, "POST") == 0) {
		p->n_evidence_posts++;
		err = gossip_take_evidence(p->gossip, ask->body, "somebody", got, &fresh, NULL);
		return err == VT_OK ? (fresh ? 201 : 200) : err == VT_EBUSY ? 503 : 422;
	}
	if (*id == '\0')
		return gossip_evidence_list(p->gossip, &out->body) == VT_OK ? 200 : 503;
	return gossip_evidence(p->gossip, bytes_str(id + 1), &out->body) == VT_OK ? 200 : 404;
}

static unsigned answer(struct party *p, const struct http_ask *ask, const char *path,
		       struct http_reply *out)
{
	struct gossip_taken taken;

	if (p->gossip == NULL || p->gone)
		return 0;
	if (strncmp(path, "/gossip/v1/evidence", 19) == 0)
		return answer_evidence(p, ask, path + 19, out);
	if (strcmp(path, "/gossip/v1/tree-heads") != 0)
		return 404;
	if (strcmp(ask->method, "POST") == 0 &&
	    gossip_take(p->gossip, ask->body, "somebody", &taken) != VT_OK)
		return 503;
	return gossip_heads(p->gossip, &out->body) == VT_OK ? 200 : 503;
}

/* A witness's or a log's. */
static unsigned answer_checkpoint(const char *path, struct http_reply *out)
{
	static const char suffix[] = "/checkpoint";
	size_t len = strlen(path);

	if (witness.len == 0 || len < sizeof(suffix) - 1 ||
	    strcmp(path + len - (sizeof(suffix) - 1), suffix) != 0)
		return 404;
	return buf_append(&out->body, buf_bytes(&witness)) == VT_OK ? 200 : 503;
}

enum vt_err http_fetch(struct http_reply *out, struct http_fetcher *f, const struct http_ask *ask,
		       char why[160])
{
	char name = ask->url[strlen("http://")];

	(void)f;
	http_reply_release(out);
	(void)pthread_mutex_lock(&lock);
	world_requests++;
	(void)pthread_mutex_unlock(&lock);
	MUST(strncmp(ask->url, "http://", 7) == 0 && ask->url[8] == '/');
	out->status = name == 'w' || name == 'l'
			  ? answer_checkpoint(ask->url + 8, out)
			  : answer(world_party(name), ask, ask->url + 8, out);
	if (world_bends != NULL && out->status == 200) {
		buf_reset(&out->body);
		MUST(buf_append_str(&out->body, world_bends) == VT_OK);
	}
	if (out->status != 0 && out->body.len <= ask->body_max)
		return VT_OK;
	(void)snprintf(why, 160, "%s", out->status == 0 ? "nobody answers" : "too long");
	http_reply_release(out);
	return VT_EIO;
}

/* -- life -------------------------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void world_remove(const char *path)
{
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void world_set_up(void)
{
	static const uint64_t special[] = {0, WORLD_FORK};
	const char *tmp = getenv("TMPDIR");

	(void)snprintf(folder, sizeof(folder), "%s/vitrine-test-XXXXXX",
		       tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	MUST(mkdtemp(folder) != NULL);

	model_tree_sparse(&tree[0], special, 0);
	model_tree_sparse(&tree[1], &special[0], 1);
	model_tree_sparse(&tree[2], &special[1], 1);
	signer = test_signer(WORLD_ORIGIN, VKEY_TYPE_ED25519, 5);
	world_key = signer.key;
	buf_init(&witness);
}

void world_tear_down(void)
{
	for (size_t i = 0; i < WORLD_PARTIES; i++) {
		gossip_free(party[i].gossip);
		party[i].gossip = NULL;
	}
	for (size_t i = 0; i < WORLD_HISTORIES; i++)
		model_tree_release(&tree[i]);
	buf_release(&witness);
	world_remove(folder);
}
