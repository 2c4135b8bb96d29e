if(TARGET api)
  vitrine_test(api_contract_test LABEL unit SOURCES ${here}/api_contract_test.c LINK api)
endif()
