#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Devmem TCP: a socket whose payload lands in a dma-buf that is bound to receive queues of a netdev.

    devmem.py serve NETDEV QUEUES ADDRESS PORT BYTES [--memory udmabuf|heap|bar] [--keep N]
                            binds a dma-buf to QUEUES (2 or 2,3) and takes one connection
    devmem.py take ADDRESS PORT BYTES [--times N]   the same without device memory, one connection after the other
    devmem.py send ADDRESS PORT BYTES [--times N]   the peer of both, an ordinary socket
    devmem.py bind NETDEV QUEUES SECONDS    binds only
    devmem.py rebind NETDEV QUEUES ADDRESS PORT   takes a connection whose bytes it leaves in the dma-buf, and binds that again:
                            refused while they are there, and not any more when the connection is closed
    devmem.py held NETDEV QUEUES ADDRESS PORT BYTES [--down]   takes the connection of a halves: its first segment is held by GRO when a dma-buf is
                            bound to QUEUES, with --down while NETDEV is down, and has to come at once and by itself
    devmem.py halves ADDRESS PORT BYTES   its peer: a segment of BYTES, and two seconds later another one
    devmem.py cost NETDEV QUEUES [--memory ...] [--size BYTES]   what taking and returning a chunk costs, by berth_netmem_test, in ns (with
                            -icount instructions): of a pool; of a binding's that goes home, and that is kept
    devmem.py split NETDEV on|off   ethtool -G NETDEV tcp-data-split, which old ethtools do not know
    devmem.py pool NETDEV QUEUES ADDRESS PORT   the same beside a pool of chunks of berth_netmem (by its test module) over a part
                            of the dma-buf: never both, whichever comes first

Every byte is compared, where it is, with a pattern that depends on its position, and again before its token is given back. serve and take say how many came as device memory
and how many not; --keep: no token is given back before there are so many. Exit status 1: a byte was wrong or absent.
"""
import argparse
import array
import errno
import fcntl
import mmap
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

MSG_SOCK_DEVMEM = 0x2000000
SO_DEVMEM_LINEAR, SO_DEVMEM_DMABUF, SO_DEVMEM_DONTNEED = 78, 79, 80
UDMABUF_CREATE, HEAP_ALLOC, EXPORTER_ALLOC, NETMEM_TEST_RUN = 0x40187542, 0xc0184800, 0xc018be00, 0xc138bf00
DMA_BUF_SYNC = 0x40086200
SYNC_READ, SYNC_END = 1, 4
AREA = 4 << 20

GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3
CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME = 1, 2
NETDEV_CMD_BIND_RX = 13
DMABUF_IFINDEX, DMABUF_QUEUES, DMABUF_FD = 1, 2, 3
QUEUE_ID, QUEUE_TYPE = 1, 3
ETHTOOL_MSG_RINGS_SET, RINGS_HEADER, RINGS_TCP_DATA_SPLIT, HEADER_DEV_NAME = 16, 1, 11, 2
NLA_F_NESTED = 0x8000
MSG_MORE = 0x8000


def pattern(n):
    return random.Random(7).randbytes(n)


def attr(kind, data):
    return struct.pack('HH', 4 + len(data), kind) + data + bytes(-len(data) % 4)


class Netlink:
    """A generic netlink socket. What is bound stays bound as long as it is open."""

    def __init__(self, family=b'netdev'):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 16)
        self.sock.bind((0, 0))
        reply = self.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, attr(CTRL_ATTR_FAMILY_NAME, family + b'\0'))
        self.family = struct.unpack('H', self.find(reply, CTRL_ATTR_FAMILY_ID))[0]

    def ask(self, family, cmd, attrs):
        body = struct.pack('BBH', cmd, 1, 0) + attrs
        self.sock.send(struct.pack('IHHII', 16 + len(body), family, 1 | 4, 1, 0) + body)
        reply = b''
        while True:
            data = self.sock.recv(65536)
            kind = struct.unpack_from('H', data, 4)[0]
            if kind == 2:
                err = -struct.unpack_from('i', data, 16)[0]
                if err:
                    raise OSError(err, os.strerror(err))
                return reply
            reply = data[20:struct.unpack_from('I', data, 0)[0]]
            if len(data) > len(reply) + 20:
                return reply

    @staticmethod
    def find(attrs, kind):
        at = 0
        while at < len(attrs):
            length, have = struct.unpack_from('HH', attrs, at)
            if have & 0x3fff == kind:
                return attrs[at + 4:at + length]
            at += length + -length % 4
        raise OSError(f'no attribute {kind}')

    def bind(self, netdev, queues, fd):
        attrs = attr(DMABUF_IFINDEX, struct.pack('I', socket.if_nametoindex(netdev)))
        attrs += attr(DMABUF_FD, struct.pack('I', fd))
        for q in queues:
            attrs += attr(DMABUF_QUEUES | NLA_F_NESTED,
                          attr(QUEUE_ID, struct.pack('I', q)) + attr(QUEUE_TYPE, struct.pack('I', 0)))
        self.ask(self.family, NETDEV_CMD_BIND_RX, attrs)


def ask_for(path, request, fmt, *values):
    """An ioctl: its return value, and its structure afterwards."""
    arg = bytearray(struct.pack(fmt, *values))
    with open(path, 'r+b', buffering=0) as dev:
        return fcntl.ioctl(dev, request, arg, True), struct.unpack(fmt, arg)


def udmabuf(size):
    memfd = os.memfd_create('area', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(memfd, size)
    fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    fd, _ = ask_for('/dev/udmabuf', UDMABUF_CREATE, 'IIQQ', memfd, 1, 0, size)
    os.close(memfd)
    return fd


def heap(size):
    return ask_for('/dev/dma_heap/system', HEAP_ALLOC, 'QIIQ', size, 0, os.O_RDWR | os.O_CLOEXEC, 0)[1][1]


def bar(size):
    return ask_for('/dev/berth_bar', EXPORTER_ALLOC, 'QQIi', 2**64 - 1, size, 0, 0)[1][3]


class Area:
    """A dma-buf, and the CPU's view of it."""

    def __init__(self, make, size=AREA):
        self.fd = make(size)
        self.map = mmap.mmap(self.fd, size)

    def read(self, offset, n):
        fcntl.ioctl(self.fd, DMA_BUF_SYNC, struct.pack('Q', SYNC_READ))
        data = self.map[offset:offset + n]
        fcntl.ioctl(self.fd, DMA_BUF_SYNC, struct.pack('Q', SYNC_READ | SYNC_END))
        return data


