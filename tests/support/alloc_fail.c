/* Wraps the allocator and fails the one that a test chose, on whatever thread it comes. */
#include "alloc_fail.h"

#include <stdatomic.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);

static atomic_uint left;
static atomic_bool failed;

void alloc_fail_at(unsigned n)
{
	left = n;
	failed = false;
}

bool alloc_failed(void)
{
	left = 0;
	return failed;
}

static bool fails_now(void)
{
	unsigned now = left;

	while (now != 0 && !atomic_compare_exchange_weak(&left, &now, now - 1))
		;
	if (now != 1)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails_now() ? NULL : __real_realloc(old, size);
}

/* What the library itself allocates for these is not wrapped. */
void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
	return fails_now() ? NULL : __real_reallocarray(old, n, size);
}

char *__wrap_strdup(const char *text)
{
	return fails_now() ? NULL : __real_strdup(text);
}
