vitrine_test(record_envelopes_test LABEL vectors
  SOURCES ${here}/record_envelopes_test.c ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
  LINK record_world record base ARGS ${here}/envelopes)
vitrine_test(record_edges_test LABEL vectors
  SOURCES ${here}/record_edges_test.c ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
  LINK record_world record base ARGS ${here}/rules)
vitrine_test(record_faults_test LABEL vectors
  SOURCES ${here}/record_faults_test.c ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
    ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c
  LINK record_world record base OpenSSL::Crypto)
