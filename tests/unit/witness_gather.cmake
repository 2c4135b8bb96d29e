vitrine_test(witness_gather_test LABEL unit
  SOURCES ${here}/witness_gather_test.c
    ${PROJECT_SOURCE_DIR}/tests/support/fake_witness.c
    ${PROJECT_SOURCE_DIR}/tests/support/model_tree.c
    ${PROJECT_SOURCE_DIR}/tests/support/test_policy.c
    ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c ${alloc_fail_source}
  LINK witness http_test_support base OpenSSL::Crypto ${alloc_fail})
