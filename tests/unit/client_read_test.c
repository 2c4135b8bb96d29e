#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "client.h"
#include "fake_log.h"
#include "http_fetch.h"
#include "json.h"
#include "test_policy.h"

static struct policy *policy;
static struct client *client;
static struct why why;

/* What the client waited for, instead of waiting. */
static _Atomic unsigned waits; /* a stream's threads wait too */
static uint64_t waited[64];
static bool impatient;

static bool note_wait(void *ctx, uint64_t millis, const char *reason)
{
	unsigned i = waits++;

	(void)ctx;
	assert_true(reason[0] != '\0');
	if (i < 64)
		waited[i] = millis;
	return !impatient;
}

static void open_with(const char *policy_template, const struct client_config *config)
{
	struct client_config whole = *config;
	struct policy_error reason;
	struct buf text;

	buf_init(&text);
	client_free(client);
	policy_free(policy);
	test_policy_text(&text, policy_template);
	if (policy_parse(&policy, buf_bytes(&text), &reason) != VT_OK)
		fail_msg("line %zu: %s", reason.line, reason.text);
	buf_release(&text);
	whole.policy = policy;
	whole.wait = note_wait;
	if (whole.url == NULL)
		whole.url = FAKE_LOG_URL "/";
	assert_int_equal(client_new(&client, &whole, &why), VT_OK);
	waits = 0;
	impatient = false;
}

#define OPEN(...)                                                                                  \
	open_with("log $La\nquorum none\n", &(struct client_config){.url = NULL, __VA_ARGS__})

static int set_up(void **state)
{
	(void)state;
	fake_log_reset('a');
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	client_free(client);
	policy_free(policy);
	client = NULL;
	policy = NULL;
	fake_log_release();
	return 0;
}

static void assert_ok(enum vt_err err)
{
	if (err != VT_OK)
		fail_msg("%s: %s", vt_err_text(err), why.text);
}

