/*
 * Opening a record: the steps from the bytes to its verified signatures and canonical form.
 *
 * Which keys are tried on a signature, in this order: those that its keyid hint names (a keyid or a
 * registered alias); where the centre has signed, the key that an accreditation registers; then,
 * for signatures still open, every registered key whose signatures look like it. An entry that is
 * read back names its keys exactly, and nothing else is tried.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "logline.h"
#include "record_impl.h"

enum {
	KEYID_HEX = 2 * MERKLE_HASH_SIZE,
	/* Where it turns out that it may be a retry: one more for each signature, and look-ups of pairs. */
	TRIALS_CAP = RECORD_TRIALS_MAX + RECORD_SIGNATURES_MAX,
	LOOKUPS_MAX = 4096,
};

struct trial {
	size_t sig;
	struct merkle_hash keyid;
	enum key_scheme scheme;
};

struct opening {
	struct record *r;
	struct merkle_hasher *h;
	const struct admission_view *view;
	const struct merkle_hash *key_hint; /* or NULL */
	bool exact;                         /* an entry is re-opened */
	struct dsse envelope;
	struct buf pae;
	bool decided[RECORD_SIGNATURES_MAX]; /* this signature is kept, or need not be looked at
						again */
	size_t n_trials, trials_max;
	struct trial trial[TRIALS_CAP];
	struct problem *why;
};

void record_free(struct record *r)
{
	if (r == NULL)
		return;
	buf_release(&r->entry);
	for (size_t i = 0; i < r->n; i++) {
		buf_release(&r->kept[i].sig);
		free(r->kept[i].party);
		free(r->kept[i].role);
	}
	free(r->kept);
	free(r->key);
	accreditation_claim_release(&r->claim);
	statement_release(&r->statement);
	free(r);
}

bool record_signed_by(const struct record *r, const struct merkle_hash *keyid)
{
	for (size_t i = 0; i < r->n; i++)
		if (merkle_hash_equal(&r->kept[i].who.keyid, keyid))
			return true;
	return false;
}

const struct registered_key *view_key(const struct admission_view *view,
				      const struct merkle_hash *keyid)
{
	const struct registered_key *key = registry_find(view->registry, keyid);

	return key == NULL || registry_accreditation(key, view->size) == NULL ? NULL : key;
}

/* -- one signature, one key ----------------------------------------------------------------------
 */

static enum vt_err set_name(struct kept_signature *k, struct bytes party, const char *role)
{
	char *p = bytes_dup_str(party), *r = strdup(role);

	if (p == NULL || r == NULL) {
		free(p);
		free(r);
		return VT_ENOMEM;
	}
	free(k->party);
	free(k->role);
	k->who.party = k->party = p;
	k->who.role = k->role = r;
	return VT_OK;
}

static bool copies(const struct opening *o, size_t a, size_t b)
{
	return a == b || bytes_equal(o->envelope.sig[a].sig, o->envelope.sig[b].sig);
}

/* No key is tried twice on one signature, however often that is written down. */
static bool tried(const struct opening *o, size_t sig, const struct merkle_hash *keyid,
		  enum key_scheme scheme)
{
	for (size_t i = 0; i < o->n_trials; i++)
		if (o->trial[i].scheme == scheme && copies(o, o->trial[i].sig, sig) &&
		    merkle_hash_equal(&o->trial[i].keyid, keyid))
			return true;
	return false;
}

/* What a refused signature of a keyless bundle is. */
static const char *about_certificate(const struct opening *o)
{
	return !o->envelope.certified
		   ? ""
		   : "; the bundle is signed with the key of a certificate, which is made for one "
		     "signature and accredited nowhere: sign with an accredited key (cosign --key)";
}

/*
 * Keep signature `sig` if `key` made it: "one per key (the first that verified)", and no other key has to be tried on a second one.
 * Only a fault ends the search; not fitting is VT_OK.
 */
