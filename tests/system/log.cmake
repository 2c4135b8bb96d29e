vitrine_test(log_processes_test LABEL system TIMEOUT 600 SOURCES ${here}/log_processes_test.c
  LINK log_fixture record_world base)
vitrine_test(log_kill_test LABEL system TIMEOUT 300 SOURCES ${here}/log_kill_test.c
  LINK log_fixture)
