#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Links of type berth_iw whose peer is a plain socket that does what a peer should not: see iwarp_peer.py. Runs in the
# guest.
# timeout: 120
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
command -v rping >/dev/null || { fail setup "rping is not installed: apt-get install rdmacm-utils"; exit 1; }
peer=$(dirname "${BASH_SOURCE[0]}")/iwarp_peer.py
export SERVER_NS=ta CLIENT_NS=tb
four=10.78.0.1 port=7174
trap iw_down EXIT

iw_up || { fail iwarp/peer/setup "no links of type berth_iw"; exit 1; }
before=$(census iw0 iw1)

# ---- it calls ----
ip netns exec ta rping -s -a $four -p $port -P >/dev/null 2>&1 & server=$!
await_listener rping
ip netns exec tb python3 "$peer" call $four $port "$(slow)" || failed=1
check iwarp/peer/server_lives kill $server
wait $server 2>/dev/null

# ---- the server sends first ----
for kind in plain heard; do
	ip netns exec ta ucmatose -b $four -p $port -c 1 -C 1 >/dev/null 2>&1 & server=$!
	await_listener ucmatose
	ip netns exec tb python3 "$peer" first $four $port "$(slow)" $kind || failed=1
	kill $server 2>/dev/null
	wait $server 2>/dev/null
done

# ---- it is called ----
for answer in nothing garbage request half length private markers reject; do
	ip netns exec ta timeout 100 python3 "$peer" answer $four $port $answer & server=$!
	wait_for ip netns exec ta bash -c "[[ \$(ss -Hltn 'sport = :$port') ]]"
	if out=$(ip netns exec tb timeout $((30 * ${BERTH_SLOW:-1})) rping -c -a $four -p $port -C 1 2>&1); then
		fail "iwarp/peer/answer/$answer" "rping took it for a connection"
	elif [[ $? -eq 124 ]]; then
		fail "iwarp/peer/answer/$answer" "rping waits for ever: ${out//$'\n'/; }"
	else
		pass "iwarp/peer/answer/$answer"
	fi
	kill $server 2>/dev/null
	wait $server 2>/dev/null
done
# ---- all ports but one had a connection to that server just now ----
ports() { ip netns exec tb sysctl -qw net.ipv4.ip_local_port_range="$1"; }
before_ports=$(ip netns exec tb sysctl -n net.ipv4.ip_local_port_range)
ip netns exec ta python3 "$peer" serve $four $port & server=$!
wait_for ip netns exec ta bash -c "[[ \$(ss -Hltn 'sport = :$port') ]]"
ip netns exec tb python3 "$peer" leave $four $port 20000 20006 || fail iwarp/peer/used_ports "no connections"
kill $server 2>/dev/null
wait $server 2>/dev/null
ports "20000 20007"
cm_pair iwarp/peer/used_ports rping -s -a $four -p $port -C 3 -V -- rping -c -a $four -p $port -C 3 -V
ports "$before_ports"
# ---- it is gone, and the program, too: TCP gives up by itself ----
closing() { ip netns exec tb ss -Htano state fin-wait-1 "dport = :$port"; }
is_closing() { [[ $(closing) ]]; }
given_up() { ! is_closing; }
if modprobe -q sch_netem; then
	# As long as it takes to look, which is seconds on the debug kernel.
	retries=1
	! debug_kernel || retries=6
	before_retries=$(ip netns exec tb sysctl -n net.ipv4.tcp_orphan_retries)
	ip netns exec tb sysctl -qw net.ipv4.tcp_orphan_retries=$retries
	ip netns exec ta rping -s -a $four -p $port >/dev/null 2>&1 & server=$!
	await_listener rping
	ip netns exec tb rping -c -a $four -p $port >/dev/null 2>&1 & client=$!
	wait_for ip netns exec tb bash -c "[[ \$(ss -Htn 'dport = :$port') ]]"
	sleep 0.5
	bad_wire loss 100%
	sleep 0.3
	kill -9 $client $server
	wait $client $server 2>/dev/null
	if ! wait_for is_closing; then
		fail iwarp/peer/orphan "no connection waits for the peer"
	elif wait_for given_up; then
		pass iwarp/peer/orphan
	else
		fail iwarp/peer/orphan "still there: $(closing)"
	fi
	good_wire
	ip netns exec tb sysctl -qw net.ipv4.tcp_orphan_retries="$before_retries"
else
	skip iwarp/peer/orphan "this kernel has no netem"
fi
same_census iwarp/peer/left_behind "$before" iw0 iw1
cm_pair iwarp/peer/works_afterwards rping -s -a $four -C 3 -V -- rping -c -a $four -C 3 -V
exit $failed
