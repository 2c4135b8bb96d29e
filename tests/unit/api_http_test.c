/* What the API says to requests that are nearly right, and to clients that send what many others would take. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "log_fixture.h"
#include "raw_http.h"
#include "record_world.h"
#include "vitrine_test.h"

/* One server a mode, for all tests. */
struct served {
	struct log_fixture log;
	struct api *api;
};

static struct served raw, records;
static struct world world;
static struct raw_reply reply;

static void serve_with(struct served *s, struct http_config http)
{
	struct api_config config = {.version = "test", .http = http};
	char why[160] = "";

	config.http.listen = "127.0.0.1:0";
	fixture_start(&s->log);
	config.log = s->log.log;
	if (api_start(&s->api, &config, why) != VT_OK)
		fail_msg("%s", why);
}

static void serve(struct served *s, const char *mode, struct bytes centre)
{
	fixture_store(&s->log, NULL, mode, centre);
	serve_with(s, (struct http_config){0});
}

static int set_up(void **state)
{
	(void)state;
	raw_reply_init(&reply);
	world_init(&world);
	world_begin(&world);
	serve(&raw, "raw", bytes_of(NULL, 0));
	serve(&records, "records", world_spki(world.centre));
	for (size_t i = 0; i < world.n; i++)
		assert_int_equal(send_one(&records.log, buf_bytes(&world.entry[i].bytes)).outcome,
				 LOG_ADDED);
	assert_int_equal(send_one(&raw.log, bytes_str("first")).outcome, LOG_ADDED);
	return 0;
}

static void stop(struct served *s)
{
	api_stop(s->api, 5);
	log_stop(s->log.log);
	api_free(s->api);
	fixture_free(&s->log);
}

static int tear_down(void **state)
{
	(void)state;
	stop(&raw);
	stop(&records);
	world_release(&world);
	raw_reply_release(&reply);
	return 0;
}

/* "POST /add", further header lines, a body. The answer stands in `reply`, its body NUL-terminated. */
static unsigned ask(const struct served *s, const char *line, const char *fields, struct bytes body)
{
	char head[1024];
	struct buf request;

	(void)snprintf(head, sizeof(head),
		       "%s HTTP/1.1\r\nHost: t\r\n%sContent-Length: %zu\r\n\r\n", line, fields,
		       body.len);
	buf_init(&request);
	assert_int_equal(buf_append_str(&request, head), VT_OK);
	assert_int_equal(buf_append(&request, body), VT_OK);
	assert_int_equal(buf_append_byte(&request, '\0'), VT_OK);
	(void)raw_ask(api_url(s->api), (const char *)request.data, &reply);
	assert_int_equal(buf_append_byte(&reply.body, '\0'), VT_OK);
	buf_release(&request);
	return reply.status;
}

static unsigned get(const struct served *s, const char *target)
{
	char line[256];

	(void)snprintf(line, sizeof(line), "GET %s", target);
	return ask(s, line, "", bytes_of(NULL, 0));
}

static const char *said(void)
{
	return (const char *)reply.body.data;
}

static void assert_said(const char *what, const char *text)
{
	if (strstr(said(), text) == NULL)
		fail_msg("%s: no %s in %s", what, text, said());
}

/* A problem document whose own status is the answer's. */
static void assert_problem(const char *what, unsigned status, const char *slug)
{
	char member[96];

	if (reply.status != status)
		fail_msg("%s: %u, not %u: %s", what, reply.status, status, said());
	assert_string_equal(raw_field(&reply, "Content-Type"), "application/problem+json");
	(void)snprintf(member, sizeof(member), "\"status\":%u", status);
	assert_said(what, member);
	(void)snprintf(member, sizeof(member), "\"type\":\"urn:vitrine:problem:%s\"", slug);
	assert_said(what, member);
}

