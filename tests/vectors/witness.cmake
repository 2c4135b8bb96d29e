if(TARGET api)
  vitrine_test(witness_cases_test LABEL vectors
    SOURCES ${here}/witness_cases_test.c ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
    LINK witness_server ARGS ${here}/witness)
endif()
