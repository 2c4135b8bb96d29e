vitrine_fuzz(fuzz_base64 LINK vitrine)
