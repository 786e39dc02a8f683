#!/usr/bin/env python3
"""Tests of the selection of points and of the reported figures."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).absolute().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import points  # noqa: E402


def places(found, sweep):
    return [p.at for p in found if p.sweep == sweep]


class PointsTest(unittest.TestCase):
    def test_a_long_context_takes_all(self):
        found, notes = points.sweeps(context=131072, new_tokens=64, experts=7)
        self.assertEqual(places(found, "streams"), [1, 2, 4, 8, 16, 32, 64])
        self.assertEqual(places(found, "prompt"), [128, 256, 512, 1024, 2048, 4096, 8192])
        self.assertEqual(places(found, "expert workers"), [1, 2, 3, 7])
        self.assertEqual(notes, [])

    def test_prompts_end_where_the_context_does_and_a_note_says_so(self):
        found, notes = points.sweeps(context=8192, new_tokens=64, experts=7)
        self.assertEqual(places(found, "prompt")[-2:], [4096, 8128])
        self.assertEqual(len(notes), 1)
        self.assertIn("8,128", notes[0])

    def test_a_short_context_is_measured_once(self):
        found, notes = points.sweeps(context=600, new_tokens=88, experts=7)
        self.assertEqual(places(found, "prompt"), [128, 256, 512])
        self.assertEqual(len(notes), 1)

    def test_no_more_workers_than_experts(self):
        found, notes = points.sweeps(context=131072, new_tokens=64, experts=3)
        self.assertEqual(places(found, "expert workers"), [1, 2, 3])
        self.assertEqual(len(notes), 1)

    def test_figures_by_hand(self):
        first = {"start": 0.0, "prompt_tokens": 10, "tokens": [1.0, 1.5, 2.0, 3.0]}
        second = {"start": 0.0, "prompt_tokens": 10, "tokens": [2.0, 3.0]}
        row = dict(zip(points.HEAD[4:10], points.figures([first, second])))
        self.assertEqual(row["decode tokens/s"], 2)
        self.assertEqual(row["prompt tokens/s"], 10)
        self.assertEqual(row["gap p50 ms"], 750)
        self.assertEqual(row["first token p50 ms"], 1500)


if __name__ == "__main__":
    unittest.main()
