/*
 * A witness with its HTTP API in this process, on a free port and the scratch folder (scratch.h).
 * Fails the test where it does not start or answer.
 */
#ifndef VITRINE_TEST_WITNESS_SERVER_H
#define VITRINE_TEST_WITNESS_SERVER_H

#include "api.h"
#include "cosigner.h"
#include "raw_http.h"

struct witness_server {
	struct note_signer key;
	struct policy *policy;
	struct cosigner *cosigner;
	struct api *api;
	const char *url;
};

/* rate: as http_config.rate_per_second. */
void witness_server_start(struct witness_server *s, const char *name, const char *policy,
			  double rate);
void witness_server_stop(struct witness_server *s);

/* POST /add-checkpoint on a connection that stays open. */
void witness_send(int fd, struct bytes body);
/* The same on a connection of its own, and its answer. Returns the status. */
unsigned witness_post(const char *url, struct bytes body, struct raw_reply *r);
/* GET /<hash of this origin>/checkpoint. */
unsigned witness_get(const char *url, const char *origin, struct raw_reply *r);

#endif
