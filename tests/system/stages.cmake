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
  add_test(NAME stage_${name}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/support/only_with_all ${arg_COMMAND})
  set_tests_properties(stage_${name} PROPERTIES LABELS stage SKIP_RETURN_CODE 77 TIMEOUT 2400
    PROCESSORS ${arg_CORES} COST ${arg_COST}00)
endfunction()

if(VITRINE_STAGES)
  vitrine_stage(asan COST 9 COMMAND ${here}/sanitize asan)
  vitrine_stage(tsan COST 9 COMMAND ${here}/sanitize tsan)
  vitrine_stage(fuzz COST 5 COMMAND ${PROJECT_SOURCE_DIR}/tests/fuzz/live)
  vitrine_stage(release COST 2 COMMAND ${here}/build_release)
  if(TARGET vitrine_program)
    # One after the other: both build the release preset's program.
    vitrine_stage(first_run COST 1 COMMAND ${here}/first_run)
    vitrine_stage(readme COST 1 COMMAND ${here}/readme)
    set_tests_properties(stage_release stage_first_run stage_readme PROPERTIES
      RESOURCE_LOCK release_build)
    vitrine_stage(valgrind COST 1 CORES 1 COMMAND ${here}/valgrind $<TARGET_FILE:vitrine_program>)
  endif()
  vitrine_stage(format COST 1 CORES 1 COMMAND ${PROJECT_SOURCE_DIR}/tests/style/format)
endif()
