#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
"""Runs rdma-core's pyverbs suite, and twins of ours of some of its tests, in the protocol of docs/testing.md.

    run.py --suite DIR --dev NAME --label LABEL [--only PATTERN]... [--without PATTERN]... [--skips FILE]

DIR holds the suite as Debian's python3-pyverbs ships it, unpacked, in DIR/tests. A line is printed for every test
that passed or failed; a test that skips itself fails, unless FILE expects it: those are counted in one line.
FILE: pattern of test names, pattern of what the test says, reason; separated by tabs; # for comments. Skips whose
reason begins with "missing: " are told, a SKIP line a reason. A line that no test has needed fails too when
--all-needed is given.
"""
import argparse
import collections
import fnmatch
import importlib
import os
import signal
import sys
import time
import unittest

LIMIT = 120 * int(os.environ.get('BERTH_SLOW', '1'))


class Overdue(Exception):
    """The test has not come to an end."""


def overdue(signum, frame):
    raise Overdue(f'no end after {LIMIT} s')


def one_line(text):
    return '; '.join(line.strip() for line in text.strip().splitlines() if line.strip())


class Skips:
    """What may be skipped, and why."""

    def __init__(self, path):
        self.entries = []
        self.needed = set()
        with open(path, encoding='utf-8') as f:
            for line in f:
                line = line.rstrip('\n')
                if line and not line.startswith('#'):
                    name, said, reason = line.split('\t')
                    assert reason, f'{path}: no reason for {name}'
                    self.entries.append((name, said, reason))

    def reason(self, name, said):
        """Why this skip is expected; None: it is not."""
        for entry in self.entries:
            if fnmatch.fnmatchcase(name, entry[0]) and fnmatch.fnmatchcase(said, entry[1]):
                self.needed.add(entry)
                return entry[2]
        return None

    def not_needed(self):
        return [entry for entry in self.entries if entry not in self.needed]


class Protocol(unittest.TestResult):
    """Prints a line a test."""

    def __init__(self, label, skips):
        super().__init__()
        self.label, self.skips = label, skips
        self.passed = self.failed = self.skipped = 0
        self.missing = collections.Counter()

    def name(self, test):
        return test.id().removeprefix('tests.').removeprefix('twins.')

    def say(self, word, test, why=''):
        print(f'{word} {self.label}/{self.name(test)}' + (f': {why}' if why else ''), flush=True)

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(LIMIT)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def addSuccess(self, test):
        self.passed += 1
        self.say('PASS', test)

    def failure(self, test, err):
        self.failed += 1
        print(self._exc_info_to_string(err, test), flush=True)
        self.say('FAIL', test, one_line(f'{err[0].__name__}: {err[1]}'))

    def addFailure(self, test, err):
        self.failure(test, err)

    def addError(self, test, err):
        self.failure(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.failure(test, err)

    def addSkip(self, test, reason):
        reason = one_line(reason)
        why = self.skips.reason(self.name(test), reason)
        if why and why.startswith('missing: '):
            self.missing[why.removeprefix('missing: ')] += 1
        elif why:
            self.skipped += 1
            print(f'expected skip: {self.name(test)}: {reason}', flush=True)
        else:
            self.failed += 1
            self.say('FAIL', test, f'skipped itself: {reason}')


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def load(suite_dir):
    """All tests of the suite and of twins.py. The suite's modules import each other as tests.NAME."""
    sys.path[:0] = [suite_dir, os.path.join(suite_dir, 'tests')]
    from args_parser import parser
    parser.parse_args()
    loader = unittest.TestLoader()
    names = sorted(f[:-3] for f in os.listdir(os.path.join(suite_dir, 'tests'))
                   if f.startswith('test_') and f.endswith('.py'))
    modules = [importlib.import_module('tests.' + name) for name in names]
    modules.append(importlib.import_module('twins'))
    return [t for m in modules for t in flatten(loader.loadTestsFromModule(m))]


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--suite', required=True)
    p.add_argument('--label', required=True)
    p.add_argument('--only', action='append')
    p.add_argument('--without', action='append', default=[])
    p.add_argument('--at-least', type=int, default=1)
    p.add_argument('--all-needed', action='store_true')
    p.add_argument('--skips', default=os.path.join(os.path.dirname(__file__), '../70-pyverbs.skips'))
    args, rest = p.parse_known_args()
    sys.argv[1:] = rest
    signal.signal(signal.SIGALRM, overdue)
    skips = Skips(args.skips)
    result = Protocol(args.label, skips)
    began = time.monotonic()
    for test in load(args.suite):
        name = result.name(test)
        if ((not args.only or any(fnmatch.fnmatchcase(name, o) for o in args.only)) and
                not any(fnmatch.fnmatchcase(name, w) for w in args.without)):
            test(result)
    print(f'{result.passed} passed, {result.failed} failed, {result.skipped} skipped as expected, '
          f'{time.monotonic() - began:.1f} s')
    if result.passed < args.at_least:
        print(f'FAIL {args.label}/passed: only {result.passed} tests passed, at least {args.at_least} should')
        return 1
    if args.all_needed:
        for name, said, _ in skips.not_needed():
            print(f'FAIL {args.label}/skips: no test {name} skips itself saying {said} any more: drop the line')
            result.failed += 1
    for feature, n in result.missing.items():
        print(f'SKIP {args.label}/missing/{feature.replace(" ", "_")}: {n} tests')
    if result.skipped:
        print(f'PASS {args.label}/{result.skipped}_skips_expected')
    return 1 if result.failed else 0


if __name__ == '__main__':
    sys.exit(main())
