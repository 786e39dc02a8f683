#pragma once

#include "common/thread_pool.h"
#include "kernels/packed_matrix.h"

namespace apollo {

// out[r][o] = sum over i of x[r][i] * w[o][i] (+ bias[o] if bias is given).
//
//   x     [rows, w.inputs()], rows x_stride floats apart
//   bias  [w.outputs()] or null
//   out   [rows, w.outputs()], rows out_stride floats apart; no overlap with x
//
// kF32 and kBF16 weights: each output is one chain of fused multiply-adds over
// i in rising order, from zero.
// kInt8 and kInt4 weights: the activations are rounded to int8 in groups of 32
// (quantized_rows.h), and each output sums over the groups in rising order
// (quantized_panels.h).
//
// The result of a row is bit-identical for any number of rows and threads, and
// depends only on the row; with kInt8 and kInt4 also for any instruction set.
// An input that is not finite makes the results of its row not finite. Each
// pool may be used by one calling thread at a time.
void MatMul(const float* x, int rows, int x_stride, const PackedMatrix& w,
            const float* bias, float* out, int out_stride, ThreadPool& pool);

}  // namespace apollo
