/*
 * Making records: statements from typed parameters, envelopes around them, signatures on those.
 *
 * Texts are UTF-8 and borrowed; NULL means left out where the comment says "or NULL". Each
 * compose_*() appends the statement's JSON to *out after holding it against the admission rules:
 * what it returns with VT_OK is only ever refused for reasons that the log alone can know.
 * VT_EMALFORMED with *why names the member as the log would.
 */
#ifndef RECORD_COMPOSE_H
#define RECORD_COMPOSE_H

#include "admit.h"
#include "signer.h"
#include "statement.h"

/* A subject, or any other thing known by its digest. */
struct compose_digest {
	const char *name;      /* or NULL */
	const char *algorithm; /* or NULL: "sha256" */
	const char *hex;
};

struct compose_texts {
	const char *const *text;
	size_t n;
};

/* What the record is about: 1 to 64. */
struct compose_subjects {
	const struct compose_digest *subject;
	size_t n;
};

enum { COMPOSE_SALT_SIZE = 33 };
/* 128 random bits in hexadecimal and a NUL, for a record that is to be sealed first. */
enum vt_err compose_salt(char out[COMPOSE_SALT_SIZE]);

/* An in-toto ResourceDescriptor; uri or hex must be there. */
struct compose_resource {
	const char *name;      /* or NULL */
	const char *uri;       /* or NULL */
	const char *algorithm; /* or NULL: "sha256" */
	const char *hex;       /* or NULL */
};

/* What ISO/IEC 17025 asks of a report. */
struct compose_assessment {
	const char *laboratory;    /* its name */
	const char *location;      /* or NULL */
	const char *accreditation; /* the laboratory's own, e.g. its number with the accreditation
				      body; or NULL */
	const char *report_id;
	const char *scheme;
	const char *received;  /* RFC 3339, or NULL */
	const char *started;   /* RFC 3339 */
	const char *completed; /* RFC 3339 */
	const char *issued;    /* RFC 3339 */
	const char *decision_rule;
	struct compose_texts deviations; /* may be empty */
	struct compose_resource report;  /* hex must be there */
};

/* What test reports say in all. */
struct compose_tests {
	struct compose_texts not_run; /* may be empty */
	size_t n_passed, n_failed, n_not_run;
	const struct compose_resource *report;
	size_t n_reports;
};

struct compose_verdict {
	struct compose_subjects subjects;
	const char *result; /* PASSED, WARNED, FAILED */
	const struct compose_resource *configuration;
	size_t n_configuration;
	const char *url; /* or NULL */
	struct compose_texts passed;
	struct compose_texts warned;
	struct compose_texts failed;
	/* Beside in-toto's members, and not looked at by the log: the tests that did not run, how many there are of each (also of
	 * those that are not listed above), and the reports that say so. NULL: none of it. */
	const struct compose_tests *tests;
	const struct compose_assessment *assessment; /* or NULL */
	const char *salt;                            /* or NULL */
};
enum vt_err compose_verdict(struct buf *out, const struct compose_verdict *v, struct problem *why);

struct compose_firmware {
	struct compose_subjects subjects;
	const char *purl;       /* with a version: "pkg:generic/acme/router@1.2.3" */
	const char *package_id; /* or NULL */
	const char *vendor;     /* these three together, or all NULL: no "firmware" member */
	const char *model;
	const char *version;
	struct compose_texts hardware_revisions;
	struct compose_resource suit; /* the SUIT manifest; hex NULL: none */
	const char *salt;             /* or NULL */
};
enum vt_err compose_firmware(struct buf *out, const struct compose_firmware *f,
			     struct problem *why);

/* A CADF resource. */
struct compose_actor {
	const char *id;
	const char *type_uri; /* e.g. "service/security", "data/file" */
	const char *name;     /* or NULL */
};

struct compose_event {
	struct compose_subjects subjects; /* none: the SHA-256 of `id` */
	const char *id;
	const char *event_type; /* activity, monitor, control */
	const char *action;     /* CADF action taxonomy: "update", "authenticate/login" */
	const char *outcome;    /* success, failure, unknown, pending */
	const char *event_time; /* RFC 3339 */
	struct compose_actor initiator;
	struct compose_actor target;
	struct compose_actor observer;
	const struct compose_digest *attachment; /* logged by digest */
	size_t n_attachments;
	const char *reason; /* or NULL */
	const char *salt;   /* or NULL */
};
enum vt_err compose_event(struct buf *out, struct merkle_hasher *h, const struct compose_event *e,
			  struct problem *why);

struct compose_accreditation {
	const char *log; /* the origin */
	const char *party;
	const char *role; /* "centre", "recovery", "lab", "vendor", ... */
	const struct party_key *key;
	enum key_scheme scheme;
	struct compose_texts keyid_aliases;
	struct compose_texts predicate_types;
	enum accreditation_status status;
	const struct entry_ref *previous; /* or NULL: the key is new to the log */
	const char *valid_until;          /* RFC 3339, or NULL */
	/* Entry 0 only: names the admission rules of this build and the recovery key. Entry 0 is
	 * signed by both keys. */
	bool entry_zero;
	const struct party_key *recovery;
	enum key_scheme recovery_scheme;
};
/* The first grant of a key is signed by the centre (first, or with its keyid: it is looked for
 * before the payload is read) and by that key. */
enum vt_err compose_accreditation(struct buf *out, const struct compose_accreditation *a,
				  struct problem *why);

struct compose_seal {
	struct bytes
	    envelope; /* the finished record that is kept back; its payload must hold a salt */
	const char *embargo_until; /* RFC 3339, or NULL */
	const char *reason;        /* or NULL */
};
/* To be signed by the same key as the record inside, or that cannot be revealed once the key has
 * ended. */
enum vt_err compose_seal(struct buf *out, struct merkle_hasher *h, const struct compose_seal *s,
			 struct problem *why);

struct compose_correction {
	struct entry_ref target;
	const struct entry_ref *replacement; /* or NULL: it withdraws */
	const char *reason;
};
enum vt_err compose_correction(struct buf *out, const struct compose_correction *c,
			       struct problem *why);

/* Append an envelope around a statement with one signature. `scheme` must be the registered one. */
enum vt_err compose_envelope(struct buf *out, struct bytes statement, const struct signer *by,
			     enum key_scheme scheme);
/* Append `envelope` with one more signature: others are kept as they are, one with the same keyid
 * is replaced. VT_EMALFORMED, VT_ELIMIT with *why: not an envelope, or full. */
enum vt_err compose_add_signature(struct buf *out, struct bytes envelope, const struct signer *by,
				  enum key_scheme scheme, struct problem *why);

#endif
