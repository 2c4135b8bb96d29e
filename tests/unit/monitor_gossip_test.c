#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gossip_world.h"
#include "test_signer.h"

static int set_up(void **state)
{
	(void)state;
	world_requests = 0;
	world_bends = NULL;
	world_set_up();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	world_tear_down();
	return 0;
}

/* Show one signed head of a history to a party. */
static struct gossip_taken show(char name, int history, uint64_t size)
{
	struct gossip_taken taken;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	world_head(&note, history, size);
	err = gossip_take(world_party(name)->gossip, buf_bytes(&note), "test", &taken);
	assert_int_equal(err, taken.refused > 0 ? VT_EBUSY : VT_OK);
	buf_release(&note);
	return taken;
}

static size_t unresolved(char name)
{
	struct gossip_stats stats;

	gossip_stats(world_party(name)->gossip, &stats);
	return stats.unresolved;
}

/* -- the split view ------------------------------------------------------------------------------------ */

static void a_split_view_is_found_within_one_round(void **state)
{
	static const uint64_t size[][2] = {{5, 5}, {3, 7}, {7, 3}, {4, 7},  {8, 19},
					   {1, 2}, {1, 1}, {9, 1}, {1, 16}, {6, 1000000007}};

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		/* Whichever of the two begins. */
		for (char first = 'a'; first <= 'b'; first++) {
			world_join('a', 0, size[i][0], "b");
			world_join('b', 1, size[i][1], "a");
			assert_int_equal(gossip_round(world_party(first)->gossip), 0);
			for (char name = 'a'; name <= 'b'; name++) {
				assert_int_equal(world_evidence(world_party(name)), 1);
				assert_int_equal(world_alerts(world_party(name), "evidence"), 1);
			}
			/* It is the same evidence, and everything after it is old news. */
			for (char name = 'a'; name <= 'b'; name++)
				assert_int_equal(gossip_round(world_party(name)->gossip), 0);
			for (char name = 'a'; name <= 'b'; name++) {
				assert_int_equal(world_evidence(world_party(name)), 1);
				assert_int_equal(world_party(name)->n_alerts, 1);
			}
			world_leave('a');
			world_leave('b');
		}
	}
}

static void one_side_that_asks_nobody_learns_it_too(void **state)
{
	(void)state;
	world_join('a', 0, 9, "b");
	world_join('b', 1, 6, "");
	assert_int_equal(gossip_round(world_party('a')->gossip), 0);
	assert_int_equal(world_evidence(world_party('a')), 1);
	assert_int_equal(world_evidence(world_party('b')), 1);
}

static void a_late_fork_is_proven_where_it_begins(void **state)
{
	(void)state;
	world_join('a', 0, WORLD_FORK, "b");
	world_join('b', 2, WORLD_FORK + 5, "a");
	assert_int_equal(gossip_round(world_party('a')->gossip), 0);
	assert_int_equal(world_evidence(world_party('b')), 0); /* up to here they are one history */
	world_party('a')->size = WORLD_FORK + 1;
	assert_int_equal(gossip_round(world_party('a')->gossip), 0);
	assert_int_equal(world_evidence(world_party('a')), 1);
	assert_int_equal(world_evidence(world_party('b')), 1);
}

static void evidence_is_passed_on_once_to_each_peer(void **state)
{
	(void)state;
	world_join('a', 0, 9, "b");
	world_join('b', 0, 9, "cd");
	world_join('c', 0, 9, "");
	world_join('d', 0, 9, "");
	show('a', 1, 6);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(gossip_round(world_party('a')->gossip), 0);
		assert_int_equal(gossip_round(world_party('b')->gossip), 0);
	}
	for (char name = 'a'; name <= 'd'; name++) {
		assert_int_equal(world_evidence(world_party(name)), 1);
		assert_int_equal(world_alerts(world_party(name), "evidence"), 1);
		assert_int_equal(world_party(name)->n_evidence_posts, name != 'a');
	}
}

static void evidence_is_fetched_from_a_peer_that_does_not_push(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	world_join('b', 0, 9, "a");
	show('a', 1, 6);
	assert_int_equal(gossip_round(world_party('b')->gossip), 0);
	assert_int_equal(world_evidence(world_party('b')), 1);
}

static void a_witness_and_a_log_are_read(void **state)
{
	struct buf shown;

	(void)state;
	for (int i = 0; i < 2; i++) {
		world_join('a', 0, 9, i == 0 ? "w" : "l");
		world_witness(bytes_of(NULL, 0)); /* 404: it has seen nothing of this log */
		assert_int_equal(gossip_round(world_party('a')->gossip), 0);
		buf_init(&shown);
		world_head(&shown, 0, 5);
		world_witness(buf_bytes(&shown));
		assert_int_equal(gossip_round(world_party('a')->gossip), 0);
		assert_int_equal(world_evidence(world_party('a')), 0);
		buf_reset(&shown);
		world_head(&shown, 1, 5);
		world_witness(buf_bytes(&shown));
		assert_int_equal(gossip_round(world_party('a')->gossip), 0);
		assert_int_equal(world_evidence(world_party('a')), 1);
		buf_release(&shown);
		world_leave('a');
	}
}

