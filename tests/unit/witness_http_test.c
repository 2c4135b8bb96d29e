/* What a witness says over HTTP beside the cases of tests/vectors/witness. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "add_checkpoint.h"
#include "logline.h"
#include "scratch.h"
#include "vitrine_test.h"
#include "witness_log.h"
#include "witness_server.h"

#define ORIGIN "log.example/one"

struct world {
	struct witness_log log;
	struct witness_server server;
	struct raw_reply r;
	struct buf body;
};

static void start(struct world *w, double rate)
{
	struct buf policy;
	char *text;

	scratch_clear();
	memset(w, 0, sizeof(*w));
	witness_log_init(&w->log, ORIGIN, 1);
	witness_log_add(&w->log, 20, 1);
	buf_init(&policy);
	witness_log_policy_line(&policy, &w->log);
	assert_int_equal(buf_append_str(&policy, "quorum none\n"), VT_OK);
	text = buf_detach_str(&policy);
	witness_server_start(&w->server, "witness.example/w", text, rate);
	free(text);
}

static int setup(void **state)
{
	static struct world w;

	start(&w, 0);
	*state = &w;
	return 0;
}

static int setup_limited(void **state)
{
	static struct world w;

	start(&w, 2);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	witness_server_stop(&w->server);
	witness_log_release(&w->log);
	raw_reply_release(&w->r);
	buf_release(&w->body);
	return 0;
}

static unsigned push(struct world *w, uint64_t first, uint64_t second)
{
	buf_reset(&w->body);
	witness_log_request(&w->body, &w->log, first, second);
	return witness_post(w->server.url, buf_bytes(&w->body), &w->r);
}

static void assert_says(struct world *w, const char *text)
{
	if (w->r.body.len == 0 || memmem(w->r.body.data, w->r.body.len, text, strlen(text)) == NULL)
		fail_msg("no \"%s\" in: %.*s", text, (int)w->r.body.len,
			 w->r.body.len ? (const char *)w->r.body.data : "");
}

static unsigned get(struct world *w, const char *path)
{
	char request[320];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: w\r\n\r\n", path);
	return raw_ask(w->server.url, request, &w->r);
}

static void answers_carry_the_headers_of_the_api(void **state)
{
	struct world *w = *state;

	assert_int_equal(push(w, 0, 5), 200);
	assert_string_equal(raw_field(&w->r, "Access-Control-Allow-Origin"), "*");
	assert_string_equal(raw_field(&w->r, "Cache-Control"), "no-store");
	assert_int_equal(push(w, 0, 6), 409);
	assert_string_equal(raw_field(&w->r, "Content-Type"), "text/x.tlog.size");
	assert_string_equal(raw_field(&w->r, "Access-Control-Allow-Origin"), "*");
	assert_true(bytes_is(buf_bytes(&w->r.body), "5\n"));
	assert_int_equal(witness_post(w->server.url, bytes_str("old x\n"), &w->r), 400);
	assert_string_equal(raw_field(&w->r, "Content-Type"), "application/problem+json");
	assert_string_equal(raw_field(&w->r, "Access-Control-Allow-Origin"), "*");
	assert_says(w, "urn:vitrine:problem:bad-request");
}

static void refusals_have_their_own_problem_types(void **state)
{
	struct world *w = *state;

	assert_int_equal(push(w, 0, 5), 200);
	witness_log_cut(&w->log, 1);
	witness_log_add(&w->log, 20, 2);
	assert_int_equal(push(w, 5, 7), 422);
	assert_says(w, "urn:vitrine:problem:checkpoint-inconsistent");
	w->log.signer = test_signer(ORIGIN, VKEY_TYPE_ED25519, 9);
	assert_int_equal(push(w, 5, 7), 403);
	assert_says(w, "urn:vitrine:problem:checkpoint-untrusted");
	w->log.signer = test_signer("log.example/unknown", VKEY_TYPE_ED25519, 1);
	assert_int_equal(push(w, 5, 7), 404);
	assert_says(w, "does not know the origin");
}

static void a_body_to_what_a_witness_has_not_is_404(void **state)
{
	struct world *w = *state;
	static const char *const paths[] = {"/sign-subtree", "/add", "/api/v1/entries"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char request[160];

		(void)snprintf(request, sizeof(request),
			       "POST %s HTTP/1.1\r\nHost: w\r\nContent-Length: 4\r\n\r\nbody",
			       paths[i]);
		assert_int_equal(raw_ask(w->server.url, request, &w->r), 404);
		assert_says(w, "urn:vitrine:problem:not-found");
	}
}

static void the_checkpoint_is_read_by_its_origin_hash_alone(void **state)
{
	struct world *w = *state;
	struct merkle_hash hash = witness_log_origin_hash(&w->log);
	char hex[65], path[256], etag[64];

	assert_int_equal(witness_get(w->server.url, ORIGIN, &w->r), 404);
	assert_int_equal(push(w, 0, 5), 200);
	assert_int_equal(witness_get(w->server.url, ORIGIN, &w->r), 200);
	assert_string_equal(raw_field(&w->r, "Cache-Control"), "no-cache");
	assert_says(w, ORIGIN "\n5\n");
	snprintf(etag, sizeof(etag), "%s", raw_field(&w->r, "ETag"));
	hex_encode(hex, bytes_of(hash.b, sizeof(hash.b)));
	snprintf(path, sizeof(path),
		 "GET /%s/checkpoint HTTP/1.1\r\nHost: w\r\nIf-None-Match: %s\r\n\r\n", hex, etag);
	assert_int_equal(raw_ask(w->server.url, path, &w->r), 304);
	assert_int_equal(push(w, 5, 6), 200);
	assert_int_equal(raw_ask(w->server.url, path, &w->r), 200);
	hex[0] = (char)(hex[0] == 'a' ? 'b' : 'a');
	snprintf(path, sizeof(path), "/%s/checkpoint", hex);
	assert_int_equal(get(w, path), 404);
	hex[0] = 'A';
	snprintf(path, sizeof(path), "/%s/checkpoint", hex);
	assert_int_equal(get(w, path), 404);
	assert_int_equal(get(w, "/checkpoint"), 404);
	assert_int_equal(get(w, "/x/checkpoint"), 404);
	assert_int_equal(get(w, "//checkpoint"), 404);
	assert_int_equal(get(w, "/tile/checkpoint"), 404);
}

static void other_methods_and_paths_are_told_so(void **state)
{
	struct world *w = *state;

	assert_int_equal(get(w, "/add-checkpoint"), 405);
	assert_string_equal(raw_field(&w->r, "Allow"), "POST, OPTIONS");
	assert_int_equal(get(w, "/tile/0/000"), 404);
	assert_says(w, "this is no log");
	assert_int_equal(get(w, "/api/v1/entries"), 404);
	assert_int_equal(get(w, "/openapi.yaml"), 200);
	assert_int_equal(get(w, "/healthz"), 200);
}

static void a_body_beyond_the_bound_is_refused(void **state)
{
	struct world *w = *state;
	static uint8_t zeros[ADD_CHECKPOINT_BODY_MAX + 1];

	memset(zeros, '0', sizeof(zeros));
	assert_int_equal(
	    witness_post(w->server.url, bytes_of(zeros, ADD_CHECKPOINT_BODY_MAX), &w->r), 400);
	assert_int_equal(witness_post(w->server.url, bytes_of(zeros, sizeof(zeros)), &w->r), 413);
}

static void as_many_lines_as_fit_are_borne(void **state)
{
	struct world *w = *state;
	struct buf line;
	unsigned lines = 0;

	/* Thirty cosignatures of the size of ML-DSA-44's. */
	buf_reset(&w->body);
	witness_log_request(&w->body, &w->log, 0, 5);
	buf_init(&line);
	assert_int_equal(buf_append_str(&line, "\xe2\x80\x94 other.example/w "), VT_OK);
	for (size_t i = 0; i < (4 + 8 + 2420) / 3 * 4; i++)
		assert_int_equal(buf_append_byte(&line, 'A'), VT_OK);
	assert_int_equal(buf_append(&line, bytes_str("AAAA\n")), VT_OK);
	for (; lines < 30; lines++)
		assert_int_equal(buf_append(&w->body, buf_bytes(&line)), VT_OK);
	assert_int_equal(witness_post(w->server.url, buf_bytes(&w->body), &w->r), 200);
	buf_release(&line);
}

