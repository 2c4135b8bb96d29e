/* What the handlers share. Private to api/. */
#ifndef API_HANDLER_H
#define API_HANDLER_H

#include <pthread.h>

#include "api.h"
#include "json.h"

struct api {
	/* NULL where this process is no such thing: a handler is only called in a role of its route. */
	struct log *log;
	/* Held to use what may be exchanged: a log's gather; for a monitor it is held around every handler. */
	pthread_rwlock_t lock;
	struct gather *gather; /* the log asks no witness: NULL */
	struct cosigner *cosigner;
	struct gossip *gossip;
	struct monitor *monitor;
	int roles;
	struct hub *hub;            /* who listens to the log; NULL where there is none */
	struct http_server *server; /* not for handlers: http_exchange_server() */
	const char *version;
	uint64_t started; /* POSIX seconds */
};

#define SIZE_LIMIT                                                                                 \
	((UINT64_C(1) << 53) -                                                                     \
	 1) /* of sizes and indexes, so that any reader of JSON has them exactly */

/* -- the request ------------------------------------------------------------------------------- */

/* Segment i of the path, from 0: "/api/v1/entries/7" has "7" at 3. Empty beyond the end. */
struct bytes api_segment(const struct http_exchange *x, size_t i);
/* Everything after the first n segments, without the slash before it. */
struct bytes api_path_rest(const struct http_exchange *x, size_t n);
/* These answer the request with a problem and return false if there is something to complain about. */
/* Query names, NULL-terminated. Not for a static resource: it has no query, and what stands there passes by a cache. */
bool api_only(struct http_exchange *x, const char *const *names);
bool api_index_segment(struct http_exchange *x, size_t i, const char *what, uint64_t *out);
/* 32 bytes as hexadecimal digits, in any letter case. slug is the problem's, where names the parameter. */
bool api_hash(struct http_exchange *x, struct bytes text, const char *slug, const char *where,
	      struct merkle_hash *out);
/* A decoded query value is appended to out; absent: *given is false. */
bool api_query_text(struct http_exchange *x, const char *name, struct buf *out, bool *given);
/* A decimal query value; absent leaves *out alone. Nothing that counts goes beyond SIZE_LIMIT. */
bool api_query_number(struct http_exchange *x, const char *name, uint64_t least, uint64_t most,
		      uint64_t *out, bool *given);

/* -- the answer ----------------------------------------------------------------------------------- */

enum api_cache {
	API_CACHE_NONE,      /* no-store: errors, status */
	API_CACHE_CHECK,     /* no-cache: may be kept, must be asked for again */
	API_CACHE_IMMUTABLE, /* for ever */
};

/* Start an answer that carries the headers of every public answer (CORS, caching, nosniff). */
void api_response_init(struct http_response *r, unsigned status, const char *content_type,
		       enum api_cache cache);
/* Set ETag to a digest-free tag made of these numbers: what determines the bytes. */
void api_response_etag(struct http_response *r, const char *kind, uint64_t a, uint64_t b);
/* Send r, or a problem if its body remembers a failure. */
void api_send(struct http_exchange *x, struct http_response *r);
/* Send JSON (compact, with a newline); frees j; NULL becomes a 503. r is initialised and otherwise complete. */
void api_send_json(struct http_exchange *x, struct http_response *r, struct json *j);
void api_send_bytes(struct http_exchange *x, struct http_response *r, struct bytes body);

/* RFC 9457 problems. */
void api_problem(struct http_exchange *x, const char *slug, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void api_problem_typed(struct http_exchange *x, const struct problem *p, unsigned retry_after);
/* There is no tlog-proof of a published entry until its checkpoint has the witnesses' quorum. */
void api_policy_not_met(struct http_exchange *x, uint64_t index);
/* What an error code from below means when no handler knows better. */
void api_problem_err(struct http_exchange *x, enum vt_err err, const char *what);
/* 500: logged under an id, which the answer has, and nothing else of what went wrong. */
void api_problem_internal(struct http_exchange *x, const char *what);
/* The http layer's own errors; see http_config.error. */
void api_http_error(struct http_response *out, unsigned status, const char *detail, bool unknown,
		    void *app);

/* -- JSON bits -------------------------------------------------------------------------------------- */

/* The member "policyMet": what the log's policy says of the checkpoint; absent where there are no witnesses to ask. */
struct json *json_policy_met(struct log_worker *w, const struct api *api, struct bytes note);
/* A published checkpoint, as /api/v1/tree-heads and /api/v1/events show it. */
enum vt_err json_tree_head(struct json **out, const struct store_checkpoint *cp);
struct json *json_proof(const struct merkle_proof *proof);

/* -- the handlers, one a file ------------------------------------------------------------------------- */

void handle_index(struct http_exchange *x, void *thread, void *app);
void handle_checkpoint(struct http_exchange *x, void *thread, void *app);
void handle_tile(struct http_exchange *x, void *thread, void *app);
void handle_add(struct http_exchange *x, void *thread, void *app);
void handle_entries_post(struct http_exchange *x, void *thread, void *app);
void handle_entries_search(struct http_exchange *x, void *thread, void *app);
void handle_entry(struct http_exchange *x, void *thread, void *app);
void handle_entry_proof(struct http_exchange *x, void *thread, void *app);
void handle_entry_tlog_proof(struct http_exchange *x, void *thread, void *app);
void handle_leaf(struct http_exchange *x, void *thread, void *app);
void handle_consistency(struct http_exchange *x, void *thread, void *app);
void handle_tree_heads(struct http_exchange *x, void *thread, void *app);
void handle_events(struct http_exchange *x, void *thread, void *app);
void handle_feed(struct http_exchange *x, void *thread, void *app);
void handle_parties(struct http_exchange *x, void *thread, void *app);
void handle_party(struct http_exchange *x, void *thread, void *app);
void handle_healthz(struct http_exchange *x, void *thread, void *app);
void handle_readyz(struct http_exchange *x, void *thread, void *app);
void handle_metrics(struct http_exchange *x, void *thread, void *app);
void handle_add_checkpoint(struct http_exchange *x, void *thread, void *app);
void handle_witness_checkpoint(struct http_exchange *x, void *thread, void *app);
void handle_witness_index(struct http_exchange *x, void *thread, void *app);
void handle_witness_readyz(struct http_exchange *x, void *thread, void *app);
void handle_gossip_heads(struct http_exchange *x, void *thread, void *app);
void handle_gossip_heads_post(struct http_exchange *x, void *thread, void *app);
void handle_evidence_list(struct http_exchange *x, void *thread, void *app);
void handle_evidence(struct http_exchange *x, void *thread, void *app);
void handle_evidence_post(struct http_exchange *x, void *thread, void *app);
void handle_monitor_index(struct http_exchange *x, void *thread, void *app);
void handle_monitor_readyz(struct http_exchange *x, void *thread, void *app);
void handle_openapi(struct http_exchange *x, void *thread, void *app);

#endif
