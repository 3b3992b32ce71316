# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What a run of the benchmark says: samples become figures, ratios, and targets that are held or not.

A run is a dictionary, the content of bench.json. Each of its "figures" is of one row on one peer: the samples, their
median and spread (their range, divided by the median) of the row's metric; what else was measured is in "more".
"""
import fnmatch
import statistics

# Of instruction-count rows: samples of one run, and medians of two, are the same figure when they differ by less.
REPEATS = 0.05
# From here on a row is about bytes.
BANDWIDTH = 4096
LIMITS = ("memcpy", "string")
# Guest time is instructions where they are counted, a nanosecond each.
PER_SECOND = 1e9


class Bad(Exception):
    """What is wrong with a file, in one line."""


def table(path, fields):
    """The lines of a tab-separated file as lists, without comments."""
    try:
        with open(path, encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines if line.strip() and not line.startswith("#")]
    except OSError as error:
        raise Bad(f"{path}: {error.strerror}") from error
    for row in rows:
        if len(row) != fields:
            raise Bad(f"{path}: {row[0]}: {len(row)} fields, not {fields}")
    return rows


def read_rows(path):
    """{name: row} in the order of the file."""
    return {name: {"size": int(size), "count": int(count), "slow": int(slow), "options": options, "peers": peers.split(",")}
            for name, size, count, slow, options, peers in table(path, 6)}


def read_targets(path):
    targets = [dict(zip(("row", "metric", "peer", "against", "is", "factor"), fields)) for fields in table(path, 6)]
    for target in targets:
        try:
            target["factor"] = float(target["factor"])
        except ValueError:
            raise Bad(f"{path}: {target['row']}: '{target['factor']}' is no factor") from None
        if target["is"] not in COMPARE or target["metric"] not in ("rate", "bandwidth", "median", "instructions"):
            raise Bad(f"{path}: {target['row']}: unknown metric or comparison")
    return targets


def read_samples(path):
    """Returns {(row, peer): {metric: [value, ...]}} in order of appearance, the failures, and what was left out."""
    values, failures, skipped = {}, [], []
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "SAMPLE" and len(fields) >= 3:
                metrics = values.setdefault((fields[0], fields[1]), {})
                for field in fields[2:]:
                    name, value = field.split("=")
                    metrics.setdefault(name, []).append(float(value))
            elif kind in ("FAILED", "SKIPPED") and len(fields) >= 3:
                known = failures if kind == "FAILED" else skipped
                entry = {"row": fields[0], "peer": fields[1], "why": " ".join(fields[2:])}
                if entry not in known:
                    known.append(entry)
    return values, failures, skipped


def is_ours(peer):
    return peer.startswith("berth")


def is_better_low(metric):
    return metric in ("median", "instructions")


def counts_instructions(row):
    return not row.startswith("latency/")


def spread_of(samples):
    middle = statistics.median(samples)
    return (max(samples) - min(samples)) / middle if middle else 0.0


def figure_of(row, peer, size, metrics):
    metric = next(m for m in ("rate", "instructions", "median") if m in metrics)
    samples = metrics[metric]
    median = statistics.median(samples)
    figure = {"row": row, "peer": peer, "size": size, "metric": metric, "samples": samples, "median": median,
              "spread": spread_of(samples), "counted": counts_instructions(row),
              "more": {name: statistics.median(values) for name, values in metrics.items() if name != metric}}
    if metric == "rate" and figure["counted"] and median:
        figure["instructions_a_message"] = PER_SECOND / median
        if size >= BANDWIDTH:
            figure["instructions_a_kib"] = PER_SECOND / median / (size / 1024)
    return figure


def ratio(mine, theirs):
    """How many times as good: more of a rate, less of a cost."""
    if not mine["median"] or not theirs["median"]:
        return None
    over = mine["median"] / theirs["median"]
    return 1 / over if is_better_low(mine["metric"]) else over


def best(figures):
    return max(figures, key=lambda f: -f["median"] if is_better_low(f["metric"]) else f["median"], default=None)


def add_ratios(figures):
    """To each of ours: the best of the other peers of its row, and the limit, with the ratio to it."""
    rows = {}
    for figure in figures:
        rows.setdefault(figure["row"], []).append(figure)
    for row in rows.values():
        others = best([f for f in row if not is_ours(f["peer"]) and f["peer"] not in LIMITS])
        limit = best([f for f in row if f["peer"] in LIMITS])
        for figure in row:
            if not is_ours(figure["peer"]):
                continue
            for name, other in (("best_peer", others), ("limit", limit)):
                if other:
                    figure[name] = {"peer": other["peer"], "ratio": ratio(figure, other)}


COMPARE = {">=": lambda a, b: a >= b, "<=": lambda a, b: a <= b, "<": lambda a, b: a < b}


def matches(target, figure):
    if figure["peer"] != target["peer"] or not fnmatch.fnmatchcase(figure["row"], target["row"]):
        return False
    if target["metric"] == "bandwidth":
        return figure["metric"] == "rate" and figure["size"] >= BANDWIDTH
    return figure["metric"] == target["metric"]


def judge_one(target, row, mine, theirs):
    verdict = dict(target, row=row, measured=None, held=False)
    if mine and (theirs or target["against"] == "-"):
        if target["against"] == "-":
            verdict["measured"] = mine["median"]
        elif theirs["median"]:
            verdict["measured"] = mine["median"] / theirs["median"]
    if verdict["measured"] is not None:
        verdict["held"] = COMPARE[target["is"]](verdict["measured"], target["factor"])
    return verdict


def judge(targets, figures, rows):
    """The targets that are about these rows. One whose figures are not there is not held."""
    by_key = {(f["row"], f["peer"]): f for f in figures}
    verdicts = []
    for target in targets:
        if any(c in target["row"] for c in "*?["):
            for figure in figures:
                theirs = by_key.get((figure["row"], target["against"]))
                if matches(target, figure) and (theirs or target["against"] == "-"):
                    verdicts.append(judge_one(target, figure["row"], figure, theirs))
        elif target["row"] in rows:
            mine = by_key.get((target["row"], target["peer"]))
            verdicts.append(judge_one(target, target["row"], mine if mine and matches(target, mine) else None,
                                      by_key.get((target["row"], target["against"]))))
    return verdicts


def make_run(rows, targets, samples):
    """The dictionary of a run, from the files' contents."""
    values, failures, skipped = samples
    for row, _ in values:
        if row not in rows:
            raise Bad(f"no row '{row}' beside the others")
    figures = [figure_of(row, peer, rows[row]["size"], metrics) for (row, peer), metrics in values.items()]
    add_ratios(figures)
    there = {f["row"] for f in figures + failures + skipped}
    pairs = {(f["row"], f["peer"]) for f in figures + failures + skipped}
    # Some runs give the figures of all peers of a row, or fail for the first.
    fails = {f["row"] for f in failures}
    complete = all(row in fails or (row, peer) in pairs for row in rows for peer in rows[row]["peers"])
    return {"figures": figures, "failures": failures, "skipped": skipped, "complete": complete,
            "targets": judge(targets, figures, there),
            "unsteady": [{"row": f["row"], "peer": f["peer"], "spread": f["spread"]}
                         for f in figures if f["counted"] and f["spread"] > REPEATS]}


def compare(old, new):
    """What counts instructions and has moved, as (row, peer, factor), slower first; and how many are in both."""
    before = {(f["row"], f["peer"]): f for f in old["figures"] if f["counted"]}
    moved, both = [], 0
    for figure in new["figures"]:
        past = before.get((figure["row"], figure["peer"]))
        if not past or not figure["counted"]:
            continue
        both += 1
        factor = ratio(figure, past)
        if factor is not None and abs(figure["median"] / past["median"] - 1) > REPEATS:
            moved.append((figure["row"], figure["peer"], factor))
    return sorted(moved, key=lambda m: m[2]), both
