#!/usr/bin/env python3
"""Tests of the bounds, by hand."""

import pathlib
import sys
import unittest

# Not resolve(), because Bazel's files are links.
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent))
sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))

import bound  # noqa: E402

CONFIG = {"hidden_size": 4, "num_attention_heads": 2, "num_key_value_heads": 1, "num_hidden_layers": 3,
          "mlp_only_layers": [0, 1], "intermediate_size": 5, "moe_intermediate_size": 6, "num_experts": 7,
          "num_experts_per_tok": 2, "vocab_size": 11}
ATTENTION = 3 * (16 + 16 + 8 + 8)  # q, o: 4x4; k, v: 4x2.
DENSE, EXPERT, GATE, HEAD = 2 * 3 * 4 * 5, 3 * 4 * 6, 7 * 4, 44
SEVEN_B = {"hidden_size": 3584, "num_attention_heads": 28, "num_key_value_heads": 4, "num_hidden_layers": 28,
           "mlp_only_layers": list(range(26)), "intermediate_size": 18944, "moe_intermediate_size": 18944,
           "num_experts": 7, "num_experts_per_tok": 2, "vocab_size": 152064}


class BoundTest(unittest.TestCase):
    def test_experts_of_a_batch(self):
        self.assertAlmostEqual(bound.distinct_experts(CONFIG, 1), 2)
        self.assertAlmostEqual(bound.distinct_experts(CONFIG, 2), 2 + 2 * 5 / 7)
        self.assertAlmostEqual(bound.distinct_experts(CONFIG, 1000), 7)

    def test_a_decoding_step(self):
        moved, operations = bound.decode_step(CONFIG, 1, 10)
        weights = ATTENTION + DENSE + 2 * EXPERT + GATE + HEAD
        self.assertAlmostEqual(moved, 2 * (weights + 10 * 3 * 2 * 2))  # A token has 2 keys and 2 values in a layer.
        self.assertAlmostEqual(operations, 2 * weights + 4 * 10 * 4 * 3)

    def test_many_streams_read_all_experts_once(self):
        moved, operations = bound.decode_step(CONFIG, 1000, 0)
        self.assertAlmostEqual(moved, 2 * (ATTENTION + DENSE + 7 * EXPERT + GATE + HEAD))
        self.assertAlmostEqual(operations, 1000 * 2 * (ATTENTION + DENSE + 2 * EXPERT + GATE + HEAD))

    def test_a_prompt(self):
        _, operations = bound.prompt(CONFIG, 100)
        self.assertAlmostEqual(operations, 200 * (ATTENTION + DENSE + 2 * EXPERT + GATE) + 2 * HEAD +
                               4 * 4 * 3 * 5050)

    def test_the_larger_of_both_counts(self):
        self.assertEqual(bound.seconds((2e9, 1e12), 1000, 1000), 2e-3)
        self.assertEqual(bound.seconds((2e9, 4e12), 1000, 1000), 4e-3)

    def test_the_published_7b(self):
        # 7.5 billion weights for each token: about 5 ms at 3 TB/s.
        self.assertAlmostEqual(bound.seconds(bound.decode_step(SEVEN_B, 1, 256), 3000, 800), 4.99e-3, delta=5e-5)


if __name__ == "__main__":
    unittest.main()
