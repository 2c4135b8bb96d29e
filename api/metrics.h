/* What each role of a process adds to /metrics. Private to api/. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "api.h"

struct metric {
	const char *name; /* without "vitrine_" */
	const char *type, *help;
	double value;
};
/* These append to `out`, which remembers if one of them failed. */
void metrics_head(struct buf *out, const char *name, const char *type, const char *help);
void metrics_append(struct buf *out, const struct metric *metric, size_t n);

struct api;
void metrics_witness(struct buf *out, const struct api *api);
void metrics_monitor(struct buf *out, const struct api *api);
void metrics_gossip(struct buf *out, const struct api *api);
void metrics_gather(struct buf *out, struct api *api);

#endif
