/* A folder that can be read only so far. Link with failing_readdir.c, whose readdir() is in place of the C library's. */
#ifndef VITRINE_TEST_FAILING_READDIR_H
#define VITRINE_TEST_FAILING_READDIR_H

/* From now on every folder opened gives so many names, dots and all, and then an error. -1: it is read to its end. */
extern int readdir_names;

#endif
