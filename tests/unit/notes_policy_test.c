#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>

#include "alloc_fail.h"
#include "test_policy.h"
#include "vitrine/cosignature.h"
#include "vitrine/policy.h"

static enum vt_err parse_bytes(struct policy **p, struct bytes text, struct policy_error *why)
{
	enum vt_err err = policy_parse(p, text, why);

	assert_true((*p == NULL) == (err != VT_OK));
	return err;
}

static enum vt_err parse_why(const char *template, struct policy_error *why)
{
	struct policy *p;
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	test_policy_text(&text, template);
	err = parse_bytes(&p, buf_bytes(&text), why);
	policy_free(p);
	assert_int_equal(parse_bytes(&p, buf_bytes(&text), NULL), err);
	policy_free(p);
	buf_release(&text);
	return err;
}

static struct policy *parsed(const char *template)
{
	struct policy_error why;
	struct policy *p;
	struct buf text;

	buf_init(&text);
	test_policy_text(&text, template);
	if (policy_parse(&p, buf_bytes(&text), &why) != VT_OK)
		fail_msg("line %zu: %s", why.line, why.text);
	assert_int_equal(why.line, 0);
	assert_string_equal(why.text, "");
	buf_release(&text); /* a policy owns a copy */
	return p;
}

static void refused(const char *template, size_t line, const char *text)
{
	struct policy_error why;

	if (parse_why(template, &why) != VT_EMALFORMED)
		fail_msg("taken: %s", template);
	if (why.line != line || strstr(why.text, text) == NULL)
		fail_msg("line %zu: %s\nexpected line %zu: %s", why.line, why.text, line, text);
}

/* The example of the specification, with keys. */
#define EXAMPLE                                                                                    \
	"log $La\n\nwitness X1 $Wa\nwitness X2 $Wb\nwitness X3 $Wc\n"                              \
	"group X-witnesses 2 X1 X2 X3\n\nwitness Y1 $Wd\nwitness Y2 $We\nwitness Y3 $Wf\n"         \
	"group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\n"            \
	"quorum X-and-Y\n"

static void the_specifications_example_means_what_it_says(void **state)
{
	struct policy *p = parsed(EXAMPLE);

	(void)state;
	assert_int_equal(policy_log_count(p), 1);
	assert_string_equal(policy_log(p, 0)->key.name, "la.example");
	assert_int_equal(policy_log(p, 0)->url.len, 0);
	assert_int_equal(policy_witness_count(p), 6);
	assert_true(bytes_is(policy_witness(p, 3)->name, "Y1"));
	assert_string_equal(policy_witness(p, 3)->key.name, "wd.example");
	assert_true(policy_needs_witnesses(p));
	for (unsigned set = 0; set < 64; set++) {
		unsigned x = (set & 1) + (set >> 1 & 1) + (set >> 2 & 1);
		bool cosigned[6];

		for (unsigned i = 0; i < 6; i++)
			cosigned[i] = set >> i & 1;
		assert_int_equal(policy_quorum(p, cosigned), x >= 2 && set >> 3 != 0);
	}
	policy_free(p);
}

static void quorum_none_needs_no_witness(void **state)
{
	struct policy *p = parsed("quorum none\n");
	bool nobody[1] = {false};

	(void)state;
	assert_false(policy_needs_witnesses(p));
	assert_true(policy_quorum(p, nobody));
	assert_int_equal(policy_log_count(p), 0);
	assert_int_equal(policy_witness_count(p), 0);
	policy_free(p);
	policy_free(NULL);
}

static void a_quorum_may_be_one_witness_or_a_group_inside_another(void **state)
{
	struct policy *p = parsed("witness a $Wa\nwitness b $Wb\nquorum b\n");

	(void)state;
	assert_false(policy_quorum(p, (bool[]){true, false}));
	assert_true(policy_quorum(p, (bool[]){false, true}));
	policy_free(p);
	p = parsed("witness a $Wa\nwitness b $Wb\ngroup g all a\ngroup h all g b\nquorum g\n");
	assert_true(policy_quorum(p, (bool[]){true, false}));
	assert_false(policy_quorum(p, (bool[]){false, true}));
	policy_free(p);
	/* A member of a group that is the quorum itself. */
	p = parsed("witness a $Wa\nwitness b $Wb\ngroup g all a b\nquorum a\n");
	assert_true(policy_quorum(p, (bool[]){true, false}));
	policy_free(p);
}

