#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# NVMe over Fabrics by the kernel's own nvme-rdma and nvmet-rdma over a link in the init namespace, the only one that
# they know: a disk in memory, written and read through the fabric, compared on both sides; the link is deleted
# while the host is connected. Runs in the guest.
# timeout: 180
#
#   nvme0n1 -- nvme-rdma -- kb0 (ka 10.79.0.1) -- nvmet-rdma -- /dev/loop over a file in memory
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
for m in nvme-rdma nvmet-rdma loop; do
	modprobe -q "$m" || { skip nvme "this kernel has no $m"; exit 0; }
done
[[ -e /sys/kernel/config/nvmet ]] || mount -t configfs none /sys/kernel/config
nvmet=/sys/kernel/config/nvmet
nqn=berth-test work=$(mktemp -d)
limit=$((30 * ${BERTH_SLOW:-1}))

no_controller() { ! compgen -G '/sys/class/nvme/nvme*' >/dev/null; }
disconnect() {
	local c
	for c in /sys/class/nvme/nvme*/delete_controller; do [[ ! -e $c ]] || echo 1 >"$c"; done
	wait_for no_controller
}
cleanup() {
	disconnect
	rm -f $nvmet/ports/1/subsystems/$nqn
	rmdir $nvmet/ports/1 $nvmet/subsystems/$nqn/namespaces/1 $nvmet/subsystems/$nqn 2>/dev/null
	[[ -z ${loop:-} ]] || losetup -d "$loop"
	no_dev kb0 || rdma link delete kb0
	ip link del ka 2>/dev/null
	modprobe -r nvme-rdma nvmet-rdma
}
trap cleanup EXIT

kgid() { grep -qs ffff:0a4f:0001 /sys/class/infiniband/kb0/ports/1/gids/*; }
device() { rdma link add kb0 type berth netdev ka && wait_for kgid; }
setup() {
	ip link add ka mtu 4200 type veth peer name kp && ip addr add 10.79.0.1/24 dev ka &&
		ip link set ka up && ip link set kp up && device || return 1
	truncate -s 64M "$work/disk" && loop=$(losetup -f --show "$work/disk") || return 1
	mkdir $nvmet/subsystems/$nqn $nvmet/subsystems/$nqn/namespaces/1 $nvmet/ports/1 || return 1
	echo 1 >$nvmet/subsystems/$nqn/attr_allow_any_host
	echo "$loop" >$nvmet/subsystems/$nqn/namespaces/1/device_path
	echo 1 >$nvmet/subsystems/$nqn/namespaces/1/enable || return 1
	echo rdma >$nvmet/ports/1/addr_trtype
	echo ipv4 >$nvmet/ports/1/addr_adrfam
	echo 10.79.0.1 >$nvmet/ports/1/addr_traddr
	echo 4420 >$nvmet/ports/1/addr_trsvcid
	ln -s $nvmet/subsystems/$nqn $nvmet/ports/1/subsystems/$nqn
}

connect() {
	echo "transport=rdma,traddr=10.79.0.1,trsvcid=4420,nqn=$nqn,hostnqn=berth-host,hostid=$(</proc/sys/kernel/random/uuid),nr_io_queues=2,queue_size=32,reconnect_delay=1,ctrl_loss_tmo=5" \
		>/dev/nvme-fabrics
}
disk() {
	local d
	for d in /dev/nvme*n1; do [[ -b $d ]] && { echo "$d"; return 0; }; done
	return 1
}

# What went through the fabric is what lies on the disk behind it, byte by byte.
transfer() {
	local d=$1
	head -c 32M /dev/urandom >"$work/pattern"
	timeout "$limit" dd if="$work/pattern" of="$d" bs=1M oflag=direct status=none || return 1
	timeout "$limit" dd if="$d" of="$work/back" bs=512k count=64 iflag=direct status=none || return 1
	cmp "$work/pattern" "$work/back" && cmp -n 33554432 "$work/pattern" "$loop"
}
# Requests of one block, which go inline, beside large ones.
small() {
	local d=$1 i pids=()
	for i in 0 1 2 3; do
		timeout "$limit" dd if="$work/pattern" of="$d" bs=4k count=64 skip=$((i * 64)) seek=$((8192 + i * 64)) \
			oflag=direct status=none & pids+=($!)
	done
	wait "${pids[@]}"
	timeout "$limit" dd if="$d" of="$work/back" bs=4k skip=8192 count=256 iflag=direct status=none || return 1
	cmp -n 1048576 "$work/pattern" "$work/back"
}

check nvme/setup setup
[[ $failed -eq 0 ]] || exit 1
loop=$(losetup -n -O NAME -j "$work/disk")
registered() { [[ $(rdma resource show mr dev kb0 2>/dev/null) ]]; }
check nvme/connect timeout "$limit" bash -c "$(declare -f connect); nqn=$nqn connect"
wait_for disk >/dev/null || { fail nvme/disk "no disk has come"; exit 1; }
d=$(disk)
check nvme/registered registered
check nvme/transfer transfer "$d"
check nvme/small small "$d"
check nvme/disconnect disconnect
check nvme/connect_again timeout "$limit" bash -c "$(declare -f connect); nqn=$nqn connect"
wait_for disk >/dev/null || fail nvme/disk_again "no disk has come"
check nvme/link_delete timeout "$limit" rdma link delete kb0
wait_for no_dev kb0 || fail nvme/link_delete "kb0 is still there"
check nvme/gone disconnect
exit "$failed"
