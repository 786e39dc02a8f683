#include "benchmarks/engine/runner.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "engine/cache_options.h"
#include "model/config/expert_list.h"
#include "model/weights/open_model.h"

namespace apollo {

absl::StatusOr<std::unique_ptr<Runner>> Runner::Create(const OpenModel& model,
                                                       int threads,
                                                       int cache_megabytes) {
  std::unique_ptr<Runner> runner(new Runner(threads, cache_megabytes));
  ASSIGN_OR_RETURN(const CacheOptions cache,
                   ParseCacheOptions(cache_megabytes, "auto", model.format));
  ASSIGN_OR_RETURN(runner->dense_,
                   CpuDenseStage::Load(model.config, *model.weights, cache,
                                       runner->pool_, nullptr));
  ASSIGN_OR_RETURN(const std::set<int> experts,
                   ParseExperts("all", model.config.num_experts));
  ASSIGN_OR_RETURN(runner->expert_,
                   ExpertStage::Load(model.config, *model.weights, experts,
                                     cache, runner->pool_, nullptr));
  return runner;
}

absl::StatusOr<std::span<const float>> Runner::Step(
    const std::vector<Part>& parts) {
  DenseStep dense;
  std::vector<std::int32_t>& tokens = dense.tokens;
  std::vector<BatchSlice> expert;
  std::vector<int> wanted;
  for (const Part& part : parts) {
    const int rows = static_cast<int>(part.tokens.size());
    Sequence& s = *part.sequence;
    const int blocks = BlocksFor(s.length + rows);
    if (!dense_->blocks().Extend(s.dense, blocks) ||
        !expert_->cache().pool().Extend(s.expert, blocks)) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "caches of ", cache_megabytes_, " MB hold ",
          std::min(std::int64_t{dense_->blocks().total()} * kBlockTokens,
                   expert_->cache().tokens()),
          " tokens, and the sequences are longer together: take fewer or "
          "shorter ones"));
    }
    dense.slices.push_back({&s.dense, s.length, rows, 0});
    expert.push_back({&s.expert, s.length, rows});
    for (int r = 0; r < rows; ++r) {
      if (part.all_logits || r == rows - 1) {
        wanted.push_back(static_cast<int>(tokens.size()) + r);
      }
    }
    tokens.insert(tokens.end(), part.tokens.begin(), part.tokens.end());
    s.length += rows;
  }
  const std::vector<int> pinned(tokens.size(), -1);
  std::vector<float> boundary;
  dense_->Forward(std::move(dense), [&](Rows rows) {
    boundary.assign(rows.host().begin(), rows.host().end());
  });
  ExpertStage::Step step = expert_->Begin(expert, std::move(boundary));
  const ModelConfig& config = expert_->config();
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    expert_->Attend(step, layer);
    expert_->Route(step, layer, pinned);
    RunExperts(step, layer);
    expert_->Combine(step, layer);
  }
  logits_.resize(wanted.size() * config.vocab_size);
  expert_->Logits(step, wanted, logits_.data());
  return std::span<const float>(logits_);
}

void Runner::RunExperts(ExpertStage::Step& step, int layer) {
  const ModelConfig& config = expert_->config();
  const std::size_t size = config.hidden_size;
  for (int e = 0; e < config.num_experts; ++e) {
    std::vector<std::size_t> choices;
    for (std::size_t c = 0; c < step.choices.size(); ++c) {
      if (step.choices[c].expert == e) choices.push_back(c);
    }
    if (choices.empty()) continue;
    gathered_.resize(choices.size() * size);
    outputs_.resize(choices.size() * size);
    for (std::size_t i = 0; i < choices.size(); ++i) {
      std::copy_n(&step.normed[choices[i] / config.experts_per_token * size],
                  size, &gathered_[i * size]);
    }
    expert_->RunExpert(layer, e, gathered_.data(),
                       static_cast<int>(choices.size()), outputs_.data());
    for (std::size_t i = 0; i < choices.size(); ++i) {
      std::copy_n(&outputs_[i * size], size,
                  &step.expert_outputs[choices[i] * size]);
    }
  }
}

void Runner::Release(Sequence& sequence) {
  dense_->blocks().Release(sequence.dense);
  expert_->cache().pool().Release(sequence.expert);
  sequence.length = 0;
}

}  // namespace apollo
