#include "durable.h"

#include "clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum vt_err path_in(char out[PATH_MAX], const char *folder, const char *name)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", folder, name);

	if (n > 0 && n < PATH_MAX)
		return VT_OK;
	errno = ENAMETOOLONG;
	return VT_ELIMIT;
}

enum vt_err file_write_all(int fd, struct bytes contents)
{
	size_t done = 0;

	while (done < contents.len) {
		ssize_t n = write(fd, contents.data + done, contents.len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VT_EIO;
		done += (size_t)n;
	}
	return VT_OK;
}

/* Everything up to the last slash, as a path of its own. */
static enum vt_err folder_of(char out[PATH_MAX], const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/') /* "a/b/" is in "a" */
		len--;
	while (len > 0 && path[len - 1] != '/')
		len--;
	if (len >= PATH_MAX)
		return VT_EIO;
	memcpy(out, path, len);
	out[len] = '\0';
	if (len == 0)
		memcpy(out, ".", 2);
	return VT_OK;
}

/* A new name in a folder is on disk only when the folder is. */
static enum vt_err sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	enum vt_err err = VT_EIO;
	int fd;

	if (folder_of(folder, path) != VT_OK)
		return VT_EIO;
	if ((fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return VT_EIO;
	/* Some file systems cannot sync a folder; they say EINVAL, and there is nothing to wait
	 * for. */
	if (fsync(fd) == 0 || errno == EINVAL)
		err = VT_OK;
	close(fd);
	return err;
}

/* Rename that fails if the new name is taken. */
static enum vt_err rename_fresh(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return VT_OK;
	if (errno == EEXIST)
		return VT_ECONFLICT;
	if (errno != EINVAL && errno != ENOSYS)
		return VT_EIO;
	/* A file system without that flag: a hard link does not replace anything either. */
	if (link(from, to) != 0)
		return errno == EEXIST ? VT_ECONFLICT : VT_EIO;
	return unlink(from) == 0 ? VT_OK : VT_EIO;
}

/* owner NULL: this process's own. The mode comes last, since a change of owner takes bits from it. */
static bool set_owner_and_mode(int fd, mode_t mode, const struct durable_owner *owner)
{
	if (owner != NULL && fchown(fd, owner->user, owner->group) != 0 &&
	    fchown(fd, (uid_t)-1, owner->group) != 0)
		mode &= 0777;
	return fchmod(fd, mode) == 0;
}

static int open_temporary(char out[PATH_MAX], const char *path)
{
	int n = snprintf(out, PATH_MAX, "%s.new-XXXXXX", path);

	if (n > 0 && n < PATH_MAX)
		return mkostemp(out, O_CLOEXEC);
	errno = ENAMETOOLONG;
	return -1;
}

static enum vt_err write_file(const char *path, struct bytes contents, mode_t mode, bool replace,
			      const struct durable_owner *owner)
{
	enum vt_err err = VT_EIO;
	char temporary[PATH_MAX];
	int fd = open_temporary(temporary, path);

	if (fd < 0)
		return VT_EIO;
	if ((err = file_write_all(fd, contents)) != VT_OK)
		goto done;
	err = VT_EIO;
	if (!set_owner_and_mode(fd, mode, owner) || fsync(fd) != 0)
		goto done;
	if (replace)
		err = rename(temporary, path) == 0 ? VT_OK : VT_EIO;
	else
		err = rename_fresh(temporary, path);
	if (err == VT_OK) {
		temporary[0] = '\0';
		err = sync_folder_of(path);
	}
done:
	close(fd);
	if (temporary[0] != '\0') {
		int reason = errno;
		unlink(temporary);
		errno = reason;
	}
	return err;
}

enum vt_err durable_write(const char *path, struct bytes contents, mode_t mode)
{
	return write_file(path, contents, mode, true, NULL);
}

enum vt_err durable_replace(const char *path, struct bytes contents, mode_t mode,
			    const struct durable_owner *owner)
{
	return write_file(path, contents, mode, true, owner);
}

enum vt_err durable_create(const char *path, struct bytes contents, mode_t mode)
{
	return write_file(path, contents, mode, false, NULL);
}

enum vt_err durable_try(const char *path)
{
	static const uint8_t block[4096];
	char temporary[PATH_MAX];
	int fd = open_temporary(temporary, path), saved;
	enum vt_err err;

	if (fd < 0)
		return VT_EIO;
	err = file_write_all(fd, bytes_of(block, sizeof(block)));
	if (err == VT_OK && fsync(fd) != 0)
		err = VT_EIO;
	saved = errno;
	close(fd);
	if (unlink(temporary) != 0 && err == VT_OK)
		return VT_EIO;
	errno = saved;
	return err;
}

void durable_probe_init(struct durable_probe *p)
{
	*p = (struct durable_probe){0};
	(void)pthread_mutex_init(&p->lock, NULL);
}

void durable_probe_release(struct durable_probe *p)
{
	(void)pthread_mutex_destroy(&p->lock);
}

enum vt_err durable_probe(struct durable_probe *p, const char *path)
{
	uint64_t now = clock_monotonic_nanos();
	int fault;

	(void)pthread_mutex_lock(&p->lock);
	if (p->at == 0 || now - p->at > UINT64_C(1000000000)) {
		p->fault = durable_try(path) == VT_OK ? 0 : errno;
		p->at = now;
	}
	fault = p->fault;
	(void)pthread_mutex_unlock(&p->lock);
	errno = fault;
	return fault == 0 ? VT_OK : VT_EIO;
}

enum vt_err durable_unlink(const char *path)
{
	return unlink(path) == 0 ? sync_folder_of(path) : VT_EIO;
}

enum vt_err file_read(struct buf *out, const char *path, size_t max)
{
	enum vt_err err = VT_EIO;
	size_t start = out->len;
	uint8_t extra;
	int fd, fault;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0)
		return errno == ENOENT || errno == ENOTDIR ? VT_ENOTFOUND : VT_EIO;
	for (;;) {
		/* At the bound one byte more is asked for, to tell a full file from one too long.
		 */
		size_t room = max - (out->len - start);
		size_t chunk = room < 65536 ? room : 65536;
		if ((err = buf_reserve(out, chunk)) != VT_OK)
			goto done;
		ssize_t n = room == 0 ? read(fd, &extra, 1) : read(fd, out->data + out->len, chunk);
		if (n < 0 && errno == EINTR)
			continue;
		err = n < 0 ? VT_EIO : room == 0 && n > 0 ? VT_ELIMIT : VT_OK;
		if (n <= 0 || err != VT_OK)
			break;
		out->len += (size_t)n;
	}
done:
	fault = errno;
	if (err != VT_OK)
		out->len = start;
	close(fd);
	errno = fault;
	return err;
}

const char *file_fault(enum vt_err err)
{
	return err == VT_EIO || err == VT_ENOTFOUND ? strerror(errno) : vt_err_text(err);
}

enum vt_err folder_each(const char *path, enum vt_err (*visit)(void *ctx, const char *name),
			void *ctx)
{
	struct dirent *entry = NULL;
	enum vt_err err = VT_OK;
	int failed = 0;
	DIR *d = opendir(path);

	if (d == NULL)
		return errno == ENOENT ? VT_ENOTFOUND : errno == ENOMEM ? VT_ENOMEM : VT_EIO;
	while (err == VT_OK && (errno = 0, entry = readdir(d)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			err = visit(ctx, entry->d_name);
	/* It ends with NULL, and so does it where it fails. */
	failed = errno;
	if (entry == NULL && failed != 0)
		err = VT_EIO;
	(void)closedir(d);
	errno = failed;
	return err;
}

/* lost+found is of a new file system. */
static enum vt_err note_name(void *out, const char *name)
{
	static const char begun[] = FOLDER_UNFINISHED ".new-";

	if (strcmp(name, "lost+found") != 0 && strncmp(name, begun, sizeof(begun) - 1) != 0)
		*(enum folder_state *)out = FOLDER_FULL;
	return VT_OK;
}

enum vt_err folder_look(enum folder_state *out, const char *path)
{
	enum vt_err err;

	*out = FOLDER_EMPTY;
	if ((err = folder_each(path, note_name, out)) == VT_ENOTFOUND)
		*out = FOLDER_MISSING;
	return err == VT_ENOTFOUND ? VT_OK : err;
}

bool folder_unfinished(const char *path)
{
	char name[PATH_MAX];

	return path_in(name, path, FOLDER_UNFINISHED) == VT_OK && access(name, F_OK) == 0;
}

struct clearing {
	const char *path, *but;
};

static enum vt_err clear_name(void *ctx, const char *name)
{
	const struct clearing *c = ctx;
	char file[PATH_MAX];

	if (name[0] == '.' || strcmp(name, "lost+found") == 0 || strcmp(name, c->but) == 0)
		return VT_OK;
	return path_in(file, c->path, name) == VT_OK && unlink(file) == 0 ? VT_OK : VT_EIO;
}

enum vt_err folder_clear(const char *path, const char *but)
{
	struct clearing c = {path, but};

	return folder_each(path, clear_name, &c);
}

enum vt_err durable_mkdir_new(const char *path)
{
	if (mkdir(path, 0700) == 0)
		return sync_folder_of(path);
	return errno == EEXIST ? VT_ECONFLICT : VT_EIO;
}

enum vt_err durable_mkdir(const char *path)
{
	struct stat st;
	enum vt_err err = durable_mkdir_new(path);

	if (err != VT_ECONFLICT)
		return err;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? VT_OK : VT_EIO;
}
