#pragma once

#include <cstddef>

#include "kernels/packed_matrix.h"
#include "kernels/quantized_rows.h"

// Matrix products with kInt8 and kInt4 weights, by instruction set. Used by
// matmul.cc only.
namespace apollo {

struct QuantizedProblem {
  const QuantizedRows& x;
  const PackedMatrix& w;
  const float* bias;  // [outputs] or null
  float* out;         // [rows, outputs], out_stride floats apart
  std::ptrdiff_t out_stride;
};

// Computes all rows for the panels [begin, end) of w. Each output is
// accumulated over the groups in rising order, from zero:
//   acc = fma(dot, scale_w * scale_x, acc), and for int4
//   acc = fma(minimum_w, scale_x * sum_x, acc)
// then over the row's outliers x in rising order of inputs:
//   acc = fma(w, scale_w * x, acc), and for int4 acc = fma(minimum_w, x, acc)
// dot is the exact integer sum(w * x), and each product of scales is rounded to
// float32. All instruction sets therefore give the same bits.
using QuantizedPanels = void (*)(const QuantizedProblem& problem, int begin,
                                 int end);

// For weights of kInt8 if kInt8, else of kInt4.
template <bool kInt8>
void QuantizedPanelsGeneric(const QuantizedProblem& problem, int begin,
                            int end);
// Tiles of up to 4 rows.
template <bool kInt8>
void QuantizedPanelsAvx2(const QuantizedProblem& problem, int begin, int end);
// Tiles of up to 6 rows.
template <bool kInt8>
void QuantizedPanelsVnni(const QuantizedProblem& problem, int begin, int end);

}  // namespace apollo
