# tests/support/witnesses.bash: sourced after serve.bash by scripts whose log asks witnesses.
#
#   origin=NAME, vitrine=PATH    set before
#   make_log_key                 $work/key and $work/vkey
#   new_witness NAME             a key for a witness of ours; ${witness_vkey[NAME]}, ${witness_url[NAME]}
#   start_witness NAME           runs it at its URL; ${witness_process[NAME]}. The first time its state is made
#   kill_witness NAME [SIGNAL]
#   write_policy FILE K NAME...  this log, these witnesses, a quorum of K of them
#   eventually COMMAND...        tries it again and again, for a minute at most
#   cosigned                     how many lines of witnesses the published checkpoint has
#
# A witness comes back at the URL that the policy has, so its port is taken from below those that the system hands out.

declare -A witness_vkey=() witness_url=() witness_process=()
log_policy=$work/logs.policy

make_log_key() {
	"$vitrine" keygen --name "$origin" --out "$work/key" >"$work/vkey"
	printf 'log %s\nquorum none\n' "$(<"$work/vkey")" >"$log_policy"
}

new_witness() {
	witness_vkey[$1]=$("$vitrine" keygen --for witness --name "$1.example" --out "$work/$1.key")
}

# Run at a free port the first time, at the same one after that.
start_witness() {
	local name=$1 port line try
	[[ -e $work/$name.state || ${witness_url[$name]-} ]] ||
		"$vitrine" witness init --key "$work/$name.key" --name "$name.example" \
			--state "$work/$name.state" --policy "$log_policy" >/dev/null
	for ((try = 0; try < 50; try++)); do
		port=${witness_url[$name]-}
		port=${port##*:}
		[[ $port ]] || port=$((12000 + RANDOM % 18000))
		rm -f "$work/$name.said"
		mkfifo "$work/$name.said"
		"$vitrine" witness --key "$work/$name.key" --name "$name.example" --state "$work/$name.state" \
			--policy "$log_policy" --listen "127.0.0.1:$port" --rate 0 \
			>"$work/$name.said" 2>"$work/$name.log" &
		witness_process[$name]=$!
		others+=("$!")
		while IFS= read -r line; do
			[[ $line != "listening on "* ]] || break
		done <"$work/$name.said"
		if [[ $line == "listening on "* ]]; then
			witness_url[$name]=http://127.0.0.1:$port
			return
		fi
		[[ ! ${witness_url[$name]-} ]] || break
	done
	echo "the witness $name does not start:"
	cat "$work/$name.log"
	return 1
}

kill_witness() {
	kill "-${2:-KILL}" "${witness_process[$1]}"
	# The shell would tell of a killed process here.
	{ wait "${witness_process[$1]}" || :; } 2>/dev/null
}

write_policy() {
	local file=$1 k=$2 name
	shift 2
	{
		printf 'log %s\n' "$(<"$work/vkey")"
		for name; do
			printf 'witness %s %s %s\n' "$name" "${witness_vkey[$name]}" "${witness_url[$name]}"
		done
		printf 'group all-of-them %s %s\nquorum all-of-them\n' "$k" "$*"
	} >"$file"
}

eventually() {
	local end=$((SECONDS + 60))
	until "$@"; do
		((SECONDS < end)) || { echo "never: $*"; return 1; }
	done
}

cosigned() {
	curl -sSf "$url/checkpoint" | tail -n +5 | grep -vc "^— $origin "
}
