/*
 * An HTTP/1.1 client that keeps many connections busy: one thread, epoll, raw sockets, loopback
 * only. Each connection has one request under way and sends its next as soon as that is answered (a
 * closed loop), so when the server stalls fewer requests feel it than would arrive in real life.
 */
#ifndef LOAD_CLIENT_H
#define LOAD_CLIENT_H

#include <netinet/in.h>
#include <sys/types.h>

#include "load_report.h"
#include "vitrine/bytes.h"

enum {
	LOAD_CONNECTIONS_MAX = 8192,
	LOAD_SECONDS_MAX = 600,
	LOAD_BODY_KEPT = 32,
	LOAD_LOCATION_MAX = 128,
};

/* A server on this machine. */
struct load_target {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr;
	socklen_t addr_len;
	char host[64]; /* for the Host field */
};
/* "http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080". VT_EMALFORMED;
 * VT_EUNTRUSTED: not a loopback address. */
enum vt_err load_target_parse(struct load_target *out, const char *url);
/* A connected blocking socket, or -1 with errno. */
int load_connect(const struct load_target *target);

struct load_answer {
	unsigned status; /* 0: sent, but the connection ended without an answer */
	bool unsent;     /* never sent in full: no connection to be had */
	bool has_retry_after;
	char location[LOAD_LOCATION_MAX]; /* "" when absent */
	size_t body_kept;
	uint8_t body[LOAD_BODY_KEPT]; /* how it begins */
};

struct load_job {
	/* Append the next request, head and body, to *out; *tag comes back with its answer. false:
	 * there is none. */
	bool (*next)(void *ctx, struct buf *out, uint64_t *tag);
	/* Called exactly once for each. May be NULL. */
	void (*answered)(void *ctx, uint64_t tag, const struct load_answer *answer);
	void *ctx;

	unsigned connections;
	double seconds; /* no new request after that */
	/* Send `signal` to `pid` once `kill_after` requests have been answered and every connection
	 * has one under way, or, if `kill_delay` is set, so many nanoseconds later. 0: never. */
	pid_t kill_pid;
	int kill_signal;
	uint64_t kill_after;
	uint64_t kill_delay;
};

/*
 * Run until there is no further request or the time is up, and until what is under way is answered
 * (10 seconds at most; what is not by then counts as dropped). VT_EIO: no connection could be made at
 * all.
 */
enum vt_err load_run(struct load_report *report, const struct load_target *target,
		     const struct load_job *job);

#endif
