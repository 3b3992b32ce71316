#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# The packages in a clean Debian 12 root (debootstrap, kept as build/deps/clean-root.tar): DKMS builds the
# modules there against the pinned kernel's headers, the VM then runs that root's programs on a device made by
# those modules, and after a purge no file is left. Prints PASS, FAIL and SKIP lines for tests/vm/test.sh, which
# names in RESULTS the file that collects them.
set -euo pipefail
# shellcheck source=tests/vm/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/vm/build.sh"

RESULTS=${RESULTS:-/dev/null}
WORK=$BUILD/package-test
ROOT=$WORK/root
LOG=$WORK/log
# Debug information, and BTF of it, is half of what DKMS's build takes: with --long only.
WHOLE=${BERTH_LONG:-}
BUILD_ENV=()
[[ -n $WHOLE ]] || BUILD_ENV=(KCFLAGS=-g0)

report() { printf '%s\n' "$1" | tee -a "$RESULTS"; }

# The Debian suites that this machine's apt uses, so that a mirror or a snapshot is used here too.
debian_sources() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk '$1 == "Debian" { print "deb " $2 " " $3 " " $4 }' | sort -u
}

# /proc and /dev are mounted in a mount namespace of the command's own, so that nothing can stay mounted.
in_root() {
	# shellcheck disable=SC2016
	unshare --mount bash -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" || exit 1
		root=$1
		shift
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
			DEBIAN_FRONTEND=noninteractive INITRD=No "$@"' in_root "$ROOT" "${BUILD_ENV[@]}" "$@" </dev/null
}

# dpkg's own records, caches and logs change with any package; all else must be as before.
files() {
	(cd "$ROOT" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./tmp -o -path ./var/cache \
		-o -path ./var/log -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./packages \) -prune -o -print | sort)
}

# A root like those of containers: without what nothing here reads, and without waiting for the disk for each file.
dpkg_options() {
	mkdir -p "$ROOT/etc/dpkg/dpkg.cfg.d"
	cat >"$ROOT/etc/dpkg/dpkg.cfg.d/small" <<-'EOT'
	force-unsafe-io
	path-exclude=/usr/share/man/*
	path-exclude=/usr/share/doc/*
	path-exclude=/usr/share/locale/*
	path-exclude=/usr/share/zoneinfo/*
	path-exclude=/lib/modules/*/kernel/drivers/*
	path-exclude=/lib/modules/*/kernel/fs/*
	path-exclude=/lib/modules/*/kernel/sound/*
	path-include=/lib/modules/*/kernel/drivers/infiniband/*
	path-include=/lib/modules/*/kernel/fs/configfs/*
	path-include=/lib/modules/*/kernel/drivers/net/dummy.ko*
	path-exclude=/usr/src/linux-headers-*-common/arch/*
	path-include=/usr/src/linux-headers-*-common/arch/x86/*
	EOT
	[[ -n $WHOLE ]] || echo 'path-exclude=/usr/src/linux-headers-*/vmlinux' >>"$ROOT/etc/dpkg/dpkg.cfg.d/small"
}

clean_root() {
	local base=$DEPS/clean-root.$KVER${WHOLE:+.whole}.tar mirror
	rm -rf "$WORK"
	mkdir -p "$ROOT"
	if [[ -s $base ]]; then
		tar -xf "$base" -C "$ROOT"
		return
	fi
	need debootstrap
	dpkg_options
	mirror=$(debian_sources | awk '$3 == "bookworm" || $3 == "stable" { print $2; exit }')
	debootstrap --variant=minbase bookworm "$ROOT" ${mirror:+"$mirror"}
	debian_sources >"$ROOT/etc/apt/sources.list"
	cp /etc/apt/apt.conf.d/*proxy* "$ROOT/etc/apt/apt.conf.d/" 2>/dev/null || true
	mkdir "$ROOT/kernel"
	cp "$DEPS"/linux-{image,headers}-"${KVER}"_*.deb "$DEPS"/linux-{headers,kbuild}-"${KVER%-*}"[-_]*.deb "$ROOT/kernel/"
	in_root apt-get -q -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update
	in_root bash -c 'apt-get -q -y -o Acquire::Retries=3 install --no-install-recommends dkms gcc make libc6-dev \
		ibverbs-utils libibverbs1 perftest iproute2 kmod procps /kernel/*.deb'
	in_root apt-get clean
	rm -r "$ROOT/kernel"
	tar -cf "$base.new" -C "$ROOT" .
	mv "$base.new" "$base"
}

install_packages() {
	mkdir -p "$ROOT/packages"
	cp "$BUILD"/packages/*.deb "$ROOT/packages/"
	files >"$WORK/before"
	in_root bash -c 'apt-get -q -y install --no-install-recommends /packages/*.deb'
	in_root dkms status >"$WORK/dkms"
	grep -q "^berth/.*$KVER.*installed" "$WORK/dkms" || {
		cat "$ROOT"/var/lib/dkms/berth/*/build/make.log 2>/dev/null || true
		echo "DKMS built nothing for $KVER:"
		cat "$WORK/dkms"
		return 1
	}
}

run_device() {
	bash "$TOP/tests/vm/vm.sh" --no-build --no-berth --quiet --timeout 120 -- bash "$TOP/packaging/guest-test.sh" "$ROOT" </dev/null
}

purge_packages() {
	in_root apt-get -q -y purge berth-dkms berth-provider berth-perftest
	files >"$WORK/after"
	diff "$WORK/before" "$WORK/after"
}

step() {
	local name=$1 start=$SECONDS status
	shift
	# As the condition of an if, a function would go on after a command that failed.
	set +e
	(set -e; "$@") >>"$LOG" 2>&1
	status=$?
	set -e
	if [[ $status -eq 0 ]]; then
		report "PASS package/$name ($((SECONDS - start)) s)"
	else
		tail -n 40 "$LOG"
		report "FAIL package/$name: see $LOG"
		exit 1
	fi
}

unshare --mount true 2>/dev/null ||
	{ report "SKIP package: needs root and the right to mount, for a clean root of its own"; exit 0; }
make_build_dir 4000
kernel_get stock
bash "$TOP/packaging/package.sh" >/dev/null || { report "FAIL package/build: ./run package failed"; exit 1; }
report "PASS package/build"
LOG=$BUILD/test/package.log
mkdir -p "$BUILD/test"
: >"$LOG"
step clean-root clean_root
step install install_packages
step device run_device
step purge purge_packages
rm -rf "$WORK"
