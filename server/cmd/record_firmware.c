#include <string.h>

#include "file_digests.h"
#include "record.h"

static struct record_signing how;
static struct record_subjects subjects;
static struct option_list opt_revision;
static const char *opt_suit;
static struct compose_firmware firmware;
static char suit_hex[65], salt[COMPOSE_SALT_SIZE]; /* firmware points there */
static bool opt_salt;

static const struct option options[] = {
    RECORD_SUBJECT_OPTIONS(subjects),
    {"purl", OPTION_TEXT, &firmware.purl, "PURL",
     "The package URL of the release, with its version: pkg:generic/acme/router@1.2.3.", 0, 0, true,
     false},
    {"package-id", OPTION_TEXT, &firmware.package_id, "ID", "The package's id in its registry.", 0,
     0, false, false},
    {"vendor", OPTION_TEXT, &firmware.vendor, "NAME",
     "Vendor of the device; goes with --model and --version.", 0, 0, false, false},
    {"model", OPTION_TEXT, &firmware.model, "NAME", "Model of the device.", 0, 0, false, false},
    {"version", OPTION_TEXT, &firmware.version, "VERSION", "Version of the firmware.", 0, 0, false,
     false},
    {"hardware-revision", OPTION_LIST, &opt_revision, "TEXT", "A hardware revision that it is for.",
     0, 0, false, false},
    {"suit", OPTION_TEXT, &opt_suit, "FILE", "The SUIT manifest; logged by digest.", 0, 0, false,
     false},
    {"salted", OPTION_FLAG, &opt_salt, NULL,
     "Put 128 random bits inside, as a record needs that is to be sealed first.", 0, 0, false,
     false},
    RECORD_SIGNING_OPTIONS(how),
};
static const struct command_usage usage = {
    "vitrine record firmware --firmware FILE --purl PURL --key FILE ...",
    "Writes a vendor's release of a file, as an in-toto release.",
    "  vitrine record firmware --firmware fw.bin --purl pkg:generic/acme/router@1.2.3 \\\n"
    "      --vendor Acme --model Router --version 1.2.3 --key vendor.pem --out release.json\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

static int compose(struct buf *statement, const struct operands *rest)
{
	struct problem why = {0};
	enum vt_err err;
	int code = record_subjects_read("record firmware", &subjects, &firmware.subjects);

	(void)rest;
	if (code == CMD_HOLDS && opt_suit != NULL &&
	    (code = file_sha256(suit_hex, "record firmware", opt_suit)) == CMD_HOLDS) {
		const char *slash = strrchr(opt_suit, '/');
		firmware.suit = (struct compose_resource){.name = slash ? slash + 1 : opt_suit,
							  .hex = suit_hex};
	}
	if (code != CMD_HOLDS)
		return code;
	firmware.hardware_revisions = (struct compose_texts){opt_revision.item, opt_revision.n};
	if (opt_salt) {
		if (compose_salt(salt) != VT_OK)
			return cmd_fail("record firmware", CMD_UNSURE, "no random bytes");
		firmware.salt = salt;
	}
	if ((err = compose_firmware(statement, &firmware, &why)) != VT_OK)
		return record_refused("record firmware", err, &why);
	return CMD_HOLDS;
}

int record_firmware(int argc, char **argv)
{
	static const struct record_kind kind = {"record firmware", &usage, &how, &subjects,
						compose};

	return record_run(&kind, argc, argv);
}
