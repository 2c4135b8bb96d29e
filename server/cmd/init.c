/* `vitrine init`: makes a log, once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "compose.h"
#include "durable.h"
#include "key_marker.h"
#include "log.h"
#include "log_folder.h"
#include "mark.h"
#include "options.h"

static const char *opt_data, *opt_origin, *opt_key, *opt_new_key, *opt_passphrase_file, *opt_marker;
static const char *opt_centre, *opt_centre_key, *opt_centre_passphrase_file, *opt_recovery_key,
    *opt_recovery_passphrase_file;
static const char *opt_admission = "records", *opt_party = "centre";

static const struct option options[] = {
    {"data", OPTION_TEXT, &opt_data, "DIR",
     "Where the log will live: a folder that is missing, and is made (its parent must be there), "
     "or "
     "an empty one.",
     0, 0, true, true},
    {"origin", OPTION_TEXT, &opt_origin, "NAME",
     "The log's name for ever: the first line of its checkpoints and the name in its vkey.", 0, 0,
     true, false},
    {"key", OPTION_TEXT, &opt_key, "FILE",
     "The log's private key, as `vitrine keygen` makes it. Without it one is made.", 0, 0, false,
     true},
    {"new-key", OPTION_TEXT, &opt_new_key, "FILE",
     "Where the key goes that is made (PKCS#8 PEM, mode 0600), never in DIR. Default: DIR.pem, "
     "beside the folder.",
     0, 0, false, false},
    {"passphrase-file", OPTION_TEXT, &opt_passphrase_file, "FILE",
     "Its first line opens an encrypted key, or encrypts the one that is made.", 0, 0, false, true},
    {"marker", OPTION_TEXT, &opt_marker, "FILE",
     "Where to note that the key has made this log, so that it makes no other one: for a key that "
     "lies "
     "where nothing can be written, and for no other, whose marker is beside it, FILE.made. Never "
     "in "
     "DIR.",
     0, 0, false, true},
    {"admission", OPTION_TEXT, &opt_admission, "MODE",
     "records: only signed records of accredited parties; raw: any bytes by POST /add. Fixed for "
     "ever.",
     0, 0, false, false},
    {"centre", OPTION_TEXT, &opt_centre, "PUBKEY",
     "The centre's first public key (PEM), which must sign entry 0. Needed in records mode, unless "
     "--centre-key is given.",
     0, 0, false, true},
    {"centre-key", OPTION_TEXT, &opt_centre_key, "FILE",
     "The centre's private key. With --recovery-key, entry 0 (the centre's accreditation of "
     "itself) "
     "is made and appended, too; otherwise it is the first record that is submitted.",
     0, 0, false, false},
    {"recovery-key", OPTION_TEXT, &opt_recovery_key, "FILE",
     "The private key that outranks the centre's and replaces it when it is lost. Keep it offline "
     "afterwards.",
     0, 0, false, false},
    {"centre-passphrase-file", OPTION_TEXT, &opt_centre_passphrase_file, "FILE",
     "Its first line opens the centre's key.", 0, 0, false, true},
    {"recovery-passphrase-file", OPTION_TEXT, &opt_recovery_passphrase_file, "FILE",
     "Its first line opens the recovery key.", 0, 0, false, true},
    {"centre-party", OPTION_TEXT, &opt_party, "NAME", "What entry 0 calls the centre.", 0, 0, false,
     false},
};
static const struct option_exclusion exclusions[] = {{"key", "new-key", NULL},
						     {"centre", "admission", "raw"}};
static const struct command_usage usage = {
    "vitrine init --data DIR --origin NAME [--key FILE] [--centre PUBKEY] [--admission MODE] ...",
    "Makes a log, once: its folder, its identity, its high-water mark, its key unless one is "
    "given, and "
    "entry 0 if the centre's and the recovery key's private halves are given. Prints the log's "
    "vkey. "
    "`vitrine serve` runs the log and never makes one, because a folder that is missing means "
    "loss, not a beginning. A key that has made a log is refused. If anything fails, nothing is "
    "left behind; if it is killed, repeat it.",
    "  vitrine init --data log --origin log.example.org/lab --new-key log.pem --centre "
    "centre.pem.pub\n"
    "  vitrine init --data log --origin log.example.org/lab --key log.pem \\\n"
    "      --centre-key centre.pem --recovery-key recovery.pem\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

/* What there is of the log, so that a failure can take it away again. */
struct making {
	struct log_folder folder;
	struct log_identity identity;
	struct signer *centre_key, *recovery_key;
	struct buf entry_zero; /* the record; empty: none is asked for */
	struct key_marker marker;
	char key_path[PATH_MAX];
	bool made_key;
};

