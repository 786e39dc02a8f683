#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <cstdint>

#include "kernels/weight_format.h"

// Packing of weight matrices on the host into the layout of the GPU's products
// (weight_index.h). Needs no CUDA.
namespace apollo::cuda {

// The shape of a packed matrix W [outputs, inputs].
struct PackedShape {
  int outputs = 0;
  int inputs = 0;
  WeightFormat format = WeightFormat::kBF16;
  // The outputs are `outputs / 2` gates and as many ups of a SwiGLU MLP. Their
  // rows are interleaved in groups of 8, so that one thread holds a gate and
  // its up. Row indices below are those of the matrix: gates first, then ups.
  bool paired = false;
};

// Returns INVALID_ARGUMENT, with the number and its limits, if the products
// cannot use a matrix of this shape: inputs must be a multiple of 32, outputs
// from 1 to 1048560 (with `paired`, a multiple of 16), and the format bf16,
// int8 or int4.
absl::Status CheckPackedShape(const PackedShape& shape);

// Returns the bytes of the packed matrix. Requires a valid shape.
std::size_t PackedBytes(const PackedShape& shape);

// Sets the padding of the last tile. Call it once, before or after the rows are
// set. packed: [PackedBytes]
void ClearPadding(const PackedShape& shape, void* packed);

// Stores rows [first, first + count) of W, given as `rows` [count, inputs].
// Float32 rows are rounded to the format (bf16 to nearest even; int8 and int4
// as QuantizeGroup does); bf16 rows are stored unchanged in a bf16 matrix.
// Different rows may be set from different threads concurrently.
void PackRows(const PackedShape& shape, int first, int count, const float* rows,
              void* packed);
void PackBf16Rows(const PackedShape& shape, int first, int count,
                  const std::uint16_t* rows, void* packed);

// Writes row `output` to `row` [inputs] as float32. For tests.
void UnpackRow(const PackedShape& shape, const void* packed, int output,
               float* row);

}  // namespace apollo::cuda
