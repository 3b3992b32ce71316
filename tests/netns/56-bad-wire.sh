#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Every kind of bad wire at 0.1, 1 and 5 %, alone and together: each message arrives once and whole. A wire that
# breaks under traffic (link down, MTU lowered, address gone, all packets lost): the specified error within the
# time that was configured, or nothing but delay when it is mended in time. And the speed at 1 % loss
# against that without. Runs in the guest.
# timeout: 500
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs rc_data rc_wire
trap link_down EXIT
modprobe -q sch_netem || { skip bad_wire/netem "this kernel has no netem"; exit 0; }

# Requests asked for again, packets that came twice, too early or spoilt: by either device.
trouble() { counters retransmits rx_duplicate rx_out_of_order rx_bad_icrc; }

# matrix NAME NETEM-OPTIONS...
matrix() {
	local name=$1 before
	shift
	bad_wire "$@" || { fail "bad_wire/$name" "tc refused $*"; return; }
	before=$(trouble)
	run_verbs_as '' "bad_wire/$name/" rc_data --dev bt0 --peer bt1 --ack-timeout 12 --filter 'ipv6/write/wire' \
		--filter 'data/write/wire/host-host' --filter 'data/read/wire/host-host' --filter 'data/send_imm/wire/host-host'
	happened[$name]=$(($(trouble) - before))
	good_wire
}

declare -A happened
all_kinds() {
	local p in_time rates=(0.1 1 5)
	! debug_kernel || rates=(1)
	for p in "${rates[@]}"; do
		matrix "loss_$p" loss $p%
		# At 0.1 % hardly anything happens.
		[[ $p != 0.1 ]] || long || continue
		debug_kernel || matrix "duplicate_$p" duplicate $p%
		# netem's figure is how many are not delayed.
		in_time=$(awk -v p="$p" 'BEGIN { print 100 - p }')
		matrix "reorder_$p" delay 5ms reorder "$in_time%"
		debug_kernel || matrix "corrupt_$p" corrupt $p%
		debug_kernel || matrix "jitter_$p" delay 2ms 1ms $p%
		matrix "together_$p" delay 1ms 1ms loss $p% duplicate $p% corrupt $p% reorder $p%
	done
	# At 0.1 % nothing may have happened, at 1 % not of each kind.
	happened[some_1]=$((happened[loss_1] + happened[together_1] + ${happened[duplicate_1]:-0} + ${happened[corrupt_1]:-0}))
	for p in some_1 loss_5 duplicate_5 corrupt_5 reorder_5 together_5; do
		[[ -v happened[$p] ]] || continue
		((happened[$p] > 0)) && pass "bad_wire/$p/happened" || fail "bad_wire/$p/happened" "no counter rose"
	done
}

# breaks NAME BREAK MEND: VT_BREAK, then VT_MEND; with one opcode after the other, with --long with each.
turn=0
breaks() {
	local name=$1 op ops=(send write read)
	export VT_BREAK=$2 VT_MEND=$3
	long || ops=("${ops[turn++ % 3]}")
	for op in "${ops[@]}"; do
		run_verbs_as break/ "bad_wire/$name/" rc_wire --dev bt0 --peer bt1 --filter "break/$op"
		sh -c "$VT_MEND"
		run_verbs_as mend/ "bad_wire/$name/mended/" rc_wire --dev bt0 --peer bt1 --filter "mend/$op"
		wait_for ip -n ta -br link show tva up
	done
}

# What the clocks and counts of a requester must not make of slow answers, of answers that come twice, and of memory that
# is away; and messages that are on their way inside the host when it is no way any more.
patience() {
	local before
	bad_wire delay 10ms
	run_verbs_as '' bad_wire/ rc_wire --dev bt0 --peer bt1 --filter 'late/*'
	bad_wire duplicate 100%
	run_verbs_as '' bad_wire/twice/ rc_errors --dev bt0 --peer bt1 --filter '*/rnr_exceeded/host/wire'
	good_wire
	VT_BREAK='tc -n ta qdisc replace dev tva root netem loss 100%' VT_MEND='tc -n ta qdisc del dev tva root' \
		run_verbs_as '' bad_wire/ rc_wire --dev bt0 --peer bt1 --filter moving
	before=$(counters tx_bytes)
	VT_BREAK=$tvb_down VT_MEND=$tvb_up run_verbs_as '' bad_wire/ rc_wire --dev bt0 --filter 'flap/*'
	before=$(($(counters tx_bytes) - before))
	((before > 0)) && pass bad_wire/flap/happened || fail bad_wire/flap/happened "no message became packets"
	wait_for ip -n ta -br link show tva up
}

# The speed of 64 KiB WRITEs; the best of some, as others use this machine too.
goodput() {
	local i
	for ((i = 0; i < $1; i++)); do
		VT_SECONDS=2 "$TESTS/rc_wire" --dev bt0 --peer bt1 --slow "$(slow)" --filter goodput 2>&1
	done | awk '/^GOODPUT/ && $2 > best { best = $2 } END { print best + 0 }'
}

speed() {
	local without with before
	bad_wire delay 0ms
	without=$(goodput 2)
	bad_wire loss 1%
	before=$(trouble)
	with=$(goodput 1)
	((2 * with >= without)) || with=$(goodput 3)
	before=$(($(trouble) - before))
	good_wire
	echo "64 KiB WRITEs: $without bytes/s without loss, $with with 1 % lost each way, $before troubles"
	if ((before > 0 && without > 0 && 2 * with >= without)); then
		pass "bad_wire/goodput_at_1_percent"
	else
		fail "bad_wire/goodput_at_1_percent" "$with bytes/s, without loss $without: less than half"
	fi
}

bad_link_up || { fail bad_wire/setup "no link of our own"; exit 1; }
before=$(census bt0 bt1)
tvb_down='ip -n tb link set tvb down'
tvb_up="ip -n tb link set tvb up; ip -n tb neigh replace 10.78.0.1 lladdr $(mac ta tva) dev tvb nud permanent"
case ${1:-all} in
all)	all_kinds ;&
break)	patience
	breaks link_down "$tvb_down" "$tvb_up"
	breaks mtu 'ip -n ta link set tva mtu 1500' 'ip -n ta link set tva mtu 4200'
	debug_kernel || breaks peer_mtu 'ip -n tb link set tvb mtu 1500' 'ip -n tb link set tvb mtu 4200'
	breaks address 'ip -n ta addr del 10.78.0.1/24 dev tva' 'ip -n ta addr add 10.78.0.1/24 dev tva'
	breaks all_lost 'tc -n ta qdisc replace dev tva root netem loss 100%' 'tc -n ta qdisc del dev tva root'
	debug_kernel || breaks answers_lost 'tc -n tb qdisc replace dev tvb root netem loss 100%' 'tc -n tb qdisc del dev tvb root' ;&
speed)	speed
	same_census bad_wire/left_behind "$before" bt0 bt1 ;;
esac
exit $failed
