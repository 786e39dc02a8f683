#include "engine/cpu/batch.h"

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

namespace {

// Returns the minimum number of rows per thread for rows of this many
// operations.
std::int64_t RowGrain(int operations) { return 16384 / (operations + 1) + 1; }

const float* BiasOf(const std::vector<float>& bias) {
  return bias.empty() ? nullptr : bias.data();
}

// Normalises each of `heads` heads, if the model does so.
void NormHeads(const std::vector<float>& weight, const ModelConfig& config,
               int heads, float* x) {
  if (weight.empty()) return;
  RmsNorm(x, heads, config.head_size, weight.data(), config.rms_norm_eps, x);
}

}  // namespace

void AddRows(const float* x, int rows, int size, float* hidden,
             ThreadPool& pool) {
  pool.ParallelFor(
      rows, RowGrain(size), [&](std::int64_t begin, std::int64_t end) {
        AddScaled(x + begin * size, 1.0f, static_cast<int>(end - begin) * size,
                  hidden + begin * size);
      });
}

void RunAttention(const ModelConfig& config, const AttentionWeights& weights,
                  const Rope& rope, const Batch& batch, int cache_layer,
                  KvCache& cache, float* hidden, Workspace& workspace,
                  ThreadPool& pool) {
  const std::size_t rows = batch.rows();
  const int q_size = config.q_size();
  const int kv_size = config.kv_size();
  const int qkv_size = q_size + 2 * kv_size;
  const AttentionShape& shape = cache.shape();

  float* normed = Workspace::Room(workspace.normed, rows * config.hidden_size);
  RmsNorm(hidden, batch.rows(), config.hidden_size, weights.norm.data(),
          config.rms_norm_eps, normed, pool);
  float* qkv = Workspace::Room(workspace.qkv, rows * qkv_size);
  MatMul(normed, batch.rows(), config.hidden_size, weights.qkv,
         BiasOf(weights.qkv_bias), qkv, qkv_size, pool);

  // All keys of the step are stored before any row attends.
  std::vector<std::vector<const void*>> keys, values;  // [slices][blocks]
  std::vector<AttentionRow> attention_rows;
  std::vector<BlockId> block_of_row;
  for (const BatchSlice& slice : batch.slices()) {
    const int blocks = BlocksFor(slice.first_position + slice.rows);
    auto& slice_keys = keys.emplace_back();
    auto& slice_values = values.emplace_back();
    for (int b = 0; b < blocks; ++b) {
      slice_keys.push_back(cache.keys(cache_layer, (*slice.blocks)[b]));
      slice_values.push_back(cache.values(cache_layer, (*slice.blocks)[b]));
    }
    for (int r = 0; r < slice.rows; ++r) {
      const int position = slice.first_position + r;
      block_of_row.push_back((*slice.blocks)[position / kBlockTokens]);
      attention_rows.push_back(
          {slice_keys.data(), slice_values.data(), position});
    }
  }
  pool.ParallelFor(
      batch.rows(), RowGrain(4 * qkv_size),
      [&](std::int64_t begin, std::int64_t end) {
        for (int row = static_cast<int>(begin); row < end; ++row) {
          float* q = qkv + static_cast<std::size_t>(row) * qkv_size;
          NormHeads(weights.q_norm, config, config.num_heads, q);
          NormHeads(weights.k_norm, config, config.num_kv_heads, q + q_size);
          rope.Rotate(batch.angles(row), config.num_heads, q);
          rope.Rotate(batch.angles(row), config.num_kv_heads, q + q_size);
          StoreKeyValue(shape, q + q_size, q + q_size + kv_size,
                        batch.position(row) % kBlockTokens,
                        cache.keys(cache_layer, block_of_row[row]),
                        cache.values(cache_layer, block_of_row[row]));
        }
      });

  float* mixed = Workspace::Room(workspace.mixed, rows * q_size);
  Attention(shape, attention_rows, qkv, qkv_size, mixed, q_size, pool);
  MatMul(mixed, batch.rows(), q_size, weights.output,
         BiasOf(weights.output_bias), normed, config.hidden_size, pool);
  AddRows(normed, batch.rows(), config.hidden_size, hidden, pool);
}

void RunMlp(const MlpWeights& weights, const float* x, int rows, float* out,
            Workspace& workspace, ThreadPool& pool) {
  const int inner = weights.inner();
  const int hidden = weights.gate_up.inputs();
  const std::size_t size = static_cast<std::size_t>(rows) * inner;
  float* gate_up = Workspace::Room(workspace.gate_up, 2 * size);
  MatMul(x, rows, hidden, weights.gate_up, nullptr, gate_up, 2 * inner, pool);
  float* active = Workspace::Room(workspace.active, size);
  SiluMul(gate_up, rows, inner, active, pool);
  MatMul(active, rows, inner, weights.down, nullptr, out, hidden, pool);
}

}  // namespace apollo