static void white_space_comments_and_urls_are_taken(void **state)
{
	struct policy *p = parsed("\n \t \n# comment # \xff\n \t# another\n"
				  "\tlog  $La\t https://log.example/ \n"
				  "witness \xe2\x84\xaa $Wa https://w.example/x#y\n"
				  "witness K $Wb\n  group all any\tK \t \nquorum all\n"
				  "log $Lb\nwitness # $Wc\nwitness 2 $Wd #\n");

	(void)state;
	assert_int_equal(policy_log_count(p), 2);
	assert_true(bytes_is(policy_log(p, 0)->url, "https://log.example/"));
	assert_true(bytes_is(policy_witness(p, 0)->name, "\xe2\x84\xaa"));
	assert_true(bytes_is(policy_witness(p, 0)->url, "https://w.example/x#y"));
	assert_true(bytes_is(policy_witness(p, 1)->name, "K"));
	assert_int_equal(policy_witness(p, 1)->url.len, 0);
	assert_true(bytes_is(policy_witness(p, 2)->name, "#"));
	assert_true(bytes_is(policy_witness(p, 3)->url, "#"));
	policy_free(p);
}

static void the_quorum_is_there_once_and_defined_above(void **state)
{
	(void)state;
	refused("", 1, "quorum is missing");
	refused("log $La\n", 2, "quorum is missing");
	refused("quorum none\nquorum none\n", 2, "the first is on line 1");
	refused("quorum a\nwitness a $Wa\n", 1, "no witness or group 'a' is defined above");
	refused("quorum b\n", 1, "no witness or group 'b'");
	refused("quorum\n", 1, "expected: quorum <name>");
	refused("quorum none none\n", 1, "expected: quorum <name>");
	refused("quorum none # for now\n", 1, "comment must have a line of its own");
}

static void names_are_unique_and_none_is_taken(void **state)
{
	(void)state;
	refused("witness a $Wa\nwitness a $Wb\n", 2, "'a' is already defined on line 1");
	refused("witness a $Wa\ngroup a all a\n", 2, "'a' is already defined on line 1");
	refused("witness a $Wa\ngroup g all a\nwitness g $Wb\n", 3, "already defined on line 2");
	refused("witness none $Wa\n", 1, "'none' is predefined");
	refused("witness a $Wa\ngroup none all a\n", 2, "'none' is predefined");
}

static void group_members_are_defined_above_and_belong_to_one_group(void **state)
{
	(void)state;
	refused("group g all a\nwitness a $Wa\n", 1, "no witness or group 'a' is defined above");
	refused("group g all g\n", 1, "no witness or group 'g' is defined above");
	refused("group g all none\n", 1, "'none' cannot be a member");
	refused("witness a $Wa\ngroup g 1 a a\n", 2, "'a' is already a member on line 2");
	refused("witness a $Wa\ngroup g 1 a\ngroup h 1 a\n", 3,
		"'a' is already a member on line 2");
	refused("witness a $Wa\ngroup g 1 a\ngroup h 1 g a\n", 3, "already a member on line 2");
	refused("witness a $Wa\ngroup g all\n", 2, "expected: group <name> all|any|<k> <name>...");
}

static void a_threshold_is_between_one_and_the_number_of_members(void **state)
{
	static const char *const bad[] = {"0",   "3",  "02",  "+1",  "-1",
					  "1.0", "2x", "ALL", "0x1", "18446744073709551617"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text[128];

		snprintf(text, sizeof(text), "witness a $Wa\nwitness b $Wb\ngroup g %s a b\n",
			 bad[i]);
		refused(text, 3,
			"is no threshold for 2 members: expected all, any, or a number "
			"from 1 to 2");
	}
}