static void threads_find_it_by_themselves(void **state)
{
	(void)state;
	world_join('a', 0, 9, "b");
	world_join('b', 1, 30, "a");
	assert_int_equal(gossip_start(world_party('a')->gossip), VT_OK);
	assert_int_equal(gossip_start(world_party('b')->gossip), VT_OK);
	world_await(world_party('a'), "evidence");
	world_await(world_party('b'), "evidence");
	/* Neither is gone while the other may ask it. */
	gossip_stop(world_party('a')->gossip);
	gossip_stop(world_party('b')->gossip);
}

static void growth_is_judged_by_a_thread(void **state)
{
	(void)state;
	world_join('a', 0, 5, "");
	show('a', 1, 8);
	assert_int_equal(gossip_start(world_party('a')->gossip), VT_OK);
	world_party('a')->size = 9;
	gossip_grew(world_party('a')->gossip, WORLD_ORIGIN, 9);
	world_await(world_party('a'), "evidence");
	world_leave('a');
}

/* -- what is kept -------------------------------------------------------------------------------------- */

static void a_consistent_head_is_dropped(void **state)
{
	struct buf shown, own;

	(void)state;
	world_join('a', 0, 9, "");
	for (uint64_t size = 0; size < 9; size++)
		assert_int_equal(show('a', 0, size).consistent, 1);
	assert_int_equal(show('a', 0, 9).known, 1);
	assert_int_equal(unresolved('a'), 0);
	buf_init(&shown);
	buf_init(&own);
	world_head(&own, 0, 9);
	assert_int_equal(gossip_heads(world_party('a')->gossip, &shown), VT_OK);
	assert_true(bytes_equal(buf_bytes(&shown), buf_bytes(&own)));
	assert_int_equal(world_party('a')->n_alerts, 0);
	assert_int_equal(world_party('a')->n_observed, 0);
	buf_release(&shown);
	buf_release(&own);
}

static void a_head_beyond_the_tree_waits_until_it_grows(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	assert_int_equal(show('a', 0, 12).kept, 1);
	assert_int_equal(show('a', 1, 13).kept, 1);
	assert_int_equal(show('a', 0, 12).known, 1);
	assert_int_equal(world_party('a')->n_observed, 2);
	assert_int_equal(unresolved('a'), 2);
	world_party('a')->size = 12;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(unresolved('a'), 1);
	assert_int_equal(world_evidence(world_party('a')), 0);
	world_party('a')->size = 14;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(unresolved('a'), 0);
	assert_int_equal(world_evidence(world_party('a')), 1);
	/* A head that is proven false is not news any more. */
	assert_int_equal(show('a', 1, 13).known, 1);
}

static void two_roots_of_one_size_are_evidence_without_any_tree(void **state)
{
	(void)state;
	world_join('a', 0, UINT64_MAX, "");
	assert_int_equal(show('a', 0, 12).kept, 1);
	assert_int_equal(show('a', 1, 12).proven, 1);
	assert_int_equal(world_evidence(world_party('a')), 1);
}

static void what_waits_survives_a_restart(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	show('a', 0, 12);
	show('a', 1, 13);
	show('a', 1, 4);
	world_restart('a', "");
	assert_int_equal(unresolved('a'), 2);
	assert_int_equal(world_evidence(world_party('a')), 1);
	assert_int_equal(show('a', 0, 12).known, 1);
	assert_int_equal(show('a', 1, 4).known, 1);
	assert_int_equal(world_alerts(world_party('a'), "evidence"), 1);
}

/* since 0: nothing stands. */
static void assert_stands(char name, const char *kind, uint64_t since)
{
	struct standing_list all;

	standing_list_init(&all);
	assert_int_equal(gossip_standing(world_party(name)->gossip, &all), VT_OK);
	assert_int_equal(all.n, since != 0);
	for (size_t i = 0; i < all.n; i++) {
		assert_string_equal(all.item[i].kind, kind);
		assert_string_equal(all.item[i].origin, WORLD_ORIGIN);
		assert_int_equal(all.item[i].since, since);
		assert_int_equal(all.item[i].severity, SEVERITY_CRITICAL);
	}
	standing_list_release(&all);
}

static void a_head_that_waits_too_long_is_told_once(void **state)
{
	const uint64_t before = world_now;

	(void)state;
	world_join('a', 0, 9, "");
	show('a', 0, 12);
	world_now += 599;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_party('a')->n_alerts, 0);
	world_restart('a', ""); /* the deadline does not begin anew */
	world_now += 1;
	world_party('a')->deaf = true;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_party('a')->n_alerts, 0);
	assert_stands('a', "unresolved", 0);
	world_party('a')->deaf = false;
	for (int i = 0; i < 3; i++) {
		gossip_round(world_party('a')->gossip);
		assert_int_equal(world_alerts(world_party('a'), "unresolved"), 1);
		world_restart('a', "");
		assert_stands('a', "unresolved", before);
	}
	world_party('a')->size = 12;
	gossip_round(world_party('a')->gossip);
	assert_stands('a', "unresolved", 0);
	world_now = before;
}

