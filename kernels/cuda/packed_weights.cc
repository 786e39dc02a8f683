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
  switch (format) {
    case WeightFormat::kBF16:
      return kBf16Block;
    case WeightFormat::kInt8:
      return kInt8Block;
    case WeightFormat::kInt4:
      return kInt4Block;
    case WeightFormat::kF32:
      break;
  }
  NoSuchFormat();
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

// Return and set number `index` of the f16 that follow a block's integers.
std::uint16_t GetF16(const std::byte* f16, int index) {
  std::uint16_t bits;
  std::memcpy(&bits, f16 + 2 * index, 2);
  return bits;
}
void SetF16(std::byte* f16, int index, std::uint16_t bits) {
  std::memcpy(f16 + 2 * index, &bits, 2);
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
  SetF16(block + kInt8Numbers, ScaleIndex(row), group.scale);
}

WeightGroup GetInt8(const std::byte* block, int row) {
  WeightGroup group;
  for (int i = 0; i < kGroupInputs; ++i) {
    group.w[i] = static_cast<std::int8_t>(block[Int8Index(row, i)]);
  }
  group.scale = GetF16(block + kInt8Numbers, ScaleIndex(row));
  return group;
}

void SetInt4(std::byte* block, int row, const WeightGroup& group) {
  for (int i = 0; i < kGroupInputs; ++i) {
    if (i % 4 >= 2) continue;  // In the high half of the byte of i - 2.
    block[Int4Index(row, i) / 2] =
        static_cast<std::byte>(group.w[i] | group.w[i + 2] << 4);
  }
  std::byte* const f16 = block + kInt4Numbers;
  SetF16(f16, Int4ScaleIndex(row), group.scale);
  SetF16(f16, Int4MinimumIndex(row), group.minimum);
}

WeightGroup GetInt4(const std::byte* block, int row) {
  WeightGroup group;
  for (int i = 0; i < kGroupInputs; ++i) {
    const int index = Int4Index(row, i);
    const std::byte number = block[index / 2] >> index % 2 * 4;
    group.w[i] = static_cast<std::int8_t>(number & std::byte{0xf});
  }
  const std::byte* const f16 = block + kInt4Numbers;
  group.scale = GetF16(f16, Int4ScaleIndex(row));
  group.minimum = GetF16(f16, Int4MinimumIndex(row));
  return group;
}

// Sets a group of an integer format.
void SetGroup(std::byte* block, int row, const WeightGroup& group,
              WeightFormat format) {
  if (format == WeightFormat::kInt8) {
    SetInt8(block, row, group);
  } else {
    SetInt4(block, row, group);
  }
}

}  // namespace

absl::Status CheckPackedShape(const PackedShape& shape) {
  if (shape.format == WeightFormat::kF32) {
    return absl::InvalidArgumentError(
        absl::StrCat("weights of format ", InfoOf(shape.format).name,
                     " are not supported on GPUs; use bf16, int8 or int4"));
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
        SetGroup(block, row % kTileOutputs, {}, shape.format);
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
      if (IsQuantized(shape.format)) {
        SetGroup(block, row % kTileOutputs,
                 QuantizeGroup(rows, kGroupInputs, shape.format), shape.format);
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
    if (IsQuantized(shape.format)) {
      const WeightGroup group = shape.format == WeightFormat::kInt8
                                    ? GetInt8(block, r)
                                    : GetInt4(block, r);
      for (int i = 0; i < kGroupInputs; ++i) {
        row[i] = Dequantize(group, i, shape.format);
      }
      continue;
    }
    for (int i = 0; i < kGroupInputs; ++i) {
      std::uint16_t bits;
      std::memcpy(&bits, block + 2 * Bf16Index(r, i), 2);
      row[i] = F32FromBf16Bits(bits);
    }
  }
}

}  // namespace apollo::cuda
