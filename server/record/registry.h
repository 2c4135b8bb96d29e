/*
 * The registry: the state that the accreditation entries up to an index make. It depends on the
 * log's entries and on nothing else (no clock, no configuration), so anyone can replay it.
 *
 * Not locked: the owner keeps writers and readers apart. What a getter returns lives until the next
 * registry_apply() or free.
 */
#ifndef RECORD_REGISTRY_H
#define RECORD_REGISTRY_H

#include "party_key.h"
#include "problem.h"

enum accreditation_status {
	ACCREDITATION_GRANTED,
	ACCREDITATION_SUSPENDED,
	ACCREDITATION_ENDED,
};
const char *accreditation_status_name(enum accreditation_status status);

/* One registry entry: the whole truth about its key from `index` on, until the next for the same
 * key. */
struct accreditation {
	uint64_t index;
	struct merkle_hash leaf;
	enum accreditation_status status;
	bool borrowed; /* both lists are those of an earlier one of its key */
	size_t n_predicate_types;
	char **predicate_type;
	size_t n_aliases;
	char **alias;      /* keyid hints that stand for this key */
	char *valid_until; /* RFC 3339 or NULL; information for people */
};

struct registered_key {
	const struct party_key *key;
	enum key_scheme scheme;
	char *party;
	char *role; /* "centre", "recovery", "lab", "vendor", ... */
	size_t n;   /* at least 1, oldest first */
	struct accreditation *history;
};

struct registry;

enum vt_err registry_new(struct registry **out);
void registry_free(struct registry *r);
/* From now on it is of a file that shows of a key what is in force, not its whole history: `previous` may name an entry
 * that is not in the file, if it came after all that are there for this key. A centre's or recovery key's first entry is
 * there always. */
void registry_allow_gaps(struct registry *r);
/*
 * Take in the accreditation entry at `index` (larger than all before). The entry must have been
 * judged, or read from a log that is trusted: signatures are not verified here, the rest is.
 * VT_EMALFORMED with *why.
 */
enum vt_err registry_apply(struct registry *r, uint64_t index, const struct merkle_hash *leaf,
			   struct bytes entry, struct problem *why);

/* How many registry entries there are: two registries of one log with the same count are the same.
 */
uint64_t registry_version(const struct registry *r);
/* One beyond the last registry entry; 0: there is none. */
uint64_t registry_end(const struct registry *r);
size_t registry_count(const struct registry *r); /* keys ever registered */
/* About how much memory it takes: of an accreditation some hundred bytes, and the texts that its key had not brought lately. */
size_t registry_bytes(const struct registry *r);
const struct registered_key *registry_at(const struct registry *r, size_t i); /* by first index */
/* The i-th key of a party, by first index, or NULL. */
const struct registered_key *registry_of_party(const struct registry *r, const char *party,
					       size_t i);
/* Place in registry_at() of the first key that was registered at or after entry `index`. */
size_t registry_since(const struct registry *r, uint64_t index);
const struct registered_key *registry_find(const struct registry *r,
					   const struct merkle_hash *keyid);
/* The accreditation in force for entry `index`, or NULL: the key was not registered before it. */
const struct accreditation *registry_accreditation(const struct registered_key *key,
						   uint64_t index);
/* Is the key accredited for this predicateType for the entry at `index`? */
bool registry_allows(const struct registered_key *key, uint64_t index, struct bytes predicate_type);
/* The centre's key that is current for the entry at `index`; NULL before entry 0. */
const struct registered_key *registry_centre(const struct registry *r, uint64_t index);
const struct registered_key *registry_recovery(const struct registry *r, uint64_t index);

#endif