static enum vt_err try_key(struct opening *o, size_t sig, const struct party_key *key,
			   enum key_scheme scheme, struct bytes party, const char *role)
{
	const struct merkle_hash *keyid = party_key_id(key);
	struct bytes bytes = o->envelope.sig[sig].sig;
	bool second = record_signed_by(o->r, keyid);
	struct kept_signature *k;
	enum vt_err err;

	/* An entry that is read back has no second one: what is left undecided is told. */
	if (o->decided[sig] || (second && o->exact) ||
	    !party_key_signature_fits(key, scheme, bytes) || tried(o, sig, keyid, scheme))
		return VT_OK;
	if (o->n_trials == o->trials_max)
		return problem_set(
		    o->why, VT_ELIMIT, "signature-trials",
		    "signatures[%zu]: more than %d keys would have to be tried; give "
		    "each signature its keyid, or name the one key to try in the request: "
		    "?key=KEYID%s",
		    sig, RECORD_TRIALS_MAX, about_certificate(o));
	k = &o->r->kept[o->r->n]; /* an undecided signature is left, so there is room */
	o->trial[o->n_trials++] = (struct trial){.sig = sig, .keyid = *keyid, .scheme = scheme};
	err = party_key_verify(key, scheme, buf_bytes(&o->pae), bytes, second ? NULL : &k->sig);
	if (err == VT_OK && second) {
		o->decided[sig] = true;
		return VT_OK;
	}
	if (err == VT_OK && (err = set_name(k, party, role)) == VT_OK) {
		k->who.keyid = *keyid;
		k->who.scheme = scheme;
		k->sent = sig;
		o->r->n++;
		o->decided[sig] = true;
		return VT_OK;
	}
	buf_release(&k->sig);
	return err == VT_EMISMATCH ? VT_OK : err;
}

static enum vt_err try_registered(struct opening *o, size_t sig, const struct registered_key *key)
{
	return try_key(o, sig, key->key, key->scheme, bytes_str(key->party), key->role);
}

/* -- candidates ----------------------------------------------------------------------------------
 */

static bool has_alias(const struct accreditation *a, struct bytes hint)
{
	for (size_t i = 0; i < a->n_aliases; i++)
		if (bytes_is(hint, a->alias[i]))
			return true;
	return false;
}

static enum vt_err try_hinted(struct opening *o, size_t sig)
{
	struct bytes hint = o->envelope.sig[sig].keyid;
	const struct registry *registry = o->view->registry;
	const struct registered_key *key;
	const struct accreditation *a;
	struct merkle_hash keyid;
	enum vt_err err;

	if (hex_decode_exact(keyid.b, MERKLE_HASH_SIZE, hint) == VT_OK &&
	    (key = view_key(o->view, &keyid)) != NULL &&
	    (err = try_registered(o, sig, key)) != VT_OK)
		return err;
	if (o->exact || hint.len == 0)
		return VT_OK;
	for (size_t i = 0; i < registry_count(registry) && !o->decided[sig]; i++) {
		key = registry_at(registry, i);
		a = registry_accreditation(key, o->view->size);
		if (a != NULL && has_alias(a, hint) && (err = try_registered(o, sig, key)) != VT_OK)
			return err;
	}
	return VT_OK;
}

/* 0: the centre's keys; 1: granted; 2: others; 3: not registered before this index. The centre's
 * come first so that an accreditation's new key is known early, and the others in the order of how
 * likely they are. */
static unsigned candidate_rank(const struct registered_key *key, const struct admission_view *view)
{
	const struct accreditation *a = registry_accreditation(key, view->size);

	if (a == NULL)
		return 3;
	if (strcmp(key->role, ROLE_CENTRE) == 0 || strcmp(key->role, ROLE_RECOVERY) == 0)
		return 0;
	return a->status == ACCREDITATION_GRANTED ? 1 : 2;
}

static enum vt_err try_by_shape(struct opening *o, size_t sig, unsigned rank)
{
	const struct registry *registry = o->view->registry;
	enum vt_err err;

