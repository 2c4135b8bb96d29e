#include "registry.h"

#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "json.h"
#include "logline.h"
#include "predicate.h"
#include "statement.h"

enum {
	BORROW_FROM = 4,    /* the newest of a key's history */
	SLOT_OVERHEAD = 64, /* the allocator's */
};

/* What registry_at() shows, and what it stands on. */
struct key_slot {
	struct registered_key pub; /* first: a slot is found from what was shown */
	struct party_key *key;
};

/* Invariants: by_first, by_id and by_party (keys of one party in order of their registration) hold the same n slots; every slot's history is ordered by index;
 * `version` entries were applied, the last one at `last`. */
struct registry {
	uint64_t version;
	uint64_t last;
	bool gaps; /* registry_allow_gaps() */
	size_t n;
	size_t cap;
	size_t bytes;
	struct key_slot **by_first;
	struct key_slot **by_id;
	struct key_slot **by_party;
};

const char *accreditation_status_name(enum accreditation_status status)
{
	switch (status) {
	case ACCREDITATION_GRANTED:
		return "granted";
	case ACCREDITATION_SUSPENDED:
		return "suspended";
	case ACCREDITATION_ENDED:
		return "ended";
	}
	return "unknown";
}

static void accreditation_release(struct accreditation *a)
{
	if (!a->borrowed)
		free(a->predicate_type); /* the block of both lists */
	free(a->valid_until);
	*a = (struct accreditation){0};
}

static void slot_free(struct key_slot *slot)
{
	if (slot == NULL)
		return;
	for (size_t i = 0; i < slot->pub.n; i++)
		accreditation_release(&slot->pub.history[i]);
	free(slot->pub.history);
	free(slot->pub.party);
	free(slot->pub.role);
	party_key_free(slot->key);
	free(slot);
}

enum vt_err registry_new(struct registry **out)
{
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? VT_ENOMEM : VT_OK;
}

void registry_free(struct registry *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < r->n; i++)
		slot_free(r->by_first[i]);
	free(r->by_first);
	free(r->by_id);
	free(r->by_party);
	free(r);
}

void registry_allow_gaps(struct registry *r)
{
	r->gaps = true;
}

uint64_t registry_version(const struct registry *r)
{
	return r->version;
}

uint64_t registry_end(const struct registry *r)
{
	return r->version == 0 ? 0 : r->last + 1;
}

size_t registry_count(const struct registry *r)
{
	return r->n;
}

size_t registry_bytes(const struct registry *r)
{
	return r->bytes;
}

const struct registered_key *registry_at(const struct registry *r, size_t i)
{
	return i < r->n ? &r->by_first[i]->pub : NULL;
}

