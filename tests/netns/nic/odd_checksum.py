#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""UDP through a router, with a checksum that others are to compute in the middle of the payload.

    odd_checksum.py NETDEV MAC-OF-THE-ROUTER OWN-ADDRESS ADDRESS

It is looked for on NETDEV, to where the router sends it back: every byte, and the checksum. Exit status 1: it did not come so.
"""
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, NEEDS_CSUM = 263, 15, 1
START, OFFSET, LENGTH = 700, 6, 1000     # of the payload


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


netdev, router, own, to = sys.argv[1:]
payload = bytes(i * 7 & 0xff for i in range(LENGTH))
udp = struct.pack('!HHHH', 4000, 4001, 8 + LENGTH, 0) + payload
ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 9, 17, 0, socket.inet_aton(own), socket.inet_aton(to))
ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
with open(f'/sys/class/net/{netdev}/address') as f:
    mac = bytes.fromhex(f.read().strip().replace(':', ''))
frame = bytes.fromhex(router.replace(':', '')) + mac + b'\x08\0' + ip + udp
start = 14 + 20 + 8 + START
want = bytearray(payload)
want[START + OFFSET:START + OFFSET + 2] = struct.pack('!H', checksum(payload[START:]))

out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
out.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
out.bind((netdev, 0))
back = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))
back.bind((netdev, 0x800))
back.settimeout(1)
out.send(struct.pack('BBHHHH', NEEDS_CSUM, 0, 0, 0, start, OFFSET) + frame)
end, seen = time.time() + 10, 'nothing'
while time.time() < end:
    try:
        data, address = back.recvfrom(65536)
    except TimeoutError:
        continue
    if address[2] == socket.PACKET_OUTGOING or data[30:34] != socket.inet_aton(to):
        continue
    if data[42:] == want:
        sys.exit(0)
    seen = f'{len(data)} bytes, the checksum {data[start + OFFSET:start + OFFSET + 2].hex()}'
    break
sys.exit(f'{seen} came back')
