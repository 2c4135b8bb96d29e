#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "files.h"
#include "vitrine/merkle.h"

enum {
	SEGMENT = 1 << 20, /* when the next file is begun */
	DIGEST = 16,       /* hex digits before each line */
	LINE_HEAD = DIGEST + 1,
	MARK_MAX = 64,
};

/*
 * Files "alerts-<n>"; the reader is at (read_n, read_at), the writer at the end of write_n. Invariant:
 * read_n <= write_n, and every file between is there.
 */
struct outbox {
	char *dir;
	pthread_mutex_t lock;
	struct merkle_hasher hasher;
	uint64_t write_n, write_at;
	int write_fd; /* -1: to be opened. There are many outboxes, so none is open for long */
	bool dirty, new_name;
	uint64_t read_n, read_at;
	size_t shown; /* bytes of the line that outbox_next() showed */
	uint64_t waiting, waiting_bytes;
	uint64_t synced_n, synced_at; /* the reader stops here */
	bool unmarked; /* alerts were taken since the mark was written; whoever takes them knows */
};

static enum vt_err digest_of(char out[2 * MERKLE_HASH_SIZE + 1], struct outbox *o,
			     struct bytes text)
{
	struct merkle_hash hash;
	enum vt_err err = merkle_sha256(&hash, &o->hasher, &text, 1);

	if (err == VT_OK)
		hex_encode(out, bytes_of(hash.b, MERKLE_HASH_SIZE));
	return err;
}

/* -- opening ---------------------------------------------------------------------------------- */

/*
 * The next whole line of a file. VT_ENOTFOUND: nothing whole is left, as after a crash; VT_EMISMATCH.
 */
static enum vt_err read_line(struct buf *line, size_t *len, struct outbox *o, int fd, uint64_t at)
{
	char digest[2 * MERKLE_HASH_SIZE + 1];
	uint8_t *end;
	ssize_t n;
	enum vt_err err;

	buf_reset(line);
	if ((err = buf_reserve(line, LINE_HEAD + OUTBOX_ALERT_MAX + 1)) != VT_OK)
		return err;
	do
		n = pread(fd, line->data, LINE_HEAD + OUTBOX_ALERT_MAX + 1, (off_t)at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return VT_EIO;
	end = n == 0 ? NULL : memchr(line->data, '\n', (size_t)n);
	if (end == NULL)
		return n > LINE_HEAD + OUTBOX_ALERT_MAX ? VT_EMISMATCH : VT_ENOTFOUND;
	*len = (size_t)(end - line->data) + 1;
	if (*len < LINE_HEAD + 1)
		return VT_EMISMATCH;
	line->len = *len - 1 - LINE_HEAD;
	if ((err = digest_of(digest, o, bytes_of(line->data + LINE_HEAD, line->len))) != VT_OK)
		return err;
	if (memcmp(digest, line->data, DIGEST) != 0 || line->data[DIGEST] != ' ')
		return VT_EMISMATCH;
	memmove(line->data, line->data + LINE_HEAD, line->len);
	return VT_OK;
}

static enum vt_err open_segment(int *fd, const struct outbox *o, uint64_t n, int flags)
{
	char path[FILES_PATH_MAX];
	enum vt_err err = files_path(path, o->dir, "alerts", n);

	if (err != VT_OK)
		return err;
	if ((*fd = open(path, flags | O_CLOEXEC, 0600)) < 0)
		return errno == ENOENT ? VT_ENOTFOUND : VT_EIO;
	return VT_OK;
}

/* Count what waits in file n from `at` on. *end is behind its last whole line. */
static enum vt_err count_segment(struct outbox *o, uint64_t n, uint64_t at, uint64_t *end)
{
	struct buf line;
	struct stat st;
	size_t len;
	int fd = -1;
	enum vt_err err;

