# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# For scripts in the guest that run Debian's pyverbs suite, see run.py. Sourced, after guest-lib.sh.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
SUITE=/usr/share/doc/rdma-core/tests
NR_HUGE=/proc/sys/vm/nr_hugepages

# pyverbs_setup LABEL: sets dir, where the suite is unpacked; pyverbs_end removes it.
pyverbs_setup() {
	dir=$(mktemp -d /tmp/pyverbs.XXXXXX)
	modprobe -q berth_bar_exporter || { fail "$1/setup" "modprobe berth_bar_exporter failed"; return 1; }
	mkdir "$dir/tests"
	cp "$SUITE"/* "$dir/tests/" && gunzip "$dir"/tests/*.gz ||
		{ fail "$1/setup" "no suite in $SUITE: apt-get install python3-pyverbs"; return 1; }
	modprobe -aq rdma_ucm virtio_net
	echo 32 >$NR_HUGE
}

pyverbs_end() {
	rm -rf "$dir"
	echo 0 >$NR_HUGE
}

# suite ARGUMENTS: as run.py takes them. Sets failed.
suite() { /usr/bin/python3 "$here/run.py" --suite "$dir" "$@" || failed=1; }

# virtio_link NAME TYPE: a link over the virtio-net card, which is in the init namespace. The suite's rdma_cm
# tests want a netdev that has a parent device, and those of the namespaces are veths.
virtio_link() {
	local net
	net=$(netdev_of virtio_net)
	[[ -n $net ]] || { echo "no virtio-net card in the init namespace"; return 1; }
	sysctl -qw "net.ipv6.conf.$net.accept_dad=0"
	ip link set "$net" up
	ip addr replace 10.79.0.1/24 dev "$net"
	rdma link add "$1" type "$2" netdev "$net"
}
