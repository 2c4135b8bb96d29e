/* Every allocation of the HTTP layer's own fails once. */
#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "http_exchange.h"
#include "http_fetch.h"
#include "http_gzip.h"
#include "http_peers.h"
#include "http_query.h"

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

static void no_error(struct http_response *out, unsigned status, const char *detail, void *app)
{
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
	    cmocka_unit_test(a_fetcher_is_made_whole_or_not_at_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
