/*
 * Command-line options from a table: every option is "--name VALUE", "--name=VALUE" or a flag, and
 * also the environment variable VITRINE_NAME (upper case, dashes as underscores; a flag takes 1, true, yes,
 * 0, false, no). The command line wins. Help text is made from the same table.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdio.h>

#include "vitrine/bytes.h"

enum option_kind {
	OPTION_FLAG,   /* bool */
	OPTION_TEXT,   /* const char *; points into argv or the environment */
	OPTION_COUNT,  /* uint64_t, decimal, within [min, max] */
	OPTION_LIST,   /* struct option_list; may be given several times; the variable splits at spaces */
};

struct option_list {
	size_t n;
	const char **item; /* released by options_release() */
};

struct option {
	const char *name;  /* without dashes */
	enum option_kind kind;
	void *value;       /* bool *, const char **, uint64_t * or struct option_list *, holding the default */
	const char *arg;   /* what help calls the value, e.g. "FILE"; NULL for flags */
	const char *help;  /* one or more sentences; wrapped by the help writer */
	uint64_t min, max; /* OPTION_COUNT */
	bool required;
	bool secret;       /* environment or file only would be wiser: help says so */
};

struct command_usage {
	const char *synopsis; /* "vitrine serve --data DIR ..." */
	const char *about;    /* what it does, for a newcomer */
	const char *examples; /* may be NULL */
	const char *operands; /* "FILE..." or NULL when none are taken */
	const struct option *option;
	size_t n_options;
};

struct operands {
	size_t n;
	char **arg; /* into argv */
};

/* VT_OK; VT_EINVAL: a message naming the option, what was given and what would be right is on `err`.
 * --help prints usage to standard output and sets *help. Reads the environment too. */
enum vt_err options_parse(const struct command_usage *usage, int argc, char **argv,
    struct operands *rest, bool *help, FILE *err);
void options_release(const struct command_usage *usage);
void options_print_help(const struct command_usage *usage, FILE *out);

#endif
