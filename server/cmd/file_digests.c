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

static int hash_file(char (*hex)[CONTENT_DIGEST_HEX], const char *const *hash, size_t n,
		     const char *name, const char *path)
{
	struct open_file file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
	struct stat st;
	enum vt_err err;
	int code = CMD_HOLDS;

	if (file.fd < 0 || fstat(file.fd, &st) != 0)
		code = cmd_fail(name, CMD_UNSURE, "%s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		code = cmd_fail(name, CMD_USAGE, "%s: not a regular file", path);
	else if ((err = content_digests(hex, hash, n, read_piece, &file)) != VT_OK)
		code = cmd_fail(name, CMD_UNSURE, "%s: %s", path, file_fault(err));
	else
		doubt(name, path, file.fd);
	if (file.fd >= 0)
		close(file.fd);
	return code;
}

int file_sha256(char hex[65], const char *name, const char *path)
{
	char digest[1][CONTENT_DIGEST_HEX];
	int code = hash_file(digest, &digest_algorithms[0].hash, 1, name, path);

	if (code == CMD_HOLDS)
		memcpy(hex, digest[0], 65);
	return code;
}

int file_digests_read(struct file_digests *out, const char *name, const char *path)
{
	const char *hash[CONTENT_DIGESTS_MAX];

	out->n = 0;
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++) {
		if (a->hash == NULL)
			continue;
		if (out->n == CONTENT_DIGESTS_MAX)
			return cmd_fail(
			    name, CMD_UNSURE, "%s",
			    vt_err_text(INTERNAL("more digests than there is room for")));
		hash[out->n] = a->hash;
		out->algorithm[out->n++] = a;
	}
	return hash_file(out->hex, hash, out->n, name, path);
}

/* The file's digest by this algorithm, or NULL: it takes more than the file's bytes. */
static const char *digest_by(const struct file_digests *f, struct bytes algorithm)
{
	for (size_t i = 0; i < f->n; i++)
		if (bytes_is(algorithm, f->algorithm[i]->name))
			return f->hex[i];
	return NULL;
}

enum vt_err file_digests_find(const struct file_digests *f, const struct statement *s,
			      struct why *why)
{
	const struct subject_digest *same = NULL, *other = NULL;
	enum vt_err err = VT_ENOTFOUND;

	for (size_t i = 0; i < s->n_digests; i++) {
		const struct subject_digest *d = &s->digest[i];
		const char *mine = digest_by(f, d->algorithm);

		if (i > 0 && d->subject != s->digest[i - 1].subject)
			same = other = NULL;
		if (mine == NULL)
			continue;
		if (bytes_is(d->hex, mine))
			same = d;
		else
			other = d;
		if (same != NULL && other != NULL)
			return why_say(why, VT_EMISMATCH,
				       "it names this file by its %.*s, and another by its %.*s",
				       (int)same->algorithm.len, (const char *)same->algorithm.data,
				       (int)other->algorithm.len,
				       (const char *)other->algorithm.data);
		err = same != NULL ? VT_OK : err;
	}
	return err;
}
