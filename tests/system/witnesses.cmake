# Logs that ask witnesses of our own; others' are asked in tests/interop.
if(TARGET vitrine_program)
  add_test(NAME witnesses COMMAND ${here}/witnesses $<TARGET_FILE:vitrine_program>)
  set_tests_properties(witnesses PROPERTIES LABELS system TIMEOUT 120)
endif()
