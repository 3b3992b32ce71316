# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# Builds the kernel modules for one kernel flavour. Sourced, after kernel_get.
# The sources are copied to build/kmod/FLAVOUR (only what changed, so make stays incremental) because a
# kernel build leaves its objects beside the sources. The layout of the copy is that of the tree, so
# relative include paths agree. kmod_layer then leaves a tree of usr/lib/modules/KVER with our modules and
# the tables of depmod, which goes over the kernel's own in the guest.

# Copy changed files and remove vanished ones; objects and their records stay.
kmod_sync() {
	local dst=$1 d f
	for d in include kernel tests/exporter; do
		[[ -d $TOP/$d ]] || continue
		(cd "$TOP" && find "$d" -type f \( -name '*.[chS]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c') |
			while IFS= read -r f; do
				cmp -s "$TOP/$f" "$dst/$f" || install -D -m 644 "$TOP/$f" "$dst/$f"
			done
	done
	(cd "$dst" && find . -type f \( -name '*.[chS]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c') |
		while IFS= read -r f; do
			[[ $f == ./Kbuild || -e $TOP/$f ]] || rm -f "$dst/$f"
		done
	printf 'obj-m += kernel/\n' >"$dst/Kbuild.new"
	[[ ! -e $TOP/tests/exporter/Kbuild && ! -e $TOP/tests/exporter/Makefile ]] ||
		printf 'obj-m += tests/exporter/\n' >>"$dst/Kbuild.new"
	if cmp -s "$dst/Kbuild.new" "$dst/Kbuild"; then rm "$dst/Kbuild.new"; else mv "$dst/Kbuild.new" "$dst/Kbuild"; fi
}

# kmod_make DIR [MAKE ARGUMENTS]
kmod_make() {
	local dst=$1
	shift
	make -C "$KBUILD" M="$dst" CC="${KCC:-gcc-12}" -j"$JOBS" "$@" modules
}

# Debug information, which kmod_layer would strip, takes a fifth of the time. Only for our VM: where there is a vmlinux beside the
# headers the build wants it, to make BTF of.
KMOD_FLAGS=(KCFLAGS=-g0)

# siw is built on request (tests/vm/siw.sh) and stays at hand from then on.
kmod_has_siw() { [[ $(cat "$BUILD/kmod/siw/.kernel" 2>/dev/null) == "$KVER" ]]; }

kmod_layer() {
	local dst=$1 layer=$1/layer mods=$1/layer/usr/lib/modules/$KVER ko out
	rm -rf "$layer"
	mkdir -p "$mods/extra/berth"
	while IFS= read -r ko; do
		strip --strip-debug -o "$mods/extra/berth/${ko##*/}" "$ko"
	done < <(find "$dst" -path "$layer" -prune -o -name '*.ko' -print)
	if kmod_has_siw; then
		strip --strip-debug -o "$mods/extra/siw.ko" "$BUILD/kmod/siw/siw.ko"
	fi
	# depmod wants the whole tree in one place: links to the kernel's own, then take only its tables.
	out=$dst/depmod
	rm -rf "$out"
	mkdir -p "$out/lib/modules/$KVER"
	ln -s "$KROOT/usr/lib/modules/$KVER/kernel" "$out/lib/modules/$KVER/kernel"
	ln -s "$mods/extra" "$out/lib/modules/$KVER/extra"
	cp "$KROOT/usr/lib/modules/$KVER"/modules.{order,builtin,builtin.modinfo} "$out/lib/modules/$KVER/" 2>/dev/null || true
	depmod -b "$out" "$KVER" || die "depmod failed for $KVER"
	find "$out/lib/modules/$KVER" -maxdepth 1 -type f -exec cp {} "$mods/" \;
}

# Of the sources and of what they are built against.
kmod_sum() {
	(cd "$1" && { echo "$KVER ${BERTH_KDIRS:-} $(kmod_has_siw && echo siw)"
		find . -type f \( -name '*.[chS]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c' \
			-exec sha256sum {} + | sort -k2; } | sha256sum)
}

kmod_build_locked() {
	local dst=$BUILD/kmod/$1 sum
	mkdir -p "$dst"
	kmod_sync "$dst"
	sum=$(kmod_sum "$dst")
	[[ "$sum" != "$(cat "$dst/.built" 2>/dev/null)" ]] || return 0
	rm -f "$dst/.built"
	say "building the kernel modules for $KVER"
	logged "$dst/make.log" "building the kernel modules" kmod_make "$dst" "${KMOD_FLAGS[@]}"
	kmod_layer "$dst"
	echo "$sum" >"$dst/.built"
}

# kmod_build FLAVOUR: sets KLAYER. BERTH_KDIRS in the environment limits the directories (see kernel/Kbuild).
kmod_build() {
	need make gcc gcc-12 binutils libelf1
	with_lock "kmod-$1" kmod_build_locked "$1"
	KLAYER=$BUILD/kmod/$1/layer
}

# Every source of ours through sparse; any warning is an error. In the tree that is built, where nothing is left to
# compile.
kmod_sparse() {
	need sparse
	kmod_build "$1"
	with_lock "kmod-$1" kmod_make "$BUILD/kmod/$1" "${KMOD_FLAGS[@]}" C=2 CF=-Wsparse-error
}
