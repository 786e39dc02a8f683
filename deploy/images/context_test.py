#!/usr/bin/env python3
"""Compares .dockerignore with the folders that the images are built from."""

import pathlib
import sys
import unittest

# Not resolve(), because Bazel's files are links.
ROOT = pathlib.Path(__file__).absolute().parent.parent.parent


def patterns():
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def layers():
    """Returns the folders of bazel/layers.bzl, which is valid Python."""
    table = {}
    exec((ROOT / "bazel" / "layers.bzl").read_text(encoding="utf-8"), table)  # pylint: disable=exec-used
    return set(table["LAYERS"])


class ContextTest(unittest.TestCase):
    def test_nothing_is_included_unless_it_is_listed(self):
        self.assertEqual(patterns()[0], "*")

    def test_the_listed_folders_are_the_layers_and_what_builds_them(self):
        included = {line[1:] for line in patterns() if line.startswith("!")}
        files = {".bazelignore", ".bazelrc", "BUILD.bazel", "LICENSE", "WORKSPACE"}
        self.assertEqual(sorted(included - files), sorted(layers() | {"bazel", "deploy/images", "third_party", "tools"}))


if __name__ == "__main__":
    sys.exit(unittest.main())
