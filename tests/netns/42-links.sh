#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# rdma link add and delete: over every netdev at hand, in other namespaces, and with everything that a person can
# get wrong. A refused command leaves nothing behind: the same command works when its reason has gone.
# Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data rc_life
cleanup() {
	[[ -z ${holder:-} ]] || kill "$holder" 2>/dev/null
	link_down
	local d
	for d in l0 l1 l2 l3; do no_dev "$d" || rdma link delete "$d"; done
	ip link del dm0 2>/dev/null
	ip -n ta link del tva.7 2>/dev/null
	ip netns del tc 2>/dev/null
}
trap cleanup EXIT
link_up || { fail links/setup "no link of our own"; exit 1; }

bad_names() {
	refuse links/unknown_netdev 'o such device|nvalid|annot find' rdma link add l0 type berth netdev nosuchdev
	no_dev l0 || fail links/unknown_netdev "l0 is there all the same"
	add_dev bt0 ta tva || fail links/add "rdma link add bt0 failed"
	refuse links/twice_same_netdev 'exist|usy' add_dev l0 ta tva
	no_dev l0 || fail links/twice_same_netdev "l0 is there all the same"
	refuse links/name_taken 'exist|usy' add_dev bt0 tb tvb
	refuse links/delete_unknown 'o such|nvalid|Wrong|not' rdma link delete nosuchlink
	if modprobe -q tun && ip tuntap add dev tn0 mode tun; then
		refuse links/not_ethernet 'not supported|nvalid' rdma link add l0 type berth netdev tn0
		no_dev l0 || fail links/not_ethernet "l0 is there all the same"
		ip link del tn0
	else
		skip links/not_ethernet "this kernel has no tun"
	fi
	check links/delete rdma link delete bt0
	wait_for no_dev bt0 || fail links/delete "bt0 is still there"
	check links/add_again add_dev bt0 ta tva
	rdma link delete bt0
}

any_gid() {
	local in=()
	[[ -z $2 ]] || in=(ip netns exec "$2")
	"${in[@]}" grep -qs ^0000:.*ffff: "/sys/class/infiniband/$1/ports/1/gids/"*
}

# Traffic on one device over a netdev: $1 label, $2 namespace ('' for ours), $3 netdev.
over() {
	local label=$1 ns=$2 dev=$3 out
	if [[ -n $ns ]]; then out=$(add_dev l0 "$ns" "$dev" 2>&1); else
		out=$(rdma link add l0 type berth netdev "$dev" 2>&1); fi
	has_dev l0 || { fail "links/over_$label" "rdma link add over $dev: $out"; return; }
	wait_for any_gid l0 "$ns" || fail "links/over_$label" "no IPv4 GID of $dev within 5 s"
	run_verbs_as data/ "links/over_$label/" rc_data --dev l0 --peer none --filter 'data/write/local/host-host' \
		--filter 'data/send/local/bar-heap'
	check "links/over_$label/delete" rdma link delete l0
}

netdevs() {
	over lo '' lo
	ip link add dm0 type dummy && ip addr add 10.79.0.1/24 dev dm0 && ip link set dm0 up && over dummy '' dm0
	modprobe -q 8021q
	if ip -n ta link add link tva name tva.7 type vlan id 7 2>/dev/null; then
		ip -n ta addr add 10.79.1.1/24 dev tva.7
		ip -n ta link set tva.7 up
		over vlan ta tva.7
	else
		skip links/over_vlan "this kernel has no VLANs"
	fi
	modprobe -q virtio_net
	local d
	d=$(netdev_of virtio_net)
	[[ -n $d ]] || { skip links/over_virtio "this machine has no virtio network card"; return; }
	ip addr add 10.79.2.1/24 dev "$d" 2>/dev/null
	ip link set "$d" up
	over virtio '' "$d"
	check links/over_virtio/add_again rdma link add l0 type berth netdev "$d"
	check links/over_virtio/parent test -e "/sys/class/infiniband/l0/device/net/$d"
	rdma link delete l0
}

# Without an address there is nothing to send from, but the link may come first: the GID comes with the address.
no_address() {
	ip netns add tc
	ip -n tc link add dm1 type dummy
	if add_dev l1 tc dm1 2>/dev/null; then
		# A program finds no IPv4 GID and says so; it does not crash or hang.
		local out
		out=$("$TESTS/rc_data" --dev l1 --peer none --filter 'data/write/local/host-host' 2>/dev/null)
		[[ $out == 'SKIP '*'has no RoCEv2 GID'* ]] || fail links/no_address "$out"
		ip -n tc link set dm1 up
		ip -n tc addr add 10.78.9.1/24 dev dm1
		if wait_for gid_ready l1 tc; then pass links/no_address; else
			fail links/no_address "no GID after the address came"; fi
		run_verbs_as data/ links/address_later/ rc_data --dev l1 --peer none --filter 'data/write/local/host-host'
		rdma link delete l1
	else
		fail links/no_address "rdma link add over a netdev without address failed"
	fi
	ip netns del tc
}

# Somebody else has UDP port 4791 of the namespace: refused, nothing left; free again: it works.
port_taken() {
	local i
	ip netns exec ta python3 -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 4791))
print("bound", flush=True)
sys.stdin.read()' < <(sleep 60) >/tmp/bound.$$ &
	holder=$!
	for ((i = 0; i < 100; i++)); do grep -q bound /tmp/bound.$$ && break; sleep 0.05; done
	refuse links/port_taken 'in use' add_dev bt0 ta tva
	no_dev bt0 || fail links/port_taken "bt0 is there all the same"
	# Another namespace has its own port.
	check links/port_taken_elsewhere add_dev bt1 tb tvb
	rdma link delete bt1
	kill $holder
	wait $holder 2>/dev/null
	holder=
	check links/port_free_again add_dev bt0 ta tva
	rdma link delete bt0
	# The last link of a namespace gives the port back.
	check links/port_given_back ip netns exec ta python3 -c '
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(("0.0.0.0", 4791))'
}

# Two links in one namespace share the socket; one goes, the other works.
shared_port() {
	ip -n ta link add dm2 type dummy
	ip -n ta addr add 10.78.5.1/24 dev dm2
	ip -n ta link set dm2 up
	add_dev l2 ta dm2 && devs_up || { fail links/shared_port "links do not come up"; return; }
	rdma link delete l2
	run_verbs_as data/ links/shared_port/ rc_data --dev bt0 --peer bt1 --filter 'data/write/wire/host-host'
	ip -n ta link del dm2
	rdma link delete bt0
	rdma link delete bt1
}

many_times() {
	local i rounds=5
	! long || rounds=50
	for ((i = 0; i < rounds; i++)); do
		add_dev bt0 ta tva && rdma link delete bt0 || { fail links/many_times "round $i"; return; }
	done
	pass links/many_times
}

bad_names
netdevs
no_address
port_taken
shared_port
many_times
exit $failed
