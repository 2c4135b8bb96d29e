# Logs that ask witnesses of our own; others' are asked in tests/interop.
if(TARGET vitrine_program)
  add_test(NAME witnesses COMMAND ${here}/witnesses $<TARGET_FILE:vitrine_program>)
  add_test(NAME older_copy COMMAND ${here}/older_copy $<TARGET_FILE:vitrine_program>)
  add_test(NAME damaged_wal COMMAND ${here}/damaged_wal $<TARGET_FILE:vitrine_program>)
  add_executable(killed_at ${here}/../support/killed_at.c)
  target_link_libraries(killed_at PRIVATE vitrine_warnings)
  add_test(NAME lost_folders COMMAND ${here}/lost_folders $<TARGET_FILE:vitrine_program>
    $<TARGET_FILE:killed_at>)
  add_test(NAME reload COMMAND ${here}/reload $<TARGET_FILE:vitrine_program>)
  add_test(NAME held_stop COMMAND ${here}/held_stop $<TARGET_FILE:vitrine_program>)
  set_tests_properties(witnesses older_copy damaged_wal held_stop reload PROPERTIES LABELS system TIMEOUT 120)
  set_tests_properties(lost_folders PROPERTIES LABELS system TIMEOUT 300)
endif()
