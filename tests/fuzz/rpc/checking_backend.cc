#include "tests/fuzz/rpc/checking_backend.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>

#include "common/check.h"
#include "dense_worker/request_check.h"

namespace apollo {
namespace {

constexpr char kNumerics[] = "cpu/f32/f32/1";
constexpr int kMostTokens = 64;
constexpr int kPromptPiece = 8;

// A sequence that has ended.
class EndedCall final : public GenerationCall {
 public:
  void Cancel() override {}
  void SetPaused(bool /*paused*/) override {}
};

std::vector<TokenLogprob> Alternatives(int count, const ModelConfig& config) {
  std::vector<TokenLogprob> all;
  for (int i = 0; i < std::min<int>(count, config.vocab_size); ++i) {
    all.push_back({i, static_cast<float>(-1 - i)});
  }
  return all;
}

}  // namespace

std::vector<LayerUse> CheckingBackend::Use() const {
  std::vector<LayerUse> use;
  for (int layer = config_.boundary; layer < config_.num_layers; ++layer) {
    use.push_back({layer, std::vector<std::uint64_t>(config_.num_experts, 1)});
  }
  return use;
}

void CheckingBackend::SendPrompt(const GenerationRequest& request,
                                 GenerationSink& sink) const {
  if (!request.prompt_logprobs) return;
  PromptLogprobs piece = {.index = 1};
  for (std::size_t i = 1; i < request.prompt.size(); ++i) {
    piece.tokens.push_back({request.prompt[i], -1,
                            Alternatives(*request.prompt_logprobs, config_)});
    if (piece.tokens.size() < kPromptPiece && i + 1 < request.prompt.size()) {
      continue;
    }
    sink.OnPrompt(piece);
    piece = {.index = static_cast<int>(i) + 1};
  }
}

std::unique_ptr<GenerationCall> CheckingBackend::Start(
    GenerationRequest request, std::shared_ptr<GenerationSink> sink) {
  absl::Status status = CheckRequest(request, config_);
  APOLLO_CHECK(status.ok() || from_ == From::kWire);
  status.Update(CheckOwnNumerics(request, kNumerics));
  if (!status.ok()) {
    sink->OnFinished(status);
    return nullptr;
  }
  sink->OnStarted(
      {"dense-0", "expert-0", 0, SequenceNumerics{kNumerics, kNumerics}});
  GenerationFinished finished = {FinishCause::kScored, Use(), {}};
  if (request.score_tokens > 0) {
    finished.score_logprobs.assign(request.score_tokens, -1);
    sink->OnFinished(std::move(finished));
    return std::make_unique<EndedCall>();
  }
  SendPrompt(request, *sink);
  std::mt19937_64 random(request.sampling.seed);
  const int tokens = std::min(request.max_new_tokens, kMostTokens);
  for (int i = 0; i < tokens; ++i) {
    GeneratedToken token;
    token.index = request.answer_tokens + i;
    token.token = static_cast<std::int32_t>(random() % config_.vocab_size);
    token.logprob = -1;
    token.alternatives = Alternatives(request.top_logprobs, config_);
    if (request.use_with_tokens) token.expert_use = Use();
    sink->OnToken(token);
  }
  finished.cause = tokens < request.max_new_tokens ? FinishCause::kEos
                                                   : FinishCause::kLength;
  sink->OnFinished(std::move(finished));
  return std::make_unique<EndedCall>();
}

void CheckingBackend::CollectRouting(
    absl::Duration /*window*/,
    std::function<void(std::vector<WorkerRouting>)> done) {
  done({{"dense-0", RoutingCounts{}}});
}

void CheckingBackend::CollectStatus(
    std::function<void(std::vector<ProcessStatus>)> done) {
  done({ProcessStatus{.role = ProcessRole::kDenseWorker, .name = "dense-0"}});
}

}  // namespace apollo
