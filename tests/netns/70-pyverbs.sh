#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Debian's pyverbs suite of rdma-core 44, against berth0, and what needs a netdev that has a parent device (its
# rdma_cm tests) against a link over virtio-net; its dma-buf tests have twins over our exporters. A test that
# skips itself fails, unless 70-pyverbs.skips has a reason. Runs in the guest.
# timeout: 600
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tests/verbs/guest-lib.sh
. "$here/../verbs/guest-lib.sh"
SUITE=/usr/share/doc/rdma-core/tests
cleanup() {
	no_dev bv0 || rdma link delete bv0
	rm -rf "$dir"
	echo 0 >/proc/sys/vm/nr_hugepages
}
dir=$(mktemp -d /tmp/pyverbs.XXXXXX)
trap cleanup EXIT

modprobe -q berth_bar_exporter || { fail pyverbs/setup "modprobe berth_bar_exporter failed"; exit 1; }
mkdir "$dir/tests"
cp "$SUITE"/* "$dir/tests/" && gunzip "$dir"/tests/*.gz || { fail pyverbs/setup "no suite in $SUITE: apt-get install python3-pyverbs"; exit 1; }
modprobe -aq rdma_ucm virtio_net
echo 32 >/proc/sys/vm/nr_hugepages

# The namespaces of the VM have veths; the one virtio-net card is in the init namespace.
virtio() {
	local n
	for n in /sys/class/net/*; do
		[[ $(readlink -f "$n/device/driver") != */virtio_net ]] || { echo "${n##*/}"; return; }
	done
}

suite() { /usr/bin/python3 "$here/pyverbs/run.py" --suite "$dir" "$@" || failed=1; }

[[ -z ${BERTH_PYVERBS_ONLY:-} ]] || { suite --label pyverbs --dev berth0 -v --only "$BERTH_PYVERBS_ONLY"; exit $failed; }
suite --label pyverbs --dev berth0 -v
net=$(virtio)
if [[ -z $net ]]; then
	fail pyverbs/virtio "no virtio-net card in the init namespace"
	exit 1
fi
sysctl -qw "net.ipv6.conf.$net.accept_dad=0"
ip link set "$net" up
ip addr add 10.79.0.1/24 dev "$net"
if rdma link add bv0 type berth netdev "$net" && wait_for has_gid bv0 ffff:0a4f:; then
	suite --label pyverbs_virtio --dev bv0 -v --only 'test_rdmacm.*'
else
	fail pyverbs/virtio "no link over $net"
fi
exit $failed
