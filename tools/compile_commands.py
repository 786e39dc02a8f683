#!/usr/bin/env python3
"""Writes compile_commands.json for clangd and clang-tidy.

Usage: tools/compile_commands.py [bazel flags, for example --config=cuda]

The tools find generated headers (*.pb.h) only after `bazel build //...` with the
same flags.
"""

import json
import os
import subprocess
import sys

# Useless for the tools: flags that only gcc knows, Bazel's fixed build time, and
# the names of output files.
DROP = ("-fno-canonical-system-headers", "-D__DATE__", "-D__TIME", "-MD")
DROP_WITH_VALUE = ("-MF", "-o")


def main():
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    flags = sys.argv[1:]
    if flags and flags[0] in ("-h", "--help"):
        print(__doc__.strip())
        return

    def run(*args):
        return subprocess.run(
            ["bazel"] + list(args), cwd=root, check=True, stdout=subprocess.PIPE
        ).stdout.decode()

    # Paths in Bazel's commands are relative to its execution root. They also work
    # from the workspace, except external and bazel-out, which holds generated
    # headers (the link .bazel/out may belong to another configuration).
    output_base = run("info", "output_base", *flags).strip()
    output_path = run("info", "output_path", *flags).strip()

    def absolute(argument):
        if argument.startswith("external/"):
            return os.path.join(output_base, argument)
        # Separate ("bazel-out/x"), or joined with its option ("-Ibazel-out/x").
        return argument.replace("bazel-out/", output_path + "/")

    actions = json.loads(
        run(
            "aquery",
            "--output=jsonproto",
            *flags,
            'mnemonic("CppCompile", //...)',
        )
    ).get("actions", [])

    entries = {}
    for action in actions:
        arguments = []
        source = None
        skip = False
        previous = ""
        for argument in action["arguments"]:
            if previous == "-c":
                source = argument
            if skip:
                skip = False
            elif argument in DROP_WITH_VALUE:
                skip = True
            elif not argument.startswith(DROP):
                arguments.append(absolute(argument))
            previous = argument
        # Only hand-written files of this project, each once.
        if source and not source.startswith(("external/", "bazel-out/")):
            entries[source] = {
                "directory": root,
                "file": source,
                "arguments": arguments,
            }

    if not entries:
        sys.exit("bazel knows no C++ file of this project")
    path = os.path.join(root, "compile_commands.json")
    with open(path, "w") as file:
        json.dump([entries[name] for name in sorted(entries)], file, indent=1)
        file.write("\n")
    print("%d files in compile_commands.json" % len(entries))


if __name__ == "__main__":
    main()
