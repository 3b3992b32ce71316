#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Debian's pyverbs suite over TCP: its tests of RC QPs over TCP-offload QPs (BERTH_QP_TYPE=tcp), but for ATOMIC WRITE,
# which they refuse; and its rdma_cm tests over an iWARP link, but for datagrams, which iWARP does not have. A test that
# skips itself fails, unless 70-pyverbs.skips has a reason. Runs in the guest.
# timeout: 300
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
# shellcheck source=tests/netns/pyverbs/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/pyverbs/lib.sh"
cleanup() {
	no_dev iv0 || rdma link delete iv0
	pyverbs_end
}
trap cleanup EXIT
pyverbs_setup tcp_pyverbs || exit 1

BERTH_QP_TYPE=tcp suite --label tcp_pyverbs --dev berth0 -v --only '*rc*' --only '*DmaBufTestCase*' --without 'test_mlx5*' \
	--without '*rc_atomic_write'
if why=$(virtio_link iv0 berth_iw 2>&1); then
	# The suite finds GIDs by their RoCE type unless it is told. One test wants the ack timeout of InfiniBand in the QP, one
	# an event that iWARP's manager does not have (CONNECT_RESPONSE).
	suite --label iwarp_pyverbs --dev iv0 --port 1 --gid 0 -v --only 'test_rdmacm.*' --without '*multicast*' --without '*udp*' \
		--without '*async_traffic' --without '*external_qp'
else
	fail iwarp_pyverbs/virtio "no link over virtio-net: $why"
fi
exit $failed
