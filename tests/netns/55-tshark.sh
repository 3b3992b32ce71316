#!/bin/bash
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
# What goes over the wire as others see it: packets of every opcode are captured, with super-packets cut by the
# stack (each a packet) and not (some a super-packet). tshark's dissectors find nothing malformed and no fault worse
# than a note; a checker of ours finds every length, pad and ICRC right. TCP-offload QPs with MPA's CRC, which tshark
# checks. Runs in the guest.
# timeout: 240
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=tests/verbs/guest-lib.sh
. "$here/../verbs/guest-lib.sh"
need_programs rc_data ud_data rc_atomic rc_atomic_write
dir=$(mktemp -d /tmp/tshark.XXXXXX)
trap 'link_down; rm -rf "$dir"' EXIT
for p in dumpcap tshark; do
	command -v $p >/dev/null || { fail tshark/setup "no $p: apt-get install tshark"; exit 1; }
done
link_up && devs_up || { fail tshark/setup "no link of our own"; exit 1; }

# SEND, WRITE and READ of one and of many packets, with immediate and with invalidate, answers, atomics, datagrams.
WANT=0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,22,23,29,100,101

# capture FILE COMMAND...: packets of port 4791, UDP's or what FILTER says.
capture() {
	local file=$1 pid
	shift
	ip netns exec ta dumpcap -q -P -i tva -B 128 -f "${FILTER:-udp port 4791}" -w "$file" 2>"$dir/dumpcap" &
	pid=$!
	wait_for grep -qs 'File: ' "$dir/dumpcap" || { fail "$name/capture" "dumpcap does not start"; return 1; }
	"$@"
	sleep 1
	kill -INT $pid
	wait $pid
	grep -q 'dropped on interface.*: [0-9]*/0 ' "$dir/dumpcap" ||
		{ fail "$name/capture" "packets are missing: $(tail -n1 "$dir/dumpcap")"; return 1; }
}

traffic() {
	run_verbs_as '' "$name/" rc_data --dev bt0 --peer bt1 --ack-timeout 18 --filter 'mtu/*/wire/1024/*' --filter 'ipv6/*/wire'
	run_verbs_as '' "$name/" ud_data --dev bt0 --peer bt1 --filter '*imm*/wire' --filter '*lengths/host/wire' \
		--filter '*lengths/ipv6/wire'
	run_verbs_as '' "$name/" rc_atomic --dev bt0 --peer bt1 --filter 'values/wire/*'
	run_verbs_as '' "$name/" rc_atomic_write --dev bt0 --peer bt1 --filter '*values/wire/host'
}

# Faults that the dissectors see in file $1, a line each. What guesses at payloads is left out: ours are patterns.
dissect() {
	tshark -r "$1" -n --disable-protocol rpcordma --disable-protocol smc --disable-protocol smb_direct \
		--disable-protocol nvme-rdma --disable-protocol lnet --disable-protocol iser --disable-protocol infiniband_sdp \
		--disable-protocol infiniband.eoib --disable-protocol fcoib -T fields -e frame.number -e infiniband.bth.opcode \
		-e _ws.malformed -e _ws.expert.severity -e _ws.expert.message 2>"$dir/tshark" >"$dir/fields"
}

# Severities: comment, chat, note, warning, error; the last two are 0x600000 and above.
expert() {
	awk -F'\t' '{ n = split($4, s, ","); for (i = 1; i <= n; i++) if (s[i] >= 6291456) { print; next } }' "$dir/fields"
}

# What is in fields, but for what the caller has found: PASS only if nothing is malformed.
no_faults() {
	if [[ $(awk -F'\t' '$3 != ""' "$dir/fields") ]]; then
		fail "$name/dissected" "malformed: $(awk -F'\t' '$3 != ""' "$dir/fields" | head -n 3 | tr '\n\t' '; ')"
	elif [[ $(expert) ]]; then
		fail "$name/dissected" "expert: $(expert | head -n 3 | tr '\n\t' '; ')"
	else
		pass "$name/dissected"
	fi
}

