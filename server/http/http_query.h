/*
 * Query strings of "name=value", percent-encoded (RFC 3986). Pure functions over NUL-terminated text. A "+" is
 * a "+", not the space that it is in HTML's forms: no value here has a space, while times and URIs have a "+".
 */
#ifndef HTTP_QUERY_H
#define HTTP_QUERY_H

#include "vitrine/bytes.h"

/*
 * Append the decoded value of `name`; one without "=" has the empty value. Names are compared
 * decoded. VT_ENOTFOUND: no such name. VT_ECONFLICT: the name came twice. VT_EMALFORMED: the value is wrongly
 * percent-encoded. Nothing is appended then.
 */
enum vt_err http_query_value(struct buf *out, const char *query, const char *name);

/* Is every name of the query in the NULL-terminated list? If not, unknown is the first that is not,
 * as it was written, cut to fit, with anything but printable ASCII as "?". */
bool http_query_names(const char *query, const char *const *names, char unknown[64]);

#endif
