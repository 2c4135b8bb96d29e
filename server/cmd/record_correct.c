#include "record.h"

static struct record_signing how;
static const char *opt_target, *opt_replacement, *opt_reason;

static const struct option options[] = {
    {"target", OPTION_TEXT, &opt_target, "INDEX:LEAFHASH",
     "The entry that is withdrawn or replaced.", 0, 0, true, false},
    {"replacement", OPTION_TEXT, &opt_replacement, "INDEX:LEAFHASH",
     "The entry that stands in its place. Without it the target is withdrawn.", 0, 0, false, false},
    {"reason", OPTION_TEXT, &opt_reason, "TEXT", "Why.", 0, 0, true, false},
    RECORD_SIGNING_OPTIONS(how),
};
static const struct command_usage usage = {
    "vitrine record correct --target INDEX:LEAFHASH --reason TEXT --key FILE",
    "Writes a correction of an earlier entry. Nothing is ever erased: readers see both.",
    "  vitrine record correct --target 7:9f86d081... --reason \"wrong sample\" --key lab.pem\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

static int compose(struct buf *statement, const struct operands *rest)
{
	struct compose_correction c = {.reason = opt_reason};
	struct entry_ref replacement;
	struct problem why = {0};
	enum vt_err err;

	(void)rest;
	if (!record_parse_ref("record correct", "target", opt_target, &c.target))
		return CMD_USAGE;
	if (opt_replacement != NULL) {
		if (!record_parse_ref("record correct", "replacement", opt_replacement,
				      &replacement))
			return CMD_USAGE;
		c.replacement = &replacement;
	}
	if ((err = compose_correction(statement, &c, &why)) != VT_OK)
		return record_refused("record correct", err, &why);
	return CMD_HOLDS;
}

int record_correct(int argc, char **argv)
{
	static const struct record_kind kind = {"record correct", &usage, &how, NULL, compose};

	return record_run(&kind, argc, argv);
}