static void a_first_catch_up_is_no_alert(void **state)
{
	const uint64_t before = world_now;

	(void)state;
	world_join('a', 0, UINT64_MAX, "");
	show('a', 0, 12);
	world_now += 100000;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_party('a')->n_alerts, 0);
	world_party('a')->size = 9;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_alerts(world_party('a'), "unresolved"), 1);
	world_now = before;
}

static void when_full_it_refuses_and_evicts_nothing(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	for (uint64_t i = 0; i < GOSSIP_UNRESOLVED_MAX; i++)
		assert_int_equal(show('a', 0, 100 + i).kept, 1);
	assert_int_equal(show('a', 0, 99).refused, 1);
	assert_int_equal(show('a', 0, 5000).refused, 1);
	assert_int_equal(world_alerts(world_party('a'), "full"), 1);
	assert_int_equal(unresolved('a'), GOSSIP_UNRESOLVED_MAX);
	assert_int_equal(show('a', 0, 100).known, 1);
	/* What can be judged at once still is. */
	assert_int_equal(show('a', 0, 5).consistent, 1);
	assert_int_equal(show('a', 1, 5).proven, 1);
	assert_int_equal(show('a', 1, 101).proven, 1);
	world_party('a')->size = 100;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(show('a', 0, 5000).kept, 1);
	world_restart('a', "");
	assert_int_equal(unresolved('a'), GOSSIP_UNRESOLVED_MAX);
}

static void a_peer_without_room_is_still_heard_and_told(void **state)
{
	(void)state;
	world_join('a', 0, 9, "b");
	world_join('b', 0, 9, "");
	for (uint64_t i = 0; i < GOSSIP_UNRESOLVED_MAX; i++)
		assert_int_equal(show('b', 0, 100 + i).kept, 1);
	show('a', 0, 5000);
	show('b', 1, 5);
	show('a', 1, 6);
	assert_int_equal(gossip_round(world_party('a')->gossip), 0);
	assert_int_equal(world_evidence(world_party('a')), 2);
	assert_int_equal(world_evidence(world_party('b')), 2);
	/* Its heads came, too, as far as there is room. */
	assert_int_equal(unresolved('a'), GOSSIP_UNRESOLVED_MAX);
}

static void a_peer_that_has_enough_evidence_is_no_failure(void **state)
{
	struct gossip_stats stats;

	(void)state;
	world_join('a', 0, 60, "b");
	world_join('b', 0, 60, "");
	for (uint64_t size = 1; size <= GOSSIP_EVIDENCE_MAX; size++) {
		show('a', 1, size);
		show('b', 1, 30 + size);
	}
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(gossip_round(world_party('a')->gossip), 0);
	gossip_stats(world_party('a')->gossip, &stats);
	assert_int_equal(stats.peers_failing, 0);
}

static void large_heads_fill_a_log_sooner(void **state)
{
	struct gossip_taken taken;
	struct buf note;
	uint64_t n = 0;

	(void)state;
	world_join('a', 0, 9, "");
	buf_init(&note);
	do {
		buf_reset(&note);
		world_signed(&note, &(struct tree_head){.size = 100 + n++}, 60000);
		(void)gossip_take(world_party('a')->gossip, buf_bytes(&note), "test", &taken);
	} while (taken.kept == 1);
	assert_int_equal(taken.refused, 1);
	assert_true(n < 12);
	assert_int_equal(world_alerts(world_party('a'), "full"), 1);
	assert_int_equal(show('a', 0, 5000).kept, 1); /* a small one fits */
	buf_reset(&note);
	world_signed(&note, &(struct tree_head){.size = 200}, 100000);
	assert_int_equal(gossip_take(world_party('a')->gossip, buf_bytes(&note), "test", &taken),
			 VT_OK);
	assert_int_equal(taken.unknown, 1); /* no evidence could hold it */
	buf_release(&note);
}

static void a_log_whose_heads_are_too_large_is_told_of_once(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	world_party('a')->large = true;
	gossip_round(world_party('a')->gossip);
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_alerts(world_party('a'), "unusable"), 1);
}

static void a_tree_that_cannot_be_read_judges_later(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	world_party('a')->broken = true;
	assert_int_equal(show('a', 1, 4).kept, 1);
	assert_int_equal(show('a', 0, 5).kept, 1);
	world_party('a')->broken = false;
	gossip_round(world_party('a')->gossip);
	assert_int_equal(unresolved('a'), 0);
	assert_int_equal(world_evidence(world_party('a')), 1);
}

