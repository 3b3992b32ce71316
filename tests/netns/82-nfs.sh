#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# NFS over RDMA by the kernel's own server and client: a file system in memory, exported from netns a over berth0,
# mounted in netns b over berth1; files written and read through it are the same on both sides. No daemon of NFS
# is needed: the server's caches are told what mountd would answer. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
for m in nfsd nfsv4 rpcrdma; do
	modprobe -q "$m" || { skip nfs "this kernel has no $m"; exit 0; }
done
export=$(mktemp -d) local=$(mktemp -d) mnt=$(mktemp -d)
limit=$((40 * ${BERTH_SLOW:-1}))
export export local mnt

# The server ends with the last mount of its control files, so ip netns exec, which has mounts of its own, is no use.
in_a() { nsenter --net=/run/netns/a bash -ec "$1"; }
in_b() { ip netns exec b timeout "$limit" bash -ec "$1"; }
cleanup() {
	in_a 'echo 0 >/proc/fs/nfsd/threads; umount /proc/fs/nfsd'
	for c in auth.unix.ip nfsd.fh nfsd.export; do
		in_a "date +%s >/proc/net/rpc/$c/flush"
	done
	umount "$export"
	rm -rf "$local"
}
trap cleanup EXIT

# Without a daemon that remembers clients newer kernels do not let the grace period be cut short.
# Flags: no check of ports, asynchronous, no check of subtrees, number 0 for the file system.
serve() {
	mount -t tmpfs -o size=128m none "$export" && in_a '
		end=$(($(date +%s) + 1000))
		echo "nfsd 10.77.0.2 $end berth" >/proc/net/rpc/auth.unix.ip/channel
		echo "berth $export $end 9234 65534 65534 0" >/proc/net/rpc/nfsd.export/channel
		echo "berth 1 \\x00000000 $end $export" >/proc/net/rpc/nfsd.fh/channel
		mount -t nfsd nfsd /proc/fs/nfsd
		cd /proc/fs/nfsd
		echo 10 >nfsv4leasetime
		echo 10 >nfsv4gracetime
		echo "-3 +4 +4.1 +4.2" >versions
		echo "rdma 20049" >portlist
		echo 4 >threads
		echo Y >v4_end_grace || true'
}

options=vers=4.1,proto=rdma,port=20049,sec=sys,soft,timeo=100,retrans=2,rsize=262144,wsize=262144
options+=,addr=10.77.0.1,clientaddr=10.77.0.2
mount_b="mount -i -t nfs -o $options 10.77.0.1:/ $mnt"

# Written at the client, compared at the server, and the other way round; odd sizes, small and large.
transfer() {
	local n
	for n in 1 100 4095 70001 16777216; do head -c $n /dev/urandom >"$local/$n"; done
	in_b "$mount_b; cp $local/* $mnt/; dd if=$local/16777216 of=$mnt/direct bs=256k oflag=direct status=none; umount $mnt" || return 1
	for n in 1 100 4095 70001 16777216; do cmp "$local/$n" "$export/$n" || return 1; done
	cmp "$local/16777216" "$export/direct" || return 1
	in_b "$mount_b; for f in $local/*; do cmp \$f $mnt/\${f##*/}; done; umount $mnt"
}
names() {
	in_b "$mount_b; mkdir $mnt/d; for i in \$(seq 40); do echo \$i >$mnt/d/file\$i; done; ls $mnt/d | wc -l | grep -qx 40
		mv $mnt/d/file1 $mnt/d/other; rm $mnt/d/file2; umount $mnt" && [[ $(<"$export/d/other") = 1 && ! -e $export/d/file2 ]]
}
by_rdma() { in_b "$mount_b; grep -q xprt:.rdma /proc/self/mountstats; umount $mnt"; }

check nfs/serve serve
[[ $failed -eq 0 ]] || exit 1
check nfs/by_rdma by_rdma
check nfs/transfer transfer
check nfs/names names
exit "$failed"
