#include "test_policy.h"

#include <stdlib.h>
#include <string.h>

#include "vitrine/checkpoint.h"
#include "vitrine/cosignature.h"

static void must(enum vt_err err)
{
	if (err != VT_OK)
		abort();
}

struct note_signer test_log(char letter)
{
	char name[] = "la.example";

	name[1] = letter;
	return test_signer(name, VKEY_TYPE_ED25519, (uint8_t)letter);
}

struct note_signer test_witness(char letter)
{
	char name[] = "wa.example";

	name[1] = letter;
	return test_signer(name, VKEY_TYPE_COSIGNATURE_ED25519, (uint8_t)(letter + 128));
}

void test_policy_text(struct buf *out, const char *template)
{
	for (const char *c = template; *c != '\0'; c++) {
		struct note_signer by;

		if (*c != '$') {
			must(buf_append_byte(out, (uint8_t)*c));
			continue;
		}
		by = c[1] == 'L' ? test_log(c[2]) : test_witness(c[2]);
		must(vkey_format(out, &by.key));
		c += 2;
	}
}

void test_checkpoint(struct buf *out, char log, const struct tree_head *head, const char *witnesses)
{
	struct note_signer by = test_log(log);
	struct buf text;

	buf_init(&text);
	must(checkpoint_format(&text, by.key.name, head));
	must(note_sign(out, buf_bytes(&text), &by, 1));
	for (size_t i = 0; i < strlen(witnesses); i++) {
		by = test_witness(witnesses[i]);
		must(cosignature_line(out, buf_bytes(&text), i + 1, &by));
	}
	buf_release(&text);
}
