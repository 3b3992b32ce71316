#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Debian's pyverbs suite of rdma-core 44, against berth0, and what needs a netdev that has a parent device (its
# rdma_cm tests) against a link over virtio-net; its dma-buf tests have twins over our exporters. A test that
# skips itself fails, unless 70-pyverbs.skips has a reason. Runs in the guest.
# timeout: 600
set -uo pipefail
# shellcheck source=tests/verbs/guest-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../verbs/guest-lib.sh"
# shellcheck source=tests/netns/pyverbs/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/pyverbs/lib.sh"
cleanup() {
	no_dev bv0 || rdma link delete bv0
	pyverbs_end
}
trap cleanup EXIT
pyverbs_setup pyverbs || exit 1

[[ -z ${BERTH_PYVERBS_ONLY:-} ]] || { suite --label pyverbs --dev berth0 -v --only "$BERTH_PYVERBS_ONLY"; exit $failed; }
# Most of a minute: a bigger mapping for each of hundreds of buffers.
without=(--without UdmabufDmaBufMRTest.test_dmabuf_read --without UdmabufDmaBufMRTest.test_dmabuf_write
	--without HeapDmaBufMRTest.test_dmabuf_read)
! long || without=()
suite --label pyverbs --dev berth0 -v "${without[@]}"
if why=$(virtio_link bv0 berth 2>&1) && wait_for has_gid bv0 ffff:0a4f:; then
	suite --label pyverbs_virtio --dev bv0 -v --only 'test_rdmacm.*'
else
	fail pyverbs/virtio "no link over virtio-net: $why"
fi
exit $failed
