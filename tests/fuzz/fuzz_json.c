/*
 * Property: a text that json_parse takes, written compactly, is taken again and written the same;
 * and nothing that it takes is nested too deep or is not UTF-8.
 */
#include "fuzz_target.h"
#include "json.h"

static unsigned depth(const struct json *j)
{
	unsigned deepest = 0, d;
	struct json_cursor at = {0};
	struct bytes name;
	const struct json *v;

	if (json_kind(j) != JSON_ARRAY && json_kind(j) != JSON_OBJECT)
		return 0;
	for (size_t i = 0; (v = json_at(j, i)) != NULL; i++)
		deepest = (d = depth(v)) > deepest ? d : deepest;
	while (json_next_member(j, &at, &name, &v)) {
		MUST(utf8_valid(name));
		MUST(json_member(j, (const char *)name.data) == v);
		deepest = (d = depth(v)) > deepest ? d : deepest;
	}
	return deepest + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json *first, *second;
	struct json_error why;
	struct buf once, twice;

	buf_init(&once);
	buf_init(&twice);
	if (json_parse(&first, bytes_of(data, size), &why) == VT_OK) {
		MUST(utf8_valid(bytes_of(data, size)));
		MUST(depth(first) <= JSON_DEPTH_MAX);
		MUST(json_write(&once, first, JSON_COMPACT) == VT_OK);
		MUST(json_parse(&second, buf_bytes(&once), &why) == VT_OK);
		MUST(json_write(&twice, second, JSON_COMPACT) == VT_OK);
		MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
		json_free(second);
	} else {
		MUST(first == NULL);
		MUST(why.text[0] != '\0');
		MUST(why.offset <= size);
	}
	json_free(first);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
