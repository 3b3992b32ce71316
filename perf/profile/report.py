#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Where the instructions of a message go: the difference of two counts of counts.c, by function.

usage: report.py DIR MESSAGES [FUNCTIONS]
DIR has kallsyms (the guest's), counts.0 of a run and counts.1 of one with MESSAGES more.
A function's instructions are its own, without those that it calls. A string instruction (rep movs) counts once a step.
Programs poll while they wait, so theirs differ from run to run and can come out negative.
"""
import bisect
import collections
import sys


def read_symbols(path):
    """Returns the addresses of the guest's functions in order, and (name, module) of each."""
    symbols = []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            fields = line.split()
            if fields[1] in "tTwW":
                symbols.append((int(fields[0], 16), fields[2], fields[3].strip("[]") if len(fields) > 3 else "kernel"))
    symbols.sort()
    return [s[0] for s in symbols], [s[1:] for s in symbols]


def read_counts(path, addresses, names):
    """Returns instructions and entries by (name, module); what is below the kernel is ("programs", "programs")."""
    instructions, entries = collections.Counter(), collections.Counter()
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            address, length, times = line.split()
            address = int(address, 16)
            if address < 1 << 63:
                key = ("programs", "programs")
            else:
                at = bisect.bisect(addresses, address) - 1
                key = names[at]
                if addresses[at] == address:
                    entries[key] += int(times)
            instructions[key] += int(length) * int(times)
    return instructions, entries


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    directory, messages = sys.argv[1], int(sys.argv[2])
    most = int(sys.argv[3]) if len(sys.argv) == 4 else 60
    addresses, names = read_symbols(f"{directory}/kallsyms")
    few, few_entries = read_counts(f"{directory}/counts.0", addresses, names)
    many, many_entries = read_counts(f"{directory}/counts.1", addresses, names)
    cost = {key: (many[key] - few[key]) / messages for key in many}
    modules = collections.Counter()
    for (_, module), instructions in cost.items():
        modules[module] += instructions
    print(f"{sum(cost.values()):>10.0f} instructions a message")
    for module, instructions in modules.most_common():
        if abs(instructions) >= 1:
            print(f"{instructions:>10.0f} {module}")
    print(f"\n{'instructions':>12}{'calls':>9}  function")
    for key in sorted(cost, key=cost.get, reverse=True)[:most]:
        if key[1] != "programs":
            calls = (many_entries[key] - few_entries[key]) / messages
            print(f"{cost[key]:>12.1f}{calls:>9.2f}  {key[0]}{'' if key[1] == 'kernel' else f' [{key[1]}]'}")


if __name__ == "__main__":
    main()
