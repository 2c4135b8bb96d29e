#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "options.h"

/* Set anew before each test. */
static bool verbose;
static const char *listen, *key, *result;
static uint64_t workers;
static struct option_list peers;

static const struct option table[] = {
    {.name = "verbose",
     .kind = OPTION_FLAG,
     .value = &verbose,
     .help = "Say more.",
     .variable = true},
    {.name = "listen",
     .kind = OPTION_TEXT,
     .value = &listen,
     .arg = "ADDRESS",
     .help = "Where to listen.",
     .variable = true},
    {.name = "key-file",
     .kind = OPTION_TEXT,
     .value = &key,
     .arg = "FILE",
     .help = "The key.",
     .required = true,
     .variable = true},
    {.name = "workers",
     .kind = OPTION_COUNT,
     .value = &workers,
     .arg = "N",
     .help = "How many threads check signatures.",
     .min = 1,
     .max = 64,
     .variable = true},
    {.name = "result",
     .kind = OPTION_TEXT,
     .value = &result,
     .arg = "WORD",
     .help = "What is signed."},
    {.name = "peer",
     .kind = OPTION_LIST,
     .value = &peers,
     .arg = "URL",
     .help = "Somebody to talk to.",
     .variable = true},
};

static const struct command_usage usage = {
    .synopsis = "vitrine test --key-file FILE [--listen ADDRESS] FILE...",
    .about = "Tests options. This is a long text that has to be broken into several lines, because "
	     "nobody reads lines of two hundred characters, least of all in a terminal of eighty "
	     "columns.\nAnd another paragraph.",
    .examples = "  vitrine test --key-file k a b\n",
    .operands = "FILE...",
    .option = table,
    .n_options = sizeof(table) / sizeof(table[0]),
};

static struct command_usage bare;
static struct operands rest;
static bool help;
static char *said;
static size_t said_len;

static int start_anew(void **state)
{
	(void)state;
	static const char *const variables[] = {"VITRINE_VERBOSE", "VITRINE_LISTEN",
						"VITRINE_KEY_FILE", "VITRINE_WORKERS",
						"VITRINE_PEER"};

	for (size_t i = 0; i < 5; i++)
		unsetenv(variables[i]);
	verbose = false;
	listen = "127.0.0.1:8080";
	key = result = NULL;
	workers = 8;
	bare = usage;
	bare.operands = NULL;
	return 0;
}

static int release(void **state)
{
	(void)state;
	options_release(&usage);
	free(said);
	said = NULL;
	return 0;
}

#define PARSE(...) parse(&usage, (const char *[]){"test", __VA_ARGS__, NULL})

static enum vt_err parse_with(const struct command_usage *u, const struct option_exclusion *x,
			      size_t n, const char **words)
{
	static char *argv[32];
	enum vt_err err;
	int argc = 0;
	FILE *f;

	free(said);
	f = open_memstream(&said, &said_len);
	assert_non_null(f);
	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	err = options_parse_exclusive(u, x, n, argc, argv, &rest, &help, f);
	fclose(f);
	assert_int_equal(err == VT_OK, said_len == 0);
	return err;
}

static enum vt_err parse(const struct command_usage *u, const char **words)
{
	return parse_with(u, NULL, 0, words);
}

