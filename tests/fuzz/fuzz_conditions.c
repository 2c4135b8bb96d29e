/*
 * Conditions: the first byte says which, the rest is what is given. What is taken has one form, which reads as itself; what is
 * refused is refused with a reason that can be shown, and leaves nothing.
 */
#include <string.h>

#include "conditions.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[CONDITIONS_WHY_MAX] = "";
	struct conditions c, again;
	enum condition which;
	enum vt_err err;

	if (size == 0)
		return 0;
	which = (enum condition)(data[0] % CONDITIONS_N);
	conditions_init(&c);
	conditions_init(&again);
	err = conditions_add(&c, which, bytes_of(data + 1, size - 1), why);
	if (err != VT_OK) {
		MUST(err == VT_EMALFORMED);
		MUST(why[0] != '\0' && strlen(why) < CONDITIONS_WHY_MAX - 1);
		MUST(utf8_valid(bytes_str(why)));
		MUST(!conditions_any(&c) && c.owned == NULL && c.type[0] == NULL);
		return 0;
	}
	MUST(conditions_any(&c) && c.text[which] != NULL);
	MUST(conditions_add(&again, which, bytes_str(c.text[which]), why) == VT_OK);
	MUST(conditions_equal(&c, &again));
	for (size_t i = 0; i < CONDITION_TYPES_MAX; i++) {
		MUST((c.type[i] == NULL) == (again.type[i] == NULL));
		MUST(c.type[i] == NULL || strcmp(c.type[i], again.type[i]) == 0);
	}
	conditions_release(&c);
	conditions_release(&again);
	return 0;
}
