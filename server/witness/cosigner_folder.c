/*
 * The state folder as a whole: made once, added to, and looked at before anything in it is believed.
 *
 * Every log has its file from the day on which the witness was given the log, if only to say that nothing was cosigned for it. So a
 * file or a folder that is missing was lost, and is never taken for a log that is new.
 */
#include "cosigner_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "durable.h"
#include "logline.h"

enum { LIST_MAX = POLICY_SIZE_MAX };

static enum vt_err hash_of(char out[COSIGNED_HASH_TEXT], const char *origin)
{
	struct merkle_hash hash;
	enum vt_err err = cosigner_hash(&hash, bytes_str(origin));

	if (err == VT_OK)
		hex_encode(out, bytes_of(hash.b, sizeof(hash.b)));
	return err;
}

static enum vt_err fail_with(char why[COSIGNER_WHY_MAX], enum vt_err err, const char *what)
{
	(void)snprintf(why, COSIGNER_WHY_MAX, "%s: %s", what,
		       err == VT_EIO ? strerror(errno) : vt_err_text(err));
	return err;
}

enum vt_err cosigner_folder_check(const char *path, char why[COSIGNER_WHY_MAX])
{
	char vkey[PATH_MAX];
	enum folder_state is;

	why[0] = '\0';
	if (path_in(vkey, path, "vkey") != VT_OK ||
	    strlen(path) + COSIGNED_HASH_TEXT + 16 > PATH_MAX) {
		(void)snprintf(why, COSIGNER_WHY_MAX, "the name is too long");
		return VT_EINVAL;
	}
	if (folder_look(&is, path) != VT_OK)
		return fail_with(why, VT_EIO, "it cannot be read");
	if (is == FOLDER_FULL && !folder_unfinished(path) && access(vkey, F_OK) == 0)
		return VT_OK;
	(void)snprintf(why, COSIGNER_WHY_MAX, "%s",
		       is == FOLDER_MISSING ? "there is no such folder"
		       : folder_unfinished(path)
			   ? "it was not made to the end; repeat `vitrine witness init`"
		       : is == FOLDER_EMPTY ? "there is no witness's state in it (it is empty)"
					    : "there is no witness's state in it (no file vkey)");
	return VT_ENOTFOUND;
}

enum vt_err cosigner_folder_in_place(const struct cosigner *c)
{
	struct stat opened, named;

	if (fstat(c->lock_fd, &opened) == 0 && stat(c->folder, &named) == 0 &&
	    opened.st_dev == named.st_dev && opened.st_ino == named.st_ino)
		return VT_OK;
	logline(LOGLINE_ERROR, "the state folder was taken away: nothing new is cosigned",
		"folder=%s", c->folder);
	return VT_EIO;
}

enum vt_err cosigner_writable(struct cosigner *c, char why[COSIGNER_WHY_MAX])
{
	char path[PATH_MAX];

	if (cosigner_folder_in_place(c) != VT_OK) {
		(void)snprintf(why, COSIGNER_WHY_MAX, "the state folder was taken away");
		return VT_EIO;
	}
	if (path_in(path, c->folder, "vkey") == VT_OK && durable_probe(&c->probe, path) == VT_OK)
		return VT_OK;
	(void)snprintf(why, COSIGNER_WHY_MAX, "no file can be written in %.300s: %s", c->folder,
		       strerror(errno));
	return VT_EIO;
}

/* -- the list of logs that were given to the witness --------------------------------------------------- */

/* As a whole line. */
static bool lists(struct bytes list, const char *origin)
{
	const size_t len = strlen(origin);

	for (size_t at = 0; at < list.len;) {
		const uint8_t *line = list.data + at, *end = memchr(line, '\n', list.len - at);
		const size_t n = end != NULL ? (size_t)(end - line) : list.len - at;

		if (n == len && memcmp(line, origin, len) == 0)
			return true;
		at += n + 1;
	}
	return false;
}

static enum vt_err list_read(struct buf *list, const char *folder)
{
	char path[PATH_MAX];
	enum vt_err err =
	    path_in(path, folder, "logs") == VT_OK ? file_read(list, path, LIST_MAX) : VT_EIO;

	return err == VT_ENOTFOUND ? VT_OK : err;
}

static enum vt_err list_write(const struct buf *list, const char *folder)
{
	char path[PATH_MAX];

	return path_in(path, folder, "logs") == VT_OK ? durable_write(path, buf_bytes(list), 0644)
						      : VT_EIO;
}

enum vt_err cosigner_list_upgrade(const struct cosigner *c)
{
	char path[PATH_MAX];
	struct buf list;
	enum vt_err err = VT_OK;

	if (path_in(path, c->folder, "logs") != VT_OK || access(path, F_OK) == 0)
		return VT_OK;
	buf_init(&list);
	for (size_t i = 0; i < c->n && err == VT_OK; i++)
		if (c->origin[i]->name != NULL)
			err = buf_appendf(&list, "%s\n", c->origin[i]->name);
	if (err == VT_OK)
		err = list_write(&list, c->folder);
	buf_release(&list);
	return err;
}

static bool is_hash(const char *name)
{
	return strlen(name) == COSIGNED_HASH_TEXT - 1 &&
	       strspn(name, "0123456789abcdef") == COSIGNED_HASH_TEXT - 1;
}

struct list_making {
	struct buf *list;
	const char *folder;
	struct vkey by;
	char *why;
};

/* What this file is of, into the list. Nothing: it was given and nothing was cosigned yet, and does not say its name. */
static enum vt_err list_found(void *ctx, const char *name)
{
	const struct list_making *making = ctx;
	struct cosigned s;
	enum vt_err err;

