/* The subcommands of the one program. Each is main() for its own arguments: argv[0] is its name. */
#ifndef CMD_H
#define CMD_H

#include <signal.h>
#include <stdbool.h>

#include "vitrine/bytes.h"

#ifndef VITRINE_VERSION
#define VITRINE_VERSION "unversioned"
#endif

/* Exit codes of every subcommand. */
enum {
	CMD_HOLDS = 0,
	CMD_FAILS = 1,  /* what was asked does not hold */
	CMD_USAGE = 2,  /* wrong use */
	CMD_UNSURE = 3, /* could not tell: network, disk, memory */
};

int cmd_keygen(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_submit(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_find(int argc, char **argv);
int cmd_fsck(int argc, char **argv);
int cmd_health(int argc, char **argv);
int cmd_monitor(int argc, char **argv);
int cmd_witness(int argc, char **argv);

/* "vitrine NAME: message" on standard error. Returns code, so that a command can end in it. */
int cmd_fail(const char *name, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Write out what was printed. If that fails, the reason is said and CMD_HOLDS becomes CMD_UNSURE; other codes stay. main()
 * does it for every subcommand at its end; one that runs on does it after what somebody waits for.
 */
int cmd_flush_output(const char *name, int code);
/* A line that tells what was done and stays done: where it cannot be printed, it goes to standard error. Then CMD_UNSURE. */
int cmd_say_done(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * SIGTERM, SIGINT and SIGHUP are sigwait()'s from now on, in whichever thread: before any thread starts, and first of all, so that none of
 * them ends a server by itself, whatever it is doing.
 */
void cmd_take_signals(sigset_t *out);
/* The line that tells that a server is ready, and where. The URL ends with the line or before a space. */
int cmd_say_listening(const char *name, const char *url, bool everywhere);
/* How long clients have to take their answers when a server is told to stop; with what follows it ends within 10 seconds. */
enum { CMD_STOP_GRACE_SECONDS = 6 };
/* Beside connections and whatever there are many of: libraries, folders, log lines. */
enum { CMD_FILES_BESIDE = 128 };
/* See to it that so many files may be open, or say what to do: CMD_HOLDS or CMD_UNSURE. */
int cmd_need_files(const char *name, uint64_t need);
/* 3 for what may work later (network, disk, memory), 1 for what does not hold, 2 for wrong input. */
int cmd_code(enum vt_err err);

/* --log-format and --log-level, or what is wrong with them said. */
int cmd_configure_loglines(const char *name, const char *format, const char *level);
/* The first line of a file, as a passphrase; NULL path: *out is NULL. CMD_HOLDS or the code to exit with,
 * the reason having been said. */
int cmd_read_passphrase(const char *name, const char *path, char **out);
void cmd_forget(char *secret); /* wipe and free; NULL is legal */
/* A key from a file, or the reason said on standard error. */
struct signer;
int cmd_read_signer(const char *name, const char *option, const char *path,
		    const char *passphrase_file, struct signer **out);
/* A public key: SPKI PEM, from a file. */
struct party_key;
int cmd_read_public_key(const char *name, const char *option, const char *path,
			struct party_key **out);
/* Write a file that a person named, by the rules of base/output.h. label: what the message begins with. */
int cmd_write_output(const char *name, const char *label, const char *path, struct bytes contents,
		     bool secret);
/* Do both names stand for one file that is there? */
bool cmd_same_file(const char *a, const char *b);
/* What --listen of servers takes. */
#define CMD_LISTEN_HELP                                                                            \
	"Address and port: HOST:PORT, [IPV6]:PORT; *:PORT or :PORT for all addresses. Port 0 "     \
	"picks a "                                                                                 \
	"free one."
/* Two rows of the option tables of commands that listen; with options.h. */
extern struct option_list cmd_trusted_proxies;
extern const char *cmd_proxy_header;
#define CMD_OPTIONS_PROXY                                                                          \
	{"trusted-proxy",                                                                          \
	 OPTION_LIST,                                                                              \
	 &cmd_trusted_proxies,                                                                     \
	 "ADDR",                                                                                   \
	 "An address, or a prefix such as 10.0.0.0/8, of a proxy in front that tells the "         \
	 "client's "                                                                               \
	 "address in --proxy-header; rates, streams and log lines are the client's then. Several " \
	 "times for several. What comes from others is not believed.",                             \
	 0,                                                                                        \
	 0,                                                                                        \
	 false,                                                                                    \
	 true},                                                                                    \
	{                                                                                          \
		"proxy-header", OPTION_TEXT, &cmd_proxy_header, "NAME",                            \
		    "The one header in which a trusted proxy tells that: Forwarded (RFC 7239), "   \
		    "or "                                                                          \
		    "one that lists addresses, such as X-Forwarded-For or X-Real-IP. The proxy "   \
		    "must write it or append to it. The rightmost address that is no trusted "     \
		    "proxy counts.",                                                               \
		    0, 0, false, true                                                              \
	}
/* What they say; NULL where no proxy is trusted. To be freed by http_proxies_free(). */
struct http_proxies;
int cmd_read_proxies(const char *name, struct http_proxies **out);
/* A row of the option tables of commands that fetch; with options.h and http_fetch.h. */
#define CMD_OPTION_CA                                                                              \
	{                                                                                          \
		"ca", OPTION_TEXT, &http_fetch_ca_file, "FILE",                                    \
		    "Authorities to believe for https (PEM certificates), in place of the "        \
		    "system's and of "                                                             \
		    "SSL_CERT_FILE.",                                                              \
		    0, 0, false, true                                                              \
	}
/* For client_config's wait: says on standard error why a log is asked again, and when, and sleeps. ctx is the command's name. */
bool cmd_wait_before_retry(void *ctx, uint64_t millis, const char *why);
/* A vkey that was typed. label: what the message begins with, "--vkey " or nothing. */
struct vkey;
int cmd_parse_vkey(const char *name, const char *label, const char *text, struct vkey *out);
/* CMD_HOLDS if this can be a record by how it begins, or the reason said. */
int cmd_check_record(const char *name, const char *path, struct bytes file);
/* A policy file, parse errors told with their line. */
struct policy;
int cmd_read_policy(const char *name, const char *path, struct policy **out);

/* One line of JSON on standard output. j is taken over. CMD_HOLDS, or CMD_UNSURE, said: there was no memory for the answer
 * (j is NULL, or could not be written), which is no answer. */
struct json;
int cmd_print_json(const char *name, struct json *j);

#endif