static void assert_says(const char *text)
{
	if (strstr(why.text, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, text);
}

static void publish_and_refresh(void)
{
	fake_log_publish();
	assert_ok(client_refresh(client, &why));
}

static bool heads_agree(void)
{
	struct tree_head real = fake_log_head_at(client_head(client)->size);

	return tree_head_equal(&real, client_head(client));
}

/* -- reading ---------------------------------------------------------------------------------- */

static void an_empty_log_has_a_head_and_nothing_else(void **state)
{
	(void)state;
	struct merkle_hash hash;
	struct merkle_proof proof;
	struct buf entry;

	buf_init(&entry);
	OPEN();
	assert_null(client_log(client));
	assert_string_equal(client_origin(client), "");
	assert_int_equal(client_checkpoint(client).len, 0);
	assert_ok(client_refresh(client, &why));
	assert_int_equal(client_head(client)->size, 0);
	assert_true(heads_agree());
	assert_string_equal(client_origin(client), "la.example");
	assert_ptr_equal(client_log(client), policy_log(policy, 0));
	assert_true(bytes_equal(client_checkpoint(client), fake_log_checkpoint()));
	assert_int_equal(client_leaf(&hash, client, 0, &why), VT_EINVAL);
	assert_says("0 is beyond the tree of 0 leaves");
	assert_int_equal(client_inclusion(&proof, client, 0, &why), VT_EINVAL);
	assert_int_equal(client_entry(&entry, client, 0, &why), VT_EINVAL);
	assert_ok(client_consistency(&proof, client, 0, &why));
	assert_int_equal(proof.n, 0);
	assert_ok(client_root_at(&hash, client, 0, &why));
	assert_int_equal(client_root_at(&hash, client, 1, &why), VT_EINVAL);
	assert_ok(client_entries(client, 0, 0, NULL, NULL, &why));
	assert_int_equal(client_entries(client, 0, 1, NULL, NULL, &why), VT_EINVAL);
	assert_int_equal(fake_log_requests(), 1);
	buf_release(&entry);
}

/* A leaf, its proof and its entry against what the fake log knows by itself. */
static void check_index(uint64_t index)
{
	struct merkle_hasher h;
	struct merkle_hash leaf, real;
	struct merkle_proof proof;
	struct buf entry;

	buf_init(&entry);
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_ok(client_entry(&entry, client, index, &why));
	assert_true(bytes_equal(buf_bytes(&entry), fake_log_entry(index)));
	assert_ok(client_leaf(&leaf, client, index, &why));
	assert_int_equal(merkle_hash_leaf(&real, &h, fake_log_entry(index)), VT_OK);
	assert_true(merkle_hash_equal(&leaf, &real));
	assert_ok(client_inclusion(&proof, client, index, &why));
	assert_int_equal(proof_verify_inclusion(&h, &proof, index, &leaf, client_head(client)),
			 VT_OK);
	merkle_hasher_release(&h);
	buf_release(&entry);
}

static void check_consistency_with(struct tree_head before)
{
	struct merkle_hasher h;
	struct merkle_proof proof;
	struct merkle_hash root;

	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_ok(client_consistency(&proof, client, before.size, &why));
	assert_int_equal(proof_verify_consistency(&h, &proof, &before, client_head(client)), VT_OK);
	assert_ok(client_root_at(&root, client, before.size, &why));
	assert_true(merkle_hash_equal(&root, &before.root));
	merkle_hasher_release(&h);
}

static const uint64_t sizes[] = {1, 2, 255, 256, 257, 511, 512, 600, 65535, 65536, 65537, 66000};
enum {
	N_SIZES = sizeof(sizes) / sizeof(sizes[0]),
};

static void a_growing_log_is_read_with_proofs_at_every_size(void **state)
{
	(void)state;
	struct tree_head head[N_SIZES];

	OPEN();
	for (size_t i = 0; i < N_SIZES; i++) {
		uint64_t size = sizes[i];

		fake_log_grow(size, "one");
		publish_and_refresh();
		assert_int_equal(client_head(client)->size, size);
		head[i] = fake_log_head_at(size);
		assert_true(tree_head_equal(client_head(client), &head[i]));
		for (size_t k = 0; k <= i; k++) {
			check_index(sizes[k] - 1);
			check_consistency_with(head[k]);
		}
		check_index(size / 2);
		check_index(size / 3);
	}
	assert_int_equal(waits, 0);
}

static void a_cache_of_nothing_but_a_few_tiles_is_enough(void **state)
{
	(void)state;
	OPEN(.cache_bytes = 1);
	fake_log_grow(66000, "one");
	publish_and_refresh();
	for (uint64_t i = 0; i < 66000; i += 1999)
		check_index(i);
	check_consistency_with(fake_log_head_at(12345));
}

static void tiles_are_fetched_once(void **state)
{
	(void)state;
	struct merkle_hash leaf;
	unsigned before;

	OPEN();
	fake_log_grow(3000, "one");
	publish_and_refresh();
	for (uint64_t i = 0; i < 3000; i++)
		assert_ok(client_leaf(&leaf, client, i, &why));
	for (unsigned i = 0; i < 11; i++) {
		char path[32];

		snprintf(path, sizeof(path), "/tile/0/%03u", i);
		assert_int_equal(fake_log_requests_of(path), 1);
	}
	/* Also under the next head: a parent's hash is enough to trust them again. */
	fake_log_grow(3001, "one");
	publish_and_refresh();
	before = fake_log_requests();
	for (uint64_t i = 0; i < 3001; i++)
		assert_ok(client_leaf(&leaf, client, i, &why));
	assert_int_equal(fake_log_requests(), before);
	/* Neighbouring entries come from one bundle. */
	for (uint64_t i = 512; i < 768; i++)
		check_index(i);
	assert_int_equal(fake_log_requests_of("/tile/entries/002"), 1);
}

static void partial_tiles_are_gone(unsigned status)
{
	OPEN();
	fake_log_grow(70000, "one");
	fake_log_publish_at(65537 + 44, "");
	fake_log_prune_partials(status);
	assert_ok(client_refresh(client, &why));
	assert_int_equal(fake_log_requests_of("/tile/0/256.p/45"), 1);
	assert_int_equal(fake_log_requests_of("/tile/0/256"), 1);
	check_index(65537);
	assert_int_equal(fake_log_requests_of("/tile/entries/256.p/45"), 1);
	assert_int_equal(fake_log_requests_of("/tile/entries/256"), 1);
	check_consistency_with(fake_log_head_at(65536));
}

static void a_partial_tile_that_is_gone_is_found_in_the_full_one(void **state)
{
	(void)state;
	partial_tiles_are_gone(404);
}

/* So answers an object store whose readers may not list what it has. */
static void a_partial_tile_that_is_forbidden_is_found_in_the_full_one(void **state)
{
	(void)state;
	partial_tiles_are_gone(403);
}

/* -- entries in a stream ---------------------------------------------------------------------- */

struct visited {
	uint64_t next, stop_at;
	bool ask_more;
};

static enum vt_err visit(void *ctx, uint64_t index, struct bytes entry,
			 const struct merkle_hash *leaf)
{
	struct visited *v = ctx;
	struct merkle_hash real;

	assert_int_equal(index, v->next++);
	assert_true(bytes_equal(entry, fake_log_entry(index)));
	if (v->ask_more) {
		assert_ok(client_leaf(&real, client, index, &why));
		assert_true(merkle_hash_equal(leaf, &real));
		check_index(index * 7919 % client_head(client)->size);
		assert_int_equal(client_entries(client, 0, 1, visit, ctx, &why), VT_EINVAL);
	}
	return index == v->stop_at ? VT_ECONFLICT : VT_OK;
}

static void entries_come_in_order_from_any_place_to_any_other(void **state)
{
	(void)state;
	static const uint64_t places[] = {0, 1, 255, 256, 257, 1023, 1024, 2999, 3000};

	for (unsigned parallel = 1; parallel <= 16; parallel += 5) {
		OPEN(.parallel = parallel);
		fake_log_grow(3000, "one");
		publish_and_refresh();
		for (size_t i = 0; i < 9; i++) {
			for (size_t k = i; k < 9; k++) {
				struct visited v = {.next = places[i], .stop_at = UINT64_MAX};

				assert_ok(
				    client_entries(client, places[i], places[k], visit, &v, &why));
				assert_int_equal(v.next, places[k]);
			}
		}
	}
	assert_int_equal(client_entries(client, 5, 4, visit, NULL, &why), VT_EINVAL);
	assert_int_equal(client_entries(client, 0, 3001, visit, NULL, &why), VT_EINVAL);
}

static void a_visitor_may_stop_and_may_ask_the_client(void **state)
{
	(void)state;
	struct visited v = {.next = 100, .stop_at = 1500};

	OPEN(.cache_bytes = 1);
	fake_log_grow(20000, "one");
	publish_and_refresh();
	assert_int_equal(client_entries(client, 100, 20000, visit, &v, &why), VT_ECONFLICT);
	assert_int_equal(v.next, 1501);
	v = (struct visited){.next = 19000, .stop_at = UINT64_MAX, .ask_more = true};
	assert_ok(client_entries(client, 19000, 20000, visit, &v, &why));
	assert_int_equal(v.next, 20000);
}

static void a_stream_survives_answers_of_not_now(void **state)
{
	(void)state;
	struct visited v = {.next = 0, .stop_at = UINT64_MAX};

	OPEN(.parallel = 3);
	fake_log_grow(2000, "one");
	publish_and_refresh();
	fake_log_fault(
	    &(struct fake_fault){.path = "/tile/entries/003", .times = 2, .status = 503});
	fake_log_fault(&(struct fake_fault){.path = "/tile/0/005", .times = 2, .status = 0});
	assert_ok(client_entries(client, 0, 2000, visit, &v, &why));
	assert_int_equal(v.next, 2000);
	assert_int_equal(waits, 4);
}

/* -- lies ------------------------------------------------------------------------------------- */

/* Each bit of one answer of each kind, wherever the client asks for it. */
static void no_flipped_bit_is_believed(void **state)
{
	(void)state;
	static const struct {
		const char *path;
		size_t bytes, step;
		bool at_refresh; /* where it is asked for; otherwise reading entry 3 shows it */
	} cases[] = {
	    {"/tile/0/002.p/88", 88 * 32, 61, true},
	    {"/tile/1/000.p/2", 2 * 32, 1, true},
	    {"/tile/0/000", 8192, 601, false},
	    {"/tile/entries/000", 4498, 151, false},
	};
	fake_log_grow(600, "one");
	fake_log_publish();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t bit = 0; bit < cases[i].bytes * 8; bit += cases[i].step) {
			struct buf entry;
			enum vt_err err;

			buf_init(&entry);
			OPEN();
			fake_log_fault(&(struct fake_fault){
			    .path = cases[i].path, .times = 1, .status = 200, .flip_bit = bit + 1});
			err = client_refresh(client, &why);
			if (cases[i].at_refresh) {
				assert_int_equal(err, VT_EMISMATCH);
				assert_says("do not make the root");
				assert_null(client_log(client));
			} else {
				assert_int_equal(err, VT_OK);
				err = client_entry(&entry, client, 3, &why);
				assert_true(err == VT_EMISMATCH || err == VT_EMALFORMED);
				assert_int_equal(entry.len, 0);
				/* And the next, honest answer is. */
				assert_ok(client_entry(&entry, client, 3, &why));
			}
			buf_release(&entry);
			fake_log_mend();
		}
	}
}

