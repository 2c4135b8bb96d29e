if(TARGET api)
  # A sanitizer makes a connection cost some ten times as much; what it can find it finds with fewer.
  set(subscribers)
  if(VITRINE_TIME_FACTOR GREATER 1)
    set(subscribers ARGS 300)
  endif()
  vitrine_test(events_many_test LABEL system SOURCES ${here}/events_many_test.c
    LINK api log_fixture http_test_support ${subscribers})
endif()
