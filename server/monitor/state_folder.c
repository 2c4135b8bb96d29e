/*
 * Makes the state folder of a monitor, adds logs to it and takes them away, and refuses one in which something is missing.
 *
 * What a crash leaves of these acts:
 *	init	`unfinished` and no logs.list: no monitor runs on that, and init begins again
 *	add	the log's folder without its line in logs.list: no monitor follows it, and add takes up what is there
 *	remove	the line is there or not
 */
#include "state_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "durable.h"
#include "files.h"
#include "logline.h"

enum {
	LIST_MAX = 1 << 20,
	ID_DIGITS = 16,
	SHOWN_MAX = 400, /* of a vkey or a name, quoted */
};

static const char *const folders[] = {"logs", "evidence", "alerts", "gossip"};

/* -- words ---------------------------------------------------------------------------------------- */

#define IF_IT_HAS_RUN                                                                              \
	"if this monitor has run before, mount its folder or put it back; a new one is made by "   \
	"`vitrine monitor init`"

static enum vt_err refuse_state(char why[MONITOR_WHY_MAX], enum vt_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum vt_err refuse_state(char why[MONITOR_WHY_MAX], enum vt_err err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, MONITOR_WHY_MAX, fmt, args);
	va_end(args);
	return err;
}

/* The system's reason for a file, or what the error stands for. */
static enum vt_err refuse_file(char why[MONITOR_WHY_MAX], enum vt_err err, const char *name)
{
	return refuse_state(why, err, "%s: %s", name,
			    err == VT_EIO && errno != 0 ? strerror(errno) : vt_err_text(err));
}

static const char *show_vkey(char out[SHOWN_MAX], const struct vkey *key)
{
	struct buf text;

	buf_init(&text);
	if (vkey_format(&text, key) == VT_OK)
		problem_quote(out, SHOWN_MAX, buf_bytes(&text));
	else
		snprintf(out, SHOWN_MAX, "(no vkey)");
	buf_release(&text);
	return out;
}

/* -- names ---------------------------------------------------------------------------------------- */

enum vt_err state_folder_of_log(char out[STATE_FOLDER_PATH_MAX], const char *dir,
				const struct vkey *key)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct merkle_hasher h;
	struct merkle_hash hash;
	struct bytes text;
	struct buf vkey;
	enum vt_err err;

	buf_init(&vkey);
	if ((err = vkey_format(&vkey, key)) != VT_OK || (err = merkle_hasher_init(&h)) != VT_OK)
		goto done;
	text = buf_bytes(&vkey);
	err = merkle_sha256(&hash, &h, &text, 1);
	merkle_hasher_release(&h);
	if (err != VT_OK)
		goto done;
	hex_encode(hex, bytes_of(hash.b, MERKLE_HASH_SIZE));
	if (snprintf(out, STATE_FOLDER_PATH_MAX, "%s/logs/%.*s", dir, ID_DIGITS, hex) >=
	    STATE_FOLDER_PATH_MAX)
		err = VT_ELIMIT;
done:
	buf_release(&vkey);
	return err;
}

static bool is_there(const char *dir, const char *name)
{
	char path[STATE_FOLDER_PATH_MAX];

	return path_in(path, dir, name) == VT_OK && access(path, F_OK) == 0;
}

/* -- the list ------------------------------------------------------------------------------------- */

/* Cut the next line off a list, and read the vkey in it. VT_EMALFORMED: it is none, or the line does not end. */
static enum vt_err next_key(struct bytes *rest, struct bytes *line, struct vkey *key)
{
	const uint8_t *end = memchr(rest->data, '\n', rest->len);
	size_t len = end != NULL ? (size_t)(end - rest->data) : rest->len;

	*line = bytes_of(rest->data, len);
	if (end == NULL)
		return VT_EMALFORMED;
	*rest = bytes_of(end + 1, rest->len - len - 1);
	return vkey_parse(key, *line);
}

