#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/for_each_target.h"
#include "kernels/half.h"
#include "kernels/reference.h"

namespace apollo {
namespace {

// A sequence in cache blocks and, for the reference, in plain arrays.
struct Sequence {
  Sequence(const AttentionShape& shape, int count, int seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    const int kv = shape.kv_size();
    plain_keys.resize(count * kv);
    plain_values.resize(count * kv);
    // Values that all cache types represent exactly, so that one reference
    // serves all.
    for (auto* values : {&plain_keys, &plain_values}) {
      for (float& x : *values) {
        x = std::bit_cast<float>(std::bit_cast<std::uint32_t>(normal(random)) &
                                 0xffff0000u);
      }
    }
    const int blocks = (count + kBlockTokens - 1) / kBlockTokens;
    // Slots past the end hold NaN, so that reading one would show.
    storage.assign(2 * blocks,
                   std::vector<std::uint16_t>(shape.block_bytes() / 2, 0x7fff));
    for (int b = 0; b < blocks; ++b) {
      keys.push_back(storage[2 * b].data());
      values.push_back(storage[2 * b + 1].data());
    }
    for (int t = 0; t < count; ++t) {
      StoreKeyValue(shape, &plain_keys[t * kv], &plain_values[t * kv],
                    t % kBlockTokens, storage[2 * (t / kBlockTokens)].data(),
                    storage[2 * (t / kBlockTokens) + 1].data());
    }
  }
  std::vector<float> plain_keys, plain_values;
  std::vector<std::vector<std::uint16_t>> storage;
  std::vector<const void*> keys, values;
};

TEST(AttentionTest, AgreesWithTheReferenceAndIgnoresLaterSlotsAndOtherRows) {
  constexpr auto kBf16 = CacheType::kBf16;
  constexpr auto kF16 = CacheType::kF16;
  for (const AttentionShape shape : {AttentionShape{4, 2, 8},
                                     {9, 3, 64},
                                     {2, 2, 10},
                                     {6, 1, 40},
                                     {4, 2, 8, kBf16},
                                     {9, 3, 64, kBf16},
                                     {2, 2, 10, kBf16},
                                     {6, 1, 40, kBf16},
                                     {4, 2, 8, kF16},
                                     {9, 3, 64, kF16},
                                     {2, 2, 10, kF16},
                                     {6, 1, 40, kF16}}) {
    const int size = shape.heads * shape.head_size;
    std::vector<Sequence> sequences;
    std::vector<AttentionRow> rows;
    sequences.reserve(8);
    for (const int count : {1, 15, 16, 17, 100}) {
      sequences.emplace_back(shape, count, count);
      rows.push_back({sequences.back().keys.data(),
                      sequences.back().values.data(), count - 1});
    }
    // The longest sequence again, at an earlier position: later positions must
    // not count.
    rows.push_back({sequences[4].keys.data(), sequences[4].values.data(), 40});
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> q(rows.size() * size);
    for (float& x : q) x = normal(random);

    ForEachTarget([&] {
      std::vector<std::vector<float>> results;
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        std::vector<float> out(rows.size() * size, NAN);
        Attention(shape, rows, q.data(), size, out.data(), size, pool);
        results.push_back(out);
        for (std::size_t r = 0; r < rows.size(); ++r) {
          const Sequence& s = sequences[std::min<std::size_t>(r, 4)];
          std::vector<float> expected(size);
          reference::Attention(&q[r * size], s.plain_keys.data(),
                               s.plain_values.data(), rows[r].position + 1,
                               shape.heads, shape.kv_heads, shape.head_size,
                               expected.data());
          for (int i = 0; i < size; ++i) {
            ASSERT_NEAR(out[r * size + i], expected[i], 2e-5) << r << " " << i;
          }
          // Alone: bit-identical.
          std::vector<float> alone(size);
          Attention(shape, {&rows[r], 1}, &q[r * size], size, alone.data(),
                    size, pool);
          for (int i = 0; i < size; ++i) ASSERT_EQ(alone[i], out[r * size + i]);
        }
      }
      EXPECT_EQ(results[0], results[1]);
    });
  }
}

TEST(AttentionTest, APromptsRowsAreWhatEachIsAloneAndInTheReference) {
  // Consecutive rows are computed together. 30 or 50 heads that share one kv
  // head exceed a tile.
  for (const AttentionShape shape : {AttentionShape{9, 3, 64},
                                     {14, 2, 64, CacheType::kBf16},
                                     {2, 2, 10},
                                     {6, 1, 40},
                                     {30, 1, 24},
                                     {50, 1, 8}}) {
    const int size = shape.heads * shape.head_size;
    const Sequence a(shape, 90, 1), b(shape, 37, 2);
    std::vector<AttentionRow> rows;
    for (int p = 5; p < 90; ++p) {
      rows.push_back({a.keys.data(), a.values.data(), p});
    }
    for (int p = 0; p < 37; ++p) {
      rows.push_back({b.keys.data(), b.values.data(), p});
    }
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> q(rows.size() * size);
    for (float& x : q) x = normal(random);
    ForEachTarget([&] {
      ThreadPool pool(2);
      std::vector<float> out(rows.size() * size, NAN), alone(size);
      Attention(shape, rows, q.data(), size, out.data(), size, pool);
      std::vector<float> expected(size);
      for (std::size_t r = 0; r < rows.size(); ++r) {
        Attention(shape, {&rows[r], 1}, &q[r * size], size, alone.data(), size,
                  pool);
        const Sequence& s = r < 85 ? a : b;
        reference::Attention(&q[r * size], s.plain_keys.data(),
                             s.plain_values.data(), rows[r].position + 1,
                             shape.heads, shape.kv_heads, shape.head_size,
                             expected.data());
        for (int i = 0; i < size; ++i) {
          ASSERT_EQ(alone[i], out[r * size + i]) << r << " " << i;
          ASSERT_NEAR(alone[i], expected[i], 2e-5) << r << " " << i;
        }
      }
    });
  }
}

TEST(AttentionTest, LongPromptsRowsAreWhatEachIsAloneAndInTheReference) {
  // Positions beyond several chunks of values, and tiles across their ends;
  // scores so far apart that some weights are denormal or zero.
  constexpr int kCount = 300;
  for (const AttentionShape shape : {AttentionShape{9, 3, 64, CacheType::kF16},
                                     {7, 1, 40, CacheType::kBf16},
                                     {4, 2, 24}}) {
    const int size = shape.heads * shape.head_size;
    const Sequence sequence(shape, kCount, 1);
    std::vector<AttentionRow> rows;
    for (const int first : {61, 125, 187, 253, kCount - 7}) {
      for (int p = first; p < first + 7; ++p) {
        rows.push_back({sequence.keys.data(), sequence.values.data(), p});
      }
    }
    std::mt19937 random(3);
    std::normal_distribution<float> normal;
    std::vector<float> q(rows.size() * size);
    for (float& x : q) x = 30 * normal(random);
    ForEachTarget([&] {
      ThreadPool pool(2);
      std::vector<float> out(rows.size() * size, NAN), alone(size);
      Attention(shape, rows, q.data(), size, out.data(), size, pool);
      std::vector<float> expected(size);
      for (std::size_t r = 0; r < rows.size(); ++r) {
        Attention(shape, {&rows[r], 1}, &q[r * size], size, alone.data(), size,
                  pool);
        reference::Attention(&q[r * size], sequence.plain_keys.data(),
                             sequence.plain_values.data(), rows[r].position + 1,
                             shape.heads, shape.kv_heads, shape.head_size,
                             expected.data());
        for (int i = 0; i < size; ++i) {
          ASSERT_EQ(alone[i], out[r * size + i]) << r << " " << i;
          // Scores of about 100 have errors of 2e-5, and so have the weights.
          ASSERT_NEAR(alone[i], expected[i], 5e-4) << r << " " << i;
        }
      }
    });
  }
}

TEST(AttentionTest, Bf16IsRoundedToNearestEven) {
  const AttentionShape shape = {1, 1, 1, CacheType::kBf16};
  const auto stored = [&shape](std::uint32_t bits) {
    const float x = std::bit_cast<float>(bits);
    std::vector<std::uint16_t> keys(kBlockTokens), values(kBlockTokens);
    StoreKeyValue(shape, &x, &x, 5, keys.data(), values.data());
    EXPECT_EQ(keys[5], values[5]);
    EXPECT_EQ(keys[4], 0);
    EXPECT_EQ(keys[6], 0);
    return keys[5];
  };
  EXPECT_EQ(stored(0x3f800000), 0x3f80);
  EXPECT_EQ(stored(0x3f807fff), 0x3f80);
  EXPECT_EQ(stored(0x3f808000), 0x3f80);  // A tie: to even.
  EXPECT_EQ(stored(0x3f818000), 0x3f82);
  EXPECT_EQ(stored(0x3f808001), 0x3f81);
  EXPECT_EQ(stored(0xbfffffff), 0xc000);
  EXPECT_EQ(stored(0x7f800000), 0x7f80);  // Infinity.
  EXPECT_TRUE(std::isnan(std::bit_cast<float>(
      static_cast<std::uint32_t>(stored(0x7f800001)) << 16)));
}

TEST(AttentionTest, F16IsRoundedToNearestEvenAndStaysFinite) {
  const AttentionShape shape = {1, 1, 1, CacheType::kF16};
  const auto stored = [&shape](float x) {
    std::vector<std::uint16_t> keys(kBlockTokens), values(kBlockTokens);
    StoreKeyValue(shape, &x, &x, 5, keys.data(), values.data());
    EXPECT_EQ(keys[5], values[5]);
    EXPECT_EQ(keys[4], 0);
    EXPECT_EQ(keys[6], 0);
    return keys[5];
  };
  EXPECT_EQ(stored(0.0f), 0);
  EXPECT_EQ(stored(-0.0f), 0x8000);
  EXPECT_EQ(stored(1.0f + 0x1p-11f), 0x3c00);  // A tie: to even.
  EXPECT_EQ(stored(1.0f + 0x3p-11f), 0x3c02);
  EXPECT_EQ(stored(1.0f + 0x1.1p-11f), 0x3c01);
  EXPECT_EQ(stored(-1.99999f), 0xc000);
  EXPECT_EQ(stored(0x1p-14f), 0x0400);
  // Rounds up to a normal number.
  EXPECT_EQ(stored(0x1p-14f - 0x1p-26f), 0x0400);
  EXPECT_EQ(stored(0x3p-25f), 2);  // Ties between the smallest numbers.
  EXPECT_EQ(stored(0x1p-25f), 0);
  EXPECT_EQ(stored(0x1.1p-25f), 1);
  for (const float large : {65504.0f, 65519.0f, 65520.0f, 1e30f}) {
    EXPECT_EQ(stored(large), 0x7bff) << large;
    EXPECT_EQ(stored(-large), 0xfbff) << large;
  }
  EXPECT_EQ(stored(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(stored(NAN) & 0x7c00, 0x7c00);
  EXPECT_NE(stored(NAN) & 0x3ff, 0);
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {  // All finite values.
    EXPECT_EQ(stored(F32FromF16Bits(bits)), bits);
  }
}

// Damaged weights must show in the end, not turn into plausible values.
TEST(AttentionTest, AScoreThatIsNoNumberMakesTheResultNone) {
  const AttentionShape shape = {2, 1, 32};
  const int size = shape.heads * shape.head_size;
  const float infinity = std::numeric_limits<float>::infinity();
  ForEachTarget([&] {
    ThreadPool pool(1);
    for (const int count : {1, 2, 5, 15, 16, 17, 31, 40}) {
      for (const float bad : {NAN, infinity, -infinity}) {
        SCOPED_TRACE(testing::Message() << count << " tokens, " << bad);
        Sequence sequence(shape, count, count);
        const AttentionRow row = {sequence.keys.data(), sequence.values.data(),
                                  count - 1};
        std::vector<float> q(size, 1), out(size);
        const auto attend = [&] {
          Attention(shape, {&row, 1}, q.data(), size, out.data(), size, pool);
          return std::count_if(out.begin(), out.end(),
                               [](float x) { return std::isfinite(x); });
        };
        EXPECT_EQ(attend(), size);
        // A bad value in the query of the first head does not affect the second
        // one.
        q[3] = bad;
        EXPECT_EQ(attend(), shape.head_size);
        // A bad value in a key affects both heads.
        q[3] = 1;
        std::vector<float> key(shape.kv_size(), 0.5f);
        key[7] = bad;
        const int last = count - 1;
        StoreKeyValue(shape, key.data(), key.data(), last % kBlockTokens,
                      sequence.storage[2 * (last / kBlockTokens)].data(),
                      std::vector<float>(shape.block_bytes()).data());
        EXPECT_EQ(attend(), 0);
      }
    }
  });
}

}  // namespace
}  // namespace apollo
