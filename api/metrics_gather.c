/* What a log's /metrics says of the witnesses that it asks. */
#include <inttypes.h>

#include "gather.h"
#include "handler.h"
#include "metrics.h"

enum figure {
	UP,
	SIZE,
	LAST_SUCCESS,
	REQUESTS,
	COSIGNATURES,
	FAILURES,
	SECONDS_SUM,
	SECONDS_LAST,
	FIGURES,
};

static const struct {
	const char *name, *type, *help;
} figures[FIGURES] = {
    [UP] = {"witness_up", "gauge", "1 if it did what it should when it was asked last."},
    [SIZE] = {"witness_size", "gauge", "Size that it cosigned last, as far as is known."},
    [LAST_SUCCESS] = {"witness_last_success_timestamp_seconds", "gauge",
		      "When it cosigned last (POSIX seconds, 0: not yet)."},
    [REQUESTS] = {"witness_requests_total", "counter", "Requests sent to it."},
    [COSIGNATURES] = {"witness_cosignatures_total", "counter", "Cosignatures that verified."},
    [FAILURES] = {"witness_failures_total", "counter", "Times that asking it failed."},
    [SECONDS_SUM] = {"witness_seconds_total", "counter", "Time that its cosignatures took."},
    [SECONDS_LAST] = {"witness_seconds", "gauge", "Time that its last cosignature took."},
};

static double value_of(const struct gather_witness *w, enum figure what)
{
	switch (what) {
	case UP:
		return w->trouble == GATHER_FINE ? 1 : 0;
	case SIZE:
		return (double)w->size;
	case LAST_SUCCESS:
		return (double)w->last_success;
	case REQUESTS:
		return (double)w->requests;
	case COSIGNATURES:
		return (double)w->cosignatures;
	case FAILURES:
		return (double)w->failures;
	case SECONDS_SUM:
		return w->seconds_sum;
	default:
		return w->seconds_last;
	}
}

/* A label's value. Names are opaque octets (tlog-policy, "Character set"): what is not plain ASCII becomes \xNN, so that none is
 * lost and none breaks the line. */
static void append_label(struct buf *out, const char *text)
{
	for (const char *c = text; *c != '\0'; c++) {
		if (*c >= 0x20 && *c < 0x7f && *c != '"' && *c != '\\')
			buf_append_byte(out, (uint8_t)*c);
		else
			buf_appendf(out, "\\\\x%02x", (unsigned)(unsigned char)*c);
	}
}

static void append_figure(struct buf *out, struct gather *g, size_t n, enum figure what)
{
	metrics_head(out, figures[what].name, figures[what].type, figures[what].help);
	for (size_t i = 0; i < n; i++) {
		struct gather_witness w;

		gather_witness_status(g, i, &w);
		buf_appendf(out, "vitrine_%s{witness=\"", figures[what].name);
		append_label(out, w.name);
		buf_appendf(out, "\"} %.17g\n", value_of(&w, what));
	}
}

static void append_gather(struct buf *out, struct gather *g)
{
	struct gather_status s;

	gather_status(g, &s);
	const struct metric rows[] = {
	    {"witnesses", "gauge", "Witnesses that are asked.", (double)s.witnesses},
	    {"quorum_missing", "gauge", "1 if the last round ended without the quorum.",
	     s.quorum_missing ? 1 : 0},
	    {"quorum_size", "gauge", "Newest head that had the quorum since the start.",
	     (double)s.quorum_size},
	    {"quorum_timestamp_seconds", "gauge",
	     "When that was (POSIX seconds, 0: not since the start).", (double)s.quorum_time},
	    {"witness_rounds_total", "counter", "Rounds of asking witnesses.", (double)s.rounds},
	    {"witness_rounds_failed_total", "counter", "Of these, ended without the quorum.",
	     (double)s.rounds_failed},
	};

	metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
	for (unsigned what = 0; what < FIGURES; what++)
		append_figure(out, g, s.witnesses, (enum figure)what);
}

void metrics_gather(struct buf *out, struct api *api)
{
	(void)pthread_rwlock_rdlock(&api->lock);
	if (api->gather != NULL)
		append_gather(out, api->gather);
	(void)pthread_rwlock_unlock(&api->lock);
}
