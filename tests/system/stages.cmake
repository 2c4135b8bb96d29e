# The long stages of `script/test --all`, each one test of the main build, so that one ctest run
# tells of everything. A build without VITRINE_STAGES (a sanitizer's own) has none of them.
option(VITRINE_STAGES "Register the stages of script/test --all" OFF)
include(ProcessorCount)
ProcessorCount(cores)

# vitrine_stage(NAME COST minutes COMMAND ...): COST lets ctest start the longest first.
function(vitrine_stage name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "COST;CORES" "COMMAND")
  if(NOT arg_CORES)
    set(arg_CORES ${cores})
  endif()
  add_test(NAME ${name}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/support/only_with_all ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS stage SKIP_RETURN_CODE 77 TIMEOUT 2400
    PROCESSORS ${arg_CORES} COST ${arg_COST}00)
endfunction()

# vitrine_long_test(NAME CORES n COMMAND ...): minutes, but nothing beyond Debian's packages, so script/test
# runs it too. A sanitizer's build leaves it out: a shorter form of the same is among its tests.
function(vitrine_long_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORES" "COMMAND")
  add_test(NAME ${name} COMMAND ${arg_COMMAND})
  set_tests_properties(${name} PROPERTIES LABELS "system;unsanitized" TIMEOUT 2400
    PROCESSORS ${arg_CORES} COST 250)
endfunction()

if(VITRINE_STAGES)
  vitrine_stage(sanitize_asan COST 9 COMMAND ${here}/sanitize asan)
  vitrine_stage(sanitize_tsan COST 9 COMMAND ${here}/sanitize tsan)
  vitrine_stage(coverage COST 4 COMMAND ${here}/coverage)
  vitrine_stage(fuzz_live COST 5 COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz/live)
  # One version of the formatter decides, and not every Debian has it: CI's business alone.
  if(DEFINED ENV{VITRINE_ALL})
    vitrine_stage(style_format COST 1 CORES 1 COMMAND ${PROJECT_SOURCE_DIR}/tests/style/format)
  endif()
  foreach(script new_warning bootstrap_packages)
    add_test(NAME ${script} COMMAND ${here}/${script})
    set_tests_properties(${script} PROPERTIES LABELS "system;unsanitized" TIMEOUT 300)
  endforeach()
  add_test(NAME release_build COMMAND ${here}/build_release ${VITRINE_WERROR})
  set(release_tests release_build)
  if(TARGET vitrine_program)
    vitrine_stage(sanitize_valgrind COST 1 CORES 1
      COMMAND ${here}/valgrind $<TARGET_FILE:vitrine_program>)
    vitrine_long_test(hundred_restarts CORES 1
      COMMAND ${here}/split_view $<TARGET_FILE:vitrine_program> 100)
    # A seeded selection; the whole of each by hand, without the last arguments.
    vitrine_long_test(monitor_kills CORES ${cores} COMMAND ${here}/monitor_kills
      $<TARGET_FILE:vitrine_program> $<TARGET_FILE:vitrine_load> $<TARGET_FILE:killed_at> 20)
    # The same code runs over small logs, in log_fsck_test. 200 flips, if nobody says how many.
    add_executable(fsck_flips ${here}/fsck_flips.c ${here}/../support/stored_flip.c)
    target_include_directories(fsck_flips PRIVATE ${PROJECT_SOURCE_DIR}/tests/support)
    target_link_libraries(fsck_flips PRIVATE log_fixture record_world base SQLite::SQLite3
      Threads::Threads vitrine_warnings)
    vitrine_long_test(fsck_flips CORES ${cores}
      COMMAND $<TARGET_FILE:fsck_flips> $<TARGET_FILE:vitrine_program> 40000 40)
    foreach(script first_run readme)
      add_test(NAME ${script} COMMAND ${here}/${script})
      list(APPEND release_tests ${script})
    endforeach()
  endif()
  # One after the other: all build the release preset's program.
  set_tests_properties(${release_tests} PROPERTIES LABELS "system;unsanitized" TIMEOUT 900
    PROCESSORS ${cores} COST 200 RESOURCE_LOCK release_build)
endif()
