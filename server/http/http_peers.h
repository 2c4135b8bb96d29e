/*
 * What each address holds and asks: its connections, streams and memory, its appends and its reads as token buckets. IPv6
 * addresses count by their /64, which is what one customer gets. Used by one thread.
 */
#ifndef HTTP_PEERS_H
#define HTTP_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "http_address.h"

struct peers;
struct peer;

enum peer_bucket {
	PEER_APPENDS,
	PEER_READS,
	PEER_BUCKETS,
};

struct peers_config {
	unsigned connections_max; /* per address */
	unsigned streams_max;     /* the same */
	size_t memory_max;        /* the same, bytes */
	struct {
		double rate;  /* tokens a second and address; 0: unlimited */
		double burst; /* tokens a rested address has */
	} bucket[PEER_BUCKETS];
};

struct peers *peers_new(const struct peers_config *config); /* NULL: no memory */
void peers_free(struct peers *p);
/* May this address connect once more? */
bool peers_admit(const struct peers *p, const struct http_address *addr);
/* Count a connection. NULL: no memory, or too many addresses at once. */
struct peer *peers_connect(struct peers *p, const struct http_address *addr, uint64_t now_nanos);
void peers_disconnect(struct peers *p, struct peer *peer, uint64_t now_nanos);
/* The peer that a request counts for until peers_end_request(): the client; or, without memory or with too many addresses
 * at once, who is connected, with everybody else whom that befalls. */
struct peer *peers_begin_request(struct peers *p, struct peer *connected,
				 const struct http_address *client, uint64_t now_nanos);
void peers_end_request(struct peers *p, struct peer *peer, uint64_t now_nanos);
/* Take a token. 0: taken; else the whole seconds until there is one. */
unsigned peer_take(const struct peers *p, struct peer *peer, enum peer_bucket which,
		   uint64_t now_nanos);
/* Count a stream. false: it has streams_max of them. */
bool peer_stream(const struct peers *p, struct peer *peer);
void peer_stream_ended(struct peer *peer);

/* Count bytes that are held for its sake, and count them off again. */
void peer_charge(struct peer *peer, size_t bytes);
void peer_release(struct peer *peer, size_t bytes);
/* Would that many more still be within memory_max? */
bool peer_affords(const struct peers *p, const struct peer *peer, size_t bytes);
enum { PEER_LANES = 64 }; /* what waits for a worker waits in its address's lane */
/* Below PEER_LANES. Addresses share a lane by chance alone: nobody can choose with whom. */
unsigned peer_lane(const struct peer *peer);

#endif