static void a_body_where_none_is_taken_is_answered_as_the_path_is(void **state)
{
	static const struct {
		const struct served *to;
		const char *line;
		unsigned status;
		const char *slug, *allow;
	} cases[] = {
	    {&records, "POST /add", 404, "not-found", NULL},
	    {&raw, "POST /api/v1/entries", 404, "not-found", NULL},
	    {&raw, "POST /sign-subtree", 404, "not-found", NULL},
	    {&raw, "POST /add-checkpoint", 404, "not-found", NULL},
	    {&raw, "POST /checkpoint", 405, "method-not-allowed", "GET, HEAD, OPTIONS"},
	    {&raw, "PUT /add", 405, "method-not-allowed", "POST, OPTIONS"},
	    {&records, "DELETE /api/v1/entries", 405, "method-not-allowed",
	     "POST, GET, HEAD, OPTIONS"},
	    {&raw, "GET /nowhere", 404, "not-found", NULL},
	    {&raw, "GET /checkpoint", 400, "bad-request", NULL},
	};
	static const char *const fields[] = {"", "Expect: 100-continue\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < 2; j++) {
			const char *allow;

			(void)ask(cases[i].to, cases[i].line, fields[j], bytes_str("body"));
			assert_problem(cases[i].line, cases[i].status, cases[i].slug);
			allow = raw_field(&reply, "Allow");
			if (cases[i].allow == NULL)
				assert_null(allow);
			else
				assert_string_equal(allow, cases[i].allow);
		}
	}
	assert_int_equal(ask(&raw, "OPTIONS /add", "", bytes_str("body")), 204);
}

static void of_any_size_and_form(void **state)
{
	static const char chunks[] = "POST /checkpoint HTTP/1.1\r\nHost: t\r\n"
				     "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n";
	struct buf large;

	(void)state;
	buf_init(&large);
	for (size_t i = 0; i < 1024 * 1024; i++)
		assert_int_equal(buf_append_byte(&large, 'x'), VT_OK);
	(void)ask(&raw, "POST /checkpoint", "", buf_bytes(&large));
	assert_problem("a large body", 405, "method-not-allowed");
	buf_release(&large);
	(void)raw_ask(api_url(raw.api), chunks, &reply);
	assert_int_equal(reply.status, 405);
	/* Where bodies are taken, one can be too large. */
	(void)ask(&raw, "POST /add", "Expect: 100-continue\r\n", bytes_of(NULL, 0));
}

static void add_is_answered_200_with_the_index(void **state)
{
	(void)state;
	assert_int_equal(ask(&raw, "POST /add", "", bytes_str("second")), 200);
	assert_string_equal(said(), "1");
	assert_string_equal(raw_field(&reply, "Location"), "api/v1/entries/1");
	assert_int_equal(ask(&raw, "POST /add", "", bytes_str("second")), 200);
	assert_string_equal(said(), "1");
	(void)ask(&raw, "POST /add", "", bytes_of(NULL, 0));
	assert_problem("no body", 400, "bad-request");
}

#define OTHER "application/octet-stream"

