/* What a monitor says of itself: a page for people at /, /readyz and its part of /metrics. */
#include "monitor.h"
#include <string.h>

#include "clock.h"
#include "gossip.h"
#include "handler.h"
#include "metrics.h"

/* Names, addresses and reasons come from outside. */
static enum vt_err append_escaped(struct buf *out, struct bytes text)
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < text.len && err == VT_OK; i++) {
		switch (text.data[i]) {
		case '&':
			err = buf_append_str(out, "&amp;");
			break;
		case '<':
			err = buf_append_str(out, "&lt;");
			break;
		case '>':
			err = buf_append_str(out, "&gt;");
			break;
		case '"':
			err = buf_append_str(out, "&quot;");
			break;
		default:
			err = buf_append_byte(out, text.data[i]);
		}
	}
	return err;
}

static enum vt_err append_cell(struct buf *out, const char *text)
{
	enum vt_err err;

	/* What has no spaces is short: a time, a kind. */
	if ((err = buf_append_str(out, strlen(text) < 24 ? "<td class=\"t\">" : "<td>")) != VT_OK ||
	    (err = append_escaped(out, bytes_str(text))) != VT_OK)
		return err;
	return buf_append_str(out, "</td>");
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
static enum vt_err append_state(struct buf *out, const struct monitor_log_status *s,
				size_t standing)
{
	enum vt_err err = buf_append_str(out, "<td>");

	if (err != VT_OK)
		return err;
	if (standing > 0)
		err = buf_appendf(out, "<span class=\"bad\">%zu %s</span>", standing,
				  standing == 1 ? "stands" : "stand");
	else if (s->rounds == 0)
		err = buf_append_str(out,
				     "<span class=\"unsure\">the first look is under way</span>");
	else if (s->outcome == MONITOR_HOLDS)
		err = buf_append_str(out, "<span class=\"good\">holds</span>");
	else
		err = buf_append_str(out, "<span class=\"unsure\">not known</span>");
	if (err == VT_OK && s->why[0] != '\0' && (err = buf_append_str(out, "<br>")) == VT_OK)
		err = append_escaped(out, bytes_str(s->why));
	return err != VT_OK ? err : buf_append_str(out, "</td>");
}

static enum vt_err append_severity(struct buf *out, const char *severity)
{
	enum vt_err err = buf_append_str(
	    out, strcmp(severity, "notice") == 0 ? "<td class=\"t\">" : "<td class=\"t bad\">");

	if (err != VT_OK || (err = append_escaped(out, bytes_str(severity))) != VT_OK)
		return err;
	return buf_append_str(out, "</td>");
}

static enum vt_err append_one_standing(struct buf *out, const struct standing *s)
{
	char time[CLOCK_RFC3339_SIZE];
	enum vt_err err;

	if ((err = buf_append_str(out, "<tr>")) != VT_OK ||
	    (err = append_cell(out, time_text(time, s->since))) != VT_OK ||
	    (err = append_severity(out, severity_name(s->severity))) != VT_OK ||
	    (err = append_cell(out, s->kind)) != VT_OK ||
	    (err = append_cell(out, s->origin)) != VT_OK ||
	    (err = buf_append_str(out, "<td>")) != VT_OK ||
	    (err = append_escaped(out, bytes_str(s->text))) != VT_OK)
		return err;
	if (s->for_good)
		err = buf_appendf(out, "<br>until acknowledged: <code>%s</code>", s->id);
	return err != VT_OK ? err : buf_append_str(out, "</td></tr>\n");
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

static enum vt_err append_what_stands(struct buf *out, const struct monitor *m,
				      const struct standing_list *all)
{
	enum vt_err err = buf_append_str(out, "<h2>What stands</h2>\n");

	if (err != VT_OK)
		return err;
	if (all->n == 0)
		return buf_append_str(
		    out, all_hold(m) ? "<p class=\"good\">Nothing: every log holds.</p>\n"
				     : "<p class=\"unsure\">Nothing that is known; but not every "
				       "log could be asked.</p>\n");
	err = buf_append_str(
	    out, "<div class=\"wide\"><table class=\"told\"><thead><tr><th>since</th><th>severity"
		 "</th><th>kind</th><th>log</th><th>what</th></tr></thead><tbody>\n");
	for (size_t i = 0; i < all->n && err == VT_OK; i++)
		err = append_one_standing(out, &all->item[i]);
	return err != VT_OK ? err : buf_append_str(out, "</tbody></table></div>\n");
}

static enum vt_err append_log_row(struct buf *out, const struct monitor_log_status *s,
				  size_t standing)
{
	static const char *const mode[] = {"not known yet", "records", "raw: tree only"};
	char hex[2 * MERKLE_HASH_SIZE + 1], time[CLOCK_RFC3339_SIZE];
	enum vt_err err;

	hex_encode(hex, bytes_of(s->head.root.b, sizeof(s->head.root.b)));
	if ((err = buf_append_str(out, "<tr><td><b>")) != VT_OK ||
	    (err = append_escaped(out, bytes_str(s->origin))) != VT_OK ||
	    (err = buf_append_str(out, "</b><br>")) != VT_OK ||
	    (err = append_escaped(out, bytes_str(s->url))) != VT_OK ||
	    (err = buf_appendf(out, "<br>%s<code>%s</code></td>", mode[s->mode], hex)) != VT_OK ||
	    (err = append_state(out, s, standing)) != VT_OK)
		return err;
	return buf_appendf(out,
			   "<td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
			   "<td class=\"n\">%llu</td><td class=\"t\">%s</td></tr>\n",
			   (unsigned long long)s->head.size, (unsigned long long)s->seen,
			   (unsigned long long)s->hits, time_text(time, s->answered));
}

static enum vt_err append_logs(struct buf *out, const struct monitor *m,
			       const struct standing_list *all)
{
	struct monitor_log_status s;
	enum vt_err err = buf_append_str(
	    out, "<h2>Logs</h2>\n<div class=\"wide\"><table><thead><tr><th>log</th><th>state</th>"
		 "<th class=\"n\">replayed</th><th class=\"n\">shown</th>"
		 "<th class=\"n\">watched</th><th>last answer</th></tr></thead><tbody>\n");

	for (size_t i = 0; i < monitor_logs(m) && err == VT_OK; i++) {
		monitor_log_status(m, i, &s);
		err = append_log_row(out, &s, standing_list_count(all, s.origin));
	}
	return err != VT_OK ? err : buf_append_str(out, "</tbody></table></div>\n");
}

static enum vt_err append_state_of_logs(struct buf *out, const struct monitor *m)
{
	struct standing_list all;
	enum vt_err err;

