/*
 * What a file is, told by how it begins: for the message to somebody who gave the wrong one. It decides about words and about what is
 * not overwritten, never about what is believed.
 */
#ifndef BASE_FILE_KIND_H
#define BASE_FILE_KIND_H

#include "vitrine/bytes.h"

enum file_about {
	FILE_OTHER,
	FILE_PRIVATE_KEY,
	FILE_OF_LOG, /* a policy, a record, a proof ...: says something of other files, and others seldom speak of it */
};

/* One of a fixed table, so kinds can be compared by their address. */
struct file_kind {
	/* Of keys the label of their PEM block, whichever way the file holds them; of others a word. */
	const char *name;
	const char *what; /* "an OpenSSH private key": what follows "it is" */
	enum file_about about;
	/*
	 * What makes a private or a public key of it that is taken here, or why nothing does; FILE is it, and NEW the name of
	 * another file. NULL: it is no key of that half, or one that is taken as it is.
	 */
	const char *for_private, *for_public;
};

/* NULL: none that is known. */
const struct file_kind *file_kind(struct bytes file);
bool file_kind_is(const struct file_kind *kind, const char *name); /* kind may be NULL */
/* What it is in words, "neither text nor a key" and the like where the kind is not known. Static. */
const char *file_kind_text(struct bytes file);

/*
 * What is the matter with a file that should hold lines of UTF-8, each ended by one newline: empty, UTF-16, a byte order mark,
 * CRLF, or cut short in a line, each with what mends it. NULL: none of these.
 */
const char *text_fault(struct bytes file);
/* The text behind UTF-8's byte order mark, if it begins with one. */
struct bytes text_without_mark(struct bytes file);

/*
 * The label of the first PEM block (RFC 7468), from "-----BEGIN " on, or that of the PEM block which would hold this DER.
 * Empty: neither.
 */
struct bytes pem_label(struct bytes file);
const char *der_label(struct bytes file); /* NULL: no DER that is known */

#endif
