#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The wire is RoCEv2: data between berth and the kernel's rdma_rxe, either as requester, verified byte for byte;
# device memory on berth's side. rxe exists in the init namespace only:
#
#   netns ta  tva 10.78.0.1/24, bt0 --- veth --- tvx 10.78.0.9/24, rxe9  init namespace
#
# Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data rc_atomic rc_atomic_write ud_data uc_data
cleanup() {
	no_dev rxe9 || rdma link delete rxe9
	link_down
	rmmod rdma_rxe 2>/dev/null
}
trap cleanup EXIT

setup() {
	modprobe -q rdma_rxe || return 77
	ip netns add ta && ip link add tva netns ta type veth peer name tvx || return 1
	ip netns exec ta sysctl -qw net.ipv6.conf.tva.accept_dad=0
	sysctl -qw net.ipv6.conf.tvx.accept_dad=0
	ip -n ta link set lo up && ip -n ta link set tva mtu 4200 up && ip link set tvx mtu 4200 up || return 1
	ip -n ta addr add 10.78.0.1/24 dev tva && ip addr add 10.78.0.9/24 dev tvx || return 1
	ip -n ta addr add fd78::1/64 dev tva nodad && ip addr add fd78::9/64 dev tvx nodad || return 1
	rdma link add rxe9 type rxe netdev tvx && add_dev bt0 ta tva || return 1
	wait_for gid_ready bt0 ta && wait_for has_gid rxe9 ffff:0a4e:
}

rc=0
setup || rc=$?
[[ $rc -ne 77 ]] || { skip rxe "this kernel has no rdma_rxe"; exit 0; }
[[ $rc -eq 0 ]] || { fail rxe/setup "no link to rxe"; exit 1; }

# rxe registers no dma-buf and invalidates no ordinary region: those stay on berth's side.
both=(--filter 'ipv6/write/wire' --filter 'ipv6/read/wire' --filter 'psn_wrap/write/wire' --filter 'psn_wrap/read/wire'
	--filter 'ring_wrap/wire/16' --filter 'batch/wire')
responds=(--filter 'data/send/wire/*-host' --filter 'data/send_imm/wire/bar-host' --filter 'data/write/wire/*-host'
	--filter 'data/write_imm/wire/bar-host' --filter 'data/read/wire/host-*' --filter 'mtu/[!s]*/wire/*/host-host'
	--filter 'sge/write/wire/host' --filter 'inline/write/wire/host')
requests=(--filter 'data/send/wire/host-*' --filter 'data/send_inv/wire/host-bar' --filter 'data/write/wire/host-*'
	--filter 'data/write_imm/wire/host-bar' --filter 'data/read/wire/*-host' --filter 'mtu/*/wire/*/host-host'
	--filter 'sge/send/wire/host')
if debug_kernel; then
	both=(--filter 'ipv6/write/wire' --filter 'psn_wrap/read/wire' --filter 'batch/wire')
	responds=(--filter 'data/send_imm/wire/bar-host' --filter 'data/write_imm/wire/bar-host' --filter 'data/read/wire/host-heap'
		--filter 'mtu/[!s]*/wire/*/host-host' --filter 'sge/write/wire/host')
	requests=(--filter 'data/send_inv/wire/host-bar' --filter 'data/write_imm/wire/host-bar' --filter 'data/read/wire/heap-host'
		--filter 'mtu/send*/wire/*/host-host' --filter 'sge/send/wire/host')
fi
run_verbs_as '' 'rxe/responds/' rc_data --dev bt0 --peer rxe9 "${both[@]}" "${responds[@]}"
run_verbs_as '' 'rxe/requests/' rc_data --dev rxe9 --peer bt0 "${both[@]}" "${requests[@]}"
run_verbs_as '' 'rxe/responds/atomic/' rc_atomic --dev bt0 --peer rxe9 --filter '[vlsm]*/wire/host'
run_verbs_as '' 'rxe/requests/atomic/' rc_atomic --dev rxe9 --peer bt0 --filter '[vlsm]*/wire/host'
words=(--filter 'atomic_write/ex/wire/host' --filter 'atomic_write/stream/wire/host'
	--filter 'atomic_write/behind/wire/host' --filter 'atomic_write/whole/wire/host')
run_verbs_as '' 'rxe/responds/' rc_atomic_write --dev bt0 --peer rxe9 "${words[@]}" \
	--filter 'atomic_write/values/wire/*' --filter 'atomic_write/refused/misaligned/wire'
run_verbs_as '' 'rxe/requests/' rc_atomic_write --dev rxe9 --peer bt0 "${words[@]}" \
	--filter 'atomic_write/ex/wire/bar'
datagrams=(--filter 'ud/lengths/host/wire' --filter 'ud/lengths/ipv6/wire' --filter 'ud/imm/wire'
	--filter 'ud/pieces/wire' --filter 'ud/inline/wire' --filter 'ud/batch/wire' --filter 'ud/answer/wire')
run_verbs_as ud/ 'rxe/datagrams/receives/' ud_data --dev bt0 --peer rxe9 "${datagrams[@]}"
run_verbs_as ud/ 'rxe/datagrams/sends/' ud_data --dev rxe9 --peer bt0 "${datagrams[@]}"
unreliable=(--filter 'uc/*/host-host/wire' --filter 'uc/*/mtu/1024/wire' --filter 'uc/send/ipv6/wire'
	--filter 'uc/lossy/wire')
run_verbs_as uc/ 'rxe/unreliable/receives/' uc_data --dev bt0 --peer rxe9 "${unreliable[@]}" --filter 'uc/write/bar-host/wire'
run_verbs_as uc/ 'rxe/unreliable/sends/' uc_data --dev rxe9 --peer bt0 "${unreliable[@]}" --filter 'uc/write/host-bar/wire'
exit $failed
