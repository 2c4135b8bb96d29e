#include <stdlib.h>
#include <string.h>

#include "record.h"

static struct record_signing how;
static struct option_list opt_type, opt_alias;
static struct compose_accreditation accreditation;
static const char *opt_public, *opt_key_scheme, *opt_status = "granted", *opt_previous,
						*opt_recovery;
static bool opt_entry_zero;

static const struct option options[] = {
    {"log", OPTION_TEXT, &accreditation.log, "ORIGIN", "The log's origin.", 0, 0, true, false},
    {"party", OPTION_TEXT, &accreditation.party, "NAME", "Whose key it is, e.g. lab-1.", 0, 0, true,
     false},
    {"role", OPTION_TEXT, &accreditation.role, "ROLE", "centre, recovery, lab, vendor ...", 0, 0,
     true, false},
    {"public", OPTION_TEXT, &opt_public, "PUBKEY", "The public key that is accredited (SPKI PEM).",
     0, 0, true, false},
    {"key-scheme", OPTION_TEXT, &opt_key_scheme, "NAME",
     "The scheme this key signs with. Default: the usual one for the kind of key.", 0, 0, false,
     false},
    {"keyid-alias", OPTION_LIST, &opt_alias, "TEXT", "A keyid that other tools write for this key.",
     0, 0, false, false},
    {"predicate-type", OPTION_LIST, &opt_type, "TYPE",
     "What it may append: verdict, firmware, event, sealed, correction, accreditation, or a "
     "predicateType "
     "URI. A centre may always accredit.",
     0, 0, false, false},
    {"status", OPTION_TEXT, &opt_status, "STATUS", "granted, suspended or ended.", 0, 0, false,
     false},
    {"previous", OPTION_TEXT, &opt_previous, "INDEX:LEAFHASH",
     "The newest registry entry for this key, which this one replaces. Left out for a new key.", 0,
     0, false, false},
    {"valid-until", OPTION_TEXT, &accreditation.valid_until, "TIME",
     "When it is meant to end (RFC 3339); information for people, the end itself is another entry.",
     0, 0, false, false},
    {"entry-zero", OPTION_FLAG, &opt_entry_zero, NULL,
     "This is entry 0: the centre accredits itself and names its recovery key, which signs too.", 0,
     0, false, false},
    {"recovery", OPTION_TEXT, &opt_recovery, "PUBKEY",
     "With --entry-zero: the offline key that outranks the centre's (SPKI PEM).", 0, 0, false,
     false},
    RECORD_SIGNING_OPTIONS(how),
};
static const struct command_usage usage = {
    "vitrine record accredit --log ORIGIN --party NAME --role ROLE --public PUBKEY --key FILE ...",
    "Writes an accreditation: which key may append which records. The centre signs it; a new key "
    "signs it "
    "too (--co-sign, or `vitrine record sign` where that key lives), which proves possession.",
    "  vitrine record accredit --entry-zero --log log.example.org/lab --party centre --role centre "
    "\\\n"
    "      --public centre.pem.pub --recovery recovery.pem.pub --predicate-type event \\\n"
    "      --predicate-type correction --key centre.pem --co-sign recovery.pem\n"
    "  vitrine record accredit --log log.example.org/lab --party lab-1 --role lab \\\n"
    "      --public lab.pem.pub --predicate-type verdict --key centre.pem --co-sign lab.pem\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

static const char *predicate_type(const char *text)
{
	for (const struct predicate_name *n = predicate_names; n->name != NULL; n++)
		if (strcmp(text, n->name) == 0)
			return n->type;
	return text;
}

static int read_status(void)
{
	for (int s = ACCREDITATION_GRANTED; s <= ACCREDITATION_ENDED; s++) {
		if (strcmp(opt_status, accreditation_status_name((enum accreditation_status)s)) ==
		    0) {
			accreditation.status = (enum accreditation_status)s;
			return CMD_HOLDS;
		}
	}
	return cmd_fail("record accredit", CMD_USAGE,
			"--status: granted, suspended or ended, not %s", opt_status);
}

static int read_keys(struct party_key **key, struct party_key **recovery)
{
	int code = cmd_read_public_key("record accredit", "public", opt_public, key);

	if (code != CMD_HOLDS)
		return code;
	accreditation.key = *key;
	accreditation.scheme = party_key_default_scheme(*key);
	if (opt_key_scheme != NULL &&
	    (key_scheme_parse(&accreditation.scheme, bytes_str(opt_key_scheme)) != VT_OK ||
	     !party_key_takes(*key, accreditation.scheme)))
		return cmd_fail("record accredit", CMD_USAGE,
				"--key-scheme %s does not fit the key", opt_key_scheme);
	if (opt_entry_zero != (opt_recovery != NULL))
		return cmd_fail("record accredit", CMD_USAGE,
				"--entry-zero and --recovery go together");
	accreditation.entry_zero = opt_entry_zero;
	if (opt_recovery == NULL)
		return CMD_HOLDS;
	if ((code = cmd_read_public_key("record accredit", "recovery", opt_recovery, recovery)) !=
	    CMD_HOLDS)
		return code;
	accreditation.recovery = *recovery;
	accreditation.recovery_scheme = party_key_default_scheme(*recovery);
	return CMD_HOLDS;
}

static int compose(struct buf *statement, const struct operands *rest)
{
	struct party_key *key = NULL, *recovery = NULL;
	struct entry_ref previous;
	struct problem why = {0};
	const char **types = calloc(opt_type.n + 2, sizeof(*types));
	bool accredits = strcmp(accreditation.role, "centre") == 0;
	size_t n_types = 0;
	enum vt_err err;
	int code = types ? read_status() : cmd_fail("record accredit", CMD_UNSURE, "out of memory");

	(void)rest;
	if (code == CMD_HOLDS)
		code = read_keys(&key, &recovery);
	if (code != CMD_HOLDS)
		goto done;
	for (; n_types < opt_type.n; n_types++) {
		types[n_types] = predicate_type(opt_type.item[n_types]);
		if (strcmp(types[n_types], PREDICATE_ACCREDITATION) == 0)
			accredits = false;
	}
	/* Accrediting is what a centre's key is for, so it need not be asked for. */
	if (accredits)
		types[n_types++] = PREDICATE_ACCREDITATION;
	accreditation.predicate_types = (struct compose_texts){types, n_types};
	accreditation.keyid_aliases = (struct compose_texts){opt_alias.item, opt_alias.n};
	if (opt_previous != NULL) {
		if (!record_parse_ref("record accredit", "previous", opt_previous, &previous)) {
			code = CMD_USAGE;
			goto done;
		}
		accreditation.previous = &previous;
	}
	if ((err = compose_accreditation(statement, &accreditation, &why)) != VT_OK)
		code = record_refused("record accredit", err, &why);
done:
	party_key_free(key);
	party_key_free(recovery);
	free(types);
	return code;
}

int record_accredit(int argc, char **argv)
{
	static const struct record_kind kind = {"record accredit", &usage, &how, NULL, compose};

	return record_run(&kind, argc, argv);
}
