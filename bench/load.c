#include "load.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
} commands[] = {
    {"append", load_append, "append raw bytes or prepared records as fast as the log takes them"},
    {"get", load_get, "fetch checkpoints, tiles, entries or proofs"},
    {"make", load_make, "sign records for append, beforehand"},
    {"check", load_check, "is all that was answered in the log, where the answers said?"},
    {"slow", load_slow, "clients that never finish, beside one that is served"},
};
enum {
	N_COMMANDS = sizeof(commands) / sizeof(*commands),
};

static void print_help(FILE *out)
{
	fputs("usage: vitrine-load COMMAND [OPTION...]\n\n"
	      "Puts load on a log of this machine. Any address but a loopback one is refused.\n\n",
	      out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  %-7s %s\n", commands[i].name, commands[i].about);
	fputs("\n`vitrine-load COMMAND --help` says more.\n", out);
}

int load_fail(int code, const char *fmt, ...)
{
	va_list args;

	fputs("vitrine-load: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

bool load_target_option(struct load_target *out, const char *url)
{
	switch (load_target_parse(out, url)) {
	case VT_OK:
		return true;
	case VT_EUNTRUSTED:
		load_fail(LOAD_USAGE,
			  "--url %s: not a loopback address; load is for servers of your own", url);
		return false;
	default:
		load_fail(LOAD_USAGE,
			  "--url %s: expected http://127.0.0.1:PORT or http://[::1]:PORT", url);
		return false;
	}
}

int load_bodies_option(struct load_bodies *out, const char *records, uint64_t seed, uint64_t size)
{
	enum vt_err err = records != NULL ? load_bodies_file(out, records)
					  : load_bodies_seeded(out, seed, (size_t)size);

	if (err == VT_OK)
		return LOAD_HOLDS;
	return load_fail(LOAD_UNSURE, "%s: %s", records != NULL ? records : "--size",
			 err == VT_EMALFORMED ? "there is no record in it" : vt_err_text(err));
}

int main(int argc, char **argv)
{
	(void)signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return LOAD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return LOAD_HOLDS;
	}
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return load_fail(LOAD_USAGE, "there is no command \"%s\"; --help lists them", argv[1]);
}
