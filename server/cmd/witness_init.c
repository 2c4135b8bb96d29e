/* `vitrine witness init` and `vitrine witness add`: the acts by which a witness begins to remember. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cosigner.h"
#include "key_marker.h"
#include "options.h"
#include "witness_cmd.h"

/* -- init -------------------------------------------------------------------------------------------- */

static const char *opt_key, *opt_state, *opt_policy, *opt_name, *opt_passphrase_file, *opt_marker;

static const struct option init_options[] = {
    {"key", OPTION_TEXT, &opt_key, "FILE",
     "The witness's private key, as `vitrine keygen --for witness` makes it.", 0, 0, true, true},
    {"state", OPTION_TEXT, &opt_state, "DIR",
     "Where the witness will remember what it cosigned: a folder that is missing, and is made (its "
     "parent must be there), or an empty one.",
     0, 0, true, true},
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "The logs that it begins with (C2SP tlog-policy): nothing was ever cosigned for them.", 0, 0,
     true, true},
    {"name", OPTION_TEXT, &opt_name, "NAME",
     "The witness's name, as in the vkey that `vitrine keygen` printed. The folder keeps it.", 0, 0,
     false, false},
    {"passphrase-file", OPTION_TEXT, &opt_passphrase_file, "FILE",
     "Its first line opens an encrypted key.", 0, 0, false, true},
    {"marker", OPTION_TEXT, &opt_marker, "FILE",
     "Where to note that the key is this witness's, so that it becomes no second one: for a key "
     "that "
     "lies where nothing can be written, and for no other, whose marker is beside it, FILE.made. "
     "Never in DIR.",
     0, 0, false, true},
};
static const struct command_usage init_usage = {
    "vitrine witness init --key FILE --state DIR --policy FILE --name NAME ...",
    "Makes the state folder of a new witness, once, and prints the witness's vkey. `vitrine "
    "witness` "
    "never makes one: a folder that is missing means that what was cosigned is forgotten. A key "
    "that "
    "has made a witness or a log is refused. If anything fails, nothing is left behind; if it is "
    "killed, repeat "
    "it.",
    "  vitrine keygen --for witness --name witness.example.org --out witness.pem\n"
    "  vitrine witness init --name witness.example.org --key witness.pem --state witness "
    "--policy logs.policy\n",
    NULL,
    init_options,
    sizeof(init_options) / sizeof(*init_options)};

static int make_folder(struct key_marker *marker, const struct vkey *vkey,
		       const struct policy *policy)
{
	char why[COSIGNER_WHY_MAX];
	enum vt_err err = VT_OK;
	int code;

	if ((code = key_marker_look(marker)) != CMD_HOLDS)
		return code;
	if ((code = key_marker_begin(marker)) == CMD_HOLDS && !marker->made &&
	    (err = cosigner_create(opt_state, vkey, policy, why)) != VT_OK)
		code = cmd_fail("witness init", err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE,
				"--state %s: %s", opt_state, why);
	if (code == CMD_HOLDS && (code = key_marker_end(marker)) == CMD_HOLDS)
		return cmd_say_done("witness init", "%s", marker->vkey);
	key_marker_undo(marker);
	return code;
}

static int make_state(struct signer *key, const struct vkey *vkey, const struct policy *policy)
{
	struct key_marker marker = {.command = "witness init",
				    .kind = "witness",
				    .option = "state",
				    .folder = opt_state,
				    .key_path = opt_key,
				    .given = opt_marker,
				    .key = key,
				    .lock = -1};
	struct buf text;
	int code;

	buf_init(&text);
	if (vkey_format(&text, vkey) != VT_OK || buf_append_byte(&text, '\0') != VT_OK) {
		code = cmd_fail("witness init", CMD_UNSURE, "out of memory");
	} else {
		marker.vkey = (const char *)text.data;
		code = make_folder(&marker, vkey, policy);
	}
	key_marker_release(&marker);
	buf_release(&text);
	return code;
}

int cmd_witness_init(int argc, char **argv)
{
	struct policy *policy = NULL;
	struct signer *key = NULL;
	struct note_signer signer;
	struct operands rest;
	bool help = false;
	int code;

	if (options_parse(&init_usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if ((code = cmd_read_signer("witness init", "key", opt_key, opt_passphrase_file, &key)) ==
		CMD_HOLDS &&
	    (code = cmd_witness_signer("witness init", &signer, key, opt_name)) == CMD_HOLDS &&
	    (code = cmd_read_policy("witness init", opt_policy, &policy)) == CMD_HOLDS)
		code = make_state(key, &signer.key, policy);
	policy_free(policy);
	signer_free(key);
	return code;
}

int cmd_witness_signer(const char *command, struct note_signer *out, const struct signer *key,
		       const char *name)
{
	if (name == NULL)
		name = signer_note_name(key);
	if (name == NULL)
		return cmd_fail(command, CMD_USAGE,
				"--name NAME is needed: the name that `vitrine keygen` made the "
				"vkey with");
	if (signer_note(out, key, name, VKEY_TYPE_COSIGNATURE_ED25519) != VT_OK)
		return cmd_fail(command, CMD_USAGE,
				"--name must be 1 to 255 bytes without space, plus or control "
				"characters, and --key an Ed25519 key");
	return CMD_HOLDS;
}

/* -- add ----------------------------------------------------------------------------------------------- */

static const char *opt_add_state;

static const struct option add_options[] = {
    {"state", OPTION_TEXT, &opt_add_state, "DIR", "The witness's folder.", 0, 0, true, true},
};
static const struct command_usage add_usage = {
    "vitrine witness add --state DIR ORIGIN...",
    "Gives a witness logs that it never had: nothing was ever cosigned for them. Then list them in "
    "the "
    "policy, and let the witness read it again (SIGHUP). A log that was given before is refused, "
    "whatever became of its file.",
    "  vitrine witness add --state witness log.example.org/lab\n",
    "ORIGIN...",
    add_options,
    sizeof(add_options) / sizeof(*add_options)};

int cmd_witness_add(int argc, char **argv)
{
	char why[COSIGNER_WHY_MAX];
	struct operands rest;
	bool help = false;
	enum vt_err err;
	int code;

	if (options_parse(&add_usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (rest.n == 0)
		return cmd_fail("witness add", CMD_USAGE, "ORIGIN is needed: the log's name");
	for (size_t i = 0; i < rest.n; i++)
		if (!vkey_name_valid(bytes_str(rest.arg[i])))
			return cmd_fail("witness add", CMD_USAGE,
					"%s: a log's name is 1 to 255 bytes without space, plus or "
					"control characters",
					rest.arg[i]);
	for (size_t i = 0; i < rest.n; i++) {
		if ((err = cosigner_add(opt_add_state, rest.arg[i], why)) != VT_OK)
			return cmd_fail("witness add",
					err == VT_ECONFLICT || err == VT_EINVAL ? CMD_USAGE
										: CMD_UNSURE,
					"--state %s: %s", opt_add_state, why);
		if ((code = cmd_say_done("witness add", "added %s", rest.arg[i])) != CMD_HOLDS)
			return code;
	}
	return CMD_HOLDS;
}
