#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# berth_nic: a NIC on top of a netdev: what it refuses, data both ways, steering, ethtool's settings under traffic, checksums,
# and its end at any time. Devmem TCP on it is in 58-devmem.sh. Runs in the guest.
#
#   netns ta  nic0 10.79.0.1/24 on tva --- veth --- tvb 10.79.0.2/24  netns tb
#
# timeout: 300
set -uo pipefail
# shellcheck source=tests/netns/nic/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/nic/lib.sh"
trap nic_down EXIT
nic_up || { fail nic/setup "no NIC"; exit 1; }

# ---- what it refuses ----
refuse nic/refused/no_link 'needs a device below' ip -n ta link add name nic9 type berth_nic
refuse nic/refused/loopback 'has to be Ethernet' ip -n ta link add link lo name nic9 type berth_nic
refuse nic/refused/second 'already below another' ip -n ta link add link tva name nic9 type berth_nic
refuse nic/refused/queues 'too many receive queues' ip -n tb link add link tvb name nic9 numrxqueues 17 type berth_nic
refuse nic/refused/address 'Cannot assign|not a unicast' ip -n tb link add link tvb name nic9 address 01:00:00:00:00:01 type berth_nic
refuse nic/refused/mtu 'Invalid argument|mtu' ip -n ta link set nic0 mtu 9001
refuse nic/refused/ring 'Invalid argument|at least' ip netns exec ta ethtool -G nic0 rx 1
says nic/refused/rule 'Cannot insert.*not supported' ip netns exec ta ethtool -N nic0 flow-type ether dst 02:00:00:00:00:01 queue 0
says nic/refused/rule_queue 'Cannot insert.*Invalid' ip netns exec ta ethtool -N nic0 flow-type tcp4 dst-port 1 queue 15

# ---- data ----
four=10.79.0.1 six=fd79::1
transfer nic/tcp/in ta $four tb 2000000
transfer nic/tcp/out tb 10.79.0.2 ta 2000000
transfer nic/tcp/in/ipv6 ta $six tb 1000000
! long || transfer nic/tcp/out/ipv6 tb fd79::2 ta 2000000
ip -n ta link add link nic0 name nic0.7 type vlan id 7 && ip -n ta addr add 10.80.0.1/24 dev nic0.7 && ip -n ta link set nic0.7 up
ip -n tb link add link tvb name tvb.7 type vlan id 7 && ip -n tb addr add 10.80.0.2/24 dev tvb.7 && ip -n tb link set tvb.7 up
transfer nic/tcp/vlan ta 10.80.0.1 tb 1000000
ip netns exec ta ethtool -G nic0 rx 64
transfer nic/tcp/small_ring ta $four tb 1000000
ip -n tb link set tvb mtu 1500
ip netns exec tb ethtool -K tvb tso off gso off tx off >/dev/null
before=$(nic_count csum_good)
transfer nic/tcp/no_offloads ta $four tb 1000000
rises nic/csum/good csum_good "$before"
modprobe -q sch_netem && tc -n tb qdisc add dev tvb root netem corrupt 10%
before=$(nic_count csum_bad)
transfer nic/tcp/corrupt ta $four tb 1000000
rises nic/csum/bad csum_bad "$before"
tc -n tb qdisc del dev tvb root
ip netns exec ta ethtool -K nic0 rx off
before=$(nic_count csum_good)
transfer nic/csum/off/computed_by_peer ta $four tb 1000000
check nic/csum/off/not_looked_at test "$before" = "$(nic_count csum_good)"
ip netns exec tb ethtool -K tvb tx on gso on tso on >/dev/null
transfer nic/csum/off/left_to_us ta $four tb 1000000
ip netns exec ta ethtool -K nic0 rx on
# A packet whose sender has left a checksum in the middle of its payload goes on to a device that has to compute it.
ip netns exec ta sysctl -qw net.ipv4.ip_forward=1 && ip netns exec ta ethtool -K tva tx off >/dev/null
ip -n ta neigh replace 10.79.0.77 lladdr 02:00:00:00:79:77 dev nic0
check nic/csum/odd ip netns exec tb python3 "$(dirname "${BASH_SOURCE[0]}")/nic/odd_checksum.py" tvb 02:00:00:00:79:01 10.79.0.2 10.79.0.77
ip netns exec ta ethtool -K tva tx on >/dev/null && ip netns exec ta sysctl -qw net.ipv4.ip_forward=0

