if(TARGET vitrine_program)
  add_library(witness_crowd STATIC ${PROJECT_SOURCE_DIR}/tests/support/witness_crowd.c)
  target_link_libraries(witness_crowd PUBLIC witness_log base Threads::Threads PRIVATE vitrine_warnings)

  vitrine_test(witness_race_test LABEL system TIMEOUT 300 SOURCES ${here}/witness_race_test.c
    LINK witness_crowd witness_server)
  vitrine_test(witness_kill_test LABEL system TIMEOUT 300 SOURCES ${here}/witness_kill_test.c
    LINK witness_crowd ARGS $<TARGET_FILE:vitrine_program>)
  add_test(NAME witness_command COMMAND ${here}/witness_command $<TARGET_FILE:vitrine_program>)
  set_tests_properties(witness_command PROPERTIES LABELS system TIMEOUT 120)
endif()
