#include "dense_worker/dense_sequence.h"

#include <algorithm>
#include <utility>

#include "common/check.h"

namespace apollo {
namespace {

using Verdict = DenseSequence::Verdict;

Verdict Broken(const char* reason) {
  return {Verdict::Kind::kOver, absl::InternalError(reason)};
}

void AddTo(std::vector<std::uint64_t>& sums,
           const std::vector<std::uint32_t>& numbers) {
  const std::size_t count = std::min(sums.size(), numbers.size());
  for (std::size_t i = 0; i < count; ++i) sums[i] += numbers[i];
}

}  // namespace

int FirstNeeded(const GenerationRequest& request, int tokens,
                int prompt_scored) {
  // Row p gives token p + 1, or its log-probability.
  if (request.score_tokens > 0) return tokens - request.score_tokens - 1;
  const int prompt = PromptTokens(request);
  int first = tokens - 1;
  if (request.prompt_logprobs && prompt_scored < prompt - 1) {
    first = std::min(first, prompt_scored);
  }
  const SamplingOptions& sampling = request.sampling;
  if (sampling.presence_penalty != 0 || sampling.frequency_penalty != 0) {
    first = std::min(first, prompt);
  }
  return first;
}

DenseSequence::DenseSequence(SequenceId id, GenerationRequest request,
                             LinkId worker,
                             std::shared_ptr<GenerationSink> sink,
                             const ModelConfig& config,
                             std::optional<BlockHashes> hashes)
    : id_(id),
      request_(std::move(request)),
      sink_(std::move(sink)),
      config_(config),
      worker_(worker),
      numerics_(request_.numerics
                    ? std::optional<std::string>(request_.numerics->expert)
                    : std::nullopt),
      tokens_(request_.prompt),
      hashes_(std::move(hashes)),
      expert_use_(static_cast<std::size_t>(config.num_sparse_layers()) *
                  config.num_experts),
      off_family_(config.num_sparse_layers()) {}

std::span<const std::int32_t> DenseSequence::fed_tokens() const {
  return {tokens_.data(), tokens_.size() - (request_.score_tokens > 0 ? 1 : 0)};
}

std::span<const BlockHash> DenseSequence::hashes() {
  if (!hashes_) return {};
  return hashes_->Of(tokens_);
}

std::span<const BlockHash> DenseSequence::SkippableHashes() {
  // The second time in a row nothing is left to belief, so that it ends.
  if (!hashes_ || misses_ > 1) return {};
  const int needed =
      FirstNeeded(request_, static_cast<int>(tokens_.size()), prompt_scored_);
  return hashes().first(needed / kHashedTokens);
}

std::span<const BlockHash> DenseSequence::NewlyHeld(int position) {
  const std::span<const BlockHash> all = hashes();
  // A worker may say anything.
  const int last = std::min(position, static_cast<int>(tokens_.size()));
  const int whole =
      std::min(static_cast<int>(all.size()), (last + 1) / kHashedTokens);
  if (whole <= held_) return {};
  const int before = std::exchange(held_, whole);
  return all.subspan(before, whole - before);
}

std::span<const BlockHash> DenseSequence::AllHeld() {
  return hashes().first(held_);
}

void DenseSequence::Apply(SequenceEvent event) {
  const std::optional<SequenceState> next = NextState(state_, event);
  APOLLO_CHECK(next.has_value());
  state_ = *next;
}

void DenseSequence::Admit() { Apply(SequenceEvent::kAdmitted); }

void DenseSequence::MoveTo(LinkId worker) {
  const bool replays = has_blocks();
  Apply(SequenceEvent::kMoved);
  worker_ = worker;
  retry_at_.reset();
  if (replays) BeginAnew();
}

bool DenseSequence::Start(const GenerationStarted& started) {
  if (std::exchange(started_, true)) return false;
  sink_->OnStarted(started);
  return true;
}

SequenceRows DenseSequence::Feed(const Scheduler::Slice& slice,
                                 bool with_hashes) {
  APOLLO_CHECK(state_ == SequenceState::kFeeding);
  SequenceRows rows;
  rows.sequence = id_;
  rows.attempt = attempt_;
  rows.first_position = slice.first_position;
  const auto first = tokens_.begin() + slice.first_position;
  rows.tokens.assign(first, first + slice.rows);
  if (!began_at_) {
    began_at_ = slice.first_position;
    rows.start = SequenceStart{
        request_.family,       request_.hybrid,
        request_.sampling,     PromptTokens(request_),
        request_.top_logprobs, request_.language,
        request_.request_id,   request_.prompt_logprobs.value_or(0),
        request_.trace};
  }
  const int end = slice.first_position + slice.rows;
  if (with_hashes && hashes_) {
    const int first = rows.start ? 0 : slice.first_position / kHashedTokens;
    const std::span<const BlockHash> ended =
        hashes().subspan(first, end / kHashedTokens - first);
    rows.block_hashes.assign(ended.begin(), ended.end());
  }
  if (request_.score_tokens > 0) {
    // Row p gives the log-probability of token p + 1.
    const int first_scored =
        static_cast<int>(tokens_.size()) - request_.score_tokens - 1;
    for (int p = std::max(slice.first_position, first_scored); p < end; ++p) {
      rows.score_targets.push_back(tokens_[p + 1]);
    }
    return rows;
  }
  if (request_.prompt_logprobs) {
    // Answer tokens in these rows are there only once the prompt is scored.
    const int last = std::min(end, PromptTokens(request_) - 1);
    for (int p = std::max(slice.first_position, prompt_scored_); p < last;
         ++p) {
      rows.score_targets.push_back(tokens_[p + 1]);
    }
    if (!rows.score_targets.empty()) rows.unscored_rows = end - last;
  }
  if (slice.ends_prompt) {
    rows.sample = true;
    awaited_ = end - 1;
    Apply(SequenceEvent::kAsked);
  }
  return rows;
}

void DenseSequence::BeginAnew() {
  ++attempt_;
  began_at_.reset();
  held_ = 0;
  // All positions will be computed and counted again.
  std::fill(expert_use_.begin(), expert_use_.end(), 0);
  std::fill(off_family_.begin(), off_family_.end(), 0);
  score_logprobs_.clear();
}

void DenseSequence::Preempt() {
  Apply(SequenceEvent::kPreempted);
  published_ = 0;
  BeginAnew();
}

void DenseSequence::Hold() {
  Apply(SequenceEvent::kRefused);
  published_ = 0;
  BeginAnew();
}

void DenseSequence::LetGo() {
  Apply(SequenceEvent::kLetGo);
  retry_at_.reset();
}

void DenseSequence::Finish(absl::StatusOr<GenerationFinished> result) {
  Apply(SequenceEvent::kFinished);
  sink_->OnFinished(std::move(result));
}

Verdict DenseSequence::Take(const SequenceOutput& output) {
  if (output.status.code() == absl::StatusCode::kAborted) {
    return {Verdict::Kind::kNoRoom};
  }
  if (output.status.code() == absl::StatusCode::kNotFound && began_at_ > 0) {
    ++misses_;
    return {Verdict::Kind::kMissed};
  }
  if (output.status.code() == absl::StatusCode::kUnavailable &&
      ++failures_ < kMostFailures) {
    return {Verdict::Kind::kFailed, output.status};
  }
  if (!output.status.ok()) return {Verdict::Kind::kOver, output.status};
  // A new attempt answers earlier rows again: that is no progress.
  if (output.position > answered_) {
    answered_ = output.position;
    failures_ = 0;
  }
  pauses_.Reset();
  misses_ = 0;
  AddTo(expert_use_, output.expert_use);
  AddTo(off_family_, output.off_family);
  AddTo(expert_use_, output.held_expert_use);
  AddTo(off_family_, output.held_off_family);
  if (request_.score_tokens > 0) return TakeScores(output);
  if (request_.prompt_logprobs) {
    if (absl::Status status = TakePrompt(output); !status.ok()) {
      return {Verdict::Kind::kOver, std::move(status)};
    }
  }
  return TakeToken(output);
}

absl::Status DenseSequence::TakePrompt(const SequenceOutput& output) {
  const int scored = std::min(output.position + 1, PromptTokens(request_) - 1);
  const int count = std::max(scored - prompt_scored_, 0);
  const auto each = static_cast<std::size_t>(
      std::min(*request_.prompt_logprobs, config_.vocab_size));
  if (static_cast<int>(output.score_logprobs.size()) != count ||
      output.score_alternatives.size() != count * each) {
    return absl::InternalError(
        "the expert worker returned other log-probabilities of the prompt than "
        "requested");
  }
  PromptLogprobs prompt;
  auto first = output.score_alternatives.begin();
  for (const float logprob : output.score_logprobs) {
    if (prompt.tokens.empty()) prompt.index = prompt_scored_ + 1;
    prompt.tokens.push_back(
        {tokens_[++prompt_scored_], logprob, {first, first + each}});
    first += static_cast<std::ptrdiff_t>(each);
    if (prompt.tokens.size() < kMaxPromptPiece && prompt_scored_ < scored) {
      continue;
    }
    sink_->OnPrompt(std::exchange(prompt, {}));
  }
  return absl::OkStatus();
}

Verdict DenseSequence::TakeScores(const SequenceOutput& output) {
  score_logprobs_.insert(score_logprobs_.end(), output.score_logprobs.begin(),
                         output.score_logprobs.end());
  const int scored = static_cast<int>(score_logprobs_.size());
  if (scored > request_.score_tokens) {
    return Broken("the expert worker returned more scores than requested");
  }
  if (scored == request_.score_tokens) return Complete(FinishCause::kScored);
  if (output.position + 2 >= static_cast<int>(tokens_.size())) {
    return Broken("the expert worker returned fewer scores than requested");
  }
  return {};
}

Verdict DenseSequence::TakeToken(const SequenceOutput& output) {
  const bool awaited =
      state_ == SequenceState::kAwaiting && output.position == awaited_;
  if (output.sampled.has_value() != awaited) {
    return Broken(
        output.sampled
            ? "the expert worker returned a token for the wrong position"
            : "the expert worker did not return a requested token");
  }
  if (!output.sampled) return {};
  const std::int32_t token = output.sampled->token;
  if (token < 0 || token >= config_.vocab_size) {
    return Broken("the expert worker returned a token outside the vocabulary");
  }
  const auto ends = [token](const std::vector<std::int32_t>& tokens) {
    return std::find(tokens.begin(), tokens.end(), token) != tokens.end();
  };
  if (!request_.ignore_eos &&
      (ends(config_.eos_tokens) || ends(request_.end_tokens))) {
    return Complete(FinishCause::kEos);
  }
  const int index = static_cast<int>(tokens_.size()) - PromptTokens(request_);
  tokens_.push_back(token);
  sink_->OnToken({index, token, output.sampled->logprob, output.alternatives,
                  request_.use_with_tokens ? Use() : std::vector<LayerUse>()});
  if (index + 1 - request_.answer_tokens == request_.max_new_tokens) {
    return Complete(FinishCause::kLength);
  }
  Apply(SequenceEvent::kToken);
  return {Verdict::Kind::kToken};
}

std::vector<LayerUse> DenseSequence::Use() const {
  std::vector<LayerUse> use;
  for (int layer = 0; layer < config_.num_sparse_layers(); ++layer) {
    const auto first = expert_use_.begin() + layer * config_.num_experts;
    use.push_back({config_.boundary + layer,
                   {first, first + config_.num_experts},
                   off_family_[layer]});
  }
  return use;
}

Verdict DenseSequence::Complete(FinishCause cause) const {
  return {Verdict::Kind::kOver,
          GenerationFinished{cause, Use(), score_logprobs_}};
}

}  // namespace apollo
