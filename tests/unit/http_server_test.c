/* Requests and answers, one at a time: what goes over the wire. */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_app.h"
#include "raw_http.h"

#define HOST "Host: t\r\n"

struct fixture {
	struct app app;
	struct raw_reply reply;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	app_start(&f->app, NULL);
	raw_reply_init(&f->reply);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	app_stop(&f->app, 5);
	raw_reply_release(&f->reply);
	free(f);
	return 0;
}

static void assert_body(struct fixture *f, const char *text)
{
	if (!bytes_is(buf_bytes(&f->reply.body), text))
		fail_msg("the body is \"%.*s\", not \"%s\"", (int)f->reply.body.len,
			 (const char *)f->reply.body.data, text);
}

static void get_is_answered_on_the_loop_and_from_the_pool(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_ask(f->app.url, "GET /hello HTTP/1.1\r\n" HOST "\r\n", &f->reply),
			 200);
	assert_body(f, "hello");
	assert_string_equal(raw_field(&f->reply, "Content-Type"), "text/plain");
	assert_int_equal(raw_ask(f->app.url, "GET /pooled HTTP/1.1\r\n" HOST "\r\n", &f->reply),
			 200);
	assert_body(f, "pooled");
}

static void head_has_the_fields_of_get_and_no_body(void **state)
{
	struct fixture *f = *state;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n");
	assert_true(raw_read(fd, &f->reply, true));
	assert_int_equal(f->reply.status, 200);
	assert_string_equal(raw_field(&f->reply, "Content-Length"), "5");
	raw_send_str(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "hello");
	close(fd);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct fixture *f = *state;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n"
			 "POST /body HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
			 "GET /pooled HTTP/1.1\r\n" HOST "\r\n"
			 "GET /hello HTTP/1.1\r\n" HOST "\r\n");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "hello");
	assert_true(raw_read(fd, &f->reply, false));
	assert_memory_equal(f->reply.body.data, "3 ", 2);
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "pooled");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "hello");
	close(fd);
}

static void http_1_0_is_answered_and_closed(void **state)
{
	struct fixture *f = *state;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "GET /pooled HTTP/1.0\r\n\r\n");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "pooled");
	assert_false(raw_read(fd, &f->reply, false));
	close(fd);
}

static void path_and_query_arrive_as_they_were_sent(void **state)
{
	struct fixture *f = *state;

	raw_ask(f->app.url,
		"GET /echo/a%2Fb%00c%zz?q=%2F&x=%00&&y HTTP/1.1\r\n" HOST "X-Test: one\r\n\r\n",
		&f->reply);
	assert_body(f, "GET|/echo/a%2Fb%00c%zz|q=%2F&x=%00&&y|127.0.0.1|one");
	raw_ask(f->app.url, "BREW /echo? HTTP/1.1\r\n" HOST "x-test: a\r\nX-TEST: b\r\n\r\n",
		&f->reply);
	assert_body(f, "BREW|/echo||127.0.0.1|a, b");
	raw_ask(f->app.url, "GET http://elsewhere/echo?a HTTP/1.1\r\n" HOST "\r\n", &f->reply);
	assert_body(f, "GET|/echo|a|127.0.0.1|-");
}

static struct buf text_body(size_t len)
{
	struct buf b;

	buf_init(&b);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(buf_append_byte(&b, (uint8_t)(i * 31 + (i >> 8))), VT_OK);
	return b;
}

static void assert_body_received(struct fixture *f, struct bytes body)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "%zu %016llx", body.len,
		 (unsigned long long)app_hash(body));
	assert_int_equal(f->reply.status, 200);
	assert_body(f, expected);
}

static void the_largest_body_is_taken_whole(void **state)
{
	struct fixture *f = *state;
	struct buf body = text_body(APP_BODY_MAX);
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST "Content-Length: 262144\r\n\r\n");
	raw_send(fd, buf_bytes(&body));
	assert_true(raw_read(fd, &f->reply, false));
	assert_body_received(f, buf_bytes(&body));
	close(fd);
	buf_release(&body);
}

static void one_byte_more_is_refused_and_the_connection_stays(void **state)
{
	struct fixture *f = *state;
	struct buf body = text_body(APP_BODY_MAX + 1);
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST "Content-Length: 262145\r\n\r\n");
	raw_send(fd, buf_bytes(&body));
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 413);
	assert_string_equal(raw_field(&f->reply, "Content-Type"), "application/problem+json");
	assert_string_equal(raw_field(&f->reply, "Access-Control-Allow-Origin"), "*");
	raw_send_str(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "hello");
	close(fd);
	buf_release(&body);
}