/* Which of two forms an Accept asks for: "application/json" is what is sent without one. */
static void the_form_that_is_preferred_is_sent(void **state)
{
	static const struct {
		const char *accept;
		bool other;
	} cases[] = {
	    {"application/json, " OTHER ", */*", false}, /* axios */
	    {OTHER ", application/json", false},
	    {"*/*", false},
	    {"image/png", false},
	    {OTHER, true},
	    {OTHER ";q=0.5", true},
	    {OTHER ", */*", true},
	    {OTHER ", application/*", true},
	    {OTHER ";charset=utf-8;q=0.9, application/json;q=0.8", true},
	    {"application/json;q=0.9, " OTHER, true},
	    {"application/json;q=0, */*", true},
	    {"application/json;q=0.2,\t" OTHER " ; Q=0.3", true},
	    {OTHER ";q=0", false},
	    {OTHER ";q=0.8, application/json;q=0.9", false},
	    {"application/json, " OTHER ";q=0.999", false},
	    {"x\"" OTHER ", application / json ", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char fields[200];
		bool got;

		(void)snprintf(fields, sizeof(fields), "Accept: %s\r\n", cases[i].accept);
		assert_int_equal(ask(&records, "GET /api/v1/entries/0", fields, bytes_of(NULL, 0)),
				 200);
		got = strcmp(raw_field(&reply, "Content-Type"), OTHER) == 0;
		if (got != cases[i].other)
			fail_msg("Accept: %s is answered with %s", cases[i].accept,
				 raw_field(&reply, "Content-Type"));
	}
}

static void an_append_is_answered_in_the_form_that_is_preferred(void **state)
{
	static const char *const cases[][2] = {
	    {"Accept: application/json, text/plain, */*\r\n", "application/json"}, /* axios */
	    {"Accept: text/plain\r\n", "text/plain; charset=utf-8"},
	    {"Accept: application/json;q=0.5, text/plain;q=0.6\r\n", "text/plain; charset=utf-8"},
	    {"", "application/json"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ask(&records, "POST /api/v1/entries", cases[i][0],
				     buf_bytes(&world.entry[1].bytes)),
				 200);
		assert_string_equal(raw_field(&reply, "Content-Type"), cases[i][1]);
	}
}

static void references_are_relative_so_that_a_prefix_may_be_put_before(void **state)
{
	(void)state;
	assert_int_equal(
	    ask(&records, "POST /api/v1/entries", "", buf_bytes(&world.entry[1].bytes)), 200);
	assert_string_equal(raw_field(&reply, "Location"), "entries/1");
	assert_int_equal(get(&records, "/api/v1/entries?limit=1&party=centre"), 200);
	assert_string_equal(raw_field(&reply, "Link"),
			    "<entries?limit=1&after=1&party=centre>; rel=\"next\"");
	assert_int_equal(get(&records, "/api/v1/parties?limit=1"), 200);
	assert_string_equal(raw_field(&reply, "Link"), "<parties?after=1&limit=1>; rel=\"next\"");
	assert_int_equal(get(&records, "/api/v1/tree-heads?limit=1"), 200);
	assert_non_null(raw_field(&reply, "Link"));
	assert_memory_equal(raw_field(&reply, "Link"), "<tree-heads?after=", 18);
	assert_int_equal(get(&records, "/feed.atom?limit=1"), 200);
	assert_string_equal(raw_field(&reply, "Link"),
			    "<feed.atom?before=2&limit=1>; rel=\"next\"");
	assert_said("feed", "href=\"api/v1/entries/2\"");
	assert_null(strstr(said(), "href=\"/"));
}

#define IMMUTABLE "public, max-age=31536000, immutable"
#define CHECK     "no-cache"
#define NONE      "no-store"

/* What a cache may keep of each route, and what else of a request its answer depends on. */
static const struct {
	const char *pattern, *target, *fields;
	unsigned status;
	const char *control, *vary;
} kept[] = {
    {"/", "/", "", 200, CHECK, NULL},
    {"/checkpoint", "/checkpoint", "", 200, CHECK, NULL},
    {"/tile/{+path}", "/tile/0/000.p/1", "", 200, IMMUTABLE, NULL},
    {"/tile/{+path}", "/tile/entries/000.p/1", "", 200, IMMUTABLE, "Accept-Encoding"},
    {"/tile/{+path}", "/tile/0/000", "", 404, NONE, NULL},
    {"/tile/{+path}", "/tile/entries/000.p/255", "", 404, NONE, NULL},
    {"/api/v1/entries", "/api/v1/entries", "", 200, CHECK, "Accept-Encoding"},
    {"/api/v1/entries", "/api/v1/entries?x", "", 400, NONE, NULL},
    {"/api/v1/entries/{index}", "/api/v1/entries/0", "", 200, CHECK, "Accept, Accept-Encoding"},
    {"/api/v1/entries/{index}", "/api/v1/entries/0", "Accept: " OTHER "\r\n", 200, IMMUTABLE,
     "Accept"},
    {"/api/v1/entries/{index}", "/api/v1/entries/99", "", 404, NONE, NULL},
    {"/api/v1/entries/{index}/proof", "/api/v1/entries/0/proof", "", 200, CHECK, "Accept-Encoding"},
    {"/api/v1/entries/{index}/proof", "/api/v1/entries/0/proof?size=1", "", 200, IMMUTABLE,
     "Accept-Encoding"},
    {"/api/v1/entries/{index}/proof", "/api/v1/entries/0/proof?size=3", "", 200, CHECK,
     "Accept-Encoding"}, /* with the checkpoint, which may change */
    {"/api/v1/entries/{index}/tlog-proof", "/api/v1/entries/0/tlog-proof", "", 200, CHECK,
     "Accept-Encoding"},
    {"/api/v1/leaves/{hash}",
     "/api/v1/leaves/0000000000000000000000000000000000000000000000000000000000000000", "", 404,
     NONE, NULL},
    {"/api/v1/consistency", "/api/v1/consistency?first=1&second=2", "", 200, IMMUTABLE,
     "Accept-Encoding"},
    {"/api/v1/consistency", "/api/v1/consistency?first=1&second=99", "", 404, NONE, NULL},
    {"/api/v1/tree-heads", "/api/v1/tree-heads", "", 200, CHECK, "Accept-Encoding"},
    {"/feed.atom", "/feed.atom", "", 200, CHECK, "Accept-Encoding"},
    {"/api/v1/parties", "/api/v1/parties", "", 200, CHECK, "Accept-Encoding"},
    {"/api/v1/parties/{id}", "/api/v1/parties/centre", "", 200, CHECK, "Accept-Encoding"},
    {"/healthz", "/healthz", "", 200, NONE, NULL},
    {"/readyz", "/readyz", "", 200, NONE, NULL},
    {"/metrics", "/metrics", "", 200, NONE, "Accept-Encoding"},
    {"/openapi.yaml", "/openapi.yaml", "", 200, CHECK, "Accept-Encoding"},
    {"/add", "/add", "", 404, NONE, NULL},
};

static void a_cache_is_told_what_it_may_keep(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		char line[256];
		const char *vary, *want = kept[i].vary != NULL ? kept[i].vary : "nothing";
		bool right;

		(void)snprintf(line, sizeof(line), "GET %s", kept[i].target);
		right = ask(&records, line, kept[i].fields, bytes_of(NULL, 0)) == kept[i].status &&
			strcmp(raw_field(&reply, "Cache-Control"), kept[i].control) == 0;
		vary = raw_field(&reply, "Vary");
		if (!right || strcmp(vary != NULL ? vary : "nothing", want) != 0)
			fail_msg("%s: %s", line, (const char *)reply.head.data);
	}
}

