#include "engine/batch.h"

#include <utility>

#include "common/check.h"
#include "kernels/elementwise.h"
#include "kernels/matmul.h"

namespace apollo {

Batch::Batch(std::vector<BatchSlice> slices, const Rope& rope, int head_size)
    : slices_(std::move(slices)), head_size_(head_size) {
  for (const BatchSlice& slice : slices_) {
    APOLLO_CHECK(slice.rows > 0 && slice.first_position >= 0);
    APOLLO_CHECK(static_cast<int>(slice.blocks->size()) >=
                 BlocksFor(slice.first_position + slice.rows));
    for (int r = 0; r < slice.rows; ++r) {
      positions_.push_back(slice.first_position + r);
    }
  }
  angles_.resize(positions_.size() * head_size);
  for (std::size_t r = 0; r < positions_.size(); ++r) {
    rope.Angles(positions_[r], &angles_[r * head_size]);
  }
}

void RunAttention(const ModelConfig& config, const AttentionWeights& weights,
                  const Rope& rope, const Batch& batch, int cache_layer,
                  KvCache& cache, float* hidden, ThreadPool& pool) {
  const int rows = batch.rows();
  const int q_size = config.q_size();
  const int kv_size = config.kv_size();
  const int qkv_size = q_size + 2 * kv_size;
  const AttentionShape& shape = cache.shape();

  std::vector<float> normed(static_cast<std::size_t>(rows) * config.hidden_size);
  RmsNorm(hidden, rows, config.hidden_size, weights.norm.data(),
          config.rms_norm_eps, normed.data(), pool);
  std::vector<float> qkv(static_cast<std::size_t>(rows) * qkv_size);
  MatMul(normed.data(), rows, config.hidden_size, weights.qkv,
         weights.qkv_bias.empty() ? nullptr : weights.qkv_bias.data(),
         qkv.data(), qkv_size, pool);

  // All of the step's keys are stored before any row attends.
  std::vector<std::vector<const void*>> keys, values;  // [slices][blocks]
  std::vector<AttentionRow> attention_rows;
  int row = 0;
  for (const BatchSlice& slice : batch.slices()) {
    const int blocks = BlocksFor(slice.first_position + slice.rows);
    auto& slice_keys = keys.emplace_back();
    auto& slice_values = values.emplace_back();
    for (int b = 0; b < blocks; ++b) {
      slice_keys.push_back(cache.keys(cache_layer, (*slice.blocks)[b]));
      slice_values.push_back(cache.values(cache_layer, (*slice.blocks)[b]));
    }
    for (int r = 0; r < slice.rows; ++r, ++row) {
      float* q = &qkv[static_cast<std::size_t>(row) * qkv_size];
      const int position = batch.position(row);
      rope.Rotate(batch.angles(row), config.num_heads, q);
      rope.Rotate(batch.angles(row), config.num_kv_heads, q + q_size);
      const BlockId block = (*slice.blocks)[position / kBlockTokens];
      StoreKeyValue(shape, q + q_size, q + q_size + kv_size,
                    position % kBlockTokens, cache.keys(cache_layer, block),
                    cache.values(cache_layer, block));
      attention_rows.push_back(
          {slice_keys.data(), slice_values.data(), position});
    }
  }

  std::vector<float> mixed(static_cast<std::size_t>(rows) * q_size);
  Attention(shape, attention_rows, qkv.data(), qkv_size, mixed.data(), q_size,
            pool);
  MatMul(mixed.data(), rows, q_size, weights.output, nullptr, normed.data(),
         config.hidden_size, pool);
  AddScaled(normed.data(), 1.0f, rows * config.hidden_size, hidden);
}

void RunMlp(const MlpWeights& weights, const float* x, int rows, float* out,
            ThreadPool& pool) {
  const int inner = weights.inner();
  const int hidden = weights.gate_up.inputs();
  std::vector<float> gate_up(static_cast<std::size_t>(rows) * 2 * inner);
  MatMul(x, rows, hidden, weights.gate_up, nullptr, gate_up.data(), 2 * inner,
         pool);
  std::vector<float> active(static_cast<std::size_t>(rows) * inner);
  SiluMul(gate_up.data(), rows, inner, active.data(), pool);
  MatMul(active.data(), rows, inner, weights.down, nullptr, out, hidden, pool);
}

}  // namespace apollo
