/* An IP address as rates, limits and log lines know it: no port, no zone. */
#ifndef HTTP_ADDRESS_H
#define HTTP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "vitrine/bytes.h"

/* In network order; IPv4 as ::ffff:a.b.c.d, so that it is one address whichever way it came. */
struct http_address {
	uint8_t byte[16];
};

/* All zero for another family. */
struct http_address http_address_of(const struct sockaddr *addr);
/* "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"; nothing around it. */
bool http_address_parse(struct http_address *out, struct bytes text);
bool http_address_is_v4(const struct http_address *a);

enum {
	HTTP_ADDRESS_TEXT_SIZE = 64,
};
/* IPv4 as IPv4, whatever it came as. */
void http_address_text(char out[HTTP_ADDRESS_TEXT_SIZE], const struct http_address *a);

#endif
