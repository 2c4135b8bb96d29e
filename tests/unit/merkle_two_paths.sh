#!/bin/sh
# merkle_two_paths.sh NM OBJECT...: the integrator (range.c) and the second path to the root (tile.c,
# proof.c) share nothing but hash.c. Looks at what the compiled files call, so that no way around
# is missed.
nm=$1
shift
failed=0
seen=0

# Our own functions that an object calls, without the prefix of their symbols.
calls() {
	"$nm" -u "$1" | awk '{ sub(/^vitrine_/, "", $NF); print $NF }' |
		grep -E '^(merkle|proof|tile|bundle|buf|bytes|base64|hex|decimal|utf8)_'
}

for object; do
	case $object in
	*/range.c.o)
		others=$(calls "$object" | grep -vE '^merkle_hash_') ;;
	*/proof.c.o | */tile.c.o)
		others=$(calls "$object" | grep -E '^merkle_range_') ;;
	*)
		continue ;;
	esac
	seen=$((seen + 1))
	if ! calls "$object" | grep -q '^merkle_hash_node$'; then
		echo "$object: does not even hash: can $nm read it?"
		failed=1
	fi
	for name in $others; do
		echo "$object: calls $name: the second path could no longer contradict the first"
		failed=1
	done
done
if [ "$seen" != 3 ]; then
	echo "saw $seen of range.c, proof.c and tile.c"
	failed=1
fi
exit $failed
