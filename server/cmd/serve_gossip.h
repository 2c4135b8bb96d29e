/* What `vitrine serve` does with heads and evidence that others show: gossip and the log, wired together. */
#ifndef SERVE_GOSSIP_H
#define SERVE_GOSSIP_H

#include "gossip.h"
#include "log.h"
#include "options.h"

struct serve_gossip {
	struct gossip *gossip;
	struct log_worker *worker; /* of the callbacks, which come one at a time */
};

/* {0} before. In the folder `data`; peers may be empty: then others come here, and nobody is asked. Returns CMD_HOLDS or the exit
 * code, the reason having been said. */
int serve_gossip_start(struct serve_gossip *s, struct log *log, const struct vkey *key,
		       const char *data, const struct option_list *peers, uint64_t seconds);
void serve_gossip_stop(struct serve_gossip *s);
/* Nobody calls in any more. Before log_free(). */
void serve_gossip_close(struct serve_gossip *s);

#endif
