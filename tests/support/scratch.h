/* A folder of a test's own, which goes away with it. */
#ifndef VITRINE_TEST_SCRATCH_H
#define VITRINE_TEST_SCRATCH_H

/* Before the first use: keep it in memory, where the machine has a place for that. */
void scratch_in_memory(void);
/* The folder, made when it is first asked for, and removed at exit. Static. */
const char *scratch_folder(void);
/* The path of a file in it. Static, good until the next call. */
const char *scratch_path(const char *name);
/* Delete every file in it. */
void scratch_clear(void);

#endif
