add_test(NAME libvitrine_installed COMMAND ${CMAKE_COMMAND} -E env
  CC=${CMAKE_C_COMPILER} "CFLAGS=${CMAKE_C_FLAGS}"
  ${here}/installed/build_and_run ${PROJECT_BINARY_DIR} $<TARGET_FILE:vitrine_program>)
set_tests_properties(libvitrine_installed PROPERTIES LABELS system TIMEOUT 120)
add_test(NAME libvitrine_symbols COMMAND ${here}/symbols $<TARGET_FILE:vitrine>
  $<TARGET_FILE:vitrine_shared> ${PROJECT_SOURCE_DIR}/include/vitrine/names.h)
add_test(NAME libvitrine_record_symbols COMMAND ${here}/symbols "" $<TARGET_FILE:vitrine_record>
  ${PROJECT_SOURCE_DIR}/include/vitrine/record_names.h)
set_tests_properties(libvitrine_symbols libvitrine_record_symbols PROPERTIES LABELS system)