static void a_stream_stops_at_the_lie(void **state)
{
	(void)state;
	static const struct {
		struct fake_fault fault;
		enum vt_err err;
		const char *says;
		uint64_t seen;
	} cases[] = {
	    {{.path = "/tile/entries/002", .flip_bit = 100 * 18 * 8},
	     VT_EMISMATCH,
	     "does not hash to the leaf",
	     512},
	    {{.path = "/tile/0/003", .flip_bit = 77},
	     VT_EMISMATCH,
	     "/tile/0/003 does not hash to what the tile above it says",
	     768},
	    {{.path = "/tile/entries/001", .append = "x"},
	     VT_EMALFORMED,
	     "something follows entry 511",
	     256},
	    {{.path = "/tile/entries/001", .cut = 1}, VT_EMALFORMED, "ends before entry 511", 256},
	    {{.path = "/tile/0/001", .cut = 32},
	     VT_EMALFORMED,
	     "8160 bytes long, expected 8192",
	     256},
	    {{.path = "/tile/0/001", .append = "x"}, VT_ELIMIT, "over 8192 bytes", 256},
	    {{.path = "/tile/entries/007.p/208", .append = "xx"},
	     VT_EMALFORMED,
	     "something follows entry 1999",
	     1792},
	    {{.path = "/tile/entries/004", .status = 404}, VT_ENOTFOUND, "/tile/entries/004", 1024},
	    {{.path = "/tile/entries/004", .status = 500},
	     VT_EIO,
	     "HTTP 500, internal error",
	     1024},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct visited v = {.next = 0, .stop_at = UINT64_MAX};
		struct fake_fault fault = cases[i].fault;

		fake_log_reset('a');
		OPEN();
		fake_log_grow(2000, "one");
		publish_and_refresh();
		fault.times = 1;
		if (fault.status == 0)
			fault.status = 200;
		fake_log_fault(&fault);
		assert_int_equal(client_entries(client, 0, 2000, visit, &v, &why), cases[i].err);
		assert_int_equal(v.next, cases[i].seen);
		assert_says(cases[i].says);
	}
}

