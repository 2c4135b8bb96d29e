/* Finds out at the start, not with the last connection, that there are too few file descriptors. */
#include "open_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

enum vt_err open_files_need(uint64_t need, char why[OPEN_FILES_WHY_MAX])
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= need)
		return VT_OK;
	if (limit.rlim_max >= need) {
		limit.rlim_cur = need;
		if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
			return VT_OK;
	}
	(void)snprintf(why, OPEN_FILES_WHY_MAX,
		       "%" PRIu64 " open files may be needed, and the limit is %" PRIu64
		       ": raise it (ulimit -n %" PRIu64 " in a shell, LimitNOFILE=%" PRIu64
		       " in a systemd unit, --ulimit nofile=%" PRIu64 " of docker run)",
		       need, (uint64_t)limit.rlim_max, need, need, need);
	return VT_ELIMIT;
}
