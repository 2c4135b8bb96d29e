/* `vitrine monitor init`, `add` and `remove`: the acts that make and change a monitor's state folder. */
#ifndef CMD_MONITOR_STATE_H
#define CMD_MONITOR_STATE_H

int cmd_monitor_init(int argc, char **argv);
int cmd_monitor_add(int argc, char **argv);
int cmd_monitor_remove(int argc, char **argv);

#endif
