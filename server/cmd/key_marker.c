/* A key that has made a log or a witness is told by the marker beside it. */
#include "key_marker.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "cmd.h"
#include "durable.h"

#define SUFFIX ".made"

enum {
	MARKER_MAX = 3 * PATH_MAX,
	KEYID_TEXT = 2 * MERKLE_HASH_SIZE + 1,
};

static void keyid_of(char out[KEYID_TEXT], const struct signer *key)
{
	hex_encode(out, bytes_of(party_key_id(signer_public(key))->b, MERKLE_HASH_SIZE));
}

/* The value of the line "NAME VALUE", or "?". */
static int value_of(const char **value, const char *text, const char *name)
{
	const size_t len = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, len) == 0 && line[len] == ' ') {
			*value = line + len + 1;
			return (int)strcspn(*value, "\n");
		}
	}
	*value = "?";
	return 1;
}

static int refuse_made(const struct key_marker *m, const char *path, const char *text)
{
	const char *vkey, *folder, *time, *kind = "log";
	int vkey_len = value_of(&vkey, text, kind), folder_len = value_of(&folder, text, "folder"),
	    time_len = value_of(&time, text, "made");

	if (vkey[0] == '?')
		vkey_len = value_of(&vkey, text, kind = "witness");
	return cmd_fail(
	    m->command, CMD_USAGE,
	    "this key has made a %s already: %.*s, in %.*s, at %.*s, as %s says. A key makes "
	    "one, once. If that folder is lost or not mounted, mount it or put it back; for a new "
	    "%s use a new key",
	    kind, vkey_len, vkey, folder_len, folder, time_len, time, path, m->kind);
}

/* Is this file a marker of the key? CMD_HOLDS: no. */
static int look_at(const struct key_marker *m, const char *path)
{
	char keyid[KEYID_TEXT];
	const char *value;
	struct buf file;
	char *text;
	enum vt_err err;
	int code = CMD_HOLDS;

	buf_init(&file);
	if ((err = file_read(&file, path, MARKER_MAX)) == VT_ENOTFOUND || err == VT_ELIMIT ||
	    (err == VT_EIO && errno == ENAMETOOLONG))
		return CMD_HOLDS; /* not there, or nothing of ours */
	if (err != VT_OK || (text = buf_detach_str(&file)) == NULL) {
		buf_release(&file);
		return cmd_fail(m->command, CMD_UNSURE,
				"%s: it cannot be read, so what this key has made is not known: %s",
				path, err == VT_EIO ? strerror(errno) : "out of memory");
	}
	keyid_of(keyid, m->key);
	if (value_of(&value, text, "keyid") == (int)strlen(keyid) &&
	    strncmp(value, keyid, strlen(keyid)) == 0)
		code = refuse_made(m, path, text);
	free(text);
	return code;
}

struct folder_search {
	const struct key_marker *m;
	const char *folder;
	bool began; /* it has given a name */
	int code;
};

static enum vt_err look_at_name(void *ctx, const char *name)
{
	struct folder_search *look = ctx;
	const size_t len = strlen(name);
	char path[PATH_MAX];

	look->began = true;
	if (len > strlen(SUFFIX) && strcmp(name + len - strlen(SUFFIX), SUFFIX) == 0 &&
	    snprintf(path, sizeof(path), "%s/%s", look->folder, name) < (int)sizeof(path))
		look->code = look_at(look->m, path);
	return look->code == CMD_HOLDS ? VT_OK : VT_ECONFLICT;
}

/* Every marker in a folder: the key may have been copied or renamed in it. */
static int look_in_folder(const struct key_marker *m, const char *folder)
{
	struct folder_search look = {m, folder, false, CMD_HOLDS};
	enum vt_err err = folder_each(folder, look_at_name, &look);

	/* One may use a key and not list its folder. */
	if (err == VT_OK || look.code != CMD_HOLDS || (errno == EACCES && !look.began))
		return look.code;
	return cmd_fail(m->command, CMD_UNSURE, "%s: %s", folder, strerror(errno));
}

/* The real path of a file that may be missing: its folder must be there. */
static bool real_path(char out[PATH_MAX], const char *path)
{
	char copy[PATH_MAX], name[PATH_MAX], folder[PATH_MAX];

	if (realpath(path, out) != NULL)
		return true;
	if (errno != ENOENT || strlen(path) >= sizeof(copy))
		return false;
	(void)snprintf(copy, sizeof(copy), "%s", path);
	(void)snprintf(name, sizeof(name), "%s", basename(copy));
	(void)snprintf(copy, sizeof(copy), "%s", path);
	return realpath(dirname(copy), folder) != NULL &&
	       snprintf(out, PATH_MAX, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name) <
		   PATH_MAX;
}

/* Do we come by the folder `top` on the way up from a file? By device and inode: symbolic links and bind mounts do not hide it. */
static bool lies_in(const char *real, const char *top)
{
	struct stat there, here;
	char path[PATH_MAX];

	if (stat(top, &there) != 0)
		return false;
	(void)snprintf(path, sizeof(path), "%s", real);
	for (char *slash; (slash = strrchr(path, '/')) != NULL;) {
		*slash = '\0';
		if (stat(slash == path ? "/" : path, &here) == 0 && here.st_dev == there.st_dev &&
		    here.st_ino == there.st_ino)
			return true;
	}
	return false;
}

