vitrine_test(base_json_test LABEL unit
  SOURCES ${here}/base_json_test.c ${alloc_fail_source} LINK base ${alloc_fail})
