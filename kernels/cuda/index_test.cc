#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <set>
#include <vector>

#include "kernels/cuda/cache_index.h"
#include "kernels/cuda/logit_keys.h"
#include "kernels/cuda/product_index.h"
#include "kernels/cuda/weight_index.h"

namespace apollo::cuda {
namespace {

TEST(WeightIndexTest, ABlockHasAPlaceForEveryNumber) {
  std::set<int> bf16, int8, int4, scales, int4_f16;
  for (int r = 0; r < kTileOutputs; ++r) {
    scales.insert(ScaleIndex(r));
    int4_f16.insert(Int4ScaleIndex(r));
    int4_f16.insert(Int4MinimumIndex(r));
    for (int i = 0; i < kGroupInputs; ++i) {
      bf16.insert(Bf16Index(r, i));
      int8.insert(Int8Index(r, i));
      int4.insert(Int4Index(r, i));
    }
  }
  for (const auto& places : {bf16, int8, int4}) {
    EXPECT_EQ(places.size(), 512u);
    EXPECT_EQ(*places.rbegin(), 511);
  }
  EXPECT_EQ(scales.size(), 16u);
  EXPECT_EQ(*scales.rbegin(), 15);
  EXPECT_EQ(int4_f16.size(), 32u);
  EXPECT_EQ(*int4_f16.rbegin(), 31);
}

// Threads set different outputs of a block, and a byte holds two numbers.
TEST(WeightIndexTest, TheNumbersOfAByteAreOfTheSameOutput) {
  for (int r = 0; r < kTileOutputs; ++r) {
    for (int i = 0; i < kGroupInputs; ++i) {
      if (i % 4 >= 2) continue;
      EXPECT_EQ(Int4Index(r, i) % 2, 0);
      EXPECT_EQ(Int4Index(r, i + 2), Int4Index(r, i) + 1);
    }
  }
}

// A lane must have the same inputs in both operands: 8t to 8t + 7.
TEST(WeightIndexTest, LanesHoldEightAdjacentInputsOfTwoOutputs) {
  for (int r = 0; r < kTileOutputs; ++r) {
    for (int i = 0; i < kGroupInputs; ++i) {
      const FragmentPlace place = PlaceOf(r, i);
      EXPECT_EQ(place.lane / 4, r % 8);
      EXPECT_EQ(place.lane % 4, i / 8);
      EXPECT_EQ(place.instruction, i % 8 / 4);
      // Registers of operand A alternate between outputs g and g + 8.
      EXPECT_EQ(place.index / 2 % 2, r / 8);
    }
  }
}

TEST(WeightIndexTest, PairedTilesHoldEightGatesAndTheirUps) {
  constexpr int kOutputs = 48;
  std::set<int> rows;
  for (int r = 0; r < kOutputs; ++r) rows.insert(PackedRow(r, kOutputs, true));
  EXPECT_EQ(rows.size(), 48u);
  EXPECT_EQ(*rows.rbegin(), 47);
  for (int j = 0; j < kOutputs / 2; ++j) {
    const int gate = PackedRow(j, kOutputs, true);
    EXPECT_EQ(gate / 16, j / 8);
    EXPECT_EQ(gate % 16, j % 8);
    EXPECT_EQ(PackedRow(kOutputs / 2 + j, kOutputs, true), gate + 8);
    EXPECT_EQ(PackedRow(j, kOutputs, false), j);
  }
}

TEST(ProductIndexTest, SlicesCoverTheGroupsOnce) {
  for (const int groups : {1, 2, 7, 8, 9, 28, 112, 152, 592}) {
    EXPECT_EQ(SliceBegin(0, groups), 0);
    EXPECT_EQ(SliceBegin(kSlices, groups), groups);
    for (int s = 0; s < kSlices; ++s) {
      EXPECT_LE(SliceBegin(s, groups), SliceBegin(s + 1, groups));
      for (int g = SliceBegin(s, groups); g < SliceBegin(s + 1, groups); ++g) {
        EXPECT_EQ(SliceEnd(g, groups), SliceBegin(s + 1, groups));
      }
    }
  }
}

TEST(ProductIndexTest, RowTilesCoverTheRowsOfEachExpert) {
  const std::vector<std::int32_t> offsets = {0, 5, 5, 21, 22, 22};
  constexpr int kExperts = 5;
  for (const int tile_rows : {1, 4, 8, 16, 128}) {
    std::vector<int> expert_of(22, -1);
    const int bound = MaxRowTiles(22, kExperts, tile_rows);
    for (int t = 0; t < bound; ++t) {
      const RowTile tile = FindRowTile(offsets.data(), kExperts, tile_rows, t);
      if (tile.expert < 0) continue;
      EXPECT_GE(tile.rows, 1);
      EXPECT_LE(tile.rows, tile_rows);
      for (int r = 0; r < tile.rows; ++r) {
        EXPECT_EQ(expert_of[tile.first + r], -1);
        expert_of[tile.first + r] = tile.expert;
      }
    }
    for (int p = 0; p < 22; ++p) {
      EXPECT_EQ(expert_of[p], p < 5 ? 0 : p < 21 ? 2 : 3);
    }
    EXPECT_EQ(FindRowTile(offsets.data(), kExperts, tile_rows, bound).expert,
              -1);
  }
}

TEST(CacheIndexTest, ABlockHasAPlaceForEveryNumber) {
  for (const int size : {32, 64, 96, 128}) {
    std::set<int> keys, values;
    for (int token = 0; token < kCacheTokens; ++token) {
      for (int i = 0; i < size; ++i) {
        keys.insert(KeyIndex(token, i, size));
        values.insert(ValueIndex(token, i));
      }
    }
    for (const auto& places : {keys, values}) {
      EXPECT_EQ(places.size(), static_cast<std::size_t>(16 * size));
      EXPECT_EQ(*places.rbegin(), 16 * size - 1);
    }
  }
}

TEST(CacheIndexTest, ColumnsOfScoresAreTheTokensOfTheirLane) {
  std::set<int> tokens;
  for (int tile = 0; tile < 2; ++tile) {
    for (int n = 0; n < 8; ++n) {
      const int token = TokenOfColumn(tile, n);
      tokens.insert(token);
      EXPECT_EQ(token / 4, n / 2);  // Lane t holds columns 2t and 2t + 1.
      // The first element of the token's key is that of lane 4n in its tile.
      EXPECT_EQ(KeyIndex(token, 0, 64), (tile * 2 * 32 + n * 4) * 8);
    }
  }
  EXPECT_EQ(tokens.size(), 16u);
}

std::uint64_t KeyOf(float logit, std::uint32_t token) {
  return LogitKey(std::bit_cast<std::uint32_t>(logit), token);
}

TEST(LogitKeysTest, OrderIsByLogitThenToken) {
  const float rising[] = {-3e38f, -2, -1e-40f, 0, 1e-40f, 0.5f, 7, 3e38f};
  for (int i = 1; i < 8; ++i) {
    EXPECT_LT(KeyOf(rising[i - 1], 0), KeyOf(rising[i], 9));
  }
  EXPECT_GT(KeyOf(1, 3), KeyOf(1, 4));
  EXPECT_GT(KeyOf(-0.0f, 3), KeyOf(0.0f, 4));
  EXPECT_GT(KeyOf(0.0f, 3), KeyOf(-0.0f, 4));
  EXPECT_EQ(TokenOf(KeyOf(-5, 151935)), 151935);
}

}  // namespace
}  // namespace apollo::cuda
