/*
 * Error codes of libvitrine and of the server built on it. Few on purpose: each one is a
 * different thing for the caller to do. The status beside each is what the HTTP API makes of it
 * where no handler knows better.
 */
#ifndef VITRINE_ERR_H
#define VITRINE_ERR_H

#include "vitrine/names.h"

enum vt_err {
	VT_OK = 0,
	VT_EINTERNAL,  /* a library failed or an invariant broke: give up (500) */
	VT_ENOMEM,     /* no memory: give up this piece of work (503) */
	VT_EINVAL,     /* an argument is outside its domain, e.g. index >= size (400) */
	VT_EMALFORMED, /* the input is not in the format it claims (400) */
	VT_ELIMIT,     /* a stated bound on size, count or depth is exceeded (413) */
	VT_EUNTRUSTED, /* well-formed, but no acceptable key vouches for it (403) */
	VT_EMISMATCH,  /* a hash, proof or signature does not hold (422) */
	VT_ENOTFOUND,  /* there is no such thing (404) */
	VT_ECONFLICT,  /* somebody else changed it first: read again, then retry (409) */
	VT_EBUSY,      /* full or shutting down: retry later with the same bytes (503) */
	VT_EIO,        /* disk or network failed: the outcome is unknown (503) */
};

/* A short lower-case phrase for people, e.g. "not found". Static; never NULL. */
const char *vt_err_text(enum vt_err err);

#endif
