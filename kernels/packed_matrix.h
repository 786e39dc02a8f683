#pragma once

#include <cstddef>
#include <cstdint>

#include "common/aligned_buffer.h"
#include "kernels/weight_format.h"

namespace apollo {

// A weight matrix W [outputs, inputs], stored for MatMul in panels of adjacent
// outputs. Incomplete panels and groups are padded, which does not change
// results.
//
//   kF32   [panels of 16][inputs][16]
//   kBF16  [panels of 16][pairs of inputs][16][2]
//   kInt8  [panels of 32][groups] blocks of 1088 bytes:
//          [8][32][4] bytes w + 128 for output o and input 4v + j at [v][o][j],
//          [32] scales; the number is w * scale, w from -127 to 127
//   kInt4  [panels of 32][groups] blocks of 640 bytes:
//          [4][32][4] bytes: inputs 4v + j in the low and 16 + 4v + j in the
//          high halves, [32] scales, [32] minima; the number is w * scale +
//          minimum, w from 0 to 15
//
// Fill it with SetRows, then treat it as immutable.
class PackedMatrix {
 public:
  // Outputs per panel: of kF32 and kBF16, and of kInt8 and kInt4.
  static constexpr int kPanel = 16;
  static constexpr int kQuantizedPanel = 32;

  PackedMatrix() = default;
  PackedMatrix(int outputs, int inputs, WeightFormat format);

  // Returns a matrix that refers to external memory, which must outlive it:
  // Bytes() bytes, aligned to 64, with the content of another matrix's data().
  // SetRows must not be called on it.
  static PackedMatrix View(int outputs, int inputs, WeightFormat format,
                           const void* data);

  // Returns the size of such a matrix in bytes.
  static std::size_t Bytes(int outputs, int inputs, WeightFormat format);

  // Stores rows [first, first + count) of W from `rows` [count, inputs],
  // rounded to the format (bf16: to nearest, ties to even; int8 and int4: see
  // QuantizeGroup). Different rows may be set from different threads
  // concurrently.
  void SetRows(int first, int count, const float* rows);

  // Writes the stored row to `row` [inputs] as float32.
  void GetRow(int output, float* row) const;

  int outputs() const { return outputs_; }
  int inputs() const { return inputs_; }
  int panel_size() const {
    return IsQuantized(format_) ? kQuantizedPanel : kPanel;
  }
  int panels() const { return (outputs_ + panel_size() - 1) / panel_size(); }
  int groups() const { return (inputs_ + kGroup - 1) / kGroup; }
  WeightFormat format() const { return format_; }
  std::size_t bytes() const { return Bytes(outputs_, inputs_, format_); }

  const std::uint8_t* data() const { return data_; }
  const float* f32() const { return reinterpret_cast<const float*>(data_); }
  const std::uint16_t* bf16() const {
    return reinterpret_cast<const std::uint16_t*>(data_);
  }

 private:
  void SetRow(int output, const float* row);
  // Returns the block that holds an output's group, in a quantized format.
  const std::uint8_t* block(int output, int group) const;

  int outputs_ = 0;
  int inputs_ = 0;
  WeightFormat format_ = WeightFormat::kF32;
  AlignedBuffer buffer_;  // Empty in a view.
  // Points into buffer_, or to external memory.
  const std::uint8_t* data_ = nullptr;
};

}  // namespace apollo
