#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# ./run vm: boots the VM, runs a command in it and returns its exit status.
# Each run has a directory of its own, build/vm/run.PID: the layer over the root, the share /ctl, the BAR,
# the pipes. The command's output travels over virtio ports and pipes, apart from the kernel's console.
set -euo pipefail
# shellcheck source=tests/vm/build.sh
. "$(dirname "${BASH_SOURCE[0]}")/build.sh"
# shellcheck source=tests/vm/initrd.sh
. "$VMDIR/initrd.sh"
# shellcheck source=tests/vm/splat.sh
. "$VMDIR/splat.sh"

usage() {
	cat <<'EOT'
usage: ./run vm [OPTIONS] [-- CMD [ARG...]]

Builds what changed, boots a VM and runs CMD in it as root; without CMD a shell. Exits with CMD's status;
stdin, stdout and stderr are CMD's. The guest's root is this machine's root with changes thrown away, plus
build/stage and our modules where an install would put them; CMD starts in the current directory.
CMD is not a shell line: use  -- bash -c 'one | two'  for that.

In the guest: netns a (veth va, 10.77.0.1/24, fd77::1/64, device berth0) and b (vb, 10.77.0.2/24, fd77::2/64,
berth1), MTU 4200; rdma_rxe at hand (modprobe rdma_rxe); a 256 MiB PCI BAR of device memory (ivshmem,
1af4:1110, BAR 2); two network cards on one wire, virtio-net and e1000, of the first namespace; debugfs,
tracefs, unlimited locked memory.

  --smp N         processors (2)
  --mem SIZE      memory (2G)
  --icount        guest time counts instructions, one processor: for figures that repeat
  --debug-kernel  the kernel with KASAN, lockdep, kmemleak (built first: a quarter of an hour, once)
  --no-berth      load nothing of ours and add no device (modprobe finds the modules)
  --no-build      take what was built last, without looking at the sources
  --siw           build siw for this kernel too (modprobe siw; from then on it is always at hand)
  --out DIR       /out in the guest is DIR here
  --plugin SO,ARG a plugin of QEMU's, with --icount
  --net DIR/N     a second network card, on a wire with the VM that has DIR/M (0 and 1)
  --bar FILE      keep the BAR's memory in FILE (created if it does not exist), else it is thrown away
  --timeout S     give up after S seconds (600; on a terminal, only if the guest is not up by then)
  --kvm, --tcg    insist on KVM, or never try it
  --quiet         say nothing about the boot

With --no-berth, what does not compile is shown but does not stop the boot; berth_netmem and the test exporters
are then built alone if they can be. BERTH_BUILD=DIR keeps everything in DIR instead of build/.

Environment of CMD: BERTH_TESTS (programs of tests/verbs), BERTH_TOP (the source tree), BERTH_BAR_SIZE (bytes),
BERTH_FLAVOUR (stock or debug), and any BERTH_* of the caller.

Exit status: CMD's; 1 if the guest's kernel log has an oops, BUG, WARN, lockdep, KASAN, UBSAN or stall report
(shown on stderr), even if CMD was content; 124 on timeout; 125 if the guest could not be prepared or died.
Afterwards: build/vm/console.log (the kernel's console) and build/vm/dmesg.log (its whole log) of the last run
(in the directory BERTH_VM_LOGS instead of build/vm if that is set, for runs side by side).
EOT
}

smp=2 mem=2G net='' icount='' plugin='' flavour=stock berth=1 nobuild='' siw='' out='' bar='' timeout='' accel=auto quiet=''
BAR_SIZE=$((256 << 20))
LOGS=${BERTH_VM_LOGS:-$BUILD/vm}

parse() {
	while [[ $# -gt 0 ]]; do
		case $1 in
		--smp|--mem|--net|--out|--bar|--timeout|--plugin)
			[[ $# -ge 2 ]] || bad_usage "vm: $1 needs a value"
			case $1 in
			--smp)		smp=$2 ;;
			--mem)		mem=$2 ;;
			--net)		net=$2 ;;
			--out)		out=$2 ;;
			--bar)		bar=$2 ;;
			--timeout)	timeout=$2 ;;
			--plugin)	plugin=$2 ;;
			esac
			shift ;;
		--icount)	icount=1 ;;
		--debug-kernel)	flavour=debug ;;
		--no-berth)	berth= ;;
		--no-build)	nobuild=1 ;;
		--siw)		siw=1 ;;
		--kvm)		accel=kvm ;;
		--tcg)		accel=tcg ;;
		--quiet)	quiet=1 ;;
		-h|--help)	usage; exit 0 ;;
		--)		shift; break ;;
		*)		bad_usage "vm: unknown option '$1' (./run vm --help; a command goes after --)" ;;
		esac
		shift
	done
	[[ $smp =~ ^[1-9][0-9]?$ ]] || bad_usage "vm: --smp wants a number from 1 to 99, not '$smp'"
	[[ $mem =~ ^[0-9]+[MG]$ ]] || bad_usage "vm: --mem wants a size such as 2G or 1500M, not '$mem'"
	[[ -z $timeout || $timeout =~ ^[1-9][0-9]*$ ]] || bad_usage "vm: --timeout wants seconds, not '$timeout'"
	local path
	for path in "--bar $bar" "--out $out" "--net $net"; do
		[[ $path != *,* ]] || bad_usage "vm: ${path/ / \'}' has a comma, which QEMU cannot take: use another path"
	done
	[[ -z $net || ( $net == */[01] && -d ${net%/*} ) ]] ||
		bad_usage "vm: --net wants an existing directory and /0 or /1, not '$net'"
	[[ -z $plugin || -n $icount ]] || bad_usage "vm: --plugin goes with --icount"
	cmd=("$@")
}

tell() { [[ -n $quiet ]] || say "$@"; }

# KVM only where the processor has it and the device opens; Debian's kernel may still not start there.
choose_accel() {
	[[ $accel == auto ]] || return 0
	accel=tcg
	[[ -z $icount ]] || return 0
	if grep -qwE 'vmx|svm' /proc/cpuinfo && { : <>/dev/kvm; } 2>/dev/null; then
		accel=kvm
	fi
}

prepare() {
	make_build_dir 300
	need "${VM_PACKAGES[@]}"
	kernel_get "$flavour"
	if [[ -n $siw && $flavour == stock ]]; then
		# shellcheck source=tests/vm/siw.sh
		. "$VMDIR/siw.sh"
		siw_get
	fi
	KLAYER=$BUILD/kmod/$flavour/layer
	if [[ -n $nobuild ]]; then
		[[ -d $KLAYER ]] || die "nothing was built yet: run without --no-build"
	elif [[ -n $berth ]]; then
		build_user
		kmod_build "$flavour"
	else
		# Nothing of ours has to work here, so what does not compile is only told.
		(build_user) || say "user space did not build: going on with the last that did (--no-berth)"
		(kmod_build "$flavour") ||
			(BERTH_KDIRS=drivers/infiniband/netmem kmod_build "$flavour") ||
			say "the modules did not build: going on without (--no-berth)"
	fi
	mkdir -p "$STAGE" "$KLAYER"
	initrd_get "$flavour"
	choose_accel
}

# What the guest finds in /ctl.
write_ctl() {
	local v
	mkdir -p "$work/ctl"
	cp "$VMDIR/guest.sh" "$work/ctl/guest.sh"
	[[ -z $out ]] || : >"$work/ctl/want-out"
	[[ ${#cmd[@]} -gt 0 ]] || cmd=(bash)
	printf '%s\0' "${cmd[@]}" >"$work/ctl/cmd"
	{
		echo "CWD=$(printf %q "$PWD") BERTH=$berth STDIN=${stdin:+1} INTERACTIVE=$interactive"
		[[ -z $interactive ]] || stty size 2>/dev/null | sed 's/\(.*\) \(.*\)/ROWS=\1 COLS=\2/'
		while IFS= read -r v; do
			printf 'export %s=%q\n' "$v" "${!v}"
		done < <(compgen -e | grep -E '^(BERTH_|TERM$)')
		printf 'export BERTH_TOP=%q BERTH_TESTS=%q BERTH_BAR_SIZE=%q BERTH_FLAVOUR=%q BERTH_ICOUNT=%q\n' \
			"$TOP" "$BUILD/user/tests/verbs" "$BAR_SIZE" "$flavour" "$icount"
	} >"$work/ctl/env"
}

make_work() {
	work=$BUILD/vm/run.$$
	rm -rf "$work"
	mkdir -p "$work/layer"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	# A copy, so that a build beside a running VM does not change its root.
	cp -a "$STAGE/." "$work/layer/"
	cp -a "$KLAYER/." "$work/layer/"
	[[ -z $bar ]] && bar=$work/bar
	truncate -s "$BAR_SIZE" "$bar" || die "cannot create $bar of $((BAR_SIZE >> 20)) MiB"
	[[ -z $out ]] || { mkdir -p "$out" && out=$(cd "$out" && pwd -P); } || die "cannot create --out $out"
	mkfifo "$work/out" "$work/err" "$work/nothing"
	exec {nothing}<>"$work/nothing"
}

cleanup() {
	local rc=$?
	trap - EXIT
	[[ -z ${qemu:-} ]] || kill -9 "$qemu" 2>/dev/null || true
	[[ -z ${work:-} ]] || { keep_logs; rm -rf "$work"; }
	exit $rc
}

# pause SECONDS: without a process, which is what costs where nothing else happens.
pause() { read -r -t "$1" -u "$nothing" || true; }

keep_logs() {
	mkdir -p "$LOGS"
	[[ ! -e $work/console.log ]] || mv -f "$work/console.log" "$LOGS/console.log"
	[[ ! -e $work/ctl/dmesg ]] || mv -f "$work/ctl/dmesg" "$LOGS/dmesg.log"
}

# QEMU's TSC is that of the processor which its thread is on, and a virtual machine's processors need not agree: a guest
# that trusts it has seen four minutes pass in ten seconds, and one that finds out patches its code while it runs, which
# QEMU's threads do not always survive (int3 in sched_clock_cpu). So the guest's clock is the ACPI timer, which is QEMU's
# own time; the HPET would take a quarter more. KVM has its clock, and icount counts.
# Addresses of programs do not vary (norandmaps): QEMU translates code anew for each address, and starting a program took
# three times as long.
# Pages that are not cleared when they are allocated show who reads what he has not written. Tables of five levels and
# protection keys are nothing that we could break, and an eighth of the time. With cmpxchg16b the kernel's allocator has
# been seen to come out of an interrupt with flags that were half of an address (a double fault); without it the kernel
# does the same with interrupts off. QEMU multiplies without carry bit by bit, a tenth of the time where packets have an
# ICRC; without pclmulqdq the kernel takes its tables.
# The debug kernel's check of the DMA API looks at each page of a dma-buf whenever a test touches the buffer, a third of
# all instructions: only with --long.
# shellcheck disable=SC2054
qemu_args() {
	local cpu=max,-erms,-fsrm,-la57,-pku clear='' clock='tsc=unstable hpet=disable' dma=''
	# Figures are for the kernel as it is.
	[[ -n $icount ]] || cpu+=,-cx16,-pclmulqdq clear=init_on_alloc=0
	[[ -z $icount && $accel == tcg ]] || clock=tsc=reliable
	[[ $flavour != debug || -n ${BERTH_LONG:-} ]] || dma=dma_debug=off
	args=(-machine q35 -m "$mem" -nodefaults -no-user-config -display none -no-reboot
		-kernel "$KIMAGE" -initrd "$INITRD"
		-append "console=ttyS0 loglevel=5 panic=-1 printk.devkmsg=on log_buf_len=8M net.ifnames=0 mitigations=off no_timer_check norandmaps $clock rcupdate.rcu_cpu_stall_suppress=1 $clear $dma ${BERTH_APPEND:-}"
		-chardev "file,id=con,path=$work/console.log" -serial chardev:con
		-device virtio-rng-pci
		-object "memory-backend-file,id=bar,share=on,mem-path=$bar,size=$BAR_SIZE"
		-device ivshmem-plain,memdev=bar
		-netdev hubport,id=nic0,hubid=0 -device virtio-net-pci,netdev=nic0,mac=52:54:00:be:71:00
		-netdev hubport,id=nic1,hubid=0 -device e1000,netdev=nic1,mac=52:54:00:be:71:01
		-device virtio-serial-pci,max_ports=4)
	local share end=${net##*/}
	[[ -z $net ]] ||
		args+=(-netdev "dgram,id=wire,local.type=unix,local.path=$net,remote.type=unix,remote.path=${net%/*}/$((1 - end))"
			-device "virtio-net-pci,netdev=wire,mac=52:54:00:be:72:0$((end + 1))")
	for share in "host,path=/,readonly=on,multidevs=remap" "kroot,path=$KROOT,readonly=on,multidevs=remap" \
		"layer,path=$work/layer,readonly=on" "ctl,path=$work/ctl" ${out:+"out,path=$out"}; do
		args+=(-virtfs "local,mount_tag=${share%%,*},security_model=none,${share#*,}")
	done
	if [[ -n $interactive ]]; then
		args+=(-chardev stdio,id=in,signal=off -device virtconsole,chardev=in)
	else
		args+=(-chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,name=out
			-chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,name=err)
		[[ -z $stdin ]] ||
			args+=(-chardev stdio,id=in,signal=off -device virtserialport,chardev=in,name=in)
	fi
	case $accel in
	kvm)	args+=(-accel kvm -cpu host -smp "$smp") ;;
	tcg)	if [[ -n $icount ]]; then
			args+=(-accel tcg -icount shift=0,sleep=off -smp 1 -cpu "$cpu" ${plugin:+-plugin "$plugin"})
		else
			args+=(-accel tcg,thread=multi -smp "$smp" -cpu "$cpu")
		fi ;;
	esac
}

