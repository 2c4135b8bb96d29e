vitrine_fuzz(fuzz_json LINK base)
