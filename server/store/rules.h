/* Rules of store.h that hold for every backend. */
#ifndef STORE_RULES_H
#define STORE_RULES_H

#include "store.h"

enum {
	STORE_IDENTITY_MAX = 1 << 16, /* bytes of any one member of an identity */
};

/* The invariant of struct tree_state, as far as it holds without hashing. */
bool tree_state_valid(const struct tree_state *state);

/* Ordered by (prefix, index). */
bool slots_ordered(const struct index_slot *slot, size_t n);

/* Deep copy. VT_EINVAL: a member is missing or too long, or the mode is none. */
enum vt_err identity_copy(struct store_identity *out, const struct store_identity *in);
void identity_release(struct store_identity *identity);
/* VT_ECONFLICT, with the first difference in why. */
enum vt_err identity_compare(const struct store_identity *stored,
			     const struct store_identity *expected, char why[STORE_WHY_MAX]);

/* The ids that one open store has claimed for runs it is writing. The oldest claim is forgotten
 * when there are too many, which costs its writer a VT_ECONFLICT. */
struct run_claims {
	size_t n;
	uint64_t id[STORE_RUNS_MAX];
};

/* Is an unlisted run with this id still left to whoever is writing it? */
bool run_under_way(uint64_t id, uint64_t next_id);
/* Forget the claims to runs that are in the list by now, and to those whose chunks somebody may
 * have dropped: they are not under way any more. Comes before each of the other calls. */
void claims_follow(struct run_claims *claims, const struct store_runs *stored);
/* May this store write a chunk of `run`? VT_OK: the claim is there, or *next_id must rise to run +
 * 1 and claims_add() be called when that is stored. VT_ECONFLICT. */
enum vt_err claims_judge(const struct run_claims *claims, uint64_t run, uint64_t *next_id);
void claims_add(struct run_claims *claims, uint64_t run);

/*
 * May `next` replace `stored`, in a log of `size` entries? On VT_OK *out is what to store: next
 * with its version and next_id raised. VT_EINVAL, as store_ops.replace_runs says, but for the
 * chunks.
 */
enum vt_err runs_judge(struct store_runs *out, const struct store_runs *stored,
		       const struct store_runs *next, const struct run_claims *claims,
		       uint64_t size);
/* The run with this id, or NULL. */
const struct store_run *runs_find(const struct store_runs *runs, uint64_t id);
/* The invariant of struct store_runs, and that no run reaches beyond `size`. NULL: it holds; else
 * what is wrong, without a place. */
const char *runs_fault(const struct store_runs *runs, uint64_t size);

#endif
