#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Turns the samples of bench-guest.sh into a table, a JSON file, data for a plot, and a word on the floors.

usage: bench-report.py SAMPLES.tsv OUT.json
Exit status: 0 all floors held, 1 a run failed or there are no samples, 3 a floor is not held or could not be measured.
"""
import json
import statistics
import sys

# (row, unit, peer, of which other peer, at least how many times)
FLOORS = [
    ("write-64k", "MB/s", "berth", "rxe", 5.0),
    ("write-8", "messages/s", "berth", "rxe", 3.0),
    ("write-64k", "MB/s", "berth-heap", "berth", 0.9),
    ("busy", "messages/s", "berth-1000-qps", "berth", 0.9),
    ("tcp-write-64k", "MB/s", "berth-tcp", "siw", 3.0),
    ("tcp-write-64k", "MB/s", "berth-tcp", "iperf3", 0.9),
]


# Guest time is instructions, a nanosecond each.
INSTRUCTIONS = "instr/KiB"


def unit_of(row):
    """Small messages are about messages, large ones about bytes; landing rows about what a byte costs."""
    if row.startswith("landing-"):
        return INSTRUCTIONS
    return "MB/s" if row.endswith(("k", "m")) else "messages/s"


def value_of(row, megabytes, messages):
    """The figure of a run, in the row's unit."""
    if unit_of(row) == INSTRUCTIONS:
        return 1e9 / (megabytes * 1024)
    return megabytes if unit_of(row) == "MB/s" else messages


def read_samples(path):
    """Returns {(row, peer): [value, ...]} in order of appearance, and the failures."""
    values, failures = {}, []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            fields = line.rstrip("\n").split("\t")
            if fields[0] == "SAMPLE" and len(fields) == 5:
                _, row, peer, megabytes, messages = fields
                values.setdefault((row, peer), []).append(value_of(row, float(megabytes), float(messages)))
            elif fields[0] == "FAILED":
                failures.append(" ".join(fields[1:]))
    return values, failures


def judge(values):
    """Returns a list of floors with their measured factor; a floor without both figures is not held."""
    floors = []
    for row, unit, peer, other, at_least in FLOORS:
        if row not in {key[0] for key in values}:
            continue
        mine, theirs = values.get((row, peer)), values.get((row, other))
        factor = None
        if mine and theirs and statistics.median(theirs) > 0:
            factor = statistics.median(mine) / statistics.median(theirs)
        floors.append({
            "row": row, "unit": unit, "peer": peer, "other": other, "at_least": at_least,
            "factor": factor, "held": factor is not None and factor >= at_least,
        })
    return floors


def print_table(values):
    """One line a row and peer: median, spread, and the factor over rxe."""
    print(f"{'row':<20}{'peer':<15}{'median':>12} {'unit':<12}{'lowest':>11}{'highest':>11}{'over rxe':>10}")
    for (row, peer), samples in values.items():
        rxe = values.get((row, "rxe"))
        over = f"{statistics.median(samples) / statistics.median(rxe):.2f}" if rxe else "-"
        digits = 0 if unit_of(row) == "messages/s" else 1
        print(f"{row:<20}{peer:<15}{statistics.median(samples):>12.{digits}f} {unit_of(row):<12}"
              f"{min(samples):>11.{digits}f}{max(samples):>11.{digits}f}{over:>10}")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: bench-report.py SAMPLES.tsv OUT.json")
    values, failures = read_samples(sys.argv[1])
    floors = judge(values)
    print_table(values)
    for floor in floors:
        measured = "not measured" if floor["factor"] is None else f"{floor['factor']:.2f}"
        print(f"floor {floor['row']}: {floor['peer']} over {floor['other']} {measured}, "
              f"at least {floor['at_least']:g}: {'held' if floor['held'] else 'NOT HELD'}")
    for failure in failures:
        print(f"failed: {failure}")
    rows = [{"row": row, "peer": peer, "unit": unit_of(row), "median": statistics.median(samples),
             "samples": samples} for (row, peer), samples in values.items()]
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump({"mode": "instruction count", "rows": rows, "floors": floors, "failures": failures}, out, indent=1)
        out.write("\n")
    if sys.argv[2].endswith(".json"):
        with open(sys.argv[2][:-5] + ".dat", "w", encoding="utf-8") as out:
            for row in rows:
                rxe = [r["median"] for r in rows if r["row"] == row["row"] and r["peer"] == "rxe"]
                if rxe:
                    out.write(f"\"{row['row']}\\n{row['peer']}\" {row['median'] / rxe[0]}\n")
    if failures or not values:
        return 1
    return 0 if all(floor["held"] for floor in floors) else 3


if __name__ == "__main__":
    sys.exit(main())