size_t registry_since(const struct registry *r, uint64_t index)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (r->by_first[mid]->pub.history[0].index < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Where in by_party this party's keys begin, or, `after`, end. */
static size_t party_place(const struct registry *r, const char *party, bool after)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(r->by_party[mid]->pub.party, party);

		if (order < 0 || (after && order == 0))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct registered_key *registry_of_party(const struct registry *r, const char *party,
					       size_t i)
{
	size_t at = party_place(r, party, false);
	const struct registered_key *key = i < r->n - at ? &r->by_party[at + i]->pub : NULL;

	return key != NULL && strcmp(key->party, party) == 0 ? key : NULL;
}

static int compare_ids(const struct merkle_hash *a, const struct merkle_hash *b)
{
	return memcmp(a->b, b->b, MERKLE_HASH_SIZE);
}

/* Where in by_id this keyid is, or would be. */
static size_t id_place(const struct registry *r, const struct merkle_hash *keyid)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare_ids(party_key_id(r->by_id[mid]->key), keyid) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct key_slot *find_slot(const struct registry *r, const struct merkle_hash *keyid)
{
	size_t at = id_place(r, keyid);

	if (at == r->n || compare_ids(party_key_id(r->by_id[at]->key), keyid) != 0)
		return NULL;
	return r->by_id[at];
}

const struct registered_key *registry_find(const struct registry *r,
					   const struct merkle_hash *keyid)
{
	const struct key_slot *slot = find_slot(r, keyid);

	return slot == NULL ? NULL : &slot->pub;
}

const struct accreditation *registry_accreditation(const struct registered_key *key, uint64_t index)
{
	for (size_t i = key->n; i-- > 0;)
		if (key->history[i].index < index)
			return &key->history[i];
	return NULL;
}

bool registry_allows(const struct registered_key *key, uint64_t index, struct bytes predicate_type)
{
	const struct accreditation *a = registry_accreditation(key, index);

	if (a == NULL || a->status != ACCREDITATION_GRANTED)
		return false;
	for (size_t i = 0; i < a->n_predicate_types; i++)
		if (bytes_is(predicate_type, a->predicate_type[i]))
			return true;
	return false;
}

static const struct registered_key *current_in_role(const struct registry *r, const char *role,
						    uint64_t index)
{
	const struct accreditation *a;

	/* At most one is granted: a successor ends the others. */
	for (size_t i = 0; i < r->n; i++) {
		const struct registered_key *key = &r->by_first[i]->pub;

		if (strcmp(key->role, role) == 0 &&
		    (a = registry_accreditation(key, index)) != NULL &&
		    a->status == ACCREDITATION_GRANTED)
			return key;
	}
	return NULL;
}

const struct registered_key *registry_centre(const struct registry *r, uint64_t index)
{
	return current_in_role(r, ROLE_CENTRE, index);
}

const struct registered_key *registry_recovery(const struct registry *r, uint64_t index)
{
	return current_in_role(r, ROLE_RECOVERY, index);
}

/* -- what an entry may say -----------------------------------------------------------------------
 */

static enum vt_err check_first(uint64_t index, const struct accreditation_claim *c,
			       struct problem *why)
{
	static const char slug[] = "accreditation-entry-zero";

	if (index != 0)
		return problem_set(why, VT_EMALFORMED, slug,
				   "entry %llu: there is no entry 0 by the centre before it",
				   (unsigned long long)index);
	if (!bytes_is(c->role, ROLE_CENTRE))
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.role: expected centre in entry 0");
	if (c->status != ACCREDITATION_GRANTED)
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.status: expected granted in entry 0");
	if (c->has_previous)
		return problem_set(why, VT_EMALFORMED, slug,
				   "predicate.previous: expected null in entry 0");
	if (!c->has_rules)
		return problem_set(why, VT_EMALFORMED, "accreditation-rules",
				   "predicate.admissionRules: missing, expected \"" ADMISSION_RULES
				   "\" in entry 0");
	if (c->recovery == NULL)
		return problem_set(why, VT_EMALFORMED, "accreditation-recovery",
				   "predicate.recovery: missing, expected spki and scheme of the "
				   "recovery key in entry 0");
	return VT_OK;
}

static enum vt_err check_new_key(const struct registry *r, const struct accreditation_claim *c,
				 struct problem *why)
{
	const char *owner = r->by_first[0]->pub.party;
	bool ours = bytes_is(c->role, ROLE_CENTRE) || bytes_is(c->role, ROLE_RECOVERY);

	if (r->gaps && c->has_previous && !ours)
		return VT_OK;
	if (c->status != ACCREDITATION_GRANTED)
		return problem_set(why, VT_EMALFORMED, "accreditation-first-status",
				   "predicate.status: %s, but the key was never granted anything",
				   accreditation_status_name(c->status));
	if (c->has_previous)
		return problem_set(why, VT_ECONFLICT, "accreditation-previous-stale",
				   "predicate.previous: the key is new to this log, expected null");
	if (ours && !bytes_is(c->party, owner))
		return problem_set(why, VT_EMALFORMED, "accreditation-centre-party",
				   "predicate.party: the centre's keys belong to \"%s\"", owner);
	return VT_OK;
}

static enum vt_err check_known_key(const struct registry *r, const struct registered_key *key,
				   const struct accreditation *newest,
				   const struct accreditation_claim *c, struct problem *why)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	if (!bytes_is(c->party, key->party))
		return problem_set(why, VT_EMALFORMED, "accreditation-key-party",
				   "predicate.party: the key belongs to \"%s\" for ever",
				   key->party);
	if (!bytes_is(c->role, key->role))
		return problem_set(why, VT_EMALFORMED, "accreditation-key-role",
				   "predicate.role: the key is registered as \"%s\"", key->role);
	if (c->scheme != key->scheme)
		return problem_set(why, VT_EMALFORMED, "accreditation-key-scheme",
				   "predicate.scheme: the key is registered with %s",
				   key_scheme_name(key->scheme));
	if (newest->status == ACCREDITATION_ENDED)
		return problem_set(why, VT_EMALFORMED, "accreditation-ended",
				   "predicate.spki: ended by entry %llu, which is for good",
				   (unsigned long long)newest->index);
	if (r->gaps && c->has_previous && c->previous.index > newest->index)
		return VT_OK;
	if (!c->has_previous || c->previous.index != newest->index ||
	    !merkle_hash_equal(&c->previous.leaf, &newest->leaf)) {
		hex_encode(hex, bytes_of(newest->leaf.b, MERKLE_HASH_SIZE));
		return problem_set(why, VT_ECONFLICT, "accreditation-previous-stale",
				   "predicate.previous: the newest entry for this key is "
				   "{\"index\": %llu, \"leafHash\": \"%s\"}",
				   (unsigned long long)newest->index, hex);
	}
	return VT_OK;
}

