# Prints "FILE:LINE:CODE" for C sources: comments become one space, the contents of strings and
# characters vanish, so that what is left is code. #include lines keep their file name.
FNR == 1 { in_comment = 0 }
{
	line = $0
	code = ""
	if (!in_comment && line ~ /^[ \t]*#[ \t]*include[ \t]*["<]/) {
		sub(/[ \t]*\/[\/*].*$/, "", line)
		print FILENAME ":" FNR ":" line
		next
	}
	while (line != "") {
		if (in_comment) {
			end = index(line, "*/")
			if (!end)
				break
			line = substr(line, end + 2)
			in_comment = 0
			code = code " "
			continue
		}
		at = match(line, /\/\*|\/\/|["']/)
		if (!at) {
			code = code line
			break
		}
		code = code substr(line, 1, at - 1)
		mark = substr(line, at, RLENGTH)
		line = substr(line, at + RLENGTH)
		if (mark == "//")
			break
		if (mark == "/*") {
			in_comment = 1
			continue
		}
		while (line != "" && substr(line, 1, 1) != mark)
			line = substr(line, substr(line, 1, 1) == "\\" ? 3 : 2)
		line = substr(line, 2)
		code = code mark mark
	}
	if (code ~ /[^ \t]/)
		print FILENAME ":" FNR ":" code
}
