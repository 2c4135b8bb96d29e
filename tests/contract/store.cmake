# One suite, run on every backend.
add_library(store_growth STATIC ${here}/../support/growth.c ${here}/../support/scratch.c)
target_include_directories(store_growth PUBLIC ${here}/../support)
target_link_libraries(store_growth PUBLIC store_api PRIVATE vitrine_warnings)

# The plainest reading of the contract, on which other tests run, too.
add_library(store_memory STATIC ${here}/../support/memory_store.c)
target_include_directories(store_memory PUBLIC ${here}/../support)
target_link_libraries(store_memory PUBLIC store_api
  PRIVATE store_common Threads::Threads vitrine_warnings)

foreach(backend memory sqlite)
  vitrine_test(store_${backend}_contract_test LABEL contract TIMEOUT 400
    SOURCES ${here}/store_contract_test.c ${here}/store_backend_${backend}.c
    LINK store_${backend} store_growth)
endforeach()

vitrine_test(store_sqlite_test LABEL contract TIMEOUT 400 SOURCES ${here}/store_sqlite_test.c
  LINK store_sqlite store_growth base SQLite::SQLite3)
vitrine_test(store_sqlite_crash_test LABEL contract TIMEOUT 400 SOURCES ${here}/store_sqlite_crash_test.c
  LINK store_sqlite store_growth)
vitrine_test(store_sqlite_fault_test LABEL contract TIMEOUT 400
  SOURCES ${here}/store_sqlite_fault_test.c ${alloc_fail_source}
  LINK store_sqlite store_growth SQLite::SQLite3 ${alloc_fail})
vitrine_test(store_sqlite_check_test LABEL contract TIMEOUT 400 SOURCES ${here}/store_sqlite_check_test.c
  LINK store_sqlite store_growth SQLite::SQLite3)
vitrine_test(store_property_test LABEL contract TIMEOUT 400 SOURCES ${here}/store_property_test.c
  LINK store_memory store_sqlite store_growth)
vitrine_test(store_memory_alloc_test LABEL contract
  SOURCES ${here}/store_memory_alloc_test.c ${alloc_fail_source}
  LINK store_memory store_growth ${alloc_fail})
