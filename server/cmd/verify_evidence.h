/* `vitrine verify --evidence`. */
#ifndef CMD_VERIFY_EVIDENCE_H
#define CMD_VERIFY_EVIDENCE_H

#include <stdbool.h>

/* vkey (the text) or policy (a path) says whose key is asked; vkey goes first. Prints what is proven, and
 * returns the exit code. */
int verify_evidence(const char *path, const char *vkey, const char *policy, bool json);

#endif
