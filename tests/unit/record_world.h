/*
 * A log in memory for the tests of records: entries, their index keys and a registry, with admission done as the
 * sequencer does it. Keys are made afresh for each world.
 */
#ifndef RECORD_WORLD_H
#define RECORD_WORLD_H

#include "vitrine_test.h"

#include "admit.h"
#include "compose.h"
#include "signer.h"

#define WORLD_ORIGIN "log.example/records"

enum { WORLD_ENTRIES_MAX = 300 };

struct world_entry {
	struct buf bytes;
	struct merkle_hash leaf;
	size_t n_keys;
	struct merkle_hash *key;
};

struct world {
	struct merkle_hasher h;
	struct registry *registry;
	struct admission_view view;
	struct signer *centre, *recovery, *lab, *vendor, *stranger;
	size_t n;
	struct world_entry entry[WORLD_ENTRIES_MAX];
	struct problem why; /* of the last refusal */
};

/* An empty log, unpinned. */
void world_init(struct world *w);
void world_release(struct world *w);
/* For CMocka: *state is a world of its own, empty or begun. */
int world_set_up(void **state);
int world_set_up_begun(void **state);
int world_tear_down(void **state);
/* Entry 0, then accreditations: "lab-1" (lab: verdicts, sealed records, corrections) is entry 1, "acme" (vendor:
 * releases, corrections) entry 2, for the keys `lab` and `vendor`; all Ed25519. */
void world_begin(struct world *w);
struct bytes world_spki(const struct signer *s);
const struct merkle_hash *world_keyid(const struct signer *s);

/* Admit a body as a log does. VT_OK: *index has it; *known says whether it was there before. known may be NULL. */
enum vt_err world_submit_named(struct world *w, struct bytes body,
			       const struct merkle_hash *key_hint, uint64_t *index, bool *known);
enum vt_err world_submit(struct world *w, struct bytes body, uint64_t *index, bool *known);
/* The same, for what must succeed and be new. */
uint64_t world_append(struct world *w, struct bytes body);

/* Past the judge, for a key whose private half is not at hand: the lab "lab-2", for test verdicts. */
void world_accredit_unjudged(struct world *w, const struct party_key *key);

/* An envelope around payload, signed by `by[0..n)` under their default schemes. The caller releases *out. */
void world_sign(struct buf *out, struct bytes payload, struct signer *const *by, size_t n);
void world_sign_one(struct buf *out, struct bytes payload, struct signer *by);
/* Put the envelope into a Sigstore bundle, with these members of its verificationMaterial. */
void world_bundle(struct buf *body, const char *material);
/* An accreditation by the centre and, if co, by the key itself. `previous` < 0: null. */
struct world_grant {
	const char *party;
	const char *role;
	struct signer *key;
	enum accreditation_status status;
	int64_t previous;
	const char *const *types;
	size_t n_types;
	const char *alias; /* or NULL */
	bool no_possession;
	struct signer *by; /* NULL: the centre */
};
void world_grant(struct world *w, struct buf *out, const struct world_grant *g);
struct entry_ref world_ref(const struct world *w, uint64_t index);

/* text with ' for ". The caller frees. */
char *quoted(const char *text);
/* text with the one occurrence of `from` replaced; fails the test if it does not occur. The caller frees. */
char *edited(const char *text, const char *from, const char *to);

#endif
