vitrine_fuzz(fuzz_key_file LINK keys base)
