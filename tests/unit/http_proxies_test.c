/* Whose request it is: what a trusted proxy's header says, and what a forged one does not. */
#include "vitrine_test.h"

#include <arpa/inet.h>
#include <string.h>

#include "http_proxies.h"

static struct http_proxies *proxies(const char *header)
{
	static const char *const trusted[] = {"127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48",
					      "192.168.4.0/23"};
	struct http_proxies *p;

	assert_int_equal(http_proxies_new(&p, header, trusted, 4, (char[160]){0}), VT_OK);
	return p;
}

/* The client of what a trusted 10.0.0.1 sent: want, or NULL for 10.0.0.1 itself. */
static void check(const char *header, const char *value, const char *want)
{
	struct http_proxies *p = proxies(header);
	struct http_address a;
	char text[HTTP_ADDRESS_TEXT_SIZE];
	bool found;

	assert_true(http_address_parse(&a, bytes_str("10.0.0.1")));
	found = http_proxies_client(p, value, &a);
	http_address_text(text, &a);
	assert_string_equal(text, want != NULL ? want : "10.0.0.1");
	assert_int_equal(found, want != NULL);
	http_proxies_free(p);
}

static void list(const char *value, const char *want)
{
	check("X-Forwarded-For", value, want);
}

static void forwarded(const char *value, const char *want)
{
	check("forwarded", value, want);
}

static void the_rightmost_address_that_is_no_proxy_counts(void **state)
{
	(void)state;
	list("192.0.2.1", "192.0.2.1");
	list("198.51.100.9, 192.0.2.1", "192.0.2.1");
	list("198.51.100.9,192.0.2.1 ,\t10.1.2.3, 127.0.0.1", "192.0.2.1");
	list("2001:db8::1", "2001:db8::1");
	list("192.0.2.1, 2001:db8:1:ffff::1", "192.0.2.1");
	list("192.0.2.1, 2001:db8:2::1", "2001:db8:2::1");
	list("192.0.2.1, ::ffff:10.0.0.9", "192.0.2.1");
	list("::ffff:192.0.2.1", "192.0.2.1");
	list("192.0.2.1, 192.168.5.255", "192.0.2.1");
	list("192.0.2.1, 192.168.6.0", "192.168.6.0");
	list("192.0.2.1:4711", "192.0.2.1");
	list("[2001:db8::1]:4711", "2001:db8::1");
	list("[2001:db8::1]", "2001:db8::1");
}

static void what_a_client_forged_on_the_left_is_not_read(void **state)
{
	(void)state;
	list("junk, \", \\, 192.0.2.1", "192.0.2.1");
	list(", 192.0.2.1", "192.0.2.1");
	list(",,,,192.0.2.1", "192.0.2.1");
	list("for=1.2.3.4;\"192.0.2.7\", 192.0.2.1, 10.0.0.2", "192.0.2.1");
	forwarded("for=\"1.2.3.4, for=192.0.2.1", "192.0.2.1");
	forwarded("\"\\\", for=192.0.2.1", "192.0.2.1");
	forwarded("for=198.51.100.9;by=\"x, for=192.0.2.1;proto=http", "192.0.2.1");
}

static void forwarded_is_read_as_its_rfc_has_it(void **state)
{
	(void)state;
	forwarded("for=192.0.2.1", "192.0.2.1");
	forwarded("For=192.0.2.1; proto=https;by=203.0.113.43", "192.0.2.1");
	forwarded("proto=http;for=\"192.0.2.1:80\"", "192.0.2.1");
	forwarded("for=\"[2001:db8::1]:4711\"", "2001:db8::1");
	forwarded("for=192.0.2.1, for=10.0.0.7, for=\"[2001:db8:1::7]\"", "192.0.2.1");
	forwarded("for=192.0.2.1;host=\"a, b; for=1.2.3.4\"", "192.0.2.1");
}

