#include "mark.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "durable.h"
#include "logline.h"
#include "vitrine/checkpoint.h"

#define MARK_TITLE "vitrine high-water mark v1\n"

#define WAIT_NANOS UINT64_C(1000000000)

struct mark {
	const char *path;
	const char *origin;
	int fd;
	pthread_mutex_t
	    file; /* held while the file is locked: its lock is this process's, whichever thread takes it */
	struct merkle_hasher hasher; /* under it, too */
	pthread_t thread;
	bool has_thread;
	void (*moved)(void *ctx);
	void *ctx;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct tree_head wanted;
	struct tree_head durable; /* this or a later one is on disk */
	bool any;                 /* `durable` is set */
	bool begun;               /* `wanted` is set */
	bool asked;               /* `wanted` is still to be written */
	bool look;                /* somebody wants to know whether it could be */
	const char *trouble;      /* why it could not, the last time; NULL: it could */
	bool stopping;
	enum vt_err err;
	uint64_t writes;
};

/* -- slots ---------------------------------------------------------------------------------------- */

static enum vt_err append_digest(struct buf *out, struct merkle_hasher *h, struct bytes text)
{
	char hex[2 * sizeof(struct merkle_hash) + 1];
	struct merkle_hash digest;
	enum vt_err err = merkle_sha256(&digest, h, &text, 1);

	if (err != VT_OK)
		return err;
	hex_encode(hex, bytes_of(digest.b, sizeof(digest.b)));
	hex[2 * sizeof(digest.b)] = '\n';
	return buf_append(out, bytes_of(hex, sizeof(hex)));
}

static enum vt_err slot_format(struct buf *out, struct merkle_hasher *h, const char *origin,
			       const struct tree_head *head)
{
	size_t start = out->len, used;
	enum vt_err err;

	if ((err = buf_append_str(out, MARK_TITLE)) != VT_OK ||
	    (err = checkpoint_format(out, origin, head)) != VT_OK ||
	    (err = append_digest(out, h, bytes_of(out->data + start, out->len - start))) != VT_OK)
		return err;
	used = out->len - start;
	if (used >= MARK_SLOT)
		return VT_ELIMIT;
	if ((err = buf_reserve(out, MARK_SLOT - used)) != VT_OK)
		return err;
	memset(out->data + out->len, ' ', MARK_SLOT - used);
	out->len = start + MARK_SLOT;
	out->data[out->len - 1] = '\n';
	return VT_OK;
}

/* A slot is whole if it is, byte for byte, what would be written for what it says. VT_EMALFORMED: it is not. */
static enum vt_err slot_parse(struct tree_head *out, struct merkle_hasher *h, struct bytes slot,
			      const char *origin)
{
	const size_t title = sizeof(MARK_TITLE) - 1;
	const uint8_t *end = slot.data + title;
	struct checkpoint cp;
	struct buf again;
	enum vt_err err = VT_EMALFORMED;

	buf_init(&again);
	if (memcmp(slot.data, MARK_TITLE, title) != 0)
		goto done;
	/* Three lines are the checkpoint's text. */
	for (unsigned lines = 0; lines < 3 && end != NULL; lines++)
		if ((end = memchr(end, '\n', MARK_SLOT - (size_t)(end - slot.data))) != NULL)
			end++;
	if (end == NULL ||
	    checkpoint_parse(&cp, bytes_of(slot.data + title, (size_t)(end - slot.data) - title)) !=
		VT_OK)
		goto done;
	*out = cp.head;
	if (!bytes_is(cp.origin, origin)) {
		err = VT_EMISMATCH;
		goto done;
	}
	if ((err = slot_format(&again, h, origin, out)) != VT_OK)
		goto done;
	err = bytes_equal(buf_bytes(&again), slot) ? VT_OK : VT_EMALFORMED;
done:
	buf_release(&again);
	return err;
}

static struct bytes slot_of(struct bytes file, unsigned i)
{
	return bytes_of(file.data + (size_t)i * MARK_SLOT, MARK_SLOT);
}