# ---- steering ----
counts=()
queue_counts() { mapfile -t counts < <(ip netns exec ta ethtool -S nic0 | sed -n 's/^ *rx_[0-3]_packets: //p'); }
flows() { TIMES=12 transfer '' ta $four tb 1000; }
queue_counts; old=("${counts[@]}")
flows
queue_counts
used=0
for q in 0 1 2 3; do ((counts[q] == old[q])) || used=$((used + 1)); done
if ((used >= 2)); then pass nic/spread; else fail nic/spread "12 flows came by $used queue"; fi
ip netns exec ta ethtool -X nic0 equal 1
queue_counts; old=("${counts[@]}")
flows
queue_counts
if [[ "${counts[*]:1}" == "${old[*]:1}" ]]; then pass nic/table; else fail nic/table "${old[*]}, then ${counts[*]}"; fi
before=$(nic_count packets 3)
check nic/rule/add ip netns exec ta ethtool -N nic0 flow-type tcp4 dst-ip $four dst-port $PORT queue 3
transfer nic/rule/queue ta $four tb 1000000
rises nic/rule/came packets "$before" 3
refuse nic/rule/channels 'too low|busy' ip netns exec ta ethtool -L nic0 combined 2
check nic/rule/delete ip netns exec ta ethtool -N nic0 delete 0
check nic/rule/drop ip netns exec ta ethtool -N nic0 flow-type tcp6 dst-port $PORT action -1
if ip netns exec tb timeout 3 python3 "$devmem" send $six $PORT 1 2>/dev/null; then
	fail nic/rule/dropped "a packet came by"
else
	pass nic/rule/dropped
fi
check nic/rule/off ip netns exec ta ethtool -K nic0 ntuple off
says nic/rule/off/gone 'Total 0 rules' ip netns exec ta ethtool -n nic0
says nic/rule/off/refused 'Cannot insert.*not supported' ip netns exec ta ethtool -N nic0 flow-type tcp6 dst-port $PORT queue 1
check nic/rule/on ip netns exec ta ethtool -K nic0 ntuple on
transfer nic/rule/off/data ta $six tb 100000
ip netns exec ta ethtool -X nic0 default

# ---- settings under traffic ----
meddle() {
	local n
	while :; do
		for n in 1 8 3 16; do
			ip netns exec ta ethtool -L nic0 combined $n
			ip netns exec ta ethtool -G nic0 rx $((n * 32))
		done
	done
}
meddle 2>/dev/null & meddler=$!
transfer nic/channels/under_traffic ta $four tb 4000000
kill $meddler && wait $meddler 2>/dev/null
ip netns exec ta ethtool -L nic0 combined 4

# ---- down, and gone ----
flap() {
	local i
	for ((i = 0; i < 5; i++)); do
		sleep 0.4
		ip -n ta link set nic0 down
		ip -n ta link set nic0 up
	done
}
flap & flapper=$!
transfer nic/flap ta $four tb 4000000
wait $flapper
ip -n ta addr replace $six/64 dev nic0 nodad
for ((i = 0; i < 3; i++)); do
	transfer '' ta $four tb 50000000 & sleep 0.$((RANDOM % 5))
	ip -n ta link del nic0 || { fail nic/delete "round $i"; break; }
	kill_transfer
	nic_add || { fail nic/delete "no NIC again in round $i"; break; }
done
((i < 3)) || pass nic/delete/under_traffic
transfer nic/delete/works_afterwards ta $four tb 1000000
transfer '' ta $four tb 50000000 & sleep 0.3
check nic/lower/delete ip -n ta link del tva
check nic/lower/gone bash -c '! ip -n ta link show nic0 2>/dev/null'
kill_transfer
link_down
nic_up || fail nic/lower/again "no NIC"
transfer '' ta $four tb 50000000 & sleep 0.3
check nic/unload rmmod berth_nic
kill_transfer
exit $failed
