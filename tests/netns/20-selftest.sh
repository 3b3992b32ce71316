#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The tests can fail: the pattern checker and the case runner prove it without a device, and the data tests on
# every opcode with one received byte spoilt. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs vt_selftest rc_data

run_verbs vt_selftest
for op in send send_imm send_inv write write_imm read; do
	for path in local wire; do
		# Without the flip the case passes (21-rc-data.sh); with it every line has to be a FAIL about a byte.
		out=$("$TESTS/rc_data" --flip --slow "$(slow)" --filter "data/$op/$path/host-host" \
			--filter "data/$op/$path/bar-heap" 2>/dev/null)
		n=$(grep -c '^FAIL .*: byte .* should be' <<<"$out")
		if [[ $n -eq 2 && $(wc -l <<<"$out") -eq 2 ]]; then
			pass "selftest/flip/$op/$path"
		else
			fail "selftest/flip/$op/$path" "a spoilt byte was not seen: ${out//$'\n'/; }"
		fi
	done
done
exit $failed
