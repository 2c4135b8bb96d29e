/* Lists what stands against the logs that a monitor follows, and acknowledges what nothing can make good. */
#include "monitor_acknowledge.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cmd.h"
#include "json.h"
#include "logline.h"
#include "monitor.h"
#include "monitor_state.h"
#include "options.h"

static const char *opt_state, *opt_note = "";
static bool opt_json;

static const struct option options[] = {
    {"state", OPTION_TEXT, &opt_state, "DIR",
     "The monitor's state; the monitor may be running, and takes note at its next look.", 0, 0,
     true, true},
    {"note", OPTION_TEXT, &opt_note, "TEXT",
     "What came of looking into it; kept beside the acknowledgement.", 0, 0, false, false},
    {"json", OPTION_FLAG, &opt_json, NULL, "List as lines of JSON.", 0, 0, false, true},
};
static const struct command_usage usage = {
    "vitrine monitor acknowledge --state DIR [--note TEXT] [ID...]",
    "Without an ID: lists what stands against the logs, newest first; 0 if nothing does, else 1. "
    "With IDs from that list: what they name is looked into, and stands no longer. Only what "
    "nothing can make good is acknowledged: entries that must not be there, two signed "
    "histories, and a head that no tree can have. What came after the list was made, or comes "
    "later, stands all the same. Everything else ends when the log mends it. A state of which "
    "something is missing is refused (3), as by `vitrine monitor`.",
    "  vitrine monitor acknowledge --state monitor\n"
    "  vitrine monitor acknowledge --state monitor --note 'log closed, see ticket 7' "
    "2f8b04b0a1d94f6f7f4b1c9a1c7f3a55\n",
    "ID...",
    options,
    sizeof(options) / sizeof(*options)};

void monitor_print_standing(const struct standing *s)
{
	char time[CLOCK_RFC3339_SIZE], origin[VKEY_NAME_MAX + 8];

	clock_format_rfc3339(time, s->since);
	printf("%s %-8s since %s %s%s%s: %s%s\n", s->for_good ? s->id : "-",
	       severity_name(s->severity), time, s->kind, s->origin[0] != '\0' ? " " : "",
	       s->origin[0] != '\0' ? logline_quote(origin, sizeof(origin), bytes_str(s->origin))
				    : "",
	       s->text, s->for_good ? "" : " (until it mends that)");
}

static int print_json(const struct standing *s)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(time, s->since);
	return cmd_print_json(
	    "monitor acknowledge",
	    JSON_OBJECT_OF({"id", json_new_str(s->id)}, {"kind", json_new_str(s->kind)},
			   {"severity", json_new_str(severity_name(s->severity))},
			   {"since", json_new_str(time)}, {"log", json_new_str(s->origin)},
			   {"text", json_new_str(s->text)},
			   {"untilAcknowledged", json_new_bool(s->for_good)}));
}

static int print_list(const struct standing_list *all)
{
	int code = CMD_HOLDS;

	for (size_t i = 0; i < all->n && code == CMD_HOLDS; i++) {
		if (opt_json)
			code = print_json(&all->item[i]);
		else
			monitor_print_standing(&all->item[i]);
	}
	if (code != CMD_HOLDS)
		return code;
	return all->n == 0 ? CMD_HOLDS : CMD_FAILS;
}

static const struct standing *find_standing(const struct standing_list *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->item[i].id, id) == 0)
			return &all->item[i];
	return NULL;
}

static int check_id(const struct standing_list *all, const char *id)
{
	const struct standing *s = find_standing(all, id);

	if (s == NULL)
		return cmd_fail("monitor acknowledge", CMD_USAGE,
				"%s: nothing of this id stands (any more): run it without an ID to "
				"see what does",
				id);
	if (!s->for_good)
		return cmd_fail("monitor acknowledge", CMD_USAGE,
				"%s: %s ends when the log mends it", id, s->kind);
	return CMD_HOLDS;
}

static int acknowledge_all(const struct standing_list *all, const struct operands *rest)
{
	int code = CMD_HOLDS;
	enum vt_err err;

	/* All of them, before any is done. */
	for (size_t i = 0; i < rest->n && code == CMD_HOLDS; i++)
		code = check_id(all, rest->arg[i]);
	for (size_t i = 0; i < rest->n && code == CMD_HOLDS; i++) {
		const struct standing *s = find_standing(all, rest->arg[i]);
		if ((err = standing_acknowledge(opt_state, s, opt_note)) != VT_OK)
			return cmd_fail("monitor acknowledge", CMD_UNSURE, "--state %s: %s",
					opt_state, vt_err_text(err));
		code = cmd_say_done("monitor acknowledge", "acknowledged %s %s", s->id, s->kind);
	}
	return code;
}

int cmd_monitor_acknowledge(int argc, char **argv)
{
	char why[MONITOR_WHY_MAX];
	struct standing_list all;
	struct operands rest;
	bool help = false;
	enum vt_err err;
	int code;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	standing_list_init(&all);
	if ((err = monitor_check_state(opt_state, why)) == VT_OK &&
	    (err = standing_of_folder(&all, opt_state)) != VT_OK)
		snprintf(why, sizeof(why), "what stands cannot be read: %s", vt_err_text(err));
	if (err != VT_OK)
		code = cmd_monitor_refused("monitor acknowledge", opt_state, err, why);
	else
		code = rest.n == 0 ? print_list(&all) : acknowledge_all(&all, &rest);
	standing_list_release(&all);
	options_release(&usage);
	return code;
}
