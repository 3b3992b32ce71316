#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Runs in the guest: the scripts named on the command line, one after the other, under the protocol of
# docs/testing.md. Writes to stdout, for tests/vm/test.sh on the host:
#   BEGIN script seconds | PASS script: case (seconds) | FAIL script: case: why | SKIP script: case: why | LOG text | END
# After each script: what it left running is killed, the devices are there again, and the kernel's log is looked
# at; on the debug kernel kmemleak is, after every few. A script's whole output is /out/SCRIPT.log.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tests/vm/splat.sh
. "$here/splat.sh"
exec 2>&1

KMEMLEAK=/sys/kernel/debug/kmemleak

log_lines() { sed 's/^/LOG /' | head -n "${1:-60}"; }

# since TIME: seconds, in took. Without a process, of which one for each case was a quarter of the suite's time.
since() {
	local tenths=$(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 100000))
	took=$((tenths / 10)).$((tenths % 10))
}

# One line of a script's output, which file 8 keeps. Sets told, failed, last.
judge() {
	local name=$1 line=$2
	printf '%s\n' "$line" >&8
	case $line in
	"PASS "?*|"SKIP "?*|"FAIL "?*)
		told=$((told + 1))
		[[ $line != FAIL* ]] || failed=$((failed + 1))
		since "$last"
		[[ $line != PASS* ]] || line+=" ($took s)"
		printf '%s %s: %s\n' "${line%% *}" "$name" "${line#* }"
		last=$EPOCHREALTIME ;;
	esac
}

# What runs and where it waits in the kernel, for a script that is about to be ended.
show_stuck() {
	local pid
	ps -e -o pid,ppid,sid,stat,args --forest | grep -v '\[.*\]$'
	for pid in $(ps -e -o pid=,stat= | awk '$2 ~ /^D/ { print $1 }'); do
		echo "stack of $pid ($(cat "/proc/$pid/comm")):"
		cat "/proc/$pid/stack"
	done
} 2>/dev/null

# The script has a session of its own, so that what it leaves behind can be found.
run_script() {
	local script=$1 name=$2 limit=$3 sid rc line part='' pipe=/run/suite.pipe shown=''
	local late=$((SECONDS + limit - 2))
	rm -f "$pipe"
	mkfifo "$pipe"
	setsid --wait timeout --foreground -k 5 "$limit" bash "$script" </dev/null >"$pipe" 2>&1 &
	sid=$!
	exec 7<>"$pipe" 8>>"/out/$name.log"
	while :; do
		if [[ -z $shown ]] && ((SECONDS >= late)); then
			show_stuck >&8
			shown=1
		fi
		# When the time is up in the middle of a line, its beginning is in the variable.
		if IFS= read -r -t 0.5 line <&7; then
			judge "$name" "$part$line"
			part=''
			continue
		fi
		part+=$line
		kill -0 "$sid" 2>/dev/null || [[ -n $line ]] || break
	done
	[[ -z $part ]] || judge "$name" "$part"
	exec 7<&- 8>&-
	wait "$sid"
	rc=$?
	kill_leftovers
	return $rc
}

# session PID: in sid; 0 for threads of the kernel.
session() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
	read -r _ _ _ sid _ <<<"${stat##*) }"
}

# Everything that is not of this shell's session, which has the relays of guest.sh.
kill_leftovers() {
	local dir sid mine
	session self
	mine=$sid
	for dir in /proc/[0-9]*; do
		! session "${dir#/proc/}" || [[ $sid == 0 || $sid == "$mine" ]] || kill -9 "${dir#/proc/}"
	done
} 2>/dev/null

# The state that every script finds: both devices, no queueing discipline, links up.
restore() {
	local ns dev netdev
	[[ -n ${BERTH_DEVICES:-1} ]] || return 0
	while read -r ns dev netdev; do
		ip -n "$ns" link set "$netdev" up mtu 4200
		tc -n "$ns" qdisc del dev "$netdev" root 2>/dev/null
		[[ ! -e /sys/class/infiniband/$dev ]] || continue
		modprobe berth
		ip netns exec "$ns" rdma link add "$dev" type berth netdev "$netdev" || return 1
	done <<-EOT
	a berth0 va
	b berth1 vb
	EOT
}

fail() {
	echo "FAIL $1: $2"
	failed=$((failed + 1))
}

