#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The provider is loaded into any verbs program: it must export what berthdv.h declares and no more, and need
# of libibverbs only what carries the version of private ABI 34, or the public one it is tied to.
set -euo pipefail

library=${1:?usage: check_symbols.sh LIBRARY HEADER}
header=${2:?usage: check_symbols.sh LIBRARY HEADER}

declared=$(grep -oE '\bberthdv_[a-z_]+\(' "$header" | sed 's/($/@@BERTH_1.0/' | LC_ALL=C sort -u)
defined=$(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | LC_ALL=C sort)
if [ "$defined" != "$declared" ]; then
	echo "$library exports other symbols than $header declares, with version BERTH_1.0:" >&2
	echo "$defined" >&2
	exit 1
fi

needed=$(nm -D --undefined-only "$library")
if ! grep -q ' verbs_register_driver_34@IBVERBS_PRIVATE_34$' <<<"$needed"; then
	echo "$library does not register with a libibverbs of private ABI 34" >&2
	exit 1
fi
if grep -E ' (_?verbs_|ibv_|execute_)' <<<"$needed" |
   grep -vE '@(IBVERBS_PRIVATE_34|IBVERBS_1\.14)$' >&2; then
	echo "$library needs the symbols above from libibverbs, with other versions than it declares" >&2
	exit 1
fi
