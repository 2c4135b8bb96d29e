vitrine_test(log_index_test LABEL unit SOURCES ${here}/log_index_test.c LINK log store_memory)

add_library(log_fixture STATIC ${here}/../support/log_fixture.c ${here}/../support/scratch.c
  ${here}/../support/test_signer.c)
target_include_directories(log_fixture PUBLIC ${here}/../support)
target_link_libraries(log_fixture PUBLIC log store_memory store_sqlite
  PRIVATE OpenSSL::Crypto vitrine_warnings)

# The same test over each store.
vitrine_test(log_sequencer_test LABEL unit SOURCES ${here}/log_sequencer_test.c
  LINK log_fixture ARGS memory)
add_test(NAME log_sequencer_sqlite_test COMMAND log_sequencer_test sqlite)
set_tests_properties(log_sequencer_sqlite_test PROPERTIES LABELS unit TIMEOUT 120)
