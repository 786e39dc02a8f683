#include "kernels/cuda/attention.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "kernels/cuda/cache_index.h"
#include "kernels/cuda/testing.h"
#include "kernels/reference.h"
#include "kernels/rope.h"

namespace apollo::cuda {
namespace {

constexpr float kTheta = 1e4f;

// A cache of random sequences on the device, and the same numbers in order.
class AttentionTest : public GpuTest {
 protected:
  struct Sequence {
    int first_position = 0;
    int rows = 0;
  };

  void SetUp() override {
    GpuTest::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) ExpectOk(PrepareAttention());
  }

  // Stores keys and values of all positions of the sequences through
  // RotateAndStore, with norms or without, and keeps the queries of their rows.
  void Fill(const HeadShape& shape, const std::vector<Sequence>& sequences,
            bool norms = false) {
    shape_ = shape;
    q_norm_.clear(), k_norm_.clear();
    if (norms) q_norm_ = Random(shape.head_size, 2);
    if (norms) k_norm_ = Random(shape.head_size, 3);
    keys_.clear(), values_.clear(), queries_.clear(), slices_.clear();
    std::vector<std::int32_t> table;
    int rows = 0, blocks = 0;
    for (const Sequence& s : sequences) {
      slices_.push_back(
          {rows, s.rows, s.first_position, static_cast<int>(table.size())});
      rows += s.rows;
      const int count = (s.first_position + s.rows + 15) / 16;
      for (int b = 0; b < count; ++b) table.push_back(blocks + b);
      blocks += count;
    }
    // Blocks in no particular order, with unused ones between.
    std::vector<std::int32_t> order(2 * blocks + 1);
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random_);
    for (std::int32_t& block : table) block = order[block];
    table_ = Device<std::int32_t>(table);
    const std::size_t stride = 2 * shape.block_numbers() + 8;
    cache_ = Device<Bf16>(stride * (blocks * 2 + 1));
    layer_ = {cache_.get(), cache_.get() + shape.block_numbers(), stride};
    q_ = Device<Bf16>(static_cast<std::size_t>(rows) * shape.q_size());
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      Store(sequences[i], slices_[i], table);
    }
  }

  // Runs the attention of all slices with a workspace of `max_slots`.
  std::vector<Bf16> Attend(const std::vector<AttentionSlice>& slices,
                           int max_slots) {
    const AttentionPlan plan = PlanAttention(slices, shape_.group(), max_slots);
    std::vector<AttentionTask> tasks(plan.size());
    plan.CopyTo(tasks.data());
    const Device<AttentionTask> device_tasks(tasks);
    const Device<float> workspace(AttentionWorkspaceBytes(shape_, plan.slots) /
                                  sizeof(float));
    const Device<Bf16> out(q_.size());
    Attention attention;
    attention.shape = shape_;
    attention.q = q_.get();
    attention.cache = layer_;
    attention.tables = table_.get();
    attention.tasks = device_tasks.get();
    attention.direct = static_cast<int>(plan.direct.size());
    attention.split = static_cast<int>(plan.split.size());
    attention.merge = static_cast<int>(plan.merge.size());
    attention.workspace = workspace.get();
    attention.out = out.get();
    ExpectOk(cuda::Run(attention, nullptr));
    return out.Read();
  }

  std::vector<float> Expected() const {
    std::vector<float> all;
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      for (int r = 0; r < slices_[i].rows; ++r) {
        std::vector<float> out(shape_.q_size());
        reference::Attention(
            queries_[i].data() + static_cast<std::size_t>(r) * shape_.q_size(),
            keys_[i].data(), values_[i].data(),
            slices_[i].first_position + r + 1, shape_.heads, shape_.kv_heads,
            shape_.head_size, out.data());
        all.insert(all.end(), out.begin(), out.end());
      }
    }
    return all;
  }

  HeadShape shape_;
  CacheLayer layer_;
  Device<Bf16> cache_, q_;
  Device<std::int32_t> table_;
  std::vector<AttentionSlice> slices_;
  // By sequence: [positions, kv_size], and [rows, q_size].
  std::vector<std::vector<float>> keys_, values_, queries_;
  std::vector<float> q_norm_, k_norm_;  // Weights, or empty.
  static constexpr float kEps = 1e-2f;  // Not without effect.

 private:
  // Has a scale other than 1, as YaRN has.
  static RopeFrequencies FrequenciesOf(int head_size) {
    RopeFrequencies frequencies = PlainRopeFrequencies(head_size, kTheta);
    frequencies.scale = 1.125f;
    return frequencies;
  }

  void Store(const Sequence& s, const AttentionSlice& slice,
             const std::vector<std::int32_t>& table) {
    const int count = s.first_position + s.rows;
    const int size = shape_.head_size;
    const std::vector<float> qkv =
        Random(static_cast<std::size_t>(count) * shape_.qkv_size());
    const std::vector<float> bias = Random(shape_.qkv_size(), 0.1f);
    std::vector<std::int32_t> positions(count), slots(count);
    std::iota(positions.begin(), positions.end(), 0);
    for (int p = 0; p < count; ++p) {
      slots[p] = table[slice.table + p / 16] * 16 + p % 16;
    }
    const RopeFrequencies frequencies = FrequenciesOf(size);
    const Device<float> device_qkv(qkv), device_bias(bias),
        device_frequencies(frequencies.inverse),
        angles(static_cast<std::size_t>(count) * size);
    std::optional<Device<float>> q_norm, k_norm;
    HeadNorms norms;
    if (!q_norm_.empty()) {
      q_norm.emplace(q_norm_), k_norm.emplace(k_norm_);
      norms = {q_norm->get(), k_norm->get(), kEps};
    }
    const Device<std::int32_t> device_positions(positions), device_slots(slots);
    const Device<Bf16> q(static_cast<std::size_t>(count) * shape_.q_size());
    ExpectOk(RotaryAngles(device_positions.get(), count,
                          {device_frequencies.get(), frequencies.scale}, size,
                          angles.get(), nullptr));
    ExpectOk(RotateAndStore(shape_, device_qkv.get(), device_bias.get(), norms,
                            angles.get(), device_slots.get(), count, layer_,
                            q.get(), nullptr));
    KeepReference(s, qkv, bias, q.Read(), slots);
    ExpectOk(CopyRowsToBatch(q, s, slice));
  }

  absl::Status CopyRowsToBatch(const Device<Bf16>& q, const Sequence& s,
                               const AttentionSlice& slice) {
    const std::vector<Bf16> all = q.Read();
    const auto begin =
        all.begin() +
        static_cast<std::ptrdiff_t>(s.first_position) * shape_.q_size();
    const std::vector<Bf16> rows(begin, all.end());
    return CopyToDevice(
        q_.get() + static_cast<std::size_t>(slice.first_row) * shape_.q_size(),
        rows.data(), rows.size() * sizeof(Bf16), nullptr);
  }

  void NormHeads(const std::vector<float>& weight, int heads, float* x) const {
    if (weight.empty()) return;
    reference::RmsNorm(x, heads, shape_.head_size, weight.data(), kEps, x);
  }

  // Checks what RotateAndStore wrote against the reference of norms and
  // kernels/rope.h, and keeps it.
  void KeepReference(const Sequence& s, std::vector<float> qkv,
                     const std::vector<float>& bias, const std::vector<Bf16>& q,
                     const std::vector<std::int32_t>& slots) {
    const int size = shape_.head_size, kv_size = shape_.kv_size();
    const Rope rope(FrequenciesOf(size));
    const std::vector<Bf16> cache = cache_.Read();
    std::vector<float> angles(size), keys, values, expected_keys,
        expected_values, expected_q;
    const int count = static_cast<int>(slots.size());
    for (int p = 0; p < count; ++p) {
      float* const row = &qkv[static_cast<std::size_t>(p) * shape_.qkv_size()];
      for (int i = 0; i < shape_.qkv_size(); ++i) row[i] += bias[i];
      NormHeads(q_norm_, shape_.heads, row);
      NormHeads(k_norm_, shape_.kv_heads, row + shape_.q_size());
      rope.Angles(p, angles.data());
      rope.Rotate(angles.data(), shape_.heads + shape_.kv_heads, row);
      const float* const key = row + shape_.q_size();
      expected_q.insert(expected_q.end(), row, row + shape_.q_size());
      expected_keys.insert(expected_keys.end(), key, key + kv_size);
      expected_values.insert(expected_values.end(), key + kv_size,
                             key + 2 * kv_size);
      const std::size_t block = slots[p] / 16 * layer_.stride;
      for (int i = 0; i < kv_size; ++i) {
        const std::size_t head = block + i / size * 16 * size;
        keys.push_back(F32FromBf16Bits(
            cache[head + KeyIndex(slots[p] % 16, i % size, size)]));
        values.push_back(
            F32FromBf16Bits(cache[head + shape_.block_numbers() +
                                  ValueIndex(slots[p] % 16, i % size)]));
      }
    }
    // Half a unit in the last of 8 bits, and the error of the angles.
    ExpectNear(keys, expected_keys, 1e-4, 1.0 / 256);
    ExpectNear(values, expected_values, 1e-6, 1.0 / 256);
    ExpectNear(Widened(q), expected_q, 1e-4, 1.0 / 256);
    const std::vector<float> wide = Widened(q);
    queries_.emplace_back(
        wide.begin() +
            static_cast<std::ptrdiff_t>(s.first_position) * shape_.q_size(),
        wide.end());
    keys_.push_back(std::move(keys));
    values_.push_back(std::move(values));
  }
};

