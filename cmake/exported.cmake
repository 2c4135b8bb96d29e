# vitrine_export(TARGET NAMES): the shared library TARGET exports the symbols that the header NAMES defines, and no more. Before 1.0 a
# minor version may change the interface (docs/versioning.md), so the soname has it.
function(vitrine_export target names)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${names})
  file(STRINGS ${names} exported REGEX "^#define [a-z]")
  list(TRANSFORM exported REPLACE "^#define [a-z0-9_]+ +" "")
  set(interface ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  set(version_node VITRINE_${interface})
  set(map ${CMAKE_CURRENT_BINARY_DIR}/${target}.map)
  configure_file(${PROJECT_SOURCE_DIR}/cmake/symbols.map.in ${map} @ONLY)
  set_target_properties(${target} PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${interface} LINK_DEPENDS ${map})
  target_link_options(${target} PRIVATE -Wl,--version-script=${map})
endfunction()
