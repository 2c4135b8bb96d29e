/* Makes a monitor's state folder, and changes for which logs it is: each an act of its own, never done in passing. */
#include "monitor_state.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd.h"
#include "monitor.h"
#include "options.h"

static const char *opt_policy, *opt_state;

static const struct option init_options[] = {
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "The logs to follow, with their URLs (C2SP tlog-policy). All of them begin with nothing seen.",
     0, 0, true, true},
    {"state", OPTION_TEXT, &opt_state, "DIR",
     "The folder to make: missing or empty, and its parent is there.", 0, 0, true, true},
};
static const struct command_usage init_usage = {
    "vitrine monitor init --policy FILE --state DIR",
    "Makes the state of a monitor, once. `vitrine monitor` goes on with it and never makes one, "
    "because a "
    "folder that is missing means loss, not a beginning. If it was interrupted, run it again.",
    "  vitrine monitor init --policy policy.txt --state monitor\n",
    NULL,
    init_options,
    sizeof(init_options) / sizeof(*init_options)};

static const struct option change_options[] = {
    {"state", OPTION_TEXT, &opt_state, "DIR", "The monitor's state.", 0, 0, true, true},
};
static const struct command_usage add_usage = {
    "vitrine monitor add --state DIR VKEY...",
    "Adds logs to a monitor's state: from the beginning, or from where the state goes that "
    "`vitrine "
    "monitor remove` left. VKEY as in the policy: a log is its name and its key. The monitor may "
    "run: "
    "list the log in its policy then, and send it SIGHUP.",
    "  vitrine monitor add --state monitor log.example.org/lab+1234abcd+AZ...\n",
    "VKEY...",
    change_options,
    sizeof(change_options) / sizeof(*change_options)};
static const struct command_usage remove_usage = {
    "vitrine monitor remove --state DIR VKEY...",
    "Takes logs from the list of those that a monitor's state is for. What was seen of them stays "
    "in the "
    "folder; a log that left the policy need not be removed. The monitor is stopped meanwhile.",
    "  vitrine monitor remove --state monitor log.example.org/lab+1234abcd+AZ...\n",
    "VKEY...",
    change_options,
    sizeof(change_options) / sizeof(*change_options)};

int cmd_monitor_refused(const char *act, const char *state, enum vt_err err, const char *why)
{
	return cmd_fail(act,
			err == VT_EINVAL || err == VT_EBUSY || err == VT_ECONFLICT ? CMD_USAGE
										   : CMD_UNSURE,
			"--state %s: %s", state, why);
}

int cmd_monitor_init(int argc, char **argv)
{
	char why[MONITOR_WHY_MAX];
	struct policy *policy = NULL;
	struct operands rest;
	bool help = false;
	enum vt_err err;
	int code;

	if (options_parse(&init_usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if ((code = cmd_read_policy("monitor init", opt_policy, &policy)) != CMD_HOLDS)
		goto done;
	if ((err = monitor_init(opt_state, policy, why)) != VT_OK) {
		code = cmd_monitor_refused("monitor init", opt_state, err, why);
		goto done;
	}
	for (size_t i = 0; i < policy_log_count(policy) && code == CMD_HOLDS; i++)
		if (policy_log(policy, i)->url.len > 0)
			code = cmd_say_done("monitor init", "added %s",
					    policy_log(policy, i)->key.name);
done:
	policy_free(policy);
	options_release(&init_usage);
	return code;
}

static int add_log(const struct vkey *key)
{
	char why[MONITOR_WHY_MAX];
	uint64_t size;
	enum vt_err err = monitor_add(opt_state, key, &size, why);

	if (err != VT_OK)
		return cmd_monitor_refused("monitor add", opt_state, err, why);
	if (size > 0)
		return cmd_say_done("monitor add",
				    "added %s with the state that is there: %" PRIu64 " entries",
				    key->name, size);
	return cmd_say_done("monitor add", "added %s", key->name);
}

static int take_away(const struct vkey *key)
{
	char why[MONITOR_WHY_MAX];
	enum vt_err err = monitor_remove(opt_state, key, why);

	if (err != VT_OK)
		return cmd_monitor_refused("monitor remove", opt_state, err, why);
	return cmd_say_done("monitor remove", "removed %s", key->name);
}

static int change_logs(const struct command_usage *usage, int argc, char **argv, const char *name,
		       int (*act)(const struct vkey *key))
{
	struct operands rest;
	bool help = false;
	int code = CMD_HOLDS;
	struct vkey key;

	if (options_parse(usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (rest.n == 0)
		code = cmd_fail(name, CMD_USAGE, "which log? Give its vkey, as in the policy");
	/* All of them in form, before any is done. */
	for (size_t i = 0; i < rest.n && code == CMD_HOLDS; i++)
		code = cmd_parse_vkey(name, "", rest.arg[i], &key);
	for (size_t i = 0; i < rest.n && code == CMD_HOLDS; i++) {
		(void)vkey_parse(&key, bytes_str(rest.arg[i]));
		code = act(&key);
	}
	options_release(usage);
	return code;
}

int cmd_monitor_add(int argc, char **argv)
{
	return change_logs(&add_usage, argc, argv, "monitor add", add_log);
}

int cmd_monitor_remove(int argc, char **argv)
{
	return change_logs(&remove_usage, argc, argv, "monitor remove", take_away);
}
