/* Gossip over the trees that a monitor holds. */
#ifndef CMD_MONITOR_GOSSIP_H
#define CMD_MONITOR_GOSSIP_H

#include "gossip.h"
#include "monitor.h"
#include "options.h"

struct monitor_gossip;

/* From the monitor's callbacks, on any of its threads. g may be NULL. */
void monitor_gossip_observed(struct monitor_gossip *g, const char *origin, struct bytes note);
void monitor_gossip_held(struct monitor_gossip *g, const char *origin, uint64_t size);
void monitor_gossip_evidence(struct monitor_gossip *g, const char *origin, struct bytes text);

/* Of the logs of the policy that have a URL; with the peers, and with the policy's witnesses. Nothing
 * runs yet. A code to exit with, the reason having been said. */
int monitor_gossip_new(struct monitor_gossip **out, struct monitor *m, const struct policy *policy,
		       const char *state, const struct option_list *peers, uint64_t seconds,
		       uint64_t deadline_seconds);
struct gossip *monitor_gossip_gossip(struct monitor_gossip *g);
/* Before the monitor is freed. NULL is legal. */
void monitor_gossip_free(struct monitor_gossip *g);

#endif
