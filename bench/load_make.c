#include <inttypes.h>
#include <stdio.h>

#include "compose.h"
#include "load.h"
#include "options.h"
#include "signer.h"

static const char *opt_key, *opt_out;
static uint64_t opt_count = 10000, opt_seed = 1;

static const struct option options[] = {
    {"key", OPTION_TEXT, &opt_key, "FILE", "The party's private key (unencrypted PKCS#8 PEM).", 0,
     0, true, false},
    {"out", OPTION_TEXT, &opt_out, "FILE", "Where the records go, one a line.", 0, 0, true, false},
    {"count", OPTION_COUNT, &opt_count, "N", "How many. Default: 10000.", 1, 1000000, false, false},
    {"seed", OPTION_COUNT, &opt_seed, "N", "What they are made from. Default: 1.", 0, UINT64_MAX,
     false, false},
};
static const struct command_usage usage = {
    "vitrine-load make --key FILE --out FILE [--count N] [--seed N]",
    "Signs test verdicts about firmware that does not exist, all different, for append --records. "
    "The "
    "key must be accredited for verdicts in the log that they are for.",
    "  vitrine-load make --key lab.pem --out records.jsonl --count 20000\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

static enum vt_err make_statement(struct buf *out, struct merkle_hasher *h, uint64_t i,
				  struct problem *why)
{
	static const char *const tests[] = {"boot", "update", "rollback-protection", "debug-port"};
	const struct compose_resource plan = {.name = "plan", .uri = "urn:example:load:plan"};
	const uint64_t seed[2] = {opt_seed, i};
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct merkle_hash digest;
	struct compose_digest subject = {.name = "firmware.bin", .hex = hex};
	const struct compose_verdict v = {
	    .subjects = {&subject, 1},
	    .result = "PASSED",
	    .configuration = &plan,
	    .n_configuration = 1,
	    .passed = {tests, sizeof(tests) / sizeof(*tests)},
	};
	enum vt_err err;

	if ((err = merkle_hash_leaf(&digest, h, bytes_of(seed, sizeof(seed)))) != VT_OK)
		return err;
	hex_encode(hex, bytes_of(digest.b, sizeof(digest.b)));
	return compose_verdict(out, &v, why);
}

static int make_all(FILE *out, const struct signer *key, struct merkle_hasher *h)
{
	enum key_scheme scheme = party_key_default_scheme(signer_public(key));
	struct problem why = {0};
	struct buf statement, record;
	enum vt_err err = VT_OK;

	buf_init(&statement);
	buf_init(&record);
	for (uint64_t i = 0; i < opt_count && err == VT_OK; i++) {
		buf_reset(&statement);
		buf_reset(&record);
		if ((err = make_statement(&statement, h, i, &why)) == VT_OK &&
		    (err = compose_envelope(&record, buf_bytes(&statement), key, scheme)) ==
			VT_OK &&
		    (err = buf_append_byte(&record, '\n')) == VT_OK &&
		    fwrite(record.data, 1, record.len, out) != record.len)
			err = VT_EIO;
	}
	buf_release(&statement);
	buf_release(&record);
	if (err != VT_OK || fflush(out) != 0)
		return load_fail(LOAD_UNSURE, "%s: %s", opt_out,
				 why.type != NULL ? why.detail : vt_err_text(err ? err : VT_EIO));
	return LOAD_HOLDS;
}

int load_make(int argc, char **argv)
{
	struct merkle_hasher hasher = {0};
	struct signer *key = NULL;
	struct why why = {""};
	struct operands rest;
	bool help = false;
	FILE *out = NULL;
	int code;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return LOAD_USAGE;
	if (help)
		return LOAD_HOLDS;
	if (signer_from_file(&key, opt_key, NULL, &why) != VT_OK)
		code = load_fail(LOAD_UNSURE, "--key %s: %s", opt_key, why.text);
	else if (merkle_hasher_init(&hasher) != VT_OK)
		code = load_fail(LOAD_UNSURE, "out of memory");
	else if ((out = fopen(opt_out, "w")) == NULL)
		code = load_fail(LOAD_UNSURE, "--out %s: cannot be written", opt_out);
	else
		code = make_all(out, key, &hasher);
	if (out != NULL)
		fclose(out);
	merkle_hasher_release(&hasher);
	signer_free(key);
	return code;
}
