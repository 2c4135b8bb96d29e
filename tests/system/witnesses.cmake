# Logs that ask witnesses of our own; others' are asked in tests/interop.
if(TARGET vitrine_program)
  add_test(NAME witnesses COMMAND ${here}/witnesses $<TARGET_FILE:vitrine_program>)
  add_test(NAME older_copy COMMAND ${here}/older_copy $<TARGET_FILE:vitrine_program>)
  add_test(NAME lost_folders COMMAND ${here}/lost_folders $<TARGET_FILE:vitrine_program>)
  add_test(NAME held_stop COMMAND ${here}/held_stop $<TARGET_FILE:vitrine_program>)
  set_tests_properties(witnesses older_copy held_stop PROPERTIES LABELS system TIMEOUT 120)
  set_tests_properties(lost_folders PROPERTIES LABELS system TIMEOUT 300)
endif()