	for (size_t i = 0; i < registry_count(registry) && !o->decided[sig]; i++) {
		const struct registered_key *key = registry_at(registry, i);

		if (candidate_rank(key, o->view) == rank &&
		    (err = try_registered(o, sig, key)) != VT_OK)
			return err;
	}
	return VT_OK;
}

static enum vt_err try_ranks(struct opening *o, unsigned from, unsigned to)
{
	enum vt_err err;

	for (unsigned rank = from; rank <= to; rank++)
		for (size_t i = 0; i < o->envelope.n; i++)
			if ((err = try_by_shape(o, i, rank)) != VT_OK)
				return err;
	return VT_OK;
}

/* -- the payload, once a signature on it has verified
 * ---------------------------------------------- */

static enum vt_err parse_payload(struct opening *o)
{
	struct record *r = o->r;
	const struct predicate *p;
	enum vt_err err;

	if (r->parsed)
		return VT_OK;
	r->parsed = true;
	err = statement_parse(&r->statement, o->envelope.payload, &r->statement_fault);
	if (err != VT_OK)
		return r->statement_fault.type != NULL ? VT_OK : err;
	if (bytes_is(r->statement.predicate_type, PREDICATE_ACCREDITATION)) {
		err = accreditation_claim_parse(&r->claim, &r->statement, &r->predicate_fault);
		r->has_claim = err == VT_OK;
	} else if ((p = predicate_find(r->statement.predicate_type)) != NULL) {
		err = p->check(&r->statement, &r->predicate_fault);
	}
	return r->predicate_fault.type != NULL ? VT_OK : err;
}

static bool all_decided(const struct opening *o)
{
	for (size_t i = 0; i < o->envelope.n; i++)
		if (!o->decided[i])
			return false;
	return true;
}

static bool centre_signed(const struct opening *o)
{
	for (size_t i = 0; i < o->r->n; i++)
		if (strcmp(o->r->kept[i].role, ROLE_CENTRE) == 0 ||
		    strcmp(o->r->kept[i].role, ROLE_RECOVERY) == 0)
			return true;
	return false;
}

/* "In this predicate alone the key that it registers is a candidate signer too." Only the centre
 * can make the log look into a payload for a key. */
static enum vt_err try_accredited(struct opening *o)
{
	const struct accreditation_claim *c = &o->r->claim;
	enum vt_err err;

	if (all_decided(o) || !centre_signed(o))
		return VT_OK;
	if ((err = parse_payload(o)) != VT_OK)
		return err;
	for (size_t i = 0; i < o->envelope.n && o->r->has_claim; i++) {
		struct bytes role = c->role;
		char name[ACCREDITATION_NAME_MAX + 1] = {0};

		memcpy(name, role.data, role.len); /* its length has been checked */
		if ((err = try_key(o, i, c->key, c->scheme, c->party, name)) != VT_OK)
			return err;
		if (o->view->size == 0 && c->recovery != NULL &&
		    (err = try_key(o, i, c->recovery, c->recovery_scheme, c->party,
				   ROLE_RECOVERY)) != VT_OK)
			return err;
	}
	return VT_OK;
}

/* -- entry 0 -------------------------------------------------------------------------------------
 */

/* The key that this log was made with. Its scheme is named in the payload, which is not looked at
 * yet: each that the key can have is tried (one, but for RSA). */
static enum vt_err try_pinned_centre(struct opening *o)
{
	struct party_key *key = NULL;
	enum vt_err err;

	if ((err = party_key_from_spki(&key, o->view->centre, NULL)) != VT_OK)
		return INTERNAL("the centre's key, taken before, is refused");
	if (o->key_hint != NULL && !merkle_hash_equal(o->key_hint, party_key_id(key))) {
		err = problem_set(o->why, VT_EUNTRUSTED, "key-unknown",
				  "the key that was named is not the centre's, and the log has no "
				  "entry yet");
		goto done;
	}
	for (size_t i = 0; i < o->envelope.n; i++)
		for (unsigned scheme = 0; scheme < SCHEME_COUNT; scheme++)
			if (party_key_takes(key, (enum key_scheme)scheme) &&
			    (err = try_key(o, i, key, (enum key_scheme)scheme,
					   bytes_str(ROLE_CENTRE), ROLE_CENTRE)) != VT_OK)
				goto done;
	if (o->r->n == 0 || (err = parse_payload(o)) != VT_OK || !o->r->has_claim)
		goto done;
	err = set_name(&o->r->kept[0], o->r->claim.party, ROLE_CENTRE);
done:
	party_key_free(key);
	return err;
}

