"""The machine: its GPU, the libraries of CUDA, and whether the bundle's programs run there."""

import ctypes
import glob
import os
import re
import shutil
import subprocess
import sys

from .context import PASSED, Result, failure

WANTED = ("libcublas.so.13", "libcublasLt.so.13", "libnccl.so.2")
PROGRAM_HEAD = b"\x7fELF"


def missing_gpu():
    """Returns why no GPU can be used, or an empty string."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        return f"the driver's library cannot be loaded: {error}"
    code = driver.cuInit(0)
    if code != 0:
        return f"cuInit failed with {code}"
    count = ctypes.c_int()
    driver.cuDeviceGetCount(ctypes.byref(count))
    return "" if count.value > 0 else "the driver shows no device"


def nccl_version(path):
    """Returns the version as NCCL counts, for example 22809; 0 if the library cannot be loaded."""
    version = ctypes.c_int()
    try:
        ctypes.CDLL(path).ncclGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return 0
    return version.value


def _places(name):
    """Returns the paths of a library: of the linker, of toolkits, of Python's packages."""
    linker = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        cache = subprocess.run([linker, "-p"], capture_output=True, text=True, check=False).stdout
    except OSError:
        cache = ""
    found = re.findall(rf"^\s*{re.escape(name)} .*=> (\S+)$", cache, re.MULTILINE)
    for pattern in ("/usr/local/cuda*/lib64/", "/usr/local/cuda*/targets/x86_64-linux/lib/"):
        found += sorted(glob.glob(pattern + name))
    for folder in sys.path:
        found += sorted(glob.glob(os.path.join(folder, "nvidia/*/lib", name)))
    return list(dict.fromkeys(found))


def collect_libraries(folder, places=_places, version=nccl_version):
    """Links CUDA's libraries into a folder, and returns their paths by name; the newest NCCL is taken."""
    os.makedirs(folder, exist_ok=True)
    chosen = {}
    for name in WANTED:
        found = places(name)
        if name.startswith("libnccl"):
            found = sorted(found, key=version, reverse=True)
        if found:
            chosen[name] = os.path.realpath(found[0])
            os.symlink(chosen[name], os.path.join(folder, name))
    return chosen


def use_glibc(root, manifest, libraries, here=None):
    """Lets the bundle's programs start on this machine: with its glibc if that is new enough, else with the bundle's.

    Returns which it is. In the latter case each program becomes a script that calls the bundle's loader.
    """
    here = here or os.confstr("CS_GNU_LIBC_VERSION") or "glibc 0.0"
    version = [int(number) for number in here.split()[1].split(".")[:2]]
    if version >= manifest["glibc"]:
        return here
    driver = [os.path.dirname(path) for path in _places("libcuda.so.1")]
    paths = [os.path.join(root, "glibc"), os.path.join(root, "lib"), *libraries, *driver]
    for program in manifest["programs"]:
        path = os.path.join(root, program)
        with open(path, "rb") as file:
            if file.read(4) != PROGRAM_HEAD:
                continue  # Wrapped before.
        os.rename(path, path + ".real")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\nexec '{root}/glibc/ld-linux-x86-64.so.2' --library-path '{':'.join(paths)}' "
                       f"'{path}.real' \"$@\"\n")
        os.chmod(path, 0o755)
    return f"that of the bundle, because {here} is older than {'.'.join(map(str, manifest['glibc']))}"


def _answer(*argv):
    if not shutil.which(argv[0]):
        return "not there"
    out = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return (out.stdout.strip() or out.stderr.strip() or "no answer").splitlines()[-1]


def measured(text):
    """Returns the figures in the output of `kernels/cuda/benchmark bounds`."""
    match = re.search(r"copies (\d+) GB/s, bf16 products (\d+) TFLOPS", text)
    return {"copy GB/s": int(match[1]), "bf16 TFLOPS": int(match[2])} if match else {}


def facts(context):
    """Card, driver, versions; measures copies and matrix products."""
    figures = {
        "GPU, driver, memory": _answer("nvidia-smi", "--query-gpu=name,driver_version,memory.total",
                                       "--format=csv,noheader"),
        "nvcc": _answer("nvcc", "--version"),
        "NCCL": context.figures.pop("NCCL", "not there"),
        "glibc": context.figures.pop("glibc", "unknown"),
        "processors": str(os.cpu_count()),
    }
    outcome = context.run("bounds", [context.program("kernels/cuda/benchmark"), "bounds"], 40)
    figures.update(measured(outcome.text))
    result = Result(PASSED) if outcome.code == 0 and "copy GB/s" in figures else failure(outcome)
    result.figures = figures
    return result
