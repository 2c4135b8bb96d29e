/* Reads the Ed25519 keys of OpenSSH (its PROTOCOL.key, and RFC 8709), for which it has no other format in all versions. */
#include "keys_internal.h"

#include <string.h>

/* "string" of RFC 4251, section 5: four bytes of length, and as many bytes. */
static bool take_string(struct bytes *rest, struct bytes *out)
{
	const uint8_t *p = rest->data;
	size_t len;

	if (rest->len < 4)
		return false;
	len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
	if (len > rest->len - 4)
		return false;
	*out = bytes_of(p + 4, len);
	*rest = bytes_of(p + 4 + len, rest->len - 4 - len);
	return true;
}

static bool take_bytes(struct bytes *rest, const void *expected, size_t len)
{
	if (rest->len < len || memcmp(rest->data, expected, len) != 0)
		return false;
	*rest = bytes_of(rest->data + len, rest->len - len);
	return true;
}

enum vt_err openssh_public(struct bytes *key, struct bytes blob)
{
	struct bytes type;

	return take_string(&blob, &type) && bytes_is(type, "ssh-ed25519") &&
		       take_string(&blob, key) && key->len == 32 && blob.len == 0
		   ? VT_OK
		   : VT_EMALFORMED;
}

/* What PROTOCOL.key calls the list of private keys, unencrypted. */
static bool take_seed(struct bytes *seed, struct bytes list, struct bytes public)
{
	struct bytes type, again, private, comment;

	/* A number twice, which tells a wrong passphrase where there is one. */
	if (list.len < 8 || memcmp(list.data, list.data + 4, 4) != 0)
		return false;
	list = bytes_of(list.data + 8, list.len - 8);
	if (!take_string(&list, &type) || !bytes_is(type, "ssh-ed25519") ||
	    !take_string(&list, &again) || !bytes_equal(again, public) ||
	    !take_string(&list, &private) || private.len != 64 || !take_string(&list, &comment))
		return false;
	*seed = bytes_of(private.data, 32);
	return bytes_equal(bytes_of(private.data + 32, 32), public);
}

enum vt_err openssh_private(struct bytes *seed, struct bytes blob, struct why *why)
{
	static const char damaged[] = "the OpenSSH key in it is damaged";
	struct bytes cipher, kdf, options, public_blob, list, type, public, rest;

	if (!take_bytes(&blob, "openssh-key-v1", 15) || !take_string(&blob, &cipher) ||
	    !take_string(&blob, &kdf) || !take_string(&blob, &options) ||
	    !take_bytes(&blob, "\0\0\0\1", 4) || !take_string(&blob, &public_blob) ||
	    !take_string(&blob, &list))
		return why_say(why, VT_EMALFORMED, damaged);
	rest = public_blob;
	if (!take_string(&rest, &type))
		return why_say(why, VT_EMALFORMED, damaged);
	if (!bytes_is(type, "ssh-ed25519"))
		return why_say(
		    why, VT_EMALFORMED,
		    "it is an OpenSSH private key, and only an Ed25519 key is read in that form: "
		    "`cp FILE NEW && ssh-keygen -p -m PKCS8 -f NEW` converts it");
	if (!bytes_is(cipher, "none"))
		return why_say(
		    why, VT_EMALFORMED,
		    "it is an OpenSSH private key with a passphrase, and is read without one only: "
		    "`cp FILE NEW && ssh-keygen -p -N '' -f NEW` makes such a copy");
	if (openssh_public(&public, public_blob) != VT_OK || !take_seed(seed, list, public))
		return why_say(why, VT_EMALFORMED, damaged);
	return VT_OK;
}