/* The line of this key, with its newline; empty: there is none. */
static struct bytes line_of(const struct state_folder *s, const struct vkey *key)
{
	struct bytes rest = buf_bytes(&s->list), line;
	struct vkey listed;

	while (rest.len > 0 && next_key(&rest, &line, &listed) == VT_OK)
		if (vkey_equal(&listed, key))
			return bytes_of(line.data, line.len + 1);
	return bytes_of(NULL, 0);
}

static enum vt_err append_key(struct buf *list, const struct vkey *key)
{
	enum vt_err err = vkey_format(list, key);

	return err != VT_OK ? err : buf_append_byte(list, '\n');
}

/* Each line is a vkey, and the last one ends. */
static bool is_list(struct bytes text)
{
	struct bytes line;
	struct vkey key;

	while (text.len > 0)
		if (next_key(&text, &line, &key) != VT_OK)
			return false;
	return true;
}

static enum vt_err write_list(struct state_folder *s, char why[MONITOR_WHY_MAX])
{
	char path[STATE_FOLDER_PATH_MAX];
	enum vt_err err;

	errno = 0;
	if ((err = path_in(path, s->dir, "logs.list")) != VT_OK ||
	    (err = durable_write(path, buf_bytes(&s->list), 0600)) != VT_OK)
		return refuse_file(why, err, "logs.list");
	s->adopted = false;
	return VT_OK;
}

/*
 * A folder from before there was a list: a log counts as added if its state is there.
 */
struct log_adoption {
	struct state_folder *s;
	const char *logs;
	char *why;
};

static enum vt_err adopt_log(void *ctx, const char *id)
{
	const struct log_adoption *adoption = ctx;
	char folder[STATE_FOLDER_PATH_MAX], path[STATE_FOLDER_PATH_MAX];
	struct buf *list = &adoption->s->list;
	struct log_state state;
	enum vt_err err;

	if (id[0] == '.')
		return VT_OK;
	log_state_init(&state);
	if ((err = path_in(folder, adoption->logs, id)) == VT_OK &&
	    (err = path_in(path, folder, "state")) == VT_OK)
		err = log_state_read(&state, path);
	if (err == VT_OK && (err = buf_append(list, buf_bytes(&state.vkey))) == VT_OK)
		err = buf_append_byte(list, '\n');
	else if (err == VT_ENOTFOUND)
		err = VT_OK;
	log_state_release(&state);
	return err == VT_OK ? VT_OK
			    : refuse_state(adoption->why, err, "logs/%s/state: %s", id,
					   err == VT_EMISMATCH ? "damaged" : vt_err_text(err));
}

static enum vt_err adopt_logs(struct state_folder *s, char why[MONITOR_WHY_MAX])
{
	char logs[STATE_FOLDER_PATH_MAX];
	struct log_adoption adoption = {s, logs, why};
	enum vt_err err;

	if ((err = path_in(logs, s->dir, "logs")) == VT_OK && is_there(s->dir, "logs"))
		err = folder_each(logs, adopt_log, &adoption);
	if (err != VT_OK)
		return why[0] != '\0' ? err : refuse_file(why, err, "logs");
	if (s->list.len == 0)
		err = refuse_state(
		    why, VT_ENOTFOUND,
		    "no monitor's state is in it (logs.list is missing); " IF_IT_HAS_RUN);
	s->adopted = err == VT_OK;
	return err;
}

static enum vt_err read_list(struct state_folder *s, char why[MONITOR_WHY_MAX])
{
	char path[STATE_FOLDER_PATH_MAX];
	enum vt_err err;

	buf_reset(&s->list);
	errno = 0;
	if ((err = path_in(path, s->dir, "logs.list")) == VT_OK)
		err = file_read(&s->list, path, LIST_MAX);
	if (err == VT_ENOTFOUND && folder_unfinished(s->dir))
		return refuse_state(why, VT_ENOTFOUND,
				    "it was not made to the end: run `vitrine monitor init` again");
	if (err == VT_ENOTFOUND)
		return adopt_logs(s, why);
	if (err != VT_OK)
		return refuse_file(why, err, "logs.list");
	return is_list(buf_bytes(&s->list))
		   ? VT_OK
		   : refuse_state(
			 why, VT_EMISMATCH,
			 "logs.list is damaged: each line is the vkey of a log that this state "
			 "was made for");
}