static void heads_of_size_zero(void **state)
{
	struct tree_head odd = {.size = 0};
	struct gossip_taken taken;
	struct buf note;

	(void)state;
	buf_init(&note);
	world_signed(&note, &odd, 0);
	world_join('a', 0, 9, "");
	assert_int_equal(show('a', 0, 0).consistent, 1);
	/* A root that no empty tree has, and nothing to hold it against. */
	assert_int_equal(gossip_take(world_party('a')->gossip, buf_bytes(&note), "test", &taken),
			 VT_OK);
	assert_int_equal(taken.kept, 1);
	gossip_round(world_party('a')->gossip);
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_alerts(world_party('a'), "impossible"), 1);
	assert_stands('a', "impossible", world_now);
	assert_int_equal(show('a', 0, 0).proven, 1);
	assert_int_equal(world_evidence(world_party('a')), 1);
	world_leave('a');
	world_join('a', 0, 0, "");
	assert_int_equal(gossip_take(world_party('a')->gossip, buf_bytes(&note), "test", &taken),
			 VT_OK);
	assert_int_equal(taken.proven, 1);
	buf_release(&note);
}

static void a_hundred_honest_restarts_raise_nothing(void **state)
{
	(void)state;
	world_join('a', 0, 1, "b");
	world_join('b', 0, 1, "a");
	for (uint64_t i = 0; i < 100; i++) {
		world_party('a')->size += 1 + i % 3;
		if (i % 2 == 0)
			world_party('b')->size += i % 5;
		world_restart('a', "b");
		/* Old heads are shown again, too. */
		show('b', 0, i);
		gossip_round(world_party('a')->gossip);
		world_restart('b', "a");
		gossip_round(world_party('b')->gossip);
	}
	assert_int_equal(world_party('a')->n_alerts, 0);
	assert_int_equal(world_party('b')->n_alerts, 0);
	assert_int_equal(world_evidence(world_party('a')), 0);
}

/* -- hostile input --------------------------------------------------------------------------------------- */

static void append_by(struct buf *out, const char *origin, const struct note_signer *by)
{
	struct tree_head head = {.size = 12};
	struct buf text;

	buf_init(&text);
	assert_int_equal(checkpoint_format(&text, origin, &head), VT_OK);
	assert_int_equal(note_sign(out, buf_bytes(&text), by, 1), VT_OK);
	buf_release(&text);
}

static void heads_of_nobody_known_are_not_looked_at(void **state)
{
	struct note_signer stranger = test_signer("log.example/other", VKEY_TYPE_ED25519, 5);
	struct note_signer thief = test_signer(WORLD_ORIGIN, VKEY_TYPE_ED25519, 6);
	struct gossip_taken taken;
	struct buf heads;

	(void)state;
	world_join('a', 0, 9, "");
	buf_init(&heads);
	append_by(&heads, "log.example/other", &stranger);
	assert_int_equal(buf_append_byte(&heads, '\n'), VT_OK);
	append_by(&heads, WORLD_ORIGIN, &thief);
	assert_int_equal(buf_append_byte(&heads, '\n'), VT_OK);
	append_by(&heads, WORLD_ORIGIN, &stranger);
	assert_int_equal(buf_append_byte(&heads, '\n'), VT_OK);
	world_head(&heads, 0, 12);
	heads.data[heads.len - 20] ^= 1; /* in the signature */
	assert_int_equal(gossip_take(world_party('a')->gossip, buf_bytes(&heads), "test", &taken),
			 VT_OK);
	assert_int_equal(taken.unknown, 4);
	assert_int_equal(unresolved('a'), 0);
	assert_int_equal(world_party('a')->n_observed, 0);
	buf_release(&heads);
}

static void garbage_is_refused_as_a_whole(void **state)
{
	static const char *const bad[] = {
	    "x",
	    "\n",
	    "\n\n",
	    "log.example/gossip\n12\n\n",
	    "{\"treeHeads\":[]}",
	    "log.example/gossip\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n\n",
	    "log.example/gossip\n12\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\nno "
	    "signature\n",
	};
	struct gossip_taken taken;
	struct buf heads;

	(void)state;
	world_join('a', 0, 9, "");
	buf_init(&heads);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_reset(&heads);
		world_head(&heads, 0, 12);
		assert_int_equal(buf_append_byte(&heads, '\n'), VT_OK);
		assert_int_equal(buf_append_str(&heads, bad[i]), VT_OK);
		assert_int_equal(
		    gossip_take(world_party('a')->gossip, buf_bytes(&heads), "test", &taken),
		    VT_EMALFORMED);
	}
	buf_reset(&heads);
	while (heads.len <= GOSSIP_BODY_MAX)
		world_head(&heads, 0, 12);
	assert_int_equal(gossip_take(world_party('a')->gossip, buf_bytes(&heads), "test", &taken),
			 VT_ELIMIT);
	assert_int_equal(unresolved('a'), 0);
	buf_release(&heads);
}

