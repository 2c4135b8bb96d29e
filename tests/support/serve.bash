# tests/support/serve.bash: sourced by scripts that need a running server.
#
#   vitrine=PATH                  set before; the program under test
#   make_log ARGUMENTS...         runs `vitrine init` with those of the arguments that init and serve share
#   start_server ARGUMENTS...     runs `vitrine serve ARGUMENTS`; returns when it is ready, with $url
#                                 and $server (its process) set, and $ready_note (what follows the URL); its standard error is in $server_log.
#                                 A folder that is missing or empty gets its log first, by make_log
#   limit_files KIB               in a subshell: no file grows beyond that
#   await_line FILE PATTERN [FROM]
#                                 returns when a line of a file that grows, its line FROM or a later one, has the
#                                 pattern: by being told of each, no timed wait. Fails after a minute
#   stop_server                   ends it with SIGTERM; fails if it did not exit with 0
#
# $work is a temporary folder of the script's; it goes, and servers still running are ended, when the
# script exits. For a second server put the first one's $server into the array others.

work=$(mktemp -d)
server=
others=()
url=
server_log=$work/server.log

serve_cleanup() {
	local process
	for process in $server "${others[@]}"; do
		# One that a test has stopped would not notice the other signal. In this order: SIGCONT takes back the SIGSTOP by which the
		# leak sanitizer stops a process that ends, and it would wait for ever.
		kill -CONT "$process" 2>/dev/null || :
		kill "$process" 2>/dev/null || :
		wait "$process" || :
	done
	rm -rf "$work"
}
trap serve_cleanup EXIT

await_line() {
	timeout 60 grep -qm1 -e "$2" <(exec tail -n "+${3-1}" -f --pid=$$ "$1" 2>/dev/null) ||
		{ echo "no line like $2 in $1:"; tail -n 20 "$1"; return 1; } >&2
}

# ThreadSanitizer's runtime writes more than the limit lets it before main() has said that it does not mind. So it is said for it.
limit_files() {
	trap '' XFSZ
	ulimit -f "$1"
	if (trap - XFSZ && exec "$vitrine" --version) >/dev/null 2>&1; then
		trap - XFSZ
	fi
}

# Waits for the line "listening on URL" of what start_server or a script runs, by reading it: no
# timed wait. $1 is a FIFO that the process has as its standard output.
await_ready_line() {
	local line
	exec {said}<"$1"
	url=
	while IFS= read -r line <&"$said"; do
		if [[ $line == "listening on "* ]]; then
			url=${line#listening on }
			ready_note=${url#"${url%% *}"}
			url=${url%% *}
			return
		fi
	done
	echo "the server ended before it was ready:"
	cat "$server_log"
	return 1
}

# With a copy of the key that was taken elsewhere, which nobody can recognise: several tests are about two logs of one key.
logs_made=0
make_log() {
	local shared=()
	while [[ $# -gt 0 ]]; do
		case $1 in
		--key)
			mkdir -p "$work/copies/$((++logs_made))"
			cp "$2" "$work/copies/$logs_made/key"
			shared+=(--key "$work/copies/$logs_made/key")
			;;
		--data | --origin | --passphrase-file | --centre | --admission) shared+=("$1" "$2") ;;
		esac
		shift
	done
	"$vitrine" init "${shared[@]}" >/dev/null
}

# The value of --data among the arguments.
data_of() {
	while [[ $1 != --data ]]; do
		shift
	done
	echo "$2"
}

start_server() {
	local data
	data=$(data_of "$@")
	[[ -d $data && -n $(ls -A "$data") ]] || make_log "$@"
	rm -f "$work/said"
	mkfifo "$work/said"
	"$vitrine" serve "$@" >"$work/said" 2>"$server_log" &
	server=$!
	await_ready_line "$work/said"
}

stop_server() {
	local code=0
	kill "$server"
	wait "$server" || code=$?
	server=
	[[ $code == 0 ]] || { echo "the server exited with $code:"; cat "$server_log"; return 1; }
}
