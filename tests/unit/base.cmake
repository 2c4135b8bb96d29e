vitrine_test(base_json_test LABEL unit
  SOURCES ${here}/base_json_test.c ${alloc_fail_source} LINK base ${alloc_fail})
vitrine_test(base_clock_test LABEL unit SOURCES ${here}/base_clock_test.c LINK base)
vitrine_test(base_durable_test LABEL unit
  SOURCES ${here}/base_durable_test.c ${PROJECT_SOURCE_DIR}/tests/support/failing_readdir.c LINK base)
vitrine_test(base_output_test LABEL unit SOURCES ${here}/base_output_test.c LINK base)
vitrine_test(base_options_test LABEL unit
  SOURCES ${here}/base_options_test.c ${alloc_fail_source} LINK base ${alloc_fail})
vitrine_test(base_logline_test LABEL unit SOURCES ${here}/base_logline_test.c LINK base)
vitrine_test(base_why_test LABEL unit SOURCES ${here}/base_why_test.c LINK base)
