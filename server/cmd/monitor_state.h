/* `vitrine monitor init`, `add` and `remove`: the acts that make and change a monitor's state folder. */
#ifndef CMD_MONITOR_STATE_H
#define CMD_MONITOR_STATE_H

#include "vitrine/err.h"

int cmd_monitor_init(int argc, char **argv);
int cmd_monitor_add(int argc, char **argv);
int cmd_monitor_remove(int argc, char **argv);
/* Say why a state folder was refused; returns the exit code. */
int cmd_monitor_refused(const char *act, const char *state, enum vt_err err, const char *why);

#endif