def serve(args):
    area, netlink = Area(args.memory), Netlink()
    netlink.bind(args.netdev, args.queues, area.fd)
    sock = accept(args)
    want, at, device, linear, tokens = pattern(args.bytes), 0, 0, 0, []
    while True:
        data, anc, _, _ = sock.recvmsg(1 << 20, 65536, MSG_SOCK_DEVMEM)
        if not data and not anc:
            break
        used = 0
        for _, kind, cmsg in anc:
            offset, size, token, _, _ = struct.unpack('QIIII', cmsg)
            if kind == SO_DEVMEM_DMABUF:
                got = area.read(offset, size)
                tokens.append((token, offset, want[at:at + size]))
                device += size
            else:
                got = data[used:used + size]
                used += size
                linear += size
            if got != want[at:at + size]:
                sys.exit(f'wrong bytes in {size} from {at} on, offset {offset}')
            at += size
        if len(tokens) > args.keep:
            give_back(sock, area, tokens)
    if at != args.bytes:
        sys.exit(f'{at} of {args.bytes} bytes came')
    print(f'device {device} linear {linear} tokens {len(tokens)}', flush=True)
    give_back(sock, area, tokens)


def listen(args):
    server = socket.create_server((args.address, args.port), family=family(args.address))
    print('ready', flush=True)
    return server


def accept(args):
    return listen(args).accept()[0]


def take(args):
    server = listen(args)
    for _ in range(args.times):
        sock, got = server.accept()[0], b''
        while data := sock.recv(1 << 20):
            got += data
        if got != pattern(args.bytes):
            sys.exit(f'{len(got)} bytes came, not the {args.bytes} that were sent')
        sock.close()
    print(f'device 0 linear {args.times * len(got)}')


def give_back(sock, area, tokens):
    """Nobody has written to them since."""
    for _, offset, want in tokens:
        if area.read(offset, len(want)) != want:
            sys.exit(f'the bytes at offset {offset} did not stay')
    while tokens:
        some, tokens[:] = tokens[:128], tokens[128:]
        sock.setsockopt(socket.SOL_SOCKET, SO_DEVMEM_DONTNEED, array.array('I', [x for t in some for x in (t[0], 1)]).tobytes())


def family(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def send(args):
    for _ in range(args.times):
        sock = socket.create_connection((args.address, args.port), timeout=60)
        sock.sendall(pattern(args.bytes))
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)


def bind(args):
    area, netlink = Area(args.memory), Netlink()
    netlink.bind(args.netdev, args.queues, area.fd)
    print('ready', flush=True)
    time.sleep(args.seconds)


def is_busy(netlink, args, area):
    try:
        netlink.bind(args.netdev, args.queues, area.fd)
    except OSError as e:
        if e.errno != errno.EBUSY:
            raise
        return True
    return False


def in_time(attempt):
    for _ in range(100):
        if attempt():
            return
        time.sleep(0.1)
    sys.exit('memory is busy though nobody has it')


def leave_chunks(args, netlink):
    """The binding ends, and a socket has bytes that came by it."""
    sock = accept(args)
    select.select([sock], [], [])
    netlink.sock.close()
    return sock