	standing_list_init(&all);
	if ((err = monitor_standing(m, &all)) == VT_OK &&
	    (err = append_what_stands(out, m, &all)) == VT_OK)
		err = append_logs(out, m, &all);
	standing_list_release(&all);
	return err;
}

static const char *member(char *out, size_t cap, const struct json *j, const char *name)
{
	struct bytes text;

	out[0] = '\0';
	if (json_text(json_member(j, name), &text))
		problem_quote(out, cap, text);
	return out;
}

static enum vt_err append_alert(struct buf *out, struct bytes line)
{
	char text[700];
	struct json *j = NULL;
	enum vt_err err;

	if (json_parse(&j, line, NULL) != VT_OK)
		return VT_OK; /* one is not shown */
	if ((err = buf_append_str(out, "<tr>")) != VT_OK ||
	    (err = append_cell(out, member(text, sizeof(text), j, "time"))) != VT_OK ||
	    (err = append_severity(out, member(text, sizeof(text), j, "severity"))) != VT_OK ||
	    (err = append_cell(out, member(text, sizeof(text), j, "kind"))) != VT_OK ||
	    (err = append_cell(out, member(text, sizeof(text), j, "log"))) != VT_OK ||
	    (err = append_cell(out, member(text, sizeof(text), j, "text"))) != VT_OK)
		goto done;
	err = buf_append_str(out, "</tr>\n");
done:
	json_free(j);
	return err;
}

static enum vt_err append_alerts(struct buf *out, const struct monitor *m)
{
	struct monitor_status s;
	struct bytes rest;
	struct buf recent;
	enum vt_err err;

	buf_init(&recent);
	monitor_status(m, &s);
	if ((err = monitor_recent(m, &recent)) != VT_OK ||
	    (err = buf_appendf(
		 out, "<h2>Alerts</h2>\n<p>%llu since the start, %llu wait to be taken%s</p>\n",
		 (unsigned long long)s.raised, (unsigned long long)s.waiting,
		 s.delivery_fails ? ", <span class=\"bad\">the last try failed</span>" : "")) !=
		VT_OK)
		goto done;
	if (recent.len > 0)
		err = buf_append_str(
		    out, "<div class=\"wide\"><table "
			 "class=\"told\"><thead><tr><th>time</th><th>severity</th>"
			 "<th>kind</th><th>log</th><th>what</th></tr></thead><tbody>\n");
	for (rest = buf_bytes(&recent); rest.len > 0 && err == VT_OK;) {
		size_t len = 0;
		while (len < rest.len && rest.data[len] != '\n')
			len++;
		err = append_alert(out, bytes_of(rest.data, len));
		len += len < rest.len;
		rest = bytes_of(rest.data + len, rest.len - len);
	}
	if (err == VT_OK && recent.len > 0)
		err = buf_append_str(out, "</tbody></table></div>\n");
done:
	buf_release(&recent);
	return err;
}

static enum vt_err append_gossip(struct buf *out, const struct api *api)
{
	struct gossip_stats s;

