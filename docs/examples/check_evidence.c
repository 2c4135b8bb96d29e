/* check_evidence VKEY < FILE: does the file prove that whoever has this key signed two histories of the log? */
#include <stdio.h>
#include <vitrine/evidence.h>
#include <vitrine/note.h>

static char text[EVIDENCE_SIZE_MAX + 1];

int main(int argc, char **argv)
{
	const char *why = "it takes a verifier key, and memory";
	struct merkle_hasher h = {0};
	struct evidence e;
	struct vkey key;
	bool proven =
	    argc == 2 && vkey_parse(&key, bytes_str(argv[1])) == VT_OK &&
	    merkle_hasher_init(&h) == VT_OK &&
	    evidence_verify(&e, &why, &h, bytes_of(text, fread(text, 1, sizeof(text), stdin)),
			    &key) == VT_OK;

	if (proven)
		printf("two histories, at sizes %llu and %llu\n",
		       (unsigned long long)e.first.cp.head.size,
		       (unsigned long long)e.second.cp.head.size);
	else
		printf("proves nothing: %s\n", why);
	merkle_hasher_release(&h);
	return !proven;
}
