if(TARGET api)
  vitrine_test(api_events_test LABEL unit SOURCES ${here}/api_events_test.c
    LINK api log_fixture record_world http_test_support)
  vitrine_test(api_feed_test LABEL unit SOURCES ${here}/api_feed_test.c
    LINK api log_fixture record_world http_test_support)
  vitrine_test(api_http_test LABEL unit SOURCES ${here}/api_http_test.c
    LINK api log_fixture record_world http_test_support)
endif()
