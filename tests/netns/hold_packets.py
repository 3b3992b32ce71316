#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Holds packets: a packet socket on a netdev takes what passes, and nothing is read from it until SIGTERM. Until then
the kernel keeps clones, whose bytes are those of the sender's own buffers. Then they are written to a pcap file.

    hold_packets.py NETDEV FILE.pcap

Says "holding" when it has begun, and at the end how many packets it had.
"""
import signal
import socket
import struct
import sys

ETH_P_ALL = 3
SO_RCVBUFFORCE = 33


def main():
    netdev, path = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
    s.bind((netdev, ETH_P_ALL))
    print('holding', flush=True)
    signal.sigwait({signal.SIGTERM})
    s.setblocking(False)
    held = 0
    with open(path, 'wb') as f:
        f.write(struct.pack('=IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 1 << 18, 1))
        while True:
            try:
                data = s.recv(1 << 18)
            except BlockingIOError:
                break
            f.write(struct.pack('=4I', 0, 0, len(data), len(data)) + data)
            held += 1
    print(f'held {held}')


if __name__ == '__main__':
    main()
