/*
 * Gossip: what logs, witnesses and monitors showed to each other is compared, so that a log cannot show two
 * histories for long (docs/gossip.md is the protocol, docs/evidence.md what comes out of it).
 *
 * Of each followed log it keeps the head of the tree that is held here, and the heads that others showed and
 * that cannot be judged yet because they lie beyond it. Whatever proves consistent is dropped. Whoever holds the
 * larger of two heads that contradict each other makes the evidence.
 *
 * Thread-safe. The callbacks are called with the gossip's lock held, one at a time; they must not call back, and
 * who calls in must not hold a lock that they take. Names from outside never become file names.
 */
#ifndef MONITOR_GOSSIP_H
#define MONITOR_GOSSIP_H

#include "standing.h"
#include "vitrine/evidence.h"

struct gossip;

enum {
	GOSSIP_BODY_MAX = 256 * 1024, /* bytes of heads sent or taken at once */
	GOSSIP_HEADS_MAX = 512,       /* heads of those */
	GOSSIP_UNRESOLVED_MAX = 64,   /* heads of one log that wait: beyond it they are refused */
	GOSSIP_UNRESOLVED_BYTES = 512 * 1024, /* of their texts, likewise */
	GOSSIP_EVIDENCE_MAX = 16,             /* of one log: more would prove nothing more */
	GOSSIP_PEERS_MAX = 32,
	GOSSIP_ID_SIZE = 65, /* of evidence: SHA-256 of its text in hex, and a NUL */
	GOSSIP_WHY_MAX = 256,
};

/* The tree of a log, lent by whoever holds it: a monitor its tiles, a log its store. */
struct gossip_tree {
	/* Append the newest signed checkpoint whose whole tree is held. VT_ENOTFOUND: none yet. */
	enum vt_err (*head)(void *ctx, struct buf *note);
	/* Of sizes up to that checkpoint's. Any error: it is asked again later. */
	enum vt_err (*root_at)(void *ctx, uint64_t size, struct merkle_hash *out);
	enum vt_err (*consistency)(void *ctx, uint64_t first, uint64_t second,
				   struct merkle_proof *out);
	void *ctx;
};

struct gossip_log {
	const struct vkey *key; /* copied; type 0x01 */
	struct gossip_tree tree;
};

enum gossip_peer_kind {
	GOSSIP_PEER,    /* speaks /gossip/v1 below its address: a monitor, a log */
	GOSSIP_WITNESS, /* <address>/<origin hash>/checkpoint is read (C2SP tlog-witness) */
	GOSSIP_LOG,     /* <address>/checkpoint is read (C2SP tlog-tiles) */
};
struct gossip_peer {
	const char *url; /* copied */
	enum gossip_peer_kind kind;
};

struct gossip_alert {
	/* "evidence": a log signed two histories. "unresolved": a signed head that nobody could connect with the
	 * tree held here for longer than the deadline. "impossible": a signed head of size 0 with a root that no empty tree
	 * has. "full": so many signed heads wait for judgement that further ones are refused. "unusable": the signed head of the
	 * tree held here is too large to be shown to anybody. */
	const char *kind;
	const char *origin;
	char text[400]; /* sentences for people, printable ASCII */
	struct bytes
	    note; /* the signed head that it is about; empty for the kinds that are about none */
	const char *evidence; /* the evidence's ID, or NULL */
};

struct gossip_config {
	const char
	    *state_path; /* a folder of its own, made if it is missing; its parent is there */
	/* A folder that is there, with another, evidence/, in it: the same is kept there once more, and what one of the
	 * two places has lost is taken from the other. NULL: none. */
	const char *copy_path;
	const struct gossip_log *log;
	size_t n_logs;
	const struct gossip_peer *peer; /* nobody else is ever connected to */
	size_t n_peers;
	double interval_seconds;   /* between two rounds with a peer; 0: 60 */
	double answer_seconds;     /* that a peer has for an answer; 0: 10 */
	uint64_t deadline_seconds; /* until an unresolved head is an alert; 0: 3600 */
	/*
	 * Verifications that gossip_take() and gossip_take_evidence() may ask for in all; 0: 100; a burst is 10 seconds' worth. One
	 * sender has an eighth of them at most, and one log half, if there are others.
	 */
	double heads_per_second;
	/* Make it known; VT_OK once that is safe from a crash. Anything else: it is called again. NULL: log
	 * lines alone. */
	enum vt_err (*alert)(void *ctx, const struct gossip_alert *alert);
	/* A signed head that is not known to be consistent with the tree here (for log_observe()). May be NULL. */
	void (*observed)(void *ctx, struct bytes note, const char *from);
	void *ctx;
	uint64_t (*now)(void); /* POSIX seconds; NULL: clock_unix() */
};

