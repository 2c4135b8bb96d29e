/* Holds entry 0 of a log against the centre that it should be of: one fault of the log, however many entries follow. */
#include <stdio.h>
#include <string.h>

#include "monitor_private.h"
#include "party_key.h"

static enum vt_err fingerprint(char out[HASH_HEX + 1], struct follower *f, struct bytes spki)
{
	struct merkle_hash id;
	enum vt_err err = merkle_sha256(&id, &f->hasher, &spki, 1);

	if (err == VT_OK)
		hex_encode(out, bytes_of(id.b, MERKLE_HASH_SIZE));
	return err;
}

/* The key that entry 0 grants its own place; NULL: entry 0 is no such entry. */
static const struct party_key *centre_of_log(const struct follower *f)
{
	const struct registry *r = f->checks == NULL ? NULL : checks_registry(f->checks);

	return r != NULL && registry_count(r) > 0 ? registry_at(r, 0)->key : NULL;
}

static enum vt_err tell_other_centre(struct follower *f, const struct party_key *key)
{
	char named[HASH_HEX + 1], found[HASH_HEX + 1], text[400];
	struct json *more;
	enum vt_err err;

	if ((err = fingerprint(named, f, f->centre)) != VT_OK ||
	    (key != NULL && (err = fingerprint(found, f, party_key_spki(key))) != VT_OK))
		return err;
	more = JSON_OBJECT_OF({"index", json_new_uint(0)}, {"namedCentre", json_new_str(named)},
			      {"centre", key != NULL ? json_new_str(found) : json_absent()});
	if (more == NULL)
		return VT_ENOMEM;
	if (key != NULL)
		snprintf(
		    text, sizeof(text),
		    "entry 0 is by another centre: by the key %s, and %s was named (--centre); "
		    "either the name is wrong, or this is not the log that it should be",
		    found, named);
	else
		snprintf(
		    text, sizeof(text),
		    "entry 0 is by no centre, and %s was named (--centre): either this is no log "
		    "of records, or not the log that it should be",
		    named);
	return trouble_begin(f, TROUBLE_CENTRE, bytes_str(named), text, more);
}

enum vt_err centre_check(struct follower *f)
{
	const struct party_key *key = centre_of_log(f);

	/* Entry 0 that is inadmissible in itself was told as that. */
	if (f->state.range.size == 0 || (key == NULL && f->state.mode == LOG_MODE_RECORDS))
		return VT_OK;
	if (f->centre.len == 0 || (key != NULL && bytes_equal(party_key_spki(key), f->centre))) {
		trouble_end(f, TROUBLE_CENTRE);
		return VT_OK;
	}
	return tell_other_centre(f, key);
}
