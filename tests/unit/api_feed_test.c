/* The Atom feed: newest first, stable, and whatever a record says cannot break the document. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "log_fixture.h"
#include "raw_http.h"
#include "record_world.h"
#include "vitrine_test.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

struct fixture {
	struct log_fixture log;
	struct api *api;
	struct world world;
	struct raw_reply reply;
};

static struct fixture *start(const char *mode)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct api_config config = {.version = "test", .http = {.listen = "127.0.0.1:0"}};
	bool records = strcmp(mode, "records") == 0;
	char why[160] = "";

	assert_non_null(f);
	raw_reply_init(&f->reply);
	world_init(&f->world);
	fixture_store(&f->log, NULL, mode,
		      records ? world_spki(f->world.centre) : bytes_of(NULL, 0));
	fixture_start(&f->log);
	config.log = f->log.log;
	if (api_start(&f->api, &config, why) != VT_OK)
		fail_msg("%s", why);
	if (!records)
		return f;
	world_begin(&f->world);
	for (size_t i = 0; i < f->world.n; i++)
		assert_int_equal(send_one(&f->log, buf_bytes(&f->world.entry[i].bytes)).outcome,
				 LOG_ADDED);
	return f;
}

static void done(struct fixture *f)
{
	api_stop(f->api, 5);
	log_stop(f->log.log);
	api_free(f->api);
	fixture_free(&f->log);
	world_release(&f->world);
	raw_reply_release(&f->reply);
	free(f);
}

static void append_verdict(struct fixture *f, unsigned n, const char *name, const char *result)
{
	struct compose_digest subject = {name, NULL, DIGEST};
	char run[40];
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = result,
				    .configuration = &configuration,
				    .n_configuration = 1};
	struct buf statement, body;

	(void)snprintf(run, sizeof(run), "urn:run:%u", n);
	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), f->world.lab);
	assert_int_equal(send_one(&f->log, buf_bytes(&body)).outcome, LOG_ADDED);
	buf_release(&statement);
	buf_release(&body);
}

static void append_raw(struct fixture *f, unsigned n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "entry %u", n);
	assert_int_equal(send_one(&f->log, bytes_str(text)).outcome, LOG_ADDED);
}

/* The feed's text, good until the next call. fields: further header lines. */
static const char *read_feed(struct fixture *f, const char *query, const char *fields,
			     unsigned status)
{
	char request[512];

	(void)snprintf(request, sizeof(request), "GET /feed.atom%s HTTP/1.1\r\nHost: t\r\n%s\r\n",
		       query, fields);
	assert_int_equal(raw_ask(api_url(f->api), request, &f->reply), status);
	assert_int_equal(buf_append_byte(&f->reply.body, '\0'), VT_OK);
	return (const char *)f->reply.body.data;
}

/* The indexes of its entries, as "7 6 5 ". */
static const char *indexes(const char *feed)
{
	static char list[8192];
	const char *id = "<id>urn:vitrine:entry:" FIXTURE_ORIGIN ":";
	size_t used = 0;

	list[0] = '\0';
	for (const char *at = feed; (at = strstr(at, id)) != NULL; at++) {
		unsigned long n = strtoul(at + strlen(id), NULL, 10);

		used += (size_t)snprintf(list + used, sizeof(list) - used, "%lu ", n);
	}
	return list;
}

static void a_feed_of_nothing_is_a_feed(void **state)
{
	struct fixture *f = start("raw");
	const char *feed;

	(void)state;
	feed = read_feed(f, "", "", 200);
	assert_string_equal(raw_field(&f->reply, "Content-Type"), "application/atom+xml");
	assert_non_null(strstr(feed, "<id>urn:vitrine:feed:" FIXTURE_ORIGIN "</id>"));
	assert_non_null(strstr(feed, "<updated>2"));
	assert_string_equal(indexes(feed), "");
	assert_null(raw_field(&f->reply, "Link"));
	done(f);
}

static void pages_go_from_the_newest_to_the_oldest(void **state)
{
	struct fixture *f = start("raw");
	unsigned seen = 0;
	char query[64] = "?limit=7";

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		append_raw(f, i);
	for (;;) {
		char list[256] = "";
		unsigned left = 600 - seen, n = left < 7 ? left : 7;
		const char *link;
		size_t used = 0;

		for (unsigned i = 0; i < n; i++)
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%u ",
						 599 - seen - i);
		assert_string_equal(indexes(read_feed(f, query, "", 200)), list);
		seen += n;
		link = raw_field(&f->reply, "Link");
		if (link == NULL)
			break;
		assert_int_equal(sscanf(link, "<feed.atom%60[^>]>; rel=\"next\"", query), 1);
	}
	assert_int_equal(seen, 600);
	done(f);
}