static void assert_says(const char *text)
{
	if (strstr(said, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", said, text);
	assert_non_null(strstr(said, "vitrine test: "));
	assert_non_null(strstr(said, "Try \"vitrine test --help\"."));
}

static void values_come_after_a_space_or_an_equals_sign(void **state)
{
	(void)state;
	assert_int_equal(
	    PARSE("--key-file", "k", "--listen=[::]:80", "--workers", "64", "--verbose"), VT_OK);
	assert_string_equal(key, "k");
	assert_string_equal(listen, "[::]:80");
	assert_int_equal(workers, 64);
	assert_true(verbose);
	assert_false(help);
	assert_int_equal(rest.n, 0);
	assert_int_equal(PARSE("--key-file=a=b", "--listen="), VT_OK);
	assert_string_equal(key, "a=b");
	assert_string_equal(listen, "");
	assert_int_equal(PARSE("--key-file", "-"), VT_OK);
	assert_string_equal(key, "-");
}

static void defaults_stay_where_nothing_is_given(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--key-file", "k"), VT_OK);
	assert_string_equal(listen, "127.0.0.1:8080");
	assert_int_equal(workers, 8);
	assert_false(verbose);
	assert_int_equal(peers.n, 0);
}

static void operands_may_stand_anywhere_and_keep_their_order(void **state)
{
	(void)state;
	assert_int_equal(PARSE("a", "--key-file", "k", "b", "-", "--", "--verbose", "--"), VT_OK);
	assert_int_equal(rest.n, 5);
	assert_string_equal(rest.arg[0], "a");
	assert_string_equal(rest.arg[1], "b");
	assert_string_equal(rest.arg[2], "-");
	assert_string_equal(rest.arg[3], "--verbose");
	assert_string_equal(rest.arg[4], "--");
	assert_false(verbose);
}

static void operands_are_refused_where_none_are_taken(void **state)
{
	(void)state;
	assert_int_equal(parse(&bare, (const char *[]){"test", "--key-file", "k", "stray", NULL}),
			 VT_EINVAL);
	assert_says("unexpected argument \"stray\"");
}

static void lists_gather_and_the_last_of_two_flags_wins(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--peer", "a", "--key-file", "k", "--peer=b c", "--peer", "d",
			       "--verbose=no", "--verbose", "--verbose=0"),
			 VT_OK);
	assert_int_equal(peers.n, 3);
	assert_string_equal(peers.item[0], "a");
	assert_string_equal(peers.item[1], "b c");
	assert_string_equal(peers.item[2], "d");
	assert_false(verbose);
}

static void the_environment_fills_what_the_command_line_leaves_open(void **state)
{
	(void)state;
	setenv("VITRINE_KEY_FILE", "from-env", 1);
	setenv("VITRINE_LISTEN", "env:1", 1);
	setenv("VITRINE_WORKERS", "3", 1);
	setenv("VITRINE_VERBOSE", "yes", 1);
	setenv("VITRINE_PEER", "  one two   three ", 1);
	assert_int_equal(PARSE("--listen", "line:1"), VT_OK);
	assert_string_equal(key, "from-env");
	assert_string_equal(listen, "line:1");
	assert_int_equal(workers, 3);
	assert_true(verbose);
	assert_int_equal(peers.n, 3);
	assert_string_equal(peers.item[0], "one");
	assert_string_equal(peers.item[1], "two");
	assert_string_equal(peers.item[2], "three");
	options_release(&usage);

	assert_int_equal(PARSE("--peer", "line", "--verbose=false"), VT_OK);
	assert_int_equal(peers.n, 1);
	assert_string_equal(peers.item[0], "line");
	assert_false(verbose);
}

static void an_empty_variable_counts_as_unset(void **state)
{
	(void)state;
	setenv("VITRINE_LISTEN", "", 1);
	setenv("VITRINE_WORKERS", "", 1);
	setenv("VITRINE_PEER", "   ", 1);
	setenv("VITRINE_KEY_FILE", "", 1);
	assert_int_equal(PARSE("--key-file", "k"), VT_OK);
	assert_string_equal(listen, "127.0.0.1:8080");
	assert_int_equal(workers, 8);
	assert_int_equal(peers.n, 0);
	assert_int_equal(PARSE("--verbose"), VT_EINVAL);
	assert_says("--key-file FILE (or VITRINE_KEY_FILE in the environment) is needed");
}

static void all_that_is_missing_is_told_at_once(void **state)
{
	(void)state;
	static const char *one, *two;
	static const struct option strict[] = {
	    {.name = "one", .kind = OPTION_TEXT, .value = &one, .arg = "A", .required = true},
	    {.name = "two", .kind = OPTION_TEXT, .value = &two, .arg = "B", .required = true},
	};
	struct command_usage needs_two = usage;

	needs_two.option = strict;
	needs_two.n_options = 2;
	assert_int_equal(parse(&needs_two, (const char *[]){"test", NULL}), VT_EINVAL);
	assert_says("--one A, --two B are needed\n");
	assert_int_equal(parse(&needs_two, (const char *[]){"test", "--two", "x", NULL}),
			 VT_EINVAL);
	assert_says("--one A is needed\n");
}

static void what_has_no_variable_does_not_come_from_the_environment(void **state)
{
	(void)state;
	setenv("VITRINE_RESULT", "PASSED", 1);
	assert_int_equal(PARSE("--key-file", "k"), VT_OK);
	assert_null(result);
	unsetenv("VITRINE_RESULT");
}

/* --listen and --key-file stand for two options of which only one can be meant. */
static const struct option_exclusion either[] = {{"listen", "key-file", NULL}},
				     with_raw[] = {{"listen", "result", "raw"}};