/* Nobody has said whose centre it is (a replay without a pin): the payload names the key, and is
 * parsed before any signature has verified. This is the only place; it costs one parse of at most
 * RECORD_ENTRY_MAX bytes, and no server serves so. */
static enum vt_err try_claimed_centre(struct opening *o)
{
	const struct record *r = o->r;
	enum vt_err err;

	if ((err = parse_payload(o)) != VT_OK)
		return err;
	for (size_t i = 0; i < o->envelope.n && r->has_claim; i++)
		if ((err = try_key(o, i, r->claim.key, r->claim.scheme, r->claim.party,
				   ROLE_CENTRE)) != VT_OK)
			return err;
	return VT_OK;
}

/* -- all of them ---------------------------------------------------------------------------------
 */

static enum vt_err try_named(struct opening *o)
{
	const struct registered_key *key = view_key(o->view, o->key_hint);
	enum vt_err err;

	if (key == NULL)
		return problem_set(o->why, VT_EUNTRUSTED, "key-unknown",
				   "the key that was named was never registered in this log");
	for (size_t i = 0; i < o->envelope.n; i++)
		if ((err = try_registered(o, i, key)) != VT_OK)
			return err;
	return try_accredited(o);
}

/* Copies can have different hints, which are all looked at; from then on one stands for all. */
static void drop_copies(struct opening *o)
{
	for (size_t i = 0; i < o->envelope.n && !o->exact; i++)
		for (size_t j = 0; j < o->envelope.n && !o->decided[i]; j++)
			o->decided[i] = j != i && (j < i || o->decided[j]) && copies(o, i, j);
}

static enum vt_err try_all(struct opening *o)
{
	enum vt_err err;

	if (o->view->size == 0) {
		err = o->view->centre.len != 0 ? try_pinned_centre(o) : try_claimed_centre(o);
		return err != VT_OK ? err : try_accredited(o);
	}
	if (o->key_hint != NULL)
		return try_named(o);
	for (size_t i = 0; i < o->envelope.n; i++)
		if ((err = try_hinted(o, i)) != VT_OK)
			return err;
	drop_copies(o);
	if ((err = try_accredited(o)) != VT_OK || o->exact)
		return err;
	if ((err = try_ranks(o, 0, 0)) != VT_OK || (err = try_accredited(o)) != VT_OK)
		return err;
	return try_ranks(o, 1, 2);
}

enum { ABOUT_KEY_MAX = 320 };

/* Whose the first signature claims to be, and what to do about it. */
static const char *about_key(char out[ABOUT_KEY_MAX], const struct opening *o)
{
	struct bytes hint = o->envelope.sig[0].keyid;
	const struct registered_key *key = NULL;
	char quoted[100];
	struct merkle_hash id;

	if (o->envelope.certified)
		return about_certificate(o);
	problem_quote(quoted, sizeof(quoted), hint);
	if (hex_decode_exact(id.b, sizeof(id.b), hint) == VT_OK)
		key = view_key(o->view, &id);
	if (hint.len == 0)
		snprintf(out, ABOUT_KEY_MAX,
			 "; the first one names no keyid: has the log's centre accredited its "
			 "key?");
	else if (key == NULL)
		snprintf(out, ABOUT_KEY_MAX,
			 "; the first one names the key %s, which this log does not know: its "
			 "centre has to accredit it first",
			 quoted);
	else
		snprintf(out, ABOUT_KEY_MAX,
			 "; the first one names the key %s of \"%.60s\", and does not verify under "
			 "it: was the payload changed after it was signed?",
			 quoted, key->party);
	return out;
}