/* -- heads ------------------------------------------------------------------------------------ */

static void only_a_checkpoint_that_the_policy_accepts_is_taken(void **state)
{
	(void)state;
	struct buf other;

	buf_init(&other);
	fake_log_grow(10, "one");
	fake_log_publish();

	open_with("log $Lb\nquorum none\n", &(struct client_config){0});
	assert_int_equal(client_refresh(client, &why), VT_EUNTRUSTED);
	assert_says("the checkpoint does not hold: it is a checkpoint of 'la.example', which is no "
		    "log of the policy");

	open_with("log $La\nlog $Lb\nquorum none\n",
		  &(struct client_config){.origin = "lb.example"});
	assert_int_equal(client_refresh(client, &why), VT_EUNTRUSTED);
	assert_says("this is the log la.example, and lb.example was expected");

	open_with("log $La\nwitness wx $Wx\nwitness wy $Wy\nwitness wz $Wz\n"
		  "group two 2 wx wy wz\nquorum two\n",
		  &(struct client_config){0});
	fake_log_publish_at(10, "y");
	assert_int_equal(client_refresh(client, &why), VT_EMISMATCH);
	assert_says("the quorum is missing: 'two' has 1 of the 2 that it needs (cosigned: wy; "
		    "not: wx, wz)");
	fake_log_publish_at(10, "yz");
	assert_ok(client_refresh(client, &why));
	assert_int_equal(client_head(client)->size, 10);

	/* Any bit of it. */
	OPEN();
	size_t len = fake_log_checkpoint().len;
	for (size_t bit = 0; bit < len * 8; bit += 5) {
		enum vt_err err;

		fake_log_mend();
		fake_log_publish_at(10, "yz");
		fake_log_fault(&(struct fake_fault){
		    .path = "/checkpoint", .times = 1, .status = 200, .flip_bit = bit + 1});
		err = client_refresh(client, &why);
		/* Witnesses that this policy does not know are as good as absent. */
		if (err == VT_OK)
			assert_true(heads_agree());
		else
			assert_true(err == VT_EUNTRUSTED || err == VT_EMISMATCH ||
				    err == VT_EMALFORMED);
		assert_false(client_last_forked(client));
	}
	fake_log_serve_checkpoint(bytes_str("<html>welcome</html>\n"));
	assert_int_equal(client_refresh(client, &why), VT_EMALFORMED);
	assert_says("is this a log's address?");
	buf_release(&other);
}

