#include "engine/cpu/cpu_dense_stage.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "engine/rope_frequencies.h"
#include "kernels/elementwise.h"

namespace apollo {

CpuDenseStage::CpuDenseStage(const ModelConfig& config,
                             const WeightSource& source, ThreadPool& pool)
    : config_(config),
      source_(source),
      pool_(pool),
      rope_(RopeFrequenciesOf(config)) {}

std::int64_t CpuDenseStage::WeightBytes(const ModelConfig& config,
                                        const WeightSource& source) {
  std::vector<TensorInfo> tensors = DenseStageTensors(config);
  // Rows of the embedding are read as needed.
  std::erase_if(tensors, [](const TensorInfo& tensor) {
    return tensor.kind == WeightKind::kEmbedding;
  });
  return SourceBytes(source, tensors);
}

absl::StatusOr<std::unique_ptr<CpuDenseStage>> CpuDenseStage::Load(
    const ModelConfig& config, const WeightSource& source,
    const CacheOptions& cache, ThreadPool& pool, const LoadProgress& progress) {
  std::unique_ptr<CpuDenseStage> stage(new CpuDenseStage(config, source, pool));
  const AttentionShape shape = {config.num_heads, config.num_kv_heads,
                                config.head_size, cache.type};
  ASSIGN_OR_RETURN(
      const int blocks,
      BlocksInBytes(cache.bytes, KvCache::BlockBytes(shape, config.boundary,
                                                     config.hidden_size)));
  stage->cache_ = std::make_unique<KvCache>(shape, config.boundary,
                                            config.hidden_size, blocks);
  RETURN_IF_ERROR(stage->cache_->status());
  RETURN_IF_ERROR(source.CheckEmbedding(pool));
  if (cache.prefault) RETURN_IF_ERROR(stage->cache_->Prefault(pool));
  WeightLoader loader(config, source, pool, WeightBytes(config, source),
                      progress);
  for (int layer = 0; layer < config.boundary; ++layer) {
    ASSIGN_OR_RETURN(DenseLayerWeights weights, loader.DenseLayer(layer));
    stage->layers_.push_back(std::move(weights));
  }
  return stage;
}

void CpuDenseStage::Forward(DenseStep step, Done done) {
  std::vector<BatchSlice> computed;
  int rows = 0;
  for (const DenseSlice& slice : step.slices) {
    rows += slice.rows;
    if (slice.rows == slice.cached) continue;
    computed.push_back({slice.blocks, slice.first_position + slice.cached,
                        slice.rows - slice.cached});
  }
  if (!computed.empty()) Compute(std::move(computed), step.tokens);
  // All rows are in the log now.
  const int size = config_.hidden_size;
  Rows boundary = Rows::Host(rows, size);
  float* out = boundary.host().data();
  for (const DenseSlice& slice : step.slices) {
    for (int r = 0; r < slice.rows; ++r, out += size) {
      std::copy_n(LogRow(*slice.blocks, slice.first_position + r), size, out);
    }
  }
  done(std::move(boundary));
}

void CpuDenseStage::Compute(std::vector<BatchSlice> slices,
                            const std::vector<std::int32_t>& tokens) {
  const Batch batch(std::move(slices), rope_, config_.head_size);
  const int rows = batch.rows();
  const int size = config_.hidden_size;
  APOLLO_CHECK(static_cast<int>(tokens.size()) == rows);
  const std::size_t numbers = static_cast<std::size_t>(rows) * size;
  float* hidden = Workspace::Room(hidden_, numbers);
  float* normed = Workspace::Room(normed_, numbers);
  float* mlp = Workspace::Room(mlp_, numbers);
  pool_.ParallelFor(rows, 4, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      source_.Embedding(tokens[r], hidden + r * size);
    }
  });
  for (int layer = 0; layer < config_.boundary; ++layer) {
    const DenseLayerWeights& w = layers_[layer];
    RunAttention(config_, w.attention, rope_, batch, layer, *cache_, hidden,
                 workspace_, pool_);
    RmsNorm(hidden, rows, size, w.attention.mlp_norm.data(),
            config_.rms_norm_eps, normed, pool_);
    RunMlp(w.mlp, normed, rows, mlp, workspace_, pool_);
    AddRows(mlp, rows, size, hidden, pool_);
  }
  const float* row = hidden;
  for (const BatchSlice& slice : batch.slices()) {
    for (int r = 0; r < slice.rows; ++r, row += size) {
      std::copy_n(row, size, LogRow(*slice.blocks, slice.first_position + r));
    }
  }
}

float* CpuDenseStage::LogRow(const BlockTable& blocks, int position) {
  return cache_->boundary(blocks[position / kBlockTokens]) +
         static_cast<std::size_t>(position % kBlockTokens) *
             config_.hidden_size;
}

}  // namespace apollo
