/*
 * Checkpoints (C2SP tlog-checkpoint): a log's tree head as the text of a signed note.
 */
#ifndef VITRINE_CHECKPOINT_H
#define VITRINE_CHECKPOINT_H

#include "vitrine/merkle.h"
#include "vitrine/note.h"

enum {
	CHECKPOINT_EXTENSIONS_MAX = 16,
};

/* Pointers are into the text that was parsed. */
struct checkpoint {
	struct bytes origin;
	struct tree_head head;
	struct bytes extensions; /* the extension lines with their newlines; usually empty */
};

/* Parse a note's text. VT_EMALFORMED: not exactly the grammar (leading zeros, missing newline, empty
 * lines, a hash that is not 32 bytes). VT_ELIMIT: too many extension lines. */
enum vt_err checkpoint_parse(struct checkpoint *out, struct bytes text);
/* Append the note text "origin\nsize\nroot\n". VT_EINVAL: origin cannot stand in a checkpoint. */
enum vt_err checkpoint_format(struct buf *out, const char *origin, const struct tree_head *head);
/*
 * Open a signed checkpoint and insist on what is expected: the note is signed by `log`, its key
 * name and the origin line are log->name. `others` (witness keys, may be empty) are verified as well
 * where they signed. *note is new; *out points into msg; log and others must outlive *note.
 * Errors as note_open() has them; VT_EUNTRUSTED also if only others signed it, or the origin is not
 * log->name.
 */
enum vt_err checkpoint_open(struct note **note, struct checkpoint *out, struct bytes msg,
			    const struct vkey *log, const struct vkey_set *others);

#endif
