/* What CMocka needs included before it, and it. */
#ifndef VITRINE_TEST_H
#define VITRINE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
