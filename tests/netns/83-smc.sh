#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# SMC-R by the kernel's own smc: 32 MiB from netns b to netns a and back through AF_SMC, compared. SMC falls back to TCP
# where it does not like the device, so its QPs and the bytes of the devices are looked at as well. Runs in the guest.
# timeout: 180
set -uo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/verbs/guest-lib.sh
. "$here/../verbs/guest-lib.sh"
modprobe -q smc || { skip smc "this kernel has no smc"; exit 0; }
limit=$((60 * ${BERTH_SLOW:-1})) bytes=$((32 << 20))
work=$(mktemp -d)
mkfifo "$work/go"
cleanup() { kill "${pids[@]}" 2>/dev/null; wait "${pids[@]}"; modprobe -r smc; rm -rf "$work"; }
pids=()
trap cleanup EXIT

# Over RoCE v2 SMC speaks version 2 only, and that wants an EID.
check smc/eid /usr/bin/python3 "$here/smc/smc.py" eid BERTH-TEST
listening() { [[ $(ip netns exec a ss -ltn 2>/dev/null) == *:4711* ]]; }
ready() { grep -q ready "$work/client"; }
qps() { rdma resource show qp 2>/dev/null | grep "link $1/" | grep 'state RTS' | grep -cF '[smc]'; }
received() { cat "/sys/class/infiniband/$1/ports/1/hw_counters/rx_bytes" 2>/dev/null || echo 0; }

before=$(received berth0)
ip netns exec a timeout "$limit" /usr/bin/python3 "$here/smc/smc.py" server 10.77.0.1 $bytes >"$work/server" 2>&1 & pids+=($!)
wait_for listening
exec 7<>"$work/go"
ip netns exec b timeout "$limit" /usr/bin/python3 "$here/smc/smc.py" client 10.77.0.1 $bytes <&7 >"$work/client" 2>&1 & pids+=($!)
for ((i = 0; i < limit * 5; i++)); do
	ready || ! kill -0 "${pids[1]}" 2>/dev/null && break
	sleep 0.2
done
if ready; then pass smc/echo; else fail smc/echo "$(tail -qn 2 "$work/server" "$work/client" | tr '\n' ';')"; fi
if [[ $(qps berth0) -ge 1 && $(qps berth1) -ge 1 ]]; then pass smc/qps; else
	fail smc/qps "no QP of smc: fallback to TCP? $(rdma resource show qp | tr '\n' ';')"; fi
moved=$(($(received berth0) - before))
if ((moved >= bytes)); then pass smc/by_rdma; else fail smc/by_rdma "berth0 received $moved bytes of $bytes"; fi
echo >&7
exec 7>&-
ready || kill "${pids[@]}" 2>/dev/null
wait "${pids[@]}"
pids=()
exit "$failed"
