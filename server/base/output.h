/*
 * Files whose names a person gave as a command's output. They may be anything that a path can name, so what is
 * there is looked at before anything is replaced.
 */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include <sys/types.h>

#include "vitrine/bytes.h"
#include "why.h"

/*
 * Write `contents` to `path`:
 *  - a new file gets 0666 less the umask;
 *  - a regular file is replaced whole or not at all, and keeps its mode and, as far as this process may say so, its
 *    owner. A symbolic link is followed, and the file that it points to replaced;
 *  - one that this process was given open (/dev/stdout, /dev/fd/N, or the name of the file that is standard output) is
 *    written through that descriptor, and a device or a FIFO is written to, not replaced.
 * secret: nobody else may read it, so a regular file, new or not, gets 0600.
 * VT_EINVAL: it is a folder, a link to nothing, or a file that may not be written or holds a private key (PEM, DER, a
 * note key); it is left as it is. VT_EIO: the system's reason. Nothing is left beside it.
 */
enum vt_err output_write(const char *path, struct bytes contents, bool secret, struct why *why);
/* What output_write() would refuse, found before the work that leads to it. Writes nothing. */
enum vt_err output_check(const char *path, struct why *why);
/* The mode of a file that anybody may read: 0666 less the umask. */
mode_t output_mode(void);

#endif
