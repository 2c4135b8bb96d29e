vitrine_test(merkle_bytes_test LABEL unit SOURCES ${here}/merkle_bytes_test.c LINK vitrine)
vitrine_test(merkle_hash_test LABEL unit SOURCES ${here}/merkle_hash_test.c LINK vitrine)
vitrine_test(merkle_alloc_test LABEL unit
  SOURCES ${here}/merkle_alloc_test.c ${alloc_fail_source} LINK vitrine ${alloc_fail})
vitrine_test(merkle_proof_test LABEL unit SOURCES ${here}/merkle_proof_test.c LINK vitrine)
set(model_tree ${here}/../support/model_tree.c)
vitrine_test(merkle_proof_property_test LABEL unit
  SOURCES ${here}/merkle_proof_property_test.c ${model_tree} LINK vitrine)
vitrine_test(merkle_range_test LABEL unit
  SOURCES ${here}/merkle_range_test.c ${model_tree} LINK vitrine)
vitrine_test(merkle_tile_test LABEL unit
  SOURCES ${here}/merkle_tile_test.c ${model_tree} LINK vitrine)

add_test(NAME merkle_two_paths
  COMMAND ${here}/merkle_two_paths.sh ${CMAKE_NM} $<TARGET_OBJECTS:vitrine> COMMAND_EXPAND_LISTS)
set_tests_properties(merkle_two_paths PROPERTIES LABELS unit)
