#pragma once

#include <cstddef>
#include <cstdint>

#include "common/aligned_buffer.h"

namespace apollo {

// How the numbers of a weight matrix are stored in memory. Arithmetic is float32
// whatever the format.
enum class WeightFormat { kF32, kBF16 };

// A weight matrix W [outputs, inputs], stored for MatMul: panels of 16 outputs,
// within a panel input by input, so that 16 neighbouring numbers are the weights
// of 16 outputs for one input: [panels][inputs][16]. The outputs that the last
// panel lacks are zeros. Fill it with SetRows, then treat it as immutable.
class PackedMatrix {
 public:
  static constexpr int kPanel = 16;

  PackedMatrix() = default;
  PackedMatrix(int outputs, int inputs, WeightFormat format);

  // Stores rows [first, first + count) of W from `rows`  // [count, inputs]
  // rounding to the format (bf16: to nearest, ties to even). Different rows may
  // be set from different threads at once if `first` is a multiple of 16 in each.
  void SetRows(int first, int count, const float* rows);

  // The row as float32, as it is stored. `row` has room for `inputs` numbers.
  void GetRow(int output, float* row) const;

  int outputs() const { return outputs_; }
  int inputs() const { return inputs_; }
  int panels() const { return (outputs_ + kPanel - 1) / kPanel; }
  WeightFormat format() const { return format_; }
  std::size_t bytes() const { return data_.bytes(); }

  const float* f32() const { return data_.as<float>(); }
  const std::uint16_t* bf16() const { return data_.as<std::uint16_t>(); }

 private:
  int outputs_ = 0;
  int inputs_ = 0;
  WeightFormat format_ = WeightFormat::kF32;
  AlignedBuffer data_;
};

}  // namespace apollo
