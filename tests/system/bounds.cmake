# What clients may ask of a server, and what happens to them when it stops.
if(TARGET vitrine_program)
  foreach(script bounds/memory bounds/slow_clients bounds/requests bounds/selftest
      sigterm kill)
    string(REPLACE "/" "_" name ${script})
    add_test(NAME ${name} COMMAND ${here}/${script}
      $<TARGET_FILE:vitrine_program> $<TARGET_FILE:vitrine_load>)
    set_tests_properties(${name} PROPERTIES LABELS system TIMEOUT 300)
  endforeach()
  # A sanitizer's own memory would be measured.
  set_tests_properties(bounds_memory PROPERTIES LABELS "system;unsanitized" TIMEOUT 600
    PROCESSORS 2 COST 300)
  # The same with the default number of index keys, and thus nothing folded.
  add_test(NAME bounds_memory_default COMMAND ${here}/bounds/memory
    $<TARGET_FILE:vitrine_program> $<TARGET_FILE:vitrine_load> 1048576)
  set_tests_properties(bounds_memory_default PROPERTIES LABELS "system;unsanitized" TIMEOUT 600
    PROCESSORS 2)
endif()
