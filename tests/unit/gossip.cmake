# The world's http_fetch() comes before the library's in the link, so that the library's is left out.
vitrine_test(monitor_gossip_test LABEL unit
  SOURCES ${here}/monitor_gossip_test.c ${PROJECT_SOURCE_DIR}/tests/support/gossip_world.c
    ${PROJECT_SOURCE_DIR}/tests/support/model_tree.c ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c
  LINK monitor base OpenSSL::Crypto)
target_include_directories(monitor_gossip_test PRIVATE ${PROJECT_SOURCE_DIR}/server/http)
vitrine_test(monitor_gossip_alloc_test LABEL unit
  SOURCES ${here}/monitor_gossip_alloc_test.c ${PROJECT_SOURCE_DIR}/tests/support/model_tree.c
    ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c ${alloc_fail_source}
  LINK monitor base OpenSSL::Crypto ${alloc_fail})
