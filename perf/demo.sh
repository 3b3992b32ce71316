#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run demo: ib_write_bw --use_dmabuf in a VM, proven from outside it. Boots the VM with a PCI
# BAR that is a file here, runs stock ib_write_bw over dma-bufs between two network namespaces and
# on one device, shows perftest's report, and then, with the VM gone, checks byte for byte that
# the payload is in the file. Everything is left under build/demo.
set -euo pipefail
# shellcheck source=tests/vm/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/vm/lib.sh"

usage() {
	cat <<'EOT'
usage: ./run demo [--debug-kernel]

Runs ib_write_bw --use_dmabuf=bar, heap and udmabuf over RC and over TCP-offload QPs, from netns a to netns b and on one device, then
checks from outside the guest that the sender's pattern is in the file behind the PCI BAR (or, where the
receiver's buffer is ordinary memory, in what the receiver read from its dma-buf). Ends with a verdict; the exit status is 0 only
when every case holds. Traces are left in build/demo.
EOT
}

# name:path:server:client:size; seed and place in the BAR follow from the position.
CASES=(
	bar-to-bar:wire:bar:bar:65536
	heap-to-bar:wire:bar:heap:65536
	udmabuf-to-bar:wire:bar:udmabuf:65536
	odd-length:wire:bar:bar:1000003
	heap-to-heap:wire:heap:heap:65536
	udmabuf-to-udmabuf:wire:udmabuf:udmabuf:65536
	bar-to-bar-local:local:bar:bar:65536
	heap-to-bar-local:local:bar:heap:65536
	udmabuf-to-bar-local:local:bar:udmabuf:1000003
	heap-to-heap-local:local:heap:heap:65536
	udmabuf-to-udmabuf-local:local:udmabuf:udmabuf:65536
	tcp-bar-to-bar:tcp:bar:bar:65536
	tcp-heap-to-bar:tcp:bar:heap:1000003
	tcp-heap-to-udmabuf:tcp:udmabuf:heap:65536
	tcp-bar-to-bar-local:tcp-local:bar:bar:65536
)

options=()
while [[ $# -gt 0 ]]; do
	case $1 in
	--debug-kernel)	options+=("$1") ;;
	-h|--help)	usage; exit 0 ;;
	*)		bad_usage "demo: unknown option '$1' (./run demo --help)" ;;
	esac
	shift
done

# A seed of this run, so that nothing left from an earlier one can pass.
seed=$((RANDOM << 30 | RANDOM << 15 | RANDOM))
cases=()
for i in "${!CASES[@]}"; do
	cases+=("${CASES[i]}:$((seed + i * 1000)):$((i * (8 << 20)))")
done

make_build_dir 600
one_run demo
need perftest ibverbs-providers iproute2
dir=$BUILD/demo
rm -rf "$dir"
mkdir -p "$dir/out"

say "the demo: ${#cases[@]} runs of ib_write_bw over dma-bufs, then the proof from outside"
vm=0
bash "$VMDIR/vm.sh" ${options[@]+"${options[@]}"} --bar "$dir/bar" --out "$dir/out" --timeout 900 -- \
	bash "$TOP/perf/demo-guest.sh" "${cases[@]}" || vm=$?

echo
echo "=== From outside the guest (it has ended), in $dir"
verdict=0
bash "$TOP/perf/demo-verify.sh" "$STAGE/usr/bin/berth-pattern" "$dir/out" "$dir/bar" "${cases[@]}" || verdict=1
if [[ $vm -ne 0 ]]; then
	echo "FAIL guest: ./run vm ended with status $vm (see build/vm/dmesg.log)"
	verdict=1
fi
echo
if [[ $verdict -eq 0 ]]; then
	echo "verdict: PASS: every payload is in its dma-buf, byte for byte; the BAR's, in the file behind the BAR"
else
	echo "verdict: FAIL"
fi
exit $verdict
