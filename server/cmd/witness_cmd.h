/* What the forms of `vitrine witness` share. */
#ifndef CMD_WITNESS_CMD_H
#define CMD_WITNESS_CMD_H

#include "signer.h"

int cmd_witness_init(int argc, char **argv);
int cmd_witness_add(int argc, char **argv);

/* name NULL: the one in the key. Returns CMD_HOLDS or the exit code, the reason having been said. */
int cmd_witness_signer(const char *command, struct note_signer *out, const struct signer *key,
		       const char *name);

#endif