/* Heads from the n-th on, each from another network, until there is no more for all: a few of them share the row of a
 * sender that has had its part. */
static void flood_from_many(char who, unsigned n)
{
	const unsigned first = n;

	for (unsigned busy = 0; busy < 100; n++) {
		struct gossip_taken taken;
		char from[32];
		struct buf note;

		(void)snprintf(from, sizeof(from), "2001:db8:0:%x::1", n);
		buf_init(&note);
		world_head(&note, 0, n);
		if (gossip_take(world_party(who)->gossip, buf_bytes(&note), from, &taken) != VT_OK)
			busy++;
		buf_release(&note);
	}
	assert_true(n > first + 500);
}

static void junk_leaves_room_for_honest_heads(void **state)
{
	static const char *const other[] = {"192.0.2.2", "192.0.2.3", "2001:db8:1::1"};
	struct note_signer thief = test_signer(WORLD_ORIGIN, VKEY_TYPE_ED25519, 6);
	enum vt_err err = VT_OK;
	struct gossip_taken taken;
	struct buf note;

	(void)state;
	world_join('a', 0, 9, "");
	buf_init(&note);
	/* That is claimed to be of another key of this name: not looked at, and free. */
	for (unsigned i = 0; i < 3000; i++) {
		buf_reset(&note);
		append_by(&note, WORLD_ORIGIN, &thief);
		assert_int_equal(
		    gossip_take(world_party('a')->gossip, buf_bytes(&note), "192.0.2.1", &taken),
		    VT_OK);
		assert_int_equal(taken.unknown, 1);
	}
	/* Of this key, by its name: each costs a verification, of the sender's share. */
	for (unsigned i = 0; i < 3000 && err == VT_OK; i++) {
		buf_reset(&note);
		world_head(&note, 0, 100 + i);
		note.data[note.len - 20] = note.data[note.len - 20] == 'A' ? 'B' : 'A';
		err =
		    gossip_take(world_party('a')->gossip, buf_bytes(&note), "2001:db8::1", &taken);
	}
	assert_int_equal(err, VT_EBUSY);
	buf_reset(&note);
	world_head(&note, 0, 12);
	assert_int_equal(
	    gossip_take(world_party('a')->gossip, buf_bytes(&note), "2001:db8::2", &taken),
	    VT_EBUSY); /* the same customer */
	/* By chance one sender in a thousand shares its row. */
	for (size_t i = 0; i < 3 && err != VT_OK; i++)
		err = gossip_take(world_party('a')->gossip, buf_bytes(&note), other[i], &taken);
	assert_int_equal(err, VT_OK);
	assert_int_equal(taken.kept, 1);
	buf_release(&note);
}

static void a_flood_is_refused_for_a_while(void **state)
{
	enum vt_err err = VT_OK;
	unsigned n = 0;

	(void)state;
	world_join('a', 0, UINT64_MAX - 1, "");
	/* Each is another head, so each costs a verification; the burst of one sender is 125, of all a thousand. */
	for (; n < 100000 && err == VT_OK; n++) {
		struct gossip_taken taken;
		struct buf note;

		buf_init(&note);
		world_head(&note, 0, n);
		err = gossip_take(world_party('a')->gossip, buf_bytes(&note), "test", &taken);
		buf_release(&note);
	}
	assert_int_equal(err, VT_EBUSY);
	assert_true(n > 125 && n < 1000);
	/* Others are heard meanwhile, up to what there is for all. */
	flood_from_many('a', n);
	/* What is known costs nothing. */
	assert_int_equal(show('a', 0, UINT64_MAX - 1).known, 1);
	/* What was seen here is not what others are limited by. */
	struct gossip_taken taken;
	struct buf note;
	buf_init(&note);
	for (unsigned i = 0; i < 3000; i++) {
		buf_reset(&note);
		world_head(&note, 1, 7 + i);
		err = gossip_see(world_party('a')->gossip, buf_bytes(&note), "test", &taken);
		assert_int_equal(err, VT_OK);
	}
	buf_release(&note);
	assert_int_equal(world_evidence(world_party('a')), GOSSIP_EVIDENCE_MAX);
}

static void make_evidence(struct buf *text)
{
	struct buf list;

	buf_init(&list);
	world_join('d', 0, 9, "");
	show('d', 1, 6);
	assert_int_equal(gossip_evidence_list(world_party('d')->gossip, &list), VT_OK);
	assert_int_equal(gossip_evidence(world_party('d')->gossip,
					 bytes_of(list.data, GOSSIP_ID_SIZE - 1), text),
			 VT_OK);
	world_leave('d');
	buf_release(&list);
}

