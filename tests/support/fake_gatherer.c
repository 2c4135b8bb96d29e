#include "fake_gatherer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "test_signer.h"
#include "vitrine/checkpoint.h"
#include "vitrine/cosignature.h"

enum { WITNESSES = 3 };

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

static struct note_signer witness(unsigned i)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "witness.example/%u", i);
	return test_signer(name, VKEY_TYPE_COSIGNATURE_ED25519, (uint8_t)(0x70 + i));
}

unsigned gatherer_cosigned(const struct log_fixture *f, struct bytes note)
{
	struct vkey keys[WITNESSES];
	struct vkey_set set = {keys, WITNESSES};
	struct checkpoint cp;
	struct note *parsed;
	unsigned n = 0;

	for (unsigned i = 0; i < WITNESSES; i++)
		keys[i] = witness(i).key;
	MUST(checkpoint_open(&parsed, &cp, note, &f->signer.key, &set) == VT_OK);
	for (unsigned i = 0; i < WITNESSES; i++)
		n += note_signed_by(parsed, &keys[i]) != NULL;
	note_free(parsed);
	return n;
}

static enum vt_err policy_met(void *ctx, struct bytes note)
{
	struct fake_gatherer *g = ctx;

	return gatherer_cosigned(g->f, note) >= GATHERER_QUORUM ? VT_OK : VT_EUNTRUSTED;
}

static void append_cosignatures(struct buf *out, const struct fake_gatherer *g, unsigned n)
{
	struct note *parsed;

	MUST(buf_append(out, buf_bytes(&g->note)) == VT_OK);
	MUST(note_parse(&parsed, buf_bytes(&g->note)) == VT_OK);
	for (unsigned i = 0; i < n; i++) {
		struct note_signer by = witness(i);

		MUST(cosignature_line(out, parsed->text, 1000 + i, &by) == VT_OK);
	}
	note_free(parsed);
}

static void gather(void *ctx, struct bytes note, const struct tree_head *head, bool remembered)
{
	struct fake_gatherer *g = ctx;
	uint64_t now = clock_monotonic_nanos();
	bool generous;

	(void)pthread_mutex_lock(&lock);
	g->overlapping += g->open;
	if (g->rounds > 0 && now - g->began < g->least_gap)
		g->least_gap = now - g->began;
	g->open = true;
	g->head = *head;
	g->remembered += remembered;
	g->began = now;
	g->rounds++;
	buf_reset(&g->note);
	MUST(buf_append(&g->note, note) == VT_OK);
	generous = g->generous;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
	if (generous)
		gatherer_reply(g, GATHERER_QUORUM, true);
}

static void published(void *ctx, const struct tree_head *head)
{
	struct fake_gatherer *g = ctx;

	(void)pthread_mutex_lock(&lock);
	if (g->published != UINT64_MAX && head->size < g->published)
		g->went_back++;
	g->published = head->size;
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

static void froze(void *ctx, const char *why)
{
	struct fake_gatherer *g = ctx;

	(void)pthread_mutex_lock(&lock);
	(void)snprintf(g->frozen, sizeof(g->frozen), "%s", why);
	(void)pthread_cond_broadcast(&changed);
	(void)pthread_mutex_unlock(&lock);
}

void gatherer_install(struct fake_gatherer *g, struct log_fixture *f)
{
	memset(g, 0, sizeof(*g));
	g->f = f;
	g->published = UINT64_MAX;
	g->least_gap = UINT64_MAX;
	buf_init(&g->note);
	f->config.gather = gather;
	f->config.policy_met = policy_met;
	f->config.published = published;
	f->config.freeze = froze;
	f->config.ctx = g;
	f->config.gather_pause_millis = 1;
}

void gatherer_release(struct fake_gatherer *g)
{
	buf_release(&g->note);
}

void gatherer_wait(struct fake_gatherer *g, uint64_t size)
{
	(void)pthread_mutex_lock(&lock);
	while (!g->open || g->head.size < size)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

void gatherer_wait_rounds(struct fake_gatherer *g, unsigned rounds)
{
	(void)pthread_mutex_lock(&lock);
	while (g->rounds < rounds)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}

void gatherer_note(struct fake_gatherer *g, struct buf *out, unsigned n)
{
	(void)pthread_mutex_lock(&lock);
	append_cosignatures(out, g, n);
	(void)pthread_mutex_unlock(&lock);
}

static void reply(struct fake_gatherer *g, struct bytes note, bool quorum, bool done)
{
	struct tree_head head;

	(void)pthread_mutex_lock(&lock);
	head = g->head;
	if (done)
		g->open = false; /* before the log may begin the next one */
	(void)pthread_mutex_unlock(&lock);
	log_gathered(g->f->log, &head, note, quorum, done);
}

void gatherer_reply(struct fake_gatherer *g, unsigned n, bool done)
{
	struct buf note;

	buf_init(&note);
	gatherer_note(g, &note, n);
	reply(g, buf_bytes(&note), n >= GATHERER_QUORUM, done);
	buf_release(&note);
}

void gatherer_reply_bytes(struct fake_gatherer *g, struct bytes note, bool done)
{
	reply(g, note, true, done);
}

void gatherer_wait_published(struct fake_gatherer *g, uint64_t size)
{
	(void)pthread_mutex_lock(&lock);
	while (g->published == UINT64_MAX || g->published < size)
		(void)pthread_cond_wait(&changed, &lock);
	(void)pthread_mutex_unlock(&lock);
}
