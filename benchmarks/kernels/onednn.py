#!/usr/bin/env python3
"""Measures oneDNN matrix products, for comparison with kernel_benchmark: same shapes, same table.

    benchmarks/transformers/setup.sh        # once; its last line is the Python with PyTorch, which includes oneDNN
    PYTHON benchmarks/kernels/onednn.py [--threads 2] [--isa AVX2]

float32 and bf16 are oneDNN's products of prepacked weights. int8 is its dynamically quantised linear layer: one scale
per output and one for all activations, where ours have one per 32 inputs of each.
"""

import argparse
import os
import statistics
import time
import warnings


def measure(function, matrices, seconds):
    """Returns the median time of a call; each uses the next matrix, so that weights come from memory."""
    for matrix in matrices:
        function(matrix)
    times, begin = [], time.perf_counter()
    while time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        for matrix in matrices:
            function(matrix)
        times.append((time.perf_counter() - start) / len(matrices))
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=1536, help="inputs and outputs")
    parser.add_argument("--megabytes", type=int, default=256, help="total size of the matrices per format")
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds per measurement")
    parser.add_argument("--isa", help="highest instruction set for oneDNN, as in ONEDNN_MAX_CPU_ISA, for example AVX2")
    args = parser.parse_args()
    if min(args.threads, args.size, args.megabytes) < 1:
        parser.error("--threads, --size and --megabytes must be at least 1")
    if args.isa:
        os.environ["ONEDNN_MAX_CPU_ISA"] = args.isa
    import torch  # pylint: disable=import-error,import-outside-toplevel
    from torch.utils import mkldnn  # pylint: disable=import-error,import-outside-toplevel
    warnings.filterwarnings("ignore")  # PyTorch warns that its quantised layers will move to another package.
    torch.set_num_threads(args.threads)
    torch.backends.quantized.engine = "onednn"
    n = args.size

    def prepacked(dtype):
        return lambda: mkldnn.to_mkldnn(torch.nn.Linear(n, n, bias=False).eval(), dtype)

    def quantised():
        layer = torch.nn.Sequential(torch.nn.Linear(n, n, bias=False)).eval()
        return torch.ao.quantization.quantize_dynamic(layer, {torch.nn.Linear}, dtype=torch.qint8)

    formats = (("float32", 4, prepacked(torch.float32), torch.float32, True),
               ("bf16", 2, prepacked(torch.bfloat16), torch.bfloat16, True),
               ("int8", 1, quantised, torch.float32, False))
    print(f"PyTorch {torch.__version__}, {args.threads} threads, matrices of {n} x {n}, {args.megabytes} MB per "
          f"format\n{'weights':<10}{'1 row GB/s':>12}{'8 rows GOPS':>14}{'32 rows GOPS':>14}{'512 rows GOPS':>15}")
    with torch.inference_mode():
        for name, width, make, dtype, dense in formats:
            matrices = [make() for _ in range(max(2, (args.megabytes << 20) // (n * n * width)))]
            cells = []
            for rows in (1, 8, 32, 512):
                x = torch.randn(rows, n, dtype=dtype)
                x = x.to_mkldnn() if dense else x
                try:
                    seconds = measure(lambda matrix, x=x: matrix(x), matrices, args.seconds)
                except RuntimeError:  # Not supported with these instructions.
                    cells.append(float("nan"))
                    continue
                cells.append(n * n * width / seconds / 1e9 if rows == 1 else 2 * rows * n * n / seconds / 1e9)
            print(f"{name:<10}{cells[0]:>12.1f}{cells[1]:>14.1f}{cells[2]:>14.1f}{cells[3]:>15.1f}", flush=True)


if __name__ == "__main__":
    main()
