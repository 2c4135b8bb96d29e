/* `vitrine monitor acknowledge`: what stands against the logs, and that somebody has looked into it. */
#ifndef CMD_MONITOR_ACKNOWLEDGE_H
#define CMD_MONITOR_ACKNOWLEDGE_H

#include "standing.h"

int cmd_monitor_acknowledge(int argc, char **argv);
/* One line of a list for people, with its newline. */
void monitor_print_standing(const struct standing *s);

#endif
