/*
 * An entry as people and programs read it: its statement decoded, who signed it, and which
 * accreditation made each signer admissible.
 */
#ifndef RECORD_DESCRIBE_H
#define RECORD_DESCRIBE_H

#include "admit.h"
#include "entry_standing.h"

struct json;

enum {
	DESCRIBE_CORRECTIONS_MAX = 16,
	DESCRIBE_FAMILY_MAX = 256, /* an entry, its corrections and theirs */
	/* How much of corrections is read for one entry, before the last one. */
	DESCRIBE_FAMILY_BYTES = 1024 * 1024,
	DESCRIBE_KEYS_MAX = 1000, /* of a page of parties, but for the last party's */
};

/*
 * Describe the entry at `index`. view->size may be any size beyond it (its registry, find and read
 * cover that many entries); no signature is verified. *out is new:
 *
 *	{ "index": 7, "leafHash": "<hex>", "payloadType": "application/vnd.in-toto+json",
 *	  "predicateType": "...", "statement": { the payload },
 *	  "signers": [ { "keyid": "<hex>", "party": "...", "role": "...", "scheme": "...",
 *	                 "accreditation": 3, "sealed": 5 } ],
 *	  "correctedBy": [ { "index": 9, "leafHash": "<hex>", "action": "withdraw", "parties": ["lab-2"] } ],
 *	  "correctedByMore": true,
 *	  "standing": [ { "party": "lab-1", "stands": true },
 *	                { "party": "lab-2", "stands": false, "by": 9, "action": "withdraw" } ],
 *	  "standingUnknown": true,
 *	  "envelope": { the entry itself } }
 *
 * "accreditation" is the index of the entry that made the signer admissible (for an accreditation that registers
 * the signer's own key, the entry itself); "sealed" is there if it is admissible because of a sealed record.
 *
 * "correctedBy" has the corrections before view->size, oldest first, at most DESCRIBE_CORRECTIONS_MAX
 * ("correctedByMore": there are more); "parties" are those for whom one takes effect. "standing" says for
 * each party that signed whether the entry stands (record/entry_standing.h); of a registry entry it is left out.
 * Where corrections, and corrections of those, are more than DESCRIBE_FAMILY_MAX or DESCRIBE_FAMILY_BYTES, "standingUnknown" is there
 * instead, and no "parties".
 *
 * Re-serialising "envelope" without white space gives the entry's bytes. VT_EMALFORMED: not an entry
 * in canonical form; VT_EINVAL: index >= view->size.
 */
enum vt_err describe_entry(struct json **out, struct merkle_hasher *h, uint64_t index,
			   struct bytes entry, const struct admission_view *view);

/* "standing" of the above, of an entry that was judged. New; NULL: no memory. */
struct json *describe_standing(const struct entry_standing *s);

/*
 * One party, for GET /api/v1/parties and /parties/{id}: *out is new.
 *
 *	{ "party": "lab-1", "keys": [ { "keyid": "<hex>", "role": "lab", "scheme": "ed25519",
 *"spki": "<base64 DER>", "status": "granted", "accreditation": 3,      (the entry that made it so)
 *	      "history": [ { "index": 3, "leafHash": "<hex>", "status": "granted", "predicateTypes":
 *[..], "keyidAliases": [..], "validUntil": "..." } ] } ] }
 *
 * describe_party: VT_ENOTFOUND. describe_parties: an array of at most `limit` such objects, ordered by first
 * registration, from the party on that was first registered by entry `from` or later; *next is where to go on, 0: that
 * was all. State is that for the entry at `index`: pass the tree size.
 */
enum vt_err describe_party(struct json **out, const struct registry *registry, uint64_t index,
			   const char *party);
enum vt_err describe_parties(struct json **out, const struct registry *registry, uint64_t index,
			     uint64_t from, size_t limit, uint64_t *next);

#endif
