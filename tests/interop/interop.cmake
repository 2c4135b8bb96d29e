# Other languages' code against a running server. What needs more than an ordinary test run is a
# stage of `script/test --all`.
if(VITRINE_STAGES)
  vitrine_stage(openapi_document COST 1 CORES 1 COMMAND ${here}/python/run ${here}/python/openapi.py
    ${PROJECT_SOURCE_DIR}/api/openapi.yaml)
  if(TARGET vitrine_program)
    add_executable(force_entries ${here}/../support/force_entries.c)
    target_link_libraries(force_entries PRIVATE store_sqlite record vitrine vitrine_warnings)
    vitrine_stage(interop_raw_log COST 3 CORES 1 COMMAND ${here}/raw_log $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_envelopes COST 1 CORES 1
      COMMAND ${here}/envelopes $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_replay COST 1 CORES 1
      COMMAND ${here}/replay $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_corrections COST 1 CORES 1
      COMMAND ${here}/corrections $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_forced COST 1 CORES 1 COMMAND ${here}/forced $<TARGET_FILE:vitrine_program>
      $<TARGET_FILE:force_entries>)
    vitrine_stage(interop_mutated COST 1 CORES 1 COMMAND ${here}/mutated $<TARGET_FILE:vitrine_program>)
    # 2,000 of the 5,000 and more records that it makes by hand.
    vitrine_stage(interop_anew COST 1 CORES 1 COMMAND ${here}/anew $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_witnesses COST 2 CORES 1
      COMMAND ${here}/witnesses $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_witness_clients COST 1 CORES 1
      COMMAND ${here}/witness_clients $<TARGET_FILE:vitrine_program>)
    vitrine_stage(interop_junit COST 1 CORES 1 COMMAND ${here}/junit $<TARGET_FILE:vitrine_program>)
    add_executable(raw_cases ${here}/raw_cases.c)
    target_link_libraries(raw_cases PRIVATE http_test_support vitrine_warnings)
    vitrine_stage(interop_proxies COST 1 CORES 2 COMMAND ${here}/proxies $<TARGET_FILE:vitrine_program>
      $<TARGET_FILE:vitrine_load> $<TARGET_FILE:raw_cases>)
    vitrine_stage(openapi_answers COST 1 CORES 1
      COMMAND ${here}/openapi_answers $<TARGET_FILE:vitrine_program>)
  endif()
endif()
