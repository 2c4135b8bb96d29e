# tests/support/monitor.bash: sourced after load.bash by scripts that run a monitor with its state in $work/state.
#
#   follow [NAME...]       the policy in $work/policy: the logs of those names ($work/NAME.line), or the one that runs,
#                          with its URL; no quorum
#   run_monitor CODE ARGUMENTS...
#                          `vitrine monitor` with them, which ends with CODE; its output is in $work/out, its standard
#                          error in $work/err
#   look CODE ARGUMENTS... the same, once, with that policy and state
#   acknowledge CODE ARGUMENTS...
#                          `vitrine monitor acknowledge` with that state
#   says TEXT              that was on standard error
#   start_monitor ARGUMENTS...
#                          as a service on a free port; returns when it is ready, with $url and $server set

follow() {
	local name
	if [[ $# == 0 ]]; then
		printf 'log %s %s\n' "$(<"$work/vkey")" "$url"
	fi >"$work/policy"
	for name; do
		cat "$work/$name.line"
	done >>"$work/policy"
	echo 'quorum none' >>"$work/policy"
}
run_monitor() {
	local want=$1 code=0
	"$vitrine" monitor "${@:2}" >"$work/out" 2>"$work/err" || code=$?
	[[ $code == "$want" ]] || fail "exit status $code, expected $want: $* $(<"$work/out") $(<"$work/err")"
}
look() {
	run_monitor "$1" --policy "$work/policy" --state "$work/state" --once "${@:2}"
}
acknowledge() {
	run_monitor "$1" acknowledge --state "$work/state" "${@:2}"
}
says() {
	grep -q -e "$1" "$work/err" || fail "expected \"$1\", not: $(<"$work/err")"
}
start_monitor() {
	rm -f "$work/said"
	mkfifo "$work/said"
	server_log=$work/monitor.log
	"$vitrine" monitor --policy "$work/policy" --state "$work/state" --listen 127.0.0.1:0 --interval 1 \
		"$@" >"$work/said" 2>"$server_log" &
	server=$!
	await_ready_line "$work/said"
}