static void what_is_malformed_counts_as_the_peer(void **state)
{
	static const char *const lists[] = {
	    NULL,
	    "",
	    ",",
	    "192.0.2.1,",
	    "unknown",
	    "192.0.2.1, unknown",
	    "192.0.2.1, unknown, 10.0.0.7",
	    "192.0.2",
	    "192.0.2.1.5",
	    "192.0.2.01",
	    "192.0.2.1:",
	    "192.0.2.1:65536",
	    "192.0.2.1:80:80",
	    "192.0.2.1 10.0.0.1",
	    "[192.0.2.1]",
	    "[2001:db8::1",
	    "2001:db8::1]",
	    "[2001:db8::1]80",
	    "[2001:db8::1]:",
	    "[]",
	    "[",
	    "fe80::1%eth0",
	    "for=192.0.2.1",
	    "\"192.0.2.1\"",
	    "00000000000000000000000000000000000000000000000192.0.2.1",
	    "10.0.0.5, 127.0.0.1", /* proxies alone */
	};
	static const char *const elements[] = {
	    "192.0.2.1",
	    "for=unknown",
	    "for=_hidden",
	    "for=",
	    "for=\"\"",
	    "for=\"",
	    "for =192.0.2.1",
	    "by=192.0.2.1",
	    "for=192.0.2.1;for=192.0.2.2",
	    "for=\"192.0.2.\\1\"",
	    "for=192.0.2.1;host=\"a\\\", for=192.0.2.2\"",
	    "for=192.0.2.1, proto=http",
	    "for=192.0.2.1,",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		list(lists[i], NULL);
	for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++)
		forwarded(elements[i], NULL);
}

static void what_is_no_address_is_refused(void **state)
{
	static const char *const refused[] = {
	    "",          "proxy.example", "10.0.0.0/",  "10.0.0.0/33",   "10.0.0.1/8",
	    "0.0.0.0/0", "::/0",          "2001::/129", "10.0.0.0/8/8",  "10.0.0.0/ 8",
	    "10.0.0",    "[::1]",         "::1/64",     "10.0.0.0:80/8",
	};
	static const char *const headers[] = {"", "X Forwarded", "X-Real-IP:"};
	static const char *const taken[] = {
	    "10.0.0.0/8", "10.1.2.3/32",   "0.0.0.0/1", "::ffff:10.0.0.0/104",
	    "::1",        "2001:db8::/32", "fe80::/10"};
	struct http_proxies *p;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		char why[160] = "";

		assert_int_equal(http_proxies_new(&p, "X-Real-IP", &refused[i], 1, why), VT_EINVAL);
		assert_null(p);
		assert_non_null(strstr(why, refused[i]));
	}
	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		assert_int_equal(http_proxies_new(&p, headers[i], taken, 1, (char[160]){0}),
				 VT_EINVAL);
	assert_int_equal(http_proxies_new(&p, "X-Real-IP", taken, sizeof(taken) / sizeof(*taken),
					  (char[160]){0}),
			 VT_OK);
	http_proxies_free(p);
}

static void nobody_is_trusted_where_none_is_named(void **state)
{
	struct http_address a;
	struct http_proxies *p = proxies("X-Real-IP");

	(void)state;
	assert_true(http_address_parse(&a, bytes_str("10.255.255.255")));
	assert_false(http_proxies_trust(NULL, &a));
	assert_true(http_proxies_trust(p, &a));
	assert_true(http_address_parse(&a, bytes_str("11.0.0.0")));
	assert_false(http_proxies_trust(p, &a));
	http_proxies_free(p);
}

/* An address is the same whether the system says it as IPv4 or as IPv6. */
static void an_address_is_one_whichever_socket_it_came_by(void **state)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct http_address a, b;

	(void)state;
	assert_int_equal(inet_pton(AF_INET, "192.0.2.1", &in.sin_addr), 1);
	assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr), 1);
	a = http_address_of((const struct sockaddr *)&in);
	b = http_address_of((const struct sockaddr *)&in6);
	assert_memory_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_rightmost_address_that_is_no_proxy_counts),
	    cmocka_unit_test(what_a_client_forged_on_the_left_is_not_read),
	    cmocka_unit_test(forwarded_is_read_as_its_rfc_has_it),
	    cmocka_unit_test(what_is_malformed_counts_as_the_peer),
	    cmocka_unit_test(what_is_no_address_is_refused),
	    cmocka_unit_test(nobody_is_trusted_where_none_is_named),
	    cmocka_unit_test(an_address_is_one_whichever_socket_it_came_by),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
