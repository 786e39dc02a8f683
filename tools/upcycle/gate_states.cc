#include "tools/upcycle/gate_states.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/rows.h"
#include "common/status_macros.h"
#include "engine/cache_options.h"
#include "engine/cpu/cpu_dense_stage.h"
#include "engine/cpu/cpu_expert_stage.h"
#include "model/config/expert_list.h"
#include "tools/upcycle/gate_override.h"

namespace apollo {
namespace {

constexpr std::int64_t kCacheMegabytes = 256;

// Returns the tokens of a text behind those that precede each text.
absl::StatusOr<std::vector<std::int32_t>> TokensOf(const Tokenizer& tokenizer,
                                                   const std::string& text,
                                                   int most) {
  ASSIGN_OR_RETURN(const std::vector<TokenId> own,
                   tokenizer.Encode(text, SpecialText::kPlain));
  const std::span<const TokenId> prefix = tokenizer.prefix_ids();
  std::vector<std::int32_t> tokens(prefix.begin(), prefix.end());
  tokens.insert(tokens.end(), own.begin(), own.end());
  if (static_cast<int>(tokens.size()) > most) tokens.resize(most);
  return tokens;
}

absl::Status TooLong(int rows) {
  return absl::ResourceExhaustedError(
      absl::StrCat("a cache of ", kCacheMegabytes, " MB does not hold a text ",
                   "of ", rows, " tokens"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<GateStates>> GateStates::Create(
    const OpenModel& model, const Tokenizer& tokenizer,
    const FamilyTexts& texts, ThreadPool& pool) {
  std::unique_ptr<GateStates> states(new GateStates(model, pool));
  RETURN_IF_ERROR(states->RunDense(tokenizer, texts));
  return states;
}

absl::Status GateStates::RunDense(const Tokenizer& tokenizer,
                                  const FamilyTexts& texts) {
  ASSIGN_OR_RETURN(const CacheOptions cache,
                   ParseCacheOptions(kCacheMegabytes, "float32", std::nullopt));
  ASSIGN_OR_RETURN(const std::unique_ptr<CpuDenseStage> stage,
                   CpuDenseStage::Load(model_.config, *model_.weights, cache,
                                       pool_, nullptr));
  const int most = std::min(kMostTokens, model_.config.max_context);
  states_.resize(texts.size());
  for (std::size_t family = 0; family < texts.size(); ++family) {
    for (const std::string& text : texts[family]) {
      ASSIGN_OR_RETURN(std::vector<std::int32_t> tokens,
                       TokensOf(tokenizer, text, most));
      const int rows = static_cast<int>(tokens.size());
      if (rows < 2) continue;
      BlockTable blocks;
      if (!stage->blocks().Extend(blocks, BlocksFor(rows))) {
        return TooLong(rows);
      }
      Text& own = texts_.emplace_back();
      own.family = static_cast<int>(family);
      stage->Forward({{{&blocks, 0, rows, 0}}, std::move(tokens)},
                     [&own](Rows rows) { own.boundary = std::move(rows); });
      stage->blocks().Release(blocks);
      states_[family] += rows - 1;
    }
    if (states_[family] == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the texts of family ", family,
                       " have one token each; each needs at least two"));
    }
  }
  return absl::OkStatus();
}

absl::Status GateStates::RunTo(int layer, const Gates& gates,
                               Visit visit) const {
  const ModelConfig& config = model_.config;
  const GateOverride weights(*model_.weights, gates);
  ASSIGN_OR_RETURN(const CacheOptions cache,
                   ParseCacheOptions(kCacheMegabytes, "float32", std::nullopt));
  ASSIGN_OR_RETURN(const std::set<int> experts,
                   ParseExperts("all", config.num_experts));
  ASSIGN_OR_RETURN(
      const std::unique_ptr<CpuExpertStage> stage,
      CpuExpertStage::Load(config, weights, experts, cache, pool_, nullptr));
  const std::size_t hidden = static_cast<std::size_t>(config.hidden_size);
  const std::size_t k = static_cast<std::size_t>(config.experts_per_token);
  for (const Text& text : texts_) {
    const int rows = text.boundary.rows();
    BlockTable blocks;
    if (!stage->blocks().Extend(blocks, BlocksFor(rows))) {
      return TooLong(rows);
    }
    {
      std::vector<ExpertSlice> slices(1);
      slices[0].blocks = &blocks;
      slices[0].boundary = text.boundary.Slice(0, rows);
      const std::unique_ptr<ExpertStep> step = stage->Begin(std::move(slices));
      for (int l = config.boundary; l <= layer; ++l) {
        stage->RunLayer(
            *step, l, {}, [](std::vector<AbsentRows>) {},
            [](std::vector<Rows>) {});
      }
      const std::span<const float> inputs = stage->GateInputs(*step);
      const std::span<const ExpertChoice> choices = stage->Choices(*step);
      for (std::size_t r = 1; r < static_cast<std::size_t>(rows); ++r) {
        visit(text.family, inputs.subspan(r * hidden, hidden),
              choices.subspan(r * k, k));
      }
    }
    stage->blocks().Release(blocks);
  }
  return absl::OkStatus();
}

}  // namespace apollo
