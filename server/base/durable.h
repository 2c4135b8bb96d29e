/* Small files that must survive a crash whole: old contents or new, never a mixture. */
#ifndef BASE_DURABLE_H
#define BASE_DURABLE_H

#include <sys/types.h>

#include "vitrine/bytes.h"

/* Write to a temporary name beside it, fsync, rename over, fsync the folder. VT_EIO. */
enum vt_err durable_write(const char *path, struct bytes contents, mode_t mode);
/* The same, but VT_ECONFLICT if the file exists already. */
enum vt_err durable_create(const char *path, struct bytes contents, mode_t mode);
/* Append the whole file to out. VT_ENOTFOUND, VT_ELIMIT (over max bytes), VT_EIO. */
enum vt_err file_read(struct buf *out, const char *path, size_t max);
/* Make a folder (0700) if it is missing. */
enum vt_err durable_mkdir(const char *path);

#endif
