if(TARGET junit)
  vitrine_fuzz(fuzz_junit LINK junit vitrine)
endif()
