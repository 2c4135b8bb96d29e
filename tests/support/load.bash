# tests/support/load.bash: sourced after serve.bash by scripts that put load on the server.
#
#   load=PATH           set before: the vitrine-load program
#   told NAME           a number out of the JSON object in $said_by_load; 0 where it is not there
#   run_load ARGS...    runs vitrine-load with --json and keeps what it says in $said_by_load
#   start_raw ARGS...   a raw log in $work/data, with its key, on a free port, without a rate limit
#   start_records ARGS...
#                       a log of records there; the first time, entry 0 and a laboratory
#                       ($work/lab.pem, accredited for verdicts) are appended
#   server_ended CODE   waits for the server, which something else has stopped, and its exit status
#   fail MESSAGE        says it, with the end of the server's log, and ends the script

said_by_load=
origin=example.com/bounds
# All load comes from one address. An option given to start_raw wins over this.
export VITRINE_RATE=0 VITRINE_READ_RATE=0

fail() {
	echo "FAILED: $*"
	[[ -z $said_by_load ]] || echo "vitrine-load said: $said_by_load"
	[[ ! -s $server_log ]] || { echo "the server's log ends:"; tail -n 20 "$server_log"; }
	exit 1
}

told() {
	local n
	n=$(sed -nE 's/.*"'"$1"'":([0-9.]+).*/\1/p' <<<"$said_by_load")
	echo "${n:-0}"
}

run_load() {
	said_by_load=$("$load" "$@" --json) || fail "vitrine-load $* exited with $?"
}

make_log_key() {
	[[ -e $work/key ]] || "$vitrine" keygen --name "$origin" --out "$work/key" >"$work/vkey"
}

start_raw() {
	make_log_key
	start_server --data "$work/data" --origin "$origin" --key "$work/key" --admission raw \
		--listen 127.0.0.1:0 --log-level warn "$@"
}

append_record() {
	curl -sSf -o "$work/answer" -H 'Content-Type: application/json' --data-binary "@$1" \
		"$url/api/v1/entries" || fail "$1 was refused"
}

start_records() {
	local who first=
	make_log_key
	for who in centre recovery lab; do
		[[ ! -e $work/$who.pem ]] || continue
		first=1
		"$vitrine" keygen --for party --out "$work/$who.pem" >"$work/$who.id"
	done
	start_server --data "$work/data" --origin "$origin" --key "$work/key" --listen 127.0.0.1:0 \
		--centre "$work/centre.pem.pub" --log-level warn "$@"
	[[ $first ]] || return 0
	"$vitrine" record accredit --entry-zero --log "$origin" --party centre --role centre \
		--public "$work/centre.pem.pub" --recovery "$work/recovery.pem.pub" \
		--key "$work/centre.pem" --co-sign "$work/recovery.pem" --out "$work/zero"
	"$vitrine" record accredit --log "$origin" --party lab-1 --role lab \
		--predicate-type verdict --public "$work/lab.pem.pub" --key "$work/centre.pem" \
		--co-sign "$work/lab.pem" --out "$work/lab"
	append_record "$work/zero"
	append_record "$work/lab"
}

server_ended() {
	local code=0
	# The shell would tell of a killed process here.
	wait "$server" 2>/dev/null || code=$?
	server=
	[[ $code == "$1" ]] || fail "the server exited with $code, expected $1"
}
