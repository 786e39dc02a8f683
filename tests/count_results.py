#!/usr/bin/env python3
"""Counts passed and failed test targets in Bazel's build event files.

Usage: tests/count_results.py FILE...   (.txt: lines "PASSED name", "FAILED name")

Prints the names of failed targets and of flaky ones (passed at a later attempt only:
each is a fault, of the test or of what it tests), then "N passed, N failed". A test
that could not be built counts as failed; a flaky one as passed; one that does not apply
to this machine does not count. The exit code is 1 if a target failed or there was none.
"""

import json
import sys


def results(path):
    """Yields (label, "PASSED", "FLAKY" or another status) for each test target."""
    if path.endswith(".txt"):
        with open(path, encoding="utf-8") as file:
            for line in file:
                status, label = line.split()
                yield label, status
        return
    wanted = set()
    skipped = set()
    status = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            event = json.loads(line)
            name, ident = next(iter(event["id"].items()), ("", {}))
            label = ident.get("label")
            if name == "targetConfigured":
                if event.get("configured", {}).get("targetKind", "").endswith("_test rule"):
                    wanted.add(label)
            elif name == "testSummary":
                status[label] = event.get("testSummary", {}).get("overallStatus")
            if event.get("aborted", {}).get("reason") == "SKIPPED":
                skipped.add(label)
    for label in sorted(wanted - skipped):
        yield label, status.get(label)


def main():
    passed = failed = 0
    for path in sys.argv[1:]:
        try:
            for label, status in results(path):
                if status == "FLAKY":
                    print("FLAKY: %s" % label)
                if status in ("PASSED", "FLAKY"):
                    passed += 1
                else:
                    failed += 1
                    print("FAILED: %s" % label)
        except (OSError, ValueError) as error:
            failed += 1
            print("FAILED: no results of Bazel: %s" % error)
    print("%d passed, %d failed" % (passed, failed))
    sys.exit(0 if passed and not failed else 1)


if __name__ == "__main__":
    main()
