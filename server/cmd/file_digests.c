/* Hashes files, and compares them with what records name. */
#include "file_digests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "file_kind.h"
#include "logline.h"

enum { PIECE = 64 * 1024 };

struct open_file {
	int fd;
	uint8_t piece[PIECE];
};

/* Read rather than mapped: a file that shrinks meanwhile would be a SIGBUS. */
static enum vt_err read_piece(void *source, struct bytes *piece)
{
	struct open_file *file = source;
	ssize_t got;

	do
		got = read(file->fd, file->piece, sizeof(file->piece));
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return VT_EIO;
	*piece = bytes_of(file->piece, (size_t)got);
	return VT_OK;
}

/* A proof, a policy or a key in the place of what they are about is most likely in the wrong place. */
static void doubt(const char *name, const char *path, int fd)
{
	uint8_t head[4096];
	ssize_t n = pread(fd, head, sizeof(head), 0);
	const struct file_kind *kind = n > 0 ? file_kind(bytes_of(head, (size_t)n)) : NULL;

	if (kind != NULL && kind->about != FILE_OTHER)
		fprintf(stderr, "vitrine %s: %s: it is %s: is this the file that you mean?\n", name,
			path, kind->what);
	explicit_bzero(head, sizeof(head));
}

/* Hands the file's content to `hash`. */
static int hash_file(const char *name, const char *path,
		     enum vt_err (*hash)(void *out, struct open_file *file), void *out)
{
	struct open_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	struct stat st;
	enum vt_err err;
	int code = CMD_HOLDS;

	if (file.fd < 0 || fstat(file.fd, &st) != 0)
		code = cmd_fail(name, CMD_UNSURE, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		code = cmd_fail(name, CMD_USAGE, "%s: not a regular file", path);
	else if ((err = hash(out, &file)) != VT_OK)
		code = cmd_fail(name, CMD_UNSURE, "%s: %s", path, file_fault(err));
	else
		doubt(name, path, file.fd);
	if (file.fd >= 0)
		close(file.fd);
	return code;
}

static enum vt_err make_sha256(void *out, struct open_file *file)
{
	char digest[1][CONTENT_DIGEST_HEX];
	enum vt_err err = content_digests(digest, &digest_algorithms[0].hash, 1, read_piece, file);

	if (err == VT_OK)
		memcpy(out, digest[0], 65);
	return err;
}

int file_sha256(char hex[65], const char *name, const char *path)
{
	return hash_file(name, path, make_sha256, hex);
}

static enum vt_err make_digests(void *out, struct open_file *file)
{
	return file_digests_make(out, read_piece, file);
}

int file_digests_read(struct file_digests *out, const char *name, const char *path)
{
	return hash_file(name, path, make_digests, out);
}