	buf_init(&line);
	if ((err = open_segment(&fd, o, n, O_RDONLY)) != VT_OK)
		goto done;
	if (fstat(fd, &st) != 0) {
		err = VT_EIO;
		goto done;
	}
	err = VT_EMISMATCH; /* what was taken was there */
	if ((uint64_t)st.st_size < at)
		goto done;
	while ((err = read_line(&line, &len, o, fd, at)) == VT_OK) {
		at += len;
		o->waiting++;
		o->waiting_bytes += len;
	}
	*end = at;
	if (err == VT_ENOTFOUND)
		err = VT_OK;
done:
	if (fd >= 0)
		close(fd);
	buf_release(&line);
	return err;
}

struct ends {
	uint64_t first, last;
};

static enum vt_err find_end(void *ctx, const char *name)
{
	struct ends *ends = ctx;
	unsigned long long n;
	int len = 0;

	if (sscanf(name, "alerts-%llx%n", &n, &len) != 1 || name[len] != '\0')
		return VT_OK;
	ends->last = n > ends->last ? n : ends->last;
	ends->first = n < ends->first ? n : ends->first;
	return VT_OK;
}

static enum vt_err read_mark(struct outbox *o)
{
	unsigned long long n, at;
	char path[FILES_PATH_MAX];
	struct buf text;
	enum vt_err err;
	int len = 0;

	buf_init(&text);
	if ((err = files_path(path, o->dir, "taken", UINT64_MAX)) != VT_OK ||
	    (err = file_read(&text, path, MARK_MAX)) != VT_OK ||
	    (err = buf_append_byte(&text, '\0')) != VT_OK)
		goto done;
	if (sscanf((const char *)text.data, "%llu %llu\n%n", &n, &at, &len) != 2 ||
	    (size_t)len != text.len - 1) {
		err = VT_EMISMATCH;
		goto done;
	}
	o->read_n = n;
	o->read_at = at;
done:
	buf_release(&text);
	return err;
}

static void close_write(struct outbox *o)
{
	if (o->write_fd >= 0)
		close(o->write_fd);
	o->write_fd = -1;
}

static enum vt_err open_files(struct outbox *o, char why[256])
{
	struct ends ends = {.first = UINT64_MAX};
	uint64_t last, end = 0;
	enum vt_err err;

	snprintf(why, 256, "%s/taken cannot be read", o->dir);
	if ((err = folder_each(o->dir, find_end, &ends)) != VT_OK)
		return err == VT_ENOTFOUND ? VT_EIO : err;
	/* Nobody knows what was taken: all that is there is told again. */
	if ((err = read_mark(o)) == VT_ENOTFOUND && ends.first != UINT64_MAX)
		o->read_n = ends.first;
	if (err != VT_OK && err != VT_ENOTFOUND)
		return err;
	last = ends.last < o->read_n ? o->read_n : ends.last;
	for (uint64_t n = o->read_n; n <= last; n++) {
		snprintf(why, 256, "%s/alerts-%08" PRIx64 " is damaged", o->dir, n);
		err = count_segment(o, n, n == o->read_n ? o->read_at : 0, &end);
		if (err == VT_ENOTFOUND && n == last && o->read_at == 0) {
			end = 0; /* nothing was ever written there */
		} else if (err != VT_OK) {
			if (err == VT_ENOTFOUND)
				snprintf(why, 256, "%s/alerts-%08" PRIx64 " is missing", o->dir, n);
			return err == VT_ENOTFOUND ? VT_EMISMATCH : err;
		}
	}
	/* What a crash left of a line that was never synced goes. */
	if ((err = open_segment(&o->write_fd, o, last, O_RDWR | O_CREAT)) != VT_OK)
		return err;
	if (ftruncate(o->write_fd, (off_t)end) != 0)
		return VT_EIO;
	o->write_n = o->synced_n = last;
	o->write_at = o->synced_at = end;
	o->new_name = true;
	close_write(o);
	return VT_OK;
}

enum vt_err outbox_open(struct outbox **out, const char *dir, char why[256])
{
	struct outbox *o = calloc(1, sizeof(*o));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	snprintf(why, 256, "%s", vt_err_text(VT_ENOMEM));
	if (o == NULL)
		return VT_ENOMEM;
	o->write_fd = -1;
	pthread_mutex_init(&o->lock, NULL);
	if ((o->dir = strdup(dir)) == NULL || (err = merkle_hasher_init(&o->hasher)) != VT_OK ||
	    (err = open_files(o, why)) != VT_OK)
		goto done;
	*out = o;
	o = NULL; /* transferred */
done:
	outbox_free(o);
	return err;
}

void outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	close_write(o);
	merkle_hasher_release(&o->hasher);
	pthread_mutex_destroy(&o->lock);
	free(o->dir);
	free(o);
}

