#include "tools/upcycle/dequantize.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace apollo {
namespace {

// Returns the bytes used by the program that computed the golden values.
std::vector<std::uint8_t> PseudoRandomBytes(std::size_t count,
                                            std::uint64_t seed) {
  std::vector<std::uint8_t> bytes(count);
  for (std::uint8_t& byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::uint8_t>(seed >> 56);
  }
  return bytes;
}

std::uint64_t Fnv1a(const std::vector<float>& values) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ (bits >> shift & 0xff)) * 0x100000001b3;
    }
  }
  return hash;
}

std::vector<float> Values(std::uint32_t type,
                          const std::vector<std::uint8_t>& blocks) {
  const GgmlType* known = FindGgmlType(type);
  const auto count =
      blocks.size() / static_cast<std::size_t>(known->block_bytes);
  std::vector<float> values(count *
                            static_cast<std::size_t>(known->block_elements));
  Dequantize(*known, blocks, values.data());
  return values;
}

// Golden values: four blocks of pseudo-random bytes, dequantised by version
// 0.19 of the Python package "gguf" (gguf.quants.dequantize). The random scales
// and offsets are replaced by the float16 values of 0.0123 and -0.0456 times
// the number of the block. In unquantised types a high exponent bit is cleared,
// so that all values are finite.
struct Golden {
  std::uint32_t type;
  std::vector<std::size_t> halves;  // Offsets of scale and offset in a block.
  std::uint64_t hash;               // FNV-1a over the bits of all values.
  float first;
  float last;
};

class GoldenTest : public testing::TestWithParam<Golden> {};

TEST_P(GoldenTest, EqualsTheReferenceBitForBit) {
  // 0.0123 and -0.0456 times 1 to 4, as float16.
  constexpr std::uint16_t kScales[2][4] = {{0x224c, 0x264c, 0x28b9, 0x2a4c},
                                           {0xa9d6, 0xadd6, 0xb061, 0xb1d6}};
  const GgmlType* type = FindGgmlType(GetParam().type);
  ASSERT_NE(type, nullptr);
  const auto block_bytes = static_cast<std::size_t>(type->block_bytes);
  std::vector<std::uint8_t> bytes =
      PseudoRandomBytes(4 * block_bytes, GetParam().type + 1);
  for (std::size_t block = 0; block < 4; ++block) {
    if (!type->quantized()) bytes[(block + 1) * block_bytes - 1] &= 0xbf;
    for (std::size_t i = 0; i < GetParam().halves.size(); ++i) {
      std::uint8_t* at = &bytes[block * block_bytes + GetParam().halves[i]];
      at[0] = static_cast<std::uint8_t>(kScales[i][block] & 0xff);
      at[1] = static_cast<std::uint8_t>(kScales[i][block] >> 8);
    }
  }
  const std::vector<float> values = Values(GetParam().type, bytes);
  EXPECT_EQ(values.front(), GetParam().first);
  EXPECT_EQ(values.back(), GetParam().last);
  EXPECT_EQ(Fnv1a(values), GetParam().hash);
}