static void conditions_choose_what_is_in_it(void **state)
{
	struct fixture *f = start("records");
	char before[64], after[64];
	const char *feed;

	(void)state;
	append_verdict(f, 1, "bios.bin", "PASSED");
	append_verdict(f, 2, "bios.bin", "FAILED");
	append_verdict(f, 3, "bios.bin", "PASSED");
	assert_string_equal(indexes(read_feed(f, "", "", 200)), "5 4 3 2 1 0 ");
	assert_string_equal(indexes(read_feed(f, "?result=PASSED", "", 200)), "5 3 ");
	assert_string_equal(indexes(read_feed(f, "?result=PASSED&before=5", "", 200)), "3 ");
	assert_string_equal(indexes(read_feed(f, "?subject=" DIGEST "&party=acme", "", 200)), "");
	feed = read_feed(f, "?result=FAILED", "", 200);
	assert_string_equal(indexes(feed), "4 ");
	assert_non_null(
	    strstr(feed, "<id>urn:vitrine:feed:" FIXTURE_ORIGIN "?=result=FAILED</id>"));
	assert_non_null(strstr(feed, "<title>FAILED: bios.bin</title>"));
	assert_non_null(strstr(feed, "<name>lab-1</name>"));
	assert_non_null(strstr(feed, "href=\"api/v1/entries/4\""));
	(void)snprintf(before, sizeof(before), "%s", raw_field(&f->reply, "ETag"));
	/* What the conditions keep out changes nothing. */
	append_verdict(f, 4, "bios.bin", "PASSED");
	(void)read_feed(f, "?result=FAILED", "", 200);
	(void)snprintf(after, sizeof(after), "%s", raw_field(&f->reply, "ETag"));
	assert_string_equal(before, after);
	append_verdict(f, 5, "bios.bin", "FAILED");
	(void)read_feed(f, "?result=FAILED", "", 200);
	assert_string_not_equal(raw_field(&f->reply, "ETag"), before);
	(void)read_feed(f, "?result=GOOD", "", 400);
	(void)read_feed(f, "?subject=bios.bin", "", 400);
	(void)read_feed(f, "?limit=201", "", 400);
	done(f);
}

static void rare_matches_are_found_far_back(void **state)
{
	struct fixture *f = start("records");

	(void)state;
	append_verdict(f, 0, "bios.bin", "FAILED");
	for (unsigned i = 1; i < 700; i++)
		append_verdict(f, i, "bios.bin", "PASSED");
	append_verdict(f, 700, "bios.bin", "FAILED");
	assert_string_equal(indexes(read_feed(f, "?result=FAILED", "", 200)), "703 3 ");
	assert_null(raw_field(&f->reply, "Link"));
	done(f);
}

static void names_cannot_leave_their_place(void **state)
{
	static const struct {
		const char *name, *shown;
	} cases[] = {
	    {"</title><script>&\"'", "&lt;/title&gt;&lt;script&gt;&amp;&quot;'"},
	    {"]]>", "]]&gt;"},
	    {"a\001b\033c\x7f", "a\xef\xbf\xbd"
				"b\xef\xbf\xbd"
				"c\xef\xbf\xbd"},
	    {"\xc2\x85", "\xef\xbf\xbd"},
	    {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x94\x92", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x94\x92"},
	};
	struct fixture *f = start("records");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char title[128];

		append_verdict(f, (unsigned)i, cases[i].name, "PASSED");
		(void)snprintf(title, sizeof(title), "<title>PASSED: %s</title>", cases[i].shown);
		if (strstr(read_feed(f, "?limit=1", "", 200), title) == NULL)
			fail_msg("not %s in %s", title, (const char *)f->reply.body.data);
	}
	done(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_feed_of_nothing_is_a_feed),
	    cmocka_unit_test(pages_go_from_the_newest_to_the_oldest),
	    cmocka_unit_test(conditions_choose_what_is_in_it),
	    cmocka_unit_test(rare_matches_are_found_far_back),
	    cmocka_unit_test(names_cannot_leave_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
