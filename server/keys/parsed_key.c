/*
 * Parsed keys: what OpenSSL makes of an SPKI takes kilobytes and tens of microseconds, so a log with many keys keeps the bytes of all
 * and this form of those that verified something lately.
 */
#include "keys_internal.h"

#include <pthread.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

/* Held whenever a reference is taken or given back. OpenSSL counts references by itself, but a race detector does not see that, and
 * takes the last one's free() for a race with whoever used the key before. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* By the first byte of the keyid, which a newcomer takes over. */
static struct {
	struct merkle_hash id;
	EVP_PKEY *pkey;
} kept[PARSED_KEYS];

static EVP_PKEY *find(const struct merkle_hash *id)
{
	size_t at = id->b[0] % PARSED_KEYS;
	EVP_PKEY *pkey = NULL;

	(void)pthread_mutex_lock(&lock);
	if (kept[at].pkey != NULL && merkle_hash_equal(&kept[at].id, id) &&
	    EVP_PKEY_up_ref(kept[at].pkey) == 1)
		pkey = kept[at].pkey;
	(void)pthread_mutex_unlock(&lock);
	return pkey;
}

static void keep(const struct merkle_hash *id, EVP_PKEY *pkey)
{
	size_t at = id->b[0] % PARSED_KEYS;
	EVP_PKEY *before;

	if (EVP_PKEY_up_ref(pkey) != 1)
		return;
	(void)pthread_mutex_lock(&lock);
	before = kept[at].pkey;
	kept[at].id = *id;
	kept[at].pkey = pkey;
	EVP_PKEY_free(before);
	(void)pthread_mutex_unlock(&lock);
}

EVP_PKEY *parse_key(struct bytes spki)
{
	const uint8_t *p = spki.data;

	return d2i_PUBKEY(NULL, &p, (long)spki.len);
}

EVP_PKEY *parsed_key(const struct party_key *key)
{
	const struct merkle_hash *id = party_key_id(key);
	EVP_PKEY *pkey = find(id);

	if (pkey == NULL && (pkey = parse_key(party_key_spki(key))) != NULL)
		keep(id, pkey);
	return pkey;
}

void parsed_key_free(EVP_PKEY *pkey)
{
	(void)pthread_mutex_lock(&lock);
	EVP_PKEY_free(pkey);
	(void)pthread_mutex_unlock(&lock);
}
