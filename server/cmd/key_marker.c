/* One key makes one log or one witness: what it has begun and made is told by the marker beside it and by a file in the new folder. */
#include "key_marker.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
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

/* -- what a marker says ------------------------------------------------------------------------------- */

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

static bool says(const char *text, const char *name, const char *value)
{
	const char *there;
	int len = value_of(&there, text, name);

	return len == (int)strlen(value) && strncmp(there, value, (size_t)len) == 0;
}

static bool is_of_key(const struct key_marker *m, const char *text)
{
	char keyid[KEYID_TEXT];

	keyid_of(keyid, m->key);
	return says(text, "keyid", keyid);
}

static int refuse_used(const struct key_marker *m, const char *path, const char *text)
{
	const char *vkey, *folder, *time, *kind = "log";
	int vkey_len = value_of(&vkey, text, kind), folder_len = value_of(&folder, text, "folder"),
	    time_len = value_of(&time, text, "made");
	bool made = time[0] != '?';

	if (vkey[0] == '?')
		vkey_len = value_of(&vkey, text, kind = "witness");
	if (!made)
		time_len = value_of(&time, text, "begun");
	return cmd_fail(
	    m->command, CMD_USAGE,
	    made
		? "this key has made a %s already: %.*s, in %.*s, at %.*s, as %s says. A key makes "
		  "one, once. If that folder is lost or not mounted, mount it or put it back; for "
		  "a new %s use a new key"
		: "with this key a %s was begun, which was not made to the end: %.*s, in %.*s, at "
		  "%.*s, as %s says. Mount that folder and repeat the same command. Only if it is "
		  "gone for good: remove that file; no %s was made, and nothing was signed",
	    kind, vkey_len, vkey, folder_len, folder, time_len, time, path, made ? m->kind : kind);
}

/* A marker of this key. If it speaks of what was left in the folder, that is made to the end. */
static int judge_marker(struct key_marker *m, const char *path, const char *text)
{
	const char *made;

	if (m->left == NULL || strncmp(text, m->left, strlen(m->left)) != 0 ||
	    !says(text, m->kind, m->vkey))
		return refuse_used(m, path, text);
	if (path != m->path)
		(void)snprintf(m->path, sizeof(m->path), "%s", path);
	(void)value_of(&made, text, "made");
	m->marked = true;
	m->made = made[0] != '?';
	return CMD_HOLDS;
}

/* A small text file, new. *out is NULL: there is none, or what is there is no such file. */
static int read_text(char **out, const struct key_marker *m, const char *path)
{
	struct stat st;
	struct buf file;
	enum vt_err err = VT_OK;

	*out = NULL;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return CMD_HOLDS; /* a FIFO would never end */
	buf_init(&file);
	if ((err = file_read(&file, path, MARKER_MAX)) == VT_ENOTFOUND || err == VT_ELIMIT ||
	    (err == VT_EIO && errno == ENAMETOOLONG))
		return CMD_HOLDS;
	if (err == VT_OK && (*out = buf_detach_str(&file)) != NULL)
		return CMD_HOLDS;
	buf_release(&file);
	return cmd_fail(m->command, CMD_UNSURE,
			"%s: it cannot be read, so what this key has made is not known: %s", path,
			err == VT_EIO ? strerror(errno) : "out of memory");
}

/* Is this file a marker of the key, and of anything but what is to be made? CMD_HOLDS: no. */
static int look_at(struct key_marker *m, const char *path)
{
	char *text;
	int code = read_text(&text, m, path);

	if (text != NULL && is_of_key(m, text))
		code = judge_marker(m, path, text);
	free(text);
	return code;
}

/* -- where markers are --------------------------------------------------------------------------------- */

struct folder_search {
	struct key_marker *m;
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
	    path_in(path, look->folder, name) == VT_OK)
		look->code = look_at(look->m, path);
	return look->code == CMD_HOLDS ? VT_OK : VT_ECONFLICT;
}

/* Every marker in a folder: the key may have been copied or renamed in it. */
static int look_in_folder(struct key_marker *m, const char *folder)
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

