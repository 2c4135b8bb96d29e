/* The one program: finds the subcommand, and sees to it that what was printed has arrived. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "signer.h"
#include "vitrine/merkle.h"

struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
};

static const struct subcommand subcommands[] = {
    {"keygen", cmd_keygen, "make a key for a log, a witness or a party"},
    {"init", cmd_init, "make a log: once"},
    {"serve", cmd_serve, "run a log"},
    {"record", cmd_record, "write and sign a record, or add a signature to one"},
    {"submit", cmd_submit, "append records to a log and check what comes back"},
    {"verify", cmd_verify, "check a proof file offline"},
    {"find", cmd_find, "what does a log know of this firmware?"},
    {"fsck", cmd_fsck, "recompute a whole log, on disk or over HTTP"},
    {"monitor", cmd_monitor, "follow logs from outside, and tell when one does not hold"},
    {"witness", cmd_witness, "cosign other logs' checkpoints"},
    {"health", cmd_health, "is a log ready? (for containers and scripts)"},
};
enum {
	N_SUBCOMMANDS = sizeof(subcommands) / sizeof(*subcommands),
};

static void print_help(FILE *out)
{
	fputs(
	    "Usage: vitrine COMMAND [OPTION...] [FILE...]\n\n"
	    "Vitrine is a signed transparency log: records go in, proofs come out, and anyone can\n"
	    "check that the history was never rewritten.\n\n"
	    "commands:\n",
	    out);
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].about);
	fputs("\n`vitrine COMMAND --help` says more. `vitrine --version` prints the version.\n"
	      "Options that say how a command runs are also environment variables (--listen is\n"
	      "VITRINE_LISTEN; --help names them); what ends up in a signed statement never is.\n"
	      "Exit codes: 0 it holds, 1 it does not hold, 2 wrong use, 3 could not tell.\n",
	      out);
}

int cmd_fail(const char *name, int code, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "vitrine %s: ", name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cmd_code(enum vt_err err)
{
	switch (err) {
	case VT_OK:
		return CMD_HOLDS;
	case VT_EUNTRUSTED:
	case VT_EMISMATCH:
	case VT_ECONFLICT:
		return CMD_FAILS;
	case VT_EINVAL:
	case VT_EMALFORMED:
	case VT_ELIMIT:
	case VT_ENOTFOUND:
		return CMD_USAGE;
	default:
		return CMD_UNSURE;
	}
}

/* A pipe whose reader has gone away: `vitrine --help | head -1` has what it wanted. */
static bool reader_left(void)
{
	struct pollfd out = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR) != 0;
}

int cmd_flush_output(const char *name, int code)
{
	static bool told;
	bool failed = ferror(stdout) != 0;

	errno = 0;
	if ((fflush(stdout) != 0 || failed) && !reader_left() && !told) {
		told = true;
		fprintf(stderr, "vitrine%s%s: standard output cannot be written%s%s\n",
			name[0] ? " " : "", name, errno != 0 ? ": " : "",
			errno != 0 ? strerror(errno) : "");
		/* What was found not to hold stays so; success was not seen by anybody. */
		return code == CMD_HOLDS ? CMD_UNSURE : code;
	}
	return code;
}

int cmd_say_done(const char *name, const char *fmt, ...)
{
	va_list args;
	int code;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	if ((code = cmd_flush_output(name, CMD_HOLDS)) == CMD_HOLDS)
		return code;
	fprintf(stderr, "vitrine %s: it was done all the same: ", name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cmd_say_listening(const char *name, const char *url, bool everywhere)
{
	printf("listening on %s%s\n", url, everywhere ? " (all addresses)" : "");
	return cmd_flush_output(name, CMD_HOLDS);
}

void cmd_take_signals(sigset_t *out)
{
	sigemptyset(out);
	sigaddset(out, SIGTERM);
	sigaddset(out, SIGINT);
	sigaddset(out, SIGHUP);
	pthread_sigmask(SIG_BLOCK, out, NULL);
}

/* What is closed at the start would be the number of the next file that is opened, and lines would end up in a store. These take
 * their places and refuse what is done with them. */
static void keep_standard_places(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* Without SHA-256 nothing works here, and each command would only say so in its own way. */
static int check_libcrypto(const char *name)
{
	char reason[OPENSSL_REASON_MAX];
	struct merkle_hasher h;
	enum vt_err err = merkle_hasher_init(&h);

	if (err == VT_OK) {
		merkle_hasher_release(&h);
		return CMD_HOLDS;
	}
	return cmd_fail(name, CMD_UNSURE,
			"there is no SHA-256 to be had: %s; is the file right that OPENSSL_CONF "
			"names?",
			openssl_reason(reason));
}

static int run(const struct subcommand *command, int argc, char **argv)
{
	int code = check_libcrypto(command->name);

	return cmd_flush_output(command->name, code == CMD_HOLDS ? command->run(argc, argv) : code);
}

int main(int argc, char **argv)
{
	keep_standard_places();
	/* A peer or a pager that goes away, or a file that may not grow, is an error of that write, not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		print_help(stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_help(stdout);
		return cmd_flush_output("", CMD_HOLDS);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("vitrine %s\n", VITRINE_VERSION);
		return cmd_flush_output("", CMD_HOLDS);
	}
	for (size_t i = 0; i < N_SUBCOMMANDS; i++)
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return run(&subcommands[i], argc - 1, argv + 1);
	fprintf(stderr, "vitrine: there is no command \"%s\"; `vitrine --help` lists them\n",
		argv[1]);
	return CMD_USAGE;
}