static void keys_are_of_a_type_for_their_role(void **state)
{
	struct policy_error why;

	(void)state;
	refused("log $Wa\n", 1, "is a witness's key (type 0x04)");
	refused("witness a $La\n", 1, "is no witness's key");
	refused("witness a x+00000001+/wA=\n", 1, "is no witness's key");
	/* A log's key of another type is known; nothing verifies it. */
	assert_int_equal(parse_why("log x+00000001+/wA=\nquorum none\n", &why), VT_OK);
}

static void keys_that_are_none_are_explained(void **state)
{
	(void)state;
	refused("log example.com/foo\n", 1, "'example.com/foo' is not a verifier key: expected");
	refused("log example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\n", 1,
		"contradicts itself");
	refused("log x+12345678+AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", 1, "weak");
	refused("witness a\n", 1, "expected: witness <name> <vkey> [<url>]");
	refused("witness a $Wa https://a b\n", 1, "expected: witness <name> <vkey> [<url>]");
	refused("log\n", 1, "expected: log <vkey> [<url>]");
	refused("log $La https://a b\n", 1, "expected: log <vkey> [<url>]");
}

/* "if they wrap the same underlying public key, even if they differ by key name and key id" */
static void one_public_key_is_not_listed_twice(void **state)
{
	struct vkey log = test_vkey("other.example", VKEY_TYPE_ED25519, 'a');
	struct vkey witness = test_vkey("other.example", VKEY_TYPE_COSIGNATURE_ED25519, 'a' + 128);
	struct policy_error why;
	struct buf text;
	struct policy *p;

	(void)state;
	refused("log $La\nlog $La\n", 2, "the log on line 1 has the same key");
	refused("witness a $Wa\nwitness b $Wa\n", 2, "the witness on line 1 has the same key");

	buf_init(&text);
	test_policy_text(&text, "log $La\nlog ");
	assert_int_equal(vkey_format(&text, &log), VT_OK);
	assert_int_equal(buf_append_str(&text, "\nquorum none\n"), VT_OK);
	assert_int_equal(parse_bytes(&p, buf_bytes(&text), &why), VT_EMALFORMED);
	assert_string_equal(why.text, "the log on line 1 has the same key");
	buf_reset(&text);
	test_policy_text(&text, "witness a $Wa\nwitness b ");
	assert_int_equal(vkey_format(&text, &witness), VT_OK);
	assert_int_equal(buf_append_str(&text, "\nquorum none\n"), VT_OK);
	assert_int_equal(parse_bytes(&p, buf_bytes(&text), &why), VT_EMALFORMED);
	assert_string_equal(why.text, "the witness on line 1 has the same key");
	buf_release(&text);
}

static void two_keys_of_one_name_and_id_are_refused(void **state)
{
	(void)state;
	refused("log x+00000001+/wA=\nlog x+00000001+/wE=\n", 2,
		"the name and ID of the one on line 1");
}

static void what_else_is_on_a_line_is_refused(void **state)
{
	(void)state;
	refused("wittness a $Wa\n", 1, "unknown keyword 'wittness'");
	refused("Quorum none\n", 1, "unknown keyword 'Quorum'");
	refused("quorum none\r\n", 1, "carriage return");
	refused("# \x01\n", 1, "control character (code 1)");
	refused("quorum\vnone\n", 1, "control character (code 11)");
	refused("quorum no\x7fne\n", 1, "control character (code 127)");
	refused("quorum none", 1, "no newline at the end");
	refused("quorum none\n#", 2, "no newline at the end");
	refused("\xc2\xa0quorum none\n", 1, "unknown keyword '??quorum'");
}

static void a_nul_in_the_file_is_refused(void **state)
{
	static const char text[] = "quorum none\n\0\n";
	struct policy_error why;
	struct policy *p;

	(void)state;
	assert_int_equal(parse_bytes(&p, bytes_of(text, sizeof(text) - 1), &why), VT_EMALFORMED);
	assert_int_equal(why.line, 2);
	assert_string_equal(why.text, "a control character (code 0): remove it");
}

