# Makes a log in memory, and records for it.
add_library(record_world STATIC ${here}/record_world.c)
target_include_directories(record_world PUBLIC ${here}
  PRIVATE ${PROJECT_SOURCE_DIR}/tests/support)
target_link_libraries(record_world PUBLIC record base PkgConfig::CMOCKA PRIVATE vitrine_warnings)

vitrine_test(record_rules_test LABEL unit SOURCES ${here}/record_rules_test.c
  LINK record_world record base)
vitrine_test(record_admit_test LABEL unit SOURCES ${here}/record_admit_test.c
  LINK record_world record base)
vitrine_test(record_signing_keys_test LABEL unit SOURCES ${here}/record_signing_keys_test.c
  LINK record_world record base OpenSSL::Crypto)
vitrine_test(record_extra_test LABEL unit SOURCES ${here}/record_extra_test.c
  LINK record_world record base)
vitrine_test(record_entry_standing_test LABEL unit SOURCES ${here}/record_entry_standing_test.c LINK record base)
vitrine_test(record_reopener_test LABEL unit SOURCES ${here}/record_reopener_test.c
  LINK record_world record base)
vitrine_test(record_conditions_test LABEL unit SOURCES ${here}/record_conditions_test.c LINK record)
vitrine_test(record_problem_test LABEL unit SOURCES ${here}/record_problem_test.c LINK record)
vitrine_test(record_alloc_test LABEL unit
  SOURCES ${here}/record_alloc_test.c ${alloc_fail_source} LINK record_world record base ${alloc_fail})
vitrine_test(record_docs_test LABEL unit
  SOURCES ${here}/record_docs_test.c ${PROJECT_SOURCE_DIR}/tests/support/test_file.c
  LINK record ARGS ${PROJECT_SOURCE_DIR}/docs)

# A sanitizer's own memory would be measured.
vitrine_test(record_registry_memory_test LABEL unit SOURCES ${here}/record_registry_memory_test.c
  LINK record_world record base)
# Without the caches of the C library, in which what was freed counts as taken.
set_tests_properties(record_registry_memory_test PROPERTIES LABELS "unit;unsanitized"
  ENVIRONMENT GLIBC_TUNABLES=glibc.malloc.tcache_count=0)
vitrine_test(record_proof_check_test LABEL unit
  SOURCES ${here}/record_proof_check_test.c ${fake_log_sources} ${alloc_fail_source}
  LINK client record base OpenSSL::Crypto ${alloc_fail})
target_include_directories(record_proof_check_test PRIVATE ${PROJECT_SOURCE_DIR}/server/http)