static void evidence_that_proves_nothing_is_refused(void **state)
{
	struct gossip *g;
	char id[GOSSIP_ID_SIZE];
	const char *why = NULL;
	struct buf text;

	(void)state;
	buf_init(&text);
	make_evidence(&text);
	world_join('a', 0, 9, "");
	g = world_party('a')->gossip;
	for (size_t at = 0; at < text.len; at += 5) {
		text.data[at] ^= 1;
		assert_int_not_equal(
		    gossip_take_evidence(g, buf_bytes(&text), "test", id, NULL, &why), VT_OK);
		text.data[at] ^= 1;
	}
	assert_non_null(why);
	assert_int_equal(gossip_take_evidence(g, bytes_of(NULL, 0), "test", id, NULL, NULL),
			 VT_EMALFORMED);
	assert_int_equal(world_evidence(world_party('a')), 0);
	assert_int_equal(world_party('a')->n_alerts, 0);
	buf_release(&text);
}

static void evidence_is_kept_once_and_shown_to_the_trees_owner(void **state)
{
	struct gossip *g;
	char id[GOSSIP_ID_SIZE];
	struct buf text, back;
	bool fresh;

	(void)state;
	buf_init(&text);
	buf_init(&back);
	make_evidence(&text);
	world_join('a', 0, UINT64_MAX, "");
	g = world_party('a')->gossip;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    gossip_take_evidence(g, buf_bytes(&text), "test", id, &fresh, NULL), VT_OK);
		assert_int_equal(fresh, i == 0);
	}
	assert_int_equal(world_alerts(world_party('a'), "evidence"), 1);
	assert_int_equal(world_party('a')->n_observed, 2);
	assert_int_equal(gossip_evidence(g, bytes_str(id), &back), VT_OK);
	assert_true(bytes_equal(buf_bytes(&text), buf_bytes(&back)));
	buf_release(&text);
	buf_release(&back);
}

