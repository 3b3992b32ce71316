#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Links over VLANs and stacked VLANs: their own addresses and no others, beside a link over the netdev below, with
# port states, namespaces and lives of their own; data verified. Runs in the guest.
#
#   netns ta  tva ---- veth ---- tvb  netns tb	bt2, bt3 over the veths themselves
#             tva.5              tvb.5		bt0, bt1: VLAN 5, or VLAN 6 in VLAN 5
#             tva.5.6            tvb.5.6
#
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data rc_events
cleanup() {
	local d
	for d in bt2 bt3; do no_dev $d || rdma link delete $d; done
	link_down
	ip netns del tc 2>/dev/null
	return 0
}
trap cleanup EXIT
modprobe -q 8021q

# vlan NETNS LOWER ID [PROTOCOL]: up. tva.5 gets 10.78.5.1 and fd78:5::1, tvb.5 …2.
vlan() {
	local name=$2.$3 host=1
	[[ $1 == ta ]] || host=2
	ip -n "$1" link add link "$2" name "$name" type vlan id "$3" ${4:+protocol "$4"} || return 1
	ip netns exec "$1" sysctl -qw "net.ipv6.conf.${name//./\/}.accept_dad=0"
	ip -n "$1" link set "$name" up
	ip -n "$1" addr add "10.78.$3.$host/24" dev "$name"
	ip -n "$1" addr add "fd78:$3::$host/64" dev "$name" nodad
}

gids() {
	ip netns exec "$2" grep -hv '^0000:0000:0000:0000:0000:0000:0000:0000$' "/sys/class/infiniband/$1/ports/1/gids/" -r | sort
}

# Exactly the addresses of VLAN $3 on side $4, and its link-local one.
only_own_gids() {
	[[ $(gids "$1" "$2" | sed 's/^fe80:.*/fe80/') == "$(printf '%s:%02x%02x\n%s:%04d:%s:%04x\nfe80' \
		0000:0000:0000:0000:0000:ffff:0a4e "$3" "$4" fd78 "$3" 0000:0000:0000:0000:0000 "$4")" ]]
}

own_gids() {
	local i
	for ((i = 0; i < 5; i++)); do
		only_own_gids "$2" "$3" "$4" "$5" && { pass "$1"; return; }
		sleep 0.2
	done
	fail "$1" "$2 has: $(gids "$2" "$3" | tr '\n' ' ')"
}

received() { ip netns exec "$1" cat "/sys/class/net/$2/statistics/rx_bytes"; }

# traffic NAME DEV PEER NETDEV: every opcode; the bytes came in by NETDEV of netns tb.
traffic() {
	local before
	before=$(received tb "$4")
	run_verbs_as data/ "$1/" rc_data --dev "$2" --peer "$3" --filter 'data/*/wire/host-host' --filter 'data/write/wire/heap-bar'
	run_verbs_as ipv6/ "$1/ipv6/" rc_data --dev "$2" --peer "$3" --filter 'ipv6/*/wire'
	if (($(received tb "$4") - before > 1000000)); then
		pass "$1/by_netdev"
	else
		fail "$1/by_netdev" "$4 received only $(($(received tb "$4") - before)) bytes"
	fi
}

port_follows() {
	local name=$1 what=$2
	export VT_PORT_DOWN="ip -n ta link set $what down" VT_PORT_UP="ip -n ta link set $what up"
	run_verbs_as port/ "$name/" rc_events --dev bt0 --peer bt1 --filter 'port/down_up'
}

mtu_follows() {
	local mtu
	ip -n ta link set tva.5 mtu 1500
	mtu=$(ip netns exec ta ibv_devinfo -d bt0 | sed -n 's/.*active_mtu:[[:space:]]*\([0-9]*\).*/\1/p')
	ip -n ta link set tva.5 mtu 4200
	[[ $mtu == 1024 ]] && pass vlan/mtu || fail vlan/mtu "the VLAN's MTU is 1500, the port's $mtu"
}

plain() {
	check vlan/add add_dev bt0 ta tva.5
	add_dev bt1 tb tvb.5 || fail vlan/add_peer "rdma link add bt1 failed"
	own_gids vlan/gids bt0 ta 5 1
	own_gids vlan/gids_peer bt1 tb 5 2
	refuse vlan/twice exist add_dev bt9 ta tva.5
	traffic vlan bt0 bt1 tvb.5
	mtu_follows
}