static void a_huge_body_is_refused_before_it_is_sent(void **state)
{
	struct fixture *f = *state;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST "Content-Length: 1000000000000\r\n\r\nabc");
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 413);
	assert_string_equal(raw_field(&f->reply, "Connection"), "close");
	assert_false(raw_read(fd, &f->reply, false));
	close(fd);
}

/* A client that sends everything before it reads must still find the answer. */
static void a_refusal_survives_what_was_sent_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct buf body = text_body(900 * 1024);
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST "Content-Length: 921600\r\n\r\n");
	raw_send(fd, buf_bytes(&body));
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 413);
	close(fd);
	buf_release(&body);
}

static void expect_continue_is_answered_with_100_or_the_refusal(void **state)
{
	struct fixture *f = *state;
	struct buf first;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST
			 "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	buf_init(&first);
	while (first.len < 25) {
		char c;

		assert_int_equal(read(fd, &c, 1), 1);
		assert_int_equal(buf_append_byte(&first, (uint8_t)c), VT_OK);
	}
	assert_true(bytes_is(buf_bytes(&first), "HTTP/1.1 100 Continue\r\n\r\n"));
	buf_release(&first);
	raw_send_str(fd, "abc");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body_received(f, bytes_str("abc"));
	close(fd);

	fd = raw_connect(f->app.url);
	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST
			 "Content-Length: 262145\r\nExpect: 100-continue\r\n\r\n");
	buf_init(&first);
	raw_drain(fd, &first);
	assert_memory_equal(first.data, "HTTP/1.1 413 ", 13);
	buf_release(&first);
	close(fd);
}

static void a_chunked_body_is_taken(void **state)
{
	struct fixture *f = *state;

	raw_ask(f->app.url,
		"POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		"4\r\nabcd\r\n1\r\ne\r\n0\r\n\r\n",
		&f->reply);
	assert_body_received(f, bytes_str("abcde"));
}

static void send_chunks(int fd, size_t total, bool end)
{
	struct buf chunk;

	buf_init(&chunk);
	for (size_t sent = 0; sent < total; sent += 4096) {
		buf_reset(&chunk);
		assert_int_equal(buf_append_str(&chunk, "1000\r\n"), VT_OK);
		for (size_t i = 0; i < 4096; i++)
			assert_int_equal(buf_append_byte(&chunk, 'x'), VT_OK);
		assert_int_equal(buf_append_str(&chunk, "\r\n"), VT_OK);
		raw_send_some(fd, buf_bytes(&chunk));
	}
	if (end)
		raw_send_some(fd, bytes_str("0\r\n\r\n"));
	buf_release(&chunk);
}

static void a_chunked_body_over_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	send_chunks(fd, APP_BODY_MAX + 4096, true);
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 413);
	raw_send_str(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
	assert_true(raw_read(fd, &f->reply, false));
	assert_body(f, "hello");
	close(fd);
}

static void an_endless_chunked_body_is_cut_off_with_413(void **state)
{
	struct fixture *f = *state;
	int fd = raw_connect(f->app.url);

	raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
	send_chunks(fd, APP_BODY_MAX + 600 * 1024, false);
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 413);
	assert_string_equal(raw_field(&f->reply, "Connection"), "close");
	raw_drain(fd, NULL);
	close(fd);
}

static void a_body_where_none_belongs_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_ask(f->app.url,
				 "GET /hello HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc",
				 &f->reply),
			 400);
	assert_int_equal(raw_ask(f->app.url,
				 "GET /hello HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
				 &f->reply),
			 200);
}

