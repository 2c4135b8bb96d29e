/*
 * Makes chosen allocations fail. Link the test with `${alloc_fail}` (tests/CMakeLists.txt), which
 * wraps malloc, calloc and realloc of everything linked statically; shared libraries are untouched.
 *
 *	for (unsigned n = 1;; n++) {
 *		alloc_fail_at(n);
 *		err = the_thing();
 *		if (!alloc_failed())
 *			break; // it needs fewer than n allocations: every one has failed once
 *		assert_int_equal(err, VT_ENOMEM);
 *	}
 */
#ifndef VITRINE_TEST_ALLOC_FAIL_H
#define VITRINE_TEST_ALLOC_FAIL_H

#include <stdbool.h>

/* Fail the nth allocation from now (1 is the next one); 0: fail none. */
void alloc_fail_at(unsigned n);
/* Has it happened? Disarms. */
bool alloc_failed(void);

#endif
