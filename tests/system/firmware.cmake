# The main job on real input, retries, and what people ask, against a running server.
if(TARGET vitrine_program)
  add_test(NAME firmware_run COMMAND ${here}/firmware_run $<TARGET_FILE:vitrine_program>)
  add_test(NAME retries COMMAND ${here}/retries $<TARGET_FILE:vitrine_program>)
  add_test(NAME conditions COMMAND ${here}/conditions $<TARGET_FILE:vitrine_program>)
  add_test(NAME forged_proofs COMMAND ${here}/forged_proofs $<TARGET_FILE:vitrine_program>)
  add_test(NAME digests COMMAND ${here}/digests $<TARGET_FILE:vitrine_program>)
  add_test(NAME corrections COMMAND ${here}/corrections $<TARGET_FILE:vitrine_program>)
  add_test(NAME environment COMMAND ${here}/environment $<TARGET_FILE:vitrine_program>)
  add_test(NAME output_files COMMAND ${here}/output_files $<TARGET_FILE:vitrine_program>)
  set_tests_properties(firmware_run retries forged_proofs digests corrections environment output_files conditions PROPERTIES
    LABELS system TIMEOUT 900)
endif()
