#include "vitrine/err.h"

const char *vt_err_text(enum vt_err err)
{
	switch (err) {
	case VT_OK:
		return "ok";
	case VT_EINTERNAL:
		return "internal error";
	case VT_ENOMEM:
		return "out of memory";
	case VT_EINVAL:
		return "argument out of range";
	case VT_EMALFORMED:
		return "malformed";
	case VT_ELIMIT:
		return "over a limit";
	case VT_EUNTRUSTED:
		return "no trusted signature";
	case VT_EMISMATCH:
		return "does not verify";
	case VT_ENOTFOUND:
		return "not found";
	case VT_ECONFLICT:
		return "changed by somebody else";
	case VT_EBUSY:
		return "busy";
	case VT_EIO:
		return "input/output error";
	}
	return "unknown error";
}