enum vt_err registry_check(const struct registry *r, uint64_t index,
			   const struct accreditation_claim *c, struct problem *why)
{
	const struct registered_key *key = registry_find(r, party_key_id(c->key));
	const struct accreditation *newest =
	    key == NULL ? NULL : registry_accreditation(key, index);

	if (index == 0 || r->n == 0)
		return check_first(index, c, why);
	if (c->recovery != NULL)
		return problem_set(
		    why, VT_EMALFORMED, "accreditation-recovery",
		    "predicate.recovery: only in entry 0; later it has an accreditation "
		    "of its own");
	if (c->has_previous && c->previous.index >= index)
		return problem_set(why, VT_ECONFLICT, "accreditation-previous-stale",
				   "predicate.previous: entry %llu does not come before this one",
				   (unsigned long long)c->previous.index);
	return newest == NULL ? check_new_key(r, c, why) : check_known_key(r, key, newest, c, why);
}

/* -- taking an entry in --------------------------------------------------------------------------
 */

struct lists {
	size_t n_types, n;
	struct bytes text[ACCREDITATION_TYPES_MAX + ACCREDITATION_ALIASES_MAX];
};

/* Of a checked claim. */
static enum vt_err gather_lists(struct lists *l, const struct accreditation_claim *c)
{
	size_t n_aliases = json_count(c->aliases);

	l->n_types = json_count(c->types);
	l->n = l->n_types + n_aliases;
	if (l->n_types > ACCREDITATION_TYPES_MAX || n_aliases > ACCREDITATION_ALIASES_MAX)
		return INTERNAL("longer lists than a claim that was checked can have");
	for (size_t i = 0; i < l->n; i++)
		if (!json_text(i < l->n_types ? json_at(c->types, i)
					      : json_at(c->aliases, i - l->n_types),
			       &l->text[i]))
			return INTERNAL("a list of texts holds something else");
	return VT_OK;
}

static bool has_lists(const struct accreditation *a, const struct lists *l)
{
	if (a->n_predicate_types != l->n_types || a->n_aliases != l->n - l->n_types)
		return false;
	for (size_t i = 0; i < l->n; i++)
		if (!bytes_is(l->text[i],
			      i < l->n_types ? a->predicate_type[i] : a->alias[i - l->n_types]))
			return false;
	return true;
}

/* In one block: the pointers of both lists, then the texts. */
static enum vt_err set_lists(struct accreditation *a, const struct lists *l)
{
	size_t len = l->n * sizeof(char *);
	char **block, *at;

	a->n_predicate_types = l->n_types;
	a->n_aliases = l->n - l->n_types;
	for (size_t i = 0; i < l->n; i++)
		len += l->text[i].len + 1;
	if (l->n == 0)
		return VT_OK;
	if ((block = malloc(len)) == NULL)
		return VT_ENOMEM;
	at = (char *)(block + l->n);
	for (size_t i = 0; i < l->n; i++) {
		block[i] = at;
		memcpy(at, l->text[i].data, l->text[i].len);
		at[l->text[i].len] = '\0';
		at += l->text[i].len + 1;
	}
	a->predicate_type = block;
	a->alias = block + l->n_types;
	return VT_OK;
}

/* slot: of its key, or NULL. A key that is suspended and granted again has the same lists each time. */
static enum vt_err accreditation_init(struct accreditation *a, uint64_t index,
				      const struct merkle_hash *leaf,
				      const struct accreditation_claim *c,
				      const struct key_slot *slot)
{
	struct lists lists;
	enum vt_err err;

	*a = (struct accreditation){.index = index, .leaf = *leaf, .status = c->status};
	if ((err = gather_lists(&lists, c)) != VT_OK)
		return err;
	for (size_t i = 0; slot != NULL && i < BORROW_FROM && i < slot->pub.n; i++) {
		const struct accreditation *before = &slot->pub.history[slot->pub.n - 1 - i];

		if (has_lists(before, &lists)) {
			a->n_predicate_types = before->n_predicate_types;
			a->predicate_type = before->predicate_type;
			a->n_aliases = before->n_aliases;
			a->alias = before->alias;
			a->borrowed = true;
			break;
		}
	}
	if (!a->borrowed)
		err = set_lists(a, &lists);
	if (err == VT_OK && c->valid_until.len != 0 &&
	    (a->valid_until = bytes_dup_str(c->valid_until)) == NULL)
		err = VT_ENOMEM;
	if (err != VT_OK)
		accreditation_release(a);
	return err;
}

