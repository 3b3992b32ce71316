#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What lies between two links: a bridge, an MTU of 1500, an MTU that changes under traffic, segmentation and merging of
# packets switched off and on, so that packets come one by one, whole, or as lists by way of the socket; data
# verified over IPv4 and IPv6. Runs in the guest.
# timeout: 200
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data
cleanup() {
	[[ -z ${flipper:-} ]] || kill "$flipper" 2>/dev/null
	link_down
}
trap cleanup EXIT

setup() { link_up && devs_up || { fail "$1/setup" "no link of our own"; exit 1; }; }

# Datagrams that the sockets of a namespace got: what the netfilter hook did not take.
by_socket() {
	ip netns exec "$1" awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { n += $2 } $1 == "Udp6InDatagrams" { n += $2 } END { print n }' \
		/proc/net/snmp /proc/net/snmp6
}

traffic() {
	run_verbs_as data/ "$1/" rc_data --dev bt0 --peer bt1 --filter 'data/*/wire/host-host' --filter 'data/*/wire/heap-bar'
	run_verbs_as ipv6/ "$1/ipv6/" rc_data --dev bt0 --peer bt1 --filter 'ipv6/write/wire' --filter 'ipv6/read/wire'
}

offload() {
	local ns
	for ns in ta:tva tb:tvb; do
		ip netns exec ${ns%:*} ethtool -K ${ns#*:} "$@" >/dev/null || { fail netdevs/ethtool "$*: refused"; return; }
	done
}

# way NAME hook|socket: traffic, and by which way its packets came.
way() {
	local name=$1 want=$2 before now
	before=$(by_socket tb)
	traffic "$name"
	now=$(($(by_socket tb) - before))
	if [[ $want == hook && $now -eq 0 || $want == socket && $now -gt 100 ]]; then
		pass "$name/way"
	else
		fail "$name/way" "expected the $want, but $now datagrams came by the socket"
	fi
}

offloads() {
	way offload/default hook
	offload tx-udp-segmentation off
	way offload/no_udp_segmentation hook
	# veth merges packets of a sender that cannot segment TCP.
	offload gro on tso off
	way offload/no_udp_segmentation_gro hook
	offload rx-gro-list on
	way offload/gro_list socket
	offload rx-gro-list off rx-udp-gro-forwarding on
	way offload/gro_forwarding hook
	offload rx-udp-gro-forwarding off gro off gso off tx off
	way offload/none hook
	offload gso on tx on tso on tx-udp-segmentation on
}

devinfo_mtu() { ip netns exec ta ibv_devinfo -d bt0 | sed -n 's/.*active_mtu:[[:space:]]*\([0-9]*\).*/\1/p'; }
set_mtu() { ip -n ta link set tva mtu "$1"; ip -n tb link set tvb mtu "$1"; }

mtus() {
	local mtu got
	local some=(1500:1024 340:256)
	! long || some=(1500:1024 600:512 340:256 9000:4096)
	for mtu in "${some[@]}"; do
		set_mtu ${mtu%:*}
		# IPv6 leaves a netdev with an MTU below 1280.
		got=$(devinfo_mtu)
		if [[ $got == "${mtu#*:}" ]]; then
			run_verbs_as data/ "mtu/${mtu%:*}/" rc_data --dev bt0 --peer bt1 --filter 'data/*/wire/host-host'
		else
			fail "mtu/${mtu%:*}" "path MTU $got"
		fi
	done
	# Not even the smallest path MTU: no link.
	set_mtu 300
	got=$(ip netns exec ta ibv_devinfo -d bt0 | grep -c PORT_DOWN)
	[[ $got == 1 ]] && pass mtu/too_small || fail mtu/too_small "the port is not down"
	set_mtu 4200
}

# QPs of path MTU 4096 meet a netdev that does not carry it for a while: packets are lost, data is not.
mtu_changes() {
	(while :; do
		set_mtu 1500
		sleep 0.05
		set_mtu 4200
		sleep 0.3
	done) &
	flipper=$!
	run_verbs_as data/ mtu/changing/ rc_data --dev bt0 --peer bt1 --ack-timeout 14 --filter 'data/*/wire/host-host' \
		--filter 'data/write/wire/*-bar'
	kill $flipper
	wait $flipper 2>/dev/null
	flipper=
	set_mtu 4200
}

# The address is the bridge's; links over the bridge itself, and over the port below it.
bridge() {
	ip -n ta link add br0 type bridge || { fail bridge/setup "no bridge"; return; }
	ip -n ta link set br0 mtu 4200 up
	ip -n ta addr del 10.78.0.1/24 dev tva
	ip -n ta addr del fd78::1/64 dev tva
	ip -n ta link set tva master br0
	ip -n ta addr add 10.78.0.1/24 dev br0
	ip -n ta addr add fd78::1/64 dev br0 nodad
	add_dev bt0 ta br0 && add_dev bt1 tb tvb || { fail bridge/add "no link over the bridge"; return; }
	wait_for gid_ready bt0 ta
	traffic bridge
	rdma link delete bt0
	add_dev bt0 ta tva || fail bridge/port "no link over the port"
	if wait_for gid_ready bt0 ta; then
		run_verbs_as data/ bridge/port/ rc_data --dev bt0 --peer bt1 --filter 'data/*/wire/host-host'
	else
		fail bridge/port "no GID of the bridge's address"
	fi
}

before=$(census)
setup netdevs
offloads
mtus
mtu_changes
link_down
link_up || exit 1
bridge
link_down
same_census netdevs/left_behind "$before"
exit $failed
