#include "log_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "made_store.h"
#include "mark.h"
#include "memory_store.h"
#include "test_signer.h"
#include "vitrine/checkpoint.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

void fixture_store(struct log_fixture *f, const char *path, const char *mode, struct bytes centre)
{
	struct store_identity identity = {.origin = FIXTURE_ORIGIN, .mode = mode, .centre = centre};
	struct store_sqlite_config sqlite = {.path = path};
	char why[STORE_WHY_MAX];
	struct buf vkey;
	char *text;

	memset(f, 0, sizeof(*f));
	f->signer = test_signer(FIXTURE_ORIGIN, VKEY_TYPE_ED25519, 1);
	buf_init(&vkey);
	MUST(vkey_format(&vkey, &f->signer.key) == VT_OK);
	f->fresh = path == NULL || access(path, F_OK) != 0;
	text = buf_detach_str(&vkey);
	MUST(text != NULL);
	identity.vkey = text;
	if (path == NULL)
		MUST(store_memory_open(&f->store, &identity, why) == VT_OK);
	else
		MUST(made_store_open(&f->store, &sqlite, &identity, why) == VT_OK);
	store_trust(f->store, false); /* log_open() has to find out */
	free(text);
}

void fixture_mark(struct log_fixture *f, const char *path)
{
	struct tree_head empty = {0};
	struct merkle_hasher hasher;
	enum vt_err err;

	f->config.mark_path = path;
	if (!f->fresh)
		return;
	MUST(merkle_hasher_init(&hasher) == VT_OK);
	MUST(merkle_hash_empty(&empty.root, &hasher) == VT_OK);
	merkle_hasher_release(&hasher);
	err = mark_create(path, FIXTURE_ORIGIN, &empty);
	MUST(err == VT_OK || err == VT_ECONFLICT);
}

enum vt_err fixture_open(struct log_fixture *f, char why[STORE_WHY_MAX])
{
	f->config.store = f->store;
	f->config.signer = &f->signer;
	return log_open(&f->log, &f->config, why);
}

void fixture_start(struct log_fixture *f)
{
	char why[STORE_WHY_MAX];
	enum vt_err err = fixture_open(f, why);

	if (err != VT_OK)
		fprintf(stderr, "%s: %s\n", vt_err_text(err), why);
	MUST(err == VT_OK);
	MUST(log_start(f->log) == VT_OK);
	MUST(log_worker_new(&f->w, f->log) == VT_OK);
}

void fixture_stop(struct log_fixture *f)
{
	if (f->log == NULL)
		return;
	log_stop(f->log);
	log_worker_free(f->w);
	log_free(f->log);
	f->log = NULL;
	f->w = NULL;
}

void fixture_free(struct log_fixture *f)
{
	fixture_stop(f);
	if (!f->store_is_borrowed)
		store_free(f->store);
	f->store = NULL;
}

/* -- the gate ------------------------------------------------------------------------------------ */

static void hold(void *ctx, struct merkle_hash *hash, size_t n)
{
	struct gate *g = ctx;

	(void)hash;
	(void)n;
	(void)pthread_mutex_lock(&lock);
	g->held++;
	(void)pthread_cond_broadcast(&changed);
	while (g->closed && g->steps == 0)
		(void)pthread_cond_wait(&changed, &lock);
	if (g->steps > 0)
		g->steps--;
	(void)pthread_mutex_unlock(&lock);
}

void gate_install(struct log_fixture *f)
{
	f->config.tamper = hold;
	f->config.tamper_ctx = &f->gate;
}

static void gate_set(struct gate *g, bool closed)
{
	(void)pthread_mutex_lock(&lock);
	g->closed = closed;
	g->held = 0;
	g->steps = 0;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

void gate_close(struct gate *g)
{
	gate_set(g, true);
}

void gate_open(struct gate *g)
{
	gate_set(g, false);
}

void gate_step(struct gate *g)
{
	(void)pthread_mutex_lock(&lock);
	g->held = 0;
	g->steps = 1;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

void gate_wait(struct gate *g)
{
	(void)pthread_mutex_lock(&lock);
	while (g->held == 0)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

/* -- submissions ----------------------------------------------------------------------------------- */

static void receive(void *ctx, const struct log_answer *answer)
{
	struct sent *s = ctx;

	(void)pthread_mutex_lock(&lock);
	MUST(!s->answered);
	s->answer = *answer;
	s->answered = true;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

void send_bytes(struct log_fixture *f, struct log_worker *w, struct sent *s, struct bytes body)
{
	memset(s, 0, sizeof(*s));
	log_submit(f->log, w, body, NULL, receive, s);
}

void wait_for(const struct sent *s, size_t n)
{
	(void)pthread_mutex_lock(&lock);
	for (size_t i = 0; i < n; i++)
		while (!s[i].answered)
			(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

struct log_answer send_one(struct log_fixture *f, struct bytes body)
{
	struct sent s;

	send_bytes(f, f->w, &s, body);
	wait_for(&s, 1);
	return s.answer;
}

/* -- as an outsider sees it --------------------------------------------------------------------------- */

static void verify_entry(struct log_fixture *f, struct merkle_hasher *h, uint64_t index,
			 const struct tree_head *head)
{
	struct merkle_hash leaf, computed;
	struct merkle_proof proof;
	struct tree_head at;
	struct buf entry;

	buf_init(&entry);
	MUST(log_inclusion(f->w, index, head->size, &leaf, &proof, &at, NULL) == VT_OK);
	MUST(tree_head_equal(&at, head));
	MUST(proof_verify_inclusion(h, &proof, index, &leaf, head) == VT_OK);
	MUST(log_entry(f->w, index, &entry) == VT_OK);
	MUST(merkle_hash_leaf(&computed, h, buf_bytes(&entry)) == VT_OK);
	MUST(merkle_hash_equal(&computed, &leaf));
	buf_release(&entry);
}

static void verify_growth(struct log_fixture *f, struct merkle_hasher *h,
			  const struct tree_head *head)
{
	struct merkle_proof proof;
	struct merkle_hash leaf;
	struct tree_head old;

	for (uint64_t size = 1; size < head->size; size += size / 3 + 1) {
		MUST(log_inclusion(f->w, 0, size, &leaf, &proof, &old, NULL) == VT_OK);
		MUST(log_consistency(f->w, size, head->size, &proof) == VT_OK);
		MUST(proof_verify_consistency(h, &proof, &old, head) == VT_OK);
	}
}

uint64_t fixture_verify(struct log_fixture *f)
{
	struct merkle_hasher h;
	struct checkpoint cp;
	struct note *note;
	struct buf text;
	uint64_t size;

	buf_init(&text);
	MUST(merkle_hasher_init(&h) == VT_OK);
	MUST(log_checkpoint(f->w, &size, &text) == VT_OK);
	MUST(checkpoint_open(&note, &cp, buf_bytes(&text), &f->signer.key, NULL) == VT_OK);
	MUST(cp.head.size == size);
	for (uint64_t i = 0; i<size; i += size> 5000 ? 7 : 1)
		verify_entry(f, &h, i, &cp.head);
	verify_growth(f, &h, &cp.head);
	note_free(note);
	merkle_hasher_release(&h);
	buf_release(&text);
	return size;
}
