#include "dense_worker/dense_core.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace apollo {

DenseCore::DenseCore(Options options, std::unique_ptr<DenseStage> stage,
                     DenseObserver& observer, const Clock& clock)
    : options_(std::move(options)),
      stage_(std::move(stage)),
      num_experts_(stage_->config().num_experts),
      observer_(observer),
      prefixes_(stage_->blocks()),
      scheduler_(options_.scheduler, stage_->blocks(),
                 [this](SequenceId id) { return FindCached(id); }),
      placement_(num_experts_),
      answers_(clock) {}

DenseCore::~DenseCore() {
  while (!sequences_.empty()) {
    Finish(sequences_.begin()->first,
           absl::UnavailableError("the dense worker is shutting down"));
  }
}

void DenseCore::LinkUp(LinkId id, const Hello& peer,
                       std::shared_ptr<Link> link) {
  placement_.Add(id, peer);
  links_[id] = std::move(link);
}

void DenseCore::LinkDown(LinkId id) {
  links_.erase(id);
  placement_.Remove(id);
  answers_.Forget(id);
  silent_.erase(id);
  for (auto it = in_flight_.begin(); it != in_flight_.end();) {
    it->second.erase(id);
    it = it->second.empty() ? in_flight_.erase(it) : std::next(it);
  }
  std::vector<SequenceId> lost;
  for (const auto& [sequence_id, sequence] : sequences_) {
    if (sequence.worker == id) lost.push_back(sequence_id);
  }
  for (const SequenceId sequence_id : lost) {
    Finish(sequence_id,
           absl::UnavailableError("the expert worker was lost; try again"));
  }
}

void DenseCore::LinkLeaving(LinkId id, bool leaving) {
  placement_.SetLeaving(id, leaving);
}

void DenseCore::Tick(absl::Duration now) {
  for (const LinkId id : placement_.Left()) links_.at(id)->Close();
  for (const LinkId id : answers_.SilentFor(options_.silent_after, now)) {
    if (silent_.contains(id)) continue;
    LogWarning("expert_worker_silent", {{"peer", placement_.name(id)}});
    SetSilent(id, true);
  }
  for (const LinkId id : answers_.SilentFor(options_.answer_timeout, now)) {
    LogError("expert_worker_does_not_answer",
             {{"peer", placement_.name(id)},
              {"seconds", absl::ToDoubleSeconds(options_.answer_timeout)}});
    answers_.Forget(id);
    links_.at(id)->Close();  // LinkDown follows.
  }
}

void DenseCore::SetSilent(LinkId id, bool silent) {
  if (silent) {
    silent_.insert(id);
  } else {
    silent_.erase(id);
  }
  placement_.SetSilent(id, silent);
  for (const auto& [sequence_id, sequence] : sequences_) {
    if (sequence.worker == id) UpdatePaused(sequence_id, sequence);
  }
}

void DenseCore::UpdatePaused(SequenceId id, const Sequence& sequence) {
  scheduler_.SetPaused(id,
                       sequence.paused || silent_.contains(sequence.worker));
}

void DenseCore::SetPaused(SequenceId id, bool paused) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  it->second.paused = paused;
  UpdatePaused(id, it->second);
}

int DenseCore::StepsInFlight() const {
  const auto unsent =
      std::count_if(outbox_.begin(), outbox_.end(),
                    [](const Departure& d) { return d.step != 0; });
  const auto unanswered = std::count_if(
      in_flight_.begin(), in_flight_.end(), [this](const auto& step) {
        return std::any_of(step.second.begin(), step.second.end(),
                           [this](const auto& asked) {
                             return !silent_.contains(asked.first);
                           });
      });
  return static_cast<int>(unsent + unanswered);
}

std::int64_t DenseCore::MaxPositions(const GenerationRequest& request) {
  const std::int64_t prompt = request.prompt.size();
  // The last token of a scored prompt, and of an answer, is never fed.
  return request.score_tokens > 0 ? prompt - 1
                                  : prompt + request.max_new_tokens - 1;
}

void DenseCore::ShortenToCache(GenerationRequest& request) const {
  if (!request.shorten_to_cache) return;
  std::int64_t tokens = scheduler_.capacity();
  const std::int64_t experts = placement_.MostTokens();
  if (experts > 0) tokens = std::min(tokens, experts);
  // The answer's last token is never fed.
  const std::int64_t room =
      tokens - static_cast<std::int64_t>(request.prompt.size()) + 1;
  request.max_new_tokens = static_cast<int>(std::min<std::int64_t>(
      request.max_new_tokens, std::max<std::int64_t>(room, 1)));
}

