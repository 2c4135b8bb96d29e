/* What the cosigner's files share. */
#ifndef WITNESS_COSIGNER_INTERNAL_H
#define WITNESS_COSIGNER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "cosigner.h"
#include "durable.h"

/* -- cosigner_state.c: a log's file ------------------------------------------------------------ */

/* What it holds. */
struct cosigned {
	struct tree_head head;
	/* The checkpoint's text and the log's signature lines that were verified. Empty: nothing was cosigned yet. */
	struct buf note;
	struct buf line; /* the cosignature made on it; empty if a crash came before it */
	uint64_t time;   /* of that cosignature */
	char *origin;
};
void cosigned_init(struct cosigned *s);
void cosigned_release(struct cosigned *s);

enum {
	COSIGNED_HASH_TEXT = 2 * MERKLE_HASH_SIZE + 1,
};

/*
 * Read and check STATE/<hash>. VT_ENOTFOUND: there is no such file. VT_EMISMATCH, VT_EIO: there is
 * one, and it cannot be believed or read; why says which and in what way. keys: the log's, if it is
 * listed; by: the witness's own.
 */
enum vt_err cosigned_read(struct cosigned *out, const char *folder, const char *hash,
			  const struct vkey_set *keys, const struct vkey *by,
			  char why[COSIGNER_WHY_MAX]);
/* Make STATE/<hash>, which says that nothing was cosigned yet. VT_ECONFLICT: there is one. VT_EIO. */
enum vt_err cosigned_create(const char *folder, const char *hash);
/* Replace STATE/<hash> by a note; on disk when it returns. VT_EIO: the old one or the new one is. */
enum vt_err cosigned_write(const char *folder, const char *hash, struct bytes note);
/* Add the cosignature behind the note just written, without waiting for the disk: losing it costs a
 * fresh one at the next start. */
void cosigned_append(const char *folder, const char *hash, struct bytes line);

/* -- what is in memory ----------------------------------------------------------------------- */

/*
 * One log. Never freed while the cosigner lives, so that whoever found it may use it after the
 * cosigner's lock is released; and there is one per origin hash, so its lock is the log's lock.
 */
struct origin {
	struct merkle_hash hash;
	char hex[COSIGNED_HASH_TEXT];

	bool loaded; /* its file has been looked at; under reload */

	/* Under the cosigner's lock. */
	char *name;       /* NULL: not known */
	struct vkey *key; /* what the policy trusts for it; none: not listed */
	size_t n_keys;

	/* From the check of the old size to the signature. */
	pthread_mutex_t update;
	bool damaged;
	bool cosigned; /* head is set */
	bool durable;  /* head is known to be on disk, not only in a file */
	struct tree_head head;
	uint64_t time; /* of the latest cosignature; 0: none */

	/* What readers see, so that they never wait for a disk. Taken after update, if both are. */
	pthread_mutex_t show;
	struct buf shown; /* the cosigned note; empty: there is none */
	/* Where the cosignature's line begins in it. */
	size_t shown_line;
	struct tree_head shown_head;
	uint64_t shown_time;
	bool shown_damaged;
	/* Requests that hold the update lock or wait for it; at most the cosigner's turns_max. */
	unsigned turns;
};

/* Locks nest in this order: reload, lock, an origin's update, its show. */
struct cosigner {
	char *folder;
	int lock_fd;
	const struct note_signer *signer;
	uint64_t (*now)(void);
	unsigned turns_max;
	struct durable_probe probe;
	pthread_mutex_t reload; /* one change of policy at a time */
	pthread_rwlock_t lock;
	struct origin **origin; /* sorted by hash */
	size_t n;
	atomic_uint_least64_t cosigned, malformed, unknown, untrusted, stale, inconsistent, busy,
	    failed, policy_failures;
};

/* -- cosigner_folder.c ------------------------------------------------------------------------- */

/* The folder that was opened is still what its name leads to. VT_EIO: what is written now would be missing when it comes back. */
enum vt_err cosigner_folder_in_place(const struct cosigner *c);
/* A folder from a version that kept no list of logs gets one: of those that it has files of. */
enum vt_err cosigner_list_upgrade(const struct cosigner *c);

/* -- cosigner_logs.c: which logs there are ----------------------------------------------------- */

enum vt_err cosigner_hash(struct merkle_hash *out, struct bytes data);
/* NULL: not there. Under the cosigner's lock. */
struct origin *cosigner_find(const struct cosigner *c, const struct merkle_hash *hash);

/* -- cosigner.c ------------------------------------------------------------------------------- */

/*
 * Make the head the log's latest, on disk first, and append a cosignature on text. note: what is kept
 * and shown of it. Under the origin's update lock.
 */
enum vt_err cosigner_persist_and_sign(const struct cosigner *c, struct origin *o,
				      const struct tree_head *head, struct bytes text,
				      struct bytes note, struct buf *line);
/* Let readers see a note with its cosignature line. Under the origin's update lock. */
void cosigner_show(struct origin *o, struct bytes note, struct bytes line);

#endif
