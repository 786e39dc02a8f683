#!/usr/bin/env python3
"""Packs built programs, the libraries that they need and the data of tests/gpu/run.sh into one file.

    pack.py --bin DIR --out FILE (--events FILE | PROGRAM...)

PROGRAM is a path below DIR, such as router/router. --events names a file of Bazel's build events instead: all programs
that it says were built. The file has the programs (stripped) and data under their paths in the repository, shared
libraries in lib/, those of glibc in glibc/ (for machines with an older one), and manifest.json. Libraries of CUDA and
NCCL are left out: the machine with the GPU has them. Fails if the file has --most megabytes or more.
"""

import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = ["tests/golden/wide/*", "tests/golden/rope_yarn/*", "tests/gpu/*.py", "tests/gpu/parts/*.py",
        "tests/gpu/run.sh", "deploy/local/cluster.py", "deploy/local/launch/*.py", "benchmarks/harness/*.py", "benchmarks/gpu/*.py"]
GLIBC = re.compile(r"(ld-linux-x86-64|lib(c|m|dl|pthread|rt|resolv|util|nsl|anl|BrokenLocale))\.so\.\d+")
CUDA = re.compile(r"lib(cuda|cudart|cublas\w*|nccl|nv\w*)\.so\.\d+")
MANIFEST = "manifest.json"


class Mistake(Exception):
    """Ends the script with its message."""


def built_programs(events):
    """Returns the paths of the programs that a build has made; events: the lines of its file of events."""
    kinds, built = {}, []
    for line in events:
        event = json.loads(line)
        name, ident = next(iter(event["id"].items()), ("", {}))
        if name == "targetConfigured":
            kinds[ident["label"]] = event.get("configured", {}).get("targetKind", "")
        elif name == "targetCompleted" and event.get("completed", {}).get("success"):
            built.append(ident["label"])
    programs = {label for label in built if kinds.get(label) in ("cc_binary rule", "cc_test rule")}
    return sorted(label.removeprefix("//").replace(":", "/") for label in programs)


def libraries(program):
    """Returns the shared libraries of a program, by name. Raises Mistake for one that is not there."""
    out = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    found = {}
    for line in out.splitlines():
        name, _, path = line.strip().partition(" => ")
        name, path = os.path.basename(name.split(" (")[0]), path.split(" (")[0] or line.split(" (")[0].strip()
        if path == "not found" and not CUDA.fullmatch(name):
            raise Mistake(f"{program} needs {name}, which is not installed")
        if os.path.isabs(path):
            found[name] = path
    return found


def needed_glibc(paths):
    """Returns the lowest version of glibc that has all symbols that the files need, as (2, minor)."""
    minors = [0]
    for path in paths:
        with open(path, "rb") as file:
            minors += map(int, re.findall(rb"GLIBC_2\.(\d+)\b", file.read()))
    return [2, max(minors)]


def collect(binaries, programs, folder):
    """Copies everything below a folder, and returns the manifest."""
    ours, glibc = {}, {}
    for program in programs:
        source, target = os.path.join(binaries, program), os.path.join(folder, program)
        if not os.path.exists(source):
            raise Mistake(f"{source} is not there; tests/gpu/bundle.sh builds it")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        subprocess.run(["strip", "-o", target, os.path.realpath(source)], check=True)
        os.chmod(target, 0o755)
        for name, path in libraries(source).items():
            if GLIBC.fullmatch(name):
                glibc[name] = path
            elif not CUDA.fullmatch(name):
                ours[name] = path
    for name, files in (("lib", ours), ("glibc", glibc)):
        os.makedirs(os.path.join(folder, name))
        for library, path in files.items():
            shutil.copyfile(os.path.realpath(path), os.path.join(folder, name, library))
    loader = os.path.join(folder, "glibc/ld-linux-x86-64.so.2")
    if os.path.exists(loader):
        os.chmod(loader, 0o755)
    for pattern in DATA:
        for source in glob.glob(os.path.join(ROOT, pattern)):
            target = os.path.join(folder, os.path.relpath(source, ROOT))
            if os.path.isfile(source) and not target.endswith("_test.py"):
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copy(os.path.realpath(source), target)
    copies = [os.path.join(folder, p) for p in programs] + [os.path.join(folder, "lib", n) for n in ours]
    return {"programs": programs, "glibc": needed_glibc(copies), "revision": revision()}


def revision():
    out = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True,
                         check=False)
    return out.stdout.strip() or "unknown"


def pack(folder, out, most, preset):
    """Writes the file, and returns its size in megabytes. Raises Mistake, and removes it, if it is too large."""
    with tarfile.open(out, "w:xz", preset=preset) as archive:
        archive.add(folder, arcname=".")
    megabytes = os.path.getsize(out) / 1e6
    if megabytes >= most:
        os.remove(out)
        raise Mistake(f"the bundle has {megabytes:.1f} MB; it must have less than {most}")
    return megabytes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", required=True, metavar="DIR", help="folder of the built programs")
    parser.add_argument("--out", required=True, metavar="FILE", help="a name that ends with .tar.xz")
    parser.add_argument("--events", metavar="FILE", help="build events of Bazel, as JSON")
    parser.add_argument("--most", type=float, default=48, metavar="MB")
    parser.add_argument("--preset", type=int, default=9, choices=range(10), metavar="N",
                        help="of xz; 0 is fastest; 9 finds kernels that several programs have")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM")
    args = parser.parse_args()
    if bool(args.programs) == bool(args.events):
        parser.error("give either programs or --events")
    programs = args.programs
    if args.events:
        with open(args.events, encoding="utf-8") as file:
            programs = built_programs(file)
    if not programs:
        raise Mistake(f"{args.events} names no programs that were built")
    with tempfile.TemporaryDirectory() as folder:
        manifest = collect(args.bin, programs, folder)
        with open(os.path.join(folder, MANIFEST), "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=1)
        megabytes = pack(folder, args.out, args.most, args.preset)
    print(f"{args.out}: {megabytes:.1f} MB, {len(programs)} programs, needs glibc "
          f"{'.'.join(map(str, manifest['glibc']))}, revision {manifest['revision']}")


if __name__ == "__main__":
    try:
        main()
    except Mistake as mistake:
        sys.exit(f"pack.py: {mistake}")
