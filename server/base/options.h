/*
 * Command-line options from a table: every option is "--name VALUE", "--name=VALUE" or a flag. "--"
 * ends the options. Help text is made from the same table.
 *
 * An option that says how a command runs may also be the environment variable VITRINE_NAME (upper
 * case, dashes as underscores; a flag takes 1, true, yes, 0, false, no; an empty variable counts as
 * unset). The command line wins. What ends up in a signed statement, what chooses the file that is
 * written, and what is asked about has no variable: nobody should sign or overwrite something
 * because of a line in a profile. One variable means one thing in every command that reads it
 * (tests/system/environment).
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include <stdio.h>

#include "vitrine/bytes.h"

enum option_kind {
	OPTION_FLAG,  /* bool */
	OPTION_TEXT,  /* const char *; points into argv or the environment */
	OPTION_COUNT, /* uint64_t, decimal, within [min, max] */
	OPTION_LIST,  /* struct option_list; may be given several times; the variable splits at
			 spaces */
};

/* {0} before options_parse(). */
struct option_list {
	size_t n;
	const char **item; /* released by options_release() */
};

struct option {
	const char *name; /* without dashes; at most 48 bytes */
	enum option_kind kind;
	void *value;       /* bool *, const char **, uint64_t * or struct option_list *, holding the
			      default */
	const char *arg;   /* what help calls the value, e.g. "FILE"; NULL for flags */
	const char *help;  /* one or more sentences; wrapped by the help writer */
	uint64_t min, max; /* OPTION_COUNT */
	bool required;     /* here or in the environment */
	bool variable;     /* the environment is read for it, too */
};

/*
 * Two options of which only one can be meant. What is given on the command line makes the other one's
 * variable count for nothing; two on the command line, or two variables, are an error.
 */
struct option_exclusion {
	const char *one, *other;
	const char *
	    value; /* of `other` (OPTION_TEXT), with which alone they exclude each other; NULL: any */
};

struct command_usage {
	const char
	    *synopsis;     /* "vitrine serve --data DIR ..."; messages begin with its first words */
	const char *about; /* what it does, for a newcomer; wrapped, "\n" ends a line */
	const char *examples; /* printed as it is; may be NULL */
	const char *operands; /* "FILE..." or NULL when none are taken */
	const struct option *option;
	size_t n_options; /* at most 64 */
};

struct operands {
	size_t n;
	char **arg; /* into argv, whose order changes: operands move to the front */
};

/*
 * Read argv[1] ... argv[argc - 1] (argv[0] is the subcommand's name) and the environment.
 * VT_OK; VT_EINVAL, VT_ENOMEM: a message naming the option, what was given and what would be right
 * is on `err`, and lists are released. --help or -h anywhere prints usage to standard output and
 * sets *help; nothing else is read then.
 */
enum vt_err options_parse(const struct command_usage *usage, int argc, char **argv,
			  struct operands *rest, bool *help, FILE *err);
/* The same for a command some of whose options exclude each other. */
enum vt_err options_parse_exclusive(const struct command_usage *usage,
				    const struct option_exclusion *exclusion, size_t n_exclusions,
				    int argc, char **argv, struct operands *rest, bool *help,
				    FILE *err);
void options_release(const struct command_usage *usage);
/* With the values as they are now as defaults: before options_parse() has read any. */
void options_print_help(const struct command_usage *usage, FILE *out);

#endif
