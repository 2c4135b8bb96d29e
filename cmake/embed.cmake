# vitrine_embed(TARGET SYMBOL FILE)
# Compiles FILE into TARGET as `const unsigned char SYMBOL[]` (NUL-terminated, not counted) and
# `const unsigned long SYMBOL_len`. A byte array, because long string literals are not portable and a
# bare Debian has no xxd.
function(vitrine_embed target symbol file)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DIN=${CMAKE_CURRENT_SOURCE_DIR}/${file} -DOUT=${out} -DSYMBOL=${symbol}
            -P ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${PROJECT_SOURCE_DIR}/cmake/embed_file.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()
