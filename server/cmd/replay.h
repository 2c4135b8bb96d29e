/*
 * Replaying a log's admissions from its entries alone, in order. What must be remembered of them lies in a store of its
 * own in a temporary folder, so memory does not grow with the log.
 */
#ifndef CMD_REPLAY_H
#define CMD_REPLAY_H

#include "admit.h"

struct replay;

/* centre: canonical SPKI; empty: entry 0 is believed. why as in store.h. */
enum vt_err replay_new(struct replay **out, const char *origin, struct bytes centre, char why[256]);
void replay_free(struct replay *r); /* removes the folder */
/*
 * Is this entry what admission would have made at the next index? VT_OK and it is remembered; VT_EMISMATCH,
 * VT_EMALFORMED, VT_EUNTRUSTED, VT_ECONFLICT with *why. After a refusal the entry is remembered by its leaf hash alone,
 * so that replay can go on.
 */
enum vt_err replay_add(struct replay *r, struct bytes entry, struct problem *why);

#endif