static void a_bad_signature_is_not_taken_for_a_missing_quorum(void **state)
{
	(void)state;
	struct buf text;
	struct bytes good;

	buf_init(&text);
	fake_log_grow(10, "one");
	fake_log_publish_at(10, "y");
	good = fake_log_checkpoint();
	assert_int_equal(buf_append(&text, good), VT_OK);
	/* Near the end of the witness's signature. */
	text.data[text.len - 8] = text.data[text.len - 8] == 'A' ? 'B' : 'A';
	fake_log_serve_checkpoint(buf_bytes(&text));
	open_with("log $La\nwitness wy $Wy\nquorum wy\n", &(struct client_config){0});
	assert_int_equal(client_refresh(client, &why), VT_EMISMATCH);
	assert_says("does not verify");
	buf_release(&text);
}

static void a_client_stays_with_one_log(void **state)
{
	(void)state;
	open_with("log $La\nlog $Lb\nquorum none\n", &(struct client_config){0});
	fake_log_grow(5, "one");
	publish_and_refresh();
	fake_log_reset('b');
	fake_log_grow(6, "one");
	fake_log_publish();
	assert_int_equal(client_refresh(client, &why), VT_EUNTRUSTED);
	assert_says("of the log lb.example, and this was la.example so far");
	assert_int_equal(client_head(client)->size, 5);
}

/* Another history from `fork_at` on, seen at size `then` by a client whose head is at `now`. */
static void assert_fork_is_noticed(uint64_t now, uint64_t fork_at, uint64_t then)
{
	struct tree_head before;

	fake_log_reset('a');
	OPEN();
	fake_log_grow(now, "one");
	publish_and_refresh();
	for (uint64_t i = 0; i < now; i += 100)
		check_index(i); /* warm caches: what they hold belongs to the first history */
	before = *client_head(client);
	fake_log_cut(fork_at);
	fake_log_grow(then, "two");
	fake_log_publish();
	assert_int_equal(client_refresh(client, &why), VT_EMISMATCH);
	assert_says("signed two histories");
	assert_true(client_last_forked(client));
	assert_true(bytes_equal(client_last_answer(client), fake_log_checkpoint()));
	assert_true(tree_head_equal(client_head(client), &before));
	/* The first history goes on being read as it was. */
	fake_log_cut(fork_at);
	fake_log_grow(now, "one");
	for (uint64_t i = 0; i < now; i += 57)
		check_index(i);
}

static void two_histories_are_noticed_wherever_they_part(void **state)
{
	(void)state;
	static const uint64_t places[] = {1, 2, 255, 256, 257, 600, 1024};

	for (size_t now = 0; now < 7; now++) {
		for (size_t then = 0; then < 7; then++) {
			uint64_t least = places[now] < places[then] ? places[now] : places[then];

			assert_fork_is_noticed(places[now], 0, places[then]);
			assert_fork_is_noticed(places[now], least - 1, places[then]);
			assert_fork_is_noticed(places[now], least / 2, places[then]);
		}
	}
}

static void an_older_checkpoint_leaves_the_head_where_it_is(void **state)
{
	(void)state;
	struct buf kept;
	bool forked = true;

	buf_init(&kept);
	OPEN();
	fake_log_grow(700, "one");
	publish_and_refresh();
	fake_log_publish_at(300, "");
	assert_ok(client_refresh(client, &why));
	assert_int_equal(client_head(client)->size, 700);
	fake_log_publish_at(0, "");
	assert_ok(client_refresh(client, &why));
	assert_int_equal(client_head(client)->size, 700);
	/* Handed in from outside it is held to the same. */
	fake_log_publish_at(300, "");
	assert_int_equal(buf_append(&kept, fake_log_checkpoint()), VT_OK);
	assert_ok(client_adopt(client, buf_bytes(&kept), &forked, &why));
	assert_false(forked);
	assert_int_equal(client_head(client)->size, 700);
	buf_release(&kept);
}

static void the_same_head_again_brings_its_cosignatures(void **state)
{
	(void)state;
	unsigned before;

	OPEN();
	fake_log_grow(700, "one");
	publish_and_refresh();
	before = fake_log_requests();
	fake_log_publish_at(700, "wx");
	assert_ok(client_refresh(client, &why));
	assert_true(bytes_equal(client_checkpoint(client), fake_log_checkpoint()));
	/* The right edge is there already; only the full tile's hash is looked at. */
	assert_int_equal(fake_log_requests(), before + 1);
}

static void a_head_that_was_kept_can_begin(void **state)
{
	(void)state;
	struct buf kept;

	buf_init(&kept);
	fake_log_grow(700, "one");
	fake_log_publish_at(400, "");
	assert_int_equal(buf_append(&kept, fake_log_checkpoint()), VT_OK);
	OPEN();
	assert_ok(client_adopt(client, buf_bytes(&kept), NULL, &why));
	assert_int_equal(client_head(client)->size, 400);
	assert_true(heads_agree());
	publish_and_refresh();
	assert_int_equal(client_head(client)->size, 700);
	check_index(699);
	buf_release(&kept);
}

