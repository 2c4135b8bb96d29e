# What `cmake --install DIR --component libvitrine` puts down: the static and the shared library, their headers, and
# how pkg-config and find_package(vitrine) find them, wherever the prefix is moved to.
include(CMakePackageConfigHelpers)

set_target_properties(vitrine PROPERTIES POSITION_INDEPENDENT_CODE ON)
# An archive of link-time code alone could be used by this very compiler only.
if(CMAKE_C_COMPILER_ID STREQUAL GNU)
  target_compile_options(vitrine PRIVATE -ffat-lto-objects)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vitrine)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pkgconfig_to_prefix
  ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(cmake/libvitrine.pc.in libvitrine.pc @ONLY)
configure_file(cmake/libvitrine-record.pc.in libvitrine-record.pc @ONLY)
configure_package_config_file(cmake/vitrine-config.cmake.in vitrine-config.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vitrine-config-version.cmake
  COMPATIBILITY SameMinorVersion)

install(TARGETS vitrine vitrine_shared EXPORT vitrine
  ARCHIVE COMPONENT libvitrine
  LIBRARY COMPONENT libvitrine
  FILE_SET HEADERS COMPONENT libvitrine)
install(TARGETS vitrine_record EXPORT vitrine
  LIBRARY COMPONENT libvitrine
  FILE_SET HEADERS COMPONENT libvitrine)
install(EXPORT vitrine NAMESPACE vitrine:: FILE vitrine-targets.cmake
  DESTINATION ${package_dir} COMPONENT libvitrine)
install(FILES ${PROJECT_BINARY_DIR}/vitrine-config.cmake
  ${PROJECT_BINARY_DIR}/vitrine-config-version.cmake
  DESTINATION ${package_dir} COMPONENT libvitrine)
install(FILES ${PROJECT_BINARY_DIR}/libvitrine.pc ${PROJECT_BINARY_DIR}/libvitrine-record.pc
  DESTINATION ${pkgconfig_dir} COMPONENT libvitrine)