static void the_command_line_beats_an_excluding_variable(void **state)
{
	(void)state;
	static struct option loose[sizeof(table) / sizeof(table[0])];

	memcpy(loose, table, sizeof(table));
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		loose[i].required = false;
	struct command_usage u = usage;
	u.option = loose;

#define EITHER(x, ...)                                                                             \
	(listen = key = result = NULL, parse_with(&u, x, 1, (const char *[]){__VA_ARGS__, NULL}))
	setenv("VITRINE_LISTEN", "from the image", 1);
	assert_int_equal(EITHER(either, "test", "--key-file", "k"), VT_OK);
	assert_null(listen);
	assert_string_equal(key, "k");
	assert_int_equal(EITHER(either, "test", "--key-file", "k", "--listen", "l"), VT_EINVAL);
	assert_says("--listen does not go with --key-file\n");
	setenv("VITRINE_KEY_FILE", "also", 1);
	assert_int_equal(EITHER(either, "test"), VT_EINVAL);
	assert_says("the variables VITRINE_LISTEN and VITRINE_KEY_FILE exclude each other: give "
		    "--listen or --key-file\n");
	assert_int_equal(EITHER(either, "test", "--listen", "l"), VT_OK);
	assert_string_equal(listen, "l");
	assert_null(key);
	unsetenv("VITRINE_KEY_FILE");

	/* With one value alone. */
	assert_int_equal(EITHER(with_raw, "test", "--result", "raw"), VT_OK);
	assert_null(listen);
	assert_int_equal(EITHER(with_raw, "test", "--result", "records"), VT_OK);
	assert_string_equal(listen, "from the image");
	assert_int_equal(EITHER(with_raw, "test", "--result", "raw", "--listen", "l"), VT_EINVAL);
	assert_says("--listen does not go with --result raw\n");
	unsetenv("VITRINE_LISTEN");
}

static void messages_name_option_value_and_what_would_be_right(void **state)
{
	(void)state;
	static const struct {
		const char *words[4];
		const char *says;
	} cases[] = {
	    {{"--workers", "0"}, "--workers is \"0\": expected a number from 1 to 64"},
	    {{"--workers", "65"}, "--workers is \"65\": expected a number from 1 to 64"},
	    {{"--workers=-1"}, "--workers is \"-1\": expected a number from 1 to 64"},
	    {{"--workers=8k"}, "--workers is \"8k\""},
	    {{"--workers="}, "--workers is \"\""},
	    {{"--workers=99999999999999999999"}, "--workers is \"99999999999999999999\""},
	    {{"--workers"}, "--workers needs a value: --workers N"},
	    {{"--listen", "--verbose"}, "--listen needs a value: --listen ADDRESS"},
	    {{"--verbose=maybe"}, "--verbose is \"maybe\": expected 1, true or yes"},
	    {{"--listen", "a", "--listen=b"}, "--listen is given twice"},
	    {{"--lisen", "x"}, "unknown option --lisen; did you mean --listen?"},
	    {{"--key", "x"}, "unknown option --key; did you mean --key-file?"},
	    {{"--worksers=3"}, "unknown option --worksers; did you mean --workers?"},
	    {{"--quantum"}, "unknown option --quantum\n"},
	    {{"---"}, "unknown option ---\n"},
	    {{"--x\033[31m\n"}, "unknown option --x?[31m?\n"},
	    {{"-v"}, "unknown option -v: options begin with --"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *words[8] = {"test", "--key-file", "k"};

		memcpy(words + 3, cases[i].words, sizeof(cases[i].words));
		assert_int_equal(parse(&usage, words), VT_EINVAL);
		assert_says(cases[i].says);
	}
	setenv("VITRINE_WORKERS", "many", 1);
	assert_int_equal(PARSE("--key-file", "k"), VT_EINVAL);
	assert_says("VITRINE_WORKERS is \"many\": expected a number from 1 to 64");
	unsetenv("VITRINE_WORKERS");
	setenv("VITRINE_VERBOSE", "2", 1);
	assert_int_equal(PARSE("--key-file", "k"), VT_EINVAL);
	assert_says("VITRINE_VERBOSE is \"2\"");
}

static void a_long_unknown_option_is_cut(void **state)
{
	(void)state;
	char word[300] = "--";

	memset(word + 2, 'x', 290);
	assert_int_equal(parse(&usage, (const char *[]){"test", word, NULL}), VT_EINVAL);
	assert_says("xxxxxx...");
	assert_true(said_len < 150);
}

static char *help_text(void)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	options_print_help(&usage, f);
	fclose(f);
	return text;
}