/* -- patience --------------------------------------------------------------------------------- */

static void not_now_is_asked_again_after_the_pause_that_was_asked_for(void **state)
{
	(void)state;
	OPEN();
	fake_log_fault(&(struct fake_fault){
	    .path = "/checkpoint", .times = 2, .status = 429, .retry_after = 7});
	fake_log_fault(&(struct fake_fault){.path = "/checkpoint", .times = 1, .status = 503});
	assert_ok(client_refresh(client, &why));
	assert_int_equal(fake_log_requests(), 4);
	assert_int_equal(waits, 3);
	assert_in_range(waited[0], 7000, 7000 + 250);
	assert_in_range(waited[1], 7000, 7000 + 500);
	assert_in_range(waited[2], 1000, 2000);
}

static void pauses_grow_and_end_with_the_deadline(void **state)
{
	(void)state;
	uint64_t sum = 0, longest = 500;

	OPEN(.read_seconds = 200);
	fake_log_fault(&(struct fake_fault){
	    .path = "/checkpoint",
	    .times = 1000,
	    .status = 503,
	    .content_type = "application/problem+json",
	    .body =
		"{\"type\":\"urn:vitrine:problem:busy\",\"title\":\"Busy\",\"detail\":\"full\"}"});
	assert_int_equal(client_refresh(client, &why), VT_EBUSY);
	assert_says("Busy: full (HTTP 503, urn:vitrine:problem:busy) (asked ");
	assert_in_range(waits, 9, 20);
	for (unsigned i = 0; i < waits; i++) {
		assert_in_range(waited[i], longest / 2, longest);
		longest = longest * 2 > 30000 ? 30000 : longest * 2;
		sum += waited[i];
	}
	assert_true(sum <= 200000);
	assert_true(sum >= 170000);
}

static void a_pause_beyond_the_deadline_is_not_begun(void **state)
{
	(void)state;
	OPEN();
	fake_log_fault(&(struct fake_fault){
	    .path = "/checkpoint", .times = 1, .status = 503, .retry_after = 61});
	assert_int_equal(client_refresh(client, &why), VT_EBUSY);
	assert_int_equal(waits, 0);
	fake_log_fault(&(struct fake_fault){
	    .path = "/checkpoint", .times = 1, .status = 503, .retry_after = UINT32_MAX});
	assert_int_equal(client_refresh(client, &why), VT_EBUSY);
	assert_int_equal(waits, 0);
	assert_ok(client_refresh(client, &why));
}

static void nobody_there_is_asked_four_times_or_until_the_deadline(void **state)
{
	(void)state;
	OPEN();
	fake_log_fault(&(struct fake_fault){.path = "/checkpoint", .times = 3, .status = 0});
	assert_ok(client_refresh(client, &why));
	fake_log_fault(&(struct fake_fault){.path = "/checkpoint", .times = 4, .status = 0});
	assert_int_equal(client_refresh(client, &why), VT_EIO);
	assert_says("/checkpoint: the connection was refused (asked 4 times)");
	assert_int_equal(waits, 6);
	OPEN(.keep_trying = true);
	fake_log_fault(&(struct fake_fault){.path = "/checkpoint", .times = 6, .status = 0});
	assert_ok(client_refresh(client, &why));
	assert_int_equal(waits, 6);
}

static void whoever_waits_can_give_up(void **state)
{
	(void)state;
	OPEN();
	impatient = true;
	fake_log_fault(&(struct fake_fault){.path = "/checkpoint", .times = 9, .status = 503});
	assert_int_equal(client_refresh(client, &why), VT_EBUSY);
	assert_int_equal(waits, 1);
	assert_says("(asked 1 time)");
}

static void other_refusals_are_final(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		enum vt_err err;
	} cases[] = {{301, VT_EIO},       {400, VT_EIO}, {403, VT_EIO}, {404, VT_ENOTFOUND},
		     {410, VT_ENOTFOUND}, {418, VT_EIO}, {500, VT_EIO}, {204, VT_EIO}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_log_reset('a');
		OPEN();
		fake_log_fault(&(struct fake_fault){
		    .path = "/checkpoint", .times = 1, .status = cases[i].status});
		assert_int_equal(client_refresh(client, &why), cases[i].err);
		assert_int_equal(fake_log_requests(), 1);
	}
}

/* -- the rest --------------------------------------------------------------------------------- */

