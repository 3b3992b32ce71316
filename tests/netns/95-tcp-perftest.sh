#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# perftest's six tools over TCP-offload QPs: the cases of 60-perftest.sh with BERTH_QP_TYPE=tcp. Runs in the guest.
# timeout: 600
set -uo pipefail
export BERTH_QP_TYPE=tcp
exec bash "$(dirname "${BASH_SOURCE[0]}")/60-perftest.sh" "$@"
