#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# One end of two VMs on a wire: guest.sh DRIVER NUMBER, DRIVER is berth or rxe. berth's netdev is in a network
# namespace, rxe knows the init namespace only. Number 1 listens, number 2 connects. Runs in the guest.
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
driver=$1 me=$2 other=$((3 - $2)) ns=()
need_programs two_hosts

setup() {
	sysctl -qw net.ipv6.conf.eth1.accept_dad=0
	if [[ $driver == berth ]]; then
		modprobe berth && ip netns add far && ip link set eth1 netns far || return 1
		ns=(ip netns exec far)
		"${ns[@]}" ip link set lo up
		"${ns[@]}" sysctl -qw net.ipv6.conf.eth1.accept_dad=0
	else
		modprobe "rdma_$driver" || return 1
	fi
	"${ns[@]}" ip link set eth1 mtu 4200 up || return 1
	"${ns[@]}" ip addr add "10.79.0.$me/24" dev eth1 && "${ns[@]}" ip addr add "fd79::$me/64" dev eth1 nodad || return 1
	"${ns[@]}" rdma link add far0 type "$driver" netdev eth1 && wait_for has_gid far0 ffff:0a4f: || return 1
	for ((i = 0; i < 600; i++)); do
		answers && return
		sleep 0.2
	done
	return 1
}

# The other end has booted when it says where its address is.
answers() {
	"${ns[@]}" bash -c "echo >/dev/udp/10.79.0.$other/9" 2>/dev/null
	"${ns[@]}" ip neigh show "10.79.0.$other" | grep -q lladdr
}

# What no good wire makes either device count.
trouble() {
	local f
	for f in /sys/class/infiniband/far0/ports/1/hw_counters/*; do
		case ${f##*/} in
		rx_bad_icrc|rx_out_of_order|rx_malformed|rx_seq_nak|tx_seq_nak|retransmits|timeouts|*retry_exceeded*|\
		out_of_seq_request|duplicate_request|rcvd_seq_err|completer_retry_err|*icrc*|send_err)
			[[ $(<"$f") == 0 ]] || echo -n "${f##*/} $(<"$f") " ;;
		esac
	done
}

setup || { fail setup "no link of $driver over eth1, or nobody at the other end"; exit 1; }
if ((me == 1)); then export VT_LISTEN=1; else export VT_CONNECT=10.79.0.$other; fi
[[ $driver != berth ]] || export VT_MEM=bar
"${ns[@]}" "$TESTS/two_hosts" --strict --slow "$(slow)" --dev far0 --peer none || failed=1
said=$(trouble)
if [[ -z $said ]]; then pass counters; else fail counters "$said"; fi
exit $failed
