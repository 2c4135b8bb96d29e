#include "durable.h"
#include "record.h"

static struct record_signing how;
static struct compose_seal seal;

static const struct option options[] = {
    {"embargo-until", OPTION_TEXT, &seal.embargo_until, "TIME",
     "When it is meant to be revealed (RFC 3339).", 0, 0, false, false},
    {"reason", OPTION_TEXT, &seal.reason, "TEXT", "Why it is kept back.", 0, 0, false, false},
    RECORD_SIGNING_OPTIONS(how),
};
static const struct command_usage usage = {
    "vitrine record seal --key FILE RECORD",
    "Writes a sealed record: the digest of RECORD, which is kept back. RECORD must have been made "
    "with "
    "--salted. Submit the seal now and RECORD itself later: it is admitted if its key was "
    "accredited "
    "when the seal was logged. Sign the seal with the same key.",
    "  vitrine record verdict --salted ... --out finding.json\n"
    "  vitrine record seal --key lab.pem --out seal.json finding.json\n",
    "RECORD",
    options,
    sizeof(options) / sizeof(*options)};

static int compose(struct buf *statement, const struct operands *rest)
{
	struct merkle_hasher h;
	struct problem why = {0};
	struct buf envelope;
	enum vt_err err;
	int code = CMD_HOLDS;

	if (rest->n != 1)
		return cmd_fail("record seal", CMD_USAGE, "one record is needed; %zu given",
				rest->n);
	buf_init(&envelope);
	if ((err = file_read(&envelope, rest->arg[0], RECORD_BODY_MAX)) != VT_OK) {
		code = cmd_fail("record seal", CMD_UNSURE, "%s: %s", rest->arg[0], file_fault(err));
	} else if ((err = merkle_hasher_init(&h)) != VT_OK) {
		code = cmd_fail("record seal", CMD_UNSURE, "%s", vt_err_text(err));
	} else {
		seal.envelope = buf_bytes(&envelope);
		if ((err = compose_seal(statement, &h, &seal, &why)) != VT_OK)
			code = record_refused("record seal", err, &why);
		merkle_hasher_release(&h);
	}
	buf_release(&envelope);
	return code;
}

int record_seal(int argc, char **argv)
{
	static const struct record_kind kind = {"record seal", &usage, &how, NULL, compose};

	return record_run(&kind, argc, argv);
}
