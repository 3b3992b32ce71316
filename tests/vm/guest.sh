#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# PID 1 in the guest, in the host's root with changes thrown away: prepares the machine, runs the command,
# leaves its exit status in /ctl/status and powers off.
#
#   netns a                    netns b
#   va 10.77.0.1/24    veth    vb 10.77.0.2/24      mtu 4200, so that path MTU 4096 fits
#      fd77::1/64   --------      fd77::2/64
#   berth0                     berth1
#
# /ctl is shared with the host: env (what to do), cmd (NUL separated), up and status (what happened).
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
exec </dev/null >/dev/kmsg 2>&1
set -u
# shellcheck disable=SC1091
. /ctl/env
[[ -z ${BERTH_TRACE_BOOT:-} ]] || set -x

finish() {
	dmesg >/ctl/dmesg 2>/dev/null
	echo "$1" >/ctl/status
	sync
	echo o >/proc/sysrq-trigger
	# Nothing more to read from a disk that is going away.
	while :; do :; done
}

# A step that must work: otherwise say so where the host looks.
must() {
	"$@" || { echo "berth-guest: failed: $*"; echo "the guest could not do: $*" >>/ctl/trouble; finish 125; }
}

limits() {
	echo berth-vm >/proc/sys/kernel/hostname
	ulimit -l unlimited
	ulimit -n 65536
	echo 1 >/proc/sys/kernel/panic_on_oops
	echo 0 >/proc/sys/kernel/printk_ratelimit
	# Off while booting: a machine that starves the guest then is not our matter. From here on it is.
	echo 0 >/sys/module/rcupdate/parameters/rcu_cpu_stall_suppress
	[[ ! -e /sys/module/udmabuf/parameters/size_limit_mb ]] ||
		echo 1024 >/sys/module/udmabuf/parameters/size_limit_mb
}

# Few calls of ip with many lines each: starting a program costs 0.1 s here.
network() {
	# Namespaces made from now on inherit this: no waiting for duplicate address detection.
	echo 1 >/proc/sys/net/core/devconf_inherit_init_net
	echo 0 | tee /proc/sys/net/ipv6/conf/{all,default}/accept_dad >/dev/null
	must ip -batch - <<-EOT
	link set lo up
	netns add a
	netns add b
	link add va netns a type veth peer name vb netns b
	EOT
	must ip -n a -batch - <<-EOT
	link set lo up
	link set va mtu 4200 up
	addr add 10.77.0.1/24 dev va
	addr add fd77::1/64 dev va nodad
	EOT
	must ip -n b -batch - <<-EOT
	link set lo up
	link set vb mtu 4200 up
	addr add 10.77.0.2/24 dev vb
	addr add fd77::2/64 dev vb nodad
	EOT
}

# A device is ready when its table holds its IPv4 address as a RoCE v2 GID.
wait_for_gid() {
	local ns=$1 dev=$2 i
	for ((i = 0; i < 200; i++)); do
		ip netns exec "$ns" grep -qs ffff:0a4d: "/sys/class/infiniband/$dev/ports/1/gids/"* && return 0
		sleep 0.05
	done
	return 1
}

# The RDMA subsystem stays in its default, shared mode: both devices are seen from every namespace.
rdma_devices() {
	modprobe -a ib_uverbs rdma_ucm
	modprobe -q berth_bar_exporter
	[[ -n ${BERTH:-} ]] || return 0
	must modprobe berth
	must ip netns exec a rdma link add berth0 type berth netdev va
	must ip netns exec b rdma link add berth1 type berth netdev vb
	must wait_for_gid a berth0
	must wait_for_gid b berth1
}

open_devices() {
	local f nodes=()
	for f in /dev/infiniband/* /dev/dma_heap/* /dev/udmabuf /dev/berth*; do
		[[ ! -c $f ]] || nodes+=("$f")
	done
	[[ ${#nodes[@]} -eq 0 ]] || chmod a+rw "${nodes[@]}"
}

# The device node of the virtio port that the host named $1.
port() {
	local p
	for p in /sys/class/virtio-ports/*; do
		[[ $(<"$p/name") != "$1" ]] || { echo "/dev/${p##*/}"; return; }
	done
}

run_command() {
	local -a argv
	local in=/dev/null rc i relays=()
	mapfile -d '' -t argv </ctl/cmd
	cd "$CWD" 2>/dev/null || cd /
	if [[ -n ${INTERACTIVE:-} ]]; then
		stty -F /dev/hvc0 rows "${ROWS:-24}" cols "${COLS:-80}" 2>/dev/null
		setsid --ctty --wait "${argv[@]}" </dev/hvc0 >/dev/hvc0 2>&1
		return
	fi
	# Pipes in between, because a port can be opened once only and programs open /dev/stdout again.
	mkfifo /run/out /run/err
	cat /run/out >"$(port out)" & relays+=($!)
	cat /run/err >"$(port err)" & relays+=($!)
	if [[ -n ${STDIN:-} ]]; then
		mkfifo /run/in
		in=/run/in
		cat "$(port in)" >/run/in 2>/dev/null &
	fi
	"${argv[@]}" <"$in" >/run/out 2>/run/err
	rc=$?
	# What children left behind may hold the pipes open: give the relays a moment, not for ever.
	for ((i = 0; i < 20; i++)); do
		kill -0 "${relays[@]}" 2>/dev/null || break
		sleep 0.05
	done
	return $rc
}

limits
network
rdma_devices
open_devices
dmesg >/ctl/dmesg.boot
: >/ctl/up
run_command
finish $?
