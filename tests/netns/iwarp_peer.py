#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""A plain socket as the peer of an iWARP link, which says what a peer should and what it should not; from RFC 5044,
6581, 5041 and 5040, and independent of the code under test.

    iwarp_peer.py call ADDRESS PORT SLOW     calls a server that takes one connection after the other, case by case
    iwarp_peer.py first ADDRESS PORT SLOW KIND   calls a server that sends first; KIND: plain (nothing is said of who
                                             does), or heard (we offer to, RFC 6581)
    iwarp_peer.py answer ADDRESS PORT CASE   is called once, and answers badly
    iwarp_peer.py leave ADDRESS PORT FIRST LAST   connects from each of those ports to a server of any kind (which it
                                             is itself with: serve ADDRESS PORT) and leaves it in TIME_WAIT

Lines of PASS and FAIL; exit status 1 when one failed.
"""
import os
import resource
import socket
import struct
import sys
import time

REQUEST, REPLY = b'MPA ID Req Frame', b'MPA ID Rep Frame'
MARKERS, CRC, REJECT, ENHANCED = 0x80, 0x40, 0x20, 0x10
PEER_TO_PEER, RTR_READ = 0x8000, 0x4000
WRITE, READ_REQUEST, SEND, TERMINATE = 0, 1, 3, 7
TAGGED, LAST = 0x80, 0x40

# What a Terminate says: layer and type, code (RFC 5040, 4.8; RFC 5041, 8.2; RFC 5044, 8).
STAG = (0x11, 0)
QUEUE = (0x12, 1)
MSN = (0x12, 3)
DDP_VERSION = (0x12, 6)
READ_STAG = (0x01, 0)
RDMAP_VERSION = (0x02, 5)
OPCODE = (0x02, 6)
BAD_CRC = (0x20, 2)

TABLE = []
for n in range(256):
    for _ in range(8):
        n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
    TABLE.append(n)


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xffffffff


def frame(key, flags=0, rev=1, private=b'', length=None):
    return key + struct.pack('>BBH', flags, rev, len(private) if length is None else length) + private


def enhanced(key, flags=0, p2p=False, private=b''):
    depths = struct.pack('>HH', 16 | (PEER_TO_PEER if p2p else 0), 16 | (RTR_READ if p2p else 0))
    return frame(key, flags | ENHANCED, 2, depths + private)


def fpdu(body, spoil=0):
    body = struct.pack('>H', len(body)) + body
    body += bytes(-len(body) % 4)
    return body + struct.pack('<I', crc32c(body) ^ spoil)


def untagged(opcode, queue, msn, payload=b'', ddp=1, rdmap=1):
    return struct.pack('>BBIIII', LAST | ddp, rdmap << 6 | opcode, 0, queue, msn, 0) + payload


def tagged(opcode, stag, offset, payload):
    return struct.pack('>BBIQ', TAGGED | LAST | 1, 1 << 6 | opcode, stag, offset) + payload


def read_request(msn, stag, length, sink=0):
    return untagged(READ_REQUEST, 1, msn, struct.pack('>IQIIQ', sink, 0, length, stag, 0))


class Peer:
    """One connection, and how long to wait for what."""

    def __init__(self, address, port, slow):
        self.patience = 10 * slow
        self.sock = socket.create_connection((address, port), timeout=self.patience)

    def take(self, n):
        data = b''
        while len(data) < n:
            more = self.sock.recv(n - len(data))
            if not more:
                raise EOFError(f'the end after {len(data)} of {n} bytes')
            data += more
        return data

    def reply(self):
        head = self.take(20)
        if head[:16] != REPLY:
            raise ValueError(f'{head[:16]!r} instead of a reply')
        flags, rev, length = struct.unpack('>BBH', head[16:])
        return flags, rev, self.take(length)

    def connect(self):
        self.sock.sendall(frame(REQUEST, CRC))
        flags, rev, _ = self.reply()
        if flags != CRC or rev != 1:
            raise ValueError(f'flags {flags:#x} and revision {rev} in the reply')

    def fpdu(self):
        head = self.take(2)
        length = struct.unpack('>H', head)[0]
        body = head + self.take(length + -(length + 2) % 4)
        if struct.unpack('<I', self.take(4))[0] != crc32c(body):
            raise ValueError('the CRC of an FPDU')
        return body[2:2 + length]

    def expect_end(self):
        """The other side closes, and has not just waited for more."""
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            pass

    def expect_terminate(self, error):
        while (body := self.fpdu())[1] & 15 != TERMINATE:
            pass
        if (body[18], body[19]) != error:
            raise ValueError(f'Terminate {body[18]:#04x}, {body[19]}; expected {error[0]:#04x}, {error[1]}')
        self.expect_end()


def refused(*pieces):
    """A request that is none: the connection ends."""
    def case(peer):
        for piece in pieces:
            peer.sock.sendall(piece)
        peer.expect_end()
    return case


def terminated(error, *segments):
    def case(peer):
        peer.connect()
        peer.sock.sendall(b''.join(segments))
        peer.expect_terminate(error)
    return case


def rejected(request):
    """It is answered, and not taken."""
    def case(peer):
        peer.sock.sendall(request)
        if not peer.reply()[0] & REJECT:
            raise ValueError('it was not rejected')
        peer.expect_end()
    return case


def dribbled(peer):
    for byte in enhanced(REQUEST, CRC, private=b'private data'):
        peer.sock.sendall(bytes([byte]))
    flags, rev, private = peer.reply()
    if flags != CRC | ENHANCED or rev != 2 or len(private) < 4:
        raise ValueError(f'flags {flags:#x}, revision {rev}, {len(private)} bytes')
    for byte in fpdu(untagged(SEND, 3, 1)):
        peer.sock.sendall(bytes([byte]))
    peer.expect_terminate(QUEUE)


def silent(peer):
    """Who says nothing is not waited for."""
    peer.sock.sendall(REQUEST[:9])
    peer.expect_end()


def left(when):
    def case(peer):
        peer.connect()
        peer.sock.sendall(fpdu(untagged(SEND, 0, 1, bytes(100)))[:when])
        peer.sock.shutdown(socket.SHUT_WR)
        peer.expect_end()
    return case


def reset(peer):
    peer.connect()
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def garbage(peer):
    peer.connect()
    peer.sock.sendall(bytes(range(1, 251)) * 8)
    peer.expect_end()


def crowd(peer):
    """More that say nothing than have room: who has something to say is heard nevertheless."""
    address = peer.sock.getpeername()
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    others = []
    for _ in range(1100):
        others.append(socket.create_connection(address, timeout=peer.patience))
        # The program's backlog is short, and a SYN that finds it full comes again after a second.
        time.sleep(0.003)
    late = socket.create_connection(address, timeout=peer.patience)
    peer.sock.close()
    peer.sock = late
    peer.connect()
    for other in others:
        other.close()


CALLS = {
    'garbage': refused(os.urandom(64)),
    'reply': refused(frame(REPLY)),
    'revision': refused(frame(REQUEST, rev=3)),
    'length': refused(frame(REQUEST, length=513)),
    'enhanced': refused(frame(REQUEST, ENHANCED, 2, b'abc')),
    'markers': rejected(frame(REQUEST, MARKERS)),
    'private': rejected(frame(REQUEST, private=bytes(256))),
    'silent': silent,
    'dribble': dribbled,
    'fpdu/garbage': garbage,
    'fpdu/crc': terminated(BAD_CRC, fpdu(untagged(SEND, 0, 1, bytes(16)), spoil=1)),
    'fpdu/ddp_version': terminated(DDP_VERSION, fpdu(untagged(SEND, 0, 1, ddp=2))),
    'fpdu/rdmap_version': terminated(RDMAP_VERSION, fpdu(untagged(SEND, 0, 1, rdmap=2))),
    'fpdu/opcode': terminated(OPCODE, fpdu(untagged(15, 0, 1))),
    'fpdu/queue': terminated(QUEUE, fpdu(untagged(SEND, 3, 1))),
    'fpdu/msn': terminated(MSN, fpdu(untagged(SEND, 0, 5))),
    'write/stag': terminated(STAG, fpdu(tagged(WRITE, 0x12345678, 0, bytes(64)))),
    'read/stag': terminated(READ_STAG, fpdu(read_request(1, 0x12345678, 64))),
    'left/header': left(7),
    'left/payload': left(40),
    'reset': reset,
    'crowd': crowd,
}


def run(name, case, peer):
    try:
        case(peer)
    except (OSError, ValueError, EOFError) as e:
        print(f'FAIL iwarp/peer/{name}: {e or type(e).__name__}', flush=True)
        return False
    finally:
        peer.sock.close()
    print(f'PASS iwarp/peer/{name}', flush=True)
    return True


def first(peer, kind):
    """Who is called sends when it has heard us, or a while after the reply when we do not offer to be heard."""
    heard = kind == 'heard'
    peer.sock.sendall(enhanced(REQUEST, CRC, p2p=heard))
    _, _, private = peer.reply()
    replied = time.monotonic()
    if heard:
        depths = struct.unpack('>HH', private[:4])
        if not depths[0] & PEER_TO_PEER or not depths[1] & RTR_READ:
            raise ValueError('the offer to be heard was not taken')
        peer.sock.settimeout(0.5)
        try:
            raise ValueError(f'it sent {peer.sock.recv(1)!r} without having heard us')
        except socket.timeout:
            peer.sock.settimeout(peer.patience)
        peer.sock.sendall(fpdu(read_request(1, 0, 0)))
    while (body := peer.fpdu())[1] & 15 != SEND:
        pass
    took = time.monotonic() - replied
    if not heard and took < 0.04:
        raise ValueError(f'it came {took * 1000:.0f} ms after the reply')
    if len(body) != 18 + 100:
        raise ValueError(f'a SEND of {len(body) - 18} bytes')


ANSWERS = {
    'nothing': b'',
    'garbage': bytes(range(64)),
    'request': frame(REQUEST),
    'half': frame(REPLY)[:11],
    'length': frame(REPLY, length=513),
    'private': frame(REPLY, private=bytes(256)),
    'markers': frame(REPLY, MARKERS),
    'reject': frame(REPLY, REJECT),
}


def answer(address, port, name):
    sock = socket.create_server((address, port))
    peer, _ = sock.accept()
    sock.close()
    peer.recv(4096)
    peer.sendall(ANSWERS[name])
    if name != 'nothing':
        peer.shutdown(socket.SHUT_WR)
    peer.settimeout(60)
    try:
        while peer.recv(4096):
            pass
    except ConnectionResetError:
        pass


def leave(address, port, first, last):
    """As programs do that let the kernel choose the port: without SO_REUSEADDR nobody else may bind it meanwhile."""
    for source in range(first, last + 1):
        sock = socket.socket()
        sock.bind(('', source))
        sock.connect((address, port))
        # Who closes first waits.
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass
        sock.close()


def serve(address, port):
    server = socket.create_server((address, port))
    while True:
        sock, _ = server.accept()
        while sock.recv(4096):
            pass
        sock.close()


def main():
    what, address, port = *sys.argv[1:3], int(sys.argv[3])
    if what == 'serve':
        serve(address, port)
    if what == 'leave':
        leave(address, port, int(sys.argv[4]), int(sys.argv[5]))
        return True
    last = sys.argv[4]
    if what == 'answer':
        answer(address, port, last)
        return True
    slow = int(last)
    if what == 'first':
        kind = sys.argv[5]
        return run(f'first/{kind}', lambda peer: first(peer, kind), Peer(address, port, slow))
    return all([run(name, case, Peer(address, port, slow)) for name, case in CALLS.items()])


sys.exit(not main())
