#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# RDMA devices that belong to one network namespace each (`rdma system set netns exclusive`): a link is where its
# netdev is, seen and used from there only. The mode can change only without further namespaces, so those of the
# VM go and are made again. Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
trap restore EXIT

mode() { rdma system set netns "$1"; }
devices() { ip netns exec "$1" rdma dev | awk '{ sub(":", "", $2); print $2 }' | sort | tr '\n' ' '; }
device_there() { [[ $(devices "$1") == *"$2 "* ]]; }

# What the VM had made, see tests/vm/guest.sh.
restore() {
	local ns dev n
	ip netns del ta 2>/dev/null
	ip netns del tb 2>/dev/null
	wait_for mode shared || fail exclusive/restore "cannot go back to shared mode"
	ip netns add a && ip netns add b
	ip link add va netns a type veth peer name vb netns b
	for ns in a:va:1 b:vb:2; do
		n=${ns##*:} dev=${ns#*:} ns=${ns%%:*}
		dev=${dev%:*}
		ip -n $ns link set lo up
		ip -n $ns link set "$dev" mtu 4200 up
		ip -n $ns addr add "10.77.0.$n/24" dev "$dev"
		ip -n $ns addr add "fd77::$n/64" dev "$dev" nodad
		ip netns exec $ns rdma link add "berth$((n - 1))" type berth netdev "$dev"
	done
	exit $failed
}

pingpong() {
	local server out rc=0
	ip netns exec tb timeout 60 ibv_rc_pingpong -d bt1 -g "$(index bt1 tb 0a4e:0002)" -c -n 200 >/tmp/pp.$$ 2>&1 &
	server=$!
	wait_for ip netns exec tb sh -c 'ss -Hltn | grep -q :18515'
	out=$(ip netns exec ta timeout 60 ibv_rc_pingpong -d bt0 -g "$(index bt0 ta 0a4e:0001)" -c -n 200 10.78.0.2 2>&1) || rc=$?
	wait $server || rc=$?
	if [[ $rc -eq 0 && $out == *'200 iters in'* ]] && ! grep -q 'invalid data' /tmp/pp.$$; then
		pass "$1"
	else
		fail "$1" "${out//$'\n'/; }; $(tr '\n' ';' </tmp/pp.$$)"
	fi
}

# index DEVICE NETNS HEX: of the GID that ends so.
index() {
	local f
	f=$(ip netns exec "$2" grep -l "ffff:$3" -r "/sys/class/infiniband/$1/ports/1/gids/")
	echo "${f##*/}"
}

ip netns del a
ip netns del b
wait_for no_dev berth0 && wait_for no_dev berth1 || { fail exclusive/setup "devices stay without a netns"; exit 1; }
if ! wait_for mode exclusive; then
	skip exclusive/shown "this kernel does not change to exclusive mode: $(mode exclusive 2>&1)"
	exit 0
fi
link_up || { fail exclusive/setup "no link of our own"; exit 1; }
check exclusive/add add_dev bt0 ta tva
check exclusive/add_peer add_dev bt1 tb tvb
if [[ $(devices ta) == 'bt0 ' && $(devices tb) == 'bt1 ' && -z $(rdma dev) ]]; then
	pass exclusive/shown
else
	fail exclusive/shown "ta has $(devices ta), tb has $(devices tb), we have $(rdma dev)"
fi
sleep 0.5
pingpong exclusive/pingpong
refuse exclusive/foreign 'o such|nvalid|Wrong|not' rdma link delete bt0
check exclusive/delete ip netns exec ta rdma link delete bt0
refuse exclusive/deleted '' device_there ta bt0
check exclusive/add_again add_dev bt0 ta tva
# Devices do not outlive their namespaces, nor turn up elsewhere.
ip netns del ta
ip netns del tb
for ((i = 0; i < 100; i++)); do
	[[ -n $(ls /dev/infiniband/uverbs* 2>/dev/null) ]] || break
	sleep 0.1
done
if [[ -z $(rdma dev) && -z $(ls /dev/infiniband/uverbs* 2>/dev/null) ]]; then
	pass exclusive/netns_deleted
else
	fail exclusive/netns_deleted "left: $(rdma dev) $(ls /dev/infiniband)"
fi
exit $failed
