/* Files that grow and are read in place: whole reads and writes, and what it takes to sync them. */
#ifndef MONITOR_FILES_H
#define MONITOR_FILES_H

#include "vitrine/bytes.h"

enum { FILES_PATH_MAX = 4096 };

/* dir/name-with-hex-id, or dir/name for id UINT64_MAX. VT_ELIMIT. */
enum vt_err files_path(char out[FILES_PATH_MAX], const char *dir, const char *name, uint64_t id);
/* VT_EIO: also if the file ends before. */
enum vt_err files_read_at(int fd, void *out, size_t len, uint64_t at);
enum vt_err files_write_at(int fd, const void *data, size_t len, uint64_t at);
/* Open to read and write, made if it is missing (mode 0600), and cut to `len` bytes. VT_EMISMATCH:
 * it is shorter. VT_EIO. *fd is -1 on failure. */
enum vt_err files_open_at_length(int *fd, const char *path, uint64_t len);
enum vt_err files_sync(int fd);
enum vt_err files_sync_folder(const char *dir);
void files_put64(uint8_t out[8], uint64_t n); /* big-endian */
uint64_t files_get64(const uint8_t in[8]);

#endif
