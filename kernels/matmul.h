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
// i in rising order, from zero. kInt8 and kInt4: the activations are rounded to
// int8 in groups of 32 (quantized_rows.h), and each output sums over the groups
// in rising order (quantized_panels.h). Whatever the number of rows and
// threads, and in these two whatever the instruction set, a row's result is the
// same to the last bit and depends on nothing but the row. A number in a row
// that is not finite makes the row's results so, too. One calling thread at a
// time for each pool.
void MatMul(const float* x, int rows, int x_stride, const PackedMatrix& w,
            const float* bias, float* out, int out_stride, ThreadPool& pool);

}  // namespace apollo
