vitrine_fuzz(fuzz_http_query LINK http)
