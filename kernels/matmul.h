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
// Each output is one chain of fused multiply-adds over i in rising order, from
// zero, whatever the number of rows, threads or the instruction set: a row's
// result depends on nothing but the row. Runs on AVX-512, AVX2 or less, as the
// machine allows.
void MatMul(const float* x, int rows, int x_stride, const PackedMatrix& w,
            const float* bias, float* out, int out_stride, ThreadPool& pool);

}  // namespace apollo
