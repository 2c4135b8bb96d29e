/* What a monitor says of itself: a page for people at /, /readyz and its part of /metrics. */
#include "monitor.h"
#include <string.h>

#include "clock.h"
#include "gossip.h"
#include "handler.h"
#include "metrics.h"

/* Names, addresses and reasons come from outside. */
static void append_escaped(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&':
			buf_append_str(out, "&amp;");
			break;
		case '<':
			buf_append_str(out, "&lt;");
			break;
		case '>':
			buf_append_str(out, "&gt;");
			break;
		case '"':
			buf_append_str(out, "&quot;");
			break;
		default:
			buf_append_byte(out, (uint8_t)*text);
		}
	}
}

static void append_cell(struct buf *out, const char *text)
{
	/* What has no spaces is short: a time, a kind. */
	buf_append_str(out, strlen(text) < 24 ? "<td class=\"t\">" : "<td>");
	append_escaped(out, text);
	buf_append_str(out, "</td>");
}

static const char *time_text(char out[CLOCK_RFC3339_SIZE], uint64_t seconds)
{
	if (seconds == 0)
		return "never";
	clock_format_rfc3339(out, seconds);
	return out;
}

/* -- the page --------------------------------------------------------------------------------- */

static const char page_head[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta http-equiv=\"refresh\" content=\"30\">\n<title>Vitrine monitor</title>\n<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}\n"
    "div.wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}\n"
    "th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #ccc;"
    "vertical-align:top;overflow-wrap:break-word}\n"
    "th,.t{white-space:nowrap}\n"
    "td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\n"
    "th.n{text-align:right}\n"
    ".good{color:#0a5c2b}.bad{color:#a01010;font-weight:600}.unsure{color:#7a4a00;font-weight:600}"
    "\n"
    "code{display:block;font-size:.8em;max-width:20rem;overflow-wrap:anywhere}\n"
    "@media(max-width:44rem){.told thead{display:none}.told tr{display:block;padding:.6rem 0;"
    "border-bottom:1px solid #888}.told "
    "td{display:block;border:0;padding:0;overflow-wrap:anywhere}}\n"
    "@media(prefers-color-scheme:dark){body{color:#e4e4e4;background:#161616}a{color:#8ab4f8}"
    "th,td{border-color:#444}.good{color:#6fcf97}.bad{color:#ff8a80}.unsure{color:#ffc46b}}\n"
    "</style></head><body>\n<h1>Monitor</h1>\n";

/* Green is what was looked at, and holds. What could not be asked is not. */
static void append_state(struct buf *out, const struct monitor_log_status *s, size_t standing)
{
	buf_append_str(out, "<td>");
	if (standing > 0)
		buf_appendf(out, "<span class=\"bad\">%zu %s</span>", standing,
			    standing == 1 ? "stands" : "stand");
	else if (s->rounds == 0)
		buf_append_str(out, "<span class=\"unsure\">the first look is under way</span>");
	else if (s->outcome == MONITOR_HOLDS)
		buf_append_str(out, "<span class=\"good\">holds</span>");
	else
		buf_append_str(out, "<span class=\"unsure\">not known</span>");
	if (s->why.text[0] != '\0')
		buf_append_str(out, "<br>");
	append_escaped(out, s->why.text);
	buf_append_str(out, "</td>");
}

static void append_severity(struct buf *out, const char *severity)
{
	buf_append_str(out, strcmp(severity, "notice") == 0 ? "<td class=\"t\">"
							    : "<td class=\"t bad\">");
	append_escaped(out, severity);
	buf_append_str(out, "</td>");
}

static void append_one_standing(struct buf *out, const struct standing *s)
{
	char time[CLOCK_RFC3339_SIZE];

	buf_append_str(out, "<tr>");
	append_cell(out, time_text(time, s->since));
	append_severity(out, severity_name(s->severity));
	append_cell(out, s->kind);
	append_cell(out, s->origin);
	buf_append_str(out, "<td>");
	append_escaped(out, s->text);
	if (s->for_good)
		buf_appendf(out, "<br>until acknowledged: <code>%s</code>", s->id);
	buf_append_str(out, "</td></tr>\n");
}

/* Are all logs known to be well? */
static bool all_hold(const struct monitor *m)
{
	struct monitor_log_status s;

	for (size_t i = 0; i < monitor_logs(m); i++) {
		monitor_log_status(m, i, &s);
		if (s.rounds == 0 || s.outcome != MONITOR_HOLDS)
			return false;
	}
	return true;
}

static void append_what_stands(struct buf *out, const struct monitor *m,
			       const struct standing_list *all)
{
	buf_append_str(out, "<h2>What stands</h2>\n");
	if (all->n == 0) {
		buf_append_str(
		    out, all_hold(m) ? "<p class=\"good\">Nothing: every log holds.</p>\n"
				     : "<p class=\"unsure\">Nothing that is known; but not every "
				       "log could be asked.</p>\n");
		return;
	}
	buf_append_str(
	    out, "<div class=\"wide\"><table class=\"told\"><thead><tr><th>since</th><th>severity"
		 "</th><th>kind</th><th>log</th><th>what</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < all->n; i++)
		append_one_standing(out, &all->item[i]);
	buf_append_str(out, "</tbody></table></div>\n");
}

static void append_log_row(struct buf *out, const struct monitor_log_status *s, size_t standing)
{
	static const char *const mode[] = {"not known yet", "records", "raw: tree only"};
	char time[CLOCK_RFC3339_SIZE];

	buf_append_str(out, "<tr><td><b>");
	append_escaped(out, s->origin);
	buf_append_str(out, "</b><br>");
	append_escaped(out, s->url);
	buf_appendf(out, "<br>%s<code>", mode[s->mode]);
	buf_append_hex(out, bytes_of(s->head.root.b, sizeof(s->head.root.b)));
	buf_append_str(out, "</code></td>");
	append_state(out, s, standing);
	buf_appendf(out,
		    "<td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
		    "<td class=\"n\">%llu</td><td class=\"t\">%s</td></tr>\n",
		    (unsigned long long)s->head.size, (unsigned long long)s->seen,
		    (unsigned long long)s->hits, time_text(time, s->answered));
}

static void append_logs(struct buf *out, const struct monitor *m, const struct standing_list *all)
{
	struct monitor_log_status s;

	buf_append_str(
	    out, "<h2>Logs</h2>\n<div class=\"wide\"><table><thead><tr><th>log</th><th>state</th>"
		 "<th class=\"n\">replayed</th><th class=\"n\">shown</th>"
		 "<th class=\"n\">watched</th><th>last answer</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < monitor_logs(m); i++) {
		monitor_log_status(m, i, &s);
		append_log_row(out, &s, standing_list_count(all, s.origin));
	}
	buf_append_str(out, "</tbody></table></div>\n");
}

static void append_state_of_logs(struct buf *out, const struct monitor *m)
{
	struct standing_list all;

	standing_list_init(&all);
	buf_fail(out, monitor_standing(m, &all));
	append_what_stands(out, m, &all);
	append_logs(out, m, &all);
	standing_list_release(&all);
}

static const char *member(char *out, size_t cap, const struct json *j, const char *name)
{
	struct bytes text;

	out[0] = '\0';
	if (json_text(json_member(j, name), &text))
		problem_quote(out, cap, text);
	return out;
}

static void append_alert(struct buf *out, struct bytes line)
{
	char text[700];
	struct json *j = NULL;

	if (json_parse(&j, line, NULL) != VT_OK)
		return; /* one is not shown */
	buf_append_str(out, "<tr>");
	append_cell(out, member(text, sizeof(text), j, "time"));
	append_severity(out, member(text, sizeof(text), j, "severity"));
	append_cell(out, member(text, sizeof(text), j, "kind"));
	append_cell(out, member(text, sizeof(text), j, "log"));
	append_cell(out, member(text, sizeof(text), j, "text"));
	buf_append_str(out, "</tr>\n");
	json_free(j);
}

static void append_alerts(struct buf *out, const struct monitor *m)
{
	struct monitor_status s;
	struct bytes rest;
	struct buf recent;

	buf_init(&recent);
	monitor_status(m, &s);
	buf_fail(out, monitor_recent(m, &recent));
	buf_appendf(out, "<h2>Alerts</h2>\n<p>%llu since the start, %llu wait to be taken%s</p>\n",
		    (unsigned long long)s.raised, (unsigned long long)s.waiting,
		    s.delivery_fails ? ", <span class=\"bad\">the last try failed</span>" : "");
	if (recent.len > 0)
		buf_append_str(out, "<div class=\"wide\"><table "
				    "class=\"told\"><thead><tr><th>time</th><th>severity</th>"
				    "<th>kind</th><th>log</th><th>what</th></tr></thead><tbody>\n");
	for (rest = buf_bytes(&recent); rest.len > 0;) {
		size_t len = 0;
		while (len < rest.len && rest.data[len] != '\n')
			len++;
		append_alert(out, bytes_of(rest.data, len));
		len += len < rest.len;
		rest = bytes_of(rest.data + len, rest.len - len);
	}
	if (recent.len > 0)
		buf_append_str(out, "</tbody></table></div>\n");
	buf_release(&recent);
}

static void append_gossip(struct buf *out, const struct api *api)
{
	struct gossip_stats s;

	if (api->gossip == NULL)
		return;
	gossip_stats(api->gossip, &s);
	buf_appendf(out,
		    "<h2>Gossip</h2>\n<p>%llu peers, %llu of them failing. %llu heads wait "
		    "for judgement. <span class=\"%s\">%llu</span> pieces of "
		    "<a href=\"gossip/v1/evidence\">evidence</a>.</p>\n",
		    (unsigned long long)s.peers, (unsigned long long)s.peers_failing,
		    (unsigned long long)s.unresolved, s.evidence > 0 ? "bad" : "good",
		    (unsigned long long)s.evidence);
}

void handle_monitor_index(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	struct http_response r;

	(void)thread;
	api_response_init(&r, 200, "text/html; charset=utf-8", API_CACHE_NONE);
	http_response_header(
	    &r, "Content-Security-Policy",
	    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
	buf_append_str(&r.body, page_head);
	append_state_of_logs(&r.body, api->monitor);
	append_alerts(&r.body, api->monitor);
	append_gossip(&r.body, api);
	buf_appendf(&r.body,
		    "<p>Vitrine %s. For programs: <a href=\"metrics\">/metrics</a>, "
		    "<a href=\"readyz\">/readyz</a>, "
		    "<a href=\"openapi.yaml\">/openapi.yaml</a>.</p>\n</body></html>\n",
		    api->version);
	r.may_gzip = true;
	api_send(x, &r);
}

/* -- for programs ----------------------------------------------------------------------------- */

void handle_monitor_readyz(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	char why[MONITOR_WHY_MAX] = "";
	struct http_response r;

	(void)thread;
	if (!monitor_ready(api->monitor, why)) {
		api_problem(x, "not-ready", "%s", why);
		return;
	}
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	api_send_bytes(x, &r, bytes_str("ready\n"));
}

/* "label_value can be any sequence of UTF-8 characters, but the backslash, double-quote, and line
 * feed characters have to be escaped" (Prometheus text format 0.0.4). Names of logs hold no controls. */
static void append_label(struct buf *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\\' || *value == '"')
			buf_append_byte(out, '\\');
		buf_append_byte(out, (uint8_t)*value);
	}
}

/* One number of every log. */
struct log_metric {
	const char *name, *type, *help;
	double (*value)(const struct monitor_log_status *s);
};

static double replayed(const struct monitor_log_status *s)
{
	return (double)s->head.size;
}
static double shown(const struct monitor_log_status *s)
{
	return (double)s->seen;
}
static double answered(const struct monitor_log_status *s)
{
	return (double)s->answered;
}
static double inadmissible(const struct monitor_log_status *s)
{
	return (double)s->inadmissible;
}
static double hits(const struct monitor_log_status *s)
{
	return (double)s->hits;
}
static double entries(const struct monitor_log_status *s)
{
	return (double)s->entries;
}
static double rounds(const struct monitor_log_status *s)
{
	return (double)s->rounds;
}
static double failed_rounds(const struct monitor_log_status *s)
{
	return (double)s->failed_rounds;
}
static double unsure(const struct monitor_log_status *s)
{
	return s->rounds == 0 || s->outcome == MONITOR_UNSURE ? 1 : 0;
}
static double stuck(const struct monitor_log_status *s)
{
	return s->stuck ? 1 : 0;
}
static double runs(const struct monitor_log_status *s)
{
	return (double)s->runs;
}

static const struct log_metric log_metrics[] = {
    {"monitor_replayed_size", "gauge", "Entries verified and replayed.", replayed},
    {"monitor_seen_size", "gauge", "Size of the newest accepted checkpoint.", shown},
    {"monitor_answered_timestamp_seconds", "gauge",
     "When the log last answered with a checkpoint (POSIX seconds, 0: never).", answered},
    {"monitor_inadmissible_entries", "gauge", "Entries that admission should have refused.",
     inadmissible},
    {"monitor_watch_hits", "gauge", "Entries that a watch was told of.", hits},
    {"monitor_entries_total", "counter", "Entries replayed by this process.", entries},
    {"monitor_looks_total", "counter", "Looks at the log.", rounds},
    {"monitor_looks_failed_total", "counter", "Of those, not ended well.", failed_rounds},
    {"monitor_unsure", "gauge", "1 if the last look could not tell how the log is.", unsure},
    {"monitor_stuck", "gauge", "1 if this machine's own files or memory keep it from moving.",
     stuck},
    {"monitor_sorted_files", "gauge", "Sorted files of what is remembered.", runs},
};

static void append_log_metric(struct buf *out, const struct monitor *m,
			      const struct log_metric *metric)
{
	struct monitor_log_status s;

	metrics_head(out, metric->name, metric->type, metric->help);
	for (size_t i = 0; i < monitor_logs(m); i++) {
		monitor_log_status(m, i, &s);
		buf_appendf(out, "vitrine_%s{log=\"", metric->name);
		append_label(out, s.origin);
		buf_appendf(out, "\"} %.17g\n", metric->value(&s));
	}
}

/* What gossip knows of a log stands against it, too. Unknown is not 0: then there are no metrics at all. */
static void append_standing_metric(struct buf *out, const struct monitor *m)
{
	struct monitor_log_status s;
	struct standing_list all;

	standing_list_init(&all);
	buf_fail(out, monitor_standing(m, &all));
	metrics_head(out, "monitor_standing", "gauge",
		     "What stands against the log, told now or before.");
	for (size_t i = 0; i < monitor_logs(m); i++) {
		monitor_log_status(m, i, &s);
		buf_append_str(out, "vitrine_monitor_standing{log=\"");
		append_label(out, s.origin);
		buf_appendf(out, "\"} %zu\n", standing_list_count(&all, s.origin));
	}
	standing_list_release(&all);
}

static void append_trouble_metric(struct buf *out, const struct monitor *m)
{
	struct monitor_log_status s;

	metrics_head(out, "monitor_trouble", "gauge", "1 while this is wrong with the log.");
	for (size_t i = 0; i < monitor_logs(m); i++) {
		monitor_log_status(m, i, &s);
		for (unsigned t = 0; t < TROUBLE_COUNT; t++) {
			buf_append_str(out, "vitrine_monitor_trouble{log=\"");
			append_label(out, s.origin);
			buf_appendf(out, "\",kind=\"%s\"} %d\n", trouble_name((enum trouble)t),
				    s.since[t] != 0);
		}
	}
}

void metrics_monitor(struct buf *out, const struct api *api)
{
	struct monitor_status s;

	monitor_status(api->monitor, &s);
	const struct metric rows[] = {
	    {"monitor_alerts_total", "counter", "Alerts raised by this process.", (double)s.raised},
	    {"monitor_alerts_delivered_total", "counter", "Alerts taken.", (double)s.delivered},
	    {"monitor_alerts_failed_total", "counter", "Tries to deliver one that failed.",
	     (double)s.failed_deliveries},
	    {"monitor_alerts_waiting", "gauge", "Alerts not yet taken.", (double)s.waiting},
	};

	for (size_t i = 0; i < sizeof(log_metrics) / sizeof(*log_metrics); i++)
		append_log_metric(out, api->monitor, &log_metrics[i]);
	append_standing_metric(out, api->monitor);
	append_trouble_metric(out, api->monitor);
	metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
}