static enum vt_err refuse_unsigned(const struct opening *o)
{
	char about[ABOUT_KEY_MAX];
	const struct record *r = o->r;
	const struct problem *fault =
	    r->statement_fault.type != NULL ? &r->statement_fault : &r->predicate_fault;

	/* Where the payload had to name the key, what is wrong with it is the reason. */
	if (r->parsed && fault->type != NULL) {
		if (o->why != NULL)
			*o->why = *fault;
		return VT_EMALFORMED;
	}
	if (o->view->size == 0)
		return problem_set(o->why, VT_EUNTRUSTED, "log-not-begun",
				   "the log is empty, and no signature is by the centre's key: its "
				   "own accreditation comes first");
	return problem_set(o->why, VT_EUNTRUSTED, "signature-unregistered",
			   "signatures: none of %zu verifies under a registered key (%zu tried)%s",
			   o->envelope.n, o->n_trials, about_key(about, o));
}

/* -- retries ------------------------------------------------------------------------------------- */

/* Has this key signed this very statement in an entry before? */
static enum vt_err pair_known(struct opening *o, const struct merkle_hash *keyid, bool *known)
{
	struct merkle_hash pair;
	uint64_t at;
	enum vt_err err;

	*known = false;
	if ((err = record_pair_key(&pair, o->h, &o->r->pae, keyid)) != VT_OK)
		return err;
	err = o->view->find(o->view->ctx, &pair, 0, &at);
	*known = err == VT_OK && at < o->view->size;
	return err == VT_ENOTFOUND ? VT_OK : err;
}

static bool fits_any(const struct opening *o, const struct registered_key *key)
{
	for (size_t i = 0; i < o->envelope.n; i++)
		if (!o->decided[i] &&
		    party_key_signature_fits(key->key, key->scheme, o->envelope.sig[i].sig))
			return true;
	return false;
}

/* The keys that have signed it before. Looking one up costs little beside a trial. */
static enum vt_err try_those_known(struct opening *o)
{
	const struct registry *registry = o->view->registry;
	size_t looked_up = 0;
	enum vt_err err;
	bool known;

	o->trials_max = TRIALS_CAP;
	for (size_t i = 0; i < registry_count(registry) && looked_up < LOOKUPS_MAX; i++) {
		const struct registered_key *key = registry_at(registry, i);

		if (registry_accreditation(key, o->view->size) == NULL ||
		    record_signed_by(o->r, party_key_id(key->key)) || !fits_any(o, key))
			continue;
		looked_up++;
		if ((err = pair_known(o, party_key_id(key->key), &known)) != VT_OK)
			return err;
		for (size_t sig = 0; known && sig < o->envelope.n; sig++)
			if ((err = try_registered(o, sig, key)) != VT_OK)
				return err;
	}
	return VT_OK;
}

/*
 * Trials ran out. But if this is a retry, it is free, however many keys were registered since the first time: known keys
 * that nobody got round to are tried, and if all that has verified then is in the log, nothing new can come of it.
 */
static enum vt_err forgive_known(struct opening *o, enum vt_err refusal)
{
	struct problem why = o->why == NULL ? (struct problem){0} : *o->why;
	enum vt_err err;
	bool known;

	if (refusal != VT_ELIMIT || o->exact || o->key_hint != NULL)
		return refusal;
	if ((err = try_those_known(o)) != VT_OK && err != VT_ELIMIT)
		return err;
	known = o->r->n > 0;
	for (size_t i = 0; known && i < o->r->n; i++)
		if ((err = pair_known(o, &o->r->kept[i].who.keyid, &known)) != VT_OK)
			return err;
	if (o->why != NULL)
		*o->why = known ? (struct problem){0} : why;
	return known ? VT_OK : refusal;
}

/* -- the entry ------------------------------------------------------------------------------------ */

