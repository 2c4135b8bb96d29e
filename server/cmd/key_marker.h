/*
 * The marker of a key that makes a log or a witness: a small file beside the key, which says what it makes. One key makes one
 * log or one witness: a second one would sign what contradicts the first, and whoever holds both signatures holds the proof of a fork.
 *
 * It is called FILE.made, after the key's real path (no symbolic link), unless --marker names another place: for keys that lie where
 * nothing can be written. A copy of the key beside it is known by its keyid. A copy that was taken elsewhere without the marker is
 * not: there only witnesses, and whoever has seen the first log, can tell.
 *
 * The same text stands in the new folder, as `unfinished`, as long as what is made there is not whole; nothing runs on such a folder. So
 *	marker	unfinished
 *	-	-		nothing was begun
 *	-	of the key	killed at the beginning: begun again
 *	begun	the same text	killed half-way: the folder is emptied and begun again, for nobody has seen a signature
 *	begun	-		that folder is not here: refused
 *	made	the same text	killed at the end: all that is left to do is to remove `unfinished`
 *	made	-		made: refused
 */
#ifndef CMD_KEY_MARKER_H
#define CMD_KEY_MARKER_H

#include <limits.h>

#include "signer.h"

struct key_marker {
	const char *command;  /* "init": begins the messages */
	const char *kind;     /* "log" or "witness" */
	const char *option;   /* that names the folder, without dashes */
	const char *folder;   /* what the key makes; the marker may not lie in it */
	const char *key_path; /* may be missing still: then it is about the place */
	const char *given;    /* --marker, or NULL */
	const char *vkey;     /* what others will know the key by */
	const struct signer *key;
	int lock; /* -1 before */

	/* The rest is the marker's own, zero before. */
	char path[PATH_MAX], unfinished[PATH_MAX];
	char *left;  /* what `unfinished` says */
	bool marked; /* there is a marker, of what is made here */
	bool made;   /* all was made: only key_marker_end() is left */
	bool begun, made_folder;
};

/*
 * May the key make this, in this folder? Says what forbids it, and returns the exit code, as the others do. Writes nothing.
 */
int key_marker_look(struct key_marker *m);
/* Take the folder, which is empty then, and put down, durably, that the key is used. */
int key_marker_begin(struct key_marker *m);
/* All is there: nothing is taken back any more. */
int key_marker_end(struct key_marker *m);
/* Take back everything in the folder, it too if it is new, and the marker. Not after key_marker_end() has held. */
void key_marker_undo(const struct key_marker *m);
void key_marker_release(struct key_marker *m);

#endif
