#include "kernels/cuda/packed_weights.h"

#include <absl/strings/str_cat.h>

#include <cstring>

#include "common/check.h"
#include "kernels/cuda/weight_index.h"
#include "kernels/half.h"
#include "kernels/quantize.h"

namespace apollo::cuda {
namespace {

// A grid has at most 65535 tiles of outputs (product.cu).
constexpr int kMaxOutputs = 65535 * kTileOutputs;

std::size_t PackedBlockBytes(WeightFormat format) {
  APOLLO_CHECK(format == WeightFormat::kBF16 || format == WeightFormat::kInt8);
  return format == WeightFormat::kBF16 ? kBf16Block : kInt8Block;
}

int Groups(const PackedShape& shape) { return shape.inputs / kGroupInputs; }

// Returns the block of a row's group.
std::byte* Block(const PackedShape& shape, int packed_row, int group,
                 void* packed) {
  return static_cast<std::byte*>(packed) +
         BlockIndex(packed_row / kTileOutputs, group, Groups(shape)) *
             PackedBlockBytes(shape.format);
}
const std::byte* Block(const PackedShape& shape, int packed_row, int group,
                       const void* packed) {
  return Block(shape, packed_row, group, const_cast<void*>(packed));
}

void SetScale(std::byte* block, int row, std::uint16_t scale) {
  std::memcpy(block + kInt8Numbers + 2 * ScaleIndex(row), &scale, 2);
}

void SetBf16(std::byte* block, int row, const std::uint16_t* numbers) {
  for (int i = 0; i < kGroupInputs; ++i) {
    std::memcpy(block + 2 * Bf16Index(row, i), &numbers[i], 2);
  }
}

void SetInt8(std::byte* block, int row, const WeightGroup& group) {
  for (int i = 0; i < kGroupInputs; ++i) {
    block[Int8Index(row, i)] = static_cast<std::byte>(group.w[i]);
  }
  SetScale(block, row, group.scale);
}

}  // namespace

absl::Status CheckPackedShape(const PackedShape& shape) {
  if (shape.format != WeightFormat::kBF16 &&
      shape.format != WeightFormat::kInt8) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights of format ", InfoOf(shape.format).name,
                     " are not supported on GPUs; use bf16 or int8"));
  }
  if (shape.inputs <= 0 || shape.inputs % kGroupInputs != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a matrix has ", shape.inputs,
                     " inputs; on GPUs it must be a multiple of 32"));
  }
  if (shape.outputs <= 0 || shape.outputs > kMaxOutputs ||
      (shape.paired && shape.outputs % 16 != 0)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a matrix has ", shape.outputs, " outputs; on GPUs it must be ",
        shape.paired ? "a positive multiple of 16, because it holds gates and "
                       "ups of an MLP, of at most "
                     : "from 1 to ",
        kMaxOutputs));
  }
  return absl::OkStatus();
}

std::size_t PackedBytes(const PackedShape& shape) {
  return BlockIndex(CountTiles(shape.outputs), 0, Groups(shape)) *
         PackedBlockBytes(shape.format);
}

void ClearPadding(const PackedShape& shape, void* packed) {
  const int end = CountTiles(shape.outputs) * kTileOutputs;
  constexpr std::uint16_t kZeros[kGroupInputs] = {};
  for (int row = shape.outputs; row < end; ++row) {
    for (int g = 0; g < Groups(shape); ++g) {
      std::byte* const block = Block(shape, row, g, packed);
      if (shape.format == WeightFormat::kBF16) {
        SetBf16(block, row % kTileOutputs, kZeros);
      } else {
        SetInt8(block, row % kTileOutputs, {});
      }
    }
  }
}

void PackRows(const PackedShape& shape, int first, int count, const float* rows,
              void* packed) {
  APOLLO_CHECK(first >= 0 && first + count <= shape.outputs);
  for (int r = 0; r < count; ++r) {
    const int row = PackedRow(first + r, shape.outputs, shape.paired);
    for (int g = 0; g < Groups(shape); ++g, rows += kGroupInputs) {
      std::byte* const block = Block(shape, row, g, packed);
      if (shape.format == WeightFormat::kInt8) {
        SetInt8(block, row % kTileOutputs,
                QuantizeGroup(rows, kGroupInputs, shape.format));
        continue;
      }
      std::uint16_t rounded[kGroupInputs];
      for (int i = 0; i < kGroupInputs; ++i) {
        rounded[i] = Bf16BitsFromF32(rows[i]);
      }
      SetBf16(block, row % kTileOutputs, rounded);
    }
  }
}

void PackBf16Rows(const PackedShape& shape, int first, int count,
                  const std::uint16_t* rows, void* packed) {
  APOLLO_CHECK(shape.format == WeightFormat::kBF16);
  APOLLO_CHECK(first >= 0 && first + count <= shape.outputs);
  for (int r = 0; r < count; ++r) {
    const int row = PackedRow(first + r, shape.outputs, shape.paired);
    for (int g = 0; g < Groups(shape); ++g, rows += kGroupInputs) {
      SetBf16(Block(shape, row, g, packed), row % kTileOutputs, rows);
    }
  }
}

void UnpackRow(const PackedShape& shape, const void* packed, int output,
               float* row) {
  const int packed_row = PackedRow(output, shape.outputs, shape.paired);
  const int r = packed_row % kTileOutputs;
  for (int g = 0; g < Groups(shape); ++g, row += kGroupInputs) {
    const std::byte* const block = Block(shape, packed_row, g, packed);
    std::uint16_t scale = 0;
    if (shape.format == WeightFormat::kInt8) {
      std::memcpy(&scale, block + kInt8Numbers + 2 * ScaleIndex(r), 2);
    }
    for (int i = 0; i < kGroupInputs; ++i) {
      if (shape.format == WeightFormat::kInt8) {
        row[i] = static_cast<float>(
                     static_cast<std::int8_t>(block[Int8Index(r, i)])) *
                 F32FromF16Bits(scale);
        continue;
      }
      std::uint16_t bits;
      std::memcpy(&bits, block + 2 * Bf16Index(r, i), 2);
      row[i] = F32FromBf16Bits(bits);
    }
  }
}

}  // namespace apollo::cuda
