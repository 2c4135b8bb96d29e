vitrine_test(monitor_pairs_test LABEL unit
  SOURCES ${here}/monitor_pairs_test.c ${PROJECT_SOURCE_DIR}/tests/support/scratch.c
  LINK monitor)
