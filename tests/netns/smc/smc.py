#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""A stream over AF_SMC and back, and the one setting of SMC that has no file: the EID that version 2 asks for.

    smc.py eid NAME                   add a user defined EID
    smc.py server ADDRESS BYTES       accept once, send back what comes
    smc.py client ADDRESS BYTES       send a pattern, compare what comes back; prints ready, waits for a line
"""
import ctypes
import hashlib
import os
import socket
import struct
import sys
import threading

AF_SMC, PORT, PIECE = 43, 4711, 1 << 18


def smc_socket():
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.socket(AF_SMC, socket.SOCK_STREAM, 0)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "socket(AF_SMC)")
    # Addresses are those of TCP; Python does not know the family.
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)


def attribute(kind, data):
    return struct.pack("HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def netlink(sock, family, command, attributes):
    body = struct.pack("BBH", command, 1, 0) + attributes
    sock.send(struct.pack("IHHII", 16 + len(body), family, 5, 1, 0) + body)  # REQUEST | ACK
    answer = sock.recv(65536)
    if struct.unpack_from("H", answer, 4)[0] == 2:  # NLMSG_ERROR
        error = struct.unpack_from("i", answer, 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))
    return answer


def add_eid(name):
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)  # NETLINK_GENERIC
    answer = netlink(sock, 16, 3, attribute(2, b"SMC_GEN_NETLINK\0"))  # CTRL_CMD_GETFAMILY
    at, family = 20, None
    while at < len(answer):
        length, kind = struct.unpack_from("HH", answer, at)
        if kind == 1:  # CTRL_ATTR_FAMILY_ID
            family = struct.unpack_from("H", answer, at + 4)[0]
        at += (length + 3) & ~3
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    netlink(sock, family, 10, attribute(1, name.ljust(32).encode() + b"\0"))  # SMC_NETLINK_ADD_UEID


def pattern(i):
    return hashlib.shake_128(struct.pack("I", i)).digest(PIECE)


def server(address, total):
    s = smc_socket()
    s.bind((address, PORT))
    libc = ctypes.CDLL(None)
    libc.listen(s.fileno(), 1)
    fd = libc.accept(s.fileno(), None, None)
    c = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=fd)
    while total:
        data = c.recv(min(total, PIECE))
        if not data:
            raise EOFError("%d bytes are missing" % total)
        c.sendall(data)
        total -= len(data)
    c.recv(1)


def client(address, total):
    s = smc_socket()
    s.connect((address, PORT))
    pieces = total // PIECE

    def send():
        for i in range(pieces):
            s.sendall(pattern(i))

    sender = threading.Thread(target=send)
    sender.start()
    for i in range(pieces):
        want, got = pattern(i), bytearray()
        while len(got) < PIECE:
            data = s.recv(PIECE - len(got))
            if not data:
                raise EOFError("piece %d of %d ends early" % (i, pieces))
            got += data
        if got != want:
            raise ValueError("piece %d of %d is wrong" % (i, pieces))
    sender.join()
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    if sys.argv[1] == "eid":
        add_eid(sys.argv[2])
    else:
        {"server": server, "client": client}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
