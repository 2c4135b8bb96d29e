# Proofs of misbehaviour, and how they come about.
if(TARGET vitrine_program)
  add_test(NAME evidence_verifiers COMMAND ${here}/evidence_verifiers $<TARGET_FILE:vitrine_program>)
  set_tests_properties(evidence_verifiers PROPERTIES LABELS system TIMEOUT 300)
endif()
