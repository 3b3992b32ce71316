#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What holds for the files of the tree: each has a licence, and DKMS is told of the right kernels.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
failed=0

verdict() {
	if [[ -z $2 ]]; then echo "PASS $1"; else echo "FAIL $1: $2"; failed=1; fi
}

# dpkg's conffiles are paths and nothing else. Outside of git nobody knows which files are ours.
if files=$(git -C "$top" ls-files 2>/dev/null); then
	without=$(grep -vE '^(LICENSES/.*|packaging/provider/conffiles)$' <<<"$files" | while IFS= read -r file; do
		[[ ! -f $top/$file ]] || head -n 5 "$top/$file" | grep -q 'SPDX-License-Identifier: ' || echo "$file"
	done)
	verdict licences "${without//$'\n'/ }"
else
	echo "SKIP licences: not a git tree"
fi

# kernels NAME WANT VERSION...: what DKMS makes of the pattern.
kernels() {
	local name=$1 want=$2 version other=''
	shift 2
	for version; do
		if [[ $version =~ $BUILD_EXCLUSIVE_KERNEL ]]; then [[ $want == yes ]]; else [[ $want == no ]]; fi || other+="$version "
	done
	verdict "$name" "$other"
}
eval "$(grep '^BUILD_EXCLUSIVE_KERNEL=' "$top/packaging/dkms/dkms.conf.in")"
kernels dkms_builds yes 6.12.117+deb12-amd64 6.12 6.13.1 6.20-rc1 6.99.1 7.0.1-amd64 10.2
kernels dkms_leaves no 6.1.0-18-amd64 6.11.9 6.9 6.2.1 5.15 5.120
exit $failed