check_log() {
	local name=$1
	local SPLAT_HARMLESS=$SPLAT_HARMLESS${2:+|$2}
	dmesg | awk -v m="berth-suite: begin $name" 'index($0, m) { n = NR; buf = "" } n { buf = buf $0 "\n" } END { printf "%s", buf }' \
		>/run/suite.dmesg
	if splat_show /run/suite.dmesg 80 >/run/suite.splat; then
		fail "$name" "kernel log: $(grep -m1 -E "$SPLAT_PATTERN" /run/suite.splat | sed 's/^\[[^]]*\] *//')"
		log_lines 80 </run/suite.splat
	fi
	cp /run/suite.dmesg "/out/$name.dmesg"
}

# Leaks stay, and their reports tell who allocated: as a scan takes most of a minute, it is not for each script.
SCAN_EVERY=10
unscanned=() leak_harmless=''

# kmemleak's report on stdin but for the objects that the scripts name harmless.
other_leaks() {
	awk -v harmless="$leak_harmless" '
		function out() { if (harmless == "" || block !~ harmless) printf "%s", block }
		/^unreferenced/ { out(); block = "" }
		{ block = block $0 "\n" }
		END { out() }'
}

# kmemleak reports nothing younger than 5 s.
check_leaks() {
	local name=${unscanned[*]}
	[[ -e $KMEMLEAK && ${#unscanned[@]} -gt 0 ]] || return 0
	unscanned=()
	sleep 5
	echo scan >$KMEMLEAK
	echo scan >$KMEMLEAK
	other_leaks <$KMEMLEAK >/run/suite.leaks
	leak_harmless=''
	echo clear >$KMEMLEAK
	[[ -s /run/suite.leaks ]] || return 0
	fail "${name##* }" "kmemleak: $(grep -c '^unreferenced' /run/suite.leaks) objects, of one of: $name"
	log_lines 80 </run/suite.leaks
	cp /run/suite.leaks "/out/${name##* }.leaks"
}

one() {
	local script=$1 name=${1##*/} limit rc=0 harmless before=$EPOCHREALTIME
	name=${name%.sh}
	told=0 failed=0 last=$EPOCHREALTIME
	limit=$(sed -n 's/^# timeout: \([0-9]*\).*/\1/p' "$script" | head -n1)
	limit=$((${limit:-120} * ${BERTH_SLOW:-1} * (${BERTH_LONG:-0} ? 15 : 1)))
	echo "BEGIN $name $limit"
	: >"/out/$name.log"
	echo "berth-suite: begin $name" >/dev/kmsg
	run_script "$script" "$name" "$limit" || rc=$?
	if [[ $rc == 124 || $rc == 137 ]]; then
		since "$before"
		fail "$name" "no end after $limit s (after $took s)"
	elif [[ $rc != 0 && $failed == 0 ]]; then
		fail "$name" "exit status $rc"
	elif [[ $told == 0 ]]; then
		fail "$name" "reported no case"
	fi
	[[ $failed == 0 ]] || tail -n 60 "/out/$name.log" | log_lines
	check_log "$name" "$(sed -n 's/^# harmless: //p' "$script")"
	restore || fail "$name" "the devices could not be set up again after it"
	unscanned+=("$name")
	harmless=$(sed -n 's/^# harmless leak: //p' "$script")
	leak_harmless+=${harmless:+${leak_harmless:+|}$harmless}
	((${#unscanned[@]} < SCAN_EVERY)) || check_leaks
}

# libibverbs loads every provider there is, and over 9p that is more than half of a program's start: only those
# that serve a device here. On the stock kernel the stock tools have all of them.
few_providers() {
	local p
	mkdir -p /run/libibverbs.d
	for p in berth rxe siw; do
		[[ ! -e /etc/libibverbs.d/$p.driver ]] || cp "/etc/libibverbs.d/$p.driver" /run/libibverbs.d/
	done
	mount --bind /run/libibverbs.d /etc/libibverbs.d
}
all_providers() { umount /etc/libibverbs.d; }

if [[ -e $KMEMLEAK ]]; then
	echo scan >$KMEMLEAK
	echo clear >$KMEMLEAK
fi
# The kernel's patience with who holds a netdev that goes.
echo $((10 * ${BERTH_SLOW:-1})) >/proc/sys/net/core/netdev_unregister_timeout_secs
few_providers
for script; do
	# Of several VMs that were given the same scripts each takes the next that none has taken.
	[[ ! -d /out/taken ]] || mkdir "/out/taken/${script##*/}" 2>/dev/null || continue
	if [[ $script == */61-* && ${BERTH_FLAVOUR:-stock} == stock ]]; then
		all_providers
		one "$script"
		few_providers
	else
		one "$script"
	fi
done
check_leaks
echo "END"