/*
 * Read the state folder. VT_EINVAL: a log's key cannot be verified, a URL is none, too many peers; VT_EMISMATCH: the file of
 * waiting heads is damaged, and there is no copy; VT_EIO, VT_ENOMEM. Of several processes with one folder only the first keeps waiting heads on
 * disk; evidence all of them do.
 */
enum vt_err gossip_new(struct gossip **out, const struct gossip_config *config,
		       char why[GOSSIP_WHY_MAX]);
/* Start the threads: one that looks after what waits, and one per peer. */
enum vt_err gossip_start(struct gossip *g);
/* Ends them; what is under way with a peer is cut off. */
void gossip_stop(struct gossip *g);
void gossip_free(struct gossip *g); /* stopped; NULL is legal */

/*
 * One round on the calling thread: judge what waits, then for each peer in turn push and pull heads, push and pull
 * evidence. Returns how many peers could not be reached or answered with errors.
 */
size_t gossip_round(struct gossip *g);
/* The tree of this log has grown: judge what waits for it soon, on another thread. May be called with any lock held. */
void gossip_grew(struct gossip *g, const char *origin, uint64_t size);

struct gossip_taken {
	size_t known;      /* nothing new */
	size_t consistent; /* judged, and dropped */
	size_t kept;       /* beyond the tree held here */
	size_t proven;     /* contradictions: there is evidence of them now */
	size_t unknown;    /* of no log followed here, or not signed by it */
	size_t refused;    /* there is no room for more of that log's */
};
/*
 * Take heads that somebody shows: signed checkpoints, an empty line between two. VT_EMALFORMED: not that; VT_ELIMIT; VT_EBUSY:
 * too much in too short a time, or no room (taken says which heads were); VT_EIO: they could not be made durable.
 */
enum vt_err gossip_take(struct gossip *g, struct bytes heads, const char *from,
			struct gossip_taken *taken);
/* The same for what was seen here, not shown by somebody: however much others show, it is judged. */
enum vt_err gossip_see(struct gossip *g, struct bytes heads, const char *from,
		       struct gossip_taken *taken);
/* Append the heads that are held, in the same form: those of the trees here first; as many as GOSSIP_BODY_MAX takes. */
enum vt_err gossip_heads(struct gossip *g, struct buf *out);

/*
 * Take evidence that somebody shows. VT_OK: id is its name here; *fresh (may be NULL): it was not known. Refused: VT_EMALFORMED,
 * VT_ELIMIT, VT_EUNTRUSTED (about no log followed here), VT_EMISMATCH (it proves nothing), *why (may be NULL) is a static phrase.
 * VT_EBUSY: enough is known of this log, or too much in too short a time.
 */
enum vt_err gossip_take_evidence(struct gossip *g, struct bytes text, const char *from,
				 char id[GOSSIP_ID_SIZE], bool *fresh, const char **why);
/* The same for what was proven here. */
enum vt_err gossip_see_evidence(struct gossip *g, struct bytes text, const char *from,
				char id[GOSSIP_ID_SIZE], bool *fresh, const char **why);
/* Append "ID ORIGIN" and a newline for each. */
enum vt_err gossip_evidence_list(struct gossip *g, struct buf *out);
/* Append one text. VT_ENOTFOUND; VT_EIO: its file cannot be read, or holds something else by now. */
enum vt_err gossip_evidence(struct gossip *g, struct bytes id, struct buf *out);

struct gossip_stats {
	uint64_t logs, unresolved,
	    oldest_since; /* POSIX seconds of the unresolved head that waits longest; 0 */
	uint64_t overdue; /* unresolved heads that were told of */
	uint64_t evidence;
	uint64_t peers, peers_failing; /* whose last round failed */
	struct gossip_taken heads;     /* since the start */
	uint64_t alerts;
};
void gossip_stats(struct gossip *g, struct gossip_stats *out);
/* Append each waiting head that was told of: it stands until it is judged; one that can never be judged for good. */
enum vt_err gossip_standing(struct gossip *g, struct standing_list *out);
/* The same by the files of whoever had these folders as state_path and copy_path. VT_EMISMATCH: they are damaged; VT_EIO. */
enum vt_err gossip_standing_of_folder(struct standing_list *out, const char *state_path,
				      const char *copy_path);

#endif
