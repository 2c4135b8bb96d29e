/* The fetcher, against our own server and against answers that no server should give. */
#include "vitrine_test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "http_app.h"
#include "http_fetch.h"
#include "raw_http.h"

/* Accepts one connection, reads a request, says what it was told to say, and closes. */
struct liar {
	int fd;
	char url[64];
	struct bytes says;
	bool hangs; /* says it, then waits for the client to leave */
	struct buf heard;
	pthread_t thread;
};

static void *liar_main(void *arg)
{
	struct liar *l = arg;
	int fd = accept(l->fd, NULL, NULL);
	char piece[4096];
	ssize_t n;

	buf_init(&l->heard);
	while (fd >= 0 &&
	       (l->heard.len < 4 || memmem(l->heard.data, l->heard.len, "\r\n\r\n", 4) == NULL)) {
		n = recv(fd, piece, sizeof(piece), 0);
		if (n <= 0)
			break;
		(void)buf_append(&l->heard, bytes_of(piece, (size_t)n));
	}
	raw_send_some(fd, l->says);
	while (l->hangs && recv(fd, piece, sizeof(piece), 0) > 0)
		continue;
	close(fd);
	return NULL;
}

static void liar_start(struct liar *l, struct bytes says, bool hangs)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(addr);

	l->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(l->fd >= 0);
	assert_int_equal(bind(l->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(l->fd, 1), 0);
	assert_int_equal(getsockname(l->fd, (struct sockaddr *)&addr, &len), 0);
	snprintf(l->url, sizeof(l->url), "http://127.0.0.1:%u/x", ntohs(addr.sin_port));
	l->says = says;
	l->hangs = hangs;
	assert_int_equal(pthread_create(&l->thread, NULL, liar_main, l), 0);
}

static void liar_stop(struct liar *l)
{
	pthread_join(l->thread, NULL);
	close(l->fd);
	buf_release(&l->heard);
}

struct fixture {
	struct app app;
	struct http_fetcher *fetcher;
	struct http_reply reply;
	char why[160];
};

static int set_up(void **state)
{
	const struct http_fetch_config config = {.total_seconds = 20};
	struct fixture *f = calloc(1, sizeof(*f));

	/* Whoever runs the tests may need a proxy to reach the world; the loopback needs none. */
	assert_int_equal(setenv("no_proxy", "*", 1), 0);
	assert_non_null(f);
	app_start(&f->app, NULL);
	assert_int_equal(http_fetcher_new(&f->fetcher, &config), VT_OK);
	http_reply_init(&f->reply);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	http_fetcher_free(f->fetcher);
	http_reply_release(&f->reply);
	app_stop(&f->app, 5);
	free(f);
	return 0;
}

static enum vt_err get(struct fixture *f, const char *path, size_t body_max)
{
	char url[128];
	struct http_ask ask = {.method = "GET", .url = url, .body_max = body_max};

	snprintf(url, sizeof(url), "%s%s", f->app.url, path);
	return http_fetch(&f->reply, f->fetcher, &ask, f->why);
}

/* What a fetch makes of these bytes for an answer. */
static enum vt_err hear(struct fixture *f, struct bytes says, size_t body_max)
{
	struct http_ask ask = {.method = "GET", .body_max = body_max};
	enum vt_err err;
	struct liar l;

	liar_start(&l, says, false);
	ask.url = l.url;
	err = http_fetch(&f->reply, f->fetcher, &ask, f->why);
	liar_stop(&l);
	if (err != VT_OK) {
		assert_int_equal(f->reply.body.len, 0);
		assert_true(f->why[0] != '\0');
	}
	return err;
}

static enum vt_err hear_text(struct fixture *f, const char *says)
{
	return hear(f, bytes_str(says), 1000);
}