	if (!is_hash(name))
		return VT_OK;
	cosigned_init(&s);
	if ((err = cosigned_read(&s, making->folder, name, &(struct vkey_set){NULL, 0}, &making->by,
				 making->why)) == VT_OK &&
	    s.origin != NULL)
		err = buf_appendf(making->list, "%s\n", s.origin);
	cosigned_release(&s);
	return err;
}

/* A folder without a list, as an earlier version leaves it: all that it has files of were given before. Else the first log
 * that is added would make a list of itself alone. */
static enum vt_err list_from_files(struct buf *list, const char *folder, char why[COSIGNER_WHY_MAX])
{
	struct list_making making = {.list = list, .folder = folder, .why = why};
	struct buf text;
	char path[PATH_MAX];
	enum vt_err err;

	buf_init(&text);
	why[0] = '\0';
	if ((err = path_in(path, folder, "vkey") == VT_OK ? file_read(&text, path, 4096)
							  : VT_EIO) == VT_OK &&
	    (err = text.len == 0
		       ? VT_EMALFORMED
		       : vkey_parse(&making.by, bytes_of(text.data, text.len - 1))) == VT_OK)
		err = folder_each(folder, list_found, &making);
	if (err != VT_OK && why[0] == '\0')
		(void)fail_with(why, err, "its list of logs is missing, and cannot be made");
	buf_release(&text);
	return err;
}

/* -- making, and adding to ------------------------------------------------------------------------- */

static enum vt_err make_logs(const char *folder, const struct policy *policy)
{
	char hash[COSIGNED_HASH_TEXT];
	struct buf list;
	enum vt_err err = VT_OK;

	buf_init(&list);
	for (size_t i = 0; i < policy_log_count(policy) && err == VT_OK; i++) {
		const char *origin = policy_log(policy, i)->key.name;

		if (lists(buf_bytes(&list), origin))
			continue; /* another key of the same log */
		if ((err = hash_of(hash, origin)) == VT_OK &&
		    (err = cosigned_create(folder, hash)) == VT_OK)
			err = buf_appendf(&list, "%s\n", origin);
	}
	if (err == VT_OK)
		err = list_write(&list, folder);
	buf_release(&list);
	return err;
}

/* Last of all, for the folder is a witness's from then on. */
static enum vt_err make_vkey(const char *folder, const struct vkey *key)
{
	char path[PATH_MAX];
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	if ((err = vkey_format(&text, key)) == VT_OK &&
	    (err = buf_append_byte(&text, '\n')) == VT_OK)
		err = path_in(path, folder, "vkey") == VT_OK
			  ? durable_create(path, buf_bytes(&text), 0644)
			  : VT_EIO;
	buf_release(&text);
	return err;
}

enum vt_err cosigner_create(const char *path, const struct vkey *key, const struct policy *policy,
			    char why[COSIGNER_WHY_MAX])
{
	enum folder_state is;
	enum vt_err err = cosigner_folder_check(path, why);

	if (err == VT_EINVAL || err == VT_EIO)
		return err;
	if (folder_look(&is, path) != VT_OK || (is == FOLDER_FULL && !folder_unfinished(path))) {
		(void)snprintf(why, COSIGNER_WHY_MAX,
			       "it is not empty; a witness wants a folder of its own");
		return VT_ECONFLICT;
	}
	return (err = durable_mkdir(path)) == VT_OK && (err = make_logs(path, policy)) == VT_OK &&
		       (err = make_vkey(path, key)) == VT_OK
		   ? VT_OK
		   : fail_with(why, err, "it cannot be written");
}

/* The log's file before its line, so that a crash in between lets the same be done again. */
static enum vt_err add_log(const char *folder, const char *origin, char why[COSIGNER_WHY_MAX])
{
	char hash[COSIGNED_HASH_TEXT], path[PATH_MAX];
	struct buf list;
	enum vt_err err;
	bool there;

	buf_init(&list);
	if ((err = hash_of(hash, origin)) != VT_OK || (err = list_read(&list, folder)) != VT_OK) {
		(void)fail_with(why, err, "its list of logs");
		goto done;
	}
	if (path_in(path, folder, "logs") == VT_OK && access(path, F_OK) != 0 &&
	    (err = list_from_files(&list, folder, why)) != VT_OK)
		goto done;
	there = path_in(path, folder, hash) == VT_OK && access(path, F_OK) == 0;
	if (lists(buf_bytes(&list), origin)) {
		(void)snprintf(why, COSIGNER_WHY_MAX, "%s was added before%s", origin,
			       there ? ""
				     : ", and its file is lost: what was cosigned for it is not "
				       "known, so nothing more may be");
		err = VT_ECONFLICT;
		goto done;
	}
	if ((!there && (err = cosigned_create(folder, hash)) != VT_OK) ||
	    (err = buf_appendf(&list, "%s\n", origin)) != VT_OK ||
	    (err = list_write(&list, folder)) != VT_OK)
		(void)fail_with(why, err, "it cannot be written");
done:
	buf_release(&list);
	return err;
}

enum vt_err cosigner_add(const char *path, const char *origin, char why[COSIGNER_WHY_MAX])
{
	char vkey[PATH_MAX];
	enum vt_err err = cosigner_folder_check(path, why);
	int lock;

	if (err != VT_OK)
		return err;
	/* The folder's own lock is the running witness's. This one puts those in order who add. */
	(void)path_in(vkey, path, "vkey");
	if ((lock = open(vkey, O_RDONLY | O_CLOEXEC)) < 0)
		return fail_with(why, VT_EIO, "vkey");
	err = flock(lock, LOCK_EX) == 0 ? add_log(path, origin, why)
					: fail_with(why, VT_EIO, "vkey cannot be locked");
	(void)close(lock);
	return err;
}