/* Long and hostile things are cut and cleaned before they reach a message. */
static void an_error_is_short_and_printable(void **state)
{
	struct policy_error why;
	char text[4096];

	(void)state;
	memset(text, '\xfe', sizeof(text));
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse_why(text, &why), VT_EMALFORMED);
	assert_non_null(strstr(why.text, "????...'"));
	assert_true(strlen(why.text) < sizeof(why.text));
	for (const char *c = why.text; *c != '\0'; c++)
		assert_true(*c >= 0x20 && *c <= 0x7e);
	memcpy(text, "log ", 4);
	assert_int_equal(parse_why(text, &why), VT_EMALFORMED);
	assert_non_null(strstr(why.text, "<base64>"));
	memcpy(text, "quorum ", 7);
	assert_int_equal(parse_why(text, &why), VT_EMALFORMED);
	assert_non_null(strstr(why.text, "above this line"));
}

/* Any vkey of a type that nothing verifies will do where only their number matters. */
static void append_key(struct buf *b, uint8_t type, size_t i)
{
	static uint8_t data[1 + 1312];
	const size_t len = type == VKEY_TYPE_COSIGNATURE_MLDSA44 ? sizeof(data) : 33;
	struct bytes part[] = {bytes_str("x\n"), bytes_of(data, len)};
	struct merkle_hasher h;
	struct merkle_hash id;

	data[0] = type;
	data[1] = (uint8_t)i;
	data[2] = (uint8_t)(i >> 8);
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_int_equal(merkle_sha256(&id, &h, part, 2), VT_OK);
	merkle_hasher_release(&h);
	assert_int_equal(buf_append_str(b, "x+"), VT_OK);
	assert_int_equal(buf_append_hex(b, bytes_of(id.b, 4)), VT_OK);
	assert_int_equal(buf_append_byte(b, '+'), VT_OK);
	assert_int_equal(buf_append_base64(b, bytes_of(data, len)), VT_OK);
}

/* n logs, n witnesses, and n groups over all of them, each in the next. */
static void append_many(struct buf *b, size_t logs, size_t witnesses, size_t groups)
{
	for (size_t i = 0; i < logs; i++) {
		assert_int_equal(buf_append_str(b, "log "), VT_OK);
		append_key(b, 0xff, i);
		assert_int_equal(buf_append_str(b, "\n"), VT_OK);
	}
	for (size_t i = 0; i < witnesses; i++) {
		assert_int_equal(buf_appendf(b, "witness w%zu ", i), VT_OK);
		append_key(b, VKEY_TYPE_COSIGNATURE_MLDSA44, i);
		assert_int_equal(buf_append_str(b, "\n"), VT_OK);
	}
	for (size_t i = 0; i < groups; i++) {
		assert_int_equal(i == 0 ? buf_append_str(b, "group g0 all")
					: buf_appendf(b, "group g%zu 1 g%zu", i, i - 1),
				 VT_OK);
		for (size_t w = 0; i == 0 && w < witnesses; w++)
			assert_int_equal(buf_appendf(b, " w%zu", w), VT_OK);
		assert_int_equal(buf_append_str(b, "\n"), VT_OK);
	}
	assert_int_equal(buf_appendf(b, "quorum g%zu\n", groups - 1), VT_OK);
}

