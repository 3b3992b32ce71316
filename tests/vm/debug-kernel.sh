# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# Builds the debug kernel from Debian's linux-source-6.12, once, under build/debug-kernel. Sourced.
# The result is kept under a key of tests/vm/debug.config and of this file, so that an edit of either builds again
# and nothing else does.
#   src/      the sources, unpacked          obj/     the build tree, which modules are built against
#   root/     usr/lib/modules/KVER           .built   the key

# Options that must have survived "make olddefconfig": a dependency that went missing is an error, not a
# debug kernel that checks less than it says.
debug_kernel_config() {
	local obj=$1 line name lost=()
	make -C "$2" O="$obj" KCONFIG_ALLCONFIG="$VMDIR/debug.config" HOSTCC=gcc CC="${KCC:-gcc-12}" allnoconfig || return 1
	while IFS= read -r line; do
		[[ $line == CONFIG_*=* ]] || continue
		name=${line%%=*}
		if [[ $line == *=n ]]; then
			! grep -q "^$name=" "$obj/.config" || lost+=("$line")
		else
			grep -qxF "$line" "$obj/.config" || lost+=("$line")
		fi
	done <"$VMDIR/debug.config"
	[[ ${#lost[@]} -eq 0 ]] || { echo "error: not possible in this kernel: ${lost[*]}"; return 1; }
}

debug_kernel_compile() {
	local src=$1 obj=$2
	make -C "$src" O="$obj" CC="${KCC:-gcc-12}" -j"$JOBS" bzImage modules
}

debug_kernel_sources() {
	local dir=$1 deb tar
	[[ ! -e $dir/.complete ]] || return 0
	deb=$(download linux-source-6.12) || exit 1
	rm -rf "$dir" "$dir.new"
	mkdir -p "$dir.new"
	say "unpacking the kernel sources"
	unpack "$deb" "$dir.new/deb"
	tar=$(find "$dir.new/deb/usr/src" -name 'linux-source-*.tar.xz')
	tar -xf "$tar" -C "$dir.new" --strip-components=1 || die "cannot unpack $tar: disk full?"
	rm -rf "$dir.new/deb"
	: >"$dir.new/.complete"
	mv "$dir.new" "$dir"
}

# KASAN keeps a trace of who allocated and who freed each object, a third of all instructions: a dozen frames tell.
# There is no option for that.
debug_kernel_shorter_traces() {
	sed -i 's/^#define KASAN_STACK_DEPTH 64$/#define KASAN_STACK_DEPTH 12/' "$1/mm/kasan/kasan.h"
}

debug_kernel_build() {
	local base=$1 key
	make_build_dir 1000
	key=$(cat "$VMDIR/debug.config" "$VMDIR/debug-kernel.sh" | sha256sum)
	[[ "$key" != "$(cat "$base/.built" 2>/dev/null)" ]] || return 0
	make_build_dir 6000
	need make gcc gcc-12 bc bison flex libelf-dev libssl-dev xz-utils binutils kmod
	rm -f "$base/.built"
	mkdir -p "$base/obj"
	debug_kernel_sources "$base/src"
	debug_kernel_shorter_traces "$base/src"
	logged "$base/config.log" "configuring the debug kernel" debug_kernel_config "$base/obj" "$base/src"
	say "building the debug kernel, once: about a quarter of an hour on 2 processors (log: build/debug-kernel/make.log)"
	logged "$base/make.log" "building the debug kernel" debug_kernel_compile "$base/src" "$base/obj"
	rm -rf "$base/root"
	logged "$base/install.log" "installing its modules" make -C "$base/src" O="$base/obj" \
		INSTALL_MOD_PATH="$base/root/usr" INSTALL_MOD_STRIP=1 DEPMOD=true modules_install
	KVER=$(<"$base/obj/include/config/kernel.release")
	rm -f "$base/root/usr/lib/modules/$KVER"/{build,source}
	ln -s usr/lib "$base/root/lib"
	depmod -b "$base/root" "$KVER" || die "depmod failed on $base/root"
	echo "$key" >"$base/.built"
}

debug_kernel_get() {
	local base=$BUILD/debug-kernel
	with_lock debug-kernel debug_kernel_build "$base"
	KVER=$(<"$base/obj/include/config/kernel.release")
	KROOT=$base/root
	KIMAGE=$base/obj/arch/x86/boot/bzImage
	KBUILD=$base/obj
}
