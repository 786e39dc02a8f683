#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kernels/for_each_target.h"
#include "kernels/reference.h"

namespace apollo {
namespace {

// A sequence in blocks and, for the reference, in plain arrays.
struct Sequence {
  Sequence(const AttentionShape& shape, int count, int seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    const int kv = shape.kv_size();
    plain_keys.resize(count * kv);
    plain_values.resize(count * kv);
    for (float& x : plain_keys) x = normal(random);
    for (float& x : plain_values) x = normal(random);
    const int blocks = (count + kBlockTokens - 1) / kBlockTokens;
    // Slots past the end hold NaN: reading one would show.
    storage.assign(2 * blocks, std::vector<float>(shape.block_floats(), NAN));
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
  std::vector<std::vector<float>> storage;
  std::vector<const float*> keys, values;
};

TEST(AttentionTest, AgreesWithTheReferenceAndIgnoresLaterSlotsAndOtherRows) {
  for (const AttentionShape shape :
       {AttentionShape{4, 2, 8}, {9, 3, 64}, {2, 2, 10}, {6, 1, 40}}) {
    const int size = shape.heads * shape.head_size;
    std::vector<Sequence> sequences;
    std::vector<AttentionRow> rows;
    sequences.reserve(8);
    for (const int count : {1, 15, 16, 17, 100}) {
      sequences.emplace_back(shape, count, count);
      rows.push_back({sequences.back().keys.data(),
                      sequences.back().values.data(), count - 1});
    }
    // The longest sequence again, in the middle: later positions do not count.
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
          Attention(shape, {&rows[r], 1}, &q[r * size], size, alone.data(), size,
                    pool);
          for (int i = 0; i < size; ++i) ASSERT_EQ(alone[i], out[r * size + i]);
        }
      }
      EXPECT_EQ(results[0], results[1]);
    });
  }
}

}  // namespace
}  // namespace apollo
