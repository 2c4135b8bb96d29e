# cmake -DFOLDER=schema -DOUT=sqlite_sql -P embed_sql.cmake
# Turns the SQL files into byte arrays (OUT.c) and, for the files of named statements, an enum of their
# names (OUT.h: SQL_READ_HEAD, ...), those for reading first.

# Both files grow beside the old ones, which they replace in one go.
set(c "/* Made from schema/ by embed_sql.cmake. */\n#include \"sqlite_sql.h\"\n\n")
set(h "/* Made from schema/ by embed_sql.cmake. */\n#ifndef SQLITE_SQL_H\n#define SQLITE_SQL_H\n\n")

macro(byte_array name text)
  string(HEX "${text}" hex)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)"
    "\\1\n\t" bytes "${bytes}")
  string(APPEND h "extern const char ${name}[];\n")
  string(APPEND c "const char ${name}[] = {\n\t${bytes}0x00};\n")
endmacro()

# An array sql_text_NAME for each "-- name: NAME" section of the file; names is their list.
macro(named_sections file names)
  file(READ ${FOLDER}/${file} text)
  set(${names})
  string(FIND "${text}" "-- name: " at)
  while(NOT at EQUAL -1)
    string(SUBSTRING "${text}" ${at} -1 text)
    string(FIND "${text}" "\n" line_end)
    string(SUBSTRING "${text}" 0 ${line_end} name)
    string(REPLACE "-- name: " "" name "${name}")
    string(SUBSTRING "${text}" ${line_end} -1 text)
    string(FIND "${text}" "-- name: " at)
    string(SUBSTRING "${text}" 0 ${at} body)
    string(STRIP "${body}" body)
    byte_array(sql_text_${name} "${body}")
    list(APPEND ${names} ${name})
  endwhile()
endmacro()

file(READ ${FOLDER}/sqlite_tables.sql tables)
byte_array(sql_tables "${tables}")
named_sections(sqlite_pragmas.sql pragmas)
named_sections(sqlite_read.sql reads)
named_sections(sqlite_write.sql writes)

string(APPEND h "\nenum sql_statement {\n")
string(APPEND c "\nconst char *const sql_text[] = {\n")
foreach(name ${reads} ${writes})
  string(TOUPPER ${name} upper)
  string(APPEND h "\tSQL_${upper},\n")
  string(APPEND c "\tsql_text_${name},\n")
endforeach()
list(LENGTH reads n_reads)
string(APPEND h "\tSQL_STATEMENTS,\n\tSQL_READING_STATEMENTS = ${n_reads},\n};\n")
string(APPEND h "extern const char *const sql_text[SQL_STATEMENTS];\n\n#endif\n")
string(APPEND c "};\n")
foreach(kind c h)
  file(WRITE ${OUT}.${kind}.new "${${kind}}")
  file(RENAME ${OUT}.${kind}.new ${OUT}.${kind})
endforeach()
