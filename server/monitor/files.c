#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum vt_err files_path(char out[FILES_PATH_MAX], const char *dir, const char *name, uint64_t id)
{
	int n = id == UINT64_MAX ? snprintf(out, FILES_PATH_MAX, "%s/%s", dir, name)
				 : snprintf(out, FILES_PATH_MAX, "%s/%s-%08" PRIx64, dir, name, id);

	return n > 0 && n < FILES_PATH_MAX ? VT_OK : VT_ELIMIT;
}

enum vt_err files_read_at(int fd, void *out, size_t len, uint64_t at)
{
	uint8_t *to = out;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VT_EIO;
		to += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return VT_OK;
}

enum vt_err files_write_at(int fd, const void *data, size_t len, uint64_t at)
{
	const uint8_t *from = data;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VT_EIO;
		from += n;
		at += (uint64_t)n;
		len -= (size_t)n;
	}
	return VT_OK;
}

enum vt_err files_open_at_length(int *fd, const char *path, uint64_t len)
{
	enum vt_err err = VT_EIO;
	struct stat st;

	if ((*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return VT_EIO;
	if (fstat(*fd, &st) != 0)
		goto done;
	if ((uint64_t)st.st_size < len)
		err = VT_EMISMATCH;
	else if ((uint64_t)st.st_size == len || ftruncate(*fd, (off_t)len) == 0)
		err = VT_OK;
done:
	if (err != VT_OK) {
		close(*fd);
		*fd = -1;
	}
	return err;
}

enum vt_err files_sync(int fd)
{
	return fdatasync(fd) == 0 ? VT_OK : VT_EIO;
}

enum vt_err files_sync_folder(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum vt_err err;

	if (fd < 0)
		return VT_EIO;
	/* EINVAL: a file system that cannot sync a folder; there is nothing to wait for. */
	err = fsync(fd) == 0 || errno == EINVAL ? VT_OK : VT_EIO;
	close(fd);
	return err;
}

void files_put64(uint8_t out[8], uint64_t n)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(n >> (56 - 8 * i));
}

uint64_t files_get64(const uint8_t in[8])
{
	uint64_t n = 0;

	for (unsigned i = 0; i < 8; i++)
		n = n << 8 | in[i];
	return n;
}