static void each_limit_is_reached_and_not_passed(void **state)
{
	static const struct {
		size_t logs, witnesses, groups;
		enum vt_err err;
		const char *text;
	} test[] = {
	    {32, 32, 32, VT_OK, ""},
	    {POLICY_LOGS_MAX, POLICY_WITNESSES_MAX, POLICY_GROUPS_MAX, VT_OK, ""},
	    {POLICY_LOGS_MAX + 1, 1, 1, VT_ELIMIT, "more than 4096 logs"},
	    {0, POLICY_WITNESSES_MAX + 1, 1, VT_ELIMIT, "more than 256 witnesses"},
	    {0, 1, POLICY_GROUPS_MAX + 1, VT_ELIMIT, "more than 256 groups"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(test) / sizeof(test[0]); i++) {
		bool cosigned[POLICY_WITNESSES_MAX];
		struct policy_error why;
		struct policy *p;
		struct buf text;

		buf_init(&text);
		append_many(&text, test[i].logs, test[i].witnesses, test[i].groups);
		assert_int_equal(parse_bytes(&p, buf_bytes(&text), &why), test[i].err);
		assert_string_equal(why.text, test[i].text);
		if (p != NULL) {
			memset(cosigned, true, sizeof(cosigned));
			assert_true(policy_quorum(p, cosigned));
			cosigned[test[i].witnesses - 1] = false;
			assert_false(policy_quorum(p, cosigned));
		}
		policy_free(p);
		buf_release(&text);
	}
}

static struct merkle_hash digest_of(const char *template)
{
	struct policy *p = parsed(template);
	struct merkle_hash digest;

	assert_int_equal(policy_digest(&digest, p), VT_OK);
	policy_free(p);
	return digest;
}

static void a_digest_is_of_what_is_asked_for_and_not_of_words(void **state)
{
	/* Each asks for something else than all before it. */
	static const char *const each[] = {
	    "log $La\nquorum none\n",
	    "log $La\nwitness a $Wa http://a\nquorum none\n",
	    "log $La\nwitness a $Wa\nquorum a\n",
	    "log $La\nwitness a $Wa http://a\nquorum a\n",
	    "log $La\nwitness b $Wb http://a\nquorum b\n",
	    "log $La\nwitness a $Wa http://a\nwitness b $Wb http://b\nquorum a\n",
	    "log $La\nwitness a $Wa\nwitness b $Wb\ngroup g 1 a b\nquorum g\n",
	    "log $La\nwitness a $Wa\nwitness b $Wb\ngroup g 2 a b\nquorum g\n",
	    "log $La\nwitness a $Wa\nwitness b $Wb\nwitness c $Wc\ngroup h 1 b c\n"
	    "group g 2 a h\nquorum g\n",
	    "log $La\nwitness a $Wa\nwitness b $Wb\nwitness c $Wc\ngroup h 1 a c\n"
	    "group g 2 b h\nquorum g\n",
	};
	static const char *const same[][2] = {
	    {"log $La\nquorum none\n", "log $Lb\nwitness a $Wa\nquorum none\n"},
	    {EXAMPLE, "log $Lb\nwitness q $Wf\nwitness r $We\nwitness s $Wd\nwitness t $Wc\n"
		      "witness u $Wb\nwitness v $Wa\ngroup y 1 q s r\ngroup x 2 v t u\n"
		      "group both 2 y x\nquorum both\n"},
	    {"log $La\nwitness a $Wa http://a\nquorum a\n",
	     "log $La\nwitness b $Wa http://elsewhere/\nquorum b\n"},
	};
	struct merkle_hash digest[sizeof(each) / sizeof(*each)];

	(void)state;
	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++) {
		digest[i] = digest_of(each[i]);
		for (size_t k = 0; k < i; k++)
			assert_false(merkle_hash_equal(&digest[i], &digest[k]));
	}
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
		struct merkle_hash a = digest_of(same[i][0]), b = digest_of(same[i][1]);

		assert_true(merkle_hash_equal(&a, &b));
	}
}

static void a_file_over_the_size_limit_is_not_looked_at(void **state)
{
	static uint8_t text[POLICY_SIZE_MAX + 1];
	struct policy_error why;
	struct policy *p;

	(void)state;
	memset(text, '\n', sizeof(text));
	memcpy(text, "quorum none", 11);
	assert_int_equal(parse_bytes(&p, bytes_of(text, sizeof(text)), &why), VT_ELIMIT);
	assert_string_equal(why.text, "the file is larger than 1048576 bytes");
	assert_int_equal(parse_bytes(&p, bytes_of(text, sizeof(text) - 1), &why), VT_OK);
	policy_free(p);
	memset(text, 'a', sizeof(text));
	memset(text, ' ', 4096);
	for (size_t i = 0; i < 4096; i += 2)
		text[i] = 'a';
	text[sizeof(text) - 2] = '\n';
	assert_int_equal(parse_bytes(&p, bytes_of(text, sizeof(text) - 1), &why), VT_ELIMIT);
	assert_string_equal(why.text, "more than 515 items on a line");
}

