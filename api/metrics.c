/* GET /metrics: Prometheus text format, version 0.0.4. */
#include "metrics.h"
#include "clock.h"
#include "handler.h"

void metrics_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_appendf(out, "# HELP vitrine_%s %s\n# TYPE vitrine_%s %s\n", name, help, name, type);
}

void metrics_append(struct buf *out, const struct metric *metric, size_t n)
{
	for (const struct metric *m = metric; m < metric + n; m++) {
		metrics_head(out, m->name, m->type, m->help);
		buf_appendf(out, "vitrine_%s %.17g\n", m->name, m->value);
	}
}

static void append_log(struct buf *out, const struct log_status *s)
{
	const struct metric rows[] = {
	    {"tree_size", "gauge", "Entries committed.", (double)s->size},
	    {"published_size", "gauge", "Entries under the published checkpoint.",
	     (double)s->published_size},
	    {"published_timestamp_seconds", "gauge",
	     "When this process last published (POSIX seconds, 0: not yet).",
	     (double)s->published_time},
	    {"queued", "gauge", "Submissions that wait for the sequencer.", (double)s->queued},
	    {"batches_total", "counter", "Batches committed by this process.", (double)s->batches},
	    {"entries_total", "counter", "Entries committed by this process.", (double)s->entries},
	    {"known_total", "counter", "Submissions that were in the log already.",
	     (double)s->known},
	    {"refused_total", "counter", "Submissions refused by an admission rule.",
	     (double)s->refused},
	    {"later_total", "counter", "Submissions answered 503.", (double)s->later},
	    {"lost_swaps_total", "counter", "Commits lost to another process.",
	     (double)s->lost_swaps},
	    {"index_tail_keys", "gauge", "Index keys held in memory.", (double)s->index_tail_keys},
	    {"index_runs", "gauge", "Sorted index runs in the store.", (double)s->index_runs},
	    {"commit_seconds_total", "counter", "Time spent in commits.", s->commit_seconds_sum},
	    {"readback_seconds_total", "counter", "Time spent reading batches back.",
	     s->readback_seconds_sum},
	    {"sign_seconds_total", "counter", "Time spent signing and publishing.",
	     s->sign_seconds_sum},
	    {"registry_version", "gauge", "Registry entries taken in.",
	     (double)s->registry_version},
	    {"handed_size", "gauge", "Largest head that anyone may have been shown.",
	     (double)s->handed_size},
	    {"policy_met", "gauge", "1 if the published checkpoint satisfies the policy.",
	     s->policy_met ? 1 : 0},
	    {"holding", "gauge",
	     "1 if no entry is taken: too many are unpublished, or the mark is missing.",
	     s->holding ? 1 : 0},
	    {"stuck", "gauge",
	     "1 while nothing can be published, by the last look: /readyz says why.",
	     s->stuck_why[0] != '\0' ? 1 : 0},
	    {"policy_differs", "gauge",
	     "1 while another process of this store has another policy: nothing is published here.",
	     s->policy_differs ? 1 : 0},
	    {"mark_size", "gauge", "The high-water mark.", (double)s->mark_size},
	    {"mark_writes_total", "counter", "Times that it was written to disk.",
	     (double)s->mark_writes},
	    {"mark_wait_seconds_total", "counter", "Time with nothing to do but wait for it.",
	     s->mark_wait_seconds_sum},
	    {"frozen_timestamp_seconds", "gauge", "Since when (POSIX seconds, 0: it is not).",
	     (double)s->frozen_time},
	    {"frozen", "gauge", "1 if signing has stopped for good.", s->frozen ? 1 : 0},
	};

	metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
}

static void append_http(struct buf *out, const struct http_server_stats *s)
{
	const struct metric rows[] = {
	    {"http_connections", "gauge", "Connections open.", (double)s->connections_open},
	    {"http_requests_total", "counter", "Requests taken.", (double)s->requests},
	    {"http_waiting", "gauge", "Requests that wait for their answer.", (double)s->suspended},
	    {"http_timeouts_total", "counter", "Connections cut off by a deadline.",
	     (double)s->timed_out},
	    {"http_rate_limited_total", "counter", "Requests refused by the rate limit.",
	     (double)s->refused_rate},
	    {"http_streams", "gauge", "Event streams open.", (double)s->streams_open},
	    {"http_streams_dropped_total", "counter",
	     "Event streams ended because their client took too little.",
	     (double)s->streams_dropped},
	    {"http_streams_refused_total", "counter",
	     "Event streams refused because there were too many.", (double)s->streams_refused},
	};

	metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
	metrics_head(out, "http_responses_total", "counter", "Answers by status class.");
	for (unsigned class = 2; class <= 5; class ++)
		buf_appendf(out, "vitrine_http_responses_total{class=\"%uxx\"} %llu\n", class,
			    (unsigned long long)s->by_status[class]);
}

static const char *mode_of(const struct api *api)
{
	if (api->log != NULL)
		return log_identity(api->log)->mode;
	return api->cosigner != NULL ? "witness" : "monitor";
}

/* What every process has, then what it has as a log, a witness, ... */
static void append_all(struct buf *out, struct api *api, const struct http_server *server)
{
	const struct metric started = {"start_time_seconds", "gauge",
				       "When the process started (POSIX seconds).",
				       (double)api->started};
	struct http_server_stats http;
	struct log_status status;

	metrics_head(out, "info", "gauge", "The program that answers.");
	buf_appendf(out, "vitrine_info{version=\"%s\",mode=\"%s\"} 1\n", api->version,
		    mode_of(api));
	metrics_append(out, &started, 1);
	if (api->log != NULL) {
		log_status(api->log, &status);
		append_log(out, &status);
	}
	if (api->gossip != NULL)
		metrics_gossip(out, api);
	if (api->log != NULL)
		metrics_gather(out, api);
	if (api->cosigner != NULL)
		metrics_witness(out, api);
	if (api->monitor != NULL)
		metrics_monitor(out, api);
	http_server_stats(server, &http);
	append_http(out, &http);
}

void handle_metrics(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	api_response_init(&r, 200, "text/plain; version=0.0.4; charset=utf-8", API_CACHE_NONE);
	append_all(&r.body, app, http_exchange_server(x));
	r.may_gzip = true;
	api_send(x, &r);
}