def rebind(args):
    area, netlink = Area(args.memory), Netlink()
    netlink.bind(args.netdev, args.queues, area.fd)
    sock = leave_chunks(args, netlink)
    netlink = Netlink()
    if not is_busy(netlink, args, area):
        sys.exit('memory whose chunks are out was bound again')
    sock.close()
    in_time(lambda: not is_busy(netlink, args, area))


def held(args):
    area, netlink, sock = Area(args.memory), Netlink(), accept(args)
    time.sleep(0.5)
    if select.select([sock], [], [], 0)[0]:
        sys.exit('nothing was held')
    if args.down:
        subprocess.run(['ip', 'link', 'set', args.netdev, 'down'], check=True)
    netlink.bind(args.netdev, args.queues, area.fd)
    if args.down:
        subprocess.run(['ip', 'link', 'set', args.netdev, 'up'], check=True)
    data = sock.recv(1 << 20)
    if data != pattern(args.bytes):
        sys.exit(f'{len(data)} bytes that were held are wrong')
    try:
        sys.exit(f'{len(sock.recv(1 << 20))} bytes of device memory were read')
    except OSError as e:
        if e.errno != errno.EFAULT:
            raise


def halves(args):
    sock = socket.socket(family(args.address))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, args.bytes)
    sock.connect((args.address, args.port))
    for _ in range(2):
        sock.send(pattern(args.bytes), MSG_MORE)
        time.sleep(2)


def netmem_test(case, fd=-1, expect=0):
    """A case of berth_netmem_test.ko: why it failed, or nothing; and its value."""
    answer = ask_for('/dev/berth_netmem_test', NETMEM_TEST_RUN, '32siiIiQ256s', case.encode(), fd, -1, 0, expect, 0, b'')[1]
    return answer[6].split(b'\0')[0].decode(), answer[5]


def must(case, fd=-1, expect=0):
    why, value = netmem_test(case, fd, expect)
    if why:
        sys.exit(f'{case}: {why}')
    return value


def pool(args):
    area, netlink = Area(args.memory), Netlink()
    must('pool-keep', area.fd)
    if not is_busy(netlink, args, area):
        sys.exit('memory of a pool was bound')
    must('pool-drop')
    must('keep', area.fd)
    netlink.bind(args.netdev, args.queues, area.fd)
    must('drop')
    must('pool-keep', area.fd, errno.EBUSY)
    sock = leave_chunks(args, netlink)
    must('pool-keep', area.fd, errno.EBUSY)
    sock.close()
    in_time(lambda: not netmem_test('pool-keep', area.fd)[0])
    netlink = Netlink()
    if not is_busy(netlink, args, area):
        sys.exit('memory of a pool was bound after a binding')
    must('pool-drop')
    netlink.bind(args.netdev, args.queues, area.fd)


def cost(args):
    area = Area(args.memory, args.size)
    pool = must('cost', area.fd)
    netlink = Netlink()
    netlink.bind(args.netdev, args.queues, area.fd)
    lease = must('lease-cost', area.fd)
    print(f'pool {pool} home {lease >> 32} kept {lease & 0xffffffff}')


def split(args):
    """ethtool -G NETDEV tcp-data-split on|off"""
    attrs = attr(RINGS_HEADER | NLA_F_NESTED, attr(HEADER_DEV_NAME, args.netdev.encode() + b'\0'))
    attrs += attr(RINGS_TCP_DATA_SPLIT, struct.pack('B', {'off': 1, 'on': 2}[args.state]))
    netlink = Netlink(b'ethtool')
    netlink.ask(netlink.family, ETHTOOL_MSG_RINGS_SET, attrs)


def main():
    queues = ('queues', {'type': lambda text: [int(q) for q in text.split(',')]})
    netdev, address, port, size = ('netdev', {}), ('address', {}), ('port', {'type': int}), ('bytes', {'type': int})
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for run, what in ((serve, (netdev, queues, address, port, size)), (take, (address, port, size)),
                      (send, (address, port, size)), (bind, (netdev, queues, ('seconds', {'type': float}))),
                      (cost, (netdev, queues)), (rebind, (netdev, queues, address, port)), (pool, (netdev, queues, address, port)),
                      (held, (netdev, queues, address, port, size)), (halves, (address, port, size)), (split, (netdev, ('state', {'choices': ('on', 'off')})))):
        p = commands.add_parser(run.__name__)
        for name, options in what:
            p.add_argument(name, **options)
        p.add_argument('--memory', type=lambda name: {'udmabuf': udmabuf, 'heap': heap, 'bar': bar}[name], default=udmabuf)
        p.add_argument('--keep', type=int, default=32)
        p.add_argument('--down', action='store_true')
        p.add_argument('--times', type=int, default=1)
        p.add_argument('--size', type=int, default=AREA)
        p.set_defaults(run=run)
    args = parser.parse_args()
    args.run(args)


main()
