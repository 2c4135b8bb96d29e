add_library(fuzz_witness_support STATIC ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c)
target_link_libraries(fuzz_witness_support PUBLIC vitrine PRIVATE OpenSSL::Crypto vitrine_warnings)
vitrine_fuzz(fuzz_add_checkpoint LINK fuzz_witness_support witness base vitrine)
