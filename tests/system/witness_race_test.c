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

static void all_that_is_cosigned_is_one_history(void **state)
{
	static struct crowd c;
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
	crowd_push(&c, 64);
	crowd_settle(&c);
	crowd_check(&c);
	printf("%zu heads cosigned up to size %llu; refused: %llu stale, %llu inconsistent, %llu "
	       "malformed\n",
	       c.n_cosigned, (unsigned long long)c.log.size, (unsigned long long)c.stale,
	       (unsigned long long)c.inconsistent, (unsigned long long)c.malformed);
	/* Or there was no race. */
	assert_true(c.stale > 50 && c.inconsistent > 0);
	witness_server_stop(&server);
	crowd_release(&c);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(all_that_is_cosigned_is_one_history)};

	logline_configure(LOGLINE_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