/* Entry 0's recovery key: what it may do is fixed. */
static enum vt_err accreditation_init_recovery(struct accreditation *a, uint64_t index,
					       const struct merkle_hash *leaf)
{
	struct lists lists = {.n_types = 1, .n = 1, .text = {bytes_str(PREDICATE_ACCREDITATION)}};

	*a = (struct accreditation){.index = index, .leaf = *leaf, .status = ACCREDITATION_GRANTED};
	return set_lists(a, &lists);
}

static size_t accreditation_bytes(const struct accreditation *a)
{
	size_t bytes = sizeof(*a);

	for (size_t i = 0; !a->borrowed && i < a->n_predicate_types; i++)
		bytes += sizeof(char *) + strlen(a->predicate_type[i]) + 1;
	for (size_t i = 0; !a->borrowed && i < a->n_aliases; i++)
		bytes += sizeof(char *) + strlen(a->alias[i]) + 1;
	return bytes + (a->valid_until == NULL ? 0 : strlen(a->valid_until) + 1);
}

/* Room for one more in a key's history. */
static enum vt_err reserve_history(struct key_slot *slot)
{
	struct accreditation *grown =
	    realloc(slot->pub.history, (slot->pub.n + 1) * sizeof(*slot->pub.history));

	if (grown == NULL)
		return VT_ENOMEM;
	slot->pub.history = grown;
	return VT_OK;
}

static enum vt_err reserve_slots(struct registry *r, size_t more)
{
	size_t cap = r->cap < 8 ? 8 : r->cap;
	struct key_slot **grown;

	while (cap < r->n + more)
		cap *= 2;
	if (cap == r->cap)
		return VT_OK;
	if ((grown = realloc(r->by_first, cap * sizeof(struct key_slot *))) == NULL)
		return VT_ENOMEM;
	r->by_first = grown;
	if ((grown = realloc(r->by_id, cap * sizeof(struct key_slot *))) == NULL)
		return VT_ENOMEM;
	r->by_id = grown;
	if ((grown = realloc(r->by_party, cap * sizeof(struct key_slot *))) == NULL)
		return VT_ENOMEM;
	r->by_party = grown;
	r->cap = cap;
	return VT_OK;
}

/* *key and *first are taken over on VT_OK. */
static enum vt_err slot_new(struct key_slot **out, struct party_key **key, enum key_scheme scheme,
			    struct bytes party, struct bytes role, struct accreditation *first)
{
	struct key_slot *slot = calloc(1, sizeof(*slot));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (slot == NULL)
		return VT_ENOMEM;
	slot->pub.scheme = scheme;
	slot->pub.party = bytes_dup_str(party);
	slot->pub.role = bytes_dup_str(role);
	if (slot->pub.party == NULL || slot->pub.role == NULL ||
	    (err = reserve_history(slot)) != VT_OK)
		goto done;
	slot->key = *key;
	slot->pub.key = *key;
	*key = NULL; /* transferred */
	slot->pub.history[slot->pub.n++] = *first;
	*first = (struct accreditation){0}; /* transferred */
	*out = slot;
	slot = NULL; /* transferred */
	err = VT_OK;
done:
	slot_free(slot);
	return err;
}

static void insert_slot(struct registry *r, struct key_slot *slot)
{
	size_t at = id_place(r, party_key_id(slot->key));

	memmove(r->by_id + at + 1, r->by_id + at, (r->n - at) * sizeof(struct key_slot *));
	r->by_id[at] = slot;
	at = party_place(r, slot->pub.party, true);
	memmove(r->by_party + at + 1, r->by_party + at, (r->n - at) * sizeof(struct key_slot *));
	r->by_party[at] = slot;
	r->by_first[r->n++] = slot;
	r->bytes += sizeof(*slot) + 3 * sizeof(slot) + SLOT_OVERHEAD + strlen(slot->pub.party) +
		    strlen(slot->pub.role) + party_key_bytes(slot->key) +
		    accreditation_bytes(&slot->pub.history[0]);
}

/* A new centre or recovery key ends the one before it, at the same index. */
struct succession {
	struct key_slot *predecessor; /* or NULL */
	struct accreditation end;
};

