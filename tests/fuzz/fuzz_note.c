/*
 * Property: what note_parse() takes is its text, a blank line and its signature lines, byte for
 * byte; what note_open() takes, note_parse() takes, and a known key signed it; a vkey whose key is
 * kept formats back as it was.
 */
#include "fuzz_target.h"
#include "vitrine/note.h"

/* The keys of the corpus: a plain signer, a cosigner, and one that cannot be verified. */
static const char *const known_text[] = {
    "log.example/vectors+d39d7c86+AY+v73DpKI3hRfY+0LQ4BzOyWYWz1VozLzFpMQgdJ+70",
    "witness00.example+df8fe032+BFhlamwgrqWpGJSwFOPYHjsctOBftDNYCqbnPYoKJOgN",
    "other+00000001+/wA=",
};

enum { N_KNOWN = sizeof(known_text) / sizeof(known_text[0]) };

static void must_reserialise(const struct note *n, struct bytes msg)
{
	struct buf back;

	buf_init(&back);
	MUST(n->n >= 1 && n->n <= NOTE_SIGNATURES_MAX);
	MUST(note_text_valid(n->text));
	MUST(buf_append(&back, n->text) == VT_OK);
	MUST(buf_append_byte(&back, '\n') == VT_OK);
	for (size_t i = 0; i < n->n; i++)
		MUST(buf_append(&back, n->sig[i].line) == VT_OK);
	MUST(bytes_equal(buf_bytes(&back), msg));
	buf_release(&back);
}

static void try_vkey(struct bytes text)
{
	struct vkey key;
	struct buf back;

	if (vkey_parse(&key, text) != VT_OK || !vkey_verifiable(&key))
		return;
	buf_init(&back);
	MUST(vkey_format(&back, &key) == VT_OK);
	MUST(bytes_equal(buf_bytes(&back), text));
	buf_release(&back);
}

static void try_open(struct bytes msg, bool parses)
{
	static struct vkey key[N_KNOWN];
	struct vkey_set known = {.key = key, .n = N_KNOWN};
	size_t signed_by = 0;
	struct note *n;

	for (size_t i = 0; i < N_KNOWN; i++)
		MUST(vkey_parse(&key[i], bytes_str(known_text[i])) == VT_OK);
	if (note_open(&n, msg, &known) != VT_OK) {
		MUST(n == NULL);
		return;
	}
	MUST(parses);
	for (size_t i = 0; i < N_KNOWN; i++)
		signed_by += note_signed_by(n, &key[i]) != NULL;
	MUST(signed_by > 0 && note_signed_by(n, &key[N_KNOWN - 1]) == NULL);
	note_free(n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes msg = bytes_of(data, size);
	struct note *n;
	bool parses = note_parse(&n, msg) == VT_OK;

	MUST((n != NULL) == parses);
	if (parses)
		must_reserialise(n, msg);
	note_free(n);
	try_open(msg, parses);
	try_vkey(msg);
	return 0;
}
