# Proofs of misbehaviour, and how they come about.
if(TARGET vitrine_program)
  add_test(NAME evidence_verifiers COMMAND ${here}/evidence_verifiers $<TARGET_FILE:vitrine_program>)
  add_test(NAME two_faces COMMAND ${here}/two_faces $<TARGET_FILE:vitrine_program>)
  add_test(NAME split_view COMMAND ${here}/split_view $<TARGET_FILE:vitrine_program>)
  set_tests_properties(evidence_verifiers two_faces split_view PROPERTIES LABELS system TIMEOUT 300)
endif()
