#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What the kernel itself needs to copy, by the test module berth_netmem_test (tests/exporter). Runs in the guest.

usage: kernel_cost.py memcpy|string SIZE TIMES

Prints copies of SIZE bytes a second: by memcpy(), or by a string move of words.
"""
import fcntl
import struct
import sys

DEVICE, RUN, FORMAT = "/dev/berth_netmem_test", 0xC138BF00, "32siiIiQ256s"


def nanoseconds(case, size, times):
    """One run of a case that measures (netmem_test_abi.h)."""
    run = bytearray(struct.pack(FORMAT, case.encode(), -1, -1, 0, times, size, b""))
    with open(DEVICE, "r+b", buffering=0) as device:
        fcntl.ioctl(device, RUN, run, True)
    *_, value, why = struct.unpack(FORMAT, run)
    if why[0]:
        sys.exit(why.split(b"\0")[0].decode())
    return value


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("memcpy", "string"):
        sys.exit(__doc__)
    size, times = int(sys.argv[2]), int(sys.argv[3])
    print(f"{times * 1e9 / nanoseconds(sys.argv[1] + '-cost', size, times):.3f}")


if __name__ == "__main__":
    main()
