/*
 * A witness (C2SP tlog-witness): POST /add-checkpoint, GET /<origin hash>/checkpoint; and what its
 * process says of itself at /, /readyz and /metrics.
 */
#include "clock.h"
#include "cosigner.h"
#include "handler.h"
#include "metrics.h"

/* "The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal,
 * followed by a newline (U+000A). The response MUST have a Content-Type of text/x.tlog.size." */
static void answer_conflict(struct http_exchange *x, uint64_t size)
{
	struct http_response r;

	api_response_init(&r, 409, "text/x.tlog.size", API_CACHE_NONE);
	buf_appendf(&r.body, "%llu\n", (unsigned long long)size);
	api_send(x, &r);
}

static void answer_refusal(struct http_exchange *x, enum vt_err err,
			   const struct cosigner_answer *a)
{
	switch (err) {
	case VT_ECONFLICT:
		answer_conflict(x, a->size);
		return;
	case VT_EMALFORMED:
		api_problem(x, "bad-request", "%s", a->why);
		return;
	case VT_EUNTRUSTED:
		api_problem(x, "checkpoint-untrusted", "%s", a->why);
		return;
	case VT_ENOTFOUND:
		api_problem(x, "not-found", "%s", a->why);
		return;
	case VT_EMISMATCH:
		api_problem(x, "checkpoint-inconsistent", "%s", a->why);
		return;
	case VT_EINTERNAL:
		api_problem_internal(x, a->why[0] != '\0' ? a->why : "cosigning");
		return;
	default:
		api_problem_err(x, err, a->why[0] != '\0' ? a->why : "cosigning");
	}
}

void handle_add_checkpoint(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};
	struct api *api = app;
	struct cosigner_answer a;
	struct http_response r;
	enum vt_err err;

	(void)thread;
	if (!api_only(x, none))
		return;
	cosigner_answer_init(&a);
	err = cosigner_add_checkpoint(api->cosigner, http_request(x)->body, &a);
	if (err == VT_OK) {
		/* "respond with a "200 Success" HTTP status code. The response body MUST be a
		 * sequence of one or more note signature lines" */
		api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
		r.body = a.lines;
		buf_init(&a.lines); /* transferred */
		http_respond(x, &r);
	} else {
		answer_refusal(x, err, &a);
	}
	cosigner_answer_release(&a);
}

/* An ETag of the body's own digest. */
static enum vt_err tag_body(struct http_response *r)
{
	struct bytes body = buf_bytes(&r->body);
	struct merkle_hasher h;
	struct merkle_hash digest;
	char hex[17];
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	if ((err = merkle_sha256(&digest, &h, &body, 1)) == VT_OK) {
		hex_encode(hex, bytes_of(digest.b, 8));
		http_response_etag(r, "%s", hex);
	}
	merkle_hasher_release(&h);
	return err;
}

void handle_witness_checkpoint(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	struct http_response r;
	struct merkle_hash hash;
	enum vt_err err;

	(void)thread;
	/* "The origin hash is the SHA-256 hash of the log's origin, hex encoded, in lowercase." */
	if (hex_decode_exact(hash.b, sizeof(hash.b), api_segment(x, 0)) != VT_OK) {
		api_problem(x, "not-found",
			    "expected /<origin hash>/checkpoint: 64 lower-case hex digits");
		return;
	}
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_CHECK);
	err = cosigner_checkpoint(api->cosigner, &hash, &r.body);
	if (err == VT_OK && (err = tag_body(&r)) == VT_OK) {
		http_respond(x, &r);
		return;
	}
	http_response_release(&r);
	/* "If the witness has never cosigned a checkpoint for that log, it MUST respond with a
	 * "404 Not Found" HTTP status code instead." */
	if (err == VT_ENOTFOUND)
		api_problem(x, "not-found",
			    "this witness has never cosigned a checkpoint of that log");
	else
		api_problem_err(x, err,
				"what this witness last cosigned for that log is not readable");
}

/* -- the process ----------------------------------------------------------------------------- */

static enum vt_err append_log_line(void *ctx, const struct cosigner_log *log)
{
	struct buf *out = ctx;
	char time[CLOCK_RFC3339_SIZE], origin[200];

