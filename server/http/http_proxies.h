/*
 * Whose word is taken on where a request comes from. A trusted proxy names the client in one header; every other header, and
 * what came from anybody else, is not read.
 */
#ifndef HTTP_PROXIES_H
#define HTTP_PROXIES_H

#include "http_address.h"

struct http_proxies;

/*
 * trusted: addresses ("10.0.0.1", "2001:db8::1") and prefixes ("10.0.0.0/8"). header: "Forwarded" is read as RFC 7239 has it,
 * any other name as a list of addresses (X-Forwarded-For, X-Real-IP, ...). VT_EINVAL: one of them is none; why says which.
 */
enum vt_err http_proxies_new(struct http_proxies **out, const char *header,
			     const char *const *trusted, size_t n, char why[160]);
void http_proxies_free(struct http_proxies *p); /* NULL is fine */

const char *http_proxies_header(const struct http_proxies *p);
/* p may be NULL: then nobody is trusted. */
bool http_proxies_trust(const struct http_proxies *p, const struct http_address *a);
/*
 * The client of a request that a trusted proxy sent: the rightmost address in the header's value that is no trusted proxy,
 * for each proxy appends where it heard the request from, and what is left of that may be forged. false, and *client is not
 * touched: value is NULL, malformed before such an address is reached, or has none.
 */
bool http_proxies_client(const struct http_proxies *p, const char *value,
			 struct http_address *client);

#endif
