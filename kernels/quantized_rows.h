#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/thread_pool.h"

namespace apollo {

// Rows of activations in int8, in groups of 32 inputs with a float32 scale
// each, laid out for tiles of neighbouring rows: rows are dealt out to as few
// tiles of at most `tile` rows as there can be, tall ones first, and within a
// tile all rows' numbers of one group lie together: [tiles][groups][rows of the
// tile][32], scales and sums likewise without the 32.
//
// Numbers that are much larger than the rest of their row (10 times the mean of
// |x|) would take the precision from all others in their group. There are few;
// these outliers are kept as they are, beside the rest, where they are zeros.
//
// A group's scale is max|x| / 127 and its numbers are x / scale to nearest,
// ties to even. Below 2^-100 max|x| counts as zero: scale and numbers are zero.
// If a number is not finite, the scale is NaN, and so is every product of the
// row. Inputs that the last group lacks are zeros. The result depends on
// nothing but the row's numbers, whatever the instruction set.
class QuantizedRows {
 public:
  struct Outlier {
    std::int32_t group;
    std::int16_t row;    // In its tile.
    std::int16_t input;  // In its group.
    float x;
  };

  // x: [rows, inputs], rows x_stride floats apart. Overwrites what was there,
  // keeping its memory.
  void Quantize(const float* x, int rows, int inputs, std::ptrdiff_t x_stride,
                int tile, ThreadPool& pool);

  int rows() const { return rows_; }
  int groups() const { return groups_; }
  int tiles() const { return tiles_; }
  // Rows of a tile, and those before it.
  int tile_rows(int tile) const {
    return rows_ / tiles_ + (tile < rows_ % tiles_ ? 1 : 0);
  }
  int first_row(int tile) const {
    const int extra = rows_ % tiles_;
    return tile * (rows_ / tiles_) + (tile < extra ? tile : extra);
  }

  // Group by group, and within a group row by row.
  std::span<const Outlier> outliers(int tile) const { return outliers_[tile]; }

  // Of a tile that begins with this row.
  const std::int8_t* numbers(int first_row) const {
    return numbers_.get() + Index(first_row) * 32;
  }
  const float* scales(int first_row) const {
    return scales_.get() + Index(first_row);
  }
  // -128 * (sum of the group's numbers): what a dot product with w + 128 has
  // too much, the other way round.
  const std::int32_t* offsets(int first_row) const {
    return offsets_.get() + Index(first_row);
  }
  // scale * (sum of the group's numbers): what a weight minimum is multiplied
  // with.
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
  std::size_t capacity_ = 0;  // Groups of rows that there is room for.
  std::unique_ptr<std::int8_t[]> numbers_;
  std::unique_ptr<float[]> scales_;
  std::unique_ptr<std::int32_t[]> offsets_;
  std::unique_ptr<float[]> sums_;
  std::vector<std::vector<Outlier>> outliers_;  // [tiles], some more unused.
};

}  // namespace apollo
