#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# berth_netmem and the test exporters: windows, areas, chunks, moves and revocations, lives that end in the
# wrong order, and that everything unloads. Runs in the guest as root; prints PASS, FAIL and SKIP lines. Needs no network.
set -uo pipefail

prog=${BERTH_TESTS:-build/user/tests/verbs}/../exporter/user/netmem_test
modules=(berth_netmem berth_bar_exporter berth_move_exporter berth_netmem_test)

bail() {
	echo "FAIL netmem/setup: $*"
	exit 1
}

# Unloading is the leak check: berth_netmem WARNs about what is left.
unload() {
	local m
	for m in berth_netmem_test berth_move_exporter berth_bar_exporter; do
		modprobe -r "$m" || { echo "FAIL netmem/unload: $m does not unload"; return; }
	done
	# With berth loaded, the module stays; no area of ours may be left all the same.
	if [[ -e /sys/kernel/debug/berth_netmem/areas && -s /sys/kernel/debug/berth_netmem/areas ]] &&
		[[ $(wc -l </sys/kernel/debug/berth_netmem/areas) != "$areas" ]]; then
		echo "FAIL netmem/unload: areas are left: $(cat /sys/kernel/debug/berth_netmem/areas)"
	else
		echo "PASS netmem/unload"
	fi
}

[[ -x $prog ]] || bail "$prog is not built: ./run build --user"
for m in "${modules[@]}"; do
	modprobe "$m" || bail "modprobe $m failed"
done
[[ -e /sys/kernel/debug/berth_netmem ]] || bail "debugfs has no berth_netmem"
areas=$(wc -l </sys/kernel/debug/berth_netmem/areas)
"$prog" kernel exporter move life || echo "FAIL netmem/program: exit status $?"
unload
# What follows in the same guest finds the BAR as it was.
modprobe berth_bar_exporter || bail "modprobe berth_bar_exporter failed again"
exit 0
