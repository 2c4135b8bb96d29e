vitrine_test(log_index_test LABEL unit SOURCES ${here}/log_index_test.c LINK log store_memory)

add_library(log_fixture STATIC ${here}/../support/log_fixture.c
  ${here}/../support/fake_gatherer.c ${here}/../support/scratch.c
  ${here}/../support/test_signer.c)
target_include_directories(log_fixture PUBLIC ${here}/../support)
target_link_libraries(log_fixture PUBLIC log store_memory store_sqlite
  PRIVATE base OpenSSL::Crypto vitrine_warnings)

# The same tests over each store.
vitrine_test(log_sequencer_test LABEL unit SOURCES ${here}/log_sequencer_test.c
  LINK log_fixture ARGS memory)
vitrine_test(log_records_test LABEL unit SOURCES ${here}/log_records_test.c
  LINK log_fixture record_world base ARGS memory)
foreach(test sequencer records)
  add_test(NAME log_${test}_sqlite_test COMMAND log_${test}_test sqlite)
  set_tests_properties(log_${test}_sqlite_test PROPERTIES LABELS unit TIMEOUT 120)
endforeach()
vitrine_test(log_gather_test LABEL unit SOURCES ${here}/log_gather_test.c
  LINK log_fixture base)
vitrine_test(log_high_water_test LABEL unit SOURCES ${here}/log_high_water_test.c
  LINK log_fixture base)
vitrine_test(log_shared_test LABEL unit SOURCES ${here}/log_shared_test.c
  LINK log_fixture base)
vitrine_test(log_fsck_test LABEL unit
  SOURCES ${here}/log_fsck_test.c ${here}/../support/stored_flip.c
  LINK log_fixture record_world base SQLite::SQLite3)
vitrine_test(log_readback_test LABEL unit
  SOURCES ${here}/log_readback_test.c ${here}/../support/flipping_store.c
  LINK log_fixture store_growth base)
vitrine_test(log_failure_test LABEL unit
  SOURCES ${here}/log_failure_test.c ${here}/../support/failing_store.c ${alloc_fail_source}
  LINK log_fixture base ${alloc_fail})
