add_library(http_test_support STATIC
  ${PROJECT_SOURCE_DIR}/tests/support/http_app.c
  ${PROJECT_SOURCE_DIR}/tests/support/raw_http.c)
target_include_directories(http_test_support PUBLIC ${PROJECT_SOURCE_DIR}/tests/support)
target_link_libraries(http_test_support PUBLIC http PkgConfig::CMOCKA Threads::Threads
  PRIVATE vitrine_warnings)
if(MICROHTTPD_VERSION VERSION_LESS 1.0) # it leaves to us what its successors refuse, in their own form
  target_compile_definitions(http_test_support PUBLIC LENIENT_LIBRARY)
endif()

vitrine_test(http_server_test LABEL unit SOURCES ${here}/http_server_test.c LINK http_test_support)
vitrine_test(http_strict_test LABEL unit SOURCES ${here}/http_strict_test.c LINK http_test_support)
vitrine_test(http_fetch_test LABEL unit SOURCES ${here}/http_fetch_test.c
  LINK http_test_support ZLIB::ZLIB)
vitrine_test(http_deadline_test LABEL unit SOURCES ${here}/http_deadline_test.c
  LINK http_test_support)
vitrine_test(http_load_test LABEL unit SOURCES ${here}/http_load_test.c LINK http_test_support
  TIMEOUT 300)
vitrine_test(http_shares_test LABEL unit SOURCES ${here}/http_shares_test.c
  LINK http_test_support)
vitrine_test(http_stream_test LABEL unit SOURCES ${here}/http_stream_test.c
  LINK http_test_support)
vitrine_test(http_text_test LABEL unit SOURCES ${here}/http_text_test.c LINK http)
vitrine_test(http_peers_test LABEL unit SOURCES ${here}/http_peers_test.c LINK http)
vitrine_test(http_proxies_test LABEL unit SOURCES ${here}/http_proxies_test.c LINK http)
vitrine_test(http_alloc_test LABEL unit SOURCES ${here}/http_alloc_test.c ${alloc_fail_source}
  LINK http_test_support ${alloc_fail})
