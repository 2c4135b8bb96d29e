foreach(target note checkpoint policy tlog_proof)
  vitrine_fuzz(fuzz_${target} LINK vitrine)
endforeach()