absl::Status DenseCore::Check(const GenerationRequest& request) const {
  const ModelConfig& config = stage_->config();
  const std::int64_t prompt = request.prompt.size();
  if (prompt < 1) return absl::InvalidArgumentError("the prompt has no tokens");
  for (const std::int32_t token : request.prompt) {
    if (token < 0 || token >= config.vocab_size) {
      return absl::InvalidArgumentError(
          absl::StrCat("the prompt has a token outside the vocabulary of ",
                       config.vocab_size));
    }
  }
  const int answer = request.answer_tokens;
  if (answer < 0 || answer >= prompt ||
      (answer > 0 && request.score_tokens > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("answer_tokens is ", answer, "; it must be from 0 to ",
                     request.score_tokens > 0 ? 0 : prompt - 1));
  }
  if (request.score_tokens > 0) {
    if (request.score_tokens >= prompt) {
      return absl::InvalidArgumentError(
          "more tokens to score than the prompt has behind its first");
    }
  } else if (request.score_tokens < 0 || request.max_new_tokens < 1) {
    return absl::InvalidArgumentError(
        "nothing to generate and nothing to score");
  }
  if (MaxPositions(request) > config.max_context) {
    return absl::InvalidArgumentError(
        absl::StrCat("prompt and answer need ", MaxPositions(request),
                     " positions; the context has ", config.max_context));
  }
  if (request.family < -1 || request.family >= num_experts_ ||
      (request.hybrid && request.family < 0)) {
    return absl::InvalidArgumentError(
        "hybrid routing needs a family from 0 on");
  }
  if (request.priority < -kMaxPriority || request.priority > kMaxPriority) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the priority must be from ", -kMaxPriority, " to ", kMaxPriority));
  }
  if (request.top_logprobs < 0 || request.top_logprobs > kMaxTopLogprobs) {
    return absl::InvalidArgumentError(
        absl::StrCat("top_logprobs must be from 0 to ", kMaxTopLogprobs));
  }
  RETURN_IF_ERROR(scheduler_.CheckFits(MaxPositions(request)));
  if (scheduler_.waiting() >= options_.max_waiting) {
    return absl::ResourceExhaustedError(
        "too many requests are waiting; try again later");
  }
  return absl::OkStatus();
}

void DenseCore::Submit(SequenceId id, GenerationRequest request,
                       std::shared_ptr<GenerationSink> sink) {
  ShortenToCache(request);
  if (const absl::Status status = Check(request); !status.ok()) {
    sink->OnFinished(status);
    return;
  }
  const absl::StatusOr<LinkId> worker =
      placement_.Choose(request.family, id, MaxPositions(request));
  if (!worker.ok()) {
    sink->OnFinished(worker.status());
    return;
  }
  Sequence sequence;
  sequence.tokens = request.prompt;
  sequence.worker = *worker;
  sequence.sink = std::move(sink);
  sequence.expert_use.resize(
      static_cast<std::size_t>(stage_->config().num_sparse_layers()) *
      num_experts_);
  sequence.off_family.resize(stage_->config().num_sparse_layers());
  const int fed = static_cast<int>(request.prompt.size()) -
                  (request.score_tokens > 0 ? 1 : 0);
  const int positions = static_cast<int>(MaxPositions(request));
  const int priority = request.priority;
  sequence.request = std::move(request);
  const bool added = sequences_.insert({id, std::move(sequence)}).second;
  APOLLO_CHECK(added);
  scheduler_.Add(id, fed, positions, priority);
  if (silent_.contains(*worker)) scheduler_.SetPaused(id, true);
  observer_.OnSequences(scheduler_.running(), scheduler_.waiting());
}

void DenseCore::Cancel(SequenceId id) {
  Finish(id, absl::CancelledError("the request was cancelled"));
}

void DenseCore::Finish(SequenceId id,
                       absl::StatusOr<GenerationFinished> result) {
  const auto it = sequences_.find(id);
  if (it == sequences_.end()) return;
  const std::shared_ptr<GenerationSink> sink = it->second.sink;
  const LinkId worker = it->second.worker;
  Send(worker, {ReleaseSequences{{{id, it->second.attempt}}}, {}});
  placement_.Release(worker);
  sequences_.erase(it);
  scheduler_.Remove(id);
  // There is room at the worker for those that wait for it.
  for (auto& [other, sequence] : sequences_) {
    if (!sequence.held || sequence.worker != worker) continue;
    sequence.held = false;
    scheduler_.Resume(other);
  }
  observer_.OnSequences(scheduler_.running(), scheduler_.waiting());
  ReportCache();
  sink->OnFinished(std::move(result));
}