/* The slot that says that the log is frozen; -1: none does. */
static int frozen_slot(struct bytes file)
{
	for (unsigned i = 0; file.len == MARK_SIZE && i < 2; i++)
		if (memcmp(slot_of(file, i).data, MARK_FROZEN_TITLE,
			   sizeof(MARK_FROZEN_TITLE) - 1) == 0)
			return (int)i;
	return -1;
}

/* The larger of the whole slots, and which one it is; also of one that says that the log is frozen. */
static enum vt_err slots_parse(struct tree_head *out, unsigned *which, struct merkle_hasher *h,
			       struct bytes file, const char *origin)
{
	enum vt_err worst = VT_EMALFORMED;
	bool found = false;

	if (file.len != MARK_SIZE)
		return VT_EMALFORMED;
	for (unsigned i = 0; i < 2; i++) {
		struct bytes slot = slot_of(file, i);
		struct tree_head head;
		enum vt_err err = slot_parse(&head, h, slot, origin);

		if (err != VT_OK) {
			worst = err == VT_EMALFORMED ? worst : err;
			continue;
		}
		if (!found || head.size > out->size) {
			*out = head;
			*which = i;
		}
		found = true;
	}
	return found ? VT_OK : worst;
}

/* Not yet: VT_EBUSY. Looks again soon, and then less often. */
static enum vt_err try_lock(int fd, int kind, unsigned long *tries)
{
	if (flock(fd, kind | LOCK_NB) == 0)
		return VT_OK;
	if (errno != EWOULDBLOCK && errno != EINTR)
		return VT_EIO;
	clock_pause((*tries)++);
	return VT_EBUSY;
}

/* The whole file, not while another process writes it. */
static enum vt_err read_locked(struct buf *file, const char *path)
{
	uint64_t until = clock_monotonic_nanos() + WAIT_NANOS;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum vt_err err = VT_OK;
	unsigned long tries = 0;
	int saved;

	while (fd >= 0 && (err = try_lock(fd, LOCK_SH, &tries)) == VT_EBUSY)
		if (clock_monotonic_nanos() > until)
			break;
	/* On a file system without locks it is read all the same: of two slots one is always whole. */
	if (err != VT_EBUSY)
		err = file_read(file, path, MARK_SIZE);
	saved = errno;
	if (fd >= 0)
		(void)close(fd);
	errno = saved;
	return err == VT_ELIMIT ? VT_EMALFORMED : err;
}

enum vt_err mark_read(struct tree_head *out, const char *path, const char *origin)
{
	struct merkle_hasher h;
	struct buf file;
	unsigned which;
	enum vt_err err;

	buf_init(&file);
	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	err = read_locked(&file, path);
	if (err == VT_OK)
		err = slots_parse(out, &which, &h, buf_bytes(&file), origin);
	if (frozen_slot(buf_bytes(&file)) >= 0 && err != VT_ENOMEM)
		err = VT_ECONFLICT;
	buf_release(&file);
	merkle_hasher_release(&h);
	return err;
}

enum vt_err mark_frozen_text(struct buf *out, const char *path)
{
	struct bytes text;
	struct buf file;
	enum vt_err err;
	int slot;

	buf_init(&file);
	if ((err = read_locked(&file, path)) != VT_OK)
		goto done;
	err = VT_ENOTFOUND;
	if ((slot = frozen_slot(buf_bytes(&file))) < 0)
		goto done;
	text = slot_of(buf_bytes(&file), (unsigned)slot);
	while (text.len > 0 && text.data[text.len - 1] == ' ')
		text.len--;
	err = buf_append(out, text);
done:
	buf_release(&file);
	return err;
}

enum vt_err mark_create(const char *path, const char *origin, const struct tree_head *head)
{
	struct merkle_hasher h;
	struct buf file;
	enum vt_err err;

	buf_init(&file);
	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	if ((err = slot_format(&file, &h, origin, head)) == VT_OK &&
	    (err = slot_format(&file, &h, origin, head)) == VT_OK)
		err = durable_create(path, buf_bytes(&file), 0600);
	buf_release(&file);
	merkle_hasher_release(&h);
	return err;
}

