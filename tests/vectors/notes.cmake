set(test_file_source ${PROJECT_SOURCE_DIR}/tests/support/test_file.c)

vitrine_test(notes_vectors_test LABEL vectors
  SOURCES ${here}/notes_vectors_test.c ${test_file_source} LINK vitrine ARGS ${here}/notes)
# Its own executable: where the folder is missing it is reported as skipped, alone.
vitrine_test(notes_example_vectors_test LABEL vectors
  SOURCES ${here}/notes_example_vectors_test.c ${test_file_source} LINK vitrine)
