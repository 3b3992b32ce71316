# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# shellcheck shell=bash
# Says what in a kernel log is a failure. Sourced on the host and in the guest.

SPLAT_PATTERN='\bBUG:|kernel BUG at|\bOops\b|WARNING: |general protection fault|Unable to handle kernel|Kernel panic'
SPLAT_PATTERN+='|possible recursive locking|possible circular locking|inconsistent lock state|suspicious RCU usage'
SPLAT_PATTERN+='|UBSAN:|KASAN:|KFENCE:|kmemleak: [0-9]+ new suspected|ODEBUG:|refcount_t:|list_(add|del) corruption'
SPLAT_PATTERN+='|blocked for more than|rcu.*detected (stall|expedited)|self-detected stall|soft lockup|hard LOCKUP'
SPLAT_PATTERN+='|scheduling while atomic|sleeping function called|unregister_netdevice: waiting for'
SPLAT_PATTERN+='|left on the list|trying to register non-static key|held lock freed|lock held when returning'
# What the kernel itself says on these machines whatever we do, and of a process that it ended: one of ours has
# failed its test by that, unless it scribbles on its own memory on purpose (fuzz_abi).
SPLAT_HARMLESS='WARNING: Support for |tsc: Marking TSC unstable|traps: [^ ]+\[[0-9]+\] general protection fault ip:'

# splat_show LOG: print each report with what follows it; 0 if there was one.
splat_show() {
	grep -E "$SPLAT_PATTERN" "$1" | grep -vqE "$SPLAT_HARMLESS" || return 1
	grep -E -B2 -A45 "$SPLAT_PATTERN" "$1" | head -n "${2:-120}"
}