/* -- before anything is made ------------------------------------------------------------------------ */

static int read_centre(struct making *m)
{
	struct why why = {""};
	int code;

	if (opt_recovery_key != NULL && opt_centre_key == NULL)
		return cmd_fail("init", CMD_USAGE, "--recovery-key goes with --centre-key");
	if (opt_centre_key != NULL && opt_recovery_key == NULL)
		return cmd_fail("init", CMD_USAGE,
				"--centre-key is for entry 0, which --recovery-key signs, too; "
				"without entry 0 use --centre PUBKEY");
	if (m->identity.raw)
		return CMD_HOLDS;
	if (opt_centre != NULL && (code = cmd_read_public_key("init", "centre", opt_centre,
							      &m->identity.centre)) != CMD_HOLDS)
		return code;
	if (opt_centre_key == NULL)
		return CMD_HOLDS;
	if ((code = cmd_read_signer("init", "centre-key", opt_centre_key,
				    opt_centre_passphrase_file, &m->centre_key)) != CMD_HOLDS ||
	    (code = cmd_read_signer("init", "recovery-key", opt_recovery_key,
				    opt_recovery_passphrase_file, &m->recovery_key)) != CMD_HOLDS)
		return code;
	struct bytes spki = party_key_spki(signer_public(m->centre_key));
	if (m->identity.centre != NULL && !bytes_equal(party_key_spki(m->identity.centre), spki))
		return cmd_fail("init", CMD_USAGE,
				"--centre %s is not the public half of --centre-key %s", opt_centre,
				opt_centre_key);
	if (m->identity.centre == NULL &&
	    party_key_from_spki(&m->identity.centre, spki, &why) != VT_OK)
		return cmd_fail("init", CMD_UNSURE, "--centre-key %s: %s", opt_centre_key,
				why.text);
	return CMD_HOLDS;
}

/* The record that `vitrine record accredit --entry-zero` would write. */
static int compose_entry_zero(struct making *m)
{
	const char *types[] = {PREDICATE_ACCREDITATION};
	struct compose_accreditation a = {
	    .log = opt_origin,
	    .party = opt_party,
	    .role = "centre",
	    .key = m->identity.centre,
	    .predicate_types = {types, 1},
	    .status = ACCREDITATION_GRANTED,
	    .entry_zero = true,
	};
	struct buf statement, envelope;
	struct problem why = {0};
	enum vt_err err;

	if (m->centre_key == NULL)
		return CMD_HOLDS;
	buf_init(&statement);
	buf_init(&envelope);
	a.scheme = party_key_default_scheme(a.key);
	a.recovery = signer_public(m->recovery_key);
	a.recovery_scheme = party_key_default_scheme(a.recovery);
	if ((err = compose_accreditation(&statement, &a, &why)) == VT_OK &&
	    (err = compose_envelope(&envelope, buf_bytes(&statement), m->centre_key, a.scheme)) ==
		VT_OK)
		err = compose_add_signature(&m->entry_zero, buf_bytes(&envelope), m->recovery_key,
					    a.recovery_scheme, &why);
	buf_release(&statement);
	buf_release(&envelope);
	if (err == VT_OK)
		return CMD_HOLDS;
	return cmd_fail("init", why.type != NULL ? CMD_USAGE : CMD_UNSURE, "entry 0: %s",
			why.type != NULL ? why.detail : vt_err_text(err));
}

/* DIR.pem, beside the folder. */
static int default_key_path(char out[PATH_MAX])
{
	size_t len = strlen(opt_data);
	const char *last;

	while (len > 1 && opt_data[len - 1] == '/')
		len--;
	for (last = opt_data + len; last > opt_data && last[-1] != '/';)
		last--;
	if (last == opt_data + len || *last == '/' || *last == '.' ||
	    snprintf(out, PATH_MAX, "%.*s.pem", (int)len, opt_data) >= PATH_MAX)
		return cmd_fail(
		    "init", CMD_USAGE,
		    "--new-key FILE is needed: where the log's key goes (or --key FILE, a "
		    "key that there is)");
	return CMD_HOLDS;
}

