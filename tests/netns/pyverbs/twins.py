# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Twins of the suite's dma-buf tests, which need a DRM GPU: the same tests over the exporters of this machine
(system heap, udmabuf, PCI BAR), and traffic whose bytes are compared on both sides.
"""
import fcntl
import io
import mmap
import os
import random
import struct

from pyverbs.mr import DmaBufMR
from pyverbs.wr import RecvWR, SendWR, SGE
import pyverbs.enums as e

from tests import test_mr
from tests import utils as u

PAGE = mmap.PAGESIZE


def iowr(kind, number, size):
    return 3 << 30 | size << 16 | kind << 8 | number


def heap(size):
    with open('/dev/dma_heap/system', 'r+b', buffering=0) as dev:
        d = bytearray(struct.pack('=QIIQ', size, 0, os.O_RDWR | os.O_CLOEXEC, 0))
        fcntl.ioctl(dev, iowr(ord('H'), 0, len(d)), d)
        return struct.unpack('=QIIQ', d)[1]


def udmabuf(size):
    memfd = os.memfd_create('twin', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(memfd, size)
        fcntl.fcntl(memfd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        with open('/dev/udmabuf', 'r+b', buffering=0) as dev:
            return fcntl.ioctl(dev, 1 << 30 | 24 << 16 | ord('u') << 8 | 0x42,
                               bytearray(struct.pack('=IIQQ', memfd, 1, 0, size)))
    finally:
        os.close(memfd)


def bar(size):
    with open('/dev/berth_bar', 'r+b', buffering=0) as dev:
        d = bytearray(struct.pack('=QQIi', 2**64 - 1, size, 0, -1))
        fcntl.ioctl(dev, iowr(0xbe, 0, len(d)), d)
        return struct.unpack('=QQIi', d)[3]


class TwinMR(DmaBufMR):
    """A dma-buf MR over one of our exporters, with the arguments that the suite gives."""
    exporter = None

    def __init__(self, pd, length, access, dmabuf=None, offset=0, gpu=0, gtt=False):
        self.size = (offset + length + PAGE - 1) // PAGE * PAGE
        # Closed when the object goes; the region has its own reference.
        self.file = io.FileIO(type(self).exporter(self.size), 'r+')
        super().__init__(pd, length, access, self.file.fileno(), offset)

    def sync(self, flags):
        fcntl.ioctl(self.file, 1 << 30 | 8 << 16 | ord('b') << 8, struct.pack('=Q', flags | 3))

    def access(self, offset, length, data=None):
        start = self.offset + offset
        with mmap.mmap(self.file.fileno(), self.size) as m:
            self.sync(0)
            if data is not None:
                m[start:start + length] = data
            out = m[start:start + length]
            self.sync(4)
        return out

    def write(self, data, length, offset=0):
        self.access(offset, length, (data if isinstance(data, bytes) else data.encode())[:length])

    def read(self, length, offset):
        return self.access(offset, length)


class Substitute:
    """While a test runs, the suite's module finds our class where it looks for its own."""
    exporter = None

    def setUp(self):
        super().setUp()
        mr = type('TwinMR', (TwinMR,), {'exporter': staticmethod(type(self).exporter)})
        for name, ours in (('DmaBufMR', mr), ('check_dmabuf_support', lambda gpu=0: None),
                           ('check_dmabuf_mr_support', lambda pd, gpu=0: None)):
            self.addCleanup(setattr, test_mr, name, getattr(test_mr, name))
            setattr(test_mr, name, ours)


class Registration(Substitute):
    def test_dmabuf_data(self):
        """What is written is what is read, at any offset, and only there."""
        with test_mr.PD(self.ctx) as pd:
            for start in (0, 1, PAGE - 1, PAGE, 3 * PAGE + 7):
                with test_mr.DmaBufMR(pd, 2 * PAGE, e.IBV_ACCESS_LOCAL_WRITE, offset=start) as mr:
                    data = random.randbytes(PAGE)
                    mr.write(b'\xa5' * 2 * PAGE, 2 * PAGE)
                    mr.write(data, PAGE, 123)
                    assert mr.read(2 * PAGE, 0) == b'\xa5' * 123 + data + b'\xa5' * (PAGE - 123)


class Traffic(Substitute):
    def test_dmabuf_data_traffic(self):
        """WRITE, READ and SEND between two buffers; every byte on both sides is looked at."""
        def copy(op, frm, to):
            # The requester's memory is the source, but for READ.
            local, remote = (to, frm) if op == e.IBV_WR_RDMA_READ else (frm, to)
            data = [random.randbytes(frm.msg_size), random.randbytes(frm.msg_size)]
            frm.mr.write(data[0], frm.msg_size)
            to.mr.write(data[1], to.msg_size)
            length, src, dst = frm.msg_size - 200, 37, 101
            if op == e.IBV_WR_SEND:
                remote.qp.post_recv(RecvWR(sg=[SGE(remote.mr.offset + dst, length, remote.mr.lkey)],
                                             num_sge=1))
            wr = SendWR(opcode=op, num_sge=1, sg=[SGE(local.mr.offset + (dst if local is to else src),
                                                          length, local.mr.lkey)])
            if op != e.IBV_WR_SEND:
                wr.set_wr_rdma(remote.mr.rkey, remote.mr.offset + (src if remote is frm else dst))
            local.qp.post_send(wr)
            u.poll_cq(local.cq)
            if op == e.IBV_WR_SEND:
                u.poll_cq(remote.cq)
            assert frm.mr.read(frm.msg_size, 0) == data[0]
            assert to.mr.read(to.msg_size, 0) == (data[1][:dst] + data[0][src:src + length] +
                                                  data[1][dst + length:])

        client, server = self.create_players(TwinRC, gpu=0, gtt=False)
        for op in (e.IBV_WR_RDMA_WRITE, e.IBV_WR_RDMA_READ, e.IBV_WR_SEND):
            for _ in range(20):
                copy(op, client, server)
                copy(op, server, client)


class TwinRC(test_mr.DmaBufRC):
    """The suite's resources, with messages longer than a packet and the right to be read."""
    ACCESS = e.IBV_ACCESS_LOCAL_WRITE | e.IBV_ACCESS_REMOTE_WRITE | e.IBV_ACCESS_REMOTE_READ

    def create_mr(self):
        self.msg_size = 3 * 4096 + 500
        self.mr = test_mr.DmaBufMR(self.pd, self.msg_size, self.ACCESS, offset=4096)

    def create_qp_attr(self):
        attr = super().create_qp_attr()
        attr.qp_access_flags = self.ACCESS
        return attr


def make_twins():
    """For every exporter a class for each of the suite's two, with its own tests added."""
    for name, exporter in (('Heap', heap), ('Udmabuf', udmabuf), ('Bar', bar)):
        for ours, theirs in ((Registration, test_mr.DmaBufMRTest), (Traffic, test_mr.DmaBufTestCase)):
            cls = name + theirs.__name__
            globals()[cls] = type(cls, (ours, theirs), {'exporter': staticmethod(exporter),
                                                        '__module__': __name__})


make_twins()
