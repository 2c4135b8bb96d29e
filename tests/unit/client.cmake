set(fake_log_sources ${PROJECT_SOURCE_DIR}/tests/support/fake_log.c
  ${PROJECT_SOURCE_DIR}/tests/support/test_policy.c
  ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c)

# The fake log's http_fetch() comes before the library's in the link, so that the library's is left out.
vitrine_test(client_read_test LABEL unit TIMEOUT 300
  SOURCES ${here}/client_read_test.c ${fake_log_sources} ${alloc_fail_source}
  LINK client record base OpenSSL::Crypto ${alloc_fail})
target_include_directories(client_read_test PRIVATE ${PROJECT_SOURCE_DIR}/server/http)
vitrine_test(client_submit_test LABEL unit
  SOURCES ${here}/client_submit_test.c ${fake_log_sources} ${here}/record_world.c
  LINK client record keys base OpenSSL::Crypto)
target_include_directories(client_submit_test PRIVATE ${PROJECT_SOURCE_DIR}/server/http ${here})
