/* What an address may hold and ask; and the lists of deadlines. */
#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>

#include "http_deadlines.h"
#include "http_peers.h"

#define SECOND UINT64_C(1000000000)

static struct http_address address(const char *text)
{
	struct http_address a;

	assert_true(http_address_parse(&a, bytes_str(text)));
	return a;
}

static struct peer *join(struct peers *p, const char *text, uint64_t now)
{
	struct http_address a = address(text);

	return peers_connect(p, &a, now);
}

static bool admitted(struct peers *p, const char *text)
{
	struct http_address a = address(text);

	return peers_admit(p, &a);
}

static void connections_count_by_address(void **state)
{
	struct peers *p = peers_new(&(struct peers_config){.connections_max = 2});
	struct peer *a, *b;

	(void)state;
	a = join(p, "192.0.2.1", 0);
	assert_true(admitted(p, "192.0.2.1"));
	b = join(p, "192.0.2.1", 0);
	assert_ptr_equal(a, b);
	assert_false(admitted(p, "192.0.2.1"));
	assert_false(admitted(p, "::ffff:192.0.2.1")); /* the same one in other clothing */
	assert_true(admitted(p, "192.0.2.2"));
	peers_disconnect(p, a, 0);
	assert_true(admitted(p, "192.0.2.1"));
	peers_disconnect(p, b, 0);
	peers_free(p);
}

static void ipv6_counts_by_its_64(void **state)
{
	struct peers *p = peers_new(&(struct peers_config){.connections_max = 1});

	(void)state;
	assert_non_null(join(p, "2001:db8:1:2::3", 0));
	assert_false(admitted(p, "2001:db8:1:2:ffff::1"));
	assert_true(admitted(p, "2001:db8:1:3::3"));
	peers_free(p);
}

static void tokens_refill_with_time_and_never_beyond_the_burst(void **state)
{
	struct peers *p =
	    peers_new(&(struct peers_config){.connections_max = 9, .bucket[PEER_APPENDS] = {2, 4}});
	struct peer *a = join(p, "192.0.2.1", 0);

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(peer_take(p, a, PEER_APPENDS, 0), 0);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 0), 1);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, SECOND / 2), 0);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, SECOND / 2), 1);
	for (int i = 0; i < 4; i++)
		assert_int_equal(peer_take(p, a, PEER_APPENDS, 1000 * SECOND), 0);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 1000 * SECOND), 1);
	/* Leaving and coming back does not fill the bucket. */
	peers_disconnect(p, a, 1000 * SECOND);
	a = join(p, "192.0.2.1", 1000 * SECOND);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 1000 * SECOND), 1);
	peers_free(p);
}

static void appends_and_reads_have_buckets_of_their_own(void **state)
{
	struct peers *p = peers_new(&(struct peers_config){
	    .connections_max = 9, .bucket = {[PEER_APPENDS] = {1, 1}, [PEER_READS] = {1, 2}}});
	struct peer *a = join(p, "192.0.2.1", 0);

	(void)state;
	assert_int_equal(peer_take(p, a, PEER_READS, 0), 0);
	assert_int_equal(peer_take(p, a, PEER_READS, 0), 0);
	assert_int_equal(peer_take(p, a, PEER_READS, 0), 1);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 0), 0);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 0), 1);
	/* Remembered while one of them is not full. */
	peers_disconnect(p, a, SECOND);
	assert_ptr_equal(join(p, "192.0.2.1", SECOND), a);
	peers_disconnect(p, a, 2 * SECOND);
	peers_free(p);
}

static void streams_are_counted_by_address(void **state)
{
	struct peers *p = peers_new(&(struct peers_config){.connections_max = 9, .streams_max = 2});
	struct peer *a = join(p, "192.0.2.1", 0), *b = join(p, "192.0.2.2", 0);

	(void)state;
	assert_true(peer_stream(p, a));
	assert_true(peer_stream(p, a));
	assert_false(peer_stream(p, a));
	assert_true(peer_stream(p, b));
	peer_stream_ended(a);
	assert_true(peer_stream(p, a));
	peers_disconnect(p, a, 0);
	peers_disconnect(p, b, 0);
	peers_free(p);
}

static void retry_after_is_when_there_will_be_a_token(void **state)
{
	struct peers *p = peers_new(
	    &(struct peers_config){.connections_max = 9, .bucket[PEER_APPENDS] = {0.1, 1}});
	struct peer *a = join(p, "192.0.2.1", 0);

	(void)state;
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 0), 0);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 0), 10);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 4 * SECOND), 6);
	assert_int_equal(peer_take(p, a, PEER_APPENDS, 10 * SECOND), 0);
	peers_free(p);
}

