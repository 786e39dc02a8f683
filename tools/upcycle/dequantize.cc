#include "tools/upcycle/dequantize.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "common/check.h"
#include "model/safetensors/convert.h"

// Block layouts, all little-endian. A float16 scale d (and offset m) applies to
// the whole block; q are small integers.
//   Q4_0  d, 16 bytes        x = d * (q - 8)
//   Q4_1  d, m, 16 bytes     x = d * q + m
//   Q5_0  d, 4, 16 bytes     x = d * (q - 16)
//   Q5_1  d, m, 4, 16 bytes  x = d * q + m
//         The low half of byte j is the q of element j, the high half that of
//         element j + 16; bit i of the 4 bytes is the fifth bit of element i.
//   Q8_0  d, 32 bytes        x = d * q, q signed
//   Q2_K  16, 64 bytes, d, m: x = (d * s) * q - (m * o) with a 4-bit scale s
//         and a 4-bit offset o (the high half) for every 16 elements. q has two
//         bits; in each half of 128 elements, byte j holds those of elements j,
//         j + 32, j + 64, j + 96, the lowest bits first.
//   Q3_K  32, 64, 12 bytes, d: x = (d * (s - 32)) * (q - 4) with a 6-bit scale
//         s for every 16 elements, 4 low bits of which are in the first 8 of
//         the 12 bytes. The two low bits of q are arranged as in Q2_K; bit
//         i / 32 of byte i % 32 of the first field is the third.
//   Q4_K  d, m, 12, 128 bytes: eight groups of 32, each with a 6-bit scale s
//         and a 6-bit offset o packed into the 12 bytes:
//         x = (d * s) * q - (m * o). Each 32 bytes hold two groups, the low
//         halves first.
//   Q5_K  d, m, 12, 32, 128 bytes: as Q4_K; bit g of byte j of the 32 bytes is
//         the fifth bit of element j of group g.
//   Q6_K  128, 64, 16 bytes, d: x = (d * s) * (q - 32) with a signed 8-bit s
//         for every 16 elements; 4 low bits of q in the first field, 2 high
//         bits in the second, arranged in halves of 128 elements.
//   IQ4_NL  d, 16 bytes: x = d * kLevels[q], q arranged as in Q4_0.
//   IQ4_XS  d, 2, 4, 128 bytes: eight groups of 32, each arranged as in IQ4_NL,
//         with a 6-bit scale s: four low bits in the 4 bytes, two high bits in
//         the 2 bytes. x = (d * (s - 32)) * kLevels[q].

namespace apollo {
namespace {

std::uint16_t Load16(const std::uint8_t* bytes) {
  return static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8);
}

float LoadF16(const std::uint8_t* bytes) { return F32FromF16(Load16(bytes)); }

std::uint32_t Load32(const std::uint8_t* bytes) {
  return Load16(bytes) | std::uint32_t{Load16(bytes + 2)} << 16;
}

void BlockF32(const std::uint8_t* block, float* out) {
  *out = std::bit_cast<float>(Load32(block));
}

void BlockF16(const std::uint8_t* block, float* out) { *out = LoadF16(block); }

void BlockBF16(const std::uint8_t* block, float* out) {
  *out = F32FromBF16(Load16(block));
}

void BlockQ4_0(const std::uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int j = 0; j < 16; ++j) {
    const int byte = block[2 + j];
    out[j] = d * static_cast<float>((byte & 15) - 8);
    out[j + 16] = d * static_cast<float>((byte >> 4) - 8);
  }
}

void BlockQ4_1(const std::uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  for (int j = 0; j < 16; ++j) {
    const int byte = block[4 + j];
    out[j] = d * static_cast<float>(byte & 15) + m;
    out[j + 16] = d * static_cast<float>(byte >> 4) + m;
  }
}

