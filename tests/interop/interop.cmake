# Other languages' code against a running server. Where there is no vitrine command there is
# nothing to test.
if(VITRINE_STAGES AND TARGET vitrine_command)
  vitrine_stage(raw_log COST 3 CORES 1 COMMAND ${here}/raw_log $<TARGET_FILE:vitrine_command>)
  set_tests_properties(stage_raw_log PROPERTIES LABELS interop)
endif()
