set(test_signer_source ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c)
add_library(witness_log STATIC ${PROJECT_SOURCE_DIR}/tests/support/witness_log.c
  ${PROJECT_SOURCE_DIR}/tests/support/scratch.c ${test_signer_source})
target_include_directories(witness_log PUBLIC ${PROJECT_SOURCE_DIR}/tests/support)
target_link_libraries(witness_log PUBLIC vitrine OpenSSL::Crypto PRIVATE vitrine_warnings)

vitrine_test(witness_cosigner_test LABEL unit
  SOURCES ${here}/witness_cosigner_test.c ${alloc_fail_source} LINK witness base witness_log ${alloc_fail})

if(TARGET api)
  add_library(witness_server STATIC ${PROJECT_SOURCE_DIR}/tests/support/witness_server.c)
  target_link_libraries(witness_server PUBLIC api witness http_test_support witness_log base
    PRIVATE vitrine_warnings)
  vitrine_test(witness_http_test LABEL unit SOURCES ${here}/witness_http_test.c LINK witness_server)
endif()
