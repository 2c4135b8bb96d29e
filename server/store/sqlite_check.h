/* store_ops.check of the SQLite store. */
#ifndef STORE_SQLITE_CHECK_H
#define STORE_SQLITE_CHECK_H

#include "sql.h"

/* VT_OK: all was looked at. An error of fault, VT_EBUSY or VT_ENOMEM: it was not. */
enum vt_err sqlite_check(struct sql *sql, store_fault_fn fault, void *ctx);

#endif