static void get_brings_status_body_and_fields(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/tag", 100), VT_OK);
	assert_int_equal(f->reply.status, 200);
	assert_true(bytes_is(buf_bytes(&f->reply.body), "tagged"));
	assert_string_equal(f->reply.content_type, "text/plain");
	assert_string_equal(f->reply.etag, "\"one\"");
	assert_string_equal(f->reply.location, "");
	assert_int_equal(get(f, "/nowhere", 100), VT_OK);
	assert_int_equal(f->reply.status, 404);
	assert_string_equal(f->reply.etag, "");
}

static void post_sends_the_body_and_the_connection_is_kept(void **state)
{
	struct fixture *f = *state;
	struct http_server_stats stats;
	char url[128], expected[64];
	struct buf body;
	struct http_ask ask = {
	    .method = "POST", .url = url, .content_type = "application/json", .body_max = 100};

	buf_init(&body);
	snprintf(url, sizeof(url), "%s/body", f->app.url);
	for (int i = 0; i < 200000; i++)
		assert_int_equal(buf_append_byte(&body, (uint8_t)(i * 7)), VT_OK);
	for (int i = 0; i < 3; i++) {
		ask.body = i == 1 ? bytes_of(NULL, 0) : buf_bytes(&body);
		assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_OK);
		snprintf(expected, sizeof(expected), "%zu %016llx", ask.body.len,
			 (unsigned long long)app_hash(ask.body));
		assert_true(bytes_is(buf_bytes(&f->reply.body), expected));
	}
	http_server_stats(f->app.server, &stats);
	assert_int_equal(stats.connections_open, 1);
	buf_release(&body);
}

static void if_none_match_brings_304(void **state)
{
	struct fixture *f = *state;
	char url[128];
	struct http_ask ask = {.method = "GET", .url = url, .body_max = 100};

	snprintf(url, sizeof(url), "%s/tag", f->app.url);
	ask.if_none_match = "\"one\"";
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_OK);
	assert_int_equal(f->reply.status, 304);
	ask.if_none_match = "\"one\"\r\nX-Forged: yes";
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_EINVAL);
}

static void who_asks_past_caches_says_so(void **state)
{
	struct fixture *f = *state;
	char url[128];
	struct http_ask ask = {.method = "GET", .url = url, .body_max = 100};

	snprintf(url, sizeof(url), "%s/fresh", f->app.url);
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_OK);
	assert_true(bytes_is(buf_bytes(&f->reply.body), "-|-"));
	ask.fresh = true;
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_OK);
	assert_true(bytes_is(buf_bytes(&f->reply.body), "no-cache|no-cache"));
}

static void gzip_is_undone_and_counted_unpacked(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/big?n=20000", 20000), VT_OK);
	assert_int_equal(f->reply.body.len, 20000);
	assert_memory_equal(f->reply.body.data, "000123468a", 10);
	assert_int_equal(get(f, "/big?n=20001", 20000), VT_ELIMIT);
	assert_int_equal(f->reply.body.len, 0);
}

static void an_answer_over_the_limit_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, "/hello", 5), VT_OK);
	assert_int_equal(get(f, "/hello", 4), VT_ELIMIT);
	assert_int_equal(f->reply.status, 0);
	assert_int_equal(get(f, "/hello", 0), VT_ELIMIT);
}

static void a_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hear_text(f, "HTTP/1.1 302 Found\r\nLocation: /elsewhere?x=1\r\n"
				      "Content-Length: 0\r\n\r\n"),
			 VT_OK);
	assert_int_equal(f->reply.status, 302);
	assert_string_equal(f->reply.location, "/elsewhere?x=1");
}

static void retry_after_is_read_as_seconds_and_as_a_date(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    hear_text(f, "HTTP/1.1 503 No\r\nRetry-After: 17 \r\nContent-Length: 0\r\n\r\n"),
	    VT_OK);
	assert_int_equal(f->reply.retry_after, 17);
	assert_int_equal(
	    hear_text(f, "HTTP/1.1 503 No\r\nRetry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
			 "Content-Length: 0\r\n\r\n"),
	    VT_OK);
	assert_true(f->reply.retry_after > 1000000);
	assert_int_equal(
	    hear_text(f, "HTTP/1.1 503 No\r\nRetry-After: Thu, 01 Jan 1970 00:00:10 GMT\r\n"
			 "Content-Length: 0\r\n\r\n"),
	    VT_OK);
	assert_int_equal(f->reply.retry_after, 0);
	assert_int_equal(
	    hear_text(f, "HTTP/1.1 503 No\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n"), VT_OK);
	assert_int_equal(f->reply.retry_after, 0);
}