	if (api->gossip == NULL)
		return VT_OK;
	gossip_stats(api->gossip, &s);
	return buf_appendf(out,
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
	enum vt_err err;

	(void)thread;
	api_response_init(&r, 200, "text/html; charset=utf-8", API_CACHE_NONE);
	http_response_header(
	    &r, "Content-Security-Policy",
	    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
	if ((err = buf_append_str(&r.body, page_head)) != VT_OK ||
	    (err = append_state_of_logs(&r.body, api->monitor)) != VT_OK ||
	    (err = append_alerts(&r.body, api->monitor)) != VT_OK ||
	    (err = append_gossip(&r.body, api)) != VT_OK ||
	    (err = buf_appendf(&r.body,
			       "<p>Vitrine %s. For programs: <a href=\"metrics\">/metrics</a>, "
			       "<a href=\"readyz\">/readyz</a>, "
			       "<a href=\"openapi.yaml\">/openapi.yaml</a>.</p>\n</body></html>\n",
			       api->version)) != VT_OK) {
		http_response_release(&r);
		api_problem_err(x, err, "answering");
		return;
	}
	r.may_gzip = true;
	http_respond(x, &r);
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
static enum vt_err append_label(struct buf *out, const char *value)
{
	enum vt_err err = VT_OK;

	for (; *value != '\0' && err == VT_OK; value++) {
		if (*value == '\\' || *value == '"')
			err = buf_append_byte(out, '\\');
		if (err == VT_OK)
			err = buf_append_byte(out, (uint8_t)*value);
	}
	return err;
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

static enum vt_err append_log_metric(struct buf *out, const struct monitor *m,
				     const struct log_metric *metric)
{
	struct monitor_log_status s;
	enum vt_err err = buf_appendf(out, "# HELP vitrine_%s %s\n# TYPE vitrine_%s %s\n",
				      metric->name, metric->help, metric->name, metric->type);

	for (size_t i = 0; i < monitor_logs(m) && err == VT_OK; i++) {
		monitor_log_status(m, i, &s);
		if ((err = buf_appendf(out, "vitrine_%s{log=\"", metric->name)) != VT_OK ||
		    (err = append_label(out, s.origin)) != VT_OK)
			return err;
		err = buf_appendf(out, "\"} %.17g\n", metric->value(&s));
	}
	return err;
}

/* What gossip knows of a log stands against it, too. Unknown is not 0: then there are no metrics at all. */
static enum vt_err append_standing_metric(struct buf *out, const struct monitor *m)
{
	struct monitor_log_status s;
	struct standing_list all;
	enum vt_err err;

	standing_list_init(&all);
	if ((err = monitor_standing(m, &all)) == VT_OK)
		err = buf_append_str(out, "# HELP vitrine_monitor_standing What stands against the "
					  "log, told now or before.\n"
					  "# TYPE vitrine_monitor_standing gauge\n");
	for (size_t i = 0; i < monitor_logs(m) && err == VT_OK; i++) {
		monitor_log_status(m, i, &s);
		if ((err = buf_append_str(out, "vitrine_monitor_standing{log=\"")) == VT_OK &&
		    (err = append_label(out, s.origin)) == VT_OK)
			err = buf_appendf(out, "\"} %zu\n", standing_list_count(&all, s.origin));
	}
	standing_list_release(&all);
	return err;
}

static enum vt_err append_trouble_metric(struct buf *out, const struct monitor *m)
{
	struct monitor_log_status s;
	enum vt_err err = buf_append_str(
	    out, "# HELP vitrine_monitor_trouble 1 while this is wrong with the log.\n"
		 "# TYPE vitrine_monitor_trouble gauge\n");

	for (size_t i = 0; i < monitor_logs(m) && err == VT_OK; i++) {
		monitor_log_status(m, i, &s);
		for (unsigned t = 0; t < TROUBLE_COUNT && err == VT_OK; t++) {
			if ((err = buf_append_str(out, "vitrine_monitor_trouble{log=\"")) !=
				VT_OK ||
			    (err = append_label(out, s.origin)) != VT_OK)
				return err;
			err = buf_appendf(out, "\",kind=\"%s\"} %d\n",
					  trouble_name((enum trouble)t), s.since[t] != 0);
		}
	}
	return err;
}

enum vt_err metrics_monitor(struct buf *out, const struct api *api)
{
	struct monitor_status s;
	enum vt_err err = VT_OK;

	monitor_status(api->monitor, &s);
	const struct metric rows[] = {
	    {"monitor_alerts_total", "counter", "Alerts raised by this process.", (double)s.raised},
	    {"monitor_alerts_delivered_total", "counter", "Alerts taken.", (double)s.delivered},
	    {"monitor_alerts_failed_total", "counter", "Tries to deliver one that failed.",
	     (double)s.failed_deliveries},
	    {"monitor_alerts_waiting", "gauge", "Alerts not yet taken.", (double)s.waiting},
	};

	for (size_t i = 0; i < sizeof(log_metrics) / sizeof(*log_metrics) && err == VT_OK; i++)
		err = append_log_metric(out, api->monitor, &log_metrics[i]);
	if (err == VT_OK && (err = append_standing_metric(out, api->monitor)) == VT_OK)
		err = append_trouble_metric(out, api->monitor);
	return err != VT_OK ? err : metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
}
