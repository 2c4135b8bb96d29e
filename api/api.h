/*
 * The HTTP API: a table of routes. What a process serves follows from what it is given: a log, a witness, a monitor,
 * a place where tree heads are exchanged. openapi.yaml beside this file is the contract.
 */
#ifndef API_H
#define API_H

#include "http_server.h"
#include "log.h"

struct api;
struct cosigner; /* witness/cosigner.h */
struct gather;   /* witness/gather.h */
struct gossip;   /* monitor/gossip.h */
struct monitor;  /* monitor/monitor.h */

struct api_config {
	/* All borrowed; NULL: not served. At least one is there. */
	struct log *log;
	struct gather *gather; /* the log's, where it asks witnesses: for /readyz and /metrics */
	struct cosigner *cosigner;
	struct gossip *gossip;
	struct monitor *monitor;
	const char *version; /* of the program, for /metrics and the index page */
	/* Bounds of the HTTP side; zero members take the defaults of http_server.h. The callbacks and `app`
	 * are the API's own and are filled in by it. */
	struct http_config http;
	double heartbeat_seconds; /* of /api/v1/events; 0: 15 */
};

/* Serve. why as in http_server_start(). */
enum vt_err api_start(struct api **out, const struct api_config *config, char why[160]);
const char *api_url(const struct api *api);
bool api_everywhere(
    const struct api *api); /* it listens on every address, and that is one of them */
/* The log has published: whoever listens to /api/v1/events is told. Any thread, quick; until api_free(). */
void api_published(struct api *api);
/* Other witnesses are asked from now on (NULL: none). When it returns, those before are not looked at any more. */
void api_set_gather(struct api *api, struct gather *gather);
/* The same for a monitor that was started with both. NULL, NULL: none for the time being, and whoever asks is told so (503). */
void api_set_monitor(struct api *api, struct monitor *monitor, struct gossip *gossip);
/* Refuse new connections, answer what is under way (appends included, so the log must still run), close. */
void api_stop(struct api *api, unsigned grace_seconds);
void api_free(struct api *api);

/* What a process can be to who asks it; one process can be several. */
enum api_role {
	API_RECORDS = 1 << LOG_RECORDS, /* a log of records */
	API_RAW = 1 << LOG_RAW,
	API_LOG = API_RECORDS | API_RAW,
	API_WITNESS = 1 << 2,
	API_MONITOR = 1 << 3,
	API_GOSSIP = 1 << 4,
	API_ANY = API_LOG | API_WITNESS | API_MONITOR | API_GOSSIP,
};

/* The table, for the test that holds it against openapi.yaml. */
struct api_route {
	/* "/api/v1/entries/{index}"; "{+path}" at the end takes the rest. */
	const char *pattern;
	http_handler handler;
	/* Bits of enum api_role: in which of them it is open. The first open route that fits is taken. */
	int roles;
	/* What is left out is a GET, on the pool, without a body. */
	enum http_method method;
	bool on_loop;
	bool rate_limited;
	size_t body_max;
};
extern const struct api_route api_routes[];
extern const size_t api_routes_count;

/* The API's own problem types (admission's are in problem.h); ends with a NULL slug. */
extern const struct problem_type api_problems[];

#endif