void DenseCore::ReportCache() {
  const BlockPool& pool = stage_->blocks();
  observer_.OnCache(pool.total() - pool.available(), pool.total());
}

std::span<const std::int32_t> DenseCore::FedTokens(
    const Sequence& sequence) const {
  // The last token of a scored prompt is never fed.
  return {sequence.tokens.data(),
          sequence.tokens.size() - (sequence.request.score_tokens > 0 ? 1 : 0)};
}

BlockTable DenseCore::FindCached(SequenceId id) const {
  if (!options_.prefix_caching) return {};
  const Sequence& sequence = sequences_.at(id);
  return prefixes_.Find(sequence.request.cache_salt, FedTokens(sequence));
}

void DenseCore::Restart(SequenceId id) {
  Sequence& sequence = sequences_.at(id);
  Send(sequence.worker, {ReleaseSequences{{{id, sequence.attempt}}}, {}});
  ++sequence.attempt;
  sequence.awaited = -1;
  sequence.published = 0;
  // All positions will be computed, and counted, again.
  std::fill(sequence.expert_use.begin(), sequence.expert_use.end(), 0);
  std::fill(sequence.off_family.begin(), sequence.off_family.end(), 0);
  sequence.score_logprobs.clear();
  observer_.OnPreemption();
}

void DenseCore::Hold(SequenceId id) {
  Sequence& held = sequences_.at(id);
  held.held = true;
  scheduler_.Preempt(id, /*hold=*/true);
  Restart(id);
  const bool others = std::any_of(
      sequences_.begin(), sequences_.end(), [&held](const auto& entry) {
        return !entry.second.held && entry.second.worker == held.worker;
      });
  if (others) return;
  // Other dense workers have the room, and nobody here will tell when it is
  // free.
  held.held = false;
  scheduler_.Resume(id);
}

void DenseCore::MoveIfNeeded(SequenceId id) {
  Sequence& sequence = sequences_.at(id);
  if (placement_.Takes(sequence.worker)) return;
  const absl::StatusOr<LinkId> other = placement_.Choose(
      sequence.request.family, id, MaxPositions(sequence.request));
  // Without another one it may end where it is.
  if (!other.ok() || silent_.contains(*other)) return;
  placement_.Release(sequence.worker);
  sequence.worker = *other;
}

void DenseCore::Begin(const Scheduler::Admission& admission) {
  MoveIfNeeded(admission.sequence);
  Sequence& sequence = sequences_.at(admission.sequence);
  sequence.published = admission.cached_tokens / kBlockTokens;
  if (sequence.started) return;
  sequence.started = true;
  observer_.OnPrefix(static_cast<int>(FedTokens(sequence).size()),
                     admission.cached_tokens);
  sequence.sink->OnStarted({options_.name, placement_.name(sequence.worker),
                            admission.cached_tokens});
}

void DenseCore::Publish(const Scheduler::Slice& slice) {
  if (!options_.prefix_caching) return;
  Sequence& sequence = sequences_.at(slice.sequence);
  const int filled = (slice.first_position + slice.rows) / kBlockTokens;
  for (; sequence.published < filled; ++sequence.published) {
    prefixes_.Publish(sequence.request.cache_salt, sequence.tokens,
                      scheduler_.blocks(slice.sequence), sequence.published);
  }
}

bool DenseCore::HasWork() const {
  return StepsInFlight() < options_.steps_in_flight && scheduler_.HasWork();
}

SequenceRows DenseCore::RowsFor(const Scheduler::Slice& slice) const {
  const Sequence& sequence = sequences_.at(slice.sequence);
  const GenerationRequest& request = sequence.request;
  SequenceRows rows;
  rows.sequence = slice.sequence;
  rows.attempt = sequence.attempt;
  rows.first_position = slice.first_position;
  const auto first = sequence.tokens.begin() + slice.first_position;
  rows.tokens.assign(first, first + slice.rows);
  if (slice.first_position == 0) {
    rows.start = SequenceStart{request.family,       request.hybrid,
                               request.sampling,     PromptTokens(request),
                               request.top_logprobs, request.language};
  }
  if (request.score_tokens > 0) {
    // Row p gives the log-probability of token p + 1.
    const int end = slice.first_position + slice.rows;
    const int first_scored =
        static_cast<int>(sequence.tokens.size()) - request.score_tokens - 1;
    for (int p = std::max(slice.first_position, first_scored); p < end; ++p) {
      rows.score_targets.push_back(sequence.tokens[p + 1]);
    }
  } else {
    rows.sample = slice.ends_prompt;
  }
  return rows;
}