static void refusals_become_one_printable_line(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *content_type, *body, *line;
	} cases[] = {
	    {404, "", "", "HTTP 404, not found"},
	    {404, "text/plain", "no such tile\nmore", "HTTP 404, not found: no such tile"},
	    {502, "text/html", "<html>", "HTTP 502, bad gateway"},
	    {502, "text/html; charset=utf-8", "oops", "HTTP 502, bad gateway"},
	    {302, "", "",
	     "HTTP 302, moved; redirects are not followed, give the address that it "
	     "moved to"},
	    {599, "", "", "HTTP 599, unexpected status"},
	    {422, "application/problem+json",
	     "{\"title\":\"T\",\"detail\":\"D\",\"type\":\"urn:x\"}", "T: D (HTTP 422, urn:x)"},
	    {422, "application/problem+json; charset=utf-8", "{\"title\":\"T\"}", "T (HTTP 422)"},
	    {422, "application/problem+json", "{\"detail\":\"D\"}", "D (HTTP 422)"},
	    {422, "application/problem+json", "{\"title\":7}", "HTTP 422, refused: {\"title\":7}"},
	    {422, "application/problem+json", "not JSON", "HTTP 422, refused: not JSON"},
	    {400, "application/problem+json", "{\"title\":\"a\\u001b[31m\\nb\"}",
	     "a\\x1b[31m\\x0ab (HTTP 400)"},
	    {400, "text/plain", "a\033[31m", "HTTP 400, bad request: a\\x1b[31m"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_reply reply;
		char line[300];

		http_reply_init(&reply);
		reply.status = cases[i].status;
		snprintf(reply.content_type, sizeof(reply.content_type), "%s",
			 cases[i].content_type);
		assert_int_equal(buf_append_str(&reply.body, cases[i].body), VT_OK);
		client_explain(line, sizeof(line), &reply);
		assert_string_equal(line, cases[i].line);
		client_explain(line, 8, &reply);
		assert_int_equal(strlen(line), 7);
		http_reply_release(&reply);
	}
}

static void addresses_that_paths_cannot_follow_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {"",
					  "log.example",
					  "ftp://log.example",
					  "https://",
					  "https:///",
					  "http://log.example/?x=1",
					  "http://log.example/#a",
					  "http://log example",
					  "http://log.example/\n"};
	struct client *c;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(client_new(&c, &(struct client_config){.url = bad[i]}, &why),
				 VT_EINVAL);
		assert_null(c);
		assert_says("not the address of a log");
	}
}

static void api_answers_are_json_or_refused(void **state)
{
	(void)state;
	struct json *j;
	struct buf body;

	buf_init(&body);
	OPEN(.parallel = 1);
	fake_log_fault(&(struct fake_fault){
	    .path = "/api/v1/x?a=b", .times = 2, .status = 200, .body = "{\"n\":1}"});
	assert_ok(client_get_json(&j, client, "/api/v1/x?a=b", 100, &why));
	assert_int_equal(json_count(j), 1);
	json_free(j);
	assert_ok(client_get(&body, client, "/api/v1/x?a=b", NULL, 100, &why));
	assert_true(bytes_is(buf_bytes(&body), "{\"n\":1}"));
	fake_log_fault(
	    &(struct fake_fault){.path = "/api/v1/x", .times = 1, .status = 200, .body = "{n:1}"});
	assert_int_equal(client_get_json(&j, client, "/api/v1/x", 100, &why), VT_EMALFORMED);
	assert_null(j);
	assert_says("not JSON at byte");
	fake_log_fault(&(struct fake_fault){
	    .path = "/api/v1/x", .times = 1, .status = 200, .body = "{\"n\":1}"});
	assert_int_equal(client_get_json(&j, client, "/api/v1/x", 6, &why), VT_ELIMIT);
	assert_int_equal(client_get_json(&j, client, "/api/v1/y", 6, &why), VT_ENOTFOUND);
	buf_release(&body);
}

static enum vt_err read_a_little(void)
{
	struct client_config config = {.url = FAKE_LOG_URL, .policy = policy, .wait = note_wait};
	struct merkle_proof proof;
	struct client *c = NULL;
	struct buf entry;
	enum vt_err err;

	buf_init(&entry);
	if ((err = client_new(&c, &config, &why)) != VT_OK ||
	    (err = client_refresh(c, &why)) != VT_OK ||
	    (err = client_entry(&entry, c, 3, &why)) != VT_OK ||
	    (err = client_inclusion(&proof, c, 3, &why)) != VT_OK)
		goto done;
	assert_true(bytes_equal(buf_bytes(&entry), fake_log_entry(3)));
done:
	client_free(c);
	buf_release(&entry);
	return err;
}

