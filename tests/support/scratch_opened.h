/*
 * What a test keeps in its scratch folder: opened before each test, closed after it, and opened again when the
 * test says reopen(), as after a restart. `name` points to a struct `type`, which type_open() opens in a folder with `why` and
 * type_free() closes. Used once in a test's file.
 */
#ifndef VITRINE_TEST_SCRATCH_OPENED_H
#define VITRINE_TEST_SCRATCH_OPENED_H

#include "scratch.h"
#include "vitrine_test.h"

#define SCRATCH_OPENED(type, name)                                                                 \
	static struct type *name;                                                                  \
	static char why[256];                                                                      \
                                                                                                   \
	static enum vt_err reopen(void)                                                            \
	{                                                                                          \
		type##_free(name);                                                                 \
		name = NULL;                                                                       \
		return type##_open(&name, scratch_folder(), why);                                  \
	}                                                                                          \
                                                                                                   \
	static int set_up(void **state)                                                            \
	{                                                                                          \
		(void)state;                                                                       \
		scratch_clear();                                                                   \
		assert_int_equal(reopen(), VT_OK);                                                 \
		return 0;                                                                          \
	}                                                                                          \
                                                                                                   \
	static int tear_down(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		type##_free(name);                                                                 \
		name = NULL;                                                                       \
		return 0;                                                                          \
	}

#endif
