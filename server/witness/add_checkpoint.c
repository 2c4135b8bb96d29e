#include "add_checkpoint.h"

#include <string.h>

/* "Each line MUST terminate in a newline character (U+000A)." *line comes without it. */
static bool take_line(struct bytes *line, struct bytes *rest)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	*line = bytes_of(rest->data, (size_t)(end - rest->data));
	*rest = bytes_of(end + 1, rest->len - line->len - 1);
	return true;
}

/* "The old size line MUST consist of the string old, a single space (0x20), and the tree size of
 * the previous checkpoint encoded as an ASCII decimal with no leading zeroes (unless the size is
 * zero, in which case the encoding MUST be 0)." */
static bool parse_old_size(uint64_t *out, struct bytes line)
{
	return line.len > 4 && memcmp(line.data, "old ", 4) == 0 &&
	       decimal_decode(out, bytes_of(line.data + 4, line.len - 4)) == VT_OK;
}

/* "zero or more consistency proof lines, and an empty line" */
static enum vt_err parse_proof(struct merkle_proof *out, struct bytes *rest, const char **why)
{
	struct bytes line;

	for (out->n = 0;; out->n++) {
		if (!take_line(&line, rest)) {
			*why = "no empty line before the checkpoint";
			return VT_EMALFORMED;
		}
		if (line.len == 0)
			return VT_OK;
		/* "The client MUST NOT send more than 63 consistency proof lines." */
		if (out->n == ADD_CHECKPOINT_PROOF_MAX) {
			*why = "more than 63 lines of consistency proof";
			return VT_EMALFORMED;
		}
		/* "Each consistency proof line MUST encode a single hash in base64." */
		if (base64_decode_exact(out->hash[out->n].b, MERKLE_HASH_SIZE, line,
					BASE64_STANDARD) != VT_OK) {
			*why = "a line of the consistency proof is not the base64 of 32 bytes";
			return VT_EMALFORMED;
		}
	}
}

enum vt_err add_checkpoint_parse(struct add_checkpoint *out, struct bytes body, const char **why)
{
	struct bytes line;

	if (!take_line(&line, &body) || !parse_old_size(&out->old_size, line)) {
		*why = "the first line is not \"old\", one space and a size";
		return VT_EMALFORMED;
	}
	if (parse_proof(&out->proof, &body, why) != VT_OK)
		return VT_EMALFORMED;
	out->note = body;
	return VT_OK;
}
