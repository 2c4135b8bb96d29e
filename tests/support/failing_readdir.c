#include "failing_readdir.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>

int readdir_names = -1;

struct dirent *readdir(DIR *dir)
{
	static DIR *last;
	static int given;
	struct dirent *(*real)(DIR *);

	*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	if (readdir_names < 0)
		return real(dir);
	if (dir != last || telldir(dir) == 0)
		given = 0;
	last = dir;
	if (given++ < readdir_names)
		return real(dir);
	errno = EIO;
	return NULL;
}
