/*
 * The marker of a key that has made a log or a witness: a small file beside the key, which says what it made. One key makes one
 * log or one witness: a second one would sign what contradicts the first, and whoever holds both signatures holds the proof of a fork.
 * So `init` writes the marker before anything can be signed, and refuses a key that has one.
 *
 * It is called FILE.made, after the key's real path (no symbolic link), unless --marker names another place: for keys that lie where
 * nothing can be written. A copy of the key beside it is known by its keyid. A copy that was taken elsewhere without the marker is
 * not: there only witnesses, and whoever has seen the first log, can tell.
 */
#ifndef CMD_KEY_MARKER_H
#define CMD_KEY_MARKER_H

#include <limits.h>

#include "signer.h"

struct key_marker {
	const char *command; /* "init": begins the messages */
	const char *kind;    /* "log" or "witness" */
	const char *option;  /* that names the folder, without dashes */
	const char *folder;  /* what the key makes; the marker may not lie in it */
	const struct signer *key;
	char path[PATH_MAX]; /* where the marker goes; set by key_marker_look() */
};

/*
 * Has the key in key_path made anything? Says so, or whatever else forbids it, and returns the exit code. given: --marker, or NULL.
 * Nothing is written. The key's file may be missing still: then it is about the place.
 */
int key_marker_look(struct key_marker *m, const char *key_path, const char *given);
/* Write it, durably. vkey: what others know the key by. Returns CMD_HOLDS or the exit code, the reason having been said. */
int key_marker_write(const struct key_marker *m, const char *vkey);
/* Take it back, as long as nothing was signed. */
void key_marker_undo(const struct key_marker *m);

#endif
