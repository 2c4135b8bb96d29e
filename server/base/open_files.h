/* The limit on open files (RLIMIT_NOFILE). */
#ifndef BASE_OPEN_FILES_H
#define BASE_OPEN_FILES_H

#include "vitrine/bytes.h"

enum { OPEN_FILES_WHY_MAX = 256 };

/*
 * Raise the soft limit to `need`, if it is lower. VT_ELIMIT: the hard limit does not allow so many; why says how many it takes, and how
 * to get them.
 */
enum vt_err open_files_need(uint64_t need, char why[OPEN_FILES_WHY_MAX]);

#endif
