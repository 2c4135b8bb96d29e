# vitrine_module(NAME SOURCES ... [USES ...] [EXPOSES ...])
# One library per folder. USES are linked PRIVATE, so a module sees only the headers of what it may
# use; EXPOSES are modules whose types stand in its own headers.
#
# Every header of the folder must compile by itself, with what is EXPOSED alone (target
# all_verify_interface_header_sets); one whose name ends in _private.h, _internal.h or _impl.h is
# the module's own and may lean on USES too.
function(vitrine_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;USES;EXPOSES")
  add_library(${name} STATIC ${arg_SOURCES})
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  set(own ${headers})
  list(FILTER own INCLUDE REGEX "_(private|internal|impl)\\.h$")
  list(FILTER headers EXCLUDE REGEX "_(private|internal|impl)\\.h$")
  target_sources(${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_CURRENT_SOURCE_DIR}
    FILES ${headers})
  target_include_directories(${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_EXPOSES} PRIVATE ${arg_USES} vitrine_warnings)
  if(CMAKE_VERIFY_INTERFACE_HEADER_SETS AND own)
    set(alone)
    foreach(header ${own})
      get_filename_component(file ${header} NAME)
      file(CONFIGURE OUTPUT alone/${file}.c CONTENT "#include \"${file}\"\n")
      list(APPEND alone ${CMAKE_CURRENT_BINARY_DIR}/alone/${file}.c)
    endforeach()
    add_library(${name}_own_headers OBJECT ${alone})
    target_link_libraries(${name}_own_headers PRIVATE ${name} ${arg_USES})
  endif()
endfunction()

# CMake leaves the checks of headers out of `all`; here a header that needs another one first does
# not build.
function(vitrine_build_header_checks)
  if(CMAKE_VERIFY_INTERFACE_HEADER_SETS)
    add_custom_target(headers_alone ALL)
    add_dependencies(headers_alone all_verify_interface_header_sets)
  endif()
endfunction()
