/*
 * A witness (C2SP tlog-witness): cosigns a log's checkpoint if it is consistent with the last one it
 * cosigned for that log. One small file per log remembers that last one; it is on disk before a
 * signature exists.
 *
 * Thread-safe. Requests for different logs run side by side; those for one log one after another,
 * from the check of the old size to the signature.
 *
 * The state folder is locked by the one process that uses it, and holds:
 *   vkey      the witness key that it belongs to
 *   logs      the origins that were ever given to this witness, one a line
 *   <hash>    per log, named by its origin hash: what was last cosigned, or that nothing was
 *             (cosigner_state.c)
 * Losing a file means forgetting what was signed: never restore the folder from a copy. So the folder
 * is made once, by cosigner_create(), each further log's file by cosigner_add(), and what is missing
 * is refused.
 */
#ifndef WITNESS_COSIGNER_H
#define WITNESS_COSIGNER_H

#include "vitrine/policy.h"

struct cosigner;

enum {
	COSIGNER_WHY_MAX = 512,
};

struct cosigner_config {
	const char *state_path;           /* made by cosigner_create() */
	const struct note_signer *signer; /* type 0x04; must outlive the cosigner */
	const struct policy *policy;      /* its logs are witnessed; used during the call only */
	uint64_t (*now)(void);            /* POSIX seconds; NULL: clock_unix() */
	/* Requests for one log that may be cosigned or wait for it at once, so that one log cannot take every thread. 0: 4. */
	unsigned turns_max;
};

/*
 * Make the folder of a new witness, with the policy's logs, for which nothing was cosigned. It may be
 * unfinished (base/durable.h); what a failure leaves is the caller's to take away. VT_ECONFLICT: there is something in it already. VT_EINVAL, VT_EIO, VT_ENOMEM. why says what
 * failed.
 */
enum vt_err cosigner_create(const char *path, const struct vkey *key, const struct policy *policy,
			    char why[COSIGNER_WHY_MAX]);
/*
 * Give a witness a log that it never had. Also while a process runs on the folder: it takes the log up
 * with the next policy. VT_ECONFLICT: it was given before, whether or not its file is there still.
 * VT_ENOTFOUND: there is no witness's folder. VT_EIO, VT_ENOMEM. why says so.
 */
enum vt_err cosigner_add(const char *path, const char *origin, char why[COSIGNER_WHY_MAX]);
/* Is there a witness's folder? VT_ENOTFOUND, VT_EIO, VT_EINVAL; why says what is missing. */
enum vt_err cosigner_folder_check(const char *path, char why[COSIGNER_WHY_MAX]);

/*
 * Takes the folder and reads what it holds. A log's file that is damaged does not stop the others:
 * that log alone is refused. why says what failed.
 * VT_ENOTFOUND: there is no folder, or no file for a log of the policy. VT_ECONFLICT: another process
 * has the folder, or it belongs to another key. VT_EINVAL: not a cosignature key. VT_EIO, VT_ENOMEM.
 */
enum vt_err cosigner_open(struct cosigner **out, const struct cosigner_config *config,
			  char why[COSIGNER_WHY_MAX]);
/* No call may be under way. NULL is fine. */
void cosigner_free(struct cosigner *c);

/*
 * Witness the logs of this policy from now on, and read damaged files again. What was cosigned for a
 * log that is no longer listed stays known and is still shown. All or nothing: on VT_ENOMEM, and on
 * VT_ENOTFOUND (a log without a file, which why names), the old logs stay.
 */
enum vt_err cosigner_set_policy(struct cosigner *c, const struct policy *policy,
				char why[COSIGNER_WHY_MAX]);

struct cosigner_answer {
	struct buf lines;           /* VT_OK: the cosignature lines */
	uint64_t size;              /* VT_ECONFLICT: of the latest checkpoint cosigned, 0: none */
	char why[COSIGNER_WHY_MAX]; /* of a refusal, in printable ASCII */
};
void cosigner_answer_init(struct cosigner_answer *a);
void cosigner_answer_release(struct cosigner_answer *a);

/*
 * Judge the body of an add-checkpoint request. The errors are the status codes of the specification
 * (err.h): VT_OK 200; VT_EMALFORMED 400, also for an old size beyond the checkpoint's; VT_EUNTRUSTED
 * 403; VT_ENOTFOUND 404; VT_ECONFLICT 409; VT_EMISMATCH 422. Further: VT_EINTERNAL, the log's file is
 * damaged or the key failed; VT_EIO, it could not be written, nothing was signed; VT_EBUSY, turns_max of this log are under
 * way; VT_ENOMEM. The latest checkpoint once more is answered at all times: while another request is under way, with the
 * cosignature that was made last.
 */
enum vt_err cosigner_add_checkpoint(struct cosigner *c, struct bytes body,
				    struct cosigner_answer *out);

/*
 * Append the latest checkpoint cosigned for a log, with the log's signatures that were verified and
 * the cosignature. Never waits for a disk. VT_ENOTFOUND: none was; VT_EINTERNAL: the log's file is
 * damaged; VT_ENOMEM.
 */
enum vt_err cosigner_checkpoint(struct cosigner *c, const struct merkle_hash *origin_hash,
				struct buf *out);

/*
 * Could a checkpoint be written down now? Looks by writing, once in a second at most, and tells what was found then. VT_EIO: no, and why says
 * which folder and what the system says.
 */
enum vt_err cosigner_writable(struct cosigner *c, char why[COSIGNER_WHY_MAX]);

const struct vkey *cosigner_key(const struct cosigner *c);

/* A log, as it is at this moment. Pointers live for the call. */
struct cosigner_log {
	const char *origin; /* "" if only a damaged file is known of it */
	struct merkle_hash origin_hash;
	bool listed; /* in the policy */
	bool damaged;
	bool cosigned; /* head and time are set */
	struct tree_head head;
	uint64_t time; /* of the latest cosignature, POSIX seconds */
};
/* Every log listed or known, in the order of their hashes. fn's error ends it and is returned. */
enum vt_err cosigner_each(struct cosigner *c,
			  enum vt_err (*fn)(void *ctx, const struct cosigner_log *log), void *ctx);

struct cosigner_stats {
	uint64_t logs;    /* in the policy */
	uint64_t damaged; /* of those */
	uint64_t cosigned;
	uint64_t refused_malformed, refused_unknown, refused_untrusted, refused_stale,
	    refused_inconsistent, refused_busy;
	uint64_t failed;          /* disk, memory, key, damaged file */
	uint64_t policy_failures; /* cosigner_policy_failed() */
};
void cosigner_stats(struct cosigner *c, struct cosigner_stats *out);
/* Count a policy that could not be taken: whoever reads the file knows, and the metrics are here. */
void cosigner_policy_failed(struct cosigner *c);

#endif
