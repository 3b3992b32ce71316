# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""What a run of the benchmark says: samples become figures, ratios, and targets that are held or not.

A run is a dictionary, the content of bench.json. Each of its "figures" is of one row on one peer: the samples, their
median and spread (their range, divided by the median) of the row's metric; what else was measured is in "more".
"""
import fnmatch
import math
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
    rows = {}
    for name, size, count, slow, options, peers in table(path, 6):
        if not all(number.isdecimal() for number in (size, count, slow)):
            raise Bad(f"{path}: {name}: '{size}', '{count}' and '{slow}' should be whole numbers")
        rows[name] = {"size": int(size), "count": int(count), "slow": int(slow), "options": options, "peers": peers.split(",")}
    return rows


def number(text):
    """ValueError if it is none, or infinite."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def read_targets(path):
    targets = [dict(zip(("row", "metric", "peer", "against", "is", "factor"), fields)) for fields in table(path, 6)]
    for target in targets:
        try:
            target["factor"] = number(target["factor"])
        except ValueError:
            raise Bad(f"{path}: {target['row']}: '{target['factor']}' is no factor") from None
        if target["is"] not in COMPARE or target["metric"] not in ("rate", "bandwidth", "median", "instructions"):
            raise Bad(f"{path}: {target['row']}: unknown metric or comparison")
    return targets


def add_sample(values, row, peer, fields):
    """All of a line's metrics, or ValueError and none."""
    samples = [(name, number(value)) for name, value in (field.split("=") for field in fields)]
    if not {"rate", "instructions", "median"} & {name for name, _ in samples}:
        raise ValueError(fields)
    metrics = values.setdefault((row, peer), {})
    for name, value in samples:
        metrics.setdefault(name, []).append(value)


def read_samples(path):
    """Returns {(row, peer): {metric: [value, ...]}} in order of appearance, the failures, and what was left out."""
    values, failures, skipped = {}, [], []
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            kind, *fields = line.rstrip("\n").split("\t")
            if kind == "SAMPLE" and len(fields) >= 3:
                try:
                    # Who dies in the middle of a line leaves half a number.
                    if not line.endswith("\n"):
                        raise ValueError(line)
                    add_sample(values, *fields[:2], fields[2:])
                except ValueError:
                    failures.append({"row": fields[0], "peer": fields[1], "why": f"is no sample: {' '.join(fields[2:])}"})
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


def metric_of(row):
    """What its figures are."""
    return {"latency": "median", "chunk": "instructions"}.get(row.split("/")[0], "rate")


def is_about(target, name, row):
    """Whether the target is about this row of rows.tsv."""
    if target["metric"] == "bandwidth":
        metric, least = "rate", BANDWIDTH
    else:
        metric, least = target["metric"], 0
    return (fnmatch.fnmatchcase(name, target["row"]) and metric == metric_of(name) and row["size"] >= least and
            target["peer"] in row["peers"] and target["against"] in ("-", *row["peers"]))


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
    by_key = {(f["row"], f["peer"]): f for f in figures if f["metric"] == metric_of(f["row"])}
    return [judge_one(target, name, by_key.get((name, target["peer"])), by_key.get((name, target["against"])))
            for target in targets for name, row in rows.items() if is_about(target, name, row)]


def make_run(rows, chosen, targets, samples):
    """The dictionary of a run, from the files' contents: all rows, and those of them, with their peers, that were run."""
    values, failures, skipped = samples
    for row in [*chosen, *(row for row, _ in values)]:
        if row not in rows:
            raise Bad(f"no row '{row}' beside the others")
    for target in targets:
        if not any(is_about(target, name, row) for name, row in rows.items()):
            raise Bad(f"target {target['row']}, {target['metric']} of {target['peer']} over {target['against']}: there is no such row")
    figures = [figure_of(row, peer, rows[row]["size"], metrics) for (row, peer), metrics in values.items()]
    add_ratios(figures)
    pairs = {(f["row"], f["peer"]) for f in figures + failures + skipped}
    # Some runs give the figures of all peers of a row, or fail for the first.
    fails = {f["row"] for f in failures}
    complete = all(row in fails or (row, peer) in pairs for row in rows for peer in rows[row]["peers"])
    failures = failures + [{"row": row, "peer": peer, "why": "has given no line"}
                           for row in chosen for peer in chosen[row]["peers"] if (row, peer) not in pairs]
    return {"figures": figures, "failures": failures, "skipped": skipped, "complete": complete,
            "targets": judge(targets, figures, {name: rows[name] for name in chosen}),
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