static void an_address_has_its_rate(void **state)
{
	struct world *w = *state;
	unsigned refused = 0;

	assert_int_equal(push(w, 0, 5), 200);
	for (int i = 0; i < 20; i++) {
		unsigned status = push(w, 5, 5);

		if (status != 429)
			assert_int_equal(status, 200);
		else if (refused++ == 0)
			assert_non_null(raw_field(&w->r, "Retry-After"));
	}
	assert_true(refused > 0);
	assert_int_equal(witness_get(w->server.url, ORIGIN, &w->r), 200); /* reading is free */
}

static void pages_for_operators_say_how_it_is(void **state)
{
	struct world *w = *state;

	assert_int_equal(get(w, "/readyz"), 200);
	assert_int_equal(get(w, "/"), 200);
	assert_says(w, "nothing cosigned yet");
	assert_int_equal(push(w, 0, 5), 200);
	assert_int_equal(push(w, 0, 5), 409);
	assert_int_equal(get(w, "/"), 200);
	assert_says(w, "witness.example/w+");
	assert_says(w, ORIGIN "\n  size 5, last cosigned 20");
	assert_int_equal(get(w, "/metrics"), 200);
	assert_says(w, "vitrine_info{version=\"test\",mode=\"witness\"} 1\n");
	assert_says(w, "\nvitrine_witness_cosigned_total 1\n");
	assert_says(w, "\nvitrine_witness_refused_total{status=\"409\"} 1\n");
	assert_says(w, "\nvitrine_http_requests_total ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(answers_carry_the_headers_of_the_api),
	    TEST(refusals_have_their_own_problem_types),
	    TEST(the_checkpoint_is_read_by_its_origin_hash_alone),
	    TEST(a_body_to_what_a_witness_has_not_is_404),
	    TEST(other_methods_and_paths_are_told_so),
	    TEST(a_body_beyond_the_bound_is_refused),
	    TEST(as_many_lines_as_fit_are_borne),
	    cmocka_unit_test_setup_teardown(an_address_has_its_rate, setup_limited, teardown),
	    TEST(pages_for_operators_say_how_it_is),
	};

	logline_configure(LOGLINE_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
