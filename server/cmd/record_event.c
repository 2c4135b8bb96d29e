#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file_digests.h"
#include "record.h"

static struct record_signing how;
static struct record_subjects subjects;
static struct option_list opt_attachment;
static struct compose_event event = {.event_type = "activity", .outcome = "success"};

static const struct option options[] = {
    {"id", OPTION_TEXT, &event.id, "ID", "The event's unique id.", 0, 0, true, false},
    {"type", OPTION_TEXT, &event.event_type, "TYPE", "activity, monitor or control.", 0, 0, false,
     false},
    {"action", OPTION_TEXT, &event.action, "ACTION",
     "What was done, in CADF's words: create, update, authenticate/login ...", 0, 0, true, false},
    {"outcome", OPTION_TEXT, &event.outcome, "OUTCOME", "success, failure, unknown or pending.", 0,
     0, false, false},
    {"time", OPTION_TEXT, &event.event_time, "TIME", "When (RFC 3339). Default: now.", 0, 0, false,
     false},
    {"initiator", OPTION_TEXT, &event.initiator.id, "ID",
     "Who or what did it: a role, not a person.", 0, 0, true, false},
    {"initiator-type", OPTION_TEXT, &event.initiator.type_uri, "TYPEURI",
     "Its kind, e.g. service/security or data/security/account.", 0, 0, true, false},
    {"target", OPTION_TEXT, &event.target.id, "ID", "What it was done to.", 0, 0, true, false},
    {"target-type", OPTION_TEXT, &event.target.type_uri, "TYPEURI", "Its kind.", 0, 0, true, false},
    {"observer", OPTION_TEXT, &event.observer.id, "ID", "What reports it.", 0, 0, true, false},
    {"observer-type", OPTION_TEXT, &event.observer.type_uri, "TYPEURI", "Its kind.", 0, 0, true,
     false},
    {"reason", OPTION_TEXT, &event.reason, "TEXT", "Why; needed for control events.", 0, 0, false,
     false},
    {"attachment", OPTION_LIST, &opt_attachment, "FILE", "Evidence; logged by digest.", 0, 0, false,
     false},
    RECORD_SUBJECT_OPTIONS(subjects),
    RECORD_SIGNING_OPTIONS(how),
};
static const struct command_usage usage = {
    "vitrine record event --id ID --action ACTION --initiator ID ... --key FILE",
    "Writes an audit event with the names of CADF (DMTF DSP0262).",
    "  vitrine record event --id e-1 --action update --initiator ops --initiator-type service/oss "
    "\\\n"
    "      --target log --target-type service/security --observer log --observer-type "
    "service/security \\\n"
    "      --key centre.pem --out event.json\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

static int read_attachments(struct compose_digest **list, char (**hex)[65])
{
	int code = CMD_HOLDS;

	*list = calloc(opt_attachment.n + 1, sizeof(**list));
	*hex = calloc(opt_attachment.n + 1, sizeof(**hex));
	if (*list == NULL || *hex == NULL)
		return cmd_fail("record event", CMD_UNSURE, "out of memory");
	for (size_t i = 0; i < opt_attachment.n && code == CMD_HOLDS; i++) {
		const char *path = opt_attachment.item[i], *slash = strrchr(path, '/');
		code = file_sha256((*hex)[i], "record event", path);
		(*list)[i] = (struct compose_digest){slash ? slash + 1 : path, NULL, (*hex)[i]};
	}
	return code;
}

/* Its attachments have been read. */
static int compose_now(struct buf *statement)
{
	char now[CLOCK_RFC3339_SIZE];
	struct merkle_hasher h;
	struct problem why = {0};
	enum vt_err err;

	if (event.event_time == NULL) {
		clock_format_rfc3339(now, clock_unix());
		event.event_time = now;
	}
	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return cmd_fail("record event", CMD_UNSURE, "%s", vt_err_text(err));
	err = compose_event(statement, &h, &event, &why);
	merkle_hasher_release(&h);
	return err == VT_OK ? CMD_HOLDS : record_refused("record event", err, &why);
}

static int compose(struct buf *statement, const struct operands *rest)
{
	struct compose_digest *attachments = NULL;
	char(*hex)[65] = NULL;
	int code = record_subjects_read("record event", &subjects, &event.subjects);

	(void)rest;
	if (code == CMD_HOLDS && (code = read_attachments(&attachments, &hex)) == CMD_HOLDS) {
		event.attachment = attachments;
		event.n_attachments = opt_attachment.n;
		code = compose_now(statement);
	}
	free(attachments);
	free(hex);
	return code;
}

int record_event(int argc, char **argv)
{
	static const struct record_kind kind = {"record event", &usage, &how, &subjects, compose};

	return record_run(&kind, argc, argv);
}
