/* The example of C2SP signed-note as a file. Folder: $VITRINE_VECTORS/note. */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "test_file.h"
#include "vitrine/note.h"

static void the_example_of_the_specification_opens(void **state)
{
	const char *vectors = getenv("VITRINE_VECTORS");
	struct buf msg, vkey;
	struct vkey_set known = {.n = 1};
	struct vkey key;
	char dir[4000];
	struct note *n;

	(void)state;
	if (vectors == NULL)
		skip();
	snprintf(dir, sizeof(dir), "%s/note", vectors);
	msg = test_read_file(dir, "example", ".note");
	vkey = test_read_file(dir, "example", ".vkey");
	assert_int_equal(vkey_parse(&key, bytes_of(vkey.data, vkey.len - 1)), VT_OK);
	known.key = &key;
	assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_OK);
	assert_true(bytes_is(n->text, "This is an example message.\n"));
	note_free(n);
	msg.data[0] ^= 1;
	assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_EMISMATCH);
	buf_release(&msg);
	buf_release(&vkey);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_example_of_the_specification_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
