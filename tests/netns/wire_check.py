#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Checks captured RoCEv2 packets: lengths, pad counts and the invariant CRC, written from the specification (IBTA
annex A17, volume 1 chapter 7.8) and independent of the code under test.

    wire_check.py FILE.pcap [--want OPCODE[,OPCODE...]] [--supers N]

Prints how many packets there were of each opcode; exit status 1, with the first faults, when one is wrong or one of
the wanted opcodes is absent. A super-packet (UDP GSO, captured before it is cut) is taken apart first; --supers: at
least that many of them have to be there.
"""
import argparse
import collections
import struct
import sys
import zlib

PORT = 4791
MTUS = (4096, 2048, 1024, 512, 256)

# Bytes of extended headers behind the 12 of the BTH, by opcode: RC, and UD from 100 on.
HEADERS = {0: 0, 1: 0, 2: 0, 3: 4, 4: 0, 5: 4, 6: 16, 7: 0, 8: 0, 9: 4, 10: 16, 11: 20, 12: 16, 13: 4, 14: 0, 15: 4,
           16: 4, 17: 4, 18: 12, 19: 28, 20: 28, 22: 4, 23: 4, 29: 16, 100: 8, 101: 12}
# UC has the same layout as RC, 32 further on, without answers and reads.
HEADERS.update({32 + op: HEADERS[op] for op in range(12)})


class Fault(Exception):
    """A packet is not as it should be."""


def packets(path):
    """Link type and the bytes of every packet in a pcap file."""
    with open(path, 'rb') as f:
        head = f.read(24)
        order = '<' if head[:4] in (b'\xd4\xc3\xb2\xa1', b'\x4d\x3c\xb2\xa1') else '>'
        if struct.unpack(order + 'I', head[20:24])[0] != 1:
            raise SystemExit(f'{path}: not Ethernet')
        while record := f.read(16):
            _, _, have, full = struct.unpack(order + '4I', record)
            data = f.read(have)
            if have != full:
                raise SystemExit(f'{path}: cut packets ({have} of {full} bytes)')
            yield data


def network(frame):
    """The IP packet in an Ethernet frame, behind its VLAN tags."""
    at = 12
    while frame[at:at + 2] in (b'\x81\x00', b'\x88\xa8'):
        at += 4
    return frame[at + 2:]


def icrc(ip, udp, bth, body):
    """The CRC of one packet; ip with its lengths and identification as on the wire."""
    ip = bytearray(ip)
    if ip[0] >> 4 == 4:
        ip[1] = ip[8] = 0xff
        ip[10:12] = b'\xff\xff'
    else:
        ip[0] |= 0x0f
        ip[1:4] = b'\xff\xff\xff'
        ip[7] = 0xff
    udp = udp[:6] + b'\xff\xff'
    bth = bth[:4] + b'\xff' + bth[5:]
    return zlib.crc32(b'\xff' * 8 + bytes(ip) + udp + bth + body)


def check(ip, udp, data):
    """One transport packet; returns its opcode."""
    if len(data) < 16:
        raise Fault(f'only {len(data)} bytes')
    op, flags = data[0], data[1]
    if op not in HEADERS:
        raise Fault(f'opcode {op:#x}')
    if flags & 0x0f:
        raise Fault(f'transport version {flags & 0x0f}')
    pad = flags >> 4 & 3
    payload = len(data) - 12 - HEADERS[op] - 4 - pad
    if payload < 0 or len(data) % 4:
        raise Fault(f'opcode {op:#x}: {len(data)} bytes, {pad} of them padding')
    if data[2:4] != b'\xff\xff':
        raise Fault(f'partition key {data[2:4].hex()}')
    if data[4] or data[8] & 0x7f:
        raise Fault('reserved bits are not zero')
    if pad and any(data[-4 - pad:-4]):
        raise Fault('padding is not zero')
    want = struct.pack('<I', icrc(ip, udp, data[:12], data[12:-4]))
    if data[-4:] != want:
        raise Fault(f'opcode {op:#x}: ICRC {data[-4:].hex()}, should be {want.hex()}')
    return op


def segment(ip, udp, number, length):
    """The headers of segment @number, @length bytes of it being transport."""
    ip = bytearray(ip)
    if ip[0] >> 4 == 4:
        ip[2:4] = struct.pack('>H', 28 + length)
        ip[4:6] = struct.pack('>H', (struct.unpack('>H', ip[4:6])[0] + number) & 0xffff)
    else:
        ip[4:6] = struct.pack('>H', 8 + length)
    return bytes(ip), udp[:4] + struct.pack('>H', 8 + length) + udp[6:]


def cut(ip, udp, data):
    """The opcodes of the packets in a datagram: one, or those of a super-packet."""
    fault = None
    try:
        return [check(ip, udp, data)]
    except Fault as f:
        fault = f
    # All segments but the last have the length of the first, which may have an extended header. READ requests have no
    # payload.
    for mtu in (*MTUS, 0):
        size = 12 + HEADERS.get(data[0], 0) + mtu + 4
        if len(data) <= size:
            continue
        try:
            return [check(*segment(ip, udp, i, len(data[at:at + size])), data[at:at + size])
                    for i, at in enumerate(range(0, len(data), size))]
        except Fault:
            continue
    raise fault


def datagram(frame):
    """IP header, UDP header and what is in it; None when it is no RoCEv2."""
    ip = network(frame)
    if ip[0] >> 4 == 4:
        if ip[9] != 17 or (ip[0] & 15) != 5:
            return None
        head = 20
    else:
        if ip[6] != 17:
            return None
        head = 40
    udp = ip[head:head + 8]
    if struct.unpack('>H', udp[2:4])[0] != PORT:
        return None
    length = struct.unpack('>H', udp[4:6])[0]
    data = ip[head + 8:head + length]
    if len(data) != length - 8:
        raise Fault(f'a datagram of {length} bytes in {len(ip) - head}')
    return ip[:head], udp, data


def main():
    p = argparse.ArgumentParser()
    p.add_argument('file')
    p.add_argument('--want', default='')
    p.add_argument('--supers', type=int, default=0)
    args = p.parse_args()
    seen, faults, supers = collections.Counter(), [], 0
    for number, frame in enumerate(packets(args.file), 1):
        try:
            parts = datagram(frame)
            if parts:
                ops = cut(*parts)
                seen.update(ops)
                supers += len(ops) > 1
        except Fault as f:
            faults.append(f'frame {number}: {f}')
    print(f'{sum(seen.values())} packets, {supers} super-packets: ' +
          ' '.join(f'{op:#x}:{n}' for op, n in sorted(seen.items())))
    absent = [w for w in args.want.split(',') if w and not seen[int(w, 0)]]
    if absent:
        faults.append(f'no packet with opcode {" ".join(absent)}')
    if supers < args.supers:
        faults.append(f'{supers} super-packets, at least {args.supers} wanted')
    for f in faults[:5]:
        print(f)
    if faults:
        print(f'{len(faults)} faults')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
