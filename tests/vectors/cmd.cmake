if(TARGET junit)
  vitrine_test(cmd_junit_vectors_test LABEL vectors
    SOURCES ${here}/cmd_junit_vectors_test.c ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
    LINK junit vitrine ARGS ${here}/junit)
endif()
