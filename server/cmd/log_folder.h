/* A log's folder and the identity that is fixed in it: what `vitrine init` makes and `vitrine serve` opens. */
#ifndef CMD_LOG_FOLDER_H
#define CMD_LOG_FOLDER_H

#include <limits.h>

#include "signer.h"
#include "store.h"

struct log_folder {
	const char *path;
	char store[PATH_MAX], mark[PATH_MAX], frozen[PATH_MAX], policy[PATH_MAX];
};

/* The names in it, whether or not it is there. Returns CMD_HOLDS or the exit code, the reason having been said; so do the others. */
int log_folder_name(struct log_folder *f, const char *command, const char *path);
/* Is there a log in it? If not, says what is missing and what to do. Nothing is written. */
int log_folder_check(const struct log_folder *f, const char *command, const char *origin);

/* {0} before. */
struct log_identity {
	const char *origin;
	bool raw;
	struct signer *key; /* the log's own */
	struct note_signer signer;
	struct buf vkey;          /* text with its NUL */
	struct party_key *centre; /* NULL in raw mode */
};

/* --admission, and that --centre fits it: `given` says whether the centre's key was named in any way. */
int log_identity_admission(struct log_identity *id, const char *command, const char *admission,
			   bool centre_given);
/* From id->key: the log's signer and vkey. */
int log_identity_name(struct log_identity *id, const char *command, const char *origin);
/* Borrowed from id. */
struct store_identity log_identity_stored(const struct log_identity *id);
void log_identity_release(struct log_identity *id);

#endif