static const struct tree_head head = {.size = 7};

/* What comes of the checkpoint of `log`, cosigned by `witnesses`, under the policy. */
static enum vt_err try_open(const char *template, char log, const char *witnesses, bool *cosigned)
{
	struct policy *p = parsed(template);
	const struct policy_log *found = NULL;
	struct checkpoint cp;
	struct note *n;
	struct buf msg;
	enum vt_err err;

	buf_init(&msg);
	test_checkpoint(&msg, log, &head, witnesses);
	err = policy_open_checkpoint(&n, &cp, &found, cosigned, buf_bytes(&msg), p);
	assert_true((n == NULL) == (err != VT_OK));
	if (err == VT_OK) {
		assert_true(bytes_is(cp.origin, found->key.name));
		assert_true(tree_head_equal(&cp.head, &head));
		assert_non_null(note_signed_by(n, &found->key));
	}
	note_free(n);
	policy_free(p);
	buf_release(&msg);
	return err;
}

static void a_checkpoint_with_log_and_quorum_is_accepted(void **state)
{
	bool cosigned[6];

	(void)state;
	assert_int_equal(try_open("log $La\nquorum none\n", 'a', "", NULL), VT_OK);
	assert_int_equal(try_open("log $Lb\nlog $La\nquorum none\n", 'a', "xyz", NULL), VT_OK);
	assert_int_equal(try_open(EXAMPLE, 'a', "zfca", cosigned), VT_OK);
	assert_memory_equal(cosigned, ((bool[]){true, false, true, false, false, true}),
			    sizeof(cosigned));
}

static void a_missing_quorum_is_told_apart_from_a_missing_log(void **state)
{
	bool cosigned[6];

	(void)state;
	memset(cosigned, true, sizeof(cosigned));
	assert_int_equal(try_open(EXAMPLE, 'a', "def", cosigned), VT_EMISMATCH);
	assert_memory_equal(cosigned, ((bool[]){false, false, false, true, true, true}),
			    sizeof(cosigned));
	assert_int_equal(try_open(EXAMPLE, 'a', "", NULL), VT_EMISMATCH);
	assert_int_equal(try_open(EXAMPLE, 'a', "aaa", NULL), VT_EMISMATCH);
	assert_int_equal(try_open(EXAMPLE, 'b', "abcdef", NULL), VT_EUNTRUSTED);
	assert_int_equal(try_open("quorum none\n", 'a', "", NULL), VT_EUNTRUSTED);
}

/* The log's key, but another listed log's name in the origin line. */
static void a_log_vouches_for_its_own_origin_only(void **state)
{
	struct note_signer by = test_log('a');
	struct policy *p = parsed("log $La\nlog $Lb\nquorum none\n");
	const struct policy_log *found;
	struct checkpoint cp;
	struct buf text, msg;
	struct note *n;

	(void)state;
	buf_init(&text);
	buf_init(&msg);
	assert_int_equal(checkpoint_format(&text, "lb.example", &head), VT_OK);
	assert_int_equal(note_sign(&msg, buf_bytes(&text), &by, 1), VT_OK);
	assert_int_equal(policy_open_checkpoint(&n, &cp, &found, NULL, buf_bytes(&msg), p),
			 VT_EUNTRUSTED);
	/* With both signatures it is b's. */
	by = test_log('b');
	assert_int_equal(note_signature_line(&msg, buf_bytes(&text), &by), VT_OK);
	assert_int_equal(policy_open_checkpoint(&n, &cp, &found, NULL, buf_bytes(&msg), p), VT_OK);
	assert_ptr_equal(found, policy_log(p, 1));
	note_free(n);
	policy_free(p);
	buf_release(&text);
	buf_release(&msg);
}