beside_the_netdev_below() {
	check vlan/below add_dev bt2 ta tva
	add_dev bt3 tb tvb || fail vlan/below_peer "rdma link add bt3 failed"
	refuse vlan/below_twice exist add_dev bt9 ta tva
	wait_for gid_ready bt2 ta && wait_for gid_ready bt3 tb
	run_verbs_as data/ vlan/below/ rc_data --dev bt2 --peer bt3 --filter 'data/*/wire/host-host'
	run_verbs_as data/ vlan/beside/ rc_data --dev bt0 --peer bt1 --filter 'data/*/wire/host-host'
	# Addresses that come later are sorted as those that were there.
	ip -n ta addr add 10.78.0.9/24 dev tva
	wait_for has_below_gid && pass vlan/below_new_address || fail vlan/below_new_address "bt2 does not have it"
	own_gids vlan/gids_still bt0 ta 5 1
}
has_below_gid() { [[ $(gids bt2 ta) == *0a4e:0009* ]]; }

# Two links with the same link-local address, as VLANs have the MAC address of the netdev below.
same_link_local() {
	local ns dev
	for ns in ta:tva tb:tvb; do
		dev=${ns#*:} ns=${ns%:*}
		ip -n $ns addr del "fd78:5::$([[ $ns == ta ]] && echo 1 || echo 2)/64" dev $dev.5
	done
	wait_for only_ll bt0 ta && wait_for only_ll bt1 tb || fail vlan/link_local "other IPv6 GIDs than link-local ones"
	run_verbs_as ipv6/ vlan/link_local/ rc_data --dev bt0 --peer bt1 --filter 'ipv6/*/wire'
	run_verbs_as ipv6/ vlan/link_local_below/ rc_data --dev bt2 --peer bt3 --filter 'ipv6/*/wire'
}
only_ll() { [[ $(gids "$1" "$2" | grep -vc '^0000:') == 1 && $(gids "$1" "$2" | grep -c '^fe80:') == 1 ]]; }

lives() {
	port_follows vlan/port tva.5
	# Without the netdev below there is no VLAN either; the link below is told as well.
	port_follows vlan/port_below tva
	ip -n ta link del tva.5
	if wait_for no_dev bt0 && has_dev bt2; then
		pass vlan/deleted
	else
		fail vlan/deleted "bt0 should be gone and bt2 there: $(rdma link | tr '\n' ';')"
	fi
	run_verbs_as data/ vlan/after_deleted/ rc_data --dev bt2 --peer bt3 --filter 'data/write/wire/host-host'
	rdma link delete bt1
}

stacked() {
	local proto protos=(802.1ad)
	! long || protos=(802.1q 802.1ad)
	ip -n tb link del tvb.5
	for proto in "${protos[@]}"; do
		vlan ta tva 5 $proto && vlan tb tvb 5 $proto && vlan ta tva.5 6 && vlan tb tvb.5 6 ||
			{ fail "vlan/stacked_$proto" "no such VLANs"; return; }
		check "vlan/stacked_$proto/add" add_dev bt0 ta tva.5.6
		add_dev bt1 tb tvb.5.6 || fail "vlan/stacked_$proto/add" "rdma link add bt1 failed"
		own_gids "vlan/stacked_$proto/gids" bt0 ta 6 1
		own_gids "vlan/stacked_$proto/gids_peer" bt1 tb 6 2
		traffic "vlan/stacked_$proto" bt0 bt1 tvb.5.6
		ip -n ta link del tva.5
		ip -n tb link del tvb.5
		wait_for no_dev bt0 && wait_for no_dev bt1 || fail "vlan/stacked_$proto/gone" "links are left"
	done
}

# A VLAN in another namespace than the netdev below it.
moved() {
	ip netns add tc
	ip -n tc link set lo up
	ip -n ta link add link tva name tva.7 netns tc type vlan id 7
	vlan tb tvb 7
	ip -n tc link set tva.7 up
	ip -n tc addr add 10.78.7.1/24 dev tva.7
	ip -n tc addr add fd78:7::1/64 dev tva.7 nodad
	check vlan/other_netns/add add_dev bt0 tc tva.7
	add_dev bt1 tb tvb.7
	own_gids vlan/other_netns/gids bt0 tc 7 1
	traffic vlan/other_netns bt0 bt1 tvb.7
	# The netdev below goes and takes its VLANs along, wherever they are.
	ip -n ta link del tva
	wait_for no_dev bt0 && wait_for no_dev bt2 && wait_for no_dev bt1 && wait_for no_dev bt3 &&
		pass vlan/netdev_below_deleted || fail vlan/netdev_below_deleted "left: $(rdma link | tr '\n' ';')"
}

link_up && vlan ta tva 5 && vlan tb tvb 5 || { fail vlan/setup "no VLANs"; exit 1; }
before=$(census)
plain
beside_the_netdev_below
same_link_local
lives
stacked
moved
same_census vlan/left_behind "$before"
exit $failed