/* -- raising --------------------------------------------------------------------------------------- */

static enum vt_err read_file(const struct mark *m, uint8_t file[MARK_SIZE])
{
	for (size_t done = 0; done < MARK_SIZE;) {
		ssize_t n = pread(m->fd, file + done, MARK_SIZE - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VT_EIO;
		done += (size_t)n;
	}
	return VT_OK;
}

static enum vt_err write_slot(const struct mark *m, unsigned which, struct bytes slot)
{
	for (size_t done = 0; done < slot.len;) {
		ssize_t n = pwrite(m->fd, slot.data + done, slot.len - done,
				   (off_t)((size_t)which * MARK_SLOT + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return VT_EIO;
		done += (size_t)n;
	}
	return fdatasync(m->fd) == 0 ? VT_OK : VT_EIO;
}

/* Is the file that we have open still the one that the next start will read? */
static bool in_place(const struct mark *m)
{
	struct stat ours, there;

	return fstat(m->fd, &ours) == 0 && stat(m->path, &there) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

/* Under the file's lock. *wrote: there was something to do. */
static enum vt_err raise_locked(struct mark *m, const struct tree_head *head, bool *wrote)
{
	uint8_t file[MARK_SIZE];
	struct tree_head there;
	struct buf slot;
	unsigned which = 0;
	enum vt_err err;

	buf_init(&slot);
	if (!in_place(m) || (err = read_file(m, file)) != VT_OK) {
		err = VT_EIO;
		goto done;
	}
	if (frozen_slot(bytes_of(file, sizeof(file))) >= 0) {
		err = VT_ECONFLICT;
		goto done;
	}
	err = slots_parse(&there, &which, &m->hasher, bytes_of(file, sizeof(file)), m->origin);
	if (err != VT_OK) {
		err = err == VT_ENOMEM ? err : VT_EIO;
		goto done;
	}
	if (there.size > head->size) /* another process is ahead */
		goto done;
	if (there.size == head->size) {
		err = tree_head_equal(&there, head) ? VT_OK : VT_EMISMATCH;
		goto done;
	}
	*wrote = true;
	if ((err = slot_format(&slot, &m->hasher, m->origin, head)) == VT_OK)
		err = write_slot(m, 1 - which, buf_bytes(&slot));
done:
	buf_release(&slot);
	return err;
}

static void set_trouble(struct mark *m, const char *trouble)
{
	(void)pthread_mutex_lock(&m->lock);
	m->trouble = trouble;
	(void)pthread_mutex_unlock(&m->lock);
}

/*
 * Waits for as long as another process holds it (one that is stopped does so for ever), or until this one is to end: then
 * VT_EBUSY, and nothing that was begun goes out.
 */
static enum vt_err take_lock(struct mark *m)
{
	uint64_t start = clock_monotonic_nanos();
	bool stopping = false, told = false;
	enum vt_err err;
	unsigned long tries = 0;

	while ((err = try_lock(m->fd, LOCK_EX, &tries)) == VT_EBUSY && !stopping) {
		if (!told && clock_monotonic_nanos() - start > 2 * WAIT_NANOS) {
			logline(LOGLINE_WARN,
				"another process holds the high-water mark: nothing is published "
				"until it lets go",
				"file=%s", m->path);
			set_trouble(m, "another process holds the high-water mark");
			told = true;
		}
		(void)pthread_mutex_lock(&m->lock);
		stopping = m->stopping;
		(void)pthread_mutex_unlock(&m->lock);
	}
	if (told && err == VT_OK)
		set_trouble(m, NULL);
	return err;
}

/* Under the file's lock. */
static const char *trouble_with(const struct mark *m)
{
	uint8_t file[MARK_SIZE];

	if (!in_place(m))
		return "the high-water mark was taken away";
	if (read_file(m, file) != VT_OK)
		return "the high-water mark cannot be read";
	return frozen_slot(bytes_of(file, sizeof(file))) < 0
		   ? NULL
		   : "another process has frozen the log, and the high-water mark says so";
}

static void look(struct mark *m)
{
	const char *trouble = "the high-water mark cannot be locked";
	enum vt_err err;

	(void)pthread_mutex_lock(&m->file);
	if ((err = take_lock(m)) == VT_OK) {
		trouble = trouble_with(m);
		(void)flock(m->fd, LOCK_UN);
	}
	(void)pthread_mutex_unlock(&m->file);
	if (err != VT_EBUSY)
		set_trouble(m, trouble);
}

static enum vt_err raise_now(struct mark *m, const struct tree_head *head, bool *wrote)
{
	enum vt_err err;

	(void)pthread_mutex_lock(&m->file);
	if ((err = take_lock(m)) == VT_OK) {
		err = raise_locked(m, head, wrote);
		(void)flock(m->fd, LOCK_UN);
	}
	(void)pthread_mutex_unlock(&m->file);
	return err;
}

/* -- frozen ----------------------------------------------------------------------------------------- */

/* Over the older slot, or the one that says it already. */
static enum vt_err freeze_locked(struct mark *m, struct bytes file, struct bytes text)
{
	uint8_t slot[MARK_SLOT];
	size_t n = text.len < MARK_SLOT - 1 ? text.len : MARK_SLOT - 1;
	struct tree_head newest;
	unsigned which = 1;
	enum vt_err err;

	if (frozen_slot(file) >= 0)
		return VT_OK;
	err = slots_parse(&newest, &which, &m->hasher, file, m->origin);
	if (err == VT_ENOMEM)
		return err;
	memset(slot, ' ', sizeof(slot));
	memcpy(slot, text.data, n);
	return write_slot(m, 1 - which, bytes_of(slot, sizeof(slot)));
}

static enum vt_err thaw_locked(struct mark *m, struct bytes file, struct bytes none)
{
	int frozen = frozen_slot(file);

	(void)none;
	/* Two of the newest: what it took the place of was older. */
	return frozen < 0 ? VT_OK
			  : write_slot(m, (unsigned)frozen, slot_of(file, 1 - (unsigned)frozen));
}

static enum vt_err with_file(struct mark *m, struct bytes text,
			     enum vt_err (*act)(struct mark *m, struct bytes file,
						struct bytes text))
{
	uint8_t file[MARK_SIZE];
	enum vt_err err = VT_EBUSY;
	unsigned long tries = 0;

	/* Whoever calls comes again, and must not wait behind a lock that somebody keeps. */
	if (pthread_mutex_trylock(&m->file) != 0)
		return err;
	if ((err = try_lock(m->fd, LOCK_EX, &tries)) == VT_OK) {
		err = in_place(m) ? read_file(m, file) : VT_EIO;
		if (err == VT_OK)
			err = act(m, bytes_of(file, sizeof(file)), text);
		(void)flock(m->fd, LOCK_UN);
	}
	(void)pthread_mutex_unlock(&m->file);
	return err;
}

enum vt_err mark_freeze(struct mark *m, struct bytes text)
{
	return with_file(m, text, freeze_locked);
}

enum vt_err mark_thaw(struct mark *m)
{
	return with_file(m, bytes_of(NULL, 0), thaw_locked);
}

/* -- the thread --------------------------------------------------------------------------------------- */

static void *mark_main(void *arg)
{
	struct mark *m = arg;

	(void)pthread_mutex_lock(&m->lock);
	for (;;) {
		struct tree_head head;
		bool wrote = false;
		enum vt_err err;

		while (!m->asked && !m->look && !m->stopping)
			(void)pthread_cond_wait(&m->changed, &m->lock);
		if (m->look && !m->asked && !m->stopping) {
			m->look = false;
			(void)pthread_mutex_unlock(&m->lock);
			look(m);
			(void)pthread_mutex_lock(&m->lock);
			continue;
		}
		if (!m->asked || m->err != VT_OK)
			break;
		m->asked = false;
		head = m->wanted;
		(void)pthread_mutex_unlock(&m->lock);
		err = raise_now(m, &head, &wrote);
		(void)pthread_mutex_lock(&m->lock);
		if (err == VT_OK) {
			m->durable = head;
			m->any = true;
		}
		m->err = err;
		m->writes += wrote;
		(void)pthread_cond_broadcast(&m->changed);
		if (m->moved == NULL)
			continue;
		(void)pthread_mutex_unlock(&m->lock);
		m->moved(m->ctx);
		(void)pthread_mutex_lock(&m->lock);
	}
	(void)pthread_mutex_unlock(&m->lock);
	return NULL;
}

enum vt_err mark_open(struct mark **out, const char *path, const char *origin,
		      void (*moved)(void *ctx), void *ctx)
{
	struct mark *m = calloc(1, sizeof(*m));
	enum vt_err err = VT_EIO;

	*out = NULL;
	if (m == NULL)
		return VT_ENOMEM;
	m->fd = -1;
	m->path = path;
	m->origin = origin;
	m->moved = moved;
	m->ctx = ctx;
	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_mutex_init(&m->file, NULL);
	clock_cond_init(&m->changed);
	if ((m->fd = open(path, O_RDWR | O_CLOEXEC)) < 0)
		goto done;
	if ((err = merkle_hasher_init(&m->hasher)) != VT_OK)
		goto done;
	err = VT_ENOMEM;
	if (pthread_create(&m->thread, NULL, mark_main, m) != 0)
		goto done;
	m->has_thread = true;
	*out = m;
	return VT_OK;
done:
	mark_free(m);
	return err;
}

void mark_free(struct mark *m)
{
	if (m == NULL)
		return;
	(void)pthread_mutex_lock(&m->lock);
	m->stopping = true;
	(void)pthread_cond_broadcast(&m->changed);
	(void)pthread_mutex_unlock(&m->lock);
	if (m->has_thread)
		(void)pthread_join(m->thread, NULL);
	if (m->fd >= 0)
		(void)close(m->fd);
	merkle_hasher_release(&m->hasher);
	(void)pthread_mutex_destroy(&m->lock);
	(void)pthread_mutex_destroy(&m->file);
	(void)pthread_cond_destroy(&m->changed);
	free(m);
}

void mark_raise(struct mark *m, const struct tree_head *head)
{
	(void)pthread_mutex_lock(&m->lock);
	if (!m->begun || head->size > m->wanted.size) {
		m->wanted = *head;
		m->begun = true;
		m->asked = true;
		(void)pthread_cond_broadcast(&m->changed);
	}
	(void)pthread_mutex_unlock(&m->lock);
}

void mark_look(struct mark *m)
{
	(void)pthread_mutex_lock(&m->lock);
	m->look = true;
	(void)pthread_cond_broadcast(&m->changed);
	(void)pthread_mutex_unlock(&m->lock);
}

enum vt_err mark_wait(struct mark *m, uint64_t size)
{
	uint64_t until = clock_monotonic_nanos() + WAIT_NANOS;
	struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	enum vt_err err;
	int late = 0;

	(void)pthread_mutex_lock(&m->lock);
	while (m->err == VT_OK && (!m->any || m->durable.size < size) && late == 0)
		late = pthread_cond_timedwait(&m->changed, &m->lock, &at);
	err = m->any && m->durable.size >= size ? VT_OK : m->err != VT_OK ? m->err : VT_EBUSY;
	(void)pthread_mutex_unlock(&m->lock);
	return err;
}

enum vt_err mark_durable(struct mark *m, struct tree_head *out)
{
	enum vt_err err;

	(void)pthread_mutex_lock(&m->lock);
	err = m->err != VT_OK ? m->err : m->any ? VT_OK : VT_ENOTFOUND;
	*out = m->durable;
	(void)pthread_mutex_unlock(&m->lock);
	return err;
}

void mark_stats(struct mark *m, struct mark_stats *out)
{
	(void)pthread_mutex_lock(&m->lock);
	out->size = m->durable.size;
	out->writes = m->writes;
	out->trouble = m->trouble;
	(void)pthread_mutex_unlock(&m->lock);
}