// The probabilities and the result are rounded to 8 bits; with values of
// deviation 1, of which few exceed 4, that is at most 0.02.
constexpr double kTolerance = 0.02;

TEST_F(AttentionTest, SplitAndDirectTasksEqualTheReferenceAndEachOther) {
  for (const HeadShape& shape : {HeadShape{6, 2, 32}, HeadShape{7, 1, 64},
                                 HeadShape{2, 2, 96}, HeadShape{4, 1, 128}}) {
    Fill(shape, {{0, 1}, {127, 1}, {128, 1}, {269, 3}, {10, 21}});
    const std::vector<Bf16> direct = Attend(slices_, 0);
    ExpectNear(Widened(direct), Expected(), kTolerance, 0);
    EXPECT_TRUE(direct == Attend(slices_, 1000)) << shape.head_size;
  }
}

TEST_F(AttentionTest, ARowDependsNeitherOnTheChunkNorOnTheOthers) {
  Fill({14, 2, 64}, {{0, 150}});
  const std::vector<Bf16> whole = Attend(slices_, 0);
  std::vector<AttentionSlice> chunks;
  for (const auto& [first, rows] :
       {std::pair(0, 1), std::pair(1, 15), std::pair(16, 101),
        std::pair(117, 30), std::pair(147, 3)}) {
    chunks.push_back({first, rows, first, 0});
  }
  EXPECT_TRUE(whole == Attend(chunks, 0));
  EXPECT_TRUE(whole == Attend(chunks, 1000));
}

TEST_F(AttentionTest, QueriesAndKeysAreNormalisedByHead) {
  for (const HeadShape& shape : {HeadShape{6, 2, 32}, HeadShape{7, 1, 64},
                                 HeadShape{2, 2, 96}, HeadShape{4, 1, 128}}) {
    Fill(shape, {{0, 1}, {30, 21}}, /*norms=*/true);
    ExpectNear(Widened(Attend(slices_, 0)), Expected(), kTolerance, 0);
  }
}

TEST_F(AttentionTest, ShapesWithoutKernelsAreRefused) {
  EXPECT_TRUE(CheckHeadShape({14, 2, 64}).ok());
  for (const HeadShape& shape :
       {HeadShape{14, 2, 48}, HeadShape{14, 4, 64}, HeadShape{14, 0, 64}}) {
    EXPECT_EQ(CheckHeadShape(shape).code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace apollo::cuda
