#include "http_peers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SECOND UINT64_C(1000000000)

enum {
	TABLE_SIZE = 4096,
	PEERS_MAX = 65536, /* addresses remembered */
	PEERS_SWEEP_AT =
	    1024, /* look for forgettable ones at first then, later at twice what was left */
};

struct peer_key {
	uint64_t high, low;
};

struct peer {
	struct peer *next;
	struct peer_key key;
	unsigned connections, requests, streams, lane;
	size_t memory;
	struct {
		double tokens;
		uint64_t filled_at;
	} bucket[PEER_BUCKETS];
};

struct peers {
	struct peers_config config;
	uint64_t secret; /* so that nobody can choose addresses that share a row */
	size_t n, sweep_at;
	uint64_t
	    sweep_after; /* at most once a second, or a full table would cost a walk per connection */
	struct peer *row[TABLE_SIZE];
};

struct peers *peers_new(const struct peers_config *config)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->config = *config;
	p->sweep_at = PEERS_SWEEP_AT;
	if (getrandom(&p->secret, sizeof(p->secret), 0) != (ssize_t)sizeof(p->secret)) {
		free(p);
		return NULL;
	}
	p->secret |= 1;
	return p;
}

void peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		while (p->row[i] != NULL) {
			struct peer *next = p->row[i]->next;

			free(p->row[i]);
			p->row[i] = next;
		}
	}
	free(p);
}

static uint64_t big_endian(const uint8_t byte[8])
{
	uint64_t n = 0;

	for (size_t i = 0; i < 8; i++)
		n = n << 8 | byte[i];
	return n;
}

static struct peer_key key_of(const struct http_address *addr)
{
	return (struct peer_key){
	    .high = big_endian(addr->byte),
	    .low = http_address_is_v4(addr) ? big_endian(addr->byte + 8) : 0,
	};
}

static size_t row_of(const struct peers *p, struct peer_key key)
{
	uint64_t h = (key.high ^ p->secret) * 0x9e3779b97f4a7c15u;

	h = (h ^ (h >> 29) ^ key.low) * p->secret;
	h = (h ^ (h >> 32)) * 0xbf58476d1ce4e5b9u;
	return (h >> 40) % TABLE_SIZE;
}

static struct peer *find(const struct peers *p, struct peer_key key)
{
	for (struct peer *e = p->row[row_of(p, key)]; e != NULL; e = e->next) {
		if (e->key.high == key.high && e->key.low == key.low)
			return e;
	}
	return NULL;
}

/* The tokens that there are now. */
static double refill(const struct peers *p, struct peer *e, enum peer_bucket which, uint64_t now)
{
	double grown =
	    (double)(now - e->bucket[which].filled_at) * 1e-9 * p->config.bucket[which].rate;

	e->bucket[which].tokens =
	    fmin(p->config.bucket[which].burst, e->bucket[which].tokens + grown);
	e->bucket[which].filled_at = now;
	return e->bucket[which].tokens;
}

/* Nothing is lost by forgetting an address that has no connection, no request and full buckets. */
static bool forgettable(const struct peers *p, struct peer *e, uint64_t now)
{
	if (e->connections > 0 || e->requests > 0)
		return false;
	for (enum peer_bucket i = 0; i < PEER_BUCKETS; i++) {
		if (p->config.bucket[i].rate > 0 &&
		    refill(p, e, i, now) < p->config.bucket[i].burst)
			return false;
	}
	return true;
}

static void sweep(struct peers *p, uint64_t now)
{
	for (size_t i = 0; i < TABLE_SIZE; i++) {
		struct peer **at = &p->row[i];

		while (*at != NULL) {
			struct peer *e = *at;

			if (forgettable(p, e, now)) {
				*at = e->next;
				free(e);
				p->n--;
			} else {
				at = &e->next;
			}
		}
	}
	p->sweep_at = p->n * 2 > PEERS_SWEEP_AT ? p->n * 2 : PEERS_SWEEP_AT;
	if (p->sweep_at > PEERS_MAX)
		p->sweep_at = PEERS_MAX;
}

bool peers_admit(const struct peers *p, const struct http_address *addr)
{
	const struct peer *e = find(p, key_of(addr));

	return e == NULL || e->connections < p->config.connections_max;
}

/* NULL: no memory, or too many addresses at once. */
static struct peer *find_or_add(struct peers *p, const struct http_address *addr, uint64_t now)
{
	struct peer_key key = key_of(addr);
	struct peer *e = find(p, key);

	if (e != NULL)
		return e;
	if (p->n >= p->sweep_at && now >= p->sweep_after) {
		sweep(p, now);
		p->sweep_after = now + SECOND;
	}
	if (p->n >= PEERS_MAX)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;

	size_t i = row_of(p, key);

	*e = (struct peer){
	    .next = p->row[i],
	    .key = key,
	    .lane = (unsigned)i % PEER_LANES,
	};
	for (enum peer_bucket b = 0; b < PEER_BUCKETS; b++) {
		e->bucket[b].tokens = p->config.bucket[b].burst;
		e->bucket[b].filled_at = now;
	}
	p->row[i] = e;
	p->n++;
	return e;
}

static void forget_if_rested(struct peers *p, struct peer *peer, uint64_t now)
{
	if (!forgettable(p, peer, now))
		return;

	struct peer **at = &p->row[row_of(p, peer->key)];

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	p->n--;
	free(peer);
}

struct peer *peers_connect(struct peers *p, const struct http_address *addr, uint64_t now)
{
	struct peer *e = find_or_add(p, addr, now);

	if (e != NULL)
		e->connections++;
	return e;
}

void peers_disconnect(struct peers *p, struct peer *peer, uint64_t now)
{
	peer->connections--;
	forget_if_rested(p, peer, now);
}

struct peer *peers_begin_request(struct peers *p, struct peer *connected,
				 const struct http_address *client, uint64_t now)
{
	struct peer *e = find_or_add(p, client, now);

	if (e == NULL)
		e = connected;
	e->requests++;
	return e;
}

void peers_end_request(struct peers *p, struct peer *peer, uint64_t now)
{
	peer->requests--;
	forget_if_rested(p, peer, now);
}

unsigned peer_take(const struct peers *p, struct peer *peer, enum peer_bucket which, uint64_t now)
{
	double rate = p->config.bucket[which].rate, wait;

	if (rate <= 0)
		return 0;
	if (refill(p, peer, which, now) >= 1) {
		peer->bucket[which].tokens -= 1;
		return 0;
	}
	wait = ceil((1 - peer->bucket[which].tokens) / rate);
	return wait < 1 ? 1 : wait > 3600 ? 3600 : (unsigned)wait;
}

bool peer_stream(const struct peers *p, struct peer *peer)
{
	if (peer->streams >= p->config.streams_max)
		return false;
	peer->streams++;
	return true;
}

void peer_stream_ended(struct peer *peer)
{
	peer->streams--;
}

void peer_charge(struct peer *peer, size_t bytes)
{
	peer->memory += bytes;
}

void peer_release(struct peer *peer, size_t bytes)
{
	peer->memory -= bytes;
}

bool peer_affords(const struct peers *p, const struct peer *peer, size_t bytes)
{
	return peer->memory + bytes <= p->config.memory_max;
}

unsigned peer_lane(const struct peer *peer)
{
	return peer->lane;
}