static void a_listed_witness_that_fails_rejects_the_checkpoint(void **state)
{
	struct note_signer by = test_witness('b');
	struct policy *p = parsed("log $La\nwitness a $Wa\nwitness b $Wb\nquorum a\n");
	struct policy *without = parsed("log $La\nwitness a $Wa\nquorum a\n");
	const struct policy_log *found;
	struct checkpoint cp;
	struct note *n;
	struct buf msg;

	(void)state;
	buf_init(&msg);
	test_checkpoint(&msg, 'a', &head, "a");
	assert_int_equal(
	    cosignature_line(&msg,
			     bytes_str("la.example\n8\n"
				       "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"),
			     1, &by),
	    VT_OK);
	assert_int_equal(policy_open_checkpoint(&n, &cp, &found, NULL, buf_bytes(&msg), p),
			 VT_EMISMATCH);
	assert_null(n);
	assert_int_equal(policy_open_checkpoint(&n, &cp, &found, NULL, buf_bytes(&msg), without),
			 VT_OK);
	note_free(n);
	policy_free(p);
	policy_free(without);
	buf_release(&msg);
}

static void parsing_survives_no_memory(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text);
	test_policy_text(&text, EXAMPLE);
	for (unsigned n = 1;; n++) {
		struct policy_error why;
		struct policy *p;
		enum vt_err err;

		alloc_fail_at(n);
		err = policy_parse(&p, buf_bytes(&text), &why);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			policy_free(p);
			assert_true(n > 10);
			break;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_null(p);
		assert_string_equal(why.text, "out of memory");
	}
	buf_release(&text);
}

static void opening_survives_no_memory(void **state)
{
	struct policy *p = parsed(EXAMPLE);
	struct buf msg;

	(void)state;
	buf_init(&msg);
	test_checkpoint(&msg, 'a', &head, "abcdef");
	for (unsigned n = 1;; n++) {
		const struct policy_log *found;
		struct checkpoint cp;
		struct note *note;
		enum vt_err err;

		alloc_fail_at(n);
		err = policy_open_checkpoint(&note, &cp, &found, NULL, buf_bytes(&msg), p);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			note_free(note);
			assert_true(n > 6);
			break;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_null(note);
	}
	policy_free(p);
	buf_release(&msg);
}

/* What is said of the checkpoint of `log`, cosigned by `witnesses` and changed by `change`, under the policy. */
static void explained(const char *template, char log, const char *witnesses,
		      void (*change)(struct buf *msg), const char *expected)
{
	struct policy *p = parsed(template);
	char why[POLICY_WHY_MAX];
	struct buf msg;

	buf_init(&msg);
	test_checkpoint(&msg, log, &head, witnesses);
	if (change != NULL)
		change(&msg);
	assert_int_equal(policy_explain(why, buf_bytes(&msg), p), VT_OK);
	assert_string_equal(why, expected);
	buf_release(&msg);
	policy_free(p);
}

/* The last character of the root: its bits beyond the 32 bytes stay zero. */
static void change_root(struct buf *msg)
{
	uint8_t *c = memchr(msg->data, '=', msg->len);

	c[-1] = c[-1] == 'A' ? 'E' : 'A';
}

static void cut_text(struct buf *msg)
{
	msg->len = 20;
}

static void drop_log_line(struct buf *msg)
{
	uint8_t *log = memmem(msg->data, msg->len, "\n\n", 2), *end;

	log += 2;
	end = memchr(log, '\n', (size_t)(msg->data + msg->len - log));
	msg->len -= (size_t)(end + 1 - log);
	memmove(log, end + 1, (size_t)(msg->data + msg->len - log));
}