void DenseCore::Advance() {
  if (!HasWork()) return;
  Scheduler::Step step = scheduler_.NextStep();
  for (const SequenceId id : step.preempted) Restart(id);
  for (const Scheduler::Admission& admission : step.admitted) Begin(admission);
  observer_.OnSequences(scheduler_.running(), scheduler_.waiting());
  ReportCache();
  if (step.slices.empty()) return;

  // Each worker's rows are together, and so its part of the result.
  std::stable_sort(step.slices.begin(), step.slices.end(),
                   [this](const auto& a, const auto& b) {
                     return sequences_.at(a.sequence).worker <
                            sequences_.at(b.sequence).worker;
                   });
  Departure departure;
  departure.step = next_step_++;
  DenseStep dense;
  int first_row = 0;
  int decode_rows = 0;
  for (const Scheduler::Slice& slice : step.slices) {
    Sequence& sequence = sequences_.at(slice.sequence);
    SequenceRows rows = RowsFor(slice);
    dense.slices.push_back({&scheduler_.blocks(slice.sequence),
                            slice.first_position, slice.rows, slice.cached});
    dense.tokens.insert(dense.tokens.end(), rows.tokens.begin() + slice.cached,
                        rows.tokens.end());
    if (rows.sample) {
      sequence.awaited = slice.first_position + slice.rows - 1;
    }
    if (slice.rows == 1 && slice.cached == 0 &&
        slice.first_position >=
            static_cast<int>(sequence.request.prompt.size())) {
      ++decode_rows;
    }
    if (departure.parts.empty() ||
        departure.parts.back().to != sequence.worker) {
      departure.parts.push_back({sequence.worker,
                                 {StageStep{departure.step, {}}, {}},
                                 first_row,
                                 0,
                                 {}});
    }
    Departure::Part& part = departure.parts.back();
    part.rows += slice.rows;
    part.asked[{rows.sequence, rows.attempt}] = {sequence.request.language,
                                                 sequence.request.family >= 0};
    std::get<StageStep>(part.frame.body).sequences.push_back(std::move(rows));
    first_row += slice.rows;
  }
  observer_.OnStep(decode_rows,
                   static_cast<int>(dense.tokens.size()) - decode_rows);
  const std::uint64_t number = departure.step;
  outbox_.push_back(std::move(departure));
  stage_->Forward(std::move(dense), [this, number](Rows boundary) {
    StepDone(number, std::move(boundary));
  });
  for (const Scheduler::Slice& slice : step.slices) Publish(slice);
}

void DenseCore::StepDone(std::uint64_t number, Rows boundary) {
  const auto departure =
      std::find_if(outbox_.begin(), outbox_.end(),
                   [number](const Departure& d) { return d.step == number; });
  APOLLO_CHECK(departure != outbox_.end());
  for (Departure::Part& part : departure->parts) {
    part.frame.payload = boundary.Slice(part.first_row, part.rows);
  }
  departure->ready = true;
  SendReady();
}

void DenseCore::Send(LinkId to, Frame frame) {
  Departure departure;
  departure.parts.push_back({to, std::move(frame), 0, 0, {}});
  departure.ready = true;
  outbox_.push_back(std::move(departure));
  SendReady();
}

void DenseCore::SendReady() {
  while (!outbox_.empty() && outbox_.front().ready) {
    Departure departure = std::move(outbox_.front());
    outbox_.pop_front();
    for (Departure::Part& part : departure.parts) {
      const auto link = links_.find(part.to);
      if (link == links_.end()) continue;  // Its sequences are over.
      if (departure.step != 0) {
        in_flight_[departure.step][part.to] = std::move(part.asked);
        answers_.Asked(part.to);
      }
      link->second->Send(std::move(part.frame));
    }
  }
}

