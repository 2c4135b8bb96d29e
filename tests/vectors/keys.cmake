vitrine_test(keys_wycheproof_test LABEL vectors SOURCES ${here}/keys_wycheproof_test.c
  LINK keys base ARGS ${here}/wycheproof)