static void names_from_outside_name_no_file(void **state)
{
	static const char *const id[] = {
	    "",
	    ".",
	    "..",
	    "../heads",
	    "/etc/passwd",
	    "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789",
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    "../../../../../../../../../../../../../../../../../../../../../.."};
	struct buf out;

	(void)state;
	world_join('a', 0, 9, "");
	show('a', 1, 6);
	buf_init(&out);
	for (size_t i = 0; i < sizeof(id) / sizeof(id[0]); i++)
		assert_int_equal(gossip_evidence(world_party('a')->gossip, bytes_str(id[i]), &out),
				 VT_ENOTFOUND);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static void evidence_about_one_log_is_bounded(void **state)
{
	(void)state;
	world_join('a', 0, 60, "");
	for (uint64_t size = 1; size <= 40; size++)
		assert_int_equal(show('a', 1, size).proven, 1);
	assert_int_equal(world_evidence(world_party('a')), GOSSIP_EVIDENCE_MAX);
	assert_int_equal(world_alerts(world_party('a'), "evidence"), GOSSIP_EVIDENCE_MAX);
	assert_int_equal(unresolved('a'), 0);
	world_restart('a', "");
	assert_int_equal(world_evidence(world_party('a')), GOSSIP_EVIDENCE_MAX);
}

static void a_damaged_file_of_evidence_is_left_alone_and_made_again(void **state)
{
	struct buf list, text;
	char path[1024];
	FILE *file;

	(void)state;
	world_join('a', 0, 9, "");
	show('a', 1, 6);
	buf_init(&list);
	buf_init(&text);
	assert_int_equal(gossip_evidence_list(world_party('a')->gossip, &list), VT_OK);
	(void)snprintf(path, sizeof(path), "%s/evidence/%.64s", world_party('a')->folder,
		       (char *)list.data);
	assert_non_null(file = fopen(path, "w"));
	(void)fputs("something else\n", file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(gossip_evidence(world_party('a')->gossip,
					 bytes_of(list.data, GOSSIP_ID_SIZE - 1), &text),
			 VT_EIO);
	world_restart('a', "");
	assert_int_equal(world_evidence(world_party('a')), 0);
	assert_int_equal(show('a', 1, 6).proven, 1);
	assert_int_equal(world_evidence(world_party('a')), 1);
	buf_release(&list);
	buf_release(&text);
}

static void a_damaged_file_of_heads_stops_the_start_and_says_so(void **state)
{
	struct gossip_config config = {0};
	char path[1024], why[GOSSIP_WHY_MAX];
	struct gossip *g;
	FILE *file;

	(void)state;
	world_join('a', 0, 9, "");
	show('a', 0, 12);
	world_leave('a');
	(void)snprintf(path, sizeof(path), "%s/heads", world_party('a')->folder);
	assert_non_null(file = fopen(path, "a"));
	(void)fputs("x", file);
	assert_int_equal(fclose(file), 0);
	config.state_path = world_party('a')->folder;
	assert_int_equal(gossip_new(&g, &config, why), VT_EMISMATCH);
	assert_non_null(strstr(why, "remove both"));
}

static void every_flipped_bit_in_the_file_of_heads_is_noticed(void **state)
{
	struct gossip_config config = {0};
	char path[1024], why[GOSSIP_WHY_MAX];
	struct gossip *g;
	long size;

	(void)state;
	world_join('a', 0, 9, "");
	show('a', 0, 12);
	world_leave('a');
	config.state_path = world_party('a')->folder;
	(void)snprintf(path, sizeof(path), "%s/heads", config.state_path);
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	for (long at = 0; at < size; at++) {
		for (int undo = 0; undo < 2; undo++) {
			assert_int_equal(fseek(file, at, SEEK_SET), 0);
			int byte = fgetc(file);
			assert_int_equal(fseek(file, at, SEEK_SET), 0);
			(void)fputc(byte ^ 1 << at % 8, file);
			(void)fflush(file);
			if (undo == 0)
				assert_int_equal(gossip_new(&g, &config, why), VT_EMISMATCH);
		}
	}
	assert_int_equal(fclose(file), 0);
	assert_int_equal(gossip_new(&g, &config, why), VT_OK);
	gossip_free(g);
}

static void make_folder(char *out, size_t cap, const char *in, const char *name)
{
	assert_true(snprintf(out, cap, "%s%s", in, name) < (int)cap);
	assert_int_equal(mkdir(out, 0700), 0);
}

/* The state folder or that of the copy: there, and empty. */
static void empty_place(struct party *p, bool copy)
{
	char path[600];

	world_remove(copy ? p->copy : p->folder);
	make_folder(path, sizeof(path), copy ? p->copy : p->folder, "");
	if (copy)
		make_folder(path, sizeof(path), p->copy, "/evidence");
}

static void assert_waits_and_proven(struct party *p)
{
	struct standing_list all;

	standing_list_init(&all);
	assert_int_equal(unresolved(p->name[0]), 1);
	assert_int_equal(world_evidence(p), 1);
	assert_stands(p->name[0], "unresolved", 1700000000);
	assert_int_equal(gossip_standing_of_folder(&all, p->folder, p->copy), VT_OK);
	assert_int_equal(all.n, 1);
	assert_string_equal(all.item[0].kind, "unresolved");
	assert_string_equal(all.item[0].origin, WORLD_ORIGIN);
	standing_list_release(&all);
}

static void what_one_place_has_lost_the_other_has(void **state)
{
	const uint64_t before = world_now;
	char path[600];
	struct party *p = world_party('a');

	(void)state;
	world_join('a', 0, 9, "");
	make_folder(p->copy, sizeof(p->copy), p->folder, "-copy");
	make_folder(path, sizeof(path), p->copy, "/evidence");
	show('a', 1, 6); /* kept before there was a copy */
	world_restart('a', "");
	show('a', 0, 12);
	world_now += 600;
	gossip_round(p->gossip);
	/* Each in turn: what was lost is there again by then. */
	for (int turn = 0; turn < 4; turn++) {
		assert_waits_and_proven(p);
		empty_place(p, turn % 2 == 1);
		world_restart('a', "");
		assert_waits_and_proven(p);
		gossip_round(p->gossip);
	}
	world_now = before;
}

static void an_alert_that_was_not_safe_is_told_again(void **state)
{
	(void)state;
	world_join('a', 0, 9, "");
	world_party('a')->deaf = true;
	show('a', 1, 6);
	assert_int_equal(world_evidence(world_party('a')), 1);
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_party('a')->n_alerts, 0);
	world_party('a')->deaf = false;
	/* As after a crash between the file and the alert. */
	world_restart('a', "");
	gossip_round(world_party('a')->gossip);
	world_restart('a', "");
	gossip_round(world_party('a')->gossip);
	assert_int_equal(world_alerts(world_party('a'), "evidence"), 1);
}

/* -- peers ------------------------------------------------------------------------------------------------ */

static void a_peer_that_is_gone_or_talks_nonsense_harms_nobody(void **state)
{
	struct gossip_stats stats;
	char *long_text;

	(void)state;
	world_join('a', 0, 9, "bc");
	world_join('b', 0, 9, "");
	world_join('c', 1, 6, "");
	world_party('b')->gone = true;
	assert_int_equal(gossip_round(world_party('a')->gossip), 1);
	gossip_stats(world_party('a')->gossip, &stats);
	assert_int_equal(stats.peers_failing, 1);
	assert_int_equal(world_evidence(world_party('a')), 1);
	world_party('b')->gone = false;
	world_bends = "neither heads nor a list\nof evidence\n\n\n";
	gossip_round(world_party('a')->gossip);
	/* Names that are no names do not become addresses. */
	world_bends =
	    "../../../../../../../../../../../../../../../../../../../../../.. " WORLD_ORIGIN
	    "\nzzzz " WORLD_ORIGIN "\n";
	world_requests = 0;
	gossip_round(world_party('a')->gossip);
	assert_true(world_requests <= 6);
	assert_non_null(long_text = malloc(3 << 20));
	memset(long_text, 'x', 3 << 20);
	long_text[(3 << 20) - 1] = '\0';
	world_bends = long_text;
	assert_int_equal(gossip_round(world_party('a')->gossip), 2);
	world_bends = NULL;
	assert_int_equal(gossip_round(world_party('a')->gossip), 0);
	assert_int_equal(world_evidence(world_party('a')), 1);
	free(long_text);
}

static void addresses_and_keys_are_checked_at_the_start(void **state)
{
	static const char *const bad[] = {"",         "b",          "ftp://b/",   "http://",
					  "http:///", "http://b c", "http://b?x", "http://b#x"};
	struct vkey witness = test_vkey(WORLD_ORIGIN, VKEY_TYPE_COSIGNATURE_ED25519, 5);
	struct gossip_log log = {.key = &witness};
	char why[GOSSIP_WHY_MAX];
	struct gossip *g;

	(void)state;
	world_join('a', 0, 9, "");
	world_leave('a');
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct gossip_peer peer = {bad[i], GOSSIP_PEER};
		struct gossip_config config = {
		    .state_path = world_party('a')->folder, .peer = &peer, .n_peers = 1};

		if (gossip_new(&g, &config, why) != VT_EINVAL)
			fail_msg("\"%s\" is an address", bad[i]);
		assert_true(why[0] != '\0');
	}
	struct gossip_config config = {
	    .state_path = world_party('a')->folder, .log = &log, .n_logs = 1};
	assert_int_equal(gossip_new(&g, &config, why), VT_EINVAL);
}