/* The key that is given, or a fresh one that is in memory alone until everything else is looked at. */
static int find_key(struct making *m)
{
	struct why why = {""};
	int code = CMD_HOLDS;

	if (opt_key != NULL) {
		(void)snprintf(m->key_path, sizeof(m->key_path), "%s", opt_key);
		return cmd_read_signer("init", "key", opt_key, opt_passphrase_file,
				       &m->identity.key);
	}
	if (opt_new_key != NULL)
		(void)snprintf(m->key_path, sizeof(m->key_path), "%s", opt_new_key);
	else
		code = default_key_path(m->key_path);
	/* Made by an init that did not end: the folder says whether it was this one's. */
	if (code == CMD_HOLDS && folder_unfinished(opt_data) && access(m->key_path, F_OK) == 0) {
		opt_key = m->key_path;
		return cmd_read_signer("init", "new-key", opt_key, opt_passphrase_file,
				       &m->identity.key);
	}
	if (code == CMD_HOLDS && signer_generate(&m->identity.key, "ed25519", &why) != VT_OK)
		code = cmd_fail("init", CMD_UNSURE, "the key cannot be made: %s", why.text);
	if (code == CMD_HOLDS && access(m->key_path, F_OK) == 0)
		code = cmd_fail(
		    "init", CMD_USAGE,
		    "%s is there already. If it is the key of a log whose folder is lost or "
		    "not mounted, put that folder back; if it has made no log yet, give it "
		    "by --key; or name another place by --new-key",
		    m->key_path);
	return code;
}

/* A log that is whole says so; all else about the folder is the marker's to say. */
static int look_for_log(const struct making *m)
{
	return folder_unfinished(opt_data) || access(m->folder.store, F_OK) != 0
		   ? CMD_HOLDS
		   : cmd_fail("init", CMD_USAGE,
			      "--data %s: there is a log in it already, which `vitrine serve` runs",
			      opt_data);
}

static int look_at_everything(struct making *m)
{
	int code;

	if ((code = log_folder_name(&m->folder, "init", opt_data)) != CMD_HOLDS ||
	    (code = log_identity_admission(&m->identity, "init", opt_admission,
					   opt_centre != NULL || opt_centre_key != NULL)) !=
		CMD_HOLDS ||
	    (code = read_centre(m)) != CMD_HOLDS || (code = look_for_log(m)) != CMD_HOLDS ||
	    (code = find_key(m)) != CMD_HOLDS ||
	    (code = log_identity_name(&m->identity, "init", opt_origin)) != CMD_HOLDS)
		return code;
	m->marker = (struct key_marker){.command = "init",
					.kind = "log",
					.option = "data",
					.folder = opt_data,
					.key_path = m->key_path,
					.given = opt_marker,
					.vkey = (const char *)m->identity.vkey.data,
					.key = m->identity.key,
					.lock = -1};
	if ((code = key_marker_look(&m->marker)) != CMD_HOLDS)
		return code;
	return compose_entry_zero(m);
}

/* -- making it ------------------------------------------------------------------------------------------ */

static int write_key(struct making *m)
{
	char *passphrase;
	struct buf pem;
	enum vt_err err;
	int code = CMD_HOLDS;

	if (opt_key != NULL ||
	    (code = cmd_read_passphrase("init", opt_passphrase_file, &passphrase)) != CMD_HOLDS)
		return code;
	buf_init(&pem);
	if ((err = signer_private_pem(&pem, m->identity.key, passphrase)) == VT_OK)
		err = durable_create(m->key_path, buf_bytes(&pem), 0600);
	m->made_key = err == VT_OK;
	if (err != VT_OK)
		code = cmd_fail("init", CMD_UNSURE,
				"the log's key cannot be written to %s (%s); --new-key FILE names "
				"another place",
				m->key_path, err == VT_EIO ? strerror(errno) : vt_err_text(err));
	secret_release(&pem);
	cmd_forget(passphrase);
	return code;
}

static int make_store(struct making *m)
{
	const struct store_identity identity = log_identity_stored(&m->identity);
	struct tree_head empty = {0};
	struct merkle_hasher hasher;
	char why[STORE_WHY_MAX];
	enum vt_err err;

	if ((err = merkle_hasher_init(&hasher)) != VT_OK)
		return cmd_fail("init", CMD_UNSURE, "%s", vt_err_text(err));
	if ((err = merkle_hash_empty(&empty.root, &hasher)) == VT_OK)
		err = mark_create(m->folder.mark, opt_origin, &empty);
	merkle_hasher_release(&hasher);
	if (err != VT_OK)
		return cmd_fail("init", CMD_UNSURE, "%s: %s", m->folder.mark,
				err == VT_EIO ? strerror(errno) : vt_err_text(err));
	if ((err = store_sqlite_create(m->folder.store, &identity, why)) != VT_OK)
		return cmd_fail("init", CMD_UNSURE, "%s: %s", m->folder.store, why);
	return CMD_HOLDS;
}

