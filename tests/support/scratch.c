#include "scratch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[512];
static pid_t owner;

static void clear(int fd)
{
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *item;

	if (dir == NULL)
		return;
	while ((item = readdir(dir)) != NULL) {
		if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
		    unlinkat(fd, item->d_name, 0) == 0 || errno != EISDIR)
			continue;
		clear(openat(fd, item->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		(void)unlinkat(fd, item->d_name, AT_REMOVEDIR);
	}
	(void)closedir(dir);
}

void scratch_clear(void)
{
	if (folder[0] != '\0')
		clear(open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void remove_all(void)
{
	if (getpid() != owner)
		return; /* a child's exit is not the test's */
	scratch_clear();
	(void)rmdir(folder);
}

void scratch_in_memory(void)
{
	if (access("/dev/shm", W_OK | X_OK) == 0)
		(void)setenv("TMPDIR", "/dev/shm", 1);
}

const char *scratch_folder(void)
{
	const char *tmp = getenv("TMPDIR");

	if (folder[0] != '\0')
		return folder;
	(void)snprintf(folder, sizeof(folder), "%s/vitrine-test-XXXXXX",
		       tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	if (mkdtemp(folder) == NULL) {
		perror(folder);
		abort();
	}
	owner = getpid();
	if (atexit(remove_all) != 0)
		abort();
	return folder;
}

const char *scratch_path(const char *name)
{
	static char path[sizeof(folder) + 256];

	(void)snprintf(path, sizeof(path), "%s/%s", scratch_folder(), name);
	return path;
}