/* -- in --------------------------------------------------------------------------------------- */

/* All of the last one is on disk. */
static enum vt_err next_segment(struct outbox *o)
{
	int fd = -1;
	enum vt_err err = open_segment(&fd, o, o->write_n + 1, O_RDWR | O_CREAT | O_TRUNC);

	if (err != VT_OK)
		return err;
	close_write(o);
	o->write_fd = fd;
	o->write_n++;
	o->write_at = 0;
	o->new_name = true;
	return VT_OK;
}

enum vt_err outbox_add(struct outbox *o, struct bytes alert)
{
	char digest[2 * MERKLE_HASH_SIZE + 1];
	struct buf line;
	enum vt_err err;

	if (alert.len > OUTBOX_ALERT_MAX || memchr(alert.data, '\n', alert.len) != NULL)
		return VT_EINVAL;
	buf_init(&line);
	pthread_mutex_lock(&o->lock);
	/* A file grows on until it is synced: nobody who adds waits for the disk. */
	if ((o->write_at >= SEGMENT && !o->dirty && (err = next_segment(o)) != VT_OK) ||
	    (o->write_fd < 0 &&
	     (err = open_segment(&o->write_fd, o, o->write_n, O_RDWR)) != VT_OK) ||
	    (err = digest_of(digest, o, alert)) != VT_OK ||
	    (err = buf_append(&line, bytes_of(digest, DIGEST))) != VT_OK ||
	    (err = buf_append_byte(&line, ' ')) != VT_OK ||
	    (err = buf_append(&line, alert)) != VT_OK ||
	    (err = buf_append_byte(&line, '\n')) != VT_OK ||
	    (err = files_write_at(o->write_fd, line.data, line.len, o->write_at)) != VT_OK)
		goto done;
	o->write_at += line.len;
	o->dirty = true;
	o->waiting++;
	o->waiting_bytes += line.len;
done:
	pthread_mutex_unlock(&o->lock);
	buf_release(&line);
	return err;
}

/* File n is on disk up to `at`. Meanwhile more may have been written, or another have come that far. */
static void note_synced(struct outbox *o, uint64_t n, uint64_t at)
{
	if (n > o->synced_n || (n == o->synced_n && at > o->synced_at)) {
		o->synced_n = n;
		o->synced_at = at;
	}
	if (n != o->write_n)
		return;
	o->new_name = false;
	if (at == o->write_at) {
		o->dirty = false;
		close_write(o);
	}
}

/* Without the lock while the disk works: whoever takes alerts, or counts them, does not wait for it. */
enum vt_err outbox_sync(struct outbox *o)
{
	enum vt_err err;
	uint64_t n, at;
	bool new_name;
	int fd;

	pthread_mutex_lock(&o->lock);
	if (!o->dirty) {
		pthread_mutex_unlock(&o->lock);
		return VT_OK;
	}
	n = o->write_n;
	at = o->write_at;
	new_name = o->new_name;
	fd = fcntl(o->write_fd, F_DUPFD_CLOEXEC, 0);
	pthread_mutex_unlock(&o->lock);
	if (fd < 0)
		return VT_EIO;
	err = files_sync(fd);
	close(fd);
	if (err == VT_OK && new_name)
		err = files_sync_folder(o->dir);
	if (err != VT_OK)
		return err;
	pthread_mutex_lock(&o->lock);
	note_synced(o, n, at);
	pthread_mutex_unlock(&o->lock);
	return VT_OK;
}

