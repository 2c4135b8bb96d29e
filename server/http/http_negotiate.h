/* What a client says it has and takes (RFC 9110 sections 12.5.1, 12.5.3 and 13.1.2). Pure functions. */
#ifndef HTTP_NEGOTIATE_H
#define HTTP_NEGOTIATE_H

#include <stdbool.h>

/*
 * Does this If-None-Match list hold the entity-tag whose text between the quotes is `opaque`?
 * Weak comparison; "*" holds every tag. What stands behind the first malformed member is not read,
 * so a broken list can only cost a full answer. NULL: no.
 */
bool http_etag_listed(const char *if_none_match, const char *opaque);

/* Is gzip acceptable and at least as welcome as no encoding at all? NULL: no. */
bool http_gzip_wanted(const char *accept_encoding);

/*
 * Does this Accept ask for `type` rather than for `usual`: with a higher quality, or with the same and by a closer
 * name ("text/plain" is one, "*" is none)? NULL: no.
 */
bool http_media_preferred(const char *accept, const char *type, const char *usual);

/* Could this stand between the quotes of an entity-tag? */
bool http_etag_valid(const char *opaque);

#endif