/* So that a route that is added is decided, too. Streams are not kept: api_events_test. */
static void of_every_route(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_routes_count; i++) {
		const struct api_route *route = &api_routes[i];
		size_t at = 0;

		if (route->method != HTTP_GET || (route->roles & API_RECORDS) == 0 ||
		    strcmp(route->pattern, "/api/v1/events") == 0)
			continue;
		while (at < sizeof(kept) / sizeof(kept[0]) &&
		       strcmp(kept[at].pattern, route->pattern) != 0)
			at++;
		if (at == sizeof(kept) / sizeof(kept[0]))
			fail_msg("%s: nobody says what a cache may keep of it", route->pattern);
	}
}

static void a_plus_in_a_query_is_a_plus(void **state)
{
	(void)state;
	assert_int_equal(get(&raw, "/api/v1/tree-heads?at=2999-01-01T00:00:00+02:00"), 200);
	assert_said("at", "\"treeSize\":");
	assert_int_equal(get(&records, "/api/v1/entries?type=urn:a+b"), 200);
}

static void a_body_in_a_coding_is_refused(void **state)
{
	(void)state;
	(void)ask(&raw, "POST /add", "Content-Encoding: gzip\r\n", bytes_str("\x1f\x8b"));
	assert_problem("gzip", 415, "content-coding");
	assert_string_equal(raw_field(&reply, "Accept-Encoding"), "identity");
	assert_int_equal(
	    ask(&raw, "POST /add", "Content-Encoding: Identity\r\n", bytes_str("first")), 200);
	(void)ask(&raw, "POST /nowhere", "Content-Encoding: gzip\r\n", bytes_str("\x1f\x8b"));
	assert_problem("gzip to nowhere", 404, "not-found");
}

#ifdef LENIENT_LIBRARY /* its successors refuse this in their own form */
static void a_problem_has_the_status_of_its_answer(void **state)
{
	(void)state;
	(void)raw_ask(api_url(raw.api),
		      "POST /add HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", &reply);
	assert_int_equal(buf_append_byte(&reply.body, '\0'), VT_OK);
	assert_problem("a transfer coding", 501, "transfer-coding");
}
#endif

