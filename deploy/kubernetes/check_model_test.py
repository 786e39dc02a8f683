#!/usr/bin/env python3
"""Tests base/check_model.sh.

Usage: check_model_test.py [unittest's arguments]
"""

import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).absolute().parent / "base" / "check_model.sh"


class CheckModelTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.model = pathlib.Path(folder.name) / "model"
        self.list = pathlib.Path(folder.name) / "SHA256SUMS"
        (self.model / "parts").mkdir(parents=True)
        for name in ("config.json", "model.safetensors", "parts/a b.json"):
            (self.model / name).write_text(name)
        (self.model / "lost+found").mkdir()  # Of file systems.
        self.write_list()

    def write_list(self):
        """As docs/kubernetes.md says."""
        text = subprocess.run("find . -type f -print0 | xargs -0 sha256sum", shell=True, cwd=self.model, check=True,
                              stdout=subprocess.PIPE, text=True).stdout
        self.list.write_text(text)

    def check(self, *options):
        result = subprocess.run(["sh", SCRIPT, self.model, self.list, *options], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, check=False)
        return result.returncode, result.stdout, result.stderr

    def test_the_same_files_pass(self):
        self.assertEqual(self.check(), (0, "3 files are those of the list\n", ""))
        self.assertEqual(self.check("--without-weights")[0], 0)

    def test_lists_of_the_other_forms_of_sha256sum_pass(self):
        self.list.write_text(self.list.read_text().replace("  ./", " *"))
        self.assertEqual(self.check()[0], 0)

    def test_a_changed_file_is_named(self):
        (self.model / "config.json").write_text("other")
        code, _, error = self.check()
        self.assertEqual(code, 1)
        self.assertIn("config.json", error)

    def test_changed_weights_matter_unless_they_are_left_out(self):
        (self.model / "model.safetensors").write_text("other")
        self.assertEqual(self.check()[0], 1)
        self.assertEqual(self.check("--without-weights")[0], 0)

    def test_missing_and_further_files_are_named(self):
        (self.model / "families.txt").write_text("")
        code, _, error = self.check("--without-weights")
        self.assertEqual(code, 1)
        self.assertIn("families.txt", error)
        (self.model / "families.txt").unlink()
        (self.model / "model.safetensors").unlink()
        self.assertEqual(self.check("--without-weights")[0], 1)

    def test_links_to_files_that_are_not_listed_are_found(self):
        (self.model / "tokenizer.json").symlink_to(self.list)
        self.assertEqual(self.check()[0], 1)

    def test_a_list_of_another_form_fails(self):
        self.list.write_text("no hash  config.json\n")
        self.assertEqual(self.check()[0], 1)
        self.list.write_text("")
        self.assertIn("missing or empty", self.check()[2])
        self.list.unlink()
        self.assertIn("missing or empty", self.check()[2])

    def test_no_model_fails(self):
        result = subprocess.run(["sh", SCRIPT, "/nowhere", self.list], stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr),
                         (1, 'check_model.sh: "/nowhere" is not a directory\n'))


if __name__ == "__main__":
    unittest.main()
