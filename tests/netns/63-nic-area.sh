#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# One dma-buf bound to a queue of a berth_nic and with an area over it: streams get what arrives handed over, RC QPs over the same NIC
# land in it, a devmem socket has its share; over every exporter; whatever ends. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/netns/nic/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/nic/lib.sh"
need_programs nic_area
links_down() {
	rdma link delete nica 2>/dev/null
	rdma link delete nicb 2>/dev/null
	rmmod berth_netmem_test 2>/dev/null
	nic_down
}
trap links_down EXIT
modprobe -q berth_netmem_test || { fail nic_area/setup "modprobe berth_netmem_test failed"; exit 1; }
nic_up || { fail nic_area/setup "no NIC"; exit 1; }
ip netns exec ta ethtool -X nic0 equal 2 && ip netns exec ta ethtool -N nic0 flow-type tcp4 dst-ip 10.79.0.1 queue 3 >/dev/null ||
	{ fail nic_area/setup "ethtool refuses"; exit 1; }
# With an address beside the NIC the answers would go beside it, too.
ip -n ta addr flush dev tva && ip -n tb addr del 10.78.0.2/24 dev tvb
ip netns exec ta rdma link add nica type berth netdev nic0 && ip netns exec tb rdma link add nicb type berth netdev tvb ||
	{ fail nic_area/setup "no RDMA links"; exit 1; }
before=$(census nica nicb)
export VT_NETNS=ta VT_ADDR=10.79.0.1 VT_PEER_NETNS=tb VT_PEER_ADDR=10.79.0.2 VT_NIC=nic0 VT_QUEUE=3
run_verbs nic_area --dev nica --peer nicb
for memory in udmabuf bar; do
	check nic_area/cost/$memory ip netns exec ta python3 "$devmem" cost nic0 3 --memory $memory
done
same_census nic_area/left_behind "$before" nica nicb
rdma link delete nica
ip -n ta link del nic0
check nic_area/unload wait_for rmmod berth_nic
exit $failed
