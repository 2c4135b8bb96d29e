/* The digests of files (record/digests.h). */
#ifndef CMD_FILE_DIGESTS_H
#define CMD_FILE_DIGESTS_H

#include "cmd.h"
#include "digests.h"

/* Reads the file once. CMD_HOLDS, or the code to exit with, the reason having been said. */
int file_digests_read(struct file_digests *out, const char *name, const char *path);
/* SHA-256 alone: what records that are written here name a file by. */
int file_sha256(char hex[65], const char *name, const char *path);

#endif
