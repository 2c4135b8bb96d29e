/* Reading and writing IP addresses. */
#include "http_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

struct http_address http_address_of(const struct sockaddr *addr)
{
	struct http_address a = {{0}};

	if (addr->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, addr, sizeof(in));
		memcpy(a.byte, v4_prefix, sizeof(v4_prefix));
		memcpy(a.byte + 12, &in.sin_addr, 4);
	} else if (addr->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, addr, sizeof(in6));
		memcpy(a.byte, &in6.sin6_addr, 16);
	}
	return a;
}

bool http_address_parse(struct http_address *out, struct bytes text)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(copy) || memchr(text.data, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET6, copy, out->byte) == 1)
		return true;
	memcpy(out->byte, v4_prefix, sizeof(v4_prefix));
	return inet_pton(AF_INET, copy, out->byte + 12) == 1;
}

bool http_address_is_v4(const struct http_address *a)
{
	return memcmp(a->byte, v4_prefix, sizeof(v4_prefix)) == 0;
}

void http_address_text(char out[HTTP_ADDRESS_TEXT_SIZE], const struct http_address *a)
{
	bool v4 = http_address_is_v4(a);

	if (inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? a->byte + 12 : a->byte, out,
		      HTTP_ADDRESS_TEXT_SIZE) == NULL)
		memcpy(out, "?", 2);
}