// Unpacks the 32 five-bit integers of a Q5_0 or Q5_1 block.
void UnpackFiveBits(const std::uint8_t* high, const std::uint8_t* low, int* q) {
  const std::uint32_t fifth = Load32(high);
  for (int j = 0; j < 16; ++j) {
    q[j] = (low[j] & 15) | static_cast<int>(fifth >> j & 1) << 4;
    q[j + 16] = (low[j] >> 4) | static_cast<int>(fifth >> (j + 16) & 1) << 4;
  }
}

void BlockQ5_0(const std::uint8_t* block, float* out) {
  const float d = LoadF16(block);
  int q[32];
  UnpackFiveBits(block + 2, block + 6, q);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i] - 16);
}

void BlockQ5_1(const std::uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  int q[32];
  UnpackFiveBits(block + 4, block + 8, q);
  for (int i = 0; i < 32; ++i) out[i] = d * static_cast<float>(q[i]) + m;
}

void BlockQ8_0(const std::uint8_t* block, float* out) {
  const float d = LoadF16(block);
  for (int i = 0; i < 32; ++i) {
    out[i] = d * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
  }
}

// Returns the two bits of element i of a Q2_K or Q3_K block.
int TwoBits(const std::uint8_t* quants, int i) {
  return quants[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
}

void BlockQ2_K(const std::uint8_t* block, float* out) {
  const std::uint8_t* quants = block + 16;
  const float d = LoadF16(block + 80);
  const float m = LoadF16(block + 82);
  for (int i = 0; i < 256; ++i) {
    const int packed = block[i / 16];
    const float scale = d * static_cast<float>(packed & 15);
    const float offset = m * static_cast<float>(packed >> 4);
    out[i] = scale * static_cast<float>(TwoBits(quants, i)) - offset;
  }
}

void BlockQ3_K(const std::uint8_t* block, float* out) {
  const std::uint8_t* quants = block + 32;
  const std::uint8_t* packed = block + 96;
  const float d = LoadF16(block + 108);
  for (int i = 0; i < 256; ++i) {
    const int group = i / 16;
    const int low = packed[group % 8] >> (group / 8 * 4) & 15;
    const int high = packed[8 + group % 4] >> (group / 4 * 2) & 3;
    const float scale = d * static_cast<float>((low | high << 4) - 32);
    const int third = block[i % 32] >> (i / 32) & 1;
    out[i] = scale * static_cast<float>((TwoBits(quants, i) | third << 2) - 4);
  }
}

// The scale and the offset of a group of 32 in a Q4_K or Q5_K block.
struct ScaleAndOffset {
  float scale;
  float offset;
};

ScaleAndOffset UnpackSixBits(const std::uint8_t* block, int group) {
  const float d = LoadF16(block);
  const float m = LoadF16(block + 2);
  const std::uint8_t* packed = block + 4;
  int scale;
  int offset;
  if (group < 4) {
    scale = packed[group] & 63;
    offset = packed[group + 4] & 63;
  } else {  // Four low bits in the last bytes, two high bits in the first.
    scale = (packed[group + 4] & 15) | packed[group - 4] >> 6 << 4;
    offset = packed[group + 4] >> 4 | packed[group] >> 6 << 4;
  }
  return {d * static_cast<float>(scale), m * static_cast<float>(offset)};
}

void BlockQ4_K(const std::uint8_t* block, float* out) {
  const std::uint8_t* quants = block + 16;
  for (int group = 0; group < 8; ++group) {
    const auto [scale, offset] = UnpackSixBits(block, group);
    const std::uint8_t* bytes = quants + group / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int q = group % 2 == 0 ? bytes[i] & 15 : bytes[i] >> 4;
      out[group * 32 + i] = scale * static_cast<float>(q) - offset;
    }
  }
}

