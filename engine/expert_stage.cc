#include "engine/expert_stage.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/status_macros.h"
#include "engine/cache_size.h"
#include "kernels/elementwise.h"
#include "kernels/matmul.h"

namespace apollo {
namespace {

// The plain dot product, in the order of the inputs.
float Dot(const float* a, const float* b, int size) {
  float sum = 0;
  for (int i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

ExpertStage::ExpertStage(const ModelConfig& config, std::set<int> experts,
                         ThreadPool& pool)
    : config_(config),
      experts_(std::move(experts)),
      pool_(pool),
      rope_(config.head_size, config.rope_theta) {}

std::int64_t ExpertStage::WeightBytes(const ModelConfig& config,
                                      const WeightSource& source,
                                      const std::set<int>& experts) {
  return SourceBytes(source, ExpertStageTensors(config, experts));
}

absl::StatusOr<std::unique_ptr<ExpertStage>> ExpertStage::Load(
    const ModelConfig& config, const WeightSource& source,
    const std::set<int>& experts, const CacheOptions& cache, ThreadPool& pool,
    const LoadProgress& progress) {
  for (const int e : experts) {
    if (e < 0 || e >= config.num_experts) {
      return absl::InvalidArgumentError(absl::StrCat(
          "expert ", e, " does not exist; this model has experts 0", " to ",
          config.num_experts - 1));
    }
  }
  std::unique_ptr<ExpertStage> stage(new ExpertStage(config, experts, pool));
  const AttentionShape shape = {config.num_heads, config.num_kv_heads,
                                config.head_size, cache.type};
  const int layers = config.num_sparse_layers();
  ASSIGN_OR_RETURN(
      const int blocks,
      BlocksInBytes(cache.bytes, KvCache::BlockBytes(shape, layers, 0)));
  stage->cache_ = std::make_unique<KvCache>(shape, layers, 0, blocks);
  RETURN_IF_ERROR(stage->cache_->status());
  if (cache.prefault) stage->cache_->Prefault(pool);
  WeightLoader loader(config, source, pool,
                      WeightBytes(config, source, experts), progress);
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    ASSIGN_OR_RETURN(SparseLayerWeights w, loader.SparseLayer(layer, experts));
    stage->layers_.push_back(std::move(w));
  }
  ASSIGN_OR_RETURN(stage->head_, loader.Head());
  return stage;
}

const SparseLayerWeights& ExpertStage::weights(int layer) const {
  APOLLO_CHECK(config_.IsSparse(layer) && layer < config_.num_layers);
  return layers_[layer - config_.boundary];
}

ExpertStage::Step ExpertStage::Begin(std::vector<BatchSlice> slices,
                                     std::vector<float> boundary) const {
  Step step = {Batch(std::move(slices), rope_, config_.head_size),
               std::move(boundary),
               {},
               {},
               {},
               {}};
  const std::size_t rows = step.batch.rows();
  APOLLO_CHECK(step.hidden.size() == rows * config_.hidden_size);
  step.normed.resize(step.hidden.size());
  step.choices.resize(rows * config_.experts_per_token);
  step.expert_outputs.resize(step.choices.size() * config_.hidden_size);
  step.replaced.resize(rows);
  return step;
}

void ExpertStage::Attend(Step& step, int layer) {
  const AttentionWeights& w = weights(layer).attention;
  RunAttention(config_, w, rope_, step.batch, layer - config_.boundary, *cache_,
               step.hidden.data(), workspace_, pool_);
  RmsNorm(step.hidden.data(), step.batch.rows(), config_.hidden_size,
          w.mlp_norm.data(), config_.rms_norm_eps, step.normed.data(), pool_);
}

void ExpertStage::Route(Step& step, int layer,
                        std::span<const int> pinned) const {
  const SparseLayerWeights& w = weights(layer);
  const int rows = step.batch.rows();
  const int k = config_.experts_per_token;
  const int size = config_.hidden_size;
  APOLLO_CHECK(static_cast<int>(pinned.size()) == rows);
  const GateOptions options = {config_.num_experts, k, config_.norm_topk_prob};
  // (Not into step.replaced, whose bits share bytes.)
  std::vector<char> replaced(rows);
  pool_.ParallelFor(rows, 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> logits(config_.num_experts);
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = &step.normed[r * size];
      for (int e = 0; e < config_.num_experts; ++e) {
        logits[e] = Dot(&w.gate[static_cast<std::size_t>(e) * size], x, size);
      }
      replaced[r] = ChooseExperts(logits.data(), options, pinned[r],
                                  &step.choices[r * k]);
    }
  });
  step.replaced.assign(replaced.begin(), replaced.end());
}

void ExpertStage::RunExpert(int layer, int expert, const float* x, int rows,
                            float* out) {
  const auto& experts = weights(layer).experts;
  const auto it = experts.find(expert);
  APOLLO_CHECK(it != experts.end());
  RunMlp(it->second, x, rows, out, workspace_, pool_);
}

void ExpertStage::Combine(Step& step, int layer) {
  const SparseLayerWeights& w = weights(layer);
  const int rows = step.batch.rows();
  const int k = config_.experts_per_token;
  const int size = config_.hidden_size;
  const float* shared = nullptr;
  if (config_.shared_expert) {
    float* room = Workspace::Room(shared_, step.normed.size());
    RunMlp(w.shared, step.normed.data(), rows, room, workspace_, pool_);
    shared = room;
  }
  pool_.ParallelFor(rows, 8, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sum(size);
    for (std::int64_t r = begin; r < end; ++r) {
      const std::size_t row = static_cast<std::size_t>(r) * size;
      std::fill(sum.begin(), sum.end(), 0.0f);
      for (int j = 0; j < k; ++j) {
        const std::size_t choice = static_cast<std::size_t>(r) * k + j;
        AddScaled(&step.expert_outputs[choice * size],
                  step.choices[choice].weight, size, sum.data());
      }
      if (shared != nullptr) {
        const float gate =
            Sigmoid(Dot(w.shared_gate.data(), &step.normed[row], size));
        AddScaled(shared + row, gate, size, sum.data());
      }
      AddScaled(sum.data(), 1.0f, size, &step.hidden[row]);
    }
  });
}

void ExpertStage::Logits(const Step& step, std::span<const int> rows,
                         float* logits) {
  const int size = config_.hidden_size;
  const int count = static_cast<int>(rows.size());
  std::vector<float> normed(static_cast<std::size_t>(count) * size);
  for (int i = 0; i < count; ++i) {
    std::copy_n(&step.hidden[static_cast<std::size_t>(rows[i]) * size], size,
                &normed[static_cast<std::size_t>(i) * size]);
  }
  RmsNorm(normed.data(), count, size, head_.norm.data(), config_.rms_norm_eps,
          normed.data(), pool_);
  MatMul(normed.data(), count, size, head_.output, nullptr, logits,
         config_.vocab_size, pool_);
}

}  // namespace apollo
