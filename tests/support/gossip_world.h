/*
 * Parties that gossip in one process: each has a history of one log (the model tree; history h differs from
 * the others in leaf 0, or not at all from history 0's first leaves if it forks later), a size up to which it
 * holds it, and a gossip. http_fetch() is taken over at link time: "http://NAME" is the party of that name, so no
 * socket is opened and each party can be taken away. Link with gossip_world.c, model_tree.c, test_signer.c,
 * monitor, OpenSSL::Crypto.
 */
#ifndef VITRINE_TEST_GOSSIP_WORLD_H
#define VITRINE_TEST_GOSSIP_WORLD_H

#include <stdatomic.h>

#include "gossip.h"

#define WORLD_ORIGIN "log.example/gossip"

enum {
	WORLD_HISTORIES = 3, /* 0 and 1 differ from the start on, 2 is 0 up to leaf WORLD_FORK */
	WORLD_FORK = 20,
	WORLD_PARTIES = 4,
	WORLD_ALERTS = 64,
};

struct party {
	char name[8], folder[512];
	char copy[512]; /* the place of the copy, made by who names it; empty: none */
	struct gossip *gossip;
	int history;
	_Atomic uint64_t size; /* that it holds; UINT64_MAX: no tree yet */
	bool gone;             /* does not answer */
	bool broken;           /* its tree cannot be read */
	bool deaf;             /* its alerts fail */
	bool large;            /* the log signs its head with a very long extension line */
	unsigned n_alerts;
	_Atomic unsigned n_observed, n_evidence_posts;
	char alert[WORLD_ALERTS][16]; /* kinds */
};
extern struct party party[WORLD_PARTIES];
extern uint64_t world_now;
extern unsigned world_requests;
extern struct vkey world_key;
extern const char *world_bends; /* what every answer's body is instead; NULL: nothing */

void world_set_up(void);
void world_tear_down(void);
/* A party with this view; peers: the names of those that it asks, as in "bc"; "w": a witness that shows what world_witness() was
 * told. Its state folder is made new. */
void world_join(char name, int history, uint64_t size, const char *peers);
struct party *world_party(char name);
void world_restart(char name, const char *peers); /* the same folder */
void world_leave(char name);
/* A folder and all that is in it. */
void world_remove(const char *folder);
/* A signed head of that history. */
void world_head(struct buf *out, int history, uint64_t size);
/* A signed head with any root, and an extension line of `extension` bytes if that is not 0. */
void world_signed(struct buf *out, const struct tree_head *head, size_t extension);
void world_witness(struct bytes shown);
unsigned world_alerts(const struct party *p, const char *kind);
/* Does it hold evidence that verifies? */
size_t world_evidence(const struct party *p);
/* Wait until it was told of this kind of alert. */
void world_await(struct party *p, const char *kind);

#endif