/* -- opening -------------------------------------------------------------------------------------- */

/* One process for a folder: two would undo each other's files. */
static enum vt_err lock_folder(struct state_folder *s, char why[MONITOR_WHY_MAX])
{
	char path[STATE_FOLDER_PATH_MAX];
	enum vt_err err;

	if ((err = path_in(path, s->dir, "lock")) != VT_OK)
		return refuse_file(why, err, "lock");
	if ((s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return refuse_file(why, VT_EIO, "lock");
	if (flock(s->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return VT_OK;
	return refuse_state(why, VT_EBUSY, "another monitor has the folder %s", s->dir);
}

/*
 * Who changes logs.list waits for each other, and not for the monitor that runs: it reads the list at its start, and when its policy is
 * exchanged. *fd is to be closed.
 */
static enum vt_err lock_list(int *fd, const char *dir, char why[MONITOR_WHY_MAX])
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[STATE_FOLDER_PATH_MAX];
	enum vt_err err;

	*fd = -1;
	if ((err = path_in(path, dir, "lock")) != VT_OK)
		return refuse_file(why, err, "lock");
	if ((*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)) >= 0 &&
	    fcntl(*fd, F_OFD_SETLKW, &whole) == 0)
		return VT_OK;
	return refuse_file(why, VT_EIO, "lock");
}

/* What is kept twice is not lost with one of the folders, so there is a way on. */
static const char *what_is_left_of(const char *folder)
{
	if (strcmp(folder, "gossip") == 0)
		return "; if it is lost for good, make it empty: what it had to keep is in "
		       "evidence and heads, too";
	if (strcmp(folder, "evidence") == 0)
		return "; if it is lost for good, make it empty: the evidence is in gossip, too";
	return "";
}

static enum vt_err check_folders(const struct state_folder *s, char why[MONITOR_WHY_MAX])
{
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (!is_there(s->dir, folders[i]))
			return refuse_state(
			    why, VT_ENOTFOUND,
			    "%s/%s is missing, and was there: mount it or put it back%s", s->dir,
			    folders[i], what_is_left_of(folders[i]));
	return VT_OK;
}

static void folder_init(struct state_folder *s, const char *dir)
{
	*s = (struct state_folder){.dir = dir, .lock_fd = -1};
	buf_init(&s->list);
}

static enum vt_err look_into(struct state_folder *s, const char *dir, char why[MONITOR_WHY_MAX])
{
	enum folder_state is;
	enum vt_err err;

	folder_init(s, dir);
	if (folder_look(&is, dir) != VT_OK)
		return refuse_file(why, VT_EIO, "it cannot be read");
	if (is == FOLDER_MISSING)
		return refuse_state(why, VT_ENOTFOUND, "there is no such folder; " IF_IT_HAS_RUN);
	if (is == FOLDER_EMPTY)
		return refuse_state(why, VT_ENOTFOUND,
				    "it is empty: is a volume not mounted? " IF_IT_HAS_RUN);
	return (err = read_list(s, why)) != VT_OK ? err : check_folders(s, why);
}

enum vt_err state_folder_open(struct state_folder *s, const char *dir, char why[MONITOR_WHY_MAX])
{
	enum vt_err err;

	/* Before the lock: a folder of something else stays as it is. After it: as it is now. */
	if ((err = look_into(s, dir, why)) != VT_OK || (err = lock_folder(s, why)) != VT_OK)
		return err;
	return read_list(s, why);
}

void state_folder_close(struct state_folder *s)
{
	if (s->dir == NULL)
		return;
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	buf_release(&s->list);
	*s = (struct state_folder){0};
}

enum vt_err state_folder_check_log(const struct state_folder *s, const struct vkey *key,
				   char why[MONITOR_WHY_MAX])
{
	char folder[STATE_FOLDER_PATH_MAX], shown[SHOWN_MAX];
	enum vt_err err;

	if ((err = state_folder_of_log(folder, s->dir, key)) != VT_OK)
		return refuse_file(why, err, key->name);
	show_vkey(shown, key);
	if (line_of(s, key).len == 0)
		return refuse_state(
		    why, VT_ENOTFOUND,
		    "this state was not made for the log %s: if it has been followed "
		    "here before, this is another folder or an older copy: mount or put "
		    "back the right one; a log that is new here is added by `vitrine "
		    "monitor add --state %s '%s'`",
		    key->name, s->dir, shown);
	if (is_there(folder, "state"))
		return VT_OK;
	return refuse_state(
	    why, VT_ENOTFOUND,
	    "the state of the log %s is missing (%s/state), and was there: mount it or "
	    "put it back. To follow that log from its beginning again, forgetting what "
	    "was seen of it: `vitrine monitor remove --state %s '%s'`, move away what is "
	    "left of its folder, and `vitrine monitor add` with the same",
	    key->name, folder, s->dir, shown);
}

enum vt_err monitor_check_state(const char *dir, char why[MONITOR_WHY_MAX])
{
	struct bytes rest, line;
	struct state_folder s;
	struct vkey key;
	enum vt_err err;

	why[0] = '\0';
	if ((err = look_into(&s, dir, why)) == VT_OK)
		rest = buf_bytes(&s.list);
	while (err == VT_OK && rest.len > 0 && next_key(&rest, &line, &key) == VT_OK)
		err = state_folder_check_log(&s, &key, why);
	state_folder_close(&s);
	return err;
}

/* Does the policy follow the log of this line? */
static bool is_followed(const struct policy *policy, const struct vkey *key)
{
	for (size_t i = 0; i < policy_log_count(policy); i++)
		if (policy_log(policy, i)->url.len > 0 &&
		    vkey_equal(&policy_log(policy, i)->key, key))
			return true;
	return false;
}

static void name_unfollowed(const struct state_folder *s, const struct policy *policy)
{
	struct bytes rest = buf_bytes(&s->list), line;
	char shown[SHOWN_MAX];
	struct vkey key;

	while (rest.len > 0 && next_key(&rest, &line, &key) == VT_OK)
		if (!is_followed(policy, &key))
			logline(LOGLINE_INFO,
				"not in the policy: its state is kept, and it is not followed",
				"log=%s", logline_quote(shown, sizeof(shown), line));
}

enum vt_err state_folder_settle(struct state_folder *s, const struct policy *policy,
				char why[MONITOR_WHY_MAX])
{
	bool adopted = s->adopted;
	enum vt_err err = VT_OK;
	int lock = -1;

	if (adopted && (err = lock_list(&lock, s->dir, why)) == VT_OK &&
	    !is_there(s->dir, "logs.list"))
		err = write_list(s, why);
	if (lock >= 0)
		close(lock);
	if (err != VT_OK)
		return err;
	if (adopted)
		logline(LOGLINE_INFO, "the logs whose state is there are listed in logs.list now",
			"path=%s/logs.list", s->dir);
	name_unfollowed(s, policy);
	return VT_OK;
}

/* -- making and changing -------------------------------------------------------------------------- */

static enum vt_err make_folder(const char *dir, const char *name, char why[MONITOR_WHY_MAX])
{
	char path[STATE_FOLDER_PATH_MAX];
	enum vt_err err;

	errno = 0;
	if ((err = path_in(path, dir, name)) != VT_OK || (err = durable_mkdir(path)) != VT_OK)
		return refuse_file(why, err, name);
	return VT_OK;
}

/* A log of which nothing was seen yet, unless there is a state already: what add was interrupted at, or
 * what remove has left. *size is how far it goes. */
static enum vt_err make_log(const char *dir, const struct vkey *key, uint64_t *size,
			    char why[MONITOR_WHY_MAX])
{
	char folder[STATE_FOLDER_PATH_MAX], path[STATE_FOLDER_PATH_MAX];
	struct log_state state;
	enum vt_err err;

	log_state_init(&state);
	errno = 0;
	if ((err = state_folder_of_log(folder, dir, key)) != VT_OK ||
	    (err = path_in(path, folder, "state")) != VT_OK)
		goto done;
	err = log_state_read(&state, path);
	*size = state.range.size;
	if (err != VT_ENOTFOUND)
		goto done;
	if (is_there(folder, "tiles-0")) {
		err = refuse_state(
		    why, VT_ENOTFOUND,
		    "%s is missing, and the tiles beside it are not: put it back, or move "
		    "the whole "
		    "folder away to forget what was seen of this log",
		    path);
		goto done;
	}
	if ((err = durable_mkdir(folder)) == VT_OK &&
	    (err = vkey_format(&state.vkey, key)) == VT_OK)
		err = log_state_write(&state, path);
done:
	log_state_release(&state);
	if (err != VT_OK && why[0] == '\0')
		refuse_state(why, err, "%s: %s", path,
			     err == VT_EMISMATCH           ? "damaged"
			     : err == VT_EIO && errno != 0 ? strerror(errno)
							   : vt_err_text(err));
	return err;
}

/* Put down that the folder is being made, in one that holds nothing else. */
static enum vt_err begin_making(const char *dir, char why[MONITOR_WHY_MAX])
{
	char path[STATE_FOLDER_PATH_MAX];
	enum folder_state is;
	enum vt_err err;
	int fd;

	errno = 0;
	if (folder_look(&is, dir) != VT_OK)
		return refuse_file(why, VT_EIO, "it cannot be read");
	if (is == FOLDER_FULL && (is_there(dir, "logs.list") || !folder_unfinished(dir)))
		return refuse_state(
		    why, VT_ECONFLICT,
		    "it is not empty: a monitor's state is made once, in a folder of its "
		    "own; `vitrine monitor` goes on with one that is there, `vitrine "
		    "monitor add` adds a log to it");
	errno = 0;
	if (durable_mkdir(dir) != VT_OK)
		return refuse_state(why, VT_EIO, "it cannot be made: %s", strerror(errno));
	if ((err = path_in(path, dir, FOLDER_UNFINISHED)) != VT_OK ||
	    (err = files_open_at_length(&fd, path, 0)) != VT_OK)
		return refuse_file(why, err, FOLDER_UNFINISHED);
	close(fd);
	return (err = files_sync_folder(dir)) == VT_OK ? VT_OK
						       : refuse_file(why, err, FOLDER_UNFINISHED);
}

/* The logs that a monitor with this policy follows. */
static enum vt_err make_logs(struct state_folder *s, const struct policy *policy,
			     char why[MONITOR_WHY_MAX])
{
	uint64_t size;
	enum vt_err err;

	for (size_t i = 0; i < policy_log_count(policy); i++) {
		const struct policy_log *log = policy_log(policy, i);

		if (log->url.len == 0)
			continue;
		if ((err = make_log(s->dir, &log->key, &size, why)) != VT_OK)
			return err;
		if ((err = append_key(&s->list, &log->key)) != VT_OK)
			return refuse_file(why, err, log->key.name);
	}
	return VT_OK;
}

static enum vt_err check_policy(const struct policy *policy, char why[MONITOR_WHY_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < policy_log_count(policy); i++) {
		const struct policy_log *log = policy_log(policy, i);

		n += log->url.len > 0;
		if (log->url.len > 0 && !vkey_verifiable(&log->key))
			return refuse_state(why, VT_EINVAL,
					    "%s: signatures of this type of key cannot be verified",
					    log->key.name);
	}
	return n > 0 ? VT_OK : refuse_state(why, VT_EINVAL, "no log of the policy has a URL");
}

enum vt_err state_folder_check_policy(const char *dir, const struct policy *policy,
				      char why[MONITOR_WHY_MAX])
{
	struct state_folder s;
	enum vt_err err;

	folder_init(&s, dir);
	if ((err = check_policy(policy, why)) == VT_OK)
		err = look_into(&s, dir, why);
	for (size_t i = 0; i < policy_log_count(policy) && err == VT_OK; i++)
		if (policy_log(policy, i)->url.len > 0)
			err = state_folder_check_log(&s, &policy_log(policy, i)->key, why);
	state_folder_close(&s);
	return err;
}

enum vt_err monitor_init(const char *dir, const struct policy *policy, char why[MONITOR_WHY_MAX])
{
	char path[STATE_FOLDER_PATH_MAX];
	struct state_folder s;
	enum vt_err err;

	why[0] = '\0';
	folder_init(&s, dir);
	if ((err = check_policy(policy, why)) != VT_OK || (err = begin_making(dir, why)) != VT_OK ||
	    (err = lock_folder(&s, why)) != VT_OK)
		goto done;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if ((err = make_folder(dir, folders[i], why)) != VT_OK)
			goto done;
	/* Another init may have come to its end before the lock was had here. */
	if (is_there(dir, "logs.list")) {
		err = refuse_state(why, VT_ECONFLICT, "it was made just now by another process");
		goto done;
	}
	if ((err = make_logs(&s, policy, why)) != VT_OK || (err = write_list(&s, why)) != VT_OK)
		goto done;
	/* Beside logs.list it means nothing. */
	if (path_in(path, dir, FOLDER_UNFINISHED) == VT_OK)
		(void)unlink(path);
done:
	state_folder_close(&s);
	return err;
}

enum vt_err monitor_add(const char *dir, const struct vkey *key, uint64_t *size,
			char why[MONITOR_WHY_MAX])
{
	struct state_folder s;
	enum vt_err err;
	int lock = -1;

	why[0] = '\0';
	*size = 0;
	/* As in state_folder_open(), but a monitor may run: it does not follow what is not in the list. */
	if ((err = look_into(&s, dir, why)) != VT_OK ||
	    (err = lock_list(&lock, dir, why)) != VT_OK || (err = read_list(&s, why)) != VT_OK)
		goto done;
	if (!vkey_verifiable(key))
		err = refuse_state(why, VT_EINVAL,
				   "%s: signatures of this type of key cannot be verified",
				   key->name);
	else if (line_of(&s, key).len > 0)
		err = refuse_state(why, VT_ECONFLICT, "%s was added before", key->name);
	else if ((err = make_log(dir, key, size, why)) == VT_OK)
		err = append_key(&s.list, key) != VT_OK ? refuse_file(why, VT_ENOMEM, key->name)
							: write_list(&s, why);
done:
	if (lock >= 0)
		close(lock);
	state_folder_close(&s);
	return err;
}

enum vt_err monitor_remove(const char *dir, const struct vkey *key, char why[MONITOR_WHY_MAX])
{
	struct state_folder s;
	struct bytes line;
	size_t after;
	enum vt_err err;
	int lock = -1;

	why[0] = '\0';
	if ((err = state_folder_open(&s, dir, why)) != VT_OK ||
	    (err = lock_list(&lock, dir, why)) != VT_OK || (err = read_list(&s, why)) != VT_OK)
		goto done;
	if ((line = line_of(&s, key)).len == 0) {
		err = refuse_state(why, VT_ECONFLICT, "%s is no log of this state", key->name);
		goto done;
	}
	after = s.list.len - (size_t)(line.data - s.list.data) - line.len;
	memmove(s.list.data + (line.data - s.list.data), line.data + line.len, after);
	s.list.len -= line.len;
	err = write_list(&s, why);
done:
	if (lock >= 0)
		close(lock);
	state_folder_close(&s);
	return err;
}