static void addresses_that_rest_are_forgotten_and_their_number_is_bounded(void **state)
{
	struct peers *p =
	    peers_new(&(struct peers_config){.connections_max = 9, .bucket[PEER_APPENDS] = {1, 1}});
	size_t taken = 0;
	char text[32];

	(void)state;
	for (unsigned i = 0; i < 70000; i++) {
		struct peer *a;

		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		a = join(p, text, 0);
		if (a == NULL)
			continue;
		taken++;
		assert_int_equal(peer_take(p, a, PEER_APPENDS, 0),
				 0); /* an empty bucket is worth remembering */
		peers_disconnect(p, a, 0);
	}
	assert_int_equal(taken, 65536);
	assert_null(join(p, "192.0.2.1", 0));

	/* A client for whom there is no place counts as whoever passed its request on. */
	struct http_address client = address("192.0.2.1");
	struct peer *proxy = join(p, "10.0.0.1", 0);

	assert_ptr_equal(peers_begin_request(p, proxy, &client, 0), proxy);
	peers_end_request(p, proxy, 0);
	assert_non_null(join(p, "192.0.2.1", 2 * SECOND));
	peers_free(p);
}

static void a_request_counts_for_its_client_even_when_that_is_not_connected(void **state)
{
	struct peers *p = peers_new(&(struct peers_config){
	    .connections_max = 1, .streams_max = 1, .bucket[PEER_READS] = {1, 1}});
	struct http_address one = address("192.0.2.1"), other = address("192.0.2.2");
	struct peer *proxy = join(p, "10.0.0.1", 0);
	struct peer *a = peers_begin_request(p, proxy, &one, 0);
	struct peer *b = peers_begin_request(p, proxy, &other, 0);

	(void)state;
	assert_int_equal(peer_take(p, a, PEER_READS, 0), 0);
	assert_int_equal(peer_take(p, a, PEER_READS, 0), 1);
	assert_int_equal(peer_take(p, b, PEER_READS, 0), 0);
	assert_int_equal(peer_take(p, proxy, PEER_READS, 0), 0);
	assert_true(peer_stream(p, a));
	assert_true(peer_stream(p, b));
	assert_true(admitted(p, "192.0.2.1")); /* a request is no connection */
	peer_stream_ended(a);
	peer_stream_ended(b);
	peers_end_request(p, a, 0);
	a = peers_begin_request(p, proxy, &one, 0);
	assert_int_equal(peer_take(p, a, PEER_READS, 0), 1);
	peers_end_request(p, a, SECOND);
	peers_end_request(p, b, SECOND);
	peers_disconnect(p, proxy, SECOND);
	peers_free(p);
}

static void deadlines_come_due_in_order(void **state)
{
	const uint64_t after[PHASES] = {
	    [PHASE_IDLE] = 50,   [PHASE_HEADER] = 10, [PHASE_BODY] = 20,
	    [PHASE_ANSWER] = 30, [PHASE_WRITE] = 40,
	};
	struct deadline a = {0}, b = {0}, c = {0};
	struct deadlines d;

	(void)state;
	deadlines_init(&d, after);
	assert_true(deadlines_next(&d) == UINT64_MAX);
	deadline_enter(&d, &a, PHASE_BODY, 100);
	deadline_enter(&d, &b, PHASE_HEADER, 105);
	deadline_enter(&d, &c, PHASE_HEADER, 106);
	assert_int_equal(deadlines_next(&d), 115);
	assert_null(deadlines_due(&d, 114));
	assert_ptr_equal(deadlines_due(&d, 115), &b);
	deadline_enter(&d, &b, PHASE_IDLE, 115);
	assert_ptr_equal(deadlines_due(&d, 116), &c);
	deadline_leave(&c);
	deadline_leave(&c);
	assert_ptr_equal(deadlines_due(&d, 120), &a);
	deadline_enter(&d, &a, PHASE_WRITE, 120);
	assert_int_equal(deadlines_next(&d), 160);
	assert_ptr_equal(deadlines_in(&d, PHASE_IDLE, NULL), &b);
	assert_null(deadlines_in(&d, PHASE_IDLE, &b));
	assert_null(deadlines_in(&d, PHASE_BODY, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(connections_count_by_address),
	    cmocka_unit_test(ipv6_counts_by_its_64),
	    cmocka_unit_test(tokens_refill_with_time_and_never_beyond_the_burst),
	    cmocka_unit_test(appends_and_reads_have_buckets_of_their_own),
	    cmocka_unit_test(streams_are_counted_by_address),
	    cmocka_unit_test(retry_after_is_when_there_will_be_a_token),
	    cmocka_unit_test(addresses_that_rest_are_forgotten_and_their_number_is_bounded),
	    cmocka_unit_test(a_request_counts_for_its_client_even_when_that_is_not_connected),
	    cmocka_unit_test(deadlines_come_due_in_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
