/* --trusted-proxy and --proxy-header. */
#include "cmd.h"
#include "http_proxies.h"
#include "options.h"

struct option_list cmd_trusted_proxies;
const char *cmd_proxy_header;

int cmd_read_proxies(const char *name, struct http_proxies **out)
{
	char why[160] = "";

	*out = NULL;
	if ((cmd_trusted_proxies.n > 0) != (cmd_proxy_header != NULL))
		return cmd_fail(name, CMD_USAGE,
				"--trusted-proxy and --proxy-header go together: which proxy is "
				"believed, and which header of it");
	if (cmd_proxy_header == NULL)
		return CMD_HOLDS;
	switch (http_proxies_new(out, cmd_proxy_header, cmd_trusted_proxies.item,
				 cmd_trusted_proxies.n, why)) {
	case VT_OK:
		return CMD_HOLDS;
	case VT_EINVAL:
		return cmd_fail(name, CMD_USAGE, "--trusted-proxy, --proxy-header: %s", why);
	default:
		return cmd_fail(name, CMD_UNSURE, "%s", why);
	}
}