void DenseCore::LinkFrame(LinkId id, Frame frame) {
  const auto link = links_.find(id);
  if (link == links_.end()) return;
  if (auto* reach = std::get_if<Reach>(&frame.body)) {
    placement_.SetReach(id, std::move(reach->experts));
    return;
  }
  const auto* result = std::get_if<StageResult>(&frame.body);
  const auto step =
      result != nullptr ? in_flight_.find(result->step) : in_flight_.end();
  if (step == in_flight_.end() || !step->second.contains(id)) {
    LogError("peer_broke_the_protocol", {{"peer", placement_.name(id)}});
    link->second->Close();
    return;
  }
  answers_.Answered(id);
  if (silent_.contains(id)) SetSilent(id, false);
  Asked asked = std::move(step->second.extract(id).mapped());
  if (step->second.empty()) in_flight_.erase(step);
  for (const SequenceOutput& output : result->outputs) {
    const auto rows = asked.extract({output.sequence, output.attempt});
    // What was not asked for is ignored: the sequence may not even be running.
    if (rows.empty()) continue;
    observer_.OnRouted({rows.mapped().language, rows.mapped().has_family,
                        output.expert_use, output.off_family});
    TakeOutput(id, output);
  }
  for (const auto& [key, rows] : asked) {
    const auto& [sequence_id, attempt] = key;
    const auto it = sequences_.find(sequence_id);
    if (it == sequences_.end() || it->second.attempt != attempt ||
        it->second.worker != id) {
      continue;
    }
    // Nobody else would ever end it.
    Finish(sequence_id,
           absl::InternalError(
               "the expert worker's answer left out the sequence"));
  }
}

void DenseCore::TakeOutput(LinkId from, const SequenceOutput& output) {
  const auto it = sequences_.find(output.sequence);
  // Late answers of sequences that are over, or of older attempts.
  if (it == sequences_.end() || it->second.attempt != output.attempt ||
      it->second.worker != from) {
    return;
  }
  const SequenceId id = it->first;
  Sequence& sequence = it->second;
  if (output.status.code() == absl::StatusCode::kAborted) {
    Hold(id);
    return;
  }
  if (!output.status.ok()) {
    Finish(id, output.status);
    return;
  }
  for (std::size_t i = 0;
       i < std::min(sequence.expert_use.size(), output.expert_use.size());
       ++i) {
    sequence.expert_use[i] += output.expert_use[i];
  }
  for (std::size_t i = 0;
       i < std::min(sequence.off_family.size(), output.off_family.size());
       ++i) {
    sequence.off_family[i] += output.off_family[i];
  }
  if (sequence.request.score_tokens > 0) {
    sequence.score_logprobs.insert(sequence.score_logprobs.end(),
                                   output.score_logprobs.begin(),
                                   output.score_logprobs.end());
    const int scored = static_cast<int>(sequence.score_logprobs.size());
    if (scored > sequence.request.score_tokens) {
      Finish(id, absl::InternalError("more scores came than were asked for"));
    } else if (scored == sequence.request.score_tokens) {
      Finish(id, Summary(sequence, FinishCause::kScored));
    } else if (output.position + 2 >=
               static_cast<int>(sequence.tokens.size())) {
      Finish(id, absl::InternalError("fewer scores came than were asked for"));
    }
    return;
  }
  if (output.sampled.has_value() != (output.position == sequence.awaited)) {
    Finish(id, absl::InternalError(
                   output.sampled ? "a token came for the wrong position"
                                  : "a token that was asked for did not come"));
    return;
  }
  if (!output.sampled) return;
  sequence.awaited = -1;
  const std::int32_t token = output.sampled->token;
  if (token < 0 || token >= stage_->config().vocab_size) {
    Finish(id,
           absl::InternalError("a token came that is not in the vocabulary"));
    return;
  }
  const std::vector<std::int32_t>& eos = stage_->config().eos_tokens;
  if (!sequence.request.ignore_eos &&
      std::find(eos.begin(), eos.end(), token) != eos.end()) {
    Finish(id, Summary(sequence, FinishCause::kEos));
    return;
  }
  const int index =
      static_cast<int>(sequence.tokens.size()) - PromptTokens(sequence.request);
  sequence.tokens.push_back(token);
  sequence.sink->OnToken(
      {index, token, output.sampled->logprob, output.alternatives,
       sequence.request.use_with_tokens ? UseOf(sequence)
                                        : std::vector<LayerUse>()});
  if (index + 1 - sequence.request.answer_tokens ==
      sequence.request.max_new_tokens) {
    Finish(id, Summary(sequence, FinishCause::kLength));
  } else {
    scheduler_.TokenArrived(id);
  }
}

std::vector<LayerUse> DenseCore::UseOf(const Sequence& sequence) const {
  std::vector<LayerUse> use;
  for (int layer = 0; layer < stage_->config().num_sparse_layers(); ++layer) {
    const auto first = sequence.expert_use.begin() + layer * num_experts_;
    use.push_back({stage_->config().boundary + layer,
                   {first, first + num_experts_},
                   sequence.off_family[layer]});
  }
  return use;
}

GenerationFinished DenseCore::Summary(const Sequence& sequence,
                                      FinishCause cause) const {
  return {cause, UseOf(sequence), sequence.score_logprobs};
}

}  // namespace apollo
