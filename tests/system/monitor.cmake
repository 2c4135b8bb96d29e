if(TARGET vitrine_program)
  foreach(script monitor_run monitor_kill monitor_reload monitor_state monitor_stands
      monitor_forgets_nothing)
    add_test(NAME ${script} COMMAND ${here}/${script}
      $<TARGET_FILE:vitrine_program> $<TARGET_FILE:vitrine_load> $<TARGET_FILE:killed_at>)
    set_tests_properties(${script} PROPERTIES LABELS system TIMEOUT 300)
  endforeach()
endif()
