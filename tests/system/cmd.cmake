if(TARGET vitrine_program)
  add_test(NAME junit_reports COMMAND ${here}/junit_reports $<TARGET_FILE:vitrine_program>)
  set_tests_properties(junit_reports PROPERTIES LABELS system TIMEOUT 600)
endif()
