# A laboratory's test plan, run by `ctest --output-junit REPORT` on the file that the environment
# variable IMAGE names: could an x86 machine start from this image?
add_test(fills_whole_pages bash -c "((\$(stat -L -c %s \"$IMAGE\") % 4096 == 0))")
# The processor's first instruction is in the image's last 16 bytes (reset vector): a jump.
add_test(reset_vector_jumps bash -c
  "tail -c 16 \"$IMAGE\" | od -An -tx1 | grep -E '^ (ea|e9|(90 )+e9)'")
add_test(is_not_erased_flash bash -c "[ \$(tr -d '\\377\\0' <\"$IMAGE\" | wc -c) -gt 0 ]")