static void every_failed_allocation_is_reported_as_one(void **state)
{
	(void)state;
	OPEN();
	fake_log_grow(600, "one");
	fake_log_publish();
	for (unsigned n = 1;; n++) {
		enum vt_err err;

		alloc_fail_at(n);
		err = read_a_little();
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			assert_true(n > 5);
			break;
		}
		assert_int_equal(err, VT_ENOMEM);
	}
}

/* Entry 0 of a log of records begins like this. */
static const char envelope[] =
    "{\"payload\":\"e30=\",\"payloadType\":"
    "\"application/vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\"}]}";

static enum vt_err ask_what_it_holds(bool *records)
{
	struct client_config config = {.url = FAKE_LOG_URL, .policy = policy, .wait = note_wait};
	struct client *c = NULL;
	enum vt_err err;

	if ((err = client_new(&c, &config, &why)) == VT_OK &&
	    (err = client_refresh(c, &why)) == VT_OK)
		err = client_holds_records(records, c, bytes_of(NULL, 0), &why);
	client_free(c);
	return err;
}

static void entry_0_says_whether_a_log_holds_records(void **state)
{
	(void)state;
	bool records = true;

	fake_log_grow(2, "one");
	fake_log_publish();
	OPEN();
	assert_ok(client_refresh(client, &why));
	assert_ok(client_holds_records(&records, client, bytes_of(NULL, 0), &why));
	assert_false(records);
	/* Who knows the centre does not ask the log. */
	assert_ok(client_holds_records(&records, client, bytes_str("a key"), &why));
	assert_true(records);

	fake_log_cut(0);
	fake_log_add(bytes_str(envelope));
	fake_log_publish();
	OPEN();
	assert_ok(client_refresh(client, &why));
	records = false;
	assert_ok(client_holds_records(&records, client, bytes_of(NULL, 0), &why));
	assert_true(records);
}

static void no_memory_does_not_make_a_log_raw(void **state)
{
	(void)state;

	OPEN();
	fake_log_add(bytes_str(envelope));
	fake_log_publish();
	for (unsigned n = 1;; n++) {
		bool records = false;
		enum vt_err err;

		alloc_fail_at(n);
		err = ask_what_it_holds(&records);
		if (!alloc_failed()) {
			assert_ok(err);
			assert_true(records);
			assert_true(n > 5);
			break;
		}
		assert_int_equal(err, VT_ENOMEM);
	}
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LOG(an_empty_log_has_a_head_and_nothing_else),
	    WITH_LOG(a_growing_log_is_read_with_proofs_at_every_size),
	    WITH_LOG(a_cache_of_nothing_but_a_few_tiles_is_enough),
	    WITH_LOG(tiles_are_fetched_once),
	    WITH_LOG(a_partial_tile_that_is_gone_is_found_in_the_full_one),
	    WITH_LOG(a_partial_tile_that_is_forbidden_is_found_in_the_full_one),
	    WITH_LOG(entries_come_in_order_from_any_place_to_any_other),
	    WITH_LOG(a_visitor_may_stop_and_may_ask_the_client),
	    WITH_LOG(a_stream_survives_answers_of_not_now),
	    WITH_LOG(no_flipped_bit_is_believed),
	    WITH_LOG(a_stream_stops_at_the_lie),
	    WITH_LOG(only_a_checkpoint_that_the_policy_accepts_is_taken),
	    WITH_LOG(a_bad_signature_is_not_taken_for_a_missing_quorum),
	    WITH_LOG(a_client_stays_with_one_log),
	    WITH_LOG(two_histories_are_noticed_wherever_they_part),
	    WITH_LOG(an_older_checkpoint_leaves_the_head_where_it_is),
	    WITH_LOG(the_same_head_again_brings_its_cosignatures),
	    WITH_LOG(a_head_that_was_kept_can_begin),
	    WITH_LOG(not_now_is_asked_again_after_the_pause_that_was_asked_for),
	    WITH_LOG(pauses_grow_and_end_with_the_deadline),
	    WITH_LOG(a_pause_beyond_the_deadline_is_not_begun),
	    WITH_LOG(nobody_there_is_asked_four_times_or_until_the_deadline),
	    WITH_LOG(whoever_waits_can_give_up),
	    WITH_LOG(other_refusals_are_final),
	    WITH_LOG(refusals_become_one_printable_line),
	    WITH_LOG(addresses_that_paths_cannot_follow_are_refused),
	    WITH_LOG(api_answers_are_json_or_refused),
	    WITH_LOG(every_failed_allocation_is_reported_as_one),
	    WITH_LOG(entry_0_says_whether_a_log_holds_records),
	    WITH_LOG(no_memory_does_not_make_a_log_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
