/*
 * 64 clients at one witness: rival extensions, forks, stale and repeated heads, interleaved as they
 * come. Afterwards every two of the heads that it cosigned are consistent. Three seconds, or thirty
 * under ThreadSanitizer in the full run.
 */
#include <stdio.h>
#include <stdlib.h>

#include "logline.h"
#include "scratch.h"
#include "vitrine_test.h"
#include "witness_crowd.h"
#include "witness_server.h"

#define ORIGIN "log.example/race"

static double duration(void)
{
#ifdef __SANITIZE_THREAD__
	if (getenv("VITRINE_ALL") != NULL)
		return 30;
#endif
	return 3;
}

/* Meanwhile the policy changes, and readers read. */
struct meddler {
	struct witness_server *server;
	struct policy *longer;
	struct merkle_hash hash;
	atomic_bool stop;
	pthread_t thread;
	uint64_t changes;
};

static enum vt_err look_at(void *ctx, const struct cosigner_log *log)
{
	uint64_t *size = ctx;

	if (log->cosigned && log->listed)
		*size = log->head.size;
	return VT_OK;
}

static void *meddle(void *arg)
{
	struct meddler *m = arg;
	char why[COSIGNER_WHY_MAX];
	uint64_t size = 0;

	while (!m->stop) {
		uint64_t before = size;
		struct buf note;

		if (cosigner_set_policy(m->server->cosigner,
					m->changes++ % 2 == 0 ? m->longer : m->server->policy,
					why) != VT_OK)
			abort();
		buf_init(&note);
		(void)cosigner_checkpoint(m->server->cosigner, &m->hash, &note);
		buf_release(&note);
		if (cosigner_each(m->server->cosigner, look_at, &size) != VT_OK || size < before)
			abort(); /* what is shown never goes back */
	}
	return NULL;
}

static void meddler_start(struct meddler *m, struct witness_server *server, struct crowd *c)
{
	struct witness_log other;
	char why[COSIGNER_WHY_MAX];
	struct buf policy;

	*m = (struct meddler){.server = server, .hash = witness_log_origin_hash(&c->log)};
	witness_log_init(&other, "log.example/other", 5);
	assert_int_equal(cosigner_add(scratch_folder(), "log.example/other", why), VT_OK);
	buf_init(&policy);
	witness_log_policy_line(&policy, &c->log);
	witness_log_policy_line(&policy, &other);
	assert_int_equal(buf_append_str(&policy, "quorum none\n"), VT_OK);
	assert_int_equal(policy_parse(&m->longer, buf_bytes(&policy), NULL), VT_OK);
	assert_int_equal(pthread_create(&m->thread, NULL, meddle, m), 0);
	witness_log_release(&other);
	buf_release(&policy);
}

static void meddler_stop(struct meddler *m)
{
	m->stop = true;
	assert_int_equal(pthread_join(m->thread, NULL), 0);
	assert_true(m->changes > 2);
	policy_free(m->longer);
}

static void all_that_is_cosigned_is_one_history(void **state)
{
	static struct crowd c;
	static struct meddler meddler;
	struct witness_server server;
	struct buf policy;
	char *text;

	(void)state;
	crowd_init(&c, ORIGIN, 1);
	buf_init(&policy);
	witness_log_policy_line(&policy, &c.log);
	assert_int_equal(buf_append_str(&policy, "quorum none\n"), VT_OK);
	text = buf_detach_str(&policy);
	witness_server_start(&server, "witness.example/race", text, 0);
	c.url = server.url;
	c.witness = server.key.key;
	c.seconds = duration();
	c.least = 50; /* a slow disk takes longer */
	meddler_start(&meddler, &server, &c);
	crowd_push(&c, 64);
	meddler_stop(&meddler);
	crowd_settle(&c);
	crowd_check(&c);
	printf("%zu heads cosigned up to size %llu; refused: %llu stale, %llu inconsistent, %llu "
	       "malformed, %llu in excess\n",
	       c.n_cosigned, (unsigned long long)c.log.size, (unsigned long long)c.stale,
	       (unsigned long long)c.inconsistent, (unsigned long long)c.malformed,
	       (unsigned long long)c.busy);
	/* Or there was no race. */
	assert_true(c.stale + c.busy > 50 && c.inconsistent > 0);
	witness_server_stop(&server);
	crowd_release(&c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_that_is_cosigned_is_one_history)};

	scratch_in_memory(); /* more races in the same time */
	logline_configure(LOGLINE_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