static void a_refusal_names_what_is_missing(void **state)
{
	static const char two_of_three[] = "log $La\nwitness a $Wa\nwitness b $Wb\nwitness c $Wc\n"
					   "group two 2 a b c\nquorum two\n",
			  nested[] = "log $La\nwitness a $Wa\nwitness b $Wb\nwitness c $Wc\n"
				     "witness d $Wd\ngroup x 2 a b\ngroup y 1 c d\n"
				     "group both all x y\nquorum both\n";

	(void)state;
	explained("log $La\nquorum none\n", 'a', "", NULL, "");
	explained(two_of_three, 'a', "ab", NULL, "");
	explained(two_of_three, 'a', "b", NULL,
		  "the quorum is missing: 'two' has 1 of the 2 that it needs (cosigned: b; not: a, "
		  "c)");
	explained(two_of_three, 'a', "", NULL,
		  "the quorum is missing: 'two' has 0 of the 2 that it needs (not: a, b, c)");
	explained(nested, 'a', "ad", NULL,
		  "the quorum is missing: 'both' has 1 of the 2 that it needs (cosigned: y (1 of "
		  "1); not: x (1 of 2))");
	explained("log $La\nwitness a $Wa\nquorum a\n", 'a', "", NULL,
		  "the quorum is missing: the witness 'a' has not cosigned it");
	explained("log $Lb\nquorum none\n", 'a', "", NULL,
		  "it is a checkpoint of 'la.example', which is no log of the policy");
	explained(two_of_three, 'a', "ab", drop_log_line,
		  "the signature of its log, 'la.example', is missing");
	explained(two_of_three, 'a', "ab", change_root,
		  "the signature of the log 'la.example' on it does not verify");
	explained("log $Lb\nwitness a $Wa\nquorum a\n", 'a', "a", change_root,
		  "the cosignature of the witness 'wa.example' on it does not verify");
	explained(
	    "log la.example+b8673efc+AevAEsUDbkY4Z7Y334bDcb+TbivlQR9cD+747FwjZ/Fv\nquorum none\n",
	    'a', "", NULL,
	    "it is signed as 'la.example', but by another key than the policy has for it");
	explained(two_of_three, 'a', "", cut_text, "it is no signed note");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_specifications_example_means_what_it_says),
	    cmocka_unit_test(quorum_none_needs_no_witness),
	    cmocka_unit_test(a_quorum_may_be_one_witness_or_a_group_inside_another),
	    cmocka_unit_test(white_space_comments_and_urls_are_taken),
	    cmocka_unit_test(the_quorum_is_there_once_and_defined_above),
	    cmocka_unit_test(names_are_unique_and_none_is_taken),
	    cmocka_unit_test(group_members_are_defined_above_and_belong_to_one_group),
	    cmocka_unit_test(a_threshold_is_between_one_and_the_number_of_members),
	    cmocka_unit_test(keys_are_of_a_type_for_their_role),
	    cmocka_unit_test(keys_that_are_none_are_explained),
	    cmocka_unit_test(one_public_key_is_not_listed_twice),
	    cmocka_unit_test(two_keys_of_one_name_and_id_are_refused),
	    cmocka_unit_test(what_else_is_on_a_line_is_refused),
	    cmocka_unit_test(a_nul_in_the_file_is_refused),
	    cmocka_unit_test(an_error_is_short_and_printable),
	    cmocka_unit_test(each_limit_is_reached_and_not_passed),
	    cmocka_unit_test(a_digest_is_of_what_is_asked_for_and_not_of_words),
	    cmocka_unit_test(a_refusal_names_what_is_missing),
	    cmocka_unit_test(a_file_over_the_size_limit_is_not_looked_at),
	    cmocka_unit_test(a_checkpoint_with_log_and_quorum_is_accepted),
	    cmocka_unit_test(a_missing_quorum_is_told_apart_from_a_missing_log),
	    cmocka_unit_test(a_log_vouches_for_its_own_origin_only),
	    cmocka_unit_test(a_listed_witness_that_fails_rejects_the_checkpoint),
	    cmocka_unit_test(parsing_survives_no_memory),
	    cmocka_unit_test(opening_survives_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
