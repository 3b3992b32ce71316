# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# For the guest scripts tests/netns/[2-4]?-*.sh: running the verbs programs, a link of the script's own, and
# counting what is left behind. Sourced; runs in the guest as root, in the init network namespace.
#
# A script's own link, so that berth0 and berth1 of the VM stay as they are:
#
#   netns ta  tva 10.78.0.1/24 --- veth --- tvb 10.78.0.2/24  netns tb
#             bt0                           bt1

TESTS=${BERTH_TESTS:-$(dirname "${BASH_SOURCE[0]}")/../../build/user/tests/verbs}
failed=0

pass() { echo "PASS $1"; }
fail() { echo "FAIL $1: $2"; failed=1; }
skip() { echo "SKIP $1: $2"; }

# A PASS or a FAIL for the exit status of a command whose output goes to stderr.
check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then pass "$name"; else fail "$name" "$* said: ${out//$'\n'/; }"; fi
}

# The command has to fail and its output has to match the pattern.
refuse() {
	local name=$1 pattern=$2 out
	shift 2
	if out=$("$@" 2>&1); then
		fail "$name" "$* was accepted"
	elif [[ ! $out =~ $pattern ]]; then
		fail "$name" "$* said '${out//$'\n'/; }', expected a match of '$pattern'"
	else
		pass "$name"
	fi
}

need_programs() {
	local p
	for p in "$@"; do
		[[ -x $TESTS/$p ]] || { fail setup "$TESTS/$p is not built: ./run build --user"; exit 1; }
	done
	modprobe -q berth_bar_exporter || { fail setup "modprobe berth_bar_exporter failed"; exit 1; }
	modprobe -q berth_move_exporter || { fail setup "modprobe berth_move_exporter failed"; exit 1; }
}

# The debug kernel looks for faults of memory and of locks, not of data: where the stock kernel has every
# combination, a sample of them with all code paths is enough there.
debug_kernel() { [[ ${BERTH_FLAVOUR:-stock} == debug ]]; }

# ./run test --long: everything; else what is alike has a sample.
long() { [[ -n ${BERTH_LONG:-} ]]; }

# The programs' deadlines are for the stock kernel.
slow() {
	if debug_kernel; then echo 6; else echo 2; fi
}

# run_verbs PROGRAM [OPTIONS...]: its lines go out as they are; exit status 1 needs no word of ours.
run_verbs() {
	local rc=0
	"$TESTS/$1" --strict --slow "$(slow)" "${@:2}" || rc=$?
	[[ $rc -eq 0 ]] || failed=1
	[[ $rc -le 1 ]] || fail "$1" "exit status $rc"
	return $rc
}

# The same with the prefix $1 of the case names replaced by $2.
run_verbs_as() {
	local from=$1 to=$2
	shift 2
	run_verbs "$@" | sed -u "s#^\([A-Z]* \)$from#\1$to#"
	[[ ${PIPESTATUS[0]} -eq 0 ]] || failed=1
}

