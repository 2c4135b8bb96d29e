# Run by vitrine_embed(): IN to OUT as a C array named SYMBOL.
file(READ ${IN} hex HEX)
string(LENGTH "${hex}" digits)
math(EXPR len "${digits} / 2")
string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
file(WRITE ${OUT}
"extern const unsigned char ${SYMBOL}[];
extern const unsigned long ${SYMBOL}_len;
const unsigned char ${SYMBOL}[] = {
${bytes}0x00};
const unsigned long ${SYMBOL}_len = ${len};
")
