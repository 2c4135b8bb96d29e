/* Every allocation of the HTTP layer's own fails once. */
#include "vitrine_test.h"

#include <string.h>
#include <unistd.h>

#include "alloc_fail.h"
#include "http_exchange.h"
#include "http_fetch.h"
#include "http_gzip.h"
#include "http_peers.h"
#include "http_query.h"
#include "raw_http.h"

static void an_exchange_is_made_whole_or_not_at_all(void **state)
{
	const struct http_field fields[] = {{"A", "1"}, {"B", "2"}, {"a", "3"}};
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct http_exchange *x;
		enum vt_err err;

		alloc_fail_at(n);
		x = exchange_new("/a?b");
		err = x == NULL ? VT_ENOMEM : exchange_set_fields(x, fields, 3);
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		exchange_free(x);
	}
}

static void texts_are_appended_whole_or_not_at_all(void **state)
{
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct buf out;
		enum vt_err err;

		buf_init(&out);
		alloc_fail_at(n);
		if ((err = http_query_value(&out, "a=%41bcdefghijklmnopqrstuvwxyz", "a")) == VT_OK)
			err = http_escape(&out, bytes_str("/////////////////////////////////////"));
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		assert_true(out.len == 0 || out.len == 26 || !failed);
		buf_release(&out);
	}
}

static void gzip_without_memory_says_so(void **state)
{
	struct buf text, packed;
	bool failed = true;

	(void)state;
	buf_init(&text);
	buf_init(&packed);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(buf_append_byte(&text, 'v'), VT_OK);
	assert_int_equal(gzip_compress(&packed, buf_bytes(&text)), VT_OK);
	for (unsigned n = 1; failed; n++) {
		struct buf out;
		enum vt_err err;

		buf_init(&out);
		alloc_fail_at(n);
		if ((err = gzip_compress(&out, buf_bytes(&text))) == VT_OK) {
			buf_reset(&out);
			err = gzip_expand(&out, buf_bytes(&packed), text.len);
		}
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		assert_int_equal(out.len, failed ? 0 : text.len);
		buf_release(&out);
	}
	buf_release(&text);
	buf_release(&packed);
}

static void no_route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	(void)out;
	(void)x;
	(void)app;
}

static void no_error(struct http_response *out, unsigned status, const char *detail, bool unknown,
		     void *app)
{
	(void)unknown;
	(void)out;
	(void)status;
	(void)detail;
	(void)app;
}

static void a_server_starts_whole_or_not_at_all(void **state)
{
	const struct http_config config = {
	    .listen = "127.0.0.1:0", .route = no_route, .error = no_error, .workers = 2};
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct http_server *s;
		char why[160] = "";
		enum vt_err err;

		alloc_fail_at(n);
		err = http_server_start(&s, &config, why);
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		assert_true((s == NULL) == failed && (why[0] != '\0') == failed);
		http_server_free(s);
	}
}

/* What the stream's handler is to fail at, and what came of it. */
static unsigned stream_fails_at;
static bool stream_failed;
static enum vt_err stream_err;
static unsigned stream_closed_calls;

static void stream_closed(void *ctx)
{
	(void)ctx;
	stream_closed_calls++;
}

static void on_stream(struct http_exchange *x, void *thread, void *app)
{
	struct http_stream_calls calls = {NULL, stream_closed, NULL};
	struct http_stream *stream;
	struct http_response r;

	(void)thread;
	(void)app;
	http_response_init(&r, 200, "text/event-stream");
	assert_int_equal(buf_append_str(&r.body, "begin\n"), VT_OK);
	alloc_fail_at(stream_fails_at);
	stream_err = http_respond_stream(&stream, x, &r, &calls);
	stream_failed = alloc_failed();
	if (stream_err == VT_OK) {
		http_stream_end(stream);
		http_stream_release(stream);
		return;
	}
	assert_null(stream);
	assert_int_equal(r.body.len, 0);
	http_response_init(&r, 503, "text/plain");
	http_respond(x, &r);
}

static void stream_route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	(void)x;
	(void)app;
	*out = (struct http_route_match){.handler = on_stream, .on_loop = true, .stream = true};
}

static void a_stream_is_begun_whole_or_not_at_all(void **state)
{
	const struct http_config config = {
	    .listen = "127.0.0.1:0", .route = stream_route, .error = no_error, .workers = 1};
	struct http_server *s;
	unsigned begun = 0;
	struct buf got;

	(void)state;
	buf_init(&got);
	stream_closed_calls = 0;
	assert_int_equal(http_server_start(&s, &config, NULL), VT_OK);
	for (stream_failed = true, stream_fails_at = 1; stream_failed; stream_fails_at++) {
		int fd = raw_connect(http_server_url(s));

		raw_send_str(fd, "GET / HTTP/1.0\r\n\r\n");
		buf_reset(&got);
		raw_drain(fd, &got);
		close(fd);
		assert_int_equal(stream_err, stream_failed ? VT_ENOMEM : VT_OK);
		assert_memory_equal(got.data, stream_failed ? "HTTP/1.1 503" : "HTTP/1.1 200", 12);
		begun += !stream_failed;
	}
	assert_true(stream_fails_at > 3); /* the stream, its ring, its first chunk */
	http_server_free(s);
	assert_int_equal(begun, 1);
	assert_int_equal(stream_closed_calls, 1);
	buf_release(&got);
}

static void a_fetcher_is_made_whole_or_not_at_all(void **state)
{
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct http_fetcher *f;
		enum vt_err err;

		alloc_fail_at(n);
		err = http_fetcher_new(&f, NULL);
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		http_fetcher_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_exchange_is_made_whole_or_not_at_all),
	    cmocka_unit_test(texts_are_appended_whole_or_not_at_all),
	    cmocka_unit_test(gzip_without_memory_says_so),
	    cmocka_unit_test(a_server_starts_whole_or_not_at_all),
	    cmocka_unit_test(a_stream_is_begun_whole_or_not_at_all),
	    cmocka_unit_test(a_fetcher_is_made_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
