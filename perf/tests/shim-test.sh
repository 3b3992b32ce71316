#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# Runs each case of shim-test under the shim and the fake verbs, and looks at what the shim says.
set -euo pipefail
test=$1 shim=$2 fake=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# run NAME STATUS PATTERN CASE [VAR=VALUE…]: the case must end with STATUS and stderr match
# PATTERN ('' = silent).
run() {
	local name=$1 want=$2 pattern=$3 case=$4 status=0
	shift 4
	env "$@" LD_PRELOAD="$shim:$fake" "$test" "$case" >"$dir/out" 2>"$dir/err" || status=$?
	if [[ $status -ne $want ]]; then
		echo "FAIL $name: status $status, not $want: $(tail -n 3 "$dir/out" "$dir/err")"
		failed=1
	elif [[ -z $pattern && -s $dir/err ]] || ! grep -q -- "$pattern" <(cat "$dir/err"; echo); then
		echo "FAIL $name: stderr is: $(cat "$dir/err")"
		failed=1
	elif [[ $(wc -l <"$dir/err") -gt 1 ]]; then
		echo "FAIL $name: more than one line: $(cat "$dir/err")"
		failed=1
	else
		echo "PASS $name"
	fi
}

# /dev/null is a device that opens; the fake answers the requests made to it.
for case in aligned_buffer_keeps_content heap_buffer_keeps_neighbours overlapping_registrations_share \
	    unmapped_while_registered mapped_anew_while_registered child_has_its_own_copy; do
	run $case 0 '' $case BERTH_DMABUF=/dev/null
done
run wider_registration_is_refused 0 'shares pages with a live registration' wider_registration_is_refused BERTH_DMABUF=/dev/null
run mapped_anew_in_part 0 'shares pages with a live registration' mapped_anew_in_part BERTH_DMABUF=/dev/null
run refused_by_the_device 0 'takes no dma-bufs' refused_by_the_device BERTH_DMABUF=/dev/null
run small_stays_in_host_memory 0 'stay in host memory' small_stays_in_host_memory BERTH_DMABUF=/dev/null
run shared_memory_is_refused 0 'is shared memory' shared_memory_is_refused BERTH_DMABUF=/dev/null
run register_own_stack 0 'is a stack' register_own_stack BERTH_DMABUF=/dev/null
run threads_stack_is_refused 0 'is a stack' threads_stack_is_refused BERTH_DMABUF=/dev/null
run pattern_at_rtr 0 '' pattern_at_rtr BERTH_DMABUF=/dev/null BERTH_DMABUF_PATTERN=5
run pattern_in_readonly 0 '' pattern_in_readonly BERTH_DMABUF=/dev/null BERTH_DMABUF_PATTERN=5 BERTH_DMABUF_DUMP="$dir/seen"
if [[ $(wc -c <"$dir/seen") -eq 4096 && $(wc -c <"$dir/seen.1") -eq 4096 ]] && cmp -s "$dir/seen" "$dir/seen.1"; then
	echo "PASS dump_of_unmapped"
else
	echo "FAIL dump_of_unmapped"
	failed=1
fi
run extended_registration 0 'ibv_reg_mr_ex is refused' extended_registration BERTH_DMABUF=/dev/null
run extended_without_dmabuf 0 "" extended_registration
run heap_after_enotty 0 '' one_registration BERTH_DMABUF=/dev/null FAKE_REFUSE_BERTH=1
run alloc_fails 3 'no dma-buf of 8192 bytes' one_registration BERTH_DMABUF=/dev/null FAKE_REFUSE_BERTH=1 FAKE_FAIL_ALLOC=1
run no_such_device 3 'No such file' one_registration BERTH_DMABUF=/dev/no-such-exporter

# Lines that are two, because two things are told.
env BERTH_DMABUF=/dev/null LD_PRELOAD="$shim:$fake" "$test" hole_is_refused 2>"$dir/err" &&
	grep -q 'not all mapped' "$dir/err" && grep -q 'out of the address space' "$dir/err" &&
	echo "PASS hole_is_refused" || { echo "FAIL hole_is_refused: $(cat "$dir/err")"; failed=1; }
for bad in BERTH_DMABUF=nonsense "BERTH_DMABUF=/dev/null BERTH_DMABUF_PATTERN=x"; do
	status=0
	# shellcheck disable=SC2086
	env $bad LD_PRELOAD="$shim:$fake" "$test" one_registration >/dev/null 2>"$dir/err" || status=$?
	if [[ $status -eq 3 ]] && grep -q 'registration refused' "$dir/err"; then
		echo "PASS refused with $bad"
	else
		echo "FAIL refused with $bad: $status $(cat "$dir/err")"
		failed=1
	fi
done

# A program that calls no verb hears nothing of it.
if env BERTH_DMABUF=nonsense BERTH_DMABUF_PATTERN=x LD_PRELOAD="$shim:$fake" true 2>"$dir/err" && [[ ! -s $dir/err ]]; then
	echo "PASS silent_without_verbs"
else
	echo "FAIL silent_without_verbs: $(cat "$dir/err")"
	failed=1
fi

# The record points at the registration in the device's memory, the dump holds its content.
run record 0 '' one_registration BERTH_DMABUF=/dev/null BERTH_DMABUF_BAR_OFFSET=1M \
	BERTH_DMABUF_LOG="$dir/log" BERTH_DMABUF_DUMP="$dir/dump"
if grep -q '"event":"registered".*"device":"fake0","exporter":"device","device_offset":1048640,"length":8128,' "$dir/log" &&
   [[ $(tr -d d <"$dir/dump" | wc -c) -eq 0 && $(wc -c <"$dir/dump") -eq 8128 ]]; then
	echo "PASS record_and_dump"
else
	echo "FAIL record_and_dump: $(cat "$dir/log")"
	failed=1
fi

run refused_takes_no_place 0 'takes no dma-bufs' refused_takes_no_place BERTH_DMABUF=/dev/null BERTH_DMABUF_BAR_OFFSET=1M \
	BERTH_DMABUF_LOG="$dir/places"
places=$(grep -o '"device_offset":[0-9]*' "$dir/places" | cut -d: -f2 | xargs)
if [[ $places == '1048576 1048576 1056768' ]]; then
	echo "PASS places"
else
	echo "FAIL places: $places"
	failed=1
fi
exit $failed