	problem_quote(origin, sizeof(origin), bytes_str(log->origin));
	clock_format_rfc3339(time, log->time);
	buf_appendf(out, "%s\n  ", origin);
	if (log->damaged)
		buf_append_str(out, "nothing is cosigned: its file is damaged\n");
	else if (!log->cosigned)
		buf_append_str(out, "nothing cosigned yet\n");
	else
		buf_appendf(out, "size %llu, last cosigned %s\n",
			    (unsigned long long)log->head.size, time);
	if (!log->listed)
		buf_append_str(out, "  no longer witnessed\n");
	buf_append_str(out, "  /");
	buf_append_hex(out, bytes_of(log->origin_hash.b, sizeof(log->origin_hash.b)));
	return buf_append_str(out, "/checkpoint\n");
}

void handle_witness_index(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	struct http_response r;

	(void)thread;
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_CHECK);
	buf_appendf(&r.body,
		    "Vitrine %s, a witness of transparency logs (C2SP tlog-witness)\n"
		    "\n"
		    "name       %s\n"
		    "vkey       ",
		    api->version, cosigner_key(api->cosigner)->name);
	buf_fail(&r.body, vkey_format(&r.body, cosigner_key(api->cosigner)));
	buf_append_str(
	    &r.body, "\n"
		     "\n"
		     "  POST /add-checkpoint            a checkpoint and a consistency proof in, a "
		     "cosignature out\n"
		     "  /<origin hash>/checkpoint       the latest checkpoint cosigned for a log\n"
		     "  /openapi.yaml                   everything there is\n"
		     "  /healthz  /readyz  /metrics     for operators\n"
		     "\n"
		     "Logs:\n\n");
	buf_fail(&r.body, cosigner_each(api->cosigner, append_log_line, &r.body));
	r.may_gzip = true;
	api_send(x, &r);
}

/* Ready as long as there is a log that it can cosign for: one damaged file is no reason to keep all
 * others waiting. */
void handle_witness_readyz(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	char why[COSIGNER_WHY_MAX] = "";
	struct cosigner_stats stats;
	struct http_response r;

	(void)thread;
	if (cosigner_writable(api->cosigner, why) != VT_OK) {
		api_problem(x, "not-ready", "nothing can be cosigned now: %s", why);
		return;
	}
	cosigner_stats(api->cosigner, &stats);
	if (stats.logs == stats.damaged) {
		api_problem(x, "not-ready",
			    stats.logs == 0 ? "the policy lists no log"
					    : "the files of all logs are damaged");
		return;
	}
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	if (stats.damaged == 0)
		buf_append_str(&r.body, "ready\n");
	else
		buf_appendf(&r.body, "ready, but refusing %llu of %llu logs: damaged files\n",
			    (unsigned long long)stats.damaged, (unsigned long long)stats.logs);
	api_send(x, &r);
}

void metrics_witness(struct buf *out, const struct api *api)
{
	struct cosigner_stats s;

	cosigner_stats(api->cosigner, &s);
	const struct metric rows[] = {
	    {"witness_logs", "gauge", "Logs in the policy.", (double)s.logs},
	    {"witness_damaged", "gauge", "Of those, refused because their file is damaged.",
	     (double)s.damaged},
	    {"witness_cosigned_total", "counter", "Checkpoints cosigned by this process.",
	     (double)s.cosigned},
	    {"witness_failed_total", "counter",
	     "Requests that failed here: disk, memory, key, damaged file.", (double)s.failed},
	    {"witness_policy_failures_total", "counter",
	     "Times that a new policy could not be taken and the old one was kept.",
	     (double)s.policy_failures},
	};
	const struct {
		const char *status;
		uint64_t n;
	} refused[] = {
	    {"400", s.refused_malformed},    {"403", s.refused_untrusted},
	    {"404", s.refused_unknown},      {"409", s.refused_stale},
	    {"422", s.refused_inconsistent}, {"503", s.refused_busy},
	};

	metrics_append(out, rows, sizeof(rows) / sizeof(*rows));
	metrics_head(out, "witness_refused_total", "counter", "Requests not cosigned, by status.");
	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		buf_appendf(out, "vitrine_witness_refused_total{status=\"%s\"} %llu\n",
			    refused[i].status, (unsigned long long)refused[i].n);
}