by_others() {
	local name=tshark/packets n
	dissect "$dir/packets.pcap"
	n=$(awk -F'\t' '$2 != ""' "$dir/fields" | wc -l)
	if [[ $n -lt 1000 || $n -ne $(wc -l <"$dir/fields") ]]; then
		fail "$name/dissected" "of $(wc -l <"$dir/fields") packets $n are InfiniBand to tshark; $(head -c 300 "$dir/tshark")"
	else
		no_faults
	fi
	echo "tshark: $n packets, opcodes $(cut -f2 "$dir/fields" | sort | uniq -c | awk '{ printf "%s:%s ", $2, $1 }')"
}

tcp_traffic() {
	run_verbs_as '' "$name/" rc_data --dev bt0 --peer bt1 --ack-timeout 18 --filter 'mtu/*/wire/1024/*' --filter 'ipv6/*/wire'
	run_verbs_as '' "$name/" rc_atomic --dev bt0 --peer bt1 --filter 'values/wire/*'
}

# WRITE, READ request and response, SEND, with invalidate, immediate data, atomic request and response.
TCP_WANT='0 1 2 3 4 8 10 11'
iwarp() {
	local n opcode seen missing=''
	tshark -r "$dir/tcp.pcap" -n --disable-protocol rpcordma --disable-protocol smc --disable-protocol smb_direct \
		--disable-protocol nvme-rdma --disable-protocol lnet --disable-protocol iser -o tcp.reassemble_out_of_order:TRUE \
		-T fields -e frame.number -e iwarp_rdma.opcode -e _ws.malformed -e _ws.expert.severity -e _ws.expert.message \
		2>"$dir/tshark" >"$dir/fields"
	# TCP's own: a segment that came twice or overtook another, a window that is full.
	awk -F'\t' -v OFS='\t' '{
		own = gsub(/D-SACK Sequence|TCP window specified by the receiver|Previous segment\(s\) not captured|out-of-order segment/, "&", $5)
		n = split($4, s, ",")
		for (i = 1; i <= n; i++) own -= s[i] >= 6291456
		if (own >= 0) $4 = ""
		print
	}' "$dir/fields" >"$dir/others" && mv "$dir/others" "$dir/fields"
	n=$(awk -F'\t' '$2 != ""' "$dir/fields" | wc -l)
	seen=$(cut -f2 "$dir/fields" | tr ',' '\n' | grep . | sort -u | while read -r opcode; do echo $((opcode)); done)
	for opcode in $TCP_WANT; do
		grep -qx "$opcode" <<<"$seen" || missing+=" $opcode"
	done
	if [[ $n -lt 300 || -n $missing ]]; then
		fail "$name/dissected" "$n frames are iWARP to tshark, opcodes missing:$missing; $(head -c 300 "$dir/tshark")"
	else
		no_faults
	fi
	echo "tshark: $n frames, opcodes" $seen
}

name=tshark/supers
capture "$dir/supers.pcap" traffic && check $name/icrc /usr/bin/python3 "$here/wire_check.py" "$dir/supers.pcap" --want $WANT --supers 20
for d in 'ta tva' 'tb tvb'; do
	read -r ns dev <<<"$d"
	ip netns exec "$ns" ethtool -K "$dev" tx-udp-segmentation off tx-gso-list off
done
name=tshark/packets
capture "$dir/packets.pcap" traffic && check $name/icrc /usr/bin/python3 "$here/wire_check.py" "$dir/packets.pcap" --want $WANT && by_others
# The checker can fail: one bit changed.
/usr/bin/python3 - "$dir/packets.pcap" "$dir/spoilt.pcap" <<-'EOT'
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
data[len(data) // 2] ^= 4
open(sys.argv[2], 'wb').write(data)
EOT
name=tshark/tcp
echo Y >/sys/module/berth/parameters/tcp_crc
FILTER='tcp port 4791' BERTH_QP_TYPE=tcp capture "$dir/tcp.pcap" tcp_traffic && iwarp
echo N >/sys/module/berth/parameters/tcp_crc
refuse tshark/spoilt '[1-9][0-9]* faults|cut packets|no packet' /usr/bin/python3 "$here/wire_check.py" "$dir/spoilt.pcap"
exit $failed