static void static_resources_have_no_query(void **state)
{
	static const char *const paths[] = {"/checkpoint?_=1733",      "/tile/0/000.p/1?v=2&v=3",
					    "/tile/entries/000.p/1?x", "/?utm_source=a",
					    "/openapi.yaml?%zz",       "/healthz?1"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (get(&raw, paths[i]) != 200)
			fail_msg("%s: %s", paths[i], said());
	}
	(void)get(&raw, "/api/v1/entries/0?size=1");
	assert_problem("a resource that could have one", 400, "query-unknown");
}

/* The template with the number for its "@". */
static void put_number(char target[96], const char *template, unsigned long long n)
{
	size_t at = strcspn(template, "@");

	(void)snprintf(target, 96, "%.*s%llu%s", (int)at, template, n, template + at + 1);
}

static void numbers_end_where_the_document_says(void **state)
{
	static const char *const queries[] = {
	    "/api/v1/entries?after=@",
	    "/api/v1/entries?before=@",
	    "/api/v1/entries/0/proof?size=@",
	    "/api/v1/tree-heads?after=@",
	    "/api/v1/tree-heads?size=@",
	    "/api/v1/parties?after=@",
	    "/api/v1/consistency?first=0&second=@",
	    "/feed.atom?before=@",
	    "/api/v1/entries/@",
	    "/api/v1/entries/@/proof",
	    "/api/v1/entries/@/tlog-proof",
	};
	const unsigned long long most = (1ULL << 53) - 1;

	(void)state;
	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		char target[96];

		put_number(target, queries[i], most);
		if (get(&records, target) == 400)
			fail_msg("%s: %s", target, said());
		put_number(target, queries[i], most + 1);
		if (get(&records, target) != 400)
			fail_msg("%s: %u %s", target, reply.status, said());
	}
}

static void an_empty_party_is_no_party(void **state)
{
	(void)state;
	(void)get(&records, "/api/v1/entries?party=");
	assert_problem("party=", 400, "query-invalid");
	(void)get(&records, "/feed.atom?party=");
	assert_problem("party=", 400, "query-invalid");
}

/* "The outcome is unknown" is said of appends that had begun, and of nothing else. */
static void a_503_says_what_it_can_know(void **state)
{
	struct served held = {0};

	(void)state;
	fixture_store(&held.log, NULL, "raw", bytes_of(NULL, 0));
	gate_install(&held.log);
	serve_with(&held, (struct http_config){
			      .answer_seconds = 0.05, .memory_max = 1, .memory_per_address = 4096});
	gate_close(&held.log.gate);
	(void)ask(&held, "POST /add", "", bytes_str("held"));
	assert_problem("an append that is held", 503, "busy");
	(void)ask(&held, "POST /add", "", bytes_str("no room"));
	assert_problem("an append beside it that has no room", 503, "unavailable");
	gate_open(&held.log.gate);
	stop(&held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_body_where_none_is_taken_is_answered_as_the_path_is),
	    cmocka_unit_test(of_any_size_and_form),
	    cmocka_unit_test(add_is_answered_200_with_the_index),
	    cmocka_unit_test(the_form_that_is_preferred_is_sent),
	    cmocka_unit_test(an_append_is_answered_in_the_form_that_is_preferred),
	    cmocka_unit_test(references_are_relative_so_that_a_prefix_may_be_put_before),
	    cmocka_unit_test(a_cache_is_told_what_it_may_keep),
	    cmocka_unit_test(of_every_route),
	    cmocka_unit_test(a_plus_in_a_query_is_a_plus),
	    cmocka_unit_test(a_body_in_a_coding_is_refused),
#ifdef LENIENT_LIBRARY
	    cmocka_unit_test(a_problem_has_the_status_of_its_answer),
#endif
	    cmocka_unit_test(static_resources_have_no_query),
	    cmocka_unit_test(numbers_end_where_the_document_says),
	    cmocka_unit_test(an_empty_party_is_no_party),
	    cmocka_unit_test(a_503_says_what_it_can_know),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