static int compare_kept(const void *a, const void *b)
{
	const struct kept_signature *x = a, *y = b;

	return memcmp(x->who.keyid.b, y->who.keyid.b, MERKLE_HASH_SIZE);
}

/* "P: the submitted payload byte for byte ...; signatures sorted by K". */
static enum vt_err make_entry(struct opening *o)
{
	struct record *r = o->r;
	struct dsse_signature sig[RECORD_SIGNATURES_MAX];
	char hex[RECORD_SIGNATURES_MAX][KEYID_HEX + 1];
	enum vt_err err;

	qsort(r->kept, r->n, sizeof(r->kept[0]), compare_kept);
	for (size_t i = 0; i < r->n; i++) {
		r->signer[i] = r->kept[i].who;
		hex_encode(hex[i], bytes_of(r->signer[i].keyid.b, MERKLE_HASH_SIZE));
		sig[i] = (struct dsse_signature){bytes_of(hex[i], KEYID_HEX),
						 buf_bytes(&r->kept[i].sig)};
	}
	if (dsse_canonical_len(o->envelope.payload.len, sig, r->n) > RECORD_ENTRY_MAX)
		return problem_set(
		    o->why, VT_ELIMIT, "entry-too-large",
		    "the entry would have %zu bytes, expected at most %d; log larger "
		    "evidence by its digest",
		    dsse_canonical_len(o->envelope.payload.len, sig, r->n), RECORD_ENTRY_MAX);
	if ((err = dsse_write(&r->entry, o->envelope.payload, sig, r->n)) != VT_OK)
		return err;
	return merkle_hash_leaf(&r->leaf, o->h, buf_bytes(&r->entry));
}

static enum vt_err open_envelope(struct opening *o, struct bytes body)
{
	enum vt_err err;

	if ((err = dsse_parse(&o->envelope, body, o->why)) != VT_OK)
		return err;
	o->r->n_sent = o->envelope.n;
	o->r->kept = calloc(o->envelope.n, sizeof(*o->r->kept));
	if (o->r->kept == NULL)
		return VT_ENOMEM;
	/* Before anything dear: what can never fit. */
	if (dsse_canonical_len(o->envelope.payload.len, NULL, 0) > RECORD_ENTRY_MAX)
		return problem_set(
		    o->why, VT_ELIMIT, "entry-too-large",
		    "payload: %zu bytes do not fit an entry of at most %d; log larger "
		    "evidence by its digest",
		    o->envelope.payload.len, RECORD_ENTRY_MAX);
	if ((err = dsse_pae(&o->pae, o->envelope.payload)) != VT_OK)
		return err;
	return merkle_sha256(&o->r->pae, o->h, &(struct bytes){o->pae.data, o->pae.len}, 1);
}

static enum vt_err opening_init(struct opening *o, struct merkle_hasher *h,
				const struct admission_view *view, struct problem *why)
{
	*o = (struct opening){.h = h, .view = view, .why = why, .trials_max = RECORD_TRIALS_MAX};
	o->r = calloc(1, sizeof(*o->r));
	return o->r == NULL ? VT_ENOMEM : VT_OK;
}

static void opening_release(struct opening *o)
{
	record_free(o->r);
	dsse_release(&o->envelope);
	buf_release(&o->pae);
}

enum vt_err record_open(struct record **out, struct merkle_hasher *h, struct bytes body,
			const struct merkle_hash *key_hint, const struct admission_view *view,
			struct problem *why)
{
	struct opening o;
	enum vt_err err;

	*out = NULL;
	if ((err = opening_init(&o, h, view, why)) != VT_OK)
		goto done;
	o.key_hint = key_hint;
	if (body.len > RECORD_BODY_MAX) {
		err = problem_set(why, VT_ELIMIT, "body-too-large",
				  "%zu bytes, expected at most %d", body.len, RECORD_BODY_MAX);
		goto done;
	}
	if ((err = open_envelope(&o, body)) != VT_OK ||
	    (err = forgive_known(&o, try_all(&o))) != VT_OK)
		goto done;
	if (o.r->n == 0) {
		err = refuse_unsigned(&o);
		goto done;
	}
	if ((err = make_entry(&o)) != VT_OK || (err = parse_payload(&o)) != VT_OK ||
	    (err = record_make_keys(o.r, h)) != VT_OK)
		goto done;
	*out = o.r;
	o.r = NULL; /* transferred */
done:
	opening_release(&o);
	return err;
}

