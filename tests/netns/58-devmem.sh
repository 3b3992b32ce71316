#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Devmem TCP of the kernel on berth_nic: payload lands in a dma-buf that is bound to receive queues, byte for byte, over every
# exporter; memory that is in use is not bound again; whatever ends, everything comes home. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/netns/nic/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/nic/lib.sh"
trap 'rmmod berth_netmem_test 2>/dev/null; nic_down' EXIT
for module in berth_bar_exporter berth_netmem_test; do
	modprobe -q $module || { fail devmem/setup "modprobe $module failed"; exit 1; }
done
nic_up || { fail devmem/setup "no NIC"; exit 1; }
four=10.79.0.1 six=fd79::1
steer() {
	ip netns exec ta ethtool -X nic0 equal 2 &&
		ip netns exec ta ethtool -N nic0 flow-type tcp4 dst-ip $four dst-port $PORT queue 3 &&
		ip netns exec ta ethtool -N nic0 flow-type tcp6 dst-ip $six dst-port $PORT queue 3
} >/dev/null
steer || { fail devmem/setup "ethtool refuses"; exit 1; }

# landed NAME ADDRESS BYTES [OPTIONS OF devmem.py serve...]: every byte, and as device memory.
landed() {
	local name=$1 address=$2 bytes=$3
	shift 3
	served '' "ip netns exec ta timeout $((60 * ${BERTH_SLOW:-1})) python3 $devmem serve nic0 ${QUEUES:-3} $address $PORT $bytes $*" \
		tb "$address" "$bytes"
	if [[ $said == "device $bytes linear 0 "* ]]; then pass "$name"; else fail "$name" "$said"; fi
}

for memory in udmabuf heap bar; do
	before=$(nic_count device_bytes 3)
	landed devmem/$memory $four 1500000 --memory $memory
	rises devmem/$memory/counted device_bytes "$before" 3
done
landed devmem/ipv6 $six 1000000
landed devmem/tokens_kept $four 4000000 --keep 700
ip netns exec ta ethtool -X nic0 start 2 equal 2 && QUEUES=2,3 landed devmem/two_queues $four 2000000
ip netns exec ta ethtool -X nic0 equal 2
ip netns exec tb ethtool -K tvb tso off gso off tx off >/dev/null
landed devmem/no_offloads/udmabuf $four 2000000
! long || landed devmem/no_offloads/bar $four 1000000 --memory bar
ip netns exec ta ethtool -K nic0 rx off
landed devmem/rx_off/computed_by_peer $four 1000000
ip netns exec ta ethtool -K nic0 rx on
modprobe -q sch_netem && tc -n tb qdisc add dev tvb root netem loss 1% reorder 25% delay 1ms
landed devmem/loss $four 1000000
tc -n tb qdisc replace dev tvb root netem corrupt 2%
landed devmem/corrupt $four 1000000
tc -n tb qdisc del dev tvb root
ip netns exec tb ethtool -K tvb tx on gso on tso on >/dev/null
transfer devmem/pages_afterwards ta $four tb 1000000

# ---- what GRO holds while the memory changes: of a peer that sends nothing again meanwhile, and segments that would be joined ----
ip netns exec tb sysctl -qw net.ipv4.tcp_timestamps=0
ip -n tb route replace 10.79.0.0/24 dev tvb src 10.79.0.2 rto_min 10s
ip netns exec ta bash -c 'echo 20000000000 >/sys/class/net/nic0/gro_flush_timeout'
for down in '' --down; do
	CLIENT=halves served devmem/held$down "ip netns exec ta timeout $((60 * ${BERTH_SLOW:-1})) python3 $devmem held nic0 3 $four $PORT 1000 $down" \
		tb $four 1000
done
ip -n ta addr replace $six/64 dev nic0 nodad
ip netns exec ta bash -c 'echo 0 >/sys/class/net/nic0/gro_flush_timeout'
ip -n tb route replace 10.79.0.0/24 dev tvb src 10.79.0.2
ip netns exec tb sysctl -qw net.ipv4.tcp_timestamps=1

# ---- booked once ----
for memory in udmabuf bar; do
	served devmem/booked/$memory "ip netns exec ta timeout $((60 * ${BERTH_SLOW:-1})) python3 $devmem rebind nic0 3 $four $PORT --memory $memory" \
		tb $four 100000
	served devmem/pool/$memory "ip netns exec ta timeout $((60 * ${BERTH_SLOW:-1})) python3 $devmem pool nic0 3 $four $PORT --memory $memory" \
		tb $four 100000
done

# ---- bound, and then ----
bind_start() {
	local i
	bound=$(mktemp)
	ip netns exec ta python3 "$devmem" bind nic0 "$1" 600 >"$bound" 2>&1 &
	for ((i = 0; i < 100 * ${BERTH_SLOW:-1}; i++)); do
		[[ $(<"$bound") != *ready* ]] || return 0
		sleep 0.1
	done
	fail devmem/bind "$(tail -n 1 "$bound")"
}
bind_start 2
refuse devmem/bound/again 'File exists' ip netns exec ta python3 "$devmem" bind nic0 2 1
ip netns exec ta ethtool -N nic0 delete 0 && ip netns exec ta ethtool -N nic0 delete 1 && ip netns exec ta ethtool -X nic0 default
refuse devmem/bound/channels 'too low|busy' ip netns exec ta ethtool -L nic0 combined 2
steer
refuse devmem/bound/unload 'in use' rmmod berth_nic
ip -n ta link set nic0 down && ip -n ta link set nic0 up && ip -n ta addr add $six/64 dev nic0 nodad 2>/dev/null
landed devmem/bound/beside $four 1000000
kill_transfer

rounds=1
! long || rounds=10
for ((i = 0; i < rounds; i++)); do
	served '' "ip netns exec ta timeout 60 python3 $devmem serve nic0 3 $four $PORT 50000000 --keep 500" tb $four 50000000 &
	sleep 1.$((RANDOM % 9))
	pkill -9 -f "$devmem serve"
	kill_transfer
done 2>/dev/null
landed devmem/killed/works_afterwards $four 1000000
for victim in nic0 tva; do
	served '' "ip netns exec ta timeout 60 python3 $devmem serve nic0 3 $four $PORT 50000000" tb $four 50000000 &
	sleep 1.5
	check devmem/deleted/$victim ip -n ta link del $victim
	kill_transfer
	link_down
	nic_up && steer || fail devmem/deleted/$victim "no NIC again"
done
landed devmem/deleted/works_afterwards $four 1000000
ip -n ta link del nic0
check devmem/unload wait_for rmmod berth_nic
exit $failed
