vitrine_fuzz(fuzz_base64 LINK vitrine)
vitrine_fuzz(fuzz_bundle LINK vitrine)
vitrine_fuzz(fuzz_tile_path LINK vitrine)
