set(test_signer_source ${PROJECT_SOURCE_DIR}/tests/support/test_signer.c)
set(notes_sources ${test_signer_source} ${PROJECT_SOURCE_DIR}/tests/support/test_policy.c
  ${alloc_fail_source})

vitrine_test(notes_cursor_test LABEL unit SOURCES ${here}/notes_cursor_test.c LINK vitrine)
target_include_directories(notes_cursor_test PRIVATE ${PROJECT_SOURCE_DIR}/merkle)
foreach(what vkey note checkpoint cosignature policy tlog_proof)
  vitrine_test(notes_${what}_test LABEL unit
    SOURCES ${here}/notes_${what}_test.c ${notes_sources}
    LINK vitrine OpenSSL::Crypto ${alloc_fail})
endforeach()
# A fork at any size: the model tree with another first leaf.
vitrine_test(notes_evidence_test LABEL unit
  SOURCES ${here}/notes_evidence_test.c ${notes_sources} ${PROJECT_SOURCE_DIR}/tests/support/model_tree.c
    ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
  LINK vitrine OpenSSL::Crypto ${alloc_fail} ARGS ${PROJECT_SOURCE_DIR}/tests/vectors/evidence)
