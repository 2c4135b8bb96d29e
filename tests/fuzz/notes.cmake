foreach(target note checkpoint policy tlog_proof evidence)
  vitrine_fuzz(fuzz_${target} LINK vitrine)
endforeach()
