/* Reasons: said in one line, nested, and never cut in silence. */
#include "why.h"

#include <string.h>

#include "vitrine_test.h"

static void a_refusal_is_one_line(void **state)
{
	struct why why = {""};

	(void)state;
	assert_string_equal(why_text(&why, VT_EIO), vt_err_text(VT_EIO));
	assert_int_equal(why_say(&why, VT_EINVAL, "%s is no port", "70000"), VT_EINVAL);
	assert_string_equal(why.text, "70000 is no port");
	assert_string_equal(why_text(&why, VT_EINVAL), "70000 is no port");
	assert_int_equal(why_say(NULL, VT_EIO, "nobody asks"), VT_EIO);
}

static void what_was_said_inside_is_told_with_where_it_happened(void **state)
{
	struct why why = {""};

	(void)state;
	why_say(&why, VT_EIO, "no such file");
	why_say(&why, VT_EIO, "%s: %s", "policy.txt", why.text);
	assert_string_equal(why.text, "policy.txt: no such file");
}

/* Each length around the size, of characters of each width: the cut shows, and is between two characters. */
static void what_is_too_long_shows_that_it_is_cut_and_stays_utf8(void **state)
{
	static const char *const wide[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x94\x91"};
	char text[WHY_MAX + 8];
	struct why why;

	(void)state;
	for (size_t k = 0; k < sizeof(wide) / sizeof(*wide); k++) {
		for (size_t ahead = 0; ahead < 4; ahead++) {
			size_t len = ahead, width = strlen(wide[k]);

			memset(text, 'x', ahead);
			for (; len < WHY_MAX; len += width)
				memcpy(text + len, wide[k], width);
			text[len] = '\0';
			why_say(&why, VT_EIO, "%s", text);
			len = strlen(why.text);
			assert_in_range(len, WHY_MAX - 1 - 3, WHY_MAX - 1);
			assert_string_equal(why.text + len - 3, "...");
			assert_int_equal((len - 3 - ahead) % width, 0);
			assert_memory_equal(why.text, text, len - 3);
		}
	}
	memset(text, 'x', WHY_MAX - 1);
	text[WHY_MAX - 1] = '\0';
	why_say(&why, VT_EIO, "%s", text);
	assert_string_equal(why.text, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_refusal_is_one_line),
	    cmocka_unit_test(what_was_said_inside_is_told_with_where_it_happened),
	    cmocka_unit_test(what_is_too_long_shows_that_it_is_cut_and_stays_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