/* FILE.made, where the key really is. A key with several names may have its marker beside another one of them. */
static int beside_key(char out[PATH_MAX], const struct key_marker *m)
{
	struct stat st;
	size_t len;

	if (!real_path(out, m->key_path))
		return cmd_fail(m->command, CMD_UNSURE, "%s: %s", m->key_path, strerror(errno));
	if (stat(out, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink > 1)
		return cmd_fail(
		    m->command, CMD_USAGE,
		    "%s: this file has %ju names (hard links), and what the key has made "
		    "may be written beside another one. Keep one name",
		    out, (uintmax_t)st.st_nlink);
	len = strlen(out);
	return snprintf(out + len, PATH_MAX - len, SUFFIX) < (int)(PATH_MAX - len)
		   ? CMD_HOLDS
		   : cmd_fail(m->command, CMD_USAGE, "%s: the name is too long", m->key_path);
}

/* Nothing else may be there: a file that is not this key's marker says that somebody meant something by it. */
static int must_be_free(struct key_marker *m, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;
	int code;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	if ((code = look_in_folder(m, dirname(folder))) != CMD_HOLDS ||
	    (code = look_at(m, path)) != CMD_HOLDS)
		return code;
	return m->marked || lstat(path, &st) != 0
		   ? CMD_HOLDS
		   : cmd_fail(
			 m->command, CMD_USAGE,
			 "%s is there already, so the key may be in use, although this is not its "
			 "marker. Only if the key has made nothing: move the file away",
			 path);
}

static bool cannot_be_here(int reason)
{
	return reason == EROFS || reason == EACCES || reason == EPERM || reason == ENAMETOOLONG;
}

/* --marker. Where the marker can be beside the key it is there, and nowhere else: nobody finds all places that a person could name. */
static int look_at_given(struct key_marker *m, const char *beside)
{
	if (!real_path(m->path, m->given))
		return cmd_fail(m->command, CMD_USAGE, "--marker %s: %s", m->given,
				strerror(errno));
	if (lies_in(m->path, m->folder) || strcmp(m->path, beside) == 0)
		return CMD_HOLDS;
	if (durable_try(beside) == VT_OK)
		return cmd_fail(m->command, CMD_USAGE,
				"--marker %s: the marker can be written beside the key, so it goes "
				"there (%s): with "
				"one in another place the key would be free to make a second %s. "
				"Leave --marker "
				"out, or copy the key to where nothing can be written beside it",
				m->given, beside, m->kind);
	if (!cannot_be_here(errno))
		return cmd_fail(m->command, CMD_UNSURE,
				"%s: whether the marker can be beside the key is not known: %s",
				beside, strerror(errno));
	return must_be_free(m, m->path);
}

/* -- looking ---------------------------------------------------------------------------------------------- */

static int read_left(struct key_marker *m)
{
	free(m->left);
	m->left = NULL;
	return path_in(m->unfinished, m->folder, FOLDER_UNFINISHED) == VT_OK
		   ? read_text(&m->left, m, m->unfinished)
		   : cmd_fail(m->command, CMD_USAGE, "--%s: the name is too long", m->option);
}

/* Missing, empty, or left by an act of this key that did not come to its end. */
static int look_at_new_folder(const struct key_marker *m)
{
	enum folder_state is;

	if (folder_look(&is, m->folder) != VT_OK)
		return cmd_fail(m->command, CMD_USAGE, "--%s %s: %s", m->option, m->folder,
				strerror(errno));
	if (is != FOLDER_FULL || (m->left != NULL && is_of_key(m, m->left)))
		return CMD_HOLDS;
	return cmd_fail(
	    m->command, CMD_USAGE, "--%s %s: it is not empty; %sa new %s wants a folder of its own",
	    m->option, m->folder,
	    m->left != NULL ? "something was begun in it with another key, and " : "", m->kind);
}

int key_marker_look(struct key_marker *m)
{
	char beside[PATH_MAX];
	int code;

	m->marked = m->made = false;
	if ((code = read_left(m)) != CMD_HOLDS || (code = beside_key(beside, m)) != CMD_HOLDS)
		return code;
	(void)snprintf(m->path, sizeof(m->path), "%s", beside);
	if ((code = must_be_free(m, beside)) == CMD_HOLDS && m->given != NULL && !m->marked)
		code = look_at_given(m, beside);
	if (code == CMD_HOLDS && lies_in(m->path, m->folder))
		return cmd_fail(
		    m->command, CMD_USAGE,
		    "%s lies in --%s %s: whoever deletes that folder would delete with it what "
		    "says that the key is used. %s a place outside it",
		    m->path, m->option, m->folder,
		    m->given != NULL ? "Name"
				     : "Keep the key, or with --marker FILE its marker, in");
	return code == CMD_HOLDS ? look_at_new_folder(m) : code;
}

/* -- making -------------------------------------------------------------------------------------------------- */

/* A path or name as one line. */
static void append_line(struct buf *out, const char *name, const char *value)
{
	buf_appendf(out, "%s ", name);
	for (; *value != '\0'; value++)
		buf_append_byte(out, *value == '\n' ? '?' : (uint8_t)*value);
	buf_append_byte(out, '\n');
}

static enum vt_err append_time(struct buf *out, const char *name)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(time, clock_unix());
	append_line(out, name, time);
	return buf_error(out);
}