static void keep_answer(void *ctx, const struct log_answer *answer)
{
	*(struct log_answer *)ctx = *answer;
}

/* As any record is appended: judged, committed, read back, signed, published. Until it is published nobody has seen a signature. */
static int append_entry_zero(struct making *m)
{
	struct store_sqlite_config sqlite = {.path = m->folder.store};
	struct log_config config = {.signer = &m->identity.signer,
				    .mark_path = m->folder.mark,
				    .frozen_path = m->folder.frozen};
	struct log_answer answer = {.outcome = LOG_LATER, .reason = "it was not answered"};
	struct log_worker *w = NULL;
	char why[STORE_WHY_MAX] = "";
	struct log *log = NULL;
	enum vt_err err;

	if ((err = store_sqlite_open(&config.store, &sqlite, NULL, why)) == VT_OK &&
	    (err = log_open(&log, &config, why)) == VT_OK && (err = log_start(log)) == VT_OK) {
		if ((err = log_worker_new(&w, log)) == VT_OK)
			log_submit(log, w, buf_bytes(&m->entry_zero), NULL, keep_answer, &answer);
		log_stop(log); /* everything that was taken is answered then */
	}
	log_worker_free(w);
	log_free(log);
	store_free(config.store);
	if (err != VT_OK)
		return cmd_fail("init", CMD_UNSURE, "entry 0: %s", why[0] ? why : vt_err_text(err));
	if (answer.outcome == LOG_ADDED)
		return CMD_HOLDS;
	return cmd_fail("init", CMD_UNSURE, "entry 0 was not taken: %s",
			answer.outcome == LOG_REFUSED ? answer.problem.detail : answer.reason);
}

/* In a process of its own: a log ends its process when a disk fails, and then there is everything to be taken away. */
static int make_entry_zero(struct making *m)
{
	int status;
	pid_t pid;

	if (m->entry_zero.len == 0)
		return CMD_HOLDS;
	(void)fflush(NULL);
	if ((pid = fork()) == 0)
		_exit(append_entry_zero(m));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return cmd_fail("init", CMD_UNSURE, "entry 0: no process for it: %s",
				strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) <= CMD_UNSURE)
		return WEXITSTATUS(status);
	return cmd_fail("init", CMD_UNSURE, "entry 0 could not be written");
}

/*
 * In this order, and this is what a crash costs behind each step:
 *   key         a key that has made nothing: give it by --key next time
 *   unfinished  nothing: the next `init` with the key begins again, and so behind every step up to the last but one
 *   marker      nothing; no other folder is taken with the key from now on
 *   mark, store, entry 0
 *   made        nothing: the next `init` removes `unfinished`, and `serve` runs the log
 * No signature leaves this process, and nothing runs on a folder that is unfinished. So a failure at any step may take all of it away.
 */
static int make_log(struct making *m)
{
	int code;

	if ((code = write_key(m)) != CMD_HOLDS ||
	    (code = key_marker_begin(&m->marker)) != CMD_HOLDS)
		return code;
	if (!m->marker.made &&
	    ((code = make_store(m)) != CMD_HOLDS || (code = make_entry_zero(m)) != CMD_HOLDS))
		return code;
	return key_marker_end(&m->marker);
}

static int make_all_or_nothing(struct making *m)
{
	int code = make_log(m);

	if (code == CMD_HOLDS) {
		if (m->made_key)
			fprintf(stderr,
				"vitrine init: the log's key is in %s. Keep a copy of it, with %s, "
				"where the log's folder is not\n",
				m->key_path, m->marker.path);
		return cmd_say_done("init", "%s", m->marker.vkey);
	}
	key_marker_undo(&m->marker);
	if (m->made_key)
		(void)unlink(m->key_path);
	return code;
}

int cmd_init(int argc, char **argv)
{
	struct operands rest;
	struct making m = {.marker.lock = -1};
	bool help = false;
	int code;

	if (options_parse_exclusive(&usage, exclusions, sizeof(exclusions) / sizeof(*exclusions),
				    argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	buf_init(&m.entry_zero);
	if ((code = look_at_everything(&m)) == CMD_HOLDS)
		code = make_all_or_nothing(&m);
	key_marker_release(&m.marker);
	buf_release(&m.entry_zero);
	signer_free(m.centre_key);
	signer_free(m.recovery_key);
	log_identity_release(&m.identity);
	options_release(&usage);
	return code;
}
