# Parts of the commands, which are in no library: compiled into the test.
vitrine_test(cmd_file_digests_test LABEL unit
  SOURCES ${here}/cmd_file_digests_test.c ${PROJECT_SOURCE_DIR}/server/cmd/file_digests.c
    ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK record keys base)
target_include_directories(cmd_file_digests_test PRIVATE ${PROJECT_SOURCE_DIR}/server/cmd)
if(TARGET junit)
  vitrine_test(cmd_junit_files_test LABEL unit
    SOURCES ${here}/cmd_junit_files_test.c ${PROJECT_SOURCE_DIR}/server/cmd/junit_files.c
      ${PROJECT_SOURCE_DIR}/tests/support/scratch.c ${PROJECT_SOURCE_DIR}/tests/support/failing_readdir.c
    LINK junit base)
  target_include_directories(cmd_junit_files_test PRIVATE ${PROJECT_SOURCE_DIR}/server/cmd)
  vitrine_test(cmd_junit_alloc_test LABEL unit
    SOURCES ${here}/cmd_junit_alloc_test.c ${alloc_fail_source} LINK junit vitrine ${alloc_fail})
endif()
