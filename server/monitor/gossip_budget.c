/* Shares out the verifications that others may ask for: in all, of one log, and to one sender. */
#include <arpa/inet.h>
#include <string.h>

#include "clock.h"
#include "gossip_private.h"

enum {
	BURST_SECONDS = 10,
	SENDERS_PART = 8, /* of the whole, that one sender may have */
	LOGS_PART = 2,    /* and one log, where there are others */
};

/* A sender is an address; of IPv6 the /64, which is what one customer gets. */
static struct token_bucket *sender_bucket(struct gossip *g, const char *from)
{
	uint64_t h = g->sender_seed;
	unsigned char address[16];
	struct bytes key = bytes_str(from);

	if (inet_pton(AF_INET6, from, address) == 1)
		key = bytes_of(address, 8);
	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.data[i]) * UINT64_C(0x100000001b3);
	h = (h ^ (h >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
	return &g->sender[(h >> 32) % GOSSIP_SENDERS];
}

/* One that was never asked is full. */
static void refill(struct token_bucket *b, double rate, uint64_t now)
{
	double most = rate * BURST_SECONDS > 1 ? rate * BURST_SECONDS : 1;

	b->tokens += b->at == 0 ? most : (double)(now - b->at) * 1e-9 * rate;
	b->at = now;
	if (b->tokens > most)
		b->tokens = most;
}

bool gossip_spend(struct gossip *g, struct followed *log, const char *from)
{
	const double rate = g->config.heads_per_second;
	struct token_bucket *sender = sender_bucket(g, from);
	uint64_t now = clock_monotonic_nanos();

	refill(&g->budget, rate, now);
	refill(&log->budget, g->n_logs > 1 ? rate / LOGS_PART : rate, now);
	refill(sender, rate / SENDERS_PART, now);
	if (g->budget.tokens < 1 || log->budget.tokens < 1 || sender->tokens < 1)
		return false;
	g->budget.tokens -= 1;
	log->budget.tokens -= 1;
	sender->tokens -= 1;
	return true;
}
