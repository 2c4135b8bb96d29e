/* What the kinds of `vitrine record` share. */
#ifndef CMD_RECORD_H
#define CMD_RECORD_H

#include "cmd.h"
#include "compose.h"
#include "options.h"

/* "--key FILE --passphrase-file FILE --scheme NAME --co-sign FILE... --out FILE": in every kind's table. */
struct record_signing {
	const char *key, *passphrase_file, *scheme, *out;
	struct option_list co_sign;
};
#define RECORD_SIGNING_OPTIONS(s)                                                                  \
	{"key", OPTION_TEXT, &(s).key, "FILE", "The private key that signs (PKCS#8 PEM).",         \
	 0,     0,           true,     false},                                                     \
	    {"passphrase-file",                                                                    \
	     OPTION_TEXT,                                                                          \
	     &(s).passphrase_file,                                                                 \
	     "FILE",                                                                               \
	     "Its first line opens an encrypted key.",                                             \
	     0,                                                                                    \
	     0,                                                                                    \
	     false,                                                                                \
	     true},                                                                                \
	    {"scheme",                                                                             \
	     OPTION_TEXT,                                                                          \
	     &(s).scheme,                                                                          \
	     "NAME",                                                                               \
	     "The scheme the key is registered with, e.g. rsa-pss-sha256. Default: the usual one " \
	     "for "                                                                                \
	     "the kind of key.",                                                                   \
	     0,                                                                                    \
	     0,                                                                                    \
	     false,                                                                                \
	     false},                                                                               \
	    {"co-sign",                                                                            \
	     OPTION_LIST,                                                                          \
	     &(s).co_sign,                                                                         \
	     "FILE",                                                                               \
	     "A further private key that signs the same record.",                                  \
	     0,                                                                                    \
	     0,                                                                                    \
	     false,                                                                                \
	     false},                                                                               \
	{                                                                                          \
		"out", OPTION_TEXT, &(s).out, "FILE",                                              \
		    "Where the record goes. Default: standard output.", 0, 0, false, false         \
	}

/* Subjects from "--firmware FILE" (hashed here) and "--subject NAME=sha256:HEX". */
struct record_subjects {
	struct option_list file, given;
	struct compose_digest *list; /* made by record_subjects_read() */
	size_t n;
	char (*hex)[65];
	char **name;
};
#define RECORD_SUBJECT_OPTIONS(s)                                                                  \
	{"firmware",                                                                               \
	 OPTION_LIST,                                                                              \
	 &(s).file,                                                                                \
	 "FILE",                                                                                   \
	 "What the record is about: the file is hashed, its name noted.",                          \
	 0,                                                                                        \
	 0,                                                                                        \
	 false,                                                                                    \
	 false},                                                                                   \
	{                                                                                          \
		"subject", OPTION_LIST, &(s).given, "NAME=ALG:HEX",                                \
		    "The same for a file that is not here, e.g. fw.bin=sha256:9f86...", 0, 0,      \
		    false, false                                                                   \
	}

int record_subjects_read(const char *name, struct record_subjects *s, struct compose_subjects *out);
void record_subjects_release(struct record_subjects *s);

/* A kind of record that is made from options: what is its own of that. */
struct record_kind {
	const char *name; /* "record verdict" */
	const struct command_usage *usage;
	const struct record_signing *how;
	struct record_subjects *subjects; /* released at the end; or NULL */
	/* Append the statement. rest: what stands beside the options, where usage has a name for it. Returns the exit
	 * code, the reason said. */
	int (*compose)(struct buf *statement, const struct operands *rest);
};
/* Read the options, compose, sign with --key and each --co-sign, write the envelope. Returns the exit code. */
int record_run(const struct record_kind *kind, int argc, char **argv);
/* Will the entry hold a statement of `len` bytes, with a signature of any kind by each key of `how`? */
bool record_has_room(const struct record_signing *how, size_t len);
/* "INDEX:LEAFHASH". false: said why. */
bool record_parse_ref(const char *name, const char *option, const char *text,
		      struct entry_ref *out);
/* A problem that composing met, as an error of the command line. */
int record_refused(const char *name, enum vt_err err, const struct problem *why);

int record_verdict(int argc, char **argv);
int record_firmware(int argc, char **argv);
int record_event(int argc, char **argv);
int record_accredit(int argc, char **argv);
int record_seal(int argc, char **argv);
int record_correct(int argc, char **argv);
int record_sign(int argc, char **argv);

#endif
