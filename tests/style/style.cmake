# Checks of the source itself. Each is also shown to fail on what it is there for (selftest).
foreach(check bans headers_owned references small_clone)
  add_test(NAME style_${check} COMMAND ${here}/${check} ${PROJECT_SOURCE_DIR})
  set_tests_properties(style_${check} PROPERTIES LABELS unit TIMEOUT 60)
endforeach()
set_tests_properties(style_small_clone PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME style_arrows
  COMMAND ${here}/arrows ${PROJECT_BINARY_DIR}/arrows.txt ${PROJECT_SOURCE_DIR})
set_tests_properties(style_arrows PROPERTIES LABELS unit TIMEOUT 60)

foreach(check bans headers_owned arrows links headers_alone references small_clone)
  add_test(NAME style_selftest_${check} COMMAND ${here}/selftest ${check})
  set_tests_properties(style_selftest_${check} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()