INSTANTIATE_TEST_SUITE_P(
    AllTypes, GoldenTest,
    testing::Values(
        Golden{
            kGgmlF32, {}, 0xafe6fc5773c35d0f, 0x1.4b04d8p-58f, -0x1.7ca39p-1f},
        Golden{kGgmlF16, {}, 0xa5a51e908e58f2c1, -0x1.b1p-5f, -0x1.81cp-14f},
        Golden{kGgmlBF16, {}, 0xe072974751aaea85, -0x1.8ap-4f, 0x1.98p-76f},
        Golden{kGgmlQ4_0, {0}, 0x643d06d0805a2501, 0x1.93p-5f, -0x1.f7cp-3f},
        Golden{kGgmlQ4_1, {0, 2}, 0x951d38d3c17e769e, 0x1.4bcp-5f, 0x1.048p-4f},
        Golden{kGgmlQ5_0, {0}, 0xdaa0ad6442a96fd1, -0x1.c56p-4f, -0x1.f7cp-3f},
        Golden{kGgmlQ5_1, {0, 2}, 0x7ec36db06f362096, 0x1.cccp-3f, 0x1.cep-4f},
        Golden{kGgmlQ8_0, {0}, 0xac4c338df51d1127, -0x1.93p-6f, 0x1.c56p-2f},
        Golden{
            kGgmlQ2_K, {80, 82}, 0xf7971d417c946557, 0x1.8decp-1f, 0x1.315p+1f},
        Golden{kGgmlQ3_K, {108}, 0xc0bd58342afa0056, -0x1.c56p-3f, -0.0f},
        Golden{kGgmlQ4_K,
               {0, 2},
               0x5f9d358fcbf7e178,
               0x1.48968p+3f,
               0x1.b705cp+5f},
        Golden{kGgmlQ5_K,
               {0, 2},
               0x5208e5fff190d535,
               0x1.52db8p+3f,
               0x1.09a64p+5f},
        Golden{kGgmlIQ4_NL, {0}, 0x75d4dca4fc20a628, -0x1.0552p+0f, 0x1.93p-5f},
        Golden{
            kGgmlIQ4_XS, {0}, 0xcd6cf0e66a47150c, 0x1.a12bp+3f, 0x1.5b1d8p+4f},
        Golden{kGgmlQ6_K,
               {208},
               0x5f80b280532eede3,
               -0x1.f7cp-1f,
               -0x1.01628p+5f}),
    [](const auto& param) {
      return std::string(FindGgmlType(param.param.type)->name);
    });

TEST(DequantizeTest, EveryReadableTypeHasAGoldenCase) {
  EXPECT_EQ(ReadableGgmlTypes(),
            "F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, "
            "Q6_K, IQ4_NL, IQ4_XS, BF16");
}

// Blocks whose values are easy to compute by hand.
TEST(DequantizeTest, LowHalvesAreTheFirstSixteenElements) {
  std::vector<std::uint8_t> block = {0x00, 0x38};  // d = 0.5
  for (int j = 0; j < 16; ++j) {
    block.push_back(static_cast<std::uint8_t>(j | (15 - j) << 4));
  }
  const std::vector<float> values = Values(kGgmlQ4_0, block);
  for (std::size_t i = 0; i < 32; ++i) {
    const int q = i < 16 ? static_cast<int>(i) : 31 - static_cast<int>(i);
    EXPECT_EQ(values[i], 0.5 * (q - 8)) << i;
  }
  block.insert(block.begin() + 2, {0x00, 0xc2});  // m = -3
  const std::vector<float> shifted = Values(kGgmlQ4_1, block);
  for (std::size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(shifted[i], values[i] + 4 - 3) << i;
  }
}

TEST(DequantizeTest, EightBitValuesAreSigned) {
  std::vector<std::uint8_t> block = {0x00, 0x3c};  // d = 1
  for (int i = 0; i < 32; ++i) {
    block.push_back(static_cast<std::uint8_t>(i * 8));
  }
  const std::vector<float> values = Values(kGgmlQ8_0, block);
  for (int i = 0; i < 32; ++i) {
    EXPECT_EQ(values[static_cast<std::size_t>(i)],
              i < 16 ? i * 8 : i * 8 - 256);
  }
}

TEST(DequantizeTest, NoBlocksGiveNoValues) {
  EXPECT_TRUE(Values(kGgmlQ4_1, {}).empty());
}

TEST(GgmlTypeTest, KnowsTheNamesOfTypesItCannotRead) {
  for (const auto& [id, name] : {std::pair{4u, "Q4_2"},
                                 {9u, "Q8_1"},
                                 {16u, "IQ2_XXS"},
                                 {31u, "Q4_0_4_4"},
                                 {34u, "TQ1_0"},
                                 {35u, "TQ2_0"},
                                 {39u, "MXFP4"},
                                 {40u, "NVFP4"},
                                 {41u, "Q1_0"},
                                 {42u, "Q2_0"}}) {
    ASSERT_NE(FindGgmlType(id), nullptr) << id;
    EXPECT_EQ(FindGgmlType(id)->name, name);
    EXPECT_FALSE(FindGgmlType(id)->readable());
  }
  EXPECT_EQ(FindGgmlType(4711), nullptr);
  // Every id up to the newest is known.
  for (std::uint32_t id = 0; id <= 42; ++id) {
    EXPECT_NE(FindGgmlType(id), nullptr) << id;
  }
}

}  // namespace
}  // namespace apollo
