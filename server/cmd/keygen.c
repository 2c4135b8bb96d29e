#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "durable.h"
#include "json.h"
#include "options.h"
#include "output.h"
#include "signer.h"

enum key_use {
	USE_LOG,
	USE_WITNESS,
	USE_PARTY,
};

static const char *opt_name, *opt_out, *opt_for = "log", *opt_kind = "ed25519",
				       *opt_passphrase_file;
static bool opt_json;

static const struct option options[] = {
    {"name", OPTION_TEXT, &opt_name, "ORIGIN",
     "The log's origin or the witness's name, best a URL without scheme: log.example.org/lab. "
     "Needed "
     "for logs and witnesses.",
     0, 0, false, false},
    {"out", OPTION_TEXT, &opt_out, "FILE",
     "Where the private key goes (PKCS#8 PEM, mode 0600). An existing file is never overwritten.",
     0, 0, true, false},
    {"for", OPTION_TEXT, &opt_for, "WHO",
     "log, witness or party. A party's public key is written to FILE.pub as well.", 0, 0, false,
     false},
    {"kind", OPTION_TEXT, &opt_kind, "KIND",
     "For a party: ed25519, p256, p384, rsa3072 or rsa4096. Logs and witnesses use ed25519.", 0, 0,
     false, false},
    {"passphrase-file", OPTION_TEXT, &opt_passphrase_file, "FILE",
     "Encrypt the private key with the first line of this file.", 0, 0, false, true},
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object instead.", 0, 0, false, true},
};
static const struct command_usage usage = {
    "vitrine keygen --name ORIGIN --out FILE [--for log|witness|party] [--kind KIND]",
    "Makes a private key and prints what others need to verify with it: the vkey of a log or a "
    "witness, "
    "the keyid of a party.",
    "  vitrine keygen --name log.example.org/lab --out log.pem\n"
    "  vitrine keygen --for party --kind p256 --out lab.pem\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

static bool parse_use(enum key_use *use)
{
	static const char *const names[] = {"log", "witness", "party"};

	for (size_t i = 0; i < 3; i++) {
		if (strcmp(opt_for, names[i]) == 0) {
			*use = (enum key_use)i;
			return true;
		}
	}
	return false;
}

/* The private key first: a public key without its private half would be worth nothing. Both are there in the end, or neither;
 * *path is the one that could not be written. */
static enum vt_err write_keys(struct buf *path, const struct signer *key, enum key_use use,
			      const char *passphrase)
{
	struct buf pem;
	enum vt_err err;

	buf_init(&pem);
	if ((err = buf_appendf(path, "%s%c", opt_out, '\0')) == VT_OK &&
	    (err = signer_private_pem(&pem, key, passphrase)) == VT_OK)
		err = durable_create(opt_out, buf_bytes(&pem), 0600);
	if (pem.data != NULL)
		explicit_bzero(pem.data, pem.cap);
	buf_reset(&pem);
	if (err != VT_OK || use != USE_PARTY)
		goto done;
	buf_reset(path);
	if ((err = buf_appendf(path, "%s.pub%c", opt_out, '\0')) == VT_OK &&
	    (err = signer_public_pem(&pem, key)) == VT_OK)
		err = durable_create((const char *)path->data, buf_bytes(&pem), output_mode());
	if (err != VT_OK)
		unlink(opt_out); /* made just now */
done:
	buf_release(&pem);
	return err;
}

static int print_public(const struct signer *key, const struct vkey *vkey, enum key_use use)
{
	struct buf text, out;
	struct json *j = NULL;
	enum vt_err err;
	int code;

	buf_init(&text);
	buf_init(&out);
	err = use == USE_PARTY ? buf_append_hex(&text, bytes_of(party_key_id(signer_public(key))->b,
								MERKLE_HASH_SIZE))
			       : vkey_format(&text, vkey);
	buf_fail(&out, err);
	if (opt_json) {
		j = JSON_OBJECT_OF(
		    {use == USE_PARTY ? "keyid" : "vkey", json_new_text(buf_bytes(&text))},
		    {"file", json_new_str(opt_out)});
		json_write(&out, j, JSON_COMPACT);
	} else {
		buf_append_buf(&out, &text);
	}
	code = buf_error(&out) == VT_OK
		   ? cmd_say_done("keygen", "%.*s", (int)out.len, (const char *)out.data)
		   : cmd_fail("keygen", CMD_UNSURE, "%s", vt_err_text(buf_error(&out)));
	json_free(j);
	buf_release(&text);
	buf_release(&out);
	return code;
}

static int generate(enum key_use use, const char *passphrase)
{
	struct signer *key = NULL;
	struct note_signer note = {0};
	struct why why = {""};
	struct buf path;
	enum vt_err err;
	int code;

	if ((err = signer_generate(&key, opt_kind, &why)) != VT_OK)
		return cmd_fail("keygen", cmd_code(err), "--kind %s: %s", opt_kind, why.text);
	buf_init(&path);
	if (use != USE_PARTY &&
	    (err = signer_note(&note, key, opt_name,
			       use == USE_LOG ? VKEY_TYPE_ED25519
					      : VKEY_TYPE_COSIGNATURE_ED25519)) != VT_OK)
		code = cmd_fail(
		    "keygen", CMD_USAGE,
		    "--name: 1 to 255 bytes of UTF-8 without space, plus or control characters");
	else if ((err = write_keys(&path, key, use, passphrase)) != VT_OK)
		code = cmd_fail("keygen", CMD_UNSURE, "%s: %s",
				path.data == NULL ? opt_out : (const char *)path.data,
				err == VT_ECONFLICT
				    ? "exists already; remove it or choose another name"
				    : vt_err_text(err));
	else
		code = print_public(key, &note.key, use);
	buf_release(&path);
	signer_free(key);
	return code;
}

int cmd_keygen(int argc, char **argv)
{
	struct operands rest;
	enum key_use use;
	bool help = false;
	char *passphrase = NULL;
	int code;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (!parse_use(&use))
		return cmd_fail("keygen", CMD_USAGE, "--for: log, witness or party, not %s",
				opt_for);
	if (use != USE_PARTY && opt_name == NULL)
		return cmd_fail("keygen", CMD_USAGE, "--name ORIGIN is needed for a %s key",
				opt_for);
	if (use != USE_PARTY && strcmp(opt_kind, "ed25519") != 0)
		return cmd_fail("keygen", CMD_USAGE,
				"--kind: logs and witnesses sign with ed25519");
	if ((code = cmd_read_passphrase("keygen", opt_passphrase_file, &passphrase)) != CMD_HOLDS)
		return code;
	code = generate(use, passphrase);
	cmd_forget(passphrase);
	return code;
}
