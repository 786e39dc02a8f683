#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/thread_pool.h"

namespace apollo {

// Rows of activations quantized to int8, in groups of 32 inputs with one
// float32 scale each.
//
// Layout: rows are divided into the smallest number of tiles of at most `tile`
// rows, larger tiles first. Within a tile, the numbers of all rows are
// interleaved by group: [tiles][groups][rows of the tile][32]. Scales and sums
// have the same layout without the 32.
//
// Outliers, which exceed 10 times the mean of |x| of their row, would cost the
// other numbers of their group precision. They are few, and are stored
// separately and unrounded; the groups hold zeros in their place.
//
// The scale of a group is max|x| / 127; its numbers are x / scale, rounded to
// nearest, ties to even. If max|x| is below 2^-100, scale and numbers are zero.
// If a number is not finite, the scale is NaN, and so is every product of the
// row. The last group is padded with zeros. The result depends only on the
// numbers of the row, for any instruction set.
class QuantizedRows {
 public:
  struct Outlier {
    std::int32_t group;
    std::int16_t row;    // Index in its tile.
    std::int16_t input;  // Index in its group.
    float x;
  };

  // Quantizes x [rows, inputs], with a row stride of x_stride floats. Replaces
  // the previous content and reuses its memory.
  void Quantize(const float* x, int rows, int inputs, std::ptrdiff_t x_stride,
                int tile, ThreadPool& pool);

  int rows() const { return rows_; }
  int groups() const { return groups_; }
  int tiles() const { return tiles_; }
  // The number of rows of a tile, and of all rows before it.
  int tile_rows(int tile) const {
    return rows_ / tiles_ + (tile < rows_ % tiles_ ? 1 : 0);
  }
  int first_row(int tile) const {
    const int extra = rows_ % tiles_;
    return tile * (rows_ / tiles_) + (tile < extra ? tile : extra);
  }

  // Sorted by group, then by row.
  std::span<const Outlier> outliers(int tile) const { return outliers_[tile]; }

  // The data of the tile that begins with this row.
  const std::int8_t* numbers(int first_row) const {
    return numbers_.get() + Index(first_row) * 32;
  }
  const float* scales(int first_row) const {
    return scales_.get() + Index(first_row);
  }
  // -128 * (sum of the group's numbers): corrects a dot product with w + 128.
  const std::int32_t* offsets(int first_row) const {
    return offsets_.get() + Index(first_row);
  }
  // scale * (sum of the group's numbers): the factor of a weight minimum.
  const float* sums(int first_row) const {
    return sums_.get() + Index(first_row);
  }

 private:
  std::size_t Index(int first_row) const {
    return static_cast<std::size_t>(first_row) * groups_;
  }

  int rows_ = 0;
  int groups_ = 0;
  int tiles_ = 0;
  std::size_t capacity_ = 0;  // Capacity in groups, over all rows.
  std::unique_ptr<std::int8_t[]> numbers_;
  std::unique_ptr<float[]> scales_;
  std::unique_ptr<std::int32_t[]> offsets_;
  std::unique_ptr<float[]> sums_;
  // [tiles]; further entries are unused.
  std::vector<std::vector<Outlier>> outliers_;
};

}  // namespace apollo
