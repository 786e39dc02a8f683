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
                   CpuExpertStage::Load(model.config, *model.weights, experts,
                                        cache, runner->pool_, nullptr));
  return runner;
}

absl::StatusOr<std::span<const float>> Runner::Step(
    const std::vector<Part>& parts) {
  DenseStep dense;
  std::vector<ExpertSlice> expert;
  std::vector<int> wanted;
  int first = 0;
  for (const Part& part : parts) {
    const int rows = static_cast<int>(part.tokens.size());
    Sequence& s = *part.sequence;
    const int blocks = BlocksFor(s.length + rows);
    if (!dense_->blocks().Extend(s.dense, blocks) ||
        !expert_->blocks().Extend(s.expert, blocks)) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "caches of ", cache_megabytes_, " MB hold ",
          std::min(CacheTokens(dense_->blocks()),
                   CacheTokens(expert_->blocks())),
          " tokens, less than the sequences together; use fewer or "
          "shorter ones"));
    }
    dense.slices.push_back({&s.dense, s.length, rows, 0});
    dense.tokens.insert(dense.tokens.end(), part.tokens.begin(),
                        part.tokens.end());
    expert.push_back({&s.expert, s.length, -1, false, {}});
    for (int r = part.all_logits ? 0 : rows - 1; r < rows; ++r) {
      wanted.push_back(first + r);
    }
    first += rows;
    s.length += rows;
  }
  dense_->Forward(std::move(dense), [&](Rows boundary) {
    int row = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const int rows = static_cast<int>(parts[i].tokens.size());
      expert[i].boundary = boundary.Slice(row, rows);
      row += rows;
    }
  });
  const std::unique_ptr<ExpertStep> step = expert_->Begin(std::move(expert));
  const ModelConfig& config = expert_->config();
  for (int layer = config.boundary; layer < config.num_layers; ++layer) {
    // All experts are resident, so no rows are absent.
    expert_->RunLayer(
        *step, layer, {}, [](std::vector<AbsentRows>) {},
        [](std::vector<Rows>) {});
  }
  logits_.resize(wanted.size() * config.vocab_size);
  expert_->Logits(*step, wanted, logits_.data());
  return std::span<const float>(logits_);
}

void Runner::Release(Sequence& sequence) {
  dense_->blocks().Release(sequence.dense);
  expert_->blocks().Release(sequence.expert);
  sequence.length = 0;
}

}  // namespace apollo
