#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Turns the samples of guest.sh into a table, a JSON file and data for plots; holds a run against targets and another run.

usage: report.py make ROWS.tsv CHOSEN.tsv TARGETS.tsv SAMPLES.tsv OUT.json [--tree T] [--kernel K] [--rounds N]
       report.py read RUN.json
       report.py check RUN.json
       report.py compare OLD.json NEW.json

CHOSEN.tsv has the rows, with their peers, that were run: one that has given no line has failed, and targets of other rows
are not looked at. read only tells whether the file is a run.
Exit status: 0; 1 if a run failed, does not repeat, or there are no samples (make), if a target is not held (check), if
something of ours has become slower (compare); 2 if a file cannot be read, or is not what it should be.
"""
import argparse
import json
import math
import os
import sys

import figures as fig


def is_number(value):
    return isinstance(value, (int, float)) and math.isfinite(value)


def is_run(run):
    """Whether all is there that anybody reads of a run."""
    figures, targets = run["figures"], run["targets"]
    return (all(isinstance(run[key], list) for key in ("figures", "targets", "failures", "skipped", "unsteady")) and
            all(key in run for key in ("complete", "tree", "kernel", "rounds")) and
            all(is_number(f["median"]) and is_number(f["size"]) and f["metric"] and f["row"] and f["peer"] and "counted" in f for f in figures) and
            all(is_number(t["factor"]) and (t["measured"] is None or is_number(t["measured"])) and "held" in t and
                all(isinstance(t[key], str) for key in ("row", "metric", "peer", "against", "is")) for t in targets))


def load(path):
    try:
        with open(path, encoding="utf-8") as text:
            run = json.load(text)
        if not is_run(run):
            raise ValueError
        return run
    except OSError as error:
        raise fig.Bad(f"{path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise fig.Bad(f"{path} is not what ./run bench has written") from None


def number(figure):
    """The median as people read it, with its unit."""
    if figure["metric"] == "median":
        return f"{figure['median']:.2f}", "us"
    if figure["metric"] == "instructions":
        return f"{figure['median']:.0f}", "instr"
    if figure["size"] >= fig.BANDWIDTH:
        return f"{figure['median'] * figure['size'] / (1 << 20):.1f}", "MB/s"
    return f"{figure['median']:.0f}", "msg/s"


def ratio_text(entry):
    return f"{entry['ratio']:.2f} {entry['peer']}" if entry and entry["ratio"] else "-"


def print_table(run):
    print(f"{'row':<26}{'peer':<23}{'median':>10} {'':<6}{'spread':>7}{'instr/msg':>12}{'/KiB':>9}  {'times best peer':<22}times limit")
    for figure in run["figures"]:
        value, unit = number(figure)
        per = (f"{figure[key]:.{digits}f}" if key in figure else "-"
               for key, digits in (("instructions_a_message", 0), ("instructions_a_kib", 1)))
        print(f"{figure['row']:<26}{figure['peer']:<23}{value:>10} {unit:<6}{figure['spread'] * 100:>6.1f}%"
              f"{next(per):>12}{next(per):>9}  {ratio_text(figure.get('best_peer')):<22}{ratio_text(figure.get('limit'))}".rstrip())


def verdict_text(target):
    against = "" if target["against"] == "-" else f" over {target['against']}"
    measured = "not measured" if target["measured"] is None else f"{target['measured']:.3g}"
    return (f"{target['row']}: {target['metric']} of {target['peer']}{against} {measured}, "
            f"{target['is']} {target['factor']:g}: {'held' if target['held'] else 'NOT HELD'}")


def write_plots(run, directory):
    """For each group and operation that was measured at several sizes, a file of one line a size and a column a peer."""
    plots = {}
    for figure in run["figures"]:
        path = figure["row"].split("/")
        plain = len(path) == {"stream": 2, "netmem": 2, "latency": 4}.get(path[0], 3)
        if plain and path[0] not in ("chunk", "qps"):
            plots.setdefault("-".join(path[:-1]), {}).setdefault(figure["peer"], {})[figure["size"]] = figure
    for name, peers in plots.items():
        sizes = sorted({size for of in peers.values() for size in of})
        if len(sizes) < 2:
            continue
        with open(os.path.join(directory, f"{name}.dat"), "w", encoding="utf-8") as out:
            out.write("\t".join(["latency_us" if name.startswith("latency") else "MB/s", *peers]) + "\n")
            for size in sizes:
                out.write("\t".join([str(size), *(point(of.get(size)) for of in peers.values())]) + "\n")


def point(figure):
    if not figure:
        return "?"
    return f"{figure['median']:.6g}" if figure["metric"] == "median" else f"{figure['median'] * figure['size'] / (1 << 20):.6g}"


def make(args):
    run = fig.make_run(fig.read_rows(args.rows), fig.read_rows(args.chosen), fig.read_targets(args.targets), fig.read_samples(args.samples))
    run.update(tree=args.tree, kernel=args.kernel, rounds=args.rounds)
    print_table(run)
    for target in run["targets"]:
        print("target " + verdict_text(target))
    for what in ("skipped", "failures"):
        for entry in run[what]:
            print(f"{'failed' if what == 'failures' else what}: {entry['row']} {entry['peer']}: {entry['why']}")
    for entry in run["unsteady"]:
        print(f"{'does not repeat' if fig.is_ours(entry['peer']) else 'varies'}: {entry['row']} {entry['peer']}: "
              f"samples differ by {entry['spread'] * 100:.1f} %, {fig.REPEATS * 100:.0f} % are allowed")
    with open(args.out, "w", encoding="utf-8") as out:
        json.dump(run, out, indent=1)
        out.write("\n")
    write_plots(run, os.path.dirname(args.out) or ".")
    if not run["figures"]:
        print("no run has given a figure")
    bad = run["failures"] or not run["figures"] or any(fig.is_ours(entry["peer"]) for entry in run["unsteady"])
    return 1 if bad else 0


def read(args):
    load(args.run)
    return 0


def check(args):
    targets = load(args.run)["targets"]
    short = [t for t in targets if not t["held"]]
    for target in short:
        print("short " + verdict_text(target))
    print(f"{len(targets) - len(short)} of {len(targets)} targets are held")
    return 1 if short or not targets else 0


def compare(args):
    moved, both = fig.compare(load(args.old), load(args.new))
    if not both:
        raise fig.Bad(f"{args.old} and {args.new} have no row in common that counts instructions")
    for row, peer, factor in moved:
        said = "better" if factor > 1 else "REGRESSION" if fig.is_ours(peer) else "slower"
        print(f"{said} {row} {peer}: {factor:.3f} times as fast as in {os.path.basename(args.old)}")
    slower = sum(factor < 1 for _, _, factor in moved)
    print(f"{both} figures compared: {slower} slower, {len(moved) - slower} faster, by more than {fig.REPEATS * 100:.0f} %")
    return 1 if any(factor < 1 and fig.is_ours(peer) for _, peer, factor in moved) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for run, names in ((make, ("rows", "chosen", "targets", "samples", "out")), (read, ("run",)), (check, ("run",)), (compare, ("old", "new"))):
        command = commands.add_parser(run.__name__)
        for name in names:
            command.add_argument(name)
        if run is make:
            command.add_argument("--tree", default="unknown")
            command.add_argument("--kernel", default="unknown")
            command.add_argument("--rounds", type=int, default=1)
        command.set_defaults(call=run)
    args = parser.parse_args()
    try:
        return args.call(args)
    except fig.Bad as bad:
        print(f"bench: {bad}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