static void fields_that_do_not_fit_are_absent(void **state)
{
	struct fixture *f = *state;
	struct buf says;

	buf_init(&says);
	assert_int_equal(buf_append_str(&says, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \""),
			 VT_OK);
	for (int i = 0; i < 200; i++)
		assert_int_equal(buf_append_byte(&says, 'e'), VT_OK);
	assert_int_equal(buf_append_str(&says, "\"\r\nContent-Type: a\x01"
					       "b\r\n\r\n"),
			 VT_OK);
	assert_int_equal(hear(f, buf_bytes(&says), 10), VT_OK);
	assert_string_equal(f->reply.etag, "");
	assert_string_equal(f->reply.content_type, "");
	buf_release(&says);
}

static void a_truncated_body_is_no_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hear_text(f, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"),
			 VT_EIO);
	assert_int_equal(
	    hear_text(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"),
	    VT_EIO);
	assert_int_equal(
	    hear_text(f, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), VT_EIO);
}

static void truncated_or_broken_gzip_is_no_answer(void **state)
{
	struct fixture *f = *state;
	uint8_t packed[256];
	z_stream z = {0};
	struct buf says;
	size_t len;

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (Bytef[]){"text text text text text text text text"};
	z.avail_in = 39;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
	buf_init(&says);
	for (size_t cut = 0; cut <= len; cut++) {
		buf_reset(&says);
		assert_int_equal(buf_appendf(&says,
					     "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n"
					     "Content-Length: %zu\r\n\r\n",
					     cut % 2 == 0 ? "X-Gzip" : "gzip", len - cut),
				 VT_OK);
		assert_int_equal(buf_append(&says, bytes_of(packed, len - cut)), VT_OK);
		enum vt_err err = hear(f, buf_bytes(&says), 1000);

		if (cut == 0)
			assert_int_equal(f->reply.body.len, 39);
		if (cut != len && (err == VT_OK) != (cut == 0))
			fail_msg("gzip cut by %zu of %zu bytes gives %d", cut, len, (int)err);
	}
	assert_int_equal(hear_text(f, "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n"
				      "Content-Length: 1\r\n\r\nx"),
			 VT_EIO);
	packed[len / 2] ^= 0x10;
	buf_reset(&says);
	assert_int_equal(
	    buf_appendf(&says,
			"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
			len),
	    VT_OK);
	assert_int_equal(buf_append(&says, bytes_of(packed, len)), VT_OK);
	assert_int_equal(hear(f, buf_bytes(&says), 1000), VT_EIO);
	buf_release(&says);
}

