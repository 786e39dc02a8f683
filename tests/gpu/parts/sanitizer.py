"""compute-sanitizer over the tests of the kernels."""

import glob
import os
import re
import shutil

from .context import FAILED, PASSED, SKIPPED, TIMEOUT, Result

LIMIT = 60
FOUND = 99  # The exit code for errors that it found.
REFUSALS = ("Device not supported", "not supported on this", "Unable to find injection", "requires a debugger",
            "ERR_NVGPUCTRPERM")
# The first lines of what it finds, which it prints at once, while the exit code comes at the end.
FINDINGS = re.compile(r"^=+ (Error: Race|Invalid|Misaligned|Out-of-range|Program hit|Uninitialized)", re.MULTILINE)
# The tools that find races are slow: only where threads of a block share memory.
RUNS = [("memcheck", "rows_test"), ("memcheck", "sampling_test"), ("memcheck", "experts_test"),
        ("racecheck", "rows_test"), ("memcheck", "product_test"), ("memcheck", "attention_test"),
        ("racecheck", "attention_test")]


def find():
    """Returns the path of the program, or None."""
    places = [shutil.which("compute-sanitizer"), *sorted(glob.glob("/usr/local/cuda*/bin/compute-sanitizer")),
              *sorted(glob.glob("/opt/nvidia/*/compute-sanitizer/compute-sanitizer"))]
    return next((path for path in places if path), None)


def verdict(code, text):
    """Returns passed, FAILED, SKIPPED or TIMEOUT for one run, and why."""
    refusal = next((r for r in REFUSALS if r in text), None)
    if refusal:
        return SKIPPED, f"refused: {refusal}"
    if code is None:
        return (FAILED, "errors found") if FINDINGS.search(text) else (TIMEOUT, "no error until it was stopped")
    if code == 0:
        return PASSED, ""
    return FAILED, "errors found" if code == FOUND else f"exit code {code}"


def run(context):
    """Bad memory accesses and races in kernels."""
    program = find()
    if not program:
        return Result(SKIPPED, "compute-sanitizer is not there")
    end = context.left - LIMIT
    seen, figures = set(), {}
    for tool, test in RUNS:
        if context.left - end < 5:
            figures[f"{tool} {test}"] = "no time left"
            seen.add(TIMEOUT)
            continue
        outcome = context.run(f"{tool}_{test}", [
            program, "--tool", tool, "--error-exitcode", str(FOUND), "--print-limit", "20",
            context.program(f"kernels/cuda/{test}")], min(25, context.left - end))
        status, why = verdict(outcome.code, outcome.text)
        figures[f"{tool} {test}"] = f"{status}, {outcome.seconds:.0f} s" + (f": {why}" if why else "")
        seen.add(status)
        if status == SKIPPED:
            return Result(SKIPPED, why, figures)
    worst = next((s for s in (FAILED, TIMEOUT) if s in seen), PASSED)
    return Result(worst, "" if worst == PASSED else f"see the figures and {os.path.basename(program)}'s logs", figures)
