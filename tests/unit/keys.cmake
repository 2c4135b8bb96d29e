vitrine_test(keys_party_key_test LABEL unit
  SOURCES ${here}/keys_party_key_test.c LINK keys base
  ARGS ${PROJECT_SOURCE_DIR}/tests/vectors/keys)
vitrine_test(keys_signer_test LABEL unit
  SOURCES ${here}/keys_signer_test.c LINK keys base
  ARGS ${PROJECT_SOURCE_DIR}/tests/vectors/keys/make_private.sh)
