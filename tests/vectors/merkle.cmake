vitrine_test(merkle_proof_vectors_test LABEL vectors
  SOURCES ${here}/merkle_proof_vectors_test.c LINK vitrine PkgConfig::JANSSON)
