/* A whole file of test data. Link with ${test_file_source}. */
#ifndef VITRINE_TEST_FILE_H
#define VITRINE_TEST_FILE_H

#include "vitrine/bytes.h"

/* The file dir/name and, unless it is NULL, suffix. The caller releases it. Aborts if it cannot be
 * read. */
struct buf test_read_file(const char *dir, const char *name, const char *suffix);

#endif
