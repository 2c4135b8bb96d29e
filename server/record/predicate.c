#include "predicate.h"

static const struct predicate predicates[] = {
    {PREDICATE_TEST_RESULT, test_result_check, NULL},
    {PREDICATE_RELEASE_V02, release_check, NULL},
    {PREDICATE_RELEASE_V01, release_check, NULL},
    {PREDICATE_AUDIT_EVENT, audit_event_check, NULL},
    {PREDICATE_ACCREDITATION, accreditation_check, accreditation_judge},
    {PREDICATE_SEALED, sealed_check, NULL},
    {PREDICATE_CORRECTION, correction_check, correction_judge},
};

const struct predicate *predicate_find(struct bytes type)
{
	for (size_t i = 0; i < sizeof(predicates) / sizeof(predicates[0]); i++)
		if (bytes_is(type, predicates[i].type))
			return &predicates[i];
	return NULL;
}