void BlockQ5_K(const std::uint8_t* block, float* out) {
  const std::uint8_t* fifths = block + 16;
  const std::uint8_t* quants = block + 48;
  for (int group = 0; group < 8; ++group) {
    const auto [scale, offset] = UnpackSixBits(block, group);
    const std::uint8_t* bytes = quants + group / 2 * 32;
    for (int i = 0; i < 32; ++i) {
      const int low = group % 2 == 0 ? bytes[i] & 15 : bytes[i] >> 4;
      const int q = low | (fifths[i] >> group & 1) << 4;
      out[group * 32 + i] = scale * static_cast<float>(q) - offset;
    }
  }
}

void BlockQ6_K(const std::uint8_t* block, float* out) {
  const std::uint8_t* low = block;
  const std::uint8_t* high = block + 128;
  const std::uint8_t* scales = block + 192;
  const float d = LoadF16(block + 208);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128;
    const int row = i % 128 / 32;  // Group of 32 within the half.
    const int column = i % 32;
    const int low_byte = low[half * 64 + row % 2 * 32 + column];
    const int low_bits = row < 2 ? low_byte & 15 : low_byte >> 4;
    const int high_bits = high[half * 32 + column] >> (2 * row) & 3;
    const auto scale =
        static_cast<float>(static_cast<std::int8_t>(scales[i / 16]));
    out[i] = d * scale * static_cast<float>((low_bits | high_bits << 4) - 32);
  }
}

// The values that four bits stand for in the types IQ4_NL and IQ4_XS.
constexpr float kLevels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                               1,    13,   25,  38,  53,  69,  89,  113};

// Dequantizes the 32 elements in 16 bytes.
void Levels(const std::uint8_t* bytes, float scale, float* out) {
  for (int j = 0; j < 16; ++j) {
    out[j] = scale * kLevels[bytes[j] & 15];
    out[j + 16] = scale * kLevels[bytes[j] >> 4];
  }
}

void BlockIQ4_NL(const std::uint8_t* block, float* out) {
  Levels(block + 2, LoadF16(block), out);
}

void BlockIQ4_XS(const std::uint8_t* block, float* out) {
  const float d = LoadF16(block);
  const int high = Load16(block + 2);
  for (int group = 0; group < 8; ++group) {
    const int low = block[4 + group / 2] >> (group % 2 * 4) & 15;
    const int scale = low | (high >> (2 * group) & 3) << 4;
    Levels(block + 8 + group * 16, d * static_cast<float>(scale - 32),
           out + group * 32);
  }
}

using BlockFunction = void (*)(const std::uint8_t* block, float* out);

BlockFunction FunctionFor(std::uint32_t id) {
  switch (id) {
    case kGgmlF32:
      return BlockF32;
    case kGgmlF16:
      return BlockF16;
    case kGgmlBF16:
      return BlockBF16;
    case kGgmlQ4_0:
      return BlockQ4_0;
    case kGgmlQ4_1:
      return BlockQ4_1;
    case kGgmlQ5_0:
      return BlockQ5_0;
    case kGgmlQ5_1:
      return BlockQ5_1;
    case kGgmlQ8_0:
      return BlockQ8_0;
    case kGgmlQ2_K:
      return BlockQ2_K;
    case kGgmlQ3_K:
      return BlockQ3_K;
    case kGgmlQ4_K:
      return BlockQ4_K;
    case kGgmlQ5_K:
      return BlockQ5_K;
    case kGgmlQ6_K:
      return BlockQ6_K;
    case kGgmlIQ4_NL:
      return BlockIQ4_NL;
    case kGgmlIQ4_XS:
      return BlockIQ4_XS;
    default:
      return nullptr;
  }
}

}  // namespace

void Dequantize(const GgmlType& type, std::span<const std::uint8_t> blocks,
                float* out) {
  const BlockFunction function = FunctionFor(type.id);
  APOLLO_CHECK(function != nullptr);
  const auto block_bytes = static_cast<std::size_t>(type.block_bytes);
  APOLLO_CHECK(blocks.size() % block_bytes == 0);
  for (std::size_t at = 0; at < blocks.size(); at += block_bytes) {
    function(blocks.data() + at, out);
    out += type.block_elements;
  }
}

}  // namespace apollo
