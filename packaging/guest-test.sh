#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Runs in the guest (see packaging/test.sh): everything below happens in the root given, where nothing but
# the installed packages is of ours.
set -euo pipefail
root=$1
for d in proc sys dev; do
	mount --rbind "/$d" "$root/$d"
done
mount -t tmpfs run "$root/run"
in_root() { chroot "$root" "$@"; }

modprobe -r berth_bar_exporter berth_netmem 2>/dev/null || true
[[ ! -e /sys/module/berth_netmem ]]
in_root modprobe berth
[[ $(in_root modinfo -F filename berth) == */updates/dkms/berth.ko* ]]
ip addr add 10.78.0.1/24 dev lo
in_root ip link add d0 type dummy
in_root ip addr add 10.78.0.2/24 dev d0
in_root ip link set d0 up
in_root rdma link add berth0 type berth netdev d0
in_root ibv_devinfo -d berth0
gid=$(for f in /sys/class/infiniband/berth0/ports/1/gids/*; do
	grep -q ffff:0a4e:0002 "$f" && echo "${f##*/}" && break
done)
in_root ibv_rc_pingpong -d berth0 -g "$gid" -n 100 &
sleep 2
in_root ibv_rc_pingpong -d berth0 -g "$gid" -n 100 10.78.0.2
wait $!
in_root rdma link delete berth0
in_root modprobe berth_nic
in_root ip link add link d0 name nic0 type berth_nic
in_root ip link delete nic0
in_root modprobe -r berth_nic
in_root modprobe -r berth
[[ ! -e /sys/module/berth ]]