/* Where the key really is. A key with several names may have its marker beside another one of them. */
static int beside_key(char out[PATH_MAX], const struct key_marker *m, const char *key_path)
{
	struct stat st;

	if (!real_path(out, key_path))
		return cmd_fail(m->command, CMD_UNSURE, "%s: %s", key_path, strerror(errno));
	if (stat(out, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1)
		return cmd_fail(
		    m->command, CMD_USAGE,
		    "%s: this file has %ju names (hard links), and what the key has made "
		    "may be written beside another one. Keep one name",
		    out, (uintmax_t)st.st_nlink);
	return CMD_HOLDS;
}

/* Nothing may be there: a file that is not this key's marker says that somebody meant something by it. */
static int must_be_free(const struct key_marker *m, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	int code;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	if ((code = look_in_folder(m, dirname(folder))) != CMD_HOLDS ||
	    (code = look_at(m, path)) != CMD_HOLDS)
		return code;
	return lstat(path, &st) != 0
		   ? CMD_HOLDS
		   : cmd_fail(
			 m->command, CMD_USAGE,
			 "%s is there already, so the key may be in use, although this is not its "
			 "marker. Only if the key has made nothing: move the file away",
			 path);
}

int key_marker_look(struct key_marker *m, const char *key_path, const char *given)
{
	char beside[PATH_MAX];
	int code = beside_key(beside, m, key_path);
	size_t len;

	if (code != CMD_HOLDS)
		return code;
	len = strlen(beside);
	if (snprintf(beside + len, sizeof(beside) - len, SUFFIX) >= (int)(sizeof(beside) - len))
		return cmd_fail(m->command, CMD_USAGE, "%s: the name is too long", key_path);
	if ((code = must_be_free(m, beside)) != CMD_HOLDS)
		return code;
	(void)snprintf(m->path, sizeof(m->path), "%s", beside);
	if (given != NULL && !real_path(m->path, given))
		return cmd_fail(m->command, CMD_USAGE, "--marker %s: %s", given, strerror(errno));
	if (lies_in(m->path, m->folder))
		return cmd_fail(
		    m->command, CMD_USAGE,
		    "%s lies in --%s %s: whoever deletes that folder would delete with it what "
		    "says that the key is used. %s a place outside it",
		    m->path, m->option, m->folder,
		    given != NULL ? "Name" : "Keep the key, or with --marker FILE its marker, in");
	return given != NULL ? must_be_free(m, m->path) : CMD_HOLDS;
}

/* A path or name as one line. */
static enum vt_err append_line(struct buf *out, const char *name, const char *value)
{
	enum vt_err err = buf_appendf(out, "%s ", name);

	for (; err == VT_OK && *value != '\0'; value++)
		err = buf_append_byte(out, *value == '\n' ? '?' : (uint8_t)*value);
	return err == VT_OK ? buf_append_byte(out, '\n') : err;
}

static bool cannot_be_here(int reason)
{
	return reason == EROFS || reason == EACCES || reason == EPERM;
}

int key_marker_write(const struct key_marker *m, const char *vkey)
{
	char time[CLOCK_RFC3339_SIZE], keyid[KEYID_TEXT], real[PATH_MAX];
	struct buf text;
	enum vt_err err;
	int code = CMD_HOLDS;

	clock_format_rfc3339(time, clock_unix());
	keyid_of(keyid, m->key);
	buf_init(&text);
	err = buf_appendf(&text,
			  "This key has made the %s below. It must never make another one: keep "
			  "this file beside the key.\n",
			  m->kind);
	if (err != VT_OK || (err = append_line(&text, m->kind, vkey)) != VT_OK ||
	    (err = append_line(&text, "keyid", keyid)) != VT_OK ||
	    (err = append_line(&text, "folder", real_path(real, m->folder) ? real : m->folder)) !=
		VT_OK ||
	    (err = append_line(&text, "made", time)) != VT_OK)
		code = cmd_fail(m->command, CMD_UNSURE, "%s", vt_err_text(err));
	else if ((err = durable_create(m->path, buf_bytes(&text), 0644)) == VT_ECONFLICT)
		code = cmd_fail(m->command, CMD_USAGE, "%s was made by another process meanwhile",
				m->path);
	else if (err != VT_OK)
		code =
		    cmd_fail(m->command, cannot_be_here(errno) ? CMD_USAGE : CMD_UNSURE,
			     "%s cannot be written (%s): it says that the key is used, so that no "
			     "second %s is made with it. Name a place for it that lasts as long "
			     "as the key, outside --%s, by --marker FILE",
			     m->path, strerror(errno), m->kind, m->option);
	buf_release(&text);
	return code;
}

void key_marker_undo(const struct key_marker *m)
{
	(void)unlink(m->path);
}
