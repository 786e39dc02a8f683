#!/usr/bin/env python3
"""Compares the Debian packages that the images install with those whose libraries the programs link to."""

import functools
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

# Not resolve(), because Bazel's files are links.
LISTS = pathlib.Path(__file__).absolute().parent / "libraries"
PROGRAMS = {  # By the list that an image installs in addition to the common one.
    "router": ["tools/apollo/apollo", "router/router"],
    "worker": ["tools/apollo/apollo", "dense_worker/dense_worker", "expert_worker/expert_worker"],
}


def listed(*names):
    """Returns the packages of lists, each of which may occur once."""
    packages = []
    for name in names:
        lines = (LISTS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        packages += [line for line in lines if not line.startswith("#")]
    assert len(packages) == len(set(packages)), f"a package is listed twice: {packages}"
    return set(packages)


def names_of(dependencies):
    """Returns the package names in a list such as "liba (>= 1), libb"."""
    return {item.split()[0] for item in dependencies.split(",")}


@functools.cache
def providers():
    """Returns the installed packages by their names and by those that they provide."""
    output = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Provides}\n"], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    packages = [line.split("\t") for line in output.splitlines()]
    provided = {name: package for package, names in packages if names for name in names_of(names)}
    return provided | {package: package for package, _ in packages}


def unversioned(programs):
    """Returns the packages of linked libraries without a version, which dpkg-shlibdeps leaves out."""
    headers = subprocess.run(["objdump", "-p", *programs], text=True, check=True, stdout=subprocess.PIPE).stdout
    packages = set()
    for name in set(re.findall(r"NEEDED +(lib\S+\.so)$", headers, re.MULTILINE)):
        owners = subprocess.run(["dpkg-query", "-S", f"*/{name}"], text=True, check=True,
                                stdout=subprocess.PIPE).stdout
        packages.add(owners.split(":")[0])
    return packages


@functools.cache
def needed(image):
    """Returns the packages whose libraries the programs of an image link to directly."""
    programs = [str(pathlib.Path(p).absolute()) for p in PROGRAMS[image]]
    with tempfile.TemporaryDirectory() as folder:
        control = pathlib.Path(folder) / "debian" / "control"
        control.parent.mkdir()
        control.write_text("Source: apollo\n", encoding="utf-8")
        output = subprocess.run(
            ["dpkg-shlibdeps", "-O", "--warnings=0", *programs],
            cwd=folder, text=True, check=True, stdout=subprocess.PIPE).stdout
    names = names_of(output.strip().removeprefix("shlibs:Depends="))
    # A program with gcc's sanitizers also links to theirs.
    names = {providers()[name] for name in names if not re.fullmatch(r"lib[a-z]+san\d+", name)}
    return names | unversioned(programs)


def common():
    """Returns the names of the lists of every image, for the gRPC that the programs have."""
    debian = "libgrpc29" in set.union(*map(needed, PROGRAMS))
    return "common", "grpc_debian" if debian else "grpc_new"


class LibrariesTest(unittest.TestCase):
    def test_every_image_installs_what_its_programs_link_to(self):
        for image in PROGRAMS:
            with self.subTest(image):
                self.assertEqual(sorted(listed(*common(), image)), sorted(needed(image)))

    def test_common_packages_are_those_that_all_images_need(self):
        self.assertEqual(sorted(listed(*common())), sorted(set.intersection(*map(needed, PROGRAMS))))


if __name__ == "__main__":
    sys.exit(unittest.main())
