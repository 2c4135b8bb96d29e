/* What each role of a process adds to /metrics. Private to api/. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "api.h"

struct metric {
	const char *name; /* without "vitrine_" */
	const char *type, *help;
	double value;
};
enum vt_err metrics_append(struct buf *out, const struct metric *metric, size_t n);

struct api;
enum vt_err metrics_witness(struct buf *out, const struct api *api);
enum vt_err metrics_monitor(struct buf *out, const struct api *api);
enum vt_err metrics_gossip(struct buf *out, const struct api *api);
enum vt_err metrics_gather(struct buf *out, struct api *api);

#endif
