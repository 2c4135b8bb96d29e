vitrine_test(monitor_pairs_test LABEL unit
  SOURCES ${here}/monitor_pairs_test.c ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK monitor)
# As in client.cmake: the fake log's http_fetch() comes before the library's in the link.
vitrine_test(monitor_follow_test LABEL unit TIMEOUT 300
  SOURCES ${here}/monitor_follow_test.c ${fake_log_sources} ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
    ${PROJECT_SOURCE_DIR}/tests/support/failing_readdir.c ${alloc_fail_source}
  LINK monitor client record_world record base OpenSSL::Crypto ${alloc_fail})
target_include_directories(monitor_follow_test PRIVATE ${PROJECT_SOURCE_DIR}/server/http)
vitrine_test(monitor_checks_test LABEL unit
  SOURCES ${here}/monitor_checks_test.c ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK monitor record_world record base)
vitrine_test(monitor_outbox_test LABEL unit
  SOURCES ${here}/monitor_outbox_test.c ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK monitor base)
vitrine_test(monitor_outbox_files_test LABEL unit
  SOURCES ${here}/monitor_outbox_files_test.c ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK monitor)
vitrine_test(monitor_outboxes_test LABEL unit
  SOURCES ${here}/monitor_outboxes_test.c ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK monitor base)
