#!/usr/bin/env python3
"""Tests of the tables of comparisons."""

import pathlib
import sys
import types
import unittest

HERE = pathlib.Path(__file__).absolute().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import comparisons  # noqa: E402
from harness import measure  # noqa: E402


def samples(**medians):
    result = measure.Samples()
    for case, of_case in medians.items():
        for name, values in of_case.items():
            for value in values:
                result.add(comparisons.key(case.replace("_", " "), name), value)
    return result


def row(rows, what):
    return next(dict(zip(comparisons.COMPARISON_HEAD[:1] + ["ours", "our rate", "peer", "peer rate", "ratio",
                                                            "target", "floor", "reached"], r))
                for r in rows if r[0].startswith(what))


class ComparisonTest(unittest.TestCase):
    def test_like_is_compared_with_like(self):
        found = row(comparisons.comparison_rows("demo", samples(decode_1={
            "int8": [150, 100, 90], "int4": [1000], "llama.cpp Q8_0": [80], "llama.cpp Q4_0": [5000]})),
            "decode, 1 stream, int8")
        self.assertEqual((found["ours"], found["peer"], found["ratio"]), ("int8", "llama.cpp Q8_0", 1.25))
        self.assertEqual(found["reached"], "target")

    def test_best_is_compared_with_best(self):
        found = row(comparisons.comparison_rows("demo", samples(decode_8={
            "int8": [100], "bf16": [110], "llama.cpp Q8_0": [90], "llama.cpp Q4_0": [95], "vLLM bf16": [100]})),
            "decode, 8")
        self.assertEqual((found["ours"], found["peer"]), ("bf16", "vLLM bf16"))
        self.assertAlmostEqual(found["ratio"], 1.1)
        self.assertEqual(found["reached"], "floor")

    def test_what_is_missing_is_no_success(self):
        found = row(comparisons.comparison_rows("demo", samples(decode_1={"int8": [1]})), "decode, 1 stream, int8")
        self.assertIsNone(found["ratio"])
        self.assertEqual(found["reached"], "not measured")

    def test_without_one_of_the_peers_nothing_is_reached(self):
        for ours, reached in ((1000, "without llama.cpp Q4_0, vLLM bf16"), (100, "without llama.cpp Q4_0, vLLM bf16"),
                              (10, "MISSED, without llama.cpp Q4_0, vLLM bf16")):
            found = row(comparisons.comparison_rows("demo", samples(decode_8={
                "int8": [ours], "llama.cpp Q8_0": [90]})), "decode, 8")
            self.assertEqual(found["peer"], "llama.cpp Q8_0")
            self.assertEqual(found["reached"], reached)

    def test_verdicts(self):
        self.assertEqual([comparisons.verdict(r, 1.25, 1.0) for r in (1.25, 1.2, 1.0, 0.99, None)],
                         ["target", "floor", "floor", "MISSED", "not measured"])

    def test_every_comparison_names_a_case_and_known_contenders(self):
        for shape in comparisons.COMPARISONS.values():
            for c in shape:
                self.assertIn(c.case, comparisons.CASES)
                self.assertTrue(set(c.ours) <= set(comparisons.OURS))
                self.assertTrue(set(c.peers) <= {*comparisons.BATCH_PEERS, *comparisons.TRANSFORMERS})
                self.assertGreaterEqual(c.target, c.floor)


class LimitTest(unittest.TestCase):
    WHO = types.SimpleNamespace(name="int8", unit="int8", bytes=100, weights={"decode": 50, "prefill": 40})

    def test_one_stream_is_bound_by_memory(self):
        self.assertEqual(comparisons.limit("decode 1", self.WHO, 1000, {"int8": 1e9}), 10)

    def test_many_streams_share_a_step_until_arithmetic_binds(self):
        self.assertEqual(comparisons.limit("decode 8", self.WHO, 1000, {}), 80)
        self.assertEqual(comparisons.limit("decode 32", self.WHO, 1000, {"int8": 20000}), 200)

    def test_prefill_is_bound_by_arithmetic_alone(self):
        self.assertEqual(comparisons.limit("prefill 512", self.WHO, 1000, {"int8": 8000}), 100)
        self.assertIsNone(comparisons.limit("prefill 512", self.WHO, 1000, {"bf16": 8000}))

    def test_rows(self):
        rows = comparisons.limit_rows([self.WHO], samples(decode_1={"int8": [4, 5, 9]}), {"int8": 1000}, {})
        self.assertEqual(rows, [["decode 1", "int8", 5, 4, 9, 10, 50]])


if __name__ == "__main__":
    unittest.main()