static enum vt_err plan_succession(struct succession *s, struct registry *r, uint64_t index,
				   const struct merkle_hash *leaf,
				   const struct accreditation_claim *c)
{
	*s = (struct succession){
	    .end = {.index = index, .leaf = *leaf, .status = ACCREDITATION_ENDED}};
	if (!bytes_is(c->role, ROLE_CENTRE) && !bytes_is(c->role, ROLE_RECOVERY))
		return VT_OK;
	for (size_t i = 0; i < r->n; i++) {
		struct registered_key *key = &r->by_first[i]->pub;

		if (bytes_is(c->role, key->role) &&
		    key->history[key->n - 1].status != ACCREDITATION_ENDED) {
			s->predecessor = r->by_first[i];
			return reserve_history(s->predecessor);
		}
	}
	return VT_OK;
}

static void append_history(struct registry *r, struct key_slot *slot, struct accreditation *a)
{
	r->bytes += accreditation_bytes(a);
	slot->pub.history[slot->pub.n++] = *a;
	*a = (struct accreditation){0}; /* transferred */
}

/* Everything that can fail comes first: the registry changes as a whole or not at all. */
static enum vt_err apply_claim(struct registry *r, uint64_t index, const struct merkle_hash *leaf,
			       struct accreditation_claim *c)
{
	struct accreditation mine = {0}, theirs = {0};
	struct key_slot *slot = find_slot(r, party_key_id(c->key));
	struct key_slot *fresh = NULL, *recovery = NULL;
	struct succession succession = {0};
	enum vt_err err;

	if ((err = accreditation_init(&mine, index, leaf, c, slot)) != VT_OK ||
	    (err = reserve_slots(r, 2)) != VT_OK)
		goto done;
	if (slot != NULL) {
		if ((err = reserve_history(slot)) == VT_OK)
			append_history(r, slot, &mine);
		goto done;
	}
	if ((err = plan_succession(&succession, r, index, leaf, c)) != VT_OK)
		goto done;
	if (c->recovery != NULL) {
		if ((err = accreditation_init_recovery(&theirs, index, leaf)) != VT_OK ||
		    (err = slot_new(&recovery, &c->recovery, c->recovery_scheme, c->party,
				    bytes_str(ROLE_RECOVERY), &theirs)) != VT_OK)
			goto done;
	}
	if ((err = slot_new(&fresh, &c->key, c->scheme, c->party, c->role, &mine)) != VT_OK)
		goto done;
	insert_slot(r, fresh);
	fresh = NULL; /* transferred */
	if (recovery != NULL)
		insert_slot(r, recovery);
	recovery = NULL; /* transferred */
	if (succession.predecessor != NULL)
		append_history(r, succession.predecessor, &succession.end);
done:
	slot_free(fresh);
	slot_free(recovery);
	accreditation_release(&mine);
	accreditation_release(&theirs);
	return err;
}

enum vt_err registry_apply(struct registry *r, uint64_t index, const struct merkle_hash *leaf,
			   struct bytes entry, struct problem *why)
{
	struct dsse envelope;
	struct statement statement;
	struct accreditation_claim claim;
	enum vt_err err = VT_EINTERNAL;

	dsse_init(&envelope);
	statement_init(&statement);
	accreditation_claim_init(&claim);
	if (r->version != 0 && index <= r->last)
		goto done; /* the caller's mistake, not the log's */
	if ((err = dsse_parse(&envelope, entry, why)) != VT_OK ||
	    (err = statement_parse(&statement, envelope.payload, why)) != VT_OK)
		goto done;
	if (!bytes_is(statement.predicate_type, PREDICATE_ACCREDITATION)) {
		err = problem_set(why, VT_EMALFORMED, "accreditation-type",
				  "predicateType: expected \"" PREDICATE_ACCREDITATION "\"");
		goto done;
	}
	if ((err = accreditation_claim_parse(&claim, &statement, why)) != VT_OK ||
	    (err = registry_check(r, index, &claim, why)) != VT_OK ||
	    (err = apply_claim(r, index, leaf, &claim)) != VT_OK)
		goto done;
	r->last = index;
	r->version++;
done:
	/* The caller is told of one kind of refusal: there is nothing to retry with an entry of a
	 * log. */
	if (err == VT_ECONFLICT || err == VT_ELIMIT || err == VT_EUNTRUSTED)
		err = VT_EMALFORMED;
	accreditation_claim_release(&claim);
	statement_release(&statement);
	dsse_release(&envelope);
	return err;
}
