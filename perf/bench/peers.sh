# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# The devices of the benchmark's peers. Sourced by guest.sh; runs in the guest, as root. Each function makes what one
# kind of peer needs, once, and fails if that cannot be had.
#
#	first namespace	rxe0 on rxa, siw0 on swa: veths of their own, with the MTU of ours; both sides on one device
#	a (b)		berth0 on va (berth1 on vb), which are there; iw0 on iwa (iw1 on iwb); nic0, a berth_nic on lna (lnb)

declare -A PEER_READY=()

# peer_setup KIND: rxe, siw, iw, nic, kernel, qperf
peer_setup() {
	[[ -z ${PEER_READY[$1]:-} ]] || return "${PEER_READY[$1]}"
	PEER_READY[$1]=0
	"setup_$1" || PEER_READY[$1]=1
	return "${PEER_READY[$1]}"
}

setup_rxe() {
	modprobe rdma_rxe || return 1
	ip link add rxa type veth peer name rxb || return 1
	ip addr add 10.78.0.1/24 dev rxa
	ip link set rxa mtu 4200 up
	ip link set rxb mtu 4200 up
	rdma link add rxe0 type rxe netdev rxa || return 1
	for _ in $(seq 100); do
		grep -qs ffff:0a4e: /sys/class/infiniband/rxe0/ports/1/gids/* && return 0
		sleep 0.05
	done
	return 1
}

setup_siw() {
	modprobe libcrc32c && modprobe siw || return 1
	ip link add swa type veth peer name swb || return 1
	ip addr add 10.79.0.1/24 dev swa
	ip link set swa mtu 4200 up
	ip link set swb mtu 4200 up
	rdma link add siw0 type siw netdev swa
}

setup_iw() {
	# siw listens in the namespace of the program on the index of its own netdev: no other may have the same number.
	ip link add iwa index 101 netns a type veth peer name iwb index 102 netns b || return 1
	ip -n a addr add 10.80.0.1/24 dev iwa
	ip -n b addr add 10.80.0.2/24 dev iwb
	ip -n a link set iwa mtu 4200 up
	ip -n b link set iwb mtu 4200 up
	ip netns exec a rdma link add iw0 type berth_iw netdev iwa && ip netns exec b rdma link add iw1 type berth_iw netdev iwb
}

# Ports beside those that perf_pair() counts up from. What is for NIC_PORT is for queue 3 alone.
NIC_PORT=17517
setup_nic() {
	modprobe berth_nic || return 1
	[[ -e /dev/berth_bar ]] || modprobe berth_bar_exporter || return 1
	ip link add lna netns a type veth peer name lnb netns b || return 1
	ip -n a link set lna mtu 4200 up
	ip -n b link set lnb mtu 4200 up
	ip -n b addr add 10.81.0.2/24 dev lnb
	ip -n a link add link lna name nic0 type berth_nic || return 1
	ip -n a link set nic0 up
	ip -n a addr add 10.81.0.1/24 dev nic0
	ip netns exec a ethtool -X nic0 equal 2 >/dev/null &&
		ip netns exec a ethtool -N nic0 flow-type tcp4 dst-ip 10.81.0.1 dst-port $NIC_PORT queue 3 >/dev/null
}

setup_kernel() {
	[[ -e /dev/berth_netmem_test ]] || modprobe berth_netmem_test
}

# One server for all runs: each is served by a process of its own.
QPERF_PORT=17516
setup_qperf() {
	ip netns exec a taskset -c 0 qperf -lp $QPERF_PORT >/dev/null 2>&1 </dev/null &
	QPERF=$!
	perf_listening $QPERF_PORT $QPERF
}

peers_end() {
	[[ -z ${QPERF:-} ]] || kill "$QPERF" 2>/dev/null
}
