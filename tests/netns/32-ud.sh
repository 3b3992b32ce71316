#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Datagrams: on one device and over the wire, every payload and header verified; bad requests, packets for
# somebody else, garbage on the port. With rdma_rxe: 23-rc-rxe.sh. Runs in the guest.
# timeout: 180
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
need_programs ud_data ud_errors

before=$(census berth0 berth1)
run_verbs ud_data
run_verbs ud_errors

# Random bytes, some with a plausible first header, at the port that all of this comes in by.
check ud/garbage_on_the_port ip netns exec b timeout 60 python3 - <<-'EOT'
	import random, socket
	random.seed(4791)
	s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	for i in range(3000):
	    data = bytearray(random.randbytes(random.randrange(0, 400)))
	    if len(data) > 12 and i % 2:
	        data[0:8] = bytes([0x64 + i // 2 % 2, random.choice([0, 0x40, 0x10]), 0xff, 0xff, 0, 0, 0, 1])
	    s.sendto(data, ("10.77.0.1", 4791))
EOT
run_verbs_as '' 'after_garbage/' ud_data --filter 'ud/lengths/host/wire'
same_census ud/left_behind "$before" berth0 berth1
exit $failed