# The objects that the kernel counts on devices, without those that it made for itself, and areas: what hardly changes unless
# something was left behind. With one process: each takes a second on the debug kernel.
census() {
	local dev line all areas=()
	all=$(rdma resource show 2>/dev/null)
	for dev in "$@"; do
		while IFS= read -r line; do
			[[ ${line#*: } != "$dev: "* ]] || printf '%s\n' "${line#*: }"
		done <<<"$all"
	done
	mapfile -t areas 2>/dev/null </sys/kernel/debug/berth_netmem/areas
	echo "areas ${#areas[@]}"
}

# The counts come back to what they were; references may take a moment to drop.
same_census() {
	local name=$1 want=$2 now i
	shift 2
	for ((i = 0; i < 40 * ${BERTH_SLOW:-1}; i++)); do
		now=$(census "$@")
		[[ $now != "$want" ]] || { pass "$name"; return; }
		sleep 0.1
	done
	fail "$name" "was '${want//$'\n'/; }', is '${now//$'\n'/; }'"
}

link_up() {
	local ns dev a4 a6
	ip -batch - <<-EOT || return 1
	netns add ta
	netns add tb
	link add tva netns ta type veth peer name tvb netns tb
	EOT
	while read -r ns dev a4 a6; do
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 "net.ipv6.conf.$dev.accept_dad=0"
		printf '%s\n' "link set lo up" "link set $dev mtu 4200 up" "addr add $a4 dev $dev" "addr add $a6 dev $dev nodad" |
			ip -n "$ns" -batch - || return 1
	done <<-EOT
	ta tva 10.78.0.1/24 fd78::1/64
	tb tvb 10.78.0.2/24 fd78::2/64
	EOT
}

# At most 5 s on the stock kernel.
wait_for() {
	local i
	for ((i = 0; i < 100 * ${BERTH_SLOW:-1}; i++)); do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	return 1
}

has_gid() { grep -qs "$2" "/sys/class/infiniband/$1/ports/1/gids/"*; }
has_dev() { [[ -e /sys/class/infiniband/$1 ]]; }
no_dev() { [[ ! -e /sys/class/infiniband/$1 ]]; }

add_dev() { ip netns exec "$2" rdma link add "$1" type berth netdev "$3"; }

# sysfs shows a device's GIDs in every namespace only by number of the netdev's namespace.
gid_ready() { ip netns exec "$2" grep -qs ffff:0a4e: "/sys/class/infiniband/$1/ports/1/gids/"*; }

devs_up() {
	add_dev bt0 ta tva && add_dev bt1 tb tvb || return 1
	wait_for gid_ready bt0 ta && wait_for gid_ready bt1 tb
}

mac() {
	local line
	line=$(ip -n "$1" -br link show "$2")
	read -r _ _ line _ <<<"$line"
	echo "$line"
}

# The kernel asks for a neighbour's address once a second and gives up: over a bad wire it is told.
tell_neighbours() {
	ip -n ta neigh replace 10.78.0.2 lladdr "$(mac tb tvb)" dev tva nud permanent
	ip -n tb neigh replace 10.78.0.1 lladdr "$(mac ta tva)" dev tvb nud permanent
}

# A link for netem, which would treat a super-packet as one packet: they are cut before.
bad_link_up() {
	local ns dev
	link_up && devs_up || return 1
	while read -r ns dev; do
		ip netns exec "$ns" ethtool -K "$dev" tx-udp-segmentation off tx-gso-list off || return 1
	done <<<$'ta tva\ntb tvb'
	tell_neighbours
}

# bad_wire NETEM-OPTIONS...: in both directions, until good_wire.
bad_wire() {
	tc -n ta qdisc replace dev tva root netem limit 10000 "$@" &&
		tc -n tb qdisc replace dev tvb root netem limit 10000 "$@"
}
good_wire() {
	tc -n ta qdisc del dev tva root
	tc -n tb qdisc del dev tvb root
}

# counters NAME...: their sum over both devices of the link.
counters() {
	local d name value sum=0
	for d in bt0 bt1; do
		for name in "$@"; do
			read -r value <"/sys/class/infiniband/$d/ports/1/hw_counters/$name" || return 1
			sum=$((sum + value))
		done
	done
	echo $sum
}

# netdev_of DRIVER: a netdev of this namespace that it drives; nothing where there is none.
netdev_of() {
	local d
	for d in /sys/class/net/*; do
		[[ $(readlink -f "$d/device/driver" 2>/dev/null) == */"$1" ]] || continue
		echo "${d##*/}"
		return
	done
}

# segments NETNS: that its TCP has sent.
segments() { ip netns exec "$1" awk '/^Tcp:/ && $12 ~ /[0-9]/ { print $12 }' /proc/net/snmp; }

link_down() {
	local d
	for d in bt0 bt1; do no_dev $d || rdma link delete $d; done
	ip netns del ta 2>/dev/null
	ip netns del tb 2>/dev/null
	return 0
}

# Links for programs with rdma_cm over the script's own link. iw_add NAME NETNS NETDEV [TYPE]
iw_add() { ip netns exec "$2" rdma link add "$1" type "${4:-berth_iw}" netdev "$3"; }
iw_up() { link_up && iw_add iw0 ta tva && iw_add iw1 tb tvb; }
iw_down() {
	local d
	for d in iw0 iw1 siw0 siw1; do no_dev $d || rdma link delete $d; done
	link_down
}

# Waits until program $1 has something in state LISTEN; not for ever, its client will tell what is wrong.
await_listener() {
	local i
	for ((i = 0; i < 100; i++)); do
		[[ ! $(rdma resource show cm_id 2>/dev/null) =~ state\ LISTEN[^$'\n']*comm\ ${1:0:15} ]] || return 0
		sleep 0.1
	done
}

# cm_pair NAME SERVER... -- CLIENT...: the server in netns a (SERVER_NS), the client in b (CLIENT_NS); both have to
# succeed.
cm_pair() {
	local name=$1 server=() src=0 crc=0 pid limit=$((30 * ${BERTH_SLOW:-1})) out
	out=$(mktemp -d)
	shift
	while [[ $1 != -- ]]; do server+=("$1"); shift; done
	shift
	ip netns exec "${SERVER_NS:-a}" timeout "$limit" "${server[@]}" >"$out/server" 2>&1 &
	pid=$!
	await_listener "${server[0]}"
	ip netns exec "${CLIENT_NS:-b}" timeout "$limit" "$@" >"$out/client" 2>&1 || crc=$?
	[[ $crc -eq 0 ]] || kill $pid 2>/dev/null
	wait $pid || src=$?
	if [[ $src -eq 0 && $crc -eq 0 ]]; then
		pass "$name"
	else
		fail "$name" "server $src, client $crc: $(tail -qn 3 "$out/server" "$out/client" | tr '\n' ';')"
	fi
	rm -rf "$out"
}
