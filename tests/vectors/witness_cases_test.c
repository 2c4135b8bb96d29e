/*
 * Requests and answers that other projects test their witnesses with, replayed over HTTP.
 *
 * tests/vectors/witness/NAME.txt, by lines:
 *	# comment
 *	witness NAME, log VKEY    what the witness is and knows; before the first `fresh`
 *	fresh                     start anew, knowing nothing
 *	case WHAT                 one request
 *	departs WHY               the project expects another answer, and why this one is right
 *	expect STATUS [SIZE]      SIZE: what a 409 says
 *	|LINE                     of the body of POST /add-checkpoint
 *	get ORIGIN                instead: GET /<origin hash>/checkpoint
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "logline.h"
#include "scratch.h"
#include "test_file.h"
#include "vitrine_test.h"
#include "witness_server.h"

static const char *folder;

struct script {
	struct witness_server server;
	bool running;
	char witness[VKEY_NAME_MAX + 1];
	struct buf policy;
	/* The case at hand. */
	char what[256];
	unsigned status;
	char size[32];
	char origin[256]; /* "": POST */
	struct buf body;
	size_t cases;
	struct raw_reply reply;
};

static void start(struct script *s)
{
	char policy[16384];

	if (s->running)
		witness_server_stop(&s->server);
	scratch_clear();
	assert_true((size_t)snprintf(policy, sizeof(policy), "%.*squorum none\n",
				     (int)s->policy.len,
				     (const char *)s->policy.data) < sizeof(policy));
	witness_server_start(&s->server, s->witness, policy, 0);
	s->running = true;
}

/* The answer's cosignature lines verify on the checkpoint that was sent. */
static void check_cosigned(struct script *s)
{
	struct vkey_set known = {&s->server.key.key, 1};
	const uint8_t *blank = memmem(s->body.data, s->body.len, "\n\n", 2);
	struct buf note;
	struct note *n;

	assert_non_null(blank);
	buf_init(&note);
	assert_int_equal(
	    buf_append(&note,
		       bytes_of(blank + 2, s->body.len - (size_t)(blank + 2 - s->body.data))),
	    VT_OK);
	assert_int_equal(buf_append(&note, buf_bytes(&s->reply.body)), VT_OK);
	if (note_open(&n, buf_bytes(&note), &known) != VT_OK)
		fail_msg("%s: the cosignature does not verify", s->what);
	note_free(n);
	buf_release(&note);
}

static void check_answer(struct script *s)
{
	struct bytes body = buf_bytes(&s->reply.body);
	char size[40];

	if (s->reply.status != s->status)
		fail_msg("%s: %u instead of %u: %.*s", s->what, s->reply.status, s->status,
			 (int)body.len, body.len ? (const char *)body.data : "");
	if (s->status == 200 && s->origin[0] == '\0')
		check_cosigned(s);
	if (s->status != 409)
		return;
	snprintf(size, sizeof(size), "%s\n", s->size);
	assert_string_equal(raw_field(&s->reply, "Content-Type"), "text/x.tlog.size");
	if (!bytes_is(body, size))
		fail_msg("%s: the body is not %s", s->what, s->size);
}

static void end_case(struct script *s)
{
	if (s->what[0] == '\0')
		return;
	if (s->status == 0 || (s->body.len == 0) == (s->origin[0] == '\0'))
		fail_msg("%s: incomplete", s->what);
	if (s->origin[0] != '\0')
		witness_get(s->server.url, s->origin, &s->reply);
	else
		witness_post(s->server.url, buf_bytes(&s->body), &s->reply);
	check_answer(s);
	s->what[0] = s->origin[0] = s->size[0] = '\0';
	s->status = 0;
	buf_reset(&s->body);
	s->cases++;
}

static void take_line(struct script *s, const char *line)
{
	if (line[0] == '\0' || line[0] == '#' || strncmp(line, "departs ", 8) == 0) {
		return;
	} else if (line[0] == '|') {
		assert_int_equal(buf_append_str(&s->body, line + 1), VT_OK);
		assert_int_equal(buf_append_byte(&s->body, '\n'), VT_OK);
	} else if (strncmp(line, "witness ", 8) == 0) {
		snprintf(s->witness, sizeof(s->witness), "%s", line + 8);
	} else if (strncmp(line, "log ", 4) == 0) {
		assert_int_equal(buf_appendf(&s->policy, "%s\n", line), VT_OK);
	} else if (strcmp(line, "fresh") == 0) {
		end_case(s);
		start(s);
	} else if (strncmp(line, "case ", 5) == 0) {
		end_case(s);
		snprintf(s->what, sizeof(s->what), "%s", line + 5);
	} else if (strncmp(line, "get ", 4) == 0) {
		snprintf(s->origin, sizeof(s->origin), "%s", line + 4);
	} else if (sscanf(line, "expect %u %31s", &s->status, s->size) < 1) {
		fail_msg("not understood: %s", line);
	}
}

static void replay(const char *name, size_t cases)
{
	struct script s = {0};
	struct buf file = test_read_file(folder, name, ".txt");

	assert_int_equal(buf_append_byte(&file, '\0'), VT_OK);
	for (char *line = (char *)file.data, *next; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		take_line(&s, line);
	}
	end_case(&s);
	assert_int_equal(s.cases, cases); /* or the file was not read as it is meant */
	witness_server_stop(&s.server);
	buf_release(&file);
	buf_release(&s.policy);
	buf_release(&s.body);
	raw_reply_release(&s.reply);
}

static void litewitness_of_torchwood_0_10_0(void **state)
{
	(void)state;
	replay("litewitness", 13);
}

static void the_race_of_torchwood_0_10_0(void **state)
{
	(void)state;
	replay("torchwood_race", 4);
}

static void what_torchwood_0_10_0_cosigns_and_this_does_not(void **state)
{
	(void)state;
	replay("torchwood_departures", 2);
}

static void witness_of_transparency_dev(void **state)
{
	(void)state;
	replay("tdev_witness", 26);
}

static void bodies_of_transparency_dev(void **state)
{
	(void)state;
	replay("tdev_http", 5);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(litewitness_of_torchwood_0_10_0),
	    cmocka_unit_test(the_race_of_torchwood_0_10_0),
	    cmocka_unit_test(what_torchwood_0_10_0_cosigns_and_this_does_not),
	    cmocka_unit_test(witness_of_transparency_dev),
	    cmocka_unit_test(bodies_of_transparency_dev),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	logline_configure(LOGLINE_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
