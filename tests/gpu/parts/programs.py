"""Parts that are tests: GoogleTest programs."""

import json
import os

from .context import FAILED, PASSED, TIMEOUT, Result, failure

# Fields of GoogleTest's files that are not properties recorded by a test.
STANDARD = {"name", "value_param", "type_param", "file", "line", "status", "result", "timestamp", "time", "classname",
            "failures", "skipped"}


def read_report(path):
    """Returns the numbers of tests run, failed and skipped in a file of GoogleTest, and their recorded properties."""
    with open(path, encoding="utf-8") as file:
        suites = json.load(file)["testsuites"]
    cases = [case for suite in suites for case in suite["testsuite"]]
    properties = {}
    for case in cases:
        for name, value in case.items():
            if name not in STANDARD:
                properties[f"{case['name']}: {name}"] = value
    return {"run": sum(case["result"] == "COMPLETED" for case in cases),
            "failed": sum(bool(case.get("failures")) for case in cases),
            "skipped": sum(case["result"] == "SKIPPED" for case in cases)}, properties


def run_test(context, name, program, limit, flags=(), **environment):
    """Runs one program of tests. One whose tests were all skipped, or that has none, has failed."""
    report = os.path.join(context.folder, name + ".json")
    outcome = context.run(name, [context.program(program), f"--gtest_output=json:{report}", *flags], limit,
                          **environment)
    if not os.path.exists(report):
        return failure(outcome)
    counts, properties = read_report(report)
    os.remove(report)
    result = Result(PASSED, f"{counts['run']} tests", properties)
    if outcome.code is None:
        result.status, result.note = TIMEOUT, f"stopped after {outcome.seconds:.0f} s"
    elif outcome.code != 0:
        result.status, result.note = FAILED, f"{counts['failed']} of {counts['run']} tests failed"
    elif counts["run"] == 0:
        result.status, result.note = FAILED, "no test ran"
    elif counts["skipped"]:
        result.note += f", {counts['skipped']} skipped"
    return result


def run_all(context, programs, limit):
    """Runs several programs of tests, and returns one result for all."""
    if not programs:
        return Result(FAILED, "the bundle has none")
    notes, figures, bad = [], {}, []
    end = context.left - limit
    for program in programs:
        name = os.path.basename(program)
        result = run_test(context, name, program, context.left - end)
        figures.update({f"{name}: {key}": value for key, value in result.figures.items()})
        if result.status != PASSED:
            bad.append(result.status)
            notes.append(f"{name}: {result.status}, {result.note}")
    if bad:
        return Result(FAILED if FAILED in bad else bad[0], "; ".join(notes), figures)
    return Result(PASSED, f"{len(programs)} programs", figures)


def kernels(context):
    """Each operation against its reference."""
    return run_all(context, [p for p in context.manifest["programs"]
                             if p.startswith("kernels/cuda/") and p.endswith("_test")], 70)


def stages(context):
    """The stages of layers, against those for processors."""
    return run_all(context, [p for p in context.manifest["programs"]
                             if p.startswith("engine/cuda/") and p.endswith("_test")], 70)


def golden(rows):
    """A golden model through a cluster whose workers share the GPU."""
    def run(context):
        flags = [] if context.on_gpu else ["--gtest_filter=*/wide_1:*/0"]
        return run_test(context, f"golden_{rows}", "tests/gpu/golden_test", 60, flags, APOLLO_TEST_ROWS=rows)
    return run


def faults(rows):
    """Workers that are killed in the middle of an answer."""
    def run(context):
        return run_test(context, f"faults_{rows}", "tests/gpu/faults_test", 45, APOLLO_TEST_ROWS=rows)
    return run