static void help_names_every_option_default_bound_and_variable(void **state)
{
	(void)state;
	static const char *const parts[] = {
	    "Usage: vitrine test --key-file FILE [--listen ADDRESS] FILE...\n\n",
	    "  --verbose\n        Say more. [VITRINE_VERBOSE]\n",
	    ("  --listen ADDRESS\n        Where to listen. Default: 127.0.0.1:8080. "
	     "[VITRINE_LISTEN]\n"),
	    "The key. Required. [VITRINE_KEY_FILE]",
	    "What is signed.\n",
	    "Default: 8. From 1 to 64. [VITRINE_WORKERS]",
	    "May be given several times. [VITRINE_PEER]",
	    "\nAnd another paragraph.\n",
	    "\nExamples:\n  vitrine test --key-file k a b\n",
	    "--help\n",
	};
	char *text = help_text();

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strstr(text, parts[i]) == NULL)
			fail_msg("\"%s\" is not in:\n%s", parts[i], text);
	}
	for (char *p = text; *p != '\0';) {
		size_t line = strcspn(p, "\n");
		assert_true(line <= 100);
		assert_true(line == 0 || p[line - 1] != ' ');
		p += line + (p[line] == '\n');
	}
	free(text);
}

static void help_is_asked_for_before_anything_else_is_judged(void **state)
{
	(void)state;
	FILE *out = freopen("/dev/null", "w", stdout);

	assert_non_null(out);
	assert_int_equal(PARSE("--nonsense", "--workers", "x", "--help"), VT_OK);
	assert_true(help);
	assert_int_equal(PARSE("-h"), VT_OK);
	assert_true(help);
	assert_int_equal(workers, 8);
	assert_int_equal(PARSE("--key-file", "k", "--", "--help"), VT_OK);
	assert_false(help);
}

static void every_failed_allocation_is_reported_and_leaves_nothing(void **state)
{
	(void)state;
	const char *const words[2][8] = {
	    {"test", "--key-file", "k", "--peer", "a", "--peer", "b", NULL},
	    {"test", "--key-file", "k", NULL},
	};
	FILE *null = fopen("/dev/null", "w");

	assert_non_null(null);
	setvbuf(null, NULL, _IONBF, 0); /* so that printing does not allocate */
	setenv("VITRINE_PEER", "one two", 1);
	for (size_t i = 0; i < 2; i++) {
		for (unsigned n = 1;; n++) {
			char *argv[8];
			int argc = 0;

			for (; words[i][argc] != NULL; argc++)
				argv[argc] = (char *)(uintptr_t)words[i][argc];
			alloc_fail_at(n);
			enum vt_err err = options_parse(&usage, argc, argv, &rest, &help, null);
			if (!alloc_failed()) {
				assert_int_equal(err, VT_OK);
				assert_int_equal(peers.n, 2);
				assert_true(n > 1);
				break;
			}
			assert_int_equal(err, VT_ENOMEM);
			assert_int_equal(peers.n, 0);
			assert_null(peers.item);
		}
		options_release(&usage);
	}
	fclose(null);
}

#define ANEW(test) cmocka_unit_test_setup_teardown(test, start_anew, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    ANEW(values_come_after_a_space_or_an_equals_sign),
	    ANEW(defaults_stay_where_nothing_is_given),
	    ANEW(operands_may_stand_anywhere_and_keep_their_order),
	    ANEW(operands_are_refused_where_none_are_taken),
	    ANEW(lists_gather_and_the_last_of_two_flags_wins),
	    ANEW(the_environment_fills_what_the_command_line_leaves_open),
	    ANEW(all_that_is_missing_is_told_at_once),
	    ANEW(what_has_no_variable_does_not_come_from_the_environment),
	    ANEW(the_command_line_beats_an_excluding_variable),
	    ANEW(an_empty_variable_counts_as_unset),
	    ANEW(messages_name_option_value_and_what_would_be_right),
	    ANEW(a_long_unknown_option_is_cut),
	    ANEW(help_names_every_option_default_bound_and_variable),
	    ANEW(every_failed_allocation_is_reported_and_leaves_nothing),
	    ANEW(help_is_asked_for_before_anything_else_is_judged), /* takes standard output away */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