# QEMU 7.2 sometimes lets a processor see half of an instruction that the other one is patching.
early_int3() {
	[[ ! -e $work/ctl/up ]] && grep -qs 'Oops: int3' "$work/console.log" &&
		grep -qs 'RIP: .*:sched_clock_cpu+' "$work/console.log"
}

# A shell on a terminal has all the time that it wants.
is_late() {
	if [[ -z $timeout && -n $interactive && -e $work/ctl/up ]]; then
		return 1
	fi
	((SECONDS - started >= ${timeout:-600}))
}

# One attempt. Returns 0 when QEMU ended by itself, 2 for "boot again", 3 when KVM did not start, 4 when QEMU did not, 124 on
# timeout.
boot() {
	local relays=() started=$SECONDS
	rm -f "$work/ctl/up" "$work/ctl/status" "$work/console.log"
	qemu_args
	if [[ -z $interactive ]]; then
		cat "$work/out" & relays+=($!)
		cat "$work/err" >&2 & relays+=($!)
	fi
	# Its stdio chardev makes stdin and stdout non-blocking for everybody who shares them: only a terminal may.
	if [[ -n $interactive ]]; then
		qemu-system-x86_64 "${args[@]}" <&3 2>"$work/qemu.err" &
	else
		qemu-system-x86_64 "${args[@]}" <&3 >"$work/qemu.out" 2>"$work/qemu.err" &
	fi
	qemu=$!
	while kill -0 "$qemu" 2>/dev/null; do
		if [[ ! -e $work/ctl/up ]]; then
			! early_int3 || { stop_qemu; return 2; }
			[[ $accel != kvm ]] || ((SECONDS - started < 20)) || { stop_qemu; return 3; }
		fi
		! is_late || { stop_qemu; return 124; }
		pause 0.1
	done
	if ! wait "$qemu"; then
		sed 's/^/qemu: /' "$work/qemu.err" >&2
		stop_relays
		[[ -s $work/console.log ]] || { qemu=; return 4; }
	fi
	qemu=
	[[ ${#relays[@]} -eq 0 ]] || wait "${relays[@]}" || true
	! early_int3 || return 2
	return 0
}

# They end by themselves unless QEMU ended before it opened their pipes.
stop_relays() {
	sleep 0.2
	[[ ${#relays[@]} -eq 0 ]] || kill "${relays[@]}" 2>/dev/null || true
}

stop_qemu() {
	local i
	kill "$qemu" 2>/dev/null || true
	for ((i = 0; i < 20; i++)); do
		kill -0 "$qemu" 2>/dev/null || break
		pause 0.1
	done
	kill -9 "$qemu" 2>/dev/null || true
	wait "$qemu" 2>/dev/null || true
	qemu=
	stop_relays
}

boot_until_up() {
	local rc tries=0
	while :; do
		rc=0
		boot || rc=$?
		case $rc in
		2)	tries=$((tries + 1))
			((tries < 6)) || die "the guest died early in sched_clock_cpu $tries times: is this machine overloaded?"
			tell "early int3 oops in sched_clock_cpu (a QEMU fault, not the kernel's): booting again" ;;
		3)	tell "the guest did not come up under KVM: using TCG"
			accel=tcg ;;
		4)	say "QEMU did not start the guest: its message is above"
			exit 125 ;;
		*)	return $rc ;;
		esac
	done
}

# What the log says outweighs what the command says.
verdict() {
	local rc=$1 status log=$work/ctl/dmesg
	[[ -s $log ]] || log=$work/console.log
	if splat_show "$log" >&2; then
		say "the guest's kernel log has the report above (whole log: $LOGS/dmesg.log or console.log)"
		status=1
	fi
	if [[ $rc == 124 ]]; then
		tail -n 15 "$work/console.log" >&2 || true
		say "no end after ${timeout:-600} s (--timeout): killed; its console ends as above"
		return 124
	fi
	if [[ ! -s $work/ctl/status ]]; then
		[[ -n ${status:-} ]] || tail -n 25 "$work/console.log" >&2 || true
		say "the guest died without an exit status: see $LOGS/console.log"
		return 125
	fi
	[[ ! -s $work/ctl/trouble ]] || say "$(<"$work/ctl/trouble") (see $LOGS/dmesg.log)"
	return "${status:-$(<"$work/ctl/status")}"
}

vm_main() {
	local rc=0
	parse "$@"
	prepare
	exec 3<&0
	interactive='' stdin=''
	if [[ -t 0 && -t 1 ]]; then
		interactive=1
	elif [[ ! -t 0 && $(readlink /proc/self/fd/0) != /dev/null ]]; then
		stdin=1
	fi
	make_work
	write_ctl
	boot_until_up || rc=$?
	verdict $rc
}

[[ ${BASH_SOURCE[0]} != "$0" ]] || vm_main "$@"