static enum vt_err format_marker(struct buf *out, const struct key_marker *m)
{
	char keyid[KEYID_TEXT], real[PATH_MAX];

	keyid_of(keyid, m->key);
	buf_appendf(out,
		    "This key makes the %s below and never another one: keep this file "
		    "beside the key.\n",
		    m->kind);
	append_line(out, m->kind, m->vkey);
	append_line(out, "keyid", keyid);
	append_line(out, "folder", real_path(real, m->folder) ? real : m->folder);
	return append_time(out, "begun");
}

static int refuse_marker(const struct key_marker *m, enum vt_err err)
{
	if (err == VT_ECONFLICT)
		return cmd_fail(m->command, CMD_USAGE, "%s was made by another process meanwhile",
				m->path);
	if (err != VT_EIO)
		return cmd_fail(m->command, CMD_UNSURE, "%s", vt_err_text(err));
	return cmd_fail(m->command, cannot_be_here(errno) ? CMD_USAGE : CMD_UNSURE,
			"%s cannot be written (%s): it says that the key is used, so that no "
			"second %s is made with it. Name a place for it that lasts as long "
			"as the key, outside --%s, by --marker FILE",
			m->path, strerror(errno), m->kind, m->option);
}

static int refuse_folder(const struct key_marker *m, const char *what)
{
	return cmd_fail(m->command, CMD_UNSURE, "--%s %s: %s: %s", m->option, m->folder, what,
			strerror(errno));
}

/* Two at a time in one folder: the second waits, and finds what the first one made, or nothing. So whoever made the folder is also
 * there to take it away. */
static int take_folder(struct key_marker *m)
{
	enum vt_err err = durable_mkdir_new(m->folder);

	m->made_folder = err == VT_OK;
	if (err != VT_OK && err != VT_ECONFLICT)
		return refuse_folder(m, "it cannot be made");
	if ((m->lock = open(m->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return refuse_folder(m, "it cannot be read");
	while (flock(m->lock, LOCK_EX) != 0)
		if (errno != EINTR)
			return refuse_folder(m, "it cannot be locked");
	return CMD_HOLDS;
}

/* The folder's file before the marker: a marker that says "begun" is believed only together with it. */
static int begin_anew(struct key_marker *m)
{
	struct buf text;
	enum vt_err err;
	int code = CMD_HOLDS;

	buf_init(&text);
	if ((err = format_marker(&text, m)) == VT_OK)
		err = durable_write(m->unfinished, buf_bytes(&text), 0644);
	if (err != VT_OK)
		code = refuse_folder(m, "it cannot be written");
	else if ((err = durable_create(m->path, buf_bytes(&text), 0644)) != VT_OK)
		code = refuse_marker(m, err);
	m->marked = code == CMD_HOLDS;
	buf_release(&text);
	return code;
}

int key_marker_begin(struct key_marker *m)
{
	int code;

	if ((code = take_folder(m)) != CMD_HOLDS || (code = key_marker_look(m)) != CMD_HOLDS ||
	    m->made)
		return code;
	m->begun = true;
	if (folder_clear(m->folder, FOLDER_UNFINISHED) != VT_OK)
		return refuse_folder(m, "what an earlier attempt has left cannot be removed");
	return m->marked ? CMD_HOLDS : begin_anew(m);
}

int key_marker_end(struct key_marker *m)
{
	struct buf text;
	enum vt_err err = VT_OK;

	buf_init(&text);
	if (!m->made && (err = file_read(&text, m->path, MARKER_MAX)) == VT_OK &&
	    (err = append_time(&text, "made")) == VT_OK)
		err = durable_write(m->path, buf_bytes(&text), 0644);
	buf_release(&text);
	if (err != VT_OK)
		return refuse_marker(m, err);
	return durable_unlink(m->unfinished) == VT_OK ? CMD_HOLDS
						      : refuse_folder(m, "it cannot be written");
}

void key_marker_undo(const struct key_marker *m)
{
	if (m->begun) {
		(void)folder_clear(m->folder, FOLDER_UNFINISHED);
		if (m->marked)
			(void)unlink(m->path);
		(void)unlink(m->unfinished);
	}
	if (m->made_folder)
		(void)rmdir(m->folder);
}

void key_marker_release(struct key_marker *m)
{
	if (m->lock >= 0)
		(void)close(m->lock);
	free(m->left);
}