static void what_is_not_http_is_no_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hear_text(f, ""), VT_EIO);
	assert_int_equal(hear_text(f, "hello there\r\n\r\n"), VT_EIO);
	assert_int_equal(hear_text(f, "HTTP/1.1 200 OK\r\nContent-Le"), VT_EIO);
	assert_int_equal(hear_text(f, "HTTP/1.1 OK\r\n\r\n"), VT_EIO);
	assert_int_equal(hear_text(f, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"), VT_EIO);
}

static void an_endless_header_is_broken_off(void **state)
{
	struct fixture *f = *state;
	struct buf says;

	buf_init(&says);
	assert_int_equal(buf_append_str(&says, "HTTP/1.1 200 OK\r\n"), VT_OK);
	for (int i = 0; i < 20000; i++)
		assert_int_equal(buf_append_str(&says, "X-More: and more\r\n"), VT_OK);
	assert_int_equal(hear(f, buf_bytes(&says), 10), VT_EIO);
	buf_release(&says);
}

static void no_answer_is_given_up_after_the_time(void **state)
{
	const struct http_fetch_config config = {.total_seconds = 0.2};
	struct fixture *f = *state;
	struct http_ask ask = {.method = "GET", .body_max = 10};
	struct http_fetcher *hasty;
	struct liar l;

	assert_int_equal(http_fetcher_new(&hasty, &config), VT_OK);
	liar_start(&l, bytes_str("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsl"), true);
	ask.url = l.url;
	assert_int_equal(http_fetch(&f->reply, hasty, &ask, f->why), VT_EIO);
	http_fetcher_free(hasty);
	liar_stop(&l);
}

static void nobody_listening_is_no_answer(void **state)
{
	struct fixture *f = *state;
	struct http_ask ask = {.method = "GET", .body_max = 10};
	struct liar l;

	/* A port that was just free. */
	liar_start(&l, bytes_str(""), false);
	ask.url = l.url;
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_EIO);
	liar_stop(&l);
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_EIO);
	assert_non_null(strstr(f->why, "127.0.0.1"));
}

static void cancel_ends_the_fetch_under_way(void **state)
{
	struct fixture *f = *state;
	struct http_ask ask = {.method = "GET", .body_max = 10};
	struct liar l;

	liar_start(&l, bytes_str(""), true);
	ask.url = l.url;
	http_fetcher_cancel(f->fetcher);
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_EIO);
	assert_string_equal(f->why, "cancelled");
	/* It may have given up before it connected. */
	if (shutdown(l.fd, SHUT_RDWR) != 0)
		fail_msg("shutdown");
	liar_stop(&l);
}

static void only_http_urls_and_known_methods_are_taken(void **state)
{
	static const char *const urls[] = {
	    "",
	    "127.0.0.1:80/x",
	    "file:///etc/passwd",
	    "ftp://127.0.0.1/",
	    "gopher://127.0.0.1/",
	    "http://a b/",
	    "http://127.0.0.1:99999/",
	    "http://127.0.0.1/\r\nX-Forged: yes",
	};
	struct fixture *f = *state;
	struct http_ask ask = {.method = "GET", .body_max = 10};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		ask.url = urls[i];
		if (http_fetch(&f->reply, f->fetcher, &ask, f->why) != VT_EINVAL)
			fail_msg("taken: \"%s\"", urls[i]);
	}
	ask.method = "DELETE";
	ask.url = f->app.url;
	assert_int_equal(http_fetch(&f->reply, f->fetcher, &ask, f->why), VT_EINVAL);
}

static void escaping_leaves_only_unreserved_characters(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out);
	assert_int_equal(http_escape(&out, bytes_of("aZ09-._~ /?%&\0\xff", 15)), VT_OK);
	assert_true(bytes_is(buf_bytes(&out), "aZ09-._~%20%2F%3F%25%26%00%FF"));
	buf_release(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(get_brings_status_body_and_fields),
	    TEST(post_sends_the_body_and_the_connection_is_kept),
	    TEST(if_none_match_brings_304),
	    TEST(who_asks_past_caches_says_so),
	    TEST(gzip_is_undone_and_counted_unpacked),
	    TEST(an_answer_over_the_limit_is_refused),
	    TEST(a_redirect_is_not_followed),
	    TEST(retry_after_is_read_as_seconds_and_as_a_date),
	    TEST(fields_that_do_not_fit_are_absent),
	    TEST(a_truncated_body_is_no_answer),
	    TEST(truncated_or_broken_gzip_is_no_answer),
	    TEST(what_is_not_http_is_no_answer),
	    TEST(an_endless_header_is_broken_off),
	    TEST(no_answer_is_given_up_after_the_time),
	    TEST(nobody_listening_is_no_answer),
	    TEST(cancel_ends_the_fetch_under_way),
	    TEST(only_http_urls_and_known_methods_are_taken),
	    cmocka_unit_test(escaping_leaves_only_unreserved_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
