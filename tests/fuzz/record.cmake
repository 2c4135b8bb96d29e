vitrine_fuzz(fuzz_dsse LINK record)
vitrine_fuzz(fuzz_statement LINK record base)
vitrine_fuzz(fuzz_extra LINK record)
vitrine_fuzz(fuzz_conditions LINK record)
