#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# rdma_cm: librdmacm's own programs and perftest -R, between network namespaces and on one device, over IPv4 and
# IPv6, also with TCP-offload QPs; management packets that are none; a link that is deleted while connections come and
# go. Runs in the guest.
# timeout: 240
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs ud_errors
command -v rping >/dev/null || { fail setup "rping is not installed: apt-get install rdmacm-utils"; exit 1; }

limit=$((30 * ${BERTH_SLOW:-1}))
before=$(census berth0 berth1)
four=10.77.0.1 six=fd77::1

# -v -V: rping compares what comes back. The others compare or count.
cm_pair rping/ipv4 rping -s -a $four -C 20 -V -- rping -c -a $four -C 20 -V
cm_pair rping/ipv6 rping -s -a $six -C 5 -V -S 4000 -- rping -c -a $six -C 5 -V -S 4000
cm_pair ucmatose/ipv4 ucmatose -b $four -c 5 -C 20 -- ucmatose -s $four -c 5 -C 20
cm_pair udaddy/ipv4 udaddy -b $four -c 3 -C 20 -- udaddy -s $four -c 3 -C 20
cm_pair udaddy/ipv6 udaddy -b $six -C 20 -- udaddy -s $six -C 20
cm_pair rdma_server rdma_server -s $four -- rdma_client -s $four
cm_pair rstream rstream -b $four -S 4096 -C 100 -T v -- rstream -s $four -S 4096 -C 100 -T v
cm_pair riostream riostream -b $four -S 4096 -C 100 -T v -- riostream -s $four -S 4096 -C 100 -T v
CLIENT_NS=a cm_pair one_device/rping rping -s -a $four -C 5 -V -- rping -c -a $four -C 5 -V
CLIENT_NS=a cm_pair one_device/udaddy udaddy -b $four -C 10 -- udaddy -s $four -C 10
tools=(ib_write_bw ib_read_lat ib_send_bw)
! long || tools=(ib_{write,read,send}_{bw,lat})
for tool in "${tools[@]}"; do
	cm_pair "perftest/$tool" $tool -R -F -n 50 -- $tool -R -F -n 50 $four
done

# The connection manager connects QPs, which then are TCP connections.
over_tcp() {
	local sent
	sent=$(segments a)
	export BERTH_QP_TYPE=tcp
	cm_pair tcp/rping rping -s -a $four -C 10 -V -- rping -c -a $four -C 10 -V
	cm_pair tcp/rping/ipv6 rping -s -a $six -C 5 -V -S 4000 -- rping -c -a $six -C 5 -V -S 4000
	CLIENT_NS=a cm_pair tcp/one_device/rping rping -s -a $four -C 5 -V -- rping -c -a $four -C 5 -V
	cm_pair tcp/perftest/ib_send_bw ib_send_bw -R -F -n 50 -- ib_send_bw -R -F -n 50 $four
	unset BERTH_QP_TYPE
	if (($(segments a) > sent + 50)); then pass tcp/is_tcp; else fail tcp/is_tcp "hardly a segment was sent"; fi
}
over_tcp

# Addresses of a VLAN above the link's netdev are the link's, too; answers have to go back there.
vlan() {
	modprobe -q 8021q && ip -n a link add link va name va.7 type vlan id 7 || { skip vlan/rping "no VLANs"; return; }
	ip -n b link add link vb name vb.7 type vlan id 7
	ip -n a addr add 10.77.7.1/24 dev va.7 && ip -n b addr add 10.77.7.2/24 dev vb.7
	ip -n a link set va.7 up && ip -n b link set vb.7 up
	wait_for ip netns exec a grep -qs ffff:0a4d:0701 /sys/class/infiniband/berth0/ports/1/gids/*
	wait_for ip netns exec b grep -qs ffff:0a4d:0702 /sys/class/infiniband/berth1/ports/1/gids/*
	cm_pair vlan/rping rping -s -a 10.77.7.1 -C 5 -V -- rping -c -a 10.77.7.1 -C 5 -V
	ip -n a link del va.7 && ip -n b link del vb.7
}
vlan

# QP 1 gets 120 datagrams that are no MADs, and goes on.
run_verbs_as 'ud/peer/' 'garbage/' ud_errors --filter 'ud/peer/gsi/*'
cm_pair garbage/rping rping -s -a $four -C 3 -V -- rping -c -a $four -C 3 -V
same_census rdmacm/left_behind "$before" berth0 berth1

# Connections all the time, while the link of one side goes and comes back.
link_loop() {
	local i end pids=()
	link_up && devs_up || { fail delete/setup "no link"; return; }
	end=$((SECONDS + 4 * ($(slow) / 2)))
	while ((SECONDS < end)); do ip netns exec ta timeout 5 rping -s -a 10.78.0.1 -P; done >/dev/null 2>&1 &
	pids+=($!)
	for i in 1 2; do
		while ((SECONDS < end)); do ip netns exec tb timeout 2 rping -c -a 10.78.0.1 -C 50; done >/dev/null 2>&1 &
		pids+=($!)
	done
	for ((i = 0; i < 4; i++)); do
		sleep 0.7
		rdma link delete bt$((i & 1)) || { fail delete/loop "delete $i failed"; break; }
		if ((i & 1)); then add_dev bt1 tb tvb; else add_dev bt0 ta tva; fi ||
			{ fail delete/loop "add $i failed"; break; }
	done
	wait "${pids[@]}"
	[[ $i -lt 4 ]] || pass delete/loop
	wait_for gid_ready bt0 ta && wait_for gid_ready bt1 tb
	ip netns exec ta timeout "$limit" rping -s -a 10.78.0.1 -C 3 -V >/dev/null 2>&1 &
	await_listener rping
	check delete/works_afterwards ip netns exec tb timeout "$limit" rping -c -a 10.78.0.1 -C 3 -V
	wait $!
	link_down
}
link_loop
exit $failed