static void two_processes_share_a_folder(void **state)
{
	struct gossip_config config = {.state_path = NULL};
	char why[GOSSIP_WHY_MAX];
	struct gossip_log log = {.key = &world_key};
	struct gossip *second;
	struct stat before, after;
	struct gossip_taken taken;
	char path[1024];
	struct buf note;

	(void)state;
	world_join('a', 0, 9, "");
	show('a', 0, 12);
	(void)snprintf(path, sizeof(path), "%s/heads", world_party('a')->folder);
	assert_int_equal(stat(path, &before), 0);
	config.state_path = world_party('a')->folder;
	config.log = &log;
	config.n_logs = 1;
	assert_int_equal(gossip_new(&second, &config, why), VT_OK);
	buf_init(&note);
	world_head(&note, 0, 20);
	assert_int_equal(gossip_take(second, buf_bytes(&note), "test", &taken), VT_OK);
	assert_int_equal(taken.kept, 1);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	gossip_free(second);
	buf_release(&note);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_split_view_is_found_within_one_round),
	    TEST(one_side_that_asks_nobody_learns_it_too),
	    TEST(a_late_fork_is_proven_where_it_begins),
	    TEST(evidence_is_passed_on_once_to_each_peer),
	    TEST(evidence_is_fetched_from_a_peer_that_does_not_push),
	    TEST(a_witness_and_a_log_are_read),
	    TEST(threads_find_it_by_themselves),
	    TEST(growth_is_judged_by_a_thread),
	    TEST(a_consistent_head_is_dropped),
	    TEST(a_head_beyond_the_tree_waits_until_it_grows),
	    TEST(two_roots_of_one_size_are_evidence_without_any_tree),
	    TEST(what_waits_survives_a_restart),
	    TEST(a_head_that_waits_too_long_is_told_once),
	    TEST(a_first_catch_up_is_no_alert),
	    TEST(when_full_it_refuses_and_evicts_nothing),
	    TEST(a_peer_without_room_is_still_heard_and_told),
	    TEST(a_peer_that_has_enough_evidence_is_no_failure),
	    TEST(large_heads_fill_a_log_sooner),
	    TEST(a_log_whose_heads_are_too_large_is_told_of_once),
	    TEST(a_tree_that_cannot_be_read_judges_later),
	    TEST(heads_of_size_zero),
	    TEST(a_hundred_honest_restarts_raise_nothing),
	    TEST(heads_of_nobody_known_are_not_looked_at),
	    TEST(garbage_is_refused_as_a_whole),
	    TEST(a_flood_is_refused_for_a_while),
	    TEST(junk_leaves_room_for_honest_heads),
	    TEST(evidence_that_proves_nothing_is_refused),
	    TEST(evidence_is_kept_once_and_shown_to_the_trees_owner),
	    TEST(names_from_outside_name_no_file),
	    TEST(evidence_about_one_log_is_bounded),
	    TEST(a_damaged_file_of_evidence_is_left_alone_and_made_again),
	    TEST(a_damaged_file_of_heads_stops_the_start_and_says_so),
	    TEST(every_flipped_bit_in_the_file_of_heads_is_noticed),
	    TEST(what_one_place_has_lost_the_other_has),
	    TEST(an_alert_that_was_not_safe_is_told_again),
	    TEST(a_peer_that_is_gone_or_talks_nonsense_harms_nobody),
	    TEST(addresses_and_keys_are_checked_at_the_start),
	    TEST(two_processes_share_a_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
