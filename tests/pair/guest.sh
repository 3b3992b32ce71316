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
	modprobe virtio_net || return 1
	# The card on the wire, whatever its name.
	nic=$(ip -br link | awk -v mac="52:54:00:be:72:0$me" '$3 == mac { print $1 }')
	[[ -n $nic ]] || return 1
	sysctl -qw "net.ipv6.conf.$nic.accept_dad=0"
	if [[ $driver == berth ]]; then
		modprobe berth && ip netns add far && ip link set "$nic" netns far || return 1
		ns=(ip netns exec far)
		"${ns[@]}" ip link set lo up
		"${ns[@]}" sysctl -qw "net.ipv6.conf.$nic.accept_dad=0"
	else
		modprobe "rdma_$driver" || return 1
	fi
	"${ns[@]}" ip link set "$nic" mtu 4200 up || return 1
	"${ns[@]}" ip addr add "10.79.0.$me/24" dev "$nic" && "${ns[@]}" ip addr add "fd79::$me/64" dev "$nic" nodad || return 1
	"${ns[@]}" rdma link add far0 type "$driver" netdev "$nic" && wait_for has_gid far0 ffff:0a4f: || return 1
	for ((i = 0; i < 600; i++)); do
		answers && return
		sleep 0.2
	done
	return 1
}

# shellcheck disable=SC2317
gids_there() { "${ns[@]}" grep -qs ffff:0a4f: /sys/class/infiniband/far0/ports/1/gids/*; }

# The other end has booted when it says where its address is.
answers() {
	"${ns[@]}" bash -c "echo >/dev/udp/10.79.0.$other/9" 2>/dev/null
	"${ns[@]}" ip neigh show "10.79.0.$other" | grep -q lladdr
}

# What a good wire makes neither device count. QEMU's drops a packet now and then, which costs both a few; a storm of
# retries would be hundreds.
trouble() {
	local f n
	for f in /sys/class/infiniband/far0/ports/1/hw_counters/*; do
		n=$(<"$f")
		case ${f##*/} in
		rx_bad_icrc|rx_malformed|*retry_exceeded*|*icrc*|send_err)
			((n == 0)) || echo -n "${f##*/} $n " ;;
		rx_out_of_order|rx_seq_nak|tx_seq_nak|retransmits|timeouts|out_of_seq_request|duplicate_request|\
		rcvd_seq_err|completer_retry_err)
			((n <= 20)) || echo -n "${f##*/} $n " ;;
		esac
	done
}

setup || { fail setup "no link of $driver, or nobody at the other end"; exit 1; }
if ((me == 1)); then export VT_LISTEN=1; else export VT_CONNECT=10.79.0.$other; fi
[[ $driver != berth ]] || export VT_MEM=bar
"${ns[@]}" "$TESTS/two_hosts" --strict --slow "$(slow)" --dev far0 --peer none || failed=1
said=$(trouble)
if [[ -z $said ]]; then pass counters; else fail counters "$said"; fi
exit $failed
