#!/usr/bin/env python3
"""Proves that the table of layers in bazel/layers.bzl is enforced.

Tries every dependency that the table forbids, between folders and on system
libraries, and expects Bazel to reject it. Then checks every #include, because
the compiler finds all system headers even without a dependency. Changes nothing
in the tree: the trial packages are in a temporary folder.

Usage: tools/check_layers.py [--includes]
  --includes  only check the #includes, which does not need Bazel
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STRANGER = "stranger"  # A folder without permissions.


def read_table():
    """Returns the variables of bazel/layers.bzl, which is valid Python."""
    path = os.path.join(ROOT, "bazel", "layers.bzl")
    table = {}
    with open(path, encoding="utf-8") as file:
        exec(compile(file.read(), path, "exec"), table)  # pylint: disable=exec-used
    return table


def run(*command):
    """Returns the combined standard output and error of a command."""
    done = subprocess.run(command, cwd=ROOT, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.stdout


def libraries_of(folder):
    """Returns the labels of the libraries below a folder."""
    output = subprocess.run(
        ["bazel", "query", "--noshow_progress", f"kind(cc_library, //{folder}/...)"],
        cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL).stdout
    return output.split()


def forbidden_labels(table, user, libraries):
    """Yields the labels that a folder must not depend on."""
    parts = {path for name in table["PARTS"] if user in table["users_of"](name)
             for path in table["PARTS"][name]}
    for folder in table["LAYERS"]:
        # Everyone may use common/.
        if folder == "common" or user in table["users_of"](folder):
            continue
        for label in libraries[folder]:
            package = label[2:].split(":")[0]
            if package not in parts:
                yield label
    for library, (_, users) in table["LIBRARIES"].items():
        if user not in users:
            yield f"//third_party/system:{library}"


def check_visibility(table):
    """Returns (attempts, those that Bazel did not reject)."""
    libraries = {folder: libraries_of(folder) for folder in table["LAYERS"]}
    attempts, packages = [], []
    with tempfile.TemporaryDirectory() as overlay:
        for user in list(table["LAYERS"]) + [STRANGER]:
            lines = []
            for label in forbidden_labels(table, user, libraries):
                name = f"attempt_{len(attempts)}"
                lines.append(f"cc_library(name = '{name}', testonly = True, "
                             f"deps = ['{label}'])")
                attempts.append(f"target '{label}' is not visible from target "
                                f"'//{user}/layer_check:{name}'")
            if lines:
                os.makedirs(os.path.join(overlay, user, "layer_check"))
                path = os.path.join(overlay, user, "layer_check", "BUILD.bazel")
                with open(path, "w", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
                packages.append(f"//{user}/layer_check:all")
        # Without --config=cuda, Bazel skips CUDA targets before it looks at
        # their visibility. Nothing is compiled.
        output = run("bazel", "build", "--nobuild", "--keep_going", "--config=cuda",
                     f"--package_path=%workspace%:{overlay}", *packages)
    return attempts, [a for a in attempts if a not in output], output


def check_includes(table):
    """Yields "file:line: message" for each header that its folder must not include."""
    include = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
    for path in run("git", "ls-files", "*.cc", "*.h", "*.cu", "*.cuh").split():
        folder = path.split("/")[0]
        if folder not in table["LAYERS"]:
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            lines = file.readlines()
        for number, line in enumerate(lines, 1):
            match = include.match(line)
            if not match:
                continue
            header = match.group(1)
            # The longest prefix wins: absl/flags/ before absl/.
            owners = [(len(start), library)
                      for library, (starts, _) in table["LIBRARIES"].items()
                      for start in starts if header.startswith(start)]
            if not owners:
                continue
            library = max(owners)[1]
            if folder not in table["LIBRARIES"][library][1]:
                yield (f"{path}:{number}: {folder}/ must not include <{header}> "
                       f"of {library}")


def main():
    only_includes = sys.argv[1:] == ["--includes"]
    if sys.argv[1:] and not only_includes:
        print(__doc__.strip())
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    table = read_table()
    wrong = list(check_includes(table))
    for line in wrong:
        print(f"WRONG: {line}", file=sys.stderr)
    if not only_includes:
        attempts, accepted, output = check_visibility(table)
        for attempt in accepted:
            print(f"ERROR: Bazel did not report: {attempt}", file=sys.stderr)
        if accepted:
            errors = [line for line in output.splitlines() if "ERROR" in line]
            print("\n".join(errors[:5]), file=sys.stderr)
        if not attempts:
            print(f"{sys.argv[0]}: found nothing to check", file=sys.stderr)
            return 1
        wrong += accepted
        if not wrong:
            print(f"all {len(attempts)} forbidden dependencies are rejected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