/* Entry 0 that is not by the key named as the centre's: both told, or nobody knows which one is wrong. Who
 * signed it is what its signatures claim. */
static enum vt_err refuse_other_centre(const struct opening *o)
{
	char named[KEYID_HEX + 1], by[2][KEYID_HEX + 4];
	struct merkle_hash id;
	enum vt_err err = merkle_sha256(&id, o->h, &o->view->centre, 1);
	size_t n = o->envelope.n;

	if (err != VT_OK)
		return err;
	hex_encode(named, bytes_of(id.b, MERKLE_HASH_SIZE));
	for (size_t i = 0; i < 2; i++)
		problem_quote(by[i], sizeof(by[i]),
			      n > i ? o->envelope.sig[i].keyid : bytes_str(""));
	return problem_set(o->why, VT_EUNTRUSTED, "accreditation-entry-zero",
			   "by another centre: signed by %s%s%s%s, not by %s, the key named as the "
			   "centre's",
			   n > 0 ? by[0] : "nobody", n > 1 ? " and " : "", by[1],
			   n > 2 ? " and others" : "", named);
}

/* Every signature of an entry must verify, under the key that it names. */
static enum vt_err insist_on_all(const struct opening *o)
{
	char quoted[KEYID_HEX + 4]; /* problem_quote() keeps room for a cut */

	if (o->r->n == 0 && o->view->size == 0 && o->view->centre.len != 0)
		return refuse_other_centre(o);
	for (size_t i = 0; i < o->envelope.n; i++)
		if (!o->decided[i])
			return problem_set(
			    o->why, VT_EMISMATCH, "entry-signature",
			    "signatures[%zu]: does not verify under key %s as registered before", i,
			    problem_quote(quoted, sizeof(quoted), o->envelope.sig[i].keyid));
	return VT_OK;
}

/* What makes an entry unreadable as an envelope, told as what is wrong with the entry. */
static enum vt_err not_canonical(struct problem *why, const struct problem *fault)
{
	return problem_set(why, VT_EMISMATCH, "entry-not-canonical", "%.300s", fault->detail);
}

enum vt_err record_reopen(struct record **out, struct merkle_hasher *h, struct bytes entry,
			  const struct admission_view *view, struct problem *why)
{
	struct problem fault = {0};
	struct opening o;
	enum vt_err err;

	*out = NULL;
	if ((err = opening_init(&o, h, view, &fault)) != VT_OK)
		goto done;
	o.exact = true;
	if (entry.len > RECORD_ENTRY_MAX) {
		err = problem_set(why, VT_EMISMATCH, "entry-not-canonical",
				  "%zu bytes, expected at most %d", entry.len, RECORD_ENTRY_MAX);
		goto done;
	}
	if ((err = open_envelope(&o, entry)) != VT_OK) {
		if (fault.type != NULL)
			err = not_canonical(why, &fault);
		goto done;
	}
	o.why = why;
	if ((err = try_all(&o)) != VT_OK || (err = insist_on_all(&o)) != VT_OK ||
	    (err = make_entry(&o)) != VT_OK)
		goto done;
	/* The form is checked as a whole: what admission would have made of it must be it. */
	if (!bytes_equal(buf_bytes(&o.r->entry), entry)) {
		err = problem_set(why, VT_EMISMATCH, "entry-not-canonical",
				  "the bytes differ from the canonical form of the same record");
		goto done;
	}
	if ((err = parse_payload(&o)) != VT_OK || (err = record_make_keys(o.r, h)) != VT_OK)
		goto done;
	*out = o.r;
	o.r = NULL; /* transferred */
done:
	opening_release(&o);
	return err;
}