/* -- out -------------------------------------------------------------------------------------- */

static bool something_to_take(const struct outbox *o)
{
	return o->read_n < o->synced_n || (o->read_n == o->synced_n && o->read_at < o->synced_at);
}

/* Without the lock: where the reader is, is for whoever takes alerts to change. */
static enum vt_err write_mark(struct outbox *o)
{
	char path[FILES_PATH_MAX];
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	if ((err = files_path(path, o->dir, "taken", UINT64_MAX)) == VT_OK &&
	    (err = buf_appendf(&text, "%" PRIu64 " %" PRIu64 "\n", o->read_n, o->read_at)) == VT_OK)
		err = durable_write(path, buf_bytes(&text), 0600);
	o->unmarked = o->unmarked && err != VT_OK;
	buf_release(&text);
	return err;
}

/* The reader has come to the end of a file that is no longer written. The mark moves first: a file
 * that it does not need any more may stay behind, one that it needs may not be missing. */
static enum vt_err read_next_segment(struct outbox *o)
{
	char path[FILES_PATH_MAX];
	enum vt_err err;

	o->read_n++;
	o->read_at = 0;
	pthread_mutex_unlock(&o->lock);
	if ((err = write_mark(o)) == VT_OK &&
	    files_path(path, o->dir, "alerts", o->read_n - 1) == VT_OK)
		unlink(path);
	pthread_mutex_lock(&o->lock);
	return err;
}

enum vt_err outbox_next(struct outbox *o, struct buf *alert)
{
	enum vt_err err = VT_OK;
	int fd;

	pthread_mutex_lock(&o->lock);
	o->shown = 0;
	while (something_to_take(o)) {
		if ((err = open_segment(&fd, o, o->read_n, O_RDONLY)) != VT_OK) {
			err = err == VT_ENOTFOUND ? VT_EMISMATCH : err; /* somebody deleted it */
			break;
		}
		err = read_line(alert, &o->shown, o, fd, o->read_at);
		close(fd);
		if (err != VT_ENOTFOUND)
			break;
		if (o->read_n == o->synced_n) {
			err = VT_EMISMATCH;
			break;
		}
		if ((err = read_next_segment(o)) != VT_OK)
			break;
	}
	if (err == VT_OK && o->shown == 0)
		err = VT_ENOTFOUND;
	pthread_mutex_unlock(&o->lock);
	return err;
}

enum vt_err outbox_mark(struct outbox *o)
{
	return o->unmarked ? write_mark(o) : VT_OK;
}

enum vt_err outbox_taken(struct outbox *o, bool later)
{
	pthread_mutex_lock(&o->lock);
	o->read_at += o->shown;
	o->waiting--;
	o->waiting_bytes -= o->shown;
	o->shown = 0;
	pthread_mutex_unlock(&o->lock);
	o->unmarked = true;
	return later ? VT_OK : write_mark(o);
}

bool outbox_ready(struct outbox *o)
{
	bool some;

	pthread_mutex_lock(&o->lock);
	some = something_to_take(o);
	pthread_mutex_unlock(&o->lock);
	return some;
}

uint64_t outbox_waiting(struct outbox *o)
{
	uint64_t n;

	pthread_mutex_lock(&o->lock);
	n = o->waiting;
	pthread_mutex_unlock(&o->lock);
	return n;
}

uint64_t outbox_waiting_bytes(struct outbox *o)
{
	uint64_t n;

	pthread_mutex_lock(&o->lock);
	n = o->waiting_bytes;
	pthread_mutex_unlock(&o->lock);
	return n;
}
