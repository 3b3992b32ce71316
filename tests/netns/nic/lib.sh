# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# For 57-nic.sh and 58-devmem.sh. Sourced; runs in the guest.
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../verbs/guest-lib.sh"
devmem=$(dirname "${BASH_SOURCE[0]}")/devmem.py
PORT=5000

# One address for all that come after each other: who has been told another one sends there until it asks again.
nic_add() {
	ip -n ta link add link tva name nic0 address 02:00:00:00:79:01 type berth_nic && ip -n ta link set nic0 up &&
		ip -n ta addr add 10.79.0.1/24 dev nic0 && ip -n ta addr add fd79::1/64 dev nic0 nodad
}

nic_up() {
	# The lower device is not to answer for the NIC's addresses.
	modprobe berth_nic && link_up && ip netns exec ta sysctl -qw net.ipv4.conf.all.arp_ignore=1 && nic_add &&
		ip -n tb addr add 10.79.0.2/24 dev tvb && ip -n tb addr add fd79::2/64 dev tvb nodad
}

nic_down() {
	ip -n ta link del nic0 2>/dev/null
	link_down
	rmmod berth_nic 2>/dev/null
}

# served NAME "COMMAND OF THE SERVER" NETNS-OF-THE-CLIENT ADDRESS BYTES: what the server said is in $said. CLIENT: another word for devmem.py than send.
served() {
	local name=$1 ns=$3 address=$4 bytes=$5 out pid rc=0 i server
	read -ra server <<<"$2"
	out=$(mktemp)
	"${server[@]}" >"$out" 2>&1 & pid=$!
	for ((i = 0; i < 300 * ${BERTH_SLOW:-1}; i++)); do
		[[ $(<"$out") != *ready* ]] || break
		kill -0 $pid 2>/dev/null || break
		sleep 0.1
	done
	ip netns exec "$ns" timeout $((30 * ${BERTH_SLOW:-1})) python3 "$devmem" "${CLIENT:-send}" "$address" $PORT "$bytes" --times "${TIMES:-1}" 2>/dev/null
	wait $pid || rc=$?
	said=$(tail -n 1 "$out")
	rm -f "$out"
	[[ -n $name ]] || return $rc
	if [[ $rc -eq 0 ]]; then pass "$name"; else fail "$name" "exit status $rc: $said"; fi
	return $rc
}

# transfer NAME NETNS-OF-THE-SERVER ADDRESS NETNS-OF-THE-CLIENT BYTES; without a name it is no case.
transfer() {
	served "$1" "ip netns exec $2 timeout $((30 * ${BERTH_SLOW:-1})) python3 $devmem take $3 $PORT $5 --times ${TIMES:-1}" "$4" "$3" "$5"
}

# says NAME PATTERN COMMAND...: what ethtool says of a rule; its exit status does not tell.
says() {
	local name=$1 pattern=$2 out
	shift 2
	out=$("$@" 2>&1)
	if [[ $out =~ $pattern ]]; then pass "$name"; else fail "$name" "$* said '${out//$'\n'/; }'"; fi
}

# What is under way in the background.
kill_transfer() {
	local jobs
	mapfile -t jobs < <(jobs -p)
	# First who would start another one.
	kill "${jobs[@]}" 2>/dev/null
	pkill -9 -f "$devmem"
	wait
} 2>/dev/null

# nic_count NAME [QUEUE]: of nic0, the sum of all queues without one.
nic_count() {
	ip netns exec ta ethtool -S nic0 | awk -v q="${2:-[0-9]+}" -v n="$1" '$1 ~ "^rx_" q "_" n ":$" { sum += $2 } END { print sum + 0 }'
}

# rises NAME COUNT BEFORE [QUEUE]
rises() {
	local now
	now=$(nic_count "$2" ${4:+"$4"})
	if ((now > $3)); then pass "$1"; else fail "$1" "$2 was $3 and is $now"; fi
}