static void ambiguous_framing_is_refused_and_closed(void **state)
{
	static const char *const cases[] = {
	    "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
	    "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
	    "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	    "Content-Length: +3\r\n\r\nabc",
	    "Content-Length: 3, 3\r\n\r\nabc",
	    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	    "Transfer-Encoding: identity\r\n\r\nabc",
	    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = raw_connect(f->app.url);

		raw_send_str(fd, "POST /body HTTP/1.1\r\n" HOST);
		raw_send_str(fd, cases[i]);
		raw_send_some(fd, bytes_str("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
		assert_true(raw_read(fd, &f->reply, false));
		if (f->reply.status != 400 && f->reply.status != 501)
			fail_msg("case %zu is answered with %u", i, f->reply.status);
		raw_drain(fd, &f->reply.rest);
		if (f->reply.rest.len > 0 &&
		    memmem(f->reply.rest.data, f->reply.rest.len, "hello", 5) != NULL)
			fail_msg("case %zu smuggled a request in", i);
		buf_reset(&f->reply.rest);
		close(fd);
	}
}

static void a_malformed_head_is_refused(void **state)
{
	static const char *const cases[] = {
	    "GET /hello HTTP/1.1\r\n\r\n",
	    "GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	    "GET /hel lo HTTP/1.1\r\nHost: a\r\n\r\n",
	    ("GET /hello?a\x01"
	     "b HTTP/1.1\r\nHost: a\r\n\r\n"),
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (raw_ask(f->app.url, cases[i], &f->reply) != 400)
			fail_msg("case %zu is answered with %u", i, f->reply.status);
	}
}

static void too_many_fields_are_refused(void **state)
{
	struct fixture *f = *state;
	struct buf request;

	buf_init(&request);
	assert_int_equal(buf_append_str(&request, "GET /hello HTTP/1.1\r\n" HOST), VT_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(buf_appendf(&request, "X-%d: y\r\n", i), VT_OK);
	assert_int_equal(buf_append(&request, bytes_of("\r\n", 3)), VT_OK);
	assert_int_equal(raw_ask(f->app.url, (const char *)request.data, &f->reply), 431);
	buf_release(&request);
}

static void an_overlong_header_is_refused(void **state)
{
	struct fixture *f = *state;
	struct buf request;
	int fd = raw_connect(f->app.url);

	buf_init(&request);
	assert_int_equal(buf_append_str(&request, "GET /hello HTTP/1.1\r\n" HOST "X-Long: "),
			 VT_OK);
	for (int i = 0; i < 64 * 1024; i++)
		assert_int_equal(buf_append_byte(&request, 'a'), VT_OK);
	raw_send_some(fd, buf_bytes(&request));
	assert_true(raw_read(fd, &f->reply, false));
	assert_int_equal(f->reply.status, 431);
	close(fd);
	buf_release(&request);
}

static void if_none_match_gives_304_with_the_tag(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_ask(f->app.url, "GET /tag HTTP/1.1\r\n" HOST "\r\n", &f->reply), 200);
	assert_string_equal(raw_field(&f->reply, "ETag"), "\"one\"");
	assert_int_equal(raw_ask(f->app.url,
				 "GET /tag HTTP/1.1\r\n" HOST
				 "If-None-Match: \"two\", W/\"one\"\r\n\r\n",
				 &f->reply),
			 304);
	assert_string_equal(raw_field(&f->reply, "ETag"), "\"one\"");
	assert_null(raw_field(&f->reply, "Content-Type"));
	/* "unless its field value equals the ... octets that would have been sent in ... a 200"
	 * (RFC 9110 section 8.6) */
	assert_string_equal(raw_field(&f->reply, "Content-Length"), "6");
	assert_int_equal(raw_ask(f->app.url,
				 "HEAD /tag HTTP/1.1\r\n" HOST "If-None-Match: *\r\n\r\n",
				 &f->reply),
			 304);
	assert_int_equal(raw_ask(f->app.url,
				 "GET /tag HTTP/1.1\r\n" HOST "If-None-Match: \"two\"\r\n\r\n",
				 &f->reply),
			 200);
	assert_body(f, "tagged");
}

static void gzip_is_used_where_it_is_asked_for(void **state)
{
	struct fixture *f = *state;
	size_t plain;

	raw_ask(f->app.url, "GET /big?n=20000 HTTP/1.1\r\n" HOST "\r\n", &f->reply);
	assert_null(raw_field(&f->reply, "Content-Encoding"));
	assert_string_equal(raw_field(&f->reply, "Vary"), "Accept-Encoding");
	plain = f->reply.body.len;
	assert_int_equal(plain, 20000);
	raw_ask(f->app.url,
		"GET /big?n=20000 HTTP/1.1\r\n" HOST "Accept-Encoding: br, gzip;q=0.5\r\n\r\n",
		&f->reply);
	assert_string_equal(raw_field(&f->reply, "Content-Encoding"), "gzip");
	assert_string_equal(raw_field(&f->reply, "Vary"), "Accept-Encoding");
	assert_string_equal(raw_field(&f->reply, "ETag"), "W/\"big-gzip\"");
	assert_true(f->reply.body.len < plain);
	assert_memory_equal(f->reply.body.data, "\x1f\x8b", 2);
	assert_int_equal(raw_ask(f->app.url,
				 "GET /big?n=20000 HTTP/1.1\r\n" HOST
				 "Accept-Encoding: gzip\r\nIf-None-Match: W/\"big-gzip\"\r\n\r\n",
				 &f->reply),
			 304);
	assert_string_equal(raw_field(&f->reply, "Vary"), "Accept-Encoding");
	assert_string_equal(raw_field(&f->reply, "Cache-Control"), "max-age=60");
	/* A cache that keeps the plain form would take this for its coding (RFC 9111 section 3.2). */
	assert_null(raw_field(&f->reply, "Content-Encoding"));
	raw_ask(f->app.url, "GET /big?n=10 HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\n\r\n",
		&f->reply);
	assert_null(raw_field(&f->reply, "Content-Encoding"));
	assert_int_equal(f->reply.body.len, 10);
}

/* A cache may ask with the tags of all forms that it keeps, and sends on the one that the 304 names. */
static void a_304_is_of_the_form_that_would_be_sent(void **state)
{
	static const struct {
		const char *fields, *tag;
		unsigned status;
	} cases[] = {
	    {"", "\"big\"", 200},
	    {"If-None-Match: \"big\"\r\n", "\"big\"", 304},
	    {"If-None-Match: W/\"big-gzip\"\r\n", "\"big\"", 200},
	    {"If-None-Match: W/\"big-gzip\", \"big\"\r\n", "\"big\"", 304},
	    {"Accept-Encoding: gzip\r\nIf-None-Match: \"big\"\r\n", "W/\"big-gzip\"", 200},
	    {"Accept-Encoding: gzip\r\nIf-None-Match: W/\"big-gzip\", \"big\"\r\n",
	     "W/\"big-gzip\"", 304},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char request[256];

		snprintf(request, sizeof(request), "GET /big?n=20000 HTTP/1.1\r\n" HOST "%s\r\n",
			 cases[i].fields);
		if (raw_ask(f->app.url, request, &f->reply) != cases[i].status)
			fail_msg("%s: %u", cases[i].fields, f->reply.status);
		assert_string_equal(raw_field(&f->reply, "ETag"), cases[i].tag);
	}
}

static void an_unknown_path_is_the_handlers_404(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(raw_ask(f->app.url, "GET /nowhere HTTP/1.1\r\n" HOST "\r\n", &f->reply),
			 404);
	assert_body(f, "there is no such thing");
}

static void a_value_with_a_line_break_never_becomes_a_header(void **state)
{
	struct http_response r;

	(void)state;
	http_response_init(&r, 200, "text/plain");
	assert_int_equal(http_response_header(&r, "Location", "/%s", "a\r\nSet-Cookie: b"),
			 VT_EINVAL);
	assert_int_equal(http_response_header(&r, "Location", "/%s", "a\nb"), VT_EINVAL);
	assert_int_equal(http_response_header(&r, "Location", "/%s", "\xc3\xa9"), VT_EINVAL);
	assert_int_equal(http_response_etag(&r, "%s", "a\"b"), VT_EINVAL);
	assert_int_equal(http_response_etag(&r, "%s", "a b"), VT_EINVAL);
	assert_int_equal(r.n_headers, 0);
	assert_null(r.etag_text);
	for (int i = 0; i < HTTP_HEADERS_MAX; i++)
		assert_int_equal(http_response_header(&r, "X-Some", "%d", i), VT_OK);
	assert_int_equal(http_response_header(&r, "X-Some", "one too many"), VT_ELIMIT);
	http_response_release(&r);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(get_is_answered_on_the_loop_and_from_the_pool),
	    TEST(head_has_the_fields_of_get_and_no_body),
	    TEST(pipelined_requests_are_answered_in_order),
	    TEST(http_1_0_is_answered_and_closed),
	    TEST(path_and_query_arrive_as_they_were_sent),
	    TEST(the_largest_body_is_taken_whole),
	    TEST(one_byte_more_is_refused_and_the_connection_stays),
	    TEST(a_huge_body_is_refused_before_it_is_sent),
	    TEST(a_refusal_survives_what_was_sent_meanwhile),
	    TEST(expect_continue_is_answered_with_100_or_the_refusal),
	    TEST(a_chunked_body_is_taken),
	    TEST(a_chunked_body_over_the_limit_is_refused),
	    TEST(an_endless_chunked_body_is_cut_off_with_413),
	    TEST(a_body_where_none_belongs_is_refused),
	    TEST(ambiguous_framing_is_refused_and_closed),
	    TEST(a_malformed_head_is_refused),
	    TEST(too_many_fields_are_refused),
	    TEST(an_overlong_header_is_refused),
	    TEST(if_none_match_gives_304_with_the_tag),
	    TEST(a_304_is_of_the_form_that_would_be_sent),
	    TEST(gzip_is_used_where_it_is_asked_for),
	    TEST(an_unknown_path_is_the_handlers_404),
	    cmocka_unit_test(a_value_with_a_line_break_never_becomes_a_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
