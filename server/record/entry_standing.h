/*
 * For whom does an entry stand? Corrections withdraw or replace entries, corrections among them; one of several
 * signers speaks for itself alone.
 *
 * A correction takes effect for a party p that signed its target if it stands itself for p, or for the centre, where the
 * centre's key signed it. An entry stands for each party that signed it, unless a
 * correction of it takes effect for that party. A correction has a larger index than its target, so one pass from the newest entry back
 * answers for all, however long the chain.
 *
 * No I/O; what the answer is worth is up to the caller: whoever leaves corrections out, or takes in what nobody verified,
 * gets another one.
 */
#ifndef RECORD_ENTRY_STANDING_H
#define RECORD_ENTRY_STANDING_H

#include "registry.h"
#include "statement.h"

enum { ENTRY_STANDING_PARTIES_MAX = 16 }; /* equals RECORD_SIGNATURES_MAX */

/* A party that signed the entry, with one key or several. */
struct entry_standing_party {
	const char *name; /* borrowed */
	bool centre;      /* one of the keys was the centre's */
	/* Filled in by entry_standing_judge(). */
	bool stands;
	bool withdrawn; /* if it does not stand: by a withdrawal, not a replacement */
	uint64_t by;    /* if it does not stand: the newest correction that took effect */
};

struct entry_standing {
	uint64_t index;
	struct merkle_hash leaf;
	bool corrects; /* the entry is a correction: of `target` */
	bool withdraws;
	struct entry_ref target;
	size_t n;
	struct entry_standing_party party[ENTRY_STANDING_PARTIES_MAX]; /* each once */
};

/* s->n is 0 afterwards. statement: the entry's. */
void entry_standing_init(struct entry_standing *s, uint64_t index, const struct merkle_hash *leaf,
			 const struct statement *statement);
/*
 * A key that signed the entry, as admission kept it. Whether the key was in force there is admission's business: an entry
 * says who signed, and a proof can show no more. What a proof could leave out must not decide for whom something stands.
 */
void entry_standing_add(struct entry_standing *s, const struct registered_key *key);
/* Sort by index and fill in the answers. The same entry may be in the list several times. */
void entry_standing_judge(struct entry_standing *list, size_t n);

/* Of entry_standing_judge()'s answers. */
/* party in any letter case: admission takes names in lower case alone. */
bool entry_standing_for(const struct entry_standing *s, const char *party);
bool entry_standing_for_anyone(const struct entry_standing *s);
/* Does this correction end its target's standing for a party that signed the target? */
bool entry_standing_takes_effect(const struct entry_standing *correction,
				 const struct entry_standing *target, const char *party);

#endif
